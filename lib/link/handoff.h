/* Packets from one worker to another: one ring for each pair, single producer, single consumer.
 *
 * Three uses: a port with fewer receive queues than workers spreads what it receives by flow hash
 * (HANDOFF_RX, the packet is as received), a port with fewer transmit queues than workers has
 * owners that send for the others (HANDOFF_TX, the frame is ready), and a security association has
 * an owner that does its packets, in and out (HANDOFF_SA, the metadata has its handle). Workers
 * only.
 */
#pragma once

#include "link/msg.h"

#define WORKERS_MAX 64

enum handoff_kind { HANDOFF_RX, HANDOFF_TX, HANDOFF_SA, HANDOFF_KINDS };

struct handoff {
	unsigned n_workers;
	/* [from * n_workers + to][kind]; no ring where from == to */
	struct link_ring (*ring)[HANDOFF_KINDS];
};

/* All rings for n workers. 0 or -errno; unwinds. Boot only. */
int handoff_init(struct handoff *h, unsigned n_workers, int socket);
/* Frees the rings and the packets in them. After all workers stopped. */
void handoff_fini(struct handoff *h);

static inline struct link_ring *handoff_ring(
	const struct handoff *h, unsigned from, unsigned to, enum handoff_kind kind)
{
	return &h->ring[from * h->n_workers + to][kind];
}
