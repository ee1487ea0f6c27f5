/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The statistics of disks as metrics, in the text format 0.0.4 of Prometheus: names prefixed with
 * ramzswap_ and ending in their unit and, for counters, _total; the disk is the label.
 */
#ifndef RAMZSWAP_METRICS_H
#define RAMZSWAP_METRICS_H

#include <stddef.h>
#include <stdio.h>

#include "tools/disk.h"

/*
 * Writes the metrics of so many disks and flushes the stream.  Of those that do not answer there is
 * only ramzswap_up.  0, or a negative errno if the stream fails.
 */
int metrics_write(const struct disk *disks, size_t count, FILE *out);

/*
 * Puts them into a file that everybody may read, in the place of one that is there: who reads it
 * sees the old one or the new one.  0, or a negative errno with a line of why; the old one is there
 * then.
 */
int metrics_save(const struct disk *disks, size_t count, const char *path, char why[ASK_WHY_MAX]);

#endif
