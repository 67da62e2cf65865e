/* An interface's router-advertisements, into struct ra. See parse.h.
 *
 * The group and its list of prefixes stand within an entry of interfaces: while they are read, the
 * parse's place is theirs, and then the interface's again.
 */
#include "conf/parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTION "interfaces.router-advertisements"

void setting_read_ra(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_iface *iface = base;
	const struct parse_place back = parse_place(p);
	char path[64];

	snprintf(path, sizeof(path), "%s[%d].router-advertisements", p->section, p->index);
	iface->ra = parse_alloc(p, 1, sizeof(*iface->ra));
	if (iface->ra == NULL)
		return;
	s = parse_group(p, path);
	p->set = settings_of(SECTION, &p->n_set);
	settings_read(p, s, iface->ra);
	parse_go_back(p, &back);
}

static bool read_int(struct parse *p, const config_setting_t *s, long long max, long long *v)
{
	int type = config_setting_type(s);
	char expected[64];

	*v = config_setting_get_int64(s);
	if ((type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) && *v >= 0 && *v <= max)
		return true;
	snprintf(expected, sizeof(expected), "an integer, 0 to %lld", max);
	parse_found(p, config_setting_name(s), -1, s, expected);
	return false;
}

void setting_read_ra_lifetime(struct parse *p, config_setting_t *s, void *base)
{
	long long v;

	if (read_int(p, s, 9000, &v))
		((struct ra *)base)->lifetime_s = (uint16_t)v;
}

void setting_read_ra_dns_lifetime(struct parse *p, config_setting_t *s, void *base)
{
	long long v;

	if (read_int(p, s, UINT32_MAX, &v))
		((struct ra *)base)->dns_lifetime_s = (uint32_t)v;
}

void setting_read_ra_prefix(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "an IPv6 prefix such as 2001:db8::/64";
	struct ra_prefix *r = base;
	const char *text = parse_string(p, "prefix", -1, s, expected);
	struct prefix to;
	struct addr masked;
	char buf[PREFIX_STRLEN];

	if (text == NULL)
		return;
	if (prefix_parse(text, &to) < 0 || addr_is4(&to.addr) || to.len == 0) {
		parse_found(p, "prefix", -1, s, expected);
		return;
	}
	masked = addr_masked(&to.addr, to.len);
	if (!addr_equal(&masked, &to.addr)) {
		to.addr = masked;
		parse_err(p, HERE(p), "prefix", -1, "%s has bits beyond its length, expected %s",
			text, prefix_format(&to, buf));
	} else if (!addr_is_host(&to.addr) || addr_is_link_local(&to.addr)) {
		parse_err(p, HERE(p), "prefix", -1,
			"%s holds no addresses to give out, expected a unicast prefix", text);
	} else {
		r->prefix = to;
	}
}

/* Prefix k of ra, as read; one that was wrong has the length 0. */
static void check_prefix(struct parse *p, const struct ra *ra, unsigned k)
{
	const struct ra_prefix *r = &ra->prefix[k];
	char buf[PREFIX_STRLEN];

	if (r->preferred_s > r->valid_s)
		parse_err(p, HERE(p), "preferred-s", -1,
			"it is %u, expected at most the %u of valid-s", r->preferred_s, r->valid_s);
	if (r->prefix.len == 0)
		return;
	if (r->autonomous && r->prefix.len != 64)
		parse_err(p, HERE(p), "prefix", -1,
			"hosts form addresses of 64 bits alone: expected the length 64, or "
			"autonomous = false");
	for (unsigned i = 0; i < k; i++)
		if (addr_equal(&ra->prefix[i].prefix.addr, &r->prefix.addr) &&
			ra->prefix[i].prefix.len == r->prefix.len)
			parse_err(p, HERE(p), "prefix", -1,
				"%s is prefixes[%u] as well, expected it once",
				prefix_format(&r->prefix, buf), i);
}

void setting_read_ra_prefixes(struct parse *p, config_setting_t *s, void *base)
{
	struct ra *ra = base;
	const struct parse_place back = parse_place(p);
	char path[80];
	unsigned n;

	snprintf(path, sizeof(path), "%s.prefixes", p->section);
	s = parse_list(p, path, RA_PREFIXES_MAX, &n);
	p->set = settings_of(SECTION ".prefixes", &p->n_set);
	for (unsigned i = 0; i < n; i++) {
		config_setting_t *e = parse_entry(p, s, i);

		if (e == NULL)
			continue;
		settings_read(p, e, &ra->prefix[ra->n_prefixes]);
		check_prefix(p, ra, ra->n_prefixes++);
	}
	parse_go_back(p, &back);
}

void setting_read_ra_dns(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "the IPv6 address of a name server, such as 2001:db8::53";
	struct ra *ra = base;
	int n = parse_strings(p, s, RA_DNS_MAX, expected);

	for (int i = 0; i < n; i++) {
		const config_setting_t *e = parse_elem(s, i);
		const char *text = parse_string(p, "dns", i, e, expected);
		struct addr a;

		if (text == NULL)
			continue;
		if (addr_parse(text, &a) < 0 || addr_is4(&a) || !addr_is_host(&a))
			parse_found(p, "dns", i, e, expected);
		else
			ra->dns[ra->n_dns++] = a;
	}
}

/* Appends a name of letters, digits, dashes and underscores in labels of 1 to 63 bytes, with or
 * without its last dot. False when it is none, or too long (RFC 1035 section 2.3.4). */
static bool add_domain(struct ra *ra, const char *text)
{
	uint8_t name[255];
	size_t len = 0;

	do {
		size_t n = strcspn(text, ".");

		if (n == 0 || n > 63 || len + 1 + n + 1 > sizeof(name))
			return false;
		name[len++] = (uint8_t)n;
		for (size_t i = 0; i < n; i++) {
			if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
				return false;
			name[len++] = (uint8_t)text[i];
		}
		text += n;
		text += *text == '.';
	} while (*text);
	name[len++] = 0;
	if (ra->domains_len + len > sizeof(ra->domains))
		return false;
	memcpy(ra->domains + ra->domains_len, name, len);
	ra->domains_len = (uint16_t)(ra->domains_len + len);
	return true;
}

void setting_read_ra_domains(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "a domain name such as example.com, and no more than 256 "
				       "bytes of them in all";
	int n = parse_strings(p, s, 8, expected);

	for (int i = 0; i < n; i++) {
		const config_setting_t *e = parse_elem(s, i);
		const char *text = parse_string(p, "domains", i, e, expected);

		if (text && !add_domain(base, text))
			parse_found(p, "domains", i, e, expected);
	}
}

/* The subnets of the interface, each once. Hosts make addresses of their own in those of 64 bits.
 */
static void own_prefixes(struct parse *p, const struct conf_iface *iface)
{
	struct ra *ra = iface->ra;

	for (unsigned i = 0; i < iface->n_addrs; i++) {
		const struct prefix *a = &iface->addrs[i];
		struct prefix net = {addr_masked(&a->addr, a->len), a->len};
		unsigned k = 0;

		if (a->len == 0 || a->len == 128 || addr_is4(&a->addr) ||
			addr_is_link_local(&a->addr))
			continue;
		while (k < ra->n_prefixes && (!addr_equal(&ra->prefix[k].prefix.addr, &net.addr) ||
						     ra->prefix[k].prefix.len != net.len))
			k++;
		if (k < ra->n_prefixes)
			continue;
		if (k == RA_PREFIXES_MAX) {
			parse_err(p, HERE(p), NULL, -1,
				"the interface has more than %u IPv6 subnets, expected prefixes = "
				"(...) with those to advertise",
				RA_PREFIXES_MAX);
			return;
		}
		settings_read(p, NULL, &ra->prefix[k]); /* the defaults */
		ra->prefix[k].prefix = net;
		ra->prefix[k].autonomous = net.len == 64;
		ra->n_prefixes++;
	}
}

void parse_ra(struct parse *p, struct conf_iface *iface, config_setting_t *s)
{
	const struct parse_place back = parse_place(p);
	struct ra *ra = iface->ra;
	char path[64];

	if (!config_setting_is_group(s))
		return;
	snprintf(path, sizeof(path), "%s[%d].router-advertisements", p->section, p->index);
	p->section = path;
	p->index = -1;
	if (config_setting_get_member(s, "lifetime-s") == NULL)
		ra->lifetime_s = (uint16_t)(3 * ra->interval_s);
	else if (ra->lifetime_s && ra->lifetime_s < ra->interval_s)
		parse_err(p, HERE(p), "lifetime-s", -1,
			"found %u, expected 0, or at least the %u of interval-s", ra->lifetime_s,
			ra->interval_s);
	if (config_setting_get_member(s, "dns-lifetime-s") == NULL)
		ra->dns_lifetime_s = 3u * ra->interval_s;
	if (ra->mtu > iface->mtu)
		parse_err(p, HERE(p), "mtu", -1, "found %u, expected at most the interface's %u",
			ra->mtu, iface->mtu);
	if (ra->send && !iface_has6(iface))
		parse_err(p, HERE(p), NULL, -1,
			"interface %s has no IPv6 address, expected one that they can come from",
			iface->name);
	p->set = settings_of(SECTION ".prefixes", &p->n_set);
	if (config_setting_get_member(s, "prefixes") == NULL)
		own_prefixes(p, iface);
	parse_go_back(p, &back);
}
