/* The compiled filter, asked about one described packet, and the plain walk it must agree with.
 *
 * Workers don't come here: they build keys themselves and call acl_classify (acl.h). Called by
 * filter test (control thread) and by tests.
 */
#include "table/acl.h"

#include "table/acl_write.h"

#include <string.h>

uint32_t acl_lookup(const struct acl *a, const struct rule_packet *p)
{
	/* What the input node puts into the key of a fragment that has no transport header. */
	bool l4 = p->frag != PACKET_LATER_FRAGMENT, ip6 = !addr_is4(&p->src);
	unsigned group = acl_group_of(ip6, p->dir, p->zone, p->scope, p->frag);
	uint8_t class = acl_class(a, p->proto, l4 && p->ack);
	rte_be16_t sport = l4 ? rte_cpu_to_be_16(p->sport) : 0;
	rte_be16_t dport = l4 ? rte_cpu_to_be_16(p->dport) : 0;
	rte_be16_t tunnel = rte_cpu_to_be_16(p->tunnel);
	uint32_t verdict = 0;

	if (tunnel)
		group = acl_group_tunnel(group);
	if (ip6) {
		struct acl_key6 key = {
			.class = class, .tunnel = tunnel, .sport = sport, .dport = dport};
		const struct acl_key6 *keys[] = {&key};

		memcpy(key.src, p->src.b, sizeof(key.src));
		memcpy(key.dst, p->dst.b, sizeof(key.dst));
		acl_classify6(a, group, keys, &verdict, 1);
	} else {
		struct acl_key key = {.class = class,
			.tunnel = tunnel,
			.src = p->src.w[3],
			.dst = p->dst.w[3],
			.sport = sport,
			.dport = dport};
		const struct acl_key *keys[] = {&key};

		acl_classify(a, group, keys, &verdict, 1);
	}
	return verdict;
}

uint32_t acl_walk(const struct rule *rules, uint32_t n, const struct rule_packet *p)
{
	for (uint32_t i = 0; i < n; i++)
		if (rule_matches(&rules[i], p))
			return i + 1;
	return 0;
}
