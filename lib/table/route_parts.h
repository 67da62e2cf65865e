/* What the files of the routing table's writer share. For this room alone.
 */
#pragma once

#include "table/route_write.h"

/* --- route_list.c: routes in order, in blocks, so that one is found, put in or taken out in a
 * microsecond, and counted to in some twenty, whether there are ten or millions */

#define ROUTE_BLOCK 256

struct route_block {
	struct route *r; /* [ROUTE_BLOCK] */
	uint32_t n;      /* never 0 */
};

struct route_list {
	struct route_block *block;
	uint32_t n_blocks, room;
	uint32_t n;
};

struct route_at { /* a place in the list; valid until the list changes */
	uint32_t block, i;
};

/* IPv4 before IPv6, each by address, then by length: so a prefix stands before what lies in it. */
int route_compare(const struct prefix *a, const struct prefix *b);
void route_list_fini(struct route_list *l);
/* The first route that is not before that prefix and origin. */
struct route_at route_list_lower(
	const struct route_list *l, const struct prefix *to, uint8_t origin);
/* NULL behind the last. */
struct route *route_list_get(const struct route_list *l, struct route_at at);
struct route_at route_list_next(const struct route_list *l, struct route_at at);
struct route_at route_list_nth(const struct route_list *l, uint32_t n);
struct route *route_list_find(const struct route_list *l, const struct prefix *to, uint8_t origin);
/* In its place, where none of its prefix and origin is. 0 or -ENOMEM. */
int route_list_insert(struct route_list *l, const struct route *r);
/* Behind all others. 0 or -ENOMEM. */
int route_list_append(struct route_list *l, const struct route *r);
void route_list_remove(struct route_list *l, struct route_at at);

/* --- route_fib.c: a copy of the lookup tables, one for each family */

struct route_fib_op { /* a change of what is active */
	struct prefix to;
	uint32_t was, hops; /* 0: none */
};

struct route_copy {
	struct routes r;     /* what readers see */
	bool stale4, stale6; /* does not say what the list says: to be made anew */
	uint32_t rebuilds;
	uint64_t bytes4, bytes6; /* of DPDK's memory, about */
};

/* What is made anew has room for some growth. 0, or -1 with a sentence in why: it stays stale. */
int route_copy_rebuild(
	struct route_copy *c, const struct route_list *l, int socket, char *why, size_t why_size);
/* In order. 0, or -1: stale. */
int route_copy_apply(struct route_copy *c, const struct route_fib_op *op, size_t n);
void route_copy_fini(struct route_copy *c);
