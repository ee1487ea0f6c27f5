/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's server (see control.h).
 *
 * A client belongs to the talking thread, but while it is the job: then its
 * request and reply belong to the working thread.  control->lock guards job,
 * job_done and stopping; it is held for no longer than it takes to look at them.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stack.h"
#include "control/control.h"
#include "control/commands.h"
#include "control/connection.h"
#include "control/socket.h"

/* Clients at once; more wait in the socket's backlog. */
#define CLIENTS_MAX 8

/* What of that it has for sure: then, if all places are taken, it makes room for who comes. */
#define CLIENT_GRACE_MS 250

/* How long to leave the system alone after it had no descriptor or memory for us. */
#define PAUSE_MS 200

/*
 * Stacks.  All of them is resident where the server's memory is locked, and the deepest
 * operation takes some 8 KiB (a page on the stack, and a message printed).
 */
#define STACK ((size_t)64 << 10)

struct control {
	struct control_socket socket;
	int wake; /* eventfd: the job is done, or it is time to stop */
	const struct control_ops *ops;
	void *opaque;
	int64_t accept_after;
	struct connection clients[CLIENTS_MAX];

	pthread_t talker, worker;
	bool talking, worked; /* which of them were started */
	pthread_mutex_t lock;
	pthread_cond_t work; /* signalled when job or stopping changes */
	struct connection *job;
	bool job_done;
	struct control_running running; /* the job, as clients see it */
	bool stopping;
};

/*
 * Talking.
 */

/* Hands the client to the working thread, if that is free. */
static bool give_work(struct control *control, struct connection *client)
{
	bool idle;

	pthread_mutex_lock(&control->lock);
	idle = !control->job;
	if (idle) {
		client->state = CONNECTION_WORKING;
		client->one_way = client->gone = false;
		control->running.name = client->command->name;
		control->running.since_ms = clock_ms();
		work_prepare(&control->running.work);
		control->job = client;
		pthread_cond_signal(&control->work);
	}
	pthread_mutex_unlock(&control->lock);
	return idle;
}

static void carry_out(struct control *control, struct connection *client)
{
	client->asked.running = &control->running;
	client->command->run(control->ops, control->opaque, &client->asked, &client->reply);
}

static void answer(struct control *control, struct connection *client)
{
	client->command =
		control_command_find(client->request, &client->asked.argument, &client->reply);
	if (client->command && client->command->slow) {
		if (give_work(control, client))
			return;
		control_reply_error(&client->reply,
				    "the server is busy with another command: try again later");
	} else if (client->command) {
		carry_out(control, client);
	}
	connection_reply(client);
}

static void earlier(int64_t *first, int64_t when)
{
	if (when < *first)
		*first = when;
}

/*
 * A place for a client that comes: a free one, or that of the client that has said nothing, or
 * taken nothing of its answer, for the longest.  NULL if there is none at `now`; *when is then
 * made no later than there may be one.
 */
static struct connection *find_place(struct control *control, int64_t now, int64_t *when)
{
	struct connection *slowest = NULL;
	int64_t due;

	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct connection *client = &control->clients[i];

		if (client->state == CONNECTION_NONE)
			return client;
		if (connection_is_waited_for(client) &&
		    (!slowest || client->deadline < slowest->deadline))
			slowest = client;
	}
	if (!slowest)
		return NULL;
	due = slowest->deadline - CONNECTION_TIMEOUT_MS + CLIENT_GRACE_MS;
	if (due <= now)
		return slowest;
	earlier(when, due);
	return NULL;
}

static void accept_client(struct control *control)
{
	int64_t never = INT64_MAX;
	struct connection *client = find_place(control, (int64_t)clock_ms(), &never);
	int fd;

	/* Since the look before poll a command may have ended: its client is waited for now. */
	if (!client)
		return;
	fd = accept4(control->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			control->accept_after = (int64_t)clock_ms() + PAUSE_MS;
		return;
	}
	if (client->state != CONNECTION_NONE)
		connection_drop(client);
	connection_open(client, fd);
}

/* Takes the job back from the working thread if it is done.  False to stop. */
static bool heed_wake(struct control *control)
{
	struct connection *done = NULL;
	uint64_t count;
	bool stopping;

	(void)!read(control->wake, &count, sizeof(count));
	pthread_mutex_lock(&control->lock);
	stopping = control->stopping;
	if (control->job_done) {
		done = control->job;
		control->job = NULL;
		control->running.name = NULL;
		control->job_done = false;
	}
	pthread_mutex_unlock(&control->lock);
	if (done)
		connection_reply(done);
	return !stopping;
}

/* Whose command is being carried out, and who has not gone. */
static bool is_at_work(const struct connection *client)
{
	return client->state == CONNECTION_WORKING && !client->gone;
}

/* That its client hangs up poll(2) tells in any case. */
static short events_of(const struct connection *client)
{
	if (client->state == CONNECTION_WORKING)
		return client->one_way ? 0 : POLLRDHUP;
	return client->state == CONNECTION_READING ? POLLIN : POLLOUT;
}

/*
 * Who hangs up does not want the work any more.  But a client that had said all it had to say, and
 * shut that way down, may have left it to the server for good.
 */
static void heed_hangup(struct control *control, struct connection *client, short events)
{
	if (events & (POLLHUP | POLLERR)) {
		client->gone = true;
		if (!client->one_way)
			work_cancel(&control->running.work);
	} else if (events & POLLRDHUP) {
		client->one_way = true;
	}
}

#define POLL_WAKE 0
#define POLL_LISTEN 1
#define POLL_CLIENTS 2
#define POLL_COUNT (POLL_CLIENTS + CLIENTS_MAX)

/* What to wait for, and how many milliseconds at most; -1 for no limit. */
static int prepare_poll(struct control *control, struct pollfd *polls)
{
	int64_t now = (int64_t)clock_ms(), first = INT64_MAX;
	bool accepting = find_place(control, now, &first) && now >= control->accept_after;

	polls[POLL_WAKE] = (struct pollfd){ .fd = control->wake, .events = POLLIN };
	polls[POLL_LISTEN] =
		(struct pollfd){ .fd = accepting ? control->socket.fd : -1, .events = POLLIN };
	if (now < control->accept_after)
		earlier(&first, control->accept_after);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		const struct connection *client = &control->clients[i];
		bool waits = connection_is_waited_for(client);

		polls[POLL_CLIENTS + i] = (struct pollfd){
			.fd = waits || is_at_work(client) ? client->fd : -1,
			.events = events_of(client),
		};
		if (waits)
			earlier(&first, client->deadline);
	}
	if (first == INT64_MAX)
		return -1;
	return first <= now ? 0 : (int)(first - now);
}

static void serve_client(struct control *control, struct connection *client, short events)
{
	if (events && client->state == CONNECTION_READING) {
		if (connection_receive(client))
			answer(control, client);
	} else if (events && client->state == CONNECTION_WRITING) {
		connection_send(client);
	} else if (events && client->state == CONNECTION_WORKING) {
		heed_hangup(control, client, events);
	} else if (connection_is_waited_for(client) && (int64_t)clock_ms() >= client->deadline) {
		connection_drop(client);
	}
}

/*
 * Goes once through what a request for statistics needs, so that it is all in
 * memory (and locked, where the server locks what it touches) before memory is short.
 */
static void warm_up(struct control *control)
{
	struct connection *client = &control->clients[0];

	memset(control->clients, 0, sizeof(control->clients));
	strcpy(client->request, "stats");
	client->command =
		control_command_find(client->request, &client->asked.argument, &client->reply);
	carry_out(control, client);
}

static void *talk(void *opaque)
{
	struct control *control = opaque;
	struct pollfd polls[POLL_COUNT];

	warm_up(control);
	do {
		int timeout = prepare_poll(control, polls);

		if (poll(polls, POLL_COUNT, timeout) < 0) {
			memset(polls, 0, sizeof(polls));
			if (errno != EINTR)
				usleep(PAUSE_MS * 1000);
		}
		for (int i = 0; i < CLIENTS_MAX; i++)
			serve_client(control, &control->clients[i],
				     polls[POLL_CLIENTS + i].revents);
		if (polls[POLL_LISTEN].revents)
			accept_client(control);
	} while (heed_wake(control));
	return NULL;
}

/*
 * Working.
 */

static void *work(void *opaque)
{
	struct control *control = opaque;

	pthread_mutex_lock(&control->lock);
	while (!control->stopping) {
		if (!control->job || control->job_done) {
			pthread_cond_wait(&control->work, &control->lock);
			continue;
		}
		pthread_mutex_unlock(&control->lock);
		carry_out(control, control->job);
		pthread_mutex_lock(&control->lock);
		control->job_done = true;
		eventfd_write(control->wake, 1);
	}
	pthread_mutex_unlock(&control->lock);
	return NULL;
}

/*
 * Start and stop.
 */

int control_bind(struct control **control, const char *path, char *why, size_t why_size)
{
	struct control *made = calloc(1, sizeof(*made));
	int error;

	if (!made) {
		snprintf(why, why_size, "no memory for the control socket");
		return -ENOMEM;
	}
	made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (made->wake < 0) {
		error = -errno;
		snprintf(why, why_size, "no descriptor for the control socket: %m");
		free(made);
		return error;
	}
	error = control_socket_open(&made->socket, path, why, why_size);
	if (error) {
		close(made->wake);
		free(made);
		return error;
	}
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->work, NULL);
	*control = made;
	return 0;
}

/* The threads take no signals: those are for the thread that has handlers for them. */
static int start_thread(pthread_t *thread, const char *name, void *(*function)(void *),
			void *opaque)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack_size(STACK));
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(thread, &attr, function, opaque);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!error)
		pthread_setname_np(*thread, name);
	return -error;
}

int control_run(struct control *control, const struct control_ops *ops, void *opaque)
{
	int error;

	control->ops = ops;
	control->opaque = opaque;
	error = start_thread(&control->worker, "control-work", work, control);
	control->worked = !error;
	if (!error) {
		error = start_thread(&control->talker, "control-talk", talk, control);
		control->talking = !error;
	}
	return error;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	pthread_mutex_lock(&control->lock);
	control->stopping = true;
	work_cancel(&control->running.work);
	pthread_cond_signal(&control->work);
	pthread_mutex_unlock(&control->lock);
	eventfd_write(control->wake, 1);
	if (control->talking)
		pthread_join(control->talker, NULL);
	if (control->worked)
		pthread_join(control->worker, NULL);

	control_socket_close(&control->socket);
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (control->clients[i].state != CONNECTION_NONE)
			connection_drop(&control->clients[i]);
	close(control->wake);
	pthread_cond_destroy(&control->work);
	pthread_mutex_destroy(&control->lock);
	free(control);
}
