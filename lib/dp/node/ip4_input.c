/* Validates an IPv4 packet (RFC 791, RFC 1812 section 5.2.2) and makes its filter key. Nothing
 * later checks a length again: afterwards the IP header is whole, the data ends where the total
 * length says, and TCP, UDP and ICMP headers are whole unless the packet is a later fragment.
 * Worker.
 */
#include "dp/node/nodes.h"

#include "wire/ip4.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_tcp.h>

enum { NEXT_IP_ROUTE, NEXT_SPREAD, NEXT_DROP };

/* 0, or why the options forbid the packet to go on. */
static enum drop_reason options(const struct root *root, const uint8_t *ip, unsigned hdr_len)
{
	enum ip4_options_kind kind = ip4_options_kind(ip + IP4_MIN_HDR, hdr_len - IP4_MIN_HDR);

	if (kind == IP4_OPTIONS_BAD)
		return DROP_IP4_BAD_OPTION;
	if (kind == IP4_OPTIONS_SOURCE_ROUTE && root->ip4.options != OPTIONS_FORWARD)
		return DROP_IP4_SOURCE_ROUTE;
	return root->ip4.options == OPTIONS_DROP ? DROP_IP4_OPTIONS : DROP_NONE;
}

/* Fragments: sets meta->frag; 0 or why this can't be an honest one. */
static enum drop_reason fragment(
	struct meta *meta, uint16_t field, unsigned hdr_len, unsigned payload)
{
	unsigned offset = (field & RTE_IPV4_HDR_OFFSET_MASK) * 8u;
	bool more = field & RTE_IPV4_HDR_MF_FLAG;

	if (offset == 0 && !more)
		return DROP_NONE;
	meta->frag = offset ? PACKET_LATER_FRAGMENT : PACKET_FIRST_FRAGMENT;
	if (payload == 0 || (more && payload % 8 != 0) || hdr_len + offset + payload > UINT16_MAX)
		return DROP_IP4_FRAGMENT_INVALID;
	/* offset 8 would overwrite the flags of a TCP header (RFC 1858, RFC 3128) */
	if (offset == 8 && meta->proto == IPPROTO_TCP)
		return DROP_IP4_TINY_FRAGMENT;
	return DROP_NONE;
}

/* Ports, type, flags; 0 or why not. l4 has len bytes. */
static enum drop_reason transport(struct meta *meta, const uint8_t *l4, unsigned len)
{
	struct acl_key *key = &meta->key;
	unsigned need = 0;

	if (meta->proto == IPPROTO_TCP)
		need = sizeof(struct rte_tcp_hdr);
	else if (meta->proto == IPPROTO_UDP || meta->proto == IPPROTO_ICMP)
		need = 8;
	else if (rule_proto_has_ports(meta->proto))
		need = 4;
	if (unlikely(len < need))
		return meta->frag == PACKET_FIRST_FRAGMENT ? DROP_IP4_TINY_FRAGMENT
							   : DROP_IP4_L4_TRUNCATED;
	if (need == 0)
		return DROP_NONE;
	if (meta->proto == IPPROTO_ICMP) {
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
			return DROP_IP4_L4_TRUNCATED;
	}
	return DROP_NONE;
}

/* Any packet: its key and DROP_NONE, or why not. */
static __rte_noinline enum drop_reason input(
	const struct root *root, struct rte_mbuf *m, struct meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)p;
	unsigned hdr_len, total;
	enum drop_reason reason;
	uint64_t rx_cksum = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	uint32_t src, dst;

	if (unlikely(m->data_len < IP4_MIN_HDR))
		return DROP_IP4_TRUNCATED;
	hdr_len = (ip->version_ihl & 15u) * 4;
	if (unlikely(ip->version_ihl >> 4 != 4 || hdr_len < IP4_MIN_HDR))
		return DROP_IP4_VERSION;
	total = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(total < hdr_len || total > m->data_len))
		return DROP_IP4_TRUNCATED;
	if (unlikely(rx_cksum == RTE_MBUF_F_RX_IP_CKSUM_BAD))
		return DROP_IP4_CHECKSUM;
	if (rx_cksum != RTE_MBUF_F_RX_IP_CKSUM_GOOD &&
		!(likely(hdr_len == IP4_MIN_HDR) ? ip4_checksum_ok(p, IP4_MIN_HDR)
						 : ip4_checksum_ok(p, hdr_len)))
		return DROP_IP4_CHECKSUM;
	/* Ethernet pads short frames */
	m->data_len = (uint16_t)total;
	m->pkt_len = total;

	meta->proto = ip->next_proto_id;
	meta->key.src = ip->src_addr;
	meta->key.dst = ip->dst_addr;
	src = rte_be_to_cpu_32(ip->src_addr);
	dst = rte_be_to_cpu_32(ip->dst_addr);
	if (root->ip4.martians_drop &&
		(ip4_martian_source(src) || ports_is_own(root->ports, ip->src_addr)))
		return DROP_IP4_SRC_MARTIAN;
	if (unlikely(ip4_martian_destination(dst)))
		return DROP_IP4_DST_MARTIAN;
	if (unlikely(ip4_multicast(dst)))
		return DROP_IP4_MULTICAST;
	if (unlikely(hdr_len > IP4_MIN_HDR)) {
		reason = options(root, p, hdr_len);
		if (reason != DROP_NONE)
			return reason;
	}
	if (unlikely(ip->fragment_offset & RTE_BE16((uint16_t)~RTE_IPV4_HDR_DF_FLAG))) {
		reason = fragment(
			meta, rte_be_to_cpu_16(ip->fragment_offset), hdr_len, total - hdr_len);
		if (reason != DROP_NONE)
			return reason;
	}
	if (likely(meta->frag != PACKET_LATER_FRAGMENT)) {
		reason = transport(meta, p + hdr_len, total - hdr_len);
		if (unlikely(reason != DROP_NONE))
			return reason;
	}
	meta->key.class = acl_class(root->acl, meta->proto, meta->tcp_flags & RTE_TCP_ACK_FLAG);
	return DROP_NONE;
}

/* Bytes of transport header that must be there, by protocol; 0: none is looked at. */
static const uint8_t l4_need[256] = {
	[IPPROTO_ICMP] = 8,
	[IPPROTO_TCP] = sizeof(struct rte_tcp_hdr),
	[IPPROTO_UDP] = 8,
	[IPPROTO_DCCP] = 4,
	[IPPROTO_SCTP] = 4,
	[IPPROTO_UDPLITE] = 4,
};

/* First bytes of addresses that want a closer look: 0/8, 127/8, multicast and above. */
static const uint8_t special[256] = {[0] = 1, [127] = 1, [224 ... 255] = 1};

/* The packet that nearly all are: no options, no fragment, ordinary addresses, whole. Makes the key
 * as input would; false, with nothing changed, for any other. Reads the header as three words, no
 * further than every buffer is long. */
static inline bool plain(
	const struct acl *acl, const struct ports *own, struct rte_mbuf *m, struct meta *meta)
{
	unsigned l2_len = meta->l2_len;
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, l2_len);
	uint64_t rx_cksum = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	unsigned total, proto, need, flags = 0;
	uint64_t first, second;
	uint32_t src, dst, ports = 0;
	uint16_t total_be;

	memcpy(&first, p, 8);
	memcpy(&second, p + 8, 8);
	memcpy(&src, p + 12, 4);
	memcpy(&dst, p + 16, 4);
	/* bytes are loaded again rather than cut out of the words: loads are the cheaper ones */
	memcpy(&total_be, p + 2, 2);
	total = __builtin_bswap16(total_be);
	proto = p[9];
	need = l4_need[proto];
	if (unlikely(!ip4_words_plain(first) || total + l2_len > m->data_len ||
		     total < IP4_MIN_HDR + need || special[p[12]] | special[p[16]] ||
		     ports_maybe_own(own, src)))
		return false;
	if (rx_cksum != RTE_MBUF_F_RX_IP_CKSUM_GOOD &&
		(rx_cksum == RTE_MBUF_F_RX_IP_CKSUM_BAD || !ip4_words_sum_ok(first, second, dst)))
		return false;
	if (likely(need))
		memcpy(&ports, p + IP4_MIN_HDR, 4);
	if (proto == IPPROTO_TCP) {
		unsigned hdr_len = (p[IP4_MIN_HDR + 12] >> 4) * 4u;

		if (unlikely(hdr_len < need || hdr_len > total - IP4_MIN_HDR))
			return false;
		flags = p[IP4_MIN_HDR + 13];
	} else if (proto == IPPROTO_ICMP) {
		ports = (ports & 0xff) << 8 | (ports & 0xff00)
						      << 16; /* type and code, 16 bits each */
	}
	meta->key.class = acl->class[(flags & RTE_TCP_ACK_FLAG) != 0][proto];
	meta->key.src = src;
	meta->key.dst = dst;
	memcpy(&meta->key.sport, &ports, 4);
	meta->proto = (uint8_t)proto;
	meta->tcp_flags = (uint8_t)flags;
	meta->flags &= (uint8_t)~META_FRAMED;
	m->data_off += (uint16_t)l2_len;
	m->data_len = (uint16_t)total; /* Ethernet pads short frames */
	m->pkt_len = total;
	return true;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	const struct worker *w = node_worker(node);
	const struct root *root = w->root;
	const struct ports *ports = root->ports;
	const struct acl *acl = root->acl;
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);
		enum drop_reason reason;

		next[i] = NEXT_IP_ROUTE;
		if (likely(plain(acl, ports, m, meta)))
			continue;
		meta_strip_l2(m, meta);
		reason = input(root, m, meta);
		if (reason != DROP_NONE)
			next[i] = node_drop(meta, reason, NEXT_DROP);
		else if (meta->frag != PACKET_WHOLE && meta->nested == 0 &&
			 spread_fragment(w, m, meta))
			next[i] = NEXT_SPREAD;
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_ip4_input = {
	.name = "ip4_input",
	.sentence = "validates the IPv4 packet and makes its filter key",
	.process = process,
	.n_next = 3,
	.next = {[NEXT_IP_ROUTE] = "ip_route", [NEXT_SPREAD] = "spread", [NEXT_DROP] = "drop"},
};
