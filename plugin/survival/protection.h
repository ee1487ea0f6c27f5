/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that keeps a server alive that holds the swap of its own machine: it
 * must never need the memory that it is being asked to free.
 *
 *	lock		no page of the server is ever reclaimed
 *	IO flusher	its allocations neither wait for I/O (which may be its own) nor
 *			are throttled as a writer's
 *	OOM score	the OOM killer takes somebody else
 *	real-time class	it may take what the kernel keeps free for urgent tasks: at that
 *			minimum all others wait for swap-out, that is for the server.
 *			Taken where it is needed, see urgent.h
 *	signals		SIGTERM and the like are put off while swap is on and a client is connected
 *
 * The order of calls is nbdkit's: protection_prepare while the user still reads
 * stderr and all privileges are there, protection_lock first thing after the fork
 * (memory locks do not survive one), protection_populate when the large address ranges
 * have been reserved, which must not become resident, and before threads are made.
 */
#ifndef RAMZSWAP_PROTECTION_H
#define RAMZSWAP_PROTECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protection {
	uint64_t lock_bytes; /* what RLIMIT_MEMLOCK has to be without CAP_IPC_LOCK */
	bool lock_wanted;    /* whether protection_lock is to do anything */
	bool locked;
	bool io_flusher;
	bool oom_protected;
	bool real_time; /* the class may be taken */
};

/* Room for what protection_missing says. */
#define PROTECTION_WHY_MAX 1024

/*
 * Takes the protections that survive a fork, keeps the privileges for the others as limits
 * that survive a change of user, where that may be, and finds out whether memory can be
 * locked: bytes is how much the server will lock at most, its own included.
 */
void protection_prepare(struct protection *protection, uint64_t bytes);

/*
 * Says which protections are missing and how to get each, in one line.  Returns
 * their number.
 */
unsigned int protection_missing(const struct protection *protection, char *why, size_t why_size);

/* What protection_describe leaves, at most. */
#define PROTECTION_TEXT_MAX 128

/* Each protection and whether it is in force, in one line. */
void protection_describe(const struct protection *protection, char *text, size_t text_size);

/*
 * Locks what the process has now, and until protection_populate what it maps, each page
 * when it becomes resident.  Looks again for privileges that nbdkit gave up together with
 * its user.  0 or a negative errno.
 */
int protection_lock(struct protection *protection);

/*
 * From now on all that is mapped becomes resident and locked at once: the stacks of
 * threads that are still to come above all.  Readies warm bytes of the heap (heap.h).
 * 0 or a negative errno.
 */
int protection_populate(struct protection *protection, size_t warm);

/*
 * Makes the code resident that a request may come to, errors included: of the program, of
 * this plugin, of the C library and of each further library whose file's name begins with
 * one of the count names.  Code that was never run would else be read from its file at
 * its first use, which may be when there is no memory to read it into.  What nobody reads once
 * the process runs is unlocked instead (base/image.h).  Does nothing if memory is not
 * locked: it would not stay.  Call after protection_lock.
 */
void protection_populate_code(const struct protection *protection, const char *const *libraries,
			      size_t count);

/* The same of one more library, later. */
void protection_populate_library(const struct protection *protection, const char *library);

/*
 * What faults were taken until now were taken to make ready.  Once more when something has been
 * made after protection_populate; before the first request.
 */
void protection_begin_requests(void);

/* Page faults until now. */
struct protection_faults {
	uint64_t minor;	   /* of the whole process, since its start */
	uint64_t major;	   /* of the whole process, since its start */
	uint64_t requests; /* both kinds, since protection_begin_requests, but for background
			      threads' */
};

void protection_get_faults(struct protection_faults *faults);

/*
 * Called by each background thread now and then: what it takes faults for, it does
 * so that requests need not.
 */
void protection_note_background_faults(void);

/*
 * From now on SIGTERM, SIGINT, SIGHUP and SIGQUIT, by which nbdkit is ended, only make
 * protection_quit_wanted true.  Call after the fork.
 */
void protection_hold_signals(void);
bool protection_quit_wanted(void);

/*
 * Whether this machine swaps to an nbd device: perhaps to us.  No allocation.
 * false where /proc/swaps cannot be read.
 */
bool protection_swap_is_on(void);

#endif
