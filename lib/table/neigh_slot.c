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
	struct neigh_share *share = neigh_share(db, &s->addr);
	unsigned q = s->queue;

	if (q == NEIGH_Q_NONE)
		return;
	if (s->prev)
		db->slot[s->prev].next = s->next;
	else
		share->queue[q].first = s->next;
	if (s->next)
		db->slot[s->next].prev = s->prev;
	else
		share->queue[q].last = s->prev;
	share->queue[q].n--;
	s->prev = s->next = 0;
	s->queue = NEIGH_Q_NONE;
}

static void link_slot(struct neigh_db *db, uint32_t i, enum neigh_queue q)
{
	struct neigh_slot *s = &db->slot[i];
	struct neigh_share *share = neigh_share(db, &s->addr);

	s->queue = (uint8_t)q;
	s->next = 0;
	s->prev = share->queue[q].last;
	if (s->prev)
		db->slot[s->prev].next = i;
	else
		share->queue[q].first = i;
	share->queue[q].last = i;
	share->queue[q].n++;
}

void neigh_slot_queue(struct neigh_db *db, uint32_t i)
{
	struct neigh_slot *s = &db->slot[i];
	enum neigh_queue q = NEIGH_Q_NONE;

	if (s->pins == 0 && s->state == NEIGH_FAILED)
		q = NEIGH_Q_FAILED;
	else if (s->pins == 0 && s->state == NEIGH_INCOMPLETE)
		q = NEIGH_Q_INCOMPLETE;
	else if (s->pins == 0 && s->state == NEIGH_STALE)
		q = NEIGH_Q_STALE;
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

void neigh_slot_defer(struct neigh_db *db, struct neigh_old *old, void *memory)
{
	*old = (struct neigh_old){
		.memory = memory, .token = rte_rcu_qsbr_start(db->qsv), .hash_pos = -1};
	if (db->old_last)
		db->old_last->next = old;
	else
		db->old_first = old;
	db->old_last = old;
}

void neigh_slot_reclaim(struct neigh_db *db)
{
	for (unsigned n = 0; n < RECLAIM_MAX; n++) {
		struct neigh_old *old = db->old_first;

		if (old == NULL || !rte_rcu_qsbr_check(db->qsv, old->token, false))
			return;
		db->old_first = old->next;
		if (db->old_first == NULL)
			db->old_last = NULL;
		if (old->hash_pos >= 0)
			rte_hash_free_key_with_position(db->table.hash, old->hash_pos);
		if (old->free_index) {
			neigh_share(db, &db->slot[old->free_index].addr)->n_taken--;
			db->slot[old->free_index].next = db->free_first;
			db->free_first = old->free_index;
		}
		free(old->memory);
	}
}

static bool has_header(uint8_t state)
{
	return state != NEIGH_INCOMPLETE && state != NEIGH_FAILED;
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
	if (old) {
		struct neigh_node *was = (struct neigh_node *)(uintptr_t)old;

		neigh_slot_defer(db, &was->old, was);
	}
	return 0;
}

void neigh_slot_set(struct neigh_db *db, uint32_t i, enum neigh_state state, uint64_t now_ms)
{
	struct neigh_slot *s = &db->slot[i];

	s->state = (uint8_t)state;
	s->since_ms = now_ms;
	s->tries = 0;
	neigh_slot_publish(db, i);
	neigh_slot_queue(db, i);
}

/* Takes the entry out; hashed: it has a key. */
static void remove_slot(struct neigh_db *db, uint32_t i, bool hashed)
{
	struct neigh_slot *s = &db->slot[i];
	struct neigh_key key = {.addr = s->addr, .iface = s->iface};
	int32_t pos = hashed ? rte_hash_del_key(db->table.hash, &key) : -1;
	struct neigh_node *node = (struct neigh_node *)(uintptr_t)atomic_exchange_explicit(
		&db->table.entry[i], NULL, memory_order_acq_rel);

	atomic_fetch_add_explicit(&db->table.epoch, 1, memory_order_release);
	neigh_due_clear(db, i);
	unlink_slot(db, i);
	s->live = false;
	neigh_share(db, &s->addr)->n_live--;
	neigh_slot_defer(db, &node->old, node);
	node->old.free_index = i;
	node->old.hash_pos = pos;
}

void neigh_slot_drop(struct neigh_db *db, uint32_t i, enum neigh_outcome why)
{
	struct neigh_slot s = db->slot[i];

	remove_slot(db, i, true);
	if (s.state == NEIGH_INCOMPLETE)
		db->ops.settled(db->ops.arg, s.iface, &s.addr, i, why);
}

/* Drops the oldest unused entry of the queue. A used one gets another round. */
static bool evict_from(
	struct neigh_db *db, struct neigh_share *share, enum neigh_queue q, uint64_t now_ms)
{
	for (unsigned look = 0; look < EVICT_LOOKS && share->queue[q].n > 0; look++) {
		uint32_t i = share->queue[q].first;

		if (!neigh_slot_used(db, i, now_ms)) {
			neigh_slot_drop(db, i, NEIGH_REFUSED);
			return true;
		}
		unlink_slot(db, i);
		link_slot(db, i, q);
	}
	return false;
}

/* Entries that are being asked for or did not answer, and how many there may be. */
static uint32_t unanswered(const struct neigh_share *share)
{
	return share->queue[NEIGH_Q_FAILED].n + share->queue[NEIGH_Q_INCOMPLETE].n;
}

static uint32_t unanswered_max(const struct neigh_share *share)
{
	uint32_t most = share->conf.incomplete_max ? share->conf.incomplete_max : share->max / 4;

	most = RTE_MIN(most, share->max / 2);
	return most ? most : 1;
}

/* Room for one more that answered: so many are kept free for those that will be asked. */
static void spare(struct neigh_db *db, struct neigh_share *share, uint64_t now_ms)
{
	if (share->n_live - unanswered(share) >= share->max - unanswered_max(share))
		evict_from(db, share, NEIGH_Q_STALE, now_ms);
}

/* Finds a free index. A scan of a large subnet must not push out neighbours that answered: entries
 * that did not are bounded, are the first to go, and take no other's place. An index comes back
 * only after a grace period, so some are freed ahead of need. */
static uint32_t take_index(struct neigh_db *db, const struct neigh_slot *like, uint64_t now_ms)
{
	struct neigh_share *share = neigh_share(db, &like->addr);
	bool asking = like->state == NEIGH_INCOMPLETE && like->pins == 0;
	uint32_t i;

	if (asking && unanswered(share) >= unanswered_max(share) &&
		!evict_from(db, share, NEIGH_Q_FAILED, now_ms) &&
		!evict_from(db, share, NEIGH_Q_INCOMPLETE, now_ms))
		return NEIGH_NONE;
	if (!asking)
		spare(db, share, now_ms);
	if (share->n_live + share->max / 16 >= share->max)
		for (unsigned q = 0; q < (asking ? NEIGH_Q_STALE : NEIGH_Q_N); q++)
			if (evict_from(db, share, q, now_ms))
				break;
	if (share->n_taken >= share->max || db->free_first == 0)
		neigh_slot_reclaim(db);
	i = db->free_first;
	if (i == 0 || share->n_taken >= share->max)
		return NEIGH_NONE;
	db->free_first = db->slot[i].next;
	share->n_taken++;
	return i;
}

void neigh_slot_answers(struct neigh_db *db, uint32_t i, uint64_t now_ms)
{
	spare(db, neigh_share(db, &db->slot[i].addr), now_ms);
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
		neigh_share(db, &s->addr)->n_taken--;
		s->next = db->free_first;
		db->free_first = i;
		return NEIGH_NONE;
	}
	s->live = true;
	neigh_share(db, &s->addr)->n_live++;
	neigh_slot_queue(db, i);
	/* The entry first, then the way to it: who finds the index finds the entry. */
	if (rte_hash_add_key_data(db->table.hash, &key, (void *)(uintptr_t)i) < 0) {
		remove_slot(db, i, false);
		return NEIGH_NONE;
	}
	return i;
}
