/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into a server: its reads and writes of block devices fail with EIO, as if the
 * disk had died, as soon as /run/break-disk says r, w or both.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/*
 * Mapped from the start, and locked with all else that the server has: a file in memory
 * might be swapped out, to the very disk that waits for it.  It must not be truncated.
 */
static const volatile char *order;

__attribute__((constructor)) static void map_order(void)
{
	int fd = open("/run/break-disk", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	void *map;

	if (fd < 0 || ftruncate(fd, 4096) != 0)
		return;
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	order = map == MAP_FAILED ? NULL : map;
	close(fd);
}

static int broken(int fd, char what)
{
	struct stat stat;

	if (!order || fstat(fd, &stat) != 0 || !S_ISBLK(stat.st_mode))
		return 0;
	return order[0] == what || order[1] == what;
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
