/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's zram, as a raw device with direct I/O: the codec, its pool and the
 * block layer, but neither page cache nor file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "peers.h"

struct zram_peer {
	struct peer peer;
	const char *name; /* of the device in /sys/block */
	int fd;
};

/* Writes one word to a file of the device in sysfs.  0 or a negative errno. */
static int set_attribute(const char *name, const char *attribute, const char *value)
{
	char path[256];
	int fd, r = 0;

	snprintf(path, sizeof(path), "/sys/block/%s/%s", name, attribute);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int zram_write(struct peer *peer, unsigned int thread, uint32_t slot, const void *buf,
		      uint32_t count)
{
	size_t size = (size_t)count * BENCH_PAGE_SIZE;
	ssize_t n =
		pwrite(((struct zram_peer *)peer)->fd, buf, size, (off_t)slot * BENCH_PAGE_SIZE);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
}

static int zram_read(struct peer *peer, unsigned int thread, uint32_t slot, void *buf,
		     uint32_t count)
{
	size_t size = (size_t)count * BENCH_PAGE_SIZE;
	ssize_t n = pread(((struct zram_peer *)peer)->fd, buf, size, (off_t)slot * BENCH_PAGE_SIZE);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
}

static int zram_discard(struct peer *peer, uint64_t slot, uint64_t count)
{
	uint64_t range[2] = { slot * BENCH_PAGE_SIZE, count * BENCH_PAGE_SIZE };

	return ioctl(((struct zram_peer *)peer)->fd, BLKDISCARD, range) < 0 ? -errno : 0;
}

static int zram_memory(struct peer *peer, struct peer_memory *memory)
{
	char path[256];
	uint64_t original;
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "/sys/block/%s/mm_stat", ((struct zram_peer *)peer)->name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	n = fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &original, &memory->ideal,
		   &memory->used);
	fclose(file);
	return n == 3 ? 0 : -EIO;
}

int peer_zram_compact(struct peer *peer)
{
	return set_attribute(((struct zram_peer *)peer)->name, "compact", "1");
}

static void zram_close(struct peer *peer)
{
	struct zram_peer *self = (struct zram_peer *)peer;

	close(self->fd);
	set_attribute(self->name, "reset", "1");
	free(self);
}

int peer_open_zram(struct peer **peer, const char *device, const char *algorithm, uint64_t size)
{
	const char *name = strrchr(device, '/') ? strrchr(device, '/') + 1 : device;
	struct zram_peer *self;
	char text[32];
	int r, fd;

	snprintf(text, sizeof(text), "%" PRIu64, size);
	r = set_attribute(name, "reset", "1");
	if (!r)
		r = set_attribute(name, "comp_algorithm", algorithm);
	if (!r)
		r = set_attribute(name, "disksize", text);
	fd = r ? -1 : open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (!r && fd < 0)
		r = -errno;
	self = calloc(1, sizeof(*self));
	if (r || !self) {
		fprintf(stderr,
			"%s: cannot be set up with %s: %s (it takes root and a device"
			" that nobody uses)\n",
			device, algorithm, strerror(r ? -r : ENOMEM));
		if (fd >= 0)
			close(fd);
		free(self);
		return r ? r : -ENOMEM;
	}
	self->name = name;
	self->fd = fd;
	self->peer = (struct peer){
		.name = "zram",
		.stores = true,
		.write = zram_write,
		.read = zram_read,
		.discard = zram_discard,
		.memory = zram_memory,
		.close = zram_close,
	};
	*peer = &self->peer;
	return 0;
}
