/* The steps of filter.test that are about IPsec: policies in and out, and the way into a tunnel.
 * See walk.h. Follows dp/node/policy_in.c, policy_out.c and protect.c; whoever changes what they
 * decide changes it here.
 */
#include "ctl/walk.h"

#include "ctl/routing.h"
#include "ipsec/esp.h"

#include <netinet/in.h>

static struct selector_packet packet(const struct walk *w)
{
	return (struct selector_packet){.src = w->p.src,
		.dst = w->p.dst,
		.proto = w->p.proto,
		.no_ports = w->p.frag == PACKET_LATER_FRAGMENT,
		.sport = w->p.sport,
		.dport = w->p.dport};
}

/* "policy 3 "web" (postern.conf:12)", or that there is none. */
static void add_policy(struct text *t, const struct spd *spd, uint32_t verdict)
{
	const struct policy *p;

	if (verdict == 0 || verdict > spd->n_policies) {
		text_add(t, "no policy is about it");
		return;
	}
	p = &spd->policy[verdict - 1];
	text_add(t, "policy %u", verdict);
	if (*p->name)
		text_add(t, " \"%s\"", p->name);
	if (p->by_socket)
		text_add(t, " (added by the control socket)");
	else if (p->file != NULL)
		text_add(t, " (%s:%u)", p->file, p->line);
}

static void add_action(struct text *t, const struct walk *w, const struct spd_verdict *v)
{
	const struct tunnel *through = api_tunnel(w->root, v->tunnel);

	if (v->action == POLICY_PROTECT)
		text_add(t, ": protect by tunnel %s", through ? through->name : "?");
	else
		text_add(t, ": %s", v->action == POLICY_BYPASS ? "bypass" : "discard");
}

/* Some inbound SA of the tunnel may carry the packet. */
struct carrier {
	struct selector_packet p;
	uint16_t tunnel;
	bool any, fits;
};

static void carries(void *arg, uint32_t handle, const struct sa_info *i, const struct sa *sa)
{
	struct carrier *c = arg;

	if (!i->in || i->tunnel != c->tunnel)
		return;
	c->any = true;
	c->fits |= sa->n_selectors == 0;
	for (unsigned s = 0; s < sa->n_selectors && !c->fits; s++)
		c->fits = selector_matches(&sa->selector[s], &c->p);
}

static enum drop_reason from_tunnel(
	const struct walk *w, const struct spd_verdict *v, bool by_policy)
{
	struct carrier c = {.p = packet(w), .tunnel = w->through->id};

	if (w->env->sad != NULL)
		sad_db_each(w->env->sad, carries, &c);
	if (!c.any)
		return DROP_IPSEC_UNKNOWN_SPI;
	if (!c.fits)
		return DROP_IPSEC_SELECTOR;
	if (!by_policy)
		return DROP_NONE;
	if (v->action == POLICY_DISCARD)
		return DROP_POLICY_IN_DISCARD;
	return v->action == POLICY_PROTECT && v->tunnel != w->through->id ? DROP_IPSEC_SELECTOR
									  : DROP_NONE;
}

static enum drop_reason in_the_clear(const struct spd_verdict *v)
{
	switch ((enum policy_action)v->action) {
	case POLICY_PROTECT:
		return DROP_POLICY_IN_CLEAR;
	case POLICY_DISCARD:
		return DROP_POLICY_IN_DISCARD;
	case POLICY_BYPASS:
		break;
	}
	return DROP_NONE;
}

enum drop_reason walk_policy_in(struct walk *w)
{
	const struct ipsec *ipsec = w->root->ipsec;
	struct selector_packet p = packet(w);
	const struct spd_verdict *v;
	enum drop_reason reason;
	char buf[512];
	struct text t;
	uint32_t verdict;

	if (ipsec == NULL || walk_carrier(w))
		return DROP_NONE;
	verdict = spd_lookup(ipsec->spd, RULE_IN, &p);
	v = &ipsec->spd->verdict[verdict];
	reason = w->through ? from_tunnel(w, v, verdict != 0) : in_the_clear(v);
	text_init(&t, buf, sizeof(buf));
	if (w->through != NULL)
		text_add(&t, "came through tunnel %s; ", w->through->name);
	add_policy(&t, ipsec->spd, verdict);
	add_action(&t, w, v);
	walk_step(w, "policy", reason, json_pack("{s:o}", "text", text_json(buf)));
	return reason;
}

enum drop_reason walk_policy_out(
	struct walk *w, const struct iface *out, const struct tunnel **through, bool *last)
{
	const struct ipsec *ipsec = w->root->ipsec;
	struct selector_packet p = packet(w);
	enum drop_reason reason = DROP_NONE;
	const struct spd_verdict *v;
	uint32_t verdict = 0;
	char buf[512];
	struct text t;

	*through = NULL;
	*last = false;
	if (ipsec == NULL || w->outer)
		return DROP_NONE;
	text_init(&t, buf, sizeof(buf));
	if (out->flags & IFACE_TUNNEL) {
		*through = api_tunnel(w->root, out->tunnel);
		text_add(&t, "routed to the interface of tunnel %s",
			*through ? (*through)->name : "?");
	} else {
		verdict = spd_lookup(ipsec->spd, RULE_OUT, &p);
		v = &ipsec->spd->verdict[verdict];
		if (v->action == POLICY_PROTECT)
			*through = api_tunnel(w->root, v->tunnel);
		else if (v->action == POLICY_DISCARD)
			reason = DROP_POLICY_OUT_DISCARD;
		*last = verdict == 0;
		add_policy(&t, ipsec->spd, verdict);
		add_action(&t, w, v);
	}
	walk_step(w, "policy", reason, json_pack("{s:o}", "text", text_json(buf)));
	return reason;
}

/* The SA that the first worker with one sends by, or NULL. */
static const struct sa *outbound(const struct walk *w, const struct tunnel *t)
{
	const struct sad *sad = w->root->ipsec->sad;

	for (unsigned i = 0; i < sad->n_workers; i++) {
		uint64_t out = sad_out(sad, t->id, i);
		uint32_t handle = t->flags & TUNNEL_ESP ? (uint32_t)out : (uint32_t)(out >> 32);
		const struct sa *sa = handle ? sad_get(sad, handle) : NULL;

		if (sa != NULL)
			return sa;
	}
	return NULL;
}

static json_t *tunnel_text(
	const struct walk *w, const struct tunnel *t, const struct sa *sa, unsigned mtu)
{
	const struct sa_info *i = sa ? sad_db_info(w->env->sad, sa->handle) : NULL;
	char buf[512], suite[SUITE_NAME_MAX];
	struct text text;

	text_init(&text, buf, sizeof(buf));
	text_add(&text, "%s, %s mode, ", t->name,
		t->flags & TUNNEL_TRANSPORT ? "transport" : "tunnel");
	text_add_addr(&text, &t->local);
	text_add(&text, " > ");
	text_add_addr(&text, &t->remote);
	if (sa == NULL) {
		text_add(&text, ": no security association to send by");
		return text_json(buf);
	}
	text_add(&text, ": %s%s SPI 0x%08x", sa->proto == PROTO_AH ? "ah" : "esp",
		t->flags & TUNNEL_ENCAP ? " in udp" : "", rte_be_to_cpu_32(sa->spi));
	if (i != NULL)
		text_add(&text, " %s", suite_format(&i->suite, suite));
	text_add(&text, ", worker %u, packets up to %u bytes", sa->owner, mtu);
	return text_json(buf);
}

/* The interface that the outer packet leaves by decides how much fits. */
static unsigned outer_mtu(const struct walk *w, const struct tunnel *t)
{
	const struct routes *r = w->root->routes;
	const struct nexthop *member[ROUTING_MEMBERS_MAX];

	if (routing_members(r, routing_lookup(r, &t->remote), member, ROUTING_MEMBERS_MAX) == 0 ||
		(member[0]->type != NH_VIA && member[0]->type != NH_CONNECTED))
		return 0;
	return w->root->ports->iface[member[0]->iface].mtu;
}

enum drop_reason walk_protect(struct walk *w, const struct tunnel *t)
{
	const struct sa *sa = outbound(w, t);
	enum drop_reason reason = sa ? DROP_NONE : DROP_IPSEC_NO_SA;
	unsigned mtu = sa ? outer_mtu(w, t) : 0;
	unsigned inner = mtu ? esp_inner_max(sa, mtu) : 0;

	if (t->mtu && t->mtu < inner)
		inner = t->mtu;
	if (walk_forwarded(w) && w->hop_limit == 1)
		reason = DROP_TTL_EXCEEDED;
	else if (reason == DROP_NONE && inner && w->length > inner && walk_forwarded(w) &&
		 (walk_is6(w) || w->df))
		reason = DROP_MTU_EXCEEDED;
	walk_step(w, "tunnel", reason,
		json_pack("{s:o, s:o}", "tunnel", text_json(t->name), "text",
			tunnel_text(w, t, sa, inner)));
	if (reason != DROP_NONE)
		return reason;
	w->outer = true;
	w->out = NULL;
	if (w->length)
		w->length = (uint16_t)RTE_MIN(
			w->length + esp_overhead(sa, w->length), (unsigned)UINT16_MAX);
	w->p.src = t->local;
	w->p.dst = t->remote;
	w->p.proto = t->flags & TUNNEL_ENCAP ? IPPROTO_UDP
		     : t->flags & TUNNEL_AH  ? PROTO_AH
					     : PROTO_ESP;
	w->p.sport = t->flags & TUNNEL_ENCAP ? rte_be_to_cpu_16(t->local_port) : 0;
	w->p.dport = t->flags & TUNNEL_ENCAP ? rte_be_to_cpu_16(t->remote_port) : 0;
	w->p.ack = false;
	w->p.frag = PACKET_WHOLE;
	return DROP_NONE;
}

bool walk_carrier(const struct walk *w)
{
	const struct ipsec *ipsec = w->root->ipsec;

	if (ipsec == NULL || w->p.scope != RULE_LOCAL || w->in == NULL)
		return false;
	if (w->p.proto == IPPROTO_UDP)
		return ipsec_udp_port(ipsec, w->p.dport) || w->p.dport == PORT_IKE;
	return w->p.proto == PROTO_ESP || w->p.proto == PROTO_AH;
}
