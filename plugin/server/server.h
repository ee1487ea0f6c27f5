/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server but for the protocol: store, backing store, background threads, control
 * socket and protections, made from parameters and taken down in the right order.
 * It knows nothing of nbdkit, which lends it two functions.
 */
#ifndef RAMZSWAP_SERVER_H
#define RAMZSWAP_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/attachment.h"
#include "server/clients.h"
#include "server/fullness.h"
#include "server/group_limit.h"
#include "server/lost_link.h"
#include "server/notices.h"
#include "server/params.h"
#include "server/request_memory.h"
#include "server/swap_watch.h"
#include "survival/survival.h"
#include "ublk/ublk.h"

struct backing;
struct control;
struct store;
struct ublk_door;
struct worker;

/* Room for what server_prepare and server_start leave. */
#define SERVER_WHY_MAX 1024

struct server {
	struct params params;  /* complete before server_prepare */
	bool buffers_are_ours; /* those of requests, see server/request_memory.h; before
				  server_start */
	struct protection protection;
	struct oom_call oom_call;
	struct oom_victims victims;
	struct store *store;
	struct backing *backing; /* NULL without backing= */
	struct worker *worker;
	struct worker *trainer;		 /* NULL without dictionaries */
	struct worker *teller;		 /* writes to the log */
	int meminfo;			 /* of machine_open, for it */
	struct group_limit group;	 /* of server_prepare */
	uint64_t memlimit;		 /* what the store is made with */
	struct worker *writeback_worker; /* NULL without backing= */
	struct worker *oom_call_worker;	 /* NULL with swap=off */
	atomic_uint oom_calls;		 /* of oom_call, that the kernel took */
	atomic_uint oom_kills;		 /* programs that were ended without it */
	unsigned int victims_age;	 /* looks of the teller since it looked for them */
	struct oom_victim ended;	 /* the last of them; before relief */
	int relief_error;		 /* why not, a negative errno; before relief */
	bool starved;			 /* programs were, not pages; before relief */
	atomic_uint relief;		 /* enum relief: not told yet */
	struct control *control;	 /* NULL without control= */
	struct ublk_door *ublk;		 /* NULL with ublk=off */
	struct ublk_end ublk_end;
	bool ublk_end_told; /* by the teller */
	struct clients clients;
	struct notices notices;
	unsigned int clients_trimmed; /* of clients_have_gone, for the heap */
	struct attachment attachment; /* zeroed with swap=off */
	atomic_uint_least64_t invalid_io;
	uint64_t started;	  /* by clock_uptime_seconds */
	struct fullness fullness; /* of the teller, as the next ones are up to quit_put_off */
	unsigned int looks_alone; /* in a row, at which no client was there */
	struct swap_watch swap;	  /* zeroed with swap=off */
	struct lost_link link;
	atomic_uint links_lost;
	atomic_llong client; /* process of the last client by a Unix socket, or 0 */
	bool quit_put_off;   /* and it was said so */
	atomic_bool signals_held;
	atomic_bool swap_is_on; /* to an nbd or ublk device, in the end, perhaps to us; false with
				   swap=off */

	void (*log)(const char *line);	/* for the keeper of the disk; any thread */
	void (*note)(const char *line); /* the same, but nothing is wrong */
	void (*quit)(void);		/* ends the process in order; any thread */
};

/*
 * What has to be done before a fork, while there is somebody to read why it cannot
 * be: protections, backing store, control socket.  Warnings go to stderr.  0, or a
 * negative errno with one line of why.
 */
int server_prepare(struct server *server, char *why, size_t why_size);

/* What has to be done after it: memory and threads.  0, or a negative errno with why. */
int server_start(struct server *server, char *why, size_t why_size);

/*
 * A client has been let in, the process of this number or 0 where that is not known: how the disk is
 * attached is to be looked at.  Then, before each of his
 * writes, whether it may be: with swap=strict none may before the queue of the kernel's device is
 * set as it has to be.  That is said once.  Any thread that holds nothing.
 */
void server_expect_client(struct server *server, long long client);
bool server_admits_write(struct server *server);

/* Looks again while there are clients; from the background, twice a second. */
void server_look_at_attachment(struct server *server);

/*
 * What no client is there for but the first will want: has a buffer resident where swap may come by
 * NBD, and says how many bytes of the heap are to be.  Allocates; any thread.  A kernel that is
 * attached by NBD all the same gets its buffers when it is looked at.
 */
void server_keep_buffers(struct server *server);
size_t server_warm_heap(const struct server *server);

/* Ends and frees all that there is.  Whatever of the above was not called or failed. */
void server_stop(struct server *server);

/* The most memory that a disk of these parameters takes, in bytes. */
uint64_t server_memory_at_most(const struct params *params);

/* control_ops.c: what the control socket can ask for; opaque is the server. */
extern const struct control_ops server_control_ops;

#endif
