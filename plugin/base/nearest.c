/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "base/nearest.h"

/* What is longer is no name of ours. */
#define LENGTH_MAX 32
#define MISTAKES_MAX 2u

/* Letters and digits, lower case.  Their number, or LENGTH_MAX + 1 if there are more. */
static size_t letters(const char *word, char out[LENGTH_MAX])
{
	size_t len = 0;

	for (; *word; word++) {
		char c = *word >= 'A' && *word <= 'Z' ? (char)(*word - 'A' + 'a') : *word;

		if (c == '-' || c == '_')
			continue;
		if (len == LENGTH_MAX)
			return LENGTH_MAX + 1;
		out[len++] = c;
	}
	return len;
}

static unsigned int least(unsigned int one, unsigned int two, unsigned int three)
{
	unsigned int less = one < two ? one : two;

	return less < three ? less : three;
}

/* Letters to be added, dropped or changed to make one of the other (Levenshtein). */
static unsigned int distance(const char *one, size_t one_len, const char *other, size_t other_len)
{
	unsigned int row[LENGTH_MAX + 1];

	for (size_t j = 0; j <= other_len; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= one_len; i++) {
		unsigned int left_above = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= other_len; j++) {
			unsigned int above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1,
				       left_above + (one[i - 1] != other[j - 1]));
			left_above = above;
		}
	}
	return row[other_len];
}

const char *nearest(const char *word, const char *const *names, size_t count)
{
	char ours[LENGTH_MAX], theirs[LENGTH_MAX];
	size_t len = letters(word, ours);
	unsigned int best = MISTAKES_MAX + 1;
	const char *found = NULL;

	if (len > LENGTH_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t name_len = letters(names[i], theirs);
		unsigned int mistakes = distance(ours, len, theirs, name_len);

		/* Of a short word most letters have to be right. */
		if (mistakes < best && 3 * mistakes <= name_len) {
			best = mistakes;
			found = names[i];
		}
	}
	return found;
}
