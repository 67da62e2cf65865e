/* Looks up the route, so that the filter knows local from routed and the interfaces on both sides;
 * judges the source by reverse path where the interface asks for it. Worker.
 *
 * A routed packet without a route goes on to acl_in all the same: a denied packet is a denied
 * packet, wherever it wanted to go.
 */
#include "dp/node/nodes.h"

#include "wire/ip4.h"

#include <rte_hash_crc.h>

enum { NEXT_ACL_IN, NEXT_ACL_OUT, NEXT_IP_OUTPUT, NEXT_DROP };

/* One member of an ECMP group, by flow: both ports and addresses, so that a flow keeps its path;
 * the fragments of a datagram have no ports and keep theirs. */
static __rte_noinline uint16_t member(
	const struct routes *r, uint16_t group, const struct meta *meta)
{
	const struct nexthop *g = &r->nh[group];
	const struct acl_key *k = &meta->key;
	uint64_t addrs = (uint64_t)k->src << 32 | k->dst;
	uint32_t rest = meta->proto;
	uint32_t hash;

	if (meta->frag == PACKET_WHOLE && meta->proto != IPPROTO_ICMP)
		rest |= (uint32_t)k->sport << 16 ^ (uint32_t)k->dport << 8;
	hash = rte_hash_crc_4byte(rest, rte_hash_crc_8byte(addrs, 0));
	return (uint16_t)(g->first + ((uint64_t)hash * g->n >> 32));
}

/* Reverse path (RFC 3704): nh is the route of the source. */
static bool reverse_path_ok(
	const struct root *root, const struct meta *meta, const struct nexthop *nh)
{
	bool strict = root->ports->iface[meta->in_if].flags & IFACE_URPF_STRICT;

	switch (nh->type) {
	case NH_VIA:
	case NH_CONNECTED:
		return !strict || nh->iface == meta->in_if;
	case NH_GROUP:
		for (unsigned i = 0; strict && i < nh->n; i++)
			if (root->routes->nh[nh->first + i].iface == meta->in_if)
				return true;
		return !strict;
	default: /* none, a dead route, our own address, a broadcast address */
		return false;
	}
}

static __rte_noinline void sources(const struct root *root, void **objs, unsigned n, uint64_t nh[])
{
	uint32_t src[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < n; i++)
		src[i] = rte_be_to_cpu_32(meta_of(objs[i])->key.src);
	routes_lookup(root->routes, src, nh, n);
}

/* Where what is not an ordinary forwarded packet goes; meta has its next hop. */
static __rte_noinline uint16_t special(
	const struct root *root, struct meta *meta, const struct nexthop *nh, uint16_t old_out)
{
	bool forward = nh->type == NH_VIA || nh->type == NH_CONNECTED;

	if (meta->flags & META_WAITED)
		return forward && old_out == nh->iface
			       ? NEXT_IP_OUTPUT
			       : node_drop(meta, DROP_NEIGH_STALE, NEXT_DROP);
	if (meta->flags & META_OURS) {
		meta->scope = RULE_LOCAL;
		if (!forward)
			return node_drop(meta, DROP_NO_ROUTE, NEXT_DROP);
		return meta->flags & META_EXEMPT ? NEXT_IP_OUTPUT : NEXT_ACL_OUT;
	}
	if (nh->type == NH_LOCAL) {
		meta->scope = RULE_LOCAL;
		meta->out_if = IFACE_NONE; /* it leaves by none */
	}
	if (nh->type == NH_BROADCAST) {
		const struct iface *out = &root->ports->iface[nh->iface];

		/* our own subnet's, or not to be forwarded: for this box, as far as anyone listens
		 */
		if (nh->iface == meta->in_if || !(out->flags & IFACE_BCAST_FORWARD))
			meta->scope = RULE_LOCAL;
	}
	/* RFC 1122 section 3.3.6; RFC 1812 section 5.3.4: nor is one forwarded as a broadcast */
	if (meta->flags & META_L2_GROUP && (nh->type != NH_BROADCAST || meta->scope == RULE_ROUTE))
		return node_drop(meta, DROP_IP4_L2_BROADCAST, NEXT_DROP);
	return NEXT_ACL_IN;
}

static inline uint16_t route(const struct root *root, struct meta *meta, uint16_t index)
{
	const struct nexthop *nh = &root->routes->nh[index];
	uint16_t old_out = meta->out_if;

	if (unlikely(nh->type == NH_GROUP)) {
		index = member(root->routes, index, meta);
		nh = &root->routes->nh[index];
	}
	meta->nh = index;
	meta->nh_type = nh->type;
	meta->out_if = nh->iface;
	meta->zone_out = nh->zone;
	meta->scope = RULE_ROUTE;
	if (likely((nh->type == NH_VIA || nh->type == NH_CONNECTED) &&
		    !(meta->flags & (META_WAITED | META_OURS | META_L2_GROUP))))
		return NEXT_ACL_IN;
	return special(root, meta, nh, old_out);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	const struct root *root = w->root;
	uint64_t nh[WALK_PACKETS_MAX], back[WALK_PACKETS_MAX];
	uint32_t dst[WALK_PACKETS_MAX];
	uint16_t next[WALK_PACKETS_MAX];
	bool back_known = false;

	for (unsigned i = 0; i < nb_objs; i++) {
		dst[i] = rte_be_to_cpu_32(meta_of(objs[i])->key.dst);
		rte_compiler_barrier(); /* a gather is slower here than plain loads */
	}
	routes_lookup(root->routes, dst, nh, nb_objs);
	for (unsigned i = 0; i < nb_objs; i++) {
		struct meta *meta = meta_of(objs[i]);

		next[i] = route(root, meta, (uint16_t)nh[i]);
		if (unlikely(meta->flags & META_URPF && next[i] == NEXT_ACL_IN)) {
			if (!back_known)
				sources(root, objs, nb_objs, back);
			back_known = true;
			if (!reverse_path_ok(root, meta, &root->routes->nh[back[i]]))
				next[i] = node_drop(meta, DROP_URPF, NEXT_DROP);
		}
		if (unlikely((meta->flags & (META_EXEMPT | META_WAITED)) == META_EXEMPT &&
			     next[i] == NEXT_IP_OUTPUT))
			w->stats.exempt++;
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_ip_route = {
	.name = "ip_route",
	.sentence = "looks up the route: local or routed, next hop, reverse path",
	.process = process,
	.n_next = 4,
	.next = {[NEXT_ACL_IN] = "acl_in",
		[NEXT_ACL_OUT] = "acl_out",
		[NEXT_IP_OUTPUT] = "ip_output",
		[NEXT_DROP] = "drop"},
};
