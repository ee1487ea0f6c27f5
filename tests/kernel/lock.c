/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded into a shell: its own pages are not swapped out, and survive the server. */
#include <sys/mman.h>
#include <unistd.h>

__attribute__((constructor)) static void lock(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		_exit(126);
}
