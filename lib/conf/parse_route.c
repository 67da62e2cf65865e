/* The sections routes and neighbours: each entry by itself. What several entries can get wrong
 * together stands in check.c. See parse.h, and parse_net.c about entries that are wrong.
 */
#include "conf/parse.h"

#include <stdio.h>
#include <string.h>

void setting_read_route_to(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "a prefix such as 192.0.2.0/24 or 2001:db8::/32";
	struct route_text *r = base;
	const char *text = parse_string(p, "to", -1, s, expected);
	struct addr masked;
	char buf[PREFIX_STRLEN];

	if (text == NULL)
		return;
	if (prefix_parse(text, &r->to) < 0) {
		parse_found(p, "to", -1, s, expected);
		return;
	}
	masked = addr_masked(&r->to.addr, r->to.len);
	if (!addr_equal(&masked, &r->to.addr)) {
		r->to.addr = masked;
		parse_err(p, HERE(p), "to", -1, "%s has bits beyond its length, expected %s", text,
			prefix_format(&r->to, buf));
	} else if (!prefix_is_routable(&r->to)) {
		parse_err(p, HERE(p), "to", -1, "%s is %s, expected unicast addresses", text,
			addr_is4(&r->to.addr) ? "loopback, multicast or reserved"
					      : "loopback, link-local, multicast or reserved");
	} else {
		r->has_to = true;
	}
}

/* An address, and behind a % the interface of a link-local one: its zone (RFC 4007 section 11).
 * False when it is none. */
static bool parse_via(struct parse *p, const char *text, struct addr *addr, uint16_t *iface)
{
	const char *zone = strchr(text, '%');
	char host[ADDR_STRLEN];
	int i;

	*iface = UINT16_MAX;
	if (zone == NULL)
		return addr_parse(text, addr) == 0;
	i = find_iface(p, zone + 1);
	if (i < 0 || zone - text >= ADDR_STRLEN)
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(zone - text), text);
	*iface = (uint16_t)i;
	return addr_parse(host, addr) == 0 && addr_is_link_local(addr);
}

static void read_via(struct parse *p, struct route_text *r, int sub, const config_setting_t *e)
{
	static const char expected[] = "the address of a next hop, such as 192.0.2.1, 2001:db8::1 "
				       "or fe80::1%lan with the name of an interface";
	const char *text = parse_string(p, "via", sub, e, expected);
	struct addr a;
	uint16_t iface;

	if (text == NULL) {
		r->bad = true;
		return;
	}
	if (!parse_via(p, text, &a, &iface) || !addr_is_host(&a)) {
		r->bad = true;
		parse_found(p, "via", sub, e, expected);
		return;
	}
	for (unsigned k = 0; k < r->n_via; k++) {
		if (addr_equal(&r->via[k], &a) && r->via_iface[k] == iface) {
			r->bad = true;
			parse_err(p, HERE(p), "via", sub,
				"%s is named twice, expected each next hop once", text);
			return;
		}
	}
	r->via_iface[r->n_via] = iface;
	r->via[r->n_via++] = a;
}

void setting_read_route_via(struct parse *p, config_setting_t *s, void *base)
{
	struct route_text *r = base;
	int n = parse_strings(p, s, CONF_PATHS_MAX, "addresses of next hops");

	r->has_via = true;
	r->bad |= n < 0;
	if (n == 0) {
		parse_err(p, HERE(p), "via", -1, "found none, expected at least one next hop");
		r->bad = true;
	}
	for (int i = 0; i < n; i++)
		read_via(p, r, i, parse_elem(s, i));
}

static bool read_iface(struct parse *p, const config_setting_t *s, uint16_t *iface)
{
	const char *text = parse_string(p, "interface", -1, s, "the name of an interface");
	char quoted[CONF_QUOTED];
	int i;

	if (text == NULL)
		return false;
	i = find_iface(p, text);
	if (i >= 0) {
		*iface = (uint16_t)i;
		return true;
	}
	parse_err(p, HERE(p), "interface", -1,
		"found %s, but no interface has that name: expected one of interfaces",
		text_quote(text, quoted));
	return false;
}

void setting_read_route_iface(struct parse *p, config_setting_t *s, void *base)
{
	struct route_text *r = base;

	r->has_iface = true;
	if (!read_iface(p, s, &r->iface))
		r->bad = true;
}

/* The interface that the text names for next hop k, or UINT16_MAX. */
static uint16_t named(const struct route_text *t, unsigned k)
{
	return t->has_iface ? t->iface : t->via_iface[k];
}

/* Next hop k of a route: the interface it lies on. */
static uint16_t resolve(struct parse *p, const struct route_text *t, unsigned k)
{
	const struct addr *via = &t->via[k];
	const struct subnet *net = find_subnet(p, via);
	uint16_t iface = named(t, k);
	char a[ADDR_STRLEN];
	const char *text = addr_format(via, a);

	if (addr_is4(via) != addr_is4(&t->to.addr)) {
		parse_err(p, HERE(p), "via", (int)k, "%s is IPv%d, expected an IPv%d next hop",
			text, addr_is4(via) ? 4 : 6, addr_is4(via) ? 6 : 4);
	} else if (find_own(p, via, iface)) {
		parse_err(p, HERE(p), "via", (int)k,
			"%s is an address of this box itself, expected a neighbour's", text);
	} else if (t->has_iface && t->via_iface[k] != UINT16_MAX) {
		parse_err(p, HERE(p), "via", (int)k,
			"%s names its interface, expected none besides it", text);
	} else if (iface != UINT16_MAX) {
		if (!addr_is4(via) && !iface_has6(&p->conf->ifaces[iface]))
			parse_err(p, HERE(p), "via", (int)k,
				"%s is out of reach: interface %s has no IPv6 address, expected "
				"one",
				text, p->conf->ifaces[iface].name);
		return iface;
	} else if (addr_is_link_local(via)) {
		parse_err(p, HERE(p), "via", (int)k,
			"%s is link-local, expected its interface: \"%s%%NAME\", or interface = "
			"\"NAME\" besides it",
			text, text);
	} else if (net == NULL) {
		parse_err(p, HERE(p), "via", (int)k,
			"%s is on no subnet of an interface: expected one that is, or interface = "
			"\"...\" besides it",
			text);
	} else {
		if (addr_is_edge(via, p->conf->ifaces[net->iface].addrs[net->addr].len))
			parse_err(p, HERE(p), "via", (int)k,
				"%s is the first or last address of its subnet, expected a host's",
				text);
		return net->iface;
	}
	return 0;
}

static void parse_route(struct parse *p, config_setting_t *s, struct conf_route *r)
{
	struct route_text t = {0};

	settings_read(p, s, &t);
	r->to = t.to;
	if (!t.has_to)
		r->to.len = UINT8_MAX; /* check_routes leaves it out */
	r->kind = (enum conf_route_kind)t.kind;
	if (t.kind != CONF_ROUTE_VIA && (t.has_via || t.has_iface)) {
		parse_err(p, HERE(p), t.has_via ? "via" : "interface", -1,
			"found besides type = \"%s\", which has no next hop",
			t.kind == CONF_ROUTE_BLACKHOLE  ? "blackhole"
			: t.kind == CONF_ROUTE_PROHIBIT ? "prohibit"
							: "unreachable");
		return;
	}
	if (t.kind != CONF_ROUTE_VIA || t.bad || !t.has_to)
		return;
	if (!t.has_via && !t.has_iface) {
		parse_err(p, HERE(p), "via", -1,
			"missing, expected via, interface, or a type without next hop");
		return;
	}
	r->n_paths = t.has_via ? t.n_via : 1;
	r->paths = parse_alloc(p, r->n_paths, sizeof(*r->paths));
	if (r->paths == NULL) {
		r->n_paths = 0;
		return;
	}
	r->paths[0].iface = t.iface;
	if (!t.has_via && !addr_is4(&t.to.addr) && !iface_has6(&p->conf->ifaces[t.iface]))
		parse_err(p, HERE(p), "interface", -1,
			"interface %s has no IPv6 address, expected one for an IPv6 route",
			p->conf->ifaces[t.iface].name);
	for (unsigned k = 0; k < t.n_via; k++) {
		uint16_t iface = resolve(p, &t, k);

		r->paths[k] = (struct conf_path){.via = t.via[k], .iface = iface};
		if (iface < p->conf->n_ifaces &&
			p->conf->ifaces[iface].tunnel) /* nobody is to be asked for there */
			r->paths[k].via = (struct addr){0};
	}
}

void parse_routes(struct parse *p)
{
	struct conf *conf = p->conf;
	unsigned n;
	config_setting_t *list = parse_list(p, "routes", CONF_ROUTES_MAX, &n);

	conf->routes = parse_alloc(p, n, sizeof(*conf->routes));
	for (unsigned i = 0; conf->routes && i < n; i++) {
		config_setting_t *s = parse_entry(p, list, i);

		conf->n_routes++;
		conf->routes[i].line = config_setting_source_line(config_setting_get_elem(list, i));
		if (s)
			parse_route(p, s, &conf->routes[i]);
		else
			conf->routes[i].to.len = UINT8_MAX;
	}
}

void setting_read_neigh_iface(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_neigh *n = base;

	if (!read_iface(p, s, &n->iface)) {
		n->iface = UINT16_MAX;
	} else if (p->conf->ifaces[n->iface].tunnel) {
		parse_err(p, HERE(p), "interface", -1,
			"%s is a tunnel interface and has no neighbours, expected one with a port",
			p->conf->ifaces[n->iface].name);
		n->iface = UINT16_MAX;
	}
}

void setting_read_neigh_addr(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] =
		"the address of a neighbour, such as 192.0.2.7 or 2001:db8::7";
	struct conf_neigh *n = base;
	const char *text = parse_string(p, "address", -1, s, expected);
	struct addr a;

	if (text == NULL)
		return;
	if (addr_parse(text, &a) < 0 || !addr_is_host(&a))
		parse_found(p, "address", -1, s, expected);
	else
		n->addr = a;
}

void setting_read_neigh_mac(struct parse *p, config_setting_t *s, void *base)
{
	parse_mac(p, s, &((struct conf_neigh *)base)->mac);
}

static void check_neigh(struct parse *p, const struct conf_neigh *n)
{
	char a[ADDR_STRLEN];

	if (addr_is_unspecified(&n->addr))
		return;
	if (find_own(p, &n->addr, n->iface))
		parse_err(p, HERE(p), "address", -1,
			"%s is an address of this box itself, expected a neighbour's",
			addr_format(&n->addr, a));
	else if (n->iface < p->conf->n_ifaces && !addr_is4(&n->addr) &&
		 !iface_has6(&p->conf->ifaces[n->iface]))
		parse_err(p, HERE(p), "address", -1,
			"%s is out of reach: interface %s has no IPv6 address, expected one",
			addr_format(&n->addr, a), p->conf->ifaces[n->iface].name);
}

void parse_neighs(struct parse *p)
{
	struct conf *conf = p->conf;
	unsigned n;
	config_setting_t *list = parse_list(p, "neighbours", CONF_NEIGHS_MAX, &n);

	conf->neighs = parse_alloc(p, n, sizeof(*conf->neighs));
	for (unsigned i = 0; conf->neighs && i < n; i++) {
		config_setting_t *s = parse_entry(p, list, i);

		conf->n_neighs++;
		conf->neighs[i].iface = UINT16_MAX;
		conf->neighs[i].line = config_setting_source_line(config_setting_get_elem(list, i));
		settings_read(p, s, &conf->neighs[i]);
		check_neigh(p, &conf->neighs[i]);
	}
}
