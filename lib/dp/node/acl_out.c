/* The filter, outbound: at the interface a packet leaves by. Worker.
 *
 * Where the outbound group has the very rules of the inbound one (equal ids), the inbound verdict
 * is the answer: the same table asked for the same key. Nothing between the two nodes changes the
 * key.
 */
#include "dp/node/acl_burst.h"

enum { NEXT_IP4_OUTPUT, NEXT_DROP };

static bool known(
	const struct acl *acl, const struct root *root, const struct meta *meta, uint8_t group)
{
	unsigned in;

	if (meta->flags & META_OURS)
		return false;
	in = acl_group_of(RULE_IN, root->ports->iface[meta->in_if].zone, meta->scope, meta->frag);
	return acl->group[in].id == acl->group[group].id;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	const struct root *root = w->root;
	const struct acl *acl = root->acl;
	struct acl_count count = {.counter = w->rule_counter};
	uint8_t group[WALK_PACKETS_MAX];
	uint32_t verdict[WALK_PACKETS_MAX];
	uint16_t next[WALK_PACKETS_MAX];
	bool all_known = true;

	for (unsigned i = 0; i < nb_objs; i++) {
		const struct meta *meta = meta_of(objs[i]);

		group[i] = (uint8_t)acl_group_of(
			RULE_OUT, root->ports->iface[meta->out_if].zone, meta->scope, meta->frag);
		verdict[i] = meta->verdict_in;
		all_known &= known(acl, root, meta, group[i]);
	}
	if (!all_known)
		acl_burst(acl, objs, group, verdict, nb_objs);
	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);
		const struct acl_verdict *v = &acl->verdict[verdict[i]];
		enum drop_reason reason = DROP_NONE;

		meta->verdict_out = verdict[i];
		acl_count(&count, v->counter, m->pkt_len);
		if (unlikely(!v->permit))
			reason = verdict[i] ? DROP_FILTER_OUT : DROP_FILTER_OUT_IMPLICIT;
		if (unlikely(v->log))
			acl_log(w, m, RULE_OUT, verdict[i], reason);
		next[i] = likely(v->permit) ? NEXT_IP4_OUTPUT : node_drop(meta, reason, NEXT_DROP);
	}
	acl_count_flush(&count);
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_acl_out = {
	.name = "acl_out",
	.sentence = "filters outbound",
	.process = process,
	.n_next = 2,
	.next = {[NEXT_IP4_OUTPUT] = "ip4_output", [NEXT_DROP] = "drop"},
};
