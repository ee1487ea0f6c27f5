/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/request.h"
#include "base/size.h"
#include "server/attachment.h"
#include "server/request_memory.h"

#define SYS_BLOCK "/sys/block"

/* What the buffers of requests may take: 1/16 of the memory, and never more than that. */
#define BUFFERS_SHARE 16
#define BUFFERS_MAX (UINT64_C(64) << 20)

/* Looks of half a second that attachment_look_again leaves out where all was fine. */
#define LOOKS_SKIPPED 20u

static unsigned int count_tasks(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned int count = 0;

	while (tasks && (entry = readdir(tasks)) != NULL)
		count += entry->d_name[0] != '.';
	if (tasks)
		closedir(tasks);
	return count;
}

void attachment_init(struct attachment *attachment, uint64_t disk_bytes, bool locked,
		     bool buffers_are_ours)
{
	memset(attachment, 0, sizeof(*attachment));
	pthread_mutex_init(&attachment->lock, NULL);
	attachment->sys_block = SYS_BLOCK;
	attachment->disk_bytes = disk_bytes;
	attachment->locked = locked;
	attachment->buffers_are_ours = buffers_are_ours;
	attachment->own_tasks = count_tasks();
}

void attachment_expect(struct attachment *attachment)
{
	atomic_store(&attachment->verdict, ATTACHMENT_UNKNOWN);
}

/* A thread for each request that a connection may have under way, and one that waits for them. */
static unsigned int count_client_threads(const struct attachment *attachment)
{
	unsigned int tasks = count_tasks();

	return tasks > attachment->own_tasks ? tasks - attachment->own_tasks : 1;
}

/* To be asked only where it matters: it takes its time. */
static bool scheduler_is_unsafe(struct attachment *attachment)
{
	struct utsname name = { 0 };

	if (!attachment->symbols_read) {
		uname(&name);
		attachment->scheduler_is_unsafe =
			queue_scheduler_is_unsafe("/proc/kallsyms", name.release);
		attachment->symbols_read = true;
	}
	return attachment->scheduler_is_unsafe;
}

enum attachment_verdict attachment_judge(const struct queue *queue, unsigned int threads,
					 bool buffers_fit, bool scheduler_is_unsafe, char *why,
					 size_t why_size)
{
	int at = 0;

	*why = '\0';
	if (!buffers_fit)
		at = snprintf(why, why_size,
			      "the kernel may send requests of %llu KiB to %u thread%s, for which "
			      "this machine has too little memory to keep ready: "
			      "echo %u >/sys/block/%s/queue/max_sectors_kb, and nbdkit -t 1",
			      (unsigned long long)queue->request_bytes >> 10, threads,
			      threads == 1 ? "" : "s", REQUEST_SWAP >> 10, queue->device);
	if (scheduler_is_unsafe && *queue->scheduler)
		at += snprintf(why + at, why_size - (size_t)at,
			       "%swith the I/O scheduler %s this kernel may lose the connection "
			       "in the middle of work: echo none >/sys/block/%s/queue/scheduler",
			       at ? "; " : "", queue->scheduler, queue->scheduled);
	return at ? ATTACHMENT_UNSAFE : ATTACHMENT_FINE;
}

/* Whether each thread has a buffer for the largest request, resident from now on. */
static bool keep_buffers(const struct attachment *attachment, unsigned int threads, uint64_t bytes)
{
	uint64_t most = size_of_ram() / BUFFERS_SHARE;

	if (!attachment->locked)
		return true;
	if (!attachment->buffers_are_ours)
		return bytes <= REQUEST_SWAP;
	if (most > BUFFERS_MAX)
		most = BUFFERS_MAX;
	return threads * bytes <= most && request_memory_keep(threads, bytes);
}

static bool look(struct attachment *attachment, char *why, size_t why_size)
{
	unsigned int threads = count_client_threads(attachment);
	enum attachment_verdict verdict;
	struct queue queue;
	bool fit = true;

	queue_look(&queue, attachment->sys_block, attachment->disk_bytes);
	if (queue.request_bytes)
		fit = keep_buffers(attachment, threads, queue.request_bytes);
	verdict = attachment_judge(&queue, threads, fit,
				   *queue.scheduler && scheduler_is_unsafe(attachment), why,
				   why_size);
	/* A server may make its threads one after the other while the first one serves. */
	attachment->looks_to_skip =
		verdict == ATTACHMENT_FINE && threads == attachment->threads ? LOOKS_SKIPPED : 0;
	attachment->threads = threads;
	atomic_store(&attachment->verdict, verdict);
	if (!strcmp(why, attachment->told))
		return false;
	snprintf(attachment->told, sizeof(attachment->told), "%s", why);
	return verdict != ATTACHMENT_FINE;
}

bool attachment_look(struct attachment *attachment, char *why, size_t why_size)
{
	bool news;

	pthread_mutex_lock(&attachment->lock);
	news = look(attachment, why, why_size);
	pthread_mutex_unlock(&attachment->lock);
	return news;
}

bool attachment_look_again(struct attachment *attachment, char *why, size_t why_size)
{
	bool news = false;

	pthread_mutex_lock(&attachment->lock);
	if (attachment->verdict != ATTACHMENT_FINE || attachment->looks_to_skip == 0)
		news = look(attachment, why, why_size);
	else
		attachment->looks_to_skip--;
	pthread_mutex_unlock(&attachment->lock);
	return news;
}
