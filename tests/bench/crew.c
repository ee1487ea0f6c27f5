/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crew.h"

/* As many pages as the kernel's block layer sends to an NBD disk in one request. */
#define BATCH_PAGES 32

struct crew_thread {
	struct crew *crew;
	unsigned int number;
	pthread_t thread;
	uint8_t *buffer;
	uint64_t timed_ns;   /* processor time that the peer took */
	uint64_t begin, end; /* of its share of the job, with what is not timed */
	uint64_t cpu_ns;     /* of all that */
	int result;
};

struct crew {
	pthread_barrier_t begin, end;
	const struct job *job;	   /* NULL: go home */
	atomic_uint_fast32_t next; /* first request of the job that nobody has taken */
	unsigned int count;
	struct crew_thread thread[];
};

static void copy_in(const struct job *job, const struct request *requests, uint32_t count,
		    uint8_t *buffer)
{
	size_t size = (size_t)job->request_pages * BENCH_PAGE_SIZE;

	for (uint32_t i = 0; i < count; i++)
		memcpy(buffer + i * size, bench_page(&job->set->pages, requests[i].page), size);
}

static int verify(const struct job *job, const struct request *requests, uint32_t count,
		  const uint8_t *buffer)
{
	static const uint8_t zeroes[BENCH_PAGE_SIZE];

	for (uint32_t i = 0; i < count * job->request_pages; i++) {
		uint32_t slot = requests[i / job->request_pages].slot + i % job->request_pages;
		uint32_t page = job->set->content[slot];
		const uint8_t *want = page == SLOT_EMPTY ? zeroes
							 : bench_page(&job->set->pages, page);

		if (memcmp(buffer + (size_t)i * BENCH_PAGE_SIZE, want, BENCH_PAGE_SIZE) != 0) {
			fprintf(stderr, "%s: page %u of the disk does not hold what was written\n",
				job->peer->name, slot);
			return -EUCLEAN;
		}
	}
	return 0;
}

static int do_batch(struct crew_thread *self, const struct job *job, const struct request *requests,
		    uint32_t count)
{
	size_t size = (size_t)job->request_pages * BENCH_PAGE_SIZE;
	struct peer *peer = job->peer;
	uint64_t cpu;
	int r = 0;

	if (job->write)
		copy_in(job, requests, count, self->buffer);
	cpu = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	for (uint32_t i = 0; i < count && r == 0; i++) {
		if (job->write)
			r = peer->write(peer, self->number, requests[i].slot,
					self->buffer + i * size, job->request_pages);
		else
			r = peer->read(peer, self->number, requests[i].slot,
				       self->buffer + i * size, job->request_pages);
	}
	self->timed_ns += bench_clock(CLOCK_THREAD_CPUTIME_ID) - cpu;
	if (r == 0 && !job->write && peer->stores)
		r = verify(job, requests, count, self->buffer);
	return r;
}

static void *crew_main(void *opaque)
{
	struct crew_thread *self = opaque;
	struct crew *crew = self->crew;

	for (;;) {
		const struct job *job;
		uint32_t batch, first, left;

		pthread_barrier_wait(&crew->begin);
		job = crew->job;
		if (!job)
			return NULL;
		self->timed_ns = 0;
		self->result = 0;
		self->begin = bench_clock(CLOCK_MONOTONIC);
		self->cpu_ns = bench_clock(CLOCK_THREAD_CPUTIME_ID);
		batch = BATCH_PAGES / job->request_pages;
		while ((first = atomic_fetch_add(&crew->next, batch)) < job->count &&
		       self->result == 0) {
			left = job->count - first;
			self->result = do_batch(self, job, job->requests + first,
						left < batch ? left : batch);
		}
		self->cpu_ns = bench_clock(CLOCK_THREAD_CPUTIME_ID) - self->cpu_ns;
		self->end = bench_clock(CLOCK_MONOTONIC);
		pthread_barrier_wait(&crew->end);
	}
}

int crew_create(struct crew **out, unsigned int threads)
{
	struct crew *crew = calloc(1, sizeof(*crew) + threads * sizeof(crew->thread[0]));

	if (!crew)
		return -ENOMEM;
	crew->count = threads;
	pthread_barrier_init(&crew->begin, NULL, threads + 1);
	pthread_barrier_init(&crew->end, NULL, threads + 1);
	for (unsigned int i = 0; i < threads; i++) {
		struct crew_thread *thread = &crew->thread[i];

		thread->crew = crew;
		thread->number = i;
		thread->buffer = aligned_alloc(BENCH_PAGE_SIZE, BATCH_PAGES * BENCH_PAGE_SIZE);
		/* A benchmark that cannot even start its threads has nobody to report to. */
		if (!thread->buffer || pthread_create(&thread->thread, NULL, crew_main, thread)) {
			fprintf(stderr, "engine_bench: cannot start thread %u\n", i);
			exit(1);
		}
		memset(thread->buffer, 0, BATCH_PAGES * BENCH_PAGE_SIZE);
	}
	*out = crew;
	return 0;
}

/*
 * How long the job took, without the share of its processor time that went into
 * copying and comparing.  Intervals of single threads would not do: with more
 * threads than processors they say mostly where threads were made to wait.
 */
static uint64_t wall_of_job(const struct crew *crew)
{
	uint64_t begin = UINT64_MAX, end = 0, timed = 0, whole = 0;

	for (unsigned int i = 0; i < crew->count; i++) {
		const struct crew_thread *thread = &crew->thread[i];

		if (thread->begin < begin)
			begin = thread->begin;
		if (thread->end > end)
			end = thread->end;
		timed += thread->timed_ns;
		whole += thread->cpu_ns;
	}
	return (uint64_t)((double)(end - begin) * timed / whole);
}

int crew_run(struct crew *crew, const struct job *job, struct spent *spent)
{
	int r = 0;

	crew->job = job;
	atomic_store(&crew->next, 0);
	pthread_barrier_wait(&crew->begin);
	pthread_barrier_wait(&crew->end);
	for (unsigned int i = 0; i < crew->count; i++) {
		spent->cpu_ns += crew->thread[i].timed_ns;
		if (r == 0)
			r = crew->thread[i].result;
	}
	spent->wall_ns += wall_of_job(crew);
	return r;
}

void crew_destroy(struct crew *crew)
{
	crew->job = NULL;
	pthread_barrier_wait(&crew->begin);
	for (unsigned int i = 0; i < crew->count; i++) {
		pthread_join(crew->thread[i].thread, NULL);
		free(crew->thread[i].buffer);
	}
	pthread_barrier_destroy(&crew->begin);
	pthread_barrier_destroy(&crew->end);
	free(crew);
}
