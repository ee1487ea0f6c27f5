/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec.h"
#include "server/params.h"
#include "store/store.h"
#include "ublk/ublk.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static int setup(void **state)
{
	static struct params params;

	params_init(&params, 4 * GIB);
	*state = &params;
	return 0;
}

/* As if it were the first of its name. */
static void set(struct params *params, const char *key, const char *value)
{
	char why[PARAMS_WHY_MAX] = "";
	int err;

	memset(params->given, 0, sizeof(params->given));
	err = params_set(params, key, value, why, sizeof(why));
	if (err)
		fail_msg("%s=%s: %s", key, value, why);
}

static void complete(struct params *params)
{
	char why[PARAMS_WHY_MAX] = "";

	if (params_complete(params, why, sizeof(why)))
		fail_msg("%s", why);
}

/* The value is refused with a line that names the parameter, and nothing changes. */
static void refused(struct params *params, const char *key, const char *value)
{
	char why[PARAMS_WHY_MAX] = "";
	struct params before = *params;

	assert_int_equal(params_set(params, key, value, why, sizeof(why)), -EINVAL);
	assert_int_equal(strncmp(why, key, strlen(key)), 0);
	assert_null(strchr(why, '\n'));
	assert_memory_equal(&before, params, sizeof(before));
}

static void the_defaults_are_those_of_the_manual(void **state)
{
	struct params *params = *state;

	complete(params);
	assert_int_equal(params->size, GIB);
	assert_true(params->memlimit == STORE_NO_LIMIT);
	assert_string_equal(params->codec->name, "lzo");
	assert_int_equal(params->swap, SWAP_AUTO);
	assert_int_equal(params->ublk, UBLK_OFF);
	assert_null(params->control);
	assert_int_equal(params->recompress_seconds, 0);
	assert_uint_in_range(params->reserve, MIB, 16 * MIB);
}

static void idle_pages_are_in_zstd_where_it_is_and_does_not_weigh(void **state)
{
	struct params *params = *state;

	if (!codec_find("zstd")) {
		print_message("built without zstd\n");
		skip();
	}
	complete(params);
	assert_string_equal(params->idle_codec->name, "zstd");
	params_init(params, 4 * GIB);
	set(params, "memlimit", "4M");
	complete(params);
	assert_string_equal(params->idle_codec->name, "lzo");
	params_init(params, 4 * GIB);
	set(params, "algorithm", "zstd:3");
	complete(params);
	assert_string_equal(params->idle_codec->name, "zstd:3");
	params_init(params, 4 * GIB);
	set(params, "recompress", "60:zstd:9");
	set(params, "memlimit", "4M");
	complete(params);
	assert_string_equal(params->idle_codec->name, "zstd:9");
}

static void a_dictionary_wants_a_codec_that_uses_it(void **state)
{
	struct params *params = *state;
	char why[PARAMS_WHY_MAX] = "";

	set(params, "recompress", "600:lzo");
	complete(params);
	assert_int_equal(params->dictionary, 0);
	set(params, "dictionary", "112K");
	assert_int_equal(params_complete(params, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "dictionary: "));
	if (!codec_find("zstd")) {
		print_message("built without zstd\n");
		skip();
	}
	set(params, "recompress", "600:zstd");
	complete(params);
	assert_int_equal(params->dictionary, 112 << 10);
	/* What it is takes both to be known: it is seen when all are. */
	set(params, "dictionary", "1K");
	assert_int_equal(params_complete(params, why, sizeof(why)), -EINVAL);
	set(params, "dictionary", "1G");
	assert_int_equal(params_complete(params, why, sizeof(why)), -EINVAL);
	params_init(params, 4 * GIB);
	complete(params);
	assert_int_equal(params->dictionary, 448 << 10);
	params_init(params, 4 * GIB);
	set(params, "memlimit", "32M");
	complete(params);
	assert_int_equal(params->dictionary, 0);
}

static void every_parameter_takes_its_values(void **state)
{
	struct params *params = *state;

	set(params, "size", "1.5G");
	assert_int_equal(params->size, 3 * GIB / 2);
	set(params, "disksize", "50%");
	assert_int_equal(params->size, 2 * GIB);
	set(params, "size", "1T");
	assert_int_equal(params->size, 1024 * GIB);
	set(params, "memlimit", "512M");
	assert_int_equal(params->memlimit, 512 * MIB);
	set(params, "memlimit", "none");
	assert_true(params->memlimit == STORE_NO_LIMIT);
	set(params, "reserve", "0");
	assert_int_equal(params->reserve, 0);
	set(params, "reserve", "1M");
	assert_int_equal(params->reserve, MIB);
	set(params, "algorithm", "none");
	assert_string_equal(params->codec->name, "none");
	set(params, "swap", "strict");
	assert_int_equal(params->swap, SWAP_STRICT);
	set(params, "ublk", "auto");
	assert_int_equal(params->ublk, UBLK_ANY);
	set(params, "ublk", "1048575");
	assert_int_equal(params->ublk, 1048575);
	set(params, "ublk", "0");
	assert_int_equal(params->ublk, 0);
	set(params, "ublk", "off");
	assert_int_equal(params->ublk, UBLK_OFF);
	set(params, "swap", "off");
	assert_int_equal(params->swap, SWAP_OFF);
	set(params, "recompress", "600");
	assert_int_equal(params->recompress_seconds, 600);
	set(params, "recompress", "off");
	assert_int_equal(params->recompress_seconds, 0);
	assert_null(params->idle_codec);
	set(params, "recompress", "600:lzo");
	assert_int_equal(params->recompress_seconds, 600);
	assert_string_equal(params->idle_codec->name, "lzo");
	set(params, "dictionary", "64K");
	assert_int_equal(params->dictionary, 64 << 10);
	set(params, "dictionary", "off");
	assert_int_equal(params->dictionary, 0);
	set(params, "recompress-cpu", "35%");
	assert_int_equal(params->recompress_percent, 35);
	set(params, "control", "/run/x");
	assert_string_equal(params->control, "/run/x");
	complete(params);
}

static void bad_values_are_refused_and_change_nothing(void **state)
{
	struct params *params = *state;
	static const char *const sizes[] = { "", "0", "-1", "12Q", "G", "1G2", "99E", "-5%" };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		refused(params, "size", sizes[i]);
		refused(params, "disksize", sizes[i]);
		refused(params, "memlimit", sizes[i]);
	}
	refused(params, "size", "2E");
	refused(params, "reserve", "-1");
	refused(params, "algorithm", "lzma");
	refused(params, "algorithm", "");
	refused(params, "swap", "yes");
	refused(params, "ublk", "");
	refused(params, "ublk", "-1");
	refused(params, "ublk", "1048576");
	refused(params, "ublk", "99999999999999999999");
	refused(params, "ublk", "0x1");
	refused(params, "ublk", "on");
	refused(params, "control", "");
	refused(params, "recompress", "0");
	refused(params, "recompress", "-1");
	refused(params, "recompress", "soon");
	refused(params, "recompress", "600:");
	refused(params, "recompress", "600:LZO");
	refused(params, "recompress", ":lzo");
	refused(params, "recompress", "0:lzo");
	refused(params, "recompress", "00000000000000000000000000000000600");
	refused(params, "dictionary", "");
	refused(params, "dictionary", "0");
	refused(params, "dictionary", "on");
	refused(params, "recompress-cpu", "0");
	refused(params, "recompress-cpu", "101%");
}

static void an_unknown_parameter_is_told_from_a_bad_value(void **state)
{
	char why[PARAMS_WHY_MAX];

	assert_int_equal(params_set(*state, "szie", "1G", why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "szie"));
}

static void a_second_value_is_refused_whatever_the_first_was(void **state)
{
	/* Of each the value that is most like none. */
	static const char *const values[][2] = {
		{ "memlimit", "none" },	     { "reserve", "0" },
		{ "algorithm", "lzo" },	     { "recompress", "off" },
		{ "recompress-cpu", "20%" }, { "dictionary", "off" },
		{ "checksum", "off" },	     { "swap", "off" },
		{ "wipe", "off" },	     { "ublk", "off" },
		{ "control", "/c" },	     { "backing", "none" },
		{ "backing-size", "1M" },    { "backing-budget", "none" },
		{ "backing-rate", "none" },  { "backing-timeout", "1" },
		{ "backing-encrypt", "on" }, { "backing-force", "off" },
	};
	struct params *params = *state;
	char why[PARAMS_WHY_MAX];

	/* And the size, which has two names. */
	assert_int_equal(sizeof(values) / sizeof(values[0]), PARAMS_COUNT - 2);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_int_equal(params_set(params, values[i][0], values[i][1], why, sizeof(why)),
				 0);
		refused(params, values[i][0], values[i][1]);
	}
	assert_int_equal(params_set(params, "size", "1G", why, sizeof(why)), 0);
	refused(params, "size", "1G");
	refused(params, "disksize", "2G");
	assert_int_equal(params_set(params, "disksize", "2G", why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "disksize: given twice: not both size=1G and disksize=2G");
	complete(params);
	assert_int_equal(params->size, GIB);
}

static void one_that_was_refused_does_not_count(void **state)
{
	struct params *params = *state;
	char why[PARAMS_WHY_MAX];

	refused(params, "size", "much");
	assert_int_equal(params_set(params, "size", "2G", why, sizeof(why)), 0);
	assert_int_equal(params->size, 2 * GIB);
}

static void refused_together(struct params *params, const char *key)
{
	char why[PARAMS_WHY_MAX] = "";

	assert_int_equal(params_complete(params, why, sizeof(why)), -EINVAL);
	assert_int_equal(strncmp(why, key, strlen(key)), 0);
}

static void a_limit_that_holds_nothing_is_refused(void **state)
{
	set(*state, "memlimit", "4K");
	refused_together(*state, "memlimit");
}

static void a_limit_beyond_the_memory_is_refused(void **state)
{
	set(*state, "memlimit", "5G");
	refused_together(*state, "memlimit");
}

static void a_reserve_that_leaves_no_room_is_refused(void **state)
{
	set(*state, "memlimit", "64M");
	set(*state, "reserve", "60M");
	refused_together(*state, "reserve");
}

/* A ublk device has 2 MiB of requests under way, an nbd device up to 16. */
static void by_ublk_the_reserve_is_a_megabyte(void **state)
{
	struct params *params = *state;

	set(params, "ublk", "auto");
	complete(params);
	assert_int_equal(params->reserve, MIB);
}

static void the_reserve_fits_a_small_limit(void **state)
{
	struct params *params = *state;

	set(params, "memlimit", "2M");
	complete(params);
	assert_true(params->reserve <= MIB / 2);
}

static void the_reserve_fits_a_small_machine(void **state)
{
	struct params small, large;

	params_init(&small, 96 * MIB);
	set(&small, "size", "256M");
	complete(&small);
	params_init(&large, GIB);
	set(&large, "size", "256M");
	complete(&large);
	assert_int_equal(small.reserve, 2 * MIB);
	assert_int_equal(large.reserve, 4 * MIB);
}

static void a_disk_too_large_for_swap_has_the_reserve_of_a_disk(void **state)
{
	struct params *params = *state;

	set(params, "size", "16T");
	complete(params);
	assert_true(params->reserve < MIB);
}

static void a_size_that_is_computed_is_whole_pages(void **state)
{
	static const char *const sizes[] = { "1.1G", "2.7G", "33%", "7.77%", "0.001M" };
	struct params *params = *state;

	params->ram = 4 * GIB + 12345;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		set(params, "size", sizes[i]);
		assert_int_equal(params->size % STORE_PAGE_SIZE, 0);
		assert_true(params->size > 0);
	}
	set(params, "size", "1000001");
	assert_int_equal(params->size, 1000001);
	params->size = 0;
	complete(params);
	assert_int_equal(params->size, GIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_size_that_is_computed_is_whole_pages, setup),
		cmocka_unit_test_setup(the_defaults_are_those_of_the_manual, setup),
		cmocka_unit_test_setup(idle_pages_are_in_zstd_where_it_is_and_does_not_weigh,
				       setup),
		cmocka_unit_test_setup(a_dictionary_wants_a_codec_that_uses_it, setup),
		cmocka_unit_test_setup(every_parameter_takes_its_values, setup),
		cmocka_unit_test_setup(bad_values_are_refused_and_change_nothing, setup),
		cmocka_unit_test_setup(a_second_value_is_refused_whatever_the_first_was, setup),
		cmocka_unit_test_setup(one_that_was_refused_does_not_count, setup),
		cmocka_unit_test_setup(an_unknown_parameter_is_told_from_a_bad_value, setup),
		cmocka_unit_test_setup(a_limit_that_holds_nothing_is_refused, setup),
		cmocka_unit_test_setup(a_limit_beyond_the_memory_is_refused, setup),
		cmocka_unit_test_setup(a_reserve_that_leaves_no_room_is_refused, setup),
		cmocka_unit_test_setup(by_ublk_the_reserve_is_a_megabyte, setup),
		cmocka_unit_test_setup(the_reserve_fits_a_small_limit, setup),
		cmocka_unit_test(the_reserve_fits_a_small_machine),
		cmocka_unit_test_setup(a_disk_too_large_for_swap_has_the_reserve_of_a_disk, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
