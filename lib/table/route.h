/* IPv4 routes, reader's side: destination -> next hop. Immutable, part of the root (root.h); read
 * by workers within one walk and by the control core. Writer: route_write.h.
 */
#pragma once

#include "wire/addr.h"

#include <rte_fib.h>
#include <stdint.h>

#define NEXTHOPS_MAX 32767 /* what a 2-byte entry of rte_fib holds */

enum nexthop_type {
	NH_NONE,      /* no route; always index 0 */
	NH_LOCAL,     /* an address of ours */
	NH_CONNECTED, /* on iface; the neighbour is the destination */
	NH_VIA,       /* on iface; the neighbour is gw */
	NH_GROUP,     /* ECMP: n members from index first */
	NH_BROADCAST, /* the broadcast (or network) address of a connected subnet on iface */
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
	uint32_t gw;  /* NH_VIA, host byte order */
	uint8_t zone; /* of iface: RULE_SECURE or RULE_NONSECURE */
	uint8_t reserved[3];
};

struct route { /* for showing, in the order of prefixes */
	struct prefix4 to;
	uint16_t nh;
	uint8_t origin; /* enum route_origin */
};
enum route_origin { ROUTE_CONNECTED, ROUTE_STATIC };

struct routes {
	struct rte_fib *fib;
	uint32_t n_nh, n_routes;
	struct nexthop *nh;
	struct route *route;
};

/* n destinations (host byte order) to indices in nh. Any thread. */
static inline void routes_lookup(const struct routes *r, uint32_t dst[], uint64_t nh[], unsigned n)
{
	rte_fib_lookup_bulk(r->fib, dst, nh, (int)n);
}
