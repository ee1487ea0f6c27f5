/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last resort of a disk that holds the swap of its own machine.
 *
 * When a write finds no room (the pool is full, and what is behind it is full or broken)
 * the kernel keeps the page and tries the next, thousands of times a second, for ever: as
 * long as swap space looks free it takes every page for one that can be reclaimed, and does
 * not call its OOM killer.  The machine does nothing else any more.  So the server, which
 * alone knows that there is no room, asks the kernel to end a program, as an administrator
 * would with sysrq-f: the kernel chooses it.
 *
 * The same where the server waits for memory to store a page that is swapped out, and memory for
 * that page to be stored.  Pages that do not compress may bring a machine there: each takes a
 * little more than it gives, out of what the kernel keeps free.  At half of that all who want
 * memory are made to wait for it to be freed, the server among them.  The kernel leaves an OOM kill
 * that is asked for to a thread of its own, which may wait with all the others.  So there the
 * server ends a program itself (oom_victims.h), and so it does where asking was of no use.
 *
 * The same where all that programs have in memory are a few pages, out of which they take each
 * other's: requests go on, more than a hundred a second, and nothing else does.  The kernel, which
 * gets a page whenever it looks for one, calls no OOM killer there: Linux 6.12 and 7.3 were seen to
 * go on so for eight minutes.
 *
 * And where the kernel's device was taken away from the server by force: the kernel writes there
 * for ever, too, and nobody can have it stop.
 */
#ifndef RAMZSWAP_OOM_CALL_H
#define RAMZSWAP_OOM_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/machine.h"

/* So long must it last. */
#define OOM_CALL_MS 10000u

/* The same in looks: they stop where the server is stopped, and nothing can go on. */
#define OOM_CALL_LOOKS 20u

/* Where the kernel gives nobody anything at once: only an end of the server's requests frees pages.
 */
#define OOM_CALL_LOOKS_EXHAUSTED 6u

/*
 * Where programs have less in memory than 1/2^9 of it, they get nowhere.  In machines of 128 MB
 * they had 16 to 500 kB for as long as one looked, and loads that lived less than 1 MB for 2 s at
 * most. What is locked does not count: a program that is goes on for itself.
 */
#define OOM_CALL_STARVED_SHIFT 9
#define OOM_CALL_STARVED_LEAST (UINT64_C(768) << 10)
#define OOM_CALL_STARVED_MOST (UINT64_C(4) << 20)

/*
 * And the kernel swaps: so many requests end between two looks.  A few looks at which fewer do are
 * a pause, as nothing is in memory that could go on; more are a machine at rest.
 */
#define OOM_CALL_STARVED_ENDED 8u
#define OOM_CALL_STARVED_PAUSE 6u

/* And where something has been done about it, and still nothing goes on. */
#define OOM_CALL_LOOKS_AGAIN 10u

/* What has to be done. */
enum relief {
	RELIEF_NONE,
	RELIEF_ASK_KERNEL, /* oom_call_make */
	RELIEF_END_ONE,	   /* oom_victims_end, or the former where that cannot be */
};

struct oom_call {
	bool prepared;
	int trigger;		 /* /proc/sysrq-trigger, or -1 */
	int meminfo, swaps;	 /* of /proc: opened while there is memory to open a file */
	uint64_t since_ms;	 /* the machine has been stuck since then; 0: it is not */
	uint64_t stuck_ms;	 /* when it was seen to be last */
	uint64_t writes, failed; /* write requests at since_ms */
	uint64_t writes_seen, failed_seen, ended_seen; /* at the last look */
	unsigned int standing; /* looks in a row at which nothing had gone on */
	unsigned int starving; /* looks at which nothing but requests had, but for pauses */
	unsigned int pausing;  /* looks in a row since the last of them */
	bool starved;	       /* that was why something had to be done at last */
	enum relief tried;     /* and memory has been short since, and nothing better */
};

/* What is to be judged. */
struct oom_call_view {
	uint64_t now_ms;
	uint64_t writes; /* requests since the start, and of these failed for want of room */
	uint64_t failed;
	uint64_t ended; /* requests of any kind */
	bool under_way; /* one has begun and not ended, and waits for no disk */
	bool lost; /* oom_call_is_lost of our device: no write comes to us any more, all fail */
	bool exhausted; /* the server gets no memory, by oom_call_is_exhausted */
	struct machine_memory memory;
};

/*
 * While all privileges are there, and memory: nothing is allocated from then on, since
 * whoever does would wait for what is to be ended here.
 */
void oom_call_prepare(struct oom_call *oom_call);

/* Whether the kernel has nothing that a pool could grow by at once.  Two system calls. */
bool oom_call_is_exhausted(void);

/* A zeroed one is accepted. */
void oom_call_finish(struct oom_call *oom_call);

/*
 * To be called about every half second.  Something has to be done when for OOM_CALL_MS the machine
 * has had no memory left, and most writes have been failing, or, after one has, none came to an
 * end, or they have nowhere to go: the kernel is to be asked.  Or when for OOM_CALL_LOOKS calls it
 * had none left, and nothing that was under way went on: a program is to be ended.  Or when at so
 * many calls programs had next to nothing in memory, and requests went on: the kernel is to be
 * asked.  Where that goes on the other is due, for OOM_CALL_MS more, or
 * OOM_CALL_LOOKS_AGAIN calls.  Begins to wait anew each time.
 */
enum relief oom_call_judge(struct oom_call *oom_call, const struct oom_call_view *view);

/*
 * Whether the ublk device of this number was taken away while the kernel swapped there, and there
 * is no room in another area.  No allocation.
 */
bool oom_call_is_lost(const struct oom_call *oom_call, int number);

/* Whether this machine swaps to an nbd or ublk device: perhaps to us. */
bool oom_call_swap_is_on(const struct oom_call *oom_call);

/* Asks the kernel to end a program.  0 or a negative errno.  No allocation. */
int oom_call_make(struct oom_call *oom_call);

#endif
