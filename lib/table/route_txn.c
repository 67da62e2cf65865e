/* The life of a transaction on the routes: begin, work, swap, catch up, finish; and what workers
 * see of next hops. See route_write.h for who calls what on which thread.
 */
#include "table/route_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANEW_FROM 20000 /* so many changes, and half of what there is: make it anew */

struct route_db *route_db_new(struct neigh_db *neigh, int socket)
{
	struct route_db *db = calloc(1, sizeof(*db));

	if (db == NULL)
		return NULL;
	db->hops = route_hops_new();
	if (db->hops == NULL) {
		free(db);
		return NULL;
	}
	pthread_mutex_init(&db->lock, NULL);
	db->neigh = neigh;
	db->socket = socket;
	for (unsigned i = 0; i < 2; i++)
		db->copy[i].stale4 = db->copy[i].stale6 = true;
	return db;
}

static void unpin(struct route_db *db, uint32_t hops)
{
	const struct route_hop_set *set = route_hops_get(db->hops, hops);

	for (unsigned i = 0; db->neigh != NULL && i < set->n; i++)
		if (set->path[i].neigh != NEIGH_NONE)
			neigh_db_unpin(db->neigh, set->path[i].neigh);
}

void route_db_free(struct route_db *db)
{
	if (db == NULL)
		return;
	for (uint32_t i = 1; i < route_hops_end(db->hops); i++)
		if (route_hops_get(db->hops, i) != NULL)
			unpin(db, i);
	for (unsigned i = 0; i < 2; i++)
		route_copy_fini(&db->copy[i]);
	route_list_fini(&db->list);
	route_list_fini(&db->next);
	route_hops_free(db->hops);
	free(db->reload.base);
	free(db->op);
	free(db->undo);
	pthread_mutex_destroy(&db->lock);
	free(db);
}

/* --- next hops */

bool route_db_path_up(const struct route_db *db, const struct route_path *path)
{
	return path->iface < IFACES_MAX && db->iface[path->iface].up;
}

static bool is_usable(const struct route_db *db, const struct route_hop_set *set)
{
	switch (set->type) {
	case NH_CONNECTED:
	case NH_VIA:
		for (unsigned i = 0; i < set->n; i++)
			if (route_db_path_up(db, &set->path[i]))
				return true;
		return false;
	case NH_BROADCAST: /* the limited one is of no interface */
		return set->path[0].iface == IFACE_NONE || route_db_path_up(db, &set->path[0]);
	default: /* our own addresses stay ours, and what leads nowhere needs no link */
		return true;
	}
}

/* Pins the gateways of a new answer. 0, or -1: no room among the neighbours. */
static int pin(struct route_db *db, uint32_t hops, uint64_t now_ms)
{
	const struct route_hop_set *set = route_hops_get(db->hops, hops);

	for (unsigned i = 0; i < set->n; i++) {
		struct route_path *path = &set->path[i];

		if (addr_is_unspecified(&path->gw) || db->neigh == NULL)
			continue;
		path->neigh = neigh_db_pin(db->neigh, path->iface, &path->gw, now_ms);
		if (path->neigh != NEIGH_NONE)
			continue;
		unpin(db, hops);
		return -1;
	}
	return 0;
}

static bool sound(uint8_t type, const struct route_path *path, unsigned n)
{
	bool paths = type == NH_VIA,
	     one = type == NH_LOCAL || type == NH_CONNECTED || type == NH_BROADCAST;

	if (!paths && !one && type != NH_BLACKHOLE && type != NH_UNREACHABLE && type != NH_PROHIBIT)
		return false;
	if (paths ? n < 1 || n > ROUTE_PATHS_MAX : n != one)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (path[i].iface >= IFACES_MAX ||
			(path[i].iface == IFACE_NONE && type != NH_BROADCAST))
			return false;
	return true;
}

uint32_t route_db_hops(struct route_db *db, uint8_t type, const struct route_path *path, unsigned n,
	uint64_t now_ms, char *why, size_t why_size)
{
	uint32_t end = route_hops_end(db->hops);
	int hops;

	if (!sound(type, path, n)) {
		snprintf(why, why_size, "type %u with %u next hops makes no sense", type, n);
		return 0;
	}
	hops = route_hops_index(db->hops, type, path, n);
	if (hops == -ENOSPC)
		snprintf(why, why_size, "there are more than %u different next hops", NEXTHOPS_MAX);
	else if (hops < 0)
		snprintf(why, why_size, "no memory for another next hop");
	if (hops < 0)
		return 0;
	if ((uint32_t)hops < end && db->known[hops])
		return (uint32_t)hops;
	if (pin(db, (uint32_t)hops, now_ms) < 0) {
		route_hops_drop(db->hops, (uint32_t)hops);
		snprintf(why, why_size,
			"the table of neighbours has no room for another next hop "
			"(arp.entries-max, "
			"nd.entries-max)");
		return 0;
	}
	db->known[hops] = true;
	db->usable[hops] = is_usable(db, route_hops_get(db->hops, (uint32_t)hops));
	return (uint32_t)hops;
}

const struct route_hop_set *route_db_hop_set(const struct route_db *db, uint32_t hops)
{
	return route_hops_get(db->hops, hops);
}

/* --- begin */

void route_db_begin_changes(struct route_db *db, struct route_request *first)
{
	db->txn = ROUTE_CHANGES;
	db->first = first;
}

static void interfaces(struct route_db *db, const struct route_iface *iface)
{
	memcpy(db->iface, iface, sizeof(db->iface));
	for (uint32_t i = 1; i < route_hops_end(db->hops); i++) {
		const struct route_hop_set *set = route_hops_get(db->hops, i);
		bool now = set != NULL && is_usable(db, set);

		db->turned[i] = now != db->usable[i];
		db->usable[i] = now;
	}
}

void route_db_begin_link(struct route_db *db, const struct route_iface *iface)
{
	db->txn = ROUTE_LINK;
	interfaces(db, iface);
}

void route_db_begin_reload(struct route_db *db, const struct route_reload *reload)
{
	db->txn = ROUTE_RELOAD;
	db->reload = *reload;
	memcpy(db->iface_before, db->iface, sizeof(db->iface));
	interfaces(db, reload->iface);
}

/* --- work */

static struct nexthop nexthop_of(
	const struct route_db *db, const struct route_hop_set *set, const struct route_path *path)
{
	struct nexthop nh = {.type = set->type};

	if (path == NULL)
		return nh;
	nh.iface = path->iface;
	nh.zone = db->iface[path->iface].zone;
	if (set->type == NH_VIA && addr_is_unspecified(&path->gw)) {
		nh.type = NH_CONNECTED;
	} else if (set->type == NH_VIA) {
		nh.neigh = path->neigh;
		nh.gw = path->gw;
	}
	return nh;
}

/* The workers' array: an entry for each answer under its index; behind them the members of groups,
 * as far as they are up. */
static int make_nexthops(struct route_db *db, struct routes *r)
{
	uint32_t end = route_hops_end(db->hops), n = end;
	struct nexthop *nh;

	for (uint32_t i = 1; i < end; i++) {
		const struct route_hop_set *set = route_hops_get(db->hops, i);

		n += set != NULL && set->n > 1 ? set->n : 0;
	}
	nh = aligned_alloc(64, RTE_ALIGN_CEIL(n * sizeof(*nh), 64));
	if (nh == NULL)
		return -ENOMEM;
	memset(nh, 0, n * sizeof(*nh));
	n = end;
	for (uint32_t i = 1; i < end; i++) {
		const struct route_hop_set *set = route_hops_get(db->hops, i);
		uint32_t first = n;

		if (set == NULL)
			continue;
		if (set->n == 0)
			nh[i] = nexthop_of(db, set, NULL);
		for (unsigned k = 0; k < set->n; k++)
			if (set->n == 1 || route_db_path_up(db, &set->path[k]))
				nh[set->n == 1 ? i : n++] = nexthop_of(db, set, &set->path[k]);
		if (set->n > 1 && n == first + 1)
			nh[i] = nh[--n];
		else if (n > first)
			nh[i] = (struct nexthop){
				.type = NH_GROUP, .n = (uint8_t)(n - first), .first = first};
	}
	free(r->nh);
	r->nh = nh;
	r->n_nh = n;
	return 0;
}

/* Makes a copy say what the list says. */
static int follow(struct route_db *db, struct route_copy *c, const struct route_list *l, char *why,
	size_t why_size)
{
	if (db->anew || (db->n_ops > ANEW_FROM && db->n_ops > l->n / 2))
		c->stale4 = c->stale6 = true;
	if (route_copy_apply(c, db->op, db->n_ops) != 0) {
		db->rebuilds++;
		if (route_copy_rebuild(c, l, db->socket, why, why_size) != 0)
			return -1;
	}
	if (make_nexthops(db, &c->r) == 0)
		return 0;
	snprintf(why, why_size, "no memory for the next hops");
	return -1;
}

static void count_refs(struct route_db *db, const struct route_list *l)
{
	memset(db->refs, 0, sizeof(db->refs));
	for (uint32_t b = 0; b < l->n_blocks; b++)
		for (uint32_t i = 0; i < l->block[b].n; i++)
			db->refs[l->block[b].r[i].hops]++;
}

/* The list is as before; the idle copy need not be. */
static void take_back(struct route_db *db, const char *why)
{
	struct route_copy *idle = &db->copy[1 - db->live], *live = &db->copy[db->live];

	db->failed = true;
	idle->stale4 = idle->stale6 = true;
	switch (db->txn) {
	case ROUTE_CHANGES:
		route_db_undo(db, 0, 0);
		for (struct route_request *req = db->first; req != NULL; req = req->next) {
			if (req->status != 0)
				continue;
			req->status = -ENOMEM;
			req->bad = 0;
			snprintf(req->why, sizeof(req->why), "%s", why);
		}
		break;
	case ROUTE_LINK: /* links are as they are: the list is right, and the tables must follow */
		live->stale4 = live->stale6 = true;
		break;
	case ROUTE_RELOAD:
		interfaces(db, db->iface_before);
		break;
	case ROUTE_IDLE:
		break;
	}
}

int route_db_work(struct route_db *db, char *why, size_t why_size)
{
	bool reload = db->txn == ROUTE_RELOAD;
	int ret = 0;

	if (db->txn == ROUTE_CHANGES)
		route_db_changes(db);
	else if (db->txn == ROUTE_LINK)
		route_db_relink(db);
	else if (route_db_reread(db) < 0) {
		snprintf(why, why_size, "no memory for %u routes", db->reload.n);
		ret = -1;
	}
	if (ret == 0 && db->txn == ROUTE_CHANGES && db->n_ops == 0 && !db->anew)
		return 0; /* nothing that a worker would see */
	if (ret == 0)
		ret = follow(
			db, &db->copy[1 - db->live], reload ? &db->next : &db->list, why, why_size);
	if (ret != 0) {
		take_back(db, why);
		return -1;
	}
	db->changed = true;
	if (reload) {
		struct route_list old = db->list;

		pthread_mutex_lock(&db->lock);
		db->list = db->next;
		pthread_mutex_unlock(&db->lock);
		db->next = old;
		count_refs(db, &db->list);
	}
	return 0;
}

/* --- swap, catch up, finish */

const struct routes *route_db_next(const struct route_db *db)
{
	return db->changed ? &db->copy[1 - db->live].r : NULL;
}

void route_db_swapped(struct route_db *db)
{
	db->live = 1 - db->live;
}

int route_db_catch_up(struct route_db *db, char *why, size_t why_size)
{
	struct route_copy *c = &db->copy[1 - db->live];

	if (!db->changed || follow(db, c, &db->list, why, why_size) == 0)
		return 0;
	c->stale4 = c->stale6 = true;
	return -1;
}

void route_db_finish(struct route_db *db)
{
	for (uint32_t i = 1; i < route_hops_end(db->hops); i++) {
		if (!db->known[i] || db->refs[i] != 0)
			continue;
		unpin(db, i);
		route_hops_drop(db->hops, i);
		db->known[i] = db->usable[i] = false;
	}
	memset(db->turned, 0, sizeof(db->turned));
	route_list_fini(&db->next);
	free(db->reload.base);
	db->reload = (struct route_reload){0};
	db->first = NULL;
	db->n_ops = db->n_undo = 0;
	db->txn = ROUTE_IDLE;
	db->failed = db->changed = db->anew = false;
	if (db->ops_room > 4096) { /* of a large change; the next is a small one */
		free(db->op);
		db->op = NULL;
		db->ops_room = 0;
	}
}

const struct routes *route_db_live(const struct route_db *db)
{
	return &db->copy[db->live].r;
}

struct route_db_stats route_db_stats(const struct route_db *db)
{
	struct route_db_stats s = {.rebuilds = db->rebuilds};

	for (unsigned i = 0; i < 2; i++)
		s.bytes += db->copy[i].bytes4 + db->copy[i].bytes6;
	return s;
}
