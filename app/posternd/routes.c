/* The configuration's routes: what its text says (on the builder thread, which may take its time),
 * and what it means for the interfaces there are (control core). routing.c has the transactions.
 */
#include "app.h"

#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the builder thread */

struct route_plan {
	struct route_hops *hops; /* interfaces by their index in the configuration, and 1 */
	struct route *route;     /* hops are those */
	uint32_t n;
};

void route_plan_free(struct route_plan *p)
{
	if (p == NULL)
		return;
	route_hops_free(p->hops);
	free(p->route);
	free(p);
}

static int plan_hops(struct route_plan *p, const struct conf_route *c)
{
	static const uint8_t type[] = {
		[CONF_ROUTE_VIA] = NH_VIA,
		[CONF_ROUTE_BLACKHOLE] = NH_BLACKHOLE,
		[CONF_ROUTE_UNREACHABLE] = NH_UNREACHABLE,
		[CONF_ROUTE_PROHIBIT] = NH_PROHIBIT,
	};
	struct route_path path[CONF_PATHS_MAX];

	for (unsigned i = 0; i < c->n_paths; i++)
		path[i] = (struct route_path){
			.iface = (uint16_t)(c->paths[i].iface + 1), .gw = c->paths[i].via};
	return route_hops_index(p->hops, type[c->kind], path, c->n_paths);
}

struct route_plan *route_plan_new(const struct conf *conf, char *why, size_t why_size)
{
	struct route_plan *p = calloc(1, sizeof(*p));

	if (p != NULL) {
		p->hops = route_hops_new();
		p->route = malloc((conf->n_routes + 1ul) * sizeof(*p->route));
	}
	if (p == NULL || p->hops == NULL || p->route == NULL)
		goto no_memory;
	for (; p->n < conf->n_routes; p->n++) {
		const struct conf_route *c = &conf->routes[p->n];
		int hops = plan_hops(p, c);

		if (hops == -ENOSPC) {
			snprintf(why, why_size,
				"%s:%u: routes[%u]: more than %u different next hops", conf->file,
				c->line, p->n, NEXTHOPS_MAX);
			route_plan_free(p);
			return NULL;
		}
		if (hops < 0)
			goto no_memory;
		p->route[p->n] =
			(struct route){.to = c->to, .hops = (uint32_t)hops, .origin = ROUTE_STATIC};
	}
	return p;
no_memory:
	snprintf(why, why_size, "no memory for %u routes", conf->n_routes);
	route_plan_free(p);
	return NULL;
}

/* --- the control core */

struct build {
	struct app *a;
	struct route_plan *plan;
	const struct ports *ports;
	uint32_t room;
	char *why;
	size_t why_size;
};

static int add(
	struct build *b, const struct addr *addr, unsigned len, uint8_t type, const struct iface *f)
{
	struct route_path path = {.iface = f->id};
	struct route_plan *p = b->plan;
	uint32_t hops = route_db_hops(
		b->a->routing.db, type, &path, 1, control_now_ms(), b->why, b->why_size);

	if (hops == 0)
		return -1;
	if (p->n >= b->room) {
		uint32_t room = p->n + p->n / 2 + 64;
		struct route *grown = realloc(p->route, room * sizeof(*grown));

		if (grown == NULL) {
			snprintf(b->why, b->why_size, "no memory for %u routes", room);
			return -1;
		}
		p->route = grown;
		b->room = room;
	}
	p->route[p->n++] = (struct route){.to = {addr_masked(addr, len), (uint8_t)len},
		.hops = hops,
		.origin = ROUTE_CONNECTED};
	return 0;
}

/* The first and the last address of an IPv4 subnet; IPv6 knows no broadcast. */
static int broadcasts(struct build *b, const struct prefix *on, const struct iface *f)
{
	uint32_t addr = addr_to4(&on->addr), mask = mask4(prefix_written_len(on));
	struct addr first = addr_of4(addr & mask), last = addr_of4(addr | ~mask);

	return add(b, &last, 128, NH_BROADCAST, f) | add(b, &first, 128, NH_BROADCAST, f);
}

enum connected { OUR_ADDRESS, BROADCAST, ANYCAST, SUBNET, CONNECTED_N };

static int connected_route(
	struct build *b, const struct prefix *on, const struct iface *f, enum connected kind)
{
	struct addr first = addr_masked(&on->addr, on->len);
	bool is4 = addr_is4(&on->addr);

	switch (kind) {
	case OUR_ADDRESS:
		return add(b, &on->addr, 128, NH_LOCAL, f);
	case BROADCAST:
		return is4 && on->len <= 96 + 30 ? broadcasts(b, on, f) : 0;
	case ANYCAST: /* of the subnet's routers (RFC 4291 section 2.6.1), of which we are one; a
			 /127 has none (RFC 6164 section 6) */
		return !is4 && on->len <= 126 ? add(b, &first, 128, NH_LOCAL, f) : 0;
	default:
		return on->len < 128 ? add(b, &on->addr, on->len, NH_CONNECTED, f) : 0;
	}
}

/* Our addresses first, then broadcast and anycast addresses, then subnets: the first of equal
 * prefixes counts. A link-local subnet is on every interface, so the table knows none. */
static int connected_routes(struct build *b)
{
	const struct iface *none = &b->ports->iface[IFACE_NONE];
	struct addr all = addr_of4(UINT32_MAX);

	for (enum connected kind = 0; kind < CONNECTED_N; kind++) {
		for (unsigned i = 1; i < b->ports->n_ifaces; i++) {
			const struct iface *f = &b->ports->iface[i];

			for (unsigned j = 0; f->flags & IFACE_UP && j < f->n_addrs; j++) {
				const struct prefix *on = &f->addrs[j];

				if (addr_is_link_local(&on->addr))
					continue;
				if (connected_route(b, on, f, kind) < 0)
					return -1;
			}
		}
	}
	return add(b, &all, 128, NH_BROADCAST, none);
}

/* What an answer of the plan is in the table; 0: nothing, all its interfaces are disabled. */
static int static_hops(
	struct build *b, const struct conf *conf, const struct route_hop_set *set, uint32_t *hops)
{
	struct route_path path[CONF_PATHS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < set->n; i++) {
		const struct conf_iface *out = &conf->ifaces[set->path[i].iface - 1];
		const struct iface *f = ports_find(b->ports, out->name);

		if (f != NULL && f->flags & IFACE_UP)
			path[n++] = (struct route_path){.iface = f->id, .gw = set->path[i].gw};
	}
	*hops = 0;
	if (set->type == NH_VIA && n == 0)
		return 0;
	*hops = route_db_hops(
		b->a->routing.db, set->type, path, n, control_now_ms(), b->why, b->why_size);
	return *hops ? 0 : -1;
}

static int static_map(struct build *b, const struct conf *conf)
{
	const struct route_hops *plan = b->plan->hops;
	uint32_t *map = b->a->routing.map;

	for (uint32_t i = 1; i < route_hops_end(plan); i++)
		if (static_hops(b, conf, route_hops_get(plan, i), &map[i]) < 0)
			return -1;
	return 0;
}

/* Does a next hop that came by the socket still make sense? On an interface that is there and
 * enabled; and where none was said, within a subnet of it. */
static bool path_keeps(const struct ports *p, const struct route_path *path)
{
	const struct iface *f = &p->iface[path->iface];

	if (path->iface >= p->n_ifaces || !(f->flags & IFACE_UP))
		return false;
	if (path->named || addr_is_unspecified(&path->gw))
		return true;
	for (unsigned i = 0; i < f->n_addrs; i++)
		if (prefix_holds(&f->addrs[i], &path->gw) &&
			!addr_equal(&f->addrs[i].addr, &path->gw))
			return true;
	return false;
}

static bool keep(void *arg, uint32_t hops)
{
	const struct app *a = arg;

	return a->routing.keep[hops];
}

static void gone(void *arg, const struct prefix *to)
{
	struct app *a = arg;
	char text[PREFIX_STRLEN];

	errs_warn(&a->reload.errs, "", 0, "routes",
		"the route to %s that was added by the control socket no longer makes sense with "
		"these interfaces; it is gone",
		prefix_format(to, text));
}

void routes_interfaces(
	const struct app *a, const struct ports *p, struct route_iface iface[IFACES_MAX])
{
	memset(iface, 0, IFACES_MAX * sizeof(*iface));
	for (unsigned i = 1; i < p->n_ifaces; i++) {
		const struct iface *f = &p->iface[i];

		iface[i].zone = f->zone;
		iface[i].up =
			f->flags & IFACE_UP &&
			(f->port == IFACE_NO_PORT || atomic_load(&a->shared.link_up[f->port]));
	}
}

int routes_begin_reload(struct app *a, const struct conf *conf, const struct tables *t,
	struct route_plan *plan, char *why, size_t why_size)
{
	struct routing *r = &a->routing;
	struct build b = {.a = a,
		.plan = plan,
		.ports = t->ports,
		.room = plan->n,
		.why = why,
		.why_size = why_size};
	static struct route_iface iface[IFACES_MAX];
	struct route_reload reload = {
		.iface = iface, .map = r->map, .keep = keep, .gone = gone, .arg = a};

	if (static_map(&b, conf) < 0 || connected_routes(&b) < 0) {
		route_db_finish(r->db);
		return -1;
	}
	for (uint32_t i = 1; i <= NEXTHOPS_MAX; i++) {
		const struct route_hop_set *set = route_db_hop_set(r->db, i);

		r->keep[i] = set != NULL;
		for (unsigned k = 0; set != NULL && k < set->n; k++)
			r->keep[i] &= path_keeps(t->ports, &set->path[k]);
	}
	routes_interfaces(a, t->ports, iface);
	reload.base = plan->route;
	reload.n = plan->n;
	plan->route = NULL;
	plan->n = 0;
	route_db_begin_reload(r->db, &reload);
	return 0;
}
