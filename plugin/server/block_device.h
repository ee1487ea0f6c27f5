/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block device of a server, beside its NBD socket. */
#ifndef RAMZSWAP_BLOCK_DEVICE_H
#define RAMZSWAP_BLOCK_DEVICE_H

#include <stddef.h>

struct server;

/*
 * Makes the device that ublk= asks for, if any; requests may come from then on.  0, or a negative
 * errno with why.  ublk_door_close ends it.
 */
int block_device_open(struct server *server, char *why, size_t why_size);

#endif
