/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hook.c tells the program before it is loaded.  As layout.h, for both. */
#ifndef RAMZSWAP_FREED_CONFIG_H
#define RAMZSWAP_FREED_CONFIG_H

#include <linux/types.h>

struct freed_config {
	__u64 slots;	     /* that the array has bits for */
	__u32 device;	     /* as the kernel has it: major << 20 | minor */
	__u32 cluster_size;  /* bytes of struct swap_cluster_info, where it is needed */
	__u32 cluster_slots; /* of a cluster, the same */
	__u32 unused;
};

#endif
