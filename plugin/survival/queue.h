/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's nbd driver may send, and how: the queue of the device through which this
 * machine has attached a disk of ours.  ramzswap(8) sets it before anything is swapped there; who
 * attaches by hand may not know that he has to.
 */
#ifndef RAMZSWAP_QUEUE_H
#define RAMZSWAP_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_NAME_MAX 32

/* All attached nbd devices of one size together. */
struct queue {
	uint64_t request_bytes;		/* the largest request that may come; 0: none is attached */
	char device[QUEUE_NAME_MAX];	/* the one that may send it, as nbd0 */
	char scheduler[QUEUE_NAME_MAX]; /* of one that has an I/O scheduler; else empty */
	char scheduled[QUEUE_NAME_MAX]; /* that device */
};

/*
 * Looks at all nbd devices under sys_block (/sys/block) that are attached and have so many
 * bytes: of which of them we are the server the kernel does not tell.  Allocates.
 */
void queue_look(struct queue *queue, const char *sys_block, uint64_t disk_bytes);

/*
 * Finds the attached nbd device of so many bytes whose server this process is: that which the
 * client of this number has attached (pid of the other end of its socket, as nbd-client's over
 * netlink), or else, where surely is not asked for, the only one.  False, and device untouched,
 * where that cannot be told. Allocates.
 */
bool queue_find(const char *sys_block, uint64_t disk_bytes, long long client, bool surely,
		char device[QUEUE_NAME_MAX]);

/*
 * Whether this kernel may lose the connection, and all that is swapped out, where the queue has an
 * I/O scheduler.  Since Linux 6.6 the task that wants to send does so itself; a signal may end it
 * half-way.  Until "nbd: fix partial sending" the request went back to the block layer, where a
 * scheduler may give its tag to another.  The mended driver has a function for the rest, which is
 * looked for in the symbols (/proc/kallsyms), as distributions mend older kernels too.  release is
 * that of uname(2). What cannot be read is taken for faulty.  Reads some 10 MB.
 */
bool queue_scheduler_is_unsafe(const char *kallsyms, const char *release);

#endif
