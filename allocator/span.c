/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See span.h.  A source's range has two parts: a prefix that may be read and
 * written, growing in steps so that it stays one mapping however many units there
 * are, and a rest that may not be touched.
 *
 * A unit below `fresh` is taken, ready (committed ahead of need) or released (no
 * memory behind it); the last two are stacks linked through `next`.  From `fresh` on,
 * a unit whose link is 0 was never touched (or has been forgotten): a source for
 * billions of bytes costs a page until it is used, and again when all is given back.
 *
 * Locks: `lock` for the stacks and counters, never held over a system call but in span_forget.c;
 * `prefix_lock` for moving the end of the prefix, taken while holding nothing.
 */
#include "span_internal.h"
#include "urgent.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The prefix grows by so much at a time: a system call per unit would be too many. */
#define PREFIX_STEP (1u << 20)

/*
 * Of a locked source, links are resident for so many units past those that were in use: more are
 * made so when only the least are left.  They are written under the lock, and who has that must
 * not wait for a page.
 */
#define LINKS_AHEAD SPAN_LINKS_AHEAD
#define LINKS_LEAST (LINKS_AHEAD / 2)

static bool config_valid(const struct span_source_config *config)
{
	size_t unit = config->unit;

	return unit >= span_page_size() && !(unit & (unit - 1)) && config->units_max &&
	       config->units_max <= UNITS_MAX && config->units_max <= (SIZE_MAX / 2) / unit;
}

/* Links for whoever takes a unit after this one. */
static void populate_links(struct span_source *source, uint32_t unit)
{
	uint32_t units = source->units_max - unit;
	uint32_t end = unit + (units < LINKS_AHEAD ? units : LINKS_AHEAD);
	uint32_t from = atomic_load_explicit(&source->links_resident, memory_order_relaxed);

	if (!source->locked || from == source->units_max || unit + LINKS_LEAST < from)
		return;
	if (!span_populate(&source->next[from], (end - from) * sizeof(source->next[0])))
		/* If it has changed, others did the same, or all was forgotten. */
		atomic_compare_exchange_strong(&source->links_resident, &from, end);
}

int span_source_create(struct span_source **out, const struct span_source_config *config)
{
	struct span_source *source;
	size_t map_bytes;

	if (!config_valid(config))
		return -EINVAL;
	map_bytes = sizeof(*source) + (size_t)config->units_max * sizeof(source->next[0]);
	source = span_map_zeroed(map_bytes);
	if (!source)
		return -ENOMEM;
	source->map_bytes = map_bytes;
	source->bytes = (size_t)config->units_max * config->unit;
	source->shift = (unsigned int)__builtin_ctzl(config->unit);
	source->units_max = config->units_max;
	source->prefix_step = config->unit < PREFIX_STEP ? PREFIX_STEP / config->unit : 1;
	source->locked = config->locked;
	source->budget = config->budget;
	source->base = MAP_FAILED;
	if (!span_refuses_for_test())
		source->base = mmap(NULL, source->bytes, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (source->base == MAP_FAILED) {
		span_unmap(source, map_bytes);
		return -ENOMEM;
	}
	/* After mlockall the whole reservation would count as locked: only units shall. */
	munlock(source->base, source->bytes);
	/* What is resident must be what is charged, to the page. */
	madvise(source->base, source->bytes, MADV_NOHUGEPAGE);
	madvise(source->base, source->bytes, MADV_DONTDUMP);
	populate_links(source, 0);
	pthread_mutex_init(&source->prefix_lock, NULL);
	pthread_mutex_init(&source->lock, NULL);
	pthread_cond_init(&source->refilled, NULL);
	*out = source;
	return 0;
}

void span_source_destroy(struct span_source *source)
{
	if (!source)
		return;
	munmap(source->base, source->bytes);
	if (source->budget)
		span_budget_uncharge(source->budget, ((uint64_t)source->used + source->ready_count)
							     << source->shift);
	pthread_mutex_destroy(&source->prefix_lock);
	pthread_mutex_destroy(&source->lock);
	pthread_cond_destroy(&source->refilled);
	span_unmap(source, source->map_bytes);
}

void span_push(struct span_source *source, unit_stack *stack, uint32_t unit)
{
	source->next[unit] = (*stack ? *stack : LINK_BOTTOM) |
			     (stack == &source->ready ? LINK_READY : 0);
	*stack = unit + 1;
}

bool span_pop(struct span_source *source, unit_stack *stack, uint32_t *unit)
{
	uint32_t below;

	if (!*stack)
		return false;
	*unit = *stack - 1;
	below = source->next[*unit] & ~LINK_READY;
	*stack = below == LINK_BOTTOM ? 0 : below;
	source->next[*unit] = LINK_TAKEN;
	return true;
}

/* Finds a unit without memory.  Units that were in use once come first: they are low. */
static bool pop_bare(struct span_source *source, uint32_t *unit)
{
	if (!span_pop(source, &source->released, unit)) {
		/* Only units that were ready when all else was forgotten are passed over. */
		while (source->fresh < source->units_max && source->next[source->fresh])
			source->fresh++;
		if (source->fresh == source->units_max)
			return false;
		*unit = source->fresh++;
		source->next[*unit] = LINK_TAKEN;
	}
	source->moving++;
	return true;
}

static void count_used(struct span_source *source)
{
	source->used++;
	if (source->used > source->used_peak)
		source->used_peak = source->used;
}

/* Moves the end of the prefix past the unit. */
static int make_accessible(struct span_source *source, uint32_t unit)
{
	int err = 0;

	if (unit < atomic_load_explicit(&source->prefix, memory_order_acquire))
		return 0;
	pthread_mutex_lock(&source->prefix_lock);
	while (!err && unit >= atomic_load(&source->prefix)) {
		uint32_t prefix = atomic_load(&source->prefix);
		uint32_t units = source->units_max - prefix;
		char *start = span_address(source, prefix);
		size_t bytes;

		if (units > source->prefix_step)
			units = source->prefix_step;
		bytes = (size_t)units << source->shift;
		if (mprotect(start, bytes, PROT_READ | PROT_WRITE) ||
		    (source->locked && mlock2(start, bytes, MLOCK_ONFAULT))) {
			err = -ENOMEM;
		} else {
			atomic_store_explicit(&source->prefix, prefix + units,
					      memory_order_release);
		}
	}
	pthread_mutex_unlock(&source->prefix_lock);
	return err;
}

/* Puts memory behind a unit that pop_bare found; undoes that if it cannot. */
static int commit(struct span_source *source, uint32_t unit)
{
	uint64_t bytes = (uint64_t)1 << source->shift;
	int err;

	err = source->budget ? span_budget_charge(source->budget, bytes) : 0;
	if (!err) {
		/* Who locks memory may hold the swap of a machine that has none left. */
		int policy = source->locked ? urgent_begin() : URGENT_LEFT_ALONE;

		populate_links(source, unit);
		err = span_refuses_for_test() ? -ENOMEM : make_accessible(source, unit);
		if (!err)
			err = span_populate(span_address(source, unit), (size_t)1 << source->shift);
		urgent_end(policy);
		if (err && source->budget)
			span_budget_uncharge(source->budget, bytes);
	}
	if (err) {
		pthread_mutex_lock(&source->lock);
		span_push(source, &source->released, unit);
		source->moving--;
		pthread_mutex_unlock(&source->lock);
	}
	return err;
}

/* With the lock held. */
static bool use_ready(struct span_source *source, uint32_t *unit)
{
	if (!span_pop(source, &source->ready, unit))
		return false;
	source->ready_count--;
	count_used(source);
	return true;
}

int span_take_ready(struct span_source *source, uint32_t *unit)
{
	bool found;

	pthread_mutex_lock(&source->lock);
	found = use_ready(source, unit);
	pthread_mutex_unlock(&source->lock);
	return found ? 0 : -EAGAIN;
}

/*
 * The last of the budget may be a unit that is on its way to the ready ones: that is no want of
 * memory, and it is there in the time that it takes to populate one.
 */
static bool take_coming(struct span_source *source, uint32_t *unit)
{
	bool found;

	pthread_mutex_lock(&source->lock);
	while (!(found = use_ready(source, unit)) && source->ready_coming > 0)
		pthread_cond_wait(&source->refilled, &source->lock);
	pthread_mutex_unlock(&source->lock);
	return found;
}

/* Milliseconds that memory is awaited: longer with less of the reserve, but not when it is gone. */
static unsigned int patience(const struct span_source *source)
{
	uint32_t ready = atomic_load_explicit(&source->ready_count, memory_order_relaxed);
	uint32_t target = atomic_load_explicit(&source->target, memory_order_relaxed);

	if (ready == 0 || ready > target / 2)
		return 5;
	return ready > target / 4 ? 10 : 20;
}

/*
 * With a quarter of the reserve gone, memory of the kernel's is used first, and awaited.  Pages
 * become free when a write has been answered.  Who answers all that there are from the reserve
 * first finds that programs have taken what became free meanwhile, and no reserve.
 */
static bool spares_ready(const struct span_source *source)
{
	return source->locked && (span_short(source) || !span_is_ready(source)) &&
	       urgent_await(span_unit_size(source), patience(source));
}

int span_take(struct span_source *source, uint32_t *unit)
{
	bool early = spares_ready(source), found, late;
	uint32_t bare;
	int err;

	if (!early && !span_take_ready(source, unit))
		return 0;

	pthread_mutex_lock(&source->lock);
	late = source->ready_count == 0;
	found = pop_bare(source, &bare);
	pthread_mutex_unlock(&source->lock);
	if (!found)
		return span_take_ready(source, unit) ? -ENOSPC : 0;
	err = commit(source, bare);
	if (err)
		return take_coming(source, unit) ? 0 : err;

	pthread_mutex_lock(&source->lock);
	count_used(source);
	source->moving--;
	source->commits++;
	source->commits_late += late;
	pthread_mutex_unlock(&source->lock);
	*unit = bare;
	return 0;
}

void span_release(struct span_source *source, uint32_t unit)
{
	size_t bytes = (size_t)1 << source->shift;

	span_discard(span_address(source, unit), bytes);
	if (source->budget)
		span_budget_uncharge(source->budget, bytes);
	pthread_mutex_lock(&source->lock);
	span_push(source, &source->released, unit);
	source->moving--;
	source->releases++;
	pthread_mutex_unlock(&source->lock);
}

void span_give(struct span_source *source, uint32_t unit)
{
	bool keep;

	pthread_mutex_lock(&source->lock);
	source->used--;
	keep = source->ready_count + source->ready_coming < source->target;
	if (keep) {
		span_push(source, &source->ready, unit);
		source->ready_count++;
	} else {
		source->moving++;
	}
	pthread_mutex_unlock(&source->lock);
	if (!keep)
		span_release(source, unit);
}

void *span_address(const struct span_source *source, uint32_t unit)
{
	return source->base + ((size_t)unit << source->shift);
}

uint32_t span_unit(const struct span_source *source, const void *address)
{
	return (uint32_t)((size_t)((const char *)address - source->base) >> source->shift);
}

size_t span_unit_size(const struct span_source *source)
{
	return (size_t)1 << source->shift;
}

void span_reserve(struct span_source *source, uint32_t units)
{
	uint32_t unit;
	bool surplus;

	pthread_mutex_lock(&source->lock);
	source->target = units;
	pthread_mutex_unlock(&source->lock);
	do {
		pthread_mutex_lock(&source->lock);
		surplus = source->ready_count > source->target &&
			  span_pop(source, &source->ready, &unit);
		if (surplus) {
			source->ready_count--;
			source->moving++;
		}
		pthread_mutex_unlock(&source->lock);
		if (surplus)
			span_release(source, unit);
	} while (surplus);
}

/* Makes one unit ready.  1 if it did, 0 if enough are, or a negative errno. */
static int refill_one(struct span_source *source)
{
	uint32_t unit;
	int err = 0;

	pthread_mutex_lock(&source->lock);
	if (source->ready_count + source->ready_coming >= source->target)
		err = -EALREADY;
	else if (!pop_bare(source, &unit))
		err = -ENOSPC;
	else
		source->ready_coming++;
	pthread_mutex_unlock(&source->lock);
	if (err)
		return err == -EALREADY ? 0 : err;

	err = commit(source, unit);
	pthread_mutex_lock(&source->lock);
	source->ready_coming--;
	if (!err) {
		span_push(source, &source->ready, unit);
		source->ready_count++;
		source->moving--;
		source->commits++;
	}
	pthread_cond_broadcast(&source->refilled);
	pthread_mutex_unlock(&source->lock);
	return err ? err : 1;
}

int span_refill(struct span_source *source, uint32_t batch)
{
	uint32_t missing;
	int got = 1;

	while (batch-- && got > 0)
		got = refill_one(source);
	if (got < 0)
		return got;
	pthread_mutex_lock(&source->lock);
	missing = source->target > source->ready_count ? source->target - source->ready_count : 0;
	pthread_mutex_unlock(&source->lock);
	return missing > INT32_MAX ? INT32_MAX : (int)missing;
}

bool span_is_ready(const struct span_source *source)
{
	return atomic_load_explicit(&source->ready_count, memory_order_relaxed) > 0;
}

bool span_short(const struct span_source *source)
{
	uint32_t target = atomic_load_explicit(&source->target, memory_order_relaxed);

	return atomic_load_explicit(&source->ready_count, memory_order_relaxed) <
	       target - target / 4;
}
