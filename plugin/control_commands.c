/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control_commands.h"
#include "size.h"

static void answer(struct control_reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void answer(struct control_reply *reply, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(reply->text, sizeof(reply->text), format, args);
	va_end(args);
	reply->len = len < 0 ? 0 : (size_t)len;
	if (reply->len >= sizeof(reply->text)) {
		reply->len = sizeof(reply->text) - 1;
		reply->text[reply->len - 1] = '\n';
	}
}

void control_reply_error(struct control_reply *reply, const char *text)
{
	answer(reply, "error %s\n", text);
	for (size_t i = 0; i + 1 < reply->len; i++)
		if (reply->text[i] < ' ' || reply->text[i] > '~')
			reply->text[i] = '?';
}

/* The answer to an operation that failed, and left word of why or not. */
static void answer_failure(struct control_reply *reply, int error, const char *why)
{
	control_reply_error(reply, *why ? why : strerror(-error));
}

static void run_stats(const struct control_ops *ops, void *opaque, const char *argument,
		      struct control_reply *reply)
{
	struct ramzswap_stats stats = {0};
	int len;

	ops->get_stats(opaque, &stats);
	answer(reply, CONTROL_OK);
	len = stats_format_plain(&stats, reply->text + reply->len,
				 sizeof(reply->text) - reply->len);
	if (len > 0)
		reply->len += (size_t)len;
}

static void run_memlimit(const struct control_ops *ops, void *opaque, const char *argument,
			 struct control_reply *reply)
{
	uint64_t bytes = CONTROL_NO_LIMIT;
	char why[CONTROL_WHY_MAX] = "";
	int error = 0;

	if (strcmp(argument, "none") != 0)
		error = size_parse(argument, size_of_ram(), &bytes, why, sizeof(why));
	if (!error)
		error = ops->set_memlimit(opaque, bytes, why, sizeof(why));
	if (error)
		answer_failure(reply, error, why);
	else
		answer(reply, CONTROL_OK);
}

static void run_compact(const struct control_ops *ops, void *opaque, const char *argument,
			struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "";
	uint64_t bytes = 0;
	int error = ops->compact(opaque, &bytes, why, sizeof(why));

	if (error)
		answer_failure(reply, error, why);
	else
		answer(reply, CONTROL_OK "%" PRIu64 " kB given back\n", bytes / 1024);
}

static void run_recompress(const struct control_ops *ops, void *opaque, const char *argument,
			   struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "";
	uint64_t bytes = 0;
	int error = ops->recompress(opaque, &bytes, why, sizeof(why));

	if (error)
		answer_failure(reply, error, why);
	else
		answer(reply, CONTROL_OK "%" PRIu64 " kB won\n", bytes / 1024);
}

static void run_reset(const struct control_ops *ops, void *opaque, const char *argument,
		      struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "";
	int error = ops->reset(opaque, why, sizeof(why));

	if (error)
		answer_failure(reply, error, why);
	else
		answer(reply, CONTROL_OK);
}

static void run_check(const struct control_ops *ops, void *opaque, const char *argument,
		      struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "";
	int error = ops->check(opaque, why, sizeof(why));

	if (error)
		answer_failure(reply, error, why);
	else
		answer(reply, CONTROL_OK "no errors found\n");
}

static const struct control_command commands[] = {
	{.name = "stats", .run = run_stats},
	{.name = "memlimit", .has_argument = true, .run = run_memlimit},
	{.name = "compact", .slow = true, .run = run_compact},
	{.name = "recompress", .slow = true, .run = run_recompress},
	{.name = "reset", .slow = true, .run = run_reset},
	{.name = "check", .slow = true, .run = run_check},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct control_command *control_command_find(char *line, const char **argument,
						   struct control_reply *reply)
{
	const struct control_command *command = commands;
	char *blank;

	for (const char *c = line; *c; c++) {
		if (*c < ' ' || *c > '~') {
			control_reply_error(reply, "the request is not a line of plain text");
			return NULL;
		}
	}
	blank = strchr(line, ' ');
	if (blank)
		*blank = '\0';
	while (command < commands + COMMAND_COUNT && strcmp(line, command->name) != 0)
		command++;
	if (command == commands + COMMAND_COUNT) {
		answer(reply,
		       "error unknown command \"%s\": use stats, memlimit, compact, recompress, "
		       "reset or check\n",
		       line);
		return NULL;
	}
	if (command->has_argument != (blank != NULL)) {
		answer(reply, "error %s %s\n", command->name,
		       command->has_argument ? "needs a size, or none for no limit"
					     : "takes no argument");
		return NULL;
	}
	*argument = blank ? blank + 1 : NULL;
	return command;
}
