/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "control/client.h"
#include "nbd_door.h"

#define ANSWER_SECONDS 120

/* What a request that failed says, as the store would have. */
static int failed(void)
{
	int err = nbd_get_errno();

	if (err != ENOSPC && err != ENOMEM && err != EIO)
		seeds_fail("a request failed: %s", nbd_get_error());
	return -err;
}

void nbd_client_come(struct nbd_client *client, const struct server *server, bool rude)
{
	client->server = server;
	client->rude = rude;
	client->nbd = server_connect(server);
}

void nbd_client_leave(struct nbd_client *client)
{
	server_disconnect(client->nbd);
	client->nbd = NULL;
}

void nbd_client_hang_up(struct nbd_client *client)
{
	unsigned char page[4096];

	(void)nbd_aio_pread(client->nbd, page, sizeof(page), 0, NBD_NULL_COMPLETION, 0);
	nbd_close(client->nbd);
	client->nbd = NULL;
}

static int door_read(void *opaque, void *buf, uint32_t count, uint64_t offset)
{
	struct nbd_client *client = opaque;

	return nbd_pread(client->nbd, buf, count, offset, 0) ? failed() : 0;
}

static int door_write(void *opaque, const void *buf, uint32_t count, uint64_t offset)
{
	struct nbd_client *client = opaque;
	uint32_t flags = client->turns++ % 4 == 0 ? LIBNBD_CMD_FLAG_FUA : 0;

	return nbd_pwrite(client->nbd, buf, count, offset, flags) ? failed() : 0;
}

static int door_zero(void *opaque, uint64_t count, uint64_t offset)
{
	struct nbd_client *client = opaque;
	int result;

	switch (client->turns++ % 4) {
	case 0:
		result = nbd_zero(client->nbd, count, offset, LIBNBD_CMD_FLAG_NO_HOLE);
		break;
	case 1:
		result = nbd_zero(client->nbd, count, offset, LIBNBD_CMD_FLAG_FAST_ZERO);
		break;
	default:
		result = nbd_trim(client->nbd, count, offset, 0);
		break;
	}
	return result ? failed() : 0;
}

/* What a server says of a range, up to the range's end. */
struct extent_walk {
	uint64_t next, end;
	int (*extent)(void *opaque, uint64_t offset, uint64_t length, bool hole);
	void *opaque;
};

static int extents_came(void *opaque, const char *context, uint64_t offset, uint32_t *entries,
			size_t count, int *error)
{
	struct extent_walk *walk = opaque;

	for (size_t i = 0; i + 1 < count && walk->next < walk->end; i += 2) {
		uint64_t length = entries[i];

		if (length > walk->end - walk->next)
			length = walk->end - walk->next;
		walk->extent(walk->opaque, walk->next, length, entries[i + 1] & LIBNBD_STATE_ZERO);
		walk->next += length;
	}
	return 0;
}

static int door_extents(void *opaque, uint64_t count, uint64_t offset,
			int (*extent)(void *opaque, uint64_t offset, uint64_t length, bool hole),
			void *extent_opaque)
{
	struct nbd_client *client = opaque;
	nbd_extent_callback came = { .callback = extents_came };
	struct extent_walk walk = { offset, offset + count, extent, extent_opaque };

	came.user_data = &walk;
	while (walk.next < walk.end) {
		uint64_t before = walk.next;

		if (nbd_block_status(client->nbd, walk.end - walk.next, walk.next, came,
				     client->turns++ % 4 ? 0 : LIBNBD_CMD_FLAG_REQ_ONE))
			return failed();
		if (walk.next == before)
			seeds_fail("block status of %llu says nothing", (unsigned long long)before);
	}
	return 0;
}

static void door_beside(struct model *model)
{
	struct nbd_client *client = model->behind_door;

	switch (choose(&model->choices, 4)) {
	case 0:
		if (client->rude)
			nbd_client_hang_up(client);
		else
			nbd_client_leave(client);
		nbd_client_come(client, client->server, client->rude);
		break;
	case 1:
		if (nbd_cache(client->nbd, 8192, model->region[0].base, 0))
			seeds_fail("cache: %s", nbd_get_error());
		break;
	default:
		if (nbd_flush(client->nbd, 0))
			seeds_fail("flush: %s", nbd_get_error());
		break;
	}
}

static const struct model_door with_extents = { door_read, door_write, door_zero, door_extents,
						door_beside };
static const struct model_door without_extents = { door_read, door_write, door_zero, NULL,
						   door_beside };

void nbd_client_serve(struct nbd_client *client, struct model *model, bool structured)
{
	model->door = structured ? &with_extents : &without_extents;
	model->behind_door = client;
}

bool control_ask(const char *path, const char *command, char *answer, size_t size)
{
	int fd = control_connect(path, ANSWER_SECONDS), err;
	const char *error, *body;

	if (fd < 0)
		seeds_fail("the control socket: %s", strerror(-fd));
	err = control_send(fd, command);
	if (!err)
		err = control_receive(fd, ANSWER_SECONDS, answer, size);
	close(fd);
	if (err)
		seeds_fail("%s: no answer of the control socket: %s", command, strerror(-err));
	body = control_body(answer, &error);
	if (!body && !error)
		seeds_fail("the control socket says: %s", answer);
	memmove(answer, body ? body : error, strlen(body ? body : error) + 1);
	return body;
}
