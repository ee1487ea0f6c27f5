/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load for an NBD server: real pages, several connections, many requests in
 * flight, one phase after the other on the same connections.  One line of JSON a
 * phase.  nbd-bench runs it against one server after the other.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_pages.h"

#define CONNECTIONS_MAX 16
#define DEPTH_MAX 64
#define PHASES_MAX 256

/* Latencies are counted in sixteenths of an octave of nanoseconds. */
#define LATENCY_SUB 16
#define LATENCY_BINS (64 * LATENCY_SUB)

enum op { WRITE, READ, CHECK, RANDWRITE, RANDREAD, TRIM, PAUSE, OPS };

static const char *const op_names[OPS] = {
	"write", "read", "check", "randwrite", "randread", "trim", "pause",
};

struct phase {
	const char *text;
	enum op op;
	double from, to;      /* the part of the disk, 0 to 1 */
	double seconds;	      /* for a random phase */
	unsigned int percent; /* of the pages, for a trim */
};

struct load;

struct connection {
	struct load *load;
	pthread_t thread;
	struct nbd_handle *nbd;
	uint64_t random;
	unsigned int in_flight;
	struct flight {
		struct connection *connection;
		uint8_t *buffer;
		uint64_t offset;
		uint64_t begun; /* ns */
		bool busy;
	} flight[DEPTH_MAX];
	uint64_t requests; /* of this phase */
	uint64_t end;	   /* ns */
	uint32_t latency[LATENCY_BINS];
	uint64_t latency_max;
};

struct load {
	const char *uri;
	unsigned int connections, depth;
	uint32_t request; /* bytes */
	struct bench_pages pages;
	uint32_t page_runs; /* requests that the set of pages fills */
	uint64_t size;	    /* bytes of the disk */

	pthread_barrier_t barrier;
	const struct phase *phase; /* NULL: over */
	uint64_t begin;
	atomic_uint_fast64_t next; /* request of a phase in order */
	struct connection connection[CONNECTIONS_MAX];
};

static void die(const char *what)
{
	const char *why = nbd_get_error();

	fprintf(stderr, "nbd_load: %s: %s\n", what, why ? why : strerror(errno));
	exit(1);
}

/* What an ordered write puts at an offset. */
static const uint8_t *data_at(const struct load *load, uint64_t offset)
{
	return load->pages.data + offset / load->request % load->page_runs * load->request;
}

static void count_latency(struct connection *connection, uint64_t ns)
{
	unsigned int log = ns < 2 ? 0 : 63 - __builtin_clzll(ns);
	unsigned int sub = log < 4 ? 0 : ns >> (log - 4) & (LATENCY_SUB - 1);

	connection->latency[log * LATENCY_SUB + sub]++;
	if (ns > connection->latency_max)
		connection->latency_max = ns;
}

static int completed(void *opaque, int *error)
{
	struct flight *flight = opaque;
	struct connection *connection = flight->connection;
	struct load *load = connection->load;

	if (*error) {
		fprintf(stderr, "nbd_load: %s at %" PRIu64 ": %s\n", load->phase->text,
			flight->offset, strerror(*error));
		exit(1);
	}
	count_latency(connection, bench_clock(CLOCK_MONOTONIC) - flight->begun);
	if (load->phase->op == CHECK &&
	    memcmp(flight->buffer, data_at(load, flight->offset), load->request) != 0) {
		fprintf(stderr, "nbd_load: wrong data at %" PRIu64 "\n", flight->offset);
		exit(1);
	}
	flight->busy = false;
	connection->in_flight--;
	connection->requests++;
	return 1;
}

static void send_request(struct flight *flight, uint64_t offset)
{
	struct connection *connection = flight->connection;
	struct load *load = connection->load;
	nbd_completion_callback done = { .callback = completed, .user_data = flight };
	const uint8_t *data = data_at(load, offset);
	int64_t r;

	flight->offset = offset;
	flight->busy = true;
	flight->begun = bench_clock(CLOCK_MONOTONIC);
	connection->in_flight++;
	switch (load->phase->op) {
	case RANDWRITE:
		data = load->pages.data +
		       (size_t)bench_random_below(&connection->random, load->page_runs) *
			       load->request;
		/* fallthrough */
	case WRITE:
		r = nbd_aio_pwrite(connection->nbd, data, load->request, offset, done, 0);
		break;
	case TRIM:
		r = nbd_aio_trim(connection->nbd, load->request, offset, done, 0);
		break;
	default:
		r = nbd_aio_pread(connection->nbd, flight->buffer, load->request, offset, done, 0);
	}
	if (r < 0)
		die(load->phase->text);
}

/* Where the next request of the phase goes.  Returns false if there is none. */
static bool next_offset(struct connection *connection, uint64_t *offset)
{
	struct load *load = connection->load;
	const struct phase *phase = load->phase;
	uint64_t first = (uint64_t)(phase->from * load->size) / load->request;
	uint64_t end = (uint64_t)(phase->to * load->size) / load->request;

	if (phase->op == RANDWRITE || phase->op == RANDREAD) {
		if (bench_clock(CLOCK_MONOTONIC) - load->begin > phase->seconds * 1e9)
			return false;
		*offset = first + bench_random_below(&connection->random, end - first);
	} else {
		do {
			*offset = first + atomic_fetch_add(&load->next, 1);
			if (*offset >= end)
				return false;
		} while (phase->op == TRIM &&
			 bench_random_below(&connection->random, 100) >= phase->percent);
	}
	*offset *= load->request;
	return true;
}

static void run_connection(struct connection *connection)
{
	struct load *load = connection->load;
	bool more = true;
	uint64_t offset;

	connection->requests = connection->latency_max = 0;
	memset(connection->latency, 0, sizeof(connection->latency));
	while (more || connection->in_flight > 0) {
		for (unsigned int i = 0; i < load->depth && more; i++) {
			if (connection->flight[i].busy)
				continue;
			more = next_offset(connection, &offset);
			if (more)
				send_request(&connection->flight[i], offset);
		}
		if (connection->in_flight > 0 && nbd_poll(connection->nbd, -1) < 0)
			die("poll");
	}
	connection->end = bench_clock(CLOCK_MONOTONIC);
}

static void *connection_main(void *opaque)
{
	struct connection *connection = opaque;
	struct load *load = connection->load;

	for (;;) {
		pthread_barrier_wait(&load->barrier);
		if (!load->phase)
			return NULL;
		run_connection(connection);
		pthread_barrier_wait(&load->barrier);
	}
}

static void open_connections(struct load *load)
{
	pthread_barrier_init(&load->barrier, NULL, load->connections + 1);
	for (unsigned int i = 0; i < load->connections; i++) {
		struct connection *connection = &load->connection[i];

		connection->load = load;
		connection->random = 88172645463325252ull + i * 7919;
		connection->nbd = nbd_create();
		if (!connection->nbd || nbd_connect_uri(connection->nbd, load->uri) < 0)
			die(load->uri);
		/* The client's own care would be measured as the server's time. */
		nbd_set_pread_initialize(connection->nbd, false);
		nbd_set_strict_mode(connection->nbd, 0);
		load->size = nbd_get_size(connection->nbd);
		for (unsigned int j = 0; j < load->depth; j++) {
			connection->flight[j].connection = connection;
			connection->flight[j].buffer =
				aligned_alloc(BENCH_PAGE_SIZE, load->request);
			if (!connection->flight[j].buffer)
				die("buffers");
			memset(connection->flight[j].buffer, 0, load->request);
		}
		if (pthread_create(&connection->thread, NULL, connection_main, connection))
			die("threads");
	}
}

static void close_connections(struct load *load)
{
	load->phase = NULL;
	pthread_barrier_wait(&load->barrier);
	for (unsigned int i = 0; i < load->connections; i++) {
		struct connection *connection = &load->connection[i];

		pthread_join(connection->thread, NULL);
		nbd_shutdown(connection->nbd, 0);
		nbd_close(connection->nbd);
		for (unsigned int j = 0; j < load->depth; j++)
			free(connection->flight[j].buffer);
	}
	pthread_barrier_destroy(&load->barrier);
}

/* The latency in microseconds that this share of the requests stayed below. */
static double percentile(const struct load *load, double share)
{
	uint64_t total = 0, seen = 0;

	for (unsigned int i = 0; i < load->connections; i++)
		total += load->connection[i].requests;
	for (unsigned int bin = 0; bin < LATENCY_BINS; bin++) {
		for (unsigned int i = 0; i < load->connections; i++)
			seen += load->connection[i].latency[bin];
		if (seen >= share * total)
			return (double)(UINT64_C(1) << bin / LATENCY_SUB) *
			       (1 + (bin % LATENCY_SUB + 1) / (double)LATENCY_SUB) / 1000;
	}
	return 0;
}

static void report(const struct load *load)
{
	uint64_t requests = 0, end = load->begin, max = 0;
	double seconds, pages;

	for (unsigned int i = 0; i < load->connections; i++) {
		const struct connection *connection = &load->connection[i];

		requests += connection->requests;
		if (connection->end > end)
			end = connection->end;
		if (connection->latency_max > max)
			max = connection->latency_max;
	}
	seconds = (end - load->begin) / 1e9;
	pages = (double)requests * load->request / BENCH_PAGE_SIZE;
	printf("{\"phase\": \"%s\", \"requests\": %" PRIu64 ", \"seconds\": %.4f, "
	       "\"us_per_page\": %.4f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
	       load->phase->text, requests, seconds, pages > 0 ? seconds * 1e6 / pages : 0,
	       percentile(load, 0.5), percentile(load, 0.99), max / 1000.0);
	fflush(stdout);
}

static void run_phase(struct load *load, const struct phase *phase)
{
	char line[16];

	if (phase->op == PAUSE) {
		printf("{\"phase\": \"pause\"}\n");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			exit(1);
		return;
	}
	load->phase = phase;
	atomic_store(&load->next, 0);
	load->begin = bench_clock(CLOCK_MONOTONIC);
	pthread_barrier_wait(&load->barrier);
	pthread_barrier_wait(&load->barrier);
	report(load);
}

static const char usage[] =
	"usage: nbd_load --uri URI --pages FILE [--request BYTES] [--connections N]\n"
	"                [--depth N] [--max-pages N] PHASE...\n"
	"A PHASE is write, read or check (in order, once), randwrite:SECONDS,\n"
	"randread:SECONDS or trim:PERCENT (of the requests' places, at random), each with\n"
	"@FROM-TO in percent of the disk if not all of it; or pause, until a line on stdin.\n"
	"check reads what write wrote with the same --request, and compares.\n";

static void usage_error(const char *why, const char *word)
{
	fprintf(stderr, "nbd_load: %s: '%s'\n%s", why, word, usage);
	exit(2);
}

static void parse_phase(struct phase *phase, const char *text)
{
	char name[16];
	double number = 0, from = 0, to = 100;
	int n = 0, at = 0;

	if (sscanf(text, "%15[a-z]%n", name, &n) != 1)
		usage_error("no phase", text);
	*phase = (struct phase){ .text = text, .op = OPS };
	for (int op = 0; op < OPS; op++)
		if (strcmp(name, op_names[op]) == 0)
			phase->op = op;
	if (phase->op == OPS)
		usage_error("no phase", text);
	at = n;
	if (sscanf(text + at, ":%lf%n", &number, &n) == 1)
		at += n;
	if (sscanf(text + at, "@%lf-%lf%n", &from, &to, &n) == 2)
		at += n;
	if (text[at] != '\0' || from < 0 || to > 100 || from >= to || number < 0)
		usage_error("phase with a bad number", text);
	if ((phase->op == RANDWRITE || phase->op == RANDREAD) && number == 0)
		usage_error("phase without its seconds", text);
	phase->from = from / 100;
	phase->to = to / 100;
	phase->seconds = number;
	phase->percent = phase->op == TRIM && number == 0 ? 100 : (unsigned int)number;
}

static uint32_t number_of(const char *text, uint32_t min, uint32_t max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < min || n > max)
		usage_error("number out of range", text);
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "uri", required_argument, NULL, 'u' },
		{ "pages", required_argument, NULL, 'p' },
		{ "request", required_argument, NULL, 'q' },
		{ "connections", required_argument, NULL, 'c' },
		{ "depth", required_argument, NULL, 'd' },
		{ "max-pages", required_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	static struct load load = { .connections = 2, .depth = 16, .request = BENCH_PAGE_SIZE };
	static struct phase phases[PHASES_MAX];
	const char *path = NULL;
	uint32_t max_pages = 0;
	int option, count;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'u':
			load.uri = optarg;
			break;
		case 'p':
			path = optarg;
			break;
		case 'q':
			load.request = number_of(optarg, BENCH_PAGE_SIZE, 32 << 20);
			break;
		case 'c':
			load.connections = number_of(optarg, 1, CONNECTIONS_MAX);
			break;
		case 'd':
			load.depth = number_of(optarg, 1, DEPTH_MAX);
			break;
		case 'm':
			max_pages = number_of(optarg, 1, UINT32_MAX);
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	count = argc - optind;
	if (!load.uri || !path || count < 1 || count > PHASES_MAX ||
	    load.request % BENCH_PAGE_SIZE) {
		fputs(usage, stderr);
		return 2;
	}
	for (int i = 0; i < count; i++)
		parse_phase(&phases[i], argv[optind + i]);
	if (bench_pages_load(&load.pages, path, max_pages))
		return 1;
	load.page_runs = load.pages.count / (load.request / BENCH_PAGE_SIZE);
	if (load.page_runs == 0)
		usage_error("not even one request's worth of pages", path);
	open_connections(&load);
	for (int i = 0; i < count; i++)
		run_phase(&load, &phases[i]);
	close_connections(&load);
	bench_pages_unload(&load.pages);
	return 0;
}
