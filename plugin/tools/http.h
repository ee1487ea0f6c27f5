/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request of HTTP, answered with metrics: for a service that systemd starts for each connection
 * (Accept=yes), and that ends with it.  GET and HEAD of /metrics; all else is refused as RFC 9110
 * wants it.
 */
#ifndef RAMZSWAP_HTTP_H
#define RAMZSWAP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Bytes of a request's head, and how long a client may take to send it. */
#define HTTP_HEAD_MAX 8192u
#define HTTP_TIMEOUT_MS 5000u

struct http_answer {
	int status;
	bool with_body; /* not for HEAD */
};

/*
 * What a request is to be answered with.  length is that of its head up to the empty line, which
 * is in it.  Pure.
 */
struct http_answer http_judge(const char *head, size_t length);

/*
 * Reads a request from a descriptor and answers it there: a socket, or in to be read and out to be
 * written.  write makes the body; it returns 0 or a negative errno, which the client is told as
 * 500.  0, or a negative errno if there is no client to talk to any more.
 */
int http_serve(int in, int out, int (*write)(void *opaque, FILE *body), void *opaque);

#endif
