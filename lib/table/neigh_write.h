/* Neighbours, writer's side: one table for both families. IPv4 by ARP (RFC 826; ageing and probing
 * in the manner of RFC 4861), IPv6 by neighbour discovery (RFC 4861 section 7), with detection of
 * duplicates of our own IPv6 addresses (RFC 4862 section 5.4). Control core only. Sends through
 * callbacks, so that a test drives it with a clock of its own.
 */
#pragma once

#include "table/neigh.h"
#include "table/port.h"
#include "wire/nd.h"

#include <stdbool.h>

struct neigh_conf { /* of one family */
	uint32_t reachable_ms, retry_ms, stale_ms;
	uint8_t retries;
	/* Entries that are being asked for, or did not answer; 0: a quarter of all. So many are
	 * kept free for them, and they never take the place of those that answered. */
	uint32_t incomplete_max;
	uint32_t resolve_rate; /* new ones asked for in a second; 0: no limit */
};

/* Callbacks must not call back into the table. */
struct neigh_ops {
	void *arg;
	/* Send an ARP packet out of iface. op: 1 request, 2 reply. tha NULL: broadcast. Addresses
	 * in host byte order. */
	void (*arp)(void *arg, const struct iface *iface, uint16_t op, uint32_t spa, uint32_t tpa,
		const struct rte_ether_addr *tha);
	/* Send an IPv6 packet out of iface in a frame to dst. */
	void (*nd)(void *arg, const struct iface *iface, const struct mac *dst,
		const uint8_t *packet, unsigned len);
	/* What waits for the neighbour goes or is dropped. index is NEIGH_NONE with NEIGH_REFUSED.
	 */
	void (*settled)(void *arg, uint16_t iface, const struct addr *addr, uint32_t index,
		enum neigh_outcome outcome);
};

struct neigh_info { /* what the control core knows of an entry, for show */
	uint16_t iface;
	uint8_t state; /* enum neigh_state */
	uint8_t tries;
	bool router; /* IPv6: it says that it is one */
	struct addr addr;
	uint32_t pins;
	struct rte_ether_addr mac;
	uint64_t since_ms;    /* when this state began */
	uint64_t used_ms;     /* last seen in use */
	uint64_t deadline_ms; /* next step */
};

enum neigh_own_state { NEIGH_OWN_TENTATIVE, NEIGH_OWN_USABLE, NEIGH_OWN_DUPLICATE };

struct neigh_db;

/* max: entries of each family (0: none of it). qsv: the workers' RCU variable; entries and indices
 * are reused after a grace period. seed: of all that is random. NULL when out of memory. */
struct neigh_db *neigh_db_new(const uint32_t max[NEIGH_FAMILIES], struct rte_rcu_qsbr *qsv,
	const struct neigh_conf conf[NEIGH_FAMILIES], const struct neigh_ops *ops, uint64_t seed);
void neigh_db_free(struct neigh_db *db);
const struct neigh_table *neigh_db_table(const struct neigh_db *db);
void neigh_db_configure(struct neigh_db *db, const struct neigh_conf conf[NEIGH_FAMILIES]);

/* Ports of the running configuration: called before anything else and with each new set of them.
 * Entries of interfaces that are gone, changed their MAC or VLAN, or whose address is no longer on
 * a subnet of theirs are deleted unless pinned; static ones follow their interface. IPv6 addresses
 * of ours that are new are tentative from here on. ports must live until the next call returns: it
 * compares both. */
void neigh_db_ports(struct neigh_db *db, const struct ports *ports, uint64_t now_ms);

/* The port's link is up or down; up until told otherwise. Down: what was learned on its interfaces
 * is forgotten, whoever waits is told, and nothing is asked. Up: pinned ones are asked for, our
 * addresses announced by ARP, and IPv6 addresses tentative anew (RFC 4862 section 5.4). */
void neigh_db_link(struct neigh_db *db, uint16_t port, bool up, uint64_t now_ms);

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
/* The same for a message of neighbour discovery, as nd_read read it; of router advertisements and
 * redirects nothing is learned. */
int neigh_db_nd(struct neigh_db *db, uint16_t iface, const struct nd *nd, uint64_t now_ms);

/* Gratuitous ARP for every IPv4 address of the interface (start, link up). */
void neigh_db_announce(struct neigh_db *db, uint16_t iface);

/* Moves the clock: retries, ageing, deletion. Returns at once when nothing is due. */
void neigh_db_tick(struct neigh_db *db, uint64_t now_ms);

/* Calls fn for each entry, by index. */
void neigh_db_each(const struct neigh_db *db,
	void (*fn)(void *arg, uint32_t index, const struct neigh_info *info), void *arg);
/* Is IPv6 off on that interface, because its link-local address, made from the MAC, is a duplicate
 * (RFC 4862 section 5.4.5)? */
bool neigh_db_ip6_off(const struct neigh_db *db, uint16_t iface);
/* Calls fn for each IPv6 address of ours, by interface. */
void neigh_db_own_each(const struct neigh_db *db,
	void (*fn)(void *arg, uint16_t iface, const struct addr *addr, enum neigh_own_state state),
	void *arg);
