/* Security policies, outbound (RFC 4301 section 5.1): which tunnel a packet has to go through, if
 * any. What is routed to a tunnel interface goes through its tunnel. The filter comes behind, so
 * that a denied packet is a denied packet, and so that a rule may name the tunnel of a packet that
 * no policy is about. Only where there is IPsec. Worker.
 */
#include "dp/node/policy_burst.h"

enum { NEXT_ACL_OUT, NEXT_IP_OUTPUT, NEXT_PROTECT, NEXT_DROP };

/* Which packets the database is asked about; the others know their way already: by their interface,
 * as the outer header of a tunnel, as an error about a packet that came out of one. */
static bool wants_policy(const struct root *root, struct meta *meta)
{
	const struct iface *out = &root->ports->iface[meta->out_if];

	if (out->flags & IFACE_TUNNEL) {
		meta->tunnel_out = out->tunnel;
		return false;
	}
	return meta->tunnel_out == TUNNEL_NONE && !(meta->more & META_OUTER);
}

/* Packets that the filter does not see: ICMP errors of ours, which a policy must name to stop them,
 * and those that have waited for their neighbour, which it has seen. */
static uint16_t past_filter(struct worker *w, struct meta *meta)
{
	if (meta->flags & META_WAITED) /* the policies have changed meanwhile */
		return meta->tunnel_out || meta->more & META_DISCARD
			       ? node_drop(meta, DROP_NEIGH_STALE, NEXT_DROP)
			       : NEXT_IP_OUTPUT;
	w->stats.exempt++;
	return meta->tunnel_out ? NEXT_PROTECT : NEXT_IP_OUTPUT;
}

static inline uint16_t judge(const struct worker *w, struct meta *meta, uint32_t verdict)
{
	const struct ipsec *ipsec = w->root->ipsec;
	const struct spd_verdict *v = &ipsec->spd->verdict[verdict];

	if (v->action == POLICY_PROTECT) {
		meta->tunnel_out = v->tunnel;
	} else if (v->action == POLICY_DISCARD) {
		if (verdict)
			return node_drop(meta, DROP_POLICY_OUT_DISCARD, NEXT_DROP);
		if (!(meta->more & META_JUDGED))
			meta->more |= META_DISCARD;
	}
	return NEXT_ACL_OUT;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	const struct root *root = w->root;
	bool ask[WALK_PACKETS_MAX];
	uint32_t verdict[WALK_PACKETS_MAX];
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++)
		ask[i] = wants_policy(root, meta_of(objs[i]));
	policy_burst(root->ipsec->spd, RULE_OUT, objs, ask, verdict, nb_objs);
	for (unsigned i = 0; i < nb_objs; i++) {
		struct meta *meta = meta_of(objs[i]);

		next[i] = ask[i] ? judge(w, meta, verdict[i]) : NEXT_ACL_OUT;
		if (unlikely(next[i] == NEXT_ACL_OUT && meta->flags & (META_EXEMPT | META_WAITED)))
			next[i] = past_filter(w, meta);
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_policy_out = {
	.name = "policy_out",
	.sentence = "security policies outbound: which tunnel the packet goes through",
	.process = process,
	.n_next = 4,
	.next = {[NEXT_ACL_OUT] = "acl_out",
		[NEXT_IP_OUTPUT] = "ip_output",
		[NEXT_PROTECT] = "protect",
		[NEXT_DROP] = "drop"},
};
