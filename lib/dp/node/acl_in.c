/* The filter, inbound: at the interface a packet arrived on. Permitted packets go where their route
 * says. Worker.
 */
#include "dp/node/acl_burst.h"

enum {
	NEXT_ACL_OUT,
	NEXT_REASSEMBLE,
	NEXT_IP_LOCAL,
	NEXT_ICMP4_ERROR,
	NEXT_ICMP6_ERROR,
	NEXT_DROP
};

static inline bool forwarded(const struct meta *meta)
{
	return meta->scope == RULE_ROUTE &&
	       (meta->nh_type == NH_VIA || meta->nh_type == NH_CONNECTED);
}

static uint16_t onward(struct meta *meta)
{
	if (unlikely(meta->scope == RULE_LOCAL)) /* broadcasts end in ip_local */
		return meta->frag != PACKET_WHOLE && meta->nh_type != NH_BROADCAST ? NEXT_REASSEMBLE
										   : NEXT_IP_LOCAL;
	switch (meta->nh_type) {
	case NH_VIA:
	case NH_CONNECTED:
	case NH_BROADCAST:
		return NEXT_ACL_OUT;
	case NH_BLACKHOLE:
		return node_drop(meta, DROP_ROUTE_BLACKHOLE, NEXT_DROP);
	case NH_UNREACHABLE:
		return node_unreachable(meta, DROP_ROUTE_UNREACHABLE, ICMP4_HOST_UNREACH,
			ICMP6_ADDR_UNREACH, NEXT_ICMP4_ERROR);
	case NH_PROHIBIT:
		return node_unreachable(meta, DROP_ROUTE_PROHIBIT, ICMP4_ADMIN_PROHIBITED,
			ICMP6_ADMIN_PROHIBITED, NEXT_ICMP4_ERROR);
	default:
		return node_unreachable(
			meta, DROP_NO_ROUTE, ICMP4_NET_UNREACH, ICMP6_NO_ROUTE, NEXT_ICMP4_ERROR);
	}
}

static __rte_noinline uint16_t judge(struct worker *w, struct rte_mbuf *m, struct meta *meta,
	const struct acl_verdict *v, uint32_t verdict)
{
	enum drop_reason reason = DROP_NONE;

	if (!v->permit)
		reason = verdict ? DROP_FILTER_IN : DROP_FILTER_IN_IMPLICIT;
	if (v->log)
		acl_log(w, m, RULE_IN, verdict, reason);
	return v->permit ? onward(meta) : node_drop(meta, reason, NEXT_DROP);
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

	for (unsigned i = 0; i < nb_objs; i++) {
		struct meta *meta = meta_of(objs[i]);

		group[i] = (uint8_t)acl_group_of(
			meta->flags & META_IP6, RULE_IN, meta->zone_in, meta->scope, meta->frag);
		meta->group_in = group[i];
	}
	acl_burst(w, objs, group, verdict, nb_objs);
	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);
		const struct acl_verdict *v = &acl->verdict[verdict[i]];

		meta->verdict_in = verdict[i];
		acl_count(&count, v->counter, m->pkt_len);
		next[i] = likely(acl_quiet(v) && forwarded(meta))
				  ? NEXT_ACL_OUT
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
	.n_next = 6,
	.next = {[NEXT_ACL_OUT] = "acl_out",
		[NEXT_REASSEMBLE] = "reassemble",
		[NEXT_IP_LOCAL] = "ip_local",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_DROP] = "drop"},
};
