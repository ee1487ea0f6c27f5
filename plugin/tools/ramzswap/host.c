/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of host.h that is files and words; calls.c has the rest. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ramzswap/host.h"

#define WAIT_MS 5000
#define LOOK_MS 100

static bool format_path(const struct host *host, char *path, size_t size, const char *format,
			va_list args)
{
	size_t used = strlen(host->root);
	int len;

	if (used >= size)
		return false;
	memcpy(path, host->root, used);
	len = vsnprintf(path + used, size - used, format, args);
	return len >= 0 && (size_t)len < size - used;
}

bool host_path(const struct host *host, char *path, size_t size, const char *format, ...)
{
	va_list args;
	bool fits;

	va_start(args, format);
	fits = format_path(host, path, size, format, args);
	va_end(args);
	return fits;
}

static bool read_path(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t got;

	text[0] = '\0';
	if (fd < 0)
		return false;
	while (used < size - 1 && (got = read(fd, text + used, size - 1 - used)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			text[0] = '\0';
			close(fd);
			return false;
		}
		used += (size_t)got;
	}
	close(fd);
	while (used > 0 && text[used - 1] == '\n')
		used--;
	text[used] = '\0';
	return true;
}

bool host_read(const struct host *host, char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	bool fits;

	va_start(args, format);
	fits = format_path(host, path, sizeof(path), format, args);
	va_end(args);
	text[0] = '\0';
	return fits && read_path(path, text, size);
}

bool host_read_number(const struct host *host, uint64_t *number, const char *format, ...)
{
	char path[PATH_MAX], text[32], *end;
	unsigned long long value;
	va_list args;
	bool fits;

	va_start(args, format);
	fits = format_path(host, path, sizeof(path), format, args);
	va_end(args);
	if (!fits || !read_path(path, text, sizeof(text)) || !isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end || errno)
		return false;
	*number = value;
	return true;
}

bool host_write(const struct host *host, const char *line, const char *format, ...)
{
	char path[PATH_MAX], text[256];
	int fd, len = snprintf(text, sizeof(text), "%s\n", line);
	va_list args;
	bool done;

	va_start(args, format);
	done = format_path(host, path, sizeof(path), format, args);
	va_end(args);
	if (!done || len < 0 || (size_t)len >= sizeof(text))
		return false;
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, text, (size_t)len) == len;
	return close(fd) == 0 && done;
}

static bool stat_path(const struct host *host, struct stat *file, const char *format, va_list args)
{
	char path[PATH_MAX];

	return format_path(host, path, sizeof(path), format, args) && stat(path, file) == 0;
}

bool host_exists(const struct host *host, const char *format, ...)
{
	struct stat file;
	va_list args;
	bool there;

	va_start(args, format);
	there = stat_path(host, &file, format, args);
	va_end(args);
	return there;
}

bool host_has_socket(const struct host *host, const char *format, ...)
{
	struct stat file;
	va_list args;
	bool there;

	va_start(args, format);
	there = stat_path(host, &file, format, args);
	va_end(args);
	return there && S_ISSOCK(file.st_mode);
}

bool host_read_field(const struct host *host, char *text, size_t size, const char *name,
		     const char *format, ...)
{
	char path[PATH_MAX], whole[4096], *line, *rest = whole;
	size_t length = strlen(name);
	va_list args;
	bool fits;

	va_start(args, format);
	fits = format_path(host, path, sizeof(path), format, args);
	va_end(args);
	text[0] = '\0';
	if (!fits || !read_path(path, whole, sizeof(whole)))
		return false;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, name, length) != 0)
			continue;
		line += length + strspn(line + length, " \t");
		line[strcspn(line, " \t")] = '\0';
		return snprintf(text, size, "%s", line) < (int)size;
	}
	return false;
}

static void remove_directory(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	rmdir(path);
}

void host_remove(const struct host *host, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	bool fits;

	va_start(args, format);
	fits = format_path(host, path, sizeof(path), format, args);
	va_end(args);
	if (fits && unlink(path) != 0 && (errno == EISDIR || errno == EPERM))
		remove_directory(path);
}

void host_remove_empty(const struct host *host, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	bool fits;

	va_start(args, format);
	fits = format_path(host, path, sizeof(path), format, args);
	va_end(args);
	if (fits)
		rmdir(path);
}

/* At once, however a line is buffered: what goes to one file stays in its order. */
static void put_line(FILE *to, const char *before, const char *format, va_list args)
{
	fputs(before, to);
	vfprintf(to, format, args);
	fputc('\n', to);
	fflush(to);
}

void host_say(const struct host *host, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(host->out, "ramzswap: ", format, args);
	va_end(args);
}

void host_warn(const struct host *host, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(host->err, "ramzswap: warning: ", format, args);
	va_end(args);
}

void host_complain(const struct host *host, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(host->err, "ramzswap: ", format, args);
	va_end(args);
}

bool host_wait(struct host *host, bool (*is_so)(struct host *host, void *about), void *about)
{
	uint64_t end = host->calls->now_ms(host) + WAIT_MS;

	while (!is_so(host, about)) {
		if (host->calls->now_ms(host) >= end)
			return false;
		host->calls->rest(host, LOOK_MS);
	}
	return true;
}
