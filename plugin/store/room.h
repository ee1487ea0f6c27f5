/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Room for a write that found none. */
#ifndef RAMZSWAP_STORE_ROOM_H
#define RAMZSWAP_STORE_ROOM_H

#include "store/request.h"

/*
 * Tries to win room, without keeping an encoder from others meanwhile.  Whether there is hope
 * that the write finds some now, which others may have made too.  No entry may be locked by
 * the caller.
 */
bool request_make_room(struct request *req);

#endif
