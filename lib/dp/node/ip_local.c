/* Packets for this box that the filter permitted, none of them a fragment, some in several
 * segments: echo requests are answered, what nothing here listens to is refused with an ICMP error
 * (RFC 1122 sections 3.2.2.1 and 4.1.3.1; RFC 4443 sections 3.1 and 3.4). Worker.
 */
#include "dp/node/nodes.h"

#include <rte_ip.h>

enum { NEXT_ICMP4_ECHO, NEXT_ICMP6_ECHO, NEXT_ICMP4_ERROR, NEXT_ICMP6_ERROR, NEXT_DROP };

static uint16_t icmp4(struct rte_mbuf *m, struct meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned hdr_len = (p[0] & 15u) * 4;

	if (node_sum(m, hdr_len) != UINT16_MAX)
		return node_drop(meta, DROP_LOCAL_CHECKSUM, NEXT_DROP);
	if (p[hdr_len] == ICMP4_ECHO)
		return NEXT_ICMP4_ECHO;
	return node_drop(meta, DROP_LOCAL_ICMP_IGNORED, NEXT_DROP);
}

static uint16_t local4(struct rte_mbuf *m, struct meta *meta)
{
	if (meta->nh_type == NH_BROADCAST)
		return node_drop(meta, DROP_IP4_BROADCAST, NEXT_DROP);
	switch (meta->proto) {
	case IPPROTO_ICMP:
		return icmp4(m, meta);
	case IPPROTO_UDP:
	case IPPROTO_TCP:
		return node_error(meta, DROP_LOCAL_NO_PORT, ICMP4_UNREACHABLE, ICMP4_PORT_UNREACH,
			NEXT_ICMP4_ERROR);
	default:
		return node_error(meta, DROP_LOCAL_NO_PROTOCOL, ICMP4_UNREACHABLE,
			ICMP4_PROTO_UNREACH, NEXT_ICMP4_ERROR);
	}
}

static uint16_t problem(struct meta *meta, enum drop_reason reason, uint8_t code, uint16_t pointer)
{
	node_error(meta, reason, ICMP6_PARAMETER, code, 0);
	meta->icmp_data = pointer;
	return NEXT_ICMP6_ERROR;
}

/* What the headers between ask of us: NEXT_ICMP6_ECHO when nothing is amiss. */
static uint16_t extensions(const struct worker *w, const struct rte_mbuf *m, struct meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct ip6_problem found;
	enum drop_reason reason;
	enum ip6_fate fate;

	fate = ip6_examine(p, m->data_len, w->root->ip6.extension_headers_max, &found);
	if (fate == IP6_ACCEPT)
		return NEXT_ICMP6_ECHO;
	reason = fate == IP6_DISCARD                   ? DROP_IP6_OPTION
		 : found.kind == IP6_ROUTING           ? DROP_IP6_ROUTING_HEADER
		 : found.code == ICMP6_BAD_NEXT_HEADER ? DROP_LOCAL_NO_PROTOCOL
						       : DROP_IP6_OPTION;
	if (fate == IP6_DISCARD || (fate == IP6_PROBLEM && ip6_is_multicast(meta->key6.dst)))
		return node_drop(meta, reason, NEXT_DROP);
	return problem(meta, reason, found.code, found.pointer);
}

static uint16_t icmp6(struct rte_mbuf *m, struct meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned len = m->pkt_len - meta->l4;

	if (ip6_sum_of(meta->key6.src, meta->key6.dst, IP6_ICMP, len, node_sum(m, meta->l4)) !=
		UINT16_MAX)
		return node_drop(meta, DROP_LOCAL_CHECKSUM, NEXT_DROP);
	if (p[meta->l4] == ICMP6_ECHO)
		return NEXT_ICMP6_ECHO;
	return node_drop(meta, DROP_LOCAL_ICMP_IGNORED, NEXT_DROP);
}

static uint16_t local6(const struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t next;

	if (unlikely(!neigh_own_usable(w->root->neigh, meta->in_if, meta->key6.dst)))
		return node_drop(meta, DROP_LOCAL_UNUSABLE, NEXT_DROP);
	if (ip6_is_extension(p[IP6_AT_NEXT_HEADER])) {
		next = extensions(w, m, meta);
		if (next != NEXT_ICMP6_ECHO)
			return next;
	}
	switch (meta->proto) {
	case IP6_ICMP:
		return icmp6(m, meta);
	case IPPROTO_UDP:
	case IPPROTO_TCP:
		return node_error(meta, DROP_LOCAL_NO_PORT, ICMP6_UNREACHABLE, ICMP6_PORT_UNREACH,
			NEXT_ICMP6_ERROR);
	case IP6_NO_NEXT: /* RFC 8200 section 4.7: nothing follows */
		return node_drop(meta, DROP_LOCAL_NO_PROTOCOL, NEXT_DROP);
	default:
		return problem(meta, DROP_LOCAL_NO_PROTOCOL, ICMP6_BAD_NEXT_HEADER, meta->proto_at);
	}
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	const struct worker *w = node_worker(node);
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);

		next[i] = meta->flags & META_IP6 ? local6(w, m, meta) : local4(m, meta);
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_ip_local = {
	.name = "ip_local",
	.sentence = "takes packets for this box",
	.process = process,
	.n_next = 5,
	.next = {[NEXT_ICMP4_ECHO] = "icmp4_echo",
		[NEXT_ICMP6_ECHO] = "icmp6_echo",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_DROP] = "drop"},
};
