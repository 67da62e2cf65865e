/* conf -> tables: ports and interfaces, routes, filter, policy; and their publication. The control
 * core owns the beginning and the end; the slow middle runs on the builder thread in a reload.
 */
#include "app.h"

#include "table/route_write.h"
#include "base/log.h"

#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The id of an interface name: stays for as long as the daemon runs, so that an id in a packet or a
 * neighbour never means another interface. 0 when there are no more. */
static uint16_t iface_id(struct app *a, const char *name)
{
	for (unsigned id = 1; id <= a->n_iface_names; id++)
		if (strcmp(a->iface_name[id], name) == 0)
			return (uint16_t)id;
	if (a->n_iface_names + 1 >= IFACES_MAX)
		return IFACE_NONE;
	snprintf(a->iface_name[++a->n_iface_names], IFACE_NAME_MAX, "%s", name);
	return (uint16_t)a->n_iface_names;
}

static uint8_t iface_flags(const struct conf_iface *c)
{
	return (uint8_t)((c->enabled ? IFACE_UP : 0) |
			 (c->urpf == CONF_URPF_LOOSE ? IFACE_URPF_LOOSE : 0) |
			 (c->urpf == CONF_URPF_STRICT ? IFACE_URPF_STRICT : 0) |
			 (c->directed_broadcast ? IFACE_BCAST_FORWARD : 0));
}

static void ports_free(struct ports *p)
{
	for (unsigned i = 0; p && i < PORTS_MAX; i++)
		port_fini(&p->port[i]);
	for (unsigned i = 0; p && i < p->n_ifaces; i++) {
		free(p->iface[i].addrs);
		free(p->iface[i].ra);
	}
	free(p);
}

/* What the interface has besides plain values: its addresses and its router advertisements. Where
 * IPv6 runs without a configured link-local address, it gets one of its MAC. */
static int copy_addrs(struct iface *f, const struct conf_iface *c)
{
	bool has6 = false, has_ll = false;

	for (unsigned j = 0; j < c->n_addrs; j++) {
		has6 |= !addr_is4(&c->addrs[j].addr);
		has_ll |= addr_is_link_local(&c->addrs[j].addr);
	}
	f->addrs = calloc(c->n_addrs + 1u, sizeof(*f->addrs));
	if (f->addrs == NULL)
		return -1;
	if (c->n_addrs)
		memcpy(f->addrs, c->addrs, c->n_addrs * sizeof(*f->addrs));
	f->n_addrs = c->n_addrs;
	if (has6 && !has_ll)
		f->addrs[f->n_addrs++] = (struct prefix){iface_eui64(&f->mac), 64};
	if (c->ra == NULL)
		return 0;
	f->ra = malloc(sizeof(*f->ra));
	if (f->ra == NULL)
		return -1;
	*f->ra = *c->ra;
	return 0;
}

static int add_iface(struct app *a, const struct conf *conf, struct ports *p, unsigned i)
{
	const struct conf_iface *c = &conf->ifaces[i];
	uint16_t port = a->port[c->port].id, id = iface_id(a, c->name);
	struct port_entry *entry = &p->port[port];
	struct iface *f = &p->iface[id];

	if (id == IFACE_NONE)
		return -1;
	*f = (struct iface){
		.id = id,
		.port = port,
		.vlan = c->vlan,
		.outer_vlan = c->outer_vlan,
		.mtu = c->mtu,
		.zone = c->secure ? RULE_SECURE : RULE_NONSECURE,
		.flags = iface_flags(c),
		.mac = entry->mac,
		.dad_transmits = c->dad_transmits,
	};
	snprintf(f->name, sizeof(f->name), "%s", c->name);
	if (p->n_ifaces <= id)
		p->n_ifaces = (uint16_t)(id + 1);
	if (copy_addrs(f, c) < 0)
		return -1;
	return port_add(entry, f->outer_vlan, f->vlan, id);
}

static struct ports *ports_build(struct app *a, const struct conf *conf)
{
	struct ports *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->n_ifaces = 1;
	p->n_ports = conf->n_ports;
	for (unsigned i = 0; i < conf->n_ports; i++) {
		struct port_entry *entry = &p->port[a->port[i].id];

		rte_eth_macaddr_get(a->port[i].id, &entry->mac);
		snprintf(entry->name, sizeof(entry->name), "%s", conf->ports[i].name);
	}
	for (unsigned i = 0; i < conf->n_ifaces; i++) {
		if (add_iface(a, conf, p, i) < 0) {
			ports_free(p);
			return NULL;
		}
	}
	ports_index(p);
	return p;
}

struct route_list {
	struct route_in *r;
	uint32_t n, room;
};

/* Appends a route with space for paths; NULL when out of memory. */
static struct route_in *add_route(
	struct route_list *l, const struct prefix *to, uint8_t type, uint16_t paths)
{
	struct route_in *r;

	if (l->n == l->room) {
		uint32_t room = l->room ? l->room * 2 : 64;

		r = realloc(l->r, room * sizeof(*r));
		if (r == NULL)
			return NULL;
		l->r = r;
		l->room = room;
	}
	r = &l->r[l->n];
	*r = (struct route_in){.to = {addr_masked(&to->addr, to->len), to->len},
		.type = type,
		.n_paths = paths,
		.paths = calloc(paths + 1u, sizeof(*r->paths))};
	if (r->paths == NULL)
		return NULL;
	l->n++;
	return r;
}

static int add_simple(struct route_list *l, const struct addr *addr, unsigned len, uint8_t type,
	const struct iface *f)
{
	struct prefix to = {*addr, (uint8_t)len};
	struct route_in *r = add_route(l, &to, type, 1);

	if (r == NULL)
		return -1;
	r->paths[0].iface = f->id;
	r->paths[0].zone = f->zone;
	r->origin = ROUTE_CONNECTED;
	return 0;
}

/* The first and the last address of an IPv4 subnet; IPv6 knows no broadcast. */
static int broadcasts(struct route_list *l, const struct prefix *on, const struct iface *f)
{
	uint32_t addr = addr_to4(&on->addr), mask = mask4(prefix_written_len(on));
	struct addr first = addr_of4(addr & mask), last = addr_of4(addr | ~mask);

	return add_simple(l, &last, 128, NH_BROADCAST, f) |
	       add_simple(l, &first, 128, NH_BROADCAST, f);
}

enum connected { OUR_ADDRESS, BROADCAST, ANYCAST, SUBNET, CONNECTED_N };

static int connected_route(
	struct route_list *l, const struct prefix *on, const struct iface *f, enum connected kind)
{
	struct addr first = addr_masked(&on->addr, on->len);
	bool is4 = addr_is4(&on->addr);

	switch (kind) {
	case OUR_ADDRESS:
		return add_simple(l, &on->addr, 128, NH_LOCAL, f);
	case BROADCAST:
		return is4 && on->len <= 96 + 30 ? broadcasts(l, on, f) : 0;
	case ANYCAST: /* of the subnet's routers (RFC 4291 section 2.6.1), of which we are one; a
			 /127 has none (RFC 6164 section 5.1) */
		return !is4 && on->len <= 126 ? add_simple(l, &first, 128, NH_LOCAL, f) : 0;
	default:
		return on->len < 128 ? add_simple(l, &on->addr, on->len, NH_CONNECTED, f) : 0;
	}
}

/* Our addresses first, then broadcast and anycast addresses, then subnets: the first of equal
 * prefixes wins. A link-local subnet is on every interface, so the table knows none. */
static int connected_routes(struct route_list *l, const struct ports *p)
{
	struct addr all = addr_of4(UINT32_MAX);

	for (enum connected kind = 0; kind < CONNECTED_N; kind++) {
		for (unsigned i = 1; i < p->n_ifaces; i++) {
			const struct iface *f = &p->iface[i];

			for (unsigned j = 0; f->flags & IFACE_UP && j < f->n_addrs; j++) {
				const struct prefix *on = &f->addrs[j];

				if (addr_is_link_local(&on->addr))
					continue;
				if (connected_route(l, on, f, kind) < 0)
					return -1;
			}
		}
	}
	return add_simple(l, &all, 128, NH_BROADCAST, &p->iface[IFACE_NONE]);
}

static int static_route(struct app *a, const struct conf *conf, const struct conf_route *c,
	struct route_list *l, struct tables *t)
{
	static const uint8_t type[] = {
		[CONF_ROUTE_VIA] = NH_VIA,
		[CONF_ROUTE_BLACKHOLE] = NH_BLACKHOLE,
		[CONF_ROUTE_UNREACHABLE] = NH_UNREACHABLE,
		[CONF_ROUTE_PROHIBIT] = NH_PROHIBIT,
	};
	struct route_in *r = add_route(l, &c->to, type[c->kind], c->n_paths);
	uint32_t *pins;

	if (r == NULL)
		return -1;
	r->origin = ROUTE_STATIC;
	r->n_paths = 0;
	for (unsigned i = 0; i < c->n_paths; i++) {
		const struct conf_iface *out = &conf->ifaces[c->paths[i].iface];
		struct route_path *path = &r->paths[r->n_paths];

		if (!out->enabled)
			continue;
		path->iface = iface_id(a, out->name);
		path->zone = t->ports->iface[path->iface].zone;
		r->n_paths++;
		path->gw = c->paths[i].via;
		if (addr_is_unspecified(&path->gw))
			continue;
		path->neigh = neigh_db_pin(a->neigh, path->iface, &path->gw, control_now_ms());
		if (path->neigh == NEIGH_NONE)
			return -1;
		pins = realloc(t->pins, (t->n_pins + 1) * sizeof(*pins));
		if (pins == NULL)
			return -1;
		t->pins = pins;
		t->pins[t->n_pins++] = path->neigh;
	}
	if (c->kind != CONF_ROUTE_VIA)
		return 0;
	if (r->n_paths == 0) { /* every interface is disabled: there is no such route */
		free(r->paths);
		l->n--;
	} else if (r->n_paths == 1 && addr_is_unspecified(&r->paths[0].gw)) {
		r->type = NH_CONNECTED;
	}
	return 0;
}

void route_list_free(struct route_in *routes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free(routes[i].paths);
	free(routes);
}

static uint32_t share(uint32_t rate, unsigned workers)
{
	return (rate + workers - 1) / workers;
}

static struct ip6_policy policy6(const struct app *a, const struct conf *conf)
{
	return (struct ip6_policy){
		.hop_limit = conf->ip6.hop_limit,
		.martians_drop = conf->ip6.martians_drop,
		.extension_headers_max = conf->ip6.extension_headers_max,
		.icmp_error_rate = share(conf->ip6.icmp_error_rate, a->n_workers),
		.icmp_echo_rate = share(conf->ip6.icmp_echo_rate, a->n_workers),
		.nd_punt_rate = share(conf->nd.punt_rate, a->n_workers),
		.neigh_queue = conf->nd.queue,
	};
}

static struct ip4_policy policy(const struct app *a, const struct conf *conf)
{
	static const uint8_t options[] = {
		[CONF_OPT_DROP] = OPTIONS_DROP,
		[CONF_OPT_FORWARD_SAFE] = OPTIONS_FORWARD_SAFE,
		[CONF_OPT_FORWARD] = OPTIONS_FORWARD,
	};
	struct ip4_policy p = {
		.options = options[conf->ip4.options],
		.ttl = conf->ip4.ttl,
		.martians_drop = conf->ip4.martians_drop,
		.icmp_error_rate = share(conf->ip4.icmp_error_rate, a->n_workers),
		.icmp_echo_rate = share(conf->ip4.icmp_echo_rate, a->n_workers),
		.arp_punt_rate = share(conf->arp.punt_rate, a->n_workers),
		.log_rate = share(conf->log.rate, a->n_workers),
		.log_burst = share(conf->log.burst, a->n_workers),
		.neigh_queue = conf->arp.queue,
	};

	for (unsigned i = 0; i < conf->log.n_drops; i++) {
		enum drop_reason r = drop_find(conf->log.drops[i]);

		p.drop_log[r / 64] |= 1ull << (r % 64);
	}
	p.drop_log[0] &= ~1ull;
	return p;
}

struct tables *tables_begin(struct app *a, const struct conf *conf, struct route_in **routes,
	uint32_t *n_routes, char *why, size_t why_size)
{
	struct tables *t = calloc(1, sizeof(*t));
	struct route_list l = {0};
	bool ok;

	snprintf(why, why_size, "no memory for ports, interfaces or routes");
	*routes = NULL;
	*n_routes = 0;
	if (t == NULL)
		return NULL;
	t->ports = ports_build(a, conf);
	if (t->ports == NULL) {
		snprintf(why, why_size,
			"no memory, or more than %u interface names in this daemon's life",
			IFACES_MAX - 1);
		tables_free(a, t);
		return NULL;
	}
	neigh_db_ports(a->neigh, t->ports, control_now_ms());
	ok = connected_routes(&l, t->ports) == 0;
	for (uint32_t i = 0; ok && i < conf->n_routes; i++) {
		if (static_route(a, conf, &conf->routes[i], &l, t) < 0) {
			snprintf(why, why_size,
				"%s:%u: routes[%u]: no memory, or arp.entries-max is too low for "
				"the next hops",
				conf->file, conf->routes[i].line, i);
			ok = false;
		}
	}
	if (!ok) {
		route_list_free(l.r, l.n);
		tables_free(a, t);
		if (a->tables)
			neigh_db_ports(a->neigh, a->tables->ports, control_now_ms());
		return NULL;
	}
	t->socket = a->numa.tables;
	t->root.ip4 = policy(a, conf);
	t->root.ip6 = policy6(a, conf);
	*routes = l.r;
	*n_routes = l.n;
	return t;
}

int tables_routes(
	struct tables *t, const struct route_in *routes, uint32_t n, char *why, size_t why_size)
{
	t->routes = routes_build(routes, n, t->socket, why, why_size);
	return t->routes ? 0 : -1;
}

static void progress(void *arg, unsigned done, unsigned of)
{
	log_info("compiling the filter: %u of %u tables", done, of);
}

int tables_filter(
	struct app *a, const struct conf *conf, struct tables *t, char *why, size_t why_size)
{
	t->acl = acl_build(conf->rules, conf->n_rules, a->counters, t->socket, &t->acl_stats,
		conf->n_rules >= 10000 ? progress : NULL, NULL, why, why_size);
	return t->acl ? 0 : -1;
}

void tables_free(struct app *a, struct tables *t)
{
	if (t == NULL)
		return;
	for (uint32_t i = 0; i < t->n_pins; i++)
		neigh_db_unpin(a->neigh, t->pins[i]);
	free(t->pins);
	acl_free(t->acl);
	routes_free(t->routes);
	ports_free(t->ports);
	free(t);
}

struct tables *tables_publish(struct app *a, struct tables *t)
{
	struct tables *old = a->tables;

	t->root.generation = old ? old->root.generation + 1 : 1;
	t->root.ports = t->ports;
	t->root.routes = t->routes;
	t->root.acl = t->acl;
	t->root.neigh = neigh_db_table(a->neigh);
	a->tables = t;
	a->env.acl_stats = t->acl_stats;
	/* pairs with the acquire load in worker_walk */
	atomic_store_explicit(&a->shared.root, &t->root, memory_order_release);
	return old;
}

void tables_neighbours(struct app *a, const struct conf *conf)
{
	uint64_t now = control_now_ms();

	neigh_db_static_clear(a->neigh, now);
	for (uint32_t i = 0; i < conf->n_neighs; i++) {
		const struct conf_neigh *c = &conf->neighs[i];
		struct rte_ether_addr mac;

		memcpy(&mac, c->mac.b, sizeof(mac));
		if (neigh_db_static(a->neigh, iface_id(a, conf->ifaces[c->iface].name), &c->addr,
			    &mac, now) < 0)
			log_warn("%s:%u: neighbours[%u]: the table is full (arp.entries-max)",
				conf->file, c->line, i);
	}
}
