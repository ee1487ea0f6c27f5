/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine as ramzswap-ctl sees and changes it: small files, what it says, and the calls that
 * no file stands for.  Tests put a directory in the place of the root and calls of their own.
 *
 * Paths are formatted and then taken below the root.  No function here allocates.
 */
#ifndef RAMZSWAP_TOOL_HOST_H
#define RAMZSWAP_TOOL_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/utsname.h>

struct host;

/* Each returns 0 or a negative errno; device is a path, as /dev/nbd0. */
struct host_calls {
	/* -ENOMEM also where the kernel has ended the process that was at it. */
	int (*swapoff)(struct host *host, const char *device);
	/* With discards, as start does; -1: no priority of its own. */
	int (*swapon)(struct host *host, const char *device, int priority);
	/* The kernel tells the server of an nbd device to go, and forgets it. */
	int (*disconnect)(struct host *host, const char *device);
	int (*end)(struct host *host, pid_t process);
	/* Stops a process, or has it go on. */
	int (*hold)(struct host *host, pid_t process, bool stopped);
	/* Deletes a ublk device whose server is dead. */
	int (*bury)(struct host *host, const char *guard, const char *device);
	/*
	 * Starts a program that outlives this one, in a session of its own: its number is in the
	 * file pid before it runs, and what it says goes to the file said.
	 */
	int (*launch)(struct host *host, char *const argv[], const char *pid, const char *said);
	/* Takes the lock that all disks' starts and stops share, and gives it back. */
	int (*lock)(struct host *host, const char *path);
	void (*unlock)(struct host *host, int lock);
	pid_t (*self)(const struct host *host);
	/* From now on a signal of a user ends no more than a swapoff, with -EINTR. */
	void (*commit)(struct host *host);
	/* Whether one has come since then. */
	bool (*interrupted)(const struct host *host);
	void (*rest)(struct host *host, unsigned int ms);
	uint64_t (*now_ms)(struct host *host);
	/* The kernel's release, as uname(2) tells it; "" if it does not. */
	const char *(*release)(struct host *host);
};

struct host {
	const char *root;      /* "" but in tests */
	const char *run;       /* what the disk keeps: /run/ramzswap */
	const char *guard;     /* the program, where the state names none */
	const char *program;   /* this one */
	int swaps, meminfo;    /* of machine_swaps_open and machine_open */
	FILE *out, *err;       /* where host_say and host_warn go */
	int class_before;      /* of urgent_begin, for children */
	struct utsname kernel; /* for release */
	const struct host_calls *calls;
};

/* What all disks of the machine share: the kernel's settings as they were. */
#define HOST_KERNEL "/run/ramzswap.kernel"

/* Opens what is read while memory is short.  The calls are those of this machine. */
void host_open(struct host *host);

/*
 * Reads a file of less than size bytes, or its first ones; newlines at the end are taken off.
 * False, and text empty, if it cannot be read.
 */
bool host_read(const struct host *host, char *text, size_t size, const char *path, ...)
	__attribute__((format(printf, 4, 5)));

/* The same of a file that must be one decimal number. */
bool host_read_number(const struct host *host, uint64_t *number, const char *path, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes a line into a file that is there.  Whether the kernel took it. */
bool host_write(const struct host *host, const char *line, const char *path, ...)
	__attribute__((format(printf, 3, 4)));

bool host_exists(const struct host *host, const char *path, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether it is a socket, too. */
bool host_has_socket(const struct host *host, const char *path, ...)
	__attribute__((format(printf, 2, 3)));

/* The first word behind a name at the start of a line, as in /proc/PID/status.  Or false, text
 * empty. */
bool host_read_field(const struct host *host, char *text, size_t size, const char *name,
		     const char *path, ...) __attribute__((format(printf, 5, 6)));

/* Removes a file, or a directory with the files in it; what is not there is removed. */
void host_remove(const struct host *host, const char *path, ...)
	__attribute__((format(printf, 2, 3)));

/* Removes a directory that has nothing in it. */
void host_remove_empty(const struct host *host, const char *path, ...)
	__attribute__((format(printf, 2, 3)));

/* The path below the root.  False if it is too long. */
bool host_path(const struct host *host, char *path, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* One line each: "ramzswap: TEXT" to out, "ramzswap: warning: TEXT" and "ramzswap: TEXT" to err. */
void host_say(const struct host *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void host_warn(const struct host *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void host_complain(const struct host *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Asks up to five seconds, ten times each, until the answer is yes.  Whether it came. */
bool host_wait(struct host *host, bool (*is_so)(struct host *host, void *about), void *about);

#endif
