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
#include <stdint.h>

#define NEIGH_NONE 0 /* index 0 is never used */
#define NEIGH_HDR_MAX IFACE_HDR_MAX

enum neigh_state {
	NEIGH_INCOMPLETE, /* being resolved: no header yet */
	NEIGH_REACHABLE,
	NEIGH_PROBE,  /* aged, asked again, still used */
	NEIGH_FAILED, /* did not answer; kept a while so that we do not ask all the time */
	NEIGH_STATIC, /* configured */
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
};

struct neigh_key { /* 32 bytes: rte_hash compares those in one go */
	struct addr addr;
	uint32_t iface;
	uint32_t zero[3];
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
