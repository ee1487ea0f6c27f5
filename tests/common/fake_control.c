/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_control.h"

static void get_stats(void *opaque, struct ramzswap_stats *stats)
{
	struct fake_control *fake = opaque;

	pthread_mutex_lock(&fake->lock);
	*stats = fake->stats;
	pthread_mutex_unlock(&fake->lock);
}

static void get_histograms(void *opaque, struct histogram_state states[HISTOGRAM_KINDS])
{
	struct fake_control *fake = opaque;

	pthread_mutex_lock(&fake->lock);
	memcpy(states, fake->histograms, sizeof(fake->histograms));
	pthread_mutex_unlock(&fake->lock);
}

static void describe(void *opaque, struct control_about *about)
{
	struct fake_control *fake = opaque;

	pthread_mutex_lock(&fake->lock);
	*about = fake->about;
	pthread_mutex_unlock(&fake->lock);
}

/* The outcome that the test wants.  Call with the lock held. */
static int outcome(struct fake_control *fake, uint64_t *bytes, char *why, size_t why_size)
{
	fake->calls++;
	if (fake->error)
		snprintf(why, why_size, "%s", fake->why);
	else if (bytes)
		*bytes = fake->bytes;
	return fake->error;
}

static int slow(struct fake_control *fake, uint64_t *bytes, char *why, size_t why_size)
{
	int error;

	pthread_mutex_lock(&fake->lock);
	while (fake->hold && !work_is_cancelled(fake->work)) {
		struct timespec soon;

		fake->held = true;
		pthread_cond_broadcast(&fake->changed);
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += 5000000;
		soon.tv_sec += soon.tv_nsec / 1000000000;
		soon.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&fake->changed, &fake->lock, &soon);
	}
	fake->held = false;
	fake->work = NULL;
	error = outcome(fake, bytes, why, why_size);
	pthread_mutex_unlock(&fake->lock);
	return error;
}

/* Work that is a quarter done while it is held, and ends early when it is cancelled. */
static int slow_work(struct fake_control *fake, struct work *work, uint64_t *bytes, char *why,
		     size_t why_size)
{
	work_round(work, 1000);
	work_reach(work, 250);
	pthread_mutex_lock(&fake->lock);
	fake->work = work;
	pthread_mutex_unlock(&fake->lock);
	return slow(fake, bytes, why, why_size);
}

static int set_memlimit(void *opaque, uint64_t bytes, char *why, size_t why_size)
{
	struct fake_control *fake = opaque;
	int error;

	pthread_mutex_lock(&fake->lock);
	error = outcome(fake, NULL, why, why_size);
	if (!error)
		fake->memlimit = bytes;
	pthread_mutex_unlock(&fake->lock);
	return error;
}

static int compact(void *opaque, struct work *work, uint64_t *bytes, char *why, size_t why_size)
{
	return slow_work(opaque, work, bytes, why, why_size);
}

static int set_allowance(void *opaque, bool day, uint64_t bytes, char *why, size_t why_size)
{
	struct fake_control *fake = opaque;
	int error;

	pthread_mutex_lock(&fake->lock);
	error = outcome(fake, NULL, why, why_size);
	if (!error)
		fake->allowance[day] = bytes;
	pthread_mutex_unlock(&fake->lock);
	return error;
}

static int writeback(void *opaque, struct work *work, enum control_writeback what,
		     unsigned int idle_seconds, uint64_t *bytes, char *why, size_t why_size)
{
	struct fake_control *fake = opaque;

	fake->writeback = what;
	fake->idle_seconds = idle_seconds;
	return slow_work(opaque, work, bytes, why, why_size);
}

static int check(void *opaque, struct work *work, char *why, size_t why_size)
{
	return slow_work(opaque, work, NULL, why, why_size);
}

static int reset(void *opaque, char *why, size_t why_size)
{
	return slow(opaque, NULL, why, why_size);
}

/* What comes along is closed, as it would be with the notices. */
static int take_freed(void *opaque, const struct control_freed *freed, char *why, size_t why_size)
{
	struct fake_control *fake = opaque;

	fake->slots = freed->slots;
	snprintf(fake->function, sizeof(fake->function), "%s", freed->function);
	memcpy(fake->proof, freed->proof, sizeof(fake->proof));
	fake->files_came = close(freed->array) == 0 && close(freed->link) == 0;
	return slow(fake, NULL, why, why_size);
}

static void end_freed(void *opaque)
{
	(void)slow(opaque, NULL, NULL, 0);
}

static void describe_freed(void *opaque, char *text, size_t size)
{
	snprintf(text, size, "swap_range_free");
}

static const struct control_ops ops = {
	.take_freed = take_freed,
	.end_freed = end_freed,
	.describe_freed = describe_freed,
	.get_stats = get_stats,
	.get_histograms = get_histograms,
	.describe = describe,
	.set_memlimit = set_memlimit,
	.compact = compact,
	.recompress = compact,
	.set_allowance = set_allowance,
	.writeback = writeback,
	.reset = reset,
	.check = check,
};

int fake_control_setup(void **state)
{
	struct fake_control *fake = calloc(1, sizeof(*fake));
	char why[CONTROL_WHY_MAX];

	assert_non_null(fake);
	pthread_mutex_init(&fake->lock, NULL);
	pthread_cond_init(&fake->changed, NULL);
	fake->about = (struct control_about){ "1.2.3", "lzo", "zstd", "auto", "4711" };
	strcpy(fake->directory, "/tmp/control-XXXXXX");
	assert_non_null(mkdtemp(fake->directory));
	snprintf(fake->path, sizeof(fake->path), "%s/socket", fake->directory);
	if (control_bind(&fake->control, fake->path, why, sizeof(why)))
		fail_msg("%s", why);
	assert_int_equal(control_run(fake->control, &ops, fake), 0);
	*state = fake;
	return 0;
}

int fake_control_teardown(void **state)
{
	struct fake_control *fake = *state;
	bool gone;

	fake_control_hold(fake, false);
	control_stop(fake->control);
	gone = access(fake->path, F_OK) < 0 && rmdir(fake->directory) == 0;
	pthread_cond_destroy(&fake->changed);
	pthread_mutex_destroy(&fake->lock);
	free(fake);
	return gone ? 0 : -1;
}

void fake_control_outcome(struct fake_control *fake, int error, const char *why, uint64_t bytes)
{
	pthread_mutex_lock(&fake->lock);
	fake->error = error;
	snprintf(fake->why, sizeof(fake->why), "%s", why);
	fake->bytes = bytes;
	pthread_mutex_unlock(&fake->lock);
}

void fake_control_hold(struct fake_control *fake, bool hold)
{
	pthread_mutex_lock(&fake->lock);
	fake->hold = hold;
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
}

void fake_control_await_held(struct fake_control *fake)
{
	pthread_mutex_lock(&fake->lock);
	while (!fake->held)
		pthread_cond_wait(&fake->changed, &fake->lock);
	pthread_mutex_unlock(&fake->lock);
}

unsigned int fake_control_calls(struct fake_control *fake)
{
	unsigned int calls;

	pthread_mutex_lock(&fake->lock);
	calls = fake->calls;
	pthread_mutex_unlock(&fake->lock);
	return calls;
}

uint64_t fake_control_memlimit(struct fake_control *fake)
{
	uint64_t memlimit;

	pthread_mutex_lock(&fake->lock);
	memlimit = fake->memlimit;
	pthread_mutex_unlock(&fake->lock);
	return memlimit;
}

void fake_control_set_stats(struct fake_control *fake, const struct ramzswap_stats *stats)
{
	pthread_mutex_lock(&fake->lock);
	fake->stats = *stats;
	pthread_mutex_unlock(&fake->lock);
}

void fake_control_connect_by(const struct fake_control *fake, int fd)
{
	struct timeval timeout = { .tv_sec = 60 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, fake->path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

int fake_control_connect(const struct fake_control *fake)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	fake_control_connect_by(fake, fd);
	return fd;
}

const char *fake_control_answer(int fd)
{
	static char answer[16384];
	size_t used = 0;
	ssize_t got;

	while ((got = recv(fd, answer + used, sizeof(answer) - 1 - used, 0)) > 0)
		used += (size_t)got;
	if (got < 0 && errno == EAGAIN)
		fail_msg("the server neither answers nor closes");
	answer[used] = '\0';
	close(fd);
	return answer;
}

const char *fake_control_ask(const struct fake_control *fake, const void *request, size_t len)
{
	int fd = fake_control_connect(fake);

	assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
	return fake_control_answer(fd);
}
