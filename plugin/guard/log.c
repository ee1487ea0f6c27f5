/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "guard/log.h"

static struct sockaddr_un daemon_address = { .sun_family = AF_UNIX };
static int log_socket = -1;

static void connect_again(void)
{
	if (log_socket >= 0)
		close(log_socket);
	log_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (log_socket >= 0 &&
	    connect(log_socket, (const struct sockaddr *)&daemon_address, sizeof(daemon_address))) {
		int err = errno;

		close(log_socket);
		log_socket = -1;
		errno = err;
	}
}

void guard_log_open(const char *path)
{
	snprintf(daemon_address.sun_path, sizeof(daemon_address.sun_path), "%s", path);
	connect_again();
}

int guard_log(int priority, const char *format, ...)
{
	char line[512];
	va_list arguments;
	int length = snprintf(line, sizeof(line), "<%d>ramzswap-guard[%d]: ", LOG_DAEMON | priority,
			      getpid());

	va_start(arguments, format);
	vsnprintf(line + length, sizeof(line) - (size_t)length, format, arguments);
	va_end(arguments);
	for (int i = 0; i < 2; i++) {
		if (log_socket >= 0 && send(log_socket, line, strlen(line), MSG_NOSIGNAL) >= 0)
			return 0;
		if (log_socket >= 0 && errno == EAGAIN)
			return -EAGAIN;
		/* A daemon that was started anew has another socket. */
		if (i == 0)
			connect_again();
	}
	return -errno;
}
