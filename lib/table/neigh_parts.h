/* Inside the neighbour table's writer: what neigh_write.c (the contract), neigh_slot.c (entries and
 * their life under RCU), neigh_due.c (deadlines), neigh_state.c (transitions), neigh_addr.c (whose
 * address), neigh_arp.c and neigh_nd.c (packets) and neigh_own.c (our IPv6 addresses) share. Nobody
 * else includes it. Control core only; no locks, since nothing here but the published struct
 * neigh_table is seen by a worker.
 */
#pragma once

#include "base/bucket.h"
#include "base/random.h"
#include "table/neigh_write.h"

/* Memory that workers may still see: freed after its grace period. */
struct neigh_old {
	struct neigh_old *next;
	void *memory;        /* what to free; this is within */
	uint64_t token;      /* of rte_rcu_qsbr_start */
	uint32_t free_index; /* the index that becomes free with it; 0: none */
	int32_t hash_pos;    /* likewise the hash's place for the key; negative: none */
};

/* A published entry with what is needed to free it: the pointer that workers see is one to n, the
 * first member. */
struct neigh_node {
	struct neigh n;
	struct neigh_old old;
};

/* Entries that may have to go when room is needed, each queue with the oldest first. A pinned entry
 * is in none. */
enum neigh_queue {
	NEIGH_Q_FAILED,
	NEIGH_Q_INCOMPLETE,
	NEIGH_Q_STALE,
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
	bool live, router;
	struct rte_ether_addr mac; /* zero: never learned */
};

#define NEIGH_DEFENDED_MAX 16

#define NEIGH_AFTER_MAX 48

struct neigh_limit { /* a few log lines per window */
	uint64_t until_ms;
	unsigned n, left_out;
};

/* Each family has its own share of the table, so that neither takes room from the other. */
struct neigh_share {
	struct neigh_conf conf;
	uint32_t max;
	uint32_t n_live;  /* entries */
	uint32_t n_taken; /* indices: entries, and those in their grace period */
	struct {
		uint32_t first, last, n;
	} queue[NEIGH_Q_N];
	struct bucket resolve;
};

struct neigh_own { /* an IPv6 address of ours */
	struct addr addr;
	uint16_t iface;
	uint8_t state; /* enum neigh_own_state */
	uint8_t left;  /* TENTATIVE: probes to send; USABLE: announcements to send */
	uint8_t nonce[ND_NONCE];
	uint64_t due_ms; /* 0: nothing to do */
};

struct neigh_db {
	struct neigh_table table;
	struct neigh_share share[NEIGH_FAMILIES];
	struct neigh_ops ops;
	struct rte_rcu_qsbr *qsv;
	const struct ports *ports;
	struct random random;
	uint64_t now_ms;         /* of the last tick */
	struct neigh_slot *slot; /* [max + 1] */
	uint32_t *heap;          /* [max + 1], from 1: indices, the earliest deadline first */
	uint32_t n_heap, free_first;
	struct neigh_old *old_first, *old_last; /* in their grace period, in order */
	struct {                                /* addresses of ours that were defended lately */
		uint64_t until_ms;
		struct addr addr;
		uint16_t iface;
	} defended[NEIGH_DEFENDED_MAX];
	struct neigh_limit conflict_log, change_log;
	bool down[PORTS_MAX];  /* ports without link */
	struct neigh_own *own; /* by interface */
	uint32_t n_own;
	uint32_t own_at[IFACES_MAX + 1]; /* where those of an interface begin */
	struct neigh_own_list *own_list; /* the one published as table.unusable */
	uint64_t own_due_ms;             /* the earliest of own; UINT64_MAX: none */
};

static inline struct neigh_share *neigh_share(struct neigh_db *db, const struct addr *addr)
{
	return &db->share[addr_is4(addr) ? NEIGH_IP4 : NEIGH_IP6];
}

/* neigh_slot.c */

/* A new entry, published. Evicts where it must; NEIGH_NONE when there is no room. */
uint32_t neigh_slot_make(struct neigh_db *db, const struct neigh_slot *like, uint64_t now_ms);
/* A new state begins: published, queued accordingly; the deadline is the caller's to set. */
void neigh_slot_set(struct neigh_db *db, uint32_t i, enum neigh_state state, uint64_t now_ms);
/* Publishes what the slot says now (MAC, interface). 0 or -ENOMEM: then the old one stays. */
int neigh_slot_publish(struct neigh_db *db, uint32_t i);
/* Puts the slot into the queue where it belongs, at its end if it was not in it. */
void neigh_slot_queue(struct neigh_db *db, uint32_t i);
/* Deletes; whoever waits for it is told why. */
void neigh_slot_drop(struct neigh_db *db, uint32_t i, enum neigh_outcome why);
/* An entry that was asked for is about to be settled: makes room for the next that will be asked.
 */
void neigh_slot_answers(struct neigh_db *db, uint32_t i, uint64_t now_ms);
/* Was it used since the last call? Notes the time. */
bool neigh_slot_used(struct neigh_db *db, uint32_t i, uint64_t now_ms);
/* memory (with old within) is freed when each worker has passed a quiescent state. */
void neigh_slot_defer(struct neigh_db *db, struct neigh_old *old, void *memory);
/* Frees what no worker can see any more. Does not wait. */
void neigh_slot_reclaim(struct neigh_db *db);

/* neigh_due.c */
void neigh_due_set(struct neigh_db *db, uint32_t i, uint64_t deadline_ms);
void neigh_due_clear(struct neigh_db *db, uint32_t i);
uint32_t neigh_due_first(const struct neigh_db *db, uint64_t now_ms); /* NEIGH_NONE: none due */

/* neigh_state.c */

void neigh_state_ask(struct neigh_db *db, uint32_t i, uint64_t now_ms); /* begin INCOMPLETE */
/* The entry's MAC is this: as of now confirmed by the neighbour itself (REACHABLE), or said by it
 * without being asked (STALE). Static entries stay as they are. */
void neigh_state_learn(struct neigh_db *db, uint32_t i, const struct rte_ether_addr *mac,
	enum neigh_state state, uint64_t now_ms);
/* Begins REACHABLE or STALE, with its deadline. */
void neigh_state_enter(struct neigh_db *db, uint32_t i, enum neigh_state state, uint64_t now_ms);
/* The link went down: forgotten, or, when pinned, FAILED until it is back. */
void neigh_state_link_down(struct neigh_db *db, uint32_t i, uint64_t now_ms);
/* May another line be logged? after: "", or how many were left out, to end the line with. */
bool neigh_may_log(struct neigh_limit *limit, uint64_t now_ms, char after[NEIGH_AFTER_MAX]);

/* neigh_addr.c */

/* The interface of that id where it is up, or NULL. */
static inline const struct iface *neigh_iface(const struct ports *ports, uint16_t id)
{
	if (ports == NULL || id == IFACE_NONE || id >= ports->n_ifaces || id >= IFACES_MAX ||
		!(ports->iface[id].flags & IFACE_UP) || ports->iface[id].flags & IFACE_TUNNEL)
		return NULL; /* a tunnel has no link, and so nobody to ask and nobody who asks */
	return &ports->iface[id];
}

/* Are both up, and is a frame for one as a frame for the other? */
static inline bool neigh_same_link(const struct iface *a, const struct iface *b)
{
	return a && b && a->port == b->port && a->vlan == b->vlan &&
	       a->outer_vlan == b->outer_vlan && rte_is_same_ether_addr(&a->mac, &b->mac);
}

static inline bool neigh_link_down(const struct neigh_db *db, const struct iface *iface)
{
	return iface->port < PORTS_MAX && db->down[iface->port];
}

/* Is addr on a subnet of the interface? ours (may be NULL) gets our address on the smallest such.
 */
bool neigh_on_link(const struct iface *iface, const struct addr *addr, struct addr *ours);
bool neigh_is_ours(const struct iface *iface, const struct addr *addr);
/* Can a neighbour have that address there? IPv4: not 0/8, 127/8, multicast and above, nor the
 * network or broadcast address of a subnet. IPv6: not "::", "::1", multicast, nor the routers'
 * anycast address of a subnet; and the interface must have IPv6. */
bool neigh_is_host(const struct iface *iface, const struct addr *addr);
/* May our address be defended now? At most once in ten seconds each; a flood over more addresses
 * than are remembered gets no more than NEIGH_DEFENDED_MAX in that time. */
bool neigh_may_defend(
	struct neigh_db *db, uint16_t iface, const struct addr *addr, uint64_t now_ms);
/* Someone else says that an address of ours is its own: logged, a few times. */
void neigh_conflict(struct neigh_db *db, const struct iface *iface, const struct addr *addr,
	const uint8_t mac[6], uint64_t now_ms);

/* neigh_own.c */

/* Our address of that interface, or NULL. */
struct neigh_own *neigh_own_find(
	const struct neigh_db *db, uint16_t iface, const struct addr *addr);
/* An address of ours from which to ask for addr; false: none is usable yet. */
bool neigh_own_source(const struct neigh_db *db, const struct iface *iface, const struct addr *addr,
	struct addr *ours);
/* Somebody else uses, or is about to use, a tentative address. */
void neigh_own_duplicate(
	struct neigh_db *db, struct neigh_own *own, const struct mac *mac, uint64_t now_ms);
/* An unsolicited advertisement for the address, to all nodes. */
void neigh_own_advertise(struct neigh_db *db, const struct iface *iface, const struct addr *addr);
/* Our addresses follow the ports (db->ports; old: those before). */
void neigh_own_ports(struct neigh_db *db, const struct ports *old, uint64_t now_ms);
/* The port's link came up: all of its addresses are tentative anew. */
void neigh_own_link_up(struct neigh_db *db, uint16_t port, uint64_t now_ms);
void neigh_own_tick(struct neigh_db *db, uint64_t now_ms);
void neigh_own_free(struct neigh_db *db);
