/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ramzswap-estimate: what a disk would make of the memory of programs that run now.  Reads a
 * sample of their resident anonymous pages, compresses it with each codec as a disk would, and
 * keeps nothing of it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dictionary_size.h"
#include "base/size.h"
#include "codec.h"

#define PAGE CODEC_PAGE_SIZE

/* Pages of a sample; of them the odd ones are compressed as idle pages are, which takes long. */
#define SAMPLE 1600u

/* As the store has it: what a payload must not pass, and what it takes beside. */
#define PAYLOAD_MAX (PAGE - PAGE / 16)
#define OBJECT_OVERHEAD 4u
#define ENTRY 8u

/* Of /proc/PID/pagemap. */
#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_FILE_OR_SHARED (UINT64_C(1) << 61)

/* Pages in a row of one process. */
struct run {
	pid_t pid;
	uint64_t address;
	uint64_t pages;
};

struct found {
	struct run *runs;
	size_t count, room;
	uint64_t pages;
	unsigned int programs, closed; /* read, and not for us to read */
};

struct sample {
	unsigned char *pages;
	unsigned int count;
	unsigned int same; /* of those looked at, filled with one word: not in the sample */
};

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "ramzswap: estimate: out of memory\n");
		exit(1);
	}
	return memory;
}

static void add_page(struct found *found, pid_t pid, uint64_t address)
{
	struct run *last = found->count ? &found->runs[found->count - 1] : NULL;

	found->pages++;
	if (last && last->pid == pid && last->address + last->pages * PAGE == address) {
		last->pages++;
		return;
	}
	if (found->count == found->room) {
		found->room = found->room ? found->room * 2 : 1024;
		found->runs = must(realloc(found->runs, found->room * sizeof(*found->runs)));
	}
	found->runs[found->count++] = (struct run){ .pid = pid, .address = address, .pages = 1 };
}

/* Adds the pages of a range, of which no more than `most` are resident. */
static void add_range(struct found *found, pid_t pid, int pagemap, uint64_t begin, uint64_t end,
		      uint64_t most)
{
	uint64_t entries[4096], enough = found->pages + most;

	while (begin < end && found->pages < enough) {
		size_t want = (end - begin) / PAGE;
		ssize_t got;

		if (want > sizeof(entries) / sizeof(*entries))
			want = sizeof(entries) / sizeof(*entries);
		got = pread(pagemap, entries, want * 8, (off_t)(begin / PAGE * 8));
		if (got <= 0)
			return;
		for (size_t i = 0; i < (size_t)got / 8; i++) {
			if ((entries[i] & PM_PRESENT) && !(entries[i] & PM_FILE_OR_SHARED))
				add_page(found, pid, begin + i * PAGE);
		}
		begin += (uint64_t)got / 8 * PAGE;
	}
}

static int open_of(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, flags | O_CLOEXEC);
}

/* Anonymous private pages that are resident.  0 or a negative errno. */
static int add_program(struct found *found, pid_t pid)
{
	int pagemap = open_of(pid, "pagemap", O_RDONLY), maps = open_of(pid, "smaps", O_RDONLY);
	int memory = open_of(pid, "mem", O_RDONLY);
	int err = pagemap < 0 || maps < 0 || memory < 0 ? -errno : 0;
	uint64_t begin = 0, end = 0, from, to, kib, before = found->pages;
	char line[512], mode[5];
	bool wanted = false;
	FILE *file;

	if (memory >= 0)
		close(memory);
	file = maps >= 0 ? fdopen(maps, "r") : NULL;
	while (!err && file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, mode) == 3) {
			begin = from;
			end = to;
			wanted = mode[3] == 'p' && !strstr(line, "[v");
		} else if (wanted && sscanf(line, "Anonymous: %" SCNu64, &kib) == 1 && kib > 0) {
			/* Some have terabytes of addresses, and little in them. */
			add_range(found, pid, pagemap, begin, end, kib * 1024 / PAGE);
		}
	}
	if (file)
		fclose(file);
	else if (maps >= 0)
		close(maps);
	if (pagemap >= 0)
		close(pagemap);
	found->programs += found->pages > before;
	return err;
}

static void add_all_programs(struct found *found)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (!isdigit((unsigned char)*entry->d_name) || pid == getpid())
			continue;
		/* One that has ended meanwhile, or has no memory of its own, is nothing to tell. */
		if (add_program(found, pid) == -EACCES)
			found->closed++;
	}
	if (proc)
		closedir(proc);
}

static bool same_filled(const unsigned char *page)
{
	return memcmp(page, page + 8, PAGE - 8) == 0;
}

/* Reads page number `at` of all that was found. */
static bool read_page(const struct found *found, uint64_t at, unsigned char *page)
{
	const struct run *run = found->runs;
	ssize_t got;
	int memory;

	while (at >= run->pages)
		at -= run++->pages;
	memory = open_of(run->pid, "mem", O_RDONLY);
	if (memory < 0)
		return false;
	got = pread(memory, page, PAGE, (off_t)(run->address + at * PAGE));
	close(memory);
	return got == PAGE;
}

static void take_sample(const struct found *found, struct sample *sample)
{
	uint64_t wanted = found->pages < SAMPLE ? found->pages : SAMPLE;

	sample->pages = must(malloc((size_t)SAMPLE * PAGE));
	for (uint64_t i = 0; i < wanted; i++) {
		unsigned char *page = sample->pages + (size_t)sample->count * PAGE;

		if (!read_page(found, i * found->pages / wanted, page))
			continue;
		if (same_filled(page))
			sample->same++;
		else
			sample->count++;
	}
}

static unsigned char *page_of(const struct sample *sample, unsigned int i)
{
	return sample->pages + (size_t)i * PAGE;
}

static unsigned char *workspace_of(size_t size)
{
	unsigned char *memory = must(aligned_alloc(64, (size + 64) & ~(size_t)63));

	memset(memory, 0, size);
	return memory;
}

/* Bytes that a disk takes for a page of this payload. */
static double stored(int len)
{
	unsigned int size = len <= 0 || len > (int)PAYLOAD_MAX ? PAGE : (unsigned int)len;

	return ((size + 3) & ~3u) + OBJECT_OVERHEAD + ENTRY;
}

/* The mean of what a page of the sample takes: of every second one, or of all. */
static double mean_of(const struct codec *codec, enum codec_effort effort,
		      const struct sample *sample, unsigned int stride)
{
	unsigned char *workspace = workspace_of(codec->workspace_size[effort]);
	unsigned char payload[CODEC_BOUND_MAX];
	unsigned int count = 0;
	double sum = 0;

	for (unsigned int i = stride - 1; i < sample->count; i += stride, count++)
		sum += stored(codec->compress(effort, workspace, page_of(sample, i), payload));
	free(workspace);
	return count ? sum / count : 0;
}

/*
 * The same with a dictionary of this size, made of the other half, which is counted over so many
 * pages; 0 if there is none to be made.
 */
static double mean_with_dictionary(const struct codec *codec, const struct sample *sample,
				   size_t size, uint64_t pages)
{
	const struct codec_dictionary *with = codec->dictionary;
	unsigned char *training = must(malloc((size_t)SAMPLE * PAGE));
	unsigned char *dictionary = must(malloc(size));
	unsigned char payload[CODEC_BOUND_MAX];
	unsigned int half = 0, count = 0;
	unsigned char *writer;
	double sum = 0;
	int len;

	for (unsigned int i = 0; i < sample->count; i += 2)
		memcpy(training + (size_t)half++ * PAGE, page_of(sample, i), PAGE);
	len = with->train(training, half, dictionary, size);
	writer = workspace_of(with->writer_size(size));
	if (len > 0 && with->writer_make(writer, dictionary, (size_t)len) == 0) {
		for (unsigned int i = 1; i < sample->count; i += 2, count++)
			sum += stored(with->compress(writer, page_of(sample, i), payload));
	}
	explicit_bzero(training, (size_t)SAMPLE * PAGE);
	explicit_bzero(dictionary, size);
	free(writer);
	free(dictionary);
	free(training);
	return count ? sum / count + (double)size / (double)pages : 0;
}

static void row(const char *name, double page, const struct found *found,
		const struct sample *sample)
{
	double share = (double)sample->count / (sample->count + sample->same);
	double takes = (double)found->pages * (share * page + (1 - share) * ENTRY);
	double all = (double)found->pages * PAGE;

	printf("%-28s %9.0f %12.1f %11.1f\n", name, page, takes / (1 << 20),
	       (all - takes) / (1 << 20));
}

/*
 * A disk that takes about a quarter of the memory when it is full of such pages, and is no
 * larger than the memory, nor smaller than what suits any pages.
 */
static void suggest(double page)
{
	uint64_t ram = size_of_ram();
	double percent = 25 * PAGE / page;

	percent = percent > 100 ? 100 : percent < 25 ? 25 : percent;
	printf("suggested: ramzswap start --size %d%% (%.0f MB of %.0f MB of memory)\n",
	       (int)percent, (double)(int)percent / 100 * (double)ram / (1 << 20),
	       (double)ram / (1 << 20));
}

/* What a disk would keep idle pages as. */
static void idle_rows(const struct codec *zstd, double written, const struct found *found,
		      const struct sample *sample)
{
	uint64_t pages = found->pages * sample->count / (sample->count + sample->same);
	double payloads = (double)pages * (written - OBJECT_OVERHEAD - ENTRY);
	size_t size = dictionary_size(pages, (uint64_t)payloads, zstd->dictionary->size_min,
				      DICTIONARY_DEFAULT);
	double with = size ? mean_with_dictionary(zstd, sample, size, pages) : 0;
	char name[64];

	row("idle, zstd", mean_of(zstd, CODEC_MAX, sample, 2), found, sample);
	snprintf(name, sizeof(name), "idle, zstd, dictionary %zuK", size >> 10);
	if (with > 0)
		row(name, with, found, sample);
}

static void report(const struct found *found, const struct sample *sample)
{
	const struct codec *zstd = codec_find("zstd"), *lzo = codec_find("lzo");
	double written = mean_of(codecs[0], CODEC_FAST, sample, 1);
	char name[64];

	printf("%.1f MB of memory in %u programs; %u pages looked at, %.1f %% filled with one "
	       "word\n",
	       (double)found->pages * PAGE / (1 << 20), found->programs,
	       sample->count + sample->same, 100.0 * sample->same / (sample->count + sample->same));
	if (found->closed)
		printf("%u more are not open to this user\n", found->closed);
	printf("%-28s %9s %12s %11s\n", "codec", "bytes", "disk takes", "gives back");
	printf("%-28s %9s %12s %11s\n", "", "a page", "MB", "MB");
	for (size_t c = 0; codecs[c]; c++) {
		if (strcmp(codecs[c]->name, "none") == 0 || strcmp(codecs[c]->name, "liblzo2") == 0)
			continue;
		snprintf(name, sizeof(name), "%s, as written", codecs[c]->name);
		row(name, mean_of(codecs[c], CODEC_FAST, sample, 1), found, sample);
	}
	row("idle, lzo", mean_of(lzo, CODEC_MAX, sample, 2), found, sample);
	if (zstd)
		idle_rows(zstd, written, found, sample);
	suggest(written);
}

static void usage(FILE *to)
{
	fprintf(to, "usage: ramzswap estimate [PID...]\n"
		    "Says what a disk would take for the memory of these programs, or of all.\n"
		    "\n"
		    "Options:\n"
		    "  -h, --help     show this text\n"
		    "  -V, --version  show the version\n");
}

/* The programs named, all of which must be readable. */
static bool add_programs(struct found *found, int count, char **names)
{
	for (int i = 0; i < count; i++) {
		char *end;
		long pid = strtol(names[i], &end, 10);
		int err;

		if (*end || pid < 1 || pid > INT32_MAX) {
			fprintf(stderr, "ramzswap: estimate: '%s' is not the number of a process\n",
				names[i]);
			return false;
		}
		for (int j = 0; j < i; j++) {
			if (atol(names[j]) == pid) {
				fprintf(stderr, "ramzswap: estimate: process %ld is named twice\n",
					pid);
				return false;
			}
		}
		err = add_program(found, (pid_t)pid);
		if (err) {
			fprintf(stderr, "ramzswap: estimate: process %ld cannot be read: %s%s\n",
				pid, err == -ENOENT ? "there is none" : strerror(-err),
				err == -EACCES && geteuid() != 0 ? " (be root)" : "");
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct sample sample = { 0 };
	struct found found = { 0 };

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		usage(stdout);
		return 0;
	}
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
		puts("ramzswap-estimate " RAMZSWAP_VERSION);
		return 0;
	}
	if (argc == 1)
		add_all_programs(&found);
	else if (!add_programs(&found, argc - 1, argv + 1))
		return 1;
	if (found.pages > 0)
		take_sample(&found, &sample);
	if (sample.count == 0) {
		fprintf(stderr, "ramzswap: estimate: there is no memory of programs to be read%s\n",
			geteuid() != 0 ? " (be root)" : "");
		return 1;
	}
	report(&found, &sample);
	explicit_bzero(sample.pages, (size_t)SAMPLE * PAGE);
	free(sample.pages);
	free(found.runs);
	return 0;
}
