/* Ports and interfaces, reader's side: which interface a frame belongs to, and what that interface
 * is. Immutable, part of the root (root.h); read by workers within one walk and by the control
 * core.
 *
 * A *port* is a DPDK device; its id is fixed until the daemon ends. An *interface* is a port
 * without a VLAN tag, or one 802.1Q tag of it, or an 802.1ad tag with or without an 802.1Q tag
 * within. Interface ids are stable over reloads by name.
 */
#pragma once

#include "wire/addr.h"
#include "wire/ra.h"

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

#define PORTS_MAX 32
#define IFACES_MAX 1025 /* interface 0 is "none" */
#define IFACE_NONE 0
#define IFACE_NAME_MAX 32
#define IFACE_NO_PORT UINT16_MAX
#define VLANS 4096
#define IFACE_HDR_MAX 22                     /* Ethernet header with two tags */
#define ETHER_TYPE_SVLAN RTE_ETHER_TYPE_QINQ /* 802.1ad: 0x88a8 */

enum iface_flag {
	IFACE_UP = 1,            /* configured and enabled */
	IFACE_URPF_LOOSE = 2,    /* a route back must exist */
	IFACE_URPF_STRICT = 4,   /* ... and leave by this interface */
	IFACE_BCAST_FORWARD = 8, /* directed broadcast goes out of it */
	IFACE_IP6 = 16,          /* has IPv6 addresses, ll among them */
	IFACE_TUNNEL = 32,       /* no port: what it sends is protected by its tunnel */
};

struct iface {
	uint16_t id;
	uint16_t port;       /* DPDK port id; IFACE_TUNNEL: IFACE_NO_PORT */
	uint16_t vlan;       /* 802.1Q tag; 0: none */
	uint16_t outer_vlan; /* 802.1ad tag around it; 0: none */
	uint16_t mtu;
	uint16_t tunnel; /* IFACE_TUNNEL: its id (table/tunnel.h) */
	uint8_t zone;    /* RULE_SECURE or RULE_NONSECURE */
	uint8_t flags;   /* enum iface_flag */
	struct rte_ether_addr mac;
	/* Set by ports_index from the addresses below. */
	rte_be32_t addr;   /* first IPv4 address, source of what we send; 0: none */
	struct addr addr6; /* first IPv6 address that isn't ll, else ll; with IFACE_IP6 */
	struct addr ll;    /* IPv6 link-local address; with IFACE_IP6 */
	/* Addresses with their subnets, of both families, in the order of the configuration. A
	 * link-local address that was formed from the MAC stands at the end. */
	uint16_t n_addrs;
	struct prefix *addrs;  /* owned */
	uint8_t dad_transmits; /* RFC 4862 section 5.1 */
	struct ra *ra;         /* owned; NULL: no router advertisements */
	char name[IFACE_NAME_MAX];
};

struct port_entry {
	struct rte_ether_addr mac;
	uint16_t untagged; /* interface id or IFACE_NONE */
	uint16_t *vlan;    /* [VLANS] interface ids by the only tag; NULL: there is none */
	/* [VLANS] by the outer tag: [VLANS] ids by the inner one, 0 for none; NULL: there is none
	 */
	uint16_t **outer;
	char name[IFACE_NAME_MAX];
};

/* With a thousand addresses of ours, one in five others is looked for in vain. */
#define OWN6_BITS 4096

struct ports {
	uint16_t n_ports, n_ifaces; /* n_ifaces: highest id + 1 */
	/* Set by ports_index: the bits own_bit(a) and own6_bit(a) of each address a of ours on an
	 * interface that is up. Link-local addresses have none. */
	uint64_t own[8], own6[OWN6_BITS / 64];
	struct port_entry port[PORTS_MAX];
	struct iface iface[IFACES_MAX]; /* by id; id 0 and holes have no IFACE_UP */
};

/* Which of 512 bits stands for an address (network byte order). */
static inline unsigned own_bit(rte_be32_t addr)
{
	return addr * 0x9e3779b1u >> 23;
}

/* Which of OWN6_BITS stands for an IPv6 address, wherever it lies. */
static inline unsigned own6_bit(const uint8_t addr[16])
{
	uint64_t q[2];

	memcpy(q, addr, sizeof(q));
	return (unsigned)((q[0] * 0x9e3779b97f4a7c15u ^ q[1]) * 0xff51afd7ed558ccdu >> 52);
}

/* False: certainly none of our addresses. True: ask ports_is_own. Workers, per packet. */
static inline bool ports_maybe_own(const struct ports *p, rte_be32_t addr)
{
	unsigned bit = own_bit(addr);

	return p->own[bit / 64] >> (bit % 64) & 1;
}

/* The same for an IPv6 address that isn't link-local: ask ports_is_own6. */
static inline bool ports_maybe_own6(const struct ports *p, const uint8_t addr[16])
{
	unsigned bit = own6_bit(addr);

	return p->own6[bit / 64] >> (bit % 64) & 1;
}

/* One of our addresses, on an interface that is up. Network byte order. Any thread. */
bool ports_is_own(const struct ports *p, rte_be32_t addr);

/* The same for IPv6. A link-local address is ours on the interface of that id alone. Workers may
 * ask for any packet: most answers need no walk over the interfaces. */
bool ports_is_own6(const struct ports *p, uint16_t iface, const uint8_t addr[16]);

/* Is that an address of the interface, and the interface up? Any thread. */
bool iface_has_addr(const struct iface *f, const struct addr *addr);

/* The IPv6 address that an answer to `to` is sent from, when the question was for none of ours and
 * came by that interface: of its scope, and of the interface where it has one (RFC 6724 rules 2 and
 * 5). False: there is none. Any thread. */
bool ports_source6(const struct ports *p, uint16_t iface, const struct addr *to, struct addr *from);

/* The anycast address of the routers of a subnet of that interface (RFC 4291 section 2.6.1), of
 * which we are one? A /127 has none (RFC 6164 section 6). Any thread. */
bool iface_is_anycast(const struct iface *f, const uint8_t addr[16]);

/* Have we joined that IPv6 multicast group there? All nodes and all routers of the link (ff02::1,
 * ff02::2) and the solicited-node groups of our addresses, and of those that each router of a
 * subnet has (RFC 4291 section 2.8). Any thread. */
bool iface_has_group(const struct iface *f, const uint8_t addr[16]);

/* The groups that it has joined and that others must know of: all but ff02::1, which RFC 3810
 * section 6 leaves out. Each once, at most max; returns how many. IFACE_GROUPS_MAX(f) hold all. Any
 * thread. */
#define IFACE_GROUPS_MAX(f) (1u + 2u * (f)->n_addrs)
unsigned iface_groups(const struct iface *f, struct addr group[], unsigned max);

/* The interface with just these tags (VLAN ids, 0: no such tag), or IFACE_NONE. Workers. */
static inline uint16_t port_find(const struct port_entry *p, uint16_t outer, uint16_t vlan)
{
	if (outer)
		return p->outer && p->outer[outer] ? p->outer[outer][vlan] : IFACE_NONE;
	if (vlan)
		return p->vlan ? p->vlan[vlan] : IFACE_NONE;
	return p->untagged;
}

/* Makes id the interface with these tags, each below VLANS. 0 or -ENOMEM. For who builds. */
int port_add(struct port_entry *p, uint16_t outer, uint16_t vlan, uint16_t id);
/* Frees what port_add made. */
void port_fini(struct port_entry *p);

/* Writes the Ethernet header of a frame that leaves by f, with its tags, and returns its length:
 * 14, 18 or 22 bytes. hdr has room for IFACE_HDR_MAX. Any thread. */
unsigned iface_header(const struct iface *f, const struct rte_ether_addr *dst, rte_be16_t type,
	uint8_t hdr[IFACE_HDR_MAX]);

/* The interface with that name, or NULL. Any thread. */
const struct iface *ports_find(const struct ports *p, const char *name);

/* The link-local address of a MAC address: RFC 4291 section 2.5.6, with the modified EUI-64 of
 * appendix A. */
struct addr iface_eui64(const struct rte_ether_addr *mac);

/* Sets what follows from the interfaces' addresses and flags: addr, addr6, ll and IFACE_IP6 of
 * each, own and own6. Whoever made the table calls it once, before anyone else sees the table. */
void ports_index(struct ports *p);
