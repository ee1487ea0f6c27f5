/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program for the kernel: notes which slots of one swap area become free.
 *
 * It hangs on the function in which that happens.  That is a static one, and differs from
 * kernel to kernel: there is a program here for each shape that it has had, and hook.c loads
 * the one that fits.  All of them run before the slot is free, so before anybody can be given
 * it, and so before a write of new content is sent to the server.
 *
 * Nothing is noted but for a swap area that is the whole of the device served: only there is
 * slot N page N.  The structures have what is used of the kernel's; libbpf finds where that is.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "freed/config.h"
#include "freed/layout.h"

#define __core __attribute__((preserve_access_index))

struct inode {
	unsigned short i_mode;
} __core;

struct file {
	struct inode *f_inode;
} __core;

struct block_device {
	__u32 bd_dev;
} __core;

struct swap_cluster_info {
	unsigned short count;
} __core;

struct swap_info_struct {
	struct swap_cluster_info *cluster_info;
	struct block_device *bdev;
	struct file *swap_file;
} __core;

/* S_ISBLK */
#define MODE_TYPE 0170000
#define MODE_BLOCK 0060000

/* Of an entry's value, the slot: SWP_TYPE_SHIFT of a kernel with pointers of 64 bits. */
#define ENTRY_SLOT_BITS 58

/* The most slots that are freed at once are a cluster's. */
#define CLUSTER_WORDS (512 / FREED_WORD_SLOTS)

const volatile struct freed_config config = { 0 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FREED_HEAD_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} freed SEC(".maps");

static __always_inline __u64 *word(__u32 index)
{
	return bpf_map_lookup_elem(&freed, &index);
}

/* Whether the area is the whole device, and no file on it. */
static __always_inline int is_ours(const struct swap_info_struct *si)
{
	const __u64 *armed = word(FREED_ARMED);

	return armed && *(const volatile __u64 *)armed && si->bdev->bd_dev == config.device &&
	       (si->swap_file->f_inode->i_mode & MODE_TYPE) == MODE_BLOCK;
}

static __always_inline int note(const struct swap_info_struct *si, __u64 slot, __u32 count)
{
	__u64 *notices = word(FREED_NOTICES), end;

	if (!is_ours(si) || !notices || slot >= config.slots || count > config.slots - slot)
		return 0;
	__sync_fetch_and_add(notices, count);
	end = slot + count;
	/* One more than whole words: the first one may be begun in its middle. */
	for (int i = 0; i <= CLUSTER_WORDS && slot < end; i++) {
		__u64 first = slot % FREED_WORD_SLOTS, left = end - slot, mask = ~0ull;
		__u64 *bits = word(FREED_HEAD_WORDS + slot / FREED_WORD_SLOTS);

		if (left > FREED_WORD_SLOTS - first)
			left = FREED_WORD_SLOTS - first;
		mask = (mask >> (FREED_WORD_SLOTS - left)) << first;
		if (bits)
			__sync_fetch_and_or(bits, mask);
		slot += left;
	}
	return 0;
}

/* (si, unsigned long slot, unsigned int count) */
SEC("fentry")
int freed_slot(__u64 *ctx)
{
	return note((void *)ctx[0], ctx[1], ctx[2]);
}

static __always_inline __u64 entry_slot(__u64 entry)
{
	return entry & ((1ull << ENTRY_SLOT_BITS) - 1);
}

/* (si, swp_entry_t entry, unsigned int count) */
SEC("fentry")
int freed_entry(__u64 *ctx)
{
	return note((void *)ctx[0], entry_slot(ctx[1]), ctx[2]);
}

/* (si, cluster, swp_entry_t entry, unsigned int count) */
SEC("fentry")
int freed_cluster_entry(__u64 *ctx)
{
	return note((void *)ctx[0], entry_slot(ctx[2]), ctx[3]);
}

/* (si, cluster, unsigned int slot of the cluster, unsigned int count) */
SEC("fentry")
int freed_cluster_slot(__u64 *ctx)
{
	const struct swap_info_struct *si = (void *)ctx[0];
	__u64 bytes = ctx[1] - (__u64)si->cluster_info;
	__u32 slot = ctx[2];

	if (!config.cluster_size)
		return 0;
	return note(si, bytes / config.cluster_size * config.cluster_slots + slot, ctx[3]);
}

char freed_license[] SEC("license") = "GPL";
