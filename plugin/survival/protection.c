/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/kernel.h"
#include "base/machine.h"
#include "survival/heap.h"
#include "survival/protection.h"
#include "urgent.h"

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

/*
 * Stacks of the threads that nbdkit makes, 16 for a connection unless told
 * otherwise: all of each is resident once memory is locked, and a request needs
 * some 10 KiB of it.  Sanitizers need far more.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define THREAD_STACK (2 * 1024 * 1024)
#else
#define THREAD_STACK (128 * 1024)
#endif

/*
 * What the process locks beside its disk: what it has now, nbdkit's static buffers of 192 MiB
 * above all, which count though they are never touched; and what comes later, stacks, buffers of
 * requests and work memory.
 */
#define PROCESS_LATER_BYTES (UINT64_C(64) << 20)
#define PROCESS_UNKNOWN_BYTES (UINT64_C(448) << 20)

static atomic_int quit_wanted; /* set in a signal handler: lock-free there */
static atomic_uint_least64_t background_faults;
static uint64_t faults_at_start;

static bool set_oom_score(void)
{
	static const char score[] = "-1000";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, score, sizeof(score) - 1) == (ssize_t)sizeof(score) - 1;
	close(fd);
	return done;
}

static bool has_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

/*
 * nbdkit may change its user later (-u): then privileges go and limits stay.  What this user may
 * do by a privilege that other may by a limit, where CAP_SYS_RESOURCE lets it be raised.
 */
static void keep_as_limit(unsigned int capability, int resource, rlim_t value)
{
	const struct rlimit raised = { .rlim_cur = value, .rlim_max = value };
	struct rlimit limit;

	if (has_capability(capability) && getrlimit(resource, &limit) == 0 &&
	    limit.rlim_max < value)
		(void)setrlimit(resource, &raised);
}

/* Whether so many bytes may be locked: by privilege, or within the limit, raised if need be. */
static bool can_lock(uint64_t bytes)
{
	struct rlimit limit;

	if (has_capability(CAP_IPC_LOCK))
		return true;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_max < bytes)
		return false;
	if (limit.rlim_cur >= bytes)
		return true;
	limit.rlim_cur = bytes;
	return setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

/* Of addresses, as the limit counts them. */
static uint64_t process_bytes(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (statm) {
		if (fscanf(statm, "%llu", &pages) != 1)
			pages = 0;
		fclose(statm);
	}
	return pages ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : PROCESS_UNKNOWN_BYTES;
}

void protection_prepare(struct protection *protection, uint64_t bytes)
{
	pthread_attr_t attr;

	memset(protection, 0, sizeof(*protection));
	protection->lock_bytes = bytes + process_bytes() + PROCESS_LATER_BYTES;
	/* Without a number, for the privilege has none: memlimit may be raised. */
	keep_as_limit(CAP_IPC_LOCK, RLIMIT_MEMLOCK, RLIM_INFINITY);
	keep_as_limit(CAP_SYS_NICE, RLIMIT_RTPRIO, 1);
	protection->lock_wanted = can_lock(protection->lock_bytes);
	protection->locked = protection->lock_wanted;
	protection->io_flusher = prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0;
	protection->oom_protected = set_oom_score();
	protection->real_time = urgent_is_possible();
	if (pthread_attr_init(&attr) == 0) {
		if (pthread_attr_setstacksize(&attr, THREAD_STACK) == 0)
			(void)pthread_setattr_default_np(&attr);
		pthread_attr_destroy(&attr);
	}
}

unsigned int protection_missing(const struct protection *protection, char *why, size_t why_size)
{
	unsigned int missing = 0;
	int at = 0;

	*why = '\0';
	if (!protection->locked) {
		missing++;
		at += snprintf(why + at, why_size - (size_t)at,
			       "memory lock (needs CAP_IPC_LOCK, or RLIMIT_MEMLOCK of %llu kB: "
			       "ulimit -l)",
			       (unsigned long long)(protection->lock_bytes >> 10));
	}
	if (!protection->io_flusher) {
		missing++;
		at += snprintf(why + at, why_size - (size_t)at,
			       "%sIO flusher (needs CAP_SYS_RESOURCE and Linux 5.6)",
			       at ? "; " : "");
	}
	if (!protection->oom_protected) {
		missing++;
		at += snprintf(why + at, why_size - (size_t)at,
			       "%sOOM score of -1000 (needs CAP_SYS_RESOURCE)", at ? "; " : "");
	}
	if (!protection->real_time) {
		missing++;
		at += snprintf(why + at, why_size - (size_t)at,
			       "%sreal-time class (needs CAP_SYS_NICE, or RLIMIT_RTPRIO of 1: "
			       "ulimit -r)",
			       at ? "; " : "");
	}
	return missing;
}

static const char *yes_or_no(bool there)
{
	return there ? "yes" : "no";
}

void protection_describe(const struct protection *protection, char *text, size_t text_size)
{
	snprintf(text, text_size, "memory lock %s, IO flusher %s, OOM score %s, real-time class %s",
		 yes_or_no(protection->locked), yes_or_no(protection->io_flusher),
		 yes_or_no(protection->oom_protected), yes_or_no(protection->real_time));
}

int protection_lock(struct protection *protection)
{
	protection->real_time = protection->real_time && urgent_is_possible();
	if (!protection->lock_wanted)
		return 0;
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
		return 0;
	protection->lock_wanted = false;
	protection->locked = false;
	return -errno;
}

static bool count_faults(int who, uint64_t *minor_faults, uint64_t *major_faults)
{
	struct rusage usage;

	if (getrusage(who, &usage) != 0)
		return false;
	*minor_faults = (uint64_t)usage.ru_minflt;
	*major_faults = (uint64_t)usage.ru_majflt;
	return true;
}

int protection_populate(struct protection *protection, size_t warm)
{
	if (!protection->lock_wanted)
		return 0;
	if (mlockall(MCL_FUTURE) != 0) {
		protection->locked = false;
		return -errno;
	}
	heap_prepare(true, warm);
	protection_begin_requests();
	return 0;
}

void protection_begin_requests(void)
{
	uint64_t background = atomic_load_explicit(&background_faults, memory_order_relaxed);
	uint64_t minor_faults, major_faults;

	if (count_faults(RUSAGE_SELF, &minor_faults, &major_faults))
		faults_at_start = minor_faults + major_faults - background;
}

/* Of this thread, that have been counted. */
static __thread uint64_t faults_noted;

void protection_note_background_faults(void)
{
	uint64_t minor_faults, major_faults;

	if (!count_faults(RUSAGE_THREAD, &minor_faults, &major_faults))
		return;
	atomic_fetch_add_explicit(&background_faults, minor_faults + major_faults - faults_noted,
				  memory_order_relaxed);
	faults_noted = minor_faults + major_faults;
}

void protection_get_faults(struct protection_faults *faults)
{
	uint64_t background = atomic_load_explicit(&background_faults, memory_order_relaxed);

	memset(faults, 0, sizeof(*faults));
	if (!count_faults(RUSAGE_SELF, &faults->minor, &faults->major))
		return;
	faults->requests = faults->minor + faults->major - background - faults_at_start;
}

static void note_signal(int signal)
{
	quit_wanted = 1;
}

void protection_hold_signals(void)
{
	struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESTART };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGQUIT, &action, NULL);
}

bool protection_quit_wanted(void)
{
	return quit_wanted;
}

bool protection_swap_is_on(void)
{
	int swaps = machine_swaps_open();
	bool on = machine_swaps_to_nbd(swaps);

	if (swaps >= 0)
		close(swaps);
	return on;
}
