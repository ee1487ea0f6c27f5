/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See keys.h. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/expression.h"
#include "base/size.h"
#include "tools/settings/keys.h"

/* A name that is further from all others is near to none. */
#define NEAR_MAX 3

#define NAME_MAX_LENGTH 32

/* The plugin's, by the names of its parameters: a test compares them with those that it has. */
const struct key keys[] = {
	{ "size", "SIZE", KEY_SIZE, 0, 0, NULL },
	{ "priority", "PRIORITY", KEY_NUMBER, 0, 32767, NULL },
	{ "threads", "THREADS", KEY_NUMBER, 1, 64, NULL },
	{ "connections", "CONNECTIONS", KEY_NUMBER, 1, 16, NULL },
	{ "door", "DOOR", KEY_WORD, 0, 0, " nbd ublk " },
	{ "device", "DEVICE", KEY_TEXT, 0, 0, NULL },
	{ "min-free-kbytes", "MIN_FREE_KBYTES", KEY_NUMBER, 0, UINT32_MAX, " auto keep " },
	{ "page-cluster", "PAGE_CLUSTER", KEY_NUMBER, 0, 8, " keep " },
	{ "poll-us", "POLL_US", KEY_NUMBER, 0, 100000, NULL },
	{ "max-sectors-kb", "MAX_SECTORS_KB", KEY_NUMBER, 4, UINT32_MAX, " auto keep " },
	{ "scheduler", "SCHEDULER", KEY_TEXT, 0, 0, NULL },
	{ "guard", "GUARD", KEY_WORD, 0, 0, " yes no " },
	{ "notices", "NOTICES", KEY_WORD, 0, 0, " auto yes no " },
	{ "memlimit", NULL, KEY_SIZE, 0, 0, " none " },
	{ "reserve", NULL, KEY_SIZE, 0, 0, NULL },
	{ "algorithm", NULL, KEY_TEXT, 0, 0, NULL },
	{ "recompress", NULL, KEY_TEXT, 0, 0, NULL },
	{ "recompress-cpu", NULL, KEY_TEXT, 0, 0, NULL },
	{ "dictionary", NULL, KEY_SIZE, 0, 0, " off " },
	{ "checksum", NULL, KEY_TEXT, 0, 0, NULL },
	{ "swap", NULL, KEY_WORD, 0, 0, " auto strict off " },
	{ "wipe", NULL, KEY_TEXT, 0, 0, NULL },
	{ "control", NULL, KEY_TEXT, 0, 0, NULL },
	{ "backing", NULL, KEY_TEXT, 0, 0, NULL },
	{ "backing-size", NULL, KEY_SIZE, 0, 0, NULL },
	{ "backing-budget", NULL, KEY_TEXT, 0, 0, NULL },
	{ "backing-rate", NULL, KEY_TEXT, 0, 0, NULL },
	{ "backing-timeout", NULL, KEY_TEXT, 0, 0, NULL },
	{ "backing-encrypt", NULL, KEY_TEXT, 0, 0, NULL },
	{ "backing-force", NULL, KEY_TEXT, 0, 0, NULL },
	{ NULL, NULL, KEY_TEXT, 0, 0, NULL },
};

static char plain(char c)
{
	return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

const struct key *key_find(const char *name)
{
	for (const struct key *key = keys; key->name; key++) {
		size_t i = 0;

		while (name[i] && plain(name[i]) == key->name[i])
			i++;
		if (name[i] == '\0' && key->name[i] == '\0')
			return key;
	}
	return NULL;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* How many letters have to be changed, put in or left out, of names of at most NAME_MAX_LENGTH. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[NAME_MAX_LENGTH + 1], width = (unsigned int)strlen(b);

	for (unsigned int j = 0; j <= width; j++)
		row[j] = j;
	for (unsigned int i = 0; a[i]; i++) {
		unsigned int diagonal = row[0];

		row[0] = i + 1;
		for (unsigned int j = 0; j < width; j++) {
			unsigned int change = diagonal + (plain(a[i]) != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = least(change, least(diagonal, row[j]) + 1);
		}
	}
	return row[width];
}

const struct key *key_near(const char *name)
{
	unsigned int nearest = NEAR_MAX + 1;
	const struct key *found = NULL;

	if (strlen(name) > NAME_MAX_LENGTH)
		return NULL;
	for (const struct key *key = keys; key->name; key++) {
		unsigned int far = distance(name, key->name);

		if (far < nearest && 2 * far <= strlen(key->name)) {
			nearest = far;
			found = key;
		}
	}
	return found;
}

/* Whether it stands in a list of words with blanks around each. */
static bool is_one_of(const char *words, const char *value)
{
	size_t length = strlen(value);

	if (!words || length == 0)
		return false;
	for (const char *at = strstr(words, value); at; at = strstr(at + 1, value))
		if (at[-1] == ' ' && at[length] == ' ')
			return true;
	return false;
}

static bool number_fits(const struct key *key, const char *value)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)*value))
		return false;
	errno = 0;
	number = strtoul(value, &end, 10);
	return !errno && !*end && number >= key->min && number <= key->max;
}

/* Less than a page of a disk: the unit was forgotten. */
static bool lacks_unit(const char *name, const char *value)
{
	return (strcmp(name, "size") == 0 || strcmp(name, "memlimit") == 0) &&
	       strspn(value, "0123456789") == strlen(value) && strlen(value) <= 3 &&
	       strspn(value, "0") < strlen(value);
}

/* A share is left as it is, for whoever reads it; what the plugin does not know is computed. */
static bool size_fits(const char *value, uint64_t ram, char *out, char *why, size_t why_size)
{
	uint64_t bytes;

	if (size_parse(value, ram, &bytes, NULL, 0) == 0)
		snprintf(out, VALUE_MAX, "%s", value);
	else if (expression_parse(value, ram, &bytes, why, why_size) == 0)
		snprintf(out, VALUE_MAX, "%" PRIu64, bytes);
	else
		return false;
	return true;
}

bool key_value(const struct key *key, const char *value, uint64_t ram, char *out, char *why,
	       size_t why_size)
{
	const char *words = key->words ? key->words : "";
	int length = *words ? (int)strlen(words) - 1 : 0; /* without the last blank */
	bool fits = is_one_of(key->words, value);

	if (!*value) {
		snprintf(why, why_size, "%s has no value", key->name);
		return false;
	}
	if (!fits && lacks_unit(key->name, value)) {
		snprintf(why, why_size,
			 "%s = %s is %s bytes: give %sM for megabytes, or %s%% of the memory",
			 key->name, value, value, value, value);
		return false;
	}
	if (!fits && key->kind == KEY_SIZE)
		return size_fits(value, ram, out, why, why_size);
	if (key->kind == KEY_TEXT)
		fits = true;
	if (key->kind == KEY_NUMBER)
		fits = fits || number_fits(key, value);
	if (fits)
		snprintf(out, VALUE_MAX, "%s", value);
	else if (key->kind == KEY_NUMBER)
		snprintf(why, why_size, "%s is '%s': must be %lu to %lu%s%.*s", key->name, value,
			 key->min, key->max, *words ? ", or one of:" : "", length, words);
	else
		snprintf(why, why_size, "%s is '%s': must be one of:%.*s", key->name, value, length,
			 words);
	return fits;
}
