/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each program of research says of itself, whatever else it takes. */
#ifndef BENCH_INFORM_H
#define BENCH_INFORM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program where --help or --version is the first word. */
static inline void inform(int argc, char **argv, const char *name, void (*usage)(FILE *to))
{
	if (argc < 2)
		return;
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		usage(stdout);
	else if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		printf("%s %s\n", name, RAMZSWAP_VERSION);
	else
		return;
	exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

#endif
