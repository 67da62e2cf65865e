/* Ports and interfaces, reader's side: which interface a frame belongs to, and what that interface
 * is. Immutable, part of the root (root.h); read by workers within one walk and by the control
 * core.
 *
 * A *port* is a DPDK device; its id is fixed until the daemon ends. An *interface* is a port
 * without a VLAN tag, or one 802.1Q tag of it. Interface ids are stable over reloads by name.
 */
#pragma once

#include "wire/addr.h"

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

#define PORTS_MAX 32
#define IFACES_MAX 1025 /* interface 0 is "none" */
#define IFACE_NONE 0
#define IFACE_NAME_MAX 32

enum iface_flag {
	IFACE_UP = 1,            /* configured and enabled */
	IFACE_URPF_LOOSE = 2,    /* a route back must exist */
	IFACE_URPF_STRICT = 4,   /* ... and leave by this interface */
	IFACE_BCAST_FORWARD = 8, /* directed broadcast goes out of it */
};

struct iface {
	uint16_t id;
	uint16_t port; /* DPDK port id */
	uint16_t vlan; /* 0: untagged */
	uint16_t mtu;
	uint8_t zone;  /* RULE_SECURE or RULE_NONSECURE */
	uint8_t flags; /* enum iface_flag */
	struct rte_ether_addr mac;
	rte_be32_t addr;       /* first address, source of what we send; 0: none */
	uint16_t n_addrs;      /* for ARP and show */
	struct prefix4 *addrs; /* owned */
	char name[IFACE_NAME_MAX];
};

struct port_entry {
	struct rte_ether_addr mac;
	uint16_t untagged; /* interface id or IFACE_NONE */
	uint16_t *vlan;    /* 4096 interface ids; NULL when the port has no tagged interface */
	char name[IFACE_NAME_MAX];
};

struct ports {
	uint16_t n_ports, n_ifaces; /* n_ifaces: highest id + 1 */
	uint64_t own[8];            /* bit own_bit(a) is set for each address a of ours */
	struct port_entry port[PORTS_MAX];
	struct iface iface[IFACES_MAX]; /* by id; id 0 and holes have no IFACE_UP */
};

/* Which of 512 bits stands for an address (network byte order). */
static inline unsigned own_bit(rte_be32_t addr)
{
	return addr * 0x9e3779b1u >> 23;
}

/* False: certainly none of our addresses. True: ask ports_is_own. Workers, per packet. */
static inline bool ports_maybe_own(const struct ports *p, rte_be32_t addr)
{
	unsigned bit = own_bit(addr);

	return p->own[bit / 64] >> (bit % 64) & 1;
}

/* One of our addresses, on an interface that is up. Network byte order. Any thread. */
bool ports_is_own(const struct ports *p, rte_be32_t addr);

/* The interface with that name, or NULL. Any thread. */
const struct iface *ports_find(const struct ports *p, const char *name);
