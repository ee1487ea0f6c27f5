/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/processes.h"

#define LINE_MAX_BYTES 16384

/* Bytes read of a file of the process, with a NUL behind them; 0 if it cannot be read. */
static size_t read_file(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t got = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, text, size - 1);
		close(fd);
	}
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

static void split(char *line, size_t len, struct process *process)
{
	process->count = 0;
	for (size_t at = 0; at < len && process->count < PROCESS_WORDS_MAX;
	     at += strlen(line + at) + 1)
		process->words[process->count++] = line + at;
}

void processes_named(const char *command, bool (*look)(void *opaque, const struct process *process),
		     void *opaque)
{
	DIR *all = opendir("/proc");
	char line[LINE_MAX_BYTES];
	struct process process;
	struct dirent *entry;
	bool more = true;

	while (more && all && (entry = readdir(all))) {
		process.pid = (pid_t)atoi(entry->d_name);
		if (process.pid <= 0 || !read_file(process.pid, "comm", line, sizeof(line)) ||
		    strncmp(line, command, strlen(command)) != 0)
			continue;
		split(line, read_file(process.pid, "cmdline", line, sizeof(line)), &process);
		more = look(opaque, &process);
	}
	if (all)
		closedir(all);
}
