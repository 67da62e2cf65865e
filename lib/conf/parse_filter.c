/* The section filter: rule files first, in the order of filter.files, then filter.rules. See
 * parse.h. The fields mean what those of a classic line mean: both come from rulefield.c.
 */
#include "conf/parse.h"
#include "conf/rulefield.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool any(const config_setting_t *s)
{
	return config_setting_type(s) == CONFIG_TYPE_STRING &&
	       strcmp(config_setting_get_string(s), "any") == 0;
}

static void read_prefix(
	struct parse *p, config_setting_t *s, struct prefix *prefix, struct addr_text *t, bool *bad)
{
	static const char expected[] =
		"any, an address, or a prefix such as 192.0.2.0/24 or 2001:db8::/32";
	const char *name = config_setting_name(s);
	const char *text = parse_string(p, name, -1, s, expected);

	t->has = true;
	t->any = text && any(s);
	t->has_len = t->any || (text && strchr(text, '/'));
	if (text && (t->any || prefix_parse(text, prefix) == 0))
		return;
	if (text)
		parse_found(p, name, -1, s, expected);
	*bad = true;
}

void setting_read_rule_src(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;

	read_prefix(p, s, &t->r.src, &t->src, &t->bad);
}

void setting_read_rule_dst(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;

	read_prefix(p, s, &t->r.dst, &t->dst, &t->bad);
}

static const char mask_expected[] = "a mask without holes, such as 255.255.0.0 or ffff:ffff::";

static void read_mask(struct parse *p, config_setting_t *s, struct addr_text *t, bool *bad)
{
	const char *name = config_setting_name(s);
	const char *text = parse_string(p, name, -1, s, mask_expected);
	struct prefix prefix;

	t->has_mask = true;
	if (text && addr_parse(text, &t->mask) == 0) {
		prefix.addr = addr_is4(&t->mask) ? addr_of4(0) : (struct addr){0};
		if (prefix_set_mask(&prefix, &t->mask) == 0)
			return;
	}
	*bad = true;
	if (text)
		parse_found(p, name, -1, s, mask_expected);
}

void setting_read_rule_smask(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;

	read_mask(p, s, &t->src, &t->bad);
}

void setting_read_rule_dmask(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;

	read_mask(p, s, &t->dst, &t->bad);
}

static bool is_int(const config_setting_t *s, long long max, uint32_t *value)
{
	int type = config_setting_type(s);
	long long v = config_setting_get_int64(s);

	if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || v < 0 || v > max)
		return false;
	*value = (uint32_t)v;
	return true;
}

void setting_read_rule_proto(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;
	uint32_t v;

	if (is_int(s, 255, &v))
		t->r.proto = (uint16_t)v;
	else if (config_setting_type(s) != CONFIG_TYPE_STRING ||
		 rulefield_proto(config_setting_get_string(s), &t->r.proto) < 0) {
		t->bad = true;
		parse_found(p, "proto", -1, s, RULEFIELD_PROTOS);
	}
}

/* "any", "eq 80", 80: the last is short for eq. */
static int port_parse(const char *text, uint32_t max, struct rule_port *out)
{
	char buf[32], *save = NULL, *op, *number;
	uint32_t value = 0;
	int i;

	if (strlen(text) >= sizeof(buf))
		return -1;
	strcpy(buf, text);
	op = strtok_r(buf, " \t", &save);
	number = op ? strtok_r(NULL, " \t", &save) : NULL;
	if (op == NULL || strtok_r(NULL, " \t", &save))
		return -1;
	i = rulefield_word(op, RULEFIELD_OPS);
	if (i < 0 || (number == NULL) != (i == RULE_OP_ANY) ||
		(number && rulefield_number(number, max, &value) < 0))
		return -1;
	*out = (struct rule_port){.op = (uint8_t)i, .value = (uint16_t)value};
	return 0;
}

static void read_port(struct parse *p, config_setting_t *s, uint32_t max, struct rule_text *t,
	struct rule_port *out)
{
	char expected[128];
	uint32_t v;

	if (is_int(s, max, &v)) {
		*out = (struct rule_port){.op = RULE_OP_EQ, .value = (uint16_t)v};
		return;
	}
	if (config_setting_type(s) == CONFIG_TYPE_STRING &&
		port_parse(config_setting_get_string(s), max, out) == 0)
		return;
	t->bad = true;
	snprintf(expected, sizeof(expected),
		"any, or eq, neq, lt, le, gt or ge and a number from 0 to %u, such as \"eq 8\"",
		max);
	parse_found(p, config_setting_name(s), -1, s, expected);
}

void setting_read_rule_sport(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;

	t->has_sport = true;
	if (!t->has_type)
		read_port(p, s, UINT16_MAX, t, &t->r.sport);
}

void setting_read_rule_dport(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;

	t->has_dport = true;
	if (!t->has_code)
		read_port(p, s, UINT16_MAX, t, &t->r.dport);
}

void setting_read_rule_type(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;

	t->has_type = true;
	read_port(p, s, 255, t, &t->r.sport);
}

void setting_read_rule_code(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;

	t->has_code = true;
	read_port(p, s, 255, t, &t->r.dport);
}

void setting_read_rule_tunnel(struct parse *p, config_setting_t *s, void *base)
{
	struct rule_text *t = base;
	bool is_text = config_setting_type(s) == CONFIG_TYPE_STRING;
	int64_t i;

	if (any(s) || is_int(s, CONF_TUNNEL_NUMBER_MAX, &t->r.tunnel))
		return;
	if (is_text && strcmp(config_setting_get_string(s), "none") == 0) {
		t->r.tunnel = 0;
		return;
	}
	i = is_text ? find_tunnel(p, config_setting_get_string(s)) : -1;
	if (i >= 0) {
		t->r.tunnel = p->conf->ipsec.tunnels[i].rule;
		return;
	}
	t->bad = true;
	parse_found(p, "tunnel", -1, s, "any, none, or the name or number of a tunnel");
}

/* The mask beside an address, once both are read. name is that of the address. */
static void apply_mask(struct parse *p, const char *name, const struct addr_text *t,
	struct prefix *prefix, bool *bad)
{
	char setting[16];

	if (!t->has_mask)
		return;
	snprintf(setting, sizeof(setting), "%s-mask", name);
	if (!t->has)
		parse_err(p, HERE(p), setting, -1,
			"found without %s, expected an address besides it", name);
	else if (t->has_len)
		parse_err(p, HERE(p), setting, -1,
			"found besides a %s with its own length, expected one of them", name);
	else if (!*bad && prefix_set_mask(prefix, &t->mask) < 0)
		parse_err(p, HERE(p), setting, -1,
			"found a mask of one family besides a %s of the other", name);
	else
		return;
	*bad = true;
}

static void check_addresses(struct parse *p, struct rule_text *t)
{
	const char *why;
	bool bad = t->bad;

	apply_mask(p, "src", &t->src, &t->r.src, &bad);
	apply_mask(p, "dst", &t->dst, &t->r.dst, &bad);
	if (bad)
		return;
	rulefield_any(&t->r, !t->src.has || t->src.any, !t->dst.has || t->dst.any);
	why = rulefield_family_fault(&t->r);
	if (why != NULL)
		parse_err(p, HERE(p), rule_families(&t->r) == 0 ? "dst" : "proto", -1, "%s", why);
}

static void check_fields(struct parse *p, struct rule_text *t)
{
	const char *why;
	bool icmp = rule_proto_is_icmp(t->r.proto);

	check_addresses(p, t);
	if (t->bad) /* the protocol may be what is wrong */
		return;
	if (t->has_type && !icmp)
		parse_err(p, HERE(p), "icmp-type", -1,
			"found without proto = \"icmp\" or \"icmpv6\"");
	if (t->has_code && !icmp)
		parse_err(p, HERE(p), "icmp-code", -1,
			"found without proto = \"icmp\" or \"icmpv6\"");
	if (t->has_sport && icmp)
		parse_err(
			p, HERE(p), "sport", -1, "found with an ICMP protocol, expected icmp-type");
	if (t->has_dport && icmp)
		parse_err(
			p, HERE(p), "dport", -1, "found with an ICMP protocol, expected icmp-code");
	if (icmp)
		return;
	if (t->has_sport && (why = rulefield_port_fault(t->r.proto, t->r.sport)) != NULL)
		parse_err(p, HERE(p), "sport", -1, "%s", why);
	if (t->has_dport && (why = rulefield_port_fault(t->r.proto, t->r.dport)) != NULL)
		parse_err(p, HERE(p), "dport", -1, "%s", why);
}

static void read_file(struct parse *p, int sub, const config_setting_t *e)
{
	struct conf *conf = p->conf;
	const char *text = parse_string(p, "files", sub, e, "the name of a rule file");
	char *path, *rules = NULL, why[128];
	size_t len;

	if (text == NULL)
		return;
	if (p->dir == NULL) {
		parse_err(p, HERE(p), "files", sub, "no rule file can be named here");
		return;
	}
	path = text_join(p->dir, text);
	if (path == NULL) {
		p->no_memory = true;
		return;
	}
	for (unsigned i = 0; i < conf->n_files; i++) {
		if (strcmp(conf->files[i], path) == 0) {
			parse_err(p, HERE(p), "files", sub, "%s is named twice", path);
			free(path);
			return;
		}
	}
	conf->files[conf->n_files++] = path;
	if (text_read(path, CONF_RULE_TEXT_MAX, &rules, &len, why) < 0)
		parse_err(p, HERE(p), "files", sub, "%s can't be read: %s", path, why);
	else
		rulefile_parse(rules, len, path, &conf->rules, &conf->n_rules, p->errs);
	free(rules);
}

static void parse_files(struct parse *p, config_setting_t *s)
{
	int n = s ? parse_strings(p, s, CONF_FILES_MAX, "names of rule files") : 0;

	for (int i = 0; i < n; i++)
		read_file(p, i, parse_elem(s, i));
}

static void parse_rule(struct parse *p, config_setting_t *s, struct rule *r)
{
	struct rule_text t = {.r = {.proto = RULE_PROTO_ALL, .tunnel = RULE_TUNNEL_ANY}};
	char prefix[48];

	/* file and line come first: whatever else is wrong, a message can name them */
	t.r.file = p->conf->files[0];
	t.r.line = config_setting_source_line(s);
	if (config_setting_is_group(s)) {
		size_t errors = p->errs->n_errors;

		settings_read(p, s, &t);
		check_fields(p, &t);
		snprintf(prefix, sizeof(prefix), "filter.rules[%d].", p->index);
		if (p->errs->n_errors == errors)
			rulefield_warn(&t.r, prefix, p->errs);
	}
	*r = t.r;
}

static void parse_rules(struct parse *p)
{
	struct conf *conf = p->conf;
	unsigned n;
	config_setting_t *list = parse_list(p, "filter.rules", RULES_MAX, &n);
	struct rule *grown;

	if (n == 0)
		return;
	if (conf->n_rules + n > RULES_MAX) {
		parse_err(p, HERE(p), NULL, -1,
			"found %u rules besides %u in files, expected at most %u together", n,
			conf->n_rules, RULES_MAX);
		return;
	}
	grown = realloc(conf->rules, (conf->n_rules + n) * sizeof(*grown));
	if (grown == NULL) {
		p->no_memory = true;
		return;
	}
	conf->rules = grown;
	for (unsigned i = 0; i < n; i++) {
		parse_entry(p, list, i); /* says so when it is no group */
		parse_rule(p, config_setting_get_elem(list, i), &conf->rules[conf->n_rules++]);
	}
}

void parse_filter(struct parse *p)
{
	config_setting_t *s = parse_group(p, "filter");
	size_t errors = p->errs->n_errors;

	settings_read(p, s, p->conf);
	if (s)
		parse_files(p, config_setting_get_member(s, "files"));
	p->n_file_rules = p->conf->n_rules;
	if (s)
		parse_rules(p);
	for (uint32_t i = 0; i < p->conf->n_rules; i++)
		p->conf->rules[i].tunnel_loose = p->conf->classic_tunnel_match_any;
	if (p->conf->n_rules == 0 && p->errs->n_errors == errors)
		parse_warn(p, "filter", -1, NULL, -1,
			"there is no rule: every packet is denied (implicit deny)");
}
