/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_bench.h"
#include "inform.h"

static const char usage_text[] =
	"usage: engine_bench --pages FILE [--threads N[,N...]] [--rounds N] [--request KIB]\n"
	"                    [--codec NAME] [--max-pages N] [--wait SECONDS] [--seed N]\n"
	"                    [--reserve KIB] [--locked] [--checksum] [--wipe] [--trace FILE]\n"
	"                    [--zram /dev/zramN [--zram-algorithm NAME]] [--json]\n"
	"       engine_bench --help | --version\n";

static void usage(FILE *to)
{
	fputs(usage_text, to);
}

static const struct option long_options[] = {
	{ "pages", required_argument, NULL, 'p' },
	{ "threads", required_argument, NULL, 't' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "request", required_argument, NULL, 'q' },
	{ "codec", required_argument, NULL, 'c' },
	{ "max-pages", required_argument, NULL, 'm' },
	{ "wait", required_argument, NULL, 'w' },
	{ "seed", required_argument, NULL, 's' },
	{ "reserve", required_argument, NULL, 'R' },
	{ "locked", no_argument, NULL, 'l' },
	{ "wipe", no_argument, NULL, 'W' },
	{ "checksum", no_argument, NULL, 'k' },
	{ "trace", required_argument, NULL, 'T' },
	{ "zram", required_argument, NULL, 'z' },
	{ "zram-algorithm", required_argument, NULL, 'a' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

/* A number of an option, or the end of the program. */
static unsigned long number_of(const char *option, const char *text, unsigned long min,
			       unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < min || n > max) {
		fprintf(stderr, "engine_bench: --%s takes a number from %lu to %lu, not '%s'\n",
			option, min, max, text);
		exit(2);
	}
	return n;
}

static void parse_threads(struct options *options, char *text)
{
	char *rest = NULL;

	options->thread_sets = 0;
	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (options->thread_sets == THREAD_SETS_MAX) {
			fprintf(stderr, "engine_bench: --threads takes at most %u numbers\n",
				THREAD_SETS_MAX);
			exit(2);
		}
		options->threads[options->thread_sets++] = number_of("threads", word, 1, 64);
	}
	if (options->thread_sets == 0)
		number_of("threads", "", 1, 64);
}

static void parse_option(struct options *options, int option, char *text)
{
	switch (option) {
	case 'p':
		options->pages = text;
		break;
	case 't':
		parse_threads(options, text);
		break;
	case 'r':
		options->rounds = number_of("rounds", text, 1, ROUNDS_MAX);
		break;
	case 'q':
		options->request_pages = number_of("request", text, 4, 128) / 4;
		break;
	case 'm':
		options->max_pages = number_of("max-pages", text, 64, UINT32_MAX);
		break;
	case 'w':
		options->wait_seconds = number_of("wait", text, 0, 15);
		break;
	case 's':
		options->seed = number_of("seed", text, 1, UINT32_MAX);
		break;
	case 'R':
		options->reserve = number_of("reserve", text, 0, 1 << 30) << 10;
		break;
	case 'W':
		options->wipe = true;
		break;
	case 'l':
		options->locked = true;
		break;
	case 'k':
		options->checksum = true;
		break;
	case 'T':
		options->trace = text;
		break;
	case 'z':
		options->zram = text;
		break;
	case 'a':
		options->zram_algorithm = text;
		break;
	case 'j':
		options->json = true;
		break;
	case 'c':
		options->codec = codec_find(text);
		if (options->codec)
			break;
		fprintf(stderr, "engine_bench: no codec '%s'; there are:", text);
		for (const struct codec *const *codec = codecs; *codec; codec++)
			fprintf(stderr, " %s", (*codec)->name);
		fprintf(stderr, "\n");
		exit(2);
	default:
		usage(stderr);
		exit(2);
	}
}

void parse_options(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options){
		.codec = codecs[0],
		.threads = { 1 },
		.thread_sets = 1,
		.rounds = 3,
		.request_pages = 1,
		.wait_seconds = 5,
		.seed = 1,
		.reserve = 512 << 10, /* the plugin's, for a disk that is no swap */
		.zram_algorithm = "lzo-rle",
	};
	inform(argc, argv, "engine_bench", usage);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		parse_option(options, option, optarg);
	if (!options->pages || optind < argc) {
		usage(stderr);
		exit(2);
	}
}
