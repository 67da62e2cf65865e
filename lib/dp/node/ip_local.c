/* Packets for this box that the filter permitted, none of them a fragment, some in several
 * segments: ESP and AH, as they are and in UDP, go where they are taken off, echo requests are
 * answered, errors about our own ESP and AH go to the control core, what nothing here listens to is
 * refused with an ICMP error (RFC 1122 sections 3.2.2.1 and 4.1.3.1; RFC 4443 sections 3.1
 * and 3.4). Worker.
 */
#include "dp/node/ipsec.h"

#include <rte_ip.h>

enum {
	NEXT_ICMP4_ECHO,
	NEXT_ICMP6_ECHO,
	NEXT_ICMP4_ERROR,
	NEXT_ICMP6_ERROR,
	NEXT_ESP_IN,
	NEXT_AH_IN,
	NEXT_DROP,
	ABSORBED,      /* no edge */
	PATH_MTU_TOLD, /* likewise */
	NOT_IPSEC
};

/* An ICMP error about ESP or AH that was too large for its way (RFC 4301 section 8.2): the control
 * core knows whether it was ours. True: it will hear of it. */
static bool path_mtu(struct worker *w, const struct rte_mbuf *m, unsigned at, bool ip6)
{
	const struct ipsec *ipsec = w->root->ipsec;
	struct event e = {.kind = EVENT_PATH_MTU, .worker = (uint8_t)w->id};

	if (ipsec == NULL || m->data_len <= at ||
		!path_mtu_read(rte_pktmbuf_mtod_offset(m, const uint8_t *, at), m->data_len - at,
			ip6, &e.path_mtu))
		return false;
	if (e.path_mtu.udp && !ipsec_udp_port(ipsec, rte_be_to_cpu_16(e.path_mtu.sport)))
		return false;
	return bucket_take(&w->path_mtu, w->now_tsc) && link_event_put(&w->link, &e);
}

static uint16_t icmp4(struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned hdr_len = (p[0] & 15u) * 4;

	if (node_sum(m, hdr_len) != UINT16_MAX)
		return node_drop(meta, DROP_LOCAL_CHECKSUM, NEXT_DROP);
	if (p[hdr_len] == ICMP4_ECHO)
		return NEXT_ICMP4_ECHO;
	if (path_mtu(w, m, hdr_len, false))
		return PATH_MTU_TOLD;
	return node_drop(meta, DROP_LOCAL_ICMP_IGNORED, NEXT_DROP);
}

/* UDP to a port that has ESP (RFC 3948 section 2): ESP, unless it begins with the marker of IKE, or
 * is a keepalive, which asks for nothing. */
static uint16_t esp_in_udp(const struct rte_mbuf *m, const struct meta *meta)
{
	unsigned at = ipsec_l4(m, meta) + UDP_HDR_LEN;
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, at);
	unsigned len = m->data_len > at ? m->data_len - at : 0;
	uint32_t marker;

	if (len == 1 && m->nb_segs == 1 && p[0] == NAT_KEEPALIVE)
		return ABSORBED;
	if (len < sizeof(marker))
		return NOT_IPSEC;
	memcpy(&marker, p, sizeof(marker));
	return marker ? NEXT_ESP_IN : NOT_IPSEC;
}

static uint16_t ipsec_in(struct worker *w, const struct rte_mbuf *m, struct meta *meta)
{
	const struct ipsec *ipsec = w->root->ipsec;

	switch (meta->proto) {
	case PROTO_ESP:
		if (m->nb_segs == 1)
			flow_cache_learn_esp(w, meta);
		return NEXT_ESP_IN;
	case PROTO_AH:
		return NEXT_AH_IN;
	case IPPROTO_UDP:
		return ipsec_udp_port(ipsec, rte_be_to_cpu_16(ipsec_dport(meta)))
			       ? esp_in_udp(m, meta)
			       : NOT_IPSEC;
	default:
		return NOT_IPSEC;
	}
}

static uint16_t local4(struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	uint16_t next;

	if (meta->nh_type == NH_BROADCAST)
		return node_drop(meta, DROP_IP4_BROADCAST, NEXT_DROP);
	next = w->root->ipsec ? ipsec_in(w, m, meta) : NOT_IPSEC;
	if (next != NOT_IPSEC)
		return next;
	switch (meta->proto) {
	case IPPROTO_ICMP:
		return icmp4(w, m, meta);
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

static uint16_t icmp6(struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned len = m->pkt_len - meta->l4;

	if (ip6_sum_of(meta->key6.src, meta->key6.dst, IP6_ICMP, len, node_sum(m, meta->l4)) !=
		UINT16_MAX)
		return node_drop(meta, DROP_LOCAL_CHECKSUM, NEXT_DROP);
	if (p[meta->l4] == ICMP6_ECHO)
		return NEXT_ICMP6_ECHO;
	if (path_mtu(w, m, meta->l4, true))
		return PATH_MTU_TOLD;
	return node_drop(meta, DROP_LOCAL_ICMP_IGNORED, NEXT_DROP);
}

static uint16_t local6(struct worker *w, struct rte_mbuf *m, struct meta *meta)
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
	/* a group has no SA of ours */
	next = w->root->ipsec && !ip6_is_multicast(meta->key6.dst) ? ipsec_in(w, m, meta)
								   : NOT_IPSEC;
	if (next != NOT_IPSEC)
		return next;
	switch (meta->proto) {
	case IP6_ICMP:
		return icmp6(w, m, meta);
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

/* A keepalive of a peer behind a NAT (RFC 3948 section 4), or what the control core hears of. */
static void absorb(struct worker *w, struct rte_mbuf *m, uint16_t what)
{
	w->stats.absorbed++;
	w->stats.nat_keepalives += what == ABSORBED;
	w->stats.path_mtu_told += what == PATH_MTU_TOLD;
	rte_pktmbuf_free(m);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	uint16_t next[WALK_PACKETS_MAX];
	unsigned kept = 0;

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);

		next[kept] = meta->flags & META_IP6 ? local6(w, m, meta) : local4(w, m, meta);
		if (unlikely(next[kept] == ABSORBED || next[kept] == PATH_MTU_TOLD))
			absorb(w, m, next[kept]);
		else
			objs[kept++] = m;
	}
	node->idx = (uint16_t)kept; /* node_send may move the stream as a whole */
	node_send(graph, node, objs, next, kept);
	return nb_objs;
}

const struct node node_ip_local = {
	.name = "ip_local",
	.sentence = "takes packets for this box",
	.process = process,
	.n_next = 7,
	.next = {[NEXT_ICMP4_ECHO] = "icmp4_echo",
		[NEXT_ICMP6_ECHO] = "icmp6_echo",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_ESP_IN] = "esp_in",
		[NEXT_AH_IN] = "ah_in",
		[NEXT_DROP] = "drop"},
};
