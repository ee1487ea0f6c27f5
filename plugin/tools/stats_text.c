/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "tools/figures.h"
#include "tools/histogram_text.h"
#include "tools/stats_text.h"

#define PAGE_SIZE UINT64_C(4096)

int stream_finish(FILE *out)
{
	errno = 0;
	if (fflush(out) == 0 && !ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}

uint64_t stats_in_memory(const struct ramzswap_stats *stats)
{
	uint64_t pages = stats->same_pages + stats->pages_stored;

	return (pages > stats->bd_count ? pages - stats->bd_count : 0) * PAGE_SIZE;
}

uint64_t stats_stored(const struct ramzswap_stats *stats)
{
	return (stats->same_pages + stats->pages_stored) * PAGE_SIZE;
}

static void write_word(const char *label, const char *word, FILE *out)
{
	figure_label(label, out);
	fprintf(out, "%*s\n", FIGURE_WIDTH, word);
}

static void write_number(const struct ramzswap_stats *stats, enum stats_number number, FILE *out)
{
	bool bytes = stats_fields[number].unit == STATS_BYTES;
	uint64_t value = stats_value(stats, number);

	figure_label(stats_fields[number].label, out);
	fprintf(out, "%*" PRIu64 "%s\n", FIGURE_WIDTH, bytes ? value / 1024 : value,
		bytes ? " kB" : "");
}

int stats_write_text(const struct ramzswap_stats *stats, FILE *out)
{
	for (int i = 0; i < STATS_FIELD_COUNT; i++)
		write_number(stats, i, out);
	return stream_finish(out);
}

int stats_write_json(const struct ramzswap_stats *stats, const struct histogram_state *histograms,
		     FILE *out)
{
	for (int i = 0; i < STATS_FIELD_COUNT; i++)
		fprintf(out, "%s\n  \"%s\": %" PRIu64, i == 0 ? "{" : ",", stats_fields[i].name,
			stats_value(stats, i));
	if (histograms) {
		fputs(",\n  \"histograms\": ", out);
		histograms_write_json(histograms, out);
	}
	fputs("\n}\n", out);
	return stream_finish(out);
}

/*
 * Groups.
 */

/* When a line is there. */
enum when {
	IF_ANY,	   /* it is not 0 */
	ALWAYS,	   /* and 0 is a number like any other */
	OR_NONE,   /* and 0 is none */
	WITH_SWAP, /* a protection: not on an ordinary disk, where none is wanted */
	WITH_STORE /* it is of the backing store, if there is one */
};

struct line {
	enum stats_number number;
	enum when when;
};

#define LINE(name, when)              \
	{                             \
		STATS_NR_##name, when \
	}
#define END                               \
	{                                 \
		STATS_FIELD_COUNT, ALWAYS \
	}

static const struct line disk[] = {
	LINE(disksize, ALWAYS),	     LINE(memlimit, OR_NONE),	   LINE(reserve, OR_NONE),
	LINE(reserve_ready, IF_ANY), LINE(group_limit, IF_ANY),	   LINE(connections, OR_NONE),
	LINE(request_bytes, IF_ANY), LINE(uptime_seconds, ALWAYS), END,
};
static const struct line requests[] = {
	LINE(num_reads, OR_NONE),	LINE(num_writes, OR_NONE),
	LINE(notify_free, IF_ANY),	LINE(misaligned_writes, IF_ANY),
	LINE(misaligned_trims, IF_ANY), LINE(zero_writes, IF_ANY),
	LINE(pages_written, IF_ANY),	LINE(payload_written, IF_ANY),
	LINE(freed_notices, IF_ANY),	LINE(notices_heeded, IF_ANY),
	LINE(stale_pages, IF_ANY),	END,
};
static const struct line pages[] = {
	LINE(pages_stored, OR_NONE),
	LINE(good_compress_pages, IF_ANY),
	LINE(pages_expand, IF_ANY),
	LINE(huge_pages, IF_ANY),
	LINE(same_pages, IF_ANY),
	LINE(pages_zero, IF_ANY),
	LINE(orig_data_size, OR_NONE),
	LINE(compr_data_size, OR_NONE),
	END,
};
static const struct line memory[] = {
	LINE(mem_used_total, ALWAYS), LINE(mem_used_max, ALWAYS), LINE(pool_free, IF_ANY),
	LINE(spans, IF_ANY),	      LINE(spans_sparse, IF_ANY), LINE(pages_compacted, IF_ANY),
	LINE(compact_bytes, IF_ANY),  LINE(lock_waits, IF_ANY),	  END,
};
static const struct line recompression[] = {
	LINE(pages_recompressed, IF_ANY),
	LINE(recompress_bytes, IF_ANY),
	LINE(recompress_seconds, IF_ANY),
	LINE(pages_idle_codec, IF_ANY),
	LINE(pages_returned, IF_ANY),
	LINE(pages_dictionary, IF_ANY),
	LINE(dictionary_bytes, IF_ANY),
	LINE(dictionary_seconds, IF_ANY),
	LINE(dictionary_won, IF_ANY),
	LINE(dictionaries_made, IF_ANY),
	END,
};
static const struct line backing[] = {
	LINE(bd_count, WITH_STORE),	 LINE(bd_bytes, WITH_STORE),
	LINE(bd_size, IF_ANY),		 LINE(bd_reads, IF_ANY),
	LINE(bd_read_requests, IF_ANY),	 LINE(bd_read_bytes, IF_ANY),
	LINE(bd_writes, IF_ANY),	 LINE(bd_written_bytes, IF_ANY),
	LINE(bd_promoted, IF_ANY),	 LINE(bd_cleaned, IF_ANY),
	LINE(bd_budget, IF_ANY),	 LINE(bd_budget_left, IF_ANY),
	LINE(bd_over_budget, IF_ANY),	 LINE(bd_segment_size, WITH_STORE),
	LINE(bd_segments, WITH_STORE),	 LINE(bd_segments_free, WITH_STORE),
	LINE(bd_fill_least, IF_ANY),	 LINE(bd_fill_less, IF_ANY),
	LINE(bd_fill_half, IF_ANY),	 LINE(bd_fill_more, IF_ANY),
	LINE(bd_fill_most, IF_ANY),	 LINE(bd_read_usec, IF_ANY),
	LINE(bd_read_usec_max, IF_ANY),	 LINE(bd_write_usec, IF_ANY),
	LINE(bd_write_usec_max, IF_ANY), END,
};
static const struct line protections[] = {
	LINE(locked, WITH_SWAP),	LINE(io_flusher, WITH_SWAP),
	LINE(oom_protected, WITH_SWAP), LINE(real_time, WITH_SWAP),
	LINE(minor_faults, IF_ANY),	LINE(major_faults, IF_ANY),
	LINE(request_faults, IF_ANY),	END,
};
static const struct line trouble[] = {
	LINE(failed_reads, IF_ANY),
	LINE(failed_writes, IF_ANY),
	LINE(invalid_io, IF_ANY),
	LINE(checksum_errors, IF_ANY),
	LINE(dictionaries_damaged, IF_ANY),
	LINE(bd_failed_reads, IF_ANY),
	LINE(bd_failed_writes, IF_ANY),
	LINE(bd_segments_bad, IF_ANY),
	LINE(oom_calls, IF_ANY),
	LINE(oom_kills, IF_ANY),
	LINE(links_lost, IF_ANY),
	END,
};

static const struct group {
	const char *name;
	const struct line *lines;
} groups[] = {
	{ "Disk", disk },
	{ "Requests", requests },
	{ "Pages", pages },
	{ "Memory", memory },
	{ "Recompression", recompression },
	{ "Backing store", backing },
	{ "Protections", protections },
	{ "Trouble", trouble },
};
#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

static bool is_shown(const struct ramzswap_stats *stats, const struct control_about *about,
		     const struct line *line)
{
	switch (line->when) {
	case IF_ANY:
		return stats_value(stats, line->number) != 0;
	case WITH_SWAP:
		return !about || strcmp(about->swap, "off") != 0;
	case WITH_STORE:
		return stats->bd_size != 0;
	case ALWAYS:
	case OR_NONE:
		break;
	}
	return true;
}

static void write_line(const struct ramzswap_stats *stats, const struct line *line, FILE *out)
{
	const struct stats_field *field = &stats_fields[line->number];
	uint64_t value = stats_value(stats, line->number);

	if (field->unit == STATS_FLAG)
		write_word(field->label, value ? "yes" : "no", out);
	else if (line->when == OR_NONE && value == 0)
		write_word(field->label, "none", out);
	else
		write_number(stats, line->number, out);
}

static bool is_of_a_group(enum stats_number number)
{
	for (size_t i = 0; i < GROUP_COUNT; i++)
		for (const struct line *line = groups[i].lines; line->number != STATS_FIELD_COUNT;
		     line++)
			if (line->number == number)
				return true;
	return false;
}

/* What is in no group yet is not to be missed. */
static void write_others(const struct ramzswap_stats *stats, FILE *out)
{
	bool first = true;

	for (int i = 0; i < STATS_FIELD_COUNT; i++) {
		const struct line line = { i, IF_ANY };

		if (is_of_a_group(i) || !is_shown(stats, NULL, &line))
			continue;
		if (first)
			fputs("\n[Other]\n", out);
		first = false;
		write_line(stats, &line, out);
	}
}

/* How many lines there were. */
static int write_group(const struct ramzswap_stats *stats, const struct control_about *about,
		       const struct group *group, FILE *out)
{
	int count = 0;

	for (const struct line *line = group->lines; line->number != STATS_FIELD_COUNT; line++) {
		if (!is_shown(stats, about, line))
			continue;
		if (count++ == 0)
			fprintf(out, "\n[%s]\n", group->name);
		write_line(stats, line, out);
	}
	return count;
}

static void write_ratio(const char *label, uint64_t whole, uint64_t part, FILE *out)
{
	char ratio[32] = "none";

	if (whole && part)
		snprintf(ratio, sizeof(ratio), "%.2f", (double)whole / (double)part);
	write_word(label, ratio, out);
}

static void write_server(const struct control_about *about, FILE *out)
{
	if (!about)
		return;
	write_word("Version", about->version, out);
	write_word("Process", about->pid, out);
	write_word("Codec", about->codec, out);
	write_word("IdleCodec", about->idle_codec, out);
	write_word("SwapMode", about->swap, out);
}

int stats_write_groups(const struct ramzswap_stats *stats, const struct control_about *about,
		       FILE *out)
{
	uint64_t memory_used = stats_in_memory(stats) ? stats->mem_used_total : 0;
	int lines = 0;

	fputs("[Server]\n", out);
	write_server(about, out);
	write_ratio("Ratio", stats_in_memory(stats), memory_used, out);
	write_others(stats, out);
	for (size_t i = 0; i < GROUP_COUNT; i++)
		lines = write_group(stats, about, &groups[i], out);
	if (lines == 0)
		fputs("\n[Trouble]\nnone\n", out);
	return stream_finish(out);
}

/*
 * The backing store.
 */

/* With one decimal: mebibytes are what such stores are counted in. */
static double mebibytes(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

int stats_write_backing(const struct ramzswap_stats *s, FILE *out)
{
	if (s->bd_size == 0) {
		fputs("there is no backing store\n", out);
		return stream_finish(out);
	}
	fprintf(out, "pages there:   %" PRIu64 ", %.1f MiB of payload, in %.1f MiB\n", s->bd_count,
		mebibytes(s->bd_bytes), mebibytes(s->bd_size));
	fprintf(out,
		"written:       %" PRIu64 " pages, %.1f MiB; cleaning copied %" PRIu64 " of them\n",
		s->bd_writes, mebibytes(s->bd_written_bytes), s->bd_cleaned);
	fprintf(out,
		"read:          %" PRIu64 " pages, %.1f MiB in %" PRIu64 " requests; %" PRIu64
		" came back to memory\n",
		s->bd_reads, mebibytes(s->bd_read_bytes), s->bd_read_requests, s->bd_promoted);
	fprintf(out,
		"failed:        %" PRIu64 " reads of a page, %" PRIu64 " writes of a segment\n",
		s->bd_failed_reads, s->bd_failed_writes);
	fprintf(out,
		"latency:       read %" PRIu64 " us (most %" PRIu64 "), segment %" PRIu64
		" us (most %" PRIu64 ")\n",
		s->bd_read_usec, s->bd_read_usec_max, s->bd_write_usec, s->bd_write_usec_max);
	fprintf(out,
		"segments:      %" PRIu64 " of %" PRIu64 " KiB: %" PRIu64 " free, %" PRIu64
		" bad\n",
		s->bd_segments, s->bd_segment_size / 1024, s->bd_segments_free, s->bd_segments_bad);
	fprintf(out,
		"fullness:      %" PRIu64 " up to 20 %%, %" PRIu64 " to 40 %%, %" PRIu64
		" to 60 %%, %" PRIu64 " to 80 %%, %" PRIu64 " above\n",
		s->bd_fill_least, s->bd_fill_less, s->bd_fill_half, s->bd_fill_more,
		s->bd_fill_most);
	if (s->bd_budget)
		fprintf(out,
			"budget:        %.1f of %.1f MiB a day left; %.1f MiB over it, for writes "
			"without room\n",
			mebibytes(s->bd_budget_left), mebibytes(s->bd_budget),
			mebibytes(s->bd_over_budget));
	else
		fputs("budget:        none\n", out);
	return stream_finish(out);
}
