/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nbdkit/old_nbdkit.h"

#define ARGUMENTS_MAX 65536

/* Looks through the main program, which is the first that is told of. */
static int has_assertion(struct dl_phdr_info *info, size_t size, void *found)
{
	static const char function[] = "\0raw_send_socket";

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		const void *start = (const void *)(info->dlpi_addr + header->p_vaddr);

		if (header->p_type == PT_LOAD && (header->p_flags & PF_R) &&
		    !(header->p_flags & PF_W) &&
		    memmem(start, header->p_filesz, function, sizeof(function)))
			*(bool *)found = true;
	}
	return 1;
}

bool old_nbdkit_may_end(void)
{
	bool found = false;

	dl_iterate_phdr(has_assertion, &found);
	return found;
}

static bool begins(const char *argument, const char *with)
{
	return strncmp(argument, with, strlen(with)) == 0;
}

/* The number of -t N, -tN, --threads N or --threads=N, as text; else NULL. */
static const char *threads_of(const char *argument, const char *next)
{
	if (strcmp(argument, "-t") == 0 || strcmp(argument, "--threads") == 0)
		return next;
	if (begins(argument, "--threads="))
		return argument + strlen("--threads=");
	if (begins(argument, "-t"))
		return argument + strlen("-t");
	return NULL;
}

bool old_nbdkit_is_safe(const char *arguments, size_t size)
{
	const char *end = arguments + size;
	bool one_thread = false, plain = false;

	while (arguments < end) {
		const char *next = arguments + strnlen(arguments, (size_t)(end - arguments)) + 1;
		const char *threads = threads_of(arguments, next < end ? next : "");

		if (threads)
			one_thread = strcmp(threads, "1") == 0;
		plain |= strcmp(arguments, "--no-sr") == 0;
		arguments = next;
	}
	return one_thread && plain;
}

const char *old_nbdkit_warning(void)
{
	char *arguments;
	bool safe = false;
	ssize_t size = 0;
	int fd;

	if (!old_nbdkit_may_end())
		return NULL;
	arguments = malloc(ARGUMENTS_MAX + 1);
	fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	if (arguments && fd >= 0)
		size = read(fd, arguments, ARGUMENTS_MAX);
	if (fd >= 0)
		close(fd);
	if (size > 0) {
		arguments[size] = '\0';
		safe = old_nbdkit_is_safe(arguments, (size_t)size);
	}
	free(arguments);
	return safe ? NULL
		    : "warning: this nbdkit may end when a client hangs up (its own fault, mended "
		      "in "
		      "1.34): give it the options -t 1 --no-sr, or use a newer one";
}
