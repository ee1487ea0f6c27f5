/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "store/rate.h"

void rate_set(struct rate *rate, uint64_t bytes)
{
	rate->left = (int64_t)bytes;
	rate->bytes = bytes;
}

void rate_init(struct rate *rate, uint64_t bytes, uint64_t period_ms, uint64_t segment)
{
	rate->period_ms = period_ms;
	rate->segment = segment;
	rate->last_ms = clock_ms();
	rate_set(rate, bytes);
}

/* What is saved up at most, and overdrawn. */
static int64_t rate_most(const struct rate *rate)
{
	uint64_t bytes = rate->bytes;

	return (int64_t)(bytes > rate->segment ? bytes : rate->segment);
}

static void rate_refill(struct rate *rate)
{
	uint64_t now = clock_ms(), since = now - rate->last_ms;
	uint64_t more;

	if (rate->bytes == 0)
		return;
	if (since > rate->period_ms)
		since = rate->period_ms;
	more = (uint64_t)((double)rate->bytes * (double)since / (double)rate->period_ms);
	/* Less than a byte is not lost: it comes with the next call. */
	if (more == 0)
		return;
	rate->last_ms = now;
	rate->left += (int64_t)more;
	if (rate->left > rate_most(rate))
		rate->left = rate_most(rate);
}

uint64_t rate_wait(struct rate *rate)
{
	uint64_t bytes = rate->bytes;

	rate_refill(rate);
	if (bytes == 0 || rate->left > 0)
		return 0;
	return (uint64_t)((double)-rate->left / (double)bytes * (double)rate->period_ms) + 1;
}

void rate_take(struct rate *rate, uint64_t bytes)
{
	if (rate->bytes == 0)
		return;
	rate->left -= (int64_t)bytes;
	if (rate->left < -rate_most(rate))
		rate->left = -rate_most(rate);
}
