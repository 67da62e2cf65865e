/* Inside the neighbour table's writer: what neigh_write.c (the contract), neigh_slot.c (entries and
 * their life under RCU), neigh_due.c (deadlines), neigh_state.c (transitions) and neigh_arp.c
 * (packets) share. Nobody else includes it. Control core only; no locks, since nothing here but the
 * published struct neigh_table is seen by a worker.
 */
#pragma once

#include "table/neigh_write.h"

/* A published entry with what is needed to free it: the pointer that workers see is one to n, the
 * first member. When it is replaced it waits in db->old for its grace period. */
struct neigh_node {
	struct neigh n;
	struct neigh_node *next;
	uint64_t token;      /* of rte_rcu_qsbr_start */
	uint32_t free_index; /* the index that becomes free with it; 0: none */
	int32_t hash_pos;    /* likewise the hash's place for the key; negative: none */
};

/* Entries that may have to go when room is needed, each queue with the oldest first. A pinned entry
 * is in none. */
enum neigh_queue {
	NEIGH_Q_FAILED,
	NEIGH_Q_INCOMPLETE,
	NEIGH_Q_AGED, /* reachable once, not used since */
	NEIGH_Q_N,
	NEIGH_Q_NONE = NEIGH_Q_N,
};

struct neigh_slot { /* one index, as the control core knows it */
	uint64_t since_ms;
	uint64_t fresh_ms; /* when the neighbour was last heard */
	uint64_t used_ms;
	uint64_t deadline_ms;
	uint32_t heap_at;    /* place in db->heap; 0: no deadline */
	uint32_t prev, next; /* in its queue, or (next) in the list of free indices */
	struct addr addr;
	uint32_t pins, generation;
	uint16_t iface, tries;
	uint8_t state; /* enum neigh_state */
	uint8_t queue; /* enum neigh_queue */
	bool live, aged;
	struct rte_ether_addr mac; /* zero: never learned */
};

#define NEIGH_DEFENDED_MAX 16

#define NEIGH_AFTER_MAX 48

struct neigh_limit { /* a few log lines per window */
	uint64_t until_ms;
	unsigned n, left_out;
};

struct neigh_db {
	struct neigh_table table;
	struct neigh_conf conf;
	struct neigh_ops ops;
	struct rte_rcu_qsbr *qsv;
	const struct ports *ports;
	uint64_t now_ms;         /* of the last tick */
	struct neigh_slot *slot; /* [max + 1] */
	uint32_t *heap;          /* [max + 1], from 1: indices, the earliest deadline first */
	uint32_t n_heap, n_live, free_first;
	struct {
		uint32_t first, last, n;
	} queue[NEIGH_Q_N];
	struct neigh_node *old_first, *old_last; /* wait for their grace period, in order */
	struct {                                 /* addresses of ours that were defended lately */
		uint64_t until_ms;
		uint32_t addr;
		uint16_t iface;
	} defended[NEIGH_DEFENDED_MAX];
	struct neigh_limit conflict_log, change_log;
};

/* neigh_slot.c */

/* A new entry, published. Evicts where it must; NEIGH_NONE when there is no room. */
uint32_t neigh_slot_make(struct neigh_db *db, const struct neigh_slot *like, uint64_t now_ms);
/* A new state begins: published, queued accordingly; the deadline is the caller's to set. */
void neigh_slot_set(struct neigh_db *db, uint32_t i, enum neigh_state state, uint64_t now_ms);
/* Publishes what the slot says now (MAC, interface). 0 or -ENOMEM: then the old one stays. */
int neigh_slot_publish(struct neigh_db *db, uint32_t i);
/* Puts the slot into the queue where it belongs, at its end if it was not in it. */
void neigh_slot_queue(struct neigh_db *db, uint32_t i);
/* Deletes; whoever waits for it is told. */
void neigh_slot_drop(struct neigh_db *db, uint32_t i);
/* Was it used since the last call? Notes the time. */
bool neigh_slot_used(struct neigh_db *db, uint32_t i, uint64_t now_ms);
/* Frees what no worker can see any more. Does not wait. */
void neigh_slot_reclaim(struct neigh_db *db);

/* neigh_due.c */
void neigh_due_set(struct neigh_db *db, uint32_t i, uint64_t deadline_ms);
void neigh_due_clear(struct neigh_db *db, uint32_t i);
uint32_t neigh_due_first(const struct neigh_db *db, uint64_t now_ms); /* NEIGH_NONE: none due */

/* neigh_state.c */
void neigh_state_ask(struct neigh_db *db, uint32_t i, uint64_t now_ms); /* begin INCOMPLETE */
void neigh_state_learn(
	struct neigh_db *db, uint32_t i, const struct rte_ether_addr *mac, uint64_t now_ms);
/* Has been heard now, or counts as if: REACHABLE for reachable_ms. */
void neigh_state_fresh(struct neigh_db *db, uint32_t i, uint64_t now_ms);
/* May another line be logged? after: "", or how many were left out, to end the line with. */
bool neigh_may_log(struct neigh_limit *limit, uint64_t now_ms, char after[NEIGH_AFTER_MAX]);

/* The interface of that id where it is up, or NULL. */
static inline const struct iface *neigh_iface(const struct ports *ports, uint16_t id)
{
	if (ports == NULL || id == IFACE_NONE || id >= ports->n_ifaces || id >= IFACES_MAX ||
		!(ports->iface[id].flags & IFACE_UP))
		return NULL;
	return &ports->iface[id];
}

/* Is addr on a subnet of the interface? ours (may be NULL) gets our address on the smallest such.
 */
bool neigh_on_link(const struct iface *iface, const struct addr *addr, struct addr *ours);
bool neigh_is_ours(const struct iface *iface, const struct addr *addr);
/* Can a neighbour have that address there? Not 0/8, 127/8, multicast and above, nor the network or
 * broadcast address of a subnet. */
bool neigh_is_host(const struct iface *iface, const struct addr *addr);
