/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "store/trace.h"

static uint64_t number(unsigned int pool, uint32_t handle)
{
	return (uint64_t)pool << 32 | handle;
}

void store_trace_alloc(struct store *store, unsigned int pool, uint32_t handle, size_t size)
{
	pthread_mutex_lock(&store->trace_lock);
	fprintf(store->trace, "a %" PRIx64 " %zu\n", number(pool, handle), size);
	pthread_mutex_unlock(&store->trace_lock);
}

void store_trace_free(struct store *store, unsigned int pool, uint32_t handle)
{
	pthread_mutex_lock(&store->trace_lock);
	fprintf(store->trace, "f %" PRIx64 "\n", number(pool, handle));
	pthread_mutex_unlock(&store->trace_lock);
}
