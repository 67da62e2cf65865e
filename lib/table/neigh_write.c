/* The neighbour table's contract towards the control core: making it, the running configuration's
 * ports, pins of routes, static entries, hints of workers, and what show prints. The rest stands in
 * neigh_slot.c, neigh_due.c, neigh_state.c and neigh_arp.c. Control core only.
 */
#include "table/neigh_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_jhash.h>
#include <rte_random.h>

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

struct neigh_db *neigh_db_new(uint32_t max, struct rte_rcu_qsbr *qsv, const struct neigh_conf *conf,
	const struct neigh_ops *ops)
{
	struct neigh_db *db = calloc(1, sizeof(*db));
	size_t n = (size_t)max + 1;

	if (db == NULL)
		return NULL;
	db->table.max = max;
	db->qsv = qsv;
	db->ops = *ops;
	neigh_db_configure(db, conf);
	db->slot = calloc(n, sizeof(db->slot[0]));
	db->heap = calloc(n, sizeof(db->heap[0]));
	db->table.entry = calloc(n, sizeof(db->table.entry[0]));
	db->table.used = calloc(n, sizeof(db->table.used[0]));
	db->table.hash = max > 0 && max < RTE_HASH_ENTRIES_MAX / 2 ? make_hash(max) : NULL;
	if (!db->slot || !db->heap || !db->table.entry || !db->table.used || !db->table.hash) {
		neigh_db_free(db);
		return NULL;
	}
	for (uint32_t i = 1; i <= max; i++) {
		db->slot[i].next = i < max ? i + 1 : 0;
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
		struct neigh_node *node = db->old_first;

		db->old_first = node->next;
		free(node);
	}
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
void neigh_db_configure(struct neigh_db *db, const struct neigh_conf *conf)
{
	db->conf = *conf;
	if (db->conf.retry_ms == 0)
		db->conf.retry_ms = 1; /* a deadline that does not move would be due for ever */
	if (db->conf.retries == 0)
		db->conf.retries = 1;
	if (db->conf.reachable_ms == 0)
		db->conf.reachable_ms = 1;
}

static bool same_link(const struct iface *a, const struct iface *b)
{
	return a && b && a->port == b->port && a->vlan == b->vlan &&
	       a->outer_vlan == b->outer_vlan && rte_is_same_ether_addr(&a->mac, &b->mac);
}

/* An entry whose header can't stay as it is. */
static void relink(struct neigh_db *db, uint32_t i, const struct iface *is, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	if (s->pins == 0 && (s->state != NEIGH_STATIC || is == NULL)) {
		neigh_slot_drop(db, i);
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
	for (uint32_t i = 1; i <= db->table.max; i++) {
		const struct neigh_slot *s = &db->slot[i];
		const struct iface *was, *is;

		if (!s->live)
			continue;
		was = neigh_iface(old, s->iface);
		is = neigh_iface(ports, s->iface);
		if (was == NULL && is == NULL && s->pins > 0)
			continue;
		if (!same_link(was, is))
			relink(db, i, is, now_ms);
		else if (s->pins == 0 && s->state != NEIGH_STATIC &&
			 (!neigh_on_link(is, &s->addr, NULL) || neigh_is_ours(is, &s->addr) ||
				 !neigh_is_host(is, &s->addr)))
			neigh_slot_drop(db, i);
		else if (was->mtu != is->mtu)
			neigh_slot_publish(db, i);
	}
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
		db->ops.settled(db->ops.arg, iface, addr, i, true);
	return 0;
}

void neigh_db_static_clear(struct neigh_db *db, uint64_t now_ms)
{
	for (uint32_t i = 1; i <= db->table.max; i++) {
		struct neigh_slot *s = &db->slot[i];

		if (!s->live || s->state != NEIGH_STATIC)
			continue;
		if (neigh_iface(db->ports, s->iface))
			neigh_state_fresh(db, i, now_ms);
		else
			relink(db, i, NULL, now_ms);
	}
}

void neigh_db_resolve(
	struct neigh_db *db, uint16_t iface_id, const struct addr *addr, uint64_t now_ms)
{
	struct neigh_slot like = {.iface = iface_id, .addr = *addr, .state = NEIGH_INCOMPLETE};
	const struct iface *iface = neigh_iface(db->ports, iface_id);
	uint32_t i = neigh_find(&db->table, iface_id, addr);
	struct neigh_slot *s = &db->slot[i];

	if (iface && i != NEIGH_NONE) {
		if (s->state == NEIGH_FAILED && s->pins == 0 && now_ms >= s->deadline_ms)
			neigh_state_ask(db, i, now_ms);
		else if (s->state != NEIGH_FAILED && s->state != NEIGH_INCOMPLETE)
			/* it became ready while the hint was on its way */
			db->ops.settled(db->ops.arg, iface_id, addr, i, true);
		return;
	}
	/* Not bound to the interface's subnets: a route may say that a network is on link. */
	if (iface && neigh_is_host(iface, addr) && !neigh_is_ours(iface, addr))
		i = neigh_slot_make(db, &like, now_ms);
	if (iface && i != NEIGH_NONE)
		neigh_state_ask(db, i, now_ms);
	else
		db->ops.settled(db->ops.arg, iface_id, addr, NEIGH_NONE, false);
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
