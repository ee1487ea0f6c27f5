/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/request.h"
#include "store/store.h"
#include "ublk/keeper.h"
#include "ublk/queue.h"
#include "ublk/request.h"
#include "ublk/ublk.h"

/* The kernel's block of swap and of file systems. */
#define PAGE_SHIFT 12

/* Between two looks whether the end is wanted, as long as the device has not started. */
#define LOOK_MS 100

/* One request to forget a range must not keep readers waiting for long. */
#define DISCARD_BYTES (4u << 20)

/* What a server of swap has resident for a request is no less. */
_Static_assert(UBLK_REQUEST_BYTES <= REQUEST_SWAP, "larger than what is ready");

#define NEEDED (UBLK_FEATURE_IOCTL_CODES | UBLK_FEATURE_RECOVERY | UBLK_FEATURE_USER_COPY)

struct ublk_door {
	struct store *store;
	unsigned int poll_us;
	struct ublk_keeper keeper;
	sem_t fetched; /* posted once: result is valid */
	int result;
	atomic_bool started;	 /* the device is */
	int claim;		 /* file descriptor, or -1 */
	struct ublk_queue queue; /* the thread's */
};

static int say(int err, char *why, size_t why_size, const char *text)
{
	snprintf(why, why_size, "ublk: %s", text);
	return err;
}

static int say_no_control(int err, bool no_ring, char *why, size_t why_size)
{
	if (no_ring && err == -ENOSYS)
		return say(err, why, why_size, "this kernel has no io_uring");
	if (no_ring && err == -EPERM)
		return say(err, why, why_size,
			   "io_uring is switched off: sysctl kernel.io_uring_disabled=0 allows it");
	if (no_ring) {
		snprintf(why, why_size, "ublk: io_uring: %s", strerror(-err));
		return err;
	}
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		return say(err, why, why_size,
			   "this kernel has no ublk driver, or it is not loaded: there is "
			   "no " UBLK_CONTROL_PATH " (modprobe ublk_drv)");
	if (err == -EACCES || err == -EPERM)
		return say(err, why, why_size, UBLK_CONTROL_PATH ": needs root");
	snprintf(why, why_size, "ublk: %s: %s", UBLK_CONTROL_PATH, strerror(-err));
	return err;
}

static int open_control(struct ublk_control *control, char *why, size_t why_size)
{
	bool no_ring;
	int err = ublk_control_open(control, &no_ring);

	return err ? say_no_control(err, no_ring, why, why_size) : 0;
}

/* Sets features to those of the kernel if they are enough. */
static int check_features(struct ublk_control *control, uint64_t *features, char *why,
			  size_t why_size)
{
	uint64_t got;
	int err = ublk_features(control, &got);

	if (err == -EPERM || err == -EACCES)
		return say(err, why, why_size, "needs the capability CAP_SYS_ADMIN");
	if (err || (got & NEEDED) != NEEDED)
		return say(-EOPNOTSUPP, why, why_size,
			   "this kernel is too old: it takes Linux 6.5 or later");
	*features = got;
	return 0;
}

static int say_taken(int number, char *why, size_t why_size)
{
	snprintf(why, why_size,
		 "ublk: there is a device %d already (ublk=auto takes a free number)", number);
	return -EEXIST;
}

static bool is_taken(struct ublk_control *control, int number)
{
	struct ublk_device_info info;

	return ublk_info(control, (uint32_t)number, &info) == 0;
}

/* Opens control if a device could be made. */
static int open_checked(struct ublk_control *control, char *why, size_t why_size)
{
	uint64_t features;
	int err = open_control(control, why, why_size);

	if (err)
		return err;
	err = check_features(control, &features, why, why_size);
	if (err)
		ublk_control_close(control);
	return err;
}

int ublk_door_check(int number, char *why, size_t why_size)
{
	struct ublk_control control;
	int err = open_checked(&control, why, why_size);

	if (err)
		return err;
	if (number != UBLK_ANY && is_taken(&control, number))
		err = say_taken(number, why, why_size);
	ublk_control_close(&control);
	return err;
}

int ublk_door_find(int *number, char *why, size_t why_size)
{
	struct ublk_control control;
	int free = 0;
	int err = open_checked(&control, why, why_size);

	if (err)
		return err;
	while (free < UBLK_NUMBER_MAX && is_taken(&control, free))
		free++;
	ublk_control_close(&control);
	*number = free;
	return 0;
}

static int32_t answer(void *opaque, const struct ublk_descriptor *request, unsigned char *data)
{
	const struct ublk_door *door = opaque;

	return ublk_request_carry_out(door->store, request, data, door->keeper.info.request_bytes);
}

static int open_queue(struct ublk_door *door)
{
	char path[32];
	const struct ublk_queue_config config = {
		.depth = door->keeper.info.depth,
		.request_bytes = door->keeper.info.request_bytes,
		.poll_us = door->poll_us,
	};
	int err;

	snprintf(path, sizeof(path), "/dev/ublkc%u", door->keeper.info.device);
	err = ublk_queue_make(&door->queue, &config);
	if (!err) {
		err = ublk_queue_attach(&door->queue, path);
		if (err)
			ublk_queue_close(&door->queue);
	}
	if (err)
		door->keeper.queue = NULL;
	return err ? err : ublk_queue_fetch(&door->queue);
}

/* As ublk_queue_round.  Before the device has started not all tags may ever come back. */
static int serve_a_round(struct ublk_door *door)
{
	int err;

	if (atomic_load_explicit(&door->started, memory_order_relaxed))
		return ublk_queue_round(&door->queue, answer, door, -1);
	err = ublk_queue_round(&door->queue, answer, door, LOOK_MS);
	return err > 0 && atomic_load(&door->keeper.closing) ? -ECANCELED : err;
}

static void *serve(void *opaque)
{
	struct ublk_door *door = opaque;
	int err = open_queue(door);

	door->result = err;
	sem_post(&door->fetched);
	/* Until the device is stopped the kernel keeps the tags that it has, and the thread. */
	if (err)
		return NULL;
	do
		err = serve_a_round(door);
	while (err > 0);
	if (err == 0) {
		ublk_queue_close(&door->queue);
		door->keeper.queue = NULL;
	}
	door->keeper.error = err;
	atomic_store(&door->keeper.has_ended, true);
	return NULL;
}

static int await_fetch(struct ublk_door *door)
{
	while (sem_wait(&door->fetched) != 0)
		;
	return door->result;
}

static int add(struct ublk_door *door, const struct ublk_config *config, char *why, size_t why_size)
{
	uint64_t features;
	int err = check_features(&door->keeper.control, &features, why, why_size);

	if (err)
		return err;
	door->keeper.info = (struct ublk_device_info){
		.queues = 1,
		.depth = UBLK_DEPTH,
		.request_bytes = UBLK_REQUEST_BYTES,
		.device = config->number == UBLK_ANY ? UINT32_MAX : (uint32_t)config->number,
		.flags = NEEDED | (features & UBLK_FEATURE_FAIL_WITHOUT),
		/* No other device has the same. */
		.ours = (uint64_t)getpid() << 48 ^ clock_ns(),
	};
	err = ublk_add(&door->keeper.control, &door->keeper.info);
	if (err == -EEXIST)
		return say_taken(config->number, why, why_size);
	if (err == -EPERM || err == -EACCES)
		return say(err, why, why_size, "needs the capability CAP_SYS_ADMIN");
	if (err)
		snprintf(why, why_size, "ublk: a device cannot be made: %s", strerror(-err));
	return err;
}

static int set_parameters(struct ublk_door *door, uint64_t size)
{
	struct ublk_parameters parameters = {
		.length = sizeof(parameters),
		.types = UBLK_PARAMETERS_BASIC | UBLK_PARAMETERS_DISCARD,
		.basic = {
			.logical_shift = PAGE_SHIFT,
			.physical_shift = PAGE_SHIFT,
			.optimal_shift = PAGE_SHIFT,
			.minimum_shift = PAGE_SHIFT,
			.request_sectors = door->keeper.info.request_bytes >> UBLK_SECTOR_SHIFT,
			.sectors = size >> PAGE_SHIFT << (PAGE_SHIFT - UBLK_SECTOR_SHIFT),
		},
		.discard = {
			.granularity = 1u << PAGE_SHIFT,
			.discard_sectors = DISCARD_BYTES >> UBLK_SECTOR_SHIFT,
			.zero_sectors = DISCARD_BYTES >> UBLK_SECTOR_SHIFT,
			.segments = 1,
		},
	};

	return ublk_set_parameters(&door->keeper.control, door->keeper.info.device, &parameters);
}

static void say_no_start(const struct ublk_door *door, int err, char *why, size_t why_size)
{
	const struct ublk_keeper *keeper = &door->keeper;
	char text[64];

	if (err != -ECANCELED)
		snprintf(text, sizeof(text), "%s", strerror(-err));
	else if (!atomic_load(&keeper->has_ended))
		snprintf(text, sizeof(text), "the kernel has not all tags after %u s",
			 UBLK_FETCHED_MS / 1000);
	else if (keeper->error)
		snprintf(text, sizeof(text), "io_uring: %s", strerror(-keeper->error));
	else
		snprintf(text, sizeof(text), "somebody else has taken it away");
	snprintf(why, why_size, "ublk: /dev/ublkb%u cannot be started: %s", keeper->info.device,
		 text);
}

/* What the thread serves, if it can. */
static int start_device(struct ublk_door *door)
{
	int err = await_fetch(door);

	if (!err)
		err = ublk_start(&door->keeper.control, door->keeper.info.device,
				 &door->keeper.has_ended);
	if (err)
		return err;
	atomic_store(&door->started, true);
	return ublk_keeper_start(&door->keeper);
}

static int start(struct ublk_door *door, uint64_t size, char *why, size_t why_size)
{
	int err = set_parameters(door, size);
	bool served;

	if (!err)
		err = ublk_keeper_start_thread(&door->keeper, &door->keeper.server, "ublk", serve,
					       door);
	served = !err;
	if (!err)
		err = start_device(door);
	if (err)
		say_no_start(door, err, why, why_size);
	if (err && served)
		ublk_keeper_end(&door->keeper);
	return err;
}

static int make(struct ublk_door *door, const struct ublk_config *config, char *why,
		size_t why_size)
{
	int err = open_control(&door->keeper.control, why, why_size);

	if (err)
		return err;
	err = add(door, config, why, why_size);
	if (!err) {
		err = start(door, config->size, why, why_size);
		if (!err)
			return 0;
		(void)ublk_delete(&door->keeper.control, door->keeper.info.device);
	}
	ublk_control_close(&door->keeper.control);
	return err;
}

static void free_door(struct ublk_door *door)
{
	pthread_mutex_destroy(&door->keeper.commands);
	sem_destroy(&door->fetched);
	free(door);
}

int ublk_door_open(struct ublk_door **doorp, const struct ublk_config *config, char *why,
		   size_t why_size)
{
	struct ublk_door *door = calloc(1, sizeof(*door));
	int err;

	if (!door)
		return say(-ENOMEM, why, why_size, "no memory");
	door->store = config->store;
	door->keeper.end = config->end;
	door->keeper.heir_ms = UBLK_HEIR_MS;
	door->keeper.queue = &door->queue;
	door->poll_us = config->poll_us;
	door->claim = -1;
	sem_init(&door->fetched, 0, 0);
	pthread_mutex_init(&door->keeper.commands, NULL);
	err = make(door, config, why, why_size);
	if (err) {
		free_door(door);
		return err;
	}
	*doorp = door;
	return 0;
}

void ublk_door_close(struct ublk_door *door)
{
	if (!door)
		return;
	ublk_keeper_end(&door->keeper);
	ublk_door_release(door);
	ublk_keeper_delete(&door->keeper);
	ublk_control_close(&door->keeper.control);
	free_door(door);
}

int ublk_door_claim(struct ublk_door *door)
{
	char path[32];

	if (door->claim >= 0)
		return 0;
	snprintf(path, sizeof(path), "/dev/ublkb%u", door->keeper.info.device);
	/* The kernel lets one user at a time have a device so: a swap area, a mount. */
	door->claim = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (door->claim >= 0 || errno == ENOENT || errno == ENXIO || errno == ENODEV)
		return 0;
	return -errno;
}

void ublk_door_release(struct ublk_door *door)
{
	if (door->claim >= 0)
		close(door->claim);
	door->claim = -1;
}

int ublk_door_number(const struct ublk_door *door)
{
	return (int)door->keeper.info.device;
}
