/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One ublk device as the kernel has it: takes the place of ublk/device.c.  Any thread. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include <stdbool.h>

#include "ublk/device.h"

#define FAKE_NUMBER 3u

/* A live one of the calling process. */
void fake_device_make(struct ublk_device_info *info);

/* What has become of it. */
void fake_device_set(unsigned int state, int server);

/* What the end of a recovery returns. */
void fake_device_end_with(int result);

/* Another server's has its number now. */
void fake_device_replace(void);

/* Commands that have come so far, in order: "stop; delete; ..." */
const char *fake_device_log(void);

#endif
