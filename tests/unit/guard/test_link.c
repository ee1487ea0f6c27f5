/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a server that lives counts as lost to the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_control.h"
#include "guard/link.h"

static struct link make_link(const struct fake_control *fake)
{
	return (struct link){ .socket = fake->path };
}

static void clients(struct fake_control *fake, uint64_t connections)
{
	const struct ramzswap_stats stats = { .connections = connections };

	fake_control_set_stats(fake, &stats);
}

static void a_link_with_a_client_is_not_lost(void **state)
{
	struct link link = make_link(*state);

	clients(*state, 1);
	for (int i = 0; i < 2 * LINK_LOOKS; i++)
		assert_false(link_is_lost(&link));
}

static void a_link_whose_server_has_no_client_any_more_is_lost(void **state)
{
	struct link link = make_link(*state);

	clients(*state, 1);
	assert_false(link_is_lost(&link));
	clients(*state, 0);
	for (int i = 1; i < LINK_LOOKS; i++)
		assert_false(link_is_lost(&link));
	assert_true(link_is_lost(&link));
	assert_true(link_is_lost(&link));
}

static void a_client_that_comes_back_at_once_loses_nothing(void **state)
{
	struct link link = make_link(*state);

	for (int i = 0; i < 2 * LINK_LOOKS; i++) {
		clients(*state, i % LINK_LOOKS == 0);
		assert_false(link_is_lost(&link));
	}
}

static void a_server_that_does_not_answer_is_not_known_to_be_alone(void **state)
{
	struct link link = { .socket = "/nowhere/control" };

	for (int i = 0; i < 2 * LINK_LOOKS; i++)
		assert_false(link_is_lost(&link));
}

static void looks_without_an_answer_do_not_add_up(void **state)
{
	struct link link = make_link(*state);

	clients(*state, 0);
	for (int i = 0; i < 2 * LINK_LOOKS; i++) {
		link.socket = i % LINK_LOOKS ? "/nowhere/control"
					     : ((struct fake_control *)*state)->path;
		assert_false(link_is_lost(&link));
	}
}

int main(void)
{
#define WITH_SERVER(test) \
	cmocka_unit_test_setup_teardown(test, fake_control_setup, fake_control_teardown)
	const struct CMUnitTest tests[] = {
		WITH_SERVER(a_link_with_a_client_is_not_lost),
		WITH_SERVER(a_link_whose_server_has_no_client_any_more_is_lost),
		WITH_SERVER(a_client_that_comes_back_at_once_loses_nothing),
		WITH_SERVER(a_server_that_does_not_answer_is_not_known_to_be_alone),
		WITH_SERVER(looks_without_an_answer_do_not_add_up),
	};

	return cmocka_run_group_tests_name("guard link", tests, NULL, NULL);
}
