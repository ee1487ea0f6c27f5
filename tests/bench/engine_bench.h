/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine benchmark measures, and how it is told to the reader. */
#ifndef RAMZSWAP_ENGINE_BENCH_H
#define RAMZSWAP_ENGINE_BENCH_H

#include <stdint.h>

#include "peers.h"

#define ROUNDS_MAX 15
#define THREAD_SETS_MAX 4
#define PEERS_MAX 3
#define SAMPLES_MAX 64

enum phase { FILL, READ_ORDERED, OVERWRITE, READ_RANDOM, PHASES };
enum moment { AT_START, FILLED, OVERWRITTEN, FREED, FREED_WAITED, ALL_FREED, MOMENTS };

extern const char *const phase_names[PHASES];
extern const char *const moment_names[MOMENTS];

struct options {
	const char *pages;
	uint32_t max_pages;
	const struct codec *codec;
	unsigned int threads[THREAD_SETS_MAX];
	unsigned int thread_sets;
	unsigned int rounds;
	uint32_t request_pages;
	unsigned int wait_seconds;
	uint64_t seed;
	uint64_t reserve;
	bool locked;
	bool wipe;
	bool checksum;
	bool json;
	const char *trace;
	const char *zram;
	const char *zram_algorithm;
};

/*
 * What the engine took over what a peer took for the same requests, a segment
 * each: side by side within milliseconds, so that their median is steady on a
 * machine that is not.
 */
struct ratios {
	double *wall, *cpu;
	unsigned int count, room;
};

/* Everything in bytes. */
struct memory_sample {
	double seconds;	 /* since the pages were freed; only while waiting */
	uint64_t used;	 /* mem_used_total */
	uint64_t ideal;	 /* plain sum of payload sizes, by our own count */
	uint64_t stored; /* the same by the store's */
	uint64_t rss;	 /* growth of anonymous resident memory since before the start */
	uint64_t zram_used, zram_ideal;
};

/* Of one number of threads. */
struct results {
	double wall_us[PHASES][PEERS_MAX][ROUNDS_MAX]; /* per page, all threads together */
	double cpu_us[PHASES][PEERS_MAX][ROUNDS_MAX];  /* per page, sum over threads */
	struct ratios ratios[PHASES][PEERS_MAX];
	uint64_t lock_waits[PHASES]; /* of the last round, like what follows */
	double free_us;		     /* per page freed */
	struct memory_sample moments[MOMENTS];
	struct memory_sample samples[SAMPLES_MAX]; /* while waiting after freeing */
	unsigned int sample_count;
	uint64_t pages_compacted;
};

struct bench {
	struct options options;
	struct bench_set set;
	struct results results[THREAD_SETS_MAX];
	const char *peer_names[PEERS_MAX];
	unsigned int peers;
};

/* Fills in the options, or ends the program after a line on stderr. */
void parse_options(struct options *options, int argc, char **argv);

void report_text(struct bench *bench);
void report_json(struct bench *bench);

#endif
