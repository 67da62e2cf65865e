/* What acl_in and acl_out share: the lookup of a burst whose packets may belong to several groups,
 * and the counting of rules. Worker.
 */
#pragma once

#include "dp/node/nodes.h"

/* Packets of several groups: group by group. */
static __rte_noinline void acl_burst_mixed(
	struct worker *w, void **objs, const uint8_t group[], uint32_t verdict[], unsigned n)
{
	const struct acl_key *key[WALK_PACKETS_MAX];
	uint16_t at[WALK_PACKETS_MAX];
	uint32_t found[WALK_PACKETS_MAX], done = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned members = 0;

		if (done & 1u << group[i])
			continue;
		done |= 1u << group[i];
		for (unsigned j = i; j < n; j++) {
			if (group[j] != group[i])
				continue;
			key[members] = &meta_of(objs[j])->key;
			at[members++] = (uint16_t)j;
		}
		acl_memo_classify(w->acl_memo, w->root->acl, group[i], key, found, members);
		for (unsigned j = 0; j < members; j++)
			verdict[at[j]] = found[j];
	}
}
_Static_assert(ACL_GROUPS <= 32, "done has a bit per group");

/* Verdicts of n packets, packet i in group[i]. */
static inline void acl_burst(
	struct worker *w, void **objs, const uint8_t group[], uint32_t verdict[], unsigned n)
{
	const struct acl_key *key[WALK_PACKETS_MAX];
	uint8_t mixed = 0;

	if (unlikely(n == 0))
		return;
	for (unsigned i = 1; i < n; i++)
		mixed |= group[i] ^ group[0];
	if (unlikely(mixed)) {
		acl_burst_mixed(w, objs, group, verdict, n);
		return;
	}
	if (w->root->acl->group[group[0]].ctx != NULL) /* else one verdict holds for all keys */
		for (unsigned i = 0; i < n; i++)
			key[i] = &meta_of(objs[i])->key;
	acl_memo_classify(w->acl_memo, w->root->acl, group[0], key, verdict, n);
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
