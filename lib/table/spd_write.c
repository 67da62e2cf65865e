/* The SPD's compiler: an ordered list of policies becomes four tables (direction x family) of the
 * filter's kind. A range of addresses becomes the prefixes that hold it, so that one policy may be
 * several entries; all have its verdict. Called by the builder for a reload and at boot.
 */
#include "table/spd_write.h"

#include "table/acl_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Entries of one table: 65,536 policies with prefixes, and some with ranges. */
#define ENTRIES_MAX 262144

struct list {
	struct acl_match *match;
	struct acl_entry *entry;
	uint32_t n, room;
};

/* Room for that many more. */
static bool grow(struct list *l, uint32_t more)
{
	uint32_t room = RTE_MAX(l->n + more, l->room * 2);
	struct acl_match *match;
	struct acl_entry *entry;

	if (l->n + more <= l->room)
		return true;
	match = realloc(l->match, sizeof(match[0]) * room);
	if (match != NULL)
		l->match = match;
	entry = realloc(l->entry, sizeof(entry[0]) * room);
	if (entry != NULL)
		l->entry = entry;
	if (match == NULL || entry == NULL)
		return false;
	l->room = room;
	return true;
}

static bool whole_family(const struct addr *from, const struct addr *to)
{
	struct prefix all[RANGE_PREFIXES_MAX];

	return selector_prefixes(from, to, all) == 1 && prefix_written_len(&all[0]) == 0;
}

static bool match_all(const struct selector *s)
{
	return s->proto == SELECTOR_PROTO_ANY && !selector_needs_ports(s) &&
	       (s->any_addr || (whole_family(&s->src_from, &s->src_to) &&
				       whole_family(&s->dst_from, &s->dst_to)));
}

/* The policy's name, or where it stands. */
static const char *called(const struct policy *p, char buf[], size_t size)
{
	if (p->name[0])
		snprintf(buf, size, "policy %.*s", TUNNEL_NAME_MAX, p->name);
	else
		snprintf(buf, size, "%s:%u: a policy", p->file ? p->file : "", p->line);
	return buf;
}

/* Adds all pairs of prefixes of the selector. 0 or -errno with the sentence. */
static int add(struct list *l, const struct policy *p, const struct selector *s, uint32_t verdict,
	char *why, size_t why_size)
{
	struct prefix src[RANGE_PREFIXES_MAX] = {{.len = 0}},
		      dst[RANGE_PREFIXES_MAX] = {{.len = 0}};
	unsigned n_src = 1, n_dst = 1;
	char name[128];

	if (!s->any_addr) {
		n_src = selector_prefixes(&s->src_from, &s->src_to, src);
		n_dst = selector_prefixes(&s->dst_from, &s->dst_to, dst);
	}
	if (l->n + n_src * n_dst > ENTRIES_MAX) {
		snprintf(why, why_size,
			"%s: its addresses are %u pairs of prefixes, and with those of the "
			"policies before it more than the %u there is room for: use prefixes "
			"instead of ranges",
			called(p, name, sizeof(name)), n_src * n_dst, ENTRIES_MAX);
		return -E2BIG;
	}
	if (!grow(l, n_src * n_dst)) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n_src * n_dst; i++) {
		const struct prefix *from = &src[i / n_dst], *to = &dst[i % n_dst];
		struct acl_match *m = &l->match[l->n];

		/* within an IPv6 range: the addresses that IPv4 ones are mapped to, which no packet
		 * has */
		if (!s->any_addr && !addr_is4(&s->src_from) &&
			(addr_is4(&from->addr) || addr_is4(&to->addr)))
			continue;
		memset(m, 0, sizeof(*m));
		if (!s->any_addr) {
			m->slen = acl_prefix_words(from, m->src);
			m->dlen = acl_prefix_words(to, m->dst);
		}
		m->n_sport = m->n_dport = 1;
		m->sport[0] = (struct rule_range){s->sport_from, s->sport_to};
		m->dport[0] = (struct rule_range){s->dport_from, s->dport_to};
		l->entry[l->n++] = (struct acl_entry){
			.verdict = verdict,
			.class_from = (uint8_t)(s->proto == SELECTOR_PROTO_ANY ? 0 : s->proto),
			.class_to =
				(uint8_t)(s->proto == SELECTOR_PROTO_ANY ? UINT8_MAX : s->proto),
		};
	}
	return 0;
}

/* The entries of one direction and family, up to the first policy that is about everything. */
static int gather(struct spd *s, unsigned dir, bool ip6, struct list *l, char *why, size_t why_size)
{
	for (uint32_t i = 0; i < s->n_policies; i++) {
		const struct policy *p = &s->policy[i];
		struct selector sel;
		int rc;

		if (!policy_selector(p, dir, &sel) ||
			(!sel.any_addr && addr_is4(&sel.src_from) == ip6))
			continue;
		if (match_all(&sel)) {
			s->group[dir - 1][ip6].constant = i + 1;
			break;
		}
		rc = add(l, p, &sel, i + 1, why, why_size);
		if (rc != 0)
			return rc;
		s->needs_ports[dir - 1][ip6] |= selector_needs_ports(&sel);
	}
	for (uint32_t i = 0; i < l->n; i++) /* now that they don't move any more */
		l->entry[i].match = &l->match[i];
	return 0;
}

static int make_table(struct spd *s, unsigned dir, bool ip6, int socket, char *why, size_t why_size)
{
	const struct acl_spec spec = {ip6, socket, "policies"};
	struct acl_build_stats stats = {0};
	struct list l = {0};
	int rc = gather(s, dir, ip6, &l, why, why_size);

	if (rc == 0 && l.n > 0)
		rc = acl_ctx_make(
			&spec, &s->group[dir - 1][ip6], l.entry, l.n, &stats, why, why_size);
	free(l.match);
	free(l.entry);
	return rc;
}

static int copy(struct spd *s, const struct policy policy[], uint32_t n)
{
	s->verdict = calloc((size_t)n + 1, sizeof(s->verdict[0]));
	s->policy = calloc((size_t)n + 1, sizeof(s->policy[0]));
	if (s->verdict == NULL || s->policy == NULL)
		return -ENOMEM;
	for (; s->n_policies < n; s->n_policies++) {
		struct policy *p = &s->policy[s->n_policies];

		*p = policy[s->n_policies];
		if (p->file != NULL && (p->file = strdup(p->file)) == NULL)
			return -ENOMEM;
		s->verdict[s->n_policies + 1] = (struct spd_verdict){.action = p->action,
			.tunnel = p->action == POLICY_PROTECT ? p->tunnel : TUNNEL_NONE};
	}
	return 0;
}

struct spd *spd_build(const struct policy policy[], uint32_t n, enum policy_action others,
	int socket, char *why, size_t why_size)
{
	struct spd *s;

	if (n > POLICIES_MAX) {
		snprintf(why, why_size, "%u policies: there is room for %u", n, POLICIES_MAX);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL || copy(s, policy, n) != 0) {
		snprintf(why, why_size, "out of memory");
		goto fail;
	}
	s->verdict[0].action = (uint8_t)others;
	for (unsigned dir = RULE_IN; dir <= RULE_OUT; dir++)
		for (unsigned ip6 = 0; ip6 < 2; ip6++)
			if (make_table(s, dir, ip6, socket, why, why_size) != 0)
				goto fail;
	return s;
fail:
	spd_free(s);
	return NULL;
}

void spd_free(struct spd *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < 4; i++) {
		rte_acl_free(s->group[i / 2][i % 2].ctx);
		rte_acl_free(s->group[i / 2][i % 2].more);
	}
	for (uint32_t i = 0; i < s->n_policies; i++)
		free((void *)(uintptr_t)s->policy[i].file);
	free(s->policy);
	free(s->verdict);
	free(s);
}
