/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of the control socket (see control.h): from a request line to the
 * operation, and from its outcome to the answer.  Nothing here allocates.
 */
#ifndef RAMZSWAP_CONTROL_COMMANDS_H
#define RAMZSWAP_CONTROL_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "control/control.h"

struct control_reply {
	size_t len;
	char text[CONTROL_REPLY_MAX];
};

/* The command that is being carried out and may take long, or none. */
struct control_running {
	const char *name; /* NULL: none.  It and since_ms are the talking thread's alone */
	uint64_t since_ms;
	struct work work;
};

/* Descriptors that came with a request.  Who takes one out takes it over. */
struct control_files {
	size_t count;
	int fd[2];
};

/* What a command is run with. */
struct control_request {
	const char *argument; /* or NULL */
	struct control_files files;
	struct control_running *running;
};

struct control_command {
	const char *name;
	const char *needs; /* what its argument is to be; NULL: it takes none */
	bool alone;	   /* it does without that argument, too */
	bool slow;	   /* may take long */
	void (*run)(const struct control_ops *ops, void *opaque, struct control_request *request,
		    struct control_reply *reply);
};

/* Makes the answer "error TEXT"; a text too long is cut, and is one line whatever it holds. */
void control_reply_error(struct control_reply *reply, const char *text);

/*
 * Finds the command of a request line (without its newline), which is cut in two
 * for it: *argument points into it, or is NULL for a command without one.
 * NULL for a line that asks for nothing we have; reply is the answer then.
 */
const struct control_command *control_command_find(char *line, const char **argument,
						   struct control_reply *reply);

#endif
