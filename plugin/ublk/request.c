/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "store/store.h"
#include "ublk/request.h"

int32_t ublk_request_carry_out(struct store *store, const struct ublk_descriptor *request,
			       unsigned char *data, size_t data_size)
{
	uint64_t count = (uint64_t)request->sectors << UBLK_SECTOR_SHIFT;
	uint64_t offset = request->sector << UBLK_SECTOR_SHIFT;
	unsigned int operation = request->operation & UBLK_OPERATION_MASK;
	int err;

	if (request->sector > UINT64_MAX >> UBLK_SECTOR_SHIFT)
		return -EINVAL;
	switch (operation) {
	case UBLK_READ:
	case UBLK_WRITE:
		if (count > data_size)
			return -EINVAL;
		err = operation == UBLK_READ ? store_read(store, data, (uint32_t)count, offset)
					     : store_write(store, data, (uint32_t)count, offset);
		return err ? err : (int32_t)count;
	case UBLK_DISCARD:
	case UBLK_WRITE_ZEROES:
		return store_zero(store, count, offset);
	case UBLK_FLUSH: /* all is in memory, and ends with the server */
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
