/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_host.h"

static char text_read[8192];

static const char *below(struct fake_host *fake, const char *path)
{
	static char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", fake->root, path);
	return whole;
}

void fake_put(struct fake_host *fake, const char *path, const char *format, ...)
{
	char whole[PATH_MAX];
	va_list args;
	FILE *file;

	snprintf(whole, sizeof(whole), "%s", below(fake, path));
	for (char *at = whole + strlen(fake->root) + 1; (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		mkdir(whole, 0700);
	}
	file = fopen(whole, "we");
	assert_non_null(file);
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	fputc('\n', file);
	assert_int_equal(fclose(file), 0);
}

const char *fake_text(struct fake_host *fake, const char *path)
{
	FILE *file = fopen(below(fake, path), "re");
	size_t length;

	if (!file)
		return "(none)";
	length = fread(text_read, 1, sizeof(text_read) - 1, file);
	fclose(file);
	text_read[length] = '\0';
	if (length > 0 && text_read[length - 1] == '\n')
		text_read[length - 1] = '\0';
	return text_read;
}

bool fake_exists(struct fake_host *fake, const char *path)
{
	return access(below(fake, path), F_OK) == 0;
}

static int remove_one(const char *path, const struct stat *file, int kind, struct FTW *where)
{
	return remove(path);
}

void fake_remove(struct fake_host *fake, const char *path)
{
	nftw(below(fake, path), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fake_kill(struct fake_host *fake, pid_t process)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)process);
	fake_remove(fake, path);
}

void fake_swaps(struct fake_host *fake, unsigned long size, unsigned long used)
{
	if (size)
		fake_put(fake, "/proc/swaps",
			 "Filename Type Size Used Priority\n%s partition %lu %lu 100",
			 fake_exists(fake, "/dev/ublkc0") ? "/dev/ublkb0" : "/dev/nbd0", size,
			 used);
	else
		fake_put(fake, "/proc/swaps", "Filename Type Size Used Priority");
}

void fake_meminfo(struct fake_host *fake, unsigned long available, unsigned long cached)
{
	fake_put(fake, "/proc/meminfo",
		 "MemTotal: 524288 kB\nMemFree: 1 kB\nMemAvailable: %lu kB\nSwapCached: %lu kB",
		 available, cached);
}

static struct fake_host *fake_of(struct host *host)
{
	return (struct fake_host *)host;
}

static void log_call(struct fake_host *fake, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void log_call(struct fake_host *fake, const char *format, ...)
{
	size_t used = strlen(fake->log);
	va_list args;

	va_start(args, format);
	vsnprintf(fake->log + used, sizeof(fake->log) - used, format, args);
	va_end(args);
	strncat(fake->log, "; ", sizeof(fake->log) - strlen(fake->log) - 1);
}

static int fake_swapoff(struct host *host, const char *device)
{
	struct fake_host *fake = fake_of(host);

	log_call(fake, "swapoff %s", device);
	if (fake->swapoff_error == 0 || fake->swap_goes_meanwhile)
		fake_swaps(fake, 0, 0);
	return -fake->swapoff_error;
}

static int fake_swapon(struct host *host, const char *device, int priority)
{
	struct fake_host *fake = fake_of(host);

	log_call(fake, "swapon %s %d", device, priority);
	if (fake->swapon_error == 0)
		fake_swaps(fake, 262140, 0);
	return -fake->swapon_error;
}

static pid_t fake_self(const struct host *host)
{
	return FAKE_SELF;
}

static int fake_disconnect(struct host *host, const char *device)
{
	struct fake_host *fake = fake_of(host);

	log_call(fake, "disconnect %s", device);
	if (!fake->stays_attached)
		fake_remove(fake, "/sys/block/nbd0/pid");
	return 0;
}

static int fake_end(struct host *host, pid_t process)
{
	struct fake_host *fake = fake_of(host);

	log_call(fake, "end %d", (int)process);
	if (process != fake->never_ends)
		fake_kill(fake, process);
	return 0;
}

static int fake_hold(struct host *host, pid_t process, bool stopped)
{
	char path[64];

	log_call(fake_of(host), "%s %d", stopped ? "hold" : "release", (int)process);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
	fake_put(fake_of(host), path, "Name: ramzswap-guard\nState: %s", stopped ? "T" : "S");
	return 0;
}

static int fake_bury(struct host *host, const char *guard, const char *device)
{
	log_call(fake_of(host), "%s --bury %s", guard, device);
	return -fake_of(host)->bury_error;
}

static int fake_launch(struct host *host, char *const argv[], const char *pid, const char *said)
{
	struct fake_host *fake = fake_of(host);
	size_t root = strlen(fake->root);

	for (; *argv; argv++) {
		log_call(fake, "%s", strncmp(*argv, fake->root, root) ? *argv : *argv + root);
		fake->log[strlen(fake->log) - 2] = '\0';
		strcat(fake->log, argv[1] ? " " : "; ");
	}
	return 0;
}

static int fake_lock(struct host *host, const char *path)
{
	log_call(fake_of(host), "lock");
	return 7;
}

static void fake_unlock(struct host *host, int lock)
{
	assert_int_equal(lock, 7);
	log_call(fake_of(host), "unlock");
}

static void fake_commit(struct host *host)
{
	log_call(fake_of(host), "commit");
}

static bool fake_interrupted(const struct host *host)
{
	return ((const struct fake_host *)host)->interrupted;
}

static void fake_rest(struct host *host, unsigned int ms)
{
	struct fake_host *fake = fake_of(host);

	fake->now_ms += ms;
	fake->rests++;
	if (fake->at_rest)
		fake->at_rest(fake);
}

static uint64_t fake_now_ms(struct host *host)
{
	return fake_of(host)->now_ms;
}

static const char *fake_release(struct host *host)
{
	return fake_of(host)->release;
}

static const struct host_calls fake_calls = {
	.swapoff = fake_swapoff,
	.swapon = fake_swapon,
	.self = fake_self,
	.disconnect = fake_disconnect,
	.end = fake_end,
	.hold = fake_hold,
	.bury = fake_bury,
	.launch = fake_launch,
	.lock = fake_lock,
	.unlock = fake_unlock,
	.commit = fake_commit,
	.interrupted = fake_interrupted,
	.rest = fake_rest,
	.now_ms = fake_now_ms,
	.release = fake_release,
};

static void put_processes(struct fake_host *fake)
{
	fake_put(fake, "/run/ramzswap/pid", "%d", FAKE_SERVER);
	fake_put(fake, "/proc/101/comm", "@nbdkit");
	fake_put(fake, "/proc/101/status", "Name: nbdkit\nVmLck: 40000 kB\nVmRSS: 30000 kB");
	fake_put(fake, "/proc/101/oom_score_adj", "-1000");
	fake_put(fake, "/run/ramzswap/guard", "%d", FAKE_GUARD);
	fake_put(fake, "/run/ramzswap/guard-said", "ready");
	fake_put(fake, "/run/ramzswap/bin/@nbdkit", "x");
	fake_put(fake, "/proc/102/comm", "ramzswap-guard");
	fake_put(fake, "/proc/102/status", "Name: ramzswap-guard\nVmSwap: 10240 kB");
	fake_put(fake, "/proc/net/unix",
		 "Num RefCount\n00: 2 0 10 1 1 77 /run/other\n00: 2 0 10 1 1 78 "
		 "/run/ramzswap/socket");
}

static void put_kernel(struct fake_host *fake)
{
	fake_put(fake, "/proc/sys/vm/min_free_kbytes", "16384");
	fake_put(fake, "/proc/sys/vm/watermark_boost_factor", "0");
	fake_put(fake, "/proc/sys/vm/page-cluster", "3");
	fake_put(fake, "/run/ramzswap.kernel/saved",
		 "2048 /proc/sys/vm/min_free_kbytes\n15000 /proc/sys/vm/watermark_boost_factor");
	fake_put(fake, "/run/ramzswap.kernel/_run_ramzswap.user", "/run/ramzswap");
}

int fake_host_setup(void **state)
{
	struct fake_host *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	strcpy(fake->root, "/tmp/fake-host.XXXXXX");
	assert_non_null(mkdtemp(fake->root));
	fake->release = "6.1.0";
	put_processes(fake);
	put_kernel(fake);
	fake_put(fake, "/run/ramzswap/state",
		 "device=/dev/nbd0 door=nbd door_why='unless asked for another'\n"
		 "control_socket='/run/ramzswap/control'\n"
		 "had_scheduler='mq-deadline' set_scheduler='none'\n"
		 "had_max_sectors_kb='256' set_max_sectors_kb='128'\n"
		 "attached='77'\nguard='/sbin/ramzswap-guard' "
		 "guarded='/run/ramzswap/control 101'");
	fake_put(fake, "/sys/block/nbd0/pid", "77");
	/* As a file that keeps what is written: the choices are not told. */
	fake_put(fake, "/sys/block/nbd0/queue/scheduler", "none");
	fake_put(fake, "/sys/block/nbd0/queue/max_sectors_kb", "128");
	fake_swaps(fake, 262140, 131072);
	fake_meminfo(fake, 400000, 0);
	fake->host = (struct host){
		.root = fake->root,
		.run = "/run/ramzswap",
		.guard = "ramzswap-guard",
		.program = "/sbin/ramzswap-ctl",
		.swaps = open(below(fake, "/proc/swaps"), O_RDONLY | O_CLOEXEC),
		.meminfo = open(below(fake, "/proc/meminfo"), O_RDONLY | O_CLOEXEC),
		.out = open_memstream(&fake->out, &fake->out_size),
		.err = open_memstream(&fake->err, &fake->err_size),
		.calls = &fake_calls,
	};
	*state = fake;
	return 0;
}

void fake_host_use_ublk(struct fake_host *fake)
{
	fake_put(fake, "/run/ramzswap/state",
		 "device=/dev/ublkb0 door=ublk door_why='asked for' attached='5'\n"
		 "control_socket='/run/ramzswap/control'\n"
		 "guard='/sbin/ramzswap-guard' guarded='/run/ramzswap/control 101'");
	fake_put(fake, "/dev/ublkc0", "x");
	fake_put(fake, "/sys/block/ublkb0/queue/scheduler", "[none]");
	fake_put(fake, "/sys/block/ublkb0/diskseq", "5");
	fake_swaps(fake, 262140, 131072);
}

void fake_host_lose_ublk(struct fake_host *fake)
{
	fake_remove(fake, "/sys/block/ublkb0");
	fake_put(fake, "/proc/swaps",
		 "Filename Type Size Used Priority\n"
		 "/dev/ublkb0\\040(deleted) partition 262140 131072 100");
}

void fake_host_answer(struct fake_host *fake, void **control, const struct ramzswap_stats *stats)
{
	const struct fake_control *made;
	char path[64];

	assert_int_equal(fake_control_setup(control), 0);
	made = *control;
	fake_control_set_stats(*control, stats);
	snprintf(path, sizeof(path), "%s/run/ramzswap/control", fake->root);
	(void)unlink(path);
	assert_int_equal(symlink(made->path, path), 0);
}

const char *fake_said(struct fake_host *fake)
{
	fflush(fake->host.out);
	snprintf(text_read, sizeof(text_read), "%s", fake->out);
	return text_read;
}

const char *fake_complained(struct fake_host *fake)
{
	fflush(fake->host.err);
	snprintf(text_read, sizeof(text_read), "%s", fake->err);
	return text_read;
}

int fake_host_teardown(void **state)
{
	struct fake_host *fake = *state;

	fclose(fake->host.out);
	fclose(fake->host.err);
	free(fake->out);
	free(fake->err);
	close(fake->host.swaps);
	close(fake->host.meminfo);
	fake_remove(fake, "");
	free(fake);
	return 0;
}
