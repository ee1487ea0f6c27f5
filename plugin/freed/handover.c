/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "freed/handover.h"
#include "freed/hook.h"
#include "freed/proof.h"

#define PAGE 4096u
#define SIGNATURE "SWAPSPACE2"
#define SIGNATURE_OFFSET (PAGE - 10)

/* The server's first answer may wait for other work of its. */
#define ANSWER_TIMEOUT_S 20

static int explain(int err, char *why, size_t why_size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int explain(int err, char *why, size_t why_size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, why_size, format, args);
	va_end(args);
	return err;
}

/*
 * By what sysfs calls it: of a partition, a mapping or a file on it slot N is not page N, whatever
 * its first page holds.
 */
static bool may_be_ours(dev_t number)
{
	char link[64], target[256];
	const char *name;
	ssize_t length;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(number), minor(number));
	length = readlink(link, target, sizeof(target) - 1);
	if (length <= 0)
		return false;
	target[length] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	return (!strncmp(name, "nbd", 3) || !strncmp(name, "ublkb", 5)) && !strchr(name, 'p');
}

/* Before it is opened: what is not ours is not even that. */
static int look_at(const char *path, struct stat *file, char *why, size_t why_size)
{
	if (sysconf(_SC_PAGESIZE) != (long)PAGE)
		return explain(-EOPNOTSUPP, why, why_size,
			       "this kernel's pages are not of 4096 bytes: a slot is not a page");
	if (stat(path, file) != 0)
		return explain(-errno, why, why_size, "%s: %m", path);
	if (!S_ISBLK(file->st_mode))
		return explain(-ENOTBLK, why, why_size, "%s is no block device", path);
	if (!may_be_ours(file->st_rdev))
		return explain(-ENXIO, why, why_size,
			       "%s is no whole nbd or ublk device: slots there are not the "
			       "pages of the disk",
			       path);
	return 0;
}

int freed_device_open(struct freed_device *device, const char *path, char *why, size_t why_size)
{
	struct stat seen, opened;
	uint64_t bytes;
	int err = look_at(path, &seen, why, why_size), fd;

	if (err)
		return err;
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return explain(-errno, why, why_size, "%s: %m", path);
	if (fstat(fd, &opened) != 0 || opened.st_rdev != seen.st_rdev ||
	    ioctl(fd, BLKGETSIZE64, &bytes) != 0) {
		close(fd);
		return explain(-ENXIO, why, why_size, "%s: it is another one now", path);
	}
	*device = (struct freed_device){ fd, seen.st_rdev, bytes / PAGE };
	return 0;
}

void freed_device_close(struct freed_device *device)
{
	close(device->fd);
}

static int read_header(const struct freed_device *device, char *page, char *why, size_t why_size)
{
	ssize_t got = pread(device->fd, page, PAGE, 0);

	if (got != PAGE)
		return explain(got < 0 ? -errno : -EIO, why, why_size,
			       "the device's first page cannot be read");
	/* Nothing may be written to what is no swap. */
	if (memcmp(page + SIGNATURE_OFFSET, SIGNATURE, sizeof(SIGNATURE) - 1) != 0)
		return explain(-EMEDIUMTYPE, why, why_size,
			       "the device has no swap header: mkswap makes one");
	return 0;
}

static int write_header(const struct freed_device *device, const char *page, char *why,
			size_t why_size)
{
	ssize_t put = pwrite(device->fd, page, PAGE, 0);

	if (put == PAGE)
		return 0;
	return explain(put < 0 ? -errno : -EIO, why, why_size,
		       "the device's first page cannot be written");
}

static int connect_to(const char *path, char *why, size_t why_size)
{
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return explain(-ENAMETOOLONG, why, why_size, "%s: too long for a socket", path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return explain(-errno, why, why_size, "no socket: %m");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	explain(0, why, why_size, "%s: %m", path);
	close(fd);
	return -ECONNREFUSED;
}

static bool send_with_files(int fd, const char *text, const int *files, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec bytes = { (void *)text, strlen(text) };
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), files, count * sizeof(int));
	return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)bytes.iov_len;
}

/* 0 for "ok"; the text behind "error" is why. */
static int read_answer(int fd, char *why, size_t why_size)
{
	char answer[1024];
	size_t length = 0;
	ssize_t got;

	while (length < sizeof(answer) - 1 &&
	       (got = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0)
		length += (size_t)got;
	answer[length] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	if (!strcmp(answer, "ok"))
		return 0;
	if (!strncmp(answer, "error ", 6))
		return explain(-EREMOTEIO, why, why_size, "%s", answer + 6);
	return explain(-EPROTO, why, why_size, "the server does not answer");
}

static int ask(const struct freed_device *device, const struct freed_hook *hook, const char *socket,
	       const unsigned char *proof, char *why, size_t why_size)
{
	const int files[] = { hook->map, hook->link };
	char request[256];
	int fd, err, at;

	at = snprintf(request, sizeof(request), "freed %llu %s ", (unsigned long long)device->slots,
		      hook->target.function);
	for (size_t i = 0; i < FREED_PROOF_SIZE; i++)
		at += snprintf(request + at, sizeof(request) - (size_t)at, "%02x", proof[i]);
	snprintf(request + at, sizeof(request) - (size_t)at, "\n");
	fd = connect_to(socket, why, why_size);
	if (fd < 0)
		return fd;
	if (send_with_files(fd, request, files, 2))
		err = read_answer(fd, why, why_size);
	else
		err = explain(-errno, why, why_size, "%s: %m", socket);
	close(fd);
	return err;
}

int freed_hand_over(const struct freed_device *device, const struct freed_hook *hook,
		    const char *socket, char *why, size_t why_size)
{
	_Alignas(PAGE) char page[PAGE];
	unsigned char proof[FREED_PROOF_SIZE], before[FREED_PROOF_SIZE];
	char ignored[64];
	int err = read_header(device, page, why, why_size);

	if (err)
		return err;
	if (getrandom(proof, sizeof(proof), 0) != sizeof(proof))
		return explain(-EIO, why, why_size, "no random numbers");
	memcpy(before, page + FREED_PROOF_OFFSET, sizeof(before));
	memcpy(page + FREED_PROOF_OFFSET, proof, sizeof(proof));
	err = write_header(device, page, why, why_size);
	if (!err)
		err = ask(device, hook, socket, proof, why, why_size);
	memcpy(page + FREED_PROOF_OFFSET, before, sizeof(before));
	(void)write_header(device, page, ignored, sizeof(ignored));
	return err;
}
