/* What policy_in and policy_out share: the lookup of a burst of both families in the security
 * policy database. Worker.
 */
#pragma once

#include "dp/node/ipsec.h"

/* Verdicts of those of n packets that have ask[i]; the others get 0. dir: RULE_IN or RULE_OUT. */
static inline void policy_burst(const struct spd *spd, unsigned dir, void **objs, const bool ask[],
	uint32_t verdict[], unsigned n)
{
	const struct acl_key *key[WALK_PACKETS_MAX];
	const struct acl_key6 *key6[WALK_PACKETS_MAX];
	uint16_t at[WALK_PACKETS_MAX], at6[WALK_PACKETS_MAX];
	uint8_t proto[WALK_PACKETS_MAX], proto6[WALK_PACKETS_MAX];
	uint32_t found[WALK_PACKETS_MAX];
	unsigned members = 0, members6 = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct meta *meta = meta_of(objs[i]);

		verdict[i] = 0;
		if (!ask[i])
			continue;
		if (meta->flags & META_IP6) {
			key6[members6] = &meta->key6;
			proto6[members6] = meta->proto;
			at6[members6++] = (uint16_t)i;
		} else {
			key[members] = &meta->key;
			proto[members] = meta->proto;
			at[members++] = (uint16_t)i;
		}
	}
	if (members)
		spd_classify(spd, dir, key, proto, found, members);
	for (unsigned i = 0; i < members; i++)
		verdict[at[i]] = found[i];
	if (members6)
		spd_classify6(spd, dir, key6, proto6, found, members6);
	for (unsigned i = 0; i < members6; i++)
		verdict[at6[i]] = found[i];
}

/* A fragment on its way through, and a policy of either direction may ask for its ports: it has to
 * be whole before any is asked (RFC 4301 section 7). */
static inline bool policy_wants_whole(const struct spd *spd, const struct meta *meta)
{
	unsigned family = (meta->flags & META_IP6) != 0;

	return meta->frag != PACKET_WHOLE && meta->nh_type != NH_BROADCAST &&
	       !(meta->flags & META_OURS) &&
	       (spd->needs_ports[RULE_IN - 1][family] || spd->needs_ports[RULE_OUT - 1][family]);
}
