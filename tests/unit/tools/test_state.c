/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What start has written down is parsed, of this version and of older ones, and never run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/ramzswap/state.h"

static void what_start_writes_is_read(void **unused)
{
	struct state state;

	assert_int_equal(
		state_parse(&state,
			    "device=/dev/nbd3 door=nbd door_why='unless asked for another'\n"
			    "control_socket='/run/a b/control'\n"
			    "had_scheduler='mq-deadline' set_scheduler='none'\n"
			    "had_max_sectors_kb='256' set_max_sectors_kb='128'\n"
			    "attached='77'\nno_notices=''\n"
			    "guard='/x/ramzswap-guard' guarded='/run/a b/control 12'\n"),
		0);
	assert_string_equal(state.device, "/dev/nbd3");
	assert_string_equal(state.name, "nbd3");
	assert_false(state.ublk);
	assert_string_equal(state.door_why, "unless asked for another");
	assert_string_equal(state.control_socket, "/run/a b/control");
	assert_string_equal(state.queue[STATE_SCHEDULER].had, "mq-deadline");
	assert_string_equal(state.queue[STATE_SCHEDULER].set, "none");
	assert_string_equal(state.queue[STATE_MAX_SECTORS].had, "256");
	assert_string_equal(state.queue[STATE_MAX_SECTORS].set, "128");
	assert_string_equal(state.attached, "77");
	assert_string_equal(state.no_notices, "");
	assert_string_equal(state.guard, "/x/ramzswap-guard");
	assert_string_equal(state.guarded, "/run/a b/control 12");
}

static void what_an_older_version_has_left_is_read(void **unused)
{
	struct state state;

	/* Without a door, and without quotes. */
	assert_int_equal(state_parse(&state, "device=/dev/nbd0\nattached=2711\n"
					     "control_socket=/run/ramzswap/control\n"),
			 0);
	assert_false(state.ublk);
	assert_string_equal(state.attached, "2711");
	assert_string_equal(state.control_socket, "/run/ramzswap/control");
	assert_string_equal(state.guarded, "");
	assert_string_equal(state.queue[STATE_SCHEDULER].had, "");
}

static void the_last_of_a_name_counts_and_a_new_name_does_not(void **unused)
{
	struct state state;

	assert_int_equal(state_parse(&state, "device=/dev/nbd0 attached='1' colour='light blue'\n"
					     "attached='2'"),
			 0);
	assert_string_equal(state.attached, "2");
}

static void nothing_of_it_is_run(void **unused)
{
	struct state state;

	assert_int_equal(state_parse(&state, "device=/dev/nbd0 no_notices='$(reboot) `id` \"a\"'\n"
					     "door_why=it\\'s\\ so"),
			 0);
	assert_string_equal(state.no_notices, "$(reboot) `id` \"a\"");
	assert_string_equal(state.door_why, "it's so");
}

static void the_other_door_has_other_devices(void **unused)
{
	struct state state;

	assert_int_equal(state_parse(&state, "device=/dev/ublkb12 door=ublk"), 0);
	assert_true(state.ublk);
	assert_string_equal(state.name, "ublkb12");
	assert_int_equal(state_parse(&state, "device=/dev/ublkb0 door=nbd"), -EINVAL);
	assert_int_equal(state_parse(&state, "device=/dev/nbd0 door=ublk"), -EINVAL);
	assert_int_equal(state_parse(&state, "device=/dev/nbd0 door=tcp"), -EINVAL);
}

static void damage_is_told(void **unused)
{
	static const char *const damaged[] = {
		"",
		"\n",
		"device=",
		"device=/dev/sda",
		"device=/dev/nbd",
		"device=/dev/nbd0p1",
		"device=/dev/nbd0/../sda",
		"device='/dev/nbd0",
		"device=/dev/nbd0 rm -rf",
		"attached='77'",
	};
	struct state state;

	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++)
		assert_int_equal(state_parse(&state, damaged[i]), -EINVAL);
}

static void more_than_a_state_is_refused(void **unused)
{
	static char text[STATE_MAX + 64];
	struct state state;

	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, "device=/dev/nbd0", 16);
	assert_int_equal(state_parse(&state, text), -EFBIG);
	text[STATE_MAX - 1] = '\0';
	assert_int_equal(state_parse(&state, text), 0);
}

/* Whatever is there, and cut anywhere: a sanitizer or the stack protector would see an overrun. */
static void any_text_is_parsed_or_refused(void **unused)
{
	static const char words[] = "device=/dev/nbd0 'attached='77' \\ \n=x door='ublk' guard\t'";
	unsigned int seed = 1;
	struct state state;
	char text[128];

	for (int i = 0; i < 100000; i++) {
		size_t length = (size_t)rand_r(&seed) % (sizeof(text) - 1);

		for (size_t at = 0; at < length; at++)
			text[at] = words[(size_t)rand_r(&seed) % (sizeof(words) - 1)];
		if (i % 2)
			memcpy(text, words, length < 16 ? length : 16);
		text[length] = '\0';
		if (state_parse(&state, text) == 0)
			assert_non_null(strstr(state.device, state.name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_start_writes_is_read),
		cmocka_unit_test(what_an_older_version_has_left_is_read),
		cmocka_unit_test(the_last_of_a_name_counts_and_a_new_name_does_not),
		cmocka_unit_test(nothing_of_it_is_run),
		cmocka_unit_test(the_other_door_has_other_devices),
		cmocka_unit_test(damage_is_told),
		cmocka_unit_test(more_than_a_state_is_refused),
		cmocka_unit_test(any_text_is_parsed_or_refused),
	};

	return cmocka_run_group_tests_name("tools state", tests, NULL, NULL);
}
