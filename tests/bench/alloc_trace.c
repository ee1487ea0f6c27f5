/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays one trace through xvmalloc, glibc's malloc, jemalloc and mimalloc, and
 * says how much memory each took over the plain sum of the objects, and how long.
 *
 * Each replay is a fresh process: this program again, with the other allocator
 * preloaded, so that every allocator runs as its users run it.  Memory and time
 * are measured in separate replays.
 */
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inform.h"
#include "replay.h"

#define REPEAT_MAX 15

static const struct peer {
	const char *name;
	enum replay_allocator allocator;
	const char *library; /* to preload */
	const char *symbol;  /* that is there if it was */
	bool time_only;
} peers[] = {
	{ "xvmalloc", REPLAY_OURS, NULL, NULL, false },
	{ "xvmalloc, prefetched", REPLAY_OURS_PREFETCH, NULL, NULL, true },
	{ "glibc malloc", REPLAY_MALLOC, NULL, NULL, false },
	{ "jemalloc", REPLAY_MALLOC, "libjemalloc.so.2", "mallctl", false },
	{ "mimalloc", REPLAY_MALLOC, "libmimalloc.so.2", "mi_malloc", false },
};

#define PEERS (sizeof(peers) / sizeof(peers[0]))

struct options {
	bool json;
	int repeat;
	const char *write;
};

/* In the child: the trace and the room for the result are the files 3 and 4. */
#define TRACE_FD 3
#define RESULT_FD 4

static int run_child(unsigned int peer, bool timed)
{
	struct replay_result *result;
	struct trace trace;
	off_t bytes = lseek(TRACE_FD, 0, SEEK_END);
	char *map = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, TRACE_FD, 0);

	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED, RESULT_FD, 0);
	if (map == MAP_FAILED || result == MAP_FAILED)
		return 1;
	memcpy(&trace, map, sizeof(trace));
	trace.ops = (struct trace_op *)(map + sizeof(trace));
	if (peers[peer].symbol && !dlsym(RTLD_DEFAULT, peers[peer].symbol))
		snprintf(result->error, sizeof(result->error), "%s is not installed",
			 peers[peer].library);
	else if (timed)
		replay_time(&trace, peers[peer].allocator, result);
	else
		replay_memory(&trace, peers[peer].allocator, result);
	return 0;
}

/* A file in memory that children find as the given descriptor. */
static int make_file(const char *name, int fd, size_t bytes)
{
	int made = memfd_create(name, 0);

	if (made < 0 || ftruncate(made, (off_t)bytes))
		return -errno;
	if (made != fd) {
		if (dup2(made, fd) < 0)
			return -errno;
		close(made);
	}
	return 0;
}

static int share_trace(const struct trace *trace)
{
	size_t ops = trace->count * sizeof(trace->ops[0]), bytes = sizeof(*trace) + ops;
	char *map;

	if (make_file("trace", TRACE_FD, bytes))
		return -errno;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, TRACE_FD, 0);
	if (map == MAP_FAILED)
		return -errno;
	memcpy(map, trace, sizeof(*trace));
	memcpy(map + sizeof(*trace), trace->ops, ops);
	munmap(map, bytes);
	return 0;
}

static void run(unsigned int peer, bool timed, struct replay_result *result)
{
	char preload[128], number[16];
	char *const environment[] = { peers[peer].library ? preload : NULL, NULL };
	char *const arguments[] = { "alloc_trace", "--child", number, timed ? "time" : "memory",
				    NULL };
	int status;
	pid_t pid;

	memset(result, 0, sizeof(*result));
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", peers[peer].library);
	snprintf(number, sizeof(number), "%u", peer);
	pid = fork();
	if (pid == 0) {
		execve("/proc/self/exe", arguments, environment);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		snprintf(result->error, sizeof(result->error), "the replay failed");
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Runs the timed replay several times and keeps the median of each figure. */
static void run_timed(unsigned int peer, int repeat, struct replay_result *shared,
		      struct replay_result *result)
{
	static double alloc[TRACE_PHASES_MAX][REPEAT_MAX], release[TRACE_PHASES_MAX][REPEAT_MAX];

	for (int i = 0; i < repeat; i++) {
		run(peer, true, shared);
		if (shared->error[0])
			memcpy(result->error, shared->error, sizeof(result->error));
		for (int phase = 0; phase < TRACE_PHASES_MAX; phase++) {
			alloc[phase][i] = shared->ns_alloc[phase];
			release[phase][i] = shared->ns_free[phase];
		}
	}
	for (int phase = 0; phase < TRACE_PHASES_MAX; phase++) {
		qsort(alloc[phase], (size_t)repeat, sizeof(double), compare);
		qsort(release[phase], (size_t)repeat, sizeof(double), compare);
		result->ns_alloc[phase] = alloc[phase][repeat / 2];
		result->ns_free[phase] = release[phase][repeat / 2];
	}
}

static double over_ideal(const struct replay_point *point)
{
	return point->ideal ? (double)point->used / (double)point->ideal : 0;
}

static void print_point(const struct replay_point *point)
{
	if (point->ideal)
		printf(" %.3f |", over_ideal(point));
	else
		printf(" %.1f MB |", (double)point->used / 1e6);
}

static bool compacts(unsigned int peer, const struct trace *trace, uint32_t phase)
{
	return peers[peer].allocator != REPLAY_MALLOC && !strcmp(trace->phase[phase], "free75");
}

static void print_table(const struct trace *trace, const struct replay_result *results)
{
	printf("trace %s: %zu operations, %u objects at most\n\n", trace->name,
	       trace->count - trace->phases, trace->slots);
	printf("memory used over the sum of the objects (or MB where there are none)\n\n| |");
	for (uint32_t phase = 0; phase < trace->phases; phase++)
		printf(" %s |%s", trace->phase[phase],
		       compacts(0, trace, phase) ? " compacted |" : "");
	printf("\n|---|");
	for (uint32_t phase = 0; phase < trace->phases; phase++)
		printf("---|%s", compacts(0, trace, phase) ? "---|" : "");
	printf("\n");
	for (unsigned int peer = 0; peer < PEERS; peer++) {
		if (peers[peer].time_only)
			continue;
		printf("| %s |", peers[peer].name);
		if (results[peer].error[0]) {
			printf(" %s |\n", results[peer].error);
			continue;
		}
		for (uint32_t phase = 0; phase < trace->phases; phase++) {
			print_point(&results[peer].phase[phase]);
			if (compacts(peer, trace, phase))
				print_point(&results[peer].compacted[phase]);
			else if (compacts(0, trace, phase))
				printf(" - |");
		}
		printf("\n");
	}
	printf("\nns for one alloc / one free, payload untouched; in brackets an operation with "
	       "it\n\n"
	       "| |");
	for (uint32_t phase = 0; phase < trace->phases; phase++)
		printf(" %s |", trace->phase[phase]);
	printf("\n|---|");
	for (uint32_t phase = 0; phase < trace->phases; phase++)
		printf("---|");
	for (unsigned int peer = 0; peer < PEERS; peer++) {
		printf("\n| %s |", peers[peer].name);
		for (uint32_t phase = 0; phase < trace->phases && !results[peer].error[0];
		     phase++) {
			printf(" %.0f / %.0f", results[peer].ns_alloc[phase],
			       results[peer].ns_free[phase]);
			if (!peers[peer].time_only)
				printf(" (%.0f)", results[peer].ns_touched[phase]);
			printf(" |");
		}
	}
	printf("\n");
}

static void print_json_peer(const struct trace *trace, unsigned int peer,
			    const struct replay_result *result)
{
	printf("    {\"name\": \"%s\", \"error\": \"%s\", \"phases\": [", peers[peer].name,
	       result->error);
	for (uint32_t phase = 0; phase < trace->phases; phase++) {
		const struct replay_point *point = &result->phase[phase];

		printf("%s\n      {\"name\": \"%s\", \"op\": %llu, \"ideal\": %llu, \"used\": "
		       "%llu, ",
		       phase ? "," : "", trace->phase[phase], (unsigned long long)point->op,
		       (unsigned long long)point->ideal, (unsigned long long)point->used);
		if (compacts(peer, trace, phase))
			printf("\"compacted\": %llu, \"compact_ms\": %.2f, ",
			       (unsigned long long)result->compacted[phase].used,
			       result->compact_ms[phase]);
		printf("\"alloc_ns\": %.1f, \"free_ns\": %.1f, \"touched_ns\": %.1f}",
		       result->ns_alloc[phase], result->ns_free[phase], result->ns_touched[phase]);
	}
	printf("],\n      \"samples\": [");
	for (uint32_t i = 0; i < result->samples; i++)
		printf("%s[%llu, %llu, %llu]", i ? ", " : "",
		       (unsigned long long)result->sample[i].op,
		       (unsigned long long)result->sample[i].ideal,
		       (unsigned long long)result->sample[i].used);
	printf("]}");
}

static void print_json(const struct trace *trace, const struct replay_result *results)
{
	printf("{\n  \"trace\": \"%s\", \"operations\": %zu, \"objects\": %u,\n  \"allocators\": "
	       "[\n",
	       trace->name, trace->count - trace->phases, trace->slots);
	for (unsigned int peer = 0; peer < PEERS; peer++) {
		print_json_peer(trace, peer, &results[peer]);
		printf("%s\n", peer + 1 < PEERS ? "," : "");
	}
	printf("  ]\n}\n");
}

static int replay_all(const struct trace *trace, const struct options *options)
{
	static struct replay_result results[PEERS];
	struct replay_result *shared;

	if (share_trace(trace) || make_file("result", RESULT_FD, sizeof(*shared)) ||
	    (shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, RESULT_FD,
			   0)) == MAP_FAILED) {
		fprintf(stderr, "alloc_trace: cannot share the trace with the replays: %s\n",
			strerror(errno));
		return 1;
	}
	for (unsigned int peer = 0; peer < PEERS; peer++) {
		if (!peers[peer].time_only) {
			run(peer, false, shared);
			results[peer] = *shared;
		}
		if (!results[peer].error[0])
			run_timed(peer, options->repeat, shared, &results[peer]);
	}
	if (options->json)
		print_json(trace, results);
	else
		print_table(trace, results);
	return results[0].error[0] ? 1 : 0;
}

static void usage(FILE *to)
{
	fputs("usage: alloc_trace [--json] [--repeat N] [--write FILE] TRACE\n"
	      "TRACE is one of\n"
	      "  --pages FILE   pages of 4096 bytes, compressed: what tests/bench/collect-pages "
	      "makes\n"
	      "  --trace FILE   a recorded trace (the format is in tests/bench/trace.h)\n"
	      "  --uniform      a million operations, sizes 1 to 4096\n"
	      "  --mixed        a million operations, sizes 1024 to 2600 and many under 64\n"
	      "--write FILE records the trace and replays nothing.\n"
	      "alloc_trace --help | --version tells of itself.\n",
	      to);
}

static int mistake(void)
{
	usage(stderr);
	return 1;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "write", required_argument, NULL, 'w' },
		{ "pages", required_argument, NULL, 'p' },
		{ "trace", required_argument, NULL, 't' },
		{ "uniform", no_argument, NULL, 'u' },
		{ "mixed", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .repeat = 3 };
	struct trace trace = { 0 };
	int option, err = 0, traces = 0;

	if (argc == 4 && !strcmp(argv[1], "--child"))
		return run_child((unsigned int)atoi(argv[2]), !strcmp(argv[3], "time"));
	inform(argc, argv, "alloc_trace", usage);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0 && !err) {
		traces += option == 'p' || option == 't' || option == 'u' || option == 'm';
		if (traces > 1)
			return mistake();
		switch (option) {
		case 'j':
			options.json = true;
			break;
		case 'r':
			options.repeat = atoi(optarg);
			break;
		case 'w':
			options.write = optarg;
			break;
		case 'p':
			err = trace_from_pages(&trace, optarg);
			break;
		case 't':
			err = trace_read(&trace, optarg);
			break;
		case 'u':
			err = trace_uniform(&trace);
			break;
		case 'm':
			err = trace_mixed(&trace);
			break;
		default:
			return mistake();
		}
	}
	if (err)
		return 1;
	if (traces != 1 || optind != argc || options.repeat < 1 || options.repeat > REPEAT_MAX)
		return mistake();
	err = options.write ? trace_write(&trace, options.write) != 0
			    : replay_all(&trace, &options);
	trace_free(&trace);
	return err;
}
