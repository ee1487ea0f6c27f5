/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the kernel's functions to hang on, by what its types say (BTF). */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#include "freed/hook.h"

/*
 * Where a slot becomes free, the newest first: where two of them are there the older one is called
 * by the newer, and may be built into it.
 */
static const char *const functions[] = {
	"__swap_cluster_free_entries", /* seen in 7.3 */
	"swap_entries_free",	       /* 6.18 */
	"swap_entry_range_free",       /* 6.12 */
	"swap_range_free",	       /* 6.1 */
};
#define FUNCTIONS (sizeof(functions) / sizeof(*functions))

/* A letter for each parameter: see letter_of. */
static const struct {
	const char *letters;
	enum freed_shape shape;
} shapes[] = {
	{ "ali", FREED_SLOT },
	{ "aei", FREED_ENTRY },
	{ "acei", FREED_CLUSTER_ENTRY },
	{ "acii", FREED_CLUSTER_SLOT },
};
#define SHAPES (sizeof(shapes) / sizeof(*shapes))
#define PARAMETERS_MAX 4

/* The type behind typedefs and qualifiers, or NULL. */
static const struct btf_type *plain_type(const struct btf *btf, uint32_t id)
{
	int plain = btf__resolve_type(btf, id);

	return plain < 0 ? NULL : btf__type_by_id(btf, (uint32_t)plain);
}

static bool is_named(const struct btf *btf, const struct btf_type *type, const char *name)
{
	const char *has = type ? btf__name_by_offset(btf, type->name_off) : NULL;

	return has && !strcmp(has, name);
}

/* a: a swap area, c: a cluster, e: a swap entry, l and i: 8 and 4 bytes of integer, ?: else. */
static char letter_of(const struct btf *btf, uint32_t id)
{
	const struct btf_type *type = plain_type(btf, id);

	if (!type)
		return '?';
	if (btf_is_ptr(type)) {
		type = plain_type(btf, type->type);
		if (type && btf_is_struct(type) && is_named(btf, type, "swap_info_struct"))
			return 'a';
		if (type && btf_is_struct(type) && is_named(btf, type, "swap_cluster_info"))
			return 'c';
		return '?';
	}
	if (btf_is_struct(type) && type->size == sizeof(uint64_t) && btf_vlen(type) == 1)
		return 'e';
	if (btf_is_int(type) && type->size == sizeof(uint64_t))
		return 'l';
	if (btf_is_int(type) && type->size == sizeof(uint32_t))
		return 'i';
	return '?';
}

static bool shape_of(const struct btf *btf, const struct btf_type *function,
		     enum freed_shape *shape)
{
	const struct btf_type *proto = btf__type_by_id(btf, function->type);
	char letters[PARAMETERS_MAX + 1] = "";

	if (!proto || !btf_is_func_proto(proto) || btf_vlen(proto) > PARAMETERS_MAX)
		return false;
	for (int i = 0; i < btf_vlen(proto); i++)
		letters[i] = letter_of(btf, btf_params(proto)[i].type);
	for (size_t i = 0; i < SHAPES; i++) {
		if (!strcmp(shapes[i].letters, letters)) {
			*shape = shapes[i].shape;
			return true;
		}
	}
	return false;
}

/* How large a cluster is: its table of slots says so.  Zeroes where that is not told. */
static void measure_cluster(const struct btf *btf, struct freed_target *target)
{
	int info = btf__find_by_name_kind(btf, "swap_cluster_info", BTF_KIND_STRUCT);
	int table = btf__find_by_name_kind(btf, "swap_table", BTF_KIND_STRUCT);
	const struct btf_type *type;

	target->cluster_size = target->cluster_slots = 0;
	if (info < 0 || table < 0)
		return;
	type = btf__type_by_id(btf, (uint32_t)table);
	if (btf_vlen(type) != 1)
		return;
	type = plain_type(btf, btf_members(type)[0].type);
	if (!type || !btf_is_array(type))
		return;
	target->cluster_slots = btf_array(type)->nelems;
	target->cluster_size = btf__type_by_id(btf, (uint32_t)info)->size;
}

int freed_choose(const struct btf *kernel, struct freed_target *target, char *why, size_t why_size)
{
	for (size_t i = 0; i < FUNCTIONS; i++) {
		int id = btf__find_by_name_kind(kernel, functions[i], BTF_KIND_FUNC);
		struct freed_target found = { .function = functions[i] };

		if (id < 0)
			continue;
		measure_cluster(kernel, &found);
		if (!shape_of(kernel, btf__type_by_id(kernel, (uint32_t)id), &found.shape) ||
		    (found.shape == FREED_CLUSTER_SLOT && !found.cluster_slots)) {
			snprintf(why, why_size,
				 "this kernel's %s is not one that is known: it takes something "
				 "else",
				 functions[i]);
			return -EOPNOTSUPP;
		}
		*target = found;
		return 0;
	}
	snprintf(why, why_size,
		 "this kernel has none of the functions that are known to free a "
		 "swap slot");
	return -ENOENT;
}

bool freed_is_proven(const struct freed_target *target)
{
	/*
	 * 6.1, 6.12 and 7.3: 37,184, 97,799 and 38,942 notices in a guest, loads touch and cycles
	 * with swapoff and swapon between them, no page wrong.
	 */
	return target->shape != FREED_CLUSTER_ENTRY;
}
