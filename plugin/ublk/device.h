/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ublk device as its owner sees it: made, started, handed to another server, taken away.  Each
 * function is one command to the kernel and waits for its end.  Whoever serves the device's
 * requests (queue.h) must be another thread for starting and stopping, which need it.
 *
 * Of one thread at a time.
 */
#ifndef RAMZSWAP_UBLK_DEVICE_H
#define RAMZSWAP_UBLK_DEVICE_H

#include <liburing.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ublk/uapi.h"

/* So long the kernel waits until all tags of a queue are fetched; usually they are before. */
#define UBLK_FETCHED_MS 20000u

/* A way to the kernel's ublk driver. */
struct ublk_control {
	int fd;
	struct io_uring ring;
};

/*
 * Opens it.  All that the commands need is made here, also the kernel's worker for them, so that
 * a command needs little memory later.  0; -ENOENT without a driver, -EACCES or -EPERM without
 * privilege; -ENOSYS or -EPERM where *no_ring says that it is io_uring that cannot be had; or
 * another negative errno.
 */
int ublk_control_open(struct ublk_control *control, bool *no_ring);

void ublk_control_close(struct ublk_control *control);

/* UBLK_FEATURE_..., of the kernel.  0; -EOPNOTSUPP or another negative errno before Linux 6.5. */
int ublk_features(struct ublk_control *control, uint64_t *features);

/* 0; -ENODEV where there is no device of that number; or another negative errno. */
int ublk_info(struct ublk_control *control, uint32_t device, struct ublk_device_info *info);

/*
 * Whether a device that was added, or of which ublk_info was had, is there still: its number may be
 * another one's by now.  *now is what it is then.
 */
bool ublk_is_there(struct ublk_control *control, const struct ublk_device_info *info,
		   struct ublk_device_info *now);

/*
 * Makes the device that info describes, and fills in what the kernel chose.  0; -EEXIST where its
 * number is taken; or another negative errno.
 */
int ublk_add(struct ublk_control *control, struct ublk_device_info *info);

/* Before ublk_start. */
int ublk_set_parameters(struct ublk_control *control, uint32_t device,
			struct ublk_parameters *parameters);

/*
 * Makes /dev/ublkbN; waits until the calling process has fetched all tags of the queue.  0;
 * -ECANCELED where *has_ended has told that it never will, or UBLK_FETCHED_MS have passed: there is
 * no /dev/ublkbN then; or another negative errno.
 */
int ublk_start(struct ublk_control *control, uint32_t device, const atomic_bool *has_ended);

/* Takes /dev/ublkbN away, and all tags with it; requests under way fail. */
int ublk_stop(struct ublk_control *control, uint32_t device);

/* Takes away what is left; waits until nobody has /dev/ublkcN or /dev/ublkbN any more. */
int ublk_delete(struct ublk_control *control, uint32_t device);

/*
 * The same without a wait: of a device that was taken away while the kernel swaps to it the kernel
 * never lets go, and its number stays taken.  -EOPNOTSUPP or -EINVAL before Linux 6.9.
 */
int ublk_delete_later(struct ublk_control *control, uint32_t device);

/*
 * A device made with UBLK_FEATURE_RECOVERY whose server has ended gets the calling process: after
 * begin it opens /dev/ublkcN and fetches all tags, then calls end.  begin: -EBUSY as long as
 * the kernel has not done with the old one.  end: -ECANCELED where not all tags were fetched in
 * UBLK_FETCHED_MS: begin again, with another queue.
 */
int ublk_recovery_begin(struct ublk_control *control, uint32_t device);
int ublk_recovery_end(struct ublk_control *control, uint32_t device);

#endif
