/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second front door of a store: a block device of this machine, /dev/ublkbN, whose requests
 * come by shared memory instead of a socket.  A program that waits for a page that is swapped out
 * waits half as long as over NBD.
 *
 * One thread serves the device, and another waits for its end.  They take on all that the server's
 * other threads have of the protections (survival/protection.h): its memory is made, and by what is
 * in force then locked, before the device is there, and it asks the kernel for none later.
 *
 * The device is made so that it outlives its server (UBLK_FEATURE_RECOVERY): of a server that is
 * killed the kernel would else take the device away, and a swap area on it could be named by nobody
 * any more.  Requests wait then, or fail where the kernel can have them fail (Linux 6.13), until
 * ramzswap-guard answers them (guard/heir.h), or somebody deletes the device.
 *
 * The same where the server lives and its thread cannot go on, for the kernel refuses it the ring:
 * the guard sees that, too.  Where there is none in time, the door has the device taken away.
 */
#ifndef RAMZSWAP_UBLK_H
#define RAMZSWAP_UBLK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct ublk_door;

/* Instead of a number: any that is free; no device at all. */
#define UBLK_ANY (-1)
#define UBLK_OFF (-2)

/* The kernel has so many devices. */
#define UBLK_NUMBER_MAX ((1 << 20) - 1)

/*
 * Requests under way, and bytes of one at most: memory for one such is resident for good.
 */
#define UBLK_DEPTH 32u
#define UBLK_REQUEST_BYTES (64u * 1024)

/*
 * Longest while in which a request is asked for before the thread sleeps.  With 300 whoever was
 * woken late lost patience for good: half the speed, one time in three.
 */
#define UBLK_POLL_US 1000u

/* Room for any reason. */
#define UBLK_WHY_MAX 256

/* How long a device that the door cannot serve any more waits for the guard. */
#define UBLK_HEIR_MS 10000u

/* That the door serves its device no more, and nobody has closed it. */
struct ublk_end {
	atomic_int device; /* its number; before that UBLK_ANY */
	int error;	   /* a negative errno; 0 when somebody has taken it away.  Set first */
};

struct ublk_config {
	struct store *store;  /* outlives the door */
	uint64_t size;	      /* of the disk in bytes: whole pages of it can be reached */
	int number;	      /* of the device, or UBLK_ANY */
	unsigned int poll_us; /* longest while in which to ask for a request; 0: never ask */
	struct ublk_end *end; /* outlives the door, which tells there when it ends by itself */
};

/*
 * Whether a device of that number could be made, as far as can be told without making it: for before
 * the fork, while somebody reads why it cannot be.  0, or a negative errno with one line of why.
 */
int ublk_door_check(int number, char *why, size_t why_size);

/*
 * The same for any number, and *number is one that is free: somebody else may take it.  A device
 * that the kernel cannot let go of has its number still, and is neither in /dev nor in /sys.
 */
int ublk_door_find(int *number, char *why, size_t why_size);

/* Makes the device and serves it.  0, or a negative errno with why; *door is untouched then. */
int ublk_door_open(struct ublk_door **door, const struct ublk_config *config, char *why,
		   size_t why_size);

/*
 * Takes the device away and ends the thread; requests under way are answered first.  What is
 * swapped out there is lost: see to it that nobody swaps there.  NULL is accepted.
 */
void ublk_door_close(struct ublk_door *door);

/*
 * Takes the device for itself if nobody uses it as swap, has it mounted, or built something on it:
 * then 0, and nobody can begin to.  0 also where it was taken away.  -EBUSY, or another negative
 * errno.  By one thread at a time, which is not the door's.
 */
int ublk_door_claim(struct ublk_door *door);

/* Lets others have it again. */
void ublk_door_release(struct ublk_door *door);

/* The number of the device. */
int ublk_door_number(const struct ublk_door *door);

#endif
