/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/connection.h"

void connection_open(struct connection *client, int fd)
{
	client->fd = fd;
	client->state = CONNECTION_READING;
	client->deadline = (int64_t)clock_ms() + CONNECTION_TIMEOUT_MS;
	client->request_len = 0;
}

/* What nobody has taken. */
static void close_files(struct control_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		close(files->fd[i]);
	files->count = 0;
}

void connection_drop(struct connection *client)
{
	close_files(&client->asked.files);
	close(client->fd);
	client->state = CONNECTION_NONE;
}

void connection_send(struct connection *client)
{
	ssize_t sent;

	do
		sent = send(client->fd, client->reply.text + client->reply_sent,
			    client->reply.len - client->reply_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		if (errno != EAGAIN)
			connection_drop(client);
		return;
	}
	client->reply_sent += (size_t)sent;
	if (client->reply_sent == client->reply.len)
		connection_drop(client);
}

void connection_reply(struct connection *client)
{
	client->state = CONNECTION_WRITING;
	client->deadline = (int64_t)clock_ms() + CONNECTION_TIMEOUT_MS;
	client->reply_sent = 0;
	connection_send(client);
}

/*
 * Keeps the descriptors that came along.  What there is no room for the kernel has closed, and
 * what came in two messages is not what anybody sends.
 */
static void keep_files(struct connection *client, struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return;
	close_files(&client->asked.files);
	client->asked.files.count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(client->asked.files.fd, CMSG_DATA(header), client->asked.files.count * sizeof(int));
}

/* As recv. */
static ssize_t receive_bytes(struct connection *client, char *room, size_t size)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(client->asked.files.fd))];
	} control;
	struct iovec bytes = { room, size };
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got >= 0)
		keep_files(client, &message);
	return got;
}

bool connection_receive(struct connection *client)
{
	char *room = client->request + client->request_len;
	size_t room_len = sizeof(client->request) - client->request_len;
	ssize_t got = receive_bytes(client, room, room_len);
	char *newline;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		/* Half a request may mean anything: it is not carried out. */
		connection_drop(client);
		return false;
	}
	newline = memchr(room, '\n', (size_t)got);
	client->request_len += (size_t)got;
	if (newline) {
		*newline = '\0';
		/* A NUL would hide what is behind it: make it a byte that is refused. */
		for (char *c = client->request; c < newline; c++)
			if (*c == '\0')
				*c = '\n';
		return true;
	}
	if (client->request_len == sizeof(client->request)) {
		control_reply_error(&client->reply, "the request is too long");
		connection_reply(client);
	}
	return false;
}

bool connection_is_waited_for(const struct connection *client)
{
	return client->state == CONNECTION_READING || client->state == CONNECTION_WRITING;
}
