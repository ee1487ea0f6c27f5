/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into nbdkit by ramzswap(8): waits for the next request by asking for it.
 *
 * A program that touches a page which is swapped out waits for the server, and the server
 * then waits for the program's next touch: each sleeps while the other works, and to wake
 * one costs more than to decompress the page, above all where an idle processor has
 * to be woken for it.  So a connection's thread asks its socket again and again for a while
 * before it sleeps in read(2).  How long follows what it saw, as KVM's halt polling
 * (Documentation/virt/kvm/halt-polling.rst of the kernel) does: doubled when the request
 * came soon, halved when it did not, so that requests far apart cost next to nothing.
 * Between two questions whoever else wants this processor may have it, and if somebody
 * took it, the thread sleeps: it is not to compete with the programs that it serves.
 *
 * RAMZSWAP_POLL_US in the environment is the longest such while in microseconds; without
 * it, and with one processor, nothing is polled.
 */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/patience.h"
#include "base/polling.h"

/* nbdkit reads just so much where it waits for a request: its header, NBD's simple one. */
#define REQUEST_HEADER_SIZE 28

static int64_t longest_ns; /* 0: never poll */

static __thread struct patience patience __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void read_environment(void)
{
	longest_ns = polling_longest_us(0) * INT64_C(1000);
}

/* Asks as long as there is patience.  -1: sleep in read(2) instead, which also tells of errors. */
static ssize_t poll_socket(int fd, void *buf, size_t length, int64_t start)
{
	int64_t asked, now = start;

	do {
		ssize_t got = recv(fd, buf, length, MSG_DONTWAIT);

		if (got >= 0 || errno != EAGAIN)
			return got;
		asked = now;
		sched_yield();
		now = (int64_t)clock_ns();
	} while (patience_goes_on(&patience, start, asked, now));
	return -1;
}

__attribute__((visibility("default"))) ssize_t read(int fd, void *buf, size_t length)
{
	int64_t start;
	ssize_t got;

	if (length != REQUEST_HEADER_SIZE || !longest_ns)
		return syscall(SYS_read, fd, buf, length);
	/* One that is there already says nothing about how long the next one takes. */
	got = recv(fd, buf, length, MSG_DONTWAIT);
	if (got >= 0)
		return got;
	if (errno != EAGAIN)
		return syscall(SYS_read, fd, buf, length);
	start = (int64_t)clock_ns();
	patience.longest_ns = longest_ns;
	got = patience_is_left(&patience) ? poll_socket(fd, buf, length, start) : -1;
	if (got < 0)
		got = syscall(SYS_read, fd, buf, length);
	patience_learn(&patience, (int64_t)clock_ns() - start);
	return got;
}
