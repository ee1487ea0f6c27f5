/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An NBD server as a medium, by libnbd.  How it is called, lost and found again is
 * nbd_peer.c's affair.
 *
 * libnbd allocates memory for each request (some hundred bytes) and for each
 * connection: such a medium is not for a machine that swaps to it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "medium/medium.h"
#include "medium/nbd_peer.h"

struct nbd {
	struct medium medium;
	struct nbd_peer peer;
};

static int nbd_medium_read(struct medium *medium, void *buf, size_t len, uint64_t offset)
{
	const struct nbd_transfer what = {
		.what = TRANSFER_READ,
		.buf = buf,
		.len = len,
		.offset = offset,
	};

	return nbd_peer_transfer(&((struct nbd *)medium)->peer, &what);
}

static int nbd_medium_write(struct medium *medium, const void *buf, size_t len, uint64_t offset)
{
	const struct nbd_transfer what = {
		.what = TRANSFER_WRITE,
		.buf = (char *)buf,
		.len = len,
		.offset = offset,
	};

	return nbd_peer_transfer(&((struct nbd *)medium)->peer, &what);
}

static void nbd_medium_discard(struct medium *medium, size_t len, uint64_t offset)
{
	const struct nbd_transfer what = {
		.what = TRANSFER_DISCARD,
		.len = len,
		.offset = offset,
	};
	struct nbd *nbd = (struct nbd *)medium;

	if (nbd->peer.can_discard && !nbd_peer_is_lost(&nbd->peer))
		(void)nbd_peer_transfer(&nbd->peer, &what);
}

static int nbd_medium_start(struct medium *medium)
{
	return nbd_peer_start(&((struct nbd *)medium)->peer);
}

static void nbd_medium_close(struct medium *medium)
{
	struct nbd *nbd = (struct nbd *)medium;

	nbd_peer_fini(&nbd->peer);
	free(nbd);
}

static const struct medium_ops nbd_ops = {
	.start = nbd_medium_start,
	.read = nbd_medium_read,
	.write = nbd_medium_write,
	.discard = nbd_medium_discard,
	.close = nbd_medium_close,
};

/* What the server offers.  0, or a negative errno with a line of why. */
static int inspect(struct nbd *nbd, const struct medium_config *config, char *why, size_t why_size)
{
	struct nbd_handle *handle = nbd->peer.connection[0].handle;
	int64_t size = libnbd.get_size(handle);
	int64_t block = libnbd.get_block_size(handle, LIBNBD_SIZE_MINIMUM);
	int64_t most = libnbd.get_block_size(handle, LIBNBD_SIZE_MAXIMUM);

	if (size < 0) {
		snprintf(why, why_size, "does not tell its size: %s", nbd_reason());
		return -EIO;
	}
	if (libnbd.is_read_only(handle) == 1) {
		snprintf(why, why_size, "is read-only");
		return -EROFS;
	}
	if (block > MEDIUM_BLOCK_MAX) {
		snprintf(why, why_size, "wants blocks of %lld bytes, which are larger than a page",
			 (long long)block);
		return -EINVAL;
	}
	if (config->size > (uint64_t)size) {
		snprintf(why, why_size, "has %lld bytes, fewer than backing-size=%llu",
			 (long long)size, (unsigned long long)config->size);
		return -EINVAL;
	}
	nbd->medium.size = (config->size ? config->size : (uint64_t)size) &
			   ~(uint64_t)(MEDIUM_BLOCK_MAX - 1);
	nbd->medium.block = block > 512 ? (uint32_t)block : 512;
	nbd->peer.request_max = most > 0 && most < 1 << 20 ? (uint32_t)most : 1 << 20;
	nbd->peer.can_discard = libnbd.can_trim(handle) == 1;
	nbd->peer.can_flush = libnbd.can_flush(handle) == 1;
	nbd->peer.connections = libnbd.can_multi_conn(handle) == 1 ? NBD_CONNECTIONS : 1;
	nbd->peer.size = nbd->medium.size;
	return 0;
}

static int check_content(struct nbd *nbd, char *why, size_t why_size)
{
	unsigned char block[MEDIUM_BLOCK_MAX];
	const struct nbd_transfer what = {
		.what = TRANSFER_READ,
		.buf = (char *)block,
		.len = sizeof(block),
	};
	int err = 0;

	if (nbd->medium.size >= MEDIUM_BLOCK_MAX)
		err = nbd_peer_transfer_on(&nbd->peer, nbd->peer.connection[0].handle, &what);
	if (err) {
		snprintf(why, why_size, "cannot be read: %s", strerror(-err));
		return err;
	}
	if (nbd->medium.size >= MEDIUM_BLOCK_MAX && !medium_block_is_ours(block)) {
		snprintf(why, why_size,
			 "holds something that is no backing store: give another "
			 "export, or backing-force=on to overwrite it");
		return -EEXIST;
	}
	return 0;
}

static struct nbd *make(const struct medium_config *config)
{
	struct nbd *nbd = calloc(1, sizeof(*nbd));

	if (!nbd)
		return NULL;
	if (nbd_peer_init(&nbd->peer, config->where, config->patience)) {
		free(nbd);
		return NULL;
	}
	nbd->medium.ops = &nbd_ops;
	nbd->medium.kind = "nbd";
	nbd->medium.direct = true;
	nbd->medium.remote = true;
	return nbd;
}

int medium_open_nbd(struct medium **medium, const struct medium_config *config, char *why,
		    size_t why_size)
{
	struct nbd *nbd;
	const char *reason;
	int err = 0;

	if (libnbd_load()) {
		snprintf(
			why, why_size,
			"is an NBD URI, and libnbd cannot be loaded (%s): install libnbd0, or give "
			"a file or a block device",
			dlerror());
		return -EOPNOTSUPP;
	}
	nbd = make(config);
	if (!nbd) {
		snprintf(why, why_size, "no memory to connect to it");
		return -ENOMEM;
	}
	if (!nbd_peer_call(&nbd->peer, &reason)) {
		snprintf(why, why_size, "cannot be reached: %s", reason);
		err = -ENOTCONN;
	}
	if (!err)
		err = inspect(nbd, config, why, why_size);
	if (!err && !config->force)
		err = check_content(nbd, why, why_size);
	if (err) {
		nbd_medium_close(&nbd->medium);
		return err;
	}
	*medium = &nbd->medium;
	return 0;
}
