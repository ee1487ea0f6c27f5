/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/client.h"
#include "control/control.h"

static void set_timeout(int fd, int which, unsigned int seconds)
{
	const struct timeval timeout = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, which, &timeout, sizeof(timeout));
}

int control_connect(const char *path, unsigned int seconds)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd, err;

	if (length == 0 || length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	set_timeout(fd, SO_SNDTIMEO, seconds);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int control_send(int fd, const char *request)
{
	char line[256];
	int length = snprintf(line, sizeof(line), "%s\n", request);
	ssize_t sent;

	if (length < 0 || (size_t)length >= sizeof(line))
		return -EMSGSIZE;
	sent = send(fd, line, (size_t)length, MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	return sent == length ? 0 : -EIO;
}

int control_receive(int fd, unsigned int seconds, char *answer, size_t size)
{
	size_t used = 0;
	ssize_t got;

	if (seconds != CONTROL_PATIENT)
		set_timeout(fd, SO_RCVTIMEO, seconds);
	while (used < size) {
		got = recv(fd, answer + used, size - used, 0);
		if (got == 0)
			break;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return -ETIMEDOUT;
		/* A server that answers without having read all of the request resets. */
		if (got < 0 && errno == ECONNRESET && used > 0)
			break;
		if (got < 0)
			return -errno;
		used += (size_t)got;
	}
	if (used == size || memchr(answer, '\0', used))
		return -EPROTO;
	answer[used] = '\0';
	return used == 0 || answer[used - 1] != '\n' ? -EPIPE : 0;
}

const char *control_body(char *answer, const char **error)
{
	static const char failed[] = "error ";

	*error = NULL;
	if (strncmp(answer, CONTROL_OK, strlen(CONTROL_OK)) == 0)
		return answer + strlen(CONTROL_OK);
	if (strncmp(answer, failed, strlen(failed)) == 0) {
		answer[strcspn(answer, "\n")] = '\0';
		*error = answer + strlen(failed);
	}
	return NULL;
}
