/* Neighbour entries and their life: index, hash key and published struct neigh, replaced as a whole
 * and freed a grace period later, which is polled and never waited for. Who must go when the table
 * is full is decided here too. Called by the other neigh files; control core only.
 */
#include "table/neigh_parts.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVICT_LOOKS 8    /* used entries passed over before we give up */
#define RECLAIM_MAX 1024 /* freed in one call: the control loop has other things to do */

static void unlink_slot(struct neigh_db *db, uint32_t i)
{
	struct neigh_slot *s = &db->slot[i];
	unsigned q = s->queue;

	if (q == NEIGH_Q_NONE)
		return;
	if (s->prev)
		db->slot[s->prev].next = s->next;
	else
		db->queue[q].first = s->next;
	if (s->next)
		db->slot[s->next].prev = s->prev;
	else
		db->queue[q].last = s->prev;
	db->queue[q].n--;
	s->prev = s->next = 0;
	s->queue = NEIGH_Q_NONE;
}

static void link_slot(struct neigh_db *db, uint32_t i, enum neigh_queue q)
{
	struct neigh_slot *s = &db->slot[i];

	s->queue = (uint8_t)q;
	s->next = 0;
	s->prev = db->queue[q].last;
	if (s->prev)
		db->slot[s->prev].next = i;
	else
		db->queue[q].first = i;
	db->queue[q].last = i;
	db->queue[q].n++;
}

void neigh_slot_queue(struct neigh_db *db, uint32_t i)
{
	struct neigh_slot *s = &db->slot[i];
	enum neigh_queue q = NEIGH_Q_NONE;

	if (s->pins == 0 && s->state == NEIGH_FAILED)
		q = NEIGH_Q_FAILED;
	else if (s->pins == 0 && s->state == NEIGH_INCOMPLETE)
		q = NEIGH_Q_INCOMPLETE;
	else if (s->pins == 0 && s->state == NEIGH_REACHABLE && s->aged)
		q = NEIGH_Q_AGED;
	if (s->queue == q)
		return;
	unlink_slot(db, i);
	if (q != NEIGH_Q_NONE)
		link_slot(db, i, q);
}

bool neigh_slot_used(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	if (!atomic_exchange_explicit(&db->table.used[i], 0, memory_order_relaxed))
		return false;
	db->slot[i].used_ms = now_ms;
	return true;
}

/* The node waits until each worker has passed a quiescent state. */
static void defer(
	struct neigh_db *db, struct neigh_node *node, uint32_t free_index, int32_t hash_pos)
{
	node->next = NULL;
	node->free_index = free_index;
	node->hash_pos = hash_pos;
	node->token = rte_rcu_qsbr_start(db->qsv);
	if (db->old_last)
		db->old_last->next = node;
	else
		db->old_first = node;
	db->old_last = node;
}

void neigh_slot_reclaim(struct neigh_db *db)
{
	struct neigh_node *node;

	for (unsigned n = 0; n < RECLAIM_MAX; n++) {
		node = db->old_first;
		if (node == NULL || !rte_rcu_qsbr_check(db->qsv, node->token, false))
			return;
		db->old_first = node->next;
		if (db->old_first == NULL)
			db->old_last = NULL;
		if (node->hash_pos >= 0)
			rte_hash_free_key_with_position(db->table.hash, node->hash_pos);
		if (node->free_index) {
			db->slot[node->free_index].next = db->free_first;
			db->free_first = node->free_index;
		}
		free(node);
	}
}

static bool has_header(uint8_t state)
{
	return state == NEIGH_REACHABLE || state == NEIGH_PROBE || state == NEIGH_STATIC;
}

static rte_be16_t ether_type(const struct addr *addr)
{
	return addr_is4(addr) ? RTE_BE16(RTE_ETHER_TYPE_IPV4) : RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

int neigh_slot_publish(struct neigh_db *db, uint32_t i)
{
	const struct neigh_slot *s = &db->slot[i];
	const struct iface *iface = neigh_iface(db->ports, s->iface);
	struct neigh_node *node = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*node), RTE_CACHE_LINE_SIZE));
	const struct neigh *old;

	if (node == NULL) {
		log_error("out of memory for a neighbour");
		return -ENOMEM;
	}
	memset(node, 0, sizeof(*node));
	node->n.state = s->state;
	node->n.iface = s->iface;
	node->n.addr = s->addr;
	node->n.generation = s->generation;
	if (iface) {
		node->n.port = iface->port;
		node->n.mtu = iface->mtu;
		if (has_header(s->state))
			node->n.hdr_len = (uint8_t)iface_header(
				iface, &s->mac, ether_type(&s->addr), node->n.hdr);
	} else if (has_header(s->state)) {
		node->n.state = NEIGH_FAILED; /* no interface, hence no header: not yet usable */
	}
	/* release: pairs with the acquire of neigh_get */
	old = atomic_exchange_explicit(&db->table.entry[i], &node->n, memory_order_acq_rel);
	if (old)
		defer(db, (struct neigh_node *)(uintptr_t)old, 0, -1);
	return 0;
}

void neigh_slot_set(struct neigh_db *db, uint32_t i, enum neigh_state state, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	s->state = (uint8_t)state;
	s->since_ms = now_ms;
	s->tries = 0;
	s->aged = false;
	neigh_slot_publish(db, i);
	neigh_slot_queue(db, i);
}

/* Takes the entry out; hashed: it has a key. */
static void remove_slot(struct neigh_db *db, uint32_t i, bool hashed)
{
	struct neigh_slot *s = &db->slot[i];
	struct neigh_key key = {.addr = s->addr, .iface = s->iface};
	int32_t pos = hashed ? rte_hash_del_key(db->table.hash, &key) : -1;
	const struct neigh *old =
		atomic_exchange_explicit(&db->table.entry[i], NULL, memory_order_acq_rel);

	neigh_due_clear(db, i);
	unlink_slot(db, i);
	s->live = false;
	db->n_live--;
	defer(db, (struct neigh_node *)(uintptr_t)old, i, pos);
}

void neigh_slot_drop(struct neigh_db *db, uint32_t i)
{
	struct neigh_slot s = db->slot[i];

	remove_slot(db, i, true);
	if (s.state == NEIGH_INCOMPLETE)
		db->ops.settled(db->ops.arg, s.iface, &s.addr, i, false);
}

/* Drops the oldest unused entry of the queue. A used one gets another round. */
static bool evict_from(struct neigh_db *db, enum neigh_queue q, uint64_t now_ms)
{
	for (unsigned look = 0; look < EVICT_LOOKS && db->queue[q].n > 0; look++) {
		uint32_t i = db->queue[q].first;

		if (!neigh_slot_used(db, i, now_ms)) {
			neigh_slot_drop(db, i);
			return true;
		}
		unlink_slot(db, i);
		link_slot(db, i, q);
	}
	return false;
}

/* Finds a free index. A scan of a large subnet must not push out neighbours that answer: entries
 * that do not are bounded, and are the first to go. An index comes back only after a grace period,
 * so some are freed ahead of need. */
static uint32_t take_index(struct neigh_db *db, const struct neigh_slot *like, uint64_t now_ms)
{
	uint32_t max = db->table.max, i;
	bool asking = like->state == NEIGH_INCOMPLETE && like->pins == 0;

	if (asking && db->queue[NEIGH_Q_INCOMPLETE].n >= RTE_MAX(max / 4, 1u) &&
		!evict_from(db, NEIGH_Q_INCOMPLETE, now_ms))
		return NEIGH_NONE;
	if (db->n_live + max / 16 >= max)
		for (unsigned q = 0; q < NEIGH_Q_N; q++)
			if (evict_from(db, q, now_ms))
				break;
	if (db->free_first == 0)
		neigh_slot_reclaim(db);
	i = db->free_first;
	if (i)
		db->free_first = db->slot[i].next;
	return i;
}

uint32_t neigh_slot_make(struct neigh_db *db, const struct neigh_slot *like, uint64_t now_ms)
{
	uint32_t i = take_index(db, like, now_ms);
	struct neigh_key key = {.addr = like->addr, .iface = like->iface};
	struct neigh_slot *s = &db->slot[i];
	uint32_t generation = s->generation + 1;

	if (i == NEIGH_NONE)
		return NEIGH_NONE;
	*s = *like;
	s->generation = generation;
	s->since_ms = s->fresh_ms = now_ms;
	s->queue = NEIGH_Q_NONE;
	atomic_store_explicit(&db->table.used[i], 0, memory_order_relaxed);
	if (neigh_slot_publish(db, i) != 0) {
		s->next = db->free_first;
		db->free_first = i;
		return NEIGH_NONE;
	}
	s->live = true;
	db->n_live++;
	neigh_slot_queue(db, i);
	/* The entry first, then the way to it: who finds the index finds the entry. */
	if (rte_hash_add_key_data(db->table.hash, &key, (void *)(uintptr_t)i) < 0) {
		remove_slot(db, i, false);
		return NEIGH_NONE;
	}
	return i;
}
