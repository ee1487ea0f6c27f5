/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ramzswap-freed: has the kernel tell a server which swap slots become free.
 *
 * Run by ramzswap(8) between mkswap and swapon.  Loads the program for the kernel (hook.h), hands
 * it over to the server (handover.h) and ends: what keeps the program at work is the server's then,
 * and ends with it.  So libbpf, and what it takes of memory, is never in the server.
 *
 * Prints the kernel's function that the notices come from.  Exit status 1 with one line on stderr
 * where there are none to be had: a disk works without them, only fuller.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "freed/handover.h"
#include "freed/hook.h"

#define WHY_MAX 512

static const char usage[] =
	"usage: ramzswap-freed [--proven] [--verbose] CONTROL-SOCKET DEVICE\n"
	"Has the kernel tell the server behind CONTROL-SOCKET which swap slots of DEVICE become "
	"free.\n"
	"'ramzswap start' runs it; it may be run again while swap is on.\n"
	"\n"
	"Options:\n"
	"      --proven   only by a function that was tried on the kernel that runs\n"
	"  -v, --verbose  show what the kernel's verifier says\n"
	"  -h, --help     show this text\n"
	"  -V, --version  show the version\n";

static int freed(const char *socket, const char *path, bool proven, bool loud, char *why,
		 size_t why_size)
{
	struct freed_device device;
	struct freed_hook hook;
	int err = freed_device_open(&device, path, why, why_size);

	if (err)
		return err;
	err = freed_hook_attach(&hook, device.number, device.slots, proven, loud, why, why_size);
	if (!err) {
		err = freed_hand_over(&device, &hook, socket, why, why_size);
		if (!err)
			printf("%s\n", hook.target.function);
		freed_hook_close(&hook);
	}
	freed_device_close(&device);
	return err;
}

static const struct option options[] = {
	{ "proven", no_argument, NULL, 'p' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int mistake(const char *what)
{
	fprintf(stderr, "ramzswap-freed: %s: 'ramzswap-freed --help' shows what it takes\n", what);
	return 1;
}

int main(int argc, char **argv)
{
	bool loud = false, proven = false;
	char why[WHY_MAX] = "";
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "vhV", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			proven = true;
			break;
		case 'v':
			loud = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return fflush(stdout) != 0;
		case 'V':
			puts("ramzswap-freed " RAMZSWAP_VERSION);
			return fflush(stdout) != 0;
		default:
			snprintf(why, sizeof(why), "unknown option %s", argv[optind - 1]);
			return mistake(why);
		}
	}
	if (argc - optind != 2)
		return mistake("needs CONTROL-SOCKET and DEVICE");
	if (freed(argv[optind], argv[optind + 1], proven, loud, why, sizeof(why)) == 0)
		return 0;
	fprintf(stderr, "ramzswap-freed: %s\n", why);
	return 1;
}
