/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of all kinds that a kernel may swap out, made and used as a script says.
 *
 * usage: pages <COMMANDS >ANSWERS
 *
 * Each line of standard input is a command, each gets one line as its answer: "ok", a number, or
 * what was wrong.  Pages hold noise that follows from their number, or are all one page.
 *
 *   make KIND MIB [same|zero] [PATH]   anon, shared, memfd, sysv, hugetlb, secret, file (PATH)
 *   advise NAME       madvise over all of it
 *   seal              nobody may write into a memfd from now on
 *   lock, unlock      mlockall, munlockall
 *   read              how many pages are not what they were
 *   write             each page is written to, with what it holds
 *   half              every second 64 KiB is given back
 *   child             another process that writes to all of it, and stays
 *   pin               as a buffer of io_uring
 *   watch             userfaultfd is to tell of each write
 *   watched           how many pages it still watches
 *   swapped           how many pages the page table names in swap
 *   unmap             gives all back
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096
#define HUGE (2 << 20)
#define WORDS 4

enum content { OWN, SAME, ZERO };

struct area {
	char *base;
	size_t size;
	int fd;
	bool shared;
	enum content content;
};

static const struct {
	const char *name;
	int value;
} advices[] = {
	{ "willneed", MADV_WILLNEED },
	{ "dontneed", MADV_DONTNEED },
	{ "free", MADV_FREE },
	{ "remove", MADV_REMOVE },
	{ "mergeable", MADV_MERGEABLE },
	{ "hugepage", MADV_HUGEPAGE },
	{ "nohugepage", MADV_NOHUGEPAGE },
	{ "cold", 20 },
	{ "pageout", 21 },
	{ "populate-read", 22 },
	{ "collapse", 25 },
};

static void fill_page(const struct area *area, size_t page, uint64_t *words)
{
	uint64_t noise = 88172645463325252ul + (area->content == OWN ? page * 2654435761ul : 0);

	for (size_t i = 0; i < PAGE / sizeof(*words); i++) {
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		words[i] = area->content == ZERO ? 0 : noise;
	}
}

static size_t pages_of(const struct area *area)
{
	return area->size / PAGE;
}

static void fill(const struct area *area)
{
	for (size_t page = 0; page < pages_of(area); page++)
		fill_page(area, page, (uint64_t *)(area->base + page * PAGE));
}

static long wrong_pages(const struct area *area)
{
	uint64_t right[PAGE / sizeof(uint64_t)];
	long wrong = 0;

	for (size_t page = 0; page < pages_of(area); page++) {
		fill_page(area, page, right);
		wrong += memcmp(right, area->base + page * PAGE, PAGE) != 0;
	}
	return wrong;
}

static void dirty(const struct area *area)
{
	for (size_t page = 0; page < pages_of(area); page++) {
		volatile char *byte = area->base + page * PAGE;

		*byte = *byte;
	}
}

static int map(struct area *area, int fd, int flags)
{
	area->fd = fd;
	area->shared = (flags & MAP_SHARED) != 0;
	/* At a border of huge pages, so that such can be had. */
	char *room = mmap(NULL, area->size + HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return -errno;
	room = (char *)(((uintptr_t)room + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
	area->base = mmap(room, area->size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
	return area->base == MAP_FAILED ? -errno : 0;
}

static int map_file(struct area *area, int fd)
{
	if (fd < 0 || ftruncate(fd, (off_t)area->size) < 0)
		return -errno;
	return map(area, fd, MAP_SHARED);
}

static int map_sysv(struct area *area)
{
	int id = shmget(IPC_PRIVATE, area->size, IPC_CREAT | 0600);

	if (id < 0)
		return -errno;
	area->base = shmat(id, NULL, 0);
	area->shared = true;
	shmctl(id, IPC_RMID, NULL);
	return area->base == (char *)-1 ? -errno : 0;
}

static int map_kind(struct area *area, const char *kind, const char *path)
{
	if (!strcmp(kind, "anon"))
		return map(area, -1, MAP_PRIVATE | MAP_ANONYMOUS);
	if (!strcmp(kind, "hugetlb"))
		return map(area, -1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
	if (!strcmp(kind, "shared"))
		return map(area, -1, MAP_SHARED | MAP_ANONYMOUS);
	if (!strcmp(kind, "memfd"))
		return map_file(area, memfd_create("pages", MFD_ALLOW_SEALING));
	if (!strcmp(kind, "secret"))
		return map_file(area, (int)syscall(447 /* memfd_secret */, 0));
	if (!strcmp(kind, "file"))
		return map_file(area, open(path, O_RDWR | O_CREAT, 0600));
	if (!strcmp(kind, "sysv"))
		return map_sysv(area);
	return -EINVAL;
}

/* make KIND MIB [same|zero] [PATH] */
static int make(struct area *area, char **words)
{
	const char *content = words[2] ? words[2] : "";
	int err;

	if (!words[0] || !words[1])
		return -EINVAL;
	area->size = strtoul(words[1], NULL, 10) << 20;
	area->content = !strcmp(content, "same") ? SAME : !strcmp(content, "zero") ? ZERO : OWN;
	err = map_kind(area, words[0], area->content == OWN ? words[2] : words[3]);
	if (!err)
		fill(area);
	return err;
}

static int advise(const struct area *area, const char *name)
{
	for (size_t i = 0; name && i < sizeof(advices) / sizeof(advices[0]); i++)
		if (!strcmp(advices[i].name, name))
			return madvise(area->base, area->size, advices[i].value) ? -errno : 0;
	return -EINVAL;
}

static int seal(struct area *area)
{
	munmap(area->base, area->size);
	if (fcntl(area->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return -errno;
	area->base = mmap(NULL, area->size, PROT_READ, MAP_SHARED, area->fd, 0);
	return area->base == MAP_FAILED ? -errno : 0;
}

static int half(const struct area *area)
{
	const size_t piece = 64 << 10;

	for (size_t at = 0; at < area->size; at += 2 * piece)
		if (madvise(area->base + at, piece, area->shared ? MADV_REMOVE : MADV_DONTNEED))
			return -errno;
	return 0;
}

/* Answers only when the child has written all. */
static int child(const struct area *area)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		return -errno;
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, 9);
		dirty(area);
		byte = wrong_pages(area) != 0;
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		return -EIO;
	return byte ? -EILSEQ : 0;
}

static int pin(const struct area *area)
{
	struct io_uring_params params = { 0 };
	struct iovec vector = { area->base, area->size };
	int ring = (int)syscall(__NR_io_uring_setup, 1, &params);

	if (ring < 0)
		return -errno;
	return syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS, &vector, 1) < 0
		       ? -errno
		       : 0;
}

static int watch(const struct area *area)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)area->base, area->size },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = { (uintptr_t)area->base, area->size },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = (int)syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range) ||
	    ioctl(fd, UFFDIO_WRITEPROTECT, &protect))
		return -errno;
	return 0;
}

/* Pages in whose entry of /proc/self/pagemap this bit is set. */
static long pages_with(const struct area *area, unsigned int bit)
{
	int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	long count = 0;

	for (size_t page = 0; page < pages_of(area); page++) {
		uint64_t entry = 0;
		off_t at = (off_t)(((uintptr_t)area->base / PAGE + page) * sizeof(entry));

		if (pread(map, &entry, sizeof(entry), at) != sizeof(entry)) {
			count = -EIO;
			break;
		}
		count += (long)(entry >> bit & 1);
	}
	close(map);
	return count;
}

static int unmap(struct area *area)
{
	munmap(area->base, area->size);
	if (area->fd >= 0)
		close(area->fd);
	return 0;
}

/* 0 or a number for an answer, or a negative errno */
static long obey(struct area *area, char **words)
{
	const char *command = words[0];

	if (!strcmp(command, "make"))
		return make(area, words + 1);
	if (!strcmp(command, "advise"))
		return advise(area, words[1]);
	if (!strcmp(command, "seal"))
		return seal(area);
	if (!strcmp(command, "lock"))
		return mlockall(MCL_CURRENT) ? -errno : 0;
	if (!strcmp(command, "unlock"))
		return munlockall() ? -errno : 0;
	if (!strcmp(command, "read"))
		return wrong_pages(area);
	if (!strcmp(command, "half"))
		return half(area);
	if (!strcmp(command, "child"))
		return child(area);
	if (!strcmp(command, "pin"))
		return pin(area);
	if (!strcmp(command, "watch"))
		return watch(area);
	if (!strcmp(command, "watched"))
		return pages_with(area, 57);
	if (!strcmp(command, "swapped"))
		return pages_with(area, 62);
	if (!strcmp(command, "unmap"))
		return unmap(area);
	if (strcmp(command, "write"))
		return -EINVAL;
	dirty(area);
	return 0;
}

int main(void)
{
	struct area area = { .fd = -1 };
	char line[256];

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		char *words[WORDS + 2] = { NULL };
		int count = 0;
		long answer;

		for (char *word = strtok(line, " \n"); word && count <= WORDS;
		     word = strtok(NULL, " \n"))
			words[count++] = word;
		if (count == 0)
			continue;
		answer = obey(&area, words);
		if (answer < 0)
			printf("%s\n", strerror((int)-answer));
		else if (answer == 0)
			puts("ok");
		else
			printf("%ld\n", answer);
	}
	return 0;
}
