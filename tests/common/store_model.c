/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_model.h"
#include "store_watch.h"

#define PAGE STORE_PAGE_SIZE

/* What a page is made of: so many are at hand, made once, and stamped as they are written. */
#define PATTERNS 64u

#define FILL_PIECE (37u << 10)

static unsigned char patterns[PATTERNS][PAGE];

static void make_patterns(void)
{
	struct rng rng = { 4711 };

	if (patterns[PATTERNS - 1][0])
		return;
	for (unsigned int i = 0; i < PATTERNS; i++) {
		data_fill(&rng, (enum data_kind)(i % DATA_KINDS), patterns[i], PAGE);
		/* A page of one word or of zeroes stays so. */
		if (i % DATA_KINDS > DATA_SAME)
			patterns[i][0] = 1;
	}
	patterns[PATTERNS - 1][0] = 1;
}

/*
 * The disk.
 */

void model_disk_make(struct model_disk *disk, const struct model_config *config)
{
	struct store_config store = {
		.size = config->size,
		.memlimit = config->memlimit,
		.reserve = config->reserve,
		.codec = config->codec,
		.idle_codec = config->idle_codec,
		.encoders = config->encoders,
		.recompress_seconds = config->recompress_seconds,
		.locked = config->locked,
		.checksum = config->checksum,
	};
	char why[MEDIUM_WHY_MAX] = "";
	int err;

	memset(disk, 0, sizeof(*disk));
	disk->size = config->size;
	disk->memlimit = config->memlimit;
	disk->limited = config->memlimit != STORE_NO_LIMIT;
	if (config->backing) {
		disk->fake = fake_medium_new(config->backing, 0);
		if (backing_create(&disk->backing, &disk->fake->medium, BACKING_SEGMENT_MIN, true,
				   why, sizeof(why)) ||
		    backing_start(disk->backing, false))
			seeds_fail("no backing store: %s", why);
	}
	store.backing = disk->backing;
	err = store_create(&disk->store, &store);
	if (err)
		seeds_fail("no store: %s", strerror(-err));
}

static void must_be_sound(struct model_disk *disk)
{
	char why[200] = "";

	if (store_check(disk->store, NULL, why, sizeof(why)) && !disk->may_err)
		seeds_fail("store_check: %s", why);
}

void model_disk_calm(struct model_disk *disk)
{
	if (disk->fake) {
		disk->fake->read_error = 0;
		disk->fake->write_error = 0;
	}
	disk->may_err = false;
	(void)store_set_memlimit(disk->store, disk->memlimit);
}

void model_disk_end(struct model_disk *disk)
{
	model_disk_calm(disk);
	must_be_sound(disk);
	store_destroy(disk->store);
	backing_destroy(disk->backing);
	if (disk->fake && disk->fake->misaligned)
		seeds_fail("%u requests to the medium were no whole blocks",
			   disk->fake->misaligned);
	if (disk->fake)
		fake_medium_free(disk->fake);
}

/*
 * The store's own door.
 */

static int through_read(void *opaque, void *buf, uint32_t count, uint64_t offset)
{
	return store_read(opaque, buf, count, offset);
}

static int through_write(void *opaque, const void *buf, uint32_t count, uint64_t offset)
{
	return store_write(opaque, buf, count, offset);
}

static int through_zero(void *opaque, uint64_t count, uint64_t offset)
{
	return store_zero(opaque, count, offset);
}

static int through_extents(void *opaque, uint64_t count, uint64_t offset,
			   int (*extent)(void *opaque, uint64_t offset, uint64_t length, bool hole),
			   void *extent_opaque)
{
	return store_extents(opaque, count, offset, extent, extent_opaque);
}

static void keep_store(struct model *model)
{
	model_keep(model->disk, &model->choices);
}

static const struct model_door store_door = { through_read, through_write, through_zero,
					      through_extents, keep_store };

/*
 * The array beside it.
 */

void model_init(struct model *model, struct model_disk *disk, unsigned int regions, uint64_t base,
		uint64_t size, uint64_t step)
{
	struct choices choices = model->choices;

	make_patterns();
	memset(model, 0, sizeof(*model));
	model->choices = choices;
	model->disk = disk;
	model->door = &store_door;
	model->behind_door = disk->store;
	model->regions = regions;
	model->buf = malloc(size + PAGE);
	for (unsigned int i = 0; i < regions; i++) {
		model->region[i].base = base + i * step;
		model->region[i].size = size;
		model->region[i].shadow = calloc(1, size);
		if (!model->region[i].shadow || !model->buf)
			seeds_fail("no memory for the model");
	}
}

static void compare(struct model *model, const struct model_region *region, uint64_t at,
		    uint32_t count)
{
	uint64_t offset = region->base + at;
	struct watch watch;
	size_t differs;
	int err;

	watch_begin(&watch, model->disk, count, offset);
	err = model->door->read(model->behind_door, model->buf, count, offset);
	if (err == -EIO && model->disk->may_err) {
		model->errors++;
		return;
	}
	if (err)
		(void)watch_explain(&watch, model->disk, stderr);
	if (err)
		seeds_fail("operation %llu: a read of %u bytes at %llu: %s",
			   (unsigned long long)model->operations, count, (unsigned long long)offset,
			   strerror(-err));
	differs = data_differs(model->buf, region->shadow + at, count);
	if (differs != count)
		seeds_fail("operation %llu: byte %llu of a read of %u bytes at %llu is %#x "
			   "instead of %#x",
			   (unsigned long long)model->operations,
			   (unsigned long long)(offset + differs), count,
			   (unsigned long long)offset, model->buf[differs],
			   region->shadow[at + differs]);
}

void model_compare(struct model *model)
{
	for (unsigned int i = 0; i < model->regions; i++)
		compare(model, &model->region[i], 0, (uint32_t)model->region[i].size);
}

void model_done(struct model *model)
{
	model_compare(model);
	for (unsigned int i = 0; i < model->regions; i++)
		free(model->region[i].shadow);
	free(model->buf);
}

/* A range of a region as requests have them: some pages, or odd, now and then long. */
static uint32_t any_range(struct model *model, struct model_region **region, uint64_t *at)
{
	struct choices *choices = &model->choices;
	uint64_t count, size;

	*region = &model->region[choose(choices, model->regions)];
	size = (*region)->size;
	*at = choose(choices, size);
	switch (choose(choices, 16)) {
	default:
		/* Whole pages of the disk, wherever the region begins. */
		*at -= ((*region)->base + *at) % PAGE < *at ? ((*region)->base + *at) % PAGE : 0;
		count = PAGE * (1 + choose(choices, 3));
		break;
	case 0 ... 2:
		count = 1 + choose(choices, 64);
		break;
	case 3 ... 5:
		count = 1 + choose(choices, 2 * PAGE);
		break;
	case 6:
		count = 1 + choose(choices, size / 8 + 1);
		break;
	}
	return (uint32_t)(count < size - *at ? count : size - *at);
}

/* Fills buf with pieces of patterns, each stamped so that no two writes are alike. */
static void make_data(struct model *model, unsigned char *buf, uint32_t count)
{
	uint32_t kind = (uint32_t)choose(&model->choices, PATTERNS);

	for (uint32_t at = 0; at < count; at += PAGE, kind = (kind + 1) % PATTERNS) {
		uint32_t part = count - at < PAGE ? count - at : PAGE;

		memcpy(buf + at, patterns[kind], part);
		model->version++;
		if (kind % DATA_KINDS <= DATA_SAME)
			continue;
		if (part > sizeof(model->version) + 8)
			memcpy(buf + at + 8, &model->version, sizeof(model->version));
	}
}

/* Whether a change may fail so: for want of memory, or as a page cannot be read in part. */
static bool may_fail(const struct model *model, int err)
{
	if (err == -EIO)
		return model->disk->may_err;
	return model->disk->limited && (err == -ENOSPC || err == -ENOMEM);
}

/* Whatever the medium is made to do at the moment. */
static void read_surely(struct model *model, void *page, uint32_t count, uint64_t offset)
{
	struct model_disk *disk = model->disk;
	int error = disk->fake ? atomic_exchange(&disk->fake->read_error, 0) : 0;
	int err = model->door->read(model->behind_door, page, count, offset);

	/* Another thread's model may just have made it fail. */
	while (err == -EIO && disk->may_err)
		err = model->door->read(model->behind_door, page, count, offset);
	if (err)
		seeds_fail("page at %llu is lost", (unsigned long long)offset);
	if (error)
		disk->fake->read_error = error;
}

void model_accept_prefix(struct model *model, struct model_region *region, uint64_t at,
			 uint32_t count, int err)
{
	const unsigned char *wanted = model->buf;
	unsigned char page[PAGE];
	bool stopped = false;
	uint32_t len;

	if (!may_fail(model, err))
		seeds_fail("operation %llu: a change of %u bytes at %llu: %s",
			   (unsigned long long)model->operations, count,
			   (unsigned long long)(region->base + at), strerror(-err));
	model->failures++;
	for (uint32_t done = 0; done < count; done += len) {
		uint64_t offset = region->base + at + done;
		unsigned char *old = region->shadow + at + done;

		len = PAGE - (uint32_t)(offset % PAGE);
		if (len > count - done)
			len = count - done;
		read_surely(model, page, len, offset);
		if (!stopped && memcmp(page, wanted + done, len) == 0)
			memcpy(old, page, len);
		else
			stopped = true;
		if (memcmp(page, old, len) != 0)
			seeds_fail("operation %llu: a failed change left something else at %llu",
				   (unsigned long long)model->operations,
				   (unsigned long long)offset);
	}
}

static void write_range(struct model *model, struct model_region *region, uint64_t at,
			uint32_t count)
{
	int err;

	make_data(model, model->buf, count);
	err = model->door->write(model->behind_door, model->buf, count, region->base + at);
	if (!err) {
		memcpy(region->shadow + at, model->buf, count);
		return;
	}
	model_accept_prefix(model, region, at, count, err);
}

static void do_write(struct model *model)
{
	struct model_region *region;
	uint64_t at;
	uint32_t count = any_range(model, &region, &at);

	write_range(model, region, at, count);
}

void model_fill(struct model *model)
{
	for (unsigned int i = 0; i < model->regions; i++) {
		struct model_region *region = &model->region[i];
		const uint64_t piece = FILL_PIECE;

		for (uint64_t at = 0; at < region->size; at += piece) {
			uint64_t left = region->size - at;

			write_range(model, region, at, (uint32_t)(left < piece ? left : piece));
			model->operations++;
		}
	}
}

static void do_zero(struct model *model)
{
	struct model_region *region;
	uint64_t at;
	uint32_t count = any_range(model, &region, &at);
	int err = model->door->zero(model->behind_door, count, region->base + at);

	if (!err) {
		memset(region->shadow + at, 0, count);
		return;
	}
	memset(model->buf, 0, count);
	model_accept_prefix(model, region, at, count, err);
}

static void do_read(struct model *model)
{
	struct model_region *region;
	uint64_t at;
	uint32_t count = any_range(model, &region, &at);

	compare(model, region, at, count);
}

struct extent_walk {
	struct model *model;
	const struct model_region *region;
	uint64_t next, end;
};

/* What is called a hole must be zero, and whole pages of zeroes are holes. */
static int check_extent(void *opaque, uint64_t offset, uint64_t length, bool hole)
{
	struct extent_walk *walk = opaque;
	const struct model_region *region = walk->region;
	uint64_t end = offset + length;

	if (offset != walk->next || length == 0 || end > walk->end)
		seeds_fail("an extent of %llu bytes at %llu instead of %llu",
			   (unsigned long long)length, (unsigned long long)offset,
			   (unsigned long long)walk->next);
	walk->next = end;
	if (hole) {
		if (!data_is_zero(region->shadow + (offset - region->base), length))
			seeds_fail("data at %llu is called a hole", (unsigned long long)offset);
		return 0;
	}
	for (uint64_t page = (offset + PAGE - 1) / PAGE * PAGE; page + PAGE <= end; page += PAGE)
		if (data_is_zero(region->shadow + (page - region->base), PAGE))
			seeds_fail("a page of zeroes at %llu is called data",
				   (unsigned long long)page);
	return 0;
}

static void do_extents(struct model *model)
{
	struct model_region *region;
	uint64_t at;
	uint32_t count = any_range(model, &region, &at);
	struct extent_walk walk = {
		.model = model,
		.region = region,
		.next = region->base + at,
		.end = region->base + at + count,
	};

	if (model->door->extents(model->behind_door, count, walk.next, check_extent, &walk) ||
	    walk.next != walk.end)
		seeds_fail("operation %llu: no extents to the end of the range",
			   (unsigned long long)model->operations);
}

/* All that there is, and what is between. */
static void forget_all(struct model *model)
{
	if (choose(&model->choices, 2))
		store_reset(model->disk->store);
	else if (store_zero(model->disk->store, model->disk->size, 0))
		seeds_fail("the whole disk cannot be trimmed");
	for (unsigned int i = 0; i < model->regions; i++)
		memset(model->region[i].shadow, 0, model->region[i].size);
}

/* What the statistics must say where nobody else is at work. */
static void check_stats(struct model *model)
{
	struct ramzswap_stats stats = { 0 };

	store_get_stats(model->disk->store, &stats);
	if (stats.mem_used_total > stats.mem_used_max)
		seeds_fail("more memory used than ever");
	if (stats.orig_data_size != stats.pages_stored * PAGE)
		seeds_fail("orig_data_size does not fit pages_stored");
	if (stats.pages_zero > stats.same_pages || stats.pages_expand > stats.pages_stored)
		seeds_fail("a part is more than the whole");
	if (stats.mem_used_total + stats.bd_bytes < stats.compr_data_size)
		seeds_fail("payloads take more than there is");
}

void model_step(struct model *model)
{
	struct choices *choices = &model->choices;

	model->operations++;
	switch (choose(choices, 64)) {
	default:
		do_write(model);
		break;
	case 0 ... 8:
		do_zero(model);
		break;
	case 9 ... 27:
		do_read(model);
		break;
	case 28 ... 31:
		if (model->door->extents)
			do_extents(model);
		else
			do_read(model);
		break;
	case 32 ... 33:
		model->door->beside(model);
		break;
	case 34:
		if (!model->alone)
			break;
		if (choose(choices, 16) == 0)
			must_be_sound(model->disk);
		else if (choose(choices, 16) == 0)
			model_compare(model);
		else if (choose(choices, 32) == 0)
			forget_all(model);
		else
			check_stats(model);
		break;
	}
}
