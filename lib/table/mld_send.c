/* Reports of what we listen to: at changes, several times (RFC 3810 section 6.1), and as answers to
 * queries (section 6.2). See mld_send.h. Control core only.
 *
 * Nothing here ever listens to single sources, so that a group is listened to (exclude no source)
 * or not (include none).
 */
#include "table/mld_send.h"

#include "base/log.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

/* RFC 3810 section 9 */
#define ROBUSTNESS 2
#define QUERY_INTERVAL_MS 125000
#define UNSOLICITED_MS 1000
/* However quickly answers are asked for, they are so far apart. */
#define BETWEEN_ANSWERS_MS 200
#define NOT_READY_MS 200

struct group {
	struct addr addr;
	bool leaving;       /* listened to no longer, which is being said */
	uint8_t left;       /* reports of the change that are still to be sent */
	uint64_t answer_ms; /* when a query about it is answered; 0: there is none */
};

struct listener { /* of one interface */
	bool active;
	bool nameless; /* the last report was from "::": said again once there is an address */
	uint8_t robustness;
	uint64_t change_ms;    /* when changes are reported next; 0: there are none */
	uint64_t answer_ms;    /* when a general query is answered; 0: there is none */
	uint64_t answered_ms;  /* the last answer */
	uint64_t old_until_ms; /* until then there is a querier of version 1 (section 8.2.1) */
	bool old;
	uint16_t n;
	struct group *group;
	struct mld_stats stats;
};

struct mld_db {
	struct mld_ops ops;
	struct random random;
	const struct ports *ports;
	uint32_t unsolicited_ms;
	uint64_t due_ms; /* the earliest of all; UINT64_MAX: none */
	uint64_t now_ms; /* of the last tick */
	bool down[PORTS_MAX];
	struct listener listener[IFACES_MAX];
};

struct mld_db *mld_db_new(const struct mld_ops *ops, uint64_t seed)
{
	struct mld_db *db = calloc(1, sizeof(*db));

	if (db == NULL)
		return NULL;
	db->ops = *ops;
	db->unsolicited_ms = UNSOLICITED_MS;
	db->due_ms = UINT64_MAX;
	random_init(&db->random, seed);
	return db;
}

void mld_db_free(struct mld_db *db)
{
	for (unsigned id = 0; db && id < IFACES_MAX; id++)
		free(db->listener[id].group);
	free(db);
}

void mld_db_configure(struct mld_db *db, uint32_t unsolicited_ms)
{
	db->unsolicited_ms = RTE_MAX(unsolicited_ms, 1u);
}

/* The interface where something is listened to, or NULL. */
static const struct iface *listening(const struct ports *ports, uint16_t id)
{
	const struct iface *f;

	if (ports == NULL || id >= ports->n_ifaces || id >= IFACES_MAX)
		return NULL;
	f = &ports->iface[id];
	return f->flags & IFACE_UP && f->flags & IFACE_IP6 && !(f->flags & IFACE_TUNNEL) ? f : NULL;
}

static void due(struct mld_db *db, uint64_t when_ms)
{
	if (when_ms)
		db->due_ms = RTE_MIN(db->due_ms, when_ms);
}

/* --- sending */

static void send(struct mld_db *db, const struct iface *f, const struct addr *dst,
	const uint8_t *packet, unsigned len)
{
	struct mac to = nd_group_mac(dst);

	db->ops.send(db->ops.arg, f, &to, packet, len);
	db->listener[f->id].stats.reports++;
}

/* Says all n records, in as many reports as it takes. */
static void report(struct mld_db *db, const struct iface *f, const struct addr *from,
	const struct mld_record *record, unsigned n)
{
	uint8_t packet[MLD_PACKET_MAX];
	struct addr dst = mld_routers();

	if (db->listener[f->id].old) {
		for (unsigned i = 0; i < n; i++) {
			unsigned len = mld_write_report_1(packet, from, &record[i].group,
				record[i].type == MLD_TO_INCLUDE, &dst);

			send(db, f, &dst, packet, len);
		}
		return;
	}
	for (unsigned at = 0; at < n; at += MLD_RECORDS_MAX) {
		unsigned some = RTE_MIN(n - at, (unsigned)MLD_RECORDS_MAX);

		send(db, f, &dst, packet, mld_write_report(packet, from, record + at, some));
	}
}

/* The records of what has changed. Whoever left is forgotten when that was said often enough. */
static unsigned changes(struct listener *l, struct mld_record record[])
{
	unsigned n = 0, kept = 0;

	for (unsigned i = 0; i < l->n; i++) {
		struct group *g = &l->group[i];

		if (g->left > 0) {
			record[n++] = (struct mld_record){
				g->leaving ? MLD_TO_INCLUDE : MLD_TO_EXCLUDE, g->addr};
			g->left--;
		}
		if (!g->leaving || g->left > 0)
			l->group[kept++] = *g;
	}
	l->n = (uint16_t)kept;
	return n;
}

/* The records of groups whose answer is due, or of all. */
static unsigned answers(struct listener *l, bool all, uint64_t now_ms, struct mld_record record[])
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		struct group *g = &l->group[i];

		if (g->leaving || !(all || (g->answer_ms && g->answer_ms <= now_ms)))
			continue;
		g->answer_ms = 0;
		record[n++] = (struct mld_record){MLD_IS_EXCLUDE, g->addr};
	}
	return n;
}

static bool changing(const struct listener *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->group[i].left > 0)
			return true;
	return false;
}

/* Every group is reported as new. */
static void begin(struct listener *l, uint64_t now_ms)
{
	for (unsigned i = 0; i < l->n; i++)
		if (!l->group[i].leaving)
			l->group[i].left = l->robustness;
	l->change_ms = now_ms;
}

static void step_change(struct mld_db *db, struct listener *l, const struct iface *f,
	const struct addr *from, struct mld_record record[], uint64_t now_ms)
{
	unsigned n = changes(l, record);

	report(db, f, from, record, n);
	l->nameless = n > 0 && addr_is_unspecified(from);
	/* section 6.1: at random moments, so that not all say it together */
	l->change_ms =
		changing(l) ? now_ms + random_between(&db->random, 1, db->unsolicited_ms) : 0;
}

static void step_answer(struct mld_db *db, struct listener *l, const struct iface *f,
	const struct addr *from, struct mld_record record[], uint64_t now_ms)
{
	bool all = l->answer_ms && l->answer_ms <= now_ms;
	unsigned n = answers(l, all, now_ms, record);

	if (all)
		l->answer_ms = 0;
	if (n == 0)
		return;
	report(db, f, from, record, n);
	l->answered_ms = now_ms;
}

static void next_due(struct mld_db *db, const struct listener *l)
{
	due(db, l->change_ms);
	due(db, l->answer_ms);
	for (unsigned i = 0; i < l->n; i++)
		due(db, l->group[i].answer_ms);
}

static void step(struct mld_db *db, uint16_t id, uint64_t now_ms)
{
	struct listener *l = &db->listener[id];
	const struct iface *f = listening(db->ports, id);
	struct mld_record *record;
	struct addr from;

	if (f == NULL || db->down[f->port])
		return;
	if (!db->ops.source(db->ops.arg, f, &from)) {
		due(db, now_ms + NOT_READY_MS);
		return;
	}
	/* RFC 3590 section 4: routers may have ignored what came from "::" */
	if (l->nameless && !addr_is_unspecified(&from))
		begin(l, now_ms);
	l->old = l->old && now_ms < l->old_until_ms;
	record = calloc(l->n + 1u, sizeof(*record));
	if (record == NULL) {
		due(db, now_ms + NOT_READY_MS);
		return;
	}
	if (l->change_ms && l->change_ms <= now_ms)
		step_change(db, l, f, &from, record, now_ms);
	step_answer(db, l, f, &from, record, now_ms);
	free(record);
	if (l->nameless)
		due(db, now_ms + NOT_READY_MS);
	next_due(db, l);
}

void mld_db_tick(struct mld_db *db, uint64_t now_ms)
{
	db->now_ms = now_ms;
	if (now_ms < db->due_ms)
		return;
	db->due_ms = UINT64_MAX;
	for (uint16_t id = 1; db->ports && id < db->ports->n_ifaces && id < IFACES_MAX; id++)
		if (db->listener[id].active)
			step(db, id, now_ms);
}

/* --- what we listen to */

static struct group *find(const struct listener *l, const struct addr *addr)
{
	for (unsigned i = 0; i < l->n; i++)
		if (addr_equal(&l->group[i].addr, addr))
			return &l->group[i];
	return NULL;
}

static bool holds(const struct addr list[], unsigned n, const struct addr *addr)
{
	for (unsigned i = 0; i < n; i++)
		if (addr_equal(&list[i], addr))
			return true;
	return false;
}

/* The groups become those of the interface (NULL: none); what changes is to be reported. */
static void follow(struct listener *l, const struct iface *f, uint64_t now_ms)
{
	unsigned max = f ? IFACE_GROUPS_MAX(f) : 0, n = 0, wanted;
	struct addr *want = calloc(max + 1u, sizeof(*want));
	struct group *group = calloc(max + l->n + 1u, sizeof(*group));

	if (want == NULL || group == NULL) {
		log_error("out of memory for multicast listener discovery");
		free(want);
		free(group);
		return;
	}
	wanted = f ? iface_groups(f, want, max) : 0;
	for (unsigned i = 0; i < wanted; i++) {
		const struct group *was = find(l, &want[i]);

		group[n] = was && !was->leaving
				   ? *was
				   : (struct group){.addr = want[i], .left = l->robustness};
		n++;
	}
	for (unsigned i = 0; i < l->n; i++) {
		struct group g = l->group[i];

		if (holds(want, wanted, &g.addr))
			continue;
		if (!g.leaving)
			g = (struct group){.addr = g.addr, .leaving = true, .left = l->robustness};
		group[n++] = g;
	}
	free(want);
	free(l->group);
	l->group = group;
	l->n = (uint16_t)n;
	if (changing(l))
		l->change_ms = now_ms;
}

/* The interface is gone, or on another link: what was listened to there is taken back at once, as
 * nobody will be there to say it again. */
static void leave(struct mld_db *db, const struct iface *was, uint64_t now_ms)
{
	struct listener *l = &db->listener[was->id];
	struct mld_record *record;
	struct addr from;

	follow(l, NULL, now_ms);
	record = calloc(l->n + 1u, sizeof(*record));
	if (record && !db->down[was->port] && l->stats.reports > 0 &&
		db->ops.source(db->ops.arg, was, &from))
		report(db, was, &from, record, changes(l, record));
	free(record);
	free(l->group);
	*l = (struct listener){.stats = l->stats};
}

static bool same_link(const struct iface *a, const struct iface *b)
{
	return a->port == b->port && a->vlan == b->vlan && a->outer_vlan == b->outer_vlan;
}

void mld_db_ports(struct mld_db *db, const struct ports *ports, uint64_t now_ms)
{
	const struct ports *old = db->ports;

	db->ports = ports;
	for (uint16_t id = 1; id < IFACES_MAX; id++) {
		struct listener *l = &db->listener[id];
		const struct iface *was = listening(old, id), *is = listening(ports, id);

		if (l->active && was && (is == NULL || !same_link(was, is)))
			leave(db, was, now_ms);
		l->active = is != NULL;
		if (is == NULL)
			continue;
		if (l->robustness == 0)
			l->robustness = ROBUSTNESS;
		follow(l, is, now_ms);
		next_due(db, l);
	}
}

void mld_db_link(struct mld_db *db, uint16_t port, bool up, uint64_t now_ms)
{
	if (port >= PORTS_MAX || db->down[port] == !up)
		return;
	db->down[port] = !up;
	for (uint16_t id = 1; up && db->ports && id < db->ports->n_ifaces; id++) {
		struct listener *l = &db->listener[id];

		if (!l->active || db->ports->iface[id].port != port)
			continue;
		begin(l, now_ms);
		next_due(db, l);
	}
}

/* --- queries */

/* Which version the queriers of the link speak (section 8.2.1). When that changes what is pending
 * is of no use any more. */
static void note_version(struct listener *l, const struct mld_query *q, uint64_t now_ms)
{
	bool was = l->old;

	l->old = l->old && now_ms < l->old_until_ms;
	if (q->version == 1) {
		l->old = true;
		l->old_until_ms =
			now_ms + l->robustness * (uint64_t)QUERY_INTERVAL_MS + q->max_delay_ms;
	} else if (q->robustness > 0) {
		l->robustness = q->robustness;
	}
	if (was == l->old)
		return;
	l->answer_ms = 0;
	for (unsigned i = 0; i < l->n; i++)
		l->group[i].answer_ms = 0;
}

static void sooner(uint64_t *at, uint64_t when_ms)
{
	if (*at == 0 || when_ms < *at)
		*at = when_ms;
}

static uint64_t when(
	struct mld_db *db, const struct listener *l, uint32_t max_delay_ms, uint64_t now_ms)
{
	uint64_t at = now_ms + random_between(&db->random, 0, max_delay_ms);

	return RTE_MAX(at, l->answered_ms ? l->answered_ms + BETWEEN_ANSWERS_MS : 0);
}

void mld_db_heard(struct mld_db *db, uint16_t id, const struct mld_query *q, uint64_t now_ms)
{
	const struct iface *f = listening(db->ports, id);
	struct listener *l = f ? &db->listener[id] : NULL;
	struct group *g;

	if (l == NULL || !l->active)
		return;
	l->stats.queries++;
	note_version(l, q, now_ms);
	g = find(l, &q->group);
	if (addr_is_unspecified(&q->group) && !l->old)
		sooner(&l->answer_ms, when(db, l, q->max_delay_ms, now_ms));
	else if (addr_is_unspecified(&q->group)) /* RFC 2710 section 4: each at a time of its own */
		for (unsigned i = 0; i < l->n; i++)
			sooner(&l->group[i].answer_ms, when(db, l, q->max_delay_ms, now_ms));
	else if (g && !g->leaving)
		sooner(&g->answer_ms, when(db, l, q->max_delay_ms, now_ms));
	next_due(db, l);
}

struct mld_stats mld_db_stats(const struct mld_db *db, uint16_t iface)
{
	const struct listener *l = &db->listener[iface < IFACES_MAX ? iface : IFACE_NONE];
	struct mld_stats s = l->stats;

	s.version = l->old && db->now_ms < l->old_until_ms ? 1 : 2;
	return s;
}
