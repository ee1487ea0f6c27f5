/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/disk.h"
#include "tools/figures.h"
#include "tools/look.h"
#include "tools/watch.h"

#define MIB (UINT64_C(1) << 20)
#define PAGES_OF(mib) ((mib)*256)

/* What a look says; the caller frees it. */
static char *said(const struct look *look)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(look_write(look, out), 0);
	fclose(out);
	return text;
}

static void a_disk_in_use_tells_what_it_wins(void **state)
{
	const struct ramzswap_stats stats = {
		.disksize = 8192 * MIB,
		.memlimit = 2048 * MIB,
		.mem_used_total = 499 * MIB,
		.pages_stored = PAGES_OF(849),
		.good_compress_pages = PAGES_OF(331),
		.pages_expand = PAGES_OF(102),
		.locked = 1,
		.io_flusher = 1,
		.oom_protected = 1,
		.real_time = 1,
	};
	const struct look look = { .stats = &stats, .guard = LOOK_GUARD_LIVES, .plain = true };
	char *text = said(&look);

	assert_string_equal(
		text,
		"849 MiB stored in 499 MiB of memory: 350 MiB won, 1.70 to 1\n"
		"  disk    ###...........................  10% of 8.0 GiB\n"
		"  memory  #######.......................  24% of memlimit 2.0 GiB\n"
		"  pages   0% same-filled, 39% to a half or less, 49% less well, 12% not at all\n"
		"  safe    locked, IO flusher, OOM score, real time, guard: all in force\n");
	free(text);
}

static void an_empty_disk_says_none(void **state)
{
	const struct ramzswap_stats stats = { .disksize = 1024 * MIB,
					      .mem_used_total = 3 * MIB / 2 };
	const struct control_about about = { .swap = "off" };
	const struct look look = {
		.stats = &stats, .about = &about, .ram = 4096 * MIB, .plain = true
	};
	char *text = said(&look);

	assert_string_equal(
		text,
		"none stored, 1.5 MiB of memory taken\n"
		"  disk    ..............................   0% of 1.0 GiB\n"
		"  memory  #.............................   1% of RAM 4.0 GiB, memlimit none\n"
		"  pages   none\n"
		"  safe    as an ordinary disk, not for swap of this machine (swap=off)\n");
	free(text);
}

static void what_is_missing_and_wrong_has_a_line(void **state)
{
	const struct ramzswap_stats stats = {
		.disksize = 1024 * MIB,
		.mem_used_total = 3 * MIB,
		.same_pages = 256,
		.locked = 1,
		.oom_protected = 1,
		.bd_size = 100 * MIB,
		.bd_bytes = 50 * MIB,
		.failed_writes = 1,
		.bd_segments_bad = 2,
	};
	const struct look look = { .stats = &stats, .guard = LOOK_GUARD_MISSING, .plain = true };
	char *text = said(&look);

	assert_non_null(strstr(text, "1.0 MiB stored in 3.0 MiB of memory: none won yet\n"));
	assert_non_null(strstr(text, "  backing ###############...............  50% of 100 MiB\n"));
	assert_non_null(strstr(text, "  safe    locked, OOM score: in force; missing: IO flusher, "
				     "real time, guard\n"));
	assert_non_null(strstr(text, "  wrong   1 write failed, as a rule for want of room"));
	assert_non_null(strstr(text, "  wrong   2 segments of the backing store cannot"));
	free(text);
}

static void a_disk_that_is_used_otherwise_than_it_could_be_says_what_to_change_first(void **state)
{
	const struct ramzswap_stats stats = {
		.disksize = 1024 * MIB,
		.misaligned_trims = 100,
		.misaligned_writes = 100,
	};
	const struct look look = { .stats = &stats, .plain = true };
	char *text = said(&look);
	const char *hint = strstr(text, "\n  hint    trims come off the page borders: ");

	assert_non_null(hint);
	assert_null(strstr(hint + 1, "\n  hint "));
	free(text);
}

static void sizes_have_the_digits_that_count(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "none" },
		{ 1, "1 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 10189, "10 KiB" },
		{ 10188, "9.9 KiB" },
		{ MIB - 1, "1.0 MiB" },
		{ 1536 * MIB, "1.5 GiB" },
		{ 1047 * MIB, "1.0 GiB" },
		{ 99 * MIB, "99 MiB" },
		{ UINT64_MAX, "16 EiB" },
	};
	char text[FIGURE_SIZE_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(figure_size(text, cases[i].bytes), cases[i].text);
}

static void bars_tell_something_from_nothing_and_almost_all_from_all(void **state)
{
	char bar[FIGURE_BAR_MAX];

	assert_string_equal(figure_bar(bar, 0, 0, true), "..............................");
	assert_string_equal(figure_bar(bar, 1, UINT64_MAX, true), "#.............................");
	assert_string_equal(figure_bar(bar, 999, 1000, true), "#############################.");
	assert_string_equal(figure_bar(bar, 5, 5, true), "##############################");
	assert_string_equal(figure_bar(bar, 6, 5, true), "##############################");
	assert_int_equal(strlen(figure_bar(bar, 1, 2, false)), FIGURE_BAR_MAX - 1);
}

static void disks_are_called_by_their_sockets(void **state)
{
	static const struct {
		const char *socket, *name;
	} cases[] = {
		{ "/run/ramzswap/control", "ramzswap" },
		{ "/run/vm1.control", "vm1" },
		{ "/run/vm2.sock", "vm2" },
		{ "scratch", "scratch" },
		{ "control", "control" },
		{ "/control", "control" },
		{ "a/control", "a" },
		{ ".control", ".control" },
	};
	char name[DISK_SOCKET_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		disk_name(cases[i].socket, name);
		assert_string_equal(name, cases[i].name);
	}
}

static void rates_are_of_what_happened_in_between(void **state)
{
	const struct ramzswap_stats before = { .num_reads = 100,
					       .num_writes = 50,
					       .notify_free = 7 };
	struct ramzswap_stats now = { .num_reads = 300, .num_writes = 10, .freed_notices = 20 };
	struct watch_rates rates;

	watch_rates(&before, &now, 2, &rates);
	assert_true(rates.reads == 100);
	/* It was reset: all that there is came since. */
	assert_true(rates.writes == 5);
	assert_true(rates.freed == 6.5);
	watch_rates(&before, &now, 0, &rates);
	assert_true(rates.reads == 0);
}

static void a_stream_that_fails_is_reported(void **state)
{
	const struct ramzswap_stats stats = { .disksize = MIB };
	const struct look look = { .stats = &stats };
	FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	assert_int_equal(look_write(&look, full), -ENOSPC);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_in_use_tells_what_it_wins),
		cmocka_unit_test(an_empty_disk_says_none),
		cmocka_unit_test(what_is_missing_and_wrong_has_a_line),
		cmocka_unit_test(
			a_disk_that_is_used_otherwise_than_it_could_be_says_what_to_change_first),
		cmocka_unit_test(sizes_have_the_digits_that_count),
		cmocka_unit_test(bars_tell_something_from_nothing_and_almost_all_from_all),
		cmocka_unit_test(disks_are_called_by_their_sockets),
		cmocka_unit_test(rates_are_of_what_happened_in_between),
		cmocka_unit_test(a_stream_that_fails_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
