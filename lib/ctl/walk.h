/* What the data path would do with a described packet, step by step, told from the same tables: for
 * filter.test.
 *
 * For this room alone. Control core.
 */
#pragma once

#include "ctl/api.h"

struct walk {
	struct ctl_env *env;
	const struct root *root;
	const struct iface *in;       /* NULL: a packet of our own */
	const struct iface *out;      /* asked for; NULL: as routed */
	struct rule_packet p;         /* zone, scope and dir are set on the way */
	uint8_t hop_limit;            /* or TTL, as it arrives; 0: not asked about */
	uint16_t length;              /* of the IP packet; 0: not asked about */
	const struct tunnel *through; /* what it came out of; NULL: it came in the clear */
	bool df;                      /* IPv4: marked don't fragment */
	json_t *steps, *paths;        /* owned */
	enum drop_reason reason;      /* DROP_NONE: it goes through */
	bool mixed;                   /* some paths of a multipath route deny it, some don't */
	bool answered;                /* an echo request for this box, answered */
	bool taken;                   /* neighbour discovery for this box, for the control core */
	bool outer;                   /* p is what a tunnel makes of the packet now */
	const struct iface *link;     /* where a link-local destination of a packet of ours is */
};

/* Fills steps, paths, reason. A packet of our own to a link-local address needs out. */
void walk(struct walk *w);

/* --- between walk.c, walk_input.c and walk_ipsec.c */

/* Adds a step. members is taken over. */
void walk_step(struct walk *w, const char *name, enum drop_reason reason, json_t *members);
/* What the input node of either family says to a packet that was received: a drop reason, or taken,
 * or it goes on to its route. */
enum drop_reason walk_input(struct walk *w);

/* Security policies, inbound and outbound: each adds a step where there is IPsec. *through: the
 * tunnel that the packet has to go through, or NULL. *last: a discard that comes only behind the
 * filter, since no policy says it. */
enum drop_reason walk_policy_in(struct walk *w);
enum drop_reason walk_policy_out(
	struct walk *w, const struct iface *out, const struct tunnel **through, bool *last);
/* Into the tunnel: adds the step, and makes the walk's packet the outer one. */
enum drop_reason walk_protect(struct walk *w, const struct tunnel *t);
/* A packet to us that carries others: ESP, AH, ESP in UDP, or is IKE. No policy is about it. */
bool walk_carrier(const struct walk *w);

/* Neither made here, nor an answer, nor a tunnel's outer packet. */
static inline bool walk_forwarded(const struct walk *w)
{
	return w->in != NULL && !w->answered && !w->outer;
}

static inline bool walk_is6(const struct walk *w)
{
	return !addr_is4(&w->p.dst);
}

/* A destination that says nothing without an interface: in no routing table (RFC 4291 sections
 * 2.5.6 and 2.7). */
static inline bool walk_on_link(const struct walk *w)
{
	return walk_is6(w) && (addr_is_link_local(&w->p.dst) || addr_is_multicast(&w->p.dst));
}
