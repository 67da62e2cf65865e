/* Neighbours, reader's side: the link-layer header for a next hop of either family. Lives as long
 * as the daemon; its entries are immutable and replaced as a whole under RCU, so a worker uses one
 * within one walk only and keeps the index (with the generation) for longer. Writer: neigh_write.h
 * (control core).
 */
#pragma once

#include "table/port.h"
#include "wire/addr.h"

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_hash.h>
#include <rte_rcu_qsbr.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NEIGH_NONE 0 /* index 0 is never used */
#define NEIGH_HDR_MAX IFACE_HDR_MAX

enum neigh_family { NEIGH_IP4, NEIGH_IP6, NEIGH_FAMILIES };

enum neigh_state {        /* RFC 4861 section 7.3.2 */
	NEIGH_INCOMPLETE, /* being resolved: no header yet */
	NEIGH_REACHABLE,
	NEIGH_STALE,  /* not heard for a while, nor needed since; used as it is */
	NEIGH_DELAY,  /* IPv6: used again, and about to be asked */
	NEIGH_PROBE,  /* asked again, still used */
	NEIGH_FAILED, /* did not answer; kept a while so that we do not ask all the time */
	NEIGH_STATIC, /* configured */
};

enum neigh_outcome {   /* of asking for a neighbour, for what waits for it */
	NEIGH_READY,   /* can be used now: waiting packets go */
	NEIGH_SILENT,  /* did not answer */
	NEIGH_REFUSED, /* nobody asked: no neighbour's address, no such interface, or no room */
	NEIGH_DOWN,    /* the link is down */
};

struct neigh {                      /* one published entry, 64 bytes */
	uint8_t hdr[NEIGH_HDR_MAX]; /* Ethernet header, with the interface's tags */
	uint8_t hdr_len;            /* 14, 18 or 22 */
	uint8_t state;              /* enum neigh_state */
	uint16_t iface;             /* interface id */
	uint16_t port;              /* DPDK port id */
	struct addr addr;           /* of either family */
	uint32_t generation; /* of the index: differs once it was given to another neighbour */
	uint16_t mtu;
	uint8_t reserved[10];
};
_Static_assert(sizeof(struct neigh) == 64, "one cache line");

struct neigh_table {
	struct rte_hash *hash; /* struct neigh_key -> index; lock-free readers */
	uint32_t max;          /* entries, index 1 to max */
	/* writer: control core; readers: workers */
	_Atomic(const struct neigh *) *entry; /* [max + 1]; NULL: free */
	/* writer: workers set 1, control core clears: was it used since last looked at */
	_Atomic uint8_t *used; /* [max + 1] */
	/* writer: control core; readers: workers. Rises when an index loses its neighbour, before
	 * the index is given to another one: until then it stands for what it stood for. */
	_Atomic uint32_t epoch;
	/* IPv6 addresses of ours that nobody may use yet, or ever; NULL: none. Replaced as a whole
	 * under RCU */
	_Atomic(const struct neigh_unusable *) unusable;
};

struct neigh_key { /* 32 bytes: rte_hash compares those in one go */
	struct addr addr;
	uint32_t iface;
	uint32_t zero[3];
};

/* Our addresses that are tentative or duplicates (RFC 4862 section 5.4): they are not answered for,
 * and no packet of ours has them as its source. */
struct neigh_unusable {
	/* interfaces where IPv6 is off, by id: RFC 4862 section 5.4.5 */
	uint64_t off[(IFACES_MAX + 63) / 64];
	uint32_t n;
	struct neigh_key key[];
};

/* The entry of an index, or NULL. Worker, within a walk (acquire: pairs with the release store in
 * neigh_write.c). */
static inline const struct neigh *neigh_get(const struct neigh_table *t, uint32_t index)
{
	return atomic_load_explicit(&t->entry[index], memory_order_acquire);
}

/* Index of a neighbour, NEIGH_NONE when unknown. Worker or control core. */
static inline uint32_t neigh_find(
	const struct neigh_table *t, uint16_t iface, const struct addr *addr)
{
	struct neigh_key key = {.iface = iface, .addr = *addr};
	void *data;

	return rte_hash_lookup_data(t->hash, &key, &data) < 0 ? NEIGH_NONE
							      : (uint32_t)(uintptr_t)data;
}

static inline void neigh_mark_used(const struct neigh_table *t, uint32_t index)
{
	if (!atomic_load_explicit(&t->used[index], memory_order_relaxed))
		atomic_store_explicit(&t->used[index], 1, memory_order_relaxed);
}

bool neigh_unusable_has(const struct neigh_unusable *u, uint16_t iface, const uint8_t addr[16]);

/* Is IPv6 off on that interface, in and out? u may be NULL. Worker, within a walk. */
static inline bool neigh_ip6_off(const struct neigh_unusable *u, uint16_t iface)
{
	return __builtin_expect(u != NULL, 0) && iface < IFACES_MAX &&
	       u->off[iface / 64] >> (iface % 64) & 1;
}

/* What may not be used, or NULL. Worker, once within a walk, or control core. */
static inline const struct neigh_unusable *neigh_unusable(const struct neigh_table *t)
{
	return atomic_load_explicit(&t->unusable, memory_order_acquire);
}

/* May our own IPv6 address be used? iface tells link-local addresses apart: the interface that the
 * packet came by, or leaves by. Worker, within a walk, or control core. */
static inline bool neigh_own_usable(
	const struct neigh_table *t, uint16_t iface, const uint8_t addr[16])
{
	const struct neigh_unusable *u = neigh_unusable(t);

	return __builtin_expect(u == NULL, 1) || !neigh_unusable_has(u, iface, addr);
}
