/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A regular file or a block device as a medium.
 *
 * Reads and writes are direct, so that they take no page cache.  A file has all of
 * its blocks from the start: a hole could not be filled when the file system has
 * become full.  The lock (flock, which survives a fork and ends with the process)
 * keeps a second user away.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifdef HAVE_BLKID
#include <blkid.h>
#endif

#include "medium/medium.h"
#include "urgent.h"

/* Written at once where a file system cannot preallocate. */
#define FILL_BYTES (1u << 20)

struct file {
	struct medium medium;
	int fd;
	bool urgent; /* see struct medium_config */
	char *made;  /* path of a file that we made, until it is used */
};

static int file_start(struct medium *medium)
{
	struct file *file = (struct file *)medium;

	/* From here on it stays, to be used again. */
	free(file->made);
	file->made = NULL;
	return 0;
}

static int read_all(int fd, char *to, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t got = pread(fd, to, len, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO;
		to += got;
		offset += (uint64_t)got;
		len -= (size_t)got;
	}
	return 0;
}

/* Direct I/O allocates what describes it, even where memory is short. */
static int file_read(struct medium *medium, void *buf, size_t len, uint64_t offset)
{
	struct file *file = (struct file *)medium;
	int policy = file->urgent ? urgent_begin() : URGENT_LEFT_ALONE;
	int err = read_all(file->fd, buf, len, offset);

	urgent_end(policy);
	return err;
}

static int write_all(int fd, const char *from, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t put = pwrite(fd, from, len, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (put == 0)
			return -EIO;
		from += put;
		offset += (uint64_t)put;
		len -= (size_t)put;
	}
	return 0;
}

static int file_write(struct medium *medium, const void *buf, size_t len, uint64_t offset)
{
	struct file *file = (struct file *)medium;
	int policy = file->urgent ? urgent_begin() : URGENT_LEFT_ALONE;
	int err = write_all(file->fd, buf, len, offset);

	/* Through a cache, only this tells whether the data found its place. */
	if (!err && !medium->direct && fdatasync(file->fd) != 0)
		err = -errno;
	urgent_end(policy);
	return err;
}

static void file_close(struct medium *medium)
{
	struct file *file = (struct file *)medium;

	if (file->made)
		unlink(file->made);
	free(file->made);
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

static const struct medium_ops file_ops = {
	.start = file_start,
	.read = file_read,
	.write = file_write,
	.close = file_close,
};

static int say(char *why, size_t why_size, int err, const char *text)
{
	snprintf(why, why_size, "%s: %s", text, strerror(-err));
	return err;
}

/* Not every file system has direct I/O. */
static int open_direct(const char *path, int flags, bool *direct)
{
	int fd = open(path, flags | O_DIRECT | O_RDWR | O_CLOEXEC, 0600);

	*direct = fd >= 0;
	/* It may have been made nevertheless. */
	if (fd < 0 && errno == EINVAL)
		fd = open(path, (flags & ~O_EXCL) | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* Directories and such are told from what their names say, before any of them is opened. */
static int check_type(const struct stat *stat, char *why, size_t why_size)
{
	const char *is = S_ISDIR(stat->st_mode)	   ? "a directory"
			 : S_ISCHR(stat->st_mode)  ? "a character device"
			 : S_ISFIFO(stat->st_mode) ? "a FIFO"
			 : S_ISSOCK(stat->st_mode) ? "a socket"
						   : NULL;

	if (!is)
		return 0;
	snprintf(why, why_size, "is %s: give a regular file, a block device or an NBD URI", is);
	return -EINVAL;
}

static int open_missing(struct file *file, const char *path, char *why, size_t why_size)
{
	/* A file in /dev would be one in memory. */
	if (strncmp(path, "/dev/", 5) == 0) {
		snprintf(why, why_size, "does not exist");
		return -ENOENT;
	}
	file->fd = open_direct(path, O_CREAT | O_EXCL, &file->medium.direct);
	if (file->fd < 0)
		return say(why, why_size, file->fd, "cannot be made");
	file->made = strdup(path);
	return file->made ? 0 : -ENOMEM;
}

static int open_existing(struct file *file, const char *path, const struct stat *stat, char *why,
			 size_t why_size)
{
	/* On a block device, O_EXCL is refused while it is mounted or otherwise claimed. */
	file->fd = open_direct(path, S_ISBLK(stat->st_mode) ? O_EXCL : 0, &file->medium.direct);
	if (file->fd >= 0)
		return 0;
	if (file->fd == -EBUSY) {
		snprintf(why, why_size, "is mounted or otherwise in use");
		return -EBUSY;
	}
	if (file->fd == -EROFS || file->fd == -EACCES || file->fd == -EPERM)
		return say(why, why_size, file->fd, "cannot be written, is it read-only?");
	return say(why, why_size, file->fd, "cannot be opened");
}

static int open_path(struct file *file, const char *path, struct stat *found, char *why,
		     size_t why_size)
{
	int err;

	if (stat(path, found) == 0) {
		err = check_type(found, why, why_size);
		if (!err)
			err = open_existing(file, path, found, why, why_size);
	} else if (errno == ENOENT) {
		err = open_missing(file, path, why, why_size);
	} else {
		err = say(why, why_size, -errno, "cannot be reached");
	}
	if (!err && fstat(file->fd, found) != 0)
		err = say(why, why_size, -errno, "cannot be reached");
	return err;
}

static int lock(struct file *file, char *why, size_t why_size)
{
	if (flock(file->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK) {
		snprintf(why, why_size, "is used by another process already");
		return -EBUSY;
	}
	return say(why, why_size, -errno, "cannot be locked");
}

/* What the direct I/O of this file wants its offsets and addresses to be multiples of. */
static uint32_t block_of(int fd, const struct stat *stat)
{
	uint32_t block = MEDIUM_BLOCK_MAX;
	int sector;
#ifdef STATX_DIOALIGN
	struct statx found;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &found) == 0 &&
	    (found.stx_mask & STATX_DIOALIGN) && found.stx_dio_offset_align) {
		block = found.stx_dio_offset_align;
		if (found.stx_dio_mem_align > block)
			block = found.stx_dio_mem_align;
	}
#endif
	if (S_ISBLK(stat->st_mode) && ioctl(fd, BLKSSZGET, &sector) == 0 && sector > 0)
		block = (uint32_t)sector;
	if (block < 512)
		block = 512;
	return block;
}

static int fill_with_zeroes(int fd, uint64_t from, uint64_t to)
{
	char *zeroes;
	int err = 0;

	if (posix_memalign((void **)&zeroes, MEDIUM_BLOCK_MAX, FILL_BYTES))
		return -ENOMEM;
	memset(zeroes, 0, FILL_BYTES);
	for (; from < to && !err; from += FILL_BYTES)
		err = write_all(fd, zeroes, to - from < FILL_BYTES ? to - from : FILL_BYTES, from);
	free(zeroes);
	return err;
}

static void say_no_room(const struct statvfs *fs, uint64_t size, char *why, size_t why_size)
{
	snprintf(why, why_size,
		 "no room for %llu bytes: its file system has %llu left; give a smaller "
		 "backing-size, or make room",
		 (unsigned long long)size, (unsigned long long)fs->f_bavail * fs->f_frsize);
}

/*
 * A file system that is asked for more than it has may first hand out all that it has, and
 * until it takes that back every other program finds it full.
 */
static int check_room(int fd, uint64_t size, uint64_t allocated, char *why, size_t why_size)
{
	struct statvfs fs;

	/* Some, such as a tmpfs without a limit, do not say how large they are. */
	if (size <= allocated || fstatvfs(fd, &fs) != 0 || fs.f_blocks == 0)
		return 0;
	if ((size - allocated) / fs.f_frsize <= fs.f_bavail)
		return 0;
	say_no_room(&fs, size, why, why_size);
	return -ENOSPC;
}

/* Gives the file all of its blocks. */
static int allocate(struct file *file, uint64_t size, uint64_t had, char *why, size_t why_size)
{
	struct statvfs fs;
	int err = 0;

	if (fallocate(file->fd, 0, 0, (off_t)size) != 0)
		err = -errno;
	/* What was there keeps its holes, if any: such file systems are rare, and simple. */
	if (err == -EOPNOTSUPP)
		err = fill_with_zeroes(file->fd, had & ~(uint64_t)(MEDIUM_BLOCK_MAX - 1), size);
	if (err)
		(void)!ftruncate(file->fd, (off_t)had);
	if (err == -ENOSPC && fstatvfs(file->fd, &fs) == 0) {
		say_no_room(&fs, size, why, why_size);
		return err;
	}
	return err ? say(why, why_size, err, "cannot be given all of its blocks") : 0;
}

static int size_file(struct file *file, const struct stat *stat, const struct medium_config *config,
		     char *why, size_t why_size)
{
	uint64_t had = (uint64_t)stat->st_size, size = config->size;
	int err;

	if (size == 0)
		size = had ? had : config->size_default;
	size &= ~(uint64_t)(MEDIUM_BLOCK_MAX - 1);
	file->medium.kind = "file";
	file->medium.size = size;
	err = check_room(file->fd, size, (uint64_t)stat->st_blocks * 512, why, why_size);
	return err ? err : allocate(file, size, had, why, why_size);
}

static int size_device(struct file *file, const struct medium_config *config, char *why,
		       size_t why_size)
{
	uint64_t size;
	int read_only = 0;

	if (ioctl(file->fd, BLKROGET, &read_only) == 0 && read_only) {
		snprintf(why, why_size, "is read-only");
		return -EROFS;
	}
	if (ioctl(file->fd, BLKGETSIZE64, &size) != 0)
		return say(why, why_size, -errno, "does not tell its size");
	if (config->size > size) {
		snprintf(why, why_size, "has %llu bytes, fewer than backing-size=%llu",
			 (unsigned long long)size, (unsigned long long)config->size);
		return -EINVAL;
	}
	if (config->size)
		size = config->size;
	file->medium.kind = "device";
	file->medium.size = size & ~(uint64_t)(MEDIUM_BLOCK_MAX - 1);
	return 0;
}

/* Refuses a file that holds what we did not write. */
static int check_file(struct file *file, const struct stat *stat, char *why, size_t why_size)
{
	void *block;
	int err;

	if ((uint64_t)stat->st_size < MEDIUM_BLOCK_MAX) {
		if (stat->st_size == 0)
			return 0;
		snprintf(why, why_size,
			 "holds %llu bytes that are no backing store: give another "
			 "file, or backing-force=on to overwrite it",
			 (unsigned long long)stat->st_size);
		return -EEXIST;
	}
	if (posix_memalign(&block, MEDIUM_BLOCK_MAX, MEDIUM_BLOCK_MAX))
		return -ENOMEM;
	err = file_read(&file->medium, block, MEDIUM_BLOCK_MAX, 0);
	if (err)
		say(why, why_size, err, "cannot be read");
	else if (!medium_block_is_ours(block)) {
		snprintf(why, why_size,
			 "holds something that is no backing store: give another "
			 "file, or backing-force=on to overwrite it");
		err = -EEXIST;
	}
	free(block);
	return err;
}

#ifdef HAVE_BLKID
static int check_device(struct file *file, char *why, size_t why_size)
{
	blkid_probe probe = blkid_new_probe();
	const char *type = "something";
	int found = -1, flags = fcntl(file->fd, F_GETFL);

	/* libblkid's buffers are not aligned. */
	fcntl(file->fd, F_SETFL, flags & ~O_DIRECT);
	if (probe && blkid_probe_set_device(probe, file->fd, 0, 0) == 0) {
		blkid_probe_enable_superblocks(probe, 1);
		blkid_probe_enable_partitions(probe, 1);
		found = blkid_do_safeprobe(probe);
		if (found == 0 && blkid_probe_lookup_value(probe, "TYPE", &type, NULL) != 0)
			(void)blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL);
	}
	if (found == 0 || found == -2)
		snprintf(why, why_size,
			 "holds %s: give another device, or backing-force=on to "
			 "overwrite it",
			 type);
	else if (found < 0)
		snprintf(why, why_size,
			 "cannot be searched for what it holds: give "
			 "backing-force=on to overwrite it unseen");
	blkid_free_probe(probe);
	fcntl(file->fd, F_SETFL, flags);
	return found == 1 ? 0 : -EEXIST;
}
#else
static int check_device(struct file *file, char *why, size_t why_size)
{
	snprintf(why, why_size,
		 "this build has no libblkid to see what a device holds: give "
		 "backing-force=on to overwrite it unseen");
	return -EEXIST;
}
#endif

static int prepare(struct file *file, const struct stat *stat, const struct medium_config *config,
		   char *why, size_t why_size)
{
	bool device = S_ISBLK(stat->st_mode);
	int err = lock(file, why, why_size);

	if (err)
		return err;
	file->medium.block = block_of(file->fd, stat);
	if (file->medium.block > MEDIUM_BLOCK_MAX) {
		snprintf(why, why_size, "wants blocks of %u bytes, which are larger than a page",
			 file->medium.block);
		return -EINVAL;
	}
	if (!config->force)
		err = device ? check_device(file, why, why_size)
			     : check_file(file, stat, why, why_size);
	if (err)
		return err;
	return device ? size_device(file, config, why, why_size)
		      : size_file(file, stat, config, why, why_size);
}

int medium_open_file(struct medium **medium, const struct medium_config *config, char *why,
		     size_t why_size)
{
	struct file *file = calloc(1, sizeof(*file));
	struct stat stat;
	int err;

	if (!file)
		return say(why, why_size, -ENOMEM, "cannot be opened");
	file->medium.ops = &file_ops;
	file->fd = -1;
	file->urgent = config->urgent;
	err = open_path(file, config->where, &stat, why, why_size);
	if (!err)
		err = prepare(file, &stat, config, why, why_size);
	if (err) {
		file_close(&file->medium);
		return err;
	}
	*medium = &file->medium;
	return 0;
}
