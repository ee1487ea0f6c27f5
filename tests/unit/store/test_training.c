/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dictionary that cannot be made: memory, the limit, the machine or the codec refuses a part of
 * it, at each point where one can, or its pages go meanwhile.  No page is lost, and nothing stays
 * charged.
 *
 * The codec is zstd with some of its steps replaced.  Training gives what the first one gave,
 * since it is the same pages each time.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "alike.h"
#include "base/clock.h"

#define PAGES 1100u

/* The mapping that is refused: the first after so many, and all that follow if it lasts. */
static struct {
	bool armed, lasting;
	unsigned int left, refused;
} fault;

void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (!fault.armed || (fault.left > 0 && fault.left--) ||
	    (fault.refused > 0 && !fault.lasting))
		return __real_mmap64(addr, len, prot, flags, fd, offset);
	fault.refused++;
	errno = ENOMEM;
	return MAP_FAILED;
}

static void arm(unsigned int after, bool lasting)
{
	fault.left = after;
	fault.lasting = lasting;
	fault.refused = 0;
	fault.armed = true;
}

enum step { NO_STEP, TRAIN, READER, WRITER, ENCODE, ENCODE_PLAIN, STEPS };

static const struct codec *zstd;
static struct codec codec;
static struct codec_dictionary with_dictionary;

static struct {
	enum step refuses; /* this one fails */
	bool confuses;	   /* what is encoded is another page */
	struct store *resets;
	unsigned int trained, pages, foreign; /* pages of it whose number is idle_pages or more */
	uint64_t idle_pages;
	size_t size;
} lesson;

static void learn_pages(const void *pages, unsigned int count)
{
	lesson.trained++;
	lesson.pages = count;
	lesson.foreign = 0;
	for (unsigned int i = 0; i < count; i++) {
		uint64_t number;

		memcpy(&number, (const unsigned char *)pages + (size_t)i * PAGE, sizeof(number));
		lesson.foreign += number >= lesson.idle_pages;
	}
}

static int train_or_not(const void *pages, unsigned int count, void *dictionary, size_t size)
{
	static unsigned char known[64 << 10];
	static size_t known_for;
	static int known_len;

	learn_pages(pages, count);
	lesson.size = size;
	if (lesson.resets)
		store_reset(lesson.resets);
	if (lesson.refuses == TRAIN || size > sizeof(known))
		return -ENODATA;
	if (known_for != size) {
		known_len = zstd->dictionary->train(pages, count, known, size);
		known_for = size;
	}
	assert_true(known_len > 0);
	memcpy(dictionary, known, (size_t)known_len);
	return known_len;
}

static int reader_or_not(void *reader, const void *dictionary, size_t size)
{
	return lesson.refuses == READER ? -ENOMEM
					: zstd->dictionary->reader_make(reader, dictionary, size);
}

static int writer_or_not(void *writer, const void *dictionary, size_t size)
{
	return lesson.refuses == WRITER ? -ENOMEM
					: zstd->dictionary->writer_make(writer, dictionary, size);
}

/* The page that is encoded: perhaps one of a bit more. */
static const void *confused(const void *page, unsigned char *other)
{
	if (!lesson.confuses)
		return page;
	memcpy(other, page, PAGE);
	other[PAGE - 1] ^= 1;
	return other;
}

static int encode_or_not(void *writer, const void *page, void *out)
{
	unsigned char other[PAGE];

	return lesson.refuses == ENCODE
		       ? -EINVAL
		       : zstd->dictionary->compress(writer, confused(page, other), out);
}

static int plain_or_not(enum codec_effort effort, void *workspace, const void *page, void *out)
{
	unsigned char other[PAGE];

	return lesson.refuses == ENCODE_PLAIN
		       ? -EINVAL
		       : zstd->compress(effort, workspace, confused(page, other), out);
}

static struct store *learner(uint64_t pages, uint64_t memlimit)
{
	struct store_config config = {
		.size = pages * PAGE,
		.memlimit = memlimit,
		.idle_codec = &codec,
		.dictionary = 32 << 10,
		.recompress_seconds = 1,
	};
	struct store *made = NULL;

	zstd = codec_find("zstd");
	if (!zstd) {
		print_message("built without zstd\n");
		skip();
	}
	memset(&lesson, 0, sizeof(lesson));
	with_dictionary = *zstd->dictionary;
	with_dictionary.train = train_or_not;
	with_dictionary.reader_make = reader_or_not;
	with_dictionary.writer_make = writer_or_not;
	with_dictionary.compress = encode_or_not;
	codec = *zstd;
	codec.compress = plain_or_not;
	codec.dictionary = &with_dictionary;
	assert_int_equal(store_create(&made, &config), 0);
	return made;
}

static struct store *filled(uint64_t pages)
{
	struct store *disk = learner(pages, STORE_NO_LIMIT);

	alike_fill(disk, 0, pages, 1);
	return disk;
}

static uint64_t charged(struct store *disk)
{
	return atomic_load(&disk->budget.used);
}

/* As if it had never been tried, but that it is not tried again at once. */
static void must_be_untouched(struct store *disk, uint64_t before)
{
	const struct dictionaries *all = &disk->dictionary;

	assert_int_equal(charged(disk), before);
	assert_int_equal(atomic_load(&all->bytes), 0);
	assert_int_equal(all->current, -1);
	assert_int_equal(all->training, -1);
	assert_null(all->writer);
	for (unsigned int i = 0; i < GENERATIONS; i++)
		assert_null(all->generation[i].memory);
	assert_int_equal(stats_of(disk).dictionaries_made, 0);
	assert_true(all->retry_ms > clock_ms());
	alike_must_hold(disk, 0, 40, 1);
	must_be_sound(disk);
}

static unsigned int refuse_in_turn(struct store *disk, bool lasting)
{
	uint64_t before = charged(disk);

	for (unsigned int after = 0;; after++) {
		int err;

		arm(after, lasting);
		err = train_now(disk);
		fault.armed = false;
		if (fault.refused == 0) {
			assert_int_equal(err, 0);
			return after;
		}
		assert_true(err == -ENOSPC || err == -ENODATA);
		must_be_untouched(disk, before);
	}
}

static void nothing_stays_charged_wherever_memory_is_refused(void **state)
{
	for (int lasting = 0; lasting < 2; lasting++) {
		struct store *disk = filled(PAGES);

		/* The dictionary, the sample, and what encodes with it. */
		assert_int_equal(refuse_in_turn(disk, lasting), 3);
		recompress_now(disk);
		assert_true(stats_of(disk).pages_dictionary > PAGES / 2);
		alike_must_hold(disk, 0, PAGES, 1);
		store_done(disk);
	}
}

static void nothing_stays_charged_wherever_the_codec_refuses(void **state)
{
	struct store *disk = filled(PAGES);
	uint64_t before = charged(disk);

	for (unsigned int step = TRAIN; step < STEPS; step++) {
		lesson.refuses = step;
		assert_int_equal(train_now(disk), -ENODATA);
		must_be_untouched(disk, before);
	}
	assert_int_equal(lesson.trained, STEPS - TRAIN);
	lesson.refuses = NO_STEP;
	assert_int_equal(train_now(disk), 0);
	alike_must_hold(disk, 0, PAGES, 1);
	store_done(disk);
}

static void no_limit_is_exceeded_for_it(void **state)
{
	struct store *disk = filled(PAGES);
	uint64_t before = charged(disk), limit = before;
	unsigned int refused = 0;
	int err;

	for (;; limit += 1000000) {
		unsigned int trained = lesson.trained;

		assert_int_equal(store_set_memlimit(disk, limit), 0);
		err = train_now(disk);
		assert_true(charged(disk) <= limit);
		if (!err)
			break;
		refused++;
		assert_int_equal(err, -ENOSPC);
		/* It is seen before any work is done. */
		assert_int_equal(lesson.trained, trained);
		must_be_untouched(disk, before);
	}
	assert_in_range(refused, 5, 20);
	alike_must_hold(disk, 0, PAGES, 1);
	store_done(disk);
}

static void a_machine_short_of_memory_is_spared(void **state)
{
	struct store *disk = filled(PAGES);
	char path[] = "ramzswap-meminfo-XXXXXX";
	uint64_t before = charged(disk);
	int file = mkstemp(path);

	assert_true(file >= 0);
	unlink(path);
	assert_true(dprintf(file, "MemTotal: 65536 kB\nMemAvailable: 32768 kB\n") > 0);
	close(disk->dictionary.meminfo);
	disk->dictionary.meminfo = file;
	assert_int_equal(train_now(disk), -ENOSPC);
	assert_int_equal(lesson.trained, 0);
	must_be_untouched(disk, before);
	assert_false(disk->dictionary.wanted);
	assert_true(pwrite(file, "MemTotal: 99999999 kB\nMemAvailable: 99999 kB\n", 46, 0) > 0);
	assert_int_equal(train_now(disk), 0);
	store_done(disk);
}

/* As train_now, of pages that are idle. */
static int train_idle(struct store *disk)
{
	pthread_mutex_lock(&disk->recompress.lock);
	disk->dictionary.wanted = true;
	pthread_mutex_unlock(&disk->recompress.lock);
	return train(disk, 10);
}

static void it_is_made_of_idle_pages_alone(void **state)
{
	struct store *disk = learner(PAGES, STORE_NO_LIMIT);
	uint64_t before;

	alike_fill(disk, 0, 350, 1);
	atomic_fetch_add(&disk->age, 20);
	alike_fill(disk, 350, PAGES, 1);
	lesson.idle_pages = 350;
	assert_int_equal(train_idle(disk), 0);
	/* One in ten is kept to try it on. */
	assert_int_equal(lesson.pages, 350 - 35);
	assert_int_equal(lesson.foreign, 0);
	store_done(disk);

	disk = learner(PAGES, STORE_NO_LIMIT);
	alike_fill(disk, 0, 299, 1);
	atomic_fetch_add(&disk->age, 20);
	alike_fill(disk, 299, PAGES, 1);
	before = charged(disk);
	assert_int_equal(train_idle(disk), -EAGAIN);
	assert_int_equal(lesson.trained, 0);
	must_be_untouched(disk, before);
	store_done(disk);
}

static void a_large_one_is_made_of_no_more_pages_than_the_codec_takes(void **state)
{
	const uint64_t pages = CODEC_TRAIN_PAGES_MAX + 150;
	struct store *disk = filled(pages);

	with_dictionary.size_min = 600 << 10;
	assert_int_equal(train_now(disk), -ENODATA);
	assert_int_equal(lesson.size, 600 << 10);
	assert_int_equal(lesson.trained, 1);
	assert_in_range(lesson.pages, CODEC_TRAIN_PAGES_MAX / 3, CODEC_TRAIN_PAGES_MAX);
	assert_int_equal(atomic_load(&disk->dictionary.bytes), 0);
	store_done(disk);
}

static void one_of_pages_that_went_meanwhile_is_never_used(void **state)
{
	struct store *disk = filled(PAGES);

	lesson.resets = disk;
	assert_int_equal(train_now(disk), -EAGAIN);
	lesson.resets = NULL;
	assert_int_equal(lesson.trained, 1);
	assert_int_equal(stats_of(disk).dictionaries_made, 0);
	assert_int_equal(stats_of(disk).dictionary_bytes, 0);
	assert_int_equal(disk->dictionary.current, -1);
	must_read_zeroes(disk, 64 * PAGE, 0);
	alike_fill(disk, 0, PAGES, 1);
	assert_int_equal(train_now(disk), 0);
	alike_must_hold(disk, 0, PAGES, 1);
	store_done(disk);
}

static void the_background_makes_one_when_one_is_wanted(void **state)
{
	struct store *disk = filled(PAGES), *other = store_of(MIB, STORE_NO_LIMIT);
	uint64_t start;

	assert_int_equal(store_train_work(other), 1000);
	store_done(other);
	assert_int_equal(store_train_work(disk), 1000);
	disk->dictionary.wanted = true;
	store_interrupt(disk);
	assert_int_equal(store_train_work(disk), 1000);
	assert_int_equal(lesson.trained, 0);
	atomic_store(&disk->interrupted, false);
	/* Not of pages that are in use: soon again. */
	assert_int_equal(store_train_work(disk), 1000);
	assert_int_equal(lesson.trained, 0);
	assert_int_equal(atomic_load(&disk->recompress.ns), 0);
	atomic_fetch_add(&disk->age, 100);
	disk->dictionary.wanted = true;
	disk->recompress.cpu_percent = 10;
	start = clock_ms();
	assert_int_equal(store_train_work(disk), 1000);
	assert_int_equal(stats_of(disk).dictionaries_made, 1);
	/* What it took is rested from, as from any work of that kind. */
	assert_true(atomic_load(&disk->recompress.ns) > 0);
	assert_true(disk->recompress.rest_until > start);
	assert_false(disk->dictionary.wanted);
	store_done(disk);
}

static void what_encodes_is_given_back_when_it_rests(void **state)
{
	struct store *disk = filled(PAGES);
	struct dictionaries *all = &disk->dictionary;
	uint64_t with;

	assert_int_equal(train_now(disk), 0);
	assert_non_null(all->writer);
	with = charged(disk);
	pthread_mutex_lock(&disk->recompress.lock);
	dictionary_tend(disk, true);
	assert_non_null(all->writer);
	all->writer_used_ms -= 61 * 1000;
	dictionary_tend(disk, true);
	pthread_mutex_unlock(&disk->recompress.lock);
	assert_null(all->writer);
	assert_int_equal(charged(disk), with - all->writer_size);
	/* Without room for it pages are encoded without a dictionary, and are right. */
	assert_int_equal(store_set_memlimit(disk, charged(disk)), 0);
	recompress_now(disk);
	assert_int_equal(stats_of(disk).pages_dictionary, 0);
	assert_int_equal(stats_of(disk).pages_idle_codec, PAGES);
	alike_must_hold(disk, 0, PAGES, 1);
	assert_int_equal(store_set_memlimit(disk, STORE_NO_LIMIT), 0);
	alike_fill(disk, 0, PAGES, 1);
	recompress_now(disk);
	assert_true(stats_of(disk).pages_dictionary > PAGES / 2);
	alike_must_hold(disk, 0, PAGES, 1);
	store_done(disk);
}

static bool is_wanted_now(struct store *disk)
{
	bool wanted;

	pthread_mutex_lock(&disk->recompress.lock);
	dictionary_tend(disk, true);
	wanted = disk->dictionary.wanted;
	pthread_mutex_unlock(&disk->recompress.lock);
	return wanted;
}

static void it_is_made_anew_when_a_much_larger_one_suits(void **state)
{
	struct store *disk = filled(PAGES);
	struct dictionaries *all = &disk->dictionary;
	struct generation *made;

	assert_int_equal(train_now(disk), 0);
	made = &all->generation[all->current];
	made->born_ms -= 11 * 60 * 1000;
	all->won_lately = all->won_first;
	assert_false(is_wanted_now(disk));
	made->suited /= 4;
	assert_true(is_wanted_now(disk));
	/* Not while there is reason to wait, nor for a few pages. */
	all->retry_ms = clock_ms() + 60 * 1000;
	assert_false(is_wanted_now(disk));
	all->retry_ms = 0;
	must_zero(disk, 200 * PAGE, 0);
	assert_false(is_wanted_now(disk));
	store_done(disk);
}

static void what_it_wins_is_told_by_its_last_comparisons(void **state)
{
	struct store *disk = filled(PAGES);
	struct dictionaries *all = &disk->dictionary;

	assert_int_equal(train_now(disk), 0);
	for (unsigned int i = 0; i < 256; i++)
		dictionary_compared(disk, 1000, 2000);
	assert_true(all->won_lately == 0.5);
	assert_int_equal(all->compared, 0);
	/* Where it wins nothing, the page is encoded without it. */
	for (unsigned int i = 0; i < 255; i++)
		dictionary_compared(disk, 3000, 2000);
	assert_true(all->won_lately == 0.5);
	dictionary_compared(disk, 2000, 2000);
	assert_true(all->won_lately == 0);
	store_done(disk);
}

static void what_does_not_decode_to_the_page_never_takes_its_place(void **state)
{
	struct store *disk = filled(PAGES);

	lesson.confuses = true;
	recompress_now(disk);
	assert_int_equal(stats_of(disk).pages_recompressed, 0);
	alike_must_hold(disk, 0, PAGES, 1);
	lesson.confuses = false;
	assert_int_equal(train_now(disk), 0);
	recompress_now(disk);
	assert_true(stats_of(disk).pages_dictionary > PAGES / 2);
	/* From an old dictionary a page comes away all the same: uncompressed. */
	alike_fill(disk, 0, PAGES - 100, 1);
	assert_int_equal(train_now(disk), 0);
	lesson.confuses = true;
	/* Room inside of spans: nothing is taken from the system for this. */
	must_zero(disk, 600 * PAGE, 0);
	recompress_now(disk);
	assert_int_equal(stats_of(disk).pages_dictionary, 0);
	assert_int_equal(stats_of(disk).pages_expand, 100);
	must_read_zeroes(disk, 600 * PAGE, 0);
	alike_must_hold(disk, 600, PAGES, 1);
	store_done(disk);
}

static void recompression_without_memory_for_it_changes_nothing(void **state)
{
	struct store_config config = { .size = PAGES * PAGE, .memlimit = STORE_NO_LIMIT };
	struct store *disk;
	uint64_t before, won = 77;

	config.idle_codec = codec_find("zstd");
	if (!config.idle_codec)
		skip();
	assert_int_equal(store_create(&disk, &config), 0);
	alike_fill(disk, 0, PAGES, 1);
	before = charged(disk);
	assert_int_equal(store_set_memlimit(disk, before), 0);
	assert_int_equal(store_recompress(disk, &won, NULL), -ENOSPC);
	assert_int_equal(charged(disk), before);
	assert_int_equal(store_set_memlimit(disk, STORE_NO_LIMIT), 0);
	arm(0, true);
	assert_int_equal(store_recompress(disk, &won, NULL), -ENOMEM);
	fault.armed = false;
	assert_true(fault.refused > 0);
	assert_int_equal(won, 77);
	assert_int_equal(stats_of(disk).pages_recompressed, 0);
	/* What threads read by is made once, and stays. */
	assert_int_equal(charged(disk), before + disk->recompress.readers_size);
	/* Nor with room for that alone. */
	assert_int_equal(store_set_memlimit(disk, charged(disk) + 4096), 0);
	assert_int_equal(store_recompress(disk, &won, NULL), -ENOSPC);
	assert_int_equal(charged(disk), before + disk->recompress.readers_size);
	alike_must_hold(disk, 0, PAGES, 1);
	assert_int_equal(store_set_memlimit(disk, STORE_NO_LIMIT), 0);
	assert_int_equal(store_recompress(disk, &won, NULL), 0);
	assert_true(won > 77);
	alike_must_hold(disk, 0, PAGES, 1);
	store_done(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_stays_charged_wherever_memory_is_refused),
		cmocka_unit_test(nothing_stays_charged_wherever_the_codec_refuses),
		cmocka_unit_test(no_limit_is_exceeded_for_it),
		cmocka_unit_test(a_machine_short_of_memory_is_spared),
		cmocka_unit_test(it_is_made_of_idle_pages_alone),
		cmocka_unit_test(a_large_one_is_made_of_no_more_pages_than_the_codec_takes),
		cmocka_unit_test(one_of_pages_that_went_meanwhile_is_never_used),
		cmocka_unit_test(the_background_makes_one_when_one_is_wanted),
		cmocka_unit_test(what_encodes_is_given_back_when_it_rests),
		cmocka_unit_test(it_is_made_anew_when_a_much_larger_one_suits),
		cmocka_unit_test(what_it_wins_is_told_by_its_last_comparisons),
		cmocka_unit_test(what_does_not_decode_to_the_page_never_takes_its_place),
		cmocka_unit_test(recompression_without_memory_for_it_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
