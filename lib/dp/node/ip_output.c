/* Sends a packet out of its interface: TTL or hop limit, MTU, and the link-layer header of its next
 * hop; without one the packet waits in neigh_wait. What is larger than the MTU is cut into
 * fragments where that is permitted: here, and not in a node of its own, so that no packet behind
 * overtakes it. Worker.
 */
#include "dp/node/nodes.h"

#include <errno.h>
#include <rte_ip.h>
#include <rte_random.h>

static const struct rte_ether_addr everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

enum { NEXT_PORT_TX, NEXT_NEIGH_WAIT, NEXT_ICMP4_ERROR, NEXT_ICMP6_ERROR, NEXT_DROP };

/* Of one packet: 65,535 bytes, an MTU of 576 and 60 bytes of header make 128. */
#define PIECES_MAX 128

/* The burst that is being sent, for what has to go out within it. */
struct burst {
	struct rte_graph *graph;
	struct rte_node *node;
	void **objs;
	uint16_t *next;
	unsigned sent; /* that many of objs are on their way */
	const struct neigh_unusable *unusable;
};

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

/* Fits, or may be made to fit: no router fragments IPv6 (RFC 8200 section 4.5), what we make
 * ourselves has no need to be whole, and what came in fragments may go so. */
static bool may_go(const struct rte_mbuf *m, const struct meta *meta, uint16_t mtu)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);

	return m->pkt_len <= mtu || meta->flags & META_OURS || meta->more & META_MERGED ||
	       !(meta->flags & META_IP6 || ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG));
}

static uint16_t too_big(struct meta *meta, uint16_t mtu)
{
	if (meta->flags & META_IP6) {
		node_error(meta, DROP_MTU_EXCEEDED, ICMP6_TOO_BIG, 0, 0);
		meta->icmp_data = mtu;
		return NEXT_ICMP6_ERROR;
	}
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
	meta_set_tx(m, meta->way);
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

/* Packet i of the burst is larger than the MTU, or in several segments: its fragments, or itself in
 * one segment, go out with the given link-layer header; or it is dropped. */
static __rte_noinline void send_cut(struct worker *w, struct burst *b, unsigned i,
	const uint8_t *hdr, unsigned hdr_len, const struct iface *out)
{
	struct rte_mbuf *m = b->objs[i], *piece[PIECES_MAX];
	struct meta meta = *meta_of(m);
	unsigned room = RTE_MIN((unsigned)PIECES_MAX, WALK_FRAGMENTS_MAX - w->walk_fragments);
	int n = meta.flags & META_IP6 ? frag6_cut(m, out->mtu, (uint32_t)rte_rand(), piece, room)
				      : frag4_cut(m, out->mtu, piece, room);

	if (n < 0) {
		b->next[i] = node_drop(meta_of(m),
			n == -ENOBUFS ? DROP_FRAG_NO_BUFFER
			: n == -E2BIG ? DROP_FRAG_WALK_FULL
				      : DROP_MTU_EXCEEDED,
			NEXT_DROP);
		return;
	}
	meta.l2_len = 0;
	for (int k = 0; k < n; k++) {
		if (n > 1)
			meta.frag = k == 0 && meta.frag != PACKET_LATER_FRAGMENT
					    ? PACKET_FIRST_FRAGMENT
					    : PACKET_LATER_FRAGMENT;
		*meta_of(piece[k]) = meta;
		frame(piece[k], meta_of(piece[k]), hdr, hdr_len, out);
	}
	w->walk_fragments += (unsigned)n;
	w->stats.created += (unsigned)n - 1;
	w->stats.packets_cut += n > 1;
	node_send_some(b->graph, b->node, b->objs + b->sent, b->next + b->sent, i - b->sent);
	rte_node_enqueue(b->graph, b->node, NEXT_PORT_TX, (void **)piece, (uint16_t)n);
	b->sent = i + 1;
}

/* Packet i of the burst, to the next hop with that link-layer header. True: it is whole, and on its
 * way to port_tx. */
static inline bool emit(struct worker *w, struct burst *b, unsigned i, const uint8_t *hdr,
	unsigned hdr_len, const struct iface *out)
{
	struct rte_mbuf *m = b->objs[i];

	if (unlikely(m->pkt_len > out->mtu || m->nb_segs > 1)) {
		send_cut(w, b, i, hdr, hdr_len, out);
		return false;
	}
	frame(m, meta_of(m), hdr, hdr_len, out);
	b->next[i] = NEXT_PORT_TX;
	return true;
}

/* Packet i of the burst: sends it, or says in next where it goes. */
static void output(struct worker *w, const struct root *root, struct burst *b, unsigned i)
{
	struct rte_mbuf *m = b->objs[i];
	struct meta *meta = meta_of(m);
	const struct iface *out = &root->ports->iface[meta->out_if];
	uint8_t broadcast[IFACE_HDR_MAX];
	const struct neigh *e;
	unsigned hdr_len;

	if (*lifetime(m, meta) <= 1 && !(meta->flags & META_OURS)) {
		b->next[i] = meta->flags & META_IP6
				     ? node_error(meta, DROP_TTL_EXCEEDED, ICMP6_TIME_EXCEEDED, 0,
					       NEXT_ICMP6_ERROR)
				     : node_error(meta, DROP_TTL_EXCEEDED, ICMP4_TIME_EXCEEDED, 0,
					       NEXT_ICMP4_ERROR);
		return;
	}
	if (neigh_ip6_off(b->unusable, meta->out_if) && meta->flags & META_IP6) {
		b->next[i] = node_drop(meta, DROP_IP6_OFF, NEXT_DROP);
		return;
	}
	if (unlikely(!may_go(m, meta, out->mtu))) {
		b->next[i] = too_big(meta, out->mtu);
		return;
	}
	if (meta->nh_type == NH_BROADCAST) {
		/* a directed one: the interface permits it */
		hdr_len = iface_header(out, &everybody, RTE_BE16(RTE_ETHER_TYPE_IPV4), broadcast);
		emit(w, b, i, broadcast, hdr_len, out);
		return;
	}
	e = usable(w, root, meta);
	if (e == NULL)
		b->next[i] = NEXT_NEIGH_WAIT;
	else if (emit(w, b, i, e->hdr, e->hdr_len, out))
		flow_cache_learn(w, meta);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	uint16_t next[WALK_PACKETS_MAX];
	struct burst b = {.graph = graph,
		.node = node,
		.objs = objs,
		.next = next,
		.unusable = neigh_unusable(w->root->neigh)};

	for (unsigned i = 0; i < nb_objs; i++)
		output(w, w->root, &b, i);
	node_send_rest(graph, node, objs, next, b.sent, nb_objs);
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
