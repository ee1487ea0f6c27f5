/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace of what a store asks of its pools, for benchmarks to replay.  A line
 * each: "a NUMBER SIZE" for an object made, "f NUMBER" for one freed, where NUMBER
 * tells live objects apart: pool << 32 | handle.  Only where store->trace is set.
 */
#ifndef RAMZSWAP_STORE_TRACE_H
#define RAMZSWAP_STORE_TRACE_H

#include "store/state.h"

void store_trace_alloc(struct store *store, unsigned int pool, uint32_t handle, size_t size);
void store_trace_free(struct store *store, unsigned int pool, uint32_t handle);

#endif
