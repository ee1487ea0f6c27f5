/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of the control socket: asks a server for one thing.  Nothing here allocates,
 * prints or ends the program; errors are negative errnos, for the caller to put into words.
 */
#ifndef RAMZSWAP_CONTROL_CLIENT_H
#define RAMZSWAP_CONTROL_CLIENT_H

#include <stddef.h>

/* No limit on the time that an answer takes. */
#define CONTROL_PATIENT 0u

/*
 * Connects to the socket at path, to be closed by the caller.  Whatever is sent then may take
 * so many seconds.  A file descriptor, or -ENAMETOOLONG for a path of no or too many bytes;
 * -ENOENT, -ECONNREFUSED if no server listens, -EACCES, -EAGAIN if it is too busy, or another.
 */
int control_connect(const char *path, unsigned int seconds);

/* Sends a request, a line without its newline.  0, -EMSGSIZE, or what send(2) says. */
int control_send(int fd, const char *request);

/*
 * Receives the whole answer, up to the end that the server makes: a text of at most size - 1
 * bytes, ended by a newline and a zero.  0; -ETIMEDOUT after so many seconds of silence
 * (CONTROL_PATIENT: never); -EPIPE if the server went away before the answer was complete;
 * -EPROTO for what is no text or too long, as no server of ours says it; or another.
 */
int control_receive(int fd, unsigned int seconds, char *answer, size_t size);

/*
 * The body of an answer that says "ok", or NULL.  *error is then the text of one that says
 * "error", without its newline, which is taken off; or NULL for what is no answer.
 */
const char *control_body(char *answer, const char **error);

#endif
