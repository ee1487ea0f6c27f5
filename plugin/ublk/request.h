/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a request of a ublk device means to the store. */
#ifndef RAMZSWAP_UBLK_REQUEST_H
#define RAMZSWAP_UBLK_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "ublk/uapi.h"

struct store;

/*
 * Carries it out: data has data_size bytes.  Returns the bytes read or written, 0 for a request
 * without data, or a negative errno: what the store says, -EINVAL for a range that is not of the
 * disk or more than data_size, -EOPNOTSUPP for an operation that was not offered.  Nothing has
 * changed after the last two.
 */
int32_t ublk_request_carry_out(struct store *store, const struct ublk_descriptor *request,
			       unsigned char *data, size_t data_size);

#endif
