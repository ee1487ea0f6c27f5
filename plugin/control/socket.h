/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listening Unix socket with a path that is ours alone to make and remove.
 */
#ifndef RAMZSWAP_CONTROL_SOCKET_H
#define RAMZSWAP_CONTROL_SOCKET_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/un.h>

struct control_socket {
	int fd;		   /* listening, non-blocking, close-on-exec */
	int directory;	   /* an O_PATH descriptor: good after chdir */
	struct stat inode; /* of the socket, to recognize it by */
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* in the directory */
};

/*
 * As control_bind (see control.h), which says what may go wrong.  *made is
 * untouched on failure.
 */
int control_socket_open(struct control_socket *made, const char *path, char *why, size_t why_size);

/* Removes the path, unless something else has taken its place, and closes. */
void control_socket_close(struct control_socket *sock);

#endif
