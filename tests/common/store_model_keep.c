/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes on beside requests: the background's steps, commands, limits, a medium in trouble. */
#include <errno.h>
#include <string.h>

#include "store/state.h"
#include "store_model.h"

static void move_limit(struct model_disk *disk, struct choices *choices)
{
	uint64_t least = store_memlimit_min(disk->size);
	uint64_t limit = disk->memlimit;

	/* Most of the time it is what it was. */
	if (limit != STORE_NO_LIMIT && choose(choices, 4) == 0)
		limit = least + choose(choices, 2 * (limit - least) + 1);
	(void)store_set_memlimit(disk->store, limit);
}

static void move_pages(struct model_disk *disk, struct choices *choices)
{
	uint64_t bytes;
	int err;

	switch (choose(choices, 4)) {
	case 0:
		(void)store_writeback_work(disk->store);
		return;
	case 1:
		err = store_writeback(disk->store, WRITEBACK_HUGE, 0, &bytes, NULL);
		break;
	case 2:
		err = store_writeback(disk->store, WRITEBACK_ALL, 0, &bytes, NULL);
		break;
	default:
		err = store_writeback(disk->store, WRITEBACK_POLICY, 0, &bytes, NULL);
		break;
	}
	if (err && err != -ENODEV && err != -ENOSPC && err != -EDQUOT && err != -EIO)
		seeds_fail("writing back: %s", strerror(-err));
}

/* Writes fail for a while; reads do, too, where the model knows. */
static void trouble(struct model_disk *disk, struct choices *choices)
{
	if (!disk->fake)
		return;
	disk->fake->write_error = choose(choices, 4) ? 0 : EIO;
	disk->fake->write_fails = (int)choose(choices, 5);
	if (disk->may_err)
		disk->fake->read_error = choose(choices, 4) ? 0 : EIO;
}

static void recompress(struct model_disk *disk)
{
	uint64_t bytes;
	int err = store_recompress(disk->store, &bytes, NULL);

	if (err && err != -ENOMEM && err != -ENOSPC)
		seeds_fail("recompressing: %s", strerror(-err));
}

/* Pages become old without time. */
static void let_age(struct model_disk *disk, struct choices *choices)
{
	atomic_fetch_add(&disk->store->age, (unsigned int)choose(choices, 20));
}

void model_keep(struct model_disk *disk, struct choices *choices)
{
	switch (choose(choices, 32)) {
	default:
		(void)store_work(disk->store);
		break;
	case 0:
		(void)store_compact(disk->store, NULL);
		break;
	case 1:
		recompress(disk);
		break;
	case 2 ... 5:
		move_limit(disk, choices);
		break;
	case 6 ... 9:
		move_pages(disk, choices);
		break;
	case 10 ... 12:
		trouble(disk, choices);
		break;
	case 13 ... 15:
		let_age(disk, choices);
		break;
	case 16 ... 17:
		(void)store_refill(disk->store);
		break;
	}
}
