/* Ids of rule counters: a table from (rule content, k-th of its kind in the list) to id, so that a
 * rule that stays over a reload keeps its counter wherever in the list it moves.
 *
 * Called by acl_build and by whoever swaps tables; control core only.
 */
#include "table/acl_parts.h"

#include <errno.h>
#include <stdlib.h>

/* One counter. A free one has rule.proto and the rest undefined, and hangs in the free list. */
struct slot {
	struct rule rule; /* file and line unused */
	uint32_t k;       /* 0 for the first of equal rules */
	uint32_t next;    /* in the bucket or in the free list; 0 ends both */
	uint32_t mark;    /* acl_counters_retire: seen in the table that stays */
};

struct acl_counters {
	uint32_t max;
	uint32_t free; /* head of the free list */
	uint32_t mark;
	uint32_t mask; /* buckets - 1 */
	uint32_t *bucket;
	struct slot *slot; /* max of them; 0 is the implicit deny */
};

struct acl_counters *acl_counters_new(uint32_t max)
{
	struct acl_counters *c = calloc(1, sizeof(*c));

	if (c == NULL || max < 2)
		goto fail;
	c->max = max;
	while (c->mask < max)
		c->mask = c->mask * 2 + 1;
	c->bucket = calloc((size_t)c->mask + 1, sizeof(c->bucket[0]));
	c->slot = calloc(max, sizeof(c->slot[0]));
	if (c->bucket == NULL || c->slot == NULL)
		goto fail;
	for (uint32_t id = max - 1; id > 0; id--) {
		c->slot[id].next = c->free;
		c->free = id;
	}
	return c;
fail:
	acl_counters_free(c);
	return NULL;
}

void acl_counters_free(struct acl_counters *c)
{
	if (c == NULL)
		return;
	free(c->bucket);
	free(c->slot);
	free(c);
}

static uint32_t *bucket_of(struct acl_counters *c, const struct rule *r, uint32_t k)
{
	return &c->bucket[(rule_hash(r) + k * 0x9e3779b97f4a7c15ull) >> 20 & c->mask];
}

/* The id of the k-th rule like r, taken if need be; 0 when all are taken. */
static uint32_t take(struct acl_counters *c, const struct rule *r, uint32_t k, bool *fresh)
{
	uint32_t *bucket = bucket_of(c, r, k);
	uint32_t id;

	*fresh = false;
	for (id = *bucket; id != 0; id = c->slot[id].next)
		if (c->slot[id].k == k && rule_same(&c->slot[id].rule, r))
			return id;
	id = c->free;
	if (id == 0)
		return 0;
	*fresh = true;
	c->free = c->slot[id].next;
	c->slot[id] = (struct slot){.rule = *r, .k = k, .next = *bucket};
	c->slot[id].rule.file = NULL; /* not ours */
	*bucket = id;
	return id;
}

static void release(struct acl_counters *c, uint32_t id)
{
	struct slot *s = &c->slot[id];
	uint32_t *link = bucket_of(c, &s->rule, s->k);

	while (*link != id)
		link = &c->slot[*link].next;
	*link = s->next;
	s->next = c->free;
	c->free = id;
}

/* k of each rule: how many rules like it stand before it. NULL when out of memory. */
static uint32_t *ordinals(const struct rule *rules, uint32_t n)
{
	uint32_t mask = 15;
	uint32_t *last, *k;

	while (mask < 2 * n)
		mask = mask * 2 + 1;
	last = calloc((size_t)mask + 1, sizeof(last[0])); /* 1 + the last rule of this content */
	k = malloc(sizeof(k[0]) * ((size_t)n + 1));
	if (last == NULL || k == NULL) {
		free(last);
		free(k);
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (uint32_t)rule_hash(&rules[i]) & mask;

		while (last[at] != 0 && !rule_same(&rules[last[at] - 1], &rules[i]))
			at = (at + 1) & mask;
		k[i] = last[at] ? k[last[at] - 1] + 1 : 0;
		last[at] = i + 1;
	}
	free(last);
	return k;
}

int acl_counters_take(struct acl_counters *c, const struct rule *rules, uint32_t n,
	struct acl_verdict *verdict, uint32_t *fresh, uint32_t *n_fresh)
{
	uint32_t *k = ordinals(rules, n);
	int rc = 0;

	*n_fresh = 0;
	if (k == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		bool is_fresh;
		uint32_t id = take(c, &rules[i], k[i], &is_fresh);

		if (id == 0) {
			acl_counters_give_back(c, fresh, *n_fresh);
			*n_fresh = 0;
			rc = -ENOSPC;
			break;
		}
		if (is_fresh)
			fresh[(*n_fresh)++] = id;
		verdict[i + 1].counter = id;
	}
	free(k);
	return rc;
}

void acl_counters_give_back(struct acl_counters *c, const uint32_t *fresh, uint32_t n_fresh)
{
	while (n_fresh > 0)
		release(c, fresh[--n_fresh]);
}

void acl_counters_retire(struct acl_counters *c, const struct acl *old, const struct acl *next,
	void (*freed)(void *arg, uint32_t id), void *arg)
{
	c->mark++;
	for (uint32_t i = 1; next != NULL && i <= next->n_rules; i++)
		c->slot[next->verdict[i].counter].mark = c->mark;
	for (uint32_t i = 1; old != NULL && i <= old->n_rules; i++) {
		uint32_t id = old->verdict[i].counter;

		if (c->slot[id].mark == c->mark)
			continue;
		release(c, id);
		if (freed != NULL)
			freed(arg, id);
	}
}
