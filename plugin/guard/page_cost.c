/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/page_cost.h"

#define PAGE_SIZE 4096.0

/* Fewer say nothing: they are counted with those of the next look. */
#define SAMPLE_PAGES 64u

/* So many bytes of pages weigh as much as all that was learned before. */
#define MEMORY (8.0 * 1024 * 1024)

/* Looks lie at most so many spreads above the mean; and a spread is not less than this of it. */
#define SPREADS 3
#define SPREAD_MIN (1.0 / 64)

/* Until it is known how much looks differ. */
#define SPREAD_GUESS (1.0 / 8)

/* The fastest of late is forgotten by half in this time. */
#define RATE_MEMORY_MS 1000.0

/* What a pool has beside payloads: headers, gaps, spans that are not full, tables. */
#define WITH_OVERHEAD(bytes) ((bytes)*PAGE_COST_MOST)

static double distance(double one, double other)
{
	return one > other ? one - other : other - one;
}

static void begin(struct page_cost *cost, double sample)
{
	cost->mean = sample;
	cost->spread = sample * SPREAD_GUESS;
	cost->known = true;
}

static double bound(const struct page_cost *cost)
{
	double spread = cost->spread;

	if (spread < cost->mean * SPREAD_MIN)
		spread = cost->mean * SPREAD_MIN;
	return cost->mean + SPREADS * spread;
}

static void learn(struct page_cost *cost, double sample, double bytes)
{
	double weight = bytes / (bytes + MEMORY);

	if (!cost->known || sample > bound(cost)) {
		begin(cost, sample);
		return;
	}
	cost->spread += weight * (distance(sample, cost->mean) - cost->spread);
	cost->mean += weight * (sample - cost->mean);
}

static void measure_rate(struct page_cost *cost, double bytes, uint64_t ms)
{
	double since = ms > cost->ms ? (double)(ms - cost->ms) : 1;
	double rate = bytes / since;

	cost->rate *= RATE_MEMORY_MS / (RATE_MEMORY_MS + since);
	if (rate > cost->rate)
		cost->rate = rate;
}

void page_cost_look(struct page_cost *cost, uint64_t pages, uint64_t payload, uint64_t ms)
{
	bool goes_on = cost->seen && pages >= cost->pages && payload >= cost->payload;
	uint64_t more = goes_on ? pages - cost->pages : pages;
	double bytes = (double)more * PAGE_SIZE;

	if (goes_on && more < SAMPLE_PAGES)
		return;
	if (more >= SAMPLE_PAGES)
		learn(cost, (double)(goes_on ? payload - cost->payload : payload) / bytes, bytes);
	if (goes_on)
		measure_rate(cost, bytes, ms);
	cost->pages = pages;
	cost->payload = payload;
	cost->ms = ms;
	cost->seen = true;
}

double page_cost_most(const struct page_cost *cost)
{
	double most = cost->known ? bound(cost) : 1;

	return most < 1 ? WITH_OVERHEAD(most) : PAGE_COST_MOST;
}
