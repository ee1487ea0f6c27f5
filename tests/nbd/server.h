/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real nbdkit with the plugin, on a private Unix socket in a directory of its own,
 * for the length of one test.
 *
 * From the environment:
 *   RAMZSWAP_PLUGIN   the plugin (a path, or the name of one of nbdkit's own)
 *   RAMZSWAP_PRELOAD  what to load into nbdkit first: the runtime of the sanitizer
 *                     that the plugin was built with
 * A server dies with the test that started it, however that ends.
 */
#ifndef TESTS_NBD_SERVER_H
#define TESTS_NBD_SERVER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sys/types.h>

#include <cmocka.h>
#include <libnbd.h>

#define SERVER_PATH_MAX 100

struct server {
	pid_t pid;
	char dir[SERVER_PATH_MAX];
	char socket[SERVER_PATH_MAX];
	char log[SERVER_PATH_MAX];
};

/*
 * Starts a server with these plugin parameters (ended by NULL; what starts with a
 * dash in front of them is for nbdkit itself) and waits until it can be connected
 * to.  Fails the test if that does not come about.
 */
void server_start(struct server *server, const char *const params[]);

/*
 * Stops the server as an administrator does, and fails the test unless it is still
 * there, ends by itself with status 0 and has logged no complaint of a sanitizer.
 */
void server_stop(struct server *server);

/*
 * Tells the server to stop, and waits for it: how it ended, as waitpid says it, also if
 * it had ended before; -1 if it had to be killed.  Its log can still be read afterwards.
 */
int server_end(struct server *server);

/* Shows what the server has printed. */
void server_print_log(const struct server *server);

/* Fails the test if the server has logged a complaint of a sanitizer or an assertion. */
void server_must_not_have_complained(const struct server *server);

/* Removes what a server that has died left behind. */
void server_forget(struct server *server);

/* Whether these words are in what the server has printed. */
bool server_logged(const struct server *server, const char *words);

/* The same, within a minute. */
bool server_comes_to_log(const struct server *server, const char *words);

/*
 * Waits for a server that was told to end before, or ends by itself, and removes what it left
 * behind.  Fails the test unless it ends within a minute, with status 0 and no complaint.
 */
void server_must_end(struct server *server);

void pause_ms(long ms);

/* Whether the plugin under test is ramzswap: else its own promises cannot be tested. */
bool server_is_ours(void);

/*
 * A new connection.  Fails the test if it cannot be had.  Checks of libnbd that
 * would keep a bad request from the server are off: the server must refuse it.
 */
struct nbd_handle *server_connect(const struct server *server);

/* Says goodbye and closes. */
void server_disconnect(struct nbd_handle *nbd);

/* A bare connection to the socket, or -1 if nobody listens. */
int server_connect_raw(const struct server *server);

/* Fails the test with libnbd's own words if a call of it failed. */
#define nbd_ok(call)                                                \
	do {                                                        \
		if ((call) == -1)                                   \
			fail_msg("%s: %s", #call, nbd_get_error()); \
	} while (0)

/* Fails the test unless the call fails with this errno. */
#define nbd_fails(call, err)                                                                      \
	do {                                                                                      \
		if ((call) != -1)                                                                 \
			fail_msg("%s: succeeded", #call);                                         \
		if (nbd_get_errno() != (err))                                                     \
			fail_msg("%s: errno %d instead of %d: %s", #call, nbd_get_errno(), (err), \
				 nbd_get_error());                                                \
	} while (0)

#endif
