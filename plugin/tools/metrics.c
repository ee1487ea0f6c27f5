/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/histogram_text.h"
#include "tools/metrics.h"
#include "tools/stats_text.h"

#define NAME_MAX_BYTES 80

/* The suffix that a name still lacks to end in its unit. */
static const char *unit_suffix(const struct stats_field *field)
{
	const char *suffix = field->unit == STATS_BYTES	    ? "_bytes"
			     : field->unit == STATS_SECONDS ? "_seconds"
							    : "";
	size_t len = strlen(field->name), suffix_len = strlen(suffix);

	if (len > suffix_len && strcmp(field->name + len - suffix_len, suffix) == 0)
		return "";
	return suffix;
}

static void make_name(const struct stats_field *field, char name[NAME_MAX_BYTES])
{
	const char *base = field->name;

	/* Names that end so are those of histograms. */
	if (!strcmp(base, "bd_count"))
		base = "bd_pages";
	snprintf(name, NAME_MAX_BYTES, "ramzswap_%s%s%s", base, unit_suffix(field),
		 field->kind == STATS_COUNTER ? "_total" : "");
}

/* A label's value, in which three characters mean something. */
static void write_label(const char *name, const char *value, FILE *out)
{
	fprintf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', out);
		if (*value == '\n')
			fputs("\\n", out);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

static void write_sample(const char *name, const struct disk *disk, uint64_t value, FILE *out)
{
	fprintf(out, "%s{", name);
	write_label("disk", disk->name, out);
	fprintf(out, "} %" PRIu64 "\n", value);
}

static void write_head(const char *name, const char *help, const char *type, FILE *out)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* 1, with what the server says of itself as labels. */
static void write_build_info(const struct disk *disks, size_t count, FILE *out)
{
	write_head("ramzswap_build_info", "Version and codecs of the server", "gauge", out);
	for (size_t i = 0; i < count; i++) {
		if (!disks[i].answers)
			continue;
		fputs("ramzswap_build_info{", out);
		write_label("disk", disks[i].name, out);
		fputc(',', out);
		write_label("version", disks[i].about.version, out);
		fputc(',', out);
		write_label("codec", disks[i].about.codec, out);
		fputc(',', out);
		write_label("idle_codec", disks[i].about.idle_codec, out);
		fputs("} 1\n", out);
	}
}

static void write_sample_name(const char *metric, const char *suffix, const struct disk *disk,
			      FILE *out)
{
	fprintf(out, "ramzswap_%s%s{", metric, suffix);
	write_label("disk", disk->name, out);
}

/* By bounds, each with all that is below it, too. */
static void write_histogram(const struct disk *disk, enum histogram_kind kind, FILE *out)
{
	const struct histogram_form *form = &histogram_forms[kind];
	const struct histogram_state *state = &disk->histograms[kind];
	uint64_t total = histogram_total(state), within = 0;

	for (unsigned int i = 0; i < form->bounds; i++) {
		within += state->count[i];
		write_sample_name(form->metric, "_bucket", disk, out);
		fputs(",le=\"", out);
		histogram_write_value(kind, form->bound[i], out);
		fprintf(out, "\"} %" PRIu64 "\n", within);
	}
	write_sample_name(form->metric, "_bucket", disk, out);
	fprintf(out, ",le=\"+Inf\"} %" PRIu64 "\n", total);
	write_sample_name(form->metric, "_sum", disk, out);
	fputs("} ", out);
	histogram_write_value(kind, state->sum, out);
	fputc('\n', out);
	write_sample_name(form->metric, "_count", disk, out);
	fprintf(out, "} %" PRIu64 "\n", total);
}

static void write_histograms(const struct disk *disks, size_t count, FILE *out)
{
	char name[NAME_MAX_BYTES];

	for (unsigned int kind = 0; kind < HISTOGRAM_KINDS; kind++) {
		snprintf(name, sizeof(name), "ramzswap_%s", histogram_forms[kind].metric);
		write_head(name, histogram_forms[kind].help, "histogram", out);
		for (size_t i = 0; i < count; i++)
			if (disks[i].answers && disks[i].measures)
				write_histogram(&disks[i], kind, out);
	}
}

int metrics_write(const struct disk *disks, size_t count, FILE *out)
{
	char name[NAME_MAX_BYTES];

	write_head("ramzswap_up", "Whether the server answers", "gauge", out);
	for (size_t i = 0; i < count; i++)
		write_sample("ramzswap_up", &disks[i], disks[i].answers, out);
	write_build_info(disks, count, out);
	for (int i = 0; i < STATS_FIELD_COUNT; i++) {
		const struct stats_field *field = &stats_fields[i];

		make_name(field, name);
		write_head(name, field->help, field->kind == STATS_COUNTER ? "counter" : "gauge",
			   out);
		for (size_t j = 0; j < count; j++)
			if (disks[j].answers)
				write_sample(name, &disks[j], stats_value(&disks[j].stats, i), out);
	}
	write_histograms(disks, count, out);
	return stream_finish(out);
}

/* Writes and closes the new file. */
static int fill_file(int fd, const struct disk *disks, size_t count)
{
	FILE *out = fdopen(fd, "w");
	int err;

	if (!out) {
		err = -errno;
		close(fd);
		return err;
	}
	err = metrics_write(disks, count, out);
	if (!err && fchmod(fd, 0644) != 0)
		err = -errno;
	if (fclose(out) != 0 && !err)
		err = -errno;
	return err;
}

/* Beside the file, by a name that no collector takes for metrics. */
static int name_new_file(const char *path, char made[PATH_MAX])
{
	const char *base = strrchr(path, '/');
	int folder = base ? (int)(base + 1 - path) : 0;
	int len = snprintf(made, PATH_MAX, "%.*s.%s.XXXXXX", folder, path, path + folder);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int metrics_save(const struct disk *disks, size_t count, const char *path, char why[ASK_WHY_MAX])
{
	char made[PATH_MAX];
	int err = name_new_file(path, made), fd;

	if (!err) {
		fd = mkostemp(made, O_CLOEXEC);
		err = fd < 0 ? -errno : fill_file(fd, disks, count);
		if (!err && rename(made, path) != 0)
			err = -errno;
		if (err && fd >= 0)
			unlink(made);
	}
	if (err)
		snprintf(why, ASK_WHY_MAX, "cannot write %s: %s", path, strerror(-err));
	return err;
}
