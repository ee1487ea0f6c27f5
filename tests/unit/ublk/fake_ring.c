/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <liburing.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_ring.h"

#define ENTRIES 16u

struct fake_ring fake;

static struct io_uring_sqe submissions[ENTRIES];
static struct io_uring_cqe completions[2 * ENTRIES];
static unsigned int sq_head, sq_tail, sq_flags, cq_head, cq_tail;
static int file = -1;
static char path[] = "/tmp/ramzswap-fake-ublk.XXXXXX";
static int announced_tag;
static uint64_t announced_sector;

const char *fake_begin(void)
{
	const size_t size = FAKE_DEPTH * sizeof(*fake.descriptors);

	memset(&fake, 0, sizeof(fake));
	sq_head = sq_tail = sq_flags = cq_head = cq_tail = 0;
	announced_tag = -1;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	file = mkstemp(path);
	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, (off_t)UBLK_DATA_OFFSET(FAKE_DEPTH)), 0);
	fake.descriptors = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	assert_true(fake.descriptors != MAP_FAILED);
	return path;
}

void fake_end(void)
{
	munmap(fake.descriptors, FAKE_DEPTH * sizeof(*fake.descriptors));
	close(file);
	unlink(path);
}

void fake_data(unsigned int tag, void *bytes)
{
	assert_int_equal(pread(file, bytes, FAKE_REQUEST_BYTES, (off_t)UBLK_DATA_OFFSET(tag)),
			 FAKE_REQUEST_BYTES);
}

void fake_cut(void)
{
	assert_int_equal(ftruncate(file, 4096), 0);
}

void fake_complete(unsigned int tag, int result)
{
	assert_true(fake.owned[tag]);
	fake.owned[tag] = false;
	assert_true(cq_tail - cq_head < 2 * ENTRIES);
	completions[cq_tail % (2 * ENTRIES)] = (struct io_uring_cqe){
		.user_data = fake.mark[tag],
		.res = result,
	};
	cq_tail++;
}

void fake_request(unsigned int tag, unsigned int operation, uint64_t sector, const void *bytes)
{
	fake.descriptors[tag] = (struct ublk_descriptor){
		.operation = operation,
		.sector = sector,
		.sectors = FAKE_REQUEST_BYTES / 512,
	};
	if (bytes)
		assert_int_equal(pwrite(file, bytes, FAKE_REQUEST_BYTES,
					(off_t)UBLK_DATA_OFFSET(tag)),
				 FAKE_REQUEST_BYTES);
	fake_complete(tag, 0);
}

void fake_announce(unsigned int tag, uint64_t sector)
{
	announced_tag = (int)tag;
	announced_sector = sector;
	sq_flags = IORING_SQ_TASKRUN;
}

static void take_one(const struct io_uring_sqe *submission)
{
	struct fake_command *command = &fake.commands[fake.count++];
	unsigned int tag;

	assert_int_equal(submission->opcode, IORING_OP_URING_CMD);
	assert_int_equal(submission->flags, IOSQE_FIXED_FILE);
	assert_int_equal(submission->fd, 0);
	command->operation = submission->cmd_op;
	memcpy(&command->what, submission->cmd, sizeof(command->what));
	tag = command->what.tag;
	assert_true(tag < FAKE_DEPTH);
	/* No tag is given twice. */
	assert_false(fake.owned[tag]);
	fake.owned[tag] = true;
	/* The kernel refuses any. */
	assert_int_equal(command->what.address, 0);
	fake.mark[tag] = submission->user_data;
	if (fake.refuse && tag == fake.refuse_tag) {
		fake_complete(tag, fake.refuse);
		fake.refuse = 0;
	}
}

static int take(struct io_uring *ring)
{
	unsigned int count = 0;

	if (fake.fail_times > 0) {
		fake.fail_times--;
		return fake.fail;
	}
	for (; sq_head != ring->sq.sqe_tail; sq_head++, count++)
		take_one(&submissions[sq_head % ENTRIES]);
	if (announced_tag >= 0) {
		fake_request((unsigned int)announced_tag, UBLK_READ, announced_sector, NULL);
		announced_tag = -1;
		sq_flags = 0;
	}
	return (int)count;
}

int io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
			       struct io_uring_params *params)
{
	memset(ring, 0, sizeof(*ring));
	ring->flags = params->flags;
	ring->sq.khead = &sq_head;
	ring->sq.ktail = &sq_tail;
	ring->sq.kflags = &sq_flags;
	ring->sq.sqes = submissions;
	ring->sq.ring_mask = ENTRIES - 1;
	ring->sq.ring_entries = ENTRIES;
	ring->cq.khead = &cq_head;
	ring->cq.ktail = &cq_tail;
	ring->cq.cqes = completions;
	ring->cq.ring_mask = 2 * ENTRIES - 1;
	ring->cq.ring_entries = 2 * ENTRIES;
	return 0;
}

void io_uring_queue_exit(struct io_uring *ring)
{
}

int io_uring_register_ring_fd(struct io_uring *ring)
{
	return 1;
}

int io_uring_register_files(struct io_uring *ring, const int *files, unsigned int count)
{
	return 0;
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	fake.submits++;
	return take(ring);
}

static int sleep_in(struct io_uring *ring)
{
	int err = take(ring);

	if (err < 0)
		return err;
	fake.sleeps++;
	if (cq_tail == cq_head && fake.on_sleep)
		fake.on_sleep();
	return err;
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned int count)
{
	return sleep_in(ring);
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **completion,
				     unsigned int count, struct __kernel_timespec *time,
				     sigset_t *signals)
{
	int err = sleep_in(ring);

	return err < 0 || cq_tail != cq_head ? err : -ETIME;
}

/* The queue yields the processor between two questions. */
int sched_yield(void)
{
	if (fake.on_ask)
		fake.on_ask();
	return 0;
}
