/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "guard/heir.h"
#include "ublk/device.h"
#include "ublk/queue.h"

#define PREFIX "/dev/ublkb"

struct heir {
	struct ublk_control control;
	struct ublk_device_info info;
	struct ublk_queue queue;
	bool made;     /* the queue is */
	bool attached; /* the queue to the device */
	bool took_over;
};

static uint32_t number_of(const char *device)
{
	return (uint32_t)strtoul(device + strlen(PREFIX), NULL, 10);
}

bool heir_is_for(const char *device)
{
	return strncmp(device, PREFIX, strlen(PREFIX)) == 0;
}

static int make_queue(struct heir *heir)
{
	const struct ublk_queue_config config = {
		.depth = heir->info.depth,
	};
	int err = ublk_queue_make(&heir->queue, &config);

	heir->made = !err;
	return err;
}

static int get_ready(struct heir *heir, uint32_t device)
{
	int err = ublk_info(&heir->control, device, &heir->info);

	return err ? err : make_queue(heir);
}

/* One whose ring the kernel refuses is of no use: the next try has another. */
static void drop_queue(struct heir *heir)
{
	if (heir->made)
		ublk_queue_close(&heir->queue);
	heir->made = false;
	heir->attached = false;
	heir->took_over = false;
}

int heir_prepare(struct heir **heirp, const char *device)
{
	struct heir *heir = calloc(1, sizeof(*heir));
	bool no_ring;
	int err;

	if (!heir)
		return -ENOMEM;
	err = ublk_control_open(&heir->control, &no_ring);
	if (!err) {
		err = get_ready(heir, number_of(device));
		if (!err) {
			*heirp = heir;
			return 0;
		}
		ublk_control_close(&heir->control);
	}
	free(heir);
	return err;
}

bool heir_owner_lives(const struct heir *heir)
{
	return heir->info.state == UBLK_LIVE && kill(heir->info.server, 0) == 0;
}

static bool is_there(struct heir *heir)
{
	struct ublk_device_info now;

	return ublk_is_there(&heir->control, &heir->info, &now);
}

bool heir_is_wanted(struct heir *heir)
{
	struct ublk_device_info now;

	return ublk_is_there(&heir->control, &heir->info, &now) &&
	       (now.state == UBLK_QUIESCED || now.state == UBLK_FAILING);
}

static void attach(struct heir *heir)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/ublkc%u", heir->info.device);
	if (ublk_queue_attach(&heir->queue, path) != 0)
		return;
	heir->attached = ublk_queue_fetch(&heir->queue) == 0;
	if (!heir->attached)
		drop_queue(heir);
}

/* Where the kernel waits for tags in vain it will do so again: with another queue it may not. */
static void end_recovery(struct heir *heir)
{
	int err = ublk_recovery_end(&heir->control, heir->info.device);

	heir->took_over = err == 0;
	if (err == -ECANCELED)
		drop_queue(heir);
}

bool heir_take_over(struct heir *heir)
{
	if (heir->took_over)
		return true;
	if (!heir->made && make_queue(heir) != 0)
		return false;
	if (!heir->attached) {
		if (!is_there(heir) || ublk_recovery_begin(&heir->control, heir->info.device) != 0)
			return false;
		attach(heir);
	}
	if (heir->attached)
		end_recovery(heir);
	return heir->took_over;
}

static int32_t fail_request(void *opaque, const struct ublk_descriptor *request,
			    unsigned char *data)
{
	return -EIO;
}

void heir_pass_time(struct heir *heir, unsigned int ms)
{
	uint64_t end = clock_ms() + ms, now;

	while (heir->took_over && (now = clock_ms()) < end) {
		int left = ublk_queue_round(&heir->queue, fail_request, NULL, (int)(end - now));

		if (left < 0)
			drop_queue(heir);
		else if (left == 0)
			heir->took_over = false; /* the device has been deleted */
	}
	if (!heir->took_over)
		clock_sleep_ms(ms);
}

/* Not to wait: of a device that somebody deleted while it was swap the kernel does not let go. */
static int take_away(struct heir *heir)
{
	int err = ublk_delete_later(&heir->control, heir->info.device);

	if (err == -EOPNOTSUPP || err == -EINVAL)
		err = ublk_delete(&heir->control, heir->info.device);
	return err;
}

int heir_finish(struct heir *heir)
{
	bool there = is_there(heir);
	int err = -ENODEV;

	/* Without anybody to answer, all that is left fails as the device stops. */
	drop_queue(heir);
	if (there)
		err = ublk_stop(&heir->control, heir->info.device);
	if (there && (!err || err == -ENODEV))
		err = take_away(heir);
	ublk_control_close(&heir->control);
	free(heir);
	return err == -ENODEV ? 0 : err;
}
