/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See replay.h.  Nothing here calls malloc between the first operation and the
 * last but for the objects of the trace; what the replay itself needs is mapped
 * and resident before.
 */
#include "replay.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "span.h"
#include "xvmalloc.h"

/* Operations done out of order in a timed replay. */
#define WINDOW 128u
#define WINDOWS_MAX (1u << 16)

/* The compactor leaves this part of the bytes in use free: 1 %. */
#define COMPACT_GOAL(used) ((used) / 100)
#define COMPACT_PASSES 20

_Static_assert(WINDOW <= TRACE_WINDOW, "a slot must not come twice in a window");

struct replay {
	const struct trace *trace;
	enum replay_allocator allocator;
	struct replay_result *result;
	struct span_source *source;
	struct xv_pool *pool;
	union {
		uint32_t handle;
		void *pointer;
	} * slots;
	uint16_t *sizes;
	uint64_t ideal;
	uint64_t base; /* anonymous memory before the first operation */
};

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* What the page tables say, not the process's counters: those lag behind. */
static uint64_t anonymous_bytes(void)
{
	char text[4096];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *line;

	if (fd >= 0)
		close(fd);
	if (length < 0)
		return 0;
	text[length] = 0;
	line = strstr(text, "\nAnonymous:");
	return line ? strtoull(line + strlen("\nAnonymous:"), NULL, 10) * 1024 : 0;
}

static void *map_resident(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool set_up(struct replay *replay)
{
	struct span_source_config source = { .unit = XV_SPAN_SIZE, .units_max = XV_SPANS_MAX };
	struct xv_config config = { 0 };

	replay->slots = map_resident(replay->trace->slots * sizeof(replay->slots[0]));
	replay->sizes = map_resident(replay->trace->slots * sizeof(replay->sizes[0]));
	if (!replay->slots || !replay->sizes)
		return false;
	replay->base = anonymous_bytes();
	if (replay->allocator == REPLAY_MALLOC)
		return true;
	if (span_source_create(&replay->source, &source))
		return false;
	config.source = replay->source;
	return xv_create(&replay->pool, &config) == 0;
}

static bool alloc_slot(struct replay *replay, const struct trace_op *op)
{
	if (replay->allocator == REPLAY_MALLOC)
		return (replay->slots[op->slot].pointer = malloc(op->size)) != NULL;
	return xv_alloc(replay->pool, op->size, 0, &replay->slots[op->slot].handle) == 0;
}

static bool will_free_slot(struct replay *replay, const struct trace_op *op)
{
	xv_will_free(replay->pool, replay->slots[op->slot].handle);
	return true;
}

static bool free_slot(struct replay *replay, const struct trace_op *op)
{
	if (replay->allocator == REPLAY_MALLOC)
		free(replay->slots[op->slot].pointer);
	else
		xv_free(replay->pool, replay->slots[op->slot].handle);
	return true;
}

static void touch_slot(struct replay *replay, const struct trace_op *op)
{
	void *address = replay->allocator == REPLAY_MALLOC
				? replay->slots[op->slot].pointer
				: xv_map(replay->pool, replay->slots[op->slot].handle);

	memset(address, (int)op->slot, op->size);
}

static void account(struct replay *replay, const struct trace_op *op)
{
	if (op->kind == TRACE_ALLOC) {
		replay->sizes[op->slot] = op->size;
		replay->ideal += op->size;
	} else {
		replay->ideal -= replay->sizes[op->slot];
		replay->sizes[op->slot] = 0;
	}
}

static struct replay_point measure(const struct replay *replay, size_t op)
{
	uint64_t bytes = anonymous_bytes();

	return (struct replay_point){ .op = op,
				      .ideal = replay->ideal,
				      .used = bytes > replay->base ? bytes - replay->base : 0 };
}

/* Drains until a pass gives nothing back, as an owner of the objects would. */
static void compact(struct replay *replay)
{
	for (int pass = 0; pass < COMPACT_PASSES; pass++) {
		struct xv_stats stats;

		xv_get_stats(replay->pool, &stats);
		if (!xv_drain_begin(replay->pool, COMPACT_GOAL(stats.used)))
			return;
		for (uint32_t slot = 0; slot < replay->trace->slots; slot++) {
			uint32_t *handle = &replay->slots[slot].handle, moved;

			if (!replay->sizes[slot] || !xv_draining(replay->pool, *handle) ||
			    xv_move(replay->pool, *handle, &moved))
				continue;
			xv_free(replay->pool, *handle);
			*handle = moved;
		}
		if (!xv_drain_end(replay->pool))
			return;
	}
}

static void end_phase(struct replay *replay, uint32_t phase, size_t op)
{
	struct replay_result *result = replay->result;
	uint64_t start;

	result->phase[phase] = measure(replay, op);
	result->compacted[phase] = result->phase[phase];
	/* What is left after three quarters were freed is what compaction is for. */
	if (replay->allocator == REPLAY_MALLOC || strcmp(replay->trace->phase[phase], "free75"))
		return;
	start = now_ns();
	compact(replay);
	result->compact_ms[phase] = (double)(now_ns() - start) / 1e6;
	result->compacted[phase] = measure(replay, op);
}

static void add_sample(struct replay *replay, size_t op)
{
	struct replay_result *result = replay->result;

	if (result->samples < REPLAY_SAMPLES_MAX)
		result->sample[result->samples++] = measure(replay, op);
}

void replay_memory(const struct trace *trace, enum replay_allocator allocator,
		   struct replay_result *result)
{
	struct replay replay = { .trace = trace, .allocator = allocator, .result = result };
	size_t step = trace->count / (REPLAY_SAMPLES_MAX / 4) + 1;
	uint64_t spent = 0, start;
	size_t ops = 0;

	if (!set_up(&replay)) {
		snprintf(result->error, sizeof(result->error), "cannot set up");
		return;
	}
	start = now_ns();
	for (size_t i = 0; i < trace->count; i++) {
		const struct trace_op *op = &trace->ops[i];

		if (op->kind == TRACE_PHASE_END || i % step == 0) {
			spent += now_ns() - start;
			add_sample(&replay, i);
			if (op->kind == TRACE_PHASE_END) {
				result->ns_touched[op->slot] = ops ? (double)spent / (double)ops
								   : 0;
				end_phase(&replay, op->slot, i);
				add_sample(&replay, i);
				spent = ops = 0;
			}
			start = now_ns();
			if (op->kind == TRACE_PHASE_END)
				continue;
		}
		if (op->kind == TRACE_FREE) {
			free_slot(&replay, op);
		} else if (alloc_slot(&replay, op)) {
			touch_slot(&replay, op);
		} else {
			snprintf(result->error, sizeof(result->error), "out of memory");
			return;
		}
		account(&replay, op);
		ops++;
	}
}

/* ns per operation, one for each window of a phase that had any of the kind. */
struct times {
	uint32_t count;
	float ns[WINDOWS_MAX];
};

static int compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void add_time(struct times *times, uint64_t ns, uint32_t operations)
{
	if (operations && times->count < WINDOWS_MAX)
		times->ns[times->count++] = (float)ns / (float)operations;
}

/* The median, or 0 if there is none.  Begins anew. */
static double take_median(struct times *times)
{
	uint32_t count = times->count;

	times->count = 0;
	if (!count)
		return 0;
	qsort(times->ns, count, sizeof(times->ns[0]), compare);
	return (double)times->ns[count / 2];
}

static uint64_t do_kind(struct replay *replay, const struct trace_op *first,
			const struct trace_op *last, enum trace_kind kind,
			bool (*action)(struct replay *, const struct trace_op *), uint32_t *done)
{
	uint64_t start = now_ns();

	*done = 0;
	for (const struct trace_op *op = first; op < last; op++)
		if (op->kind == kind)
			*done += action(replay, op);
	return now_ns() - start;
}

/* Does operations first to last - 1, allocations first.  False if one fails. */
static bool do_window(struct replay *replay, const struct trace_op *first,
		      const struct trace_op *last, bool touch, struct times times[2])
{
	bool prefetch = replay->allocator == REPLAY_OURS_PREFETCH;
	uint32_t allocs = 0, wanted = 0, frees, done;
	uint64_t ns = 0;

	for (const struct trace_op *op = first; op < last; op++) {
		wanted += op->kind == TRACE_ALLOC;
		if (prefetch && op->kind == TRACE_FREE && replay->sizes[op->slot])
			xv_prefetch(replay->pool, replay->slots[op->slot].handle);
	}
	ns = do_kind(replay, first, last, TRACE_ALLOC, alloc_slot, &allocs);
	add_time(&times[TRACE_ALLOC], ns, allocs);
	if (allocs < wanted)
		return false;
	if (touch)
		for (const struct trace_op *op = first; op < last; op++)
			if (op->kind == TRACE_ALLOC)
				touch_slot(replay, op);
	for (const struct trace_op *op = first; op < last; op++)
		account(replay, op);
	ns = 0;
	if (prefetch)
		ns = do_kind(replay, first, last, TRACE_FREE, will_free_slot, &done);
	ns += do_kind(replay, first, last, TRACE_FREE, free_slot, &frees);
	add_time(&times[TRACE_FREE], ns, frees);
	return true;
}

void replay_time(const struct trace *trace, enum replay_allocator allocator,
		 struct replay_result *result)
{
	struct replay replay = { .trace = trace, .allocator = allocator, .result = result };
	struct times *times = map_resident(2 * sizeof(*times));
	uint32_t phase = 0;
	size_t end;

	if (!times || !set_up(&replay)) {
		snprintf(result->error, sizeof(result->error), "cannot set up");
		return;
	}
	for (size_t i = 0; i < trace->count; i = end) {
		if (trace->ops[i].kind == TRACE_PHASE_END) {
			result->ns_alloc[phase] = take_median(&times[TRACE_ALLOC]);
			result->ns_free[phase] = take_median(&times[TRACE_FREE]);
			phase++;
			end = i + 1;
			continue;
		}
		for (end = i; end < trace->count && end < i + WINDOW; end++)
			if (trace->ops[end].kind == TRACE_PHASE_END)
				break;
		if (!do_window(&replay, &trace->ops[i], &trace->ops[end], phase == 0, times)) {
			snprintf(result->error, sizeof(result->error), "out of memory");
			return;
		}
	}
}
