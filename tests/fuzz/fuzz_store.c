/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a sequence of operations on a page store, beside a plain array (store_model.h).
 * The first bytes choose the kind of disk.
 */
#include <stdlib.h>

#include "store_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MIB (UINT64_C(1) << 20)
#define REGION (48u << 10)

/* So that no input takes long. */
#define STEPS_MAX 2000u

static struct model_config choose_disk(struct choices *choices)
{
	struct model_config config = {
		.size = 256 * 1024 + choose(choices, 5000),
		.memlimit = STORE_NO_LIMIT,
		.encoders = 1,
		.checksum = choose(choices, 2),
		.idle_codec = choose(choices, 2) ? codec_find("lz4") : NULL,
	};

	switch (choose(choices, 4)) {
	case 1:
		config.memlimit = MIB + choose(choices, MIB / 8);
		break;
	case 2:
		config.size = STORE_SIZE_MAX;
		config.memlimit = 2 * MIB;
		break;
	case 3:
		config.memlimit = MIB + MIB / 8;
		config.backing = MIB;
		break;
	default:
		break;
	}
	return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model model = { .choices = { .bytes = data, .left = size } };
	struct model_config config;
	struct model_disk disk;

	if (size == 0)
		return 0;
	config = choose_disk(&model.choices);
	model_disk_make(&disk, &config);
	/* A write that is refused waits for nothing here. */
	disk.limited = true;
	if (config.size == STORE_SIZE_MAX)
		model_init(&model, &disk, 4, 4095, REGION, STORE_SIZE_MAX / 4);
	else
		model_init(&model, &disk, 1, 0, config.size, 0);
	model.alone = true;
	while (choices_left(&model.choices) && model.operations < STEPS_MAX)
		model_step(&model);
	model_disk_calm(&disk);
	model_done(&model);
	model_disk_end(&disk);
	return 0;
}
