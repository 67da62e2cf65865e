/* Source: packets whose wait for a neighbour is over. Worker. See neigh_wait.c.
 */
#include "dp/node/nodes.h"

enum { NEXT_IP_ROUTE, NEXT_ICMP4_ERROR, NEXT_ICMP6_ERROR, NEXT_DROP };

#define ROOM 64 /* packets per walk */

/* Packets of one neighbour; how many. */
static unsigned release(
	struct rte_graph *graph, struct rte_node *node, struct worker *w, unsigned room)
{
	enum drop_reason fate;
	unsigned n, next;

	n = room ? neigh_wait_take(w, (struct rte_mbuf **)node->objs, room, &fate) : 0;
	if (n == 0)
		return 0;
	next = NEXT_IP_ROUTE;
	for (unsigned i = 0; i < n; i++) {
		struct meta *meta = meta_of(node->objs[i]);

		meta->flags |= META_WAITED;
		/* nobody is told of what a scan does to us */
		if (fate == DROP_NEIGH_QUEUE_FULL || fate == DROP_NEIGH_REFUSED)
			next = node_drop(meta, fate, NEXT_DROP);
		else if (fate != DROP_NONE)
			/* one neighbour's packets are of one family */
			next = node_unreachable(meta, fate, ICMP4_HOST_UNREACH, ICMP6_ADDR_UNREACH,
				NEXT_ICMP4_ERROR);
	}
	node_source_send(graph, node, next, n);
	w->walk_packets += n;
	return n;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	unsigned total = 0, n;

	if (likely(w->stats.neigh_waiting == 0))
		return 0;
	while ((n = release(graph, node, w, worker_room(w, ROOM - total))) > 0)
		total += n;
	return (uint16_t)total;
}

const struct node node_neigh_ready = {
	.name = "neigh_ready",
	.sentence = "takes packets whose neighbour has answered, or will not",
	.source = true,
	.process = process,
	.n_next = 4,
	.next = {[NEXT_IP_ROUTE] = "ip_route",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_DROP] = "drop"},
};
