/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "allowance.h"
#include "store_internal.h"

void allowance_set(struct allowance *allowance, uint64_t bytes)
{
	allowance->left = (int64_t)bytes;
	allowance->bytes = bytes;
}

void allowance_init(struct allowance *allowance, uint64_t bytes, uint64_t period_ms,
		    uint64_t segment)
{
	allowance->period_ms = period_ms;
	allowance->segment = segment;
	allowance->last_ms = monotonic_ms();
	allowance_set(allowance, bytes);
}

/* What is saved up at most, and overdrawn. */
static int64_t allowance_most(const struct allowance *allowance)
{
	uint64_t bytes = allowance->bytes;

	return (int64_t)(bytes > allowance->segment ? bytes : allowance->segment);
}

static void allowance_refill(struct allowance *allowance)
{
	uint64_t now = monotonic_ms(), since = now - allowance->last_ms;
	uint64_t more;

	if (allowance->bytes == 0)
		return;
	if (since > allowance->period_ms)
		since = allowance->period_ms;
	more = (uint64_t)((double)allowance->bytes * (double)since / (double)allowance->period_ms);
	/* Less than a byte is not lost: it comes with the next call. */
	if (more == 0)
		return;
	allowance->last_ms = now;
	allowance->left += (int64_t)more;
	if (allowance->left > allowance_most(allowance))
		allowance->left = allowance_most(allowance);
}

uint64_t allowance_wait(struct allowance *allowance)
{
	uint64_t bytes = allowance->bytes;

	allowance_refill(allowance);
	if (bytes == 0 || allowance->left > 0)
		return 0;
	return (uint64_t)((double)-allowance->left / (double)bytes * (double)allowance->period_ms) +
	       1;
}

void allowance_take(struct allowance *allowance, uint64_t bytes)
{
	if (allowance->bytes == 0)
		return;
	allowance->left -= (int64_t)bytes;
	if (allowance->left < -allowance_most(allowance))
		allowance->left = -allowance_most(allowance);
}
