/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "server/params.h"
#include "base/dictionary_size.h"
#include "base/nearest.h"
#include "base/size.h"
#include "store/store.h"
#include "ublk/ublk.h"

#define MIB (UINT64_C(1) << 20)

/* As in 2009. */
#define SIZE_DEFAULT_SHIFT 2

/*
 * The reserve of a swap disk: 1/2^5 of it, 1/96 of the RAM at most, within bounds.  The kernel has
 * at most 128 requests of REQUEST_BYTES under way on a device, 16 MiB, which take 4 to 6 MiB
 * compressed; the background begins to refill when a quarter is gone.  A ublk device has 32 of
 * 64 KiB, 2 MiB.
 */
#define RESERVE_SWAP_SHIFT 5
#define RESERVE_RAM_SHARE 96
#define RESERVE_SWAP_MIN (2 * MIB)
#define RESERVE_SWAP_MAX (4 * MIB)
#define RESERVE_SWAP_UBLK (1 * MIB)
#define RESERVE_DISK (MIB / 2)

/* A disk larger than so many times the RAM is no swap area, whatever swap= says. */
#define SWAP_RAM_FACTOR 16

/* Of a limit, the reserve takes at most 1/2^3. */
#define RESERVE_LIMIT_SHIFT 3

#define RECOMPRESS_SECONDS_MAX (30 * 24 * 3600)
#define RECOMPRESS_PERCENT_DEFAULT 20

/* What it costs, and so why: docs/BENCHMARKS.md. */
#define CHECKSUM_DEFAULT false

/* zstd takes about half a megabyte to work in: below this limit idle pages stay in their codec. */
#define IDLE_ZSTD_LIMIT_MIN (16 * MIB)

/* To make a dictionary takes some 12 MB for a second, which below this limit would be missed. */
#define DICTIONARY_LIMIT_MIN (64 * MIB)

#define BACKING_TIMEOUT_DEFAULT 30
#define BACKING_TIMEOUT_MAX 3600

static const char *const swap_mode_names[] = {
	[SWAP_OFF] = "off",
	[SWAP_AUTO] = "auto",
	[SWAP_STRICT] = "strict",
};

const char *swap_mode_name(enum swap_mode mode)
{
	return swap_mode_names[mode];
}

void params_init(struct params *params, uint64_t ram)
{
	memset(params, 0, sizeof(*params));
	params->ram = ram;
	params->memlimit = STORE_NO_LIMIT;
	params->reserve = UINT64_MAX;
	params->dictionary = UINT64_MAX;
	params->codec = codecs[0];
	params->swap = SWAP_AUTO;
	params->ublk = UBLK_OFF;
	params->recompress_percent = RECOMPRESS_PERCENT_DEFAULT;
	params->backing_encrypt = true;
	params->checksum = CHECKSUM_DEFAULT;
	params->backing_timeout = BACKING_TIMEOUT_DEFAULT;
}

static int set_size(uint64_t *bytes, const char *key, const char *value, uint64_t ram, char *why,
		    size_t why_size)
{
	char reason[SIZE_WHY_MAX];
	uint64_t parsed;

	if (size_parse(value, ram, &parsed, reason, sizeof(reason))) {
		snprintf(why, why_size, "%s: %s", key, reason);
		return -EINVAL;
	}
	*bytes = parsed;
	return 0;
}

/* Shares and fractions come out at any byte: a disk that was not told to the byte has whole pages. */
static uint64_t whole_pages(uint64_t size)
{
	return size < STORE_PAGE_SIZE ? STORE_PAGE_SIZE : size & ~(uint64_t)(STORE_PAGE_SIZE - 1);
}

static int set_disk_size(struct params *params, const char *key, const char *value, char *why,
			 size_t why_size)
{
	uint64_t size;
	int err = set_size(&size, key, value, params->ram, why, why_size);

	if (err)
		return err;
	/* Nobody wants such a disk: the unit was forgotten. */
	if (size < STORE_PAGE_SIZE && strspn(value, "0123456789") == strlen(value)) {
		snprintf(why, why_size,
			 "%s: \"%s\" is %s bytes, less than a page: give %sM for megabytes, or "
			 "%sB if bytes are meant",
			 key, value, value, value, value);
		return -EINVAL;
	}
	if (size > STORE_SIZE_MAX) {
		snprintf(why, why_size, "%s: '%s' is too large: a disk ends at %lluT", key, value,
			 (unsigned long long)(STORE_SIZE_MAX >> 40));
		return -EINVAL;
	}
	params->size = strpbrk(value, ".%") ? whole_pages(size) : size;
	return 0;
}

static int set_reserve(struct params *params, const char *key, const char *value, char *why,
		       size_t why_size)
{
	if (strcmp(value, "0") == 0) {
		params->reserve = 0;
		return 0;
	}
	if (strcmp(value, "none") == 0 || strcmp(value, "off") == 0) {
		snprintf(why, why_size, "reserve: '%s' is no size: give 0 for none", value);
		return -EINVAL;
	}
	return set_size(&params->reserve, key, value, params->ram, why, why_size);
}

static int set_memlimit(struct params *params, const char *key, const char *value, char *why,
			size_t why_size)
{
	if (strcmp(value, "none") == 0) {
		params->memlimit = STORE_NO_LIMIT;
		return 0;
	}
	if (strcmp(value, "off") == 0 || strcmp(value, "unlimited") == 0) {
		snprintf(why, why_size, "memlimit: '%s' is no size: give none for no limit", value);
		return -EINVAL;
	}
	return set_size(&params->memlimit, key, value, params->ram, why, why_size);
}

static int set_codec(const struct codec **codecp, const char *key, const char *value, char *why,
		     size_t why_size)
{
	const struct codec *codec = codec_find(value);
	int at;

	if (codec) {
		*codecp = codec;
		return 0;
	}
	if (strncmp(value, "zstd:", 5) == 0 && codec_find("zstd")) {
		snprintf(why, why_size,
			 "%s: there is no '%s'; there is zstd, and zstd:1 to zstd:12", key, value);
		return -EINVAL;
	}
	at = snprintf(why, why_size, "%s: there is no '%s'; there is", key, value);
	for (size_t i = 0; codecs[i] && at > 0 && (size_t)at < why_size; i++)
		at += snprintf(why + at, why_size - (size_t)at, "%s %s", i ? "," : "",
			       codecs[i]->name);
	return -EINVAL;
}

static int set_swap(struct params *params, const char *key, const char *value, char *why,
		    size_t why_size)
{
	for (enum swap_mode mode = SWAP_OFF; mode <= SWAP_STRICT; mode++) {
		if (strcmp(value, swap_mode_names[mode]) == 0) {
			params->swap = mode;
			return 0;
		}
	}
	snprintf(why, why_size, "swap: '%s' is not one of auto, strict, off", value);
	return -EINVAL;
}

/* A whole number from 1 to most, with or without a unit behind it. */
static int set_number(unsigned int *number, unsigned int most, char unit, const char *key,
		      const char *value, const char *example, char *why, size_t why_size)
{
	char *end;
	unsigned long parsed;

	errno = 0;
	parsed = strtoul(value, &end, 10);
	if (*end == unit)
		end++;
	if (*value < '0' || *value > '9' || *end || errno || parsed < 1 || parsed > most) {
		snprintf(why, why_size, "%s: '%s' is not a whole number from 1 to %u, such as %s",
			 key, value, most, example);
		return -EINVAL;
	}
	*number = (unsigned int)parsed;
	return 0;
}

/* SECONDS, SECONDS:CODEC or off. */
static int set_recompress(struct params *params, const char *key, const char *value, char *why,
			  size_t why_size)
{
	const char *colon = strchr(value, ':');
	const struct codec *codec = params->idle_codec;
	size_t length = colon ? (size_t)(colon - value) : strlen(value);
	char seconds[32];
	int err;

	if (strcmp(value, "off") == 0) {
		params->recompress_seconds = 0;
		return 0;
	}
	if (length >= sizeof(seconds))
		length = sizeof(seconds) - 1;
	memcpy(seconds, value, length);
	seconds[length] = '\0';
	err = colon ? set_codec(&codec, "recompress", colon + 1, why, why_size) : 0;
	if (!err)
		err = set_number(&params->recompress_seconds, RECOMPRESS_SECONDS_MAX, 's',
				 "recompress", seconds, "600 (seconds), 600:lzo, or off", why,
				 why_size);
	if (!err)
		params->idle_codec = codec;
	return err;
}

static int set_ublk(struct params *params, const char *key, const char *value, char *why,
		    size_t why_size)
{
	char *end;
	unsigned long number;

	if (strcmp(value, "off") == 0 || strcmp(value, "auto") == 0) {
		params->ublk = *value == 'a' ? UBLK_ANY : UBLK_OFF;
		return 0;
	}
	errno = 0;
	number = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || number > UBLK_NUMBER_MAX) {
		snprintf(why, why_size,
			 "ublk: '%s' is none of auto, off, and the number of a device, 0 to %d",
			 value, UBLK_NUMBER_MAX);
		return -EINVAL;
	}
	params->ublk = (int)number;
	return 0;
}

static int set_dictionary(struct params *params, const char *key, const char *value, char *why,
			  size_t why_size)
{
	if (strcmp(value, "off") == 0) {
		params->dictionary = 0;
		return 0;
	}
	return set_size(&params->dictionary, key, value, 0, why, why_size);
}

static int set_control(struct params *params, const char *key, const char *value, char *why,
		       size_t why_size)
{
	if (*value == '\0') {
		snprintf(why, why_size, "control: the path of the socket is empty");
		return -EINVAL;
	}
	params->control = value;
	return 0;
}

static int set_on_off(bool *on, const char *key, const char *value, char *why, size_t why_size)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
		snprintf(why, why_size, "%s: '%s' is neither on nor off", key, value);
		return -EINVAL;
	}
	*on = strcmp(value, "on") == 0;
	return 0;
}

/* A number of bytes, 0 for none. */
static int set_allowance(uint64_t *bytes, const char *key, const char *value, char *why,
			 size_t why_size)
{
	if (strcmp(value, "none") == 0) {
		*bytes = 0;
		return 0;
	}
	return set_size(bytes, key, value, 0, why, why_size);
}

static int set_backing(struct params *params, const char *key, const char *value, char *why,
		       size_t why_size)
{
	params->backing_none = strcmp(value, "none") == 0;
	params->backing = params->backing_none ? NULL : value;
	return 0;
}

static int set_backing_size(struct params *params, const char *key, const char *value, char *why,
			    size_t why_size)
{
	uint64_t size;
	int err = set_size(&size, key, value, 0, why, why_size);

	if (err)
		return err;
	if (size < STORE_PAGE_SIZE) {
		snprintf(why, why_size, "%s: %llu bytes hold nothing: give megabytes, such as 512M",
			 key, (unsigned long long)size);
		return -EINVAL;
	}
	params->backing_size = size;
	return 0;
}

/* Those that need no function of their own. */
#define SET(name, how)                                                                   \
	static int set_##name(struct params *params, const char *key, const char *value, \
			      char *why, size_t why_size)                                \
	{                                                                                \
		return how;                                                              \
	}
SET(algorithm, set_codec(&params->codec, key, value, why, why_size))
SET(recompress_cpu,
    set_number(&params->recompress_percent, 100, '%', key, value, "25%", why, why_size))
SET(backing_budget, set_allowance(&params->backing_budget, key, value, why, why_size))
SET(backing_rate, set_allowance(&params->backing_rate, key, value, why, why_size))
SET(backing_timeout, set_number(&params->backing_timeout, BACKING_TIMEOUT_MAX, 's', key, value,
				"30 (seconds)", why, why_size))
SET(backing_encrypt, set_on_off(&params->backing_encrypt, key, value, why, why_size))
SET(checksum, set_on_off(&params->checksum, key, value, why, why_size))
SET(wipe, set_on_off(&params->wipe, key, value, why, why_size))
SET(backing_force, set_on_off(&params->backing_force, key, value, why, why_size))
#undef SET

static void explain_unknown(const char *key, char *why, size_t why_size)
{
#define NAME(name, set, help) name,
	static const char *const names[] = { PARAMS(NAME) };
#undef NAME
	const char *meant = nearest(key, names, sizeof(names) / sizeof(names[0]));

	snprintf(why, why_size, "there is no parameter '%s'%s%s%s", key,
		 meant ? ": did you mean " : "", meant ? meant : "", meant ? "=?" : "");
}

static const struct param {
	const char *name;
	int (*set)(struct params *params, const char *key, const char *value, char *why,
		   size_t why_size);
} param_list[] = {
#define PARAM(name, set, help) { name, set_##set },
	PARAMS(PARAM)
#undef PARAM
};

static const struct param *find_param(const char *key)
{
	for (size_t i = 0; i < PARAMS_COUNT; i++)
		if (strcmp(key, param_list[i].name) == 0)
			return &param_list[i];
	return NULL;
}

/* Of two values neither is dropped without a word, nor where a parameter has two names. */
static int check_first(const struct params *params, const struct param *param, const char *value,
		       char *why, size_t why_size)
{
	for (size_t i = 0; i < PARAMS_COUNT; i++) {
		if (!params->given[i] || param_list[i].set != param->set)
			continue;
		snprintf(why, why_size, "%s: given twice: not both %s=%s and %s=%s", param->name,
			 param_list[i].name, params->given[i], param->name, value);
		return -EINVAL;
	}
	return 0;
}

int params_set(struct params *params, const char *key, const char *value, char *why,
	       size_t why_size)
{
	const struct param *param = find_param(key);
	struct params set = *params;
	int err;

	if (!param) {
		explain_unknown(key, why, why_size);
		return -ENOENT;
	}
	/* Whether it is right comes first: a second one that is wrong was not meant at all. */
	err = param->set(&set, key, value, why, why_size);
	if (!err)
		err = check_first(params, param, value, why, why_size);
	if (err)
		return err;
	set.given[param - param_list] = value;
	*params = set;
	return 0;
}

static uint64_t reserve_default(const struct params *params)
{
	uint64_t reserve = RESERVE_DISK;
	uint64_t least = RESERVE_SWAP_MIN, most = RESERVE_SWAP_MAX;

	if (params->ublk != UBLK_OFF)
		least = most = RESERVE_SWAP_UBLK;
	if (params->swap != SWAP_OFF && params->size / SWAP_RAM_FACTOR <= params->ram) {
		reserve = params->size >> RESERVE_SWAP_SHIFT;
		if (reserve > params->ram / RESERVE_RAM_SHARE)
			reserve = params->ram / RESERVE_RAM_SHARE;
		if (reserve > most)
			reserve = most;
		if (reserve < least)
			reserve = least;
	}
	if (params->memlimit != STORE_NO_LIMIT && reserve > params->memlimit >> RESERVE_LIMIT_SHIFT)
		reserve = params->memlimit >> RESERVE_LIMIT_SHIFT;
	return reserve;
}

static int check_memlimit(const struct params *params, char *why, size_t why_size)
{
	uint64_t least = store_memlimit_min(params->size);

	if (params->memlimit == STORE_NO_LIMIT)
		return 0;
	if (params->memlimit < least) {
		snprintf(why, why_size,
			 "memlimit: %llu bytes cannot hold anything: give %llu or more (512M for "
			 "megabytes), or none",
			 (unsigned long long)params->memlimit, (unsigned long long)least);
		return -EINVAL;
	}
	if (params->ram && params->memlimit > params->ram) {
		snprintf(why, why_size,
			 "memlimit: %llu bytes do not fit into this machine's memory of %llu: "
			 "give less, or none",
			 (unsigned long long)params->memlimit, (unsigned long long)params->ram);
		return -EINVAL;
	}
	return 0;
}

/* zstd, where it is built in and its workspaces do not weigh; of levels the one that is there. */
static const struct codec *idle_codec_default(const struct params *params)
{
	const struct codec *zstd = codec_find("zstd");

	if (!zstd || params->codec->dictionary || params->memlimit < IDLE_ZSTD_LIMIT_MIN)
		return params->codec;
	return zstd;
}

/* Of one that was asked for, whether there can be one. */
static int check_dictionary(struct params *params, char *why, size_t why_size)
{
	const struct codec_dictionary *codec = params->idle_codec->dictionary;

	if (params->dictionary == UINT64_MAX) {
		params->dictionary =
			codec && params->memlimit >= DICTIONARY_LIMIT_MIN ? DICTIONARY_DEFAULT : 0;
		return 0;
	}
	if (params->dictionary == 0)
		return 0;
	if (!codec) {
		snprintf(why, why_size,
			 "dictionary: idle pages are in %s, which uses none: "
			 "give recompress=SECONDS:zstd, or dictionary=off",
			 params->idle_codec->name);
		return -EINVAL;
	}
	if (params->dictionary < codec->size_min || params->dictionary > codec->size_max) {
		snprintf(why, why_size,
			 "dictionary: %llu bytes are not from %zuK to %zuK: such as 448K",
			 (unsigned long long)params->dictionary, codec->size_min >> 10,
			 codec->size_max >> 10);
		return -EINVAL;
	}
	return 0;
}

/* What is said of a store that there is not was meant for one. */
static int check_backing(const struct params *params, char *why, size_t why_size)
{
	const char *said = params->backing_rate	    ? "backing-rate"
			   : params->backing_budget ? "backing-budget"
			   : params->backing_size   ? "backing-size"
						    : NULL;

	if (params->backing || params->backing_none || !said)
		return 0;
	snprintf(why, why_size,
		 "%s: there is no backing store: say where with backing=, or leave it out", said);
	return -EINVAL;
}

int params_complete(struct params *params, char *why, size_t why_size)
{
	uint64_t room = params->memlimit;
	int err;

	if (params->size == 0 && params->ram)
		params->size = whole_pages(params->ram >> SIZE_DEFAULT_SHIFT);
	if (params->size == 0) {
		snprintf(why, why_size,
			 "size: the memory of this machine is not known: give a size");
		return -EINVAL;
	}
	err = check_memlimit(params, why, why_size);
	if (!err)
		err = check_backing(params, why, why_size);
	if (err)
		return err;
	if (!params->idle_codec)
		params->idle_codec = idle_codec_default(params);
	err = check_dictionary(params, why, why_size);
	if (err)
		return err;
	if (params->reserve == UINT64_MAX)
		params->reserve = reserve_default(params);
	if (room == STORE_NO_LIMIT && params->ram)
		room = params->ram;
	if (params->reserve > room / 2) {
		snprintf(why, why_size,
			 "reserve: %llu bytes are more than half of what the disk may take (%llu): "
			 "give less, or leave it out",
			 (unsigned long long)params->reserve, (unsigned long long)room);
		return -EINVAL;
	}
	return 0;
}
