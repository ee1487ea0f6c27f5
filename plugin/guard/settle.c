/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/kernel.h"
#include "guard/settle.h"

/* The least that there are. */
#define PAGE_MIN 4096

/* Fewer are not worth a process. */
#define WORTH (SETTLE_MAX / 16)

/* What a fork copies of the memory is where its pages lie, and so a hold on the slots. */
static pid_t hold_slots(char *memory, size_t size)
{
	pid_t parent = getpid(), holder;

	if (madvise(memory, size, MADV_DOFORK))
		return -errno;
	holder = fork();
	if (holder == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			pause();
		_exit(EXIT_SUCCESS);
	}
	if (holder < 0)
		holder = -errno;
	madvise(memory, size, MADV_DONTFORK);
	return holder;
}

static void let_go(pid_t holder)
{
	kill(holder, SIGKILL);
	while (waitpid(holder, NULL, 0) < 0 && errno == EINTR)
		;
}

long settle(char *memory, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char cached[SETTLE_MAX / PAGE_MIN];
	long bytes = 0;
	pid_t holder;

	if (size > SETTLE_MAX || mincore(memory, size, cached))
		return size > SETTLE_MAX ? -EINVAL : -errno;
	for (size_t i = 0; i < size / page; i++)
		bytes += cached[i] & 1 ? (long)page : 0;
	if ((size_t)bytes < WORTH)
		return bytes;
	holder = hold_slots(memory, size);
	if (holder < 0)
		return holder;
	for (size_t i = 0; i < size / page; i++) {
		if (cached[i] & 1)
			(void)*(volatile char *)(memory + i * page);
	}
	madvise(memory, size, MADV_PAGEOUT);
	let_go(holder);
	return bytes;
}
