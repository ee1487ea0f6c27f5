/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/progress.h"

/* Of a terminal: from the start of the line on, and the rest of it is blank. */
#define AGAIN "\r"
#define BLANK "\033[K"

/* Less than this tells nothing of how long the rest takes. */
#define TELLING_MS 1000

void progress_begin(struct progress *progress, FILE *stream)
{
	const char *terminal = getenv("TERM");

	memset(progress, 0, sizeof(*progress));
	if (isatty(fileno(stream)) && terminal && strcmp(terminal, "dumb") != 0)
		progress->out = stream;
}

static const struct progress_look *last_look(const struct progress *progress)
{
	return &progress->looks[(progress->count - 1) % PROGRESS_LOOKS];
}

static const struct progress_look *first_look(const struct progress *progress)
{
	return progress->count <= PROGRESS_LOOKS
		       ? &progress->looks[0]
		       : &progress->looks[progress->count % PROGRESS_LOOKS];
}

void progress_take(struct progress *progress, const struct progress_look *look)
{
	if (progress->count > 0 && last_look(progress)->round != look->round)
		progress->count = 0;
	/* It counts round the looks; where it began does not matter any more. */
	if (progress->count == 2 * PROGRESS_LOOKS)
		progress->count = PROGRESS_LOOKS;
	progress->looks[progress->count++ % PROGRESS_LOOKS] = *look;
}

uint64_t progress_left(const struct progress *progress)
{
	const struct progress_look *first, *last;
	double rest;

	if (progress->count == 0)
		return UINT64_MAX;
	first = first_look(progress);
	last = last_look(progress);
	if (last->total == 0 || last->done <= first->done ||
	    last->milliseconds < first->milliseconds + TELLING_MS)
		return UINT64_MAX;
	if (last->done >= last->total)
		return 0;
	rest = (double)(last->total - last->done) / (double)(last->done - first->done);
	return (uint64_t)(rest * (double)(last->milliseconds - first->milliseconds) / 1000 + 0.5);
}

/* 80 s, 12 min 5 s, 3 h 20 min. */
static void write_time(char *text, size_t size, uint64_t seconds)
{
	if (seconds < 100)
		snprintf(text, size, "%" PRIu64 " s", seconds);
	else if (seconds < 3600)
		snprintf(text, size, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
	else
		snprintf(text, size, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600,
			 seconds / 60 % 60);
}

const char *progress_line(const struct progress *progress, const char *what,
			  char text[PROGRESS_LINE_MAX])
{
	const struct progress_look *look = last_look(progress);
	uint64_t left = progress_left(progress);
	char time[32], round[32] = "";

	if (look->round > 1)
		snprintf(round, sizeof(round), ", round %" PRIu64, look->round);
	write_time(time, sizeof(time), left == UINT64_MAX ? look->milliseconds / 1000 : left);
	if (look->total == 0) {
		snprintf(text, PROGRESS_LINE_MAX, "%.40s%s: %s so far", what, round, time);
	} else {
		double share = (double)look->done / (double)look->total;

		snprintf(text, PROGRESS_LINE_MAX, "%.40s%s: %d%%, %s%s %s", what, round,
			 share >= 1 ? 100 : (int)(share * 100), left == UINT64_MAX ? "" : "about ",
			 time, left == UINT64_MAX ? "so far" : "left");
	}
	return text;
}

/* A line that wraps could not be drawn over. */
static int columns_of(FILE *out)
{
	struct winsize size;

	return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

void progress_show(struct progress *progress, const char *what, const struct progress_look *look)
{
	char text[PROGRESS_LINE_MAX];

	if (!progress->out)
		return;
	progress_take(progress, look);
	fprintf(progress->out, AGAIN "%.*s" BLANK, columns_of(progress->out) - 1,
		progress_line(progress, what, text));
	fflush(progress->out);
	progress->drawn = true;
}

void progress_end(struct progress *progress)
{
	if (!progress->drawn)
		return;
	fputs(AGAIN BLANK, progress->out);
	fflush(progress->out);
	progress->drawn = false;
}
