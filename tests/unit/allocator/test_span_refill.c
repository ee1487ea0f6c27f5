/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What allocator/span.h promises to those who take while others refill. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "span.h"

#define UNIT_BYTES 65536u
#define ROUNDS 20000

static atomic_bool stop;

static void *refill(void *source)
{
	while (!atomic_load(&stop))
		span_refill(source, 1);
	return NULL;
}

/* The only unit that the budget allows is ready, or on its way there, or in nobody's hands. */
static void the_last_unit_can_be_taken_while_it_is_made_ready(void **state)
{
	struct span_budget budget;
	struct span_source_config config = { .unit = UNIT_BYTES,
					     .units_max = 16,
					     .budget = &budget };
	struct span_source *source;
	pthread_t thread;
	uint32_t unit;
	int failed = 0;

	span_budget_init(&budget, UNIT_BYTES);
	assert_int_equal(span_source_create(&source, &config), 0);
	assert_int_equal(pthread_create(&thread, NULL, refill, source), 0);
	for (int i = 0; i < ROUNDS; i++) {
		/* Of its memory nothing is left, so that it has to be made ready again. */
		span_reserve(source, 0);
		span_reserve(source, 1);
		if (span_take(source, &unit) == 0)
			span_give(source, unit);
		else
			failed++;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	span_source_destroy(source);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_unit_can_be_taken_while_it_is_made_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
