/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that may take memory where all others wait for it.
 *
 * A server that holds the swap of its own machine is asked to store pages when there is no
 * memory: at the kernel's minimum (vm.min_free_kbytes) all who want some wait until pages have
 * been swapped out, which is until the server has answered.  What it needs to answer it
 * cannot wait for.  A task of a real-time class may take half of that minimum (mm/page_alloc.c,
 * ALLOC_MIN_RESERVE; a quarter before Linux 6.3, 6.1.116 and 5.15.171, as ALLOC_HARDER), so
 * a thread is of one for as long as a system call lasts in which memory is needed: to make
 * memory resident, to send, to use a disk directly.  Not for longer, as it would keep
 * other programs from the processor.
 */
#ifndef RAMZSWAP_URGENT_H
#define RAMZSWAP_URGENT_H

#include <stdbool.h>
#include <stdint.h>

/* What urgent_begin returns where there is nothing to undo. */
#define URGENT_LEFT_ALONE (-1)

/*
 * Makes the calling thread one of SCHED_RR, of the lowest priority, if it is of no real-time
 * class yet and may be (CAP_SYS_NICE or RLIMIT_RTPRIO; where it may not, it waits as all
 * do).  Returns what urgent_end wants.  Three system calls for both, no lock; errno is kept.
 */
int urgent_begin(void);

/*
 * The same, but only where little memory is free: 48 MiB and 1/256 of what there is, which is
 * twice what the kernel frees to with a minimum of 16 MiB, so that the minimum is not reached
 * between the look and the call.  For what is done too often to pay for the class each time
 * (some 5 microseconds; half of one to see that it is not needed).
 */
int urgent_begin_if_short(void);

/*
 * Of what is free, bytes that not even such a thread gets: half of vm.min_free_kbytes, and what the
 * kernel keeps in lower zones from who could have higher ones (protection of /proc/zoneinfo).  0
 * where the former cannot be read.  The first call reads the latter, and opens a file; each reads
 * that.  No lock.
 */
uint64_t urgent_floor(void);

/*
 * Whether such a thread gets so many bytes without looking for pages to free, by urgent_floor; true
 * where that is not known.  Who asks all the same looks for as long as there are none, and on one
 * processor nobody else comes to free any.  Two system calls.
 */
bool urgent_gets_at_once(uint64_t bytes);

/*
 * Waits for that, without the class, so many milliseconds at most.  Returns whether it came true;
 * false at once where it is not known.
 */
bool urgent_await(uint64_t bytes, unsigned int ms);

/* Gives the calling thread the class back that it had. */
void urgent_end(int policy);

/* Whether the calling thread is of a real-time class or may be: seen by trying. */
bool urgent_is_possible(void);

#endif
