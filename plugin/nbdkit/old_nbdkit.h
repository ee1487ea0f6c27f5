/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdkit before 1.34 (in Debian 12 for one) ends by an assertion, whatever the plugin, when a client
 * leaves whose replies are being sent.  It was mended in 1.33.10, and by some who package it.
 */
#ifndef RAMZSWAP_OLD_NBDKIT_H
#define RAMZSWAP_OLD_NBDKIT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether the nbdkit that this is part of has the fault: its version cannot be asked for, but an
 * assertion keeps the name of its function in memory.
 */
bool old_nbdkit_may_end(void);

/*
 * Whether nbdkit was told to do what avoids it: one thread for a connection, and no structured
 * replies.  arguments is a command line as /proc/self/cmdline has it, of so many bytes.
 */
bool old_nbdkit_is_safe(const char *arguments, size_t size);

/* The line to say at the start, or NULL. */
const char *old_nbdkit_warning(void);

#endif
