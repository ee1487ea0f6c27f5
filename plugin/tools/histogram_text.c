/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "tools/histogram_text.h"
#include "tools/figures.h"

/* What people are told that all but a few are within. */
#define HIGH 0.99

/* What the unit is called, and how many of ours it is. */
static const struct {
	const char *what, *label, *unit;
	uint64_t of_ours;
} shown[HISTOGRAM_KINDS] = {
	[HISTOGRAM_read_nanoseconds] = { "reads", "ReadTime", "us", 1000 },
	[HISTOGRAM_write_nanoseconds] = { "writes", "WriteTime", "us", 1000 },
	[HISTOGRAM_payload_bytes] = { "payloads", "PayloadSize", "bytes", 1 },
};

/* 0.000001, exact for every bound, and 1.5e-06 is not for people who read JSON. */
void histogram_write_value(enum histogram_kind kind, uint64_t value, FILE *out)
{
	uint64_t unit = histogram_forms[kind].unit, rest = value % unit;

	fprintf(out, "%" PRIu64, value / unit);
	if (rest > 0) {
		fputc('.', out);
		for (uint64_t digit = unit / 10; rest > 0; digit /= 10) {
			fputc('0' + (int)(rest / digit), out);
			rest %= digit;
		}
	}
}

static uint64_t quantile(const struct histogram_state *states, unsigned int kind, double part)
{
	return histogram_quantile(&states[kind], kind, part) / shown[kind].of_ours;
}

static void write_bars(const struct histogram_state *states, unsigned int kind, bool plain,
		       FILE *out)
{
	const struct histogram_form *form = &histogram_forms[kind];
	uint64_t total = histogram_total(&states[kind]);
	char bar[FIGURE_BAR_MAX];

	for (unsigned int i = 0; i <= form->bounds; i++) {
		uint64_t count = states[kind].count[i];
		uint64_t bound = form->bound[i < form->bounds ? i : form->bounds - 1];

		if (count == 0)
			continue;
		fprintf(out, "  %s %7" PRIu64 " %-5s  %s %3.0f%%\n",
			i < form->bounds ? "up to" : "above", bound / shown[kind].of_ours,
			shown[kind].unit, figure_bar(bar, count, total, plain),
			100 * (double)count / (double)total);
	}
}

void histograms_write_bars(const struct histogram_state *states, bool plain, FILE *out)
{
	for (unsigned int kind = 0; kind < HISTOGRAM_KINDS; kind++) {
		uint64_t total = histogram_total(&states[kind]);

		if (total == 0) {
			fprintf(out, "%s: none measured yet, of one request in %u\n",
				shown[kind].what, HISTOGRAM_SAMPLE);
			continue;
		}
		fprintf(out,
			"%s: half within %" PRIu64 " %s, 99%% within %" PRIu64 " %s, of %" PRIu64
			" measured\n",
			shown[kind].what, quantile(states, kind, 0.5), shown[kind].unit,
			quantile(states, kind, HIGH), shown[kind].unit, total);
		write_bars(states, kind, plain, out);
	}
}

void histograms_write_labels(const struct histogram_state *states, FILE *out)
{
	for (unsigned int kind = 0; kind < HISTOGRAM_KINDS; kind++) {
		char label[32];

		snprintf(label, sizeof(label), "%sHalf", shown[kind].label);
		figure_line(label, quantile(states, kind, 0.5), out);
		snprintf(label, sizeof(label), "%sMost", shown[kind].label);
		figure_line(label, quantile(states, kind, HIGH), out);
	}
}

static void write_buckets(const struct histogram_state *state, unsigned int kind, FILE *out)
{
	const struct histogram_form *form = &histogram_forms[kind];
	uint64_t within = 0;

	for (unsigned int i = 0; i < form->bounds; i++) {
		within += state->count[i];
		fprintf(out, "%s\n        {\"le\": ", i > 0 ? "," : "");
		histogram_write_value(kind, form->bound[i], out);
		fprintf(out, ", \"count\": %" PRIu64 "}", within);
	}
}

void histograms_write_json(const struct histogram_state *states, FILE *out)
{
	for (unsigned int kind = 0; kind < HISTOGRAM_KINDS; kind++) {
		fprintf(out, "%s\n    \"%s\": {\n      \"count\": %" PRIu64 ",\n      \"sum\": ",
			kind > 0 ? "," : "{", histogram_forms[kind].metric,
			histogram_total(&states[kind]));
		histogram_write_value(kind, states[kind].sum, out);
		fputs(",\n      \"buckets\": [", out);
		write_buckets(&states[kind], kind, out);
		fputs("\n      ]\n    }", out);
	}
	fputs("\n  }", out);
}
