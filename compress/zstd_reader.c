/* SPDX-License-Identifier: GPL-2.0-or-later */
#define ZSTD_STATIC_LINKING_ONLY
#include <sched.h>
#include <stdatomic.h>

#include "zstd_reader.h"

/* What libzstd 1.5 asks for, and 5 % for later versions. */
#define WORKSPACE_SIZE (100 * 1024)

/* To touch each of its pages, whatever their size is. */
#define STRIDE 4096

/*
 * More contexts than a machine has threads decompressing at once, or nearly; only
 * those that were made ready or ever needed take memory.
 */
#define CONTEXTS 64

static struct {
	_Atomic(ZSTD_DCtx *) context; /* NULL until its first use */
	atomic_flag busy;
	unsigned char workspace[WORKSPACE_SIZE] __attribute__((aligned(64)));
} contexts[CONTEXTS];

/* Of those that are free the first: they are the ones that were made ready. */
static unsigned int claim(void)
{
	for (unsigned int i = 0;; i++) {
		if (!atomic_flag_test_and_set_explicit(&contexts[i % CONTEXTS].busy,
						       memory_order_acquire))
			return i % CONTEXTS;
		if (i % CONTEXTS == CONTEXTS - 1)
			sched_yield();
	}
}

/* The caller has claimed it. */
static ZSTD_DCtx *make(unsigned int i)
{
	ZSTD_DCtx *context = contexts[i].context;

	if (context)
		return context;
	context = ZSTD_initStaticDCtx(contexts[i].workspace, WORKSPACE_SIZE);
	if (!context ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_format, ZSTD_f_zstd1_magicless)))
		return NULL;
	contexts[i].context = context;
	return context;
}

ZSTD_DCtx *zstd_reader_take(unsigned int *which)
{
	*which = claim();
	return make(*which);
}

void zstd_reader_return(unsigned int which)
{
	atomic_flag_clear_explicit(&contexts[which].busy, memory_order_release);
}

/* One that is in use is resident, or about to be. */
size_t zstd_reader_prepare(unsigned int readers)
{
	if (readers > CONTEXTS)
		readers = CONTEXTS;
	for (unsigned int i = 0; i < readers; i++) {
		if (atomic_flag_test_and_set_explicit(&contexts[i].busy, memory_order_acquire))
			continue;
		for (size_t at = 0; !contexts[i].context && at < WORKSPACE_SIZE; at += STRIDE)
			((volatile unsigned char *)contexts[i].workspace)[at] = 0;
		(void)make(i);
		zstd_reader_return(i);
	}
	return readers * sizeof(contexts[0]);
}
