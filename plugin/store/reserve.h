/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is kept ready ahead of need.  See store_refill too. */
#ifndef RAMZSWAP_STORE_RESERVE_H
#define RAMZSWAP_STORE_RESERVE_H

#include "store/state.h"

/* Divides the reserve between table pages and spans, as far as the disk can ever use it. */
void reserve_init(struct store *store);

#endif
