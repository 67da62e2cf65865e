/* Looks up the route, so that the filter knows local from routed and the interfaces on both sides;
 * judges the source by reverse path where the interface asks for it. Worker.
 *
 * A routed packet without a route goes on to acl_in all the same: a denied packet is a denied
 * packet, wherever it wanted to go. Link-local and multicast destinations of IPv6 are in no table:
 * they belong to the interface of the packet (RFC 4291 sections 2.5.6 and 2.7).
 */
#include "dp/node/nodes.h"

#include <netinet/in.h>
#include <rte_hash_crc.h>

enum { NEXT_ACL_IN, NEXT_ACL_OUT, NEXT_IP_OUTPUT, NEXT_ICMP6_ERROR, NEXT_DROP, NEXT_POLICY_OUT };

static uint32_t hash_addrs(const struct meta *meta)
{
	uint64_t q[4];

	if (!(meta->flags & META_IP6))
		return rte_hash_crc_8byte((uint64_t)meta->key.src << 32 | meta->key.dst, 0);
	memcpy(q, meta->key6.src, sizeof(q)); /* both addresses */
	return rte_hash_crc_8byte(q[3],
		rte_hash_crc_8byte(q[2], rte_hash_crc_8byte(q[1], rte_hash_crc_8byte(q[0], 0))));
}

/* One member of an ECMP group, by flow: both ports and addresses, so that a flow keeps its path;
 * the fragments of a datagram have no ports and keep theirs. The flow label is no part of it: a
 * host may change it in the middle of a connection, as Linux does. */
static __rte_noinline uint16_t member(
	const struct routes *r, uint16_t group, const struct meta *meta)
{
	const struct nexthop *g = &r->nh[group];
	bool ip6 = meta->flags & META_IP6;
	uint32_t rest = meta->proto;
	uint32_t hash;

	if (meta->frag == PACKET_WHOLE && meta->proto != (ip6 ? IP6_ICMP : IPPROTO_ICMP)) {
		rest |= (uint32_t)(ip6 ? meta->key6.sport : meta->key.sport) << 16 ^
			(uint32_t)(ip6 ? meta->key6.dport : meta->key.dport) << 8;
	}
	hash = rte_hash_crc_4byte(rest, hash_addrs(meta));
	return (uint16_t)(g->first + ((uint64_t)hash * g->n >> 32));
}

/* Reverse path (RFC 3704): nh is the route of the source. */
static bool reverse_path_ok(
	const struct root *root, const struct meta *meta, const struct nexthop *nh)
{
	const struct iface *in = &root->ports->iface[meta->in_if];
	bool strict = in->flags & IFACE_URPF_STRICT;
	struct addr src;

	switch (nh->type) {
	case NH_VIA:
	case NH_CONNECTED:
		return !strict || nh->iface == meta->in_if;
	case NH_GROUP:
		for (unsigned i = 0; strict && i < nh->n; i++)
			if (root->routes->nh[nh->first + i].iface == meta->in_if)
				return true;
		return !strict;
	case NH_LOCAL: /* ours, but for a duplicate: its owner speaks from its own link */
		memcpy(src.b, meta->key6.src, sizeof(src.b));
		return meta->flags & META_IP6 &&
		       !neigh_own_usable(root->neigh, meta->in_if, src.b) &&
		       (!strict || iface_has_addr(in, &src));
	default: /* none, a dead route, a broadcast address */
		return false;
	}
}

/* The routes of those of n packets that are IPv6: of their sources or destinations. */
static __rte_noinline void look_up6(
	const struct root *root, void **objs, unsigned n, bool source, uint64_t nh[])
{
	uint8_t addr[WALK_PACKETS_MAX][16];
	uint64_t found[WALK_PACKETS_MAX];
	uint16_t at[WALK_PACKETS_MAX];
	unsigned members = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct meta *meta = meta_of(objs[i]);

		if (!(meta->flags & META_IP6))
			continue;
		memcpy(addr[members], source ? meta->key6.src : meta->key6.dst, 16);
		at[members++] = (uint16_t)i;
	}
	if (members)
		routes_lookup6(root->routes, addr, found, members);
	for (unsigned i = 0; i < members; i++)
		nh[at[i]] = found[i];
}

static __rte_noinline void sources(const struct root *root, void **objs, unsigned n, uint64_t nh[])
{
	uint32_t src[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < n; i++)
		src[i] = rte_be_to_cpu_32(meta_of(objs[i])->key.src);
	routes_lookup(root->routes, src, nh, n);
	look_up6(root, objs, n, true, nh);
}

/* Where a packet goes that we made, or that has waited: the filter sees what we made, unless it is
 * exempt; policies both, unless the header is that of a tunnel. What a tunnel's packets would have
 * to go through is another tunnel, by its interface. */
static uint16_t outward(const struct root *root, const struct meta *meta)
{
	if (unlikely(root->ipsec != NULL) &&
		(!(meta->more & META_OUTER) ||
			(root->ports->iface[meta->out_if].flags & IFACE_TUNNEL)))
		return NEXT_POLICY_OUT;
	return meta->flags & (META_EXEMPT | META_WAITED) ? NEXT_IP_OUTPUT : NEXT_ACL_OUT;
}

/* Where what is not an ordinary forwarded packet goes; meta has its next hop. */
static __rte_noinline uint16_t special(
	const struct root *root, struct meta *meta, const struct nexthop *nh, uint16_t old_out)
{
	bool forward = nh->type == NH_VIA || nh->type == NH_CONNECTED;

	if (meta->flags & META_WAITED)
		return forward && old_out == nh->iface
			       ? outward(root, meta)
			       : node_drop(meta, DROP_NEIGH_STALE, NEXT_DROP);
	if (meta->flags & META_OURS) {
		meta->scope = RULE_LOCAL;
		if (!forward)
			return node_drop(meta, DROP_NO_ROUTE, NEXT_DROP);
		return outward(root, meta);
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

/* Takes the packet out of the routing table's hands: it is for us, or for a neighbour on the link
 * of out. */
static void set_way(struct meta *meta, uint8_t type, const struct iface *out)
{
	meta->nh = 0;
	meta->nh_type = type;
	meta->scope = RULE_LOCAL;
	meta->out_if = type == NH_LOCAL ? IFACE_NONE : out->id;
	meta->zone_out = out->zone;
}

/* A link-local or multicast destination. */
static uint16_t on_link(const struct root *root, struct meta *meta)
{
	const uint8_t *dst = meta->key6.dst;
	/* what we made, or what has waited, knows its link */
	bool out = meta->flags & (META_OURS | META_WAITED);
	const struct iface *f = &root->ports->iface[out ? meta->out_if : meta->in_if];

	if (!out) {
		/* what came out of a tunnel without an interface was on no link of ours */
		if (unlikely(meta->tunnel != TUNNEL_NONE && !(f->flags & IFACE_TUNNEL)))
			return node_drop(meta, DROP_IP6_LINK_LOCAL, NEXT_DROP);
		/* ip6_input let joined groups pass */
		if (!ip6_is_multicast(dst) && !ports_is_own6(root->ports, meta->in_if, dst))
			return node_drop(meta, DROP_IP6_LINK_LOCAL, NEXT_DROP);
		set_way(meta, NH_LOCAL, f);
		return NEXT_ACL_IN;
	}
	if (!(f->flags & IFACE_UP) || !(f->flags & IFACE_IP6) || ip6_is_multicast(dst))
		return node_drop(meta, meta->flags & META_WAITED ? DROP_NEIGH_STALE : DROP_NO_ROUTE,
			NEXT_DROP);
	set_way(meta, NH_CONNECTED, f);
	return outward(root, meta);
}

static uint16_t route6(const struct root *root, struct meta *meta, uint16_t index)
{
	uint16_t next;

	if (unlikely(meta->key6.dst[0] >= 0xfe &&
		     (ip6_is_link_local(meta->key6.dst) || ip6_is_multicast(meta->key6.dst))))
		return on_link(root, meta);
	next = route(root, meta, index);
	/* RFC 4291 section 2.5.6, RFC 4443 section 3.1 */
	if (unlikely(ip6_is_link_local(meta->key6.src) && next == NEXT_ACL_IN &&
		     meta->scope == RULE_ROUTE))
		return node_error(meta, DROP_IP6_SCOPE, ICMP6_UNREACHABLE, ICMP6_BEYOND_SCOPE,
			NEXT_ICMP6_ERROR);
	return next;
}

/* The reverse path is looked at, and is not as it must be. back: the routes of all sources, filled
 * at the first need. */
static bool wrong_path(const struct root *root, void **objs, unsigned n, unsigned i,
	uint64_t back[], bool *back_known)
{
	const struct meta *meta = meta_of(objs[i]);

	/* a link-local source is on the link by itself */
	if (meta->flags & META_IP6 && ip6_is_link_local(meta->key6.src))
		return false;
	if (!*back_known)
		sources(root, objs, n, back);
	*back_known = true;
	return !reverse_path_ok(root, meta, &root->routes->nh[back[i]]);
}

/* The routes of all destinations: indices of next hops. */
static inline void destinations(const struct root *root, void **objs, unsigned n, uint64_t nh[])
{
	uint32_t dst[WALK_PACKETS_MAX];
	uint8_t any = 0, all = UINT8_MAX;

	for (unsigned i = 0; i < n; i++) {
		const struct meta *meta = meta_of(objs[i]);

		dst[i] = rte_be_to_cpu_32(meta->key.dst); /* of IPv6: anything */
		any |= meta->flags;
		all &= meta->flags;
		rte_compiler_barrier(); /* a gather is slower here than plain loads */
	}
	if (likely(!(all & META_IP6)))
		routes_lookup(root->routes, dst, nh, n);
	if (any & META_IP6)
		look_up6(root, objs, n, false, nh);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	const struct root *root = w->root;
	uint64_t nh[WALK_PACKETS_MAX], back[WALK_PACKETS_MAX];
	uint16_t next[WALK_PACKETS_MAX];
	bool back_known = false;

	destinations(root, objs, nb_objs, nh);
	for (unsigned i = 0; i < nb_objs; i++) {
		struct meta *meta = meta_of(objs[i]);

		next[i] = likely(!(meta->flags & META_IP6)) ? route(root, meta, (uint16_t)nh[i])
							    : route6(root, meta, (uint16_t)nh[i]);
		if (unlikely(meta->flags & META_URPF && next[i] == NEXT_ACL_IN) &&
			wrong_path(root, objs, nb_objs, i, back, &back_known))
			next[i] = node_drop(meta, DROP_URPF, NEXT_DROP);
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
	.n_next = 6,
	.next = {[NEXT_ACL_IN] = "acl_in",
		[NEXT_ACL_OUT] = "acl_out",
		[NEXT_IP_OUTPUT] = "ip_output",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_DROP] = "drop",
		[NEXT_POLICY_OUT] = "policy_out"},
};
