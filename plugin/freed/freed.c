/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ramzswap-freed: has the kernel tell a server which swap slots become free.
 *
 * usage: ramzswap-freed [-v] CONTROL-SOCKET DEVICE
 *
 * Run by ramzswap(8) between mkswap and swapon.  Loads the program for the kernel (hook.h), hands
 * it over to the server (handover.h) and ends: what keeps the program at work is the server's then,
 * and ends with it.  So libbpf, and what it takes of memory, is never in the server.
 *
 * Prints the kernel's function that the notices come from.  Exit status 1 with one line on stderr
 * where there are none to be had: a disk works without them, only fuller.
 */
#include <stdio.h>
#include <string.h>

#include "freed/handover.h"
#include "freed/hook.h"

#define WHY_MAX 512

static int freed(const char *socket, const char *path, int loud, char *why, size_t why_size)
{
	struct freed_device device;
	struct freed_hook hook;
	int err = freed_device_open(&device, path, why, why_size);

	if (err)
		return err;
	err = freed_hook_attach(&hook, device.number, device.slots, loud, why, why_size);
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
	int loud = argc > 1 && !strcmp(argv[1], "-v");
	char why[WHY_MAX] = "";

	if (argc - loud != 3) {
		fprintf(stderr, "usage: ramzswap-freed [-v] CONTROL-SOCKET DEVICE\n");
		return 1;
	}
	if (freed(argv[1 + loud], argv[2 + loud], loud, why, sizeof(why)) == 0)
		return 0;
	fprintf(stderr, "ramzswap-freed: %s\n", why);
	return 1;
}
