/* Builds the IPv4 routing table: sorts the list, gives each distinct next hop an index, and fills
 * an rte_fib with prefix -> index. See route_write.h.
 *
 * Called by the builder thread, or by the main thread at boot; routes_free by whoever swapped the
 * table out, once no worker reads it. A failure leaves nothing behind but the sentence.
 *
 * Prefixes are added parents first (the order of address, then length). So each insertion finds
 * nothing below it, which keeps rte_fib's work small and the number of tbl8 groups exactly
 * countable: one per /24 that holds a longer prefix.
 */
#include "table/route_write.h"

#include "table/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mempool.h>

#define NH_SLOTS                                                                        \
	(1u << 17) /* of the index by content; a power of two, four times the next hops \
		    */
#define NH_GROUP_MAX UINT8_MAX
#define TBL8_MAX NEXTHOPS_MAX /* a 2-byte entry holds a next hop or a tbl8 group */

struct sorted { /* a route of the list by its place in the order */
	uint64_t key;
	uint32_t in;
};

struct build {
	const struct route_in *in;
	struct sorted *order; /* [n], no prefix twice */
	uint32_t n;
	uint32_t nodes, tbl8; /* what rte_fib will need */
	struct routes *r;
	uint32_t nh_room;
	uint32_t *slot; /* [NH_SLOTS]: index of a next hop, 0: empty */
	char *why;
	size_t why_size;
};

__attribute__((format(printf, 2, 3))) static int fail(struct build *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(b->why, b->why_size, fmt, args);
	va_end(args);
	return -1;
}

static int check(struct build *b, const struct route_in *in)
{
	char text[PREFIX4_STRLEN];

	if (in->to.len > 32)
		return fail(b, "route with a prefix length of %u: at most 32", in->to.len);
	prefix4_format(&in->to, text);
	if (in->to.addr & ~mask4(in->to.len))
		return fail(b, "route %s: bits beyond the prefix length are set", text);
	switch (in->type) {
	case NH_BLACKHOLE:
	case NH_UNREACHABLE:
	case NH_PROHIBIT:
		return 0;
	case NH_LOCAL:
	case NH_CONNECTED:
	case NH_BROADCAST:
		if (in->n_paths != 1)
			return fail(b, "route %s: exactly one interface expected", text);
		/* the limited broadcast, 255.255.255.255, is of every interface */
		if (in->type == NH_BROADCAST && in->to.addr == UINT32_MAX)
			return 0;
		break;
	case NH_VIA:
		if (in->n_paths < 1 || in->n_paths > NH_GROUP_MAX)
			return fail(b, "route %s: %u paths; 1 to %u expected", text, in->n_paths,
				NH_GROUP_MAX);
		break;
	default:
		return fail(b, "route %s: unknown type %u", text, in->type);
	}
	for (unsigned i = 0; i < in->n_paths; i++)
		/* 255.255.255.255 is the broadcast address of no one interface */
		if ((in->paths[i].iface == IFACE_NONE && in->type != NH_BROADCAST) ||
			in->paths[i].iface >= IFACES_MAX)
			return fail(b, "route %s: no such interface: %u", text, in->paths[i].iface);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->in < y->in ? -1 : x->in > y->in;
}

/* Checks the list and sorts it; of equal prefixes the first one of the list stays. */
static int sort(struct build *b, uint32_t n)
{
	b->order = malloc(sizeof(b->order[0]) * ((size_t)n + 1));
	if (b->order == NULL)
		return fail(b, "out of memory for %u routes", n);
	for (uint32_t i = 0; i < n; i++) {
		if (check(b, &b->in[i]) != 0)
			return -1;
		b->order[i].key = (uint64_t)b->in[i].to.addr << 8 | b->in[i].to.len;
		b->order[i].in = i;
	}
	qsort(b->order, n, sizeof(b->order[0]), compare);
	for (uint32_t i = 0; i < n; i++)
		if (b->n == 0 || b->order[i].key != b->order[b->n - 1].key)
			b->order[b->n++] = b->order[i];
	return 0;
}

/* Counts what rte_fib allocates: a radix tree has a node per prefix and one per fork, and a fork is
 * where two neighbours in the order part. It asks for a third while it inserts. */
static void measure(struct build *b)
{
	uint32_t last_24 = 0;

	b->nodes = b->n + 2;
	b->tbl8 = 0;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct prefix4 *to = &b->in[b->order[i].in].to;

		if (to->len > 24 && (b->tbl8 == 0 || to->addr >> 8 != last_24)) {
			last_24 = to->addr >> 8;
			b->tbl8++;
		}
		if (i > 0) {
			const struct prefix4 *prev = &b->in[b->order[i - 1].in].to;

			b->nodes += ((prev->addr ^ to->addr) & mask4(prev->len)) != 0;
		}
	}
}

static struct nexthop nexthop_of(uint8_t type, const struct route_path *path)
{
	struct nexthop nh = {.type = type};

	if (path != NULL) {
		nh.iface = path->iface;
		nh.zone = path->zone;
	}
	if (type == NH_VIA && path->gw == 0) {
		nh.type = NH_CONNECTED;
	} else if (type == NH_VIA) {
		nh.neigh = path->neigh;
		nh.gw = path->gw;
	}
	return nh;
}

static const struct route_path *path_of(const struct route_in *in, unsigned i)
{
	return in->type >= NH_BLACKHOLE ? NULL : &in->paths[i];
}

static bool nexthop_equal(const struct nexthop *a, const struct nexthop *b)
{
	return a->type == b->type && a->iface == b->iface && a->neigh == b->neigh && a->gw == b->gw;
}

static uint32_t hash_of(const struct route_in *in)
{
	uint64_t h = in->type;

	for (unsigned i = 0; i == 0 || (in->type == NH_VIA && i < in->n_paths); i++) {
		struct nexthop nh = nexthop_of(in->type, path_of(in, i));

		h = (h ^ ((uint64_t)nh.iface << 32 | nh.gw)) * 0x9e3779b97f4a7c15;
		h = (h ^ h >> 29 ^ ((uint64_t)nh.neigh << 8 | nh.type)) * 0xbf58476d1ce4e5b9;
	}
	return (uint32_t)(h >> 32) & (NH_SLOTS - 1);
}

/* Does the next hop of that index say what the route does? */
static bool same(const struct build *b, uint32_t index, const struct route_in *in, unsigned n)
{
	const struct nexthop *nh = &b->r->nh[index];

	if (n == 1) {
		struct nexthop want = nexthop_of(in->type, path_of(in, 0));

		return nexthop_equal(nh, &want);
	}
	if (nh->type != NH_GROUP || nh->n != n)
		return false;
	nh = &b->r->nh[nh->first];
	for (unsigned i = 0; i < n; i++) {
		struct nexthop want = nexthop_of(in->type, path_of(in, i));

		if (!nexthop_equal(&nh[i], &want))
			return false;
	}
	return true;
}

static int room_for(struct build *b, unsigned n)
{
	struct routes *r = b->r;
	struct nexthop *nh;

	if (r->n_nh + n <= b->nh_room)
		return 0;
	b->nh_room = b->nh_room * 2 + n;
	nh = realloc(r->nh, sizeof(r->nh[0]) * b->nh_room);
	if (nh == NULL)
		return fail(b, "out of memory for %u next hops", b->nh_room);
	r->nh = nh;
	return 0;
}

/* The index of the route's next hop, made when it is new; -1 on failure. */
static int32_t nexthop_index(struct build *b, const struct route_in *in)
{
	unsigned n = in->type == NH_VIA ? in->n_paths : 1, add = n > 1 ? n + 1 : 1;
	uint32_t at = hash_of(in), index;
	struct routes *r = b->r;

	for (; b->slot[at] != 0; at = (at + 1) & (NH_SLOTS - 1))
		if (same(b, b->slot[at], in, n))
			return (int32_t)b->slot[at];
	if (r->n_nh + add > NEXTHOPS_MAX + 1) {
		char text[PREFIX4_STRLEN];

		return fail(b, "route %s: more than %u different next hops",
			prefix4_format(&in->to, text), NEXTHOPS_MAX);
	}
	if (room_for(b, add) != 0)
		return -1;
	index = r->n_nh;
	r->n_nh += add;
	if (n > 1)
		r->nh[index] =
			(struct nexthop){.type = NH_GROUP, .n = (uint8_t)n, .first = index + 1};
	for (unsigned i = 0; i < n; i++)
		r->nh[index + add - n + i] = nexthop_of(in->type, path_of(in, i));
	b->slot[at] = index;
	return (int32_t)index;
}

static int make_list(struct build *b)
{
	struct routes *r = b->r;

	b->slot = calloc(NH_SLOTS, sizeof(b->slot[0]));
	r->route = malloc(sizeof(r->route[0]) * ((size_t)b->n + 1));
	if (b->slot == NULL || r->route == NULL)
		return fail(b, "out of memory for %u routes", b->n);
	if (room_for(b, 16) != 0)
		return -1;
	r->nh[r->n_nh++] = (struct nexthop){.type = NH_NONE};
	for (uint32_t i = 0; i < b->n; i++) {
		const struct route_in *in = &b->in[b->order[i].in];
		int32_t nh = nexthop_index(b, in);

		if (nh < 0)
			return -1;
		r->route[i] = (struct route){in->to, (uint16_t)nh, in->origin};
	}
	r->n_routes = b->n;
	return 0;
}

/* MiB of the DPDK heap, rounded up: the table of 2^24 entries, the groups, the tree (an element of
 * its mempool takes up to 192 bytes, its ring 8). */
static unsigned wanted_mib(const struct build *b, uint32_t num_tbl8)
{
	uint64_t bytes = (2ull << 24) + (num_tbl8 + 64ull) * 512 + b->nodes * 200ull;

	return (unsigned)(bytes >> 20) + 1;
}

static int make_fib(struct build *b, int socket)
{
	static _Atomic unsigned instance; /* DPDK wants a name per table, in one global list */
	uint32_t num_tbl8 = b->tbl8 < TBL8_MAX ? b->tbl8 + 1 : TBL8_MAX;
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = (int)(b->nodes / 2 + 16), /* it makes twice as many nodes */
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_2B, .num_tbl8 = num_tbl8},
	};
	char name[RTE_MEMPOOL_NAMESIZE - 8];

	snprintf(name, sizeof(name), "route%u", atomic_fetch_add(&instance, 1));
	b->r->fib = rte_fib_create(name, socket, &conf);
	if (b->r->fib == NULL) {
		if (rte_errno == ENOMEM)
			return fail(b,
				"no memory for the lookup table of %u routes: it wants about %u "
				"MiB in "
				"one piece of DPDK's memory; raise memory-mb",
				b->n, wanted_mib(b, num_tbl8));
		return fail(b, "no lookup table for %u routes (about %u MiB): %s; see memory-mb",
			b->n, wanted_mib(b, num_tbl8), rte_strerror(rte_errno));
	}
	/* Refused where the processor or the permitted width does not reach: then the scalar one.
	 */
	(void)rte_fib_select_lookup(b->r->fib, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512);
	return 0;
}

static int fill_fib(struct build *b)
{
	char text[PREFIX4_STRLEN];

	for (uint32_t i = 0; i < b->n; i++) {
		const struct route *route = &b->r->route[i];
		int rc = rte_fib_add(b->r->fib, route->to.addr, route->to.len, route->nh);

		if (rc == 0)
			continue;
		prefix4_format(&route->to, text);
		if (rc == -ENOSPC)
			return fail(b,
				"route %s: routes longer than /24 lie in more than %u different "
				"/24 "
				"networks",
				text, TBL8_MAX);
		return fail(b, "route %s: %s", text, rte_strerror(-rc));
	}
	return 0;
}

struct routes *routes_build(
	const struct route_in *in, uint32_t n, int socket, char *why, size_t why_size)
{
	struct build b = {.in = in, .why = why, .why_size = why_size};
	int rc = -1;

	if (n > 1u << 24) { /* far beyond the internet's table, and no sum below can overflow */
		fail(&b, "%u routes: at most %u", n, 1u << 24);
		return NULL;
	}
	b.r = calloc(1, sizeof(*b.r));
	if (b.r == NULL)
		fail(&b, "out of memory for %u routes", n);
	else if (sort(&b, n) == 0 && make_list(&b) == 0) {
		measure(&b);
		if (make_fib(&b, socket) == 0)
			rc = fill_fib(&b);
	}
	free(b.slot);
	free(b.order);
	if (rc != 0) {
		routes_free(b.r);
		return NULL;
	}
	return b.r;
}

void routes_free(struct routes *r)
{
	if (r == NULL)
		return;
	rte_fib_free(r->fib);
	free(r->nh);
	free(r->route);
	free(r);
}
