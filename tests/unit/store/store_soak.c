/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every operation that there is on a page store, in random order, beside a plain array: by one
 * thread, and by several that share pages.
 *
 * An even seed is one thread, and the same each time.  An odd one is four threads and one more for
 * the background.  The kind of disk follows from the seed, too.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "seeds.h"
#include "store_model.h"
#include "store_race.h"

#define MIB (UINT64_C(1) << 20)
#define KIB (UINT64_C(1) << 10)

#define THREADS 4u

/*
 * Disks.
 */

enum disk_kind {
	DISK_PLAIN,    /* room for everything */
	DISK_TIGHT,    /* requests fail for want of memory */
	DISK_SPARSE,   /* regions far from one another, on the largest disk there is */
	DISK_BACKED,   /* a backing store behind a small pool, whose writes fail now and then */
	DISK_TROUBLED, /* and its reads, too */
	DISK_LOCKED,   /* with a reserve, as behind swap */
	DISK_KINDS,
};

static const char *const disk_names[] = {
	"plain", "tight", "sparse", "backed", "troubled", "locked"
};

static bool may_lock(void)
{
	void *memory = mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool may = memory != MAP_FAILED && mlock2(memory, 64 * MIB, MLOCK_ONFAULT) == 0;

	/* Such memory stays locked whatever the call returned. */
	munmap(memory, 64 * MIB);
	return may || errno == ENOMEM;
}

static const struct codec *any_codec(struct rng *rng)
{
	size_t count = 0;

	while (codecs[count])
		count++;
	return codecs[rng_below(rng, count)];
}

/* What a codec needs to work in must leave room for pages. */
static const struct codec *small_codec(const struct codec *codec)
{
	for (int effort = 0; codec && effort < CODEC_EFFORTS; effort++)
		if (codec->workspace_size[effort] > 128 * KIB)
			return NULL;
	return codec;
}

static struct model_config config_of(enum disk_kind kind, struct rng *rng)
{
	struct model_config config = {
		.size = 4 * MIB + 12345,
		.memlimit = STORE_NO_LIMIT,
		.codec = rng_below(rng, 4) ? NULL : any_codec(rng),
		.idle_codec = rng_below(rng, 2) ? NULL : any_codec(rng),
		.encoders = (unsigned int)rng_below(rng, 3),
		.checksum = rng_below(rng, 2),
	};

	switch (kind) {
	case DISK_TIGHT:
		config.memlimit = 3 * MIB / 2;
		break;
	case DISK_SPARSE:
		config.size = STORE_SIZE_MAX - 4095 * rng_below(rng, 2);
		config.memlimit = 3 * MIB;
		break;
	case DISK_BACKED:
	case DISK_TROUBLED:
		config.memlimit = 3 * MIB / 2;
		config.backing = 8 * MIB;
		config.recompress_seconds = 1;
		break;
	case DISK_LOCKED:
		config.locked = may_lock();
		config.reserve = MIB;
		config.memlimit = 8 * MIB;
		break;
	default:
		break;
	}
	if (config.memlimit < 2 * MIB) {
		config.codec = small_codec(config.codec);
		config.idle_codec = small_codec(config.idle_codec);
	}
	return config;
}

/*
 * One thread.
 */

static void note(const struct model *model)
{
	atomic_fetch_add(&seeds_tally->operations, model->operations);
	atomic_fetch_add(&seeds_tally->failures, model->failures);
	atomic_fetch_add(&seeds_tally->errors, model->errors);
}

static void init_alone(struct model *model, struct model_disk *disk, enum disk_kind kind)
{
	if (kind == DISK_SPARSE)
		model_init(model, disk, MODEL_REGIONS, 77, 96 * KIB,
			   (disk->size - MIB) / (MODEL_REGIONS - 1));
	else
		model_init(model, disk, 1, 0, disk->size, 0);
	model->alone = true;
}

/* A server that is stopped and started again has forgotten everything. */
static void run_alone(uint64_t seed, enum disk_kind kind)
{
	static struct model model;
	struct rng rng = { seed * 1000 + 1 };
	const unsigned int lives = 3;

	model.choices.rng.state = seed;
	for (unsigned int life = 0; life < lives; life++) {
		struct model_config config = config_of(kind, &rng);
		struct model_disk disk;

		model_disk_make(&disk, &config);
		disk.may_err = kind == DISK_TROUBLED;
		init_alone(&model, &disk, kind);
		while (model.operations < seeds_options.operations / lives + 1)
			model_step(&model);
		model_disk_calm(&disk);
		note(&model);
		model_done(&model);
		model_disk_end(&disk);
	}
}

/*
 * Threads.
 */

struct crew {
	struct model_disk disk;
	struct race race;
	atomic_bool stop;
	uint64_t seed;
};

struct member {
	struct crew *crew;
	unsigned int number;
	struct model model;
};

static void *member_main(void *arg)
{
	struct member *member = arg;
	struct model *model = &member->model;
	unsigned char *buf = malloc(RACE_RANGE * STORE_PAGE_SIZE);

	while (model->operations < seeds_options.operations / THREADS) {
		if (choose(&model->choices, 3)) {
			model_step(model);
			continue;
		}
		race_step(&member->crew->race, member->number, model, buf);
		model->operations++;
	}
	free(buf);
	return NULL;
}

static void *keeper_main(void *arg)
{
	struct crew *crew = arg;
	struct choices choices = { .rng = { crew->seed + 99 } };
	struct timespec pause = { .tv_nsec = 200 * 1000 };
	struct ramzswap_stats stats;
	char why[200];

	while (!atomic_load(&crew->stop)) {
		model_keep(&crew->disk, &choices);
		store_get_stats(crew->disk.store, &stats);
		if (choose(&choices, 64) == 0 &&
		    store_check(crew->disk.store, NULL, why, sizeof(why)) && !crew->disk.may_err)
			seeds_fail("store_check beside requests: %s", why);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* Regions end in the middle of pages, which two threads change then. */
static void init_members(struct crew *crew, struct member *members, enum disk_kind kind)
{
	const uint64_t size = 280 * KIB + 777;
	uint64_t race_base = crew->disk.size / 2 & ~(uint64_t)(STORE_PAGE_SIZE - 1);

	if (kind != DISK_SPARSE)
		race_base = 2 * MIB;
	race_init(&crew->race, &crew->disk, race_base,
		  (uint32_t)(seeds_options.operations / THREADS * RACE_RANGE));
	for (unsigned int i = 0; i < THREADS; i++) {
		struct member *member = &members[i];

		member->crew = crew;
		member->number = i;
		member->model.choices.rng.state = crew->seed * 10 + i;
		if (kind == DISK_SPARSE)
			model_init(&member->model, &crew->disk, 4, 1 + i * (48 * KIB + 77),
				   48 * KIB + 77, (crew->disk.size - MIB) / 4);
		else
			model_init(&member->model, &crew->disk, 1, i * size, size, 0);
	}
}

static void run_crew(uint64_t seed, enum disk_kind kind)
{
	static struct member members[THREADS];
	static struct crew crew;
	struct rng rng = { seed * 1000 + 1 };
	struct model_config config = config_of(kind, &rng);
	pthread_t threads[THREADS], keeper;

	crew.seed = seed;
	model_disk_make(&crew.disk, &config);
	crew.disk.may_err = kind == DISK_TROUBLED;
	init_members(&crew, members, kind);
	for (unsigned int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, member_main, &members[i]))
			seeds_fail("no thread");
	if (pthread_create(&keeper, NULL, keeper_main, &crew))
		seeds_fail("no thread");
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&crew.stop, true);
	pthread_join(keeper, NULL);
	model_disk_calm(&crew.disk);
	race_compare(&crew.race, &members[0].model);
	race_done(&crew.race);
	for (unsigned int i = 0; i < THREADS; i++) {
		note(&members[i].model);
		model_done(&members[i].model);
	}
	model_disk_end(&crew.disk);
}

/*
 * Seeds.
 */

static enum disk_kind kind_of(uint64_t seed)
{
	return (enum disk_kind)(seed / 2 % DISK_KINDS);
}

static const char *kind_name(uint64_t seed)
{
	return disk_names[kind_of(seed)];
}

static const char *crew_name(uint64_t seed)
{
	return seed % 2 ? "threads" : "alone";
}

static void run_seed(uint64_t seed)
{
	if (seed % 2)
		run_crew(seed, kind_of(seed));
	else
		run_alone(seed, kind_of(seed));
}

int main(int argc, char **argv)
{
	static const struct seeds_test test = {
		.name = "store_soak",
		.defaults = { .seed = 1, .seeds = 20, .operations = 50000, .patience_s = 600 },
		.run = run_seed,
		.kind = kind_name,
		.crew = crew_name,
	};

	return seeds_main(argc, argv, &test);
}
