/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/socket.h"

#define BACKLOG 16

/* How long to wait for another server that starts in the same directory. */
#define LOCK_TRIES 100
#define LOCK_PAUSE_US 10000

static int explain(int error, char *why, size_t why_size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int explain(int error, char *why, size_t why_size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (why && why_size)
		vsnprintf(why, why_size, format, args);
	va_end(args);
	return error;
}

static int make_address(struct sockaddr_un *address, const char *path, char *why, size_t why_size)
{
	size_t len = strlen(path);
	const char *slash = strrchr(path, '/');

	if (len == 0 || (slash && slash[1] == '\0'))
		return explain(-EINVAL, why, why_size,
			       "\"%s\" names no socket: use a path such as "
			       "/run/ramzswap/control",
			       path);
	if (len >= sizeof(address->sun_path))
		return explain(-ENAMETOOLONG, why, why_size,
			       "the socket's path is %zu bytes long: use one of at most %zu", len,
			       sizeof(address->sun_path) - 1);
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, path, len);
	return 0;
}

/* Opens the directory that holds path: for as little as possible, or to lock it. */
static int open_directory(const char *path, int flags)
{
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
	const char *slash = strrchr(path, '/');

	if (slash == path)
		strcpy(directory, "/");
	else if (slash)
		snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	return open(directory, flags | O_DIRECTORY | O_CLOEXEC);
}

/*
 * Two servers that start at once must not both take a socket for stale, and the
 * second remove what the first has just made.  A directory that cannot be locked
 * is no reason to fail: the check is then as good as it is without.
 */
static int lock_directory(const char *path)
{
	int fd = open_directory(path, O_RDONLY);

	if (fd < 0)
		return -1;
	for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK)
			break;
		usleep(LOCK_PAUSE_US);
	}
	return fd;
}

/* Removes the socket of a server that is gone; refuses to touch anything else. */
static int clear_path(int directory, const char *name, const struct sockaddr_un *address, char *why,
		      size_t why_size)
{
	const char *path = address->sun_path;
	struct stat found;
	int fd, error;

	if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return explain(-errno, why, why_size, "%s: %m", path);
	}
	if (!S_ISSOCK(found.st_mode))
		return explain(-EEXIST, why, why_size,
			       "%s exists and is not a socket: remove it or use another path",
			       path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return explain(-errno, why, why_size, "cannot create a socket: %m");
	error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	if (error == 0 || error == EAGAIN)
		return explain(-EADDRINUSE, why, why_size,
			       "a server listens on %s already: stop it or use another path", path);
	if (error != ECONNREFUSED)
		return explain(-EEXIST, why, why_size,
			       "%s is a socket of something else: remove it or use another path",
			       path);
	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		return explain(-errno, why, why_size, "cannot remove the stale socket %s: %m",
			       path);
	return 0;
}

/* Makes sock->fd listen at the address, and notes which inode that made. */
static int bind_and_listen(struct control_socket *sock, const struct sockaddr_un *address,
			   char *why, size_t why_size)
{
	int error;

	sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock->fd < 0)
		return explain(-errno, why, why_size, "cannot create a socket: %m");

	/* bind gives the path the mode of the socket, so nobody else ever gets in. */
	if (fchmod(sock->fd, 0600) == 0 &&
	    bind(sock->fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
		if (listen(sock->fd, BACKLOG) == 0 &&
		    fstatat(sock->directory, sock->name, &sock->inode, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
		error = -errno;
		unlinkat(sock->directory, sock->name, 0);
	} else {
		error = -errno;
	}
	close(sock->fd);
	errno = -error;
	return explain(error, why, why_size, "cannot create the socket %s: %m%s", address->sun_path,
		       error == -EACCES ? ": its directory must be writable" : "");
}

int control_socket_open(struct control_socket *made, const char *path, char *why, size_t why_size)
{
	struct control_socket sock = { .fd = -1 };
	struct sockaddr_un address;
	const char *slash;
	int lock, error;

	error = make_address(&address, path, why, why_size);
	if (error)
		return error;
	slash = strrchr(path, '/');
	strcpy(sock.name, slash ? slash + 1 : path);
	sock.directory = open_directory(path, O_PATH);
	if (sock.directory < 0)
		return explain(-errno, why, why_size,
			       "cannot create the socket %s: "
			       "its directory: %m",
			       path);

	lock = lock_directory(path);
	error = clear_path(sock.directory, sock.name, &address, why, why_size);
	if (!error)
		error = bind_and_listen(&sock, &address, why, why_size);
	if (lock >= 0)
		close(lock);
	if (error) {
		close(sock.directory);
		return error;
	}
	*made = sock;
	return 0;
}

void control_socket_close(struct control_socket *sock)
{
	struct stat found;

	if (fstatat(sock->directory, sock->name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
	    found.st_dev == sock->inode.st_dev && found.st_ino == sock->inode.st_ino)
		unlinkat(sock->directory, sock->name, 0);
	close(sock->directory);
	close(sock->fd);
}
