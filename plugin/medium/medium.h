/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a backing store can lie on: a file, a block device, or an NBD server.  A
 * medium is a range of bytes that is read and written in whole blocks, from
 * aligned buffers, by blocking calls.
 *
 * A medium is opened, and everything about it that may be wrong is said, while
 * there is somebody to read it; medium->ops->start comes later, in the process
 * (a daemon forks) that is going to use it.
 */
#ifndef RAMZSWAP_MEDIUM_H
#define RAMZSWAP_MEDIUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for the one line of why that opening may leave. */
#define MEDIUM_WHY_MAX 512

/* Blocks are no larger than this. */
#define MEDIUM_BLOCK_MAX 4096u

struct medium;

/*
 * Any thread may read while one writes.  0 or a negative errno, and then what the
 * range holds, or the buffer, is undefined.  Address, length and offset are
 * multiples of medium->block.  Neither may allocate, unless the medium says so.
 */
struct medium_ops {
	int (*start)(struct medium *medium);
	int (*read)(struct medium *medium, void *buf, size_t len, uint64_t offset);
	int (*write)(struct medium *medium, const void *buf, size_t len, uint64_t offset);
	/* What the range holds is not needed any more.  NULL if that is of no use. */
	void (*discard)(struct medium *medium, size_t len, uint64_t offset);
	void (*close)(struct medium *medium);
};

struct medium {
	const struct medium_ops *ops;
	uint64_t size;	  /* bytes that may be used, a multiple of block */
	uint32_t block;	  /* bytes; a power of two, at most MEDIUM_BLOCK_MAX */
	const char *kind; /* "file", "device" or "nbd", for people */
	bool direct;	  /* reads and writes pass no cache of this machine */
	bool remote;	  /* somebody else keeps it: it may be gone for a while */
};

struct medium_config {
	const char *where;     /* path, or URI that begins with nbd */
	uint64_t size;	       /* bytes to use, 0 for all that is there */
	uint64_t size_default; /* bytes of a file that is made and no size given */
	bool force;	       /* overwrite whatever it holds */
	unsigned int patience; /* seconds to wait for a lost server, 0 for the default */
	bool urgent; /* swap of this machine may stand on it: I/O must not wait for memory */
};

/*
 * Opens what config->where names.  0, or a negative errno with one line of why, which
 * does not name the place; *medium is untouched then.
 */
int medium_open(struct medium **medium, const struct medium_config *config, char *why,
		size_t why_size);

/* Whether this names an NBD server, which may be gone for a while and needs memory. */
bool medium_is_remote(const char *where);

/* The two that medium_open chooses from. */
int medium_open_file(struct medium **medium, const struct medium_config *config, char *why,
		     size_t why_size);
int medium_open_nbd(struct medium **medium, const struct medium_config *config, char *why,
		    size_t why_size);

/*
 * The mark that stands in the first block of a backing store, so that it is known
 * again: nothing else is overwritten without being told to.
 */
#define MEDIUM_MARK "ramzswap backing store\n"

/* Whether a first block (MEDIUM_BLOCK_MAX bytes) is all zeroes or bears the mark. */
bool medium_block_is_ours(const void *block);

#endif
