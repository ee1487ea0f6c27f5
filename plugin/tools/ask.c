/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/ask.h"

static void explain_connect(int err, const char *path, char *why)
{
	switch (-err) {
	case ENAMETOOLONG:
		snprintf(why, ASK_WHY_MAX, "the socket's path is %zu bytes long: it has 1 to %zu",
			 strlen(path), sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		break;
	case ENOENT:
		snprintf(why, ASK_WHY_MAX,
			 "%s does not exist: start the server with control=%s, or name its socket "
			 "with -c",
			 path, path);
		break;
	case ECONNREFUSED:
		snprintf(why, ASK_WHY_MAX,
			 "no server listens on %s: start it, or name another socket with -c", path);
		break;
	case EACCES:
		snprintf(why, ASK_WHY_MAX,
			 "no permission for %s: be root, or the user that started the server",
			 path);
		break;
	case EAGAIN:
		snprintf(why, ASK_WHY_MAX, "the server at %s is too busy to answer", path);
		break;
	default:
		snprintf(why, ASK_WHY_MAX, "cannot connect to %s: %s", path, strerror(-err));
	}
}

static void explain_receive(int err, const char *path, unsigned int seconds, char *why)
{
	switch (-err) {
	case ETIMEDOUT:
		snprintf(why, ASK_WHY_MAX, "no answer from %s within %u seconds", path, seconds);
		break;
	case EPROTO:
		snprintf(why, ASK_WHY_MAX, "what listens on %s is no ramzswap", path);
		break;
	case EPIPE:
		snprintf(why, ASK_WHY_MAX,
			 "the server at %s went away before its answer was complete", path);
		break;
	default:
		snprintf(why, ASK_WHY_MAX, "no answer from %s: %s", path, strerror(-err));
	}
}

/* The server writes an answer at once: what has begun to come is soon there. */
static void wait_for_answer(int fd, const struct ask_meanwhile *meanwhile)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int ready;

	do {
		ready = poll(&poll_fd, 1, (int)meanwhile->milliseconds);
		if (ready == 0)
			meanwhile->look(meanwhile->opaque);
	} while (ready == 0 || (ready < 0 && errno == EINTR));
}

static int ask_for(const char *socket, const char *request, unsigned int seconds,
		   const struct ask_meanwhile *meanwhile, char answer[ASK_MAX + 1],
		   const char **body, char why[ASK_WHY_MAX])
{
	int fd = control_connect(socket, ASK_TIMEOUT_S), err;
	const char *text, *refusal;

	if (fd < 0) {
		explain_connect(fd, socket, why);
		return fd;
	}
	err = control_send(fd, request);
	if (!err && meanwhile)
		wait_for_answer(fd, meanwhile);
	if (err)
		snprintf(why, ASK_WHY_MAX, "cannot send to %s: %s", socket, strerror(-err));
	else if ((err = control_receive(fd, seconds, answer, ASK_MAX + 1)) != 0)
		explain_receive(err, socket, seconds, why);
	close(fd);
	if (err)
		return err;
	text = control_body(answer, &refusal);
	if (text) {
		*body = text;
		return 0;
	}
	if (refusal) {
		snprintf(why, ASK_WHY_MAX, "%s", refusal);
		return -EREMOTEIO;
	}
	snprintf(why, ASK_WHY_MAX, "what listens on %s is no ramzswap", socket);
	return -EPROTO;
}

int ask(const char *socket, const char *request, unsigned int seconds, char answer[ASK_MAX + 1],
	const char **body, char why[ASK_WHY_MAX])
{
	return ask_for(socket, request, seconds, NULL, answer, body, why);
}

int ask_patiently(const char *socket, const char *request, const struct ask_meanwhile *meanwhile,
		  char answer[ASK_MAX + 1], const char **body, char why[ASK_WHY_MAX])
{
	return ask_for(socket, request, CONTROL_PATIENT, meanwhile, answer, body, why);
}
