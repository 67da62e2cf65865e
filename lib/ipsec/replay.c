/* The anti-replay window as a ring of words (RFC 6479): a word is cleared when the window moves
 * into it, and one word more than the window has bits for is kept, so that nothing is ever shifted.
 */
#include "ipsec/replay.h"

static inline uint64_t words(const struct sa *sa)
{
	return sa->window / 64 + 1;
}

uint64_t replay_seq(const struct sa *sa, uint32_t low)
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

bool replay_check(const struct sa *sa, uint64_t seq)
{
	if (seq == 0)
		return false;
	if (sa->window == 0 || seq > sa->seq)
		return true;
	if (sa->seq - seq >= sa->window)
		return false;
	return !(sa->bitmap[seq / 64 % words(sa)] >> seq % 64 & 1);
}

bool replay_commit(struct sa *sa, uint64_t seq)
{
	uint64_t bit = UINT64_C(1) << seq % 64;
	uint64_t *word;

	if (!replay_check(sa, seq))
		return false;
	if (sa->window == 0) {
		if (seq > sa->seq)
			sa->seq = seq;
		return true;
	}
	if (seq > sa->seq) {
		uint64_t from = sa->seq / 64, steps = seq / 64 - from;

		for (uint64_t i = 1; i <= RTE_MIN(steps, words(sa)); i++)
			sa->bitmap[(from + i) % words(sa)] = 0;
		sa->seq = seq;
	}
	word = &sa->bitmap[seq / 64 % words(sa)];
	*word |= bit;
	return true;
}
