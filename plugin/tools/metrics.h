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

/* Writes the metrics of so many disks and flushes the stream.  0, or a negative errno if it fails. */
int metrics_write(const struct disk *disks, size_t count, FILE *out);

#endif
