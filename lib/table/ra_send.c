/* Router advertisements: the times of RFC 4861 sections 6.2.4 to 6.2.6, and the comparison of
 * section 6.2.7. See ra_send.h. Control core only.
 */
#include "table/ra_send.h"

#include "base/log.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

/* RFC 4861 section 10 */
#define INITIAL_ADVERTISEMENTS 3
#define INITIAL_INTERVAL_MS 16000
#define BETWEEN_MS 3000        /* MIN_DELAY_BETWEEN_RAS */
#define ANSWER_MS 500          /* MAX_RA_DELAY_TIME */
#define FINAL_ADVERTISEMENTS 3 /* MAX_FINAL_RTR_ADVERTISEMENTS */
#define NOT_READY_MS 200
#define LOG_EVERY_MS 600000 /* of one interface's inconsistencies */

/* An interface that advertised, and does no longer: what the rest of its last advertisements need,
 * since its tables are gone by then. */
struct final {
	struct iface iface;
	struct ra ra;
	uint8_t left;
	uint64_t due_ms;
};

struct sender {
	bool active;
	struct final *final; /* NULL: nothing is to be taken back */
	uint8_t initial;     /* of the first few, those still to come */
	uint64_t due_ms;     /* the next one */
	uint64_t sent_ms;    /* the last one; 0: none yet */
	uint64_t log_ms;     /* no line about inconsistencies before that */
	struct ra_stats stats;
};

struct ra_db {
	struct ra_ops ops;
	struct random random;
	const struct ports *ports;
	uint64_t due_ms; /* the earliest of all; UINT64_MAX: none */
	struct sender sender[IFACES_MAX];
};

struct ra_db *ra_db_new(const struct ra_ops *ops, uint64_t seed)
{
	struct ra_db *db = calloc(1, sizeof(*db));

	if (db == NULL)
		return NULL;
	db->ops = *ops;
	db->due_ms = UINT64_MAX;
	random_init(&db->random, seed);
	return db;
}

void ra_db_free(struct ra_db *db)
{
	for (uint16_t id = 0; db && id < IFACES_MAX; id++)
		free(db->sender[id].final);
	free(db);
}

/* The interface where it advertises, or NULL. */
static const struct iface *advertiser(const struct ports *ports, uint16_t id)
{
	const struct iface *f;

	if (ports == NULL || id >= ports->n_ifaces || id >= IFACES_MAX)
		return NULL;
	f = &ports->iface[id];
	/* nobody is behind a tunnel who could hear it */
	return f->flags & IFACE_UP && f->flags & IFACE_IP6 && !(f->flags & IFACE_TUNNEL) && f->ra &&
			       f->ra->send
		       ? f
		       : NULL;
}

static void due(struct ra_db *db, struct sender *s, uint64_t when_ms)
{
	s->due_ms = when_ms;
	db->due_ms = RTE_MIN(db->due_ms, when_ms);
}

static void forget_final(struct sender *s)
{
	free(s->final);
	s->final = NULL;
}

static void send(struct ra_db *db, const struct iface *f, const struct ra *ra)
{
	struct addr all = nd_all_nodes();
	struct mac to = nd_group_mac(&all), ours;
	uint8_t packet[ND_PACKET_MAX];

	memcpy(&ours, &f->mac, sizeof(ours));
	db->ops.send(db->ops.arg, f, &to, packet, nd_write_ra(packet, &f->ll, &ours, ra));
	db->sender[f->id].stats.sent++;
}

/* RFC 4861 section 6.2.5 */
static void send_last(struct ra_db *db, const struct iface *f)
{
	struct ra last = *f->ra;

	last.lifetime_s = 0;
	send(db, f, &last);
}

/* The first of the last ones goes now, the others by and by. */
static void cease(struct ra_db *db, const struct iface *f, uint64_t now_ms)
{
	struct sender *s = &db->sender[f->id];
	struct final *last = calloc(1, sizeof(*last));

	send_last(db, f);
	forget_final(s);
	s->final = last;
	if (last == NULL) /* one is enough for most hosts */
		return;
	last->iface = *f;
	last->iface.addrs = NULL;
	last->iface.n_addrs = 0;
	last->ra = *f->ra;
	last->iface.ra = &last->ra;
	last->left = FINAL_ADVERTISEMENTS - 1;
	last->due_ms = now_ms + BETWEEN_MS;
	db->due_ms = RTE_MIN(db->due_ms, last->due_ms);
}

static void step_final(struct ra_db *db, struct sender *s, uint64_t now_ms)
{
	struct final *last = s->final;

	if (last->due_ms <= now_ms) {
		send_last(db, &last->iface);
		last->due_ms = now_ms + BETWEEN_MS;
		if (--last->left == 0) {
			forget_final(s);
			return;
		}
	}
	db->due_ms = RTE_MIN(db->due_ms, last->due_ms);
}

/* RFC 4861 section 6.2.4. MinRtrAdvInterval is a third of the maximum, or three quarters of a small
 * one (as errata 3154 says). */
static uint64_t interval_ms(struct ra_db *db, struct sender *s, const struct ra *ra)
{
	uint64_t most = ra->interval_s * 1000ull;
	uint64_t least = ra->interval_s >= 9 ? most * 33 / 100 : most * 3 / 4;
	uint64_t ms = random_between(&db->random, RTE_MAX(least, (uint64_t)BETWEEN_MS), most);

	if (s->initial > 0) {
		s->initial--;
		ms = RTE_MIN(ms, (uint64_t)INITIAL_INTERVAL_MS);
	}
	return ms;
}

static void step(struct ra_db *db, struct sender *s, uint16_t id, uint64_t now_ms)
{
	const struct iface *f = advertiser(db->ports, id);

	if (f == NULL) {
		s->active = false;
		return;
	}
	if (!db->ops.ready(db->ops.arg, f)) {
		due(db, s, now_ms + NOT_READY_MS);
		return;
	}
	send(db, f, f->ra);
	s->sent_ms = now_ms;
	due(db, s, now_ms + interval_ms(db, s, f->ra));
}

void ra_db_tick(struct ra_db *db, uint64_t now_ms)
{
	if (now_ms < db->due_ms)
		return;
	db->due_ms = UINT64_MAX;
	for (uint16_t id = 1; id < IFACES_MAX; id++) {
		struct sender *s = &db->sender[id];

		if (s->final)
			step_final(db, s, now_ms);
		if (!s->active)
			continue;
		if (s->due_ms <= now_ms)
			step(db, s, id, now_ms);
		else
			due(db, s, s->due_ms);
	}
}

/* Not before three seconds after the one before (section 6.2.6), and at a random moment, so that
 * routers that start together do not speak together. */
static uint64_t soon(struct ra_db *db, const struct sender *s, uint64_t now_ms)
{
	uint64_t at = s->sent_ms ? RTE_MAX(now_ms, s->sent_ms + BETWEEN_MS) : now_ms;

	return at + random_between(&db->random, 0, ANSWER_MS);
}

static void begin(struct ra_db *db, struct sender *s, uint64_t now_ms)
{
	s->active = true;
	s->initial = INITIAL_ADVERTISEMENTS;
	due(db, s, soon(db, s, now_ms));
}

/* Would the same advertisement be sent, in the same frame and as often? */
static bool same(const struct iface *a, const struct iface *b)
{
	uint8_t packet[2][ND_PACKET_MAX];
	struct mac mac[2];
	unsigned len;

	memcpy(&mac[0], &a->mac, sizeof(mac[0]));
	memcpy(&mac[1], &b->mac, sizeof(mac[1]));
	len = nd_write_ra(packet[0], &a->ll, &mac[0], a->ra);
	return a->port == b->port && a->vlan == b->vlan && a->outer_vlan == b->outer_vlan &&
	       a->ra->interval_s == b->ra->interval_s &&
	       nd_write_ra(packet[1], &b->ll, &mac[1], b->ra) == len &&
	       memcmp(packet[0], packet[1], len) == 0;
}

void ra_db_ports(struct ra_db *db, const struct ports *ports, uint64_t now_ms)
{
	const struct ports *old = db->ports;

	db->ports = ports;
	for (uint16_t id = 1; id < IFACES_MAX; id++) {
		const struct iface *was = advertiser(old, id), *is = advertiser(ports, id);

		if (was && is && same(was, is))
			continue;
		if (was && !is && db->sender[id].active && db->sender[id].stats.sent > 0)
			cease(db, was, now_ms);
		db->sender[id].active = false;
		if (is) {
			forget_final(&db->sender[id]);
			begin(db, &db->sender[id], now_ms);
		}
	}
}

void ra_db_link_up(struct ra_db *db, uint16_t port, uint64_t now_ms)
{
	for (uint16_t id = 1; db->ports && id < db->ports->n_ifaces; id++)
		if (db->sender[id].active && db->ports->iface[id].port == port)
			begin(db, &db->sender[id], now_ms);
}

void ra_db_stop(struct ra_db *db)
{
	for (uint16_t id = 1; db->ports && id < db->ports->n_ifaces; id++) {
		const struct iface *f = advertiser(db->ports, id);

		if (f && db->sender[id].active && db->sender[id].stats.sent > 0)
			send_last(db, f);
		db->sender[id].active = false;
	}
}

/* Do both say something of it, and not the same? 0: unspecified. */
static bool differ(uint32_t ours, uint32_t theirs)
{
	return ours && theirs && ours != theirs;
}

/* Of the prefixes that both name, one whose lifetimes differ; or NULL. */
static const struct ra_prefix *prefix_differs(const struct ra *ours, const struct ra *theirs)
{
	for (unsigned i = 0; i < ours->n_prefixes; i++) {
		for (unsigned j = 0; j < theirs->n_prefixes; j++) {
			const struct ra_prefix *a = &ours->prefix[i], *b = &theirs->prefix[j];

			if (a->prefix.len == b->prefix.len &&
				addr_equal(&a->prefix.addr, &b->prefix.addr) &&
				(a->valid_s != b->valid_s || a->preferred_s != b->preferred_s))
				return a;
		}
	}
	return NULL;
}

/* RFC 4861 section 6.2.7: what differs, or NULL. */
static const char *inconsistency(const struct ra *ours, const struct ra *theirs)
{
	if (differ(ours->hop_limit, theirs->hop_limit))
		return "the hop limit";
	if (ours->managed != theirs->managed || ours->other_config != theirs->other_config)
		return "the managed or other-config flag";
	if (differ(ours->reachable_ms, theirs->reachable_ms))
		return "the reachable time";
	if (differ(ours->retrans_ms, theirs->retrans_ms))
		return "the retransmission time";
	if (differ(ours->mtu, theirs->mtu))
		return "the MTU";
	return prefix_differs(ours, theirs) ? "the lifetimes of a prefix" : NULL;
}

static void advertised(struct ra_db *db, struct sender *s, const struct iface *f,
	const struct nd *nd, uint64_t now_ms)
{
	const char *what = inconsistency(f->ra, &nd->ra);
	char who[ADDR_STRLEN];

	if (what == NULL)
		return;
	s->stats.inconsistent++;
	if (now_ms < s->log_ms)
		return;
	s->log_ms = now_ms + LOG_EVERY_MS;
	log_warn("router %s on %s advertises %s otherwise than we do", addr_format(&nd->src, who),
		f->name, what);
}

void ra_db_heard(struct ra_db *db, uint16_t id, const struct nd *nd, uint64_t now_ms)
{
	const struct iface *f = advertiser(db->ports, id);
	struct sender *s = id < IFACES_MAX ? &db->sender[id] : NULL;
	uint64_t at;

	if (s == NULL)
		return;
	if (nd->type == ND_REDIRECT)
		s->stats.redirects++;
	if (nd->type == ND_RA) {
		s->stats.heard++;
		if (f && s->active)
			advertised(db, s, f, nd, now_ms);
		return;
	}
	if (nd->type != ND_RS)
		return;
	s->stats.solicited++;
	if (f == NULL || !s->active)
		return;
	/* section 6.2.6: one answer to all, unless one is due sooner anyway */
	at = soon(db, s, now_ms);
	if (at < s->due_ms)
		due(db, s, at);
}

struct ra_stats ra_db_stats(const struct ra_db *db, uint16_t iface)
{
	return iface < IFACES_MAX ? db->sender[iface].stats : (struct ra_stats){0};
}
