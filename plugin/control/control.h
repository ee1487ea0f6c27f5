/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a Unix stream socket on which rzscontrol asks for
 * statistics and gives orders.
 *
 * protocol.h says what crosses it, client.h is for the other end of it.
 *
 * Two threads serve it.  One talks to all clients and never waits for any of
 * them; it answers what is quick.  The other carries out what may take long, one
 * command at a time: a second one is refused meanwhile.  Once both run, no request
 * allocates memory, so that statistics are to be had when nothing else is.
 */
#ifndef RAMZSWAP_CONTROL_H
#define RAMZSWAP_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/stats.h"
#include "base/work.h"
#include "control/about.h"
#include "control/client.h"
#include "control/progress.h"
#include "control/protocol.h"

struct control;

/* Bytes by which a device is told to be the disk of this server; hexadecimal in the request. */
#define CONTROL_PROOF_SIZE 16

/* What set_memlimit gets for "none". */
#define CONTROL_NO_LIMIT UINT64_MAX

/* What writeback is to move to the backing store. */
enum control_writeback {
	CONTROL_WRITEBACK_POLICY,
	CONTROL_WRITEBACK_HUGE,
	CONTROL_WRITEBACK_IDLE,
	CONTROL_WRITEBACK_ALL,
};

/*
 * What the commands do.  get_stats, get_histograms, describe, set_memlimit and set_allowance are
 * called by one thread and have to be quick; the others by another one, at most one of them at a
 * time, and may take long.  opaque is what control_run was given.
 *
 * Each returns 0 or a negative errno.  With that it may leave a line of why,
 * without a newline, for the user to read; else the user sees the errno's text.
 * set_memlimit may leave one when it succeeds, too: a note for the user.
 * Those that get a struct work say in it how far they are, and end early, with success, once it is
 * cancelled: why is then empty, and *bytes what was done until then.
 * *bytes counts only on success.  Reading the statistics cannot fail, nor can describe: *stats
 * and *about come in as zeroes.
 */
/* Notices of freed swap slots, as ramzswap-freed has them to give. */
struct control_freed {
	int array, link;      /* descriptors; taken over, whatever comes of it */
	uint64_t slots;	      /* of the device */
	const char *function; /* of the kernel: a name, letters, digits and _ */
	unsigned char proof[CONTROL_PROOF_SIZE];
};

struct control_ops {
	void (*get_stats)(void *opaque, struct ramzswap_stats *stats);
	void (*get_histograms)(void *opaque, struct histogram_state states[HISTOGRAM_KINDS]);
	void (*describe)(void *opaque, struct control_about *about);
	int (*set_memlimit)(void *opaque, uint64_t bytes, char *why, size_t why_size);
	/* Of bytes written to the backing store a day, or else a second; 0 for no limit. */
	int (*set_allowance)(void *opaque, bool day, uint64_t bytes, char *why, size_t why_size);
	int (*compact)(void *opaque, struct work *work, uint64_t *bytes, char *why,
		       size_t why_size);
	int (*recompress)(void *opaque, struct work *work, uint64_t *bytes, char *why,
			  size_t why_size);
	int (*writeback)(void *opaque, struct work *work, enum control_writeback what,
			 unsigned int idle_seconds, uint64_t *bytes, char *why, size_t why_size);
	/* Slow, as the others behind it. */
	int (*take_freed)(void *opaque, const struct control_freed *freed, char *why,
			  size_t why_size);
	void (*end_freed)(void *opaque);
	void (*describe_freed)(void *opaque, char *text, size_t size);
	int (*reset)(void *opaque, char *why, size_t why_size);
	int (*check)(void *opaque, struct work *work, char *why, size_t why_size);
};

/*
 * Creates the socket, for this user only (mode 0600 from the first moment on), and
 * listens: clients may connect, and are answered once control_run was called.  To
 * be called before a daemon forks, while there is someone to read why.  A socket
 * that a dead server left behind is replaced.  path may be relative, even if the
 * process changes its directory later.
 *
 * 0, or with one line of why: -EINVAL for a path without a name at its end;
 * -ENAMETOOLONG; -EADDRINUSE if a server listens there; -EEXIST if something else is there;
 * -ENOENT or -ENOTDIR if the directory is not; -EACCES, -EPERM or -EROFS if it cannot be
 * written; -ENOMEM, -EMFILE.  *control is untouched then.
 */
int control_bind(struct control **control, const char *path, char *why, size_t why_size);

/*
 * Starts to serve, after the fork.  ops and opaque must stay until control_stop.
 * 0 or a negative errno; control_stop is due in either case.
 */
int control_run(struct control *control, const struct control_ops *ops, void *opaque);

/*
 * Removes the socket, cancels and waits for a command that is being carried out, drops all
 * clients and frees everything.  control may be NULL, or bound and never run.
 */
void control_stop(struct control *control);

#endif
