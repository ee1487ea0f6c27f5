/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's interface for block devices that a program serves, as far as it is used here
 * (Documentation/block/ublk.rst of the kernel).  The headers of the machine that builds this may be
 * older than the kernel that runs it, so it is stated here.
 *
 * Commands travel as IORING_OP_URING_CMD: those about a device to UBLK_CONTROL_PATH, those about a
 * request to the device's own character device, /dev/ublkcN.
 */
#ifndef RAMZSWAP_UBLK_UAPI_H
#define RAMZSWAP_UBLK_UAPI_H

#include <linux/ioctl.h>
#include <stdint.h>

#define UBLK_CONTROL_PATH "/dev/ublk-control"

/* Of a command to UBLK_CONTROL_PATH; in the larger kind of submission (IORING_SETUP_SQE128). */
struct ublk_control_command {
	uint32_t device; /* its number; UINT32_MAX where there is none */
	uint16_t queue;	 /* UINT16_MAX but for commands about one */
	uint16_t length; /* of what lies at address */
	uint64_t address;
	uint64_t data;
	uint64_t reserved;
};

#define UBLK_ADD_DEVICE _IOWR('u', 0x04, struct ublk_control_command)
#define UBLK_DELETE_DEVICE _IOWR('u', 0x05, struct ublk_control_command)
#define UBLK_START_DEVICE _IOWR('u', 0x06, struct ublk_control_command)
#define UBLK_STOP_DEVICE _IOWR('u', 0x07, struct ublk_control_command)
#define UBLK_SET_PARAMETERS _IOWR('u', 0x08, struct ublk_control_command)
#define UBLK_START_RECOVERY _IOWR('u', 0x10, struct ublk_control_command)
#define UBLK_END_RECOVERY _IOWR('u', 0x11, struct ublk_control_command)
#define UBLK_GET_INFO _IOR('u', 0x02, struct ublk_control_command)
#define UBLK_GET_FEATURES _IOR('u', 0x13, struct ublk_control_command)
#define UBLK_DELETE_DEVICE_ASYNC _IOR('u', 0x14, struct ublk_control_command) /* Linux 6.9 */

/* Features of a kernel, flags of a device. */
#define UBLK_FEATURE_RECOVERY (UINT64_C(1) << 3)     /* outlives its server */
#define UBLK_FEATURE_IOCTL_CODES (UINT64_C(1) << 6)  /* commands as above */
#define UBLK_FEATURE_USER_COPY (UINT64_C(1) << 7)    /* data by UBLK_DATA_OFFSET */
#define UBLK_FEATURE_FAIL_WITHOUT (UINT64_C(1) << 9) /* without a server requests fail at once */

/* What a device is (UBLK_ADD_DEVICE, UBLK_GET_INFO). */
struct ublk_device_info {
	uint16_t queues;
	uint16_t depth; /* requests under way in each of them */
	uint16_t state; /* enum ublk_state */
	uint16_t padding0;
	uint32_t request_bytes; /* of data, at most */
	uint32_t device;	/* UINT32_MAX to have one chosen */
	int32_t server;		/* process */
	uint32_t padding1;
	uint64_t flags;
	uint64_t ours; /* the kernel only keeps it */
	uint32_t owner_user, owner_group;
	uint64_t reserved[2];
};

enum ublk_state {
	UBLK_DEAD = 0, /* made and not started, or stopped */
	UBLK_LIVE = 1,
	UBLK_QUIESCED = 2, /* its server has ended; requests wait for another one */
	UBLK_FAILING = 3,  /* the same, but requests fail */
};

/* UBLK_SET_PARAMETERS */
struct ublk_parameters {
	uint32_t length; /* of this structure */
	uint32_t types;	 /* which parts of it count */
#define UBLK_PARAMETERS_BASIC 1u
#define UBLK_PARAMETERS_DISCARD 2u
	struct {
		uint32_t attributes;
		uint8_t logical_shift, physical_shift, optimal_shift, minimum_shift;
		uint32_t request_sectors, chunk_sectors;
		uint64_t sectors; /* of 512 bytes each, here and below */
		uint64_t boundary_mask;
	} basic;
	struct {
		uint32_t alignment, granularity; /* bytes */
		uint32_t discard_sectors, zero_sectors;
		uint16_t segments, reserved;
	} discard;
};

/* Of a command to /dev/ublkcN. */
struct ublk_request_command {
	uint16_t queue;
	uint16_t tag;
	int32_t result;	  /* bytes, or a negative errno */
	uint64_t address; /* 0 with UBLK_FEATURE_USER_COPY */
};

#define UBLK_FETCH _IOWR('u', 0x20, struct ublk_request_command)
#define UBLK_COMMIT_AND_FETCH _IOWR('u', 0x21, struct ublk_request_command)

/*
 * Where in /dev/ublkcN the data of the request lies that a tag of the only queue has: a write's can
 * be read there, a read's written, until the tag is given back.
 */
#define UBLK_DATA_OFFSET(tag) (UINT64_C(0x80000000) + ((uint64_t)(tag) << 25))

/* A request, in memory that the kernel writes: an array by tag, mapped from offset 0. */
struct ublk_descriptor {
	uint32_t operation; /* enum ublk_operation in the lowest byte, flags above */
#define UBLK_OPERATION_MASK 0xffu
	uint32_t sectors; /* of 512 bytes, as below */
#define UBLK_SECTOR_SHIFT 9
	uint64_t sector;
	uint64_t address;
};

enum ublk_operation {
	UBLK_READ = 0,
	UBLK_WRITE = 1,
	UBLK_FLUSH = 2,
	UBLK_DISCARD = 3,
	UBLK_WRITE_ZEROES = 5,
};

_Static_assert(sizeof(struct ublk_control_command) == 32, "the kernel's");
_Static_assert(sizeof(struct ublk_device_info) == 64, "the kernel's");
_Static_assert(sizeof(struct ublk_request_command) == 16, "the kernel's");
_Static_assert(sizeof(struct ublk_descriptor) == 24, "the kernel's");

#endif
