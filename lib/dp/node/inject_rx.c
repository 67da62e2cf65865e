/* Source: frames that the control core made (ARP, neighbour discovery), with their Ethernet header,
 * and keepalives of tunnels (RFC 3948 section 4), which begin with their IP header and are routed.
 * Worker.
 *
 * The control core sets META_OURS, and META_FRAMED and meta.out_port or, where it is so, META_IP6.
 */
#include "dp/node/ipsec.h"

enum { NEXT_PORT_TX, NEXT_IP_ROUTE, NEXT_DROP };

#define ROOM 32

/* A keepalive: no options, no extension headers, UDP. */
static uint16_t route(const struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	bool ip6 = meta->flags & META_IP6;

	if (m->data_len < (ip6 ? IP6_HDR : IP4_MIN_HDR) + UDP_HDR_LEN)
		return node_drop(meta, DROP_INJECT_INVALID, NEXT_DROP);
	meta->tunnel_out = TUNNEL_NONE;
	meta->nested = 0;
	sa_outer_meta(w, m, ip6, ip6 ? IP6_HDR : IP4_MIN_HDR, ip6 ? IP6_AT_NEXT_HEADER : 9);
	return NEXT_IP_ROUTE;
}

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

		if (unlikely(!(meta->flags & META_FRAMED))) {
			next[i] = route(w, m, meta);
			continue;
		}
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
	.n_next = 3,
	.next = {[NEXT_PORT_TX] = "port_tx", [NEXT_IP_ROUTE] = "ip_route", [NEXT_DROP] = "drop"},
};
