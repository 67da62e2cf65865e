/* Source: packets that other workers handed to this one, as received (they go on as if just
 * received) or ready to be sent. Worker.
 */
#include "dp/node/nodes.h"

enum { NEXT_FAST_PATH, NEXT_PORT_TX };

#define ROOM 64 /* packets of each kind per walk */

static unsigned take(struct worker *w, struct rte_mbuf **m, enum handoff_kind kind)
{
	const struct handoff *h = &w->shared->handoff;
	unsigned n = 0, room = worker_room(w, ROOM);

	for (unsigned from = 0; from < h->n_workers && n < room; from++) {
		unsigned begin = (unsigned)((from + w->stats.walks) % h->n_workers);

		if (begin != w->id)
			n += link_packets_get(handoff_ring(h, begin, w->id, kind), m + n, room - n);
	}
	w->stats.handoff_in[kind] += n;
	w->walk_packets += n;
	return n;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	unsigned rx, tx;

	if (w->shared->n_workers == 1)
		return 0;
	rx = take(w, (struct rte_mbuf **)node->objs, HANDOFF_RX);
	node_source_send(graph, node, NEXT_FAST_PATH, rx);
	tx = take(w, (struct rte_mbuf **)node->objs, HANDOFF_TX);
	node_source_send(graph, node, NEXT_PORT_TX, tx);
	return (uint16_t)(rx + tx);
}

const struct node node_handoff_rx = {
	.name = "handoff_rx",
	.sentence = "takes packets that other workers handed over",
	.source = true,
	.process = process,
	.n_next = 2,
	.next = {[NEXT_FAST_PATH] = "fast_path", [NEXT_PORT_TX] = "port_tx"},
};
