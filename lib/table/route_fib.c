/* A copy of the lookup tables: rte_fib (dir24_8) for IPv4 and rte_fib6 (trie) for IPv6, sized by
 * the routes that are active, and changed in place while there is room. See route_parts.h.
 *
 * Called by whoever works on a transaction, on a copy that no worker reads. What is made anew is
 * filled parents first (the order of address, then length): so each insertion finds nothing below
 * it, which keeps the work small and what DPDK asks for countable.
 *
 * DPDK 22.11 reports no error when an existing route gets another next hop and there is no room for
 * it, and counts its tbl8 groups only roughly. So a change takes the old route out and puts the new
 * one in, both of which do report, and whatever goes wrong is mended by making the table anew.
 */
#include "table/route_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mempool.h>

#define TBL8_MAX_2B 32767      /* a 2-byte entry holds a next hop or a tbl8 group */
#define TBL8_MAX4 32704        /* rte_fib rounds up to 64 */
#define TBL8_MAX_4B (1u << 21) /* 2 GiB of them: more than any list of ours asks for */
#define DEPTH_MAX 129          /* prefixes that contain each other */

struct need {                    /* what the active routes need of DPDK's tables */
	uint32_t n4, n6;         /* prefixes */
	uint32_t nodes4, nodes6; /* of the radix tree that is kept beside the table */
	uint32_t tbl8_4, tbl8_6; /* groups of 256 for what is longer than /24 */
};

__attribute__((format(printf, 3, 4))) static int fail(
	char *why, size_t why_size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, why_size, fmt, args);
	va_end(args);
	return -1;
}

/* --- how large */

/* How many leading bits of two addresses agree. */
static unsigned common_bits(const struct addr *a, const struct addr *b)
{
	for (unsigned i = 0; i < 16; i++)
		if (a->b[i] != b->b[i])
			return i * 8 + (unsigned)__builtin_clz((unsigned)(a->b[i] ^ b->b[i])) - 24;
	return 128;
}

static bool within(const struct prefix *inner, const struct prefix *outer)
{
	return common_bits(&inner->addr, &outer->addr) >= outer->len;
}

/* The groups that rte_fib6 sets aside for a prefix: one for each byte beyond the third that no
 * prefix around it has reached, unless another prefix within the last of them is there. It charges
 * a prefix of full bytes even where a sister has the group already. */
static uint32_t groups6(const struct prefix *to, const struct prefix *prev, unsigned parent_len)
{
	unsigned floor = to->len & ~7u;

	if (to->len <= 24)
		return 0;
	if (prev != NULL && prev->len > floor && common_bits(&prev->addr, &to->addr) >= floor)
		return 0;
	return (RTE_ALIGN_CEIL(to->len, 8u) - RTE_ALIGN_CEIL(RTE_MAX(parent_len, 24u), 8u)) / 8;
}

/* The radix tree has a node per prefix and one per fork, and a fork is where two neighbours in the
 * order part. */
static struct need measure(const struct route_list *l)
{
	struct need need = {.nodes4 = 2, .nodes6 = 2};
	const struct prefix *around[DEPTH_MAX], *prev = NULL;
	unsigned depth = 0;

	for (uint32_t b = 0; b < l->n_blocks; b++) {
		for (uint32_t i = 0; i < l->block[b].n; i++) {
			const struct prefix *to = &l->block[b].r[i].to;
			bool is4 = addr_is4(&to->addr), fork;

			if (!l->block[b].r[i].active)
				continue;
			if (prev != NULL && addr_is4(&prev->addr) != is4) {
				prev = NULL;
				depth = 0;
			}
			fork = prev != NULL && !within(to, prev);
			while (depth > 0 && !within(to, around[depth - 1]))
				depth--;
			if (is4) {
				need.n4++;
				need.nodes4 += 1u + fork;
				need.tbl8_4 +=
					to->len > 96 + 24 &&
					(prev == NULL || prev->len <= 96 + 24 ||
						common_bits(&prev->addr, &to->addr) < 96 + 24);
			} else {
				need.n6++;
				need.nodes6 += 1u + fork;
				need.tbl8_6 +=
					groups6(to, prev, depth ? around[depth - 1]->len : 0);
			}
			around[depth++] = to;
			prev = to;
		}
	}
	return need;
}

/* What the tables of that size take of DPDK's heap: 2^24 entries, the groups, the tree (an element
 * of its mempool takes up to 192 bytes, its ring 8). */
static uint64_t bytes_of(unsigned entry_bytes, uint32_t num_tbl8, uint32_t nodes)
{
	return ((uint64_t)entry_bytes << 24) + (num_tbl8 + 64ull) * 256 * entry_bytes +
	       nodes * 200ull;
}

/* --- making */

/* DPDK wants a name per table, in one global list. */
static void next_name(char name[RTE_MEMPOOL_NAMESIZE - 8])
{
	static _Atomic unsigned instance;

	snprintf(name, RTE_MEMPOOL_NAMESIZE - 8, "route%u", atomic_fetch_add(&instance, 1));
}

static int no_table(const char *family, uint32_t n, uint64_t bytes, char *why, size_t why_size)
{
	unsigned mib = (unsigned)(bytes >> 20) + 1;

	if (rte_errno == ENOMEM)
		return fail(why, why_size,
			"no memory for the lookup table of %u %s routes: it wants about %u MiB of "
			"DPDK's memory, most of it in one piece; raise memory-mb",
			n, family, mib);
	return fail(why, why_size,
		"no lookup table for %u %s routes (about %u MiB): %s; see memory-mb", n, family,
		mib, rte_strerror(rte_errno));
}

static uint32_t with_room(uint32_t n)
{
	return n + n / 8 + 1024;
}

static struct rte_fib *make4(const struct need *need, int socket, uint64_t *bytes)
{
	uint32_t groups = RTE_MIN(need->tbl8_4 + need->tbl8_4 / 8 + 64, (uint32_t)TBL8_MAX4);
	uint32_t nodes = with_room(need->nodes4);
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = (int)(nodes / 2), /* it makes twice as many nodes */
		/* it rounds up to 64 */
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = groups},
	};
	char name[RTE_MEMPOOL_NAMESIZE - 8];
	struct rte_fib *fib;

	next_name(name);
	*bytes = bytes_of(2, groups, nodes);
	fib = rte_fib_create(name, socket, &conf);
	/* Refused where the processor or the permitted width does not reach: then the scalar one.
	 */
	if (fib != NULL)
		(void)rte_fib_select_lookup(fib, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512);
	return fib;
}

static struct rte_fib6 *make6(const struct need *need, int socket, uint64_t *bytes)
{
	uint32_t groups = with_room(need->tbl8_6), nodes = with_room(need->nodes6);
	bool small = groups <= TBL8_MAX_2B;
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE,
		.default_nh = 0,
		.max_routes = (int)(nodes / 2),
		.trie = {.nh_sz = small ? RTE_FIB6_TRIE_2B : RTE_FIB6_TRIE_4B, .num_tbl8 = groups},
	};
	char name[RTE_MEMPOOL_NAMESIZE - 8];
	struct rte_fib6 *fib;

	next_name(name);
	*bytes = bytes_of(small ? 2 : 4, groups, nodes);
	if (groups > TBL8_MAX_4B) {
		rte_errno = ENOSPC;
		return NULL;
	}
	fib = rte_fib6_create(name, socket, &conf);
	if (fib != NULL)
		(void)rte_fib6_select_lookup(fib, RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512);
	return fib;
}

/* --- filling and changing */

static int put(struct routes *r, const struct prefix *to, uint32_t hops)
{
	if (addr_is4(&to->addr))
		return rte_fib_add(r->fib, addr_to4(&to->addr), (uint8_t)(to->len - 96), hops);
	return rte_fib6_add(r->fib6, to->addr.b, to->len, hops);
}

static int take(struct routes *r, const struct prefix *to)
{
	if (addr_is4(&to->addr))
		return rte_fib_delete(r->fib, addr_to4(&to->addr), (uint8_t)(to->len - 96));
	return rte_fib6_delete(r->fib6, to->addr.b, to->len);
}

static int fill(struct routes *r, const struct route_list *l, bool is4, char *why, size_t why_size)
{
	char text[PREFIX_STRLEN];

	for (uint32_t b = 0; b < l->n_blocks; b++) {
		for (uint32_t i = 0; i < l->block[b].n; i++) {
			const struct route *route = &l->block[b].r[i];
			int rc;

			if (!route->active || addr_is4(&route->to.addr) != is4)
				continue;
			rc = put(r, &route->to, route->hops);
			if (rc == 0)
				continue;
			prefix_format(&route->to, text);
			if (rc == -ENOSPC && is4)
				return fail(why, why_size,
					"route %s: routes longer than /24 lie in more than %u "
					"different /24 networks",
					text, TBL8_MAX4 - 1); /* it keeps one free */
			return fail(why, why_size, "route %s: %s", text, rte_strerror(-rc));
		}
	}
	return 0;
}

/* The old table goes first: there may be no room for three of a family. */
static int rebuild4(struct route_copy *c, const struct route_list *l, const struct need *need,
	int socket, char *why, size_t why_size)
{
	uint64_t bytes;

	rte_fib_free(c->r.fib);
	c->r.fib = make4(need, socket, &bytes);
	if (c->r.fib == NULL)
		return no_table("IPv4", need->n4, bytes, why, why_size);
	if (fill(&c->r, l, true, why, why_size) != 0)
		return -1;
	c->stale4 = false;
	c->bytes4 = bytes;
	return 0;
}

static int rebuild6(struct route_copy *c, const struct route_list *l, const struct need *need,
	int socket, char *why, size_t why_size)
{
	uint64_t bytes = 0;

	rte_fib6_free(c->r.fib6);
	c->r.fib6 = NULL;
	if (need->n6 > 0) {
		c->r.fib6 = make6(need, socket, &bytes);
		if (c->r.fib6 == NULL)
			return no_table("IPv6", need->n6, bytes, why, why_size);
		if (fill(&c->r, l, false, why, why_size) != 0)
			return -1;
	}
	c->bytes6 = bytes;
	c->stale6 = false;
	return 0;
}

int route_copy_rebuild(
	struct route_copy *c, const struct route_list *l, int socket, char *why, size_t why_size)
{
	struct need need = measure(l);

	c->rebuilds++;
	if (c->stale4 && rebuild4(c, l, &need, socket, why, why_size) != 0)
		return -1;
	if (c->stale6 && rebuild6(c, l, &need, socket, why, why_size) != 0)
		return -1;
	return 0;
}

int route_copy_apply(struct route_copy *c, const struct route_fib_op *op, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool is4 = addr_is4(&op[i].to.addr);
		bool *stale = is4 ? &c->stale4 : &c->stale6;
		int rc = 0;

		if (*stale)
			continue;
		if (!is4 && c->r.fib6 == NULL)
			rc = -1;
		if (rc == 0 && op[i].was)
			rc = take(&c->r, &op[i].to);
		if (rc == 0 && op[i].hops)
			rc = put(&c->r, &op[i].to, op[i].hops);
		*stale = rc != 0;
	}
	return c->stale4 || c->stale6 ? -1 : 0;
}

void route_copy_fini(struct route_copy *c)
{
	rte_fib_free(c->r.fib);
	rte_fib6_free(c->r.fib6);
	free(c->r.nh);
	*c = (struct route_copy){.stale4 = true, .stale6 = true};
}
