/* A token bucket: so many events a second, with a burst. One owner thread per bucket, no locks.
 *
 * Used by workers (ICMP errors, punts, filter log) and by the control core.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t cycles_per_token; /* TSC cycles; 0: nothing is ever permitted */
	uint64_t depth_cycles;     /* burst x cycles_per_token */
	uint64_t credit_cycles;    /* at most depth_cycles */
	uint64_t last_tsc;
};

/* rate per second (0: refuse all), burst in events (at least 1), hz: TSC cycles per second. */
static inline void bucket_init(
	struct bucket *b, uint32_t rate, uint32_t burst, uint64_t hz, uint64_t now_tsc)
{
	b->cycles_per_token = rate ? (hz / rate ? hz / rate : 1) : 0;
	b->depth_cycles = b->cycles_per_token * (burst ? burst : 1);
	b->credit_cycles = b->depth_cycles;
	b->last_tsc = now_tsc;
}

/* Takes one token; false when there is none. */
static inline bool bucket_take(struct bucket *b, uint64_t now_tsc)
{
	uint64_t credit = b->credit_cycles + (now_tsc - b->last_tsc);

	if (b->cycles_per_token == 0)
		return false;
	b->last_tsc = now_tsc;
	if (credit > b->depth_cycles)
		credit = b->depth_cycles;
	if (credit < b->cycles_per_token) {
		b->credit_cycles = credit;
		return false;
	}
	b->credit_cycles = credit - b->cycles_per_token;
	return true;
}
