/* The filter compiler, second half: one list of rules becomes one or two rte_acl contexts, ready
 * for lookups with the fastest algorithm that the machine has. Security policies are compiled the
 * same way.
 *
 * rte_acl makes tries over the bytes of the key, and a lookup costs two to three cycles per byte
 * and trie. Where "any source, this host" meets "this network, any destination" in one trie, each
 * pair gets its own nodes: 1,000 such rules take 50 MB, 10,000 take gigabytes, and rte_acl then
 * cuts the list into up to eight tries by a rule of thumb. So a list in which that would happen is
 * cut here, in two: rules that say more about the destination, and rules that say more about the
 * source, each in a context whose trie begins with the narrow side. Measured with bench/acl (burst
 * 64): 100,000 rules cost 75 cycles instead of 162, 341 MB instead of 616, 5 s to build instead
 * of 17. A list of up to 1,000 rules stays whole: 34 cycles instead of 70.
 *
 * An IPv6 address is four fields of four bytes each, since a field of rte_acl has at most four that
 * its fast lookups take; a prefix is one length per field. Such a key has 37 bytes to look at where
 * one of IPv4 has 13: the same lists in IPv6 cost 2.5 times as many cycles and 1.5 to 3 times as
 * much memory (1,000 rules 118 cycles and 160 MB, 100,000 rules 260 and 480).
 *
 * Called by acl_build and spd_build, on the builder thread or at boot.
 */
#include "table/acl_parts.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rules of the one kind times rules of the other up to which one trie is made of both. A pair takes
 * about 200 bytes: 50 MB. */
#define PAIRS_MAX ((uint64_t)1 << 18)

/* Not 0, or rte_acl would cut lists into more tries; a table of this size is refused. */
#define TABLE_BYTES_MAX ((size_t)2 << 30)

/* rte_acl looks at the size only when all is built, and takes three to five times as much ordinary
 * memory on the way. So a long list is tried with every 16th rule first. Lists as people write them
 * grew 30-fold from there, lists of random fields 2- to 7-fold (rte_acl cuts them into more tries
 * by then): near enough to refuse what would fill the memory of the machine. */
#define TRY_FROM 4096
#define TRY_STRIDE 16
#define BUILD_BYTES_PER_TABLE_BYTE 5

/* Parts of a key, and the orders in which the tries test them: of all six, the fastest and smallest
 * for their part. The class has to be the first. */
enum part { CLASS, SRC, DST, SPORT, DPORT, PARTS };

static const uint8_t dst_first[PARTS] = {CLASS, DST, SRC, SPORT, DPORT};
static const uint8_t src_first[PARTS] = {CLASS, SRC, SPORT, DPORT, DST};

static const uint8_t part_bytes[PARTS] = {1, 4, 4, 2, 2}; /* of one field of it */

/* A key of one family: where its parts are, and how many fields each is. Where a list names
 * tunnels, two more fields come behind those: what is beside the tunnel in the four bytes that hold
 * it, and the tunnel. They are tested last, where only the packets of rules that are left go. */
#define FIELDS_MAX 13
#define TUNNEL_OFFSET 2
_Static_assert(offsetof(struct acl_key, tunnel) == TUNNEL_OFFSET &&
		       offsetof(struct acl_key6, tunnel) == TUNNEL_OFFSET,
	"behind the class");

struct key_shape {
	uint8_t fields, addr_words;
	uint8_t wide;          /* length of prefixes that hold many of the others: a site's */
	uint8_t first[PARTS];  /* field of the part */
	uint8_t offset[PARTS]; /* bytes */
};

static const struct key_shape shape4 = {
	.fields = 5,
	.addr_words = 1,
	.wide = 16,
	.first = {[CLASS] = 0, [SRC] = 1, [DST] = 2, [SPORT] = 3, [DPORT] = 4},
	.offset = {[CLASS] = offsetof(struct acl_key, class),
		[SRC] = offsetof(struct acl_key, src),
		[DST] = offsetof(struct acl_key, dst),
		[SPORT] = offsetof(struct acl_key, sport),
		[DPORT] = offsetof(struct acl_key, dport)},
};

static const struct key_shape shape6 = {
	.fields = 11,
	.addr_words = 4,
	.wide = 48,
	.first = {[CLASS] = 0, [SRC] = 1, [DST] = 5, [SPORT] = 9, [DPORT] = 10},
	.offset = {[CLASS] = offsetof(struct acl_key6, class),
		[SRC] = offsetof(struct acl_key6, src),
		[DST] = offsetof(struct acl_key6, dst),
		[SPORT] = offsetof(struct acl_key6, sport),
		[DPORT] = offsetof(struct acl_key6, dport)},
};

RTE_ACL_RULE_DEF(ctx_rule, FIELDS_MAX);

static struct rte_acl_config layout(
	const struct key_shape *shape, const uint8_t order[PARTS], bool tunnels)
{
	struct rte_acl_config c = {.num_categories = 1, .max_size = TABLE_BYTES_MAX};

	for (unsigned i = 0; i < PARTS; i++) {
		enum part part = order[i];
		bool addr = part == SRC || part == DST;

		for (uint8_t w = 0; w < (addr ? shape->addr_words : 1); w++) {
			uint8_t offset = (uint8_t)(shape->offset[part] + w * 4);

			c.defs[c.num_fields++] = (struct rte_acl_field_def){
				.type = addr ? RTE_ACL_FIELD_TYPE_MASK : RTE_ACL_FIELD_TYPE_RANGE,
				.size = part_bytes[part],
				.field_index = (uint8_t)(shape->first[part] + w),
				.input_index = offset / 4, /* the ports share one */
				.offset = offset,
			};
		}
	}
	for (uint8_t i = 0; tunnels && i < 2; i++)
		c.defs[c.num_fields++] = (struct rte_acl_field_def){
			.type = RTE_ACL_FIELD_TYPE_RANGE,
			.size = 2,
			.field_index = (uint8_t)(shape->fields + i),
			.input_index = sizeof(struct acl_key6) / 4, /* no other's */
			.offset = i * TUNNEL_OFFSET,
		};
	return c;
}

/* The words of an address with the part of the prefix's length that falls on each. */
static void set_prefix(struct rte_acl_field *field, const uint32_t *word, unsigned len, unsigned n)
{
	for (unsigned i = 0; i < n; i++, len -= RTE_MIN(len, 32u)) {
		field[i].value.u32 = word[i];
		field[i].mask_range.u32 = RTE_MIN(len, 32u);
	}
}

/* Whether the rule goes with those that say more about the source. So do rules that are wide on
 * both sides: with the others, each would cross thousands of destinations. */
static bool by_source(const struct acl_match *m, uint8_t wide)
{
	return m->dlen < m->slen || (m->slen > 0 && m->slen <= wide && m->dlen <= wide);
}

/* Adds a rule with all pairs of its port ranges (neq is two ranges). They are disjoint, so that
 * they may share a priority. */
static int add_rule(
	struct rte_acl_ctx *ctx, const struct key_shape *shape, const struct acl_entry *e)
{
	const struct acl_match *m = e->match;
	struct ctx_rule r = {
		.data = {.category_mask = 1,
			/* the verdicts are in the order of the list */
			.priority = RTE_ACL_MAX_PRIORITY - (int32_t)e->verdict,
			.userdata = e->verdict},
	};
	struct rte_acl_field *sport = &r.field[shape->first[SPORT]];
	struct rte_acl_field *dport = &r.field[shape->first[DPORT]];

	r.field[shape->fields].mask_range.u16 = UINT16_MAX;
	r.field[shape->fields + 1].value.u16 = e->tunnel;
	r.field[shape->fields + 1].mask_range.u16 = e->tunnel ? e->tunnel : UINT16_MAX;
	r.field[0].value.u8 = e->class_from;
	r.field[0].mask_range.u8 = e->class_to;
	set_prefix(&r.field[shape->first[SRC]], m->src, m->slen, shape->addr_words);
	set_prefix(&r.field[shape->first[DST]], m->dst, m->dlen, shape->addr_words);
	for (unsigned i = 0; i < m->n_sport * m->n_dport; i++) {
		const struct rule_range *s = &m->sport[i / m->n_dport];
		const struct rule_range *d = &m->dport[i % m->n_dport];
		int rc;

		sport->value.u16 = s->from;
		sport->mask_range.u16 = s->to;
		dport->value.u16 = d->from;
		dport->mask_range.u16 = d->to;
		rc = rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&r, 1);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* AVX-512 with 32 packets at a time was the fastest from burst 32 on, at every size of list: 34
 * cycles where x16 took 40, AVX2 48, SSE 49 and scalar code 60. For smaller bursts rte_acl itself
 * takes narrower ones. Refused where the processor or the SIMD width set at boot doesn't allow it.
 */
static void choose_algorithm(struct rte_acl_ctx *ctx)
{
	static const enum rte_acl_classify_alg best[] = {RTE_ACL_CLASSIFY_AVX512X32,
		RTE_ACL_CLASSIFY_AVX512X16, RTE_ACL_CLASSIFY_AVX2, RTE_ACL_CLASSIFY_SSE};

	for (unsigned i = 0; i < RTE_DIM(best); i++)
		if (rte_acl_set_ctx_classify(ctx, best[i]) == 0)
			return;
}

/* Some of a list, and how their contexts are made. */
struct part_list {
	const struct acl_spec *spec;
	const struct acl_entry *entry;
	uint32_t n;
	bool tunnels; /* some of the whole list name one */
};

static const struct key_shape *shape_of(const struct acl_spec *spec)
{
	return spec->ip6 ? &shape6 : &shape4;
}

/* As one context. 0 or what rte_acl says. */
static int make_one(const struct part_list *list, const uint8_t *order, struct rte_acl_ctx **result,
	uint32_t *n_compiled)
{
	const struct key_shape *shape = shape_of(list->spec);
	/* rte_acl keeps contexts by name for the whole process and returns an old one of that name
	 */
	static atomic_uint sequence;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = {.name = name,
		.socket_id = list->spec->socket,
		.rule_size = RTE_ACL_RULE_SZ(shape->fields + (list->tunnels ? 2 : 0))};
	struct rte_acl_config cfg = layout(shape, order, list->tunnels);
	struct rte_acl_ctx *ctx;
	int rc = 0;

	snprintf(name, sizeof(name), "%s-%u", list->spec->what, atomic_fetch_add(&sequence, 1));
	for (uint32_t i = 0; i < list->n; i++)
		param.max_rule_num += list->entry[i].match->n_sport * list->entry[i].match->n_dport;
	ctx = rte_acl_create(&param);
	if (ctx == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < list->n && rc == 0; i++)
		rc = add_rule(ctx, shape, &list->entry[i]);
	if (rc == 0)
		rc = rte_acl_build(ctx, &cfg);
	if (rc != 0) {
		rte_acl_free(ctx);
		return rc;
	}
	choose_algorithm(ctx);
	*n_compiled += param.max_rule_num;
	*result = ctx;
	return 0;
}

/* Memory that the kernel could give, or SIZE_MAX when it doesn't tell. */
static size_t available_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	size_t kb = SIZE_MAX >> 10;
	char line[128];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %zu kB", &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb << 10;
}

/* Builds a thin sample of a long list and says whether the whole would fit. 0 or -errno. */
static int try_sample(const struct part_list *list, const uint8_t *order)
{
	size_t before = acl_heap_bytes(), need;
	struct acl_entry *entry = malloc(sizeof(entry[0]) * (list->n / TRY_STRIDE + 1));
	struct part_list sample = {list->spec, entry, 0, list->tunnels};
	struct rte_acl_ctx *ctx = NULL;
	uint32_t n_compiled = 0;
	int rc;

	if (entry == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < list->n; i += TRY_STRIDE)
		entry[sample.n++] = list->entry[i];
	rc = make_one(&sample, order, &ctx, &n_compiled);
	need = (RTE_MAX(acl_heap_bytes(), before) - before) * TRY_STRIDE;
	if (rc == 0 && need > TABLE_BYTES_MAX)
		rc = -ERANGE;
	else if (rc == 0 && need * BUILD_BYTES_PER_TABLE_BYTE > available_bytes())
		rc = -EFBIG;
	rte_acl_free(ctx);
	free(entry);
	return rc;
}

static int try_and_make(const struct part_list *list, const uint8_t *order,
	struct rte_acl_ctx **result, uint32_t *n_compiled)
{
	int rc = list->n < TRY_FROM ? 0 : try_sample(list, order);

	return rc ? rc : make_one(list, order, result, n_compiled);
}

static void explain(int rc, const struct part_list *list, char *why, size_t why_size)
{
	const char *what = list->spec->what;

	if (rc == -ENOMEM)
		snprintf(why, why_size,
			"no memory for the lookup table of %u %s: the DPDK heap is too small for "
			"it; raise memory-mb or give the machine more hugepages",
			list->n, what);
	else if (rc == -ERANGE)
		snprintf(why, why_size,
			"the lookup table of %u %s would be larger than %zu MB: they overlap too "
			"much; use fewer %s with port ranges and short prefixes",
			list->n, what, TABLE_BYTES_MAX >> 20, what);
	else if (rc == -EFBIG)
		snprintf(why, why_size,
			"building the lookup table of %u %s would take more than the %zu MB of "
			"ordinary memory that are available: use fewer %s, or fewer hugepages",
			list->n, what, available_bytes() >> 20, what);
	else
		snprintf(why, why_size, "rte_acl refuses the table of %u %s: %s", list->n, what,
			strerror(-rc));
}

/* The list in two, in one array that the caller frees: part[0] by destination, part[1] by source.
 */
static struct acl_entry *cut(const struct part_list *list, struct part_list part[2])
{
	struct acl_entry *entry = malloc(sizeof(entry[0]) * list->n);
	uint32_t front = 0, back = list->n;
	uint8_t wide = shape_of(list->spec)->wide;

	/* the order doesn't matter */
	for (uint32_t i = 0; entry != NULL && i < list->n; i++)
		entry[by_source(list->entry[i].match, wide) ? --back : front++] = list->entry[i];
	part[0] = (struct part_list){list->spec, entry, front, list->tunnels};
	part[1] = (struct part_list){list->spec, entry + back, list->n - back, list->tunnels};
	return entry;
}

int acl_ctx_make(const struct acl_spec *spec, struct acl_group *group,
	const struct acl_entry *entry, uint32_t n, struct acl_build_stats *stats, char *why,
	size_t why_size)
{
	struct part_list list = {spec, entry, n, false}, part[2];
	struct acl_entry *sorted;
	uint32_t n_compiled = 0;
	int rc = -ENOMEM;

	for (uint32_t i = 0; i < n; i++)
		list.tunnels |= entry[i].tunnel != 0;
	sorted = cut(&list, part);
	if (sorted == NULL)
		goto out;
	if ((uint64_t)part[0].n * part[1].n <= PAIRS_MAX)
		rc = try_and_make(
			&list, part[0].n ? dst_first : src_first, &group->ctx, &n_compiled);
	/* in two, also where there is no memory for one */
	if (rc != 0 && part[0].n > 0 && part[1].n > 0) {
		n_compiled = 0;
		rc = try_and_make(&part[0], dst_first, &group->ctx, &n_compiled);
		if (rc == 0)
			rc = try_and_make(&part[1], src_first, &group->more, &n_compiled);
	}
	stats->n_compiled += n_compiled;
	stats->n_contexts += group->more ? 2 : 1;
out:
	free(sorted);
	if (rc != 0) {
		rte_acl_free(group->ctx);
		group->ctx = NULL;
		explain(rc, &list, why, why_size);
	}
	return rc;
}
