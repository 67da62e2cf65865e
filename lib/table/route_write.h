/* Routes, writer's side: builds a table from a list. Control core or builder thread; allocates
 * (32 MiB and more of DPDK's memory for each family, hence one at a time).
 */
#pragma once

#include "table/route.h"

#include <stddef.h>

struct route_path {
	uint16_t iface; /* interface id */
	struct addr gw; /* unspecified: directly connected */
	uint32_t neigh; /* index in the neighbour table where gw is set */
	uint8_t zone;   /* of iface */
};

struct route_in {
	struct prefix to; /* host bits zero */
	uint8_t type;     /* NH_LOCAL, NH_VIA (paths), NH_CONNECTED, NH_BROADCAST, ... */
	uint8_t origin;
	uint16_t n_paths; /* 1 for NH_LOCAL, NH_CONNECTED, NH_BROADCAST: its interface */
	struct route_path *paths;
};

/* The list may hold the same prefix more than once: the first one wins. NULL on failure with a
 * sentence in why. */
struct routes *routes_build(
	const struct route_in *in, uint32_t n, int socket, char *why, size_t why_size);
void routes_free(struct routes *r); /* NULL is permitted */
