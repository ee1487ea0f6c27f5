/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page codecs: each turns one page of CODEC_PAGE_SIZE bytes into a payload and
 * back.  A codec keeps no state of its own; whatever it needs to work in is a
 * workspace that the caller prepares once and lends to one call at a time, so
 * that no call allocates, blocks, logs or makes a system call.  (The training of a
 * dictionary is the one exception.)
 */
#ifndef RAMZSWAP_CODEC_H
#define RAMZSWAP_CODEC_H

#include <stddef.h>
#include <stdint.h>

/* Every codec works on pages of exactly this many bytes. */
#define CODEC_PAGE_SIZE 4096u

/* A payload that any codec makes of a page is never longer than this. */
#define CODEC_BOUND_MAX (CODEC_PAGE_SIZE + CODEC_PAGE_SIZE / 16 + 64 + 3)

/* The most pages that a dictionary is made of. */
#define CODEC_TRAIN_PAGES_MAX 2048u

/*
 * How much time a compression may take.  Every effort's payload is read by the
 * same decompress function.
 */
enum codec_effort {
	CODEC_FAST,  /* on the path of a write */
	CODEC_DENSE, /* in the background: most of the gain for little time */
	CODEC_MAX,   /* in the background of an idle machine: the smallest payload */
	CODEC_EFFORTS,
};

/*
 * Pages encoded with a dictionary: bytes that many pages have in common, from which a payload
 * copies what it would have to spell out.  Whoever reads one needs the very same dictionary.
 *
 * A reader and a writer are memory of the caller's, aligned to 64 bytes, in which a dictionary
 * is made ready to be used; the dictionary stays where it is, unchanged, as long as they are
 * used.  Any number of threads may use one reader at once, one thread at a time a writer.
 */
struct codec_dictionary {
	size_t size_min, size_max; /* bytes that a dictionary may have */

	/* Bytes of memory that a reader, or a writer, of a dictionary of so many bytes takes. */
	size_t (*reader_size)(size_t size);
	size_t (*writer_size)(size_t size);

	/*
	 * Makes a dictionary of at most size bytes out of count pages that lie one behind
	 * the other.  Unlike all else here it allocates, what train_size says at most, and
	 * takes a second: not for the path of a request.
	 * Returns its length, size_min at least, or a negative errno; -ENODATA if the pages
	 * have nothing in common, or are too few.
	 */
	int (*train)(const void *pages, unsigned int count, void *dictionary, size_t size);
	size_t (*train_size)(size_t size);

	/* 0, or -EINVAL for what is no dictionary, or -ENOMEM. */
	int (*reader_make)(void *reader, const void *dictionary, size_t size);
	int (*writer_make)(void *writer, const void *dictionary, size_t size);

	/* As those of struct codec, of CODEC_MAX effort. */
	int (*compress)(void *writer, const void *page, void *out);

	/*
	 * As that of struct codec.  A payload has a checksum of its page: one bit of the
	 * dictionary that is not what it was gives -EBADMSG, and never another page.
	 */
	int (*decompress)(const void *reader, const void *payload, size_t len, void *page,
			  size_t slack);
};

struct codec {
	const char *name;	 /* what algorithm= takes */
	const char *description; /* one line for the help text */
	const char *library;	 /* its file's name begins so; NULL if all is in this code */

	/*
	 * Bytes of workspace that compress needs at each effort, 0 for none; to be
	 * aligned to 64 bytes and zeroed once before its first use.
	 */
	size_t workspace_size[CODEC_EFFORTS];

	/*
	 * Compresses the CODEC_PAGE_SIZE bytes at page into out, which has room for
	 * CODEC_BOUND_MAX bytes and overlaps neither page nor workspace.  An effort
	 * that a codec does not distinguish does what the next lower one does.
	 * Returns the length of the payload, 1 to CODEC_BOUND_MAX, or a negative errno.
	 */
	int (*compress)(enum codec_effort effort, void *workspace, const void *page, void *out);

	/*
	 * Turns the payload of len bytes at payload back into CODEC_PAGE_SIZE bytes at
	 * page.  Bytes page[CODEC_PAGE_SIZE .. CODEC_PAGE_SIZE + slack - 1] may be
	 * overwritten with anything: a caller who has room behind the page that it is
	 * going to fill later gets a faster copy for it; slack 0 is always right.
	 * Nothing outside the payload is read and nothing else is written, whatever
	 * the payload holds.
	 * Returns 0, or -EBADMSG if the payload is not one that makes exactly one
	 * page; the page's content is undefined then.
	 */
	int (*decompress)(const void *payload, size_t len, void *page, size_t slack);

	/*
	 * Makes ready what so many decompressions at once need, resident, in memory that all
	 * users of the codec share.  Returns its bytes in all.  More at once are no error, but
	 * the first of them may take a page fault.  NULL if none is needed.
	 */
	size_t (*prepare)(unsigned int readers);

	const struct codec_dictionary *dictionary; /* NULL: it can use none */
};

/* The table of all codecs built in; ends with NULL.  The first is the default. */
extern const struct codec *const codecs[];

/*
 * The codec of this name, or NULL.  Names are matched exactly.  Beside those in the
 * table there is one for each level of zstd, zstd:1 to zstd:12, where that is built in.
 */
const struct codec *codec_find(const char *name);

#endif
