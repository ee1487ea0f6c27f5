/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rzscontrol: statistics of a running disk, and orders to it, over its control
 * socket (control.h has the protocol).
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/commands.h"
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

struct invocation {
	const char *socket;
	const char *command;
	char argument[64];   /* what stands behind the command, or empty */
	stats_writer writer; /* of stats, else NULL */
};

static const char usage[] =
	"Usage: rzscontrol [-c SOCKET] COMMAND\n"
	"\n"
	"Commands:\n"
	"  stats [--json|--prometheus]  show the statistics\n"
	"  compact                      give free memory in the pool back to the system\n"
	"  memlimit SIZE|none           change the memory limit (512M, 1.5G, 25% of RAM)\n"
	"  recompress                   make idle pages smaller now\n"
	"  writeback [idle SECONDS|huge|all]  move pages to the backing store now\n"
	"  backing                      show how the backing store is used\n"
	"  backing budget|rate SIZE|none  change what may be written to it a day or a second\n"
	"  reset                        forget all data (refused while a client is connected)\n"
	"  check                        verify the page table and the pool\n"
	"\n"
	"Options:\n"
	"  -c, --control=SOCKET  the server's control socket; else $RAMZSWAP_CONTROL,\n"
	"                        else " DEFAULT_SOCKET "\n"
	"      --stats, --reset  the same as the commands\n"
	"  -h, --help            show this text\n"
	"  -V, --version         show the version\n";

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
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) == 0 || strlen(path) >= sizeof(address.sun_path))
		fail("the socket's path is %zu bytes long: it has 1 to %zu", strlen(path),
		     sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("cannot create a socket: %m");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;

	switch (errno) {
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
	default:
		fail("cannot connect to %s: %m", path);
	}
}

static void send_request(int fd, const struct invocation *invocation)
{
	char request[128];
	int len = snprintf(request, sizeof(request), "%s%s%s\n", invocation->command,
			   *invocation->argument ? " " : "", invocation->argument);

	if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		fail("cannot send to %s: %m", invocation->socket);
}

/* The whole answer, up to the end that the server makes. */
static void receive_answer(int fd, const struct invocation *invocation, char *answer)
{
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	bool quick = invocation->writer || strcmp(invocation->command, "memlimit") == 0 ||
		     strcmp(invocation->command, "backing") == 0;
	size_t used = 0;

	if (quick)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	while (used < ANSWER_MAX) {
		ssize_t got = recv(fd, answer + used, ANSWER_MAX - used, 0);

		if (got == 0)
			break;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			fail("no answer from %s within %d seconds", invocation->socket,
			     ANSWER_TIMEOUT_S);
		if (got < 0 && !(errno == ECONNRESET && used > 0))
			fail("no answer from %s: %m", invocation->socket);
		if (got < 0)
			break;
		used += (size_t)got;
	}
	if (used == ANSWER_MAX || memchr(answer, '\0', used))
		fail("what listens on %s is no ramzswap", invocation->socket);
	answer[used] = '\0';
	if (used == 0 || answer[used - 1] != '\n')
		fail("the server at %s went away before its answer was complete",
		     invocation->socket);
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
}

static void ask(const struct invocation *invocation)
{
	static char answer[ANSWER_MAX + 1];
	static const char error[] = "error ";
	int fd = connect_to(invocation->socket);

	send_request(fd, invocation);
	receive_answer(fd, invocation, answer);
	close(fd);

	if (strncmp(answer, error, strlen(error)) == 0)
		fail("%.*s", (int)strcspn(answer + strlen(error), "\n"), answer + strlen(error));
	if (strncmp(answer, CONTROL_OK, strlen(CONTROL_OK)) != 0)
		fail("what listens on %s is no ramzswap", invocation->socket);
	if (!invocation->writer)
		print_and_exit(answer + strlen(CONTROL_OK));
	show_stats(invocation, answer + strlen(CONTROL_OK));
}

static void set_command(struct invocation *invocation, const char *command)
{
	if (invocation->command)
		fail("one command at a time, not both %s and %s", invocation->command, command);
	invocation->command = command;
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
	bool size = strcmp(invocation->command, "memlimit") == 0;
	bool writeback = strcmp(invocation->command, "writeback") == 0;
	bool backing = strcmp(invocation->command, "backing") == 0;
	int most = size ? 1 : writeback || backing ? 2 : 0;
	size_t used = 0;

	if (size && (count == 0 || strchr(words[0], '\n')))
		fail("memlimit needs a size such as 512M, or none for no limit");
	if (backing && count == 1)
		fail("backing %s needs a size such as 512M, or none for no limit", words[0]);
	if (count > most)
		fail("%s does not take \"%s\"", invocation->command, words[most]);
	for (int i = 0; i < count; i++) {
		int len = snprintf(invocation->argument + used, sizeof(invocation->argument) - used,
				   "%s%s", i ? " " : "", words[i]);

		bool fits = len >= 0 && (size_t)len < sizeof(invocation->argument) - used;

		if (!fits && size)
			fail("memlimit takes a size such as 512M, or none");
		if (!fits || strchr(words[i], '\n'))
			fail("%s does not take \"%s\"", invocation->command, words[i]);
		used += (size_t)len;
	}
	/* What it shows is made of the statistics. */
	if (backing && count == 0) {
		invocation->command = "stats";
		invocation->writer = stats_write_backing;
	}
}

/* The command that is not an option, its argument, and whether all go together. */
static void parse_command(int count, char **words, struct invocation *invocation)
{
	static const char *const known[] = { "stats",	   "compact",	"memlimit",
					     "recompress", "writeback", "backing",
					     "reset",	   "check",	NULL };
	int i;

	if (count > 0) {
		set_command(invocation, words[0]);
		words++;
		count--;
	}
	if (!invocation->command)
		fail("no command: use stats, compact, memlimit, recompress, writeback, "
		     "backing, reset or check");
	for (i = 0; known[i] && strcmp(invocation->command, known[i]) != 0; i++)
		;
	if (!known[i])
		fail("unknown command %s: use stats, compact, memlimit, recompress, "
		     "writeback, backing, reset or check",
		     invocation->command);

	parse_arguments(count, words, invocation);
	if (strcmp(invocation->command, "stats") == 0) {
		if (!invocation->writer)
			invocation->writer = stats_write_text;
	} else if (invocation->writer) {
		fail("--json and --prometheus are for stats, not for %s", invocation->command);
	}
}

int main(int argc, char **argv)
{
	struct invocation invocation = { .socket = getenv("RAMZSWAP_CONTROL") };

	if (!invocation.socket || !*invocation.socket)
		invocation.socket = DEFAULT_SOCKET;
	parse_options(argc, argv, &invocation);
	parse_command(argc - optind, argv + optind, &invocation);
	ask(&invocation);
	return EXIT_SUCCESS;
}
