/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "ublk/queue.h"
#include "urgent.h"

#ifndef IORING_SETUP_SINGLE_ISSUER /* Linux 6.0 */
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN /* Linux 6.1 */
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

static int64_t now_ns(void)
{
	return (int64_t)clock_ns();
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static int make_ring(struct ublk_queue *queue)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG,
	};
	int err = io_uring_queue_init_params(queue->depth, &queue->ring, &params);

	if (!err) /* spares the kernel a search at each call */
		(void)io_uring_register_ring_fd(&queue->ring);
	return err;
}

static int make_buffer(struct ublk_queue *queue)
{
	void *memory = mmap(NULL, queue->request_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	queue->buffer = memory;
	return 0;
}

static void free_buffer(struct ublk_queue *queue)
{
	if (queue->buffer)
		munmap(queue->buffer, queue->request_bytes);
}

int ublk_queue_make(struct ublk_queue *queue, const struct ublk_queue_config *config)
{
	int err = 0;

	memset(queue, 0, sizeof(*queue));
	queue->fd = -1;
	queue->depth = config->depth;
	queue->request_bytes = config->request_bytes;
	queue->patience.longest_ns = config->poll_us * INT64_C(1000);
	if (queue->request_bytes)
		err = make_buffer(queue);
	if (err)
		return err;
	err = make_ring(queue);
	if (err)
		free_buffer(queue);
	return err;
}

int ublk_queue_attach(struct ublk_queue *queue, const char *path)
{
	void *memory;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	queue->descriptors_size = whole_pages(queue->depth * sizeof(struct ublk_descriptor));
	memory = mmap(NULL, queue->descriptors_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (memory == MAP_FAILED) {
		err = -errno;
		close(fd);
		return err;
	}
	queue->fd = fd;
	queue->descriptors = memory;
	/* Spares the kernel another search. */
	queue->fixed_file = io_uring_register_files(&queue->ring, &fd, 1) == 0;
	return 0;
}

void ublk_queue_close(struct ublk_queue *queue)
{
	io_uring_queue_exit(&queue->ring);
	free_buffer(queue);
	if (queue->fd < 0)
		return;
	munmap((void *)queue->descriptors, queue->descriptors_size);
	close(queue->fd);
}

/*
 * What the kernel gives back with the end of a command, so that the same can be given once more:
 *
 *	63 .. 32	result
 *	31		it is the tag's first
 *	15 .. 0		tag
 */
#define MARK_RESULT_SHIFT 32
#define MARK_FIRST (UINT64_C(1) << 31)

static uint64_t mark_of(unsigned int operation, unsigned int tag, int32_t result)
{
	return (uint64_t)(uint32_t)result << MARK_RESULT_SHIFT |
	       (operation == UBLK_FETCH ? MARK_FIRST : 0) | (uint16_t)tag;
}

/* 0, or -EBUSY without room in the ring, which cannot be: no tag has two commands. */
static int give(struct ublk_queue *queue, unsigned int operation, unsigned int tag, int32_t result)
{
	const struct ublk_request_command what = {
		.tag = (uint16_t)tag,
		.result = result,
	};
	struct io_uring_sqe *submission = io_uring_get_sqe(&queue->ring);

	if (!submission)
		return -EBUSY;
	memset(submission, 0, sizeof(*submission));
	submission->opcode = IORING_OP_URING_CMD;
	submission->fd = queue->fixed_file ? 0 : queue->fd;
	submission->flags = queue->fixed_file ? IOSQE_FIXED_FILE : 0;
	submission->cmd_op = operation;
	submission->user_data = mark_of(operation, tag, result);
	memcpy(submission->cmd, &what, sizeof(what));
	return 0;
}

static int give_again(struct ublk_queue *queue, uint64_t mark)
{
	return give(queue, mark & MARK_FIRST ? UBLK_FETCH : UBLK_COMMIT_AND_FETCH, (uint16_t)mark,
		    (int32_t)(mark >> MARK_RESULT_SHIFT));
}

/* Whether a command that was refused so is to be given again: the kernel has done nothing of it. */
static bool is_passing_refusal(int err)
{
	return err == -EINTR || err == -EAGAIN || err == -ENOMEM;
}

/* The same of a call; of a command -EBUSY says that another process has the tag. */
static bool is_passing(int err)
{
	return is_passing_refusal(err) || err == -EBUSY;
}

/*
 * Hands over what was given, and has the kernel do what there is to do for this queue.  The memory
 * for that is there (see the header).  Where it is not all the same, it is urgent.
 */
static int submit(struct ublk_queue *queue)
{
	int policy = URGENT_LEFT_ALONE, err;

	while (is_passing(err = io_uring_submit_and_get_events(&queue->ring)) ||
	       io_uring_sq_ready(&queue->ring)) {
		if (err < 0 && !is_passing(err))
			break;
		if (policy == URGENT_LEFT_ALONE && err != -EINTR)
			policy = urgent_begin();
	}
	urgent_end(policy);
	return err < 0 ? err : 0;
}

/* Why a tag was refused for good, before any request can have come. */
static int refusal(const struct ublk_queue *queue)
{
	struct io_uring_cqe *completion;
	unsigned int head;
	int err = 0;

	io_uring_for_each_cqe(&queue->ring, head, completion)
	{
		if (completion->res < 0 && !is_passing_refusal(completion->res))
			err = completion->res;
	}
	return err;
}

int ublk_queue_fetch(struct ublk_queue *queue)
{
	int err = 0;

	for (unsigned int tag = 0; tag < queue->depth && !err; tag++)
		err = give(queue, UBLK_FETCH, tag, 0);
	queue->held = queue->depth;
	if (!err)
		err = submit(queue);
	return err ? err : refusal(queue);
}

/* Of a call that moved a request's data: all of it, or it is an error. */
static int moved(ssize_t done, size_t bytes)
{
	if (done < 0)
		return -errno;
	return (size_t)done == bytes ? 0 : -EIO;
}

/* As ublk_answer, with the data between buffer and kernel. */
static int32_t carry_out(struct ublk_queue *queue, unsigned int tag, ublk_answer *answer,
			 void *opaque)
{
	const struct ublk_descriptor *request = &queue->descriptors[tag];
	unsigned int operation = request->operation & UBLK_OPERATION_MASK;
	size_t bytes = (size_t)request->sectors << UBLK_SECTOR_SHIFT;
	off_t offset = (off_t)UBLK_DATA_OFFSET(tag);
	int32_t result;
	int err = 0;

	if (!queue->buffer || (operation != UBLK_READ && operation != UBLK_WRITE))
		return answer(opaque, request, queue->buffer);
	if (bytes > queue->request_bytes)
		return -EINVAL;
	if (operation == UBLK_WRITE)
		err = moved(pread(queue->fd, queue->buffer, bytes, offset), bytes);
	if (err)
		return err;
	result = answer(opaque, request, queue->buffer);
	if (operation == UBLK_READ && result >= 0)
		err = moved(pwrite(queue->fd, queue->buffer, bytes, offset), bytes);
	return err ? err : result;
}

/* 0, or why the kernel refuses a tag: then no request will ever come by it. */
static int answer_all(struct ublk_queue *queue, ublk_answer *answer, void *opaque)
{
	struct io_uring_cqe *completion;
	unsigned int head, count = 0;
	int err = 0;

	io_uring_for_each_cqe(&queue->ring, head, completion)
	{
		unsigned int tag = (uint16_t)completion->user_data;

		count++;
		if (completion->res == 0) {
			err = give(queue, UBLK_COMMIT_AND_FETCH, tag,
				   carry_out(queue, tag, answer, opaque))
				      ?: err;
			continue;
		}
		if (is_passing_refusal(completion->res)) {
			err = give_again(queue, completion->user_data) ?: err;
			continue;
		}
		queue->held--;
		if (completion->res != -ENODEV) /* the end of the device */
			err = completion->res < 0 ? completion->res : -EPROTO;
	}
	io_uring_cq_advance(&queue->ring, count);
	return err;
}

/* Reads memory only. */
static bool something_came(struct ublk_queue *queue)
{
	return io_uring_cq_ready(&queue->ring) ||
	       IO_URING_READ_ONCE(*queue->ring.sq.kflags) & IORING_SQ_TASKRUN;
}

/* Whether something came in the while that the queue has patience for. */
static bool ask(struct ublk_queue *queue, int64_t start)
{
	int64_t asked = start, now = start;

	if (!patience_is_left(&queue->patience))
		return false;
	do {
		asked = now;
		if (something_came(queue))
			return true;
		/* Whoever else wants this processor may have it. */
		sched_yield();
		now = now_ns();
	} while (patience_goes_on(&queue->patience, start, asked, now));
	return false;
}

static int sleep_until_some(struct ublk_queue *queue, int wait_ms)
{
	struct __kernel_timespec time = { wait_ms / 1000, (long long)(wait_ms % 1000) * 1000000 };
	struct io_uring_cqe *completion;
	int err;

	if (wait_ms < 0)
		err = io_uring_submit_and_wait(&queue->ring, 1);
	else
		err = io_uring_submit_and_wait_timeout(&queue->ring, &completion, 1, &time, NULL);
	return err == -ETIME || is_passing(err) || err >= 0 ? 0 : err;
}

/* Until there are completions, or the time is over. */
static int await_completions(struct ublk_queue *queue, int wait_ms)
{
	int64_t start;
	int err;

	if (io_uring_cq_ready(&queue->ring)) /* says nothing about how long the next one takes */
		return 0;
	start = now_ns();
	err = ask(queue, start) ? submit(queue) : sleep_until_some(queue, wait_ms);
	if (wait_ms < 0)
		patience_learn(&queue->patience, now_ns() - start);
	return err;
}

int ublk_queue_round(struct ublk_queue *queue, ublk_answer *answer, void *opaque, int wait_ms)
{
	int refused = answer_all(queue, answer, opaque);
	int err = 0;

	if (io_uring_sq_ready(&queue->ring))
		err = submit(queue);
	if (!err)
		err = refused;
	if (err || queue->held == 0)
		return err;
	err = await_completions(queue, wait_ms);
	return err ? err : 1;
}
