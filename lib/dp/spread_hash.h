/* Which worker handles a frame, where software decides: by a hash of its flow. Called by node
 * spread and by those that find fragments. No state, any thread.
 *
 * The hash is symmetric: both directions of a flow meet one worker. It is of the addresses, the
 * protocol and the ports; of fragments, the first one too, of the addresses alone, so that all
 * fragments of a datagram meet one worker, whatever order they come in.
 */
#pragma once

#include <stdint.h>

/* frame: from its Ethernet header on, len bytes, up to two VLAN tags. 0 for what is neither IPv4
 * nor IPv6. Believes nothing, reads nothing beyond len. */
uint32_t spread_hash(const uint8_t *frame, unsigned len);

/* The worker of a hash, 0 to workers - 1. */
static inline unsigned spread_worker(uint32_t hash, unsigned workers)
{
	return (unsigned)((uint64_t)hash * workers >> 32);
}
