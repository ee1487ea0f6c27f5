/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rzscontrol: statistics of a running disk, and orders to it, over its control
 * socket (control/protocol.h).
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"
#include "base/hints.h"
#include "base/secrecy.h"
#include "base/stats.h"

#define DEFAULT_SOCKET "/run/ramzswap/control"

/*
 * How long to wait for an answer that takes no work: long, as the machine may be
 * short of memory.  Commands that take work are waited for as long as it takes.
 */
#define ANSWER_TIMEOUT_S 30

/* Any answer that a server gives fits, with room for statistics of a newer one. */
#define ANSWER_MAX (4 * CONTROL_REPLY_MAX)

typedef int (*stats_writer)(const struct ramzswap_stats *stats, FILE *out);

struct command {
	const char *name;
	int words; /* of its argument, at most */
	bool slow; /* waited for as long as it takes */
};

#define COMMAND(name, words, needs, alone, slow, help) { #name, words, slow },
static const struct command commands[] = { CONTROL_COMMANDS(COMMAND) };
#undef COMMAND
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

struct invocation {
	const char *socket;
	const struct command *command;
	char argument[64];   /* what stands behind the command, or empty */
	stats_writer writer; /* of stats, else NULL */
};

#define HELP(name, words, needs, alone, slow, help) help
static const char usage[] =
	"Usage: rzscontrol [-c SOCKET] COMMAND\n"
	"\n"
	"Commands:\n" CONTROL_COMMANDS(HELP) "\n"
					     "Options:\n"
					     "  -c, --control=SOCKET  the server's control socket; "
					     "else $RAMZSWAP_CONTROL,\n"
					     "                        else " DEFAULT_SOCKET "\n"
					     "      --stats, --reset  the same as the commands\n"
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

static int connect_to(const char *path)
{
	int fd = control_connect(path, ANSWER_TIMEOUT_S);

	switch (-fd) {
	case ENAMETOOLONG:
		fail("the socket's path is %zu bytes long: it has 1 to %zu", strlen(path),
		     sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	case ENOENT:
		fail("%s does not exist: start the server with control=%s, or name its socket "
		     "with -c",
		     path, path);
	case ECONNREFUSED:
		fail("no server listens on %s: start it, or name another socket with -c", path);
	case EACCES:
		fail("no permission for %s: be root, or the user that started the server", path);
	case EAGAIN:
		fail("the server at %s is too busy to answer", path);
	}
	if (fd < 0)
		fail("cannot connect to %s: %s", path, strerror(-fd));
	return fd;
}

static void send_request(int fd, const struct invocation *invocation)
{
	char request[128];
	int err;

	snprintf(request, sizeof(request), "%s%s%s", invocation->command->name,
		 *invocation->argument ? " " : "", invocation->argument);
	err = control_send(fd, request);
	if (err)
		fail("cannot send to %s: %s", invocation->socket, strerror(-err));
}

static void receive_answer(int fd, const struct invocation *invocation, char *answer, size_t size)
{
	unsigned int seconds = invocation->command->slow ? CONTROL_PATIENT : ANSWER_TIMEOUT_S;
	int err = control_receive(fd, seconds, answer, size);

	switch (-err) {
	case 0:
		return;
	case ETIMEDOUT:
		fail("no answer from %s within %d seconds", invocation->socket, ANSWER_TIMEOUT_S);
	case EPROTO:
		fail("what listens on %s is no ramzswap", invocation->socket);
	case EPIPE:
		fail("the server at %s went away before its answer was complete",
		     invocation->socket);
	default:
		fail("no answer from %s: %s", invocation->socket, strerror(-err));
	}
}

/* Beside the statistics, not among them: their lines are read by programs too. */
static void show_hints(const struct ramzswap_stats *stats)
{
	const char *hints[HINTS_MAX];
	size_t count = stats_hints(stats, hints);

	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "hint: %s\n", hints[i]);
}

static void show_stats(const struct invocation *invocation, const char *body)
{
	struct ramzswap_stats stats;
	int error;

	if (stats_parse_plain(&stats, body) < 0)
		fail("the statistics from %s are cut short or those of another version",
		     invocation->socket);
	error = invocation->writer(&stats, stdout);
	if (error) {
		errno = -error;
		fail("cannot write the output: %m");
	}
	if (invocation->writer == stats_write_text)
		show_hints(&stats);
}

static char answer[ANSWER_MAX + 1];

static void ask(const struct invocation *invocation)
{
	const char *body, *error;
	int fd = connect_to(invocation->socket);

	send_request(fd, invocation);
	receive_answer(fd, invocation, answer, sizeof(answer));
	close(fd);

	body = control_body(answer, &error);
	if (error)
		fail("%s", error);
	if (!body)
		fail("what listens on %s is no ramzswap", invocation->socket);
	if (!invocation->writer)
		print_and_exit(body);
	show_stats(invocation, body);
}

static const struct command *find_command(const char *name)
{
	const struct command *command = commands;
	char names[CONTROL_NAMES_MAX];

	while (command < commands + COMMAND_COUNT && strcmp(command->name, name) != 0)
		command++;
	if (command < commands + COMMAND_COUNT)
		return command;
	control_command_names(names);
	fail("unknown command %s: use %s", name, names);
}

static void set_command(struct invocation *invocation, const char *name)
{
	if (invocation->command)
		fail("one command at a time, not both %s and %s", invocation->command->name, name);
	invocation->command = find_command(name);
}

static void set_writer(struct invocation *invocation, stats_writer writer)
{
	if (invocation->writer && invocation->writer != writer)
		fail("choose either --json or --prometheus");
	invocation->writer = writer;
}

enum option_value { OPTION_STATS = 256, OPTION_RESET, OPTION_JSON, OPTION_PROMETHEUS };

static void parse_options(int argc, char **argv, struct invocation *invocation)
{
	static const struct option options[] = {
		{ "control", required_argument, NULL, 'c' },
		{ "stats", no_argument, NULL, OPTION_STATS },
		{ "reset", no_argument, NULL, OPTION_RESET },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "prometheus", no_argument, NULL, OPTION_PROMETHEUS },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			invocation->socket = optarg;
			break;
		case OPTION_STATS:
			set_command(invocation, "stats");
			break;
		case OPTION_RESET:
			set_command(invocation, "reset");
			break;
		case OPTION_JSON:
			set_writer(invocation, stats_write_json);
			break;
		case OPTION_PROMETHEUS:
			set_writer(invocation, stats_write_prometheus);
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
	/* What it shows is made of the statistics. */
	if (backing && count == 0) {
		invocation->command = find_command("stats");
		invocation->writer = stats_write_backing;
	}
}

/* The command that is not an option, its argument, and whether all go together. */
static void parse_command(int count, char **words, struct invocation *invocation)
{
	char names[CONTROL_NAMES_MAX];

	if (count > 0) {
		set_command(invocation, words[0]);
		words++;
		count--;
	}
	if (!invocation->command) {
		control_command_names(names);
		fail("no command: use %s", names);
	}
	parse_arguments(count, words, invocation);
	if (strcmp(invocation->command->name, "stats") == 0) {
		if (!invocation->writer)
			invocation->writer = stats_write_text;
	} else if (invocation->writer) {
		fail("--json and --prometheus are for stats, not for %s",
		     invocation->command->name);
	}
}

int main(int argc, char **argv)
{
	struct invocation invocation = { .socket = getenv("RAMZSWAP_CONTROL") };

	if (!invocation.socket || !*invocation.socket)
		invocation.socket = DEFAULT_SOCKET;
	secrecy_begin();
	parse_options(argc, argv, &invocation);
	parse_command(argc - optind, argv + optind, &invocation);
	ask(&invocation);
	return EXIT_SUCCESS;
}
