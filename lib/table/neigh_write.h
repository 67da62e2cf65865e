/* Neighbours, writer's side: ARP's state machine (RFC 826; ageing and probing in the manner of RFC
 * 4861 section 7.3). Control core only. Sends through callbacks, so that a test drives it with a
 * clock of its own.
 */
#pragma once

#include "table/neigh.h"
#include "table/port.h"

#include <stdbool.h>

struct neigh_conf {
	uint32_t reachable_ms, retry_ms, stale_ms;
	uint8_t retries;
};

/* Callbacks must not call back into the table. */
struct neigh_ops {
	void *arg;
	/* Send an ARP packet out of iface. op: 1 request, 2 reply. tha NULL: broadcast. Addresses
	 * in host byte order. */
	void (*arp)(void *arg, const struct iface *iface, uint16_t op, uint32_t spa, uint32_t tpa,
		const struct rte_ether_addr *tha);
	/* The neighbour can be used now (ready) or did not answer: waiting packets go or are
	 * dropped. index is NEIGH_NONE where nothing was asked (no such interface, no neighbour's
	 * address, no room). */
	void (*settled)(
		void *arg, uint16_t iface, const struct addr *addr, uint32_t index, bool ready);
};

struct neigh_info { /* what the control core knows of an entry, for show */
	uint16_t iface;
	uint8_t state; /* enum neigh_state */
	uint8_t tries;
	struct addr addr;
	uint32_t pins;
	struct rte_ether_addr mac;
	uint64_t since_ms;    /* when this state began */
	uint64_t used_ms;     /* last seen in use */
	uint64_t deadline_ms; /* next step */
};

struct neigh_db;

/* max: entries. qsv: the workers' RCU variable; entries and indices are reused after a grace
 * period. NULL when out of memory. */
struct neigh_db *neigh_db_new(uint32_t max, struct rte_rcu_qsbr *qsv, const struct neigh_conf *conf,
	const struct neigh_ops *ops);
void neigh_db_free(struct neigh_db *db);
const struct neigh_table *neigh_db_table(const struct neigh_db *db);
void neigh_db_configure(struct neigh_db *db, const struct neigh_conf *conf);

/* Ports of the running configuration: called before anything else and after each swap of the root.
 * Entries of interfaces that are gone, changed their MAC or VLAN, or whose address is no longer on
 * a subnet of theirs are deleted unless pinned; static ones follow their interface. ports must live
 * until the next call returns: it compares both. */
void neigh_db_ports(struct neigh_db *db, const struct ports *ports, uint64_t now_ms);

/* A next hop of a route: the index, made when it is new (0: full). It stays until unpinned. Asks at
 * once, and again for as long as it is pinned. The interface may be one that only the next
 * neigh_db_ports brings. */
uint32_t neigh_db_pin(
	struct neigh_db *db, uint16_t iface, const struct addr *addr, uint64_t now_ms);
void neigh_db_unpin(struct neigh_db *db, uint32_t index);

/* A static entry. 0, -ENOSPC. Replaces what was there. */
int neigh_db_static(struct neigh_db *db, uint16_t iface, const struct addr *addr,
	const struct rte_ether_addr *mac, uint64_t now_ms);
/* Forgets the static entries (before a reload sets the new ones): they become ordinary again. */
void neigh_db_static_clear(struct neigh_db *db, uint64_t now_ms);

/* A worker has packets for a neighbour that it can't send (a hint; may come many times). */
void neigh_db_resolve(
	struct neigh_db *db, uint16_t iface, const struct addr *addr, uint64_t now_ms);

/* An ARP packet for that interface: len bytes from the Ethernet header's end. Validates, learns,
 * answers. Returns 0, or -EINVAL for a packet that is malformed or makes no sense. */
int neigh_db_arp(
	struct neigh_db *db, uint16_t iface, const uint8_t *arp, uint32_t len, uint64_t now_ms);

/* Gratuitous ARP for every address of the interface (start, link up). */
void neigh_db_announce(struct neigh_db *db, uint16_t iface);

/* Moves the clock: retries, ageing, deletion. Returns at once when nothing is due. */
void neigh_db_tick(struct neigh_db *db, uint64_t now_ms);

/* Calls fn for each entry, by index. */
void neigh_db_each(const struct neigh_db *db,
	void (*fn)(void *arg, uint32_t index, const struct neigh_info *info), void *arg);
