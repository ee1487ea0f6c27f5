/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tools/figures.h"
#include "tools/stats_text.h"
#include "tools/watch.h"

/* Rows between two headings. */
#define ROWS 20

/* Of a terminal: to the upper left, and all below it is blank. */
#define CLEAR "\033[H\033[J"

static double rate(uint64_t before, uint64_t now, double seconds)
{
	return seconds > 0 ? (double)(now >= before ? now - before : now) / seconds : 0;
}

void watch_rates(const struct ramzswap_stats *before, const struct ramzswap_stats *now,
		 double seconds, struct watch_rates *rates)
{
	rates->reads = rate(before->num_reads, now->num_reads, seconds);
	rates->writes = rate(before->num_writes, now->num_writes, seconds);
	rates->freed = rate(before->notify_free + before->freed_notices,
			    now->notify_free + now->freed_notices, seconds);
	rates->backing_in = rate(before->bd_read_bytes, now->bd_read_bytes, seconds);
	rates->backing_out = rate(before->bd_written_bytes, now->bd_written_bytes, seconds);
}

static void write_headings(FILE *out)
{
	fprintf(out, "%-8s %10s %10s %6s %9s %9s %9s %11s %11s\n", "TIME", "STORED", "MEMORY",
		"RATIO", "READS/s", "WRITES/s", "FREED/s", "BACKING-IN", "BACKING-OUT");
}

static void write_row(const struct disk *disk, const struct watch_rates *rates, FILE *out)
{
	char stored[FIGURE_SIZE_MAX], memory[FIGURE_SIZE_MAX], in[FIGURE_SIZE_MAX],
		gone[FIGURE_SIZE_MAX];
	uint64_t whole = stats_in_memory(&disk->stats), used = disk->stats.mem_used_total;
	char at[16], ratio[32] = "none";
	time_t now = time(NULL);
	struct tm local;

	strftime(at, sizeof(at), "%H:%M:%S", localtime_r(&now, &local));
	if (whole && used)
		snprintf(ratio, sizeof(ratio), "%.2f", (double)whole / (double)used);
	fprintf(out, "%-8s %10s %10s %6s %9.0f %9.0f %9.0f %11s %11s\n", at,
		figure_size(stored, stats_stored(&disk->stats)), figure_size(memory, used), ratio,
		rates->reads, rates->writes, rates->freed,
		figure_size(in, (uint64_t)rates->backing_in),
		figure_size(gone, (uint64_t)rates->backing_out));
}

static int write_screen(const struct disk *disk, const struct watch_rates *rates, FILE *out)
{
	char in[FIGURE_SIZE_MAX], gone[FIGURE_SIZE_MAX];
	int err;

	fprintf(out, CLEAR "%s, %s\n\n", disk->name, disk->socket);
	err = disk_look(disk, out);
	fprintf(out, "  now     %.0f reads and %.0f writes a second, %.0f pages freed\n",
		rates->reads, rates->writes, rates->freed);
	if (disk->stats.bd_size)
		fprintf(out, "          %s read from the backing store a second, %s written\n",
			figure_size(in, (uint64_t)rates->backing_in),
			figure_size(gone, (uint64_t)rates->backing_out));
	fputs("\nCtrl-C ends it\n", out);
	return err ? err : stream_finish(out);
}

static void rest_until(uint64_t ms)
{
	struct timespec at = { .tv_sec = (time_t)(ms / 1000),
			       .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

int watch_disk(const struct watch *watch, FILE *out, char why[ASK_WHY_MAX])
{
	struct ramzswap_stats before = { 0 };
	uint64_t began = clock_ms(), last = began;
	struct watch_rates rates;
	struct disk disk;
	int err = 0;

	for (unsigned int i = 0; !err && (watch->count == 0 || i < watch->count); i++) {
		uint64_t now;

		rest_until(began + (uint64_t)i * watch->seconds * 1000);
		err = disk_ask(&disk, watch->socket, why);
		if (err)
			break;
		now = clock_ms();
		/* The first look is of all the time that the server has run. */
		watch_rates(&before, &disk.stats,
			    i ? (double)(now - last) / 1000 : (double)disk.stats.uptime_seconds,
			    &rates);
		last = now;
		before = disk.stats;
		if (watch->screen) {
			err = write_screen(&disk, &rates, out);
		} else {
			if (i % ROWS == 0)
				write_headings(out);
			write_row(&disk, &rates, out);
			err = stream_finish(out);
		}
		if (err)
			snprintf(why, ASK_WHY_MAX, "cannot write the output: %s", strerror(-err));
	}
	return err;
}
