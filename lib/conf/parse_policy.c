/* ipsec.policies: the security policy database, each policy by itself. See parse.h. */
#include "conf/parse.h"
#include "conf/rulefield.h"

#include "wire/selector_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void setting_read_policy_tunnel(struct parse *p, config_setting_t *s, void *base)
{
	struct policy_text *t = base;
	const char *text = parse_string(p, "tunnel", -1, s, "the name of a tunnel");
	char quoted[CONF_QUOTED];
	int64_t i;

	t->has_tunnel = true;
	if (text == NULL)
		return;
	i = find_tunnel(p, text);
	if (i >= 0)
		t->policy.tunnel = (uint32_t)i;
	else
		parse_err(p, HERE(p), "tunnel", -1,
			"found %s, but no tunnel has that name: expected one of ipsec.tunnels",
			text_quote(text, quoted));
}

static void read_addrs(struct parse *p, config_setting_t *s, struct policy_text *t,
	struct addr *from, struct addr *to, bool *any)
{
	static const char expected[] = "\"any\", an address, a prefix such as 192.0.2.0/24, or two "
				       "addresses with a dash such as 192.0.2.1-192.0.2.9";
	const char *name = config_setting_name(s);
	const char *text = parse_string(p, name, -1, s, expected);

	if (text && selector_addrs_parse(text, from, to, any) == 0)
		return;
	if (text)
		parse_found(p, name, -1, s, expected);
	t->bad = true;
}

void setting_read_policy_src(struct parse *p, config_setting_t *s, void *base)
{
	struct policy_text *t = base;

	read_addrs(p, s, t, &t->policy.sel.src_from, &t->policy.sel.src_to, &t->src_any);
}

void setting_read_policy_dst(struct parse *p, config_setting_t *s, void *base)
{
	struct policy_text *t = base;

	read_addrs(p, s, t, &t->policy.sel.dst_from, &t->policy.sel.dst_to, &t->dst_any);
}

static bool is_int(const config_setting_t *s, long long max, uint16_t *value)
{
	int type = config_setting_type(s);
	long long v = config_setting_get_int64(s);

	if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || v < 0 || v > max)
		return false;
	*value = (uint16_t)v;
	return true;
}

void setting_read_policy_proto(struct parse *p, config_setting_t *s, void *base)
{
	static const uint16_t number[] = {
		SELECTOR_PROTO_ANY, 6, 17, RULE_PROTO_ICMP, RULE_PROTO_ICMP6, 50, 51, 89, 4};
	struct policy_text *t = base;
	const char *text =
		config_setting_type(s) == CONFIG_TYPE_STRING ? config_setting_get_string(s) : NULL;
	uint32_t v;
	int i = text ? rulefield_word(text, "any|tcp|udp|icmp|icmpv6|esp|ah|ospf|ipip") : -1;

	if (i >= 0) {
		t->policy.sel.proto = number[i];
	} else if (text && rulefield_number(text, 255, &v) == 0) {
		t->policy.sel.proto = (uint16_t)v;
	} else if (!is_int(s, 255, &t->policy.sel.proto)) {
		t->bad = true;
		parse_found(p, "proto", -1, s,
			"any, tcp, udp, icmp, icmpv6, esp, ah, ospf, ipip or a number from 0 to "
			"255");
	}
}

static void read_ports(struct parse *p, config_setting_t *s, struct policy_text *t, uint16_t max,
	uint16_t *from, uint16_t *to)
{
	char expected[96];

	if (is_int(s, max, from)) {
		*to = *from;
		return;
	}
	if (config_setting_type(s) == CONFIG_TYPE_STRING &&
		selector_ports_parse(config_setting_get_string(s), max, from, to) == 0)
		return;
	t->bad = true;
	snprintf(expected, sizeof(expected),
		"any, a number from 0 to %u, or two with a dash such as \"3-7\"", max);
	parse_found(p, config_setting_name(s), -1, s, expected);
}

void setting_read_policy_sport(struct parse *p, config_setting_t *s, void *base)
{
	struct policy_text *t = base;
	struct selector *sel = &t->policy.sel;

	t->has_sport = true;
	read_ports(p, s, t, UINT16_MAX, &sel->sport_from, &sel->sport_to);
}

void setting_read_policy_dport(struct parse *p, config_setting_t *s, void *base)
{
	struct policy_text *t = base;
	struct selector *sel = &t->policy.sel;

	t->has_dport = true;
	read_ports(p, s, t, UINT16_MAX, &sel->dport_from, &sel->dport_to);
}

void setting_read_policy_type(struct parse *p, config_setting_t *s, void *base)
{
	struct policy_text *t = base;
	struct selector *sel = &t->policy.sel;

	t->has_type = true;
	read_ports(p, s, t, 255, &sel->sport_from, &sel->sport_to);
}

void setting_read_policy_code(struct parse *p, config_setting_t *s, void *base)
{
	struct policy_text *t = base;
	struct selector *sel = &t->policy.sel;

	t->has_code = true;
	read_ports(p, s, t, 255, &sel->dport_from, &sel->dport_to);
}

static void all_of(bool ip4, struct addr *from, struct addr *to)
{
	const struct prefix all4 = prefix_of4(0, 0);

	*from = ip4 ? all4.addr : (struct addr){0};
	*to = ip4 ? addr_last(&all4.addr, all4.len) : addr_last(&(struct addr){0}, 0);
}

/* "any" besides addresses of a family is any of that; besides another "any" it is any of either,
 * but for ICMP, which is of one. */
static void fill_any(struct policy_text *t)
{
	struct selector *s = &t->policy.sel;
	bool icmp = rule_proto_is_icmp(s->proto), ip4 = s->proto == RULE_PROTO_ICMP;

	if (t->src_any && t->dst_any && !icmp) {
		s->any_addr = true;
		return;
	}
	if (!t->src_any)
		ip4 = addr_is4(&s->src_from);
	else if (!t->dst_any)
		ip4 = addr_is4(&s->dst_from);
	if (t->src_any)
		all_of(ip4, &s->src_from, &s->src_to);
	if (t->dst_any)
		all_of(ip4, &s->dst_from, &s->dst_to);
}

static void check_family(struct parse *p, const struct selector *s)
{
	bool ip4 = addr_is4(&s->src_from);

	if (s->any_addr)
		return;
	if (ip4 != addr_is4(&s->dst_from))
		parse_err(p, HERE(p), "dst", -1,
			"src and dst are of two families, expected both IPv4 or both IPv6");
	else if (s->proto == (ip4 ? RULE_PROTO_ICMP6 : RULE_PROTO_ICMP))
		parse_err(p, HERE(p), "proto", -1,
			"%s is of IPv%d, expected %s with IPv%d "
			"addresses",
			ip4 ? "icmpv6" : "icmp", ip4 ? 6 : 4, ip4 ? "icmp" : "icmpv6", ip4 ? 4 : 6);
}

static void check_ports_of(struct parse *p, const struct policy_text *t)
{
	uint16_t proto = t->policy.sel.proto;
	const struct {
		bool has, icmp;
		const char *name;
	} f[] = {{t->has_sport, false, "sport"}, {t->has_dport, false, "dport"},
		{t->has_type, true, "icmp-type"}, {t->has_code, true, "icmp-code"}};

	for (unsigned i = 0; i < sizeof(f) / sizeof(f[0]); i++) {
		if (f[i].has && f[i].icmp && !rule_proto_is_icmp(proto))
			parse_err(p, HERE(p), f[i].name, -1,
				"found without proto = \"icmp\" or \"icmpv6\"");
		else if (f[i].has && !f[i].icmp && !rule_proto_has_ports(proto))
			parse_err(p, HERE(p), f[i].name, -1,
				"only tcp, udp, 33 (DCCP), 132 (SCTP) and 136 (UDP-Lite) have "
				"ports: expected proto with one of them");
	}
}

static bool is_just(const struct addr *from, const struct addr *to, const struct addr *a)
{
	return addr_equal(from, a) && addr_equal(to, a);
}

/* Transport mode protects what goes from one end to the other and nothing else (RFC 4301 section
 * 4.1). */
static void check_endpoints(struct parse *p, const struct policy_text *t)
{
	const struct conf_tunnel *tunnel = &p->conf->ipsec.tunnels[t->policy.tunnel];
	const struct selector *s = &t->policy.sel;
	bool in = t->policy.dir == RULE_IN;
	const struct addr *src = in ? &tunnel->remote : &tunnel->local;
	const struct addr *dst = in ? &tunnel->local : &tunnel->remote;
	char a[ADDR_STRLEN];

	if (!tunnel->transport || addr_is_unspecified(src) || addr_is_unspecified(dst))
		return;
	if (s->any_addr || !is_just(&s->src_from, &s->src_to, src))
		parse_err(p, HERE(p), "src", -1,
			"tunnel %s has mode = \"transport\": expected its end %s", tunnel->name,
			addr_format(src, a));
	if (s->any_addr || !is_just(&s->dst_from, &s->dst_to, dst))
		parse_err(p, HERE(p), "dst", -1,
			"tunnel %s has mode = \"transport\": expected its end %s", tunnel->name,
			addr_format(dst, a));
}

static void check_policy(struct parse *p, struct policy_text *t)
{
	bool protect = t->policy.action == CONF_POLICY_PROTECT;

	if (protect && !t->has_tunnel)
		parse_err(p, HERE(p), "tunnel", -1,
			"missing, expected the name of a tunnel since action = \"protect\"");
	else if (!protect && t->has_tunnel)
		parse_err(p, HERE(p), "tunnel", -1, "found without action = \"protect\"");
	if (t->bad)
		return;
	fill_any(t);
	check_family(p, &t->policy.sel);
	check_ports_of(p, t);
	if (protect && t->policy.tunnel != CONF_TUNNEL_NONE)
		check_endpoints(p, t);
}

static int compare_names(const void *a, const void *b)
{
	const struct conf_policy *x = *(const struct conf_policy *const *)a;
	const struct conf_policy *y = *(const struct conf_policy *const *)b;
	int c = strcmp(x->name, y->name);

	return c ? c : x < y ? -1 : x > y;
}

static void check_names(struct parse *p)
{
	const struct conf_ipsec *c = &p->conf->ipsec;
	const struct conf_policy **by = parse_alloc(p, c->n_policies, sizeof(*by));

	for (uint32_t i = 0; by && i < c->n_policies; i++)
		by[i] = &c->policies[i];
	if (by)
		qsort(by, c->n_policies, sizeof(*by), compare_names);
	for (uint32_t i = 1; by && i < c->n_policies; i++)
		if (by[i]->name[0] && strcmp(by[i]->name, by[i - 1]->name) == 0)
			parse_err(p, "ipsec.policies", (int)(by[i] - c->policies), "name", -1,
				"%s is the name of ipsec.policies[%u] as well, expected another",
				by[i]->name, (unsigned)(by[i - 1] - c->policies));
	free(by);
}

void parse_policies(struct parse *p)
{
	struct conf_ipsec *c = &p->conf->ipsec;
	unsigned n;
	config_setting_t *list = parse_list(p, "ipsec.policies", CONF_POLICIES_MAX, &n);

	c->policies = parse_alloc(p, n, sizeof(*c->policies));
	for (unsigned i = 0; c->policies && i < n; i++) {
		config_setting_t *s = parse_entry(p, list, i);
		struct policy_text t = {
			.policy = {.tunnel = CONF_TUNNEL_NONE,
				.sel = {.proto = SELECTOR_PROTO_ANY,
					.sport_to = UINT16_MAX,
					.dport_to = UINT16_MAX}},
			.src_any = true,
			.dst_any = true,
		};

		t.policy.line = config_setting_source_line(config_setting_get_elem(list, i));
		if (s) {
			size_t errors = p->errs->n_errors;

			settings_read(p, s, &t);
			t.bad |= p->errs->n_errors != errors;
			check_policy(p, &t);
		}
		c->policies[c->n_policies++] = t.policy;
	}
	check_names(p);
}
