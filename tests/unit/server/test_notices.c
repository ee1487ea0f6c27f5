/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may give notices of freed slots, and until when.  The array is a real one of the kernel's;
 * the test sets the bits that its program would.  Skipped where the kernel makes no such arrays
 * for us.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include "freed/layout.h"
#include "server/notices.h"
#include "store/store.h"

#define PAGE STORE_PAGE_SIZE
#define PAGES 1000u
#define WORDS (FREED_HEAD_WORDS + (PAGES + 63) / 64)

static struct store *store;
static struct notices notices;
static struct notices_request request;
static int pipe_ends[2]; /* whoever has the other end of the link sees it go */
static char why[256];

static int make_array(uint32_t words, uint32_t flags)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = words,
		.map_flags = flags,
	};

	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

/* A request that is right in all. */
static void ask_rightly(void)
{
	if (pipe_ends[0])
		close(pipe_ends[0]);
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK), 0);
	request = (struct notices_request){
		.array = make_array(WORDS, BPF_F_MMAPABLE),
		.link = pipe_ends[1],
		.slots = PAGES,
		.function = "swap_range_free",
		.proof = "a proof of it..",
	};
	assert_true(request.array >= 0);
	assert_int_equal(
		store_write(store, request.proof, sizeof(request.proof), FREED_PROOF_OFFSET), 0);
}

static bool link_is_open(void)
{
	char byte;

	return read(pipe_ends[0], &byte, 1) < 0 && errno == EAGAIN;
}

static int start(void **state)
{
	struct store_config config = { .size = PAGES * PAGE, .memlimit = STORE_NO_LIMIT };

	assert_int_equal(store_create(&store, &config), 0);
	notices = (struct notices)NOTICES_INITIALIZER;
	return 0;
}

static int finish(void **state)
{
	notices_end(&notices, store);
	store_destroy(store);
	notices_fini(&notices);
	return 0;
}

static void must_be(const char *description)
{
	char text[256];

	notices_describe(&notices, text, sizeof(text));
	if (strncmp(text, description, strlen(description)) != 0)
		fail_msg("\"%s\" instead of \"%s\"", text, description);
}

static void put_page(uint64_t page)
{
	unsigned char bytes[PAGE];

	for (size_t i = 0; i < PAGE; i++)
		bytes[i] = (unsigned char)(i / 2 + page);
	assert_int_equal(store_write(store, bytes, PAGE, page * PAGE), 0);
}

static bool has_page(uint64_t page)
{
	unsigned char bytes[PAGE];

	assert_int_equal(store_read(store, bytes, PAGE, page * PAGE), 0);
	return bytes[1000] != 0;
}

/* As the kernel's program does. */
static void free_slot(_Atomic uint64_t *words, uint64_t slot)
{
	atomic_fetch_add(&words[FREED_NOTICES], 1);
	atomic_fetch_or(&words[FREED_HEAD_WORDS + slot / 64], UINT64_C(1) << (slot % 64));
}

static _Atomic uint64_t *map(int array)
{
	void *words = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, array, 0);

	assert_ptr_not_equal(words, MAP_FAILED);
	return words;
}

static void what_is_freed_is_forgotten_and_counted(void **state)
{
	_Atomic uint64_t *words;

	must_be("none: ramzswap-freed has not asked");
	ask_rightly();
	words = map(request.array);
	assert_int_equal(words[FREED_ARMED], 0);
	assert_int_equal(notices_take(&notices, store, &request, why, sizeof(why)), 0);
	assert_int_equal(words[FREED_ARMED], 1);
	must_be("swap_range_free");
	assert_true(notices_are_heeded(&notices));
	for (uint64_t i = 1; i < PAGES; i++)
		put_page(i);
	free_slot(words, 1);
	free_slot(words, PAGES - 1);
	assert_int_equal(store_forget_freed(store), 2);
	assert_false(has_page(1));
	assert_true(has_page(2));
	assert_false(has_page(PAGES - 1));
	assert_int_equal(notices_count(&notices), 2);
	munmap((void *)words, WORDS * 8);
}

static void another_disk_is_refused(void **state)
{
	ask_rightly();
	request.proof[3] ^= 1;
	assert_int_equal(notices_take(&notices, store, &request, why, sizeof(why)), -EXDEV);
	assert_false(link_is_open());
	ask_rightly();
	request.slots--;
	assert_int_equal(notices_take(&notices, store, &request, why, sizeof(why)), -EXDEV);
	must_be("none");
	assert_false(link_is_open());
}

static void what_is_no_such_array_is_refused(void **state)
{
	ask_rightly();
	close(request.array);
	request.array = make_array(WORDS - 1, BPF_F_MMAPABLE);
	assert_int_equal(notices_take(&notices, store, &request, why, sizeof(why)), -EINVAL);
	ask_rightly();
	close(request.array);
	request.array = make_array(WORDS, 0);
	assert_int_equal(notices_take(&notices, store, &request, why, sizeof(why)), -EINVAL);
	ask_rightly();
	close(request.array);
	request.array = open("/dev/zero", O_RDWR | O_CLOEXEC);
	assert_int_equal(notices_take(&notices, store, &request, why, sizeof(why)), -EINVAL);
	assert_false(link_is_open());
	must_be("none");
}

static void the_device_that_goes_ends_them(void **state)
{
	uint64_t device = notices_client(&notices), onlooker;
	_Atomic uint64_t *words;

	ask_rightly();
	words = map(request.array);
	assert_int_equal(notices_take(&notices, store, &request, why, sizeof(why)), 0);
	/* Who came later and goes is another one. */
	onlooker = notices_client(&notices);
	notices_client_left(&notices, store, onlooker);
	must_be("swap_range_free");
	assert_true(link_is_open());
	notices_client_left(&notices, store, device);
	must_be("none: the device was detached");
	assert_false(notices_are_heeded(&notices));
	assert_false(link_is_open());
	assert_int_equal(words[FREED_ARMED], 0);
	/* What is set now is of another disk. */
	put_page(5);
	free_slot(words, 5);
	assert_int_equal(store_forget_freed(store), 0);
	assert_true(has_page(5));
	munmap((void *)words, WORDS * 8);
}

static void a_new_array_takes_the_place_of_the_old(void **state)
{
	_Atomic uint64_t *old, *new;

	ask_rightly();
	old = map(request.array);
	assert_int_equal(notices_take(&notices, store, &request, why, sizeof(why)), 0);
	free_slot(old, 7);
	assert_int_equal(notices_count(&notices), 1);
	ask_rightly();
	new = map(request.array);
	assert_int_equal(notices_take(&notices, store, &request, why, sizeof(why)), 0);
	assert_int_equal(old[FREED_ARMED], 0);
	assert_int_equal(new[FREED_ARMED], 1);
	/* Those counted stay counted, and what the old one says is not heeded. */
	assert_int_equal(notices_count(&notices), 1);
	put_page(7);
	put_page(8);
	free_slot(old, 7);
	free_slot(new, 8);
	assert_int_equal(store_forget_freed(store), 1);
	assert_true(has_page(7));
	assert_false(has_page(8));
	assert_int_equal(notices_count(&notices), 2);
	notices_end(&notices, store);
	notices_end(&notices, store);
	assert_int_equal(notices_count(&notices), 2);
	munmap((void *)old, WORDS * 8);
	munmap((void *)new, WORDS * 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_freed_is_forgotten_and_counted, start,
						finish),
		cmocka_unit_test_setup_teardown(another_disk_is_refused, start, finish),
		cmocka_unit_test_setup_teardown(what_is_no_such_array_is_refused, start, finish),
		cmocka_unit_test_setup_teardown(the_device_that_goes_ends_them, start, finish),
		cmocka_unit_test_setup_teardown(a_new_array_takes_the_place_of_the_old, start,
						finish),
	};
	int array = make_array(WORDS, BPF_F_MMAPABLE);

	if (array < 0) {
		printf("the kernel makes no BPF arrays for us: %s\n", strerror(errno));
		return 77;
	}
	close(array);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
