/* The neighbour table's contract towards the control core: making it, the running configuration's
 * ports, pins of routes, static entries, hints of workers, and what show prints. The rest stands in
 * the files that neigh_parts.h names. Control core only.
 */
#include "table/neigh_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_jhash.h>
#include <rte_random.h>

#define CLOCK_HZ                                                                        \
	1000000 /* of the buckets: finer than the caller's milliseconds, for high rates \
		 */

/* Keyed with a number nobody else knows: neighbours choose their addresses, and so could choose
 * them to collide. */
static uint32_t key_hash(const void *key, uint32_t len, uint32_t init)
{
	const struct neigh_key *k = key;

	return rte_jhash_32b(k->addr.w, sizeof(k->addr.w) / 4 + 1, init);
}

static struct rte_hash *make_hash(uint32_t max)
{
	static _Atomic unsigned instance; /* DPDK wants a name per table, in one global list */
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters params = {
		.name = name,
		/* half full at most: then no key is ever left without a bucket */
		.entries = RTE_MAX(max * 2, 64u),
		.key_len = sizeof(struct neigh_key),
		.hash_func = key_hash,
		.hash_func_init_val = (uint32_t)rte_rand(),
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	snprintf(name, sizeof(name), "neigh%u", atomic_fetch_add(&instance, 1));
	return rte_hash_create(&params);
}

struct neigh_db *neigh_db_new(const uint32_t max[NEIGH_FAMILIES], struct rte_rcu_qsbr *qsv,
	const struct neigh_conf conf[NEIGH_FAMILIES], const struct neigh_ops *ops, uint64_t seed)
{
	struct neigh_db *db = calloc(1, sizeof(*db));
	uint64_t all = (uint64_t)max[NEIGH_IP4] + max[NEIGH_IP6];
	size_t n = (size_t)all + 1;

	if (db == NULL)
		return NULL;
	for (unsigned f = 0; f < NEIGH_FAMILIES; f++)
		db->share[f].max = max[f];
	db->table.max = (uint32_t)all;
	db->qsv = qsv;
	db->ops = *ops;
	db->own_due_ms = UINT64_MAX;
	random_init(&db->random, seed);
	neigh_db_configure(db, conf);
	db->slot = calloc(n, sizeof(db->slot[0]));
	db->heap = calloc(n, sizeof(db->heap[0]));
	db->table.entry = calloc(n, sizeof(db->table.entry[0]));
	db->table.used = calloc(n, sizeof(db->table.used[0]));
	db->table.hash =
		all > 0 && all < RTE_HASH_ENTRIES_MAX / 2 ? make_hash((uint32_t)all) : NULL;
	if (!db->slot || !db->heap || !db->table.entry || !db->table.used || !db->table.hash) {
		neigh_db_free(db);
		return NULL;
	}
	for (uint32_t i = 1; i <= all; i++) {
		db->slot[i].next = i < all ? i + 1 : 0;
		db->slot[i].queue = NEIGH_Q_NONE;
	}
	db->free_first = 1;
	return db;
}

/* No worker runs any more. */
void neigh_db_free(struct neigh_db *db)
{
	if (db == NULL)
		return;
	for (uint32_t i = 1; db->table.entry && i <= db->table.max; i++)
		free((void *)(uintptr_t)atomic_load(&db->table.entry[i]));
	while (db->old_first) {
		struct neigh_old *old = db->old_first;

		db->old_first = old->next;
		free(old->memory);
	}
	neigh_own_free(db);
	rte_hash_free(db->table.hash);
	free((void *)db->table.used);
	free((void *)db->table.entry);
	free(db->heap);
	free(db->slot);
	free(db);
}

const struct neigh_table *neigh_db_table(const struct neigh_db *db)
{
	return &db->table;
}

/* Running deadlines stay as they are; the new figures count from the next step of each entry. */
void neigh_db_configure(struct neigh_db *db, const struct neigh_conf conf[NEIGH_FAMILIES])
{
	for (unsigned f = 0; f < NEIGH_FAMILIES; f++) {
		struct neigh_conf *c = &db->share[f].conf;
		uint32_t rate = conf[f].resolve_rate;

		if (c->resolve_rate != rate)
			bucket_init(&db->share[f].resolve, rate, rate / 10, CLOCK_HZ,
				db->now_ms * (CLOCK_HZ / 1000));
		*c = conf[f];
		if (c->retry_ms == 0)
			c->retry_ms = 1; /* a deadline that does not move would be due for ever */
		if (c->retries == 0)
			c->retries = 1;
		if (c->reachable_ms == 0)
			c->reachable_ms = 1;
	}
}

/* An entry whose header can't stay as it is. */
static void relink(struct neigh_db *db, uint32_t i, const struct iface *is, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->pins == 0 && (s->state != NEIGH_STATIC || is == NULL)) {
		neigh_slot_drop(db, i, NEIGH_REFUSED);
	} else if (s->state == NEIGH_STATIC) {
		neigh_slot_publish(db, i);
	} else {
		memset(&s->mac, 0, sizeof(s->mac));
		neigh_slot_set(db, i, NEIGH_INCOMPLETE, now_ms);
		neigh_state_ask(db, i, now_ms);
	}
}

void neigh_db_ports(struct neigh_db *db, const struct ports *ports, uint64_t now_ms)
{
	const struct ports *old = db->ports;

	db->ports = ports;
	neigh_own_ports(db, old, now_ms);
	for (uint32_t i = 1; i <= db->table.max; i++) {
		const struct neigh_slot *s = &db->slot[i];
		const struct iface *was, *is;

		if (!s->live)
			continue;
		was = neigh_iface(old, s->iface);
		is = neigh_iface(ports, s->iface);
		if (was == NULL && is == NULL && s->pins > 0)
			continue;
		if (!neigh_same_link(was, is))
			relink(db, i, is, now_ms);
		else if (s->pins == 0 && s->state != NEIGH_STATIC &&
			 (!neigh_on_link(is, &s->addr, NULL) || neigh_is_ours(is, &s->addr) ||
				 !neigh_is_host(is, &s->addr)))
			neigh_slot_drop(db, i, NEIGH_REFUSED);
		else if (was->mtu != is->mtu)
			neigh_slot_publish(db, i);
	}
}

void neigh_db_link(struct neigh_db *db, uint16_t port, bool up, uint64_t now_ms)
{
	if (port >= PORTS_MAX || db->down[port] == !up)
		return;
	db->down[port] = !up;
	for (uint32_t i = 1; i <= db->table.max; i++) {
		const struct neigh_slot *s = &db->slot[i];
		const struct iface *iface = s->live ? neigh_iface(db->ports, s->iface) : NULL;

		if (iface == NULL || iface->port != port)
			continue;
		if (!up)
			neigh_state_link_down(db, i, now_ms);
		else if (s->state == NEIGH_FAILED)
			neigh_state_ask(db, i, now_ms);
	}
	if (!up)
		return;
	neigh_own_link_up(db, port, now_ms);
	for (uint16_t id = 1; db->ports && id < db->ports->n_ifaces; id++)
		if (db->ports->iface[id].port == port)
			neigh_db_announce(db, id);
}

uint32_t neigh_db_pin(struct neigh_db *db, uint16_t iface, const struct addr *addr, uint64_t now_ms)
{
	struct neigh_slot like = {
		.iface = iface, .addr = *addr, .state = NEIGH_INCOMPLETE, .pins = 1};
	uint32_t i = neigh_find(&db->table, iface, addr);
	struct neigh_slot *s = &db->slot[i];

	if (i == NEIGH_NONE) {
		/* The interface may be one that only the next configuration has: then
		 * neigh_db_ports asks. */
		i = neigh_slot_make(db, &like, now_ms);
		if (i != NEIGH_NONE)
			neigh_state_ask(db, i, now_ms);
		return i;
	}
	if (s->pins++ == 0) {
		neigh_slot_queue(db, i);
		if (s->state == NEIGH_FAILED)
			neigh_state_ask(db, i, now_ms);
	}
	return i;
}

void neigh_db_unpin(struct neigh_db *db, uint32_t index)
{
	struct neigh_slot *s = &db->slot[index];

	if (index == NEIGH_NONE || index > db->table.max || !s->live || s->pins == 0)
		return;
	if (--s->pins == 0)
		neigh_slot_queue(db, index); /* and its next deadline finds it an ordinary one */
}

int neigh_db_static(struct neigh_db *db, uint16_t iface, const struct addr *addr,
	const struct rte_ether_addr *mac, uint64_t now_ms)
{
	struct neigh_slot like = {
		.iface = iface, .addr = *addr, .state = NEIGH_STATIC, .mac = *mac};
	uint32_t i = neigh_find(&db->table, iface, addr);
	struct neigh_slot *s = &db->slot[i];
	bool waited;

	if (i == NEIGH_NONE)
		return neigh_slot_make(db, &like, now_ms) == NEIGH_NONE ? -ENOSPC : 0;
	waited = s->state == NEIGH_INCOMPLETE || s->state == NEIGH_FAILED;
	s->mac = *mac;
	neigh_slot_set(db, i, NEIGH_STATIC, now_ms);
	neigh_due_clear(db, i);
	if (waited && neigh_iface(db->ports, iface))
		db->ops.settled(db->ops.arg, iface, addr, i, NEIGH_READY);
	return 0;
}

void neigh_db_static_clear(struct neigh_db *db, uint64_t now_ms)
{
	for (uint32_t i = 1; i <= db->table.max; i++) {
		struct neigh_slot *s = &db->slot[i];

		if (!s->live || s->state != NEIGH_STATIC)
			continue;
		if (neigh_iface(db->ports, s->iface))
			neigh_state_enter(db, i, NEIGH_REACHABLE, now_ms);
		else
			relink(db, i, NULL, now_ms);
	}
}

/* A hint about a neighbour that is in the table. */
static void resolve_known(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	const struct neigh_slot *s = &db->slot[i];

	if (s->state == NEIGH_FAILED && s->pins == 0 && now_ms >= s->deadline_ms)
		neigh_state_ask(db, i, now_ms);
	else if (s->state != NEIGH_FAILED && s->state != NEIGH_INCOMPLETE)
		/* it became ready while the hint was on its way */
		db->ops.settled(db->ops.arg, s->iface, &s->addr, i, NEIGH_READY);
}

void neigh_db_resolve(
	struct neigh_db *db, uint16_t iface_id, const struct addr *addr, uint64_t now_ms)
{
	struct neigh_slot like = {.iface = iface_id, .addr = *addr, .state = NEIGH_INCOMPLETE};
	const struct iface *iface = neigh_iface(db->ports, iface_id);
	uint32_t i = neigh_find(&db->table, iface_id, addr);
	struct neigh_share *share = neigh_share(db, addr);
	enum neigh_outcome why = NEIGH_REFUSED;

	if (iface && i != NEIGH_NONE) {
		resolve_known(db, i, now_ms);
		return;
	}
	/* Not bound to the interface's subnets: a route may say that a network is on link. */
	if (iface && neigh_link_down(db, iface))
		why = NEIGH_DOWN;
	else if (iface && neigh_is_host(iface, addr) && !neigh_is_ours(iface, addr) &&
		 (share->conf.resolve_rate == 0 ||
			 bucket_take(&share->resolve, now_ms * (CLOCK_HZ / 1000))))
		i = neigh_slot_make(db, &like, now_ms);
	if (i != NEIGH_NONE)
		neigh_state_ask(db, i, now_ms);
	else
		db->ops.settled(db->ops.arg, iface_id, addr, NEIGH_NONE, why);
}

void neigh_db_each(const struct neigh_db *db,
	void (*fn)(void *arg, uint32_t index, const struct neigh_info *info), void *arg)
{
	for (uint32_t i = 1; i <= db->table.max; i++) {
		const struct neigh_slot *s = &db->slot[i];
		bool used = atomic_load_explicit(&db->table.used[i], memory_order_relaxed);
		struct neigh_info info = {
			.iface = s->iface,
			.state = s->state,
			.tries = (uint8_t)RTE_MIN(s->tries, UINT8_MAX),
			.router = s->router,
			.addr = s->addr,
			.pins = s->pins,
			.mac = s->mac,
			.since_ms = s->since_ms,
			.used_ms = used ? db->now_ms : s->used_ms,
			.deadline_ms = s->deadline_ms,
		};

		if (s->live)
			fn(arg, i, &info);
	}
}
