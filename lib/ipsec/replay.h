/* The anti-replay window (RFC 4303 sections 3.4.3 and appendix A, RFC 6479): a ring of 64-bit
 * words. Owner worker of the SA only; no atomics.
 */
#pragma once

#include "table/sa.h"

/* The whole sequence number of a packet with the given low half (host byte order): with ESN the
 * high half that makes it lie nearest to the window (RFC 4303 appendix A2), else the low half. */
uint64_t replay_seq(const struct sa *sa, uint32_t low);

/* Before the cipher: false: seen already, left of the window, or 0. */
bool replay_check(const struct sa *sa, uint64_t seq);

/* After the ICV was found right: checks again, since a burst may hold the same packet twice, and
 * marks it. False: seen. */
bool replay_commit(struct sa *sa, uint64_t seq);
