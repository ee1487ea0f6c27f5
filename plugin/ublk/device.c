/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ublk/device.h"

#define NO_DEVICE UINT32_MAX

/* What the kernel gives back with an end, so that those of two can be told apart. */
#define MARK_COMMAND 1u
#define MARK_GIVE_UP 2u

/* Between two looks whether a command is still worth its wait. */
#define LOOK_MS 100

/* NULL without room in the ring, which cannot be: it has two, and so many are given. */
static struct io_uring_sqe *next_submission(struct ublk_control *control)
{
	struct io_uring_sqe *submission = io_uring_get_sqe(&control->ring);

	if (submission) /* IORING_SETUP_SQE128 */
		memset(submission, 0, 2 * sizeof(*submission));
	return submission;
}

static int give(struct ublk_control *control, unsigned int operation,
		const struct ublk_control_command *what)
{
	struct io_uring_sqe *submission = next_submission(control);

	if (!submission)
		return -EBUSY;
	submission->opcode = IORING_OP_URING_CMD;
	submission->fd = control->fd;
	submission->cmd_op = operation;
	submission->user_data = MARK_COMMAND;
	memcpy(submission->cmd, what, sizeof(*what));
	return 0;
}

/* Has the kernel end the command that it carries out, as a signal would. */
static int give_up(struct ublk_control *control)
{
	struct io_uring_sqe *submission = next_submission(control);

	if (!submission)
		return -EBUSY;
	submission->opcode = IORING_OP_ASYNC_CANCEL;
	submission->fd = -1;
	submission->addr = MARK_COMMAND;
	submission->user_data = MARK_GIVE_UP;
	return 0;
}

static int command(struct ublk_control *control, unsigned int operation,
		   const struct ublk_control_command *what)
{
	struct io_uring_cqe *completion;
	int err = give(control, operation, what);

	if (err)
		return err;
	do
		err = io_uring_submit_and_wait(&control->ring, 1);
	while (err == -EINTR);
	if (err < 0)
		return err;
	do
		err = io_uring_wait_cqe(&control->ring, &completion);
	while (err == -EINTR);
	if (err < 0)
		return err;
	err = completion->res;
	io_uring_cqe_seen(&control->ring, completion);
	return err < 0 ? err : 0;
}

/* Hands over what was given, and waits for an end until the next look. */
static int sleep_until_look(struct ublk_control *control)
{
	struct __kernel_timespec time = { .tv_nsec = LOOK_MS * 1000000 };
	struct io_uring_cqe *completion;
	int err = io_uring_submit_and_wait_timeout(&control->ring, &completion, 1, &time, NULL);

	return err == -ETIME || err == -EINTR || err > 0 ? 0 : err;
}

/* How many have ended; *result is the command's, if it has. */
static unsigned int take_ends(struct ublk_control *control, int *result)
{
	struct io_uring_cqe *completion;
	unsigned int head, count = 0;

	io_uring_for_each_cqe(&control->ring, head, completion)
	{
		count++;
		if (completion->user_data == MARK_COMMAND)
			*result = completion->res;
	}
	io_uring_cq_advance(&control->ring, count);
	return count;
}

/* A command that waits for who serves the device: in vain where he has ended. */
static int command_to_server(struct ublk_control *control, unsigned int operation, uint32_t device,
			     const atomic_bool *has_ended)
{
	const struct ublk_control_command what = {
		.device = device,
		.queue = UINT16_MAX,
		.data = (uint64_t)getpid(),
	};
	uint64_t end = clock_ms() + UBLK_FETCHED_MS;
	unsigned int under_way = 1;
	bool given_up = false;
	int result = 0, err = give(control, operation, &what);

	while (!err && under_way > 0) {
		err = sleep_until_look(control);
		under_way -= take_ends(control, &result);
		if (err || under_way == 0 || given_up ||
		    !(clock_ms() >= end || (has_ended && atomic_load(has_ended))))
			continue;
		err = give_up(control);
		given_up = true;
		under_way++;
	}
	if (err)
		return err;
	return given_up && result < 0 ? -ECANCELED : result < 0 ? result : 0;
}

static int command_of_device(struct ublk_control *control, unsigned int operation, uint32_t device,
			     void *buffer, size_t length, uint64_t data)
{
	const struct ublk_control_command what = {
		.device = device,
		.queue = UINT16_MAX,
		.length = (uint16_t)length,
		.address = (uint64_t)(uintptr_t)buffer,
		.data = data,
	};

	return command(control, operation, &what);
}

int ublk_control_open(struct ublk_control *control, bool *no_ring)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQE128 };
	uint64_t features;
	int err;

	*no_ring = false;
	control->fd = open(UBLK_CONTROL_PATH, O_RDWR | O_CLOEXEC);
	if (control->fd < 0)
		return -errno;
	err = io_uring_queue_init_params(2, &control->ring, &params);
	if (err) {
		*no_ring = true;
		close(control->fd);
		return err;
	}
	/* The kernel carries commands out in a thread that it makes for the first. */
	(void)ublk_features(control, &features);
	return 0;
}

void ublk_control_close(struct ublk_control *control)
{
	io_uring_queue_exit(&control->ring);
	close(control->fd);
}

int ublk_features(struct ublk_control *control, uint64_t *features)
{
	uint64_t got = 0;
	int err = command_of_device(control, UBLK_GET_FEATURES, NO_DEVICE, &got, sizeof(got), 0);

	if (!err)
		*features = got;
	return err;
}

int ublk_info(struct ublk_control *control, uint32_t device, struct ublk_device_info *info)
{
	struct ublk_device_info got = { 0 };
	int err = command_of_device(control, UBLK_GET_INFO, device, &got, sizeof(got), 0);

	if (!err)
		*info = got;
	return err;
}

bool ublk_is_there(struct ublk_control *control, const struct ublk_device_info *info,
		   struct ublk_device_info *now)
{
	return ublk_info(control, info->device, now) == 0 && now->ours == info->ours;
}

int ublk_add(struct ublk_control *control, struct ublk_device_info *info)
{
	struct ublk_device_info added = *info;
	int err =
		command_of_device(control, UBLK_ADD_DEVICE, info->device, &added, sizeof(added), 0);

	if (!err)
		*info = added;
	return err;
}

int ublk_set_parameters(struct ublk_control *control, uint32_t device,
			struct ublk_parameters *parameters)
{
	return command_of_device(control, UBLK_SET_PARAMETERS, device, parameters,
				 sizeof(*parameters), 0);
}

int ublk_start(struct ublk_control *control, uint32_t device, const atomic_bool *has_ended)
{
	return command_to_server(control, UBLK_START_DEVICE, device, has_ended);
}

int ublk_stop(struct ublk_control *control, uint32_t device)
{
	return command_of_device(control, UBLK_STOP_DEVICE, device, NULL, 0, 0);
}

int ublk_delete(struct ublk_control *control, uint32_t device)
{
	return command_of_device(control, UBLK_DELETE_DEVICE, device, NULL, 0, 0);
}

int ublk_delete_later(struct ublk_control *control, uint32_t device)
{
	return command_of_device(control, UBLK_DELETE_DEVICE_ASYNC, device, NULL, 0, 0);
}

int ublk_recovery_begin(struct ublk_control *control, uint32_t device)
{
	return command_of_device(control, UBLK_START_RECOVERY, device, NULL, 0, 0);
}

int ublk_recovery_end(struct ublk_control *control, uint32_t device)
{
	return command_to_server(control, UBLK_END_RECOVERY, device, NULL);
}
