/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How rzscontrol was called.  What is wrong with that ends the program, with a line of why. */
#ifndef RAMZSWAP_INVOCATION_H
#define RAMZSWAP_INVOCATION_H

#include <stdbool.h>

/* What rzscontrol does itself; an order is for the server to carry out. */
enum task {
	TASK_STATUS,
	TASK_STATS,
	TASK_BACKING,
	TASK_LIST,
	TASK_METRICS,
	TASK_WATCH,
	TASK_HISTOGRAMS,
	TASK_PROGRESS,
	TASK_CANCEL,
	TASK_ORDER
};

struct invocation {
	const char *socket; /* of -c, of the environment, or the usual one */
	bool socket_given;  /* by one of the first two */
	enum task task;
	const char *command;
	bool slow;	   /* an order that is waited for as long as it takes */
	char argument[64]; /* of an order: what stands behind it, or empty */
	char **words;	   /* of another task: the same */
	int word_count;

	/* Options, each for some of the tasks. */
	bool all, json, prometheus, raw, noheadings, bytes, http;
	const char *output;   /* columns of list, file of metrics */
	unsigned int seconds; /* of watch */
	unsigned int count;   /* the same; 0: without end */
};

/* Shows help and version, too, and ends the program then. */
void invocation_parse(struct invocation *invocation, int argc, char **argv);

/* Ends the program: "rzscontrol: TEXT" on stderr, and status 1. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Ends the program well; but a full disk or a closed pipe is a failure like any other. */
void print_and_exit(const char *text) __attribute__((noreturn));

#endif
