/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hands what hook.h made over to the server of a device, and proves to it that the device is its
 * disk: by a word in the swap header, written through the device, which the server must find.
 */
#ifndef RAMZSWAP_FREED_HANDOVER_H
#define RAMZSWAP_FREED_HANDOVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct freed_hook;

struct freed_device {
	int fd;
	dev_t number;
	uint64_t slots; /* whole pages */
};

/*
 * Opens a device that may give notices: a whole nbd or ublk device with a swap header.  0, or a
 * negative errno with a line of why; *device is untouched then.
 */
int freed_device_open(struct freed_device *device, const char *path, char *why, size_t why_size);
void freed_device_close(struct freed_device *device);

/*
 * Asks the server behind this control socket to heed the notices.  The header is then as it was
 * before.  0, or a negative errno with a line of why, the server's if it has one.
 */
int freed_hand_over(const struct freed_device *device, const struct freed_hook *hook,
		    const char *socket, char *why, size_t why_size);

#endif
