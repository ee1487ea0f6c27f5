/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage: ublk-delete N: takes the ublk device N away from its server, as any administrator can. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ublk/device.h"

int main(int argc, char **argv)
{
	struct ublk_control control;
	bool no_ring;
	int err;

	if (argc != 2)
		return EXIT_FAILURE;
	err = ublk_control_open(&control, &no_ring);
	if (!err) {
		err = ublk_stop(&control, (uint32_t)atoi(argv[1]));
		ublk_control_close(&control);
	}
	if (err)
		fprintf(stderr, "ublk-delete: %s\n", strerror(-err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
