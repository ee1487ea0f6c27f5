/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question to a server over its control socket, for programs of people: errors in words. */
#ifndef RAMZSWAP_ASK_H
#define RAMZSWAP_ASK_H

#include <stddef.h>

#include "control/control.h"

/*
 * How long to wait for an answer that takes no work: long, as the machine may be
 * short of memory.  Commands that take work are waited for as long as it takes.
 */
#define ASK_TIMEOUT_S 30

/* Any answer that a server gives fits, with room for statistics of a newer one. */
#define ASK_MAX (4 * CONTROL_REPLY_MAX)

#define ASK_WHY_MAX 512

/*
 * Asks, and points *body at what the server says behind its ok, inside answer.  seconds of silence
 * are waited for, CONTROL_PATIENT is without end.  0; -EREMOTEIO if the server refuses, and why is
 * its word for it; another negative errno if there is no answer, with a line of why.
 */
int ask(const char *socket, const char *request, unsigned int seconds, char answer[ASK_MAX + 1],
	const char **body, char why[ASK_WHY_MAX]);

/* What is done while an answer does not come, every so many milliseconds. */
struct ask_meanwhile {
	unsigned int milliseconds;
	void (*look)(void *opaque);
	void *opaque;
};

/* The same, for as long as it takes.  meanwhile may be NULL. */
int ask_patiently(const char *socket, const char *request, const struct ask_meanwhile *meanwhile,
		  char answer[ASK_MAX + 1], const char **body, char why[ASK_WHY_MAX]);

#endif
