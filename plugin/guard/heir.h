/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who answers for the ublk device of a server that is dead, or that cannot serve it any more.
 *
 * The kernel keeps the device and has its requests wait (or fail, from Linux 6.13 on) until another
 * process comes for them.  As long as they wait, so does swapoff.  The heir comes and says that
 * each has failed.  All that this takes but a file of its own is made while the server lives.
 *
 * Of one process, which is no child of the one that prepared it.
 */
#ifndef RAMZSWAP_HEIR_H
#define RAMZSWAP_HEIR_H

#include <stdbool.h>

struct heir;

/* Whether this is the path of a ublk device: /dev/ublkbN. */
bool heir_is_for(const char *device);

/*
 * For such a device.  0, or a negative errno: -EOPNOTSUPP where this was built without ublk,
 * -ENODEV where there is no such device, or what the kernel's driver says.
 */
int heir_prepare(struct heir **heir, const char *device);

/* Whether the device has a server that lives, as far as the kernel knew when it was prepared. */
bool heir_owner_lives(const struct heir *heir);

/*
 * Whether nobody serves the device, as the kernel has it: false where there is none, or it is
 * another by now.
 */
bool heir_is_wanted(struct heir *heir);

/*
 * Takes the device's requests over, once.  Whether they are; false as long as the kernel has not
 * done with the server: to be tried again.
 */
bool heir_take_over(struct heir *heir);

/* Fails what comes in the next milliseconds, if it has taken over; else lets them pass. */
void heir_pass_time(struct heir *heir, unsigned int ms);

/* Deletes the device, whoever has it open.  0 or a negative errno.  Frees the heir. */
int heir_finish(struct heir *heir);

#endif
