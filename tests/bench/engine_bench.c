/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: what a page costs in time and memory, from store_write down,
 * without nbdkit.
 *
 * Each round creates a fresh disk as large as the set of pages and then
 *  - fills it in order, and reads it in order;
 *  - overwrites it three times over, at random, each time with a page of the set
 *    chosen at random; and reads all of it in random order;
 *  - frees three quarters of it at random, waits while the store's background work
 *    goes on, checks what is left, and frees the rest.
 *
 * Beside the store the codec does the same pages alone, and zram the same
 * requests, in turns of SEGMENT_PAGES.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "engine_bench.h"
#include "server/worker.h"

#define SEGMENT_PAGES 1024u
#define OVERWRITE_PASSES 3u
#define SAMPLE_MS 250u

/* One disk, from its creation to its end. */
struct round {
	struct bench *bench;
	struct results *results;
	unsigned int number; /* of this round */
	unsigned int threads;
	struct crew *crew;
	struct peer *peer[PEERS_MAX]; /* the store is the first */
	uint64_t random;
	uint64_t rss_before;
	struct request *requests;
	uint32_t *last_used; /* by slot: the segment that touched it last */
	uint32_t segment;
	struct worker *worker;
};

/* Exact, unlike the counters in /proc/self/statm, which lag by pages per processor. */
static uint64_t anonymous_memory(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	uint64_t kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Anonymous: %lu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib << 10;
}

static unsigned int work(void *opaque)
{
	struct round *round = opaque;

	return store_work(peer_store(round->peer[0]));
}

static void kick(void *opaque)
{
	struct round *round = opaque;

	worker_kick(round->worker);
}

static void sample_memory(struct round *round, struct memory_sample *sample)
{
	struct peer_memory memory;
	struct peer *store = round->peer[0], *zram = round->peer[2];
	uint64_t rss = anonymous_memory();

	store->memory(store, &memory);
	sample->used = memory.used;
	sample->stored = memory.ideal;
	sample->ideal = bench_set_ideal(&round->bench->set);
	sample->rss = rss > round->rss_before ? rss - round->rss_before : 0;
	if (zram && zram->memory(zram, &memory) == 0) {
		sample->zram_used = memory.used;
		sample->zram_ideal = memory.ideal;
	}
}

static uint64_t lock_waits(struct round *round)
{
	struct ramzswap_stats stats = { 0 };

	store_get_stats(peer_store(round->peer[0]), &stats);
	return stats.lock_waits;
}

/* --- The phases with requests ----------------------------------------------------- */

/* Draws a run of slots that this segment has not touched yet. */
static uint32_t draw_slot(struct round *round, uint32_t runs, uint32_t run_pages)
{
	uint32_t slot;

	do
		slot = bench_random_below(&round->random, runs) * run_pages;
	while (round->last_used[slot] == round->segment);
	round->last_used[slot] = round->segment;
	return slot;
}

/*
 * Lists the next requests of a phase, and notes what writes will leave where.
 * order is a permutation of the runs of slots, or NULL to draw them.
 */
static void list_requests(struct round *round, enum phase phase, uint32_t first, uint32_t count,
			  const uint32_t *order)
{
	struct bench_set *set = &round->bench->set;
	uint32_t pages = round->bench->options.request_pages;
	uint32_t runs = set->slots / pages;

	round->segment++;
	for (uint32_t i = 0; i < count; i++) {
		struct request *request = &round->requests[i];

		request->slot = order ? order[first + i] * pages : draw_slot(round, runs, pages);
		request->page = request->slot;
		if (phase == OVERWRITE)
			request->page = bench_random_below(&round->random, runs) * pages;
		for (uint32_t j = 0; j < pages; j++)
			if (phase == FILL || phase == OVERWRITE)
				set->content[request->slot + j] = request->page + j;
	}
}

static uint32_t *new_order(struct round *round, uint32_t runs, bool shuffled)
{
	uint32_t *order = malloc(runs * sizeof(*order));

	if (!order) {
		fprintf(stderr, "engine_bench: out of memory\n");
		exit(1);
	}
	for (uint32_t i = 0; i < runs; i++)
		order[i] = i;
	for (uint32_t i = runs - 1; shuffled && i > 0; i--) {
		uint32_t j = bench_random_below(&round->random, i + 1), other = order[j];

		order[j] = order[i];
		order[i] = other;
	}
	return order;
}

static void note_ratio(struct ratios *ratios, const struct spent *engine, const struct spent *peer)
{
	if (ratios->count == ratios->room) {
		ratios->room = ratios->room ? ratios->room * 2 : 256;
		ratios->wall = realloc(ratios->wall, ratios->room * sizeof(*ratios->wall));
		ratios->cpu = realloc(ratios->cpu, ratios->room * sizeof(*ratios->cpu));
		if (!ratios->wall || !ratios->cpu) {
			fprintf(stderr, "engine_bench: out of memory\n");
			exit(1);
		}
	}
	if (peer->wall_ns == 0 || peer->cpu_ns == 0)
		return;
	ratios->wall[ratios->count] = (double)engine->wall_ns / peer->wall_ns;
	ratios->cpu[ratios->count] = (double)engine->cpu_ns / peer->cpu_ns;
	ratios->count++;
}

/* Has each peer do the segment that list_requests listed. */
static int run_segment(struct round *round, enum phase phase, uint32_t count, unsigned int first,
		       struct spent *total)
{
	struct bench *bench = round->bench;
	struct spent spent[PEERS_MAX] = { { 0 } };
	int r = 0;

	for (unsigned int p = 0; p < bench->peers && r == 0; p++) {
		/* Nobody is always the one who runs after the other. */
		unsigned int turn = (p + first) % bench->peers;
		struct job job = {
			.peer = round->peer[turn],
			.set = &bench->set,
			.requests = round->requests,
			.count = count,
			.request_pages = bench->options.request_pages,
			.write = phase == FILL || phase == OVERWRITE,
		};

		r = crew_run(round->crew, &job, &spent[turn]);
		if (r)
			fprintf(stderr, "engine_bench: %s: %s: %s\n", phase_names[phase],
				job.peer->name, strerror(-r));
	}
	for (unsigned int p = 0; p < bench->peers; p++) {
		total[p].wall_ns += spent[p].wall_ns;
		total[p].cpu_ns += spent[p].cpu_ns;
		if (p > 0 && r == 0)
			note_ratio(&round->results->ratios[phase][p], &spent[0], &spent[p]);
	}
	return r;
}

static int run_phase(struct round *round, enum phase phase)
{
	struct bench *bench = round->bench;
	uint32_t pages = bench->options.request_pages, runs = bench->set.slots / pages;
	uint32_t total = phase == OVERWRITE ? runs * OVERWRITE_PASSES : runs;
	uint32_t step = SEGMENT_PAGES / pages < runs / 2 ? SEGMENT_PAGES / pages : runs / 2;
	uint32_t *order = phase == OVERWRITE ? NULL : new_order(round, runs, phase == READ_RANDOM);
	struct spent spent[PEERS_MAX] = { { 0 } };
	uint64_t waits = lock_waits(round);
	int r = 0;

	for (uint32_t first = 0; first < total && r == 0; first += step) {
		uint32_t count = total - first < step ? total - first : step;

		list_requests(round, phase, first, count, order);
		r = run_segment(round, phase, count, first / step, spent);
	}
	free(order);
	for (unsigned int p = 0; p < bench->peers; p++) {
		double n = (double)total * pages * 1000;

		round->results->wall_us[phase][p][round->number] = spent[p].wall_ns / n;
		round->results->cpu_us[phase][p][round->number] = spent[p].cpu_ns / n;
	}
	round->results->lock_waits[phase] = lock_waits(round) - waits;
	return r;
}

/* --- Freeing ------------------------------------------------------------------------ */

static int free_at_random(struct round *round)
{
	struct bench_set *set = &round->bench->set;
	uint32_t count = set->slots / 4 * 3;
	uint32_t *order = new_order(round, set->slots, true);
	struct peer *store = round->peer[0], *zram = round->peer[2];
	uint64_t start;
	int r = 0;

	start = bench_clock(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = store->discard(store, order[i], 1);
	round->results->free_us = (bench_clock(CLOCK_MONOTONIC) - start) / 1000.0 / count;
	for (uint32_t i = 0; i < count && r == 0 && zram; i++)
		r = zram->discard(zram, order[i], 1);
	for (uint32_t i = 0; i < count; i++)
		set->content[order[i]] = SLOT_EMPTY;
	free(order);
	return r;
}

static void leave_alone(struct round *round)
{
	struct results *results = round->results;
	uint64_t start = bench_clock(CLOCK_MONOTONIC);
	uint64_t end = round->bench->options.wait_seconds * UINT64_C(1000000000);
	uint64_t now = 0;

	results->sample_count = 0;
	while (now < end && results->sample_count < SAMPLES_MAX) {
		struct memory_sample *sample = &results->samples[results->sample_count++];

		sample_memory(round, sample);
		sample->seconds = now / 1e9;
		usleep(SAMPLE_MS * 1000);
		now = bench_clock(CLOCK_MONOTONIC) - start;
	}
}

/* Reads every page of the disk again, the freed ones as well, and checks the pools. */
static int check_all(struct round *round)
{
	struct bench_set *set = &round->bench->set;
	struct spent spent = { 0 };
	char why[256];
	int r = 0;

	for (uint32_t first = 0; first < set->slots && r == 0; first += SEGMENT_PAGES) {
		struct job job = {
			.peer = round->peer[0],
			.set = set,
			.requests = round->requests,
			.request_pages = 1,
		};

		job.count = set->slots - first < SEGMENT_PAGES ? set->slots - first : SEGMENT_PAGES;
		for (uint32_t i = 0; i < job.count; i++)
			round->requests[i] = (struct request){ .slot = first + i };
		r = crew_run(round->crew, &job, &spent);
	}
	if (r == 0 && store_check(peer_store(round->peer[0]), NULL, why, sizeof(why))) {
		fprintf(stderr, "engine_bench: the store is damaged: %s\n", why);
		r = -EUCLEAN;
	}
	return r;
}

/* The background goes on as it does in the plugin. */
static void start_worker(struct round *round)
{
	if (worker_start(&round->worker, work, round, WORKER_STACK)) {
		fprintf(stderr, "engine_bench: cannot start the worker\n");
		exit(1);
	}
}

static int free_phases(struct round *round)
{
	struct memory_sample *moments = round->results->moments;
	struct bench_set *set = &round->bench->set;
	struct peer *store = round->peer[0], *zram = round->peer[2];
	struct ramzswap_stats stats = { 0 };
	int r;

	r = free_at_random(round);
	if (r)
		return r;
	sample_memory(round, &moments[FREED]);
	leave_alone(round);
	if (zram)
		peer_zram_compact(zram);
	sample_memory(round, &moments[FREED_WAITED]);
	store_get_stats(peer_store(store), &stats);
	round->results->pages_compacted = stats.pages_compacted;

	/* A check wants the store to itself. */
	worker_stop(round->worker);
	r = check_all(round);
	start_worker(round);
	if (r == 0)
		r = store->discard(store, 0, set->slots);
	if (r == 0 && zram)
		r = zram->discard(zram, 0, set->slots);
	memset(set->content, 0xff, set->slots * sizeof(*set->content));
	usleep(SAMPLE_MS * 1000);
	sample_memory(round, &moments[ALL_FREED]);
	return r;
}

/* --- A round ------------------------------------------------------------------------ */

static int open_peers(struct round *round, FILE *trace)
{
	const struct options *options = &round->bench->options;
	struct bench_set *set = &round->bench->set;
	uint64_t size = (uint64_t)set->slots * STORE_PAGE_SIZE;
	struct store_config config = {
		.size = size,
		.memlimit = STORE_NO_LIMIT,
		.reserve = options->reserve,
		.codec = options->codec,
		.locked = options->locked,
		.wipe = options->wipe,
		.checksum = options->checksum,
		.trace = trace,
	};
	int r;

	r = peer_open_codec(&round->peer[1], set, round->threads);
	if (r == 0 && options->zram)
		r = peer_open_zram(&round->peer[2], options->zram, options->zram_algorithm, size);
	round->rss_before = anonymous_memory();
	if (r == 0)
		r = peer_open_store(&round->peer[0], &config);
	for (unsigned int p = 0; r == 0 && p < round->bench->peers; p++)
		round->bench->peer_names[p] = round->peer[p]->name;
	return r;
}

static int run_round(struct bench *bench, unsigned int thread_set, unsigned int number, FILE *trace)
{
	struct round round = {
		.bench = bench,
		.results = &bench->results[thread_set],
		.number = number,
		.threads = bench->options.threads[thread_set],
		.random = bench->options.seed + number,
	};
	static const enum moment after[PHASES] = {
		FILLED,
		FILLED,
		OVERWRITTEN,
		OVERWRITTEN,
	};
	int r;

	memset(bench->set.content, 0xff, bench->set.slots * sizeof(*bench->set.content));
	round.requests = calloc(SEGMENT_PAGES, sizeof(*round.requests));
	round.last_used = calloc(bench->set.slots, sizeof(*round.last_used));
	if (!round.requests || !round.last_used)
		return -ENOMEM;
	crew_create(&round.crew, round.threads);
	r = open_peers(&round, trace);
	if (r == 0) {
		while (store_refill(peer_store(round.peer[0])))
			;
		start_worker(&round);
		store_on_need(peer_store(round.peer[0]), kick, &round);
		sample_memory(&round, &round.results->moments[AT_START]);
		for (int phase = 0; phase < PHASES && r == 0; phase++) {
			r = run_phase(&round, phase);
			sample_memory(&round, &round.results->moments[after[phase]]);
		}
		if (r == 0 && number + 1 == bench->options.rounds)
			r = free_phases(&round);
		worker_stop(round.worker);
	}
	for (unsigned int p = 0; p < PEERS_MAX; p++)
		if (round.peer[p])
			round.peer[p]->close(round.peer[p]);
	crew_destroy(round.crew);
	free(round.requests);
	free(round.last_used);
	return r;
}

/* --- The whole run ------------------------------------------------------------------ */

int main(int argc, char **argv)
{
	static struct bench bench;
	FILE *trace = NULL;
	int r;

	parse_options(&bench.options, argc, argv);
	bench.peers = bench.options.zram ? 3 : 2;
	if (bench.options.trace) {
		/* A trace is of one disk: more would run into one another. */
		bench.options.rounds = bench.options.thread_sets = 1;
		trace = fopen(bench.options.trace, "we");
		if (!trace) {
			fprintf(stderr, "%s: %s\n", bench.options.trace, strerror(errno));
			return 1;
		}
	}
	r = bench_set_init(&bench.set, bench.options.pages, bench.options.max_pages,
			   bench.options.codec);
	if (r)
		return 1;
	bench.set.slots -= bench.set.slots % bench.options.request_pages;
	for (unsigned int i = 0; i < bench.options.rounds && r == 0; i++)
		for (unsigned int t = 0; t < bench.options.thread_sets && r == 0; t++)
			r = run_round(&bench, t, i, trace);
	if (trace && fclose(trace) != 0) {
		fprintf(stderr, "%s: %s\n", bench.options.trace, strerror(errno));
		r = -EIO;
	}
	if (r == 0 && bench.options.json)
		report_json(&bench);
	else if (r == 0)
		report_text(&bench);
	bench_set_fini(&bench.set);
	return r ? 1 : 0;
}
