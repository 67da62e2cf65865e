/* What the files of the routing table's writer share. For this room alone.
 */
#pragma once

#include "table/route_write.h"

/* IPv4 before IPv6, each by address, then by length: so a prefix stands before what lies in it. */
int route_compare(const struct prefix *a, const struct prefix *b);

/* --- route_fib.c: the lookup tables, one for each family */

/* What a sorted list of prefixes needs of DPDK's tables. */
struct route_need {
	uint32_t n4, n6;         /* prefixes */
	uint32_t nodes4, nodes6; /* of the radix tree that rte_fib keeps beside its table */
	uint32_t tbl8_4, tbl8_6; /* groups of 256 for what is longer than /24 */
};
struct route_need route_fib_measure(const struct route *route, uint32_t n);

/* Makes r->fib and r->fib6 for the sorted list r->route and fills them. 0, or -1 with a sentence in
 * why; what was made stays in r, for routes_free. */
int route_fib_make(struct routes *r, int socket, char *why, size_t why_size);
