/* A gateway of one worker with tunnels to a peer, and the peer's keys: packets for both directions
 * are made outside of what is measured. The daemon is that of the graph tests (test/graph). One
 * thread.
 */
#pragma once

#include "../crypto/crypto.h"

/* Boots; once per process. burst_bytes: as system.burst-bytes says. */
void world_boot(unsigned burst_packets, unsigned burst_bytes);
void world_end(void);

/* n tunnels, each with one policy (a host behind the peer), and a pair of SAs. Replaces those that
 * were there. */
void world_make(const struct suite *suite, uint8_t proto, unsigned n);

/* The worker's cycles for rounds times OPS packets: in by one port, through filter, policies and
 * SA, and out by another. Ends the process if one does not arrive. */
uint64_t world_run(enum size size, bool in, unsigned rounds);
