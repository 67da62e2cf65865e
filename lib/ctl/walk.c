/* What the data path would do with a described packet, step by step. See walk.h.
 *
 * Follows dp/node: (walk_input.c: eth_input, ip4_input, ip6_input,) ip_route, acl_in, ip_local,
 * acl_out, ip_output, port_tx. Whoever changes the order of decisions there changes it here.
 */
#include "ctl/walk.h"

#include "ctl/routing.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <netinet/in.h>

static const char *zone_name(const struct iface *f)
{
	return f->zone == RULE_SECURE ? "secure" : "nonsecure";
}

void walk_step(struct walk *w, const char *name, enum drop_reason reason, json_t *members)
{
	json_t *s = json_pack("{s:s, s:s, s:o}", "step", name, "verdict",
		reason == DROP_NONE ? "permit" : "deny", "reason",
		reason == DROP_NONE ? json_null() : json_string(drop_text[reason].name));

	json_object_update_new(s, members);
	json_array_append_new(w->steps, s);
}

static uint32_t number(const struct tunnel *t)
{
	return t ? t->id : TUNNEL_NONE;
}

/* One look into the filter, for a packet that came through a tunnel or goes through one. Adds the
 * step; the reason, or DROP_NONE. *into: the tunnel that the rule names instead. */
static enum drop_reason filter(struct walk *w, const struct iface *f, uint8_t dir,
	const struct tunnel *t, const struct tunnel **into)
{
	const struct acl *acl = w->root->acl;
	enum drop_reason reason = DROP_NONE;
	struct rule_packet p = w->p;
	const struct acl_verdict *v;
	uint32_t verdict;

	p.zone = f->zone;
	p.dir = dir;
	p.tunnel = number(t);
	verdict = acl_lookup(acl, &p);
	v = &acl->verdict[verdict];
	if (!v->permit && dir == RULE_IN)
		reason = verdict ? DROP_FILTER_IN : DROP_FILTER_IN_IMPLICIT;
	else if (!v->permit)
		reason = verdict ? DROP_FILTER_OUT : DROP_FILTER_OUT_IMPLICIT;
	walk_step(w, dir == RULE_IN ? "inbound" : "outbound", reason,
		json_pack("{s:o, s:s, s:s, s:o, s:b}", "interface", text_json(f->name), "zone",
			zone_name(f), "scope", p.scope == RULE_LOCAL ? "local" : "routed", "rule",
			api_rule(acl, verdict), "log", v->log != 0));
	if (into != NULL && v->tunnel != TUNNEL_NONE)
		*into = api_tunnel(w->root, v->tunnel);
	return reason;
}

static enum drop_reason reverse_path(struct walk *w)
{
	const struct routes *r = w->root->routes;
	const struct nexthop *h;
	bool ok, strict = w->in->flags & IFACE_URPF_STRICT;
	uint32_t nh;

	/* a link-local source is on the link by itself */
	if (!(w->in->flags & (IFACE_URPF_LOOSE | IFACE_URPF_STRICT)) ||
		addr_is_link_local(&w->p.src))
		return DROP_NONE;
	nh = routing_lookup(r, &w->p.src);
	h = routing_hop(r, nh);
	ok = h != NULL && (h->type == NH_VIA || h->type == NH_CONNECTED || h->type == NH_GROUP);
	if (ok && strict)
		ok = routing_leaves_by(r, nh, w->in->id);
	walk_step(w, "reverse path", ok ? DROP_NONE : DROP_URPF,
		json_pack("{s:s, s:s, s:o}", "mode", strict ? "strict" : "loose", "type",
			routing_type(r, nh), "next_hops", routing_hops(w->root, nh)));
	return ok ? DROP_NONE : DROP_URPF;
}

static void route_step(struct walk *w, uint32_t nh, enum drop_reason reason)
{
	struct route_db *db = w->env->routes;
	struct route route;
	bool found = db != NULL && route_db_match(db, &w->p.dst, &route);
	char to[PREFIX_STRLEN];

	walk_step(w, "route", reason,
		json_pack("{s:o, s:o, s:s, s:o}", "destination", text_json_addr(&w->p.dst), "to",
			found ? json_string(prefix_format(&route.to, to)) : json_null(), "type",
			routing_type(w->root->routes, nh), "next_hops", routing_hops(w->root, nh)));
}

/* The route of what is in no table: hop is where it leaves, NULL for what comes to us. */
static void on_link_step(struct walk *w, enum drop_reason reason, const struct nexthop *hop)
{
	json_t *hops = json_array();

	if (hop != NULL)
		json_array_append_new(hops, routing_hop_json(w->root, hop));
	walk_step(w, "route", reason,
		json_pack("{s:o, s:s, s:s, s:o}", "destination", text_json_addr(&w->p.dst), "to",
			addr_is_multicast(&w->p.dst) ? "ff00::/8" : "fe80::/10", "type",
			hop != NULL           ? "connected"
			: reason == DROP_NONE ? "local"
					      : "link-local",
			"next_hops", hops));
}

/* Hop limit and size, as ip_output looks at them. */
static enum drop_reason lifetime_and_size(const struct walk *w, const struct iface *out)
{
	if (walk_forwarded(w) && w->hop_limit == 1)
		return DROP_TTL_EXCEEDED;
	if (w->length <= out->mtu)
		return DROP_NONE;
	/* what we make ourselves is cut */
	return walk_forwarded(w) && (walk_is6(w) || w->df) ? DROP_MTU_EXCEEDED : DROP_NONE;
}

/* What its sender is told of a packet that is too large. */
static json_t *output_text(const struct walk *w, enum drop_reason reason, const struct iface *out)
{
	if (reason != DROP_MTU_EXCEEDED)
		return json_null();
	return json_sprintf("its sender is told: %s, MTU %u",
		walk_is6(w) ? "packet too big" : "fragmentation needed", out->mtu);
}

/* Size, neighbour and link behind an outgoing interface. */
static enum drop_reason output(struct walk *w, const struct iface *out, const struct nexthop *h)
{
	enum drop_reason reason = lifetime_and_size(w, out);
	const struct addr *addr = h->type == NH_VIA ? &h->gw : &w->p.dst;
	uint32_t index = h->type == NH_VIA ? h->neigh : NEIGH_NONE;
	const struct neigh *n = NULL;
	bool neighbour = h->type != NH_BROADCAST;

	if (w->root->neigh != NULL && h->type == NH_CONNECTED)
		index = neigh_find(w->root->neigh, out->id, addr);
	if (w->root->neigh != NULL && index != NEIGH_NONE && index <= w->root->neigh->max)
		n = neigh_get(w->root->neigh, index);
	if (reason == DROP_NONE && n != NULL && n->state == NEIGH_FAILED)
		reason = DROP_NEIGH_FAILED;
	else if (reason == DROP_NONE && out->port < PORTS_MAX &&
		 !atomic_load(&w->env->shared->link_up[out->port]))
		reason = DROP_LINK_DOWN;
	walk_step(w, "output", reason,
		json_pack("{s:o, s:o, s:o, s:i, s:o}", "interface", text_json(out->name),
			"neighbour", neighbour ? text_json_addr(addr) : json_null(), "state",
			neighbour ? json_string(n ? routing_neigh_state(n->state) : "unknown")
				  : json_null(),
			"mtu", out->mtu, "text", output_text(w, reason, out)));
	return reason;
}

static enum drop_reason ours(struct walk *w);

/* Into the tunnel, and out of the box as its outer packet; then w is about the packet again. */
static enum drop_reason tunnelled(struct walk *w, const struct tunnel *t)
{
	struct walk before = *w;
	enum drop_reason reason = walk_protect(w, t);

	if (reason == DROP_NONE)
		reason = ours(w);
	w->p = before.p;
	w->length = before.length;
	w->out = before.out;
	w->outer = false;
	return reason;
}

/* One way out: policy, filter, then the tunnel, or neighbour and link. */
static enum drop_reason leave(struct walk *w, const struct iface *out, const struct nexthop *h)
{
	const struct tunnel *t;
	bool last; /* a discard that comes behind the filter */
	enum drop_reason policy = walk_policy_out(w, out, &t, &last), reason = policy;

	if (policy == DROP_NONE || last)
		reason = filter(w, out, RULE_OUT, t, t ? NULL : &t);
	if (reason == DROP_NONE)
		reason = policy;
	if (reason == DROP_NONE && t != NULL)
		reason = tunnelled(w, t);
	else if (reason == DROP_NONE)
		reason = output(w, out, h);
	if (w->outer)
		return reason;
	json_array_append_new(w->paths,
		json_pack("{s:o, s:o, s:s, s:o}", "interface", text_json(out->name), "via",
			h->type == NH_VIA ? text_json_addr(&h->gw) : json_null(), "verdict",
			reason == DROP_NONE ? "permit" : "deny", "reason",
			reason == DROP_NONE ? json_null() : json_string(drop_text[reason].name)));
	return reason;
}

/* All ways that the route may choose; out narrows them. */
static enum drop_reason leave_all(struct walk *w, uint32_t nh)
{
	const struct nexthop *member[ROUTING_MEMBERS_MAX];
	unsigned n = routing_members(w->root->routes, nh, member, ROUTING_MEMBERS_MAX);
	unsigned tried = 0, denied = 0;
	enum drop_reason first = DROP_NONE;

	for (unsigned i = 0; i < n; i++) {
		const struct iface *out = &w->root->ports->iface[member[i]->iface];
		enum drop_reason reason;

		if (w->out != NULL && w->out != out)
			continue;
		reason = leave(w, out, member[i]);
		tried++;
		denied += reason != DROP_NONE;
		if (first == DROP_NONE)
			first = reason;
	}
	if (tried == 0 && w->out != NULL) { /* not as routed: what if */
		struct nexthop direct = {.type = NH_CONNECTED, .iface = w->out->id};

		return leave(w, w->out, &direct);
	}
	w->mixed = denied > 0 && denied < tried;
	return first;
}

static enum drop_reason dead_end(const struct nexthop *h)
{
	switch (h ? (enum nexthop_type)h->type : NH_NONE) {
	case NH_BLACKHOLE:
		return DROP_ROUTE_BLACKHOLE;
	case NH_UNREACHABLE:
		return DROP_ROUTE_UNREACHABLE;
	case NH_PROHIBIT:
		return DROP_ROUTE_PROHIBIT;
	case NH_VIA:
	case NH_CONNECTED:
	case NH_BROADCAST:
	case NH_GROUP:
		return DROP_NONE;
	default:
		return DROP_NO_ROUTE;
	}
}

/* A packet that this box makes, to a link-local address. */
static enum drop_reason ours_on_link(struct walk *w)
{
	const struct iface *f = w->link;
	bool ok = f->flags & IFACE_UP && f->flags & IFACE_IP6 && !addr_is_multicast(&w->p.dst);
	struct nexthop hop = {.type = NH_CONNECTED, .iface = f->id};

	on_link_step(w, ok ? DROP_NONE : DROP_NO_ROUTE, &hop);
	return ok ? leave(w, f, &hop) : DROP_NO_ROUTE;
}

/* A packet that this box makes: local, outbound only. */
static enum drop_reason ours(struct walk *w)
{
	uint32_t nh = routing_lookup(w->root->routes, &w->p.dst);
	const struct nexthop *h = routing_hop(w->root->routes, nh);
	bool ok =
		h != NULL && (h->type == NH_VIA || h->type == NH_CONNECTED || h->type == NH_GROUP);

	w->p.scope = RULE_LOCAL;
	if (walk_on_link(w) && w->link != NULL)
		return ours_on_link(w);
	route_step(w, nh, ok ? DROP_NONE : DROP_NO_ROUTE);
	return ok ? leave_all(w, nh) : DROP_NO_ROUTE;
}

/* No duplicate of another host's address, and known not to be (RFC 4862 section 5.4). */
static bool usable(const struct walk *w, const struct addr *own)
{
	return w->root->neigh == NULL || neigh_own_usable(w->root->neigh, w->in->id, own->b);
}

/* The answer to an echo request; false where there is no address to answer from. */
static bool turn_round(struct walk *w)
{
	struct addr asker = w->p.src, from = w->p.dst;

	if (walk_is6(w) && !ports_is_own6(w->root->ports, w->in->id, from.b) &&
		(!ports_source6(w->root->ports, w->in->id, &asker, &from) || !usable(w, &from)))
		return false;
	w->p.src = from;
	w->p.dst = asker;
	w->p.sport = walk_is6(w) ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY;
	w->out = NULL;
	w->link = w->in;
	return true;
}

/* What becomes of a packet for this box; DROP_NONE: an echo request, to be answered. */
static enum drop_reason fate(const struct walk *w)
{
	bool six = walk_is6(w);

	if (six && !usable(w, &w->p.dst))
		return DROP_LOCAL_UNUSABLE;
	if (w->p.proto == (six ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return w->p.sport == (six ? ICMP6_ECHO : ICMP4_ECHO) ? DROP_NONE
								     : DROP_LOCAL_ICMP_IGNORED;
	if (w->p.proto == IPPROTO_TCP || w->p.proto == IPPROTO_UDP)
		return DROP_LOCAL_NO_PORT;
	return DROP_LOCAL_NO_PROTOCOL;
}

/* ESP and AH are for the SA of their SPI, which nobody has described. */
static enum drop_reason carrier(struct walk *w)
{
	bool ike = w->p.proto == IPPROTO_UDP && w->p.dport == PORT_IKE;
	enum drop_reason reason = ike ? DROP_LOCAL_NO_PORT : DROP_NONE;

	walk_step(w, "local", reason,
		json_pack("{s:s}", "text",
			ike ? drop_text[reason].sentence
			    : "Its SPI says which SA it is for; ask about the packet inside "
			      "with the tunnel that it comes through."));
	w->taken = reason == DROP_NONE;
	return reason;
}

/* For this box, and permitted so far. */
static enum drop_reason local(struct walk *w, bool broadcast)
{
	enum drop_reason reason = broadcast ? DROP_IP4_BROADCAST : fate(w);

	if (w->p.frag != PACKET_WHOLE && reason != DROP_IP4_BROADCAST &&
		reason != DROP_LOCAL_UNUSABLE) {
		walk_step(w, "local", DROP_NONE,
			json_pack("{s:s}", "text", "This box waits for the rest of the datagram."));
		return DROP_NONE;
	}
	if (walk_carrier(w) && reason != DROP_LOCAL_UNUSABLE)
		return carrier(w);
	if (reason == DROP_NONE && !turn_round(w))
		reason = DROP_LOCAL_ICMP_IGNORED;
	walk_step(w, "local", reason,
		json_pack("{s:s}", "text",
			reason == DROP_NONE ? "This box answers the echo request; its reply:"
					    : drop_text[reason].sentence));
	if (reason != DROP_NONE)
		return reason;
	w->answered = true;
	return ours(w);
}

/* Reverse path, inbound filter and policy of a packet whose route is known. */
static enum drop_reason let_in(struct walk *w)
{
	enum drop_reason reason = reverse_path(w);

	if (reason == DROP_NONE)
		reason = filter(w, w->in, RULE_IN, w->through, NULL);
	return reason == DROP_NONE ? walk_policy_in(w) : reason;
}

static enum drop_reason received_on_link(struct walk *w)
{
	/* groups that nobody joined did not come so far */
	bool own = addr_is_multicast(&w->p.dst) ||
		   ports_is_own6(w->root->ports, w->in->id, w->p.dst.b);
	enum drop_reason reason = own ? DROP_NONE : DROP_IP6_LINK_LOCAL;

	w->p.scope = RULE_LOCAL;
	on_link_step(w, reason, NULL);
	if (reason == DROP_NONE)
		reason = let_in(w);
	return reason == DROP_NONE ? local(w, false) : reason;
}

static enum drop_reason received(struct walk *w)
{
	const struct routes *r = w->root->routes;
	enum drop_reason reason = walk_input(w), verdict;
	uint32_t nh = routing_lookup(r, &w->p.dst);
	const struct nexthop *h = routing_hop(r, nh);
	bool is_local = h != NULL && h->type == NH_LOCAL;

	if (reason != DROP_NONE || w->taken)
		return reason;
	if (walk_on_link(w))
		return received_on_link(w);
	if (h != NULL && h->type == NH_BROADCAST)
		is_local = h->iface == w->in->id ||
			   !(w->root->ports->iface[h->iface].flags & IFACE_BCAST_FORWARD);
	w->p.scope = is_local ? RULE_LOCAL : RULE_ROUTE;
	if (addr_is_link_local(&w->p.src) && !is_local) { /* RFC 4291 section 2.5.6 */
		route_step(w, nh, DROP_IP6_SCOPE);
		return DROP_IP6_SCOPE;
	}
	reason = is_local ? DROP_NONE : dead_end(h);
	/* The filter is asked before a dead end counts: a denied packet is a denied packet. */
	route_step(w, nh, reason);
	verdict = let_in(w);
	if (verdict != DROP_NONE)
		return verdict;
	if (is_local)
		return local(w, h->type == NH_BROADCAST);
	return reason != DROP_NONE ? reason : leave_all(w, nh);
}

void walk(struct walk *w)
{
	w->steps = json_array();
	w->paths = json_array();
	w->link = w->out;
	w->reason = w->in != NULL ? received(w) : ours(w);
}
