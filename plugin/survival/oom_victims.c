/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "survival/oom_victims.h"

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448 /* Linux 5.15, on every architecture */
#endif

/* Of the folder at a time, on the stack. */
#define ENTRIES_BYTES 2048

/* Of "PID/oom_score" and the like. */
#define NAME_BYTES 32

/* A process that might be one of those remembered. */
struct candidate {
	pid_t number;
	unsigned int value;
};

static int open_of(const struct oom_victims *victims, pid_t number, const char *what)
{
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "%d/%s", (int)number, what);
	return openat(victims->proc, name, O_RDONLY | O_CLOEXEC);
}

/* Kernel threads, the first process and whoever is exempt have 0, and so has who is gone. */
static unsigned int read_score(int fd)
{
	char text[16];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	unsigned long value;

	if (got <= 0)
		return 0;
	text[got] = '\0';
	value = strtoul(text, NULL, 10);
	return value < UINT_MAX ? (unsigned int)value : UINT_MAX;
}

static unsigned int score_of(const struct oom_victims *victims, pid_t number)
{
	int fd = open_of(victims, number, "oom_score");
	unsigned int value;

	if (fd < 0)
		return 0;
	value = read_score(fd);
	close(fd);
	return value;
}

/* Into a list of the highest, highest first. */
static void insert(struct candidate *best, unsigned int *count, struct candidate one)
{
	unsigned int at = *count;

	if (one.value == 0 || (at == OOM_VICTIMS_MAX && best[at - 1].value >= one.value))
		return;
	if (at < OOM_VICTIMS_MAX)
		*count = at + 1;
	else
		at--;
	for (; at > 0 && best[at - 1].value < one.value; at--)
		best[at] = best[at - 1];
	best[at] = one;
}

static unsigned int find_best(const struct oom_victims *victims, struct candidate *best)
{
	_Alignas(struct dirent64) char entries[ENTRIES_BYTES];
	unsigned int count = 0;
	ssize_t got;

	if (lseek(victims->proc, 0, SEEK_SET) != 0)
		return 0;
	while ((got = getdents64(victims->proc, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *entry = (const void *)(entries + at);
			/* Other names than numbers are 0 by this; 1 may be a whole container. */
			pid_t number = (pid_t)strtol(entry->d_name, NULL, 10);

			at += entry->d_reclen;
			if (number > 1 && number != getpid())
				insert(best, &count,
				       (struct candidate){ number, score_of(victims, number) });
		}
	}
	return count;
}

static void close_victim(const struct oom_victim *victim)
{
	if (victim->score >= 0)
		close(victim->score);
	if (victim->process >= 0)
		close(victim->process);
}

static void read_name(const struct oom_victims *victims, struct oom_victim *victim)
{
	int fd = open_of(victims, victim->number, "comm");
	ssize_t got = fd < 0 ? -1 : read(fd, victim->name, sizeof(victim->name) - 1);

	victim->name[got > 0 ? got : 0] = '\0';
	victim->name[strcspn(victim->name, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

static bool has_ended(const struct oom_victim *victim)
{
	struct pollfd end = { .fd = victim->process, .events = POLLIN };

	return poll(&end, 1, 0) != 0;
}

/* One that ended meanwhile may have left its number, and so its files, to another. */
static bool remember(const struct oom_victims *victims, pid_t number, struct oom_victim *victim)
{
	*victim = (struct oom_victim){
		.number = number,
		.process = (int)syscall(SYS_pidfd_open, number, 0),
		.score = open_of(victims, number, "oom_score"),
	};
	read_name(victims, victim);
	if (victim->process >= 0 && victim->score >= 0 &&
	    (victim->value = read_score(victim->score)) > 0 && !has_ended(victim))
		return true;
	close_victim(victim);
	return false;
}

int oom_victims_prepare(struct oom_victims *victims)
{
	int err;

	memset(victims, 0, sizeof(*victims));
	victims->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (victims->proc < 0)
		return -errno;
	err = pthread_mutex_init(&victims->lock, NULL);
	if (err) {
		close(victims->proc);
		return -err;
	}
	victims->prepared = true;
	return 0;
}

void oom_victims_finish(struct oom_victims *victims)
{
	if (!victims->prepared)
		return;
	for (unsigned int i = 0; i < victims->count; i++)
		close_victim(&victims->known[i]);
	pthread_mutex_destroy(&victims->lock);
	close(victims->proc);
	memset(victims, 0, sizeof(*victims));
}

void oom_victims_look(struct oom_victims *victims)
{
	struct candidate best[OOM_VICTIMS_MAX];
	struct oom_victim found[OOM_VICTIMS_MAX], before[OOM_VICTIMS_MAX];
	unsigned int count = 0, count_before, count_best;

	if (!victims->prepared)
		return;
	count_best = find_best(victims, best);
	for (unsigned int i = 0; i < count_best; i++)
		count += remember(victims, best[i].number, &found[count]);
	pthread_mutex_lock(&victims->lock);
	count_before = victims->count;
	memcpy(before, victims->known, count_before * sizeof(*before));
	memcpy(victims->known, found, count * sizeof(*found));
	victims->count = count;
	pthread_mutex_unlock(&victims->lock);
	for (unsigned int i = 0; i < count_before; i++)
		close_victim(&before[i]);
}

/* With the lock held.  NULL if there is none. */
static struct oom_victim *highest(struct oom_victims *victims)
{
	struct oom_victim *choice = NULL;

	for (unsigned int i = 0; i < victims->count; i++) {
		struct oom_victim *victim = &victims->known[i];

		victim->value = has_ended(victim) ? 0 : read_score(victim->score);
		if (victim->value > 0 && (!choice || victim->value > choice->value))
			choice = victim;
	}
	return choice;
}

bool oom_victims_choose(struct oom_victims *victims, struct oom_victim *victim)
{
	const struct oom_victim *choice;

	if (!victims->prepared)
		return false;
	pthread_mutex_lock(&victims->lock);
	choice = highest(victims);
	if (choice)
		*victim = *choice;
	pthread_mutex_unlock(&victims->lock);
	return choice;
}

int oom_victims_end(struct oom_victims *victims, struct oom_victim *victim)
{
	const struct oom_victim *choice;
	int err = -ESRCH;

	if (!victims->prepared)
		return err;
	pthread_mutex_lock(&victims->lock);
	choice = highest(victims);
	if (choice) {
		*victim = *choice;
		err = syscall(SYS_pidfd_send_signal, choice->process, SIGKILL, NULL, 0) == 0
			      ? 0
			      : -errno;
	}
	/* It may wait for memory itself, so that it does not get to its end. */
	if (err == 0)
		(void)syscall(SYS_process_mrelease, choice->process, 0);
	pthread_mutex_unlock(&victims->lock);
	return err;
}
