/* What the whole list of rules gets wrong: rules that no packet reaches, tunnels that aren't there,
 * a family that nobody thought of. See parse.h.
 *
 * Called while a configuration is parsed, on its thread.
 */
#include "conf/parse.h"

#include <stdio.h>

static bool match_all(const struct rule *r)
{
	bool addresses = r->any_addr ||
			 (prefix_written_len(&r->src) == 0 && prefix_written_len(&r->dst) == 0);

	return addresses && r->proto == RULE_PROTO_ALL && r->frag == RULE_FRAG_YES;
}

/* Where a packet may be met: a bit for each of 2 zones x 2 scopes x 2 directions x 2 families. */
static unsigned contexts(const struct rule *r)
{
	unsigned set = 0;

	for (unsigned i = 0; i < 16; i++)
		if ((r->zone >> (i & 1) & 1) && (r->scope >> (i >> 1 & 1) & 1) &&
			(r->dir >> (i >> 2 & 1) & 1) && (rule_families(r) >> (i >> 3) & 1))
			set |= 1u << i;
	return set;
}

/* One warning: the first rule that comes after a match of everything, and how many follow. */
static void check_unreachable(struct parse *p)
{
	const struct conf *conf = p->conf;
	unsigned covered[2] = {0, 0}; /* outside tunnels; within any */
	const struct rule *first = NULL;
	uint32_t n = 0, index = 0;
	char path[64] = "";

	for (uint32_t i = 0; i < conf->n_rules; i++) {
		const struct rule *r = &conf->rules[i];
		uint32_t tunnel = r->tunnel_loose && r->tunnel == 0 ? RULE_TUNNEL_ANY : r->tunnel;
		unsigned set = contexts(r), open = 0;

		if (tunnel == 0 || tunnel == RULE_TUNNEL_ANY)
			open |= set & ~covered[0];
		if (tunnel != 0)
			open |= set & ~covered[1];
		if (open == 0 && n++ == 0) {
			first = r;
			index = i;
		}
		if (match_all(r) && (tunnel == 0 || tunnel == RULE_TUNNEL_ANY))
			covered[0] |= set;
		if (match_all(r) && tunnel == RULE_TUNNEL_ANY)
			covered[1] |= set;
	}
	if (n == 0)
		return;
	if (index >= p->n_file_rules)
		snprintf(path, sizeof(path), "filter.rules[%u]", index - p->n_file_rules);
	errs_warn(p->errs, first->file, first->line, path,
		"this rule can never match: earlier ones match everything that it could%s",
		n > 1 ? " (and so for later rules)" : "");
}

/* A family that interfaces have addresses of and that no rule permits anything of. */
static void check_families(struct parse *p)
{
	const struct conf *conf = p->conf;
	unsigned used = 0, permitted = 0;

	for (unsigned i = 0; i < conf->n_ifaces; i++)
		for (unsigned k = 0; k < conf->ifaces[i].n_addrs; k++)
			used |= addr_is4(&conf->ifaces[i].addrs[k].addr) ? RULE_IP4 : RULE_IP6;
	for (uint32_t i = 0; i < conf->n_rules; i++)
		if (conf->rules[i].permit)
			permitted |= rule_families(&conf->rules[i]);
	if (permitted == 0) /* said elsewhere, or meant */
		return;
	for (unsigned family = RULE_IP4; family <= RULE_IP6; family++)
		if (used & ~permitted & family)
			parse_warn(p, "filter", -1, NULL, -1,
				"interfaces have %s addresses and no rule permits %s: every such "
				"packet is "
				"denied (implicit deny)",
				family == RULE_IP4 ? "IPv4" : "IPv6",
				family == RULE_IP4 ? "IPv4" : "IPv6");
}

/* Tunnels whose packets no rule permits, for each says t=0. */
static void check_outside_only(struct parse *p)
{
	const struct conf *conf = p->conf;
	bool permits = false;

	if (conf->ipsec.n_tunnels == 0 || conf->classic_tunnel_match_any)
		return;
	for (uint32_t i = 0; i < conf->n_rules; i++) {
		if (!conf->rules[i].permit)
			continue;
		if (conf->rules[i].tunnel != 0)
			return;
		permits = true;
	}
	if (permits)
		parse_warn(p, "filter", -1, NULL, -1,
			"there are tunnels, and every rule that permits says t=0: what goes "
			"through a tunnel is denied; expected rules without t, or with a tunnel's "
			"number, or classic-tunnel-match = \"any\"");
}

void check_rules(struct parse *p)
{
	const struct conf *conf = p->conf;

	for (uint32_t i = 0; i < conf->n_rules; i++) {
		const struct rule *r = &conf->rules[i];

		if (r->tunnel == 0 || r->tunnel == RULE_TUNNEL_ANY || has_tunnel(p, r->tunnel))
			continue;
		if (i < p->n_file_rules)
			errs_add(p->errs, r->file, r->line, "t",
				"no tunnel %u is configured, expected t=0, none, or the number of "
				"one of ipsec.tunnels",
				r->tunnel);
		else if (r->tunnel <= CONF_TUNNEL_NUMBER_MAX) /* else it was named */
			parse_err(p, "filter.rules", (int)(i - p->n_file_rules), "tunnel", -1,
				"no tunnel %u is configured, expected one of ipsec.tunnels, "
				"\"none\" or \"any\"",
				r->tunnel);
	}
	check_unreachable(p);
	check_families(p);
	check_outside_only(p);
}
