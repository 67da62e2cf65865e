/* The anti-replay window (RFC 4303 sections 3.4.3 and appendix A, RFC 6479): a ring of 64-bit
 * words. A word is cleared when the window moves into it, and there are more words than the window
 * has bits for, so that nothing is ever shifted. Owner worker of the SA only; no atomics.
 */
#pragma once

#include "table/sa.h"

/* The whole sequence number of a packet with the given low half (host byte order): with ESN the
 * high half that makes it lie nearest to the window (RFC 4303 appendix A2), else the low half. */
static inline uint64_t replay_seq(const struct sa *sa, uint32_t low)
{
	uint32_t top = (uint32_t)sa->seq, high = (uint32_t)(sa->seq >> 32);
	uint32_t size = sa->window ? sa->window : 1;
	uint32_t bottom = top - (size - 1);

	if (!(sa->flags & SA_ESN))
		return low;
	if (top >= size - 1) { /* the window lies within one half */
		if (low < bottom)
			high++;
	} else if (low >= bottom && high > 0) { /* it begins in the one before */
		high--;
	}
	return (uint64_t)high << 32 | low;
}

static inline uint64_t *replay_word(const struct sa *sa, uint64_t seq)
{
	return &sa->bitmap[seq / 64 & (sa_window_words(sa->window) - 1)];
}

/* Before the cipher: false: seen already, left of the window, or 0. Without a window (RFC 4303
 * section 3.4.3: not enabled) anything goes. */
static inline bool replay_check(const struct sa *sa, uint64_t seq)
{
	if (sa->window == 0)
		return true;
	if (seq == 0)
		return false;
	if (seq > sa->seq)
		return true;
	if (sa->seq - seq >= sa->window)
		return false;
	return !(*replay_word(sa, seq) >> seq % 64 & 1);
}

/* Moves the window up to a packet right of it. */
void replay_advance(struct sa *sa, uint64_t seq);

/* After the ICV was found right: checks again, since a burst may hold the same packet twice, and
 * marks it. False: seen. */
static inline bool replay_commit(struct sa *sa, uint64_t seq)
{
	if (!replay_check(sa, seq))
		return false;
	if (seq > sa->seq) {
		/* most packets are the next, in the same word */
		if (sa->window && (seq ^ sa->seq) >= 64)
			replay_advance(sa, seq);
		sa->seq = seq;
	}
	if (sa->window)
		*replay_word(sa, seq) |= UINT64_C(1) << seq % 64;
	return true;
}
