/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which disks this machine's swap lies on in the end: below partitions, LVM, dm-crypt, md, loop
 * devices and file systems with swap files.  What lies on what the kernel says (/sys, the mounts);
 * names say nothing of it.
 */
#ifndef RAMZSWAP_SWAP_DISKS_H
#define RAMZSWAP_SWAP_DISKS_H

#include <stdbool.h>
#include <stdint.h>

#define SWAP_DISKS_MAX 32
#define SWAP_DISK_NAME_MAX 32

struct swap_disks {
	unsigned int count;
	bool more; /* than have room here, or below something that cannot be looked into */
	char names[SWAP_DISKS_MAX][SWAP_DISK_NAME_MAX]; /* as in /sys/block: nbd0 */
};

/*
 * Finds them.  An area of which the kernel says nothing (any more) counts as a disk of its own
 * name. root stands before /proc, /sys and /dev: "" but in tests.  False, and *disks untouched,
 * where /proc/swaps cannot be read.  Opens files and allocates: not on the path of a request, nor
 * for who must not wait for memory.  Any thread.
 */
bool swap_disks_find(const char *root, struct swap_disks *disks);

/* Whether this disk is among them. */
bool swap_disks_have(const struct swap_disks *disks, const char *name);

/* Whether a disk of this driver is: its name and a number (nbd: nbd0), or one that is not known. */
bool swap_disks_have_of(const struct swap_disks *disks, const char *driver);

/*
 * Whether the areas in /proc/swaps, of machine_swaps_open, are others than at the last call with
 * this *names, which is 0 at first.  No allocation; false where it cannot be read.
 */
bool swap_disks_changed(int swaps, uint64_t *names);

#endif
