/* Sends frames: to the worker's own transmit queue of the port, or, where the port has fewer queues
 * than workers, to the worker that owns one. Never waits. Worker.
 */
#include "dp/node/nodes.h"

enum { NEXT_DROP };

#define TRIES 4 /* a device may take a burst in pieces */

static void refuse(struct rte_graph *graph, struct rte_node *node, struct rte_mbuf **m, unsigned n,
	enum drop_reason reason)
{
	for (unsigned i = 0; i < n; i++)
		meta_from_tx(m[i])->drop = (uint16_t)reason;
	if (n)
		rte_node_enqueue(graph, node, NEXT_DROP, (void **)m, (uint16_t)n);
}

/* bytes: of all n, since after the burst the packets are the device's. */
static unsigned transmit(struct worker *w, uint16_t port, uint16_t queue, struct rte_mbuf **m,
	unsigned n, uint64_t bytes)
{
	struct port_counters *count = &w->stats.port[port];
	unsigned done = 0;

	for (unsigned try = 0; done < n && try < TRIES; try++)
		done += rte_eth_tx_burst(port, queue, m + done, (uint16_t)(n - done));
	for (unsigned i = done; unlikely(i < n); i++)
		bytes -= m[i]->pkt_len;
	count->tx_packets += done;
	count->tx_bytes += bytes;
	w->stats.sent += done;
	return done;
}

static void send_run(struct rte_graph *graph, struct rte_node *node, struct worker *w,
	struct rte_mbuf **m, unsigned n, uint64_t bytes)
{
	uint16_t port = meta_tx_port(m[0]);
	const struct txq *q = &w->txq[port];
	struct link_ring *ring;
	unsigned done;

	if (unlikely(!atomic_load_explicit(&w->shared->link_up[port], memory_order_relaxed))) {
		refuse(graph, node, m, n, DROP_LINK_DOWN);
		return;
	}
	if (likely(q->owner == w->id)) {
		done = transmit(w, port, q->queue, m, n, bytes);
		refuse(graph, node, m + done, n - done, DROP_TX_FULL);
		return;
	}
	ring = handoff_ring(&w->shared->handoff, w->id, q->owner, HANDOFF_TX);
	done = link_packets_put(ring, m, n);
	w->stats.handoff_out[HANDOFF_TX] += done;
	refuse(graph, node, m + done, n - done, DROP_HANDOFF_FULL);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	struct rte_mbuf **m = (struct rte_mbuf **)objs;
	unsigned run;

	for (unsigned i = 0; i < nb_objs; i += run) {
		uint16_t port = meta_tx_port(m[i]);
		uint64_t bytes = m[i]->pkt_len;

		for (run = 1; i + run < nb_objs && meta_tx_port(m[i + run]) == port; run++)
			bytes += m[i + run]->pkt_len;
		send_run(graph, node, w, m + i, run, bytes);
	}
	return nb_objs;
}

const struct node node_port_tx = {
	.name = "port_tx",
	.sentence = "sends frames, or hands them to the worker that can",
	.process = process,
	.n_next = 1,
	.next = {[NEXT_DROP] = "drop"},
};
