/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>

#include "base/machine.h"
#include "server/swap_watch.h"

/* Looks of half a second. */
#define LOOKS_MAX 60u

void swap_watch_open(struct swap_watch *watch)
{
	memset(watch, 0, sizeof(*watch));
	watch->swaps = machine_swaps_open();
}

void swap_watch_close(struct swap_watch *watch)
{
	/* Zeroed if it was never opened. */
	if (watch->swaps > 0)
		close(watch->swaps);
	watch->swaps = 0;
}

void swap_watch_look(struct swap_watch *watch)
{
	bool changed = swap_disks_changed(watch->swaps, &watch->names);

	if (!changed && (watch->disks.count == 0 || ++watch->age < LOOKS_MAX))
		return;
	watch->age = 0;
	if (!swap_disks_find("", &watch->disks))
		return;
	atomic_store(&watch->to_nbd, swap_disks_have_of(&watch->disks, "nbd"));
	atomic_store(&watch->to_ublk, swap_disks_have_of(&watch->disks, "ublkb"));
}
