/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page store beside a plain array that holds what it must hold, and every operation that there
 * is on both.  What differs ends the process, with a line that says what.
 *
 * The array covers some regions of the disk, near or far from one another; the rest is never
 * written.  Several models may share a store, each with regions of its own, which need not end at
 * pages: what one does leaves the others' bytes alone.
 *
 * Requests go through a door: to the store itself, or to a server that has one.
 */
#ifndef TESTS_STORE_MODEL_H
#define TESTS_STORE_MODEL_H

#include "backing/backing.h"
#include "choices.h"
#include "fake_medium.h"
#include "seeds.h"
#include "store/store.h"

#define MODEL_REGIONS 8u

/* What is made and goes together: a store, and what is behind it if something is. */
struct model_disk {
	struct store *store;	  /* NULL: in a server, and only reached through a door */
	struct fake_medium *fake; /* NULL: no backing store */
	struct backing *backing;
	uint64_t size;
	uint64_t memlimit; /* as it was made with */
	bool limited;	   /* requests may fail for want of memory */
	bool may_err;	   /* reads may fail, since a medium or memory is made to */
};

struct model_config {
	uint64_t size;
	uint64_t memlimit;
	uint64_t reserve;
	uint64_t backing; /* bytes behind it, 0 for none */
	const struct codec *codec, *idle_codec;
	unsigned int encoders;
	unsigned int recompress_seconds;
	bool locked, checksum;
};

void model_disk_make(struct model_disk *disk, const struct model_config *config);

/* No medium fails any more. */
void model_disk_calm(struct model_disk *disk);

/* Sound to the last, or the process ends. */
void model_disk_end(struct model_disk *disk);

struct model;

/* As the functions of store.h that have these names; opaque is model->behind_door. */
struct model_door {
	int (*read)(void *opaque, void *buf, uint32_t count, uint64_t offset);
	int (*write)(void *opaque, const void *buf, uint32_t count, uint64_t offset);
	int (*zero)(void *opaque, uint64_t count, uint64_t offset);
	/* Must reach the end of the range.  NULL: nothing says what is a hole. */
	int (*extents)(void *opaque, uint64_t count, uint64_t offset,
		       int (*extent)(void *opaque, uint64_t offset, uint64_t length, bool hole),
		       void *extent_opaque);
	/* One step of what goes on beside requests. */
	void (*beside)(struct model *model);
};

struct model_region {
	uint64_t base, size;
	unsigned char *shadow;
};

struct model {
	struct model_disk *disk;
	const struct model_door *door; /* the store's own, unless changed after model_init */
	void *behind_door;
	struct choices choices;
	struct model_region region[MODEL_REGIONS];
	unsigned int regions;
	bool alone;	     /* nobody else uses the disk: it may be reset, checked and counted */
	unsigned char *buf;  /* as large as the largest region, and a page */
	uint64_t operations; /* done so far */
	uint64_t failures;   /* of them, for want of memory */
	uint64_t errors;     /* reads that failed because a medium was made to */
	uint32_t version;    /* of what is written next */
};

/* Regions of so many bytes each, the first at base, the next step bytes further. */
void model_init(struct model *model, struct model_disk *disk, unsigned int regions, uint64_t base,
		uint64_t size, uint64_t step);

/* Compares everything once more. */
void model_done(struct model *model);

/* Writes all regions, a piece after the other: an operation each. */
void model_fill(struct model *model);

/* One operation. */
void model_step(struct model *model);

/* One step of what others do beside requests: the background, commands, limits. */
void model_keep(struct model_disk *disk, struct choices *choices);

/*
 * A change of count bytes at this place of a region to what is in model->buf failed: its pages must
 * be as wanted up to some page, and as they were from there, and the error one that may be.
 */
void model_accept_prefix(struct model *model, struct model_region *region, uint64_t at,
			 uint32_t count, int err);

/* Every byte of every region must be there. */
void model_compare(struct model *model);

#endif
