/* Messages of neighbour discovery that arrive, already read and validated by wire/nd: learned from
 * and answered (RFC 4861 section 7.2). Called by the control core with what workers punt to it.
 *
 * We learn a new neighbour only from a solicitation that is meant for us, and never from an address
 * that is not on the interface's link: for such a one only an entry that we asked for ourselves is
 * updated.
 */
#include "table/neigh_parts.h"

#include <errno.h>
#include <string.h>

static struct rte_ether_addr mac_of(const struct nd *nd)
{
	struct rte_ether_addr mac;

	memcpy(&mac, &nd->mac, sizeof(mac));
	return mac;
}

static bool is_our_mac(const struct iface *iface, const struct nd *nd)
{
	return nd->has_mac && memcmp(&nd->mac, &iface->mac, sizeof(nd->mac)) == 0;
}

/* The source of a solicitation says its MAC (RFC 4861 sections 7.2.3 and 6.2.6). 0, or -EINVAL
 * where the source can be no neighbour. */
static int note(
	struct neigh_db *db, const struct iface *iface, const struct nd *nd, uint64_t now_ms)
{
	uint32_t i = neigh_find(&db->table, iface->id, &nd->src);
	struct neigh_slot like = {
		.iface = iface->id, .addr = nd->src, .state = NEIGH_STALE, .mac = mac_of(nd)};
	const struct neigh_slot *s = &db->slot[i];

	if (!neigh_is_host(iface, &nd->src))
		return -EINVAL;
	if (i == NEIGH_NONE && !neigh_on_link(iface, &nd->src, NULL))
		return -EINVAL;
	if (!nd->has_mac)
		return 0;
	if (i == NEIGH_NONE) {
		i = neigh_slot_make(db, &like, now_ms);
		if (i != NEIGH_NONE)
			neigh_state_enter(db, i, NEIGH_STALE, now_ms);
	} else if (!rte_is_same_ether_addr(&s->mac, &like.mac) || s->state == NEIGH_INCOMPLETE ||
		   s->state == NEIGH_FAILED) {
		neigh_state_learn(db, i, &like.mac, NEIGH_STALE, now_ms);
	}
	return 0;
}

/* Where to answer: the MAC that the solicitation says, or that we know. False: neither; by the time
 * it asks again we shall know. */
static bool answer_to(struct neigh_db *db, const struct iface *iface, const struct nd *nd,
	struct mac *to, uint64_t now_ms)
{
	const struct neigh *e;
	uint32_t i;

	*to = nd->mac;
	if (nd->has_mac)
		return true;
	i = neigh_find(&db->table, iface->id, &nd->src);
	e = i == NEIGH_NONE ? NULL : neigh_get(&db->table, i);
	if (e && e->hdr_len > 0)
		memcpy(to, e->hdr, sizeof(*to));
	else
		neigh_db_resolve(db, iface->id, &nd->src, now_ms);
	return e && e->hdr_len > 0;
}

/* RFC 4861 section 7.2.4: we are a router. An address of ours is ours alone (override); an anycast
 * address may be other routers' too, and we speak from one of ours. The random delay that it
 * recommends before answering for anycast addresses is left out. */
static void answer(struct neigh_db *db, const struct iface *iface, const struct nd *nd,
	const struct addr *from, uint64_t now_ms)
{
	bool ours = addr_equal(from, &nd->target);
	uint8_t flags = (uint8_t)(ND_ROUTER | (ours ? ND_OVERRIDE : 0));
	uint8_t packet[ND_PACKET_MAX];
	struct addr dst = nd->src;
	struct mac mac, to;

	memcpy(&mac, &iface->mac, sizeof(mac));
	if (addr_is_unspecified(&nd->src)) {
		dst = nd_all_nodes();
		to = nd_group_mac(&dst);
	} else if (answer_to(db, iface, nd, &to, now_ms)) {
		flags |= ND_SOLICITED;
	} else {
		return;
	}
	db->ops.nd(db->ops.arg, iface, &to, packet,
		nd_write_na(packet, from, &dst, &nd->target, &mac, flags));
}

/* Somebody asks for the routers of a subnet. Their address is no host's, and so no duplicate. */
static int solicited_anycast(
	struct neigh_db *db, const struct iface *iface, const struct nd *nd, uint64_t now_ms)
{
	struct addr from;

	if (addr_is_unspecified(&nd->src) || neigh_own_find(db, iface->id, &nd->src) ||
		!neigh_own_source(db, iface, &nd->target, &from))
		return 0;
	if (note(db, iface, nd, now_ms) != 0)
		return -EINVAL;
	answer(db, iface, nd, &from, now_ms);
	return 0;
}

/* Someone else speaks with, or for, an address of ours. */
static void defend(struct neigh_db *db, const struct iface *iface, const struct addr *addr,
	const struct nd *nd, uint64_t now_ms)
{
	if (is_our_mac(iface, nd))
		return; /* our own, sent back by the network */
	neigh_conflict(db, iface, addr, nd->mac.b, now_ms);
	if (neigh_may_defend(db, iface->id, addr, now_ms))
		neigh_own_advertise(db, iface, addr);
}

/* A neighbour solicitation: RFC 4861 section 7.2.3, RFC 4862 section 5.4.3. */
static int solicited(
	struct neigh_db *db, const struct iface *iface, const struct nd *nd, uint64_t now_ms)
{
	struct neigh_own *target = neigh_own_find(db, iface->id, &nd->target), *source;
	bool nobody = addr_is_unspecified(&nd->src);

	if (target == NULL)
		return iface_is_anycast(iface, nd->target.b)
			       ? solicited_anycast(db, iface, nd, now_ms)
			       : 0;
	if (target->state == NEIGH_OWN_TENTATIVE) {
		/* From an address: someone looks for it, which says nothing. From none: someone is
		 * about to use it as well, unless the nonce shows that it is our own probe (RFC
		 * 7527).
		 */
		if (nobody && !(nd->has_nonce && memcmp(nd->nonce, target->nonce, ND_NONCE) == 0))
			neigh_own_duplicate(db, target, NULL, now_ms);
		return 0;
	}
	if (target->state == NEIGH_OWN_DUPLICATE)
		return 0;
	source = nobody ? NULL : neigh_own_find(db, iface->id, &nd->src);
	if (source) {
		if (source->state == NEIGH_OWN_USABLE)
			defend(db, iface, &nd->src, nd, now_ms);
		return 0;
	}
	/* the probe of before we were sure of the address, sent back late */
	if (nobody && nd->has_nonce && memcmp(nd->nonce, target->nonce, ND_NONCE) == 0)
		return 0;
	if (!nobody && note(db, iface, nd, now_ms) != 0)
		return -EINVAL;
	answer(db, iface, nd, &nd->target, now_ms);
	return 0;
}

/* The entry is known already: RFC 4861 section 7.2.5, last part. */
static void update(struct neigh_db *db, uint32_t i, const struct nd *nd, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];
	struct rte_ether_addr mac = nd->has_mac ? mac_of(nd) : s->mac;
	bool moved = !rte_is_same_ether_addr(&mac, &s->mac);

	if (moved && !(nd->flags & ND_OVERRIDE)) {
		/* it may be a proxy's: keep what we have, but ask before long */
		if (s->state == NEIGH_REACHABLE)
			neigh_state_enter(db, i, NEIGH_STALE, now_ms);
		return;
	}
	if (nd->flags & ND_SOLICITED)
		neigh_state_learn(db, i, &mac, NEIGH_REACHABLE, now_ms);
	else if (moved)
		neigh_state_learn(db, i, &mac, NEIGH_STALE, now_ms);
	s->router = nd->flags & ND_ROUTER;
}

/* A neighbour advertisement: RFC 4861 section 7.2.5, RFC 4862 section 5.4.4. */
static int advertised(
	struct neigh_db *db, const struct iface *iface, const struct nd *nd, uint64_t now_ms)
{
	struct neigh_own *own = neigh_own_find(db, iface->id, &nd->target);
	uint32_t i = neigh_find(&db->table, iface->id, &nd->target);
	struct neigh_slot *s = &db->slot[i];
	struct rte_ether_addr mac = mac_of(nd);

	if (own) {
		if (own->state == NEIGH_OWN_TENTATIVE)
			neigh_own_duplicate(db, own, nd->has_mac ? &nd->mac : NULL, now_ms);
		else if (own->state == NEIGH_OWN_USABLE)
			defend(db, iface, &nd->target, nd, now_ms);
		return 0;
	}
	if (i == NEIGH_NONE || s->state == NEIGH_STATIC)
		return 0;
	if (s->state != NEIGH_INCOMPLETE && s->state != NEIGH_FAILED) {
		update(db, i, nd, now_ms);
		return 0;
	}
	if (!nd->has_mac)
		return 0;
	s->router = nd->flags & ND_ROUTER;
	neigh_state_learn(
		db, i, &mac, nd->flags & ND_SOLICITED ? NEIGH_REACHABLE : NEIGH_STALE, now_ms);
	return 0;
}

int neigh_db_nd(struct neigh_db *db, uint16_t iface_id, const struct nd *nd, uint64_t now_ms)
{
	const struct iface *iface = neigh_iface(db->ports, iface_id);

	if (iface == NULL || !(iface->flags & IFACE_IP6))
		return -EINVAL;
	if (neigh_db_ip6_off(db, iface_id))
		return 0;
	switch (nd->type) {
	case ND_NS:
		return solicited(db, iface, nd, now_ms);
	case ND_NA:
		return advertised(db, iface, nd, now_ms);
	case ND_RS:
		if (addr_is_unspecified(&nd->src) || neigh_own_find(db, iface->id, &nd->src))
			return 0;
		return note(db, iface, nd, now_ms);
	default: /* we are a router: RFC 4861 sections 6.2.7 and 8.2 */
		return 0;
	}
}
