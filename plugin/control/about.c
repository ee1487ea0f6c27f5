/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/about.h"

struct field {
	const char *name;
	size_t offset, room;
};

#define FIELD(name, room) { #name, offsetof(struct control_about, name), room },
static const struct field fields[] = { ABOUT_FIELDS(FIELD) };
#undef FIELD
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

int control_about_format(const struct control_about *about, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		int len = snprintf(text + used, size - used, "%s %s\n", fields[i].name,
				   (const char *)about + fields[i].offset);

		if (len < 0 || (size_t)len >= size - used)
			return -ENOSPC;
		used += (size_t)len;
	}
	return (int)used;
}

static void take(char *value, size_t room, const char *text, size_t len)
{
	if (len >= room)
		len = room - 1;
	for (size_t i = 0; i < len; i++)
		value[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	value[len] = '\0';
}

void control_about_parse(struct control_about *about, const char *text)
{
	memset(about, 0, sizeof(*about));
	while (*text) {
		size_t line = strcspn(text, "\n"), name = strcspn(text, " \n");

		for (size_t i = 0; i < FIELD_COUNT; i++)
			if (name < line && strlen(fields[i].name) == name &&
			    !memcmp(fields[i].name, text, name))
				take((char *)about + fields[i].offset, fields[i].room,
				     text + name + 1, line - name - 1);
		text += line + (text[line] == '\n');
	}
}
