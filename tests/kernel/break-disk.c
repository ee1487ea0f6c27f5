/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into a server: its reads and writes of block devices fail with EIO, as if the
 * disk had died, as soon as /run/break-disk is there and says r, w or both.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int broken(int fd, char what)
{
	char how[4] = "";
	struct stat stat;
	int file;

	if (fstat(fd, &stat) != 0 || !S_ISBLK(stat.st_mode))
		return 0;
	file = open("/run/break-disk", O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	if (read(file, how, sizeof(how) - 1) < 0)
		how[0] = '\0';
	close(file);
	return strchr(how, what) != NULL;
}

EXPORT ssize_t pread64(int fd, void *buf, size_t count, off64_t offset)
{
	ssize_t (*real)(int, void *, size_t, off64_t) =
		(ssize_t(*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");

	if (broken(fd, 'r')) {
		errno = EIO;
		return -1;
	}
	return real(fd, buf, count, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *buf, size_t count, off64_t offset)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) =
		(ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");

	if (broken(fd, 'w')) {
		errno = EIO;
		return -1;
	}
	return real(fd, buf, count, offset);
}
