/* What the data path would do with a described packet, step by step. See walk.h.
 *
 * Follows dp/node: eth_input, ip4_input, ip_route, acl_in, ip_local, acl_out, ip_output,
 * port_tx. Whoever changes the order of decisions there changes it here.
 */
#include "ctl/walk.h"

#include "ctl/routing.h"
#include "wire/ip4.h"

#include <netinet/in.h>

static const char *zone_name(const struct iface *f)
{
	return f->zone == RULE_SECURE ? "secure" : "nonsecure";
}

/* Adds a step. members is taken over. */
static void step(struct walk *w, const char *name, enum drop_reason reason, json_t *members)
{
	json_t *s = json_pack("{s:s, s:s, s:o}", "step", name, "verdict",
		reason == DROP_NONE ? "permit" : "deny", "reason",
		reason == DROP_NONE ? json_null() : json_string(drop_text[reason].name));

	json_object_update_new(s, members);
	json_array_append_new(w->steps, s);
}

/* One look into the filter. Adds the step; the reason, or DROP_NONE. */
static enum drop_reason filter(struct walk *w, const struct iface *f, uint8_t dir)
{
	const struct acl *acl = w->root->acl;
	enum drop_reason reason = DROP_NONE;
	struct rule_packet p = w->p;
	const struct acl_verdict *v;
	uint32_t verdict;

	p.zone = f->zone;
	p.dir = dir;
	verdict = acl_lookup(acl, &p);
	v = &acl->verdict[verdict];
	if (!v->permit && dir == RULE_IN)
		reason = verdict ? DROP_FILTER_IN : DROP_FILTER_IN_IMPLICIT;
	else if (!v->permit)
		reason = verdict ? DROP_FILTER_OUT : DROP_FILTER_OUT_IMPLICIT;
	step(w, dir == RULE_IN ? "inbound" : "outbound", reason,
		json_pack("{s:o, s:s, s:s, s:o, s:b}", "interface", text_json(f->name), "zone",
			zone_name(f), "scope", p.scope == RULE_LOCAL ? "local" : "routed", "rule",
			api_rule(acl, verdict), "log", v->log != 0));
	return reason;
}

static enum drop_reason addresses(struct walk *w)
{
	enum drop_reason reason = DROP_NONE;

	if (w->root->ip4.martians_drop &&
		(ip4_martian_source(addr_to4(&w->p.src)) ||
			ports_is_own(w->root->ports, rte_cpu_to_be_32(addr_to4(&w->p.src)))))
		reason = DROP_IP4_SRC_MARTIAN;
	else if (ip4_martian_destination(addr_to4(&w->p.dst)))
		reason = DROP_IP4_DST_MARTIAN;
	else if (ip4_multicast(addr_to4(&w->p.dst)))
		reason = DROP_IP4_MULTICAST;
	if (reason != DROP_NONE)
		step(w, "addresses", reason,
			json_pack("{s:s}", "text", drop_text[reason].sentence));
	return reason;
}

static enum drop_reason reverse_path(struct walk *w)
{
	const struct routes *r = w->root->routes;
	const struct nexthop *h;
	bool ok, strict = w->in->flags & IFACE_URPF_STRICT;
	uint32_t nh;

	if (!(w->in->flags & (IFACE_URPF_LOOSE | IFACE_URPF_STRICT)))
		return DROP_NONE;
	nh = routing_lookup(r, addr_to4(&w->p.src));
	h = routing_hop(r, nh);
	ok = h != NULL && (h->type == NH_VIA || h->type == NH_CONNECTED || h->type == NH_GROUP);
	if (ok && strict)
		ok = routing_leaves_by(r, nh, w->in->id);
	step(w, "reverse path", ok ? DROP_NONE : DROP_URPF,
		json_pack("{s:s, s:s, s:o}", "mode", strict ? "strict" : "loose", "type",
			routing_type(r, nh), "next_hops", routing_hops(w->root, nh)));
	return ok ? DROP_NONE : DROP_URPF;
}

static void route_step(struct walk *w, uint32_t dst, uint32_t nh, enum drop_reason reason)
{
	const struct route *route = routing_route(w->root->routes, dst);
	char to[PREFIX4_STRLEN];

	step(w, "route", reason,
		json_pack("{s:o, s:o, s:s, s:o}", "destination", text_json_addr4(dst), "to",
			route ? json_string(prefix_format(&route->to, to)) : json_null(), "type",
			routing_type(w->root->routes, nh), "next_hops", routing_hops(w->root, nh)));
}

/* The neighbour and the link behind an outgoing interface. */
static enum drop_reason output(
	struct walk *w, const struct iface *out, const struct nexthop *h, uint32_t dst)
{
	const struct neigh *n = NULL;
	enum drop_reason reason = DROP_NONE;
	struct addr addr = h->type == NH_VIA ? h->gw : addr_of4(dst);
	uint32_t index = h->type == NH_VIA ? h->neigh : NEIGH_NONE;

	if (w->root->neigh != NULL && h->type == NH_CONNECTED)
		index = neigh_find(w->root->neigh, out->id, &addr);
	if (w->root->neigh != NULL && index != NEIGH_NONE && index <= w->root->neigh->max)
		n = neigh_get(w->root->neigh, index);
	if (n != NULL && n->state == NEIGH_FAILED)
		reason = DROP_NEIGH_FAILED;
	else if (out->port < PORTS_MAX && !atomic_load(&w->env->shared->link_up[out->port]))
		reason = DROP_LINK_DOWN;
	step(w, "output", reason,
		json_pack("{s:o, s:o, s:o}", "interface", text_json(out->name), "neighbour",
			h->type == NH_BROADCAST ? json_null() : text_json_addr(&addr), "state",
			h->type == NH_BROADCAST
				? json_null()
				: json_string(n ? routing_neigh_state(n->state) : "unknown")));
	return reason;
}

/* One way out: filter, neighbour, link. */
static enum drop_reason leave(
	struct walk *w, const struct iface *out, const struct nexthop *h, uint32_t dst)
{
	enum drop_reason reason = filter(w, out, RULE_OUT);

	if (reason == DROP_NONE)
		reason = output(w, out, h, dst);
	json_array_append_new(w->paths,
		json_pack("{s:o, s:o, s:s, s:o}", "interface", text_json(out->name), "via",
			h->type == NH_VIA ? text_json_addr(&h->gw) : json_null(), "verdict",
			reason == DROP_NONE ? "permit" : "deny", "reason",
			reason == DROP_NONE ? json_null() : json_string(drop_text[reason].name)));
	return reason;
}

/* All ways that the route may choose; out narrows them. */
static enum drop_reason leave_all(struct walk *w, uint32_t nh, uint32_t dst)
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
		reason = leave(w, out, member[i], dst);
		tried++;
		denied += reason != DROP_NONE;
		if (first == DROP_NONE)
			first = reason;
	}
	if (tried == 0 && w->out != NULL) { /* not as routed: what if */
		struct nexthop direct = {.type = NH_CONNECTED, .iface = w->out->id};

		return leave(w, w->out, &direct, dst);
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

/* A packet that this box makes: local, outbound only. */
static enum drop_reason ours(struct walk *w)
{
	uint32_t nh = routing_lookup(w->root->routes, addr_to4(&w->p.dst));
	const struct nexthop *h = routing_hop(w->root->routes, nh);
	bool ok =
		h != NULL && (h->type == NH_VIA || h->type == NH_CONNECTED || h->type == NH_GROUP);

	w->p.scope = RULE_LOCAL;
	route_step(w, addr_to4(&w->p.dst), nh, ok ? DROP_NONE : DROP_NO_ROUTE);
	return ok ? leave_all(w, nh, addr_to4(&w->p.dst)) : DROP_NO_ROUTE;
}

/* For this box, and permitted so far. */
static enum drop_reason local(struct walk *w, const struct nexthop *h)
{
	enum drop_reason reason = DROP_LOCAL_NO_PROTOCOL;
	struct addr asker = w->p.src;

	if (h->type == NH_BROADCAST)
		reason = DROP_IP4_BROADCAST;
	else if (w->p.frag != PACKET_WHOLE)
		reason = DROP_LOCAL_FRAGMENT;
	else if (w->p.proto == IPPROTO_ICMP)
		reason = w->p.sport == ICMP4_ECHO ? DROP_NONE : DROP_LOCAL_ICMP_IGNORED;
	else if (w->p.proto == IPPROTO_TCP || w->p.proto == IPPROTO_UDP)
		reason = DROP_LOCAL_NO_PORT;
	step(w, "local", reason,
		json_pack("{s:s}", "text",
			reason == DROP_NONE ? "This box answers the echo request; its reply:"
					    : drop_text[reason].sentence));
	if (reason != DROP_NONE)
		return reason;
	w->answered = true;
	w->out = NULL;
	w->p.src = w->p.dst;
	w->p.dst = asker;
	w->p.sport = w->p.dport = 0;
	return ours(w);
}

static enum drop_reason received(struct walk *w)
{
	const struct routes *r = w->root->routes;
	uint32_t nh = routing_lookup(r, addr_to4(&w->p.dst));
	const struct nexthop *h = routing_hop(r, nh);
	enum drop_reason reason = w->in->flags & IFACE_UP ? DROP_NONE : DROP_ETH_IFACE_DOWN;
	enum drop_reason verdict;
	bool is_local = h != NULL && h->type == NH_LOCAL;

	step(w, "interface", reason,
		json_pack("{s:o, s:s}", "interface", text_json(w->in->name), "zone",
			zone_name(w->in)));
	if (reason == DROP_NONE)
		reason = addresses(w);
	if (reason != DROP_NONE)
		return reason;
	if (h != NULL && h->type == NH_BROADCAST)
		is_local = h->iface == w->in->id ||
			   !(w->root->ports->iface[h->iface].flags & IFACE_BCAST_FORWARD);
	w->p.scope = is_local ? RULE_LOCAL : RULE_ROUTE;
	reason = is_local ? DROP_NONE : dead_end(h);
	/* The filter is asked before a dead end counts: a denied packet is a denied packet. */
	route_step(w, addr_to4(&w->p.dst), nh, reason);
	if (reverse_path(w) != DROP_NONE)
		return DROP_URPF;
	verdict = filter(w, w->in, RULE_IN);
	if (verdict != DROP_NONE)
		return verdict;
	if (is_local)
		return local(w, h);
	return reason != DROP_NONE ? reason : leave_all(w, nh, addr_to4(&w->p.dst));
}

void walk(struct walk *w)
{
	w->steps = json_array();
	w->paths = json_array();
	w->reason = w->in != NULL ? received(w) : ours(w);
}
