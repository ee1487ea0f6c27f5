/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All at once: overwrites, trims and reads, while pages are compacted, recompressed, learned
 * from and written back.  Each client has pages of its own and knows what they hold.
 * STRESS_SECONDS says for how long; a few by default, minutes for the sanitizers.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "alike.h"

#define PAGES 2400u
#define CLIENTS 3u
#define SECONDS_DEFAULT 4u

/* So many pages stay in memory: a dictionary is made of no fewer. */
#define PAGES_IN_MEMORY 1600u

/* One at least is made while all goes on, and one in so many seconds. */
#define SECONDS_PER_DICTIONARY 60u

static atomic_bool over;
static atomic_uint trained, refused;

static unsigned int seconds(void)
{
	const char *text = getenv("STRESS_SECONDS");
	unsigned long given = text ? strtoul(text, NULL, 10) : 0;

	return given ? (unsigned int)given : SECONDS_DEFAULT;
}

struct client {
	pthread_t thread;
	unsigned int id;
	uint32_t version[PAGES / CLIENTS + 1]; /* 0: trimmed */
	uint64_t requests;
};

static void expected(const struct client *client, unsigned int i, unsigned char *page)
{
	uint32_t version = client->version[i];

	if (version == 0)
		memset(page, 0, PAGE);
	else if (version % 11 == 0)
		make_page(page, i * 3, version);
	else
		/* What pages have in common changes as time goes by. */
		alike_page(page, i, version, version / 8);
}

static void one_request(struct client *client, struct rng *dice)
{
	unsigned int i = (unsigned int)rng_below(dice, PAGES / CLIENTS);
	uint64_t offset = ((uint64_t)i * CLIENTS + client->id) * PAGE;
	unsigned char page[PAGE], got[PAGE];

	switch (rng_below(dice, 8)) {
	case 0:
		client->version[i] = 0;
		must_zero(store, PAGE, offset);
		break;
	case 1:
	case 2:
		client->version[i] = 1 + (uint32_t)(client->requests / 2000);
		expected(client, i, page);
		must_write(store, page, PAGE, offset);
		break;
	default:
		expected(client, i, page);
		assert_int_equal(store_read(store, got, PAGE, offset), 0);
		assert_memory_equal(got, page, PAGE);
	}
	client->requests++;
}

static void *be_client(void *arg)
{
	struct client *client = arg;
	struct rng dice = { .state = client->id + 1 };

	while (!atomic_load(&over)) {
		one_request(client, &dice);
		/* Leaves the others some of the processor. */
		if (client->requests % 16 == 0)
			usleep(2000);
	}
	return NULL;
}

static void *compact(void *arg)
{
	while (!atomic_load(&over)) {
		(void)store_compact(store, NULL);
		(void)store_work(store);
		/* Pages get old faster than by the clock. */
		atomic_fetch_add(&store->age, 1);
		usleep(40000);
	}
	return NULL;
}

static void *recompress(void *arg)
{
	uint64_t won;

	for (unsigned int round = 0; !atomic_load(&over); round++) {
		assert_int_equal(recompress_all(store, round % 4 == 3 ? CODEC_DENSE : CODEC_MAX,
						&won, NULL),
				 0);
		/* Long enough for who waits for the lock. */
		usleep(20000);
	}
	return NULL;
}

static void *learn(void *arg)
{
	while (!atomic_load(&over)) {
		if (train_now(store) == 0)
			atomic_fetch_add(&trained, 1);
		else
			/* Most often the oldest is still needed, by pages behind the pool too. */
			atomic_fetch_add(&refused, 1);
		usleep(10000);
	}
	return NULL;
}

static void *write_back(void *arg)
{
	uint64_t bytes;

	while (!atomic_load(&over)) {
		struct ramzswap_stats now = stats_of(store);

		if (now.pages_stored - now.bd_count > PAGES_IN_MEMORY)
			(void)store_writeback(store, WRITEBACK_IDLE, 1, &bytes, NULL);
		(void)store_writeback_work(store);
		usleep(20000);
	}
	return NULL;
}

static void write_first(struct client *client)
{
	unsigned char page[PAGE];

	for (unsigned int i = 0; i < PAGES / CLIENTS; i++) {
		client->version[i] = 1;
		expected(client, i, page);
		must_write(store, page, PAGE, ((uint64_t)i * CLIENTS + client->id) * PAGE);
	}
}

/* A dictionary, pages by it, in memory and behind: so all is there to be raced for. */
static void begin(struct client *clients, struct ramzswap_stats *before)
{
	for (unsigned int i = 0; i < CLIENTS; i++) {
		clients[i].id = i;
		write_first(&clients[i]);
	}
	assert_int_equal(train_now(store), 0);
	recompress_now(store);
	(void)write_all_back();
	drain();
	for (unsigned int i = 1; i < CLIENTS; i++)
		write_first(&clients[i]);
	*before = stats_of(store);
	assert_true(before->pages_dictionary > 0);
}

static bool went_on(const struct ramzswap_stats *before)
{
	struct ramzswap_stats now = stats_of(store);

	return atomic_load(&trained) >= 1 + seconds() / SECONDS_PER_DICTIONARY &&
	       now.pages_recompressed > before->pages_recompressed &&
	       now.bd_writes > before->bd_writes && now.bd_reads > before->bd_reads;
}

static void all_at_once_no_page_is_ever_wrong(void **state)
{
	static void *(*const background[])(void *) = { compact, recompress, learn, write_back };
	const struct setup setup = { .disk = PAGES * PAGE, .backing = 64 * MIB };
	static struct client clients[CLIENTS];
	pthread_t threads[sizeof(background) / sizeof(*background)];
	struct ramzswap_stats before;
	unsigned char page[PAGE];

	begin_test(&setup);
	store_destroy(store);
	store = alike_store(PAGES, STORE_NO_LIMIT, backing);
	if (!store) {
		print_message("built without zstd\n");
		store = store_of(PAGE, STORE_NO_LIMIT);
		end_test();
		skip();
	}
	/* It must not pass because too little has come to pass. */
	begin(clients, &before);
	for (unsigned int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&clients[i].thread, NULL, be_client, &clients[i]),
				 0);
	for (size_t i = 0; i < sizeof(background) / sizeof(*background); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, background[i], NULL), 0);
	sleep(seconds());
	for (unsigned int i = 0; i < 120 && !went_on(&before); i++)
		sleep(1);
	atomic_store(&over, true);
	for (size_t i = 0; i < sizeof(background) / sizeof(*background); i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		assert_true(clients[i].requests > 0);
		for (unsigned int j = 0; j < PAGES / CLIENTS; j++) {
			expected(&clients[i], j, page);
			must_read(store, page, PAGE, ((uint64_t)j * CLIENTS + i) * PAGE);
		}
	}
	print_message("%u dictionaries made, %u refused, %lu pages recompressed, %lu returned, "
		      "%lu written back, %lu requests of the first client\n",
		      atomic_load(&trained), atomic_load(&refused),
		      (unsigned long)stats_of(store).pages_recompressed,
		      (unsigned long)stats_of(store).pages_returned,
		      (unsigned long)stats_of(store).bd_writes, (unsigned long)clients[0].requests);
	assert_true(went_on(&before));
	end_test();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_once_no_page_is_ever_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
