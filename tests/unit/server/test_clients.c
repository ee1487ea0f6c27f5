/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The door of a disk: who comes while it is held waits, and a closed one lets nobody in. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/clients.h"

static void clients_are_counted(void **state)
{
	struct clients clients = CLIENTS_INITIALIZER;

	assert_int_equal(clients_enter(&clients), 0);
	assert_int_equal(clients_enter(&clients), 0);
	assert_int_equal(clients_inside(&clients), 2);
	clients_leave(&clients);
	assert_int_equal(clients_hold(&clients), 1);
	clients_leave(&clients);
	assert_int_equal(clients_inside(&clients), 0);
	clients_release(&clients);
	assert_int_equal(clients_enter(&clients), 0);
}

struct comer {
	struct clients *clients;
	atomic_int result; /* 1 until there is one */
};

static void *come(void *opaque)
{
	struct comer *comer = opaque;

	atomic_store(&comer->result, clients_enter(comer->clients));
	return NULL;
}

static void who_comes_while_it_is_held(bool closed, int result)
{
	struct clients clients = CLIENTS_INITIALIZER;
	struct comer comer = { .clients = &clients, .result = 1 };
	pthread_t thread;

	assert_int_equal(clients_hold(&clients), 0);
	assert_int_equal(pthread_create(&thread, NULL, come, &comer), 0);
	usleep(20000);
	assert_int_equal(atomic_load(&comer.result), 1);
	assert_int_equal(clients_inside(&clients), 0);
	if (closed)
		clients_close(&clients);
	else
		clients_release(&clients);
	pthread_join(thread, NULL);
	assert_int_equal(comer.result, result);
	assert_int_equal(clients_inside(&clients), result ? 0 : 1);
}

static void who_comes_while_it_is_held_waits(void **state)
{
	who_comes_while_it_is_held(false, 0);
}

static void who_waits_is_refused_when_it_closes(void **state)
{
	who_comes_while_it_is_held(true, -ESHUTDOWN);
}

static void a_closed_door_lets_nobody_in_but_all_out(void **state)
{
	struct clients clients = CLIENTS_INITIALIZER;

	assert_int_equal(clients_enter(&clients), 0);
	assert_int_equal(clients_hold(&clients), 1);
	clients_close(&clients);
	assert_int_equal(clients_enter(&clients), -ESHUTDOWN);
	clients_leave(&clients);
	assert_int_equal(clients_inside(&clients), 0);
	assert_int_equal(clients_enter(&clients), -ESHUTDOWN);
}

static atomic_int wrong; /* cmocka's assertions are for the main thread */

static void *hold_and_look(void *opaque)
{
	struct clients *clients = opaque;

	for (int i = 0; i < 2000; i++) {
		unsigned int inside = clients_hold(clients);

		/* Nobody comes in: what was none stays none. */
		wrong += inside == 0 && clients_inside(clients) > 0;
		clients_release(clients);
	}
	return NULL;
}

static void *come_and_go(void *opaque)
{
	struct clients *clients = opaque;

	for (int i = 0; i < 20000; i++) {
		wrong += clients_enter(clients) != 0;
		clients_leave(clients);
	}
	return NULL;
}

static void two_holders_and_many_clients_come_to_an_end(void **state)
{
	struct clients clients = CLIENTS_INITIALIZER;
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i < 2 ? hold_and_look : come_and_go, &clients),
				 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(clients_inside(&clients), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_are_counted),
		cmocka_unit_test(who_comes_while_it_is_held_waits),
		cmocka_unit_test(who_waits_is_refused_when_it_closes),
		cmocka_unit_test(a_closed_door_lets_nobody_in_but_all_out),
		cmocka_unit_test(two_holders_and_many_clients_come_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
