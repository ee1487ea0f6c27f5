/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nbdkit plugin: callbacks only.  What they do is in the server and its store. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <syslog.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "codec.h"
#include "nbdkit/buffers.h"
#include "nbdkit/old_nbdkit.h"
#include "server/server.h"
#include "base/request.h"
#include "base/size.h"
#include "store/store.h"
#include "ublk/ublk.h"
#include "urgent.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static struct server server = {
	.clients = CLIENTS_INITIALIZER,
	.notices = NOTICES_INITIALIZER,
};

/* -D ramzswap.requests=1: each request in the debug output. */
NBDKIT_DLL_PUBLIC int ramzswap_debug_requests;

static void log_line(const char *line)
{
	nbdkit_error("%s", line);
}

static bool is_null(int fd)
{
	struct stat file;

	return fstat(fd, &file) != 0 || (S_ISCHR(file.st_mode) && file.st_rdev == makedev(1, 3));
}

/* nbdkit's log knows errors only.  In the background its stderr is /dev/null. */
static void note_line(const char *line)
{
	if (is_null(STDERR_FILENO))
		syslog(LOG_DAEMON | LOG_INFO, "ramzswap: %s", line);
	else
		fprintf(stderr, "ramzswap: %s\n", line);
}

static void ramzswap_load(void)
{
	params_init(&server.params, size_of_ram());
	server.log = log_line;
	server.note = note_line;
	server.quit = nbdkit_shutdown;
}

static int ramzswap_config(const char *key, const char *value)
{
	char why[PARAMS_WHY_MAX];

	if (params_set(&server.params, key, value, why, sizeof(why)) == 0)
		return 0;
	nbdkit_error("%s", why);
	return -1;
}

static int ramzswap_config_complete(void)
{
	char why[PARAMS_WHY_MAX];

	if (params_complete(&server.params, why, sizeof(why)) == 0)
		return 0;
	nbdkit_error("%s", why);
	return -1;
}

static void warn_of_old_nbdkit(void)
{
	const char *warning = old_nbdkit_warning();

	if (warning)
		note_line(warning);
}

static int ramzswap_get_ready(void)
{
	char why[SERVER_WHY_MAX];

	if (server_prepare(&server, why, sizeof(why)) < 0) {
		nbdkit_error("%s", why);
		return -1;
	}
	server.buffers_are_ours = buffers_take_over(&server.swap_is_on);
	if (!server.buffers_are_ours)
		note_line("warning: this nbdkit does not let its buffers be counted: a client may "
			  "take 64 MiB for each of its threads (nbdkit -t, --filter=limit)");
	if (server.params.swap != SWAP_STRICT)
		warn_of_old_nbdkit();
	return 0;
}

static int ramzswap_after_fork(void)
{
	char why[SERVER_WHY_MAX];

	if (server_start(&server, why, sizeof(why)) < 0) {
		nbdkit_error("%s", why);
		return -1;
	}
	/* With swap=strict it may have ended here, with one line that says why. */
	if (server.params.swap == SWAP_STRICT)
		warn_of_old_nbdkit();
	return 0;
}

static void ramzswap_cleanup(void)
{
	server_stop(&server);
}

static void ramzswap_unload(void)
{
	buffers_give_back();
}

#define PARAM_HELP(key, set, help) help
#define PARAM_NAME(key, set, help) " " key

static void ramzswap_dump_plugin(void)
{
	char why[UBLK_WHY_MAX];
	int number;

	printf("ramzswap_page_size=%u\n", STORE_PAGE_SIZE);
	printf("ramzswap_default_size=%llu\n", (unsigned long long)size_of_ram() / 4);
	printf("ramzswap_size_max=%llu\n", (unsigned long long)STORE_SIZE_MAX);
	printf("ramzswap_request_kb=%u\n", REQUEST_SWAP >> 10);
	printf("ramzswap_swap=%s\n", swap_mode_name(server.params.swap));
	printf("ramzswap_parameters=%s\n", &PARAMS(PARAM_NAME)[1]);
	printf("ramzswap_algorithms=");
	for (size_t i = 0; codecs[i]; i++)
		printf("%s%s", i ? " " : "", codecs[i]->name);
	printf("\n");
	if (ublk_door_find(&number, why, sizeof(why)) == 0)
		printf("ramzswap_ublk=yes\nramzswap_ublk_number=%d\n", number);
	else
		printf("ramzswap_ublk=%s\n", why);
	if (server.params.swap != SWAP_OFF) {
		protection_prepare(&server.protection, server_memory_at_most(&server.params));
		printf("ramzswap_locked=%d\n", server.protection.locked);
		printf("ramzswap_io_flusher=%d\n", server.protection.io_flusher);
		printf("ramzswap_oom_protected=%d\n", server.protection.oom_protected);
		printf("ramzswap_real_time=%d\n", server.protection.real_time);
	}
}

/* Said once. */
static atomic_flag warned_of_tcp = ATOMIC_FLAG_INIT, warned_of_tls = ATOMIC_FLAG_INIT;

/* The kernel may drop what it sends over loopback when memory is short, and swap stops. */
static void warn_of_tcp(void)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);

	if (nbdkit_peer_name((struct sockaddr *)&peer, &length) < 0 || peer.ss_family == AF_UNIX ||
	    atomic_flag_test_and_set(&warned_of_tcp))
		return;
	nbdkit_error("warning: a client over TCP: not safe as swap of this machine, which needs a "
		     "Unix socket (nbdkit -U); swap=off for a disk for others");
}

/* The kernel's client has no TLS: a program speaks it, which may be swapped out, to us. */
static void warn_of_tls(void)
{
	if (nbdkit_is_tls() <= 0 || atomic_flag_test_and_set(&warned_of_tls))
		return;
	nbdkit_error("warning: a client over TLS: not safe as swap of this machine, which needs a "
		     "Unix socket without it (--tls=off); swap=off for a disk for others");
}

/* The process at the other end of a Unix socket; 0 where that is not known. */
static int64_t peer(void)
{
	int64_t process = nbdkit_peer_pid();

	return process > 0 ? process : 0;
}

static void *ramzswap_open(int readonly)
{
	if (server.params.swap != SWAP_OFF) {
		warn_of_tcp();
		warn_of_tls();
	}
	if (clients_enter(&server.clients) < 0) {
		nbdkit_error("the server is about to end and takes no clients any more");
		return NULL;
	}
	server_expect_client(&server, peer());
	return (void *)(uintptr_t)notices_client(&server.notices);
}

static void ramzswap_close(void *handle)
{
	clients_leave(&server.clients);
	notices_client_left(&server.notices, server.store, (uintptr_t)handle);
}

static int64_t ramzswap_get_size(void *handle)
{
	return (int64_t)server.params.size;
}

static int ramzswap_block_size(void *handle, uint32_t *minimum, uint32_t *preferred,
			       uint32_t *maximum)
{
	*minimum = 1;
	*preferred = STORE_PAGE_SIZE;
	*maximum = REQUEST_ALWAYS;
	return 0;
}

static const char *ramzswap_export_description(void *handle)
{
	return "ramzswap compressed RAM disk";
}

static int always(void *handle)
{
	return 1;
}

static int never(void *handle)
{
	return 0;
}

static int can_fua(void *handle)
{
	return NBDKIT_FUA_NATIVE;
}

static int can_cache(void *handle)
{
	return NBDKIT_CACHE_NATIVE;
}

/*
 * A reply must not wait for memory while this machine swaps (urgent.h).  Where
 * plugin/preload/reply.c is preloaded that sees to it as it sends.  Elsewhere the thread is urgent
 * from the end of one callback to the beginning of the next: nbdkit sends in between.
 */
extern const char ramzswap_replies[] __attribute__((weak));
static __thread int reply_policy = URGENT_LEFT_ALONE;

static void begin_reply(void)
{
	if (!ramzswap_replies && atomic_load_explicit(&server.swap_is_on, memory_order_relaxed))
		reply_policy = urgent_begin_if_short();
}

static void end_reply(void)
{
	urgent_end(reply_policy);
	reply_policy = URGENT_LEFT_ALONE;
}

/* The store says -errno; nbdkit wants an errno, a line, and -1. */
static int done(int err, const char *what, uint64_t count, uint64_t offset)
{
	begin_reply();
	if (!err)
		return 0;
	if (err == -EINVAL)
		atomic_fetch_add(&server.invalid_io, 1);
	nbdkit_set_error(-err);
	if (err != -ENOSPC) {
		errno = -err;
		nbdkit_error("%s of %llu bytes at %llu: %m", what, (unsigned long long)count,
			     (unsigned long long)offset);
	}
	return -1;
}

static void enter(const char *what, uint64_t count, uint64_t offset)
{
	end_reply();
	if (ramzswap_debug_requests)
		nbdkit_debug("%s count=%llu offset=%llu", what, (unsigned long long)count,
			     (unsigned long long)offset);
}

static int ramzswap_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	enter("read", count, offset);
	return done(store_read(server.store, buf, count, offset), "read", count, offset);
}

static int ramzswap_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset,
			   uint32_t flags)
{
	enter("write", count, offset);
	if (!server_admits_write(&server)) {
		nbdkit_set_error(EPERM);
		return -1;
	}
	return done(store_write(server.store, buf, count, offset), "write", count, offset);
}

static int ramzswap_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	enter("zero", count, offset);
	return done(store_zero(server.store, count, offset), "zero", count, offset);
}

static int ramzswap_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	enter("trim", count, offset);
	return done(store_zero(server.store, count, offset), "trim", count, offset);
}

/* Everything is in memory, and a server that dies takes all of it along. */
static int ramzswap_flush(void *handle, uint32_t flags)
{
	return 0;
}

static int ramzswap_cache(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	return 0;
}

/*
 * A client may be told less than it asked for, and asks again.  nbdkit keeps all extents of an
 * answer in memory: 32 bytes each, a megabyte in all.
 */
#define EXTENTS_MAX 32768u

/* What ends an answer early; neither an errno nor nbdkit's -1. */
#define EXTENTS_ENOUGH 1

struct answer {
	struct nbdkit_extents *extents;
	unsigned int count;
};

static int add_extent(void *opaque, uint64_t offset, uint64_t length, bool hole)
{
	uint32_t type = hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0;
	struct answer *answer = opaque;

	if (nbdkit_add_extent(answer->extents, offset, length, type) < 0)
		return -1;
	return ++answer->count < EXTENTS_MAX ? 0 : EXTENTS_ENOUGH;
}

static int ramzswap_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
			    struct nbdkit_extents *extents)
{
	struct answer answer = { .extents = extents };
	int err = store_extents(server.store, count, offset, add_extent, &answer);

	if (err == EXTENTS_ENOUGH)
		return 0;
	return err < -1 ? done(err, "extents", count, offset) : err;
}

static struct nbdkit_plugin plugin = {
	.name = "ramzswap",
	.longname = "ramzswap: compressed RAM disk",
	.version = RAMZSWAP_VERSION,
	.description = "A RAM disk whose pages are compressed, safe as swap",
	.load = ramzswap_load,
	.unload = ramzswap_unload,
	.config = ramzswap_config,
	.config_complete = ramzswap_config_complete,
	.magic_config_key = "size",
	.config_help = PARAMS(PARAM_HELP),
	.dump_plugin = ramzswap_dump_plugin,
	.get_ready = ramzswap_get_ready,
	.after_fork = ramzswap_after_fork,
	.cleanup = ramzswap_cleanup,
	.open = ramzswap_open,
	.close = ramzswap_close,
	.get_size = ramzswap_get_size,
	.block_size = ramzswap_block_size,
	.export_description = ramzswap_export_description,
	.can_write = always,
	.can_flush = always,
	.is_rotational = never,
	.can_trim = always,
	.can_zero = always,
	.can_fast_zero = always,
	.can_extents = always,
	.can_multi_conn = always,
	.can_fua = can_fua,
	.can_cache = can_cache,
	.pread = ramzswap_pread,
	.pwrite = ramzswap_pwrite,
	.flush = ramzswap_flush,
	.trim = ramzswap_trim,
	.zero = ramzswap_zero,
	.cache = ramzswap_cache,
	.extents = ramzswap_extents,
	/* What a callback leaves in errno is not meant for the client. */
	.errno_is_preserved = 0,
};

NBDKIT_REGISTER_PLUGIN(plugin)
