/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine_bench.h"

const char *const phase_names[PHASES] = {
	[FILL] = "fill",
	[READ_ORDERED] = "read in order",
	[OVERWRITE] = "overwrite",
	[READ_RANDOM] = "read at random",
};

const char *const moment_names[MOMENTS] = {
	[AT_START] = "at start",
	[FILLED] = "filled",
	[OVERWRITTEN] = "overwritten 3 times",
	[FREED] = "75 % freed",
	[FREED_WAITED] = "left alone",
	[ALL_FREED] = "all freed",
};

static double median_of(const double *numbers, unsigned int count)
{
	double copy[ROUNDS_MAX];

	memcpy(copy, numbers, count * sizeof(*copy));
	return bench_median(copy, count);
}

/* Median over the rounds of what peer a took, over what peer b took. */
static double median_ratio(const double *a, const double *b, unsigned int count)
{
	double ratios[ROUNDS_MAX];

	for (unsigned int i = 0; i < count; i++)
		ratios[i] = b[i] > 0 ? a[i] / b[i] : 0;
	return bench_median(ratios, count);
}

static double over(uint64_t a, uint64_t b)
{
	return b ? (double)a / b : 0;
}

static void text_times(const struct bench *bench, struct results *results)
{
	unsigned int rounds = bench->options.rounds;

	printf("  %-16s", "us per page");
	for (unsigned int p = 0; p < bench->peers; p++)
		printf("%10s", bench->peer_names[p]);
	for (unsigned int p = 1; p < bench->peers; p++)
		printf("   engine/%-6s", bench->peer_names[p]);
	printf("%12s\n", "lock waits");
	for (int phase = 0; phase < PHASES; phase++) {
		printf("  %-16s", phase_names[phase]);
		for (unsigned int p = 0; p < bench->peers; p++)
			printf("%10.3f", median_of(results->wall_us[phase][p], rounds));
		for (unsigned int p = 1; p < bench->peers; p++)
			printf("%8.3f (%5.3f)",
			       bench_median(results->ratios[phase][p].wall,
					    results->ratios[phase][p].count),
			       bench_median(results->ratios[phase][p].cpu,
					    results->ratios[phase][p].count));
		printf("%12" PRIu64 "\n", results->lock_waits[phase]);
	}
	printf("  %-16s%10.3f\n", "free", results->free_us);
}

static void text_memory(const struct bench *bench, const struct results *results)
{
	printf("  %-20s%12s%12s%12s%12s%12s%10s", "bytes", "ideal", "used", "rss growth",
	       "used/ideal", "rss/ideal", "used-rss");
	printf("%s\n", bench->options.zram ? "  zram/ideal" : "");
	for (int i = 0; i < MOMENTS; i++) {
		const struct memory_sample *m = &results->moments[i];

		printf("  %-20s%12" PRIu64 "%12" PRIu64 "%12" PRIu64 "%12.4f%12.4f%10" PRId64,
		       moment_names[i], m->ideal, m->used, m->rss, over(m->used, m->ideal),
		       over(m->rss, m->ideal), (int64_t)(m->used - m->rss));
		if (bench->options.zram)
			printf("%12.4f", over(m->zram_used, m->zram_ideal));
		printf("\n");
	}
	printf("  after freeing, used/ideal at seconds:");
	for (unsigned int i = 0; i < results->sample_count; i++)
		printf(" %.1f:%.3f", results->samples[i].seconds,
		       over(results->samples[i].used, results->samples[i].ideal));
	printf("; %" PRIu64 " pages moved\n", results->pages_compacted);
}

void report_text(struct bench *bench)
{
	const struct options *options = &bench->options;

	printf("%u pages, codec %s, requests of %u KiB, median of %u rounds; "
	       "ratios within segments by wall clock (by processor time)\n",
	       bench->set.pages.count, options->codec->name, options->request_pages * 4,
	       options->rounds);
	for (unsigned int t = 0; t < options->thread_sets; t++) {
		printf("%u thread%s\n", options->threads[t], options->threads[t] > 1 ? "s" : "");
		text_times(bench, &bench->results[t]);
		text_memory(bench, &bench->results[t]);
	}
	for (unsigned int t = 1; t < options->thread_sets; t++) {
		printf("throughput of %u threads over %u:", options->threads[t],
		       options->threads[0]);
		for (int phase = 0; phase < PHASES; phase++)
			for (unsigned int p = 0; p < bench->peers; p++)
				printf("%s %s %s %.3f", p || phase ? "," : "", phase_names[phase],
				       bench->peer_names[p],
				       median_ratio(bench->results[0].wall_us[phase][p],
						    bench->results[t].wall_us[phase][p],
						    options->rounds));
		printf("\n");
	}
}

static void json_times(const struct bench *bench, struct results *results)
{
	unsigned int rounds = bench->options.rounds;

	for (int phase = 0; phase < PHASES; phase++) {
		printf("%s{\"phase\": \"%s\", \"lock_waits\": %" PRIu64, phase ? ", " : "",
		       phase_names[phase], results->lock_waits[phase]);
		for (unsigned int p = 0; p < bench->peers; p++) {
			const double *wall = results->wall_us[phase][p];
			const double *cpu = results->cpu_us[phase][p];

			printf(", \"%s\": {\"wall_us\": %.4f, \"cpu_us\": %.4f",
			       bench->peer_names[p], median_of(wall, rounds),
			       median_of(cpu, rounds));
			if (p > 0)
				printf(", \"engine_ratio_wall\": %.4f, \"engine_ratio_cpu\": %.4f",
				       bench_median(results->ratios[phase][p].wall,
						    results->ratios[phase][p].count),
				       bench_median(results->ratios[phase][p].cpu,
						    results->ratios[phase][p].count));
			printf("}");
		}
		printf("}");
	}
}

static void json_sample(const struct bench *bench, const struct memory_sample *m)
{
	printf("\"ideal\": %" PRIu64 ", \"used\": %" PRIu64 ", \"rss_growth\": %" PRIu64
	       ", \"compr_data_size\": %" PRIu64 ", \"used_over_ideal\": %.5f",
	       m->ideal, m->used, m->rss, m->stored, over(m->used, m->ideal));
	if (bench->options.zram)
		printf(", \"zram_used\": %" PRIu64 ", \"zram_over_ideal\": %.5f", m->zram_used,
		       over(m->zram_used, m->zram_ideal));
}

void report_json(struct bench *bench)
{
	const struct options *options = &bench->options;

	printf("{\"pages\": %u, \"codec\": \"%s\", \"request_pages\": %u, \"rounds\": %u, "
	       "\"runs\": [",
	       bench->set.pages.count, options->codec->name, options->request_pages,
	       options->rounds);
	for (unsigned int t = 0; t < options->thread_sets; t++) {
		struct results *results = &bench->results[t];

		printf("%s\n{\"threads\": %u, \"phases\": [", t ? "," : "", options->threads[t]);
		json_times(bench, results);
		printf("], \"free_us\": %.4f, \"pages_compacted\": %" PRIu64 ", \"memory\": [",
		       results->free_us, results->pages_compacted);
		for (int i = 0; i < MOMENTS; i++) {
			printf("%s{\"moment\": \"%s\", ", i ? ", " : "", moment_names[i]);
			json_sample(bench, &results->moments[i]);
			printf("}");
		}
		printf("], \"after_freeing\": [");
		for (unsigned int i = 0; i < results->sample_count; i++) {
			printf("%s{\"seconds\": %.2f, ", i ? ", " : "",
			       results->samples[i].seconds);
			json_sample(bench, &results->samples[i]);
			printf("}");
		}
		printf("]}");
	}
	printf("\n]}\n");
}
