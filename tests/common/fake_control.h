/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A control server with operations that a test can steer, on a socket in a
 * directory of its own; and clients of it.
 */
#ifndef FAKE_CONTROL_H
#define FAKE_CONTROL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"
#include "base/stats.h"

struct fake_control {
	char directory[32];
	char path[64];
	struct control *control;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct ramzswap_stats stats;
	struct histogram_state histograms[HISTOGRAM_KINDS];
	struct control_about about;	  /* 1.2.3, lzo, zstd, auto, 4711 */
	int error;			  /* what the operations return... */
	char why[1024];			  /* ...and say */
	uint64_t bytes;			  /* what compact and recompress achieve */
	uint64_t memlimit;		  /* the last that was set */
	uint64_t allowance[2];		  /* the last that were set: of a second, of a day */
	enum control_writeback writeback; /* what was asked for last */
	unsigned int idle_seconds;
	uint64_t slots;	   /* the last that take_freed was asked with */
	char function[64]; /* the same */
	unsigned char proof[CONTROL_PROOF_SIZE];
	bool files_came;    /* two open descriptors, with that */
	unsigned int calls; /* of all operations but get_stats */
	bool hold;	    /* slow operations wait while this is set, and not cancelled */
	bool held;	    /* one does */
	struct work *work;  /* of that one, if it may be cancelled */
};

/* Starts the server; for use as a cmocka setup and teardown, *state is the fake. */
int fake_control_setup(void **state);
int fake_control_teardown(void **state);

/* What operations do from now on. */
void fake_control_outcome(struct fake_control *fake, int error, const char *why, uint64_t bytes);

/* Slow operations wait from now on / go on.  And waits until one does wait. */
void fake_control_hold(struct fake_control *fake, bool hold);
void fake_control_await_held(struct fake_control *fake);

void fake_control_set_stats(struct fake_control *fake, const struct ramzswap_stats *stats);
unsigned int fake_control_calls(struct fake_control *fake);
uint64_t fake_control_memlimit(struct fake_control *fake);

/* A connection; or one by a socket that the test has made. */
int fake_control_connect(const struct fake_control *fake);
void fake_control_connect_by(const struct fake_control *fake, int fd);

/*
 * Sends len bytes, and returns all that comes until the server closes: a static
 * string, good until the next call.  Gives up after 60 seconds.
 */
const char *fake_control_ask(const struct fake_control *fake, const void *request, size_t len);

/* Reads the answer on a connection; as fake_control_ask. */
const char *fake_control_answer(int fd);

/* A test that has one, for lists of cmocka. */
#define SERVED(test) \
	cmocka_unit_test_setup_teardown(test, fake_control_setup, fake_control_teardown)

#endif
