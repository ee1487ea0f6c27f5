/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a request on the control socket, as a size, and as statistics that a
 * server sent.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/commands.h"
#include "base/size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 8192
#define RAM UINT64_C(1000003)

static void must(int truth, const char *promise)
{
	if (truth)
		return;
	fprintf(stderr, "broken promise: %s\n", promise);
	abort();
}

static void try_request(char *line)
{
	static struct control_reply reply;
	const struct control_command *command;
	const char *argument = NULL;

	reply.len = 0;
	command = control_command_find(line, &argument, &reply);
	if (command) {
		must(!strcmp(command->name, line), "a command is found by its name");
		must(argument ? command->needs != NULL : !command->needs || command->alone,
		     "arguments where they are due");
		must(reply.len == 0, "no answer before the command has run");
		return;
	}
	must(reply.len > 0 && reply.len < sizeof(reply.text), "an answer that fits");
	must(!strncmp(reply.text, "error ", 6), "an answer that says error");
	must(memchr(reply.text, '\n', reply.len) == reply.text + reply.len - 1,
	     "an answer of one line");
}

static void try_size(const char *text)
{
	char why[SIZE_WHY_MAX] = "";
	uint64_t bytes = 0;

	if (size_parse(text, RAM, &bytes, why, sizeof(why)) == 0) {
		must(bytes > 0 && bytes <= SIZE_MAX_BYTES, "a size in range");
	} else {
		must(bytes == 0, "an output untouched on failure");
		must(*why && !strchr(why, '\n'), "a reason of one line");
	}
}

static void try_stats(const char *text)
{
	struct ramzswap_stats stats, back;
	char plain[STATS_PLAIN_MAX];

	if (stats_parse_plain(&stats, text))
		return;
	must(stats_format_plain(&stats, plain, sizeof(plain)) > 0, "statistics that fit");
	must(stats_parse_plain(&back, plain) == 0 && !memcmp(&back, &stats, sizeof(stats)),
	     "statistics that come back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size > INPUT_MAX)
		return 0;
	text = malloc(size + 1);
	must(text != NULL, "memory");
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	try_stats(text);
	try_size(text);
	try_request(text);
	free(text);
	return 0;
}
