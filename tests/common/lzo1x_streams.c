/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "codec.h"
#include "lzo1x_streams.h"

struct maker {
	unsigned char *in;
	unsigned out;	      /* how much of the page is made */
	unsigned state;	      /* literals directly before, 4 for more */
	unsigned char *trail; /* where the number of literals behind a match goes */
	uint64_t random;
};

static uint64_t next(uint64_t *state)
{
	/* splitmix64, by Sebastiano Vigna (public domain) */
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(uint64_t *state, unsigned limit)
{
	return (unsigned)((next(state) >> 32) * limit >> 32);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void put_extension(struct maker *m, unsigned value)
{
	for (; value > 255; value -= 255)
		*m->in++ = 0;
	*m->in++ = value;
}

static void put_literals(struct maker *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		*m->in++ = next(&m->random);
	m->out += n;
}

static void put_literal_run(struct maker *m, unsigned n)
{
	if (n <= 18) {
		*m->in++ = n - 3;
	} else {
		*m->in++ = 0;
		put_extension(m, n - 18);
	}
	put_literals(m, n);
	m->state = 4;
}

static void put_trail(struct maker *m)
{
	unsigned n = least(below(&m->random, 5) % 4, CODEC_PAGE_SIZE - m->out);

	*m->trail |= n;
	put_literals(m, n);
	m->state = n;
}

static void put_m1(struct maker *m, unsigned distance)
{
	distance -= m->state == 4 ? 2049 : 1;
	m->out += m->state == 4 ? 3 : 2;
	m->trail = m->in;
	*m->in++ = (distance & 3) << 2;
	*m->in++ = distance >> 2;
	put_trail(m);
}

static void put_m2(struct maker *m, unsigned length, unsigned distance)
{
	m->trail = m->in;
	*m->in++ = (length - 1) << 5 | ((distance - 1) & 7) << 2;
	*m->in++ = (distance - 1) >> 3;
	m->out += length;
	put_trail(m);
}

static void put_m3(struct maker *m, unsigned length, unsigned distance)
{
	if (length <= 33) {
		*m->in++ = 32 | (length - 2);
	} else {
		*m->in++ = 32;
		put_extension(m, length - 33);
	}
	m->trail = m->in;
	*m->in++ = ((distance - 1) & 63) << 2;
	*m->in++ = (distance - 1) >> 6;
	m->out += length;
	put_trail(m);
}

static void put_instruction(struct maker *m)
{
	unsigned rest = CODEC_PAGE_SIZE - m->out;
	unsigned reach = below(&m->random, 2) ? m->out : least(m->out, 20);
	unsigned distance = 1 + below(&m->random, reach);
	unsigned length = 3 + below(&m->random, below(&m->random, 8) ? 32 : 900);

	length = least(length, rest);
	switch (below(&m->random, 6)) {
	case 0:
		if (m->state == 0 && length >= 4)
			put_literal_run(m, length);
		break;
	case 1:
		if (m->state > 0 && m->state < 4 && rest >= 2)
			put_m1(m, 1 + below(&m->random, least(m->out, 1024)));
		else if (m->state == 4 && rest >= 3 && m->out > 2048)
			put_m1(m, 2049 + below(&m->random, least(m->out - 2048, 1024)));
		break;
	case 2:
	case 3:
		if (length >= 3)
			put_m2(m, length > 8 ? 3 + length % 6 : length, least(distance, 2048));
		break;
	default:
		if (length >= 3)
			put_m3(m, length, distance);
	}
}

size_t lzo1x_stream_make(unsigned char *stream, uint64_t number)
{
	for (uint64_t attempt = 0;; attempt++) {
		struct maker m = {
			.in = stream,
			.random = (number << 8 | attempt) * 0x632be59bd9b4e019,
		};
		unsigned first = 1 + below(&m.random, below(&m.random, 2) ? 5 : 238);

		if (below(&m.random, 8)) {
			*m.in++ = 17 + first;
			put_literals(&m, first);
			m.state = least(first, 4);
		} else {
			put_literal_run(&m, first + 3);
		}
		while (CODEC_PAGE_SIZE - m.out > 2)
			put_instruction(&m);
		if (CODEC_PAGE_SIZE - m.out == 2 && m.state > 0 && m.state < 4)
			put_m1(&m, 1 + below(&m.random, 1024));
		/* One byte, or often two, no instruction can add. */
		if (m.out != CODEC_PAGE_SIZE)
			continue;
		memcpy(m.in, "\x11\0\0", 3);
		return m.in + 3 - stream;
	}
}

size_t lzo1x_stream_damage(unsigned char *stream, size_t len, uint64_t number)
{
	uint64_t random = number * 0x9fb21c651e98df25;

	for (unsigned n = 1 + below(&random, 3); n && len > 1; n--) {
		/* Half of all damage is near an end, where decoders change their ways. */
		size_t at = below(&random, len);

		if (below(&random, 2))
			at = below(&random, 2) ? at % least(len, 8) : len - 1 - at % least(len, 40);
		switch (below(&random, 7)) {
		case 0:
			stream[at] ^= 1 << below(&random, 8);
			break;
		case 1:
			stream[at] = next(&random);
			break;
		case 2:
			stream[at] = below(&random, 33);
			break;
		case 3:
			memmove(stream + at, stream + at + 1, len - at - 1);
			len--;
			break;
		case 4:
			memmove(stream + at + 1, stream + at, len - at);
			len++;
			break;
		case 5:
			memset(stream + at, 0, least(len - at, 20));
			break;
		default:
			len = at + 1;
		}
	}
	return len;
}
