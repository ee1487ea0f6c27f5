/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for ramzswap-ctl: a directory in the place of the root, with a disk in use in it, and
 * calls that say what they were called for and change that directory as a kernel would.
 */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/stats.h"
#include "fake_control.h"
#include "tools/ramzswap/host.h"

#define FAKE_SERVER 101
#define FAKE_GUARD 102
#define FAKE_SELF 103

struct fake_host {
	struct host host; /* first: the calls get no other */
	char root[32];
	char *out, *err; /* what was said */
	size_t out_size, err_size;
	char log[1024]; /* "end 102; swapoff /dev/nbd0; ..." */
	uint64_t now_ms;
	unsigned int rests;

	const char *release;
	int swapoff_error;	  /* an errno, or 0 */
	bool swap_goes_meanwhile; /* swapoff fails, and then somebody else has done it */
	bool interrupted;	  /* by a user */
	bool stays_attached;	  /* the kernel does not disconnect */
	int bury_error;		  /* an errno, or 0 */
	int swapon_error;	  /* an errno, or 0 */
	pid_t never_ends;	  /* a process that does not */
	void (*at_rest)(struct fake_host *fake); /* called at each */
};

/* For use as a cmocka setup and teardown: *state is the fake, with an nbd disk in use. */
int fake_host_setup(void **state);
int fake_host_teardown(void **state);

/* Makes the directory one of a disk behind the ublk door. */
void fake_host_use_ublk(struct fake_host *fake);

/*
 * Has the server answer with these statistics: *control is a fake_control, for the caller to tear
 * down.
 */
void fake_host_answer(struct fake_host *fake, void **control, const struct ramzswap_stats *stats);

/* After that: somebody has taken the device away while the kernel swapped there. */
void fake_host_lose_ublk(struct fake_host *fake);

/* Makes a file below the root, with its directories, or writes it anew. */
void fake_put(struct fake_host *fake, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Its text without the last newline, good until the next call; "(none)" if it is not there. */
const char *fake_text(struct fake_host *fake, const char *path);
bool fake_exists(struct fake_host *fake, const char *path);
void fake_remove(struct fake_host *fake, const char *path);

/* /proc/swaps and /proc/meminfo, in kB; a size of 0: nobody swaps to the disk. */
void fake_swaps(struct fake_host *fake, unsigned long size, unsigned long used);
void fake_meminfo(struct fake_host *fake, unsigned long available, unsigned long cached);

/* A process is gone. */
void fake_kill(struct fake_host *fake, pid_t process);

/* What was said so far, good until the next call of these and of fake_text. */
const char *fake_said(struct fake_host *fake);
const char *fake_complained(struct fake_host *fake);

#endif
