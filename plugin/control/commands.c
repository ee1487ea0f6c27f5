/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "control/commands.h"
#include "control/progress.h"

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

/* The answer to work that moves bytes. */
static void answer_work(struct control_reply *reply, const struct control_request *request,
			int error, const char *why, uint64_t bytes, const char *moved)
{
	unsigned long long kib = bytes / 1024;

	if (error)
		answer_failure(reply, error, why);
	else if (work_is_cancelled(&request->running->work))
		answer(reply, "error cancelled: %llu kB %s until then\n", kib, moved);
	else
		answer(reply, CONTROL_OK "%llu kB %s\n", kib, moved);
}

static void run_stats(const struct control_ops *ops, void *opaque, struct control_request *request,
		      struct control_reply *reply)
{
	struct ramzswap_stats stats = { 0 };
	int len;

	ops->get_stats(opaque, &stats);
	answer(reply, CONTROL_OK);
	len = stats_format_plain(&stats, reply->text + reply->len,
				 sizeof(reply->text) - reply->len);
	if (len > 0)
		reply->len += (size_t)len;
}

static void run_histograms(const struct control_ops *ops, void *opaque,
			   struct control_request *request, struct control_reply *reply)
{
	struct histogram_state states[HISTOGRAM_KINDS];
	int len;

	ops->get_histograms(opaque, states);
	answer(reply, CONTROL_OK);
	len = histograms_format(states, reply->text + reply->len, sizeof(reply->text) - reply->len);
	if (len > 0)
		reply->len += (size_t)len;
}

static void run_about(const struct control_ops *ops, void *opaque, struct control_request *request,
		      struct control_reply *reply)
{
	struct control_about about = { 0 };
	int len;

	ops->describe(opaque, &about);
	answer(reply, CONTROL_OK);
	len = control_about_format(&about, reply->text + reply->len,
				   sizeof(reply->text) - reply->len);
	if (len > 0)
		reply->len += (size_t)len;
}

static void run_memlimit(const struct control_ops *ops, void *opaque,
			 struct control_request *request, struct control_reply *reply)
{
	const char *argument = request->argument;
	uint64_t bytes = CONTROL_NO_LIMIT;
	char why[CONTROL_WHY_MAX] = "";
	int error = 0;

	if (strcmp(argument, "off") == 0 || strcmp(argument, "unlimited") == 0) {
		snprintf(why, sizeof(why), "\"%s\" is no size: give none for no limit", argument);
		answer_failure(reply, -EINVAL, why);
		return;
	}
	/* Files are opened for a share only: this must answer when there is no memory. */
	if (strcmp(argument, "none") != 0)
		error = size_parse(argument, strchr(argument, '%') ? size_of_ram() : UINT64_MAX,
				   &bytes, why, sizeof(why));
	if (!error)
		error = ops->set_memlimit(opaque, bytes, why, sizeof(why));
	if (error)
		answer_failure(reply, error, why);
	else
		answer(reply, CONTROL_OK "%s%s", why, *why ? "\n" : "");
}

static void run_compact(const struct control_ops *ops, void *opaque,
			struct control_request *request, struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "";
	uint64_t bytes = 0;
	int error = ops->compact(opaque, &request->running->work, &bytes, why, sizeof(why));

	answer_work(reply, request, error, why, bytes, "given back");
}

static void run_recompress(const struct control_ops *ops, void *opaque,
			   struct control_request *request, struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "";
	uint64_t bytes = 0;
	int error = ops->recompress(opaque, &request->running->work, &bytes, why, sizeof(why));

	answer_work(reply, request, error, why, bytes, "won");
}

/* idle SECONDS, huge or all; nothing for what the server would do by itself. */
static int parse_writeback(const char *argument, enum control_writeback *what,
			   unsigned int *seconds)
{
	char end;

	*what = CONTROL_WRITEBACK_POLICY;
	*seconds = 0;
	if (!argument)
		return 0;
	if (strcmp(argument, "huge") == 0)
		*what = CONTROL_WRITEBACK_HUGE;
	else if (strcmp(argument, "all") == 0)
		*what = CONTROL_WRITEBACK_ALL;
	else if (strncmp(argument, "idle ", 5) == 0 && argument[5] >= '0' && argument[5] <= '9' &&
		 strlen(argument) < 15 && sscanf(argument + 5, "%u%c", seconds, &end) == 1)
		*what = CONTROL_WRITEBACK_IDLE;
	else
		return -EINVAL;
	return 0;
}

static void run_writeback(const struct control_ops *ops, void *opaque,
			  struct control_request *request, struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "";
	enum control_writeback what;
	unsigned int seconds;
	uint64_t bytes = 0;
	int error = parse_writeback(request->argument, &what, &seconds);

	if (error)
		snprintf(why, sizeof(why), "writeback takes idle SECONDS, huge or all, not \"%s\"",
			 request->argument);
	else
		error = ops->writeback(opaque, &request->running->work, what, seconds, &bytes, why,
				       sizeof(why));
	answer_work(reply, request, error, why, bytes, "moved to the backing store");
}

static void run_backing(const struct control_ops *ops, void *opaque,
			struct control_request *request, struct control_reply *reply)
{
	const char *argument = request->argument;
	bool day = strncmp(argument, "budget ", strlen("budget ")) == 0;
	char why[CONTROL_WHY_MAX] = "";
	uint64_t bytes = 0;
	const char *size = strchr(argument, ' ');
	int error = 0;

	if (!day && strncmp(argument, "rate ", strlen("rate ")) != 0) {
		error = -EINVAL;
		snprintf(why, sizeof(why),
			 "backing takes budget SIZE or rate SIZE, or none for SIZE");
	} else if (strcmp(size + 1, "none") != 0) {
		error = size_parse(size + 1, 0, &bytes, why, sizeof(why));
	}
	if (!error)
		error = ops->set_allowance(opaque, day, bytes, why, sizeof(why));
	if (error)
		answer_failure(reply, error, why);
	else
		answer(reply, CONTROL_OK);
}

static bool hex_digit(char c, unsigned char *value)
{
	if (c >= '0' && c <= '9')
		*value = (unsigned char)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*value = (unsigned char)(c - 'a' + 10);
	else
		return false;
	return true;
}

static bool parse_proof(const char *text, unsigned char *proof)
{
	if (strlen(text) != 2 * CONTROL_PROOF_SIZE)
		return false;
	for (size_t i = 0; i < CONTROL_PROOF_SIZE; i++) {
		unsigned char high, low;

		if (!hex_digit(text[2 * i], &high) || !hex_digit(text[2 * i + 1], &low))
			return false;
		proof[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* SLOTS FUNCTION PROOF; function is where the name is to go. */
static bool parse_freed(const char *argument, struct control_freed *freed, char *function)
{
	char slots[20], proof[2 * CONTROL_PROOF_SIZE + 2], end;

	if (sscanf(argument, "%19[0-9] %63[a-zA-Z0-9_] %33s%c", slots, function, proof, &end) != 3)
		return false;
	freed->slots = strtoull(slots, NULL, 10);
	freed->function = function;
	return parse_proof(proof, freed->proof);
}

static void take_freed(const struct control_ops *ops, void *opaque, struct control_request *request,
		       struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "", function[64];
	struct control_freed freed;
	int error;

	if (!parse_freed(request->argument, &freed, function) || request->files.count != 2) {
		control_reply_error(reply, "freed takes off, or what ramzswap-freed sends");
		return;
	}
	freed.array = request->files.fd[0];
	freed.link = request->files.fd[1];
	request->files.count = 0;
	error = ops->take_freed(opaque, &freed, why, sizeof(why));
	if (error)
		answer_failure(reply, error, why);
	else
		answer(reply, CONTROL_OK);
}

static void run_freed(const struct control_ops *ops, void *opaque, struct control_request *request,
		      struct control_reply *reply)
{
	char text[CONTROL_WHY_MAX];

	if (!request->argument) {
		ops->describe_freed(opaque, text, sizeof(text));
		answer(reply, CONTROL_OK "%s\n", text);
	} else if (!strcmp(request->argument, "off")) {
		ops->end_freed(opaque);
		answer(reply, CONTROL_OK);
	} else {
		take_freed(ops, opaque, request, reply);
	}
}

static void run_reset(const struct control_ops *ops, void *opaque, struct control_request *request,
		      struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "";
	int error = ops->reset(opaque, why, sizeof(why));

	if (error)
		answer_failure(reply, error, why);
	else
		answer(reply, CONTROL_OK);
}

static void run_check(const struct control_ops *ops, void *opaque, struct control_request *request,
		      struct control_reply *reply)
{
	char why[CONTROL_WHY_MAX] = "";
	struct work *work = &request->running->work;
	int error = ops->check(opaque, work, why, sizeof(why));

	if (error)
		answer_failure(reply, error, why);
	else if (work_is_cancelled(work))
		control_reply_error(reply, "cancelled: no errors found until then");
	else
		answer(reply, CONTROL_OK "no errors found\n");
}

static void run_progress(const struct control_ops *ops, void *opaque,
			 struct control_request *request, struct control_reply *reply)
{
	const struct control_running *running = request->running;
	struct control_progress progress = { "none", 0, 0, 0, 0 };
	char text[CONTROL_PROGRESS_MAX];

	if (running->name) {
		snprintf(progress.command, sizeof(progress.command), "%s", running->name);
		progress.milliseconds = clock_ms() - running->since_ms;
		progress.done = atomic_load(&running->work.done);
		progress.total = atomic_load(&running->work.total);
		progress.round = atomic_load(&running->work.round);
	}
	(void)control_progress_format(&progress, text, sizeof(text));
	answer(reply, CONTROL_OK "%s", text);
}

/* What is not ended early: it is soon done, or half of it would be worse than all. */
static bool goes_on(const char *command)
{
	return !strcmp(command, "reset") || !strcmp(command, "freed");
}

static void run_cancel(const struct control_ops *ops, void *opaque, struct control_request *request,
		       struct control_reply *reply)
{
	struct control_running *running = request->running;

	if (!running->name) {
		control_reply_error(reply, "there is nothing to cancel");
	} else if (goes_on(running->name)) {
		answer(reply, "error %s is not to be cancelled: it is soon done\n", running->name);
	} else {
		work_cancel(&running->work);
		answer(reply, CONTROL_OK "%s is cancelled\n", running->name);
	}
}

static const struct control_command commands[] = {
#define COMMAND(name_, words_, needs_, alone_, slow_, help_) \
	{ .name = #name_,                                    \
	  .needs = (needs_),                                 \
	  .alone = (alone_),                                 \
	  .slow = (slow_),                                   \
	  .run = run_##name_ },
	CONTROL_COMMANDS(COMMAND)
#undef COMMAND
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct control_command *control_command_find(char *line, const char **argument,
						   struct control_reply *reply)
{
	const struct control_command *command = commands;
	char names[CONTROL_NAMES_MAX], *blank;

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
		control_command_names(names);
		answer(reply, "error unknown command \"%s\": use %s\n", line, names);
		return NULL;
	}
	if (blank && !command->needs) {
		answer(reply, "error %s takes no argument\n", command->name);
		return NULL;
	}
	if (!blank && command->needs && !command->alone) {
		answer(reply, "error %s needs %s\n", command->name, command->needs);
		return NULL;
	}
	*argument = blank ? blank + 1 : NULL;
	return command;
}
