/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page table: one entry of 8 bytes for each page of the disk, in table pages
 * of 512 entries that exist only where something is stored, found by a directory
 * of 8 bytes a table page (directory.h).
 *
 *	directory entry	 63..32 table page's unit + 1 | 31..16 pins | 15..0 live + bias
 *	table entry	 63..32 handle | 31..30 coding | 29 densest | 28..17 pool | 16 leaving | 15
 *busy 14..6 age | 5 dense | 4..2 kind | 1 waiters | 0 lock of a page behind the pool: 63..32
 *location | 28..17 length - 1 | rest as above of a same-filled page: 63..5 the word, sign-extended
 *from 59 bits | 4..0 as above
 *
 * A table page cannot go away while it is pinned; it goes when nobody pins it and
 * none of its entries is live.
 *
 * Locking: an entry is a lock of its own (two bits and a futex).  Holding it means
 * that the object which it names is neither freed nor moved nor overwritten.  A
 * thread holds at most one entry at a time, and takes pool locks inside it.
 */
#ifndef RAMZSWAP_TABLE_H
#define RAMZSWAP_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/directory.h"

struct span_budget;
struct span_source;

#define TABLE_PAGE_SIZE 4096u
#define TABLE_PAGE_ENTRIES 512u /* pages of the disk that one table page covers */

typedef _Atomic uint64_t table_entry;

enum table_kind {
	KIND_EMPTY,    /* never written or trimmed: reads as zeroes */
	KIND_SAME,     /* repeats a word that fits into the entry */
	KIND_SAME_OBJ, /* repeats a word of 8 bytes that is the object */
	KIND_RAW,      /* the object is the page */
	KIND_PAYLOAD,  /* the object is the page's payload */
	KIND_BACKED,   /* the payload (the page, if as long) is in the backing store */
};

/* How a payload was made, in memory or behind the pool. */
enum entry_coding {
	CODING_WRITTEN,	   /* as one that is written: by the codec for speed */
	CODING_IDLE,	   /* by the codec for idle pages */
	CODING_DICTIONARY, /* by that and the dictionary of generation 0; the next of generation 1 */
};

#define ENTRY_LOCK UINT64_C(1)
#define ENTRY_WAITERS UINT64_C(2)
#define ENTRY_KIND_SHIFT 2
#define ENTRY_KIND_MASK (UINT64_C(7) << ENTRY_KIND_SHIFT)
#define ENTRY_DENSE UINT64_C(0x20)	  /* encoded densely, or nothing to be won by that */
#define ENTRY_DENSEST (UINT64_C(1) << 29) /* the same of the most that the codec can do */
#define ENTRY_AGE_SHIFT 6
#define ENTRY_AGE_BITS 9
#define ENTRY_AGE_MASK (((UINT64_C(1) << ENTRY_AGE_BITS) - 1) << ENTRY_AGE_SHIFT)
#define ENTRY_BUSY (UINT64_C(1) << 15)	  /* being compressed again; gone if rewritten */
#define ENTRY_LEAVING (UINT64_C(1) << 16) /* being written to the backing store; the same */
#define ENTRY_CODING_SHIFT 30		  /* see enum entry_coding */
#define ENTRY_CODING_MASK (UINT64_C(3) << ENTRY_CODING_SHIFT)
#define ENTRY_POOL_SHIFT 17
#define ENTRY_POOL_BITS 12
#define ENTRY_HANDLE_SHIFT 32
#define ENTRY_WORD_SHIFT 5

_Static_assert(ENTRY_CODING_MASK < UINT64_C(1) << ENTRY_HANDLE_SHIFT, "fields overlap");
_Static_assert(ENTRY_POOL_SHIFT + ENTRY_POOL_BITS <= ENTRY_HANDLE_SHIFT, "fields overlap");
_Static_assert(KIND_BACKED <= ENTRY_KIND_MASK >> ENTRY_KIND_SHIFT, "kinds do not fit");

static inline enum table_kind entry_kind(uint64_t entry)
{
	return (enum table_kind)((entry & ENTRY_KIND_MASK) >> ENTRY_KIND_SHIFT);
}

/* Whether the entry names an object in a pool. */
static inline bool entry_has_object(uint64_t entry)
{
	return entry_kind(entry) - KIND_SAME_OBJ <= (unsigned int)KIND_PAYLOAD - KIND_SAME_OBJ;
}

/* Whether the object is a page's, or its payload: what may be compressed again, and may leave. */
static inline bool entry_has_page(uint64_t entry)
{
	return entry_kind(entry) == KIND_RAW || entry_kind(entry) == KIND_PAYLOAD;
}

/* Where other kinds have these two bits, there are bits of a word or of a length. */
static inline bool entry_is_busy(uint64_t entry)
{
	return entry_has_page(entry) && (entry & ENTRY_BUSY);
}

static inline bool entry_is_leaving(uint64_t entry)
{
	return entry_has_page(entry) && (entry & ENTRY_LEAVING);
}

static inline uint32_t entry_handle(uint64_t entry)
{
	return (uint32_t)(entry >> ENTRY_HANDLE_SHIFT);
}

static inline unsigned int entry_pool(uint64_t entry)
{
	return (unsigned int)(entry >> ENTRY_POOL_SHIFT) & ((1u << ENTRY_POOL_BITS) - 1);
}

static inline uint64_t entry_make(enum table_kind kind, unsigned int pool, uint32_t handle)
{
	return (uint64_t)handle << ENTRY_HANDLE_SHIFT | (uint64_t)pool << ENTRY_POOL_SHIFT |
	       (uint64_t)kind << ENTRY_KIND_SHIFT;
}

/* A page whose payload of 1 to 4096 bytes is in the backing store. */
static inline uint64_t entry_make_backed(uint32_t location, uint32_t length)
{
	return entry_make(KIND_BACKED, length - 1, location);
}

/* Whether the entry has a coding: a page that is, or may be, a payload. */
static inline bool entry_is_coded(uint64_t entry)
{
	return entry_kind(entry) == KIND_PAYLOAD || entry_kind(entry) == KIND_BACKED;
}

static inline enum entry_coding entry_coding(uint64_t entry)
{
	return (enum entry_coding)((entry & ENTRY_CODING_MASK) >> ENTRY_CODING_SHIFT);
}

/* The generation of the dictionary that the entry's payload needs, or -1. */
static inline int entry_generation(uint64_t entry)
{
	int generation = (int)entry_coding(entry) - (int)CODING_DICTIONARY;

	return generation < 0 ? -1 : generation;
}

static inline uint64_t entry_with_coding(uint64_t entry, enum entry_coding coding)
{
	return (entry & ~ENTRY_CODING_MASK) | (uint64_t)coding << ENTRY_CODING_SHIFT;
}

static inline uint32_t entry_location(uint64_t entry)
{
	return entry_handle(entry);
}

static inline uint32_t entry_length(uint64_t entry)
{
	return entry_pool(entry) + 1;
}

static inline unsigned int entry_age(uint64_t entry)
{
	return (unsigned int)((entry & ENTRY_AGE_MASK) >> ENTRY_AGE_SHIFT);
}

static inline uint64_t entry_with_age(uint64_t entry, unsigned int age)
{
	return (entry & ~ENTRY_AGE_MASK) | (((uint64_t)age << ENTRY_AGE_SHIFT) & ENTRY_AGE_MASK);
}

/* The word of a KIND_SAME entry. */
static inline uint64_t entry_word(uint64_t entry)
{
	return (uint64_t)((int64_t)entry >> ENTRY_WORD_SHIFT);
}

static inline uint64_t entry_make_same(uint64_t word)
{
	return word << ENTRY_WORD_SHIFT | (uint64_t)KIND_SAME << ENTRY_KIND_SHIFT;
}

/* Whether a word survives being kept in 59 bits. */
static inline bool entry_word_fits(uint64_t word)
{
	return entry_word(word << ENTRY_WORD_SHIFT) == word;
}

/*
 * Locks an entry; sleeps while another thread holds it.  Returns its content
 * without the two lock bits.
 */
uint64_t entry_lock(table_entry *entry);

/* The same if nobody holds it; does not wait.  Whether it is locked, and *content valid. */
bool entry_try_lock(table_entry *entry, uint64_t *content);

/* Unlocks an entry and gives it new content (lock bits clear in it). */
void entry_unlock(table_entry *entry, uint64_t content);

struct table {
	struct directory directory;
	uint64_t directory_entries;
	struct span_source *source; /* of table pages */
	atomic_uint_least64_t table_pages;
};

/*
 * Makes a table for so many pages of disk.  The budget, which must outlive the
 * table, is charged for every table page and every page of the directory that leads to
 * one; of a locked table with a small directory, for all of that from the start.
 * 0 or -ENOMEM.
 */
int table_init(struct table *table, uint64_t pages, struct span_budget *budget, bool locked);

/* Frees the table; entries are forgotten as they are.  A zeroed table is accepted. */
void table_fini(struct table *table);

/* With no table page left: gives back what is kept of those that were.  For the background. */
void table_forget(struct table *table);

/* The page of the disk that an entry of a pinned table page is for. */
#define table_page_number(ref, entry) \
	((ref)->index * TABLE_PAGE_ENTRIES + (uint64_t)((entry) - (ref)->entries))

/* A pinned table page: entries[page % TABLE_PAGE_ENTRIES] may be used. */
struct table_ref {
	uint64_t index;	      /* of the table page: page / TABLE_PAGE_ENTRIES */
	table_entry *entries; /* NULL: there is none, every page is empty */
	int live_delta;	      /* the holder counts entries made (+1) and emptied (-1) */
};

/*
 * Pins the table page of this index.  With create it is made if there is none: 0,
 * -ENOSPC or -ENOMEM.  Without, always 0, and ref->entries is NULL where there is
 * none.
 */
int table_pin(struct table *table, uint64_t index, bool create, struct table_ref *ref);

/* Ends a pin and applies live_delta.  A ref without entries is accepted. */
void table_unpin(struct table *table, struct table_ref *ref);

/*
 * The first index in [index, end) that may have a table page, or end if there is none: skips what
 * is empty quickly, and looks at nothing behind end.
 */
uint64_t table_next(const struct table *table, uint64_t index, uint64_t end);

/*
 * Pins the first table page that there is at this index or after it, which ref->index tells.
 * False at the end of the table; nothing is pinned then.  A walk:
 *
 *	for (index = 0; table_pin_next(table, index, &ref); index = ref.index + 1) {
 *		...ref.entries[0 to TABLE_PAGE_ENTRIES - 1]...
 *		table_unpin(table, &ref);
 *	}
 */
bool table_pin_next(struct table *table, uint64_t index, struct table_ref *ref);

#endif
