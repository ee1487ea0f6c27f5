/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/http.h"

#define PATH "/metrics"

/* How long a client that was refused may go on sending: if we closed, it might not see why. */
#define LINGER_MS 1000u

/* Of a status: what it is called, and what a person has to know. */
static const struct {
	int status;
	const char *name, *text;
} statuses[] = {
	{ 200, "OK", "" },
	{ 400, "Bad Request", "this is no request of HTTP/1.1\n" },
	{ 404, "Not Found", "there is only " PATH " here\n" },
	{ 405, "Method Not Allowed", PATH " takes GET and HEAD\n" },
	{ 408, "Request Timeout", "no request came in time\n" },
	{ 431, "Request Header Fields Too Large", "a request has at most 8 KiB\n" },
	{ 500, "Internal Server Error", "the metrics cannot be made\n" },
	{ 505, "HTTP Version Not Supported", "this speaks HTTP/1.1 and 1.0\n" },
};

/* A word of a line: where it begins, and how long it is. */
struct word {
	const char *text;
	size_t length;
};

static bool is(struct word word, const char *text)
{
	return word.length == strlen(text) && memcmp(word.text, text, word.length) == 0;
}

/* Cuts the next word off a line: one blank stands between two. */
static struct word next_word(struct word *line)
{
	const char *blank = memchr(line->text, ' ', line->length);
	struct word word = { line->text, blank ? (size_t)(blank - line->text) : line->length };
	size_t cut = word.length + (blank != NULL);

	line->text += cut;
	line->length -= cut;
	return word;
}

/* Cuts the next line off, without its end: CR LF, or LF from who is sloppy. */
static struct word next_line(struct word *head)
{
	const char *end = memchr(head->text, '\n', head->length);
	struct word line = { head->text, end ? (size_t)(end - head->text) : head->length };
	size_t cut = line.length + (end != NULL);

	head->text += cut;
	head->length -= cut;
	if (line.length > 0 && line.text[line.length - 1] == '\r')
		line.length--;
	return line;
}

/* GET, or anything else that a method may be called. */
static bool is_token(struct word word)
{
	for (size_t i = 0; i < word.length; i++)
		if (!strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
			    word.text[i]) ||
		    word.text[i] == '\0')
			return false;
	return word.length > 0;
}

/* The path alone: not of which host, as proxies have it, nor a query. */
static struct word path_of(struct word target)
{
	static const char scheme[] = "http://";
	const char *end;

	if (target.length > strlen(scheme) && !strncasecmp(target.text, scheme, strlen(scheme))) {
		size_t before = strlen(scheme);
		const char *slash = memchr(target.text + before, '/', target.length - before);

		before = slash ? (size_t)(slash - target.text) : target.length;
		target.text += before;
		target.length -= before;
	}
	end = memchr(target.text, '?', target.length);
	if (end)
		target.length = (size_t)(end - target.text);
	return target;
}

/* Fields: each a name, a colon, and what it says.  Whether they are; *hosts is how many say Host. */
static bool fields_are_sound(struct word head, unsigned int *hosts)
{
	*hosts = 0;
	while (head.length > 0) {
		struct word line = next_line(&head), name = line;
		const char *colon = memchr(line.text, ':', line.length);

		if (line.length == 0)
			return head.length == 0;
		if (!colon || memchr(line.text, '\0', line.length))
			return false;
		name.length = (size_t)(colon - line.text);
		if (!is_token(name))
			return false;
		*hosts += name.length == 4 && strncasecmp(name.text, "Host", 4) == 0;
	}
	return false;
}

struct http_answer http_judge(const char *head, size_t length)
{
	struct word rest = { head, length }, line, method, target, version;
	struct http_answer answer = { 400, true };
	unsigned int hosts;

	line = next_line(&rest);
	method = next_word(&line);
	target = next_word(&line);
	version = next_word(&line);
	if (line.length > 0 || !is_token(method) || target.length == 0 || version.length != 8 ||
	    memcmp(version.text, "HTTP/", 5) != 0 || !fields_are_sound(rest, &hosts))
		return answer;
	if (!is(version, "HTTP/1.1") && !is(version, "HTTP/1.0"))
		answer.status = 505;
	else if (hosts > 1 || (hosts == 0 && is(version, "HTTP/1.1")))
		answer.status = 400;
	else if (!is(path_of(target), PATH))
		answer.status = 404;
	else if (!is(method, "GET") && !is(method, "HEAD"))
		answer.status = 405;
	else
		answer.status = 200;
	answer.with_body = !is(method, "HEAD");
	return answer;
}

/* Waits until the file may be read or written, as events say.  0, or -ETIMEDOUT at the time `end`. */
static int await(int fd, short events, uint64_t end)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now = clock_ms();

		if (now >= end)
			return -ETIMEDOUT;
		if (poll(&poll_fd, 1, (int)(end - now)) > 0)
			return 0;
	}
}

/*
 * Reads.  More than 0 bytes, 0 at the end, -ETIMEDOUT at the time `end` of clock_ms, or another
 * negative errno.
 */
static ssize_t read_until(int fd, char *room, size_t size, uint64_t end)
{
	while (await(fd, POLLIN, end) == 0) {
		ssize_t got = read(fd, room, size);

		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return -ETIMEDOUT;
}

/* Where the empty line behind a head ends, or 0. */
static size_t head_end(const char *text, size_t length)
{
	struct word rest = { text, length };

	/* Empty lines before a request are skipped by the caller. */
	while (memchr(rest.text, '\n', rest.length))
		if (next_line(&rest).length == 0)
			return length - rest.length;
	return 0;
}

/* Reads a head, and judges it.  0, or a negative errno if there is no client any more. */
static int read_request(int in, struct http_answer *answer)
{
	uint64_t end = clock_ms() + HTTP_TIMEOUT_MS;
	char head[HTTP_HEAD_MAX];
	size_t used = 0, length = 0;

	while (length == 0) {
		ssize_t got = read_until(in, head + used, sizeof(head) - used, end);

		if (got == -ETIMEDOUT || (got == 0 && used > 0)) {
			*answer = (struct http_answer){ got == 0 ? 400 : 408, true };
			return 0;
		}
		if (got <= 0)
			return got == 0 ? -EPIPE : (int)got;
		used += (size_t)got;
		while (used > 0 && (head[0] == '\n' || head[0] == '\r'))
			memmove(head, head + 1, --used);
		length = head_end(head, used);
		if (length == 0 && used == sizeof(head)) {
			*answer = (struct http_answer){ 431, true };
			return 0;
		}
	}
	*answer = http_judge(head, length);
	return 0;
}

/* A client that does not read is not waited for without end: the kernel has room, or it has not. */
static int write_all(int fd, const char *text, size_t length)
{
	uint64_t end = clock_ms() + HTTP_TIMEOUT_MS;

	while (length > 0) {
		ssize_t sent;

		if (await(fd, POLLOUT, end) != 0)
			return -ETIMEDOUT;
		sent = write(fd, text, length);
		if (sent < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (sent > 0) {
			text += sent;
			length -= (size_t)sent;
		}
	}
	return 0;
}

static int send_answer(int out, const struct http_answer *answer, const char *body, size_t length)
{
	char head[512];
	size_t i = 0;
	int used, err;

	while (statuses[i].status != answer->status)
		i++;
	if (answer->status != 200) {
		body = statuses[i].text;
		length = strlen(body);
	}
	used = snprintf(head, sizeof(head),
			"HTTP/1.1 %d %s\r\n"
			"Content-Type: text/plain; %scharset=utf-8\r\n"
			"Content-Length: %zu\r\n"
			"%s"
			"Connection: close\r\n\r\n",
			answer->status, statuses[i].name,
			answer->status == 200 ? "version=0.0.4; " : "", length,
			answer->status == 405 ? "Allow: GET, HEAD\r\n" : "");
	err = write_all(out, head, (size_t)used);
	return err || !answer->with_body ? err : write_all(out, body, length);
}

/* To close a socket with bytes unread makes the client lose the answer. */
static void linger(int in, int out)
{
	uint64_t end = clock_ms() + LINGER_MS;
	char ignored[4096];

	(void)shutdown(out, SHUT_WR);
	while (read_until(in, ignored, sizeof(ignored), end) > 0)
		;
}

int http_serve(int in, int out, int (*write)(void *opaque, FILE *body), void *opaque)
{
	struct http_answer answer;
	char *body = NULL;
	size_t length = 0;
	FILE *stream;
	int err = read_request(in, &answer);

	if (err)
		return err;
	if (answer.status == 200) {
		stream = open_memstream(&body, &length);
		if (!stream || write(opaque, stream) != 0)
			answer.status = 500;
		if (stream && fclose(stream) != 0)
			answer.status = 500;
	}
	err = send_answer(out, &answer, body, length);
	free(body);
	if (!err)
		linger(in, out);
	return err;
}
