/* Source: takes packets from this worker's receive queues. Bounded by packets and by bytes, so that
 * a walk's packets stay in the cache until they are sent. Worker.
 */
#include "dp/node.h"
#include "dp/node/nodes.h"

enum { NEXT_FAST_PATH, NEXT_SPREAD };

#define BURST_MIN 8

/* How many packets the next poll may bring: as many as fill the byte bound at this queue's usual
 * packet length. */
static void adapt(struct rxq *q, const struct worker *w, uint32_t bytes, unsigned n)
{
	uint32_t fits;

	q->avg_len = (q->avg_len * 7 + bytes / n) / 8;
	fits = w->burst_bytes / (q->avg_len + 1);
	q->burst =
		(uint16_t)RTE_MIN(RTE_MAX(fits, (uint32_t)BURST_MIN), (uint32_t)w->burst_packets);
}

static unsigned receive(struct worker *w, struct rxq *q, struct rte_mbuf **m, unsigned room)
{
	struct port_counters *count = &w->stats.port[q->port];
	unsigned n = rte_eth_rx_burst(q->port, q->queue, m, (uint16_t)RTE_MIN(q->burst, room));
	uint32_t bytes = 0;

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
		bytes += m[i]->pkt_len;
	}
	count->rx_packets += n;
	count->rx_bytes += bytes;
	w->stats.received += n;
	adapt(q, w, bytes, n);
	return n;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	unsigned total = 0, room = worker_room(w, w->burst_packets);
	unsigned first = w->n_rxq ? (unsigned)(w->stats.walks % w->n_rxq) : 0;

	for (unsigned i = 0; i < w->n_rxq && room > 0; i++) {
		/* another queue begins each walk, so that none starves when the room is short */
		unsigned at = first + i < w->n_rxq ? first + i : first + i - w->n_rxq;
		struct rxq *q = &w->rxq[at];
		unsigned n = receive(w, q, (struct rte_mbuf **)node->objs, room);

		node_source_send(graph, node, q->spread ? NEXT_SPREAD : NEXT_FAST_PATH, n);
		total += n;
		room -= n;
	}
	w->walk_packets += total;
	return (uint16_t)total;
}

const struct node node_port_rx = {
	.name = "port_rx",
	.sentence = "takes packets from the worker's receive queues",
	.source = true,
	.process = process,
	.n_next = 2,
	.next = {[NEXT_FAST_PATH] = "fast_path", [NEXT_SPREAD] = "spread"},
};
