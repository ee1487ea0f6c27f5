/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/hints.h"
#include "tools/figures.h"
#include "tools/look.h"
#include "tools/stats_text.h"

/* Rounded, but something is not 0% and what is not all is not 100%. */
static unsigned int percent(uint64_t part, uint64_t whole)
{
	double share = whole ? 100 * (double)part / (double)whole : 0;

	if (part > 0 && share < 1)
		return 1;
	if (part < whole && share > 99)
		return 99;
	return (unsigned int)(share + 0.5);
}

static void write_headline(const struct ramzswap_stats *stats, FILE *out)
{
	uint64_t stored = stats_in_memory(stats), used = stats->mem_used_total;
	char size[FIGURE_SIZE_MAX], memory[FIGURE_SIZE_MAX], won[FIGURE_SIZE_MAX];

	figure_size(memory, used);
	if (stored == 0) {
		fprintf(out, "none stored, %s of memory taken\n", memory);
		return;
	}
	fprintf(out, "%s stored in %s of memory: ", figure_size(size, stored), memory);
	if (stored > used && used > 0)
		fprintf(out, "%s won, %.2f to 1\n", figure_size(won, stored - used),
			(double)stored / (double)used);
	else
		fputs("none won yet\n", out);
}

/* Of what the whole is, stands before it, and what there is to say of it, behind. */
static void write_bar(const char *name, uint64_t part, uint64_t whole, const char *of,
		      const char *more, const struct look *look, FILE *out)
{
	char bar[FIGURE_BAR_MAX], size[FIGURE_SIZE_MAX];

	fprintf(out, "  %-7s %s %3u%% of %s%s%s\n", name, figure_bar(bar, part, whole, look->plain),
		percent(part, whole), of, figure_size(size, whole), more);
}

static void write_memory(const struct look *look, FILE *out)
{
	const struct ramzswap_stats *stats = look->stats;

	if (stats->memlimit)
		write_bar("memory", stats->mem_used_total, stats->memlimit, "memlimit ", "", look,
			  out);
	else if (look->ram)
		write_bar("memory", stats->mem_used_total, look->ram, "RAM ", ", memlimit none",
			  look, out);
}

static void write_pages(const struct ramzswap_stats *stats, FILE *out)
{
	uint64_t all = stats->same_pages + stats->pages_stored;
	uint64_t other = stats->good_compress_pages + stats->pages_expand;

	/* The figures are read one after the other. */
	other = stats->pages_stored > other ? stats->pages_stored - other : 0;
	if (all == 0)
		fputs("  pages   none\n", out);
	else
		fprintf(out,
			"  pages   %u%% same-filled, %u%% to a half or less, %u%% less well, "
			"%u%% not at all\n",
			percent(stats->same_pages, all), percent(stats->good_compress_pages, all),
			percent(other, all), percent(stats->pages_expand, all));
}

static void write_backing(const struct look *look, FILE *out)
{
	const struct ramzswap_stats *stats = look->stats;

	if (stats->bd_size)
		write_bar("backing", stats->bd_bytes, stats->bd_size, "", "", look, out);
}

struct protection {
	const char *name;
	bool wanted, in_force;
};

static void write_names(const struct protection *all, size_t count, bool in_force, FILE *out)
{
	const char *between = "";

	for (size_t i = 0; i < count; i++) {
		if (!all[i].wanted || all[i].in_force != in_force)
			continue;
		fprintf(out, "%s%s", between, all[i].name);
		between = ", ";
	}
}

static void write_safe(const struct look *look, FILE *out)
{
	const struct ramzswap_stats *stats = look->stats;
	const struct protection all[] = {
		{ "locked", true, stats->locked },
		{ "IO flusher", true, stats->io_flusher },
		{ "OOM score", true, stats->oom_protected },
		{ "real time", true, stats->real_time },
		{ "guard", look->guard != LOOK_GUARD_NONE, look->guard == LOOK_GUARD_LIVES },
	};
	size_t count = sizeof(all) / sizeof(all[0]), wanted = 0, in_force = 0;

	for (size_t i = 0; i < count; i++) {
		wanted += all[i].wanted;
		in_force += all[i].wanted && all[i].in_force;
	}
	fputs("  safe    ", out);
	if (look->about && !strcmp(look->about->swap, "off")) {
		fputs("as an ordinary disk, not for swap of this machine (swap=off)\n", out);
		return;
	}
	write_names(all, count, true, out);
	fputs(in_force == 0	   ? "none in force"
	      : in_force == wanted ? ": all in force"
				   : ": in force",
	      out);
	if (in_force < wanted) {
		fputs("; missing: ", out);
		write_names(all, count, false, out);
	}
	fputc('\n', out);
}

/* What is wrong when it is not 0, in the words for one and for more. */
static void write_trouble(const struct ramzswap_stats *stats, FILE *out)
{
	const struct {
		uint64_t count;
		const char *one, *more, *advice;
	} troubles[] = {
		{ stats->failed_reads, "read", "reads",
		  "failed: what was stored is damaged or gone" },
		{ stats->failed_writes, "write", "writes",
		  "failed, as a rule for want of room: raise memlimit" },
		{ stats->checksum_errors, "page", "pages",
		  "found damaged in memory: test the machine's memory" },
		{ stats->dictionaries_damaged, "dictionary", "dictionaries",
		  "found damaged in memory: test the machine's memory" },
		{ stats->bd_failed_writes, "write", "writes",
		  "to the backing store failed: look after it" },
		{ stats->bd_segments_bad, "segment", "segments",
		  "of the backing store cannot be written: look after it" },
		{ stats->oom_calls, "call", "calls",
		  "to the OOM killer for want of memory: give the pool more room" },
		{ stats->oom_kills, "program", "programs",
		  "ended by the server for want of memory: give the machine less to do" },
	};

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
		if (troubles[i].count)
			fprintf(out, "  wrong   %" PRIu64 " %s %s\n", troubles[i].count,
				troubles[i].count == 1 ? troubles[i].one : troubles[i].more,
				troubles[i].advice);
}

/* The most important one; rzscontrol stats has all of them. */
static void write_hint(const struct ramzswap_stats *stats, FILE *out)
{
	const char *hints[HINTS_MAX];

	if (stats_hints(stats, hints) > 0)
		fprintf(out, "  hint    %s\n", hints[0]);
}

int look_write(const struct look *look, FILE *out)
{
	const struct ramzswap_stats *stats = look->stats;

	write_headline(stats, out);
	write_bar("disk", stats_stored(stats), stats->disksize, "", "", look, out);
	write_memory(look, out);
	write_pages(stats, out);
	write_backing(look, out);
	write_safe(look, out);
	write_trouble(stats, out);
	write_hint(stats, out);
	return stream_finish(out);
}
