/* The neighbours' state machine: what happens when an entry is asked for, heard, or reaches its
 * deadline. Called by the other neigh files; control core only. All times are the caller's
 * monotonic milliseconds.
 *
 *   INCOMPLETE  asked `retries` times, retry_ms apart; then FAILED
 *   REACHABLE   heard less than reachable_ms ago (IPv6: 0.5 to 1.5 times that, RFC 4861 section
 *               6.3.2); then STALE, or for IPv4, when in use: PROBE
 *   STALE       looked at every retry_ms, until it is used or pinned (IPv6: DELAY, IPv4: PROBE) or
 *               was neither used nor heard for stale_ms (deleted)
 *   DELAY       IPv6 alone: 5 s later it is asked (PROBE), unless it is heard first
 *   PROBE       asked `retries` times at its known MAC. IPv4: as often by broadcast, then FAILED.
 *               IPv6: then deleted (RFC 4861 section 7.3.3); pinned: INCOMPLETE
 *   FAILED      kept for retries x retry_ms; pinned: asked again for ever, ever more rarely
 *   STATIC      no deadline
 *
 * Nothing that workers see of an entry's use counts as being heard: that packets go to a neighbour
 * does not tell that they arrive (RFC 4861 section 7.3.1).
 */
#include "table/neigh_parts.h"

#include "base/log.h"

#include <stdio.h>

#define TICK_MAX 256     /* entries handled in one tick: the control loop has other things to do */
#define BACKOFF_SHIFT 3u /* pinned and silent: at most 8 x retry_ms apart */
#define LOG_WINDOW_MS 10000
#define LOG_LINES 10
#define DELAY_FIRST_PROBE_MS 5000 /* RFC 4861 section 10 */

bool neigh_may_log(struct neigh_limit *limit, uint64_t now_ms, char after[NEIGH_AFTER_MAX])
{
	if (now_ms >= limit->until_ms) {
		limit->until_ms = now_ms + LOG_WINDOW_MS;
		limit->n = 0;
	}
	if (limit->n >= LOG_LINES) {
		limit->left_out++;
		return false;
	}
	limit->n++;
	after[0] = '\0';
	if (limit->left_out > 0)
		snprintf(after, NEIGH_AFTER_MAX, " (%u such lines were left out)", limit->left_out);
	limit->left_out = 0;
	return true;
}

static const struct neigh_conf *conf(struct neigh_db *db, const struct neigh_slot *s)
{
	return &neigh_share(db, &s->addr)->conf;
}

static void request4(struct neigh_db *db, const struct iface *iface, const struct neigh_slot *s,
	const struct rte_ether_addr *to)
{
	struct addr ours;

	/* an address that a route calls on link is asked for with the first address */
	if (!neigh_on_link(iface, &s->addr, &ours))
		ours = addr_of4(rte_be_to_cpu_32(iface->addr));
	if (addr_to4(&ours) != 0)
		db->ops.arp(db->ops.arg, iface, 1, addr_to4(&ours), addr_to4(&s->addr), to);
}

/* RFC 4861 section 7.2.2 */
static void request6(struct neigh_db *db, const struct iface *iface, const struct neigh_slot *s,
	const struct rte_ether_addr *to)
{
	struct addr dst = to ? s->addr : nd_solicited_node(&s->addr), ours;
	struct mac mac, dst_mac = nd_group_mac(&dst);
	uint8_t packet[ND_PACKET_MAX];
	unsigned len;

	if (!neigh_own_source(db, iface, &s->addr, &ours))
		return;
	if (to)
		memcpy(&dst_mac, to, sizeof(dst_mac));
	memcpy(&mac, &iface->mac, sizeof(mac));
	len = nd_write_ns(packet, &ours, &dst, &s->addr, &mac, NULL);
	db->ops.nd(db->ops.arg, iface, &dst_mac, packet, len);
}

/* to NULL: everybody who may have the address is asked. */
static void request(
	struct neigh_db *db, const struct neigh_slot *s, const struct rte_ether_addr *to)
{
	const struct iface *iface = neigh_iface(db->ports, s->iface);

	if (iface == NULL || neigh_link_down(db, iface))
		return;
	if (addr_is4(&s->addr))
		request4(db, iface, s, to);
	else
		request6(db, iface, s, to);
}

static void tell(struct neigh_db *db, uint32_t i, enum neigh_outcome outcome)
{
	db->ops.settled(db->ops.arg, db->slot[i].iface, &db->slot[i].addr, i, outcome);
}

void neigh_state_ask(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->state != NEIGH_INCOMPLETE)
		neigh_slot_set(db, i, NEIGH_INCOMPLETE, now_ms);
	s->tries = 1;
	request(db, s, NULL);
	neigh_due_set(db, i, now_ms + conf(db, s)->retry_ms);
}

static void fail(struct neigh_db *db, uint32_t i, enum neigh_outcome why, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];
	const struct neigh_conf *c = conf(db, s);

	neigh_slot_set(db, i, NEIGH_FAILED, now_ms);
	neigh_due_set(db, i, now_ms + (uint64_t)c->retry_ms * (s->pins ? 2u : c->retries));
	tell(db, i, why);
}

void neigh_state_link_down(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->state == NEIGH_STATIC)
		return;
	if (s->pins == 0) {
		neigh_slot_drop(db, i, NEIGH_DOWN);
		return;
	}
	memset(&s->mac, 0, sizeof(s->mac));
	if (s->state != NEIGH_FAILED)
		fail(db, i, NEIGH_DOWN, now_ms);
}

static void probe(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	neigh_slot_set(db, i, NEIGH_PROBE, now_ms);
	s->tries = 1;
	request(db, s, &s->mac);
	neigh_due_set(db, i, now_ms + conf(db, s)->retry_ms);
}

/* It is used again, or always wanted. */
static void verify(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	if (addr_is4(&db->slot[i].addr)) {
		probe(db, i, now_ms);
		return;
	}
	neigh_slot_set(db, i, NEIGH_DELAY, now_ms);
	neigh_due_set(db, i, now_ms + DELAY_FIRST_PROBE_MS);
}

/* How long the next REACHABLE lasts. */
static uint64_t reachable_ms(struct neigh_db *db, const struct neigh_slot *s)
{
	uint64_t base = conf(db, s)->reachable_ms;

	return addr_is4(&s->addr) ? base : random_between(&db->random, base / 2, base * 3 / 2);
}

void neigh_state_enter(struct neigh_db *db, uint32_t i, enum neigh_state state, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->state != state)
		neigh_slot_set(db, i, state, now_ms);
	neigh_slot_used(db, i, now_ms); /* only use from now on makes it worth a probe */
	s->fresh_ms = now_ms;
	if (state == NEIGH_STALE)
		neigh_due_set(db, i, now_ms + conf(db, s)->retry_ms);
	else
		neigh_due_set(db, i, now_ms + reachable_ms(db, s));
}

static void log_change(struct neigh_db *db, const struct neigh_slot *s,
	const struct rte_ether_addr *mac, uint64_t now_ms)
{
	char addr[ADDR_STRLEN], from[RTE_ETHER_ADDR_FMT_SIZE], to[RTE_ETHER_ADDR_FMT_SIZE];
	const struct iface *iface = neigh_iface(db->ports, s->iface);
	char after[NEIGH_AFTER_MAX];

	if (!neigh_may_log(&db->change_log, now_ms, after))
		return;
	rte_ether_format_addr(from, sizeof(from), &s->mac);
	rte_ether_format_addr(to, sizeof(to), mac);
	log_info("neighbour %s on %s moved from %s to %s%s", addr_format(&s->addr, addr),
		iface ? iface->name : "?", from, to, after);
}

void neigh_state_learn(struct neigh_db *db, uint32_t i, const struct rte_ether_addr *mac,
	enum neigh_state state, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];
	bool waited = s->state == NEIGH_INCOMPLETE || s->state == NEIGH_FAILED;
	bool moved = !rte_is_same_ether_addr(&s->mac, mac);

	if (s->state == NEIGH_STATIC)
		return;
	if (moved && !rte_is_zero_ether_addr(&s->mac))
		log_change(db, s, mac, now_ms);
	if (waited)
		neigh_slot_answers(db, i, now_ms);
	s->mac = *mac;
	if (moved && s->state == state)
		neigh_slot_publish(db, i);
	neigh_state_enter(db, i, state, now_ms);
	if (waited)
		tell(db, i, NEIGH_READY);
}

static void reachable_due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];
	bool used = neigh_slot_used(db, i, now_ms);

	if (s->pins > 0 || (used && addr_is4(&s->addr))) {
		verify(db, i, now_ms);
		return;
	}
	neigh_slot_set(db, i, NEIGH_STALE, now_ms);
	neigh_due_set(db, i, now_ms + conf(db, s)->retry_ms);
}

static void stale_due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];
	bool used = neigh_slot_used(db, i, now_ms);
	uint64_t until = RTE_MAX(s->fresh_ms, s->used_ms) + conf(db, s)->stale_ms;

	if (used || s->pins > 0)
		verify(db, i, now_ms);
	else if (now_ms >= until)
		neigh_slot_drop(db, i, NEIGH_SILENT);
	else
		neigh_due_set(db, i, RTE_MIN(now_ms + conf(db, s)->retry_ms, until));
}

static void probe_due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];
	const struct neigh_conf *c = conf(db, s);
	bool four = addr_is4(&s->addr);

	if (s->tries < (four ? 2u : 1u) * c->retries) {
		request(db, s, s->tries < c->retries ? &s->mac : NULL);
		s->tries++;
		neigh_due_set(db, i, now_ms + c->retry_ms);
	} else if (four) {
		fail(db, i, NEIGH_SILENT, now_ms);
	} else if (s->pins > 0) {
		neigh_state_ask(db, i, now_ms);
	} else {
		neigh_slot_drop(db, i, NEIGH_SILENT); /* the next packet begins anew */
	}
}

static void failed_due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->pins == 0) {
		neigh_slot_drop(db, i, NEIGH_SILENT);
		return;
	}
	/* It stays FAILED while we ask, so that packets for it are refused and not kept waiting. */
	request(db, s, NULL);
	if (s->tries < UINT8_MAX)
		s->tries++;
	neigh_due_set(db, i,
		now_ms +
			((uint64_t)conf(db, s)->retry_ms << RTE_MIN(s->tries + 1u, BACKOFF_SHIFT)));
}

static void incomplete_due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->tries >= conf(db, s)->retries) {
		fail(db, i, NEIGH_SILENT, now_ms);
		return;
	}
	s->tries++;
	request(db, s, NULL);
	neigh_due_set(db, i, now_ms + conf(db, s)->retry_ms);
}

static void due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	switch (db->slot[i].state) {
	case NEIGH_INCOMPLETE:
		incomplete_due(db, i, now_ms);
		return;
	case NEIGH_REACHABLE:
		reachable_due(db, i, now_ms);
		return;
	case NEIGH_STALE:
		stale_due(db, i, now_ms);
		return;
	case NEIGH_DELAY:
		probe(db, i, now_ms);
		return;
	case NEIGH_PROBE:
		probe_due(db, i, now_ms);
		return;
	case NEIGH_FAILED:
		failed_due(db, i, now_ms);
		return;
	default:
		neigh_due_clear(db, i);
	}
}

void neigh_db_tick(struct neigh_db *db, uint64_t now_ms)
{
	uint32_t i;

	db->now_ms = now_ms;
	neigh_slot_reclaim(db);
	neigh_own_tick(db, now_ms);
	for (unsigned n = 0; n < TICK_MAX && (i = neigh_due_first(db, now_ms)) != NEIGH_NONE; n++)
		due(db, i, now_ms);
}
