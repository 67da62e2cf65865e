/* The filter compiler, second half: one list of rules becomes one rte_acl context, ready for
 * lookups with the fastest algorithm that the machine has.
 *
 * Called by acl_build, on the builder thread or at boot.
 */
#include "table/acl_parts.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_CLASS, FIELD_SRC, FIELD_DST, FIELD_SPORT, FIELD_DPORT, FIELDS };

RTE_ACL_RULE_DEF(ctx_rule, FIELDS);

/* struct acl_key, as rte_acl wants it: one byte, then fours. */
static const struct rte_acl_config layout = {
	.num_categories = 1,
	.num_fields = FIELDS,
	.defs =
		{
			{RTE_ACL_FIELD_TYPE_RANGE, 1, FIELD_CLASS, 0,
				offsetof(struct acl_key, class)},
			{RTE_ACL_FIELD_TYPE_MASK, 4, FIELD_SRC, 1, offsetof(struct acl_key, src)},
			{RTE_ACL_FIELD_TYPE_MASK, 4, FIELD_DST, 2, offsetof(struct acl_key, dst)},
			{RTE_ACL_FIELD_TYPE_RANGE, 2, FIELD_SPORT, 3,
				offsetof(struct acl_key, sport)},
			{RTE_ACL_FIELD_TYPE_RANGE, 2, FIELD_DPORT, 3,
				offsetof(struct acl_key, dport)},
		},
};

#define TABLE_BYTES_MAX ((size_t)1 << 30)

/* Adds a rule with all pairs of its port ranges (neq is two ranges). They are disjoint, so that
 * they may share a priority. */
static int add_rule(struct rte_acl_ctx *ctx, const struct acl *a, const struct acl_match *m,
	int32_t priority, uint32_t verdict)
{
	struct ctx_rule r = {
		.data = {.category_mask = 1, .priority = priority, .userdata = verdict},
	};
	uint8_t lo = 0, hi = UINT8_MAX;

	if (m->proto == RULE_PROTO_TCP_ACK)
		lo = hi = a->class[1][6];
	else if (m->proto < RULE_PROTO_ALL) {
		lo = a->class[0][m->proto];
		hi = a->class[1][m->proto];
	}
	r.field[FIELD_CLASS].value.u8 = lo;
	r.field[FIELD_CLASS].mask_range.u8 = hi;
	r.field[FIELD_SRC].value.u32 = m->src;
	r.field[FIELD_SRC].mask_range.u32 = m->slen;
	r.field[FIELD_DST].value.u32 = m->dst;
	r.field[FIELD_DST].mask_range.u32 = m->dlen;
	for (unsigned i = 0; i < m->n_sport * m->n_dport; i++) {
		const struct rule_range *s = &m->sport[i / m->n_dport];
		const struct rule_range *d = &m->dport[i % m->n_dport];
		int rc;

		r.field[FIELD_SPORT].value.u16 = s->from;
		r.field[FIELD_SPORT].mask_range.u16 = s->to;
		r.field[FIELD_DPORT].value.u16 = d->from;
		r.field[FIELD_DPORT].mask_range.u16 = d->to;
		rc = rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&r, 1);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static void choose_algorithm(struct rte_acl_ctx *ctx)
{
	static const enum rte_acl_classify_alg best[] = {RTE_ACL_CLASSIFY_AVX512X32,
		RTE_ACL_CLASSIFY_AVX512X16, RTE_ACL_CLASSIFY_AVX2, RTE_ACL_CLASSIFY_SSE};

	/* refused where the processor or the SIMD width set at boot doesn't allow it */
	for (unsigned i = 0; i < RTE_DIM(best); i++)
		if (rte_acl_set_ctx_classify(ctx, best[i]) == 0)
			return;
}

struct rte_acl_ctx *acl_ctx_make(const struct acl *a, const struct acl_list *list,
	const struct acl_match *match, struct acl_build_stats *stats, char *why, size_t why_size)
{
	/* rte_acl keeps contexts by name for the whole process and returns an old one of that name
	 */
	static atomic_uint sequence;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = {
		.name = name, .socket_id = SOCKET_ID_ANY, .rule_size = RTE_ACL_RULE_SZ(FIELDS)};
	struct rte_acl_config cfg = layout;
	struct rte_acl_ctx *ctx;
	int rc = 0;

	snprintf(name, sizeof(name), "filter-%u", atomic_fetch_add(&sequence, 1));
	for (uint32_t i = 0; i < list->n; i++) {
		const struct acl_match *m = &match[list->rule[i]];

		param.max_rule_num += m->n_sport * m->n_dport;
	}
	ctx = rte_acl_create(&param);
	if (ctx == NULL) {
		rc = -ENOMEM;
		goto fail;
	}
	for (uint32_t i = 0; i < list->n && rc == 0; i++)
		rc = add_rule(ctx, a, &match[list->rule[i]], RTE_ACL_MAX_PRIORITY - (int32_t)i,
			list->rule[i] + 1);
	if (rc != 0)
		goto fail;
	cfg.max_size = TABLE_BYTES_MAX;
	rc = rte_acl_build(ctx, &cfg);
	if (rc != 0)
		goto fail;
	choose_algorithm(ctx);
	stats->n_contexts++;
	stats->n_compiled += param.max_rule_num;
	return ctx;

fail:
	rte_acl_free(ctx);
	if (rc == -ENOMEM)
		snprintf(why, why_size,
			"no memory for the lookup table of %u rules: the DPDK heap is too small "
			"for "
			"it; raise memory-mb or give the machine more hugepages",
			list->n);
	else if (rc == -ERANGE)
		snprintf(why, why_size,
			"the lookup table of %u rules would be larger than %zu MB: the rules "
			"overlap "
			"too much; use fewer rules with port ranges and short prefixes",
			list->n, TABLE_BYTES_MAX >> 20);
	else
		snprintf(why, why_size, "rte_acl refuses the table of %u rules: %s", list->n,
			strerror(-rc));
	return NULL;
}
