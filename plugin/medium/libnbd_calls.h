/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnbd, loaded when it is first needed: with the libraries that it needs itself it
 * takes megabytes, which a server without an NBD server behind it should not hold,
 * least of all locked.  Its calls keep their names and are made through a table.
 */
#ifndef RAMZSWAP_LIBNBD_CALLS_H
#define RAMZSWAP_LIBNBD_CALLS_H

#include <libnbd.h>

/* It does not come to rest here. */
/* clang-format off */
#define LIBNBD_CALLS(X) \
	X(create) \
	X(close) \
	X(get_error) \
	X(get_errno) \
	X(set_uri_allow_local_file) \
	X(aio_connect_uri) \
	X(aio_is_connecting) \
	X(aio_is_ready) \
	X(poll) \
	X(get_size) \
	X(get_block_size) \
	X(is_read_only) \
	X(can_trim) \
	X(can_flush) \
	X(can_multi_conn) \
	X(aio_pread) \
	X(aio_pwrite) \
	X(aio_trim) \
	X(aio_flush) \
	X(aio_command_completed)
/* clang-format on */

struct libnbd_calls {
#define LIBNBD_POINTER(name) __typeof__(nbd_##name) *name;
	LIBNBD_CALLS(LIBNBD_POINTER)
#undef LIBNBD_POINTER
};

extern struct libnbd_calls libnbd;

/*
 * Loads the library, once.  0, or -ENOENT if it is not there or lacks a call; then
 * dlerror() tells which.  For one thread, before any other uses the table.
 */
int libnbd_load(void);

#endif
