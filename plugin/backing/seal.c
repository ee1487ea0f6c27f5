/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On the medium: 8 bytes of header, the payload, 16 bytes of tag.  The header is
 * the page's number and, from bit 48 on, the length, little-endian;
 * with encryption it is masked by a key stream, under a key of its own because the
 * nonce is the payload's.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "backing/seal.h"

#define HEADER_LENGTH_SHIFT 48
#define HEADER_PAGE_MASK ((UINT64_C(1) << HEADER_LENGTH_SHIFT) - 1)

#define NONCE_SIZE crypto_aead_chacha20poly1305_ietf_NPUBBYTES

_Static_assert(NONCE_SIZE == sizeof(uint64_t) + sizeof(uint32_t), "nonce");
_Static_assert(SEAL_TAG_SIZE == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(SEAL_TAG_SIZE == crypto_shorthash_siphashx24_BYTES, "tag");
_Static_assert(crypto_stream_chacha20_ietf_NONCEBYTES == NONCE_SIZE, "nonce");
_Static_assert(crypto_shorthash_siphashx24_KEYBYTES >= NONCE_SIZE, "hash key");

struct seal {
	bool encrypt;
	unsigned char payload_key[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
	unsigned char header_key[crypto_stream_chacha20_ietf_KEYBYTES];
	unsigned char hash_key[crypto_shorthash_siphashx24_KEYBYTES];
};

int seal_create(struct seal **sealp, bool encrypt)
{
	struct seal *seal;

	if (sodium_init() < 0)
		return -ENOTSUP;
	seal = sodium_malloc(sizeof(*seal));
	if (!seal)
		return -ENOMEM;
	randombytes_buf(seal, sizeof(*seal));
	seal->encrypt = encrypt;
	*sealp = seal;
	return 0;
}

void seal_destroy(struct seal *seal)
{
	sodium_free(seal);
}

static void put_number(unsigned char *to, uint64_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (unsigned char)(number >> (8 * i));
}

static void make_nonce(unsigned char *nonce, uint64_t filling, uint32_t place)
{
	put_number(nonce, filling, sizeof(filling));
	put_number(nonce + sizeof(filling), place, sizeof(place));
}

static void make_header(unsigned char *to, const struct seal_header *header)
{
	put_number(to, header->page | (uint64_t)header->length << HEADER_LENGTH_SHIFT,
		   SEAL_HEADER_SIZE);
}

/* Masks or unmasks: the same. */
static void mask_header(const struct seal *seal, const unsigned char *nonce,
			const unsigned char *from, unsigned char *to)
{
	crypto_stream_chacha20_ietf_xor(to, from, SEAL_HEADER_SIZE, nonce, seal->header_key);
}

/* Of header and payload, which stand one behind the other. */
static void hash_record(const struct seal *seal, const unsigned char *nonce,
			const unsigned char *record, size_t length, unsigned char *tag)
{
	unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];

	memcpy(key, seal->hash_key, sizeof(key));
	for (size_t i = 0; i < NONCE_SIZE; i++)
		key[i] ^= nonce[i];
	crypto_shorthash_siphashx24(tag, record, SEAL_HEADER_SIZE + length, key);
}

void seal_record(const struct seal *seal, uint64_t filling, uint32_t place,
		 const struct seal_header *header, const void *payload, unsigned char *record)
{
	unsigned char nonce[NONCE_SIZE], plain[SEAL_HEADER_SIZE];
	unsigned char *body = record + SEAL_HEADER_SIZE, *tag = body + header->length;

	make_nonce(nonce, filling, place);
	if (!seal->encrypt) {
		make_header(record, header);
		memcpy(body, payload, header->length);
		hash_record(seal, nonce, record, header->length, tag);
		return;
	}
	make_header(plain, header);
	mask_header(seal, nonce, plain, record);
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(body, tag, NULL, payload, header->length,
							   plain, sizeof(plain), NULL, nonce,
							   seal->payload_key);
}

int seal_open(const struct seal *seal, uint64_t filling, uint32_t place,
	      const struct seal_header *header, const unsigned char *record, void *payload)
{
	unsigned char nonce[NONCE_SIZE], plain[SEAL_HEADER_SIZE], tag[SEAL_TAG_SIZE];
	const unsigned char *body = record + SEAL_HEADER_SIZE;

	make_nonce(nonce, filling, place);
	make_header(plain, header);
	if (seal->encrypt)
		return crypto_aead_chacha20poly1305_ietf_decrypt_detached(
			       payload, NULL, body, header->length, body + header->length, plain,
			       sizeof(plain), nonce, seal->payload_key)
			       ? -EBADMSG
			       : 0;
	hash_record(seal, nonce, record, header->length, tag);
	if (memcmp(record, plain, sizeof(plain)) != 0 ||
	    memcmp(tag, body + header->length, sizeof(tag)) != 0)
		return -EBADMSG;
	memcpy(payload, body, header->length);
	return 0;
}

void seal_peek(const struct seal *seal, uint64_t filling, uint32_t place,
	       const unsigned char *record, struct seal_header *header)
{
	unsigned char nonce[NONCE_SIZE], plain[SEAL_HEADER_SIZE];
	uint64_t number = 0;

	if (seal->encrypt) {
		make_nonce(nonce, filling, place);
		mask_header(seal, nonce, record, plain);
	} else {
		memcpy(plain, record, sizeof(plain));
	}
	for (int i = SEAL_HEADER_SIZE - 1; i >= 0; i--)
		number = number << 8 | plain[i];
	header->page = number & HEADER_PAGE_MASK;
	header->length = (uint32_t)(number >> HEADER_LENGTH_SHIFT);
}
