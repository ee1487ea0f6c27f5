/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's settings, which the first disk of a machine changes and the last one restores. */
#ifndef RAMZSWAP_TOOL_KERNEL_SETTINGS_H
#define RAMZSWAP_TOOL_KERNEL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

struct host;

/* The file, below the root, by which this disk says that it wants the settings.  False if too long.
 */
bool kernel_user_file(const struct host *host, char *path, size_t size);

/* Says so if another disk is in use: the settings stay then.  Warns of what cannot be restored. */
void kernel_restore(struct host *host);

#endif
