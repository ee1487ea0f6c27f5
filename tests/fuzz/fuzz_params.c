/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any lines KEY=VALUE as the plugin's parameters. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/params.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 4096
#define RAM (UINT64_C(4) << 30)

static void must(int truth, const char *promise)
{
	if (truth)
		return;
	fprintf(stderr, "broken promise: %s\n", promise);
	abort();
}

static void must_be_one_line(const char *why)
{
	must(why[0] != '\0', "a refusal says why");
	must(!strchr(why, '\n'), "in one line");
}

static void set(struct params *params, char *line)
{
	char why[300] = "", *value = strchr(line, '=');
	struct params before = *params;
	int err;

	if (value)
		*value++ = '\0';
	err = params_set(params, value ? line : "size", value ? value : line, why, sizeof(why));
	if (!err)
		return;
	must(err == -EINVAL || err == -ENOENT, "a refusal is one of two");
	must(memcmp(&before, params, sizeof(before)) == 0, "what is refused changes nothing");
	must_be_one_line(why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[INPUT_MAX + 1], why[300] = "", *rest = text, *line;
	struct params params;

	if (size > INPUT_MAX)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&params, 0, sizeof(params));
	params_init(&params, RAM);
	while ((line = strsep(&rest, "\n")))
		set(&params, line);
	if (params_complete(&params, why, sizeof(why))) {
		must_be_one_line(why);
		return 0;
	}
	must(params.size > 0 && params.size <= STORE_SIZE_MAX, "a size that a store takes");
	must(params.memlimit >= store_memlimit_min(params.size), "a limit that a store takes");
	must(params.codec != NULL, "a codec");
	must(params.reserve < params.memlimit, "a reserve within the limit");
	return 0;
}
