/* Routes for tests: a plain list, as text would give it, goes into a route_db in one transaction,
 * as a configuration does.
 */
#pragma once

#include "table/route_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct route_in {
	struct prefix to;
	uint8_t type, origin;
	uint16_t n_paths;
	struct route_path *paths;
};

static inline bool keep_all(void *arg, uint32_t hops)
{
	return true;
}

static inline void none_gone(void *arg, const struct prefix *to)
{
	abort();
}

/* All interfaces are up, odd ones secure. */
static inline const struct route_iface *all_up(void)
{
	static struct route_iface iface[IFACES_MAX];

	for (unsigned i = 1; i < IFACES_MAX; i++)
		iface[i] = (struct route_iface){.up = true, .zone = 1 + !(i & 1)};
	return iface;
}

/* What follows route_db_work. */
static inline void route_whole(struct route_db *db)
{
	char why[256];

	if (route_db_next(db) != NULL)
		route_db_swapped(db);
	if (route_db_catch_up(db, why, sizeof(why)) != 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	route_db_finish(db);
}

/* The list instead of what the configuration said before. 0, or -1 with a sentence. */
static inline int route_load(
	struct route_db *db, const struct route_in *in, uint32_t n, char *why, size_t why_size)
{
	struct route_reload reload = {
		.iface = all_up(), .n = n, .keep = keep_all, .gone = none_gone};
	static uint32_t map[NEXTHOPS_MAX + 1];
	int ret = 0;

	for (uint32_t i = 0; i <= NEXTHOPS_MAX; i++)
		map[i] = i;
	reload.map = map;
	reload.base = calloc(n + 1ul, sizeof(*reload.base));
	for (uint32_t i = 0; i < n && ret == 0; i++) {
		uint32_t hops =
			route_db_hops(db, in[i].type, in[i].paths, in[i].n_paths, 1, why, why_size);

		reload.base[i] =
			(struct route){.to = in[i].to, .hops = hops, .origin = in[i].origin};
		ret = hops ? 0 : -1;
	}
	if (ret != 0)
		reload.n = 0;
	route_db_begin_reload(db, &reload);
	if (ret == 0)
		ret = route_db_work(db, why, why_size);
	route_whole(db);
	return ret;
}
