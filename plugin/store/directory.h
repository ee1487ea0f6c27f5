/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where there are table pages: reserved address space with an entry for each that there may be,
 * resident only where some are.  Three levels, each of which says where the next one is empty:
 *
 *	roots		16 bits for 2 TiB of disk, in the struct: tallies that are not 0
 *	tallies		16 bits for 1 GiB of disk: table pages there
 *	entries		64 bits for 2 MiB of disk: a table page, or 0
 *
 * A page of tallies or entries is charged and resident while what counts it is not 0, and goes
 * back with the last.  Who looks at one that went reads zeroes, which is the truth.  Of a small
 * locked disk all are resident from the start and stay so.
 *
 * Any thread may call any function but init and fini, holding anything but a span source's lock.
 */
#ifndef RAMZSWAP_DIRECTORY_H
#define RAMZSWAP_DIRECTORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct span_budget;

/* What one page of entries covers: table pages. */
#define DIRECTORY_PAGE_ENTRIES (4096u / sizeof(uint64_t))
/* What one page of tallies covers: pages of entries. */
#define DIRECTORY_PAGE_TALLIES (4096u / sizeof(uint16_t))
/* For 1 PiB. */
#define DIRECTORY_ROOTS 512u

struct directory {
	_Atomic uint64_t *entries;
	uint64_t count; /* of entries */
	_Atomic uint16_t *tallies;
	struct span_budget *budget;
	bool urgent;	/* pages are taken urgently: perhaps behind swap of this machine */
	bool permanent; /* all is resident and stays so */
	/* For what becomes resident or goes; pages are waited for without it. */
	pthread_mutex_t lock;
	uint64_t drops; /* pages that went, under the lock */
	_Atomic uint16_t roots[DIRECTORY_ROOTS];
};

/*
 * Makes a directory of so many entries, at most DIRECTORY_ROOTS pages of tallies' worth.  The
 * budget must outlive it.  0; -ENOMEM, -ENOSPC, or -EINVAL for too many, and nothing is kept.
 */
int directory_init(struct directory *directory, uint64_t count, struct span_budget *budget,
		   bool locked);

/* What is resident is not uncharged: the budget goes, too.  A zeroed struct is accepted. */
void directory_fini(struct directory *directory);

/*
 * The entry at index may be made something from here on, to directory_release.  0, -ENOSPC or
 * -ENOMEM.
 */
int directory_hold(struct directory *directory, uint64_t index);

/* The entry is 0 again, or has not been made anything. */
void directory_release(struct directory *directory, uint64_t index);

/* The entry at index.  Touches no memory where there is none. */
uint64_t directory_load(const struct directory *directory, uint64_t index);

/*
 * The first index in [index, end) whose entry may not be 0, or end.  Takes a step for each entry
 * of the range at most, and for each 2 MiB, 1 GiB or 2 TiB of disk that is empty just one.
 */
uint64_t directory_next(const struct directory *directory, uint64_t index, uint64_t end);

#endif
