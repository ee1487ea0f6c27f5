/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The allocator by itself: a source of spans with a limit, a pool, some objects. */
#include <stdio.h>
#include <string.h>

#include "span.h"
#include "xvmalloc.h"

int main(void)
{
	static const char *const words[] = { "wastes", "next", "to", "nothing" };
	struct span_budget budget;
	struct span_source_config memory = { .unit = XV_SPAN_SIZE,
					     .units_max = 1024,
					     .budget = &budget };
	struct xv_config config = { 0 };
	struct xv_pool *pool;
	struct xv_stats stats;
	uint32_t handles[4];
	char why[100];

	span_budget_init(&budget, 16 << 20); /* never more than 16 MiB */
	if (span_source_create(&config.source, &memory) || xv_create(&pool, &config))
		return 1;

	for (int i = 0; i < 4; i++) {
		if (xv_alloc(pool, strlen(words[i]), 0, &handles[i]))
			return 1;
		memcpy(xv_map(pool, handles[i]), words[i], strlen(words[i]));
	}
	for (int i = 0; i < 4; i++)
		printf("%.*s\n", (int)xv_size(pool, handles[i]), (char *)xv_map(pool, handles[i]));

	xv_get_stats(pool, &stats);
	printf("%d bytes asked for, %d with headers and rounding\n", (int)stats.requested,
	       (int)stats.used);
	for (int i = 0; i < 4; i++)
		xv_free(pool, handles[i]);
	xv_get_stats(pool, &stats);
	if (stats.spans || xv_check(pool, why, sizeof(why)))
		return 1;
	xv_destroy(pool);
	span_source_destroy(config.source);
	return 0;
}
