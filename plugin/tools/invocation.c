/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/size.h"
#include "control/control.h"
#include "tools/invocation.h"

#define DEFAULT_SOCKET "/run/ramzswap/control"
#define SECONDS_MAX 86400

/* Options that not all commands take, as bits. */
enum {
	ALL = 1,
	JSON = 2,
	PROMETHEUS = 4,
	OUTPUT = 8,
	RAW = 16,
	NOHEADINGS = 32,
	BYTES = 64,
	HTTP = 128
};

struct command {
	const char *name;
	enum task task;
	int words; /* behind it, at most */
	bool slow;
	unsigned int options; /* that it takes */
};

#define ANY_NUMBER 1000

#define COMMAND(name, words, needs, alone, slow, help) { #name, TASK_ORDER, words, slow, 0 },
static const struct command commands[] = {
	{ "status", TASK_STATUS, 0, false, 0 },
	{ "stats", TASK_STATS, 0, false, ALL | JSON | PROMETHEUS },
	{ "list", TASK_LIST, ANY_NUMBER, false, JSON | OUTPUT | RAW | NOHEADINGS | BYTES },
	{ "watch", TASK_WATCH, 2, false, 0 },
	{ "metrics", TASK_METRICS, ANY_NUMBER, false, OUTPUT | HTTP },
	{ "histograms", TASK_HISTOGRAMS, 0, false, 0 },
	{ "progress", TASK_PROGRESS, 0, false, 0 },
	{ "cancel", TASK_CANCEL, 0, false, 0 },
	CONTROL_COMMANDS(COMMAND)
};
#undef COMMAND
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

#define HELP(name, words, needs, alone, slow, help) help
static const char usage[] =
	"Usage: rzscontrol [-c SOCKET] [COMMAND]\n"
	"\n"
	"Commands:\n"
	"  status                       show the disk at one look; the same without a command\n"
	"  list [SOCKET...]             show all disks, one a row\n"
	"  watch [SECONDS [COUNT]]      show what the disk does, again and again\n"
	"  metrics [SOCKET...]          show all disks' statistics for "
	"Prometheus\n" CONTROL_COMMANDS(
		HELP) "\n"
		      "Options:\n"
		      "  -c, --control=SOCKET  the server's control socket; else "
		      "$RAMZSWAP_CONTROL,\n"
		      "                        else " DEFAULT_SOCKET "\n"
		      "  -o, --output=LIST     of list: the columns, with commas between\n"
		      "  -o, --output=FILE     of metrics: a file that is written anew, all at "
		      "once\n"
		      "      --http            of metrics: answer a request of HTTP on standard "
		      "input\n"
		      "      --json            of list, as of stats: for programs\n"
		      "  -r, --raw             of list: without alignment\n"
		      "  -n, --noheadings      of list: without the line of names\n"
		      "  -b, --bytes           of list: sizes in bytes\n"
		      "      --stats           all statistics, in the form of 2009; the same as "
		      "stats --all\n"
		      "      --reset           the same as the command\n"
		      "  -h, --help            show this text\n"
		      "  -V, --version         show the version\n";
#undef HELP

void fail(const char *format, ...)
{
	va_list args;

	fputs("rzscontrol: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

void print_and_exit(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		fail("cannot write the output: %m");
	exit(EXIT_SUCCESS);
}

/* All names, as "status, list, ... or check". */
static const char *command_names(char text[CONTROL_NAMES_MAX + 64])
{
	char orders[CONTROL_NAMES_MAX];

	control_command_names(orders);
	snprintf(text, CONTROL_NAMES_MAX + 64, "status, list, watch, metrics, %s", orders);
	return text;
}

/* What another program does, or nothing. */
static void explain_others_command(const char *name)
{
	static const char *const swaps[] = { "start", "stop",	  "reload",
					     "set",   "settings", "estimate" };

	for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++)
		if (!strcmp(name, swaps[i]))
			fail("unknown command %s: 'ramzswap %s' does that", name, name);
	if (!strcmp(name, "help") || !strcmp(name, "version"))
		fail("unknown command %s: did you mean --%s?", name, name);
	if (!strcmp(name, "size") || !strcmp(name, "resize") || !strcmp(name, "disksize"))
		fail("unknown command %s: a disk keeps its size until it is started anew, by "
		     "'ramzswap start --size SIZE' or nbdkit; memlimit changes",
		     name);
}

static const struct command *find_command(const char *name)
{
	char names[CONTROL_NAMES_MAX + 64];
	const char *all[COMMAND_COUNT], *meant;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		all[i] = commands[i].name;
	explain_others_command(name);
	if (strchr(name, '/'))
		fail("unknown command %s: a socket is named with -c %s", name, name);
	if (strchr(name, '='))
		fail("unknown command %s: a blank stands before what is set, as in memlimit 512M",
		     name);
	meant = nearest(name, all, COMMAND_COUNT);
	if (meant)
		fail("unknown command %s: did you mean %s?", name, meant);
	fail("unknown command %s: use %s", name, command_names(names));
}

static void set_command(const struct command **command, const char *name)
{
	if (*command && strcmp((*command)->name, name) != 0)
		fail("one command at a time, not both %s and %s", (*command)->name, name);
	*command = find_command(name);
}

enum option_value {
	OPTION_STATS = 256,
	OPTION_RESET,
	OPTION_ALL,
	OPTION_JSON,
	OPTION_PROMETHEUS,
	OPTION_HTTP
};

static const struct option options[] = {
	{ "control", required_argument, NULL, 'c' },
	{ "output", required_argument, NULL, 'o' },
	{ "raw", no_argument, NULL, 'r' },
	{ "noheadings", no_argument, NULL, 'n' },
	{ "bytes", no_argument, NULL, 'b' },
	{ "stats", no_argument, NULL, OPTION_STATS },
	{ "reset", no_argument, NULL, OPTION_RESET },
	{ "all", no_argument, NULL, OPTION_ALL },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "prometheus", no_argument, NULL, OPTION_PROMETHEUS },
	{ "http", no_argument, NULL, OPTION_HTTP },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* What an option names, once: of two, neither is dropped without a word. */
static const char *take_value(const char *before, const char *option, const char *is_for)
{
	if (before)
		fail("%s names %s, not both %s and %s", option, is_for, before, optarg);
	return optarg;
}

/* One that not all commands take.  False if it is none. */
static bool take_option(struct invocation *invocation, int option)
{
	switch (option) {
	case OPTION_ALL:
		invocation->all = true;
		return true;
	case OPTION_JSON:
		invocation->json = true;
		return true;
	case OPTION_PROMETHEUS:
		invocation->prometheus = true;
		return true;
	case OPTION_HTTP:
		invocation->http = true;
		return true;
	case 'o':
		invocation->output =
			take_value(invocation->output, "--output",
				   "one list of columns, with commas between, or one file");
		return true;
	case 'r':
		invocation->raw = true;
		return true;
	case 'n':
		invocation->noheadings = true;
		return true;
	case 'b':
		invocation->bytes = true;
		return true;
	}
	return false;
}

static void parse_options(int argc, char **argv, struct invocation *invocation,
			  const struct command **command)
{
	const char *socket = NULL;
	bool as_in_2009 = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:o:rnbhV", options, NULL)) != -1) {
		if (take_option(invocation, option))
			continue;
		switch (option) {
		case 'c':
			socket = take_value(socket, "--control", "one socket");
			break;
		case OPTION_STATS:
			set_command(command, "stats");
			as_in_2009 = true;
			break;
		case OPTION_RESET:
			set_command(command, "reset");
			break;
		case 'h':
			print_and_exit(usage);
		case 'V':
			print_and_exit("rzscontrol " RAMZSWAP_VERSION "\n");
		case ':':
			fail("%s needs %s", argv[optind - 1],
			     optopt == 'o' ? "columns (list) or a file (metrics)"
					   : "the path of a socket");
		default:
			fail("unknown option %s: see rzscontrol --help", argv[optind - 1]);
		}
	}
	if (socket) {
		invocation->socket = socket;
		invocation->socket_given = true;
	}
	if (as_in_2009 && !invocation->json && !invocation->prometheus)
		invocation->all = true;
}

/* "stats and list": the commands that take an option. */
static const char *takers(unsigned int option, char text[64])
{
	size_t used = 0;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (commands[i].options & option && used < 64 && commands[i].task != TASK_ORDER)
			used += (size_t)snprintf(text + used, 64 - used, "%s%s",
						 used ? " and " : "", commands[i].name);
	return text;
}

static void check_options(const struct invocation *invocation, const struct command *command)
{
	const struct {
		unsigned int option;
		bool given;
		const char *name;
	} given[] = {
		{ ALL, invocation->all, "--all" },
		{ JSON, invocation->json, "--json" },
		{ PROMETHEUS, invocation->prometheus, "--prometheus" },
		{ OUTPUT, invocation->output != NULL, "--output" },
		{ RAW, invocation->raw, "--raw" },
		{ NOHEADINGS, invocation->noheadings, "--noheadings" },
		{ BYTES, invocation->bytes, "--bytes" },
		{ HTTP, invocation->http, "--http" },
	};
	char names[64];

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		if (given[i].given && !(command->options & given[i].option))
			fail("%s is for %s, not for %s", given[i].name,
			     takers(given[i].option, names), command->name);
	if (invocation->all + invocation->json + invocation->prometheus > 1)
		fail("choose one of --all, --json and --prometheus");
	if (invocation->http && invocation->output)
		fail("--http answers on standard output: leave out --output");
	if (invocation->json && (invocation->raw || invocation->noheadings))
		fail("--json has its own form: leave out --raw and --noheadings");
}

/* The words behind an order, as the server wants them: what they say is for it to judge. */
static void join_words(int count, char **words, struct invocation *invocation)
{
	const char *name = invocation->command;
	bool size = strcmp(name, "memlimit") == 0, backing = strcmp(name, "backing") == 0;
	size_t used = 0;

	if (size && (count == 0 || strchr(words[0], '\n')))
		fail("memlimit needs a size such as 512M, or none for no limit");
	if (backing && count == 1)
		fail("backing %s needs a size such as 512M, or none for no limit", words[0]);
	for (int i = 0; i < count; i++) {
		size_t room = sizeof(invocation->argument) - used;
		int len =
			snprintf(invocation->argument + used, room, "%s%s", i ? " " : "", words[i]);
		bool fits = len >= 0 && (size_t)len < room;

		if (!fits && size)
			fail("memlimit takes a size such as 512M, or none");
		if (!fits || strchr(words[i], '\n'))
			fail("%s does not take \"%s\"", name, words[i]);
		used += (size_t)len;
	}
	/* What it shows is made of the statistics. */
	if (backing && count == 0)
		invocation->task = TASK_BACKING;
}

/* Twice the same series is nothing that Prometheus takes, nor is a disk two. */
static void check_sockets(int count, char **words)
{
	for (int i = 1; i < count; i++)
		for (int j = 0; j < i; j++)
			if (strcmp(words[i], words[j]) == 0)
				fail("%s is named twice: leave the second out", words[i]);
}

static unsigned int parse_number(const char *word, const char *what)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || errno || number == 0 || number > SECONDS_MAX)
		fail("watch takes %s, a whole number from 1 to %d, not \"%s\"", what, SECONDS_MAX,
		     word);
	return (unsigned int)number;
}

static void parse_watch(int count, char **words, struct invocation *invocation)
{
	invocation->seconds = count > 0 ? parse_number(words[0], "seconds between two looks") : 1;
	invocation->count = count > 1 ? parse_number(words[1], "a count of looks") : 0;
}

/* Of one word too many: what it was meant for, if that can be told. */
static void refuse_word(const struct command *command, const char *word)
{
	if (strchr(word, '/'))
		fail("%s does not take \"%s\": a socket is named with -c %s", command->name, word,
		     word);
	if (strcmp(command->name, "memlimit") == 0 && size_is_unit(word))
		fail("memlimit does not take \"%s\": a size is one word, such as 512M", word);
	if (strcmp(command->name, "recompress") == 0)
		fail("recompress does not take \"%s\": how long pages are idle first, and the "
		     "codec, are said at the start, as recompress=600:zstd",
		     word);
	fail("%s does not take \"%s\"", command->name, word);
}

void invocation_parse(struct invocation *invocation, int argc, char **argv)
{
	const struct command *command = NULL;

	*invocation = (struct invocation){ .socket = getenv("RAMZSWAP_CONTROL") };
	invocation->socket_given = invocation->socket && *invocation->socket;
	if (!invocation->socket_given)
		invocation->socket = DEFAULT_SOCKET;
	parse_options(argc, argv, invocation, &command);
	if (optind < argc)
		set_command(&command, argv[optind++]);
	if (!command)
		set_command(&command, "status");
	invocation->command = command->name;
	invocation->task = command->task;
	invocation->slow = command->slow;
	invocation->words = argv + optind;
	invocation->word_count = argc - optind;
	check_options(invocation, command);
	if (invocation->word_count > command->words)
		refuse_word(command, invocation->words[command->words]);
	if (command->task == TASK_ORDER)
		join_words(invocation->word_count, invocation->words, invocation);
	if (command->task == TASK_LIST || command->task == TASK_METRICS)
		check_sockets(invocation->word_count, invocation->words);
	if (command->task == TASK_WATCH)
		parse_watch(invocation->word_count, invocation->words, invocation);
}
