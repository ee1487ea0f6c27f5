/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <langinfo.h>
#include <string.h>

#include "base/stats.h"
#include "tools/figures.h"

/* As wide as the longest label of statistics with its colon. */
#define LABEL_ROOM(name, label, unit, kind, help) char name##_room[sizeof(label)];
union label_room {
	STATS_FIELDS(LABEL_ROOM)
};
#define LABEL_WIDTH ((int)sizeof(union label_room))

bool figures_are_plain(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

const char *figure_size(char text[FIGURE_SIZE_MAX], uint64_t bytes)
{
	static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	int unit = 0;

	/* 1023.6 MiB would read as 1024 MiB. */
	while (value >= 1023.5) {
		value /= 1024;
		unit++;
	}
	if (bytes == 0)
		strcpy(text, "none");
	else
		snprintf(text, FIGURE_SIZE_MAX, "%.*f %s", unit > 0 && value < 9.95, value,
			 units[unit]);
	return text;
}

const char *figure_bar(char text[FIGURE_BAR_MAX], uint64_t part, uint64_t whole, bool plain)
{
	const char *full = plain ? "#" : "\u2588", *empty = plain ? "." : "\u2591";
	double share = whole ? (double)part / (double)whole : 0;
	int places = share >= 1 ? FIGURE_BAR_PLACES : (int)(share * FIGURE_BAR_PLACES + 0.5);
	char *end = text;

	/* Something is not nothing, and almost all is not all. */
	if (part > 0 && places == 0)
		places = 1;
	if (part < whole && places == FIGURE_BAR_PLACES)
		places--;
	for (int i = 0; i < FIGURE_BAR_PLACES; i++)
		end = stpcpy(end, i < places ? full : empty);
	return text;
}

void figure_label(const char *label, FILE *out)
{
	fprintf(out, "%s:%*s", label, LABEL_WIDTH - (int)strlen(label) - 1, "");
}

void figure_line(const char *label, uint64_t value, FILE *out)
{
	figure_label(label, out);
	fprintf(out, "%*" PRIu64 "\n", FIGURE_WIDTH, value);
}
