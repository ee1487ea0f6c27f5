/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory this machine has left, and where it swaps to: the only reader of /proc/meminfo,
 * of /proc/swaps and of what is set of the kernel.  All are opened once, while there is memory to
 * open a file.
 */
#ifndef RAMZSWAP_MACHINE_H
#define RAMZSWAP_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* A file descriptor of /proc/meminfo, to be closed by the caller, or -1. */
int machine_open(void);

/* In bytes; all 0 where it is not known. */
struct machine_memory {
	uint64_t total;
	uint64_t free;
	uint64_t available; /* can be had without swapping */
	uint64_t cached;    /* swapped out, and in memory as well */
	uint64_t swappable; /* programs' own, resident and not locked */
	uint64_t files;	    /* of files, resident and not locked */
	uint64_t writeback; /* being written, to swap among others */
};

/* meminfo may be -1.  No allocation; any thread. */
void machine_memory(int meminfo, struct machine_memory *memory);

/*
 * What a store of pages that the machine swaps to could still take until the machine has no more,
 * in bytes: it gets a page only when the machine has one less.  minimum is what the kernel keeps
 * free for itself, of machine_minimum.  What is free above it can be taken, though the kernel calls
 * nothing available before it has half as much again.  UINT64_MAX if not known.
 */
uint64_t machine_room(const struct machine_memory *memory, uint64_t minimum);

/*
 * A file descriptor of the kernel's bound on the processors' own lists of free pages, to be closed
 * by the caller, or -1 where it has none (Linux before 5.14).
 */
int machine_lists_open(void);

/*
 * Bytes that these lists may hold at most in a machine of so many processors and so much memory:
 * free, and yet not to be found by who looks whether memory is free.  UINT64_MAX where nothing but
 * the kernel's low watermark bounds them, or lists is -1.  No allocation; any thread.
 */
uint64_t machine_lists(int lists, unsigned int processors, uint64_t total);

/* A file descriptor of vm.min_free_kbytes, to be closed by the caller, or -1. */
int machine_minimum_open(void);

/*
 * Bytes that the kernel keeps free for itself, as it is set now; 0 where that cannot be read, or
 * minimum is -1.  No allocation; any thread.
 */
uint64_t machine_minimum(int minimum);

/* A file descriptor of /proc/swaps, to be closed by the caller, or a negative errno. */
int machine_swaps_open(void);

/* What is known of one swap area and of all others, in bytes. */
struct machine_swap {
	uint64_t size, used;
	int priority;
	uint64_t elsewhere; /* free in the other areas that take pages */
	uint64_t lasting;   /* of that, what lasts without power: not of zram, nbd and ublk */
	bool other_server;  /* another area is that of an nbd or ublk device */
};

/*
 * Of the area on a device.  0; -ENOENT if nobody swaps there, with what is of the others set and
 * size and used 0; -EIO, and *swap untouched, if /proc/swaps cannot be read.  No allocation; any
 * thread.
 */
int machine_swap(int swaps, const char *device, struct machine_swap *swap);

/*
 * The same of the area on a device that was taken away while the kernel swapped there, which has
 * that area for good: nobody can name it to swapoff.
 */
int machine_swap_orphan(int swaps, const char *device, struct machine_swap *swap);

/*
 * Size of the swap area on a device and what is used of it, in bytes.  False, and both untouched,
 * if nobody swaps there.  No allocation; any thread.
 */
bool machine_swap_area(int swaps, const char *device, uint64_t *size, uint64_t *used);

/*
 * Whether this machine swaps to an nbd device: perhaps to us.  swaps is a file descriptor of
 * /proc/swaps; false where that cannot be read, or it is -1.  No allocation; any thread.
 */
bool machine_swaps_to_nbd(int swaps);

/* The same of a ublk device. */
bool machine_swaps_to_ublk(int swaps);

#endif
