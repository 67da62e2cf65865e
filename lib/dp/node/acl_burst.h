/* What acl_in and acl_out share: the lookup of a burst whose packets may belong to several groups
 * and to both families, and the counting of rules. Worker.
 */
#pragma once

#include "dp/node/nodes.h"

/* Verdicts of n packets, all of one group. */
static inline void acl_burst_one(
	struct worker *w, void *const objs[], unsigned group, uint32_t verdict[], unsigned n)
{
	const struct acl *acl = w->root->acl;
	bool known = acl->group[group].ctx == NULL; /* one verdict holds for all keys */

	if (group < ACL_FAMILY_GROUPS) {
		const struct acl_key *key[WALK_PACKETS_MAX];

		for (unsigned i = 0; i < n && !known; i++)
			key[i] = &meta_of(objs[i])->key;
		acl_memo_classify(w->acl_memo, acl, group, key, verdict, n);
	} else {
		const struct acl_key6 *key[WALK_PACKETS_MAX];

		for (unsigned i = 0; i < n && !known; i++)
			key[i] = &meta_of(objs[i])->key6;
		acl_memo_classify6(w->acl_memo, acl, group, key, verdict, n);
	}
}

/* Packets of several groups: group by group. */
static __rte_noinline void acl_burst_mixed(
	struct worker *w, void **objs, const uint8_t group[], uint32_t verdict[], unsigned n)
{
	void *member[WALK_PACKETS_MAX];
	uint16_t at[WALK_PACKETS_MAX];
	uint32_t found[WALK_PACKETS_MAX];
	uint64_t done[2] = {0};

	for (unsigned i = 0; i < n; i++) {
		unsigned members = 0;

		if (done[group[i] / 64] >> group[i] % 64 & 1)
			continue;
		done[group[i] / 64] |= UINT64_C(1) << group[i] % 64;
		for (unsigned j = i; j < n; j++) {
			if (group[j] != group[i])
				continue;
			member[members] = objs[j];
			at[members++] = (uint16_t)j;
		}
		acl_burst_one(w, member, group[i], found, members);
		for (unsigned j = 0; j < members; j++)
			verdict[at[j]] = found[j];
	}
}
_Static_assert(ACL_GROUPS <= 128, "done has a bit per group");

/* Verdicts of n packets, packet i in group[i]. */
static inline void acl_burst(
	struct worker *w, void **objs, const uint8_t group[], uint32_t verdict[], unsigned n)
{
	uint8_t mixed = 0;

	if (unlikely(n == 0))
		return;
	for (unsigned i = 1; i < n; i++)
		mixed |= group[i] ^ group[0];
	if (unlikely(mixed)) {
		acl_burst_mixed(w, objs, group, verdict, n);
		return;
	}
	acl_burst_one(w, objs, group[0], verdict, n);
}

/* The rule permits and does not log: nothing more to do for it. */
static inline bool acl_quiet(const struct acl_verdict *v)
{
	return (v->permit & !v->log) != 0;
}

/* Counts packets on rules; runs of the same rule are added at once. */
struct acl_count {
	struct rule_counter *counter;
	uint32_t index, packets;
	uint64_t bytes;
};

static inline void acl_count_flush(struct acl_count *c)
{
	c->counter[c->index].packets += c->packets;
	c->counter[c->index].bytes += c->bytes;
	c->packets = 0;
	c->bytes = 0;
}

static inline void acl_count(struct acl_count *c, uint32_t index, uint32_t bytes)
{
	if (unlikely(index != c->index)) {
		acl_count_flush(c);
		c->index = index;
	}
	c->packets++;
	c->bytes += bytes;
}
