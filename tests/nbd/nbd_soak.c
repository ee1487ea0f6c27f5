/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real server beside a plain array: clients that come and go and send every request there is, the
 * control socket's commands meanwhile, and resets.
 *
 * An even seed is one client, whose choices and the commands between them are the same each time.
 * An odd one is three clients at once, which share pages whose bytes belong to several of them and
 * race for others, and a thread for the commands.
 *
 * After each round everybody leaves, and a reset is asked for while they come again.  What they
 * are told was written is there then, on a disk that is either empty or what it was.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/stats.h"
#include "control/client.h"
#include "nbd_door.h"
#include "seeds.h"
#include "store_race.h"

#define MIB (UINT64_C(1) << 20)
#define KIB (UINT64_C(1) << 10)
#define PAGE STORE_PAGE_SIZE

#define CLIENTS 3u
#define ROUNDS 3u
#define IN_DOUBT 8u /* pages that a client writes while a reset is under way */
#define ANSWER_MAX 16384
#define RESET_TRIES 600

/*
 * Disks.
 */

enum disk_kind { DISK_PLAIN, DISK_TIGHT, DISK_SPARSE, DISK_BACKED, DISK_LOCKED, DISK_KINDS };

static const char *const disk_names[] = { "plain", "tight", "sparse", "backed", "locked" };

/* A thread sanitizer leaves the server too few addresses for the largest disk. */
#ifdef __SANITIZE_THREAD__
#define SPARSE_PARAM "size=64G"
#define SPARSE_SIZE (UINT64_C(64) << 30)
#else
#define SPARSE_PARAM "size=1P"
#define SPARSE_SIZE STORE_SIZE_MAX
#endif

/* After -t 1 --no-sr, with which nbdkit before 1.34 lives through clients that hang up. */
static const char *const disk_params[][7] = {
	{ "size=4206649", "swap=off", "checksum=on" },
	{ "size=4206649", "swap=off", "memlimit=1280K" },
	{ SPARSE_PARAM, "swap=off", "memlimit=3M", "wipe=on" },
	{ "size=4206649", "swap=off", "memlimit=2M", "recompress=1", "checksum=on",
	  "backing-size=8M" },
	{ "size=4206649", "memlimit=8M", "reserve=1M", "algorithm=lz4" },
};

struct crew;

struct member {
	struct crew *crew;
	unsigned int number;
	struct nbd_client client;
	struct model model;
	uint64_t until; /* operations of the model */
	unsigned char doubt[IN_DOUBT][PAGE];
	int doubt_err[IN_DOUBT];
};

struct crew {
	struct server server;
	struct model_disk disk;
	struct race race;
	struct choices choices; /* of the commands */
	enum disk_kind kind;
	bool rude;
	unsigned int count;
	struct member member[CLIENTS];
	atomic_bool stop;
	int silent; /* a control client that has sent half a line, or -1 */
	char folder[64], control[100], backing[100];
};

static enum disk_kind kind_of(uint64_t seed)
{
	return (enum disk_kind)(seed / 2 % DISK_KINDS);
}

/* Those that hang up are served by options of their own, without block status. */
static bool is_rude(uint64_t seed)
{
	return seed % 3 == 0;
}

static void start(struct crew *crew)
{
	const char *params[16];
	char control[120], backing[120];
	unsigned int count = 0;

	strcpy(crew->folder, "/tmp/ramzswap-test-XXXXXX");
	if (!mkdtemp(crew->folder))
		seeds_fail("no folder");
	snprintf(crew->control, sizeof(crew->control), "%s/control", crew->folder);
	snprintf(crew->backing, sizeof(crew->backing), "%s/backing", crew->folder);
	snprintf(control, sizeof(control), "control=%s", crew->control);
	snprintf(backing, sizeof(backing), "backing=%s", crew->backing);
	if (crew->rude) {
		params[count++] = "-t1";
		params[count++] = "--no-sr";
	}
	for (const char *const *param = disk_params[crew->kind]; *param; param++)
		params[count++] = *param;
	params[count++] = control;
	if (crew->kind == DISK_BACKED)
		params[count++] = backing;
	params[count] = NULL;
	server_start(&crew->server, params);
	crew->disk.size = crew->kind == DISK_SPARSE ? SPARSE_SIZE : 4206649;
	crew->disk.limited = crew->kind != DISK_PLAIN;
}

/*
 * Commands.
 */

static bool ask(struct crew *crew, const char *command, char answer[ANSWER_MAX])
{
	return control_ask(crew->control, command, answer, ANSWER_MAX);
}

static struct ramzswap_stats get_stats(struct crew *crew)
{
	struct ramzswap_stats stats = { 0 };
	char answer[ANSWER_MAX];

	if (!ask(crew, "stats", answer) || stats_parse_plain(&stats, answer))
		seeds_fail("no statistics: %s", answer);
	if (stats.mem_used_total > stats.mem_used_max)
		seeds_fail("more memory used than ever");
	return stats;
}

static void check(struct crew *crew)
{
	char answer[ANSWER_MAX];

	if (!ask(crew, "check", answer))
		seeds_fail("check: %s", answer);
}

/* Says half of a command and waits; the one before has waited long enough. */
static void keep_silent(struct crew *crew)
{
	if (crew->silent >= 0)
		close(crew->silent);
	crew->silent = control_connect(crew->control, 10);
	if (crew->silent >= 0 && send(crew->silent, "sta", 3, MSG_NOSIGNAL) != 3)
		seeds_fail("half a command cannot be sent");
}

static void move_limit(struct crew *crew, char answer[ANSWER_MAX])
{
	static const unsigned int most_kib[] = { 0, 1280, 3072, 2048, 8192 };
	unsigned int most = most_kib[crew->kind];
	char command[60];

	if (!most)
		return;
	if (choose(&crew->choices, 3))
		most -= (unsigned int)choose(&crew->choices, most / 4);
	snprintf(command, sizeof(command), "memlimit %uK", most);
	/* One that is too small is refused. */
	(void)ask(crew, command, answer);
}

/* Any of them may have nothing to do; what must not come is a wrong byte after it. */
static void command(struct crew *crew)
{
	static const char *const commands[] = { "compact",	  "recompress",
						"writeback",	  "writeback all",
						"writeback huge", "writeback idle 1",
						"backing",	  "backing rate none" };
	char answer[ANSWER_MAX];

	switch (choose(&crew->choices, 6)) {
	case 0:
		move_limit(crew, answer);
		break;
	case 1:
		(void)get_stats(crew);
		break;
	case 2:
		if (choose(&crew->choices, 4) == 0)
			check(crew);
		break;
	case 3:
		keep_silent(crew);
		break;
	default:
		(void)ask(crew,
			  commands[choose(&crew->choices, sizeof(commands) / sizeof(commands[0]))],
			  answer);
		break;
	}
}

static void sleep_us(uint64_t us)
{
	struct timespec time = { .tv_nsec = (long)us * 1000 };

	nanosleep(&time, NULL);
}

static void *keeper_main(void *arg)
{
	struct crew *crew = arg;

	while (!atomic_load(&crew->stop)) {
		command(crew);
		sleep_us(5000);
	}
	return NULL;
}

/*
 * Clients.
 */

static void *member_main(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;
	struct model *model = &member->model;
	unsigned char *buf = malloc(RACE_RANGE * PAGE);

	model_fill(model);
	while (model->operations < member->until) {
		if (crew->count > 1 && choose(&model->choices, 2) == 0) {
			race_step(&crew->race, member->number, model, buf);
			model->operations++;
			continue;
		}
		model_step(model);
		/* Alone, the commands come at the same places each time. */
		if (crew->count == 1 && choose(&model->choices, 40) == 0)
			command(crew);
	}
	free(buf);
	return NULL;
}

/* Regions end in the middle of pages, which two clients change then. */
static void init_members(struct crew *crew, uint64_t seed)
{
	const uint64_t size = crew->count == 1 ? 7 * MIB / 2 + 777 : 5 * MIB / 4 + 777;
	const uint64_t race_base = (crew->disk.size - RACE_PAGES * PAGE) & ~(PAGE - 1ull);

	race_init(&crew->race, &crew->disk, race_base,
		  (uint32_t)(seeds_options.operations * RACE_RANGE));
	for (unsigned int i = 0; i < crew->count; i++) {
		struct member *member = &crew->member[i];

		member->crew = crew;
		member->number = i;
		member->model.choices.rng.state = seed * 10 + i;
		if (crew->kind == DISK_SPARSE)
			model_init(&member->model, &crew->disk, 4, 1 + i * (48 * KIB + 77),
				   48 * KIB + 77, (crew->disk.size - 2 * MIB) / 4);
		else
			model_init(&member->model, &crew->disk, 1, i * size, size, 0);
		nbd_client_come(&member->client, &crew->server, crew->rude);
		nbd_client_serve(&member->client, &member->model, !crew->rude);
	}
}

static void run_round(struct crew *crew, unsigned int round)
{
	pthread_t threads[CLIENTS], keeper;

	atomic_store(&crew->stop, false);
	for (unsigned int i = 0; i < crew->count; i++) {
		crew->member[i].until =
			seeds_options.operations * (round + 1) / ROUNDS / crew->count + 1;
		if (crew->count == 1)
			member_main(&crew->member[0]);
		else if (pthread_create(&threads[i], NULL, member_main, &crew->member[i]))
			seeds_fail("no thread");
	}
	if (crew->count == 1)
		return;
	if (pthread_create(&keeper, NULL, keeper_main, crew))
		seeds_fail("no thread");
	for (unsigned int i = 0; i < crew->count; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&crew->stop, true);
	pthread_join(keeper, NULL);
}

/*
 * Resets.
 */

/* Of the pages that lie in the first region as a whole. */
static uint64_t doubt_at(const struct model_region *region, unsigned int i)
{
	uint64_t first = (PAGE - region->base % PAGE) % PAGE;

	return first + i * ((region->size - first) / PAGE / IN_DOUBT) * PAGE;
}

static void write_in_doubt(struct member *member)
{
	const struct model_region *region = &member->model.region[0];

	for (unsigned int i = 0; i < IN_DOUBT; i++) {
		data_fill(&member->model.choices.rng, i % 2 ? DATA_TEXT : DATA_STRUCT,
			  member->doubt[i], PAGE);
		member->doubt_err[i] =
			member->model.door->write(&member->client, member->doubt[i], PAGE,
						  region->base + doubt_at(region, i));
	}
}

static void settle_doubt(struct member *member)
{
	struct model *model = &member->model;
	struct model_region *region = &model->region[0];

	for (unsigned int i = 0; i < IN_DOUBT; i++) {
		uint64_t at = doubt_at(region, i);

		if (!member->doubt_err[i]) {
			memcpy(region->shadow + at, member->doubt[i], PAGE);
			continue;
		}
		memcpy(model->buf, member->doubt[i], PAGE);
		model_accept_prefix(model, region, at, PAGE, member->doubt_err[i]);
	}
}

static void forget_all(struct crew *crew)
{
	for (unsigned int i = 0; i < crew->count; i++)
		for (unsigned int j = 0; j < crew->member[i].model.regions; j++) {
			struct model_region *region = &crew->member[i].model.region[j];

			memset(region->shadow, 0, region->size);
		}
	race_forgotten(&crew->race);
	atomic_fetch_add(&seeds_tally->resets, 1);
}

static void all_leave(struct crew *crew)
{
	for (unsigned int i = 0; i < crew->count; i++)
		nbd_client_leave(&crew->member[i].client);
}

struct reset {
	const char *control;
	uint64_t wait_us;
	bool done;
	char answer[ANSWER_MAX];
};

static void *reset_main(void *arg)
{
	struct reset *reset = arg;

	sleep_us(reset->wait_us);
	reset->done = control_ask(reset->control, "reset", reset->answer, sizeof(reset->answer));
	return NULL;
}

/* It may be refused, as a client is there: then nothing is gone. */
static void reset_while_they_come(struct crew *crew)
{
	struct reset reset = { .control = crew->control, .wait_us = choose(&crew->choices, 3000) };
	char answer[ANSWER_MAX];
	pthread_t thread;

	if (ask(crew, "reset", answer) || !strstr(answer, "connected"))
		seeds_fail("a reset with clients: %s", answer);
	all_leave(crew);
	if (pthread_create(&thread, NULL, reset_main, &reset))
		seeds_fail("no thread");
	sleep_us(choose(&crew->choices, 3000));
	for (unsigned int i = 0; i < crew->count; i++)
		nbd_client_come(&crew->member[i].client, &crew->server, crew->rude);
	for (unsigned int i = 0; i < crew->count; i++)
		write_in_doubt(&crew->member[i]);
	pthread_join(thread, NULL);
	if (reset.done)
		forget_all(crew);
	else if (!strstr(reset.answer, "connected"))
		seeds_fail("a reset: %s", reset.answer);
	for (unsigned int i = 0; i < crew->count; i++)
		settle_doubt(&crew->member[i]);
	for (unsigned int i = 0; i < crew->count; i++)
		model_compare(&crew->member[i].model);
	race_compare(&crew->race, &crew->member[0].model);
}

/* Nbdkit may take a moment to see that the clients have left. */
static void reset_surely(struct crew *crew)
{
	char answer[ANSWER_MAX] = "";
	unsigned int tries = 0;

	while (!ask(crew, "reset", answer)) {
		if (!strstr(answer, "connected") || ++tries > RESET_TRIES)
			seeds_fail("the last reset: %s", answer);
		sleep_us(100000);
	}
	forget_all(crew);
}

static void must_be_empty(struct crew *crew)
{
	struct ramzswap_stats stats = get_stats(crew);

	if (stats.pages_stored || stats.same_pages || stats.bd_count)
		seeds_fail("pages are there after a reset");
	check(crew);
}

static void run_seed(uint64_t seed)
{
	static struct crew crew;

	crew.kind = kind_of(seed);
	crew.rude = is_rude(seed);
	crew.count = seed % 2 ? CLIENTS : 1;
	crew.silent = -1;
	crew.choices.rng.state = seed + 99;
	start(&crew);
	init_members(&crew, seed);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		run_round(&crew, round);
		check(&crew);
		reset_while_they_come(&crew);
	}
	all_leave(&crew);
	reset_surely(&crew);
	must_be_empty(&crew);
	for (unsigned int i = 0; i < crew.count; i++) {
		struct model *model = &crew.member[i].model;

		nbd_client_come(&crew.member[i].client, &crew.server, crew.rude);
		atomic_fetch_add(&seeds_tally->operations, model->operations);
		atomic_fetch_add(&seeds_tally->failures, model->failures);
		model_done(model);
	}
	race_done(&crew.race);
	all_leave(&crew);
	if (crew.silent >= 0)
		close(crew.silent);
	server_stop(&crew.server);
	unlink(crew.backing);
	rmdir(crew.folder);
}

static const char *kind_name(uint64_t seed)
{
	return disk_names[kind_of(seed)];
}

static const char *crew_name(uint64_t seed)
{
	static const char *const names[2][2] = { { "one client", "one that hangs up" },
						 { "clients", "clients that hang up" } };

	return names[seed % 2][is_rude(seed)];
}

int main(int argc, char **argv)
{
	static const struct seeds_test test = {
		.name = "nbd_soak",
		.defaults = { .seed = 1, .seeds = 10, .operations = 1500, .patience_s = 300 },
		.run = run_seed,
		.kind = kind_name,
		.crew = crew_name,
	};

	return seeds_main(argc, argv, &test);
}
