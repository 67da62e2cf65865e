/* Source: frames that the control core made (ARP, neighbour discovery), with their Ethernet header.
 * Worker.
 *
 * The control core sets meta.out_port and META_OURS | META_FRAMED.
 */
#include "dp/node/nodes.h"

enum { NEXT_PORT_TX, NEXT_DROP };

#define ROOM 32

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	unsigned n = link_packets_get(
		&w->link.inject, (struct rte_mbuf **)node->objs, worker_room(w, ROOM));
	uint16_t next[ROOM];

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = node->objs[i];
		struct meta *meta = meta_of(m);

		meta_set_tx(m, meta->way);
		next[i] = meta->out_port < PORTS_MAX
				  ? NEXT_PORT_TX
				  : node_drop(meta, DROP_INJECT_INVALID, NEXT_DROP);
	}
	w->stats.injected += n;
	w->walk_packets += n;
	node->idx = (uint16_t)n;
	node_send(graph, node, node->objs, next, n);
	return (uint16_t)n;
}

const struct node node_inject_rx = {
	.name = "inject_rx",
	.sentence = "takes frames that the control core sends",
	.source = true,
	.process = process,
	.n_next = 2,
	.next = {[NEXT_PORT_TX] = "port_tx", [NEXT_DROP] = "drop"},
};
