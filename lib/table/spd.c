/* The compiled SPD, asked about bursts of packets and about one described packet; and the plain
 * walk that it must agree with. The nodes policy_in and policy_out on workers, filter test, tests.
 */
#include "table/spd.h"

#include <string.h>

static bool constant(const struct acl_group *g, uint32_t verdict[], unsigned n)
{
	for (unsigned i = 0; g->ctx == NULL && i < n; i++)
		verdict[i] = g->constant;
	return g->ctx == NULL;
}

/* The key's first byte is the protocol itself in these tables. */
void spd_classify(const struct spd *s, unsigned dir, const struct acl_key *const key[],
	const uint8_t proto[], uint32_t verdict[], unsigned n)
{
	const struct acl_group *g = &s->group[dir - 1][0];
	const uint8_t *at[ACL_BURST_MAX];
	struct acl_key copy[ACL_BURST_MAX];

	if (constant(g, verdict, n))
		return;
	for (unsigned i = 0; i < n; i++) {
		copy[i] = *key[i];
		copy[i].class = proto[i];
		at[i] = (const uint8_t *)&copy[i];
	}
	acl_classify_keys(g, at, verdict, n);
}

void spd_classify6(const struct spd *s, unsigned dir, const struct acl_key6 *const key[],
	const uint8_t proto[], uint32_t verdict[], unsigned n)
{
	const struct acl_group *g = &s->group[dir - 1][1];
	const uint8_t *at[ACL_BURST_MAX];
	struct acl_key6 copy[ACL_BURST_MAX];

	if (constant(g, verdict, n))
		return;
	for (unsigned i = 0; i < n; i++) {
		copy[i] = *key[i];
		copy[i].class = proto[i];
		at[i] = (const uint8_t *)&copy[i];
	}
	acl_classify_keys(g, at, verdict, n);
}

uint32_t spd_lookup(const struct spd *s, unsigned dir, const struct selector_packet *p)
{
	bool ip6 = !addr_is4(&p->src);
	rte_be16_t sport = p->no_ports ? 0 : rte_cpu_to_be_16(p->sport);
	rte_be16_t dport = p->no_ports ? 0 : rte_cpu_to_be_16(p->dport);
	uint32_t verdict = 0;

	if (p->no_ports && s->needs_ports[dir - 1][ip6])
		return policy_walk(s->policy, s->n_policies, dir, p);
	if (ip6) {
		struct acl_key6 key = {.sport = sport, .dport = dport};
		const struct acl_key6 *keys[] = {&key};

		memcpy(key.src, p->src.b, sizeof(key.src));
		memcpy(key.dst, p->dst.b, sizeof(key.dst));
		spd_classify6(s, dir, keys, &p->proto, &verdict, 1);
	} else {
		struct acl_key key = {
			.src = p->src.w[3], .dst = p->dst.w[3], .sport = sport, .dport = dport};
		const struct acl_key *keys[] = {&key};

		spd_classify(s, dir, keys, &p->proto, &verdict, 1);
	}
	return verdict;
}

bool policy_selector(const struct policy *p, unsigned dir, struct selector *sel)
{
	if (!(p->dir & dir))
		return false;
	*sel = dir == RULE_IN && (p->dir & RULE_OUT) ? selector_mirror(&p->sel) : p->sel;
	return true;
}

uint32_t policy_walk(
	const struct policy policy[], uint32_t n, unsigned dir, const struct selector_packet *p)
{
	for (uint32_t i = 0; i < n; i++) {
		struct selector sel;

		if (policy_selector(&policy[i], dir, &sel) && selector_matches(&sel, p))
			return i + 1;
	}
	return 0;
}
