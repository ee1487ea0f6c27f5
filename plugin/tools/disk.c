/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/machine.h"
#include "base/size.h"
#include "tools/disk.h"
#include "tools/figures.h"
#include "tools/processes.h"

void disk_name(const char *socket, char name[DISK_SOCKET_MAX])
{
	static const char *const endings[] = { ".control", ".socket", ".sock" };
	const char *base = strrchr(socket, '/');
	size_t len;

	base = base ? base + 1 : socket;
	if (!strcmp(base, "control") && base - socket > 1) {
		const char *end = base - 1;

		for (base = end; base > socket && base[-1] != '/'; base--)
			;
		len = (size_t)(end - base);
	} else {
		len = strlen(base);
		for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
			size_t ending = strlen(endings[i]);

			if (len > ending && !strcmp(base + len - ending, endings[i])) {
				len -= ending;
				break;
			}
		}
	}
	snprintf(name, DISK_SOCKET_MAX, "%.*s", (int)len, base);
}

/* ramzswap-guard DEVICE SOCKET PID...: whether it is the one beside our server. */
static bool is_our_guard(void *opaque, const struct process *process)
{
	struct disk *disk = opaque;

	if (process->count < 4 || strcmp(process->words[3], disk->about.pid) != 0)
		return true;
	disk->guard = LOOK_GUARD_LIVES;
	snprintf(disk->device, sizeof(disk->device), "%s", process->words[1]);
	return false;
}

/* Whether this machine swaps to a disk like ours, to us as far as can be seen. */
static bool may_be_swap(const struct disk *disk)
{
	int swaps = machine_swaps_open();
	bool on = machine_swaps_to_ublk(swaps) ||
		  (machine_swaps_to_nbd(swaps) && disk->stats.connections > 0);

	if (swaps >= 0)
		close(swaps);
	return on;
}

static void find_guard(struct disk *disk)
{
	disk->guard = LOOK_GUARD_NONE;
	if (!disk->tells || !strcmp(disk->about.swap, "off") || !*disk->about.pid)
		return;
	processes_named("ramzswap-guard", is_our_guard, disk);
	if (disk->guard == LOOK_GUARD_NONE && may_be_swap(disk))
		disk->guard = LOOK_GUARD_MISSING;
}

int disk_ask(struct disk *disk, const char *socket, char why[ASK_WHY_MAX])
{
	static const char garbled[] =
		"the statistics from %s are cut short or those of another version";
	char answer[ASK_MAX + 1], ignored[ASK_WHY_MAX];
	const char *body;
	int err;

	memset(disk, 0, sizeof(*disk));
	snprintf(disk->socket, sizeof(disk->socket), "%s", socket);
	disk_name(disk->socket, disk->name);
	err = ask(socket, "stats", ASK_TIMEOUT_S, answer, &body, why);
	if (err)
		return err;
	if (stats_parse_plain(&disk->stats, body) < 0) {
		snprintf(why, ASK_WHY_MAX, garbled, socket);
		return -EBADMSG;
	}
	/* An older server does not know the question: then it is not told. */
	disk->tells = ask(socket, "about", ASK_TIMEOUT_S, answer, &body, ignored) == 0;
	if (disk->tells)
		control_about_parse(&disk->about, body);
	disk->measures = ask(socket, "histograms", ASK_TIMEOUT_S, answer, &body, ignored) == 0 &&
			 histograms_parse(disk->histograms, body) == 0;
	find_guard(disk);
	disk->answers = true;
	return 0;
}

int disk_look(const struct disk *disk, FILE *out)
{
	const struct look look = {
		.stats = &disk->stats,
		.about = disk->tells ? &disk->about : NULL,
		.ram = size_of_ram(),
		.guard = disk->guard,
		.plain = figures_are_plain(),
	};

	return look_write(&look, out);
}
