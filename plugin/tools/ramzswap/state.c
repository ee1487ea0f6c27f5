/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/ramzswap/host.h"
#include "tools/ramzswap/state.h"

const char *const state_settings[STATE_SETTINGS] = {
	[STATE_SCHEDULER] = "scheduler",
	[STATE_MAX_SECTORS] = "max_sectors_kb",
};

/* Where the value of a name goes; NULL for one that a newer version has. */
static const char **place_of(struct state *state, const char *name, const char **door)
{
	const struct {
		const char *name;
		const char **place;
	} places[] = {
		{ "device", &state->device },
		{ "door", door },
		{ "door_why", &state->door_why },
		{ "attached", &state->attached },
		{ "control_socket", &state->control_socket },
		{ "guard", &state->guard },
		{ "guarded", &state->guarded },
		{ "no_notices", &state->no_notices },
		{ "had_scheduler", &state->queue[STATE_SCHEDULER].had },
		{ "set_scheduler", &state->queue[STATE_SCHEDULER].set },
		{ "had_max_sectors_kb", &state->queue[STATE_MAX_SECTORS].had },
		{ "set_max_sectors_kb", &state->queue[STATE_MAX_SECTORS].set },
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strcmp(places[i].name, name) == 0)
			return places[i].place;
	return NULL;
}

/*
 * Takes one word with its quotes off, in place, and steps behind it.  It is no longer than before,
 * so it ends before what is read next.  NULL if a quote does not end.
 */
static char *take_word(char **rest)
{
	char *from = *rest, *word = *rest, *to = *rest;

	while (*from && !isspace((unsigned char)*from)) {
		if (*from == '\'') {
			while (*++from != '\'') {
				if (!*from)
					return NULL;
				*to++ = *from;
			}
			from++;
		} else {
			from += *from == '\\' && from[1];
			*to++ = *from++;
		}
	}
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

/* NAME of "/dev/NAME", if start could have written that; or NULL. */
static const char *device_name(const char *device, const char *kind)
{
	size_t length = strlen(kind);
	const char *number = device + length;

	if (strncmp(device, kind, length) != 0 || !isdigit((unsigned char)*number) ||
	    number[strspn(number, "0123456789")])
		return NULL;
	return device + strlen("/dev/");
}

static void clear(struct state *state)
{
	state->device = state->name = state->door_why = state->attached = "";
	state->control_socket = state->guard = state->guarded = state->no_notices = "";
	for (int i = 0; i < STATE_SETTINGS; i++)
		state->queue[i] = (struct state_setting){ "", "" };
}

static int parse_words(struct state *state, const char **door)
{
	char *rest = state->text, *word, *value;
	const char **place;

	for (;;) {
		rest += strspn(rest, " \t\n");
		if (!*rest)
			return 0;
		word = take_word(&rest);
		value = word ? strchr(word, '=') : NULL;
		if (!value)
			return -EINVAL;
		*value++ = '\0';
		place = place_of(state, word, door);
		if (place)
			*place = value;
	}
}

int state_parse(struct state *state, const char *text)
{
	const char *door = "nbd";

	clear(state);
	if (snprintf(state->text, sizeof(state->text), "%s", text) >= (int)sizeof(state->text))
		return -EFBIG;
	if (parse_words(state, &door) != 0)
		return -EINVAL;
	state->ublk = strcmp(door, "ublk") == 0;
	state->name = device_name(state->device, state->ublk ? "/dev/ublkb" : "/dev/nbd");
	return state->name && (state->ublk || strcmp(door, "nbd") == 0) ? 0 : -EINVAL;
}

int state_read(const struct host *host, struct state *state)
{
	char text[STATE_MAX + 1];

	if (!host_exists(host, "%s/state", host->run))
		return -ENOENT;
	if (!host_read(host, text, sizeof(text), "%s/state", host->run))
		return -EINVAL;
	return state_parse(state, text);
}
