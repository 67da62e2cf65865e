/* The filter compiler, first half: from the rules as configured to one list of rules per group
 * (family x tunnel x direction x zone x scope x fragment class), and from the protocols that rules
 * name to classes.
 *
 * Called by acl_build, on the builder thread or at boot.
 */
#include "table/acl_parts.h"

#include "table/tunnel.h"
#include "wire/addr.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t acl_prefix_words(const struct prefix *p, uint32_t word[4])
{
	struct addr addr = addr_masked(&p->addr, p->len);

	if (addr_is4(&p->addr)) {
		word[0] = be32toh(addr.w[3]);
		return (uint8_t)prefix_written_len(p);
	}
	for (unsigned i = 0; i < 4; i++)
		word[i] = be32toh(addr.w[i]);
	return p->len;
}

int acl_match_make(const struct rule *r, struct acl_match *m, char *why, size_t why_size)
{
	if (rule_families(r) == 0) {
		snprintf(why, why_size,
			"%s:%u: source and destination are of two families: expected both IPv4 or "
			"both IPv6",
			r->file ? r->file : "", r->line);
		return -EINVAL;
	}
	memset(m, 0, sizeof(*m));
	if (!r->any_addr) {
		m->slen = acl_prefix_words(&r->src, m->src);
		m->dlen = acl_prefix_words(&r->dst, m->dst);
	}
	m->proto = r->proto;
	/* ICMP too with 16 bits: types end at 255 anyway, and "any" stays a wildcard */
	m->n_sport = (uint8_t)rule_port_ranges(r->sport, UINT16_MAX, m->sport);
	m->n_dport = (uint8_t)rule_port_ranges(r->dport, UINT16_MAX, m->dport);
	return 0;
}

static bool match_all(const struct acl_match *m)
{
	return m->slen == 0 && m->dlen == 0 && m->proto == RULE_PROTO_ALL &&
	       m->sport[0].from == 0 && m->sport[0].to == UINT16_MAX && m->dport[0].from == 0 &&
	       m->dport[0].to == UINT16_MAX;
}

/* What a group is. */
struct kind {
	unsigned frag, scope, zone, dir, family;
	bool tunnel;
};

static struct kind kind_of(unsigned group)
{
	return (struct kind){.frag = group % PACKET_FRAG_N,
		.scope = group / PACKET_FRAG_N % 2 + 1,
		.zone = group / PACKET_FRAG_N / 2 % 2 + 1,
		.dir = group / PACKET_FRAG_N / 4 % 2 + 1,
		.tunnel = group / ACL_TUNNEL_GROUPS % 2,
		.family = group < ACL_FAMILY_GROUPS ? RULE_IP4 : RULE_IP6};
}

/* Whether the rule can match in the group at all. In one of tunnels, *checks says that it is about
 * one of them: rule_tunnel_matches for whichever tunnel. */
static bool can_match(
	const struct rule *r, const struct acl_match *m, const struct kind *k, bool *checks)
{
	if (!(rule_families(r) & k->family))
		return false;
	if (!(r->dir & k->dir) || !(r->zone & k->zone) || !(r->scope & k->scope))
		return false;
	if (m->n_sport == 0 || m->n_dport == 0)
		return false;
	if (k->frag == PACKET_LATER_FRAGMENT && rule_needs_l4(r))
		return false;
	if (!rule_frag_matches(r->frag, (uint8_t)k->frag))
		return false;
	*checks = false;
	if (!k->tunnel)
		return rule_tunnel_matches(r, k->dir, TUNNEL_NONE);
	if (rule_tunnel_matches(r, k->dir, r->tunnel_id == 1 ? 2 : 1)) /* another's */
		return true;
	*checks = true;
	return r->tunnel_id != 0 && rule_tunnel_matches(r, k->dir, r->tunnel_id);
}

/* The group's rules into list (room for n). How many more stand behind the match-all. */
static uint32_t gather(struct acl_list *list, unsigned group, const struct rule *rules,
	const struct acl_match *match, uint32_t n)
{
	struct kind kind = kind_of(group);
	uint32_t shadowed = 0;

	for (uint32_t i = 0; i < n; i++) {
		bool checks;

		if (!can_match(&rules[i], &match[i], &kind, &checks))
			continue;
		if (list->rest != 0)
			shadowed++;
		else if (match_all(&match[i]) && !checks)
			list->rest = i + 1;
		else
			list->rule[list->n++] = i | (checks ? ACL_IN_TUNNEL : 0);
	}
	return shadowed;
}

static bool same_list(const struct acl_list *a, const struct acl_list *b)
{
	return a->n == b->n && a->rest == b->rest &&
	       (a->n == 0 || memcmp(a->rule, b->rule, a->n * sizeof(a->rule[0])) == 0);
}

static uint64_t match_hash(const struct acl_match *m)
{
	uint64_t word[sizeof(*m) / 8], h = 0x9e3779b97f4a7c15;

	memcpy(word, m, sizeof(word));
	for (unsigned i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
		h = (h ^ word[i]) * 0xbf58476d1ce4e5b9;
		h ^= h >> 29;
	}
	return h;
}

/* Two entries of a list that match the same packets. */
static bool same_packets(
	uint32_t a, uint32_t b, const struct rule *rules, const struct acl_match *match)
{
	uint32_t i = a & ~ACL_IN_TUNNEL, j = b & ~ACL_IN_TUNNEL;

	return (a & ACL_IN_TUNNEL) == (b & ACL_IN_TUNNEL) &&
	       (!(a & ACL_IN_TUNNEL) || rules[i].tunnel_id == rules[j].tunnel_id) &&
	       memcmp(&match[i], &match[j], sizeof(match[0])) == 0;
}

/* Takes out rules that match exactly what an earlier rule of the list does. seen: 2^bits slots,
 * more than twice as many as rules. */
static void drop_repeats(struct acl_list *list, const struct rule *rules,
	const struct acl_match *match, uint32_t *seen, unsigned bits)
{
	uint32_t mask = (1u << bits) - 1, kept = 0;

	memset(seen, 0xff, sizeof(seen[0]) << bits);
	for (uint32_t i = 0; i < list->n; i++) {
		uint32_t e = list->rule[i];
		uint32_t at = (uint32_t)match_hash(&match[e & ~ACL_IN_TUNNEL]) & mask;

		while (seen[at] != UINT32_MAX && !same_packets(seen[at], e, rules, match))
			at = (at + 1) & mask;
		if (seen[at] != UINT32_MAX)
			continue;
		seen[at] = e;
		list->rule[kept++] = e;
	}
	list->n = kept;
}

int acl_lists_make(struct acl_list list[ACL_GROUPS], const struct rule *rules,
	const struct acl_match *match, uint32_t n, struct acl_build_stats *stats)
{
	unsigned bits = 4;
	uint32_t *seen;

	memset(list, 0, sizeof(list[0]) * ACL_GROUPS);
	while (1u << bits <= 2 * n)
		bits++;
	seen = malloc(sizeof(seen[0]) << bits);
	if (seen == NULL)
		return -ENOMEM;
	for (unsigned g = 0; g < ACL_GROUPS; g++) {
		uint32_t shadowed;

		list[g].rule = malloc(sizeof(list[g].rule[0]) * (n + 1));
		if (list[g].rule == NULL) {
			free(seen);
			return -ENOMEM;
		}
		shadowed = gather(&list[g], g, rules, match, n);
		drop_repeats(&list[g], rules, match, seen, bits);
		for (list[g].same = g - g % ACL_FAMILY_GROUPS; list[g].same < g; list[g].same++)
			if (list[list[g].same].same == list[g].same &&
				same_list(&list[list[g].same], &list[g]))
				break;
		if (list[g].same == g)
			stats->n_shadowed += shadowed;
		if (list[g].same != g || list[g].n == 0) {
			free(list[g].rule);
			list[g].rule = NULL;
		}
	}
	free(seen);
	return 0;
}

void acl_lists_fini(struct acl_list list[ACL_GROUPS])
{
	for (unsigned g = 0; g < ACL_GROUPS; g++)
		free(list[g].rule);
}

int acl_classes_make(
	struct acl *a, const struct rule *rules, uint32_t n, char *why, size_t why_size)
{
	bool named[RULE_PROTO_TCP_ACK + 1] = {false};
	unsigned next = 0, other;
	bool rest = false;

	for (uint32_t i = 0; i < n; i++)
		if (rules[i].proto <= RULE_PROTO_TCP_ACK)
			named[rules[i].proto] = true;
	for (unsigned p = 0; p < 256; p++) {
		bool ack = p == 6 && named[RULE_PROTO_TCP_ACK];

		if (!named[p] && !ack) {
			rest = true;
			continue;
		}
		if (next < 256)
			a->class[0][p] = (uint8_t)next++;
		else
			goto too_many;
		/* the class after TCP's, so that "tcp" is a range of two */
		if (ack && next == 256)
			goto too_many;
		a->class[1][p] = (uint8_t)(ack ? next++ : next - 1);
	}
	if (rest && next == 256)
		goto too_many;
	other = next;
	for (unsigned p = 0; p < 256; p++)
		if (!named[p] && !(p == 6 && named[RULE_PROTO_TCP_ACK]))
			a->class[0][p] = a->class[1][p] = (uint8_t)other;
	return 0;

too_many:
	snprintf(why, why_size,
		"the rules name too many protocols: there is room for 256 classes, counting "
		"tcp/ack "
		"and the protocols that no rule names as one each; name fewer, or use all");
	return -E2BIG;
}
