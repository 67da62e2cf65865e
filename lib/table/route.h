/* Routes of both families, reader's side: destination -> next hop. Immutable, part of the root
 * (root.h); read by workers within one walk and by the control core. Writer: route_write.h.
 *
 * Link-local destinations (fe80::/10) and multicast are not routed by this table: they say nothing
 * without an interface (RFC 4291 section 2.5.6, 2.7), so whoever has the packet decides.
 */
#pragma once

#include "wire/addr.h"

#include <rte_fib.h>
#include <rte_fib6.h>
#include <stdint.h>
#include <string.h>

#define NEXTHOPS_MAX 32767 /* different ones of routes; what a 2-byte entry of rte_fib holds */
#define NEXTHOPS_ALL 65535 /* with the members of groups; struct meta has 16 bits for them */

enum nexthop_type {
	NH_NONE,      /* no route; always index 0 */
	NH_LOCAL,     /* an address of ours */
	NH_CONNECTED, /* on iface; the neighbour is the destination */
	NH_VIA,       /* on iface; the neighbour is gw */
	NH_GROUP,     /* ECMP: n members from index first */
	NH_BROADCAST, /* the broadcast (or network) address of a connected IPv4 subnet on iface */
	NH_BLACKHOLE,
	NH_UNREACHABLE, /* ICMP host unreachable */
	NH_PROHIBIT,    /* ICMP administratively prohibited */
};

struct nexthop {
	uint8_t type;
	uint8_t n;      /* NH_GROUP: members */
	uint16_t iface; /* interface id */
	union {
		uint32_t neigh; /* NH_VIA: index in the neighbour table, pinned while this table
				   lives */
		uint32_t first; /* NH_GROUP */
	};
	struct addr gw; /* NH_VIA; IPv6: may be link-local */
	uint8_t zone;   /* of iface: RULE_SECURE or RULE_NONSECURE */
	uint8_t reserved[7];
};
_Static_assert(sizeof(struct nexthop) == 32, "two in a cache line");

/* One of the two copies that the writer keeps (route_write.h). */
struct routes {
	struct rte_fib *fib;
	struct rte_fib6 *fib6; /* NULL: no IPv6 route at all */
	uint32_t n_nh;
	struct nexthop *nh; /* what the lookups find, then the members of groups */
};

/* n destinations (host byte order) to indices in nh. Any thread. */
static inline void routes_lookup(const struct routes *r, uint32_t dst[], uint64_t nh[], unsigned n)
{
	rte_fib_lookup_bulk(r->fib, dst, nh, (int)n);
}

/* The same for IPv6 addresses, network byte order. */
static inline void routes_lookup6(
	const struct routes *r, uint8_t dst[][16], uint64_t nh[], unsigned n)
{
	if (r->fib6 != NULL)
		rte_fib6_lookup_bulk(r->fib6, dst, nh, (int)n);
	else
		memset(nh, 0, n * sizeof(nh[0]));
}
