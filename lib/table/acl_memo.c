/* Remembered lookups: a table of sets, each one cache line with two entries. The newer comes first
 * and pushes the older out, into the set beside it where that has room: a miss costs ten times a
 * hit, so that the one flow in forty that shares its set with two others would be felt. Keys of
 * IPv6 are too long for two in a line: their table has one entry in each, and otherwise works
 * alike. Called by the filter nodes, on the owning worker.
 */
#include "table/acl_memo.h"

#include <rte_malloc.h>
#include <rte_prefetch.h>

#include <string.h>

#define SET_BITS 12
#define SETS (1u << SET_BITS)
#define PLACE6_BITS 13
#define PLACES6 (1u << PLACE6_BITS)
#define JUDGE_AFTER 4096 /* packets, then: did remembering pay? */
#define REST 65536       /* packets for which it is not tried when it didn't */

struct entry {
	uint64_t key[2];
	uint64_t tag; /* serial of the table and id of the group; 0: empty */
	uint32_t verdict;
	uint32_t pad;
};

struct set {
	struct entry entry[2];
} __rte_cache_aligned;
_Static_assert(sizeof(struct set) == RTE_CACHE_LINE_SIZE, "one line per set");

struct key6 {
	uint64_t q[5];
};
_Static_assert(sizeof(struct key6) == sizeof(struct acl_key6), "the whole key");

struct entry6 {
	struct key6 key;
	uint64_t tag;
	uint32_t verdict;
} __rte_cache_aligned;
_Static_assert(sizeof(struct entry6) == RTE_CACHE_LINE_SIZE, "one line per entry");

struct judgement {
	uint32_t seen, hits; /* since the last one */
	uint32_t rest;       /* packets yet to be looked up directly */
};

struct acl_memo {
	struct set set[SETS];
	struct entry6 entry6[PLACES6];
	struct judgement ip4, ip6;
	struct acl_memo_stats stats;
};

struct acl_memo *acl_memo_new(int socket)
{
	return rte_zmalloc_socket("acl_memo", sizeof(struct acl_memo), RTE_CACHE_LINE_SIZE, socket);
}

void acl_memo_free(struct acl_memo *m)
{
	rte_free(m);
}

/* Somebody who knows it can make flows collide; they are looked up each time then, no worse than
 * without a memo. */
static inline uint32_t set_of(const uint64_t key[2], uint64_t tag)
{
	uint64_t h = (key[0] ^ tag << 40) * 0x9e3779b97f4a7c15 + key[1] * 0xc2b2ae3d27d4eb4f;

	return (uint32_t)((h ^ h >> 29) * 0xbf58476d1ce4e5b9 >> (64 - SET_BITS));
}

static inline bool entry_is(const struct entry *e, const uint64_t key[2], uint64_t tag)
{
	return ((e->key[0] ^ key[0]) | (e->key[1] ^ key[1]) | (e->tag ^ tag)) == 0;
}

/* Puts a new entry first in its set. What falls out goes to the set beside, if it is of this table:
 * over an entry of an older one, or else over the second. */
static void remember(struct acl_memo *m, uint32_t where, const struct entry *new)
{
	struct set *s = &m->set[where], *beside = &m->set[where ^ 1];

	if (s->entry[1].tag >> 8 == new->tag >> 8)
		beside->entry[beside->entry[0].tag >> 8 == new->tag >> 8] = s->entry[1];
	s->entry[1] = s->entry[0];
	s->entry[0] = *new;
}

static const struct entry *find_beside(
	const struct acl_memo *m, uint32_t where, const uint64_t key[2], uint64_t tag)
{
	const struct set *s = &m->set[where ^ 1];

	return entry_is(&s->entry[0], key, tag)   ? &s->entry[0]
	       : entry_is(&s->entry[1], key, tag) ? &s->entry[1]
						  : NULL;
}

/* Looks up the packets that are not in their set, and remembers them. How many were unknown. */
static unsigned learn(struct acl_memo *m, const struct acl *a, unsigned group,
	const struct acl_key *const key[], uint32_t out[], uint16_t missed[],
	const uint16_t where[], unsigned n)
{
	const struct acl_key *unknown_key[ACL_BURST_MAX];
	uint32_t verdict[ACL_BURST_MAX];
	struct entry e = {.tag = a->serial << 8 | a->group[group].id};
	unsigned n_unknown = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct entry *found;

		memcpy(e.key, key[missed[i]], sizeof(e.key));
		found = find_beside(m, where[missed[i]], e.key, e.tag);
		if (found != NULL) {
			out[missed[i]] = found->verdict;
			continue;
		}
		unknown_key[n_unknown] = key[missed[i]];
		missed[n_unknown++] = missed[i];
	}
	if (n_unknown > 0)
		acl_classify(a, group, unknown_key, verdict, n_unknown);
	for (unsigned i = 0; i < n_unknown; i++) {
		memcpy(e.key, unknown_key[i], sizeof(e.key));
		e.verdict = out[missed[i]] = verdict[i];
		remember(m, where[missed[i]], &e);
	}
	return n_unknown;
}

const struct acl_memo_stats *acl_memo_stats(const struct acl_memo *m)
{
	return &m->stats;
}

static void judge(struct acl_memo *m, struct judgement *j, unsigned n, unsigned hits)
{
	m->stats.lookups += n;
	m->stats.hits += hits;
	j->seen += n;
	j->hits += hits;
	if (j->seen < JUDGE_AFTER)
		return;
	j->rest = j->hits < j->seen / 2 ? REST : 0;
	j->seen = j->hits = 0;
}

/* Whether the keys are to be looked up directly: they have one verdict, or remembering didn't pay.
 */
static inline bool resting(struct judgement *j, const struct acl_group *group, unsigned n)
{
	if (group->ctx != NULL && j->rest == 0)
		return false;
	j->rest -= RTE_MIN(j->rest, n);
	return true;
}

void acl_memo_classify(struct acl_memo *m, const struct acl *a, unsigned group,
	const struct acl_key *const key[], uint32_t out[], unsigned n)
{
	uint16_t where[ACL_BURST_MAX], missed[ACL_BURST_MAX];
	uint64_t tag = a->serial << 8 | a->group[group].id;
	unsigned n_missed = 0;

	if (resting(&m->ip4, &a->group[group], n)) {
		acl_classify(a, group, key, out, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t k[2];

		memcpy(k, key[i], sizeof(k));
		where[i] = (uint16_t)set_of(k, tag);
		rte_prefetch0(&m->set[where[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct set *s = &m->set[where[i]];
		uint64_t k[2];

		memcpy(k, key[i], sizeof(k));
		out[i] = s->entry[1].verdict;
		if (likely(entry_is(&s->entry[0], k, tag)))
			out[i] = s->entry[0].verdict;
		else if (!entry_is(&s->entry[1], k, tag))
			missed[n_missed++] = (uint16_t)i;
	}
	if (n_missed > 0)
		n_missed = learn(m, a, group, key, out, missed, where, n_missed);
	judge(m, &m->ip4, n, n - n_missed);
}

static inline uint32_t place_of(const struct key6 *k, uint64_t tag)
{
	uint64_t h = (k->q[0] ^ tag << 40) * 0x9e3779b97f4a7c15 + k->q[1] * 0xc2b2ae3d27d4eb4f +
		     k->q[2] * 0x165667b19e3779f9 + k->q[3] * 0xd6e8feb86659fd93 +
		     k->q[4] * 0xa0761d6478bd642f;

	return (uint32_t)((h ^ h >> 29) * 0xbf58476d1ce4e5b9 >> (64 - PLACE6_BITS));
}

static inline bool entry6_is(const struct entry6 *e, const struct key6 *k, uint64_t tag)
{
	return ((e->key.q[0] ^ k->q[0]) | (e->key.q[1] ^ k->q[1]) | (e->key.q[2] ^ k->q[2]) |
		       (e->key.q[3] ^ k->q[3]) | (e->key.q[4] ^ k->q[4]) | (e->tag ^ tag)) == 0;
}

/* As learn; what falls out of a place goes to the one beside. */
static unsigned learn6(struct acl_memo *m, const struct acl *a, unsigned group,
	const struct acl_key6 *const key[], uint32_t out[], uint16_t missed[],
	const uint16_t where[], unsigned n)
{
	const struct acl_key6 *unknown_key[ACL_BURST_MAX];
	uint32_t verdict[ACL_BURST_MAX];
	struct entry6 new = {.tag = a->serial << 8 | a->group[group].id};
	unsigned n_unknown = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct entry6 *beside = &m->entry6[where[missed[i]] ^ 1];

		memcpy(&new.key, key[missed[i]], sizeof(new.key));
		if (entry6_is(beside, &new.key, new.tag)) {
			out[missed[i]] = beside->verdict;
			continue;
		}
		unknown_key[n_unknown] = key[missed[i]];
		missed[n_unknown++] = missed[i];
	}
	if (n_unknown > 0)
		acl_classify6(a, group, unknown_key, verdict, n_unknown);
	for (unsigned i = 0; i < n_unknown; i++) {
		struct entry6 *e = &m->entry6[where[missed[i]]];

		memcpy(&new.key, unknown_key[i], sizeof(new.key));
		new.verdict = out[missed[i]] = verdict[i];
		if (e->tag >> 8 == a->serial)
			m->entry6[where[missed[i]] ^ 1] = *e;
		*e = new;
	}
	return n_unknown;
}

void acl_memo_classify6(struct acl_memo *m, const struct acl *a, unsigned group,
	const struct acl_key6 *const key[], uint32_t out[], unsigned n)
{
	uint16_t where[ACL_BURST_MAX], missed[ACL_BURST_MAX];
	uint64_t tag = a->serial << 8 | a->group[group].id;
	unsigned n_missed = 0;
	struct key6 k;

	if (resting(&m->ip6, &a->group[group], n)) {
		acl_classify6(a, group, key, out, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		memcpy(&k, key[i], sizeof(k));
		where[i] = (uint16_t)place_of(&k, tag);
		rte_prefetch0(&m->entry6[where[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct entry6 *e = &m->entry6[where[i]];

		memcpy(&k, key[i], sizeof(k));
		out[i] = e->verdict;
		if (unlikely(!entry6_is(e, &k, tag)))
			missed[n_missed++] = (uint16_t)i;
	}
	if (n_missed > 0)
		n_missed = learn6(m, a, group, key, out, missed, where, n_missed);
	judge(m, &m->ip6, n, n - n_missed);
}
