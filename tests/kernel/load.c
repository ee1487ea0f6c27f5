/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A load on memory that verifies what comes back from swap.
 *
 * usage: load touch|cycles|fork|work|hold [mem=SIZE] [seconds=N] [touches=N]
 *             [ratio=N.N] [write=PERCENT] [chunk=SIZE] [children=N] [seed=N] [times=1]
 *
 * Fills mem bytes of anonymous memory with pages that carry their own number and
 * version, then works on them, then verifies them all (mem=105%: a share of what memory this
 * machine's kernel has):
 *
 *   touch   pages at random: each is verified, and some are written anew; with times=1 it
 *           tells how long a major fault takes, which costs two system calls a touch
 *   cycles  chunks at random: verified, given back to the kernel, filled anew, so
 *           that swap slots are freed by the cluster and discards come
 *   fork    children that verify and rewrite pages of their own copy
 *   work    programs that do what programs do: each has a share of mem, a timer that interrupts
 *           it every two milliseconds, and children of its own; several times a second one is
 *           killed, and another starts in its place
 *   hold    fills, sleeps until the time is up, verifies
 *
 * Ends when the time or the number of touches is reached, or SIGUSR1 says that the time is up;
 * the last verification is not bounded.  Writes key=value lines to stdout and
 * flushes them as they are known.  Exit status: 0; 1 after a mismatch; 2 for bad
 * arguments or no memory; 3 when a read from swap failed (SIGBUS).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault_times.h"
#include "filler.h"

#define CHILDREN_MAX 64
#define TIMER_US 2000
#define LIFE_US 300000

struct load {
	struct filler filler;
	unsigned char *memory;
	uint32_t *versions; /* of each page; 0 for one that was given back */
	uint64_t pages;
	uint64_t seconds;     /* 0 for no bound */
	uint64_t touches_max; /* 0 for no bound */
	unsigned int write_percent;
	uint64_t chunk; /* pages */
	uint64_t times; /* whether major faults of touch are timed */
	unsigned int children;
	uint64_t state; /* of the random numbers */
	double start;
	struct counts *counts;
};

/* Shared with the children, who count atomically. */
struct counts {
	uint64_t touches;
	uint64_t mismatches;
	uint64_t forks;
	uint64_t children_failed;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t random_below(struct load *load, uint64_t bound)
{
	load->state ^= load->state << 13;
	load->state ^= load->state >> 7;
	load->state ^= load->state << 17;
	return (load->state >> 11) % bound;
}

static void *map(size_t size, int flags)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	if (memory == MAP_FAILED) {
		perror("load: mmap");
		exit(2);
	}
	return memory;
}

static unsigned char *page_at(const struct load *load, uint64_t number)
{
	return load->memory + number * FILLER_PAGE;
}

static void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void fill_page(struct load *load, uint64_t number)
{
	uint32_t version = load->versions[number] + 1;

	filler_make(&load->filler, page_at(load, number), number, version);
	load->versions[number] = version;
}

static void verify_page(struct load *load, uint64_t number)
{
	const uint64_t *words = (const uint64_t *)page_at(load, number);

	if (filler_verify(&load->filler, words, number, load->versions[number]))
		return;
	count(&load->counts->mismatches);
	/* A few are enough to see whether pages are misplaced, old or torn. */
	if (load->counts->mismatches <= 20)
		fprintf(stderr, "mismatch: page %llu version %u holds page %llu version %llu\n",
			(unsigned long long)number, load->versions[number],
			(unsigned long long)words[0], (unsigned long long)words[1]);
}

static void touch_page(struct load *load, uint64_t number)
{
	verify_page(load, number);
	if (random_below(load, 100) < load->write_percent)
		fill_page(load, number);
	count(&load->counts->touches);
}

static volatile sig_atomic_t told_to_end;

static void on_end(int signal)
{
	told_to_end = 1;
}

static bool time_is_up(const struct load *load)
{
	if (told_to_end)
		return true;
	return load->seconds && now() - load->start >= (double)load->seconds;
}

static bool is_over(const struct load *load)
{
	uint64_t touches = __atomic_load_n(&load->counts->touches, __ATOMIC_RELAXED);

	return (load->touches_max && touches >= load->touches_max) || time_is_up(load);
}

static struct fault_times fault_times;

static void run_touch(struct load *load)
{
	while (!is_over(load)) {
		uint64_t number = random_below(load, load->pages);

		if (load->times)
			fault_times_touch(&fault_times, page_at(load, number));
		touch_page(load, number);
	}
	if (load->times)
		fault_times_report(&fault_times);
}

/* Gives a chunk back in one of the two ways that programs do. */
static void give_back(struct load *load, uint64_t first, uint64_t pages)
{
	void *start = page_at(load, first);
	size_t length = pages * FILLER_PAGE;

	if (random_below(load, 2)) {
		madvise(start, length, MADV_DONTNEED);
	} else if (mmap(start, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != start) {
		perror("load: mmap");
		exit(2);
	}
	memset(load->versions + first, 0, pages * sizeof(*load->versions));
}

static void run_cycles(struct load *load)
{
	uint64_t chunks = load->pages / load->chunk;
	uint32_t round = 1;

	if (!chunks) {
		fprintf(stderr, "load: chunk= is larger than mem=\n");
		exit(2);
	}
	while (!is_over(load)) {
		uint64_t first = random_below(load, chunks) * load->chunk;
		uint64_t i;

		for (i = first; i < first + load->chunk; i++) {
			verify_page(load, i);
			count(&load->counts->touches);
		}
		give_back(load, first, load->chunk);
		verify_page(load, first);
		/* Versions never come back, so that a page of an earlier round is told apart. */
		for (i = first; i < first + load->chunk; i++) {
			load->versions[i] = round * 16;
			fill_page(load, i);
			count(&load->counts->touches);
		}
		round++;
	}
}

/* A child's life: pages of its own copy, some written anew, the written ones verified. */
static void child(struct load *load, unsigned int number)
{
	uint64_t first, pages = load->pages / 16 + 1, i;

	load->state ^= (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
	first = random_below(load, load->pages - pages + 1);
	for (i = 0; i < pages && !time_is_up(load); i++)
		touch_page(load, first + random_below(load, pages));
	for (i = first; i < first + pages; i++)
		verify_page(load, i);
	_exit(0);
}

static void run_fork(struct load *load)
{
	unsigned int running = 0;

	while (!is_over(load) || running) {
		int status;

		if (!is_over(load) && running < load->children) {
			pid_t pid = fork();

			if (pid == 0)
				child(load, (unsigned int)load->counts->forks);
			if (pid > 0) {
				running++;
				count(&load->counts->forks);
				continue;
			}
			if (!running) {
				perror("load: fork");
				exit(2);
			}
		}
		if (wait(&status) > 0) {
			running--;
			if (!WIFEXITED(status) || WEXITSTATUS(status))
				count(&load->counts->children_failed);
		}
		touch_page(load, random_below(load, load->pages));
	}
}

static void on_timer(int signal)
{
}

/* The child of one of the programs of work: it reads some pages and ends. */
static void fork_reader(struct load *load)
{
	pid_t pid = fork();
	int status, i;

	if (pid == 0) {
		for (i = 0; i < 64; i++)
			verify_page(load, random_below(load, load->pages));
		_exit(0);
	}
	if (pid < 0)
		return;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		count(&load->counts->children_failed);
}

/* One of the programs of work: until the time is up, if nobody kills it before. */
static void program(struct load *load, uint64_t number)
{
	const struct itimerval timer = { .it_interval = { .tv_usec = TIMER_US },
					 .it_value = { .tv_usec = TIMER_US } };
	uint64_t i;

	load->filler.seed += (number + 1) << 32;
	load->state ^= (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
	memset(load->versions, 0, load->pages * sizeof(*load->versions));
	load->memory = map(load->pages * FILLER_PAGE, MAP_PRIVATE);
	signal(SIGALRM, on_timer);
	if (setitimer(ITIMER_REAL, &timer, NULL))
		_exit(2);
	for (i = 0; i < load->pages && !time_is_up(load); i++) {
		fill_page(load, i);
		count(&load->counts->touches);
	}
	for (i = 1; !time_is_up(load); i++) {
		touch_page(load, random_below(load, load->pages));
		if (i % 512 == 0)
			fork_reader(load);
	}
	_exit(0);
}

/* Puts a program in the place, where one may be that is killed first; pid is 0 for none. */
static void start_anew(struct load *load, pid_t *pid)
{
	int status;

	if (*pid && !kill(*pid, SIGKILL) && waitpid(*pid, &status, 0) == *pid &&
	    (WIFEXITED(status) ? WEXITSTATUS(status) != 0 : WTERMSIG(status) != SIGKILL))
		count(&load->counts->children_failed);
	*pid = 0;
	if (time_is_up(load))
		return;
	*pid = fork();
	if (*pid == 0)
		program(load, load->counts->forks);
	if (*pid < 0) {
		perror("load: fork");
		exit(2);
	}
	count(&load->counts->forks);
}

static void run_work(struct load *load)
{
	pid_t programs[CHILDREN_MAX] = { 0 };
	unsigned int i;

	for (i = 0; i < load->children; i++)
		start_anew(load, &programs[i]);
	while (!time_is_up(load)) {
		usleep(LIFE_US);
		start_anew(load, &programs[random_below(load, load->children)]);
	}
	for (i = 0; i < load->children; i++)
		start_anew(load, &programs[i]);
}

static void run_hold(struct load *load)
{
	while (!time_is_up(load))
		usleep(200000);
}

static const struct mode {
	const char *name;
	void (*run)(struct load *load);
} modes[] = {
	{ "touch", run_touch }, { "cycles", run_cycles }, { "fork", run_fork },
	{ "work", run_work },	{ "hold", run_hold },
};

static uint64_t parse_size(const char *word, const char *value)
{
	char *end;
	unsigned long long number = strtoull(value, &end, 10);
	unsigned int shift = *end == 'k' || *end == 'K' ? 10
			     : *end == 'M'		? 20
			     : *end == 'G'		? 30
							: 0;

	if (end == value || (*end && (!shift || end[1]))) {
		fprintf(stderr, "load: %s is not a number such as 12, 64M or 1G\n", word);
		exit(2);
	}
	return number << shift;
}

/* As parse_size, or a share of the machine's memory. */
static uint64_t parse_pages(const char *word, const char *value)
{
	char *end;
	unsigned long long percent = strtoull(value, &end, 10);

	if (end != value && !strcmp(end, "%"))
		return (uint64_t)sysconf(_SC_PHYS_PAGES) * percent / 100;
	return parse_size(word, value) / FILLER_PAGE;
}

static void parse_word(struct load *load, const char *word)
{
	const char *value = strchr(word, '=');
	size_t length = value ? (size_t)(value - word) : 0;

	value = value ? value + 1 : "";
#define IS(name) (length == strlen(name) && !strncmp(word, name, length))
	if (IS("mem"))
		load->pages = parse_pages(word, value);
	else if (IS("seconds"))
		load->seconds = parse_size(word, value);
	else if (IS("touches"))
		load->touches_max = parse_size(word, value);
	else if (IS("ratio"))
		load->filler.ratio = (unsigned int)(strtod(value, NULL) * 10 + 0.5);
	else if (IS("write"))
		load->write_percent = (unsigned int)parse_size(word, value);
	else if (IS("chunk"))
		load->chunk = parse_size(word, value) / FILLER_PAGE;
	else if (IS("children"))
		load->children = (unsigned int)parse_size(word, value);
	else if (IS("seed"))
		load->filler.seed = parse_size(word, value);
	else if (IS("times"))
		load->times = parse_size(word, value);
	else {
		fprintf(stderr,
			"load: %s: unknown; known are mem= seconds= touches= ratio= "
			"write= chunk= children= seed= times=\n",
			word);
		exit(2);
	}
#undef IS
}

static void check_bounds(const struct load *load, const struct mode *mode)
{
	const char *wrong = NULL;

	if (!load->pages)
		wrong = "mem= must be 4k at least";
	else if (load->filler.ratio < FILLER_RATIO_MIN || load->filler.ratio > FILLER_RATIO_MAX)
		wrong = "ratio= must be 1 to 16";
	else if (load->write_percent > 100)
		wrong = "write= must be 0 to 100";
	else if (!load->chunk)
		wrong = "chunk= must be 4k at least";
	else if (!load->children || load->children > CHILDREN_MAX)
		wrong = "children= must be 1 to 64";
	else if (!load->seconds && !load->touches_max)
		wrong = "seconds= or touches= must be given";
	else if (!load->seconds && mode->run == run_work)
		wrong = "seconds= must be given for work";
	else if (load->times && mode->run != run_touch)
		wrong = "times= is of touch";
	if (wrong) {
		fprintf(stderr, "load: %s\n", wrong);
		exit(2);
	}
}

/* Only what is safe in a signal handler. */
static void on_bus_error(int signal)
{
	static const char line[] = "sigbus=1\n";

	if (write(STDOUT_FILENO, line, sizeof(line) - 1) < 0)
		_exit(4);
	_exit(3);
}

static void report(const struct load *load, const char *phase, double seconds, uint64_t touches)
{
	printf("%s_seconds=%.2f\n%s_per_second=%.0f\n", phase, seconds, phase,
	       (double)touches / (seconds > 0 ? seconds : 1));
	fflush(stdout);
}

static void work(struct load *load, const struct mode *mode)
{
	double begin = now();
	uint64_t i;

	for (i = 0; i < load->pages; i++)
		fill_page(load, i);
	report(load, "fill", now() - begin, load->pages);

	load->start = now();
	mode->run(load);
	printf("touches=%llu\n", (unsigned long long)load->counts->touches);
	report(load, "touches", now() - load->start, load->counts->touches);

	load->start = now();
	for (i = 0; i < load->pages; i++)
		verify_page(load, i);
	report(load, "verify", now() - load->start, load->pages);
	printf("forks=%llu\nchildren_failed=%llu\nelapsed=%.2f\nmismatches=%llu\n",
	       (unsigned long long)load->counts->forks,
	       (unsigned long long)load->counts->children_failed, now() - begin,
	       (unsigned long long)load->counts->mismatches);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct load load = {
		.filler = { .seed = 1, .ratio = 30 },
		.write_percent = 50,
		.chunk = (4 << 20) / FILLER_PAGE,
		.children = 4,
	};
	const struct mode *mode = NULL;
	size_t i;
	int arg;

	for (i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name))
			mode = &modes[i];
	if (!mode) {
		fprintf(stderr, "load: the first word must be touch, cycles, fork, work or hold\n");
		return 2;
	}
	for (arg = 2; arg < argc; arg++)
		parse_word(&load, argv[arg]);
	check_bounds(&load, mode);
	/* Its programs have a share each, as it has itself. */
	if (mode->run == run_work)
		load.pages = load.pages / (load.children + 1) + 1;

	signal(SIGBUS, on_bus_error);
	signal(SIGUSR1, on_end);
	load.state = load.filler.seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	load.counts = map(sizeof(*load.counts), MAP_SHARED);
	load.versions = map(load.pages * sizeof(*load.versions), MAP_PRIVATE);
	load.memory = map(load.pages * FILLER_PAGE, MAP_PRIVATE);
	printf("pages=%llu\n", (unsigned long long)load.pages);
	fflush(stdout);
	work(&load, mode);
	return load.counts->mismatches ? 1 : 0;
}
