/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dense encoder.  A first pass forwards finds matches at every position, a
 * second one backwards finds from each position on the instructions that take the
 * fewest bytes (dynamic programming), and a third one writes them.
 *
 * What makes it quick: the cost from a position on hardly ever grows with the
 * position, so of all lengths of a match only the longest needs a look; the
 * nearest earlier place with the same 3 bytes gives the short matches, which
 * must be near to be cheap, without a search; only the long ones, which may be
 * anywhere, are searched for, in chains of positions that agree in more bytes.
 */
#include "codec.h"
#include "lzo1x.h"
#include "lzo1x_copy.h"
#include "lzo1x_emit.h"
#include "lzo1x_match.h"

#define PAGE CODEC_PAGE_SIZE
#define HASH_BITS 12
#define unlikely(x) __builtin_expect(!!(x), 0)
/* So that each density becomes constants in a copy of its own. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Positions from here on are too near the end to be hashed. */
#define LAST_HASHED (PAGE - 8)
/* Of a long match these last positions are searched like all others. */
#define AFTER_NICE 4

/*
 * A match as a number that is larger for a better one: its length, and PAGE less its
 * distance, which is 1 or more.  Zero is no match.
 */
#define MATCH_SHIFT 12
#define MATCH_LEAST (MATCH_MIN << MATCH_SHIFT)
#define MATCH_ONE (1u << MATCH_SHIFT)

struct found {
	uint32_t longest;
	uint32_t near; /* the longest that M2 reaches, perhaps longer than M2 can be */
};

/* In place of near, where nothing but the end of a long match was looked for. */
#define INSIDE 1u

/* How hard to look. */
struct density {
	uint32_t chain_bytes; /* how many bytes the searched candidates agree in, 3 to 8 */
	uint32_t depth;	      /* how many of them to look at for each position */
	uint32_t enough;      /* with a match of that length not to look for another */
	uint32_t nice;	      /* in a match of that length not to look further */
	int collisions;	      /* whether to look past a first one that only hashes alike */
};

struct tables {
	struct found found[PAGE];
	/*
	 * Bytes that the rest of the page takes: straight behind a match; with a match
	 * here; the same behind 1 to 3 literals; within a run of four and more.
	 */
	uint16_t cost[PAGE + 8];
	uint16_t here[PAGE + 8];
	uint16_t behind_few[PAGE + 8];
	uint16_t in_run[PAGE + 8];
	uint16_t pair[PAGE];  /* distance of a match of 2 that M1 reaches, 0 for none */
	uint16_t chain[PAGE]; /* the position before that hashes alike */
	/*
	 * The last position with a hash.  Zero is position 0 or none at all: what is
	 * there is compared anyway.
	 */
	uint16_t head2[1 << HASH_BITS];
	uint16_t head3[1 << HASH_BITS];
	uint16_t head_chain[1 << HASH_BITS];
};

_Static_assert(sizeof(struct tables) <= LZO1X_DENSE_WORKSPACE, "as large as lzo1x.h says");

/* More than any page costs, and still more with what is added to it. */
#define UNREACHED 0x3000u

static inline uint32_t hash(uint64_t first_bytes, unsigned int n)
{
	return (uint32_t)((first_bytes << (64 - 8 * n)) * UINT64_C(0x9e3779b185ebca87) >>
			  (64 - HASH_BITS));
}

static inline uint32_t match_of(uint32_t length, uint32_t distance)
{
	return length << MATCH_SHIFT | (PAGE - distance);
}

static inline uint32_t length_of(uint32_t match)
{
	return match >> MATCH_SHIFT;
}

static inline uint32_t distance_of(uint32_t match)
{
	return PAGE - (match & (MATCH_ONE - 1));
}

/* The match, or 0 if it is not one for M2, without a branch. */
static inline uint32_t if_near(uint32_t match)
{
	_Static_assert(M2_DISTANCE_MAX == PAGE / 2, "one bit tells");
	return match & -(match >> (MATCH_SHIFT - 1) & 1);
}

/* The match, or 0 if it is too short, without a branch: one in four would be mispredicted. */
static inline uint32_t if_match(uint32_t match)
{
	return match & (uint32_t)((int32_t)(MATCH_LEAST - 1 - match) >> 31);
}

static inline uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* The match of at most 7 at there. */
static inline uint32_t short_match(uint64_t here, const uint8_t *there, uint32_t distance)
{
	uint64_t differ = here ^ load64le(there);

	return match_of((uint32_t)__builtin_ctzll(differ | UINT64_C(1) << 56) >> 3, distance);
}

/*
 * Follows the chain from candidate for matches in as many bytes as the chain was
 * hashed by, and adds what is better to found.
 */
static ALWAYS_INLINE void search_chain(const struct tables *tables, const uint8_t *page,
				       uint32_t at, uint64_t here, uint32_t candidate,
				       struct found *found, const struct density *density)
{
	const uint32_t most = PAGE - at, shift = 64 - 8 * density->chain_bytes;

	if (length_of(found->longest) >= most || length_of(found->longest) >= density->enough)
		return;
	if (!density->collisions && (load64le(page + candidate) ^ here) << shift)
		return;

	for (uint32_t depth = density->depth; depth; depth--) {
		const uint8_t *there = page + candidate;
		uint32_t next = tables->chain[candidate];

		uint32_t longest = length_of(found->longest);

		/* What is to be longer than 8, and than all before, agrees there as well. */
		int worth = length_of(found->near) < M2_LENGTH_MAX || longest < 8 ||
			    load64le(there + longest - 7) == load64le(page + at + longest - 7);

		if (worth && (load64le(there) ^ here) << shift == 0) {
			uint32_t length = match_length(page + at, there, most);
			uint32_t match = match_of(length, at - candidate);

			found->longest = greater(found->longest, match);
			found->near = greater(found->near, if_near(match));
			if (length >= density->nice || length == most)
				break;
		}
		if (next >= candidate)
			break;
		candidate = next;
	}
}

/* The matches at a position; before has those at the one before it. */
static ALWAYS_INLINE struct found find(struct tables *tables, const uint8_t *page, uint32_t at,
				       struct found before, const struct density *density)
{
	uint64_t here = load64le(page + at);
	uint32_t h2 = hash(here, 2), h3 = hash(here, 3);
	uint32_t h = hash(here, density->chain_bytes);
	uint32_t at2 = tables->head2[h2], at3 = tables->head3[h3];
	uint32_t candidate = tables->head_chain[h], pair_good;
	uint32_t match3 = short_match(here, page + at3, at - at3);
	struct found found;

	tables->head2[h2] = tables->head3[h3] = (uint16_t)at;
	tables->head_chain[h] = (uint16_t)at;
	tables->chain[at] = (uint16_t)candidate;
	pair_good = (at - at2 <= M1_DISTANCE_MAX) & (load16le(page + at2) == (uint16_t)here);
	tables->pair[at] = (uint16_t)((at - at2) & -pair_good);

	/* One byte less of the match before is still a match. */
	found.longest = greater(before.longest, MATCH_ONE) - MATCH_ONE;
	found.near = if_near(found.longest);
	found.longest = greater(found.longest, match3);
	found.near = greater(found.near, if_near(match3));
	search_chain(tables, page, at, here, candidate, &found, density);
	found.longest = if_match(found.longest);
	found.near = if_match(found.near);
	return found;
}

static ALWAYS_INLINE void find_all(struct tables *tables, const uint8_t *page,
				   const struct density *density)
{
	struct found found = { 0, 0 };
	uint32_t at = 1;

	tables->found[0] = found;
	tables->pair[0] = 0;
	tables->chain[0] = 0;
	while (at < LAST_HASHED) {
		found = find(tables, page, at, found, density);
		tables->found[at++] = found;
		if (length_of(found.longest) < density->nice)
			continue;
		/* What starts in the middle of a long match is not better than it. */
		found.near = INSIDE;
		while (length_of(found.longest) > AFTER_NICE && at < LAST_HASHED) {
			found.longest -= MATCH_ONE;
			tables->chain[at] = 0;
			tables->found[at++] = found;
		}
	}
	for (found.near = 0; at < PAGE; at++) {
		found.longest = found.longest >= MATCH_LEAST + MATCH_ONE ? found.longest - MATCH_ONE
									 : 0;
		tables->pair[at] = 0;
		tables->found[at] = found;
	}
}

static inline uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The bytes of an M3 of this length, 3 or more. */
static inline uint32_t size_of_m3(uint32_t length)
{
	return length <= M3_LENGTH_MAX ? 3 : 4 + (length - M3_LENGTH_MAX - 1) / 255;
}

/* Inside a long match there is one way: to its end. */
static inline void plan_inside(struct tables *tables, uint32_t at)
{
	uint32_t length = length_of(tables->found[at].longest);
	uint16_t cost = (uint16_t)(size_of_m3(length) + tables->cost[at + length]);

	tables->cost[at] = cost;
	tables->here[at] = cost;
	tables->behind_few[at] = cost;
	tables->in_run[at] = cost;
}

static inline void plan_any(struct tables *tables, uint32_t at)
{
	struct found found = tables->found[at];
	uint32_t length = length_of(found.longest), pair, here, best;
	uint16_t *cost = tables->cost + at;

	/* No match has length 0, and leads to here. */
	*cost = UNREACHED;
	here = lesser(2u + cost[lesser(length_of(found.near), M2_LENGTH_MAX)],
		      3u + cost[lesser(length, M3_LENGTH_MAX)]);
	if (unlikely(length > M3_LENGTH_MAX))
		here = lesser(here, size_of_m3(length) + cost[length]);
	pair = 2u + cost[2] + (tables->pair[at] ? 0 : UNREACHED);
	tables->here[at] = (uint16_t)here;
	tables->behind_few[at] = (uint16_t)lesser(here, pair);
	tables->in_run[at] = (uint16_t)lesser(here, 1u + tables->in_run[at + 1]);

	best = lesser(here, 1u + tables->behind_few[at + 1]);
	best = lesser(best, 2u + tables->behind_few[at + 2]);
	best = lesser(best, 3u + tables->behind_few[at + 3]);
	*cost = (uint16_t)lesser(best, 5u + tables->in_run[at + 4]);
}

/* Fills in the costs of every position. */
static inline void plan(struct tables *tables)
{
	for (uint32_t at = PAGE; at < PAGE + 8; at++) {
		tables->cost[at] = tables->here[at] = UNREACHED;
		tables->behind_few[at] = tables->in_run[at] = UNREACHED;
	}
	/* At the page's end nothing more is to be paid. */
	tables->cost[PAGE] = tables->here[PAGE] = 0;
	tables->behind_few[PAGE] = tables->in_run[PAGE] = 0;
	for (uint32_t at = PAGE; at-- > 0;) {
		if (tables->found[at].near == INSIDE)
			plan_inside(tables, at);
		else
			plan_any(tables, at);
	}
}

/* The position of the next match, or the page's end: what is before it are literals. */
static inline uint32_t literals_end(const struct tables *tables, uint32_t at)
{
	uint32_t cost = tables->cost[at];

	if (cost == tables->here[at])
		return at;
	for (uint32_t n = 1; n <= 3; n++) {
		if (cost == n + tables->behind_few[at + n])
			return at + n;
	}
	for (at += 4; tables->in_run[at] != tables->here[at]; at++)
		;
	return at;
}

/* The match that makes the cost at a position, behind n literals, what it is. */
static inline uint32_t planned_match(const struct tables *tables, uint32_t at, uint32_t n)
{
	struct found found = tables->found[at];
	const uint16_t *cost = tables->cost + at;
	uint32_t length = length_of(found.longest), near = length_of(found.near);

	if (n >= 1 && n <= 3 && tables->behind_few[at] < tables->here[at])
		return match_of(2, tables->pair[at]);
	near = lesser(near, M2_LENGTH_MAX);
	if (found.near != INSIDE && near && tables->here[at] == 2 + cost[near])
		return match_of(near, distance_of(found.near));
	if (tables->here[at] != size_of_m3(length) + cost[length])
		length = M3_LENGTH_MAX;
	return match_of(length, distance_of(found.longest));
}

/* So many literals are copied at once. */
#define WIDE_LITERALS 16

/* n literals, up to WIDE_LITERALS, behind a match and so far from the end that more is there. */
static inline uint8_t *emit_few_literals(uint8_t *out, const uint8_t *literals, size_t n)
{
	if (n <= 3)
		out[-2] |= (uint8_t)n;
	else
		*out++ = (uint8_t)(n - 3);
	copy16(out, literals);
	return out + n;
}

static uint8_t *emit_plan(const struct tables *tables, const uint8_t *page, uint8_t *out)
{
	uint32_t at = 0;

	while (at < PAGE) {
		uint32_t start = literals_end(tables, at), match;

		if (start - at <= WIDE_LITERALS && at && start < PAGE - WIDE_LITERALS)
			out = emit_few_literals(out, page + at, start - at);
		else
			out = emit_literals(out, page + at, start - at, at == 0);
		if (start >= PAGE)
			break;
		match = planned_match(tables, start, start - at);
		out = emit_match(out, length_of(match), distance_of(match));
		at = start + length_of(match);
	}
	return emit_end(out);
}

static ALWAYS_INLINE int encode(const struct density *density, void *workspace, const void *page,
				void *out)
{
	struct tables *tables = workspace;

	memset(tables->head2, 0, sizeof(tables->head2));
	memset(tables->head3, 0, sizeof(tables->head3));
	memset(tables->head_chain, 0, sizeof(tables->head_chain));
	find_all(tables, page, density);
	plan(tables);
	return (int)(emit_plan(tables, page, out) - (uint8_t *)out);
}

int lzo1x_encode_dense(void *workspace, const void *page, void *out)
{
	static const struct density density = {
		.chain_bytes = 7,
		.depth = 5,
		.enough = 10,
		.nice = 16,
	};

	return encode(&density, workspace, page, out);
}

int lzo1x_encode_max(void *workspace, const void *page, void *out)
{
	static const struct density density = {
		.chain_bytes = 4,
		.depth = 512,
		.enough = PAGE,
		.nice = 256,
		.collisions = 1,
	};

	return encode(&density, workspace, page, out);
}
