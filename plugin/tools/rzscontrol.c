/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rzscontrol: statistics of running disks, and orders to one, over its control
 * socket (control/protocol.h).
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hints.h"
#include "base/secrecy.h"
#include "control/control.h"
#include "tools/ask.h"
#include "tools/disk.h"
#include "tools/figures.h"
#include "tools/find.h"
#include "tools/histogram_text.h"
#include "tools/http.h"
#include "tools/invocation.h"
#include "tools/list.h"
#include "tools/metrics.h"
#include "tools/order.h"
#include "tools/stats_text.h"
#include "tools/watch.h"

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
	char why[ASK_WHY_MAX];
	struct disk disk;
	int err = disk_ask(&disk, invocation->socket, why);

	if (err == -ENOENT) {
		fprintf(stderr, "rzscontrol: %s\n", why);
		exit(STATUS_OFF);
	}
	if (err)
		fail("%s", why);
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

static int write_all(const struct disk *disk)
{
	int err = stats_write_text(&disk->stats, stdout);

	if (err || !disk->measures)
		return err;
	histograms_write_labels(disk->histograms, stdout);
	return stream_finish(stdout);
}

static void show_histograms(const struct invocation *invocation)
{
	struct disk disk;

	ask_disk(invocation, &disk);
	if (!disk.measures)
		fail("the server at %s is older and does not measure", invocation->socket);
	histograms_write_bars(disk.histograms, figures_are_plain(), stdout);
	must_be_written(stream_finish(stdout));
}

static void show_stats(const struct invocation *invocation)
{
	struct disk disk;
	int err;

	ask_disk(invocation, &disk);
	if (invocation->json)
		err = stats_write_json(&disk.stats, disk.measures ? disk.histograms : NULL, stdout);
	else if (invocation->prometheus)
		err = metrics_write(&disk, 1, stdout);
	else if (invocation->all)
		err = write_all(&disk);
	else
		err = stats_write_groups(&disk.stats, disk.tells ? &disk.about : NULL, stdout);
	must_be_written(err);
	if (!invocation->json && !invocation->prometheus)
		show_hints(&disk.stats);
}

static void show_backing(const struct invocation *invocation)
{
	struct disk disk;

	ask_disk(invocation, &disk);
	must_be_written(stats_write_backing(&disk.stats, stdout));
}

static void warn_of_disk(const char *socket, const char *why)
{
	fprintf(stderr, "rzscontrol: %s\n", why);
}

/*
 * Asks those that are named, by words or as for one disk, or else all that are found.  False if
 * one that was named does not answer, which is said.
 */
static bool ask_disks(const struct invocation *invocation, struct disk *disks, size_t *count)
{
	const char *sockets[FIND_MAX] = { invocation->socket };
	bool named = invocation->word_count > 0 || invocation->socket_given;
	struct found found;

	if (invocation->word_count > FIND_MAX)
		fail("%s takes %d sockets at most", invocation->command, FIND_MAX);
	*count = 1;
	if (invocation->word_count > 0) {
		*count = (size_t)invocation->word_count;
		memcpy(sockets, invocation->words, *count * sizeof(*sockets));
	} else if (!named) {
		find_sockets(&found);
		*count = found.count;
		for (size_t i = 0; i < found.count; i++)
			sockets[i] = found.sockets[i];
	}
	return find_ask(disks, sockets, *count, warn_of_disk) == *count || !named;
}

static void show_list(const struct invocation *invocation)
{
	const struct list_form form = {
		.columns = invocation->output,
		.raw = invocation->raw,
		.json = invocation->json,
		.noheadings = invocation->noheadings,
		.bytes = invocation->bytes,
	};
	struct disk *disks = calloc(FIND_MAX, sizeof(*disks));
	char why[ASK_WHY_MAX] = "";
	size_t count;
	bool all;
	int err;

	if (!disks)
		fail("no memory for the list");
	all = ask_disks(invocation, disks, &count);
	err = list_write(disks, count, &form, stdout, why);
	if (err && *why)
		fail("%s", why);
	must_be_written(err);
	free(disks);
	if (!all)
		exit(EXIT_FAILURE);
}

static int write_answer(void *opaque, FILE *body)
{
	const struct invocation *invocation = opaque;
	struct disk *disks = calloc(FIND_MAX, sizeof(*disks));
	size_t count;
	int err;

	if (!disks)
		return -ENOMEM;
	(void)ask_disks(invocation, disks, &count);
	err = metrics_write(disks, count, body);
	free(disks);
	return err;
}

/* A client that goes is none of our failures: systemd would count it as one. */
static void answer_http(const struct invocation *invocation)
{
	signal(SIGPIPE, SIG_IGN);
	(void)http_serve(STDIN_FILENO, STDOUT_FILENO, write_answer, (void *)invocation);
}

static void show_metrics(const struct invocation *invocation)
{
	struct disk *disks = calloc(FIND_MAX, sizeof(*disks));
	char why[ASK_WHY_MAX];
	size_t count;
	bool all;

	if (!disks)
		fail("no memory for the metrics");
	all = ask_disks(invocation, disks, &count);
	if (!invocation->output)
		must_be_written(metrics_write(disks, count, stdout));
	else if (metrics_save(disks, count, invocation->output, why))
		fail("%s", why);
	free(disks);
	/* A disk that is down is a metric, too. */
	if (!all && !invocation->output)
		exit(EXIT_FAILURE);
}

static void watch(const struct invocation *invocation)
{
	const struct watch watch = {
		.socket = invocation->socket,
		.seconds = invocation->seconds,
		.count = invocation->count,
		.screen = isatty(STDOUT_FILENO),
	};
	char why[ASK_WHY_MAX];

	if (watch_disk(&watch, stdout, why))
		fail("%s", why);
}

int main(int argc, char **argv)
{
	static void (*const tasks[])(const struct invocation *invocation) = {
		[TASK_STATUS] = show_status,   [TASK_STATS] = show_stats,
		[TASK_BACKING] = show_backing, [TASK_LIST] = show_list,
		[TASK_METRICS] = show_metrics, [TASK_WATCH] = watch,
		[TASK_ORDER] = order_give,     [TASK_PROGRESS] = order_progress,
		[TASK_CANCEL] = order_cancel,  [TASK_HISTOGRAMS] = show_histograms,
	};
	struct invocation invocation;

	/* For the characters that there are; numbers stay as programs write them. */
	setlocale(LC_CTYPE, "");
	secrecy_begin();
	invocation_parse(&invocation, argc, argv);
	if (invocation.http)
		answer_http(&invocation);
	else
		tasks[invocation.task](&invocation);
	return EXIT_SUCCESS;
}
