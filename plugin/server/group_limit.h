/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps a disk within the control groups of its server: a container, a unit with a limit.  At that
 * limit the kernel ends processes of the group, the server and all that it stores among them.  So
 * the limit of the store follows what the group has left, and who asked for more gets that.
 */
#ifndef RAMZSWAP_GROUP_LIMIT_H
#define RAMZSWAP_GROUP_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/group.h"

struct store;

/* Room for any line that is said here. */
#define GROUP_LIMIT_LINE_MAX 320

struct group_limit {
	const char *root;     /* "" but in tests: before /proc and /sys */
	uint64_t wanted;      /* the most that the disk can come to need */
	uint64_t least;	      /* below which the store takes no limit */
	pthread_mutex_t lock; /* of all below */
	uint64_t asked;	      /* memlimit as the user has it, UINT64_MAX for none */
	uint64_t in_force;    /* what the store was told last */
	uint64_t limit;	      /* of the groups, GROUP_NO_LIMIT for none */
	bool told;	      /* that the groups leave less than was asked for */
	unsigned int looks_to_skip;
};

/*
 * For a store that never needs more than wanted, was asked to have no more than asked (UINT64_MAX:
 * whatever it wants), and whose limit may not be below least.
 */
void group_limit_init(struct group_limit *group, uint64_t wanted, uint64_t asked, uint64_t least);

/*
 * What a store may have that holds so many bytes now, beside what all others in the groups hold:
 * UINT64_MAX where there is no limit.
 */
uint64_t group_limit_most(const struct group_memory *memory, uint64_t held);

/*
 * Before there is a store: 0, and *memlimit is what it is to be made with.  Where the groups leave
 * it less than was asked for, that is said in line, which is empty else.  -ENOMEM where they do not
 * leave the least, with line.
 */
int group_limit_foresee(struct group_limit *group, uint64_t *memlimit, char *line, size_t size);

/*
 * Looks twice a second, by one thread: the store's limit follows.  held is what it holds.  True,
 * with a line to be said, where the groups begin or cease to leave it less than was asked for.
 * Opens files.
 */
bool group_limit_look(struct group_limit *group, struct store *store, uint64_t held, char *line,
		      size_t size);

/*
 * The user asks for another limit.  0; -EINVAL where the store takes none so low; -ENOSPC where the
 * groups have less altogether, with *limit what that is.  Any thread.
 */
int group_limit_ask(struct group_limit *group, struct store *store, uint64_t bytes,
		    uint64_t *limit);

/* The limit of the groups as of the last look, in bytes; 0 for none.  Any thread. */
uint64_t group_limit_of_groups(struct group_limit *group);

#endif
