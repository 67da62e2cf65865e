/* The filter, inbound: at the interface a packet arrived on. Permitted packets go where their route
 * says. Worker.
 */
#include "dp/node/acl_burst.h"
#include "dp/node/ipsec.h"

enum {
	NEXT_ACL_OUT,
	NEXT_REASSEMBLE,
	NEXT_IP_LOCAL,
	NEXT_ICMP4_ERROR,
	NEXT_ICMP6_ERROR,
	NEXT_DROP,
	NEXT_POLICY_IN
};

static inline bool forwarded(const struct meta *meta)
{
	return meta->scope == RULE_ROUTE &&
	       (meta->nh_type == NH_VIA || meta->nh_type == NH_CONNECTED);
}

static uint16_t onward(const struct root *root, struct meta *meta)
{
	if (unlikely(meta->scope == RULE_LOCAL && meta->frag != PACKET_WHOLE &&
		     meta->nh_type != NH_BROADCAST)) /* broadcasts end in ip_local */
		return NEXT_REASSEMBLE;
	if (root->ipsec)
		return NEXT_POLICY_IN;
	if (unlikely(meta->scope == RULE_LOCAL))
		return NEXT_IP_LOCAL;
	return onward_routed(meta, NEXT_ACL_OUT, NEXT_ICMP4_ERROR, NEXT_DROP);
}

static __rte_noinline uint16_t judge(struct worker *w, struct rte_mbuf *m, struct meta *meta,
	const struct acl_verdict *v, uint32_t verdict)
{
	enum drop_reason reason = DROP_NONE;

	if (!v->permit)
		reason = verdict ? DROP_FILTER_IN : DROP_FILTER_IN_IMPLICIT;
	if (v->log)
		acl_log(w, m, RULE_IN, verdict, reason);
	return v->permit ? onward(w->root, meta) : node_drop(meta, reason, NEXT_DROP);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	const struct acl *acl = w->root->acl;
	struct acl_count count = {.counter = w->rule_counter};
	uint8_t group[WALK_PACKETS_MAX];
	uint32_t verdict[WALK_PACKETS_MAX];
	uint16_t next[WALK_PACKETS_MAX];
	/* without IPsec that is all that it costs */
	const struct ipsec *ipsec = w->root->ipsec;
	const uint16_t ahead = ipsec ? NEXT_POLICY_IN : NEXT_ACL_OUT;
	const bool open = ipsec && !ipsec->predecap_filter;

	for (unsigned i = 0; i < nb_objs; i++) {
		struct meta *meta = meta_of(objs[i]);

		group[i] = (uint8_t)acl_group_of(
			meta->flags & META_IP6, RULE_IN, meta->zone_in, meta->scope, meta->frag);
		if (unlikely(ipsec != NULL))
			group[i] = ipsec_group(meta, group[i], meta->tunnel);
		meta->group_in = group[i];
	}
	acl_burst(w, objs, group, verdict, nb_objs);
	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);
		const struct acl_verdict *v = &acl->verdict[verdict[i]];

		meta->verdict_in = verdict[i];
		if (unlikely(open && ipsec_carrier(ipsec, meta))) {
			w->stats.exempt++;
			next[i] = onward(w->root, meta);
			continue;
		}
		acl_count(&count, v->counter, m->pkt_len);
		next[i] = likely(acl_quiet(v) && forwarded(meta))
				  ? ahead
				  : judge(w, m, meta, v, verdict[i]);
	}
	acl_count_flush(&count);
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_acl_in = {
	.name = "acl_in",
	.sentence = "filters inbound; what is permitted goes where its route says",
	.process = process,
	.n_next = 7,
	.next = {[NEXT_ACL_OUT] = "acl_out",
		[NEXT_REASSEMBLE] = "reassemble",
		[NEXT_IP_LOCAL] = "ip_local",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_DROP] = "drop",
		[NEXT_POLICY_IN] = "policy_in"},
};
