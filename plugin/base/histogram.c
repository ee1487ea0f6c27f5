/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* 1 us to 1 s. */
static const uint64_t durations[] = {
	1000,	2000,	 5000,	  10000,   20000,    50000,	100000,	    200000,
	500000, 1000000, 2000000, 5000000, 10000000, 100000000, 1000000000,
};
/* Of a page; above 15/16 of one it is stored as it is, and is all of it. */
static const uint64_t sizes[] = { 128, 256, 512, 1024, 1536, 2048, 2560, 3072, 3584, 3840, 4096 };

_Static_assert(COUNT(durations) <= HISTOGRAM_BOUNDS_MAX && COUNT(sizes) <= HISTOGRAM_BOUNDS_MAX,
	       "more bounds than there is room for");

#define FORM(name_, metric_, unit_, help_)                         \
	{ .name = #name_,                                          \
	  .metric = (metric_),                                     \
	  .help = (help_),                                         \
	  .unit = (unit_),                                         \
	  .bounds = (unit_) > 1 ? COUNT(durations) : COUNT(sizes), \
	  .bound = (unit_) > 1 ? durations : sizes },
const struct histogram_form histogram_forms[HISTOGRAM_KINDS] = { HISTOGRAMS(FORM) };

void histogram_add(struct histogram *histogram, enum histogram_kind kind, uint64_t value)
{
	const struct histogram_form *form = &histogram_forms[kind];
	unsigned int i = 0;

	while (i < form->bounds && value > form->bound[i])
		i++;
	atomic_fetch_add_explicit(&histogram->count[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

void histogram_reset(struct histogram *histogram)
{
	for (unsigned int i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
		atomic_store_explicit(&histogram->count[i], 0, memory_order_relaxed);
	atomic_store_explicit(&histogram->sum, 0, memory_order_relaxed);
}

void histogram_get(const struct histogram *histogram, struct histogram_state *state)
{
	for (unsigned int i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
		state->count[i] = atomic_load_explicit(&histogram->count[i], memory_order_relaxed);
	state->sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
}

uint64_t histogram_total(const struct histogram_state *state)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
		total += state->count[i];
	return total;
}

uint64_t histogram_quantile(const struct histogram_state *state, enum histogram_kind kind,
			    double part)
{
	const struct histogram_form *form = &histogram_forms[kind];
	double rank = part * (double)histogram_total(state), before = 0;

	for (unsigned int i = 0; i < form->bounds; i++) {
		double here = (double)state->count[i];

		if (here > 0 && before + here >= rank) {
			uint64_t low = i > 0 ? form->bound[i - 1] : 0;

			return low +
			       (uint64_t)((double)(form->bound[i] - low) * (rank - before) / here);
		}
		before += here;
	}
	return before < rank ? form->bound[form->bounds - 1] : 0;
}

/* Adds a line.  False if it does not fit. */
static bool put_line(char *text, size_t size, size_t *used, const char *name, const char *bound,
		     uint64_t value)
{
	int len = snprintf(text + *used, size - *used, "%s %s %" PRIu64 "\n", name, bound, value);

	if (len < 0 || (size_t)len >= size - *used)
		return false;
	*used += (size_t)len;
	return true;
}

int histograms_format(const struct histogram_state states[HISTOGRAM_KINDS], char *text, size_t size)
{
	size_t used = 0;

	for (unsigned int kind = 0; kind < HISTOGRAM_KINDS; kind++) {
		const struct histogram_form *form = &histogram_forms[kind];

		for (unsigned int i = 0; i <= form->bounds; i++) {
			char bound[24] = "inf";

			if (states[kind].count[i] == 0)
				continue;
			if (i < form->bounds)
				snprintf(bound, sizeof(bound), "%" PRIu64, form->bound[i]);
			if (!put_line(text, size, &used, form->name, bound, states[kind].count[i]))
				return -ENOSPC;
		}
		if (!put_line(text, size, &used, form->name, "sum", states[kind].sum))
			return -ENOSPC;
	}
	return (int)used;
}

static void take(struct histogram_state states[HISTOGRAM_KINDS], const char *name,
		 const char *bound, uint64_t value)
{
	for (unsigned int kind = 0; kind < HISTOGRAM_KINDS; kind++) {
		const struct histogram_form *form = &histogram_forms[kind];

		if (strcmp(form->name, name) != 0)
			continue;
		if (!strcmp(bound, "sum"))
			states[kind].sum = value;
		if (!strcmp(bound, "inf"))
			states[kind].count[form->bounds] = value;
		for (unsigned int i = 0; i < form->bounds; i++)
			if (form->bound[i] == strtoull(bound, NULL, 10))
				states[kind].count[i] = value;
	}
}

int histograms_parse(struct histogram_state states[HISTOGRAM_KINDS], const char *text)
{
	struct histogram_state parsed[HISTOGRAM_KINDS] = { { { 0 }, 0 } };

	while (*text) {
		char name[32], bound[24], value[24];
		int len = 0;

		if (sscanf(text, "%31[a-z_] %23[a-z0-9] %20[0-9]%n", name, bound, value, &len) !=
			    3 ||
		    text[len] != '\n')
			return -EBADMSG;
		take(parsed, name, bound, strtoull(value, NULL, 10));
		text += len + 1;
	}
	memcpy(states, parsed, sizeof(parsed));
	return 0;
}
