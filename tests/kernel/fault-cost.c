/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints how many nanoseconds of processor time the first touch of a page takes here: the least of
 * several rounds, so that others' work on the machine counts little.  On hardware and in most
 * virtual machines it is 200 to 1,000.
 *
 * usage: fault-cost
 */
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096
#define PAGES 4096
#define ROUNDS 7

static long cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* For a page, or -1 where there is no memory. */
static long measure(void)
{
	volatile char *memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long before;

	if (memory == MAP_FAILED)
		return -1;
	madvise((void *)memory, (size_t)PAGES * PAGE, MADV_NOHUGEPAGE);
	before = cpu_ns();
	for (size_t at = 0; at < (size_t)PAGES * PAGE; at += PAGE)
		memory[at] = 1;
	before = (cpu_ns() - before) / PAGES;
	munmap((void *)memory, (size_t)PAGES * PAGE);
	return before;
}

int main(void)
{
	long least = -1;

	for (int round = 0; round < ROUNDS; round++) {
		long now = measure();

		if (now < 0) {
			perror("fault-cost: mmap");
			return 1;
		}
		if (least < 0 || now < least)
			least = now;
	}
	printf("%ld\n", least);
	return 0;
}
