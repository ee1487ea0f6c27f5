/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into nbdkit by ramzswap(8): a reply and its data leave in one system call.
 *
 * nbdkit sends the 16 bytes of a reply with MSG_MORE, then the data of a read.  A TCP
 * socket waits for the latter; a Unix socket does not know the flag, so that the kernel's
 * nbd is woken for the 16 bytes, finds nothing behind them, and sleeps again: two
 * context switches and a system call for each read.  Here what comes with MSG_MORE is
 * kept until what follows.
 *
 * A send needs memory for the message, and a write is done, for a kernel that frees the page,
 * when its reply has come: the reply must not wait for memory (urgent.h).
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "urgent.h"

#define HEAD_MAX 64

/* Tells the plugin that replies are seen to. */
__attribute__((visibility("default"))) const char ramzswap_replies[] = "replies do not wait";

/* A thread of nbdkit sends whole replies, one at a time. */
struct head {
	int fd;
	size_t length; /* 0 for none */
	unsigned char data[HEAD_MAX];
};

static __thread struct head head __attribute__((tls_model("initial-exec")));

static ssize_t send_now(int fd, const void *data, size_t length, int flags)
{
	int policy = urgent_begin_if_short();
	ssize_t sent = syscall(SYS_sendto, fd, data, length, flags, NULL, 0);

	urgent_end(policy);
	return sent;
}

/* A send that may be tried again keeps the head; any other failure is the connection's end. */
static ssize_t failed(void)
{
	if (errno != EINTR && errno != EAGAIN)
		head.length = 0;
	return -1;
}

/* As send(2) of data; the head counts as sent since it was kept. */
static ssize_t send_with_head(const void *data, size_t length, int flags)
{
	struct iovec parts[] = {
		{ .iov_base = head.data, .iov_len = head.length },
		{ .iov_base = (void *)data, .iov_len = length },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	int policy = urgent_begin_if_short();
	ssize_t sent = sendmsg(head.fd, &message, flags);
	size_t kept = head.length;

	urgent_end(policy);
	if (sent < 0)
		return failed();
	if ((size_t)sent < kept) {
		head.length -= (size_t)sent;
		memmove(head.data, head.data + sent, head.length);
		errno = EAGAIN; /* nothing of data: to be tried again, with the rest of the head */
		return -1;
	}
	head.length = 0;
	/* Of data nothing may have gone, which 0 would not say. */
	return (size_t)sent > kept ? sent - (ssize_t)kept : send_now(head.fd, data, length, flags);
}

__attribute__((visibility("default"))) ssize_t send(int fd, const void *data, size_t length,
						    int flags)
{
	if (head.length && head.fd == fd)
		return send_with_head(data, length, flags);
	if ((flags & MSG_MORE) && length && length <= HEAD_MAX) {
		head.fd = fd;
		head.length = length;
		memcpy(head.data, data, length);
		return (ssize_t)length;
	}
	return send_now(fd, data, length, flags);
}
