/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices of freed slots on the control socket: a request that descriptors come with. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_control.h"

#define PROOF "00112233445566778899aabbccddeeff"
#define GOOD "freed 65536 swap_range_free " PROOF "\n"

/* Sends so many copies of a descriptor along with the text. */
static void send_with_files(int fd, const char *text, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	struct iovec bytes = { (void *)text, strlen(text) };
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = count ? control.bytes : NULL,
		.msg_controllen = count ? CMSG_SPACE(count * sizeof(int)) : 0,
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (header) {
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		for (size_t i = 0; i < count; i++)
			memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), bytes.iov_len);
}

static const char *ask_with_files(const struct fake_control *fake, const char *text, size_t count)
{
	int fd = fake_control_connect(fake);

	send_with_files(fd, text, count);
	return fake_control_answer(fd);
}

static unsigned int open_files(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* The server closes behind its answer: what a client took along may go a moment later. */
static void must_have_open(unsigned int count)
{
	for (int i = 0; i < 1000 && open_files() != count; i++)
		usleep(10000);
	assert_int_equal(open_files(), count);
}

static void what_came_along_is_handed_on(void **state)
{
	struct fake_control *fake = *state;
	unsigned int before = open_files();

	assert_string_equal(ask_with_files(fake, GOOD, 2), "ok\n");
	assert_int_equal(fake->slots, 65536);
	assert_string_equal(fake->function, "swap_range_free");
	assert_int_equal(fake->proof[0], 0x00);
	assert_int_equal(fake->proof[10], 0xaa);
	assert_int_equal(fake->proof[15], 0xff);
	assert_true(fake->files_came);
	must_have_open(before);
}

static void what_the_server_says_comes_back(void **state)
{
	struct fake_control *fake = *state;

	fake_control_outcome(fake, -18, "the device is not this disk", 0);
	assert_string_equal(ask_with_files(fake, GOOD, 2), "error the device is not this disk\n");
}

static void where_notices_come_from_is_told(void **state)
{
	struct fake_control *fake = *state;

	assert_string_equal(fake_control_ask(fake, "freed\n", 6), "ok\nswap_range_free\n");
	assert_int_equal(fake_control_calls(fake), 0);
	assert_string_equal(fake_control_ask(fake, "freed off\n", 10), "ok\n");
	assert_int_equal(fake_control_calls(fake), 1);
}

static void a_bad_request_is_refused_and_its_files_closed(void **state)
{
	static const struct {
		const char *text;
		size_t files;
	} bad[] = {
		{ GOOD, 0 },
		{ GOOD, 1 },
		{ "freed\tof\n", 2 },
		{ "freed on\n", 2 },
		{ "freed -1 swap_range_free " PROOF "\n", 2 },
		{ "freed 65536 swap_range_free " PROOF "0\n", 2 },
		{ "freed 65536 swap_range_free " PROOF " x\n", 2 },
		{ "freed 65536 swap_range_free 0011\n", 2 },
		{ "freed 65536 swap_range_free 0011223344556677889900112233445g\n", 2 },
		{ "freed 65536 swap/range " PROOF "\n", 2 },
		{ "freed 65536\n", 2 },
		{ "compact now\n", 2 },
	};
	struct fake_control *fake = *state;
	unsigned int before = open_files();

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *answer = ask_with_files(fake, bad[i].text, bad[i].files);

		if (strncmp(answer, "error ", 6) != 0)
			fail_msg("%s: %s", bad[i].text, answer);
	}
	assert_int_equal(fake_control_calls(fake), 0);
	must_have_open(before);
}

static void files_of_any_request_and_of_half_of_one_are_closed(void **state)
{
	struct fake_control *fake = *state;
	unsigned int before = open_files();
	int fd = fake_control_connect(fake);

	assert_int_equal(strncmp(ask_with_files(fake, "stats\n", 2), "ok\n", 3), 0);
	/* More than there is room for, and some again with the rest of the line. */
	send_with_files(fd, "com", 8);
	send_with_files(fd, "pa", 1);
	send_with_files(fd, "ct\n", 2);
	assert_int_equal(strncmp(fake_control_answer(fd), "ok\n", 3), 0);
	fd = fake_control_connect(fake);
	send_with_files(fd, "freed 655", 2);
	close(fd);
	must_have_open(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_came_along_is_handed_on, fake_control_setup,
						fake_control_teardown),
		cmocka_unit_test_setup_teardown(what_the_server_says_comes_back, fake_control_setup,
						fake_control_teardown),
		cmocka_unit_test_setup_teardown(where_notices_come_from_is_told, fake_control_setup,
						fake_control_teardown),
		cmocka_unit_test_setup_teardown(a_bad_request_is_refused_and_its_files_closed,
						fake_control_setup, fake_control_teardown),
		cmocka_unit_test_setup_teardown(files_of_any_request_and_of_half_of_one_are_closed,
						fake_control_setup, fake_control_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
