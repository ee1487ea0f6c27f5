/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ramzswap-freed: has the kernel tell a server which swap slots become free.
 *
 * usage: ramzswap-freed [-v] [--proven] CONTROL-SOCKET DEVICE
 *
 * Run by ramzswap(8) between mkswap and swapon.  Loads the program for the kernel (hook.h), hands
 * it over to the server (handover.h) and ends: what keeps the program at work is the server's then,
 * and ends with it.  So libbpf, and what it takes of memory, is never in the server.
 *
 * Prints the kernel's function that the notices come from.  Exit status 1 with one line on stderr
 * where there are none to be had: a disk works without them, only fuller.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "freed/handover.h"
#include "freed/hook.h"

#define WHY_MAX 512

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

int main(int argc, char **argv)
{
	bool loud = false, proven = false;
	char why[WHY_MAX] = "";
	int at = 1;

	if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		puts("ramzswap-freed " RAMZSWAP_VERSION);
		return 0;
	}
	for (; at < argc && argv[at][0] == '-'; at++) {
		loud |= !strcmp(argv[at], "-v");
		proven |= !strcmp(argv[at], "--proven");
		if (strcmp(argv[at], "-v") != 0 && strcmp(argv[at], "--proven") != 0)
			break;
	}
	if (argc - at != 2) {
		fprintf(stderr, "usage: ramzswap-freed [-v] [--proven] CONTROL-SOCKET DEVICE\n");
		return 1;
	}
	if (freed(argv[at], argv[at + 1], proven, loud, why, sizeof(why)) == 0)
		return 0;
	fprintf(stderr, "ramzswap-freed: %s\n", why);
	return 1;
}
