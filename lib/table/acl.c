/* The compiled filter, asked about one described packet, and the plain walk it must agree with.
 *
 * Workers don't come here: they build keys themselves and call acl_classify (acl.h). Called by
 * filter test (control thread) and by tests.
 */
#include "table/acl.h"

#include "table/acl_write.h"

uint32_t acl_lookup(const struct acl *a, const struct rule_packet *p)
{
	/* What the input node puts into the key of a fragment that has no transport header. */
	bool l4 = p->frag != PACKET_LATER_FRAGMENT;
	struct acl_key key = {
		.class = acl_class(a, p->proto, l4 && p->ack),
		.src = rte_cpu_to_be_32(p->src),
		.dst = rte_cpu_to_be_32(p->dst),
		.sport = l4 ? rte_cpu_to_be_16(p->sport) : 0,
		.dport = l4 ? rte_cpu_to_be_16(p->dport) : 0,
	};
	const struct acl_key *keys[] = {&key};
	uint32_t verdict = 0;

	acl_classify(a, acl_group_of(p->dir, p->zone, p->scope, p->frag), keys, &verdict, 1);
	return verdict;
}

uint32_t acl_walk(const struct rule *rules, uint32_t n, const struct rule_packet *p)
{
	for (uint32_t i = 0; i < n; i++)
		if (rule_matches(&rules[i], p))
			return i + 1;
	return 0;
}
