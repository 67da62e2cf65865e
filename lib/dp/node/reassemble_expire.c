/* Source: first fragments of datagrams that were not whole in time; their senders are told (RFC
 * 792, RFC 8200 section 4.5). The other fragments of those datagrams are dropped without a word,
 * and so are all where the first has not come. Worker. See reassemble.c.
 */
#include "dp/node/nodes.h"

enum { NEXT_ICMP4_ERROR, NEXT_ICMP6_ERROR };

#define ROOM 16 /* packets per walk */

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	struct rte_mbuf *m[ROOM];
	unsigned n;

	if (likely(!reassembly_waits(w)))
		return 0;
	n = reassembly_expired(w, m, worker_room(w, ROOM));
	for (unsigned i = 0; i < n; i++) {
		struct meta *meta = meta_of(m[i]);
		bool ip6 = meta->flags & META_IP6;

		/* code 1 of either family: fragment reassembly time exceeded */
		node_error(meta, DROP_FRAG_TIMEOUT, ip6 ? ICMP6_TIME_EXCEEDED : ICMP4_TIME_EXCEEDED,
			1, 0);
		rte_node_enqueue_x1(graph, node, ip6 ? NEXT_ICMP6_ERROR : NEXT_ICMP4_ERROR, m[i]);
	}
	w->walk_packets += n;
	return (uint16_t)n;
}

const struct node node_reassemble_expire = {
	.name = "reassemble_expire",
	.sentence = "takes datagrams of which fragments are missing for too long",
	.source = true,
	.process = process,
	.n_next = 2,
	.next = {[NEXT_ICMP4_ERROR] = "icmp4_error", [NEXT_ICMP6_ERROR] = "icmp6_error"},
};
