/* The first steps of filter.test, up to the route: what eth_input, ip4_input and ip6_input say to a
 * packet. See walk.h. Whoever changes what they refuse changes it here.
 */
#include "ctl/walk.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

static const char *zone_name(const struct iface *f)
{
	return f->zone == RULE_SECURE ? "secure" : "nonsecure";
}

static enum drop_reason interface(struct walk *w)
{
	enum drop_reason reason = DROP_NONE;

	if (!(w->in->flags & IFACE_UP))
		reason = DROP_ETH_IFACE_DOWN;
	else if (walk_is6(w) && !(w->in->flags & IFACE_IP6))
		reason = DROP_IP6_NOT_CONFIGURED;
	walk_step(w, "interface", reason,
		json_pack("{s:o, s:s}", "interface", text_json(w->in->name), "zone",
			zone_name(w->in)));
	return reason;
}

static enum drop_reason addresses4(const struct walk *w)
{
	uint32_t src = addr_to4(&w->p.src), dst = addr_to4(&w->p.dst);

	if (w->root->ip4.martians_drop &&
		(ip4_martian_source(src) || ports_is_own(w->root->ports, rte_cpu_to_be_32(src))))
		return DROP_IP4_SRC_MARTIAN;
	if (ip4_martian_destination(dst))
		return DROP_IP4_DST_MARTIAN;
	return ip4_multicast(dst) ? DROP_IP4_MULTICAST : DROP_NONE;
}

/* The kinds of addresses that no packet has. The mapped form of IPv4 can't be asked about. */
static enum drop_reason addresses6(const struct walk *w)
{
	const uint8_t *src = w->p.src.b, *dst = w->p.dst.b;

	if (ip6_is_multicast(src) || (ip6_is_loopback(src) && w->root->ip6.martians_drop))
		return DROP_IP6_SRC_MARTIAN;
	if (ip6_is_unspecified(dst) || ip6_is_loopback(dst))
		return DROP_IP6_DST_MARTIAN;
	if (ip6_is_multicast(dst) && !iface_has_group(w->in, dst))
		return DROP_IP6_MULTICAST;
	return DROP_NONE;
}

/* "::", which is the source of neighbour discovery alone (RFC 4861 section 7.2.2), and our own. */
static enum drop_reason source6(const struct walk *w)
{
	const uint8_t *src = w->p.src.b;

	return ip6_is_unspecified(src) || (w->root->ip6.martians_drop &&
						  ports_is_own6(w->root->ports, w->in->id, src))
		       ? DROP_IP6_SRC_MARTIAN
		       : DROP_NONE;
}

/* Neighbour discovery for us: with a hop limit of 255 it came through no router and the filter is
 * not asked (RFC 4861 section 7.1). */
static bool is_nd(const struct walk *w)
{
	const uint8_t *dst = w->p.dst.b;

	return walk_is6(w) && w->p.proto == IP6_ICMP && w->p.frag != PACKET_LATER_FRAGMENT &&
	       icmp6_is_nd((uint8_t)w->p.sport) &&
	       (ip6_is_multicast(dst) || ports_is_own6(w->root->ports, w->in->id, dst));
}

static enum drop_reason nd(struct walk *w)
{
	enum drop_reason reason = DROP_NONE;

	if (w->hop_limit != 0 && w->hop_limit != 255)
		reason = DROP_ND_HOP_LIMIT;
	else if (w->p.frag != PACKET_WHOLE)
		reason = DROP_ND_FRAGMENT;
	walk_step(w, "neighbour", reason,
		json_pack("{s:s}", "text",
			reason != DROP_NONE
				? drop_text[reason].sentence
				: "Neighbour discovery for this box: with hop limit 255 it is "
				  "from this link, and not filtered."));
	w->taken = reason == DROP_NONE;
	return reason;
}

enum drop_reason walk_input(struct walk *w)
{
	enum drop_reason reason = interface(w);

	if (reason != DROP_NONE)
		return reason;
	reason = walk_is6(w) ? addresses6(w) : addresses4(w);
	if (reason == DROP_NONE && is_nd(w))
		return nd(w);
	if (reason == DROP_NONE && walk_is6(w))
		reason = source6(w);
	if (reason != DROP_NONE)
		walk_step(w, "addresses", reason,
			json_pack("{s:s}", "text", drop_text[reason].sentence));
	return reason;
}
