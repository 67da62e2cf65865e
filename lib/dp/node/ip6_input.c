/* Validates an IPv6 packet (RFC 8200, RFC 4291) and makes its filter key. Nothing later checks a
 * length again: afterwards the IPv6 header and its extension headers are whole, the data ends where
 * the payload length says, and TCP, UDP and ICMPv6 headers are whole unless the packet is a later
 * fragment. Worker.
 *
 * Extension headers are walked for the filter's sake; what they ask of the destination is looked at
 * in ip_local, and of a router nothing (RFC 8200 section 4.3).
 */
#include "dp/node/nodes.h"

#include "wire/ip6.h"

#include <netinet/in.h>
#include <rte_tcp.h>

enum { NEXT_IP_ROUTE, NEXT_ND_INPUT, NEXT_SPREAD, NEXT_DROP };

/* The kinds of addresses that no packet has; those of ours come later. */
static enum drop_reason addresses(const struct root *root, const struct iface *f,
	const struct meta *meta, const uint8_t src[16], const uint8_t dst[16])
{
	if (unlikely(ip6_is_special(src))) {
		/* RFC 4291 sections 2.5.3 and 2.7; the mapped form means IPv4 in our tables */
		if (ip6_is_multicast(src) || ip6_is_mapped(src) ||
			(ip6_is_loopback(src) && root->ip6.martians_drop))
			return DROP_IP6_SRC_MARTIAN;
	}
	if (unlikely(ip6_is_special(dst))) {
		if (ip6_is_unspecified(dst) || ip6_is_loopback(dst) || ip6_is_mapped(dst))
			return DROP_IP6_DST_MARTIAN;
		if (ip6_is_multicast(dst))
			return iface_has_group(f, dst) ? DROP_NONE : DROP_IP6_MULTICAST;
	}
	return unlikely(meta->flags & META_L2_GROUP) ? DROP_IP6_L2_MULTICAST : DROP_NONE;
}

/* Fragments: sets meta->frag; 0 or why this can't be an honest one. An atomic fragment is a whole
 * datagram (RFC 6946 section 4). */
static enum drop_reason fragment(
	struct meta *meta, const struct ip6_chain *c, unsigned total, bool own)
{
	unsigned payload = total - c->frag_at - IP6_FRAG_HDR;

	if (c->offset == 0 && !c->more)
		return DROP_NONE;
	meta->frag = c->offset ? PACKET_LATER_FRAGMENT : PACKET_FIRST_FRAGMENT;
	/* RFC 8200 section 4.5. Those for us are for the reassembly, which tells their source */
	if (!own && ((c->more && (payload % 8 != 0 || payload == 0)) ||
			    c->frag_at - IP6_HDR + c->offset + payload > UINT16_MAX))
		return DROP_IP6_FRAGMENT_INVALID;
	/* offset 8 would overwrite the flags of a TCP header (RFC 3128) */
	if (c->offset == 8 && meta->proto == IPPROTO_TCP)
		return DROP_IP6_TINY_FRAGMENT;
	return DROP_NONE;
}

/* The extension headers: what the packet carries, and where. */
static enum drop_reason chain(
	const struct root *root, const uint8_t *p, unsigned total, struct meta *meta)
{
	struct ip6_chain c;
	bool own;

	if (likely(!ip6_is_extension(p[IP6_AT_NEXT_HEADER]))) {
		meta->proto = p[IP6_AT_NEXT_HEADER];
		meta->proto_at = IP6_AT_NEXT_HEADER;
		meta->l4 = IP6_HDR;
		return DROP_NONE;
	}
	own = ports_is_own6(root->ports, meta->in_if, p + 24);
	switch ((own ? ip6_chain_walk_own : ip6_chain_walk)(
		p, total, root->ip6.extension_headers_max, &c)) {
	case IP6_CHAIN_OK:
		break;
	case IP6_CHAIN_TRUNCATED:
		if (c.frag_at == 0 || !c.more)
			return DROP_IP6_EXT_TRUNCATED;
		/* the first fragment has all headers */
		if (!own)
			return DROP_IP6_TINY_FRAGMENT;
		meta->flags6 = META6_TINY;
		break;
	case IP6_CHAIN_TOO_LONG:
		return DROP_IP6_EXT_MAX;
	case IP6_CHAIN_FRAGMENT:
		return DROP_IP6_FRAGMENT_INVALID;
	case IP6_CHAIN_HOP_BY_HOP:
		/* ip_local answers it, as protocol 0, where the filter permits that */
		if (!own)
			return DROP_IP6_HOP_BY_HOP;
	}
	meta->proto = c.proto;
	meta->proto_at = c.proto_at;
	meta->l4 = c.l4;
	meta->flags6 |= c.frag_at ? META6_FRAG_HDR : 0;
	/* RFC 5095: not for us to do, and not to be passed on */
	if (c.routing_at && c.routing_type == 0 && !own)
		return DROP_IP6_ROUTING_HEADER;
	return c.frag_at ? fragment(meta, &c, total, own) : DROP_NONE;
}

/* Bytes of transport header that must be there, by protocol; 0: none is looked at. */
static const uint8_t l4_need[256] = {
	[IPPROTO_TCP] = sizeof(struct rte_tcp_hdr),
	[IPPROTO_UDP] = 8,
	[IPPROTO_DCCP] = 4,
	[IP6_ICMP] = ICMP6_HDR,
	[IPPROTO_SCTP] = 4,
	[IPPROTO_UDPLITE] = 4,
};

/* The packet ends within its transport header. A first fragment for us goes on without ports: where
 * the filter permits that, reassemble tells its source (RFC 7112 section 5, RFC 8200 section 4.5).
 */
static enum drop_reason cut_short(const struct root *root, struct meta *meta)
{
	if (meta->frag != PACKET_FIRST_FRAGMENT)
		return DROP_IP6_L4_TRUNCATED;
	if (!ports_is_own6(root->ports, meta->in_if, meta->key6.dst))
		return DROP_IP6_TINY_FRAGMENT;
	meta->flags6 |= META6_TINY;
	return DROP_NONE;
}

/* Ports, type, flags; 0 or why not. l4 has len bytes. */
static enum drop_reason transport(
	const struct root *root, struct meta *meta, const uint8_t *l4, unsigned len)
{
	struct acl_key6 *key = &meta->key6;
	unsigned need = l4_need[meta->proto];

	if (unlikely(len < need))
		return cut_short(root, meta);
	if (need == 0)
		return DROP_NONE;
	if (meta->proto == IP6_ICMP) {
		key->sport = rte_cpu_to_be_16(l4[0]);
		key->dport = rte_cpu_to_be_16(l4[1]);
		return DROP_NONE;
	}
	memcpy(&key->sport, l4, 4); /* both ports */
	if (meta->proto == IPPROTO_TCP) {
		unsigned hdr_len = (l4[12] >> 4) * 4u;

		meta->tcp_flags = l4[13];
		if (hdr_len < sizeof(struct rte_tcp_hdr) ||
			(hdr_len > len && meta->frag == PACKET_WHOLE))
			return DROP_IP6_L4_TRUNCATED;
	}
	return DROP_NONE;
}

/* The packet's key and DROP_NONE, or why not. */
static enum drop_reason input(
	const struct root *root, const struct iface *f, struct rte_mbuf *m, struct meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	enum drop_reason reason;
	unsigned total;

	meta->key6 = (struct acl_key6){0};
	meta->flags6 = 0;
	/* what came out of a tunnel needs no IPv6 on the tunnel's own link */
	if (unlikely(!(f->flags & IFACE_IP6) && meta->nested == 0))
		return DROP_IP6_NOT_CONFIGURED;
	if (unlikely(m->data_len < IP6_HDR))
		return DROP_IP6_TRUNCATED;
	if (unlikely(p[0] >> 4 != 6))
		return DROP_IP6_VERSION;
	total = IP6_HDR + ((unsigned)p[4] << 8 | p[5]);
	/* RFC 2675: a length of 0 before a hop-by-hop header */
	if (unlikely(total == IP6_HDR && p[IP6_AT_NEXT_HEADER] == IP6_HOP_BY_HOP))
		return DROP_IP6_JUMBO;
	if (unlikely(total > m->data_len))
		return DROP_IP6_TRUNCATED;
	/* Ethernet pads short frames */
	m->data_len = (uint16_t)total;
	m->pkt_len = total;

	memcpy(meta->key6.src, p + 8, 32); /* both addresses */
	reason = addresses(root, f, meta, meta->key6.src, meta->key6.dst);
	if (unlikely(reason != DROP_NONE))
		return reason;
	reason = chain(root, p, total, meta);
	if (unlikely(reason != DROP_NONE))
		return reason;
	if (likely(meta->frag != PACKET_LATER_FRAGMENT && !(meta->flags6 & META6_TINY))) {
		reason = transport(root, meta, p + meta->l4, total - meta->l4);
		if (unlikely(reason != DROP_NONE))
			return reason;
	}
	meta->key6.class = acl_class(root->acl, meta->proto, meta->tcp_flags & RTE_TCP_ACK_FLAG);
	return DROP_NONE;
}

static bool is_query(const struct meta *meta)
{
	return meta->key6.sport == RTE_BE16(ICMP6_MLD_QUERY);
}

/* Neighbour discovery for us, or a query who listens to which groups. */
static bool is_nd(const struct ports *ports, const struct meta *meta)
{
	const struct iface *f = &ports->iface[meta->in_if];

	return meta->proto == IP6_ICMP && meta->frag != PACKET_LATER_FRAGMENT &&
	       (icmp6_is_nd((uint8_t)rte_be_to_cpu_16(meta->key6.sport)) || is_query(meta)) &&
	       (ip6_is_multicast(meta->key6.dst) ||
		       ports_is_own6(ports, meta->in_if, meta->key6.dst) ||
		       iface_is_anycast(f, meta->key6.dst));
}

static uint16_t nd(const struct rte_mbuf *m, struct meta *meta)
{
	if (is_query(meta)) /* judged there */
		return NEXT_ND_INPUT;
	/* it went through no router: RFC 4861 sections 6.1 and 7.1 */
	if (rte_pktmbuf_mtod(m, const uint8_t *)[7] != 255)
		return node_drop(meta, DROP_ND_HOP_LIMIT, NEXT_DROP);
	if (meta->flags6 & META6_FRAG_HDR)
		return node_drop(meta, DROP_ND_FRAGMENT, NEXT_DROP);
	return NEXT_ND_INPUT;
}

/* Says its source that it is us? What we may not use, because it is another's (RFC 4862 section
 * 5.4.5), that one may. */
static inline bool is_our_source(
	const struct root *root, const struct meta *meta, const struct neigh_unusable *unusable)
{
	return ports_is_own6(root->ports, meta->in_if, meta->key6.src) &&
	       !(unlikely(unusable != NULL) &&
		       neigh_unusable_has(unusable, meta->in_if, meta->key6.src));
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	const struct worker *w = node_worker(node);
	const struct root *root = w->root;
	const struct neigh_unusable *unusable = neigh_unusable(root->neigh);
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);
		enum drop_reason reason;

		meta_strip_l2(m, meta);
		meta->flags |= META_IP6;
		reason = input(root, &root->ports->iface[meta->in_if], m, meta);
		if (neigh_ip6_off(unusable, meta->in_if))
			reason = DROP_IP6_OFF;
		if (unlikely(reason != DROP_NONE))
			next[i] = node_drop(meta, reason, NEXT_DROP);
		else if (unlikely(meta->nested == 0 && is_nd(root->ports, meta)))
			next[i] = nd(m, meta);
		else if (unlikely(ip6_is_unspecified(meta->key6.src)) ||
			 (root->ip6.martians_drop && is_our_source(root, meta, unusable)))
			next[i] = node_drop(meta, DROP_IP6_SRC_MARTIAN, NEXT_DROP);
		else if (unlikely(meta->frag != PACKET_WHOLE && meta->nested == 0) &&
			 spread_fragment(w, m, meta))
			next[i] = NEXT_SPREAD;
		else
			next[i] = NEXT_IP_ROUTE;
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_ip6_input = {
	.name = "ip6_input",
	.sentence =
		"validates the IPv6 packet, walks its extension headers and makes its filter key",
	.process = process,
	.n_next = 4,
	.next = {[NEXT_IP_ROUTE] = "ip_route",
		[NEXT_ND_INPUT] = "nd_input",
		[NEXT_SPREAD] = "spread",
		[NEXT_DROP] = "drop"},
};
