/* The neighbours' state machine: what happens when an entry is asked for, heard, or reaches its
 * deadline. Called by neigh_write.c and neigh_arp.c; control core only. All times are the caller's
 * monotonic milliseconds.
 *
 *   INCOMPLETE  asked `retries` times, retry_ms apart; then FAILED
 *   REACHABLE   after reachable_ms: used or pinned -> PROBE; else looked at every retry_ms, until
 * it is used (PROBE) or was neither used nor heard for stale_ms (deleted) PROBE       asked
 * `retries` times at its known MAC, as often by broadcast; then FAILED FAILED      kept for retries
 * x retry_ms; pinned: asked again for ever, ever more rarely STATIC      no deadline
 */
#include "table/neigh_parts.h"

#include "base/log.h"

#include <stdio.h>

#define TICK_MAX 256     /* entries handled in one tick: the control loop has other things to do */
#define BACKOFF_SHIFT 3u /* pinned and silent: at most 8 x retry_ms apart */
#define LOG_WINDOW_MS 10000
#define LOG_LINES 10

bool neigh_on_link(const struct iface *iface, const struct addr *addr, struct addr *ours)
{
	const struct prefix *best = NULL;

	for (unsigned k = 0; k < iface->n_addrs; k++) {
		const struct prefix *p = &iface->addrs[k];

		if (prefix_holds(p, addr) && (best == NULL || p->len > best->len))
			best = p;
	}
	if (best && ours)
		*ours = best->addr;
	return best != NULL;
}

bool neigh_is_ours(const struct iface *iface, const struct addr *addr)
{
	for (unsigned k = 0; k < iface->n_addrs; k++)
		if (addr_equal(&iface->addrs[k].addr, addr))
			return true;
	return false;
}

static bool is_host4(const struct iface *iface, const struct addr *addr)
{
	uint32_t addr4 = addr_to4(addr);

	if (addr4 >> 24 == 0 || addr4 >> 24 == 127 || addr4 >> 24 >= 224)
		return false;
	for (unsigned k = 0; k < iface->n_addrs; k++) {
		uint32_t mask, host;

		if (!prefix_holds(&iface->addrs[k], addr))
			continue;
		mask = mask4(prefix_written_len(&iface->addrs[k]));
		host = addr4 & ~mask;
		/* RFC 3021: a /31 has neither; RFC 1122 section 3.2.1.3 has both */
		if (~mask > 1 && (host == 0 || host == ~mask))
			return false;
	}
	return true;
}

bool neigh_is_host(const struct iface *iface, const struct addr *addr)
{
	return addr_is4(addr) && is_host4(iface, addr);
}

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

static void request(
	struct neigh_db *db, const struct neigh_slot *s, const struct rte_ether_addr *to)
{
	const struct iface *iface = neigh_iface(db->ports, s->iface);
	struct addr ours;

	if (iface == NULL)
		return;
	/* an address that a route calls on link is asked for with the first address */
	if (!neigh_on_link(iface, &s->addr, &ours))
		ours = addr_of4(rte_be_to_cpu_32(iface->addr));
	if (addr_to4(&ours) != 0)
		db->ops.arp(db->ops.arg, iface, 1, addr_to4(&ours), addr_to4(&s->addr), to);
}

static void tell(struct neigh_db *db, uint32_t i, bool ready)
{
	db->ops.settled(db->ops.arg, db->slot[i].iface, &db->slot[i].addr, i, ready);
}

void neigh_state_ask(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->state != NEIGH_INCOMPLETE)
		neigh_slot_set(db, i, NEIGH_INCOMPLETE, now_ms);
	s->tries = 1;
	request(db, s, NULL);
	neigh_due_set(db, i, now_ms + db->conf.retry_ms);
}

static void fail(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	neigh_slot_set(db, i, NEIGH_FAILED, now_ms);
	neigh_due_set(
		db, i, now_ms + (uint64_t)db->conf.retry_ms * (s->pins ? 2u : db->conf.retries));
	tell(db, i, false);
}

static void probe(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	neigh_slot_set(db, i, NEIGH_PROBE, now_ms);
	s->tries = 1;
	request(db, s, &s->mac);
	neigh_due_set(db, i, now_ms + db->conf.retry_ms);
}

void neigh_state_fresh(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->state != NEIGH_REACHABLE)
		neigh_slot_set(db, i, NEIGH_REACHABLE, now_ms);
	s->aged = false;
	neigh_slot_queue(db, i);
	s->fresh_ms = now_ms;
	neigh_slot_used(db, i, now_ms); /* only use from now on makes it worth a probe */
	neigh_due_set(db, i, now_ms + db->conf.reachable_ms);
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

void neigh_state_learn(
	struct neigh_db *db, uint32_t i, const struct rte_ether_addr *mac, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];
	bool waited = s->state == NEIGH_INCOMPLETE || s->state == NEIGH_FAILED;
	bool moved = !rte_is_same_ether_addr(&s->mac, mac);

	if (s->state == NEIGH_STATIC)
		return;
	if (moved && !rte_is_zero_ether_addr(&s->mac))
		log_change(db, s, mac, now_ms);
	s->mac = *mac;
	if (moved && s->state == NEIGH_REACHABLE)
		neigh_slot_publish(db, i);
	neigh_state_fresh(db, i, now_ms);
	if (waited)
		tell(db, i, true);
}

static void reachable_due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];
	bool used = neigh_slot_used(db, i, now_ms);
	uint64_t stale_ms = RTE_MAX(s->fresh_ms, s->used_ms) + db->conf.stale_ms;

	if (used || s->pins > 0) {
		probe(db, i, now_ms);
	} else if (now_ms >= stale_ms) {
		neigh_slot_drop(db, i);
	} else {
		s->aged = true;
		neigh_slot_queue(db, i);
		neigh_due_set(db, i, RTE_MIN(now_ms + db->conf.retry_ms, stale_ms));
	}
}

static void probe_due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->tries >= 2u * db->conf.retries) {
		fail(db, i, now_ms);
		return;
	}
	request(db, s, s->tries < db->conf.retries ? &s->mac : NULL);
	s->tries++;
	neigh_due_set(db, i, now_ms + db->conf.retry_ms);
}

static void failed_due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->pins == 0) {
		neigh_slot_drop(db, i);
		return;
	}
	/* It stays FAILED while we ask, so that packets for it are refused and not kept waiting. */
	request(db, s, NULL);
	if (s->tries < UINT8_MAX)
		s->tries++;
	neigh_due_set(db, i,
		now_ms + ((uint64_t)db->conf.retry_ms << RTE_MIN(s->tries + 1u, BACKOFF_SHIFT)));
}

static void due(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	switch (s->state) {
	case NEIGH_INCOMPLETE:
		if (s->tries >= db->conf.retries) {
			fail(db, i, now_ms);
			return;
		}
		s->tries++;
		request(db, s, NULL);
		neigh_due_set(db, i, now_ms + db->conf.retry_ms);
		return;
	case NEIGH_REACHABLE:
		reachable_due(db, i, now_ms);
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
	for (unsigned n = 0; n < TICK_MAX && (i = neigh_due_first(db, now_ms)) != NEIGH_NONE; n++)
		due(db, i, now_ms);
}
