/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_medium.h"

static bool is_held(const struct fake_medium *fake, size_t len, uint64_t offset)
{
	return fake->hold &&
	       (fake->hold_to == 0 || (offset < fake->hold_to && offset + len > fake->hold_from));
}

static void arrive(struct fake_medium *fake, const void *buf, size_t len, uint64_t offset)
{
	uint32_t mask = fake->medium.block - 1;

	if (((uintptr_t)buf & mask) || (len & mask) || (offset & mask) ||
	    offset + len > fake->medium.size)
		atomic_fetch_add(&fake->misaligned, 1);
	atomic_fetch_add(&fake->held, 1);
	while (is_held(fake, len, offset))
		usleep(1000);
	atomic_fetch_sub(&fake->held, 1);
}

static int fake_start(struct medium *medium)
{
	return 0;
}

static int fake_read(struct medium *medium, void *buf, size_t len, uint64_t offset)
{
	struct fake_medium *fake = (struct fake_medium *)medium;
	int error;

	arrive(fake, buf, len, offset);
	atomic_fetch_add(&fake->reads, 1);
	atomic_fetch_add(&fake->bytes_read, len);
	if (offset < fake->bad_read_to && offset + len > fake->bad_read_from)
		return -EIO;
	error = fake->read_error;
	if (error)
		return -error;
	for (size_t i = 0; i < len; i += fake->medium.block)
		memcpy((char *)buf + i, fake->bytes + (offset + i) % fake->real_size,
		       fake->medium.block);
	return 0;
}

static int fake_write(struct medium *medium, const void *buf, size_t len, uint64_t offset)
{
	struct fake_medium *fake = (struct fake_medium *)medium;
	int error;

	arrive(fake, buf, len, offset);
	atomic_fetch_add(&fake->writes, 1);
	if (offset < fake->bad_to && offset + len > fake->bad_from)
		return -EIO;
	/* Looked at once: whoever takes it back meanwhile must not make a success of it. */
	error = fake->write_error;
	if (error && fake->write_fails != 0) {
		if (fake->write_fails > 0)
			atomic_fetch_sub(&fake->write_fails, 1);
		return -error;
	}
	for (size_t i = 0; i < len; i += fake->medium.block)
		memcpy(fake->bytes + (offset + i) % fake->real_size, (const char *)buf + i,
		       fake->medium.block);
	return 0;
}

static void fake_discard(struct medium *medium, size_t len, uint64_t offset)
{
	struct fake_medium *fake = (struct fake_medium *)medium;

	atomic_fetch_add(&fake->discards, 1);
	memset(fake->bytes + offset % fake->real_size, 0, len);
}

static void fake_close(struct medium *medium)
{
}

static const struct medium_ops fake_ops = {
	.start = fake_start,
	.read = fake_read,
	.write = fake_write,
	.discard = fake_discard,
	.close = fake_close,
};

struct fake_medium *fake_medium_new(uint64_t size, uint64_t real_size)
{
	struct fake_medium *fake = calloc(1, sizeof(*fake));

	if (!fake)
		abort();
	fake->medium = (struct medium){
		.ops = &fake_ops,
		.size = size,
		.block = 512,
		.kind = "fake",
		.direct = true,
	};
	fake->real_size = real_size ? real_size : size;
	fake->bytes = calloc(1, fake->real_size);
	if (!fake->bytes)
		abort();
	return fake;
}

void fake_medium_free(struct fake_medium *fake)
{
	free(fake->bytes);
	free(fake);
}
