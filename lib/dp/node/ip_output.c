/* Sends a packet out of its interface: TTL or hop limit, MTU, and the link-layer header of its next
 * hop; without one the packet waits in neigh_wait. Worker.
 */
#include "dp/node/nodes.h"

#include <rte_ip.h>

static const struct rte_ether_addr everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

enum { NEXT_PORT_TX, NEXT_NEIGH_WAIT, NEXT_ICMP4_ERROR, NEXT_ICMP6_ERROR, NEXT_DROP };

static inline uint32_t neighbour(const struct root *root, const struct meta *meta)
{
	struct addr dst;

	if (meta->nh_type == NH_VIA)
		return root->routes->nh[meta->nh].neigh;
	dst = meta_dst(meta);
	return neigh_find(root->neigh, meta->out_if, &dst);
}

static inline void prepend(struct rte_mbuf *m, const uint8_t *hdr, unsigned len)
{
	uint8_t *to;

	/* headroom holds it: what came had a header, and what we make begins behind one */
	m->data_off -= (uint16_t)len;
	m->data_len += (uint16_t)len;
	m->pkt_len += len;
	to = rte_pktmbuf_mtod(m, uint8_t *);
	if (likely(len == RTE_ETHER_HDR_LEN))
		memcpy(to, hdr, RTE_ETHER_HDR_LEN);
	else if (len == RTE_ETHER_HDR_LEN + 4)
		memcpy(to, hdr, RTE_ETHER_HDR_LEN + 4);
	else
		memcpy(to, hdr, RTE_ETHER_HDR_LEN + 8);
}

static uint16_t too_big(const struct rte_mbuf *m, struct meta *meta, uint16_t mtu)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);

	if (meta->flags & META_IP6) { /* no router fragments: RFC 8200 section 4.5 */
		node_error(meta, DROP_MTU_EXCEEDED, ICMP6_TOO_BIG, 0, 0);
		meta->icmp_data = mtu;
		return NEXT_ICMP6_ERROR;
	}
	if (!(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)))
		return node_drop(meta, DROP_NEEDS_FRAGMENTATION, NEXT_DROP);
	node_error(meta, DROP_MTU_EXCEEDED, ICMP4_UNREACHABLE, ICMP4_FRAG_NEEDED, 0);
	meta->icmp_data = mtu;
	return NEXT_ICMP4_ERROR;
}

/* The TTL or hop limit of the packet. */
static inline uint8_t *lifetime(const struct rte_mbuf *m, const struct meta *meta)
{
	return rte_pktmbuf_mtod_offset(m, uint8_t *, meta->flags & META_IP6 ? 7 : 8);
}

static inline void age4(struct rte_ipv4_hdr *ip)
{
	uint32_t sum;

	ip->time_to_live--;
	/* RFC 1624: the checksum rises by what the field fell; 0xffff is written as 0, as it would
	 * be computed anew */
	sum = (uint32_t)ip->hdr_checksum + RTE_BE16(0x0100);
	ip->hdr_checksum = (uint16_t)(sum + (sum >= UINT16_MAX));
}

static inline void frame(struct rte_mbuf *m, struct meta *meta, const uint8_t *hdr,
	unsigned hdr_len, const struct iface *out)
{
	if (likely(!(meta->flags & META_OURS))) {
		if (meta->flags & META_IP6)
			--*lifetime(m, meta);
		else
			age4(rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *));
	}
	prepend(m, hdr, hdr_len);
	meta->flags |= META_FRAMED;
	meta->l2_len = 0;
	meta->out_port = out->port;
}

/* The usable entry of the packet's neighbour, or NULL: it must wait. */
static const struct neigh *usable(struct worker *w, const struct root *root, struct meta *meta)
{
	const struct neigh *e = NULL;

	meta->neigh = neighbour(root, meta);
	if (meta->neigh != NEIGH_NONE)
		e = neigh_get(root->neigh, meta->neigh);
	if (e == NULL || e->state == NEIGH_INCOMPLETE || e->state == NEIGH_FAILED ||
		e->iface != meta->out_if)
		return NULL;
	/* those that came before still wait: keep the order */
	if (w->stats.neigh_waiting && !(meta->flags & META_WAITED) &&
		neigh_wait_has(w->neigh_wait, meta->out_if, &e->addr))
		return NULL;
	neigh_mark_used(root->neigh, meta->neigh);
	return e;
}

static uint16_t output(struct worker *w, const struct root *root, struct rte_mbuf *m)
{
	struct meta *meta = meta_of(m);
	const struct iface *out = &root->ports->iface[meta->out_if];
	uint8_t broadcast[IFACE_HDR_MAX];
	const struct neigh *e;
	unsigned hdr_len;

	if (*lifetime(m, meta) <= 1 && !(meta->flags & META_OURS))
		return meta->flags & META_IP6 ? node_error(meta, DROP_TTL_EXCEEDED,
							ICMP6_TIME_EXCEEDED, 0, NEXT_ICMP6_ERROR)
					      : node_error(meta, DROP_TTL_EXCEEDED,
							ICMP4_TIME_EXCEEDED, 0, NEXT_ICMP4_ERROR);
	if (m->pkt_len > out->mtu)
		return too_big(m, meta, out->mtu);
	if (meta->nh_type == NH_BROADCAST) {
		/* a directed one: the interface permits it */
		hdr_len = iface_header(out, &everybody, RTE_BE16(RTE_ETHER_TYPE_IPV4), broadcast);
		frame(m, meta, broadcast, hdr_len, out);
		return NEXT_PORT_TX;
	}
	e = usable(w, root, meta);
	if (e == NULL)
		return NEXT_NEIGH_WAIT;
	frame(m, meta, e->hdr, e->hdr_len, out);
	flow_cache_learn(w, meta);
	return NEXT_PORT_TX;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++)
		next[i] = output(w, w->root, objs[i]);
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_ip_output = {
	.name = "ip_output",
	.sentence = "TTL or hop limit, MTU, and the link-layer header of the next hop",
	.process = process,
	.n_next = 5,
	.next = {[NEXT_PORT_TX] = "port_tx",
		[NEXT_NEIGH_WAIT] = "neigh_wait",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_DROP] = "drop"},
};
