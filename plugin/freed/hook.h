/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hangs the kernel's program (freed.bpf.c) on the function in which a swap slot becomes free.
 * For the program ramzswap-freed: uses libbpf, and memory for a look at all of the kernel's types.
 */
#ifndef RAMZSWAP_FREED_HOOK_H
#define RAMZSWAP_FREED_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct btf;

/* What the functions that are known take, each a program of freed.bpf.c. */
enum freed_shape {
	FREED_SLOT,	     /* area, slot, count */
	FREED_ENTRY,	     /* area, swap entry, count */
	FREED_CLUSTER_ENTRY, /* area, cluster, swap entry, count */
	FREED_CLUSTER_SLOT,  /* area, cluster, slot of the cluster, count */
};

struct freed_target {
	const char *function;
	enum freed_shape shape;
	uint32_t cluster_size;	/* bytes of a cluster's structure, or 0 */
	uint32_t cluster_slots; /* slots of a cluster, or 0 */
};

/*
 * Finds the function in the kernel's types.  0; -ENOENT where none of those that are known is
 * there, -EOPNOTSUPP where one is that takes something else: with a line of why.
 */
int freed_choose(const struct btf *kernel, struct freed_target *target, char *why, size_t why_size);

/*
 * Whether loads were run over a disk that heeded notices from this function, and every page came
 * back as it was.  A wrong notice loses a page: the rest is for who asks for it.
 */
bool freed_is_proven(const struct freed_target *target);

/* What keeps the program at work, until all copies of these descriptors are closed. */
struct freed_hook {
	int map, link;
	struct freed_target target;
};

/*
 * Loads the program for the swap area that is the whole of this device, and attaches it.  It notes
 * nothing before the array says that it is heeded (layout.h).  With proven, a function that is
 * not (freed_is_proven) is refused by -EOPNOTSUPP.  With loud, libbpf says on stderr what it does.
 * 0, or a negative errno with a line of why; *hook is untouched then.
 */
int freed_hook_attach(struct freed_hook *hook, dev_t device, uint64_t slots, bool proven, bool loud,
		      char *why, size_t why_size);

void freed_hook_close(struct freed_hook *hook);

#endif
