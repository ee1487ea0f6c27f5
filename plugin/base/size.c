/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/group.h"
#include "base/size.h"

/* Digits behind these are dropped: they are worth an eighth of a byte, even in E. */
#define FRACTION_DIGITS 19

#define QUOTE_MAX 40

typedef unsigned __int128 uint128;

/* A decimal number: whole + fraction / power. */
struct decimal {
	uint64_t whole;
	uint64_t fraction;
	uint64_t power; /* 10 to the number of digits in fraction; 10^19 still fits */
	bool negative;
	bool has_point;
	bool too_large;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Not tolower(): the locale is the user's, the suffixes are ours. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int refuse(int error, const char *text, char *why, size_t why_size, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static int refuse(int error, const char *text, char *why, size_t why_size, const char *format, ...)
{
	char quote[QUOTE_MAX + 4];
	size_t len = 0;
	va_list args;
	int used;

	if (!why || why_size == 0)
		return error;
	for (; text[len] && len < QUOTE_MAX; len++)
		quote[len] = text[len] >= ' ' && text[len] <= '~' ? text[len] : '?';
	strcpy(quote + len, text[len] ? "..." : "");

	used = snprintf(why, why_size, "\"%s\" ", quote);
	if (used < 0 || (size_t)used >= why_size)
		return error;
	va_start(args, format);
	vsnprintf(why + used, why_size - (size_t)used, format, args);
	va_end(args);
	return error;
}

/* Returns the first character behind the number, or NULL if text begins with none. */
static const char *parse_decimal(const char *text, struct decimal *number)
{
	*number = (struct decimal){ .power = 1 };
	if (*text == '-') {
		number->negative = true;
		text++;
	}
	if (!is_digit(*text))
		return NULL;
	for (; is_digit(*text); text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (number->whole > (UINT64_MAX - digit) / 10)
			number->too_large = true;
		else
			number->whole = number->whole * 10 + digit;
	}
	if (*text != '.')
		return text;
	number->has_point = true;
	text++;
	if (!is_digit(*text))
		return NULL;
	for (int places = 0; is_digit(*text); text++, places++) {
		if (places >= FRACTION_DIGITS)
			continue;
		number->fraction = number->fraction * 10 + (uint64_t)(*text - '0');
		number->power *= 10;
	}
	return text;
}

/* How many bytes one of the unit is, or 0 if suffix is no unit. */
static uint64_t unit_bytes(const char *suffix)
{
	static const char powers[] = "kmgtpe";
	const char *power;

	if (!*suffix)
		return 1;
	if (!suffix[1] && lower(*suffix) == 'b')
		return 1;
	if (!suffix[1] && lower(*suffix) == 's')
		return 512;
	power = strchr(powers, lower(*suffix));
	if (!power)
		return 0;
	if (suffix[1] && !(lower(suffix[1]) == 'i' && lower(suffix[2]) == 'b' && !suffix[3]))
		return 0;
	return UINT64_C(1) << (10 * (power - powers + 1));
}

bool size_is_unit(const char *word)
{
	return *word && (unit_bytes(word) != 0 || (word[1] && !word[2] && lower(word[1]) == 'b' &&
						   strchr("kmgtpe", lower(*word))));
}

/* number * scale, rounded down.  128 bits hold the product of any two of 64. */
static uint128 scaled(const struct decimal *number, uint64_t scale)
{
	return (uint128)number->whole * scale + (uint128)number->fraction * scale / number->power;
}

int size_parse(const char *text, uint64_t ram, uint64_t *bytes, char *why, size_t why_size)
{
	const char *form = ram ? "use a number with K, M, G or T, such as 512M or 1.5G, "
				 "or a share of RAM such as 25%"
			       : "use a number with K, M, G or T, such as 512M or 1.5G";
	struct decimal number;
	const char *suffix = parse_decimal(text, &number);
	bool percent = suffix && strcmp(suffix, "%") == 0;
	uint64_t unit = 0;
	uint128 result;

	if (suffix && !percent)
		unit = unit_bytes(suffix);
	if (percent && !ram)
		return refuse(-EINVAL, text, why, why_size, "is a share, where a size is due: %s",
			      form);
	if (!percent && !unit)
		return refuse(-EINVAL, text, why, why_size, "is not a size: %s", form);
	if (unit == 1 && number.has_point)
		return refuse(-EINVAL, text, why, why_size, "is not a whole number of bytes: %s",
			      form);
	if (number.negative)
		return refuse(-ERANGE, text, why, why_size, "is negative: a size is more than 0");
	if (percent && (number.too_large || number.whole > SIZE_MAX_PERCENT ||
			(number.whole == SIZE_MAX_PERCENT && number.fraction)))
		return refuse(-ERANGE, text, why, why_size, "is too large: the most is %d%% of RAM",
			      SIZE_MAX_PERCENT);

	result = percent ? scaled(&number, ram) / 100 : scaled(&number, unit);
	if (number.too_large || result > SIZE_MAX_BYTES)
		return refuse(-ERANGE, text, why, why_size, "is too large: a size is less than 8E");
	if (result == 0)
		return refuse(-ERANGE, text, why, why_size,
			      "is less than one byte: a size is more than 0");
	*bytes = (uint64_t)result;
	return 0;
}

uint64_t size_of_ram(void)
{
	uint64_t limit = group_memory_limit("");
	struct sysinfo info;
	uint64_t ram;

	if (sysinfo(&info) < 0)
		return 0;
	ram = (uint64_t)info.totalram * info.mem_unit;
	return ram < limit ? ram : limit;
}
