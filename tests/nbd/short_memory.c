/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To be loaded into nbdkit: so much memory is free as the file says that
 * RAMZSWAP_TEST_FREE names (in MB), of 8 GB.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

__attribute__((visibility("default"))) int sysinfo(struct sysinfo *info);

int sysinfo(struct sysinfo *info)
{
	const char *path = getenv("RAMZSWAP_TEST_FREE");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char text[32] = "";

	if (file < 0 || read(file, text, sizeof(text) - 1) < 0)
		abort();
	close(file);
	memset(info, 0, sizeof(*info));
	info->mem_unit = 1 << 20;
	info->totalram = 8 << 10;
	info->freeram = strtoul(text, NULL, 10);
	return 0;
}
