/* Routes that come by the control socket: which interface each next hop lies on, by the same rules
 * as for those of the configuration (lib/conf/parse_route.c). Control core.
 */
#include "app.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct resolve {
	const struct ports *ports;
	const struct ctl_route *route;
	char *why;
	size_t why_size;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct resolve *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->why, r->why_size, fmt, args);
	va_end(args);
	return -EINVAL;
}

/* The address of the interface whose subnet holds a next hop, the longest one. */
static const struct prefix *subnet(const struct iface *f, const struct addr *via)
{
	const struct prefix *best = NULL;

	for (unsigned i = 0; i < f->n_addrs; i++)
		if (prefix_holds(&f->addrs[i], via) &&
			(best == NULL || f->addrs[i].len > best->len))
			best = &f->addrs[i];
	return best;
}

/* Is it an address of this box? A link-local one only on the interface of that id. */
static bool is_own(const struct ports *p, const struct addr *a, uint16_t iface)
{
	uint32_t addr4 = rte_cpu_to_be_32(addr_to4(a));

	return addr_is4(a) ? ports_is_own(p, addr4) : ports_is_own6(p, iface, a->b);
}

static int by_subnet(struct resolve *r, const struct addr *via, uint16_t *iface)
{
	const struct prefix *best = NULL;
	char text[ADDR_STRLEN];

	for (unsigned i = 1; i < r->ports->n_ifaces; i++) {
		const struct iface *f = &r->ports->iface[i];
		const struct prefix *on = f->flags & IFACE_UP ? subnet(f, via) : NULL;

		if (on == NULL || (best != NULL && on->len <= best->len))
			continue;
		best = on;
		*iface = f->id;
	}
	addr_format(via, text);
	if (best == NULL)
		return refuse(
			r, "via %s is on no subnet of an interface: name the interface", text);
	if (addr_is_edge(via, best->len))
		return refuse(r, "via %s is the first or last address of its subnet", text);
	return 0;
}

/* The interface of that name; NULL for none, with *ret when that is an error. */
static const struct iface *find(struct resolve *r, const char *name, int *ret)
{
	const struct iface *f;

	if (name[0] == '\0')
		return NULL;
	f = ports_find(r->ports, name);
	if (f == NULL)
		*ret = refuse(r, "there is no interface %s", name);
	else if (!(f->flags & IFACE_UP))
		*ret = refuse(r, "interface %s is not enabled", f->name);
	return f;
}

static int resolve_via(struct resolve *r, const struct ctl_via *v, struct route_path *path)
{
	bool zone = v->iface[0] != '\0', whole = r->route->iface[0] != '\0';
	const struct addr *via = &v->addr;
	const struct iface *named;
	char text[ADDR_STRLEN];
	int ret = 0;

	addr_format(via, text);
	if (zone && whole)
		return refuse(r, "via %s names its interface: expected none besides it", text);
	named = find(r, zone ? v->iface : r->route->iface, &ret);
	if (ret != 0)
		return ret;
	*path = (struct route_path){.gw = *via, .named = named != NULL};
	if (addr_is4(via) != addr_is4(&r->route->to.addr))
		return refuse(r, "via %s is of the other family", text);
	if (is_own(r->ports, via, named ? named->id : IFACE_NONE))
		return refuse(r, "via %s is an address of this box itself", text);
	if (named == NULL && addr_is_link_local(via))
		return refuse(r, "via %s is link-local: name the interface", text);
	if (named != NULL && !addr_is4(via) && !(named->flags & IFACE_IP6))
		return refuse(r, "via %s is out of reach: interface %s has no IPv6 address", text,
			named->name);
	path->iface = named ? named->id : IFACE_NONE;
	if (named == NULL)
		ret = by_subnet(r, via, &path->iface);
	if (ret == 0 && r->ports->iface[path->iface].flags & IFACE_TUNNEL)
		path->gw = (struct addr){0}; /* nobody is to be asked for there */
	return ret;
}

int route_resolve(
	struct app *a, const struct ctl_route *route, uint32_t *hops, char *why, size_t why_size)
{
	struct resolve r = {a->tables->ports, route, why, why_size};
	struct route_path path[CTL_PATHS_MAX];
	unsigned n = route->n_via;
	int ret = 0;

	for (unsigned i = 0; i < n && ret == 0; i++)
		ret = resolve_via(&r, &route->via[i], &path[i]);
	if (ret == 0 && route->type == NH_VIA && n == 0) {
		const struct iface *named = find(&r, route->iface, &ret);

		if (named == NULL && ret == 0)
			ret = refuse(&r, "it has neither a next hop nor an interface");
		if (ret == 0)
			path[n++] = (struct route_path){.iface = named->id, .named = true};
	}
	if (ret != 0)
		return ret;
	*hops = route_db_hops(a->routing.db, route->type, path, route->type == NH_VIA ? n : 0,
		control_now_ms(), why, why_size);
	return *hops ? 0 : -ENOSPC;
}
