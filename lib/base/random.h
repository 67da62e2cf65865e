/* Numbers that look random, from a seed: for timers that must not fall into step (RFC 4861, RFC
 * 4862). No secret depends on them. One owner thread per generator, no locks.
 *
 * Used by the control core; a test hands in its own seed.
 */
#pragma once

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline void random_init(struct random *r, uint64_t seed)
{
	r->state = seed;
}

/* splitmix64 */
static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* From low to high, both included. */
static inline uint64_t random_between(struct random *r, uint64_t low, uint64_t high)
{
	return high <= low ? low : low + random_next(r) % (high - low + 1);
}
