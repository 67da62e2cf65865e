/* The section ipsec and its tunnels; their SAs are read by parse_sa.c, policies by parse_policy.c.
 * See parse.h, and parse_net.c about entries that are wrong.
 */
#include "conf/parse.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>

static void read_endpoint(struct parse *p, config_setting_t *s, struct addr *to)
{
	static const char expected[] = "an address such as 192.0.2.1 or 2001:db8::1";
	const char *name = config_setting_name(s);
	const char *text = parse_string(p, name, -1, s, expected);
	struct addr a;

	if (text == NULL)
		return;
	if (addr_parse(text, &a) < 0 || !addr_is_host(&a))
		parse_found(p, name, -1, s, expected);
	else if (addr_is_link_local(&a))
		parse_err(p, HERE(p), name, -1,
			"%s is link-local, expected an address that says where it is", text);
	else
		*to = a;
}

void setting_read_tunnel_local(struct parse *p, config_setting_t *s, void *base)
{
	read_endpoint(p, s, &((struct conf_tunnel *)base)->local);
}

void setting_read_tunnel_remote(struct parse *p, config_setting_t *s, void *base)
{
	read_endpoint(p, s, &((struct conf_tunnel *)base)->remote);
}

void setting_read_tunnel_encap(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_tunnel *t = base;
	const struct parse_place back = parse_place(p);
	char path[64];

	snprintf(path, sizeof(path), "%s[%d].encap", p->section, p->index);
	s = parse_group(p, path);
	p->set = settings_of("ipsec.tunnels.encap", &p->n_set);
	if (s) {
		t->encap = true;
		settings_read(p, s, t);
	}
	parse_go_back(p, &back);
}

void setting_read_tunnel_iface(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_tunnel *t = base;
	const char *text = parse_string(p, "interface", -1, s, "the name of a tunnel interface");
	char quoted[CONF_QUOTED];
	int i;

	if (text == NULL)
		return;
	i = find_iface(p, text);
	if (i < 0)
		parse_err(p, HERE(p), "interface", -1,
			"found %s, but no interface has that name: expected one of interfaces",
			text_quote(text, quoted));
	else if (!p->conf->ifaces[i].tunnel)
		parse_err(p, HERE(p), "interface", -1,
			"%s has a port, expected an interface with tunnel = true",
			text_quote(text, quoted));
	else
		t->iface = (uint16_t)i;
}

/* A word or a number; false after an error. */
static bool word_or_int(struct parse *p, const config_setting_t *s, const char *word, int64_t min,
	int64_t max, const char *expected, int64_t *v)
{
	int type = config_setting_type(s);

	if (type == CONFIG_TYPE_STRING && strcmp(config_setting_get_string(s), word) == 0) {
		*v = -1;
		return true;
	}
	*v = config_setting_get_int64(s);
	if ((type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) && *v >= min && *v <= max)
		return true;
	parse_found(p, config_setting_name(s), -1, s, expected);
	return false;
}

void setting_read_tunnel_dscp(struct parse *p, config_setting_t *s, void *base)
{
	int64_t v;

	if (word_or_int(p, s, "copy", 0, 63, "\"copy\", or an integer, 0 to 63", &v))
		((struct conf_tunnel *)base)->dscp = v < 0 ? CONF_DSCP_COPY : (uint8_t)v;
}

void setting_read_tunnel_mss(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_tunnel *t = base;
	int64_t v;

	if (config_setting_type(s) == CONFIG_TYPE_STRING &&
		strcmp(config_setting_get_string(s), "off") == 0)
		t->mss = CONF_MSS_OFF;
	else if (word_or_int(p, s, "auto", 88, 65495,
			 "\"auto\", \"off\", or an integer, 88 to 65495", &v))
		t->mss = v < 0 ? CONF_MSS_AUTO : (uint16_t)v;
}

/* What transport mode leaves alone: there is no outer header of ours. */
static void check_transport(struct parse *p, config_setting_t *s, const struct conf_tunnel *t)
{
	static const char *const outer[] = {"dscp", "ecn", "df", "ttl", "flow-label"};

	if (t->iface != UINT16_MAX)
		parse_err(p, HERE(p), "interface", -1,
			"an interface needs mode = \"tunnel\": what is routed to it is not from %s "
			"alone",
			"local");
	for (unsigned i = 0; i < sizeof(outer) / sizeof(outer[0]); i++)
		if (config_setting_get_member(s, outer[i]))
			parse_warn(p, HERE(p), outer[i], -1,
				"has no effect in transport mode, which has no header of its own");
}

static void check_tunnel(struct parse *p, config_setting_t *s, const struct conf_tunnel *t)
{
	bool both = !addr_is_unspecified(&t->local) && !addr_is_unspecified(&t->remote);
	char a[ADDR_STRLEN];

	if (both && addr_is4(&t->local) != addr_is4(&t->remote))
		parse_err(p, HERE(p), "remote", -1, "%s is IPv%d, expected IPv%d as local is",
			addr_format(&t->remote, a), addr_is4(&t->remote) ? 4 : 6,
			addr_is4(&t->local) ? 4 : 6);
	else if (both && addr_equal(&t->local, &t->remote))
		parse_err(p, HERE(p), "remote", -1, "%s is local as well, expected the other end",
			addr_format(&t->remote, a));
	else if (both && find_own(p, &t->remote, UINT16_MAX))
		parse_err(p, HERE(p), "remote", -1,
			"%s is an address of this box itself, expected the other end's",
			addr_format(&t->remote, a));
	if (!addr_is_unspecified(&t->local) && find_own(p, &t->local, UINT16_MAX) == NULL)
		parse_warn(p, HERE(p), "local", -1,
			"%s is no address of an interface: nothing that the other end sends there "
			"is for this box",
			addr_format(&t->local, a));
	if (t->encap && t->protocol != CONF_TUNNEL_ESP)
		parse_err(p, HERE(p), "encap", -1,
			"AH does not go through UDP (RFC 3948 section 1), expected protocol = "
			"\"esp\"");
	if (t->transport)
		check_transport(p, s, t);
}

/* Room for all SAs, and for their keys, which are nowhere else. */
static void alloc_sas(struct parse *p, config_setting_t *list, unsigned n_tunnels)
{
	struct conf_ipsec *c = &p->conf->ipsec;
	size_t n = 0;

	for (unsigned i = 0; i < n_tunnels; i++) {
		config_setting_t *t = config_setting_get_elem(list, i);
		config_setting_t *sas =
			config_setting_is_group(t) ? config_setting_get_member(t, "sas") : NULL;

		if (sas && config_setting_is_list(sas))
			n += (size_t)config_setting_length(sas);
	}
	if (n > CONF_SAS_MAX)
		n = CONF_SAS_MAX;
	c->sas = parse_alloc(p, n, sizeof(*c->sas));
	c->keys_size = n * SUITE_KEY_MAX;
	c->keys = secret_alloc(c->keys_size);
	if (n && c->keys == NULL)
		p->no_memory = true;
}

static void parse_tunnels(struct parse *p)
{
	struct conf_ipsec *c = &p->conf->ipsec;
	unsigned n;
	config_setting_t *list = parse_list(p, "ipsec.tunnels", CONF_TUNNELS_MAX, &n);
	const struct parse_place here = parse_place(p);

	c->tunnels = parse_alloc(p, n, sizeof(*c->tunnels));
	alloc_sas(p, list, n);
	if (p->no_memory)
		return;
	for (unsigned i = 0; i < n; i++) {
		struct conf_tunnel *t = &c->tunnels[i];
		config_setting_t *s;

		parse_go_back(p, &here);
		s = parse_entry(p, list, i);
		c->n_tunnels++;
		t->line = config_setting_source_line(config_setting_get_elem(list, i));
		t->iface = UINT16_MAX;
		t->dscp = CONF_DSCP_COPY;
		t->first_sa = c->n_sas;
		if (s == NULL)
			continue;
		settings_read(p, s, t);
		t->rule = t->number ? t->number : CONF_TUNNEL_NUMBER_MAX + 1 + i;
		check_tunnel(p, s, t);
		if (config_setting_get_member(s, "sas"))
			parse_sas(p, t, config_setting_get_member(s, "sas"));
	}
}

void parse_ipsec(struct parse *p)
{
	struct conf_ipsec *c = &p->conf->ipsec;
	config_setting_t *s = parse_group(p, "ipsec");

	settings_read(p, s, c);
	parse_tunnels(p);
	check_tunnels(p);
	check_sas(p);
	parse_policies(p);
}
