/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "server/group_limit.h"
#include "store/store.h"

#define MIB (UINT64_C(1) << 20)

/*
 * Left of a limit, for what comes between two looks: buffers of requests, sockets, others in the
 * group.  1/16 of it, 8 MiB at least; but never more than a quarter.
 */
#define MARGIN_SHIFT 4
#define MARGIN_MIN (8 * MIB)
#define MARGIN_MOST_SHIFT 2

/* Less than this is not worth a change. */
#define STEP MIB

/* Looks of half a second that are left out where there is no limit. */
#define LOOKS_SKIPPED 20u

static uint64_t least_of(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

void group_limit_init(struct group_limit *group, uint64_t wanted, uint64_t asked, uint64_t least)
{
	pthread_mutex_init(&group->lock, NULL);
	if (!group->root)
		group->root = "";
	group->wanted = wanted;
	group->least = least;
	group->asked = asked;
	group->in_force = asked;
	group->limit = GROUP_NO_LIMIT;
}

static uint64_t margin(uint64_t limit)
{
	uint64_t bytes = limit >> MARGIN_SHIFT;

	return least_of(bytes < MARGIN_MIN ? MARGIN_MIN : bytes, limit >> MARGIN_MOST_SHIFT);
}

uint64_t group_limit_most(const struct group_memory *memory, uint64_t held)
{
	uint64_t most;

	if (memory->limit == GROUP_NO_LIMIT)
		return UINT64_MAX;
	most = held + memory->room;
	return most > margin(memory->limit) ? most - margin(memory->limit) : 0;
}

/* Whether the store has to have less than was asked for. */
static bool is_less(const struct group_limit *group, uint64_t most)
{
	return most < least_of(group->asked, group->wanted);
}

/* What the store is to be told: never what it would not take. */
static uint64_t choose(const struct group_limit *group, uint64_t most)
{
	if (!is_less(group, most))
		return group->asked;
	return most < group->least ? least_of(group->least, group->asked) : most;
}

static unsigned long long mib(uint64_t bytes)
{
	return bytes / MIB;
}

static void describe(const struct group_limit *group, char *line, size_t size)
{
	snprintf(line, size,
		 "the control group of this server, limited to %llu MiB, leaves the disk %llu MiB "
		 "of memory: writes that need more fail",
		 mib(group->limit), mib(group->in_force));
}

int group_limit_foresee(struct group_limit *group, uint64_t *memlimit, char *line, size_t size)
{
	struct group_memory memory;
	uint64_t most;

	*line = '\0';
	group_memory_look(group->root, &memory);
	most = group_limit_most(&memory, 0);
	if (most < group->least) {
		snprintf(line, size,
			 "the control group of this server, limited to %llu MiB, leaves the disk "
			 "%llu MiB of memory, and it needs %llu: raise the limit",
			 mib(memory.limit), mib(most), mib(group->least) + 1);
		return -ENOMEM;
	}
	group->limit = memory.limit;
	group->in_force = choose(group, most);
	group->told = is_less(group, most);
	if (group->told)
		describe(group, line, size);
	*memlimit = group->in_force;
	return 0;
}

static bool differs(uint64_t one, uint64_t other)
{
	return one > other ? one - other >= STEP : other - one >= STEP;
}

static void apply(struct group_limit *group, struct store *store, uint64_t limit)
{
	if (store_set_memlimit(store, limit) == 0)
		group->in_force = limit;
}

static bool look(struct group_limit *group, struct store *store, uint64_t held, char *line,
		 size_t size)
{
	struct group_memory memory;
	uint64_t most, limit, before = group->limit;
	bool less;

	if (group->limit == GROUP_NO_LIMIT && group->looks_to_skip > 0) {
		group->looks_to_skip--;
		return false;
	}
	group->looks_to_skip = LOOKS_SKIPPED;
	group_memory_look(group->root, &memory);
	group->limit = memory.limit;
	most = group_limit_most(&memory, held);
	limit = choose(group, most);
	if (differs(limit, group->in_force) || limit == group->asked)
		apply(group, store, limit);
	less = is_less(group, most);
	/* What others in the group take and give back is no news. */
	if (less && (!group->told || memory.limit != before)) {
		group->told = true;
		describe(group, line, size);
		return true;
	}
	if (group->told && !less && memory.limit != before) {
		group->told = false;
		snprintf(line, size,
			 "the control group of this server leaves the disk all that it may want");
		return true;
	}
	return false;
}

bool group_limit_look(struct group_limit *group, struct store *store, uint64_t held, char *line,
		      size_t size)
{
	bool news;

	pthread_mutex_lock(&group->lock);
	news = look(group, store, held, line, size);
	pthread_mutex_unlock(&group->lock);
	return news;
}

int group_limit_ask(struct group_limit *group, struct store *store, uint64_t bytes, uint64_t *limit)
{
	int err = 0;

	pthread_mutex_lock(&group->lock);
	if (bytes < group->least) {
		err = -EINVAL;
	} else if (bytes != UINT64_MAX && bytes > group->limit) {
		*limit = group->limit;
		err = -ENOSPC;
	} else {
		/* Up to the next look no more than the groups leave now. */
		uint64_t most = group->in_force < group->asked ? group->in_force : UINT64_MAX;

		group->asked = bytes;
		apply(group, store, least_of(bytes, most));
	}
	pthread_mutex_unlock(&group->lock);
	return err;
}

uint64_t group_limit_of_groups(struct group_limit *group)
{
	uint64_t limit;

	pthread_mutex_lock(&group->lock);
	limit = group->limit == GROUP_NO_LIMIT ? 0 : group->limit;
	pthread_mutex_unlock(&group->lock);
	return limit;
}
