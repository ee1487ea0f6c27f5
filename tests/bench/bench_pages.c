/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench_pages.h"

static int read_all(int fd, uint8_t *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, data + done, size - done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += n;
	}
	return 0;
}

int bench_pages_load(struct bench_pages *pages, const char *path, uint32_t max)
{
	struct stat st;
	uint8_t *data;
	size_t count;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		fprintf(stderr, "%s: %s; make one with tests/bench/collect-pages\n", path,
			strerror(-r));
		if (fd >= 0)
			close(fd);
		return r;
	}
	count = st.st_size / BENCH_PAGE_SIZE;
	if (max && count > max)
		count = max;
	if (count == 0 || count > UINT32_MAX) {
		fprintf(stderr, "%s: holds no whole page of 4096 bytes\n", path);
		close(fd);
		return -EINVAL;
	}
	data = mmap(NULL, count * BENCH_PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r = data == MAP_FAILED ? -errno : read_all(fd, data, count * BENCH_PAGE_SIZE);
	close(fd);
	if (r) {
		fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(-r));
		if (data != MAP_FAILED)
			munmap(data, count * BENCH_PAGE_SIZE);
		return r;
	}
	pages->data = data;
	pages->count = (uint32_t)count;
	return 0;
}

void bench_pages_unload(struct bench_pages *pages)
{
	munmap(pages->data, (size_t)pages->count * BENCH_PAGE_SIZE);
	pages->data = NULL;
	pages->count = 0;
}

bool bench_page_same_filled(const uint8_t *page)
{
	return memcmp(page, page + 8, BENCH_PAGE_SIZE - 8) == 0;
}

uint64_t bench_clock(int clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double bench_median(double *numbers, unsigned int count)
{
	if (count == 0)
		return 0;
	qsort(numbers, count, sizeof(*numbers), compare);
	return count % 2 ? numbers[count / 2] : (numbers[count / 2 - 1] + numbers[count / 2]) / 2;
}
