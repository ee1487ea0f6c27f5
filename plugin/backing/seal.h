/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What guards a record on a backing store: ChaCha20-Poly1305 (RFC 8439, from
 * libsodium) under a key that is made at the start and never stored, or, without
 * encryption, a keyed SipHash.  Either way the tag is the checksum: a record that
 * was changed, misplaced or is an older one of the same place does not open.
 *
 * A record is sealed under the number of its segment's filling, which counts up
 * and is never used twice, and its place in the segment: so no nonce is either.
 */
#ifndef RAMZSWAP_SEAL_H
#define RAMZSWAP_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_TAG_SIZE 16u
#define SEAL_HEADER_SIZE 8u

/* What a record is about; 40 bits, 13 bits. */
struct seal_header {
	uint64_t page;	 /* of the disk */
	uint32_t length; /* of the payload, 1 to 4096 */
};

struct seal;

/* Makes the keys, in locked memory that no core dump shows.  0 or -ENOMEM, -ENOTSUP. */
int seal_create(struct seal **seal, bool encrypt);

/* Forgets the keys.  NULL is accepted. */
void seal_destroy(struct seal *seal);

/* Bytes of a sealed record. */
static inline size_t seal_size(size_t length)
{
	return SEAL_HEADER_SIZE + length + SEAL_TAG_SIZE;
}

/* Writes seal_size(header->length) bytes at record.  Any thread. */
void seal_record(const struct seal *seal, uint64_t filling, uint32_t place,
		 const struct seal_header *header, const void *payload, unsigned char *record);

/*
 * Checks that the record is the one that was sealed under this filling, place and
 * header, and puts its payload out.  0 or -EBADMSG.  Any thread.
 */
int seal_open(const struct seal *seal, uint64_t filling, uint32_t place,
	      const struct seal_header *header, const unsigned char *record, void *payload);

/*
 * Reads the header of a record that was sealed under this filling and place; if it
 * is none, the header is nonsense, which seal_open finds out.  Any thread.
 */
void seal_peek(const struct seal *seal, uint64_t filling, uint32_t place,
	       const unsigned char *record, struct seal_header *header);

#endif
