/* The lookup tables of the routes: rte_fib (dir24_8) for IPv4 and rte_fib6 (trie) for IPv6, sized
 * by the list they are made of. See route_parts.h.
 *
 * Called by the builder thread, or by the main thread at boot. Prefixes are added parents first
 * (the order of address, then length). So each insertion finds nothing below it, which keeps the
 * work small and what DPDK asks for countable.
 */
#include "table/route_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mempool.h>

#define TBL8_MAX_2B 32767      /* a 2-byte entry holds a next hop or a tbl8 group */
#define TBL8_MAX_4B (1u << 21) /* 2 GiB of them: more than any list of ours asks for */
#define DEPTH_MAX 129          /* prefixes that contain each other */

__attribute__((format(printf, 3, 4))) static int fail(
	char *why, size_t why_size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, why_size, fmt, args);
	va_end(args);
	return -1;
}

int route_compare(const struct prefix *a, const struct prefix *b)
{
	bool a4 = addr_is4(&a->addr), b4 = addr_is4(&b->addr);
	int by_addr;

	if (a4 != b4)
		return a4 ? -1 : 1;
	by_addr = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	return by_addr ? by_addr : (int)a->len - b->len;
}

/* How many leading bits of two addresses agree. */
static unsigned common_bits(const struct addr *a, const struct addr *b)
{
	for (unsigned i = 0; i < 16; i++)
		if (a->b[i] != b->b[i])
			return i * 8 + (unsigned)__builtin_clz((unsigned)(a->b[i] ^ b->b[i])) - 24;
	return 128;
}

/* The groups that rte_fib6 sets aside for a prefix: one for each byte beyond the third that no
 * prefix around it has reached, but it looks no further than this. A prefix of full bytes is
 * charged even where a sister has the group already. */
static uint32_t groups6(const struct prefix *to, const struct prefix *prev, unsigned parent_len)
{
	unsigned floor = to->len & ~7u;

	if (to->len <= 24)
		return 0;
	if (prev != NULL && prev->len > floor && common_bits(&prev->addr, &to->addr) >= floor)
		return 0;
	return (RTE_ALIGN_CEIL(to->len, 8) - RTE_ALIGN_CEIL(RTE_MAX(parent_len, 24u), 8)) / 8;
}

/* The radix tree has a node per prefix and one per fork, and a fork is where two neighbours in the
 * order part. */
struct route_need route_fib_measure(const struct route *route, uint32_t n)
{
	struct route_need need = {.nodes4 = 2, .nodes6 = 2};
	const struct prefix *around[DEPTH_MAX], *prev = NULL;
	unsigned depth = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct prefix *to = &route[i].to;
		bool is4 = addr_is4(&to->addr), fork = false;

		if (prev != NULL && addr_is4(&prev->addr) != is4)
			prev = NULL;
		if (prev == NULL)
			depth = 0;
		else
			fork = common_bits(&prev->addr, &to->addr) < prev->len;
		while (depth > 0 &&
			common_bits(&around[depth - 1]->addr, &to->addr) < around[depth - 1]->len)
			depth--;
		if (is4) {
			need.n4++;
			need.nodes4 += 1u + fork;
			need.tbl8_4 += to->len > 96 + 24 &&
				       (prev == NULL || prev->len <= 96 + 24 ||
					       common_bits(&prev->addr, &to->addr) < 96 + 24);
		} else {
			need.n6++;
			need.nodes6 += 1u + fork;
			need.tbl8_6 += groups6(to, prev, depth ? around[depth - 1]->len : 0);
		}
		around[depth++] = to;
		prev = to;
	}
	return need;
}

/* MiB of the DPDK heap, rounded up: the table of 2^24 entries, the groups, the tree (an element of
 * its mempool takes up to 192 bytes, its ring 8). */
static unsigned wanted_mib(unsigned entry_bytes, uint32_t num_tbl8, uint32_t nodes)
{
	uint64_t bytes = ((uint64_t)entry_bytes << 24) + (num_tbl8 + 64ull) * 256 * entry_bytes +
			 nodes * 200ull;

	return (unsigned)(bytes >> 20) + 1;
}

/* DPDK wants a name per table, in one global list. */
static void next_name(char name[RTE_MEMPOOL_NAMESIZE - 8])
{
	static _Atomic unsigned instance;

	snprintf(name, RTE_MEMPOOL_NAMESIZE - 8, "route%u", atomic_fetch_add(&instance, 1));
}

static int no_table(const char *family, uint32_t n, unsigned mib, char *why, size_t why_size)
{
	if (rte_errno == ENOMEM)
		return fail(why, why_size,
			"no memory for the lookup table of %u %s routes: it wants about %u MiB of "
			"DPDK's memory, most of it in one piece; raise memory-mb",
			n, family, mib);
	return fail(why, why_size,
		"no lookup table for %u %s routes (about %u MiB): %s; see memory-mb", n, family,
		mib, rte_strerror(rte_errno));
}

static int make4(
	struct routes *r, const struct route_need *need, int socket, char *why, size_t why_size)
{
	uint32_t num_tbl8 = need->tbl8_4 < TBL8_MAX_2B ? need->tbl8_4 + 1 : TBL8_MAX_2B;
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = (int)(need->nodes4 / 2 + 16), /* it makes twice as many nodes */
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = num_tbl8},
	};
	char name[RTE_MEMPOOL_NAMESIZE - 8];

	next_name(name);
	r->fib = rte_fib_create(name, socket, &conf);
	if (r->fib == NULL)
		return no_table(
			"IPv4", need->n4, wanted_mib(2, num_tbl8, need->nodes4), why, why_size);
	/* Refused where the processor or the permitted width does not reach: then the scalar one.
	 */
	(void)rte_fib_select_lookup(r->fib, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512);
	return 0;
}

static int make6(
	struct routes *r, const struct route_need *need, int socket, char *why, size_t why_size)
{
	uint32_t num_tbl8 = need->tbl8_6 + 16;
	bool small = num_tbl8 <= TBL8_MAX_2B;
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE,
		.default_nh = 0,
		.max_routes = (int)(need->nodes6 / 2 + 16),
		.trie = {.nh_sz = small ? RTE_FIB6_TRIE_2B : RTE_FIB6_TRIE_4B,
			.num_tbl8 = num_tbl8},
	};
	char name[RTE_MEMPOOL_NAMESIZE - 8];

	if (num_tbl8 > TBL8_MAX_4B)
		return fail(why, why_size, "%u IPv6 routes need more than %u groups of 256 entries",
			need->n6, TBL8_MAX_4B);
	next_name(name);
	r->fib6 = rte_fib6_create(name, socket, &conf);
	if (r->fib6 == NULL)
		return no_table("IPv6", need->n6, wanted_mib(small ? 2 : 4, num_tbl8, need->nodes6),
			why, why_size);
	(void)rte_fib6_select_lookup(r->fib6, RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512);
	return 0;
}

static int add(struct routes *r, const struct route *route)
{
	const struct prefix *to = &route->to;

	if (addr_is4(&to->addr))
		return rte_fib_add(r->fib, addr_to4(&to->addr), (uint8_t)(to->len - 96), route->nh);
	return rte_fib6_add(r->fib6, to->addr.b, to->len, route->nh);
}

int route_fib_make(struct routes *r, int socket, char *why, size_t why_size)
{
	struct route_need need = route_fib_measure(r->route, r->n_routes);
	char text[PREFIX_STRLEN];

	if (make4(r, &need, socket, why, why_size) != 0)
		return -1;
	if (need.n6 > 0 && make6(r, &need, socket, why, why_size) != 0)
		return -1;
	for (uint32_t i = 0; i < r->n_routes; i++) {
		int rc = add(r, &r->route[i]);

		if (rc == 0)
			continue;
		prefix_format(&r->route[i].to, text);
		if (rc == -ENOSPC && addr_is4(&r->route[i].to.addr))
			return fail(why, why_size,
				"route %s: routes longer than /24 lie in more than %u different "
				"/24 "
				"networks",
				text, TBL8_MAX_2B);
		return fail(why, why_size, "route %s: %s", text, rte_strerror(-rc));
	}
	return 0;
}
