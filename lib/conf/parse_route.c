/* The sections routes and neighbours: each entry by itself. What several entries can get wrong
 * together stands in check.c. See parse.h, and parse_net.c about entries that are wrong.
 */
#include "conf/parse.h"

#include <string.h>

void setting_read_route_to(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "a prefix such as 192.0.2.0/24";
	struct route_text *r = base;
	const char *text = parse_string(p, "to", -1, s, expected);
	char buf[PREFIX4_STRLEN];

	if (text == NULL)
		return;
	if (prefix4_parse(text, &r->to) < 0) {
		parse_found(p, "to", -1, s, expected);
	} else if (r->to.addr & ~mask4(r->to.len)) {
		r->to.addr &= mask4(r->to.len);
		parse_err(p, HERE(p), "to", -1, "%s has bits beyond its length, expected %s", text,
			prefix4_format(&r->to, buf));
	} else if (r->to.len > 0 && (r->to.addr >> 28 >= 14 || r->to.addr >> 24 == 127)) {
		parse_err(p, HERE(p), "to", -1,
			"%s is loopback, multicast or reserved, expected "
			"unicast addresses",
			text);
	} else {
		r->has_to = true;
	}
}

static void read_via(struct parse *p, struct route_text *r, int sub, const config_setting_t *e)
{
	static const char expected[] = "the address of a next hop, such as 192.0.2.1";
	const char *text = parse_string(p, "via", sub, e, expected);
	uint32_t a;

	if (text == NULL) {
		r->bad = true;
		return;
	}
	if (addr4_parse(text, &a) < 0 || !addr_is_host(a)) {
		r->bad = true;
		parse_found(p, "via", sub, e, expected);
		return;
	}
	for (unsigned k = 0; k < r->n_via; k++) {
		if (r->via[k] == a) {
			r->bad = true;
			parse_err(p, HERE(p), "via", sub,
				"%s is named twice, expected each next hop once", text);
			return;
		}
	}
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

/* Next hop k of a route: the interface it lies on. */
static uint16_t resolve(struct parse *p, const struct route_text *t, unsigned k)
{
	const struct subnet *net = find_subnet(p, t->via[k]);
	char a[ADDR4_STRLEN];

	if (find_own(p, t->via[k])) {
		parse_err(p, HERE(p), "via", (int)k,
			"%s is an address of this box itself, expected a neighbour's",
			addr4_format(t->via[k], a));
	} else if (t->has_iface) {
		return t->iface;
	} else if (net == NULL) {
		parse_err(p, HERE(p), "via", (int)k,
			"%s is on no subnet of an interface: expected one that is, or interface = "
			"\"...\" besides it",
			addr4_format(t->via[k], a));
	} else {
		const struct prefix4 *on = &p->conf->ifaces[net->iface].addrs[net->addr];

		if (addr_is_edge(t->via[k], on->len))
			parse_err(p, HERE(p), "via", (int)k,
				"%s is the first or last address of its subnet, expected a host's",
				addr4_format(t->via[k], a));
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
	if (t.kind != CONF_ROUTE_VIA || t.bad)
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
	for (unsigned k = 0; k < t.n_via; k++)
		r->paths[k] = (struct conf_path){.via = t.via[k], .iface = resolve(p, &t, k)};
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

	if (!read_iface(p, s, &n->iface))
		n->iface = UINT16_MAX;
}

void setting_read_neigh_addr(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "the address of a neighbour, such as 192.0.2.7";
	struct conf_neigh *n = base;
	const char *text = parse_string(p, "address", -1, s, expected);
	uint32_t a;

	if (text == NULL)
		return;
	if (addr4_parse(text, &a) < 0 || !addr_is_host(a))
		parse_found(p, "address", -1, s, expected);
	else if (find_own(p, a))
		parse_err(p, HERE(p), "address", -1,
			"%s is an address of this box itself, expected a neighbour's", text);
	else
		n->addr = a;
}

void setting_read_neigh_mac(struct parse *p, config_setting_t *s, void *base)
{
	parse_mac(p, s, &((struct conf_neigh *)base)->mac);
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
	}
}
