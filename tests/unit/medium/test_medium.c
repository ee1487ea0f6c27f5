/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and block devices as media: what is accepted, what is refused, and why. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "medium/medium.h"

#define MIB (UINT64_C(1) << 20)

static char dir[] = "ramzswap-medium-XXXXXX";
static char path[sizeof(dir) + 32];
static char why[MEDIUM_WHY_MAX];

static int open_it(struct medium **medium, const char *where, uint64_t size, bool force)
{
	struct medium_config config = {
		.where = where,
		.size = size,
		.size_default = 2 * MIB,
		.force = force,
	};

	*why = '\0';
	return medium_open(medium, &config, why, sizeof(why));
}

/* Refused with this text in one line. */
static void refused(const char *where, uint64_t size, const char *text)
{
	struct medium *medium = NULL;

	assert_true(open_it(&medium, where, size, false) < 0);
	assert_null(medium);
	if (!strstr(why, text))
		fail_msg("%s: said '%s', not '%s'", where, why, text);
	assert_null(strchr(why, '\n'));
}

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *where, const void *bytes, size_t len)
{
	FILE *file = fopen(where, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void test_a_file_is_made_with_all_its_blocks(void **state)
{
	const char *where = in_dir("made");
	struct medium *medium;
	struct stat stat_buf;
	void *block = NULL, *back = NULL;

	assert_int_equal(open_it(&medium, where, 8 * MIB + 100, false), 0);
	assert_int_equal(medium->size, 8 * MIB);
	assert_int_equal(stat(where, &stat_buf), 0);
	assert_int_equal(stat_buf.st_size, 8 * MIB);
	assert_int_equal(stat_buf.st_mode & 0777, 0600);
	assert_true((uint64_t)stat_buf.st_blocks * 512 >= 8 * MIB);

	assert_int_equal(posix_memalign(&block, 4096, 4096), 0);
	assert_int_equal(posix_memalign(&back, 4096, 4096), 0);
	memset(block, 0x5a, 4096);
	assert_int_equal(medium->ops->start(medium), 0);
	assert_int_equal(medium->ops->write(medium, block, 4096, 8 * MIB - 4096), 0);
	assert_int_equal(medium->ops->read(medium, back, 4096, 8 * MIB - 4096), 0);
	assert_memory_equal(block, back, 4096);
	/* Behind the end is an error, not silence. */
	assert_true(medium->ops->read(medium, back, 4096, 8 * MIB) < 0);
	free(block);
	free(back);
	medium->ops->close(medium);
}

static void test_a_file_without_a_size_gets_the_default(void **state)
{
	struct medium *medium;

	assert_int_equal(open_it(&medium, in_dir("default"), 0, false), 0);
	assert_int_equal(medium->size, 2 * MIB);
	medium->ops->close(medium);
}

static void test_holes_of_a_file_are_filled(void **state)
{
	const char *where = in_dir("holes");
	struct medium *medium;
	struct stat stat_buf;

	write_file(where, "", 0);
	assert_int_equal(truncate(where, 4 * MIB), 0);
	assert_int_equal(open_it(&medium, where, 0, false), 0);
	assert_int_equal(medium->size, 4 * MIB);
	assert_int_equal(stat(where, &stat_buf), 0);
	assert_true((uint64_t)stat_buf.st_blocks * 512 >= 4 * MIB);
	medium->ops->close(medium);
}

static void test_a_second_user_is_refused(void **state)
{
	const char *where = in_dir("locked");
	struct medium *medium, *second;

	assert_int_equal(open_it(&medium, where, MIB, false), 0);
	refused(where, MIB, "used by another process");
	/* Force is for what a file holds, not for what somebody is using. */
	assert_int_equal(open_it(&second, where, MIB, true), -EBUSY);
	medium->ops->close(medium);
	assert_int_equal(open_it(&medium, where, MIB, false), 0);
	medium->ops->close(medium);
}

static void test_what_we_did_not_write_is_not_overwritten(void **state)
{
	char text[8192];
	struct medium *medium;

	memset(text, 'x', sizeof(text));
	write_file(in_dir("precious"), text, sizeof(text));
	refused(path, 0, "backing-force=on");
	refused(path, MIB, "backing-force=on");
	write_file(in_dir("short"), text, 100);
	refused(path, MIB, "backing-force=on");
	assert_int_equal(open_it(&medium, path, MIB, true), 0);
	assert_int_equal(medium->size, MIB);
	medium->ops->close(medium);

	memset(text, 0, sizeof(text));
	strcpy(text, MEDIUM_MARK);
	write_file(in_dir("ours"), text, sizeof(text));
	assert_int_equal(open_it(&medium, path, 0, false), 0);
	medium->ops->close(medium);
}

static void test_what_is_no_file_is_refused(void **state)
{
	refused("", 0, "is empty");
	refused(dir, 0, "is a directory");
	refused("/dev/null", 0, "is a character device");
	refused("/dev/no-such-device", 0, "does not exist");
	refused(in_dir("no/such/file"), 0, "cannot be made");
	refused("http://localhost/x", 0, "no URI of an NBD server");
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	refused(path, 0, "is a FIFO");
}

static struct rlimit usual_growth;

static int let_no_file_grow(void **state)
{
	struct rlimit none = { 0 };

	if (getrlimit(RLIMIT_FSIZE, &usual_growth) != 0)
		return -1;
	none.rlim_max = usual_growth.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	return setrlimit(RLIMIT_FSIZE, &none);
}

static int let_files_grow(void **state)
{
	signal(SIGXFSZ, SIG_DFL);
	return setrlimit(RLIMIT_FSIZE, &usual_growth);
}

/*
 * Else every other program would find the disk full meanwhile.  Where no file may grow, one
 * that is tried fails for that, and not for want of room.
 */
static void test_a_file_that_does_not_fit_is_refused_before_it_is_tried(void **state)
{
	refused(in_dir("huge"), UINT64_C(1) << 60, "no room for");
	assert_int_equal(access(path, F_OK), -1);
	write_file(in_dir("empty"), "", 0);
	refused(path, UINT64_C(1) << 60, "no room for");
	/* What would fit is tried. */
	refused(path, 2 * MIB, "cannot be given all of its blocks");
}

/* Runs a command; its first line of output, or NULL if it fails. */
static char *run(char *line, int size, const char *format, const char *argument)
{
	char command[256];
	FILE *out;
	bool got;

	snprintf(command, sizeof(command), format, argument);
	out = popen(command, "r");
	got = out && fgets(line, size, out);
	if (!out || pclose(out) != 0 || !got)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void test_a_device_that_is_in_use_or_holds_something_is_refused(void **state)
{
	char device[64], line[64];
	struct medium *medium;

	write_file(in_dir("disk"), "", 0);
	assert_int_equal(truncate(path, 16 * MIB), 0);
	if (geteuid() != 0 ||
	    !run(device, sizeof(device), "losetup -f --show %s 2>/dev/null", path)) {
		print_message("no loop devices here: skipped\n");
		skip();
	}
	assert_int_equal(open_it(&medium, device, 0, false), 0);
	assert_int_equal(medium->size, 16 * MIB);
	assert_string_equal(medium->kind, "device");
	refused(device, 0, "in use");
	medium->ops->close(medium);
	refused(device, 32 * MIB, "fewer than backing-size");
	assert_non_null(run(line, sizeof(line), "mkswap %s 2>&1", device));
	refused(device, 0, "holds swap");
	assert_int_equal(open_it(&medium, device, 0, true), 0);
	medium->ops->close(medium);
	(void)run(line, sizeof(line), "losetup -d %s 2>&1; echo", device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_is_made_with_all_its_blocks),
		cmocka_unit_test(test_a_file_without_a_size_gets_the_default),
		cmocka_unit_test(test_holes_of_a_file_are_filled),
		cmocka_unit_test(test_a_second_user_is_refused),
		cmocka_unit_test(test_what_we_did_not_write_is_not_overwritten),
		cmocka_unit_test(test_what_is_no_file_is_refused),
		cmocka_unit_test_setup_teardown(
			test_a_file_that_does_not_fit_is_refused_before_it_is_tried,
			let_no_file_grow, let_files_grow),
		cmocka_unit_test(test_a_device_that_is_in_use_or_holds_something_is_refused),
	};

	return cmocka_run_group_tests_name("medium", tests, setup, teardown);
}
