/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large a thread's stack is.  Where memory is locked all of it is resident, so that it is given
 * no more than it needs.
 */
#ifndef RAMZSWAP_STACK_H
#define RAMZSWAP_STACK_H

#include <stddef.h>
#include <unistd.h>

/* Sanitizers need several times as much. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_TIMES 4
#else
#define STACK_TIMES 1
#endif

/* For one that needs so many bytes: the C library takes no less than 128 KiB on arm64. */
static inline size_t stack_size(size_t needed)
{
	long least = sysconf(_SC_THREAD_STACK_MIN);

	needed *= STACK_TIMES;
	return least > 0 && needed < (size_t)least ? (size_t)least : needed;
}

#endif
