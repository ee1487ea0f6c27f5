/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contexts in which libzstd decompresses, in memory that is there beforehand.  A fixed set is
 * shared by all threads, as a decompression is lent no workspace.
 */
#ifndef RAMZSWAP_ZSTD_READER_H
#define RAMZSWAP_ZSTD_READER_H

#include <stddef.h>

#include <zstd.h>

/*
 * Takes a context for frames without a magic number; waits only while all are in use, for a
 * few microseconds.  NULL if libzstd wants more memory than a context has.  *which is to be
 * given back in either case.
 */
ZSTD_DCtx *zstd_reader_take(unsigned int *which);
void zstd_reader_return(unsigned int which);

/* As prepare of struct codec. */
size_t zstd_reader_prepare(unsigned int readers);

#endif
