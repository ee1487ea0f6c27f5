/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <unistd.h>

#include "store/effort.h"
#include "store/recompress.h"
#include "store/request.h"

/*
 * With no request for so long, and the processors as little used as this (load per
 * processor), pages get all the time that the codec can spend on them.
 */
#define QUIET_MS 10000
#define QUIET_LOAD 0.5
/* The load is an average over about so long.  What we add to it ourselves does not count. */
#define LOAD_MS 60000

/* More requests than this since the last step: the disk is at work, not idle. */
#define LOADED_REQUESTS 16

/*
 * While requests come, and so long after the last one, no more of a processor than this: who
 * swaps a program in again by one fault after the other leaves short pauses in which nothing is
 * asked for, and on a machine of one processor it must not find that in use each time.
 */
#define ATTENDED_MS 1000
#define ATTENDED_PERCENT 20

bool effort_loaded(struct store *store, uint64_t now)
{
	struct recompression *re = &store->recompress;
	uint64_t requests = store_requests(store), since = requests - re->requests_seen;

	re->requests_seen = requests;
	if (since > 0)
		re->quiet_since = now;
	return since > LOADED_REQUESTS;
}

unsigned int effort_rest_ms(const struct store *store, uint64_t now, uint64_t busy_ns)
{
	const struct recompression *re = &store->recompress;
	bool attended = store_requests(store) != re->requests_seen ||
			now - re->quiet_since < ATTENDED_MS;
	unsigned int percent = re->cpu_percent;
	uint64_t ns;

	if (attended && percent > ATTENDED_PERCENT)
		percent = ATTENDED_PERCENT;
	ns = busy_ns * (100 - percent) / percent;
	return (unsigned int)((ns + 999999) / 1000000);
}

double recompress_own_load(double before, uint64_t ms, uint64_t busy_ns)
{
	double share = ms ? (double)busy_ns / 1e6 / (double)ms : 0;
	double weight = ms < LOAD_MS ? (double)ms / LOAD_MS : 1;

	return before + (share - before) * weight;
}

bool recompress_may_take_long(double load, double own, long processors)
{
	return load - own < QUIET_LOAD * (double)processors;
}

enum codec_effort effort_present(struct store *store, uint64_t now)
{
	struct recompression *re = &store->recompress;
	uint64_t ns = atomic_load_explicit(&re->ns, memory_order_relaxed);
	double load;

	re->own_load = recompress_own_load(re->own_load, now - re->own_ms,
					   ns > re->own_ns ? ns - re->own_ns : 0);
	re->own_ms = now;
	re->own_ns = ns;
	if (now - re->quiet_since < QUIET_MS || getloadavg(&load, 1) != 1)
		return CODEC_DENSE;
	return recompress_may_take_long(load, re->own_load, sysconf(_SC_NPROCESSORS_ONLN))
		       ? CODEC_MAX
		       : CODEC_DENSE;
}
