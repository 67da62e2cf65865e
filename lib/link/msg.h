/* Messages between the control core and the workers, and the rings that carry them: single
 * producer, single consumer, one per worker and kind. Each ring counts what it refused.
 *
 *   punt     worker -> control   packets for the control core (ARP, neighbour discovery)
 *   inject   control -> worker   packets to send, with their Ethernet header
 *   event    worker -> control   hints: resolve a neighbour, filter log, a tunnel needs an SA. May
 * be lost order    control -> worker   change state that the worker owns; handled in order, never
 * lost handoff  worker -> worker    packets that another worker must handle (link/handoff.h)
 */
#pragma once

#include "wire/addr.h"
#include "wire/path_mtu.h"

#include <rte_mbuf.h>
#include <rte_ring_elem.h>
#include <stdatomic.h>
#include <stdint.h>

enum event_kind { EVENT_RESOLVE, EVENT_FILTER_LOG, EVENT_ACQUIRE, EVENT_PATH_MTU };

/* A filter log record as a worker writes it; the control core makes text of it. */
struct log_record {
	uint64_t wall_ns;    /* since 1970 */
	uint32_t generation; /* of the root whose rule it names */
	uint32_t verdict;    /* acl verdict: 0 implicit deny, i+1 rule i; UINT32_MAX: no rule */
	struct addr src, dst;
	uint32_t left_out;      /* records this worker left out since its last one */
	uint16_t sport, dport;  /* host byte order; ICMP: type and code */
	uint16_t in_if, out_if; /* interface ids, 0: none */
	uint16_t reason;        /* enum drop_reason; 0: permitted */
	uint16_t len;           /* of the IP packet */
	uint8_t proto, tcp_flags;
	uint8_t dir;  /* RULE_IN or RULE_OUT */
	uint8_t frag; /* enum rule_packet_frag */
	uint8_t reserved[4];
};

struct event {        /* 80 bytes */
	uint8_t kind; /* enum event_kind */
	uint8_t worker;
	uint8_t pad[6];
	union {
		struct {
			struct addr addr;
			uint16_t iface;
		} resolve;
		struct { /* the packet that found its tunnel without an SA, and was dropped */
			struct addr src, dst;
			uint16_t sport, dport; /* host byte order; ICMP: type and code */
			uint16_t tunnel;       /* id */
			uint8_t proto;
		} acquire;
		struct path_mtu path_mtu; /* an ICMP error, not yet believed */
		struct log_record log;
	};
};
_Static_assert(sizeof(struct event) == 80, "a multiple of 4 for rte_ring");

enum order_kind { ORDER_NEIGH /* settled */ };

struct order { /* 24 bytes */
	struct addr addr;
	uint32_t index; /* in the neighbour table */
	uint16_t iface;
	uint8_t kind;    /* enum order_kind */
	uint8_t outcome; /* enum neigh_outcome */
};
_Static_assert(sizeof(struct order) == 24, "a multiple of 4 for rte_ring");

struct link_ring {
	struct rte_ring *ring;
	/* writer: the producer; reader: control core */
	_Atomic uint64_t refused;
};

struct link { /* of one worker */
	struct link_ring punt, inject, event, order;
	_Atomic uint64_t orders_done; /* writer: worker; reader: control core (release/acquire) */
	uint64_t orders_sent;         /* control core */
};

/* Rings of one worker. 0 or -errno; unwinds. Boot only. */
int link_init(struct link *l, unsigned worker, int socket);
/* Frees the rings and the packets in them. After the worker stopped. */
void link_fini(struct link *l);

static inline void link_refused(struct link_ring *r, uint64_t n)
{
	atomic_store_explicit(&r->refused,
		atomic_load_explicit(&r->refused, memory_order_relaxed) + n, memory_order_relaxed);
}

/* n packets in; returns how many were taken, counts the others. The caller keeps those. */
static inline unsigned link_packets_put(struct link_ring *r, struct rte_mbuf *const m[], unsigned n)
{
	unsigned done = rte_ring_sp_enqueue_burst(r->ring, (void *const *)m, n, NULL);

	if (unlikely(done < n))
		link_refused(r, n - done);
	return done;
}

static inline unsigned link_packets_get(struct link_ring *r, struct rte_mbuf *m[], unsigned n)
{
	return rte_ring_sc_dequeue_burst(r->ring, (void **)m, n, NULL);
}

/* An event; false when the ring is full (counted). Worker. */
static inline bool link_event_put(struct link *l, const struct event *e)
{
	if (rte_ring_sp_enqueue_elem(l->event.ring, (void *)(uintptr_t)e, sizeof(*e)) == 0)
		return true;
	link_refused(&l->event, 1);
	return false;
}

/* Up to n events; how many. Control core. */
static inline unsigned link_event_get(struct link *l, struct event *e, unsigned n)
{
	return rte_ring_sc_dequeue_burst_elem(l->event.ring, e, sizeof(*e), n, NULL);
}

/* An order; false when the ring is full: the caller keeps it and tries again. Control core. */
static inline bool link_order_put(struct link *l, const struct order *o)
{
	if (rte_ring_sp_enqueue_elem(l->order.ring, (void *)(uintptr_t)o, sizeof(*o)) == 0) {
		l->orders_sent++;
		return true;
	}
	link_refused(&l->order, 1);
	return false;
}

/* Up to n orders; the worker then calls link_order_done. Worker. */
static inline unsigned link_order_get(struct link *l, struct order *o, unsigned n)
{
	return rte_ring_sc_dequeue_burst_elem(l->order.ring, o, sizeof(*o), n, NULL);
}

static inline void link_order_done(struct link *l, unsigned n)
{
	atomic_fetch_add_explicit(&l->orders_done, n, memory_order_release);
}
