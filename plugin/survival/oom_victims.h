/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that may be ended when the machine has no memory left and its OOM killer does not come.
 *
 * An OOM kill that is asked for (oom_call.h) is the work of a kernel thread, and where all wait for
 * memory those wait, too: a machine was seen in which it was never done.  So the server ends a
 * program itself then.  Which ones there are cannot be found out at that time, since to open a file
 * of /proc takes memory.  So those that the kernel would choose first are remembered while there is
 * some, each by a pidfd and by an open file of its score, that tells of the present without taking
 * memory.  A number that was used again is no danger: a pidfd is of one process for ever.
 */
#ifndef RAMZSWAP_OOM_VICTIMS_H
#define RAMZSWAP_OOM_VICTIMS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

/* So many are remembered: the first ones may end by themselves until one is needed. */
#define OOM_VICTIMS_MAX 8

/* A name as /proc/PID/comm has it. */
#define OOM_VICTIM_NAME_MAX 16

struct oom_victim {
	pid_t number;
	int process;	    /* pidfd */
	int score;	    /* /proc/PID/oom_score, whose buffer the kernel has made */
	unsigned int value; /* of it, when it was last read; 0: never to be ended */
	char name[OOM_VICTIM_NAME_MAX];
};

struct oom_victims {
	bool prepared;
	int proc;	      /* the folder */
	pthread_mutex_t lock; /* of known and count; whoever holds it takes no memory */
	struct oom_victim known[OOM_VICTIMS_MAX];
	unsigned int count;
};

/* 0, or a negative errno: none is ever known then. */
int oom_victims_prepare(struct oom_victims *victims);

/* A zeroed one is accepted. */
void oom_victims_finish(struct oom_victims *victims);

/*
 * Looks for those with the highest scores, but for the calling process and the first one of this
 * machine or container, in place of those that were known.  Takes memory, and waits for it: not for
 * the thread that calls oom_victims_end.  Some three system calls a process.  One thread at a time.
 */
void oom_victims_look(struct oom_victims *victims);

/*
 * The one of those known with the highest score now.  False, and *victim untouched, if none lives
 * that may be ended.  What it names is closed at the next oom_victims_look.  No memory; any thread.
 */
bool oom_victims_choose(struct oom_victims *victims, struct oom_victim *victim);

/*
 * Kills that one, and has the kernel take its memory at once (process_mrelease(2), Linux 5.15).
 * Leaves in *victim whom.  0; -ESRCH if there is none; another negative errno if it cannot be
 * killed (CAP_KILL).  No memory; any thread.
 */
int oom_victims_end(struct oom_victims *victims, struct oom_victim *victim);

#endif
