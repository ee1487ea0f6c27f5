/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notices of freed slots from one end to the other but for the kernel's program, whose bits the
 * test sets: it proves the disk through its connection, hands an array over by the control
 * socket, and what it calls free is gone.  With the connection the notices end.  Skipped where the
 * kernel makes no such arrays for us.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "freed/layout.h"
#include "freed/proof.h"
#include "pages.h"
#include "server.h"

#define PAGE TEST_PAGE_SIZE
#define PAGES 4096u
#define WORDS (FREED_HEAD_WORDS + PAGES / FREED_WORD_SLOTS)

static int make_array(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = WORDS,
		.map_flags = BPF_F_MMAPABLE,
	};

	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

/* Sends a line, with two descriptors if there are any; the answer goes to text. */
static void ask(const char *path, const char *line, const int *files, char *text, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec bytes = { (void *)line, strlen(line) };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t length = 0;
	ssize_t got;

	if (files) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(2 * sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), files, 2 * sizeof(int));
	}
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), (ssize_t)bytes.iov_len);
	while ((got = recv(fd, text + length, size - 1 - length, 0)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(fd);
}

static uint64_t statistic(const char *path, const char *name)
{
	char text[8192], *at;

	ask(path, "stats\n", NULL, text, sizeof(text));
	at = strstr(text, name);
	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 10);
}

static void must_say(const char *path, const char *line, const int *files, const char *begins)
{
	char text[1024];

	ask(path, line, files, text, sizeof(text));
	if (strncmp(text, begins, strlen(begins)) != 0)
		fail_msg("%s: \"%s\" does not begin with \"%s\"", line, text, begins);
}

static void write_pages(struct nbd_handle *nbd)
{
	unsigned char page[PAGE];
	struct rng rng = { 11 };

	for (uint64_t i = 1; i < PAGES; i++) {
		data_fill(&rng, DATA_STRUCT, page, PAGE);
		nbd_ok(nbd_pwrite(nbd, page, PAGE, i * PAGE, 0));
	}
}

static void wait_for_pages(const char *path, uint64_t pages)
{
	for (int i = 0; i < 1000 && statistic(path, "\npages_stored ") != pages; i++)
		usleep(20000);
	assert_int_equal(statistic(path, "\npages_stored "), pages);
}

static void what_is_called_free_is_gone_until_the_device_goes(void **state)
{
	char directory[] = "/tmp/ramzswap-test-XXXXXX", path[64], control[80];
	const char *const params[] = { "size=16M", control, NULL };
	const char proof[FREED_PROOF_SIZE + 1] = "0123456789abcdef";
	const char *request = "freed 4096 swap_range_free 30313233343536373839616263646566\n";
	struct nbd_handle *nbd;
	struct server server;
	_Atomic uint64_t *words;
	int files[2], pipe_ends[2];

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/control", directory);
	snprintf(control, sizeof(control), "control=%s", path);
	server_start(&server, params);
	assert_int_equal(pipe(pipe_ends), 0);
	files[0] = make_array();
	files[1] = pipe_ends[1];
	words = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, files[0], 0);
	assert_ptr_not_equal(words, MAP_FAILED);

	must_say(path, request, files, "error no client is connected");
	nbd = server_connect(&server);
	must_say(path, request, files, "error the device is not this disk");
	nbd_ok(nbd_pwrite(nbd, proof, FREED_PROOF_SIZE, FREED_PROOF_OFFSET, 0));
	must_say(path, "freed\n", NULL, "ok\nnone: ");
	must_say(path, request, files, "ok\n");
	must_say(path, "freed\n", NULL, "ok\nswap_range_free\n");
	assert_int_equal(words[FREED_ARMED], 1);

	write_pages(nbd);
	for (uint64_t i = 1; i < PAGES / FREED_WORD_SLOTS; i++) {
		atomic_fetch_add(&words[FREED_NOTICES], FREED_WORD_SLOTS);
		atomic_store(&words[FREED_HEAD_WORDS + i], UINT64_MAX);
	}
	/* Those of the first word stay, and the page of the proof is one of them. */
	wait_for_pages(path, FREED_WORD_SLOTS);
	assert_int_equal(statistic(path, "\nfreed_notices "), PAGES - FREED_WORD_SLOTS);
	assert_int_equal(statistic(path, "\nstale_pages "), 0);

	/* As nbd-client does: the server may take a moment to see it. */
	server_disconnect(nbd);
	for (int i = 0; i < 500 && words[FREED_ARMED]; i++)
		usleep(20000);
	assert_int_equal(words[FREED_ARMED], 0);
	must_say(path, "freed\n", NULL, "ok\nnone: the device was detached");
	server_stop(&server);
	munmap((void *)words, WORDS * 8);
	close(files[0]);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_called_free_is_gone_until_the_device_goes),
	};
	int array = make_array();

	if (array < 0) {
		printf("the kernel makes no BPF arrays for us: %s\n", strerror(errno));
		return 77;
	}
	close(array);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
