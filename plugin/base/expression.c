/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See expression.h.  By recursive descent: sum, product, value. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/expression.h"
#include "base/size.h"

/* The longest single size in it. */
#define TERM_MAX 64

#define DEPTH_MAX 16

/* What is left to read, and the first mistake. */
struct reader {
	const char *at;
	uint64_t ram;
	unsigned int depth;
	int err;
	char *why;
	size_t why_size;
};

static long double read_sum(struct reader *reader);

static long double refuse(struct reader *reader, int err, const char *word, const char *what)
{
	if (!reader->err && reader->why)
		snprintf(reader->why, reader->why_size, "\"%s\" %s", word, what);
	if (!reader->err)
		reader->err = err;
	return 0;
}

static void skip_blanks(struct reader *reader)
{
	while (*reader->at == ' ' || *reader->at == '\t')
		reader->at++;
}

/* Whether c comes next, which is read then. */
static bool next_is(struct reader *reader, char c)
{
	skip_blanks(reader);
	if (*reader->at != c)
		return false;
	reader->at++;
	return true;
}

static const char *rest_of(const struct reader *reader)
{
	return *reader->at ? reader->at : "the end";
}

/* How many characters of text belong to one word or number. */
static size_t term_length(const char *text)
{
	return strspn(text, "0123456789.%abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* min or max of what stands between the parentheses. */
static long double read_choice(struct reader *reader, bool largest)
{
	long double value, other;

	if (!next_is(reader, '('))
		return refuse(reader, -EINVAL, reader->at,
			      "is where a ( is due, behind min and max");
	value = read_sum(reader);
	while (!reader->err && next_is(reader, ',')) {
		other = read_sum(reader);
		if (largest ? other > value : other < value)
			value = other;
	}
	if (!reader->err && !next_is(reader, ')'))
		return refuse(reader, -EINVAL, rest_of(reader), "is where a ) is due");
	return value;
}

/* A size, a number, or ram. */
static long double read_term(struct reader *reader)
{
	size_t length = term_length(reader->at);
	char term[TERM_MAX];
	uint64_t bytes;
	int err;

	if (length == 0 || length >= sizeof(term))
		return refuse(reader, -EINVAL, reader->at,
			      "is where a size is due, such as 512M, 25% or ram");
	memcpy(term, reader->at, length);
	term[length] = '\0';
	reader->at += length;
	if (strcasecmp(term, "ram") == 0)
		return (long double)reader->ram;
	if (strcmp(term, "min") == 0 || strcmp(term, "max") == 0)
		return read_choice(reader, term[1] == 'a');
	/* A factor may have a fraction, which bytes have not. */
	if (strspn(term, "0123456789.") == length) {
		long double value = 0, digit = 1;
		const char *point = strchr(term, '.');

		if (point && (point == term || !point[1] || strchr(point + 1, '.')))
			return refuse(reader, -EINVAL, term, "is not a number");
		for (const char *c = term; *c && *c != '.'; c++)
			value = value * 10 + (*c - '0');
		for (const char *c = point ? point + 1 : ""; *c; c++)
			value += (digit /= 10) * (*c - '0');
		return value;
	}
	err = size_parse(term, reader->ram, &bytes, reader->err ? NULL : reader->why,
			 reader->why_size);
	if (err && !reader->err)
		reader->err = err;
	return err ? 0 : (long double)bytes;
}

static long double read_value(struct reader *reader)
{
	long double value;

	if (++reader->depth > DEPTH_MAX)
		return refuse(reader, -EINVAL, reader->at, "is in too many parentheses");
	if (next_is(reader, '(')) {
		value = read_sum(reader);
		if (!reader->err && !next_is(reader, ')'))
			refuse(reader, -EINVAL, rest_of(reader), "is where a ) is due");
	} else {
		value = read_term(reader);
	}
	reader->depth--;
	return value;
}

static long double read_product(struct reader *reader)
{
	long double value = read_value(reader);

	while (!reader->err) {
		if (next_is(reader, '*')) {
			value *= read_value(reader);
		} else if (next_is(reader, '/')) {
			long double by = read_value(reader);

			if (by == 0)
				return refuse(reader, -EINVAL, reader->at,
					      "comes behind a division by 0");
			value /= by;
		} else {
			break;
		}
	}
	return value;
}

static long double read_sum(struct reader *reader)
{
	long double value = read_product(reader);

	while (!reader->err) {
		if (next_is(reader, '+'))
			value += read_product(reader);
		else if (next_is(reader, '-'))
			value -= read_product(reader);
		else
			break;
	}
	return value;
}

static void refuse_rest(struct reader *reader)
{
	const char *due = "is where an operator is due: + - * or /";

	if (*reader->at == '#')
		due = "is no comment here: one has a line of its own";
	else if (*reader->at == '%' || size_is_unit(reader->at))
		due = "stands behind a blank: a size is one word, such as 512M or 25%";
	refuse(reader, -EINVAL, reader->at, due);
}

int expression_parse(const char *text, uint64_t ram, uint64_t *bytes, char *why, size_t why_size)
{
	struct reader reader = { .at = text, .ram = ram, .why = why, .why_size = why_size };
	long double value;

	skip_blanks(&reader);
	/* One size alone: its own messages are better. */
	if (reader.at[term_length(reader.at)] == '\0' && strcasecmp(reader.at, "ram") != 0)
		return size_parse(reader.at, ram, bytes, why, why_size);
	value = read_sum(&reader);
	skip_blanks(&reader);
	if (!reader.err && *reader.at)
		refuse_rest(&reader);
	if (!reader.err && !(value >= 1)) /* nor what is no number */
		refuse(&reader, -ERANGE, text, "is less than one byte: a size is more than 0");
	if (!reader.err && !(value <= (long double)SIZE_MAX_BYTES))
		refuse(&reader, -ERANGE, text, "is too large: a size is less than 8E");
	if (!reader.err)
		*bytes = (uint64_t)value;
	return reader.err;
}
