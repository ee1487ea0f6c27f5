/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_device.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ublk_device_info device;
static char log_text[256];
static int end_result;

void fake_device_make(struct ublk_device_info *info)
{
	pthread_mutex_lock(&lock);
	device = (struct ublk_device_info){
		.device = FAKE_NUMBER,
		.depth = 8,
		.request_bytes = 4096,
		.state = UBLK_LIVE,
		.server = getpid(),
		.ours = 0x1234,
	};
	*info = device;
	*log_text = '\0';
	end_result = 0;
	pthread_mutex_unlock(&lock);
}

void fake_device_set(unsigned int state, int server)
{
	pthread_mutex_lock(&lock);
	device.state = (uint16_t)state;
	device.server = server;
	pthread_mutex_unlock(&lock);
}

void fake_device_end_with(int result)
{
	pthread_mutex_lock(&lock);
	end_result = result;
	pthread_mutex_unlock(&lock);
}

void fake_device_replace(void)
{
	pthread_mutex_lock(&lock);
	device.ours++;
	pthread_mutex_unlock(&lock);
}

const char *fake_device_log(void)
{
	static char copy[sizeof(log_text)];

	pthread_mutex_lock(&lock);
	strcpy(copy, log_text);
	pthread_mutex_unlock(&lock);
	return copy;
}

static int note(const char *command)
{
	size_t length;

	pthread_mutex_lock(&lock);
	length = strlen(log_text);
	snprintf(log_text + length, sizeof(log_text) - length, "%s; ", command);
	pthread_mutex_unlock(&lock);
	return 0;
}

int ublk_control_open(struct ublk_control *control, bool *no_ring)
{
	return 0;
}

void ublk_control_close(struct ublk_control *control)
{
}

int ublk_info(struct ublk_control *control, uint32_t number, struct ublk_device_info *info)
{
	if (number != FAKE_NUMBER)
		return -ENODEV;
	pthread_mutex_lock(&lock);
	*info = device;
	pthread_mutex_unlock(&lock);
	return 0;
}

bool ublk_is_there(struct ublk_control *control, const struct ublk_device_info *info,
		   struct ublk_device_info *now)
{
	return ublk_info(control, info->device, now) == 0 && now->ours == info->ours;
}

int ublk_stop(struct ublk_control *control, uint32_t number)
{
	fake_device_set(UBLK_DEAD, -1);
	return note("stop");
}

int ublk_delete(struct ublk_control *control, uint32_t number)
{
	return note("delete");
}

int ublk_delete_later(struct ublk_control *control, uint32_t number)
{
	return note("delete later");
}

int ublk_recovery_begin(struct ublk_control *control, uint32_t number)
{
	return note("begin");
}

int ublk_recovery_end(struct ublk_control *control, uint32_t number)
{
	int result;

	pthread_mutex_lock(&lock);
	result = end_result;
	pthread_mutex_unlock(&lock);
	(void)note("end");
	if (!result)
		fake_device_set(UBLK_LIVE, getpid());
	return result;
}
