/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ramzswap-ctl: the part of ramzswap(8) that has to work in a machine without memory.
 *
 * For itself it has wake --later, for "ramzswap sleep", which asks several disks in turn, sleep
 * --others-follow, and for "ramzswap start" alone, which has the lock of the disk:
 *        ramzswap-ctl tidy | show | guard | undo STEP...
 *
 * RAMZSWAP_RUN names the disk, RAMZSWAP_GUARD the guard where it was built.  Whoever decides
 * whether swap can be taken away is locked in memory and of a real-time class, as the guard is; the
 * swapoff itself is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/ramzswap/host.h"
#include "tools/ramzswap/processes.h"
#include "tools/ramzswap/sleep.h"
#include "tools/ramzswap/state.h"
#include "tools/ramzswap/status.h"
#include "tools/ramzswap/stop.h"
#include "tools/ramzswap/undo.h"
#include "urgent.h"

#define RUN_DEFAULT "/run/ramzswap"

static const char usage[] =
	"usage: ramzswap-ctl COMMAND [OPTION...]\n"
	"'ramzswap' runs it: what has to work in a machine without memory.\n"
	"\n"
	"Commands:\n"
	"  stop [--force]           take swap away, and the disk\n"
	"  status                   show the disk at one look\n"
	"  sleep hibernate|suspend  make ready to sleep, or say why not\n"
	"  wake                     undo what sleep has done\n"
	"\n"
	"Options:\n"
	"  --force        of stop: also where memory has no room\n"
	"  --if-on        of stop, for units: swap that is off is no error\n"
	"  -h, --help     show this text\n"
	"  -V, --version  show the version\n"
	"\n"
	"RAMZSWAP_RUN names the directory of another disk than /run/ramzswap.\n";

static int mistake(const struct host *host, const char *text, const char *word)
{
	host_complain(host, "%s%s%s%s", text, word ? ", not '" : "", word ? word : "",
		      word ? "'" : "");
	host_complain(host, "'ramzswap --help' shows what it takes");
	return EXIT_FAILURE;
}

/* The guard lies beside this program, built or installed, unless somebody names another. */
static const char *find_guard(const char *program, char *path, size_t size)
{
	const char *named = getenv("RAMZSWAP_GUARD");
	const char *name = strrchr(program, '/');
	int length = name ? (int)(name + 1 - program) : 0;

	if (named && *named)
		return named;
	if (snprintf(path, size, "%.*sramzswap-guard", length, program) < (int)size &&
	    access(path, X_OK) == 0)
		return path;
	return "ramzswap-guard";
}

/* One start or stop at a time: another is waited for, or else it is said that it is at work. */
static bool lock(const struct host *host, bool wait)
{
	char path[PATH_MAX];
	int fd = -1;

	if (host_path(host, path, sizeof(path), "%s.lock", host->run))
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		host_complain(host, "%s.lock: cannot be written", host->run);
		return false;
	}
	if (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
		host_complain(host, "another start or stop is at work in %s", host->run);
		return false;
	}
	return true;
}

/* Where it may not be, it waits for memory as all do. */
static void become_urgent(struct host *host)
{
	host->class_before = urgent_begin();
	(void)mlockall(MCL_CURRENT);
}

/* What changes the machine is for root, and for one at a time. */
static bool prepare(struct host *host, bool wait)
{
	if (geteuid() != 0) {
		host_complain(host, "needs root: attaching a block device and swapon do");
		return false;
	}
	if (!lock(host, wait))
		return false;
	become_urgent(host);
	return true;
}

static int stop(struct host *host, int count, char **words)
{
	bool forced = false, if_on = false;

	for (int i = 0; i < count; i++) {
		if (strcmp(words[i], "--force") == 0)
			forced = true;
		else if (strcmp(words[i], "--if-on") == 0)
			if_on = true;
		else
			return mistake(host, "stop takes --force and --if-on only", words[i]);
	}
	if (geteuid() == 0 && !host_exists(host, "%s/state", host->run)) {
		if (if_on)
			return EXIT_SUCCESS;
		host_complain(host, "not running");
		return EXIT_FAILURE;
	}
	/* systemd is told of a stop by hand while that still tidies up. */
	if (!prepare(host, if_on))
		return EXIT_FAILURE;
	if (if_on && !host_exists(host, "%s/state", host->run))
		return EXIT_SUCCESS;
	return stop_disk(host, forced);
}

static int go_to_sleep(struct host *host, int count, char **words)
{
	bool others_follow = count > 0 && strcmp(words[0], "--others-follow") == 0;
	bool hibernate, suspend;

	words += others_follow;
	count -= others_follow;
	hibernate = count > 0 && strcmp(words[0], "hibernate") == 0;
	suspend = count > 0 && strcmp(words[0], "suspend") == 0;
	if (count != 1 || (!hibernate && !suspend))
		return mistake(host, "sleep takes hibernate or suspend",
			       count > 0 ? words[count - 1] : NULL);
	if (!prepare(host, false))
		return EXIT_FAILURE;
	return hibernate ? sleep_before_hibernation(host, others_follow)
			 : sleep_before_suspend(host);
}

/* The process that lets programs go if nobody else does; sleep has the lock when it starts it. */
static int wake_later(struct host *host)
{
	if (geteuid() != 0)
		return EXIT_FAILURE;
	become_urgent(host);
	host->calls->rest(host, SLEEP_AWAKE_MS);
	return lock(host, true) ? sleep_wake(host) : EXIT_FAILURE;
}

static int wake(struct host *host, int count, char **words)
{
	if (count == 1 && strcmp(words[0], "--later") == 0)
		return wake_later(host);
	if (count > 0)
		return mistake(host, "wake takes no arguments", NULL);
	return prepare(host, false) ? sleep_wake(host) : EXIT_FAILURE;
}

static int status(struct host *host, int count, char **words)
{
	if (count > 0)
		return mistake(host, "status takes no arguments", NULL);
	/* For the characters of bars; stop reads no files of locales. */
	setlocale(LC_CTYPE, "");
	return status_show_all(host);
}

static int show(struct host *host, int count, char **words)
{
	return status_show(host);
}

static int tidy(struct host *host, int count, char **words)
{
	return undo_leftovers(host);
}

static int guard(struct host *host, int count, char **words)
{
	struct state state;

	if (state_read(host, &state) != 0)
		return EXIT_FAILURE;
	guard_start(host, &state);
	return EXIT_SUCCESS;
}

static int undo(struct host *host, int count, char **words)
{
	for (int i = 0; i < count; i++)
		if (!undo_knows(words[i]))
			return mistake(host, "undo takes steps of a start", words[i]);
	host->calls->commit(host);
	become_urgent(host);
	return undo_steps(host, words);
}

/* Of all of ramzswap(8), which is one package. */
static int version(struct host *host, int count, char **words)
{
	puts("ramzswap " RAMZSWAP_VERSION);
	return EXIT_SUCCESS;
}

static int help(struct host *host, int count, char **words)
{
	fputs(usage, stdout);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const struct {
	const char *name;
	int (*run)(struct host *host, int count, char **words);
} commands[] = {
	{ "stop", stop },	  { "status", status }, { "sleep", go_to_sleep }, { "wake", wake },
	{ "show", show },	  { "tidy", tidy },	{ "guard", guard },	  { "undo", undo },
	{ "--version", version }, { "-V", version },	{ "--help", help },	  { "-h", help },
};

int main(int argc, char **argv)
{
	char program[PATH_MAX] = "", beside[PATH_MAX];
	struct host host;

	/* Whoever reads what is said may leave: what was begun is finished all the same. */
	signal(SIGPIPE, SIG_IGN);
	host_open(&host);
	host.run = getenv("RAMZSWAP_RUN");
	if (!host.run || !*host.run)
		host.run = RUN_DEFAULT;
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		strcpy(program, "ramzswap-ctl");
	host.program = program;
	host.guard = find_guard(program, beside, sizeof(beside));
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(&host, argc - 2, argv + 2);
	return mistake(&host, "ramzswap-ctl takes stop, status, sleep or wake",
		       argc > 1 ? argv[1] : NULL);
}
