/* The part of the anti-replay window that few packets need. See replay.h. */
#include "ipsec/replay.h"

void replay_advance(struct sa *sa, uint64_t seq)
{
	uint64_t from = sa->seq / 64, steps = seq / 64 - from;

	for (uint64_t i = 1; i <= RTE_MIN(steps, (uint64_t)sa_window_words(sa->window)); i++)
		*replay_word(sa, (from + i) * 64) = 0;
}
