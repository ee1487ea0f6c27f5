/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See trace.h. */
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

#define SIZE_LIMIT 4096u
#define RAW_ABOVE (CODEC_PAGE_SIZE - CODEC_PAGE_SIZE / 16)
#define OPERATIONS_2009 1000000u

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * bound >> 32);
}

static void *checked(void *memory)
{
	if (!memory) {
		fprintf(stderr, "alloc_trace: out of memory for the trace itself\n");
		exit(1);
	}
	return memory;
}

static void add(struct trace *trace, enum trace_kind kind, uint32_t slot, uint32_t size)
{
	if (trace->count == trace->room) {
		trace->room = trace->room ? trace->room * 2 : 1 << 16;
		trace->ops = checked(realloc(trace->ops, trace->room * sizeof(trace->ops[0])));
	}
	trace->ops[trace->count++] =
		(struct trace_op){ .slot = slot, .size = (uint16_t)size, .kind = (uint16_t)kind };
}

static uint32_t add_alloc(struct trace *trace, uint32_t size)
{
	uint32_t slot;

	if (trace->free_last - trace->free_first > TRACE_WINDOW)
		slot = trace->free_slots[trace->free_first++];
	else
		slot = trace->slots++;
	add(trace, TRACE_ALLOC, slot, size);
	return slot;
}

static void add_free(struct trace *trace, uint32_t slot)
{
	if (trace->free_last == trace->free_room) {
		trace->free_room = trace->free_room ? trace->free_room * 2 : 1 << 16;
		trace->free_slots = checked(realloc(
			trace->free_slots, trace->free_room * sizeof(trace->free_slots[0])));
	}
	trace->free_slots[trace->free_last++] = slot;
	add(trace, TRACE_FREE, slot, 0);
}

static void end_phase(struct trace *trace, const char *name)
{
	if (trace->phases == TRACE_PHASES_MAX)
		return;
	snprintf(trace->phase[trace->phases], TRACE_NAME_MAX, "%s", name);
	add(trace, TRACE_PHASE_END, trace->phases++, 0);
}

static void begin(struct trace *trace, const char *name)
{
	const char *base = strrchr(name, '/');

	*trace = (struct trace){ 0 };
	snprintf(trace->name, sizeof(trace->name), "%s", base ? base + 1 : name);
	random_state = 88172645463325252ull;
}

static void end(struct trace *trace)
{
	free(trace->free_slots);
	trace->free_slots = NULL;
}

void trace_free(struct trace *trace)
{
	free(trace->ops);
	trace->ops = NULL;
}

int trace_from_sizes(struct trace *trace, const char *name, const uint16_t *sizes, uint32_t count)
{
	uint32_t *owner = checked(calloc(count, sizeof(*owner)));

	begin(trace, name);
	for (uint32_t i = 0; i < count; i++)
		owner[i] = add_alloc(trace, sizes[i]);
	end_phase(trace, "fill");
	for (uint32_t i = 0; i < 3 * count; i++) {
		uint32_t victim = random_below(count);
		uint32_t slot = add_alloc(trace, sizes[random_below(count)]);

		add_free(trace, owner[victim]);
		owner[victim] = slot;
	}
	end_phase(trace, "churn");
	for (uint32_t i = 0; i < count; i++) {
		if (!random_below(4))
			continue;
		add_free(trace, owner[i]);
		owner[i] = UINT32_MAX;
	}
	end_phase(trace, "free75");
	for (uint32_t i = 0; i < count; i++)
		if (owner[i] != UINT32_MAX)
			add_free(trace, owner[i]);
	end_phase(trace, "empty");
	free(owner);
	end(trace);
	return 0;
}

static int same_filled(const void *page)
{
	return !memcmp(page, (const char *)page + 8, CODEC_PAGE_SIZE - 8);
}

int trace_from_pages(struct trace *trace, const char *path)
{
	static _Alignas(64) unsigned char page[CODEC_PAGE_SIZE], out[CODEC_BOUND_MAX];
	const struct codec *codec = codecs[0];
	size_t need = codec->workspace_size[CODEC_FAST];
	void *workspace = checked(aligned_alloc(64, (need + 64) / 64 * 64));
	uint16_t *sizes = NULL;
	uint32_t count = 0, room = 0;
	FILE *file = fopen(path, "rb");

	if (!file) {
		fprintf(stderr, "alloc_trace: %s: %s\n", path, strerror(errno));
		free(workspace);
		return -errno;
	}
	memset(workspace, 0, need);
	while (fread(page, sizeof(page), 1, file) == 1) {
		int len;

		if (same_filled(page))
			continue;
		len = codec->compress(CODEC_FAST, workspace, page, out);
		if (len <= 0 || len > (int)RAW_ABOVE)
			len = CODEC_PAGE_SIZE;
		if (count == room) {
			room = room ? room * 2 : 1 << 16;
			sizes = checked(realloc(sizes, room * sizeof(*sizes)));
		}
		sizes[count++] = (uint16_t)len;
	}
	fclose(file);
	free(workspace);
	if (!count) {
		fprintf(stderr, "alloc_trace: %s: no page of %u bytes to compress\n", path,
			CODEC_PAGE_SIZE);
		return -EINVAL;
	}
	trace_from_sizes(trace, path, sizes, count);
	free(sizes);
	return 0;
}

/* Each object of n is made once and replaced three times: 7 n operations. */
static int trace_2009(struct trace *trace, const char *name, uint32_t (*size)(void))
{
	uint32_t count = OPERATIONS_2009 / 7;
	uint16_t *sizes = checked(malloc(count * sizeof(*sizes)));

	random_state = 1234567891011ull;
	for (uint32_t i = 0; i < count; i++)
		sizes[i] = (uint16_t)size();
	trace_from_sizes(trace, name, sizes, count);
	free(sizes);
	return 0;
}

static uint32_t uniform_size(void)
{
	return 1 + random_below(SIZE_LIMIT);
}

static uint32_t mixed_size(void)
{
	return random_below(10) < 3 ? 1 + random_below(63) : 1024 + random_below(2600 - 1024 + 1);
}

int trace_uniform(struct trace *trace)
{
	return trace_2009(trace, "uniform", uniform_size);
}

int trace_mixed(struct trace *trace)
{
	return trace_2009(trace, "mixed", mixed_size);
}

/* The live objects of a text trace: open addressing, a number of 0 is an empty place. */
struct names {
	uint64_t *number;
	uint32_t *slot;
	size_t mask, live;
};

static size_t name_home(const struct names *names, uint64_t number)
{
	return (size_t)(number * 0x9e3779b97f4a7c15ull >> 20) & names->mask;
}

static size_t name_find(const struct names *names, uint64_t number)
{
	size_t at = name_home(names, number);

	while (names->number[at] && names->number[at] != number)
		at = (at + 1) & names->mask;
	return at;
}

static void name_add(struct names *names, uint64_t number, uint32_t slot)
{
	size_t at;

	if (names->live * 2 >= names->mask) {
		struct names old = *names;

		names->mask = old.mask ? old.mask * 2 + 1 : (1 << 16) - 1;
		names->number = checked(calloc(names->mask + 1, sizeof(uint64_t)));
		names->slot = checked(calloc(names->mask + 1, sizeof(uint32_t)));
		names->live = 0;
		for (size_t i = 0; old.mask && i <= old.mask; i++)
			if (old.number[i])
				name_add(names, old.number[i], old.slot[i]);
		free(old.number);
		free(old.slot);
	}
	at = name_find(names, number);
	names->number[at] = number;
	names->slot[at] = slot;
	names->live++;
}

/* Removes one and moves those up that were pushed past its place. */
static void name_remove(struct names *names, size_t gap)
{
	size_t at = gap;

	for (;;) {
		at = (at + 1) & names->mask;
		if (!names->number[at])
			break;
		if (((at - name_home(names, names->number[at])) & names->mask) <
		    ((at - gap) & names->mask))
			continue;
		names->number[gap] = names->number[at];
		names->slot[gap] = names->slot[at];
		gap = at;
	}
	names->number[gap] = 0;
	names->live--;
}

/* Adds what one line says.  NULL, or what is wrong with it. */
static const char *add_line(struct trace *trace, struct names *names, const char *line)
{
	char name[TRACE_NAME_MAX];
	uint64_t number;
	uint32_t size;
	size_t at;

	if (sscanf(line, "a %" SCNx64 " %" SCNu32, &number, &size) == 2) {
		if (!number || !size || size > SIZE_LIMIT)
			return "NUMBER must not be 0 and SIZE be 1 to 4096";
		if (names->mask && names->number[name_find(names, number)])
			return "this object is live already";
		name_add(names, number, add_alloc(trace, size));
	} else if (sscanf(line, "f %" SCNx64, &number) == 1) {
		if (!names->mask || !number)
			return "no such object is live";
		at = name_find(names, number);
		if (!names->number[at])
			return "no such object is live";
		add_free(trace, names->slot[at]);
		name_remove(names, at);
	} else if (sscanf(line, "p %23s", name) == 1) {
		end_phase(trace, name);
	} else {
		return "expected \"a NUMBER SIZE\", \"f NUMBER\" or \"p NAME\"";
	}
	return NULL;
}

/* A trace without phases gets some, so that one sees more of it than its end. */
static void add_parts(struct trace *trace)
{
	enum { PARTS = 6 };
	struct trace_op *ops = trace->ops;
	size_t count = trace->count;

	trace->ops = NULL;
	trace->count = trace->room = 0;
	for (size_t i = 0, part = 1; i < count; i++) {
		char name[TRACE_NAME_MAX];

		add(trace, ops[i].kind, ops[i].slot, ops[i].size);
		if (i + 1 < count * part / PARTS)
			continue;
		snprintf(name, sizeof(name), "%zu/%d", part++, PARTS);
		end_phase(trace, name);
	}
	free(ops);
}

int trace_read(struct trace *trace, const char *path)
{
	struct names names = { 0 };
	FILE *file = fopen(path, "r");
	const char *wrong = NULL;
	char line[128];
	size_t number = 0;

	if (!file) {
		fprintf(stderr, "alloc_trace: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	begin(trace, path);
	while (!wrong && fgets(line, sizeof(line), file)) {
		number++;
		wrong = add_line(trace, &names, line);
	}
	fclose(file);
	if (!wrong && !trace->count)
		wrong = "the file is empty";
	if (wrong)
		fprintf(stderr, "alloc_trace: %s:%zu: %s\n", path, number, wrong);
	else if (!trace->phases)
		add_parts(trace);
	else if (trace->ops[trace->count - 1].kind != TRACE_PHASE_END)
		end_phase(trace, "end");
	if (!wrong && names.live) {
		for (size_t at = 0; at <= names.mask; at++)
			if (names.number[at])
				add_free(trace, names.slot[at]);
		end_phase(trace, "empty");
	}
	free(names.number);
	free(names.slot);
	end(trace);
	return wrong ? -EINVAL : 0;
}

int trace_write(const struct trace *trace, const char *path)
{
	FILE *file = fopen(path, "w");
	int err = 0;

	if (!file) {
		fprintf(stderr, "alloc_trace: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	for (size_t i = 0; i < trace->count; i++) {
		const struct trace_op *op = &trace->ops[i];

		if (op->kind == TRACE_ALLOC)
			fprintf(file, "a %x %u\n", op->slot + 1, op->size);
		else if (op->kind == TRACE_FREE)
			fprintf(file, "f %x\n", op->slot + 1);
		else
			fprintf(file, "p %s\n", trace->phase[op->slot]);
	}
	if (ferror(file))
		err = -EIO;
	if (fclose(file))
		err = -EIO;
	if (err)
		fprintf(stderr, "alloc_trace: %s: cannot write\n", path);
	return err;
}
