/* The sections ports and interfaces: each entry by itself. What several entries
 * can get wrong together stands in check.c. See parse.h.
 *
 * An entry that is wrong keeps its place in the arrays of struct conf, half filled: so an index in
 * them is an index in the text, and later checks find their lines.
 */
#include "conf/parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_MAX 511 /* bytes of a device string */

static bool name_ok(const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n >= CONF_NAME_MAX || !isalnum((unsigned char)text[0]))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && strchr("_.-", *text) == NULL)
			return false;
	return true;
}

/* base is a struct that begins with its name. */
void setting_read_name(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "a name of 1 to 31 letters, digits, dots, dashes and "
				       "underscores that begins with a "
				       "letter or a digit";
	const char *text = parse_string(p, "name", -1, s, expected);

	_Static_assert(offsetof(struct conf_port, name) == 0, "setting_read_name");
	_Static_assert(offsetof(struct conf_iface, name) == 0, "setting_read_name");
	_Static_assert(offsetof(struct conf_tunnel, name) == 0, "setting_read_name");
	_Static_assert(offsetof(struct sa_text, sa.name) == 0, "setting_read_name");
	_Static_assert(offsetof(struct policy_text, policy.name) == 0, "setting_read_name");
	if (text == NULL)
		return;
	if (name_ok(text))
		strcpy(base, text);
	else
		parse_found(p, "name", -1, s, expected);
}

void setting_write_name(const void *base, const struct setting *s, char *buf, size_t size)
{
	snprintf(buf, size, "%s", (const char *)base + s->offset);
}

/* A PCI address, with or without its domain, in front of the end or a comma. Its full form goes to
 * full; returns where the rest begins, NULL when it is none. */
static const char *pci(const char *text, char full[20])
{
	unsigned domain = 0, bus, dev, fn;
	int n = 0;
	const char *c = text;

	while (isxdigit((unsigned char)*c))
		c++;
	if (*c != ':' || c == text || c - text > 8)
		return NULL;
	if (c - text > 2) {
		domain = (unsigned)strtoul(text, NULL, 16);
		if (c - text < 4)
			return NULL;
		text = c + 1;
	}
	for (int i = 0; i < 7; i++)
		if (i == 2       ? text[i] != ':'
			: i == 5 ? text[i] != '.'
				 : !isxdigit((unsigned char)text[i]))
			return NULL;
	if (sscanf(text, "%2x:%2x.%1x%n", &bus, &dev, &fn, &n) != 3 || n != 7 || dev > 31 || fn > 7)
		return NULL;
	if (text[7] != '\0' && text[7] != ',')
		return NULL;
	snprintf(full, 20, "%04x:%02x:%02x.%x", domain, bus, dev, fn);
	return text + 7;
}

static bool vdev_ok(const char *text)
{
	const char *c = text + 4;

	if (strncmp(text, "net_", 4) != 0 && strncmp(text, "eth_", 4) != 0)
		return false;
	while (islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_')
		c++;
	return c > text + 4 && (*c == '\0' || *c == ',');
}

void setting_read_device(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] =
		"a PCI address such as 0000:03:00.0, or a DPDK device such as "
		"net_af_packet0,iface=eth0";
	struct conf_port *port = base;
	const char *text = parse_string(p, "device", -1, s, expected), *rest;
	char full[20] = "";

	if (text == NULL)
		return;
	for (const char *c = text; *c; c++) {
		if (*c > 0x20 && strchr("\"'`\\", *c) == NULL)
			continue;
		parse_err(p, HERE(p), "device", -1,
			"found the character 0x%02x in a device, expected %s", (unsigned char)*c,
			expected);
		return;
	}
	rest = pci(text, full);
	if ((rest == NULL && !vdev_ok(text)) || strlen(text) > DEVICE_MAX)
		parse_found(p, "device", -1, s, expected);
	else if (rest == NULL)
		port->device = parse_strdup(p, text);
	else if (asprintf(&port->device, "%s%s", full, rest) < 0) {
		port->device = NULL;
		p->no_memory = true;
	}
}

bool parse_mac(struct parse *p, const config_setting_t *s, struct mac *mac)
{
	static const char expected[] = "a unicast MAC address such as 02:00:00:00:00:01";
	static const struct mac zero;
	const char *text = parse_string(p, "mac", -1, s, expected);

	if (text == NULL)
		return false;
	if (mac_parse(text, mac) == 0 && !(mac->b[0] & 1) && memcmp(mac, &zero, sizeof(zero)) != 0)
		return true;
	parse_found(p, "mac", -1, s, expected);
	return false;
}

void setting_read_port_mac(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_port *port = base;

	port->has_mac = parse_mac(p, s, &port->mac);
}

void setting_write_port_mac(const void *base, const struct setting *s, char *buf, size_t size)
{
	const struct conf_port *port = base;
	char mac[MAC_STRLEN];

	snprintf(buf, size, "%s", port->has_mac ? mac_format(&port->mac, mac) : "the device's");
}

void setting_read_iface_port(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_iface *iface = base;
	const char *text = parse_string(p, "port", -1, s, "the name of a port");
	char quoted[CONF_QUOTED];

	if (text == NULL)
		return;
	for (uint16_t i = 0; i < p->conf->n_ports; i++) {
		if (strcmp(p->conf->ports[i].name, text) == 0) {
			iface->port = i;
			return;
		}
	}
	parse_err(p, HERE(p), "port", -1,
		"found %s, but no port has that name: expected one of ports",
		text_quote(text, quoted));
}

void setting_read_iface_mtu(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_iface *iface = base;
	int type = config_setting_type(s);
	long long v = config_setting_get_int64(s);

	if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || v < CONF_MTU_MIN ||
		v > CONF_MTU_MAX)
		parse_found(p, "mtu", -1, s, "an integer, 576 to the mtu of the port");
	else
		iface->mtu = (uint16_t)v;
}

bool iface_has6(const struct conf_iface *f)
{
	for (unsigned i = 0; i < f->n_addrs; i++)
		if (f->addrs[i].len && !addr_is4(&f->addrs[i].addr))
			return true;
	return false;
}

/* What is wrong with an address as an interface's, in words; NULL: nothing. */
static const char *addr_fault(const struct conf_iface *f, const struct prefix *a)
{
	if (!addr_is_host(&a->addr))
		return "can't be an interface's: expected a unicast address";
	if (addr_is_link_local(&a->addr)) {
		static const struct addr net = {.b = {0xfe, 0x80}};
		struct addr masked = addr_masked(&a->addr, 64);

		if (a->len != 64 || !addr_equal(&masked, &net))
			return "is link-local, expected one of fe80::/64 with the length 64";
		for (unsigned k = 0; k < f->n_addrs; k++)
			if (f->addrs[k].len && addr_is_link_local(&f->addrs[k].addr))
				return "is a second link-local address, expected one";
	}
	if (addr_is_edge(&a->addr, a->len))
		return addr_is4(&a->addr) ? "is the first or last address of its subnet, expected "
					    "one between"
					  : "is the first address of its subnet, which is every "
					    "router's: expected another";
	return NULL;
}

void setting_read_addresses(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "an address of this interface with its prefix length, such "
				       "as 192.0.2.1/24 or 2001:db8::1/64";
	struct conf_iface *iface = base;
	int n = parse_strings(p, s, CONF_ADDRS_MAX, expected);

	if (n <= 0)
		return;
	iface->addrs = parse_alloc(p, (size_t)n, sizeof(*iface->addrs));
	if (iface->addrs == NULL)
		return;
	for (int i = 0; i < n; i++, iface->n_addrs++) {
		const config_setting_t *e = parse_elem(s, i);
		const char *text = parse_string(p, "addresses", i, e, expected), *fault;
		struct prefix a = {0};

		if (text == NULL)
			continue;
		if (strchr(text, '/') == NULL || prefix_parse(text, &a) < 0 ||
			prefix_written_len(&a) == 0)
			parse_found(p, "addresses", i, e, expected);
		else if ((fault = addr_fault(iface, &a)) != NULL)
			parse_err(p, HERE(p), "addresses", i, "%s %s", text, fault);
		else
			iface->addrs[i] = a;
	}
}

void parse_ports(struct parse *p)
{
	struct conf *conf = p->conf;
	unsigned n;
	config_setting_t *list = parse_list(p, "ports", CONF_PORTS_MAX, &n);

	if (list == NULL &&
		config_setting_get_member(config_root_setting(&p->cfg), "ports") == NULL)
		parse_err(p, HERE(p), NULL, -1,
			"missing, expected a list of ports ( { name = ...; device = ...; } )");
	else if (list && config_setting_length(list) == 0)
		parse_err(p, HERE(p), NULL, -1, "found no port, expected at least one");
	conf->ports = parse_alloc(p, n, sizeof(*conf->ports));
	for (unsigned i = 0; conf->ports && i < n; i++) {
		config_setting_t *s = parse_entry(p, list, i);

		conf->n_ports++;
		settings_read(p, s, &conf->ports[i]);
		conf->ports[i].line = config_setting_source_line(config_setting_get_elem(list, i));
	}
}

/* What has no port has no link: no tags, no broadcast, nobody to advertise to. */
static void tunnel_iface(struct parse *p, config_setting_t *s, struct conf_iface *iface)
{
	static const char *const none[] = {"port", "vlan", "outer-vlan", "directed-broadcast",
		"dad-transmits", "router-advertisements"};

	iface->port = UINT16_MAX;
	iface->dad_transmits = 0;
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (config_setting_get_member(s, none[i]))
			parse_err(p, HERE(p), none[i], -1,
				"found besides tunnel = true: such an interface has no port, "
				"expected none");
	for (unsigned i = 0; config_setting_get_member(s, "mtu") == NULL && i < p->conf->n_ports;
		i++)
		if (p->conf->ports[i].mtu > iface->mtu)
			iface->mtu = p->conf->ports[i].mtu;
}

static void check_mtu6(struct parse *p, const struct conf_iface *iface)
{
	if (iface_has6(iface) && iface->mtu < CONF_MTU_MIN6)
		parse_err(p, HERE(p), "mtu", -1,
			"it is %u, expected at least %u since the interface has an IPv6 address",
			iface->mtu, CONF_MTU_MIN6);
}

static void parse_iface(struct parse *p, config_setting_t *s, struct conf_iface *iface)
{
	const struct conf *conf = p->conf;
	bool named = config_setting_get_member(s, "port") != NULL;
	char quoted[CONF_QUOTED];

	iface->port = UINT16_MAX;
	settings_read(p, s, iface);
	if (iface->tunnel) {
		tunnel_iface(p, s, iface);
		check_mtu6(p, iface);
		return;
	}
	for (uint16_t i = 0; !named && iface->name[0] && i < conf->n_ports; i++)
		if (strcmp(conf->ports[i].name, iface->name) == 0)
			iface->port = i;
	if (!named && iface->name[0] && iface->port == UINT16_MAX)
		parse_err(p, HERE(p), "port", -1,
			"missing, and no port is named %s: expected the name of a port",
			text_quote(iface->name, quoted));
	if (iface->port >= conf->n_ports)
		return;
	if (iface->mtu == 0)
		iface->mtu = conf->ports[iface->port].mtu;
	else if (iface->mtu > conf->ports[iface->port].mtu)
		parse_err(p, HERE(p), "mtu", -1, "found %u, expected at most the %u of port %s",
			iface->mtu, conf->ports[iface->port].mtu, conf->ports[iface->port].name);
	check_mtu6(p, iface);
	if (iface->ra)
		parse_ra(p, iface, config_setting_get_member(s, "router-advertisements"));
}

void parse_ifaces(struct parse *p)
{
	struct conf *conf = p->conf;
	unsigned n;
	config_setting_t *list = parse_list(p, "interfaces", CONF_IFACES_MAX, &n);

	conf->ifaces = parse_alloc(p, n, sizeof(*conf->ifaces));
	for (unsigned i = 0; conf->ifaces && i < n; i++) {
		config_setting_t *s = parse_entry(p, list, i);

		conf->n_ifaces++;
		conf->ifaces[i].port = UINT16_MAX;
		conf->ifaces[i].line = config_setting_source_line(config_setting_get_elem(list, i));
		if (s)
			parse_iface(p, s, &conf->ifaces[i]);
	}
}
