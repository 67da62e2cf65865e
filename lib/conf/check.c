/* What several entries of a configuration get wrong together: names, addresses, subnets and devices
 * that occur twice or overlap. See parse.h.
 *
 * Called while a configuration is parsed, on its thread. Everything here sorts, so that a large
 * configuration is no slow one.
 */
#include "conf/parse.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Something named in the text and sorted by what it must not share with another: value and tag. */
struct key {
	uint64_t value[2];
	uint32_t index;
	uint16_t sub, tag;
};

static bool same_key(const struct key *a, const struct key *b)
{
	return a->value[0] == b->value[0] && a->value[1] == b->value[1] && a->tag == b->tag;
}

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	for (int i = 0; i < 2; i++)
		if (x->value[i] != y->value[i])
			return x->value[i] < y->value[i] ? -1 : 1;
	if (x->tag != y->tag)
		return (int)x->tag - y->tag;
	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return (x->sub > y->sub) - (x->sub < y->sub);
}

static bool same_device(const char *a, const char *b)
{
	size_t n = strcspn(a, ",");

	return n == strcspn(b, ",") && strncmp(a, b, n) == 0;
}

void check_ports(struct parse *p)
{
	const struct conf_port *ports = p->conf->ports;

	for (unsigned i = 0; i < p->conf->n_ports; i++) {
		bool named = false, used = false;

		for (unsigned k = 0; k < i; k++) {
			if (ports[i].name[0] && !named &&
				strcmp(ports[i].name, ports[k].name) == 0) {
				parse_err(p, "ports", (int)i, "name", -1,
					"%s is the name of ports[%u] as well, expected another",
					ports[i].name, k);
				named = true;
			}
			if (ports[i].device && ports[k].device && !used &&
				same_device(ports[i].device, ports[k].device)) {
				parse_err(p, "ports", (int)i, "device", -1,
					"%.*s is the device of ports[%u] as well, expected another",
					(int)strcspn(ports[i].device, ","), ports[i].device, k);
				used = true;
			}
		}
	}
}

static int compare_names(const void *a, const void *b, void *conf)
{
	const struct conf_iface *ifaces = ((const struct conf *)conf)->ifaces;
	uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
	int c = strcmp(ifaces[x].name, ifaces[y].name);

	return c ? c : (int)x - y;
}

static void check_names(struct parse *p)
{
	const struct conf *conf = p->conf;
	const struct conf_iface *f = conf->ifaces;

	p->by_name = parse_alloc(p, conf->n_ifaces, sizeof(*p->by_name));
	if (p->by_name == NULL)
		return;
	for (uint16_t i = 0; i < conf->n_ifaces; i++)
		p->by_name[i] = i;
	qsort_r(p->by_name, conf->n_ifaces, sizeof(*p->by_name), compare_names, p->conf);
	for (unsigned i = 1; i < conf->n_ifaces; i++) {
		uint16_t a = p->by_name[i - 1], b = p->by_name[i];

		if (f[b].name[0] && strcmp(f[a].name, f[b].name) == 0)
			parse_err(p, "interfaces", b, "name", -1,
				"%s is the name of interfaces[%u] as well, expected another",
				f[b].name, a);
	}
}

int find_iface(const struct parse *p, const char *name)
{
	unsigned low = 0, high = p->by_name ? p->conf->n_ifaces : 0;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		int c = strcmp(p->conf->ifaces[p->by_name[mid]].name, name);

		if (c == 0)
			return p->by_name[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

static void check_vlans(struct parse *p)
{
	const struct conf *conf = p->conf;
	struct key *keys = parse_alloc(p, conf->n_ifaces, sizeof(*keys));
	bool used[CONF_PORTS_MAX] = {false};
	unsigned n = 0;

	for (unsigned i = 0; keys && i < conf->n_ifaces; i++) {
		const struct conf_iface *f = &conf->ifaces[i];

		if (f->port >= conf->n_ports)
			continue;
		used[f->port] = true;
		keys[n++] = (struct key){
			.value = {f->port, (uint64_t)f->outer_vlan << 16 | f->vlan}, .index = i};
	}
	if (n > 0)
		qsort(keys, n, sizeof(*keys), compare_keys);
	for (unsigned i = 1; i < n; i++) {
		const struct conf_iface *f = &conf->ifaces[keys[i].index];
		char outer[32] = "";

		if (!same_key(&keys[i], &keys[i - 1]))
			continue;
		if (f->outer_vlan)
			snprintf(outer, sizeof(outer), "outer-vlan %u, ", f->outer_vlan);
		parse_err(p, "interfaces", (int)keys[i].index, "vlan", -1,
			"%svlan %u of port %s is interfaces[%u] already, expected another vlan or "
			"port",
			outer, f->vlan, conf->ports[f->port].name, keys[i - 1].index);
	}
	free(keys);
	for (unsigned i = 0; i < conf->n_ports; i++)
		if (!used[i] && p->errs->n_errors == 0)
			parse_warn(p, "ports", (int)i, NULL, -1, "no interface uses port %s",
				conf->ports[i].name);
}

/* One family behind the other, so that no subnet of one seems to lie in a subnet of the other. */
static int compare_addrs(const struct addr *a, const struct addr *b)
{
	if (addr_is4(a) != addr_is4(b))
		return addr_is4(a) ? -1 : 1;
	return memcmp(a, b, sizeof(*a));
}

static int compare_owns(const void *a, const void *b)
{
	const struct own_addr *x = a, *y = b;
	int c = compare_addrs(&x->addr, &y->addr);

	if (c)
		return c;
	if (x->iface != y->iface)
		return (int)x->iface - y->iface;
	return (int)x->index - y->index;
}

static void check_addresses(struct parse *p)
{
	char buf[ADDR_STRLEN];

	for (uint32_t i = 1; i < p->n_owns; i++) {
		const struct own_addr *a = &p->owns[i - 1], *b = &p->owns[i];

		/* a link-local address is one of its link: another interface may have it too */
		if (addr_equal(&a->addr, &b->addr) && !addr_is_link_local(&b->addr))
			parse_err(p, "interfaces", b->iface, "addresses", b->index,
				"%s is interfaces[%u].addresses[%u] as well, expected it once",
				addr_format(&b->addr, buf), a->iface, a->index);
	}
}

static int compare_subnets(const void *a, const void *b)
{
	const struct subnet *x = a, *y = b;
	int c = compare_addrs(&x->first, &y->first);

	if (c == 0)
		c = -compare_addrs(&x->last, &y->last);
	if (c)
		return c;
	if (x->iface != y->iface)
		return (int)x->iface - y->iface;
	return (int)x->addr - y->addr;
}

/* Prefixes nest or are apart. Sorted, one that lies in another follows it: only the outermost are
 * kept, and one interface may nest its own. */
static void check_subnets(struct parse *p)
{
	const struct conf_iface *f = p->conf->ifaces;
	uint32_t kept = 0;
	char inner[PREFIX_STRLEN], outer[PREFIX_STRLEN];

	if (p->n_subnets > 0)
		qsort(p->subnets, p->n_subnets, sizeof(*p->subnets), compare_subnets);
	for (uint32_t i = 0; i < p->n_subnets; i++) {
		struct subnet *in = &p->subnets[i], *out = kept ? &p->subnets[kept - 1] : NULL;

		if (out == NULL || compare_addrs(&in->first, &out->last) > 0) {
			p->subnets[kept++] = *in;
			continue;
		}
		if (in->iface == out->iface)
			continue;
		/* Of the two the one that stands later in the text is told. */
		if (in->iface < out->iface) {
			struct subnet s = *in;

			parse_err(p, "interfaces", out->iface, "addresses", out->addr,
				"the subnet of %s overlaps that of %s on interface %s, expected "
				"subnets apart",
				prefix_format(&f[out->iface].addrs[out->addr], outer),
				prefix_format(&f[s.iface].addrs[s.addr], inner), f[s.iface].name);
			continue;
		}
		parse_err(p, "interfaces", in->iface, "addresses", in->addr,
			"the subnet of %s overlaps that of %s on interface %s, expected subnets "
			"apart",
			prefix_format(&f[in->iface].addrs[in->addr], inner),
			prefix_format(&f[out->iface].addrs[out->addr], outer), f[out->iface].name);
	}
	p->n_subnets = kept;
}

void check_ifaces(struct parse *p)
{
	const struct conf *conf = p->conf;
	uint32_t n = 0;

	check_names(p);
	check_vlans(p);
	for (unsigned i = 0; i < conf->n_ifaces; i++)
		n += conf->ifaces[i].n_addrs;
	p->subnets = parse_alloc(p, n, sizeof(*p->subnets));
	p->owns = parse_alloc(p, n, sizeof(*p->owns));
	for (uint16_t i = 0; p->subnets && p->owns && i < conf->n_ifaces; i++) {
		for (uint16_t k = 0; k < conf->ifaces[i].n_addrs; k++) {
			const struct prefix *a = &conf->ifaces[i].addrs[k];

			if (a->len == 0) /* it was wrong */
				continue;
			p->owns[p->n_owns++] = (struct own_addr){a->addr, i, k};
			if (addr_is_link_local(&a->addr))
				continue;
			p->subnets[p->n_subnets++] =
				(struct subnet){.first = addr_masked(&a->addr, a->len),
					.last = addr_last(&a->addr, a->len),
					.iface = i,
					.addr = k};
		}
	}
	if (p->n_owns > 0)
		qsort(p->owns, p->n_owns, sizeof(*p->owns), compare_owns);
	check_addresses(p);
	check_subnets(p);
}

const struct subnet *find_subnet(const struct parse *p, const struct addr *addr)
{
	uint32_t low = 0, high = p->n_subnets;

	while (low < high) {
		uint32_t mid = (low + high) / 2;
		const struct subnet *s = &p->subnets[mid];

		if (compare_addrs(addr, &s->first) < 0)
			high = mid;
		else if (compare_addrs(addr, &s->last) > 0)
			low = mid + 1;
		else
			return s;
	}
	return NULL;
}

const struct own_addr *find_own(const struct parse *p, const struct addr *addr, unsigned iface)
{
	uint32_t low = 0, high = p->n_owns;

	while (low < high) {
		uint32_t mid = (low + high) / 2;
		const struct own_addr *o = &p->owns[mid];
		int c = compare_addrs(&o->addr, addr);

		if (c == 0 && addr_is_link_local(addr) && o->iface != iface)
			c = o->iface < iface ? -1 : 1;
		if (c == 0)
			return o;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

#define CONNECTED UINT32_MAX /* instead of the index of a route */

static struct key prefix_key(const struct prefix *p, uint32_t index, uint16_t sub)
{
	struct addr a = addr_masked(&p->addr, p->len);

	return (struct key){.value = {be64toh(a.q[0]), be64toh(a.q[1])},
		.tag = p->len,
		.index = index,
		.sub = sub};
}

/* Connected subnets are among the keys: a route to one of them would fight with it. */
void check_routes(struct parse *p)
{
	const struct conf *conf = p->conf;
	struct key *keys = parse_alloc(p, (size_t)conf->n_routes + p->n_owns, sizeof(*keys));
	char buf[PREFIX_STRLEN];
	uint32_t n = 0;

	for (uint32_t i = 0; keys && i < conf->n_routes; i++)
		if (conf->routes[i].to.len <= 128)
			keys[n++] = prefix_key(&conf->routes[i].to, i, 0);
	for (uint32_t i = 0; keys && i < p->n_owns; i++) {
		const struct own_addr *o = &p->owns[i];

		keys[n++] =
			prefix_key(&conf->ifaces[o->iface].addrs[o->index], CONNECTED, o->iface);
	}
	if (n > 0)
		qsort(keys, n, sizeof(*keys), compare_keys);
	for (uint32_t i = 1; i < n; i++) {
		const struct key *was = &keys[i - 1], *is = &keys[i];

		if (!same_key(was, is) || was->index == CONNECTED)
			continue;
		if (is->index == CONNECTED)
			parse_err(p, "routes", (int)was->index, "to", -1,
				"%s is the subnet of interface %s, expected no route to it",
				prefix_format(&conf->routes[was->index].to, buf),
				conf->ifaces[is->sub].name);
		else
			parse_err(p, "routes", (int)is->index, "to", -1,
				"%s is the prefix of routes[%u] as well, expected one route with "
				"several next hops",
				prefix_format(&conf->routes[is->index].to, buf), was->index);
	}
	free(keys);
}

void check_neighs(struct parse *p)
{
	const struct conf *conf = p->conf;
	struct key *keys = parse_alloc(p, conf->n_neighs, sizeof(*keys));
	char buf[ADDR_STRLEN];
	uint32_t n = 0;

	for (uint32_t i = 0; keys && i < conf->n_neighs; i++) {
		const struct conf_neigh *c = &conf->neighs[i];

		if (c->iface < conf->n_ifaces && !addr_is_unspecified(&c->addr))
			keys[n++] = (struct key){
				.value = {c->addr.q[0], c->addr.q[1]}, .tag = c->iface, .index = i};
	}
	if (n > 0)
		qsort(keys, n, sizeof(*keys), compare_keys);
	for (uint32_t i = 1; i < n; i++)
		if (same_key(&keys[i], &keys[i - 1]))
			parse_err(p, "neighbours", (int)keys[i].index, "address", -1,
				"%s on interface %s is neighbours[%u] as well, expected it once",
				addr_format(&conf->neighs[keys[i].index].addr, buf),
				conf->ifaces[keys[i].tag].name, keys[i - 1].index);
	free(keys);
}
