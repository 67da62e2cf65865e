/* Routes and their next hops as the API shows them: for show.routes and filter.test.
 *
 * For this room alone. Control core, which writes neighbours and owns the root.
 */
#pragma once

#include "table/root.h"
#include "table/route_write.h"

#include <jansson.h>
#include <stdbool.h>

/* The next hop of an index, NULL when the table has no such entry. */
const struct nexthop *routing_hop(const struct routes *r, uint32_t nh);
/* "via", "connected", "local", "broadcast", "blackhole", ..., "multipath" for a group. */
const char *routing_type(const struct routes *r, uint32_t nh);
/* The members of a group, or the hop itself: pointers into the table. Returns how many (at most
 * max). */
unsigned routing_members(
	const struct routes *r, uint32_t nh, const struct nexthop *member[], unsigned max);
#define ROUTING_MEMBERS_MAX 255

/* [{"via", "interface", "neighbour": state}]; empty for routes that lead nowhere. */
json_t *routing_hops(const struct root *root, uint32_t nh);
json_t *routing_hop_json(const struct root *root, const struct nexthop *h);
/* The same of a route in the list: with those that are down ("link"), which the workers' table has
 * not. */
const char *routing_set_type(const struct route_db *db, uint32_t hops);
json_t *routing_set_hops(const struct route_db *db, const struct root *root, uint32_t hops);
/* What is known of a neighbour: "reachable", "incomplete", ..., "unknown". */
const char *routing_neigh_state(uint8_t state);

/* Next hop index of a destination, as a worker finds it; 0: none. */
uint32_t routing_lookup(const struct routes *r, const struct addr *dst);
/* Whether it leaves by that interface by some member. */
bool routing_leaves_by(const struct routes *r, uint32_t nh, uint16_t iface);
