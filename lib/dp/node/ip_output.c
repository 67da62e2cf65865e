/* Sends a packet out of its interface: TTL, MTU, and the link-layer header of its next hop; without
 * one the packet waits in neigh_wait. Worker.
 */
#include "dp/node/nodes.h"

#include "wire/ip4.h"

#include <rte_ip.h>

static const struct rte_ether_addr everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

enum { NEXT_PORT_TX, NEXT_NEIGH_WAIT, NEXT_ICMP4_ERROR, NEXT_DROP };

/* The next hop of the packet before: a burst has few. */
struct last {
	uint16_t nh; /* index in routes */
	bool via;    /* through a gateway; else addr is the neighbour */
	uint32_t addr;
	const struct neigh *e; /* usable, and marked used; NULL: nothing known yet */
	const struct iface *out;
};

static inline uint32_t neighbour(const struct root *root, const struct meta *meta)
{
	const struct nexthop *nh = &root->routes->nh[meta->nh];
	struct addr dst;

	if (nh->type == NH_VIA)
		return nh->neigh;
	dst = addr_of4(rte_be_to_cpu_32(meta->key.dst));
	return neigh_find(root->neigh, nh->iface, &dst);
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

static uint16_t too_big(const struct rte_ipv4_hdr *ip, struct meta *meta, uint16_t mtu)
{
	if (!(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)))
		return node_drop(meta, DROP_NEEDS_FRAGMENTATION, NEXT_DROP);
	node_error(meta, DROP_MTU_EXCEEDED, ICMP4_UNREACHABLE, ICMP4_FRAG_NEEDED, 0);
	meta->icmp_mtu = mtu;
	return NEXT_ICMP4_ERROR;
}

static inline void frame(struct rte_mbuf *m, struct meta *meta, const uint8_t *hdr,
	unsigned hdr_len, const struct iface *out)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	uint32_t sum;

	if (likely(!(meta->flags & META_OURS))) {
		ip->time_to_live--;
		/* RFC 1624: the checksum rises by what the field fell; 0xffff is written as 0, as
		 * it would be computed anew */
		sum = (uint32_t)ip->hdr_checksum + RTE_BE16(0x0100);
		ip->hdr_checksum = (uint16_t)(sum + (sum >= UINT16_MAX));
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

static __rte_noinline uint16_t output(
	struct worker *w, const struct root *root, struct rte_mbuf *m, struct last *last)
{
	struct meta *meta = meta_of(m);
	const struct iface *out = &root->ports->iface[meta->out_if];
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	uint8_t broadcast[IFACE_HDR_MAX];
	const struct neigh *e;
	unsigned hdr_len;

	if (ip->time_to_live <= 1 && !(meta->flags & META_OURS))
		return node_error(
			meta, DROP_TTL_EXCEEDED, ICMP4_TIME_EXCEEDED, 0, NEXT_ICMP4_ERROR);
	if (m->pkt_len > out->mtu)
		return too_big(ip, meta, out->mtu);
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
	*last = (struct last){.nh = meta->nh,
		.via = meta->nh_type == NH_VIA,
		.addr = meta->key.dst,
		.e = e,
		.out = out};
	return NEXT_PORT_TX;
}

/* The packet goes where the one before went, and nothing about it is special. */
static inline bool same_way(
	const struct worker *w, const struct rte_mbuf *m, const struct last *last)
{
	const struct meta *meta = meta_of((struct rte_mbuf *)(uintptr_t)m);
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);

	return last->e != NULL && meta->nh == last->nh &&
	       (last->via || meta->key.dst == last->addr) &&
	       !(meta->flags & (META_OURS | META_WAITED)) && ip->time_to_live > 1 &&
	       m->pkt_len <= last->out->mtu && w->stats.neigh_waiting == 0;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	struct last last = {0};
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];

		if (likely(same_way(w, m, &last))) {
			frame(m, meta_of(m), last.e->hdr, last.e->hdr_len, last.out);
			next[i] = NEXT_PORT_TX;
		} else {
			next[i] = output(w, w->root, m, &last);
		}
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_ip_output = {
	.name = "ip_output",
	.sentence = "TTL, MTU, and the link-layer header of the next hop",
	.process = process,
	.n_next = 4,
	.next = {[NEXT_PORT_TX] = "port_tx",
		[NEXT_NEIGH_WAIT] = "neigh_wait",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_DROP] = "drop"},
};
