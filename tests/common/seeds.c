/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pages.h"
#include "seeds.h"

struct seeds_options seeds_options;
struct seeds_tally *seeds_tally;

void seeds_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static const char *how_it_ended(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return "hung";
	if (WIFSIGNALED(status))
		return strsignal(WTERMSIG(status));
	return "exited";
}

static void run_seed(const struct seeds_test *test, uint64_t seed)
{
	alarm(seeds_options.patience_s + (unsigned int)(seeds_options.operations / 1000));
	test->run(seed);
}

/* Whether it went well. */
static bool run_apart(const struct seeds_test *test, uint64_t seed)
{
	uint64_t before = atomic_load(&seeds_tally->operations);
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		run_seed(test, seed);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror(test->name);
		return false;
	}
	if (status == 0 && atomic_load(&seeds_tally->operations) > before) {
		if (seeds_options.verbose)
			fprintf(stderr, "seed %llu: well (%s, %s)\n", (unsigned long long)seed,
				test->kind(seed), test->crew(seed));
		return true;
	}
	fprintf(stderr,
		"%s: seed %llu (%s, %s): %s; to have it again: %s --seed %llu --seeds 1 "
		"--operations %llu\n",
		test->name, (unsigned long long)seed, test->kind(seed), test->crew(seed),
		how_it_ended(status), test->name, (unsigned long long)seed,
		(unsigned long long)seeds_options.operations);
	return false;
}

static uint64_t number(const char *program, const char *name, const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*end || end == text || value == 0) {
		fprintf(stderr, "%s: %s takes a number from 1 on, not '%s'\n", program, name, text);
		exit(2);
	}
	return value;
}

static void parse(int argc, char **argv, const char *program)
{
	static const struct option longs[] = { { "seed", required_argument, NULL, 's' },
					       { "seeds", required_argument, NULL, 'n' },
					       { "operations", required_argument, NULL, 'o' },
					       { "patience", required_argument, NULL, 'p' },
					       { "verbose", no_argument, NULL, 'v' },
					       { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			seeds_options.seed = number(program, "--seed", optarg);
			break;
		case 'n':
			seeds_options.seeds = number(program, "--seeds", optarg);
			break;
		case 'o':
			seeds_options.operations = number(program, "--operations", optarg);
			break;
		case 'p':
			seeds_options.patience_s =
				(unsigned int)number(program, "--patience", optarg);
			break;
		case 'v':
			seeds_options.verbose = true;
			break;
		default:
			exit(2);
		}
	}
}

int seeds_main(int argc, char **argv, const struct seeds_test *test)
{
	const struct seeds_tally *tally;
	uint64_t failed = 0;

	seeds_options = test->defaults;
	parse(argc, argv, test->name);
	seeds_options.operations = seeds_options.operations * test_scale() / 100;
	if (seeds_options.operations == 0)
		seeds_options.operations = 1;
	seeds_tally = mmap(NULL, sizeof(*seeds_tally), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seeds_tally == MAP_FAILED) {
		perror(test->name);
		return 1;
	}
	tally = seeds_tally;
	for (uint64_t i = 0; i < seeds_options.seeds; i++)
		failed += !run_apart(test, seeds_options.seed + i);
	printf("%llu operations over %llu seeds, %llu resets: %llu changes refused for want of "
	       "memory, %llu reads failed with their medium, %llu seeds failed\n",
	       (unsigned long long)tally->operations, (unsigned long long)seeds_options.seeds,
	       (unsigned long long)tally->resets, (unsigned long long)tally->failures,
	       (unsigned long long)tally->errors, (unsigned long long)failed);
	return failed ? 1 : 0;
}
