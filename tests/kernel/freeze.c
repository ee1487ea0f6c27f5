/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage: freeze PID SECONDS
 *
 * Stops a process for so long.  When it is the one that serves the machine's swap, nothing
 * that needs memory may go on meanwhile, and a shell that sleeps and then lets it go on
 * does need some: the machine would wait for the shell for ever.  So all of this is in
 * locked memory before the process is stopped.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

int main(int argc, char *argv[])
{
	struct timespec rest;
	pid_t pid;

	if (argc != 3 || (pid = (pid_t)atol(argv[1])) <= 1) {
		fputs("usage: freeze PID SECONDS\n", stderr);
		return 2;
	}
	rest = (struct timespec){ .tv_sec = atol(argv[2]) };
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		perror("freeze: mlockall");
		return 1;
	}
	if (kill(pid, SIGSTOP)) {
		perror("freeze: the process cannot be stopped");
		return 1;
	}
	while (nanosleep(&rest, &rest))
		;
	return kill(pid, SIGCONT) ? 1 : 0;
}
