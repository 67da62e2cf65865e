/* Security policies, inbound (RFC 4301 section 5.2): a packet that came out of a tunnel must lie
 * within the selectors of the SA that carried it and come through the tunnel that its policy names;
 * one that came in the clear must have no policy that wants it protected. What is done to packets
 * that no policy is about is done to one on its way through when the outbound ones have been asked
 * as well: from a host behind us it comes in the clear. What carries ESP, AH or IKE to us is not
 * judged: it is what protects. Only where there is IPsec. Worker.
 */
#include "dp/node/policy_burst.h"

enum {
	NEXT_POLICY_OUT,
	NEXT_REASSEMBLE,
	NEXT_IP_LOCAL,
	NEXT_ICMP4_ERROR,
	NEXT_ICMP6_ERROR,
	NEXT_DROP
};

static uint16_t host(rte_be16_t port)
{
	return rte_be_to_cpu_16(port);
}

static void describe(const struct meta *meta, struct selector_packet *p)
{
	bool ip6 = meta->flags & META_IP6;

	*p = (struct selector_packet){.proto = meta->proto,
		.no_ports = meta->frag == PACKET_LATER_FRAGMENT,
		.sport = host(ip6 ? meta->key6.sport : meta->key.sport),
		.dport = host(ip6 ? meta->key6.dport : meta->key.dport),
		.dst = meta_dst(meta)};
	if (ip6)
		memcpy(p->src.b, meta->key6.src, sizeof(p->src.b));
	else
		p->src = addr_of4(rte_be_to_cpu_32(meta->key.src));
}

static bool within_selectors(const struct sa *sa, const struct meta *meta)
{
	struct selector_packet p;

	if (sa->n_selectors == 0)
		return true;
	describe(meta, &p);
	for (unsigned i = 0; i < sa->n_selectors; i++)
		if (selector_matches(&sa->selector[i], &p))
			return true;
	return false;
}

/* A packet that came out of a tunnel: DROP_NONE, or why it may not have. */
static enum drop_reason from_tunnel(const struct ipsec *ipsec, const struct meta *meta,
	const struct spd_verdict *v, bool by_policy)
{
	const struct tunnel *t = ipsec_tunnel(ipsec, meta->tunnel);
	const struct sa *sa = sad_get(ipsec->sad, meta->sa);
	uint8_t both = META_HAD_ESP | META_HAD_AH;

	/* gone since, while it was reassembled */
	if (t == NULL || sa == NULL)
		return DROP_IPSEC_NO_SA;
	if ((t->flags & (TUNNEL_ESP | TUNNEL_AH)) == (TUNNEL_ESP | TUNNEL_AH) &&
		(meta->more & both) != both)
		return DROP_IPSEC_BUNDLE;
	if (!within_selectors(sa, meta))
		return DROP_IPSEC_SELECTOR;
	if (by_policy && v->action == POLICY_DISCARD)
		return DROP_POLICY_IN_DISCARD;
	if (by_policy && v->action == POLICY_PROTECT)
		return v->tunnel == meta->tunnel ? DROP_NONE : DROP_IPSEC_SELECTOR;
	/* no policy of the tunnel is about it: then the SA itself must have said what it carries */
	return t->flags & TUNNEL_BY_POLICY && sa->n_selectors == 0 ? DROP_IPSEC_SELECTOR
								   : DROP_NONE;
}

static enum drop_reason judge(const struct ipsec *ipsec, struct meta *meta, uint32_t verdict)
{
	const struct spd_verdict *v = &ipsec->spd->verdict[verdict];

	if (verdict != 0 || meta->tunnel != TUNNEL_NONE)
		meta->more |= META_JUDGED;
	else if (meta->scope == RULE_ROUTE) /* perhaps an outbound one is */
		return DROP_NONE;
	if (meta->tunnel != TUNNEL_NONE)
		return from_tunnel(ipsec, meta, v, verdict != 0);
	switch (v->action) {
	case POLICY_PROTECT:
		return DROP_POLICY_IN_CLEAR;
	case POLICY_DISCARD:
		return DROP_POLICY_IN_DISCARD;
	default:
		return DROP_NONE;
	}
}

static uint16_t onward(struct meta *meta)
{
	if (meta->scope == RULE_LOCAL)
		return NEXT_IP_LOCAL;
	return onward_routed(meta, NEXT_POLICY_OUT, NEXT_ICMP4_ERROR, NEXT_DROP);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	const struct ipsec *ipsec = w->root->ipsec;
	bool ask[WALK_PACKETS_MAX];
	uint32_t verdict[WALK_PACKETS_MAX];
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++) {
		const struct meta *meta = meta_of(objs[i]);

		ask[i] = !ipsec_carrier(ipsec, meta) && !policy_wants_whole(ipsec->spd, meta);
	}
	policy_burst(ipsec->spd, RULE_IN, objs, ask, verdict, nb_objs);
	for (unsigned i = 0; i < nb_objs; i++) {
		struct meta *meta = meta_of(objs[i]);
		enum drop_reason reason;

		if (unlikely(!ask[i])) {
			next[i] = ipsec_carrier(ipsec, meta) ? NEXT_IP_LOCAL : NEXT_REASSEMBLE;
			continue;
		}
		reason = judge(ipsec, meta, verdict[i]);
		if (unlikely(reason != DROP_NONE)) {
			next[i] = node_drop(meta, reason, NEXT_DROP);
			continue;
		}
		if (unlikely(meta->proto == IPPROTO_TCP) && meta->tunnel != TUNNEL_NONE)
			protect_clamp_mss(w, objs[i], meta, &ipsec->tunnel[meta->tunnel]);
		next[i] = onward(meta);
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_policy_in = {
	.name = "policy_in",
	.sentence = "security policies inbound: what came in the clear may, what came out of a "
		    "tunnel lies within its SA",
	.process = process,
	.n_next = 6,
	.next = {[NEXT_POLICY_OUT] = "policy_out",
		[NEXT_REASSEMBLE] = "reassemble",
		[NEXT_IP_LOCAL] = "ip_local",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_DROP] = "drop"},
};
