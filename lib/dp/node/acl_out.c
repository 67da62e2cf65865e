/* The filter, outbound: at the interface a packet leaves by. Worker.
 *
 * Where the outbound group has the very rules of the inbound one (equal ids), the inbound verdict
 * is the answer: the same table asked for the same key. Nothing between the two nodes changes the
 * key.
 */
#include "dp/node/acl_burst.h"
#include "dp/node/ipsec.h"

enum { NEXT_IP_OUTPUT, NEXT_DROP, NEXT_PROTECT };

/* Groups of the packets, and whether every packet's inbound verdict is its outbound one too. */
static bool groups(const struct acl *acl, void **objs, uint8_t group[], unsigned n)
{
	bool known = true;

	for (unsigned i = 0; i < n; i++) {
		const struct meta *meta = meta_of(objs[i]);

		group[i] = (uint8_t)acl_group_of(
			meta->flags & META_IP6, RULE_OUT, meta->zone_out, meta->scope, meta->frag);
		known &= !(meta->flags & META_OURS) &
			 (acl->group[meta->group_in].id == acl->group[group[i]].id);
	}
	return known;
}

/* Where a packet goes that v permits: a rule may name its tunnel, where nothing else has. */
static uint16_t onward(struct meta *meta, const struct acl_verdict *v)
{
	if (meta->tunnel_out == TUNNEL_NONE && !(meta->more & META_OUTER))
		meta->tunnel_out = v->tunnel;
	if (meta->tunnel_out != TUNNEL_NONE)
		return NEXT_PROTECT;
	return meta->more & META_DISCARD ? node_drop(meta, DROP_POLICY_OUT_DISCARD, NEXT_DROP)
					 : NEXT_IP_OUTPUT;
}

/* The same where there is IPsec: the key has another tunnel now. */
static __rte_noinline bool tunnel_groups(
	const struct acl *acl, void **objs, uint8_t group[], unsigned n)
{
	bool known = true;

	for (unsigned i = 0; i < n; i++) {
		struct meta *meta = meta_of(objs[i]);

		group[i] = (uint8_t)acl_group_of(
			meta->flags & META_IP6, RULE_OUT, meta->zone_out, meta->scope, meta->frag);
		group[i] = ipsec_group(meta, group[i], meta->tunnel_out);
		known &= !(meta->flags & META_OURS) & (meta->tunnel == meta->tunnel_out) &
			 (acl->group[meta->group_in].id == acl->group[group[i]].id);
	}
	return known;
}

static __rte_noinline uint16_t judge(
	struct worker *w, struct rte_mbuf *m, const struct acl_verdict *v, uint32_t verdict)
{
	enum drop_reason reason = DROP_NONE;

	if (!v->permit)
		reason = verdict ? DROP_FILTER_OUT : DROP_FILTER_OUT_IMPLICIT;
	if (v->log)
		acl_log(w, m, RULE_OUT, verdict, reason);
	return v->permit ? onward(meta_of(m), v) : node_drop(meta_of(m), reason, NEXT_DROP);
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
	bool plain = w->root->ipsec == NULL;
	bool known = (likely(plain) ? groups : tunnel_groups)(acl, objs, group, nb_objs);

	if (!known)
		acl_burst(w, objs, group, verdict, nb_objs);
	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);
		uint32_t index = known ? meta->verdict_in : verdict[i];
		const struct acl_verdict *v = &acl->verdict[index];

		meta->verdict_out = index;
		acl_count(&count, v->counter, m->pkt_len);
		next[i] = likely(acl_quiet(v) && plain) ? NEXT_IP_OUTPUT : judge(w, m, v, index);
	}
	acl_count_flush(&count);
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_acl_out = {
	.name = "acl_out",
	.sentence = "filters outbound",
	.process = process,
	.n_next = 3,
	.next = {[NEXT_IP_OUTPUT] = "ip_output", [NEXT_DROP] = "drop", [NEXT_PROTECT] = "protect"},
};
