/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page store beside a plain array that holds what it must hold, and every operation that there
 * is on both.  What differs ends the process, with a line that says what.
 *
 * The array covers some regions of the disk, near or far from one another; the rest is never
 * written.  Several models may share a store, each with regions of its own, which need not end at
 * pages: what one does leaves the others' bytes alone.
 */
#ifndef TESTS_STORE_MODEL_H
#define TESTS_STORE_MODEL_H

#include "backing/backing.h"
#include "choices.h"
#include "fake_medium.h"
#include "store/store.h"

#define MODEL_REGIONS 8u

/* What is made and goes together: a store, and what is behind it if something is. */
struct model_disk {
	struct store *store;
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

struct model_region {
	uint64_t base, size;
	unsigned char *shadow;
};

struct model {
	struct model_disk *disk;
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

/* One operation. */
void model_step(struct model *model);

/* One step of what others do beside requests: the background, commands, limits. */
void model_keep(struct model_disk *disk, struct choices *choices);

/* Every byte of every region must be there. */
void model_compare(struct model *model);

/* Ends the process with a line. */
void model_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
