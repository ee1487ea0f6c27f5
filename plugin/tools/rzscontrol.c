/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rzscontrol: statistics of a running disk, and orders to it, over its control
 * socket (control/protocol.h).
 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hints.h"
#include "base/secrecy.h"
#include "control/control.h"
#include "tools/ask.h"
#include "tools/disk.h"
#include "tools/metrics.h"
#include "tools/stats_text.h"

#define DEFAULT_SOCKET "/run/ramzswap/control"

/* What stats --json and the like ask for. */
enum form { FORM_NONE, FORM_ALL, FORM_JSON, FORM_PROMETHEUS };

struct invocation;

struct command {
	const char *name;
	int words; /* of its argument, at most */
	bool slow; /* waited for as long as it takes */
	void (*run)(const struct invocation *invocation);
};

struct invocation {
	const char *socket;
	const struct command *command;
	char argument[64]; /* what stands behind the command, or empty */
	enum form form;
};

static void show_status(const struct invocation *invocation);
static void show_stats(const struct invocation *invocation);
static void show_backing(const struct invocation *invocation);
static void give_order(const struct invocation *invocation);

/* What rzscontrol does itself; the rest is for the server to do. */
static const struct command own_commands[] = {
	{ "status", 0, false, show_status },
	{ "stats", 0, false, show_stats },
};
#define OWN_COUNT (sizeof(own_commands) / sizeof(own_commands[0]))

#define COMMAND(name, words, needs, alone, slow, help) { #name, words, slow, give_order },
static const struct command orders[] = { CONTROL_COMMANDS(COMMAND) };
#undef COMMAND
#define ORDER_COUNT (sizeof(orders) / sizeof(orders[0]))

#define HELP(name, words, needs, alone, slow, help) help
static const char usage[] =
	"Usage: rzscontrol [-c SOCKET] [COMMAND]\n"
	"\n"
	"Commands:\n"
	"  status                       show the disk at one look; the same without a "
	"command\n" CONTROL_COMMANDS(HELP) "\n"
					   "Options:\n"
					   "  -c, --control=SOCKET  the server's control socket; "
					   "else $RAMZSWAP_CONTROL,\n"
					   "                        else " DEFAULT_SOCKET "\n"
					   "      --stats           all statistics, in the form of "
					   "2009; the same as stats --all\n"
					   "      --reset           the same as the command\n"
					   "  -h, --help            show this text\n"
					   "  -V, --version         show the version\n";
#undef HELP

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	va_list args;

	fputs("rzscontrol: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/* To stdout; a full disk or a closed pipe is a failure like any other. */
static void print_and_exit(const char *text) __attribute__((noreturn));

static void print_and_exit(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		fail("cannot write the output: %m");
	exit(EXIT_SUCCESS);
}

static void must_be_written(int err)
{
	if (err)
		fail("cannot write the output: %s", strerror(-err));
}

static void ask_disk(const struct invocation *invocation, struct disk *disk)
{
	char why[ASK_WHY_MAX];

	if (disk_ask(disk, invocation->socket, why))
		fail("%s", why);
}

static void show_status(const struct invocation *invocation)
{
	struct disk disk;

	ask_disk(invocation, &disk);
	must_be_written(disk_look(&disk, stdout));
}

/* Beside the statistics, not among them: their lines are read by programs too. */
static void show_hints(const struct ramzswap_stats *stats)
{
	const char *hints[HINTS_MAX];
	size_t count = stats_hints(stats, hints);

	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "hint: %s\n", hints[i]);
}

static void show_stats(const struct invocation *invocation)
{
	struct disk disk;
	const struct control_about *about = &disk.about;

	ask_disk(invocation, &disk);
	if (!disk.tells)
		about = NULL;
	switch (invocation->form) {
	case FORM_NONE:
		must_be_written(stats_write_groups(&disk.stats, about, stdout));
		break;
	case FORM_ALL:
		must_be_written(stats_write_text(&disk.stats, stdout));
		break;
	case FORM_JSON:
		must_be_written(stats_write_json(&disk.stats, stdout));
		break;
	case FORM_PROMETHEUS:
		must_be_written(metrics_write(&disk, 1, stdout));
		break;
	}
	if (invocation->form == FORM_NONE || invocation->form == FORM_ALL)
		show_hints(&disk.stats);
}

/* Made of the statistics. */
static void show_backing(const struct invocation *invocation)
{
	struct disk disk;

	ask_disk(invocation, &disk);
	must_be_written(stats_write_backing(&disk.stats, stdout));
}

static void give_order(const struct invocation *invocation)
{
	char answer[ASK_MAX + 1];
	char request[128], why[ASK_WHY_MAX];
	const char *body;

	snprintf(request, sizeof(request), "%s%s%s", invocation->command->name,
		 *invocation->argument ? " " : "", invocation->argument);
	if (ask(invocation->socket, request,
		invocation->command->slow ? CONTROL_PATIENT : ASK_TIMEOUT_S, answer, &body, why))
		fail("%s", why);
	print_and_exit(body);
}

static const struct command *find_command(const char *name)
{
	char names[CONTROL_NAMES_MAX];

	for (size_t i = 0; i < OWN_COUNT; i++)
		if (!strcmp(own_commands[i].name, name))
			return &own_commands[i];
	for (size_t i = 0; i < ORDER_COUNT; i++)
		if (!strcmp(orders[i].name, name))
			return &orders[i];
	control_command_names(names);
	fail("unknown command %s: use status, %s", name, names);
}

static void set_command(struct invocation *invocation, const char *name)
{
	if (invocation->command)
		fail("one command at a time, not both %s and %s", invocation->command->name, name);
	invocation->command = find_command(name);
}

static void set_form(struct invocation *invocation, enum form form)
{
	if (invocation->form && invocation->form != form)
		fail("choose one of --all, --json and --prometheus");
	invocation->form = form;
}

enum option_value { OPTION_STATS = 256, OPTION_RESET, OPTION_ALL, OPTION_JSON, OPTION_PROMETHEUS };

static void parse_options(int argc, char **argv, struct invocation *invocation)
{
	static const struct option options[] = {
		{ "control", required_argument, NULL, 'c' },
		{ "stats", no_argument, NULL, OPTION_STATS },
		{ "reset", no_argument, NULL, OPTION_RESET },
		{ "all", no_argument, NULL, OPTION_ALL },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "prometheus", no_argument, NULL, OPTION_PROMETHEUS },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	bool as_in_2009 = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			invocation->socket = optarg;
			break;
		case OPTION_STATS:
			set_command(invocation, "stats");
			as_in_2009 = true;
			break;
		case OPTION_RESET:
			set_command(invocation, "reset");
			break;
		case OPTION_ALL:
			set_form(invocation, FORM_ALL);
			break;
		case OPTION_JSON:
			set_form(invocation, FORM_JSON);
			break;
		case OPTION_PROMETHEUS:
			set_form(invocation, FORM_PROMETHEUS);
			break;
		case 'h':
			print_and_exit(usage);
		case 'V':
			print_and_exit("rzscontrol " RAMZSWAP_VERSION "\n");
		case ':':
			fail("%s needs the path of a socket", argv[optind - 1]);
		default:
			fail("unknown option %s: see rzscontrol --help", argv[optind - 1]);
		}
	}
	if (as_in_2009 && invocation->form == FORM_NONE)
		invocation->form = FORM_ALL;
}

/* The words behind a command, as the server wants them: what they say is for it to judge. */
static void parse_arguments(int count, char **words, struct invocation *invocation)
{
	const char *name = invocation->command->name;
	bool size = strcmp(name, "memlimit") == 0, backing = strcmp(name, "backing") == 0;
	int most = invocation->command->words;
	size_t used = 0;

	if (size && (count == 0 || strchr(words[0], '\n')))
		fail("memlimit needs a size such as 512M, or none for no limit");
	if (backing && count == 1)
		fail("backing %s needs a size such as 512M, or none for no limit", words[0]);
	if (count > most)
		fail("%s does not take \"%s\"", name, words[most]);
	for (int i = 0; i < count; i++) {
		int len = snprintf(invocation->argument + used, sizeof(invocation->argument) - used,
				   "%s%s", i ? " " : "", words[i]);

		bool fits = len >= 0 && (size_t)len < sizeof(invocation->argument) - used;

		if (!fits && size)
			fail("memlimit takes a size such as 512M, or none");
		if (!fits || strchr(words[i], '\n'))
			fail("%s does not take \"%s\"", name, words[i]);
		used += (size_t)len;
	}
}

/* The command that is not an option, its argument, and whether all go together. */
static void parse_command(int count, char **words, struct invocation *invocation)
{
	if (count > 0) {
		set_command(invocation, words[0]);
		words++;
		count--;
	}
	if (!invocation->command)
		set_command(invocation, "status");
	parse_arguments(count, words, invocation);
	if (invocation->form && invocation->command->run != show_stats)
		fail("--all, --json and --prometheus are for stats, not for %s",
		     invocation->command->name);
}

int main(int argc, char **argv)
{
	struct invocation invocation = { .socket = getenv("RAMZSWAP_CONTROL") };

	if (!invocation.socket || !*invocation.socket)
		invocation.socket = DEFAULT_SOCKET;
	/* For the characters that there are; numbers stay as programs write them. */
	setlocale(LC_CTYPE, "");
	secrecy_begin();
	parse_options(argc, argv, &invocation);
	parse_command(argc - optind, argv + optind, &invocation);
	/* What it shows is made of the statistics. */
	if (!strcmp(invocation.command->name, "backing") && !*invocation.argument)
		show_backing(&invocation);
	else
		invocation.command->run(&invocation);
	return EXIT_SUCCESS;
}
