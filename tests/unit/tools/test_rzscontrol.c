/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program rzscontrol, whose path is $RZSCONTROL, against a fake server. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "fake_control.h"

#define MIB (UINT64_C(1) << 20)

struct outcome {
	int status;
	char out[16384];
	char err[4096];
};

static void slurp(FILE *file, char *text, size_t size)
{
	rewind(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* Runs rzscontrol with the arguments, which the shell splits. */
static const struct outcome *run(const char *format, ...)
{
	static struct outcome outcome;
	FILE *out = tmpfile(), *err = tmpfile();
	char command[1024];
	va_list args;
	int status;
	pid_t pid;

	assert_non_null(out);
	assert_non_null(err);
	va_start(args, format);
	vsnprintf(command + snprintf(command, sizeof(command), "exec \"$RZSCONTROL\" "), 900,
		  format, args);
	va_end(args);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	outcome.status = WEXITSTATUS(status);
	slurp(out, outcome.out, sizeof(outcome.out));
	slurp(err, outcome.err, sizeof(outcome.err));
	return &outcome;
}

static void assert_succeeds(const struct outcome *outcome, const char *said)
{
	if (outcome->status != 0 || *outcome->err)
		fail_msg("status %d, said: %s", outcome->status, outcome->err);
	if (said)
		assert_string_equal(outcome->out, said);
}

/* Status 1, nothing on stdout, and one line on stderr that holds this. */
static void assert_fails(const struct outcome *outcome, const char *said)
{
	size_t line = strcspn(outcome->err, "\n");

	if (outcome->status != 1 || !strstr(outcome->err, said))
		fail_msg("status %d, said: %s", outcome->status, outcome->err);
	assert_string_equal(outcome->out, "");
	assert_int_equal(strncmp(outcome->err, "rzscontrol: ", 12), 0);
	assert_string_equal(outcome->err + line, "\n");
}

static void stats_are_shown_as_text(void **state)
{
	struct fake_control *fake = *state;
	const struct ramzswap_stats stats = { .orig_data_size = 411108 * UINT64_C(1024) };
	const struct outcome *outcome;

	fake_control_set_stats(fake, &stats);
	outcome = run("-c %s stats", fake->path);
	assert_succeeds(outcome, NULL);
	assert_non_null(strstr(outcome->out, "\nOrigDataSize:          411108 kB\n"));
	assert_non_null(strstr(outcome->out, "[Server]\nVersion:                1.2.3\n"));
	assert_null(strstr(outcome->out, "InvalidIO"));
	assert_succeeds(run("-c %s stats --all", fake->path), NULL);
	assert_non_null(strstr(outcome->out, "\nInvalidIO:                  0\n"));
	assert_null(strstr(outcome->out, "["));
	assert_succeeds(run("-c %s --stats", fake->path), NULL);
	assert_non_null(strstr(outcome->out, "\nOrigDataSize:          411108 kB\n"));
}

static void one_look_is_what_comes_without_a_command(void **state)
{
	struct fake_control *fake = *state;
	const struct ramzswap_stats stats = {
		.disksize = 10 * MIB, .pages_stored = 512, .mem_used_total = MIB, .locked = 1
	};
	const struct outcome *outcome;
	char first[sizeof(outcome->out)];

	fake_control_set_stats(fake, &stats);
	outcome = run("-c %s", fake->path);
	assert_succeeds(outcome, NULL);
	assert_non_null(strstr(outcome->out,
			       "2.0 MiB stored in 1.0 MiB of memory: 1.0 MiB won, 2.00 to 1\n"
			       "  disk    ######........................  20% of 10 MiB\n"));
	snprintf(first, sizeof(first), "%s", outcome->out);
	assert_succeeds(run("-c %s status", fake->path), first);
}

static void stats_are_shown_as_json_and_metrics(void **state)
{
	struct fake_control *fake = *state;
	const struct ramzswap_stats stats = { .num_writes = 4711 };
	const struct outcome *outcome;
	json_t *root;

	fake_control_set_stats(fake, &stats);
	outcome = run("--control=%s stats --json", fake->path);
	assert_succeeds(outcome, NULL);
	root = json_loads(outcome->out, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(root, "num_writes")), 4711);
	json_decref(root);

	assert_succeeds(run("--prometheus -c %s stats", fake->path), NULL);
	assert_non_null(
		strstr(outcome->out, "\nramzswap_num_writes_total{disk=\"socket\"} 4711\n"));
}

static void socket_comes_from_option_then_environment(void **state)
{
	struct fake_control *fake = *state;

	assert_int_equal(setenv("RAMZSWAP_CONTROL", fake->path, 1), 0);
	assert_succeeds(run("stats"), NULL);
	assert_fails(run("-c /nowhere/control stats"), "/nowhere/control does not exist");
	assert_int_equal(run("-c /nowhere/control status")->status, 3);
	assert_int_equal(run("-c /nowhere/control")->status, 3);
	assert_int_equal(setenv("RAMZSWAP_CONTROL", "/elsewhere/control", 1), 0);
	assert_fails(run("stats"), "/elsewhere/control does not exist");
	assert_succeeds(run("-c %s stats", fake->path), NULL);
	assert_int_equal(unsetenv("RAMZSWAP_CONTROL"), 0);
}

static void orders_reach_the_server(void **state)
{
	struct fake_control *fake = *state;

	fake_control_outcome(fake, 0, "", 3 * MIB);
	assert_succeeds(run("-c %s compact", fake->path), "3072 kB given back\n");
	assert_succeeds(run("-c %s recompress", fake->path), "3072 kB won\n");
	assert_succeeds(run("-c %s check", fake->path), "no errors found\n");
	assert_succeeds(run("-c %s reset", fake->path), "");
	assert_succeeds(run("-c %s --reset", fake->path), "");
	assert_succeeds(run("-c %s memlimit 7M", fake->path), "");
	assert_int_equal(fake_control_memlimit(fake), 7 * MIB);
	assert_succeeds(run("-c %s memlimit none", fake->path), "");
	assert_int_equal(fake_control_memlimit(fake), CONTROL_NO_LIMIT);
	assert_int_equal(fake_control_calls(fake), 7);
}

static void refusals_of_the_server_are_shown(void **state)
{
	struct fake_control *fake = *state;

	assert_fails(run("-c %s memlimit 5X", fake->path), "\"5X\" is not a size: use a number");
	fake_control_outcome(fake, -EBUSY, "a client is connected: disconnect it first", 0);
	assert_fails(run("-c %s reset", fake->path),
		     "rzscontrol: a client is connected: disconnect it first\n");
}

static void what_takes_long_is_shown_and_cancelled(void **state)
{
	struct fake_control *fake = *state;
	int fd = fake_control_connect(fake);

	assert_succeeds(run("-c %s progress", fake->path),
			"nothing that takes long is being carried out\n");
	assert_fails(run("-c %s cancel", fake->path), "there is nothing to cancel");
	fake_control_hold(fake, true);
	assert_int_equal(write(fd, "compact\n", 8), 8);
	fake_control_await_held(fake);
	usleep(1100000);
	assert_succeeds(run("-c %s progress | grep -o '^compact: 25%%, about'", fake->path),
			"compact: 25%, about\n");
	assert_succeeds(run("-c %s cancel", fake->path), "compact is cancelled\n");
	assert_string_equal(fake_control_answer(fd),
			    "error cancelled: 0 kB given back until then\n");
	assert_fails(run("-c %s cancel now", fake->path), "cancel does not take \"now\"");
}

static void a_list_has_a_row_for_a_disk(void **state)
{
	struct fake_control *fake = *state;
	const struct ramzswap_stats stats = {
		.disksize = 10 * MIB, .pages_stored = 512, .mem_used_total = MIB, .connections = 2
	};
	static const char *const words[] = { "socket", "10", "MiB", "2.00", "lzo" };
	const struct outcome *outcome;
	char word[6][32];
	json_t *root, *row;

	fake_control_set_stats(fake, &stats);
	outcome = run("list --noheadings -o NAME,DISKSIZE,RATIO,ALGORITHM %s", fake->path);
	assert_succeeds(outcome, NULL);
	/* How wide the columns are is the library's affair, and not the same in each of its
	 * versions. */
	assert_int_equal(sscanf(outcome->out, "%31s %31s %31s %31s %31s %31s", word[0], word[1],
				word[2], word[3], word[4], word[5]),
			 5);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_string_equal(word[i], words[i]);
	assert_succeeds(run("-c %s list --raw -o name,data,total,pid", fake->path),
			"NAME DATA TOTAL PID\nsocket 2097152 1048576 4711\n");
	outcome = run("list --json %s", fake->path);
	assert_succeeds(outcome, NULL);
	root = json_loads(outcome->out, 0, NULL);
	row = json_array_get(json_object_get(root, "disks"), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "disksize")), 10 * MIB);
	assert_string_equal(json_string_value(json_object_get(row, "socket")), fake->path);
	assert_true(json_is_number(json_object_get(row, "ratio")));
	json_decref(root);
	/* Nothing stored has no ratio, in JSON neither: 0 would be one. */
	fake_control_set_stats(fake, &(struct ramzswap_stats){ .disksize = MIB });
	assert_succeeds(run("-c %s list --raw -n -o RATIO", fake->path), "none\n");
	outcome = run("list --json -o RATIO %s", fake->path);
	assert_succeeds(outcome, NULL);
	root = json_loads(outcome->out, 0, NULL);
	row = json_array_get(json_object_get(root, "disks"), 0);
	assert_true(json_is_null(json_object_get(row, "ratio")));
	json_decref(root);
	fake_control_set_stats(fake, &stats);
	/* What answers is shown, and what does not is said. */
	outcome = run("list -n -o CLIENTS %s /nowhere/control", fake->path);
	assert_int_equal(outcome->status, 1);
	assert_non_null(strstr(outcome->out, "2\n"));
	assert_non_null(strstr(outcome->err, "/nowhere/control does not exist"));
}

static void watching_shows_rows_of_a_disk(void **state)
{
	struct fake_control *fake = *state;
	const struct ramzswap_stats stats = { .disksize = 10 * MIB, .mem_used_total = MIB };
	const struct outcome *outcome;
	int lines = 0;

	fake_control_set_stats(fake, &stats);
	outcome = run("-c %s watch 1 2", fake->path);
	assert_succeeds(outcome, NULL);
	assert_int_equal(strncmp(outcome->out, "TIME ", 5), 0);
	for (const char *at = outcome->out; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 3);
	assert_non_null(strstr(outcome->out, " none    1.0 MiB   none "));
}

static void wrong_words_never_reach_the_server(void **state)
{
	struct fake_control *fake = *state;

	assert_int_equal(setenv("RAMZSWAP_CONTROL", fake->path, 1), 0);
	assert_fails(run("frobnicate"),
		     "unknown command frobnicate: use status, list, watch, metrics, stats");
	assert_fails(run("--frobnicate"), "unknown option --frobnicate");
	assert_fails(run("-x stats"), "unknown option -x");
	assert_fails(run("stats -c"), "-c needs the path of a socket");
	assert_fails(run("compact now"), "compact does not take \"now\"");
	assert_fails(run("compact --json"), "--json is for stats and list, not for compact");
	assert_fails(run("list --all"), "--all is for stats, not for list");
	assert_fails(run("list --prometheus"), "--prometheus is for stats, not for list");
	assert_fails(run("list --json --raw"), "leave out --raw and --noheadings");
	assert_fails(run("list -o NAME,SIZE"), "there is no column SIZE: use NAME, DISKSIZE");
	assert_fails(run("list -o ''"), "there is no column : use NAME");
	assert_fails(run("list -o"), "-o needs columns (list) or a file (metrics)");
	assert_fails(run("metrics --raw"), "--raw is for list, not for metrics");
	assert_fails(run("metrics -o /nowhere/m.prom"), "cannot write /nowhere/m.prom");
	assert_fails(run("watch 0"), "watch takes seconds between two looks, a whole number");
	assert_fails(run("watch 1 x"), "watch takes a count of looks, a whole number");
	assert_fails(run("watch 1 2 3"), "watch does not take \"3\"");
	assert_fails(run("stats --json --prometheus"), "one of --all, --json and --prometheus");
	assert_fails(run("--stats --reset"), "one command at a time");
	assert_fails(run("stats reset"), "stats does not take \"reset\"");
	assert_fails(run("memlimit"), "memlimit needs a size such as 512M, or none");
	assert_fails(run("memlimit 1M 2M"), "memlimit does not take \"2M\"");
	assert_fails(run("memlimit '1M\nx'"), "memlimit needs a size");
	assert_fails(run("memlimit %0200d", 1), "memlimit takes a size such as 512M");
	assert_fails(run("-c %0200d stats", 1), "path is 200 bytes long: it has 1 to 107");
	assert_fails(run("-c '' stats"), "path is 0 bytes long");
	assert_int_equal(fake_control_calls(fake), 0);
	assert_int_equal(unsetenv("RAMZSWAP_CONTROL"), 0);
}

static void help_and_version_need_no_server(void **state)
{
	const struct outcome *outcome = run("--help");

	assert_succeeds(outcome, NULL);
	assert_non_null(strstr(outcome->out, "Usage: rzscontrol [-c SOCKET] [COMMAND]"));
	assert_non_null(strstr(outcome->out, "memlimit SIZE|none"));
	assert_succeeds(run("--version"), NULL);
	assert_int_equal(strncmp(outcome->out, "rzscontrol 1.", 13), 0);
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
	struct fake_control *fake = *state;

	assert_fails(run("-c %s stats >/dev/full", fake->path), "cannot write the output");
	assert_fails(run("-c %s check >/dev/full", fake->path), "cannot write the output");
	assert_fails(run("--help >/dev/full"), "cannot write the output");
}

/* A server that answers one client with the given bytes. */
static pid_t serve_once(const char *path, const char *answer)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	strcpy(address.sun_path, path);
	unlink(path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = fork();
	if (pid == 0) {
		char request[128];
		int client;

		alarm(120);
		client = accept(listener, NULL, NULL);
		(void)!read(client, request, sizeof(request));
		(void)!write(client, answer, strlen(answer));
		_exit(0);
	}
	close(listener);
	return pid;
}

static void answers_that_are_none_are_failures(void **state)
{
	static const struct {
		const char *answer, *command, *said;
	} cases[] = {
		{ "", "stats", "went away before its answer was complete" },
		{ "ok\ndisksi", "stats", "went away before its answer was complete" },
		{ "ok\n", "stats", "cut short or those of another version" },
		{ "ok\ndisksize 5\n", "stats", "cut short or those of another version" },
		{ "ok", "reset", "went away before its answer was complete" },
		{ "okay\n", "reset", "is no ramzswap" },
		{ "HTTP/1.1 400 Bad Request\r\n", "check", "is no ramzswap" },
		{ "error first\nsecond\n", "check", "rzscontrol: first\n" },
	};
	char directory[] = "/tmp/control-XXXXXX", path[64];

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/socket", directory);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pid_t pid = serve_once(path, cases[i].answer);

		assert_fails(run("-c %s %s", path, cases[i].command), cases[i].said);
		waitpid(pid, NULL, 0);
	}
	/* Nobody listens any more. */
	assert_fails(run("-c %s stats", path), "no server listens on");
	unlink(path);
	assert_fails(run("-c %s stats", path), "does not exist: start the server with control=");
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(stats_are_shown_as_text),
		SERVED(one_look_is_what_comes_without_a_command),
		SERVED(stats_are_shown_as_json_and_metrics),
		SERVED(socket_comes_from_option_then_environment),
		SERVED(orders_reach_the_server),
		SERVED(refusals_of_the_server_are_shown),
		SERVED(what_takes_long_is_shown_and_cancelled),
		SERVED(a_list_has_a_row_for_a_disk),
		SERVED(watching_shows_rows_of_a_disk),
		SERVED(wrong_words_never_reach_the_server),
		cmocka_unit_test(help_and_version_need_no_server),
		SERVED(output_that_cannot_be_written_is_a_failure),
		cmocka_unit_test(answers_that_are_none_are_failures),
	};

	if (!getenv("RZSCONTROL")) {
		fputs("RZSCONTROL does not name the program to test\n", stderr);
		return 1;
	}
	unsetenv("RAMZSWAP_CONTROL");
	setenv("LC_ALL", "C", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
