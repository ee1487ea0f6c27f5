/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_race.h"
#include "store_watch.h"

#define PAGE STORE_PAGE_SIZE
#define WORDS (PAGE / sizeof(uint64_t))

void race_init(struct race *race, struct model_disk *disk, uint64_t base, uint32_t versions_max)
{
	memset(race, 0, sizeof(*race));
	race->disk = disk;
	race->base = base;
	race->versions_max = versions_max;
	for (unsigned int i = 0; i < RACE_THREADS; i++) {
		race->ended[i] = calloc(versions_max, sizeof(*race->ended[i]));
		if (!race->ended[i])
			seeds_fail("no memory for the model");
	}
}

void race_done(struct race *race)
{
	for (unsigned int i = 0; i < RACE_THREADS; i++)
		free(race->ended[i]);
}

static uint64_t tick(struct race *race)
{
	return atomic_fetch_add(&race->clock, 1) + 1;
}

static void raise_to(_Atomic uint64_t *value, uint64_t to)
{
	uint64_t seen = atomic_load(value);

	while (seen < to && !atomic_compare_exchange_weak(value, &seen, to))
		;
}

/* Never 0: that is what a trimmed page reads. */
static uint64_t version_id(unsigned int thread, uint32_t version)
{
	return (uint64_t)(thread + 1) << 32 | version;
}

/* One word, or what compresses well, or hardly, or not at all: all of it follows from the id. */
static uint64_t version_word(uint64_t id, size_t i)
{
	uint64_t mixed = (id + i) * UINT64_C(0x9e3779b97f4a7c15);

	if (i == 0)
		return id;
	switch (id % 4) {
	case 0:
		return id;
	case 1:
		return mixed ^ (mixed >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	case 2:
		return id + i % 7;
	default:
		return i < id / 4 % WORDS ? mixed : 0;
	}
}

static void make_version(uint64_t id, unsigned char *page)
{
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t word = version_word(id, i);

		memcpy(page + i * sizeof(word), &word, sizeof(word));
	}
}

/* Where a page that begins with the version's id is not of this version; PAGE: nowhere. */
static size_t differs_from(uint64_t id, const unsigned char *page)
{
	unsigned char whole[PAGE];

	make_version(id, whole);
	return data_differs(page, whole, PAGE);
}

static void check_page(struct race *race, unsigned int number, const unsigned char *page,
		       uint64_t floor)
{
	struct race_page *state = &race->page[number];
	uint32_t version;
	uint64_t id, thread, ended;

	memcpy(&id, page, sizeof(id));
	if (id == 0) {
		/* In this order: what is under way no more has told its end. */
		if (!data_is_zero(page, PAGE))
			seeds_fail("page %u: a mixture of zeroes and something else", number);
		if (atomic_load(&state->trimming) == 0 && atomic_load(&state->trimmed) < floor)
			seeds_fail("page %u: zeroes that were overwritten before", number);
		return;
	}
	thread = (id >> 32) - 1;
	version = (uint32_t)id;
	if (thread >= RACE_THREADS || version >= race->versions_max ||
	    differs_from(id, page) != PAGE)
		seeds_fail("page %u: a mixture, of version %#llx up to byte %zu", number,
			   (unsigned long long)id, differs_from(id, page));
	ended = atomic_load(&race->ended[thread][version]);
	if (ended && ended < floor)
		seeds_fail("page %u: version %#llx, which ended at %llu, was overwritten by one "
			   "that began at %llu and had ended before the read",
			   number, (unsigned long long)id, (unsigned long long)ended,
			   (unsigned long long)floor);
}

static void read_pages(struct race *race, struct model *model, unsigned int first,
		       unsigned int count, unsigned char *buf)
{
	uint64_t floor[RACE_PAGES];
	struct watch watch;
	int err;

	for (unsigned int i = 0; i < count; i++)
		floor[i] = atomic_load(&race->page[first + i].floor);
	watch_begin(&watch, race->disk, count * PAGE, race->base + first * PAGE);
	err = model->door->read(model->behind_door, buf, count * PAGE, race->base + first * PAGE);
	if (err == -EIO && race->disk->may_err)
		return;
	if (err)
		(void)watch_explain(&watch, race->disk, stderr);
	if (err)
		seeds_fail("a read of page %u: %s", first, strerror(-err));
	for (unsigned int i = 0; i < count; i++)
		check_page(race, first + i, buf + i * PAGE, floor[i]);
}

static void write_pages(struct race *race, struct model *model, unsigned int thread,
			unsigned int first, unsigned int count, unsigned char *buf)
{
	uint32_t version = race->versions[thread];
	uint64_t began;
	int err;

	if (count > race->versions_max - version)
		return;
	race->versions[thread] += count;
	for (unsigned int i = 0; i < count; i++)
		make_version(version_id(thread, version + i), buf + i * PAGE);
	began = tick(race);
	err = model->door->write(model->behind_door, buf, count * PAGE, race->base + first * PAGE);
	if (err && !(race->disk->limited && (err == -ENOSPC || err == -ENOMEM)))
		seeds_fail("a write of page %u: %s", first, strerror(-err));
	for (unsigned int i = 0; i < count; i++) {
		atomic_store(&race->ended[thread][version + i], tick(race));
		/* Of one that failed nobody knows whether it took the place of another. */
		if (!err)
			raise_to(&race->page[first + i].floor, began);
	}
}

static void trim_pages(struct race *race, struct model *model, unsigned int first,
		       unsigned int count)
{
	uint64_t began = tick(race);
	int err;

	for (unsigned int i = 0; i < count; i++)
		atomic_fetch_add(&race->page[first + i].trimming, 1);
	err = model->door->zero(model->behind_door, (uint64_t)count * PAGE,
				race->base + first * PAGE);
	if (err)
		seeds_fail("a trim of page %u: %s", first, strerror(-err));
	for (unsigned int i = 0; i < count; i++) {
		raise_to(&race->page[first + i].trimmed, tick(race));
		atomic_fetch_sub(&race->page[first + i].trimming, 1);
		raise_to(&race->page[first + i].floor, began);
	}
}

void race_step(struct race *race, unsigned int thread, struct model *model, unsigned char *buf)
{
	struct choices *choices = &model->choices;
	unsigned int first = (unsigned int)choose(choices, RACE_PAGES);
	unsigned int count = 1 + (unsigned int)choose(choices, RACE_RANGE);

	if (count > RACE_PAGES - first)
		count = RACE_PAGES - first;
	switch (choose(choices, 8)) {
	default:
		write_pages(race, model, thread, first, count, buf);
		break;
	case 0:
		trim_pages(race, model, first, count);
		break;
	case 1 ... 4:
		read_pages(race, model, first, count, buf);
		break;
	}
}

void race_forgotten(struct race *race)
{
	for (unsigned int i = 0; i < RACE_PAGES; i++) {
		uint64_t now = tick(race);

		raise_to(&race->page[i].trimmed, now);
		raise_to(&race->page[i].floor, now);
	}
}

void race_compare(struct race *race, struct model *model)
{
	unsigned char page[PAGE];

	for (unsigned int i = 0; i < RACE_PAGES; i++)
		read_pages(race, model, i, 1, page);
}
