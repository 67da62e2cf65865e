/* Builds the routing table of both families: sorts the list, gives each distinct next hop an index,
 * and has the lookup tables filled with prefix -> index. See route_write.h.
 *
 * Called by the builder thread, or by the main thread at boot; routes_free by whoever swapped the
 * table out, once no worker reads it. A failure leaves nothing behind but the sentence.
 */
#include "table/route_parts.h"

#include "table/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NH_SLOTS                                                                        \
	(1u << 17) /* of the index by content; a power of two, four times the next hops \
		    */
#define NH_GROUP_MAX UINT8_MAX

struct build {
	const struct route_in *in;
	uint32_t *order; /* [n]: indices in in, no prefix twice */
	uint32_t n;
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
	struct addr masked = addr_masked(&in->to.addr, RTE_MIN(in->to.len, 128));
	bool is4 = addr_is4(&in->to.addr);
	char text[PREFIX_STRLEN];

	if (in->to.len > 128 || (is4 && in->to.len < 96))
		return fail(b, "route with a prefix length of %d: at most %d",
			in->to.len - 96 * is4, is4 ? 32 : 128);
	prefix_format(&in->to, text);
	if (!addr_equal(&in->to.addr, &masked))
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
		if (in->type == NH_BROADCAST && is4 && addr_to4(&in->to.addr) == UINT32_MAX)
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

static int compare(const void *a, const void *b, void *arg)
{
	const struct route_in *in = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = route_compare(&in[x].to, &in[y].to);

	return order ? order : x < y ? -1 : x > y;
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
		b->order[i] = i;
	}
	qsort_r(b->order, n, sizeof(b->order[0]), compare, (void *)(uintptr_t)b->in);
	for (uint32_t i = 0; i < n; i++)
		if (b->n == 0 ||
			route_compare(&b->in[b->order[i]].to, &b->in[b->order[b->n - 1]].to) != 0)
			b->order[b->n++] = b->order[i];
	return 0;
}

static struct nexthop nexthop_of(uint8_t type, const struct route_path *path)
{
	struct nexthop nh = {.type = type};

	if (path != NULL) {
		nh.iface = path->iface;
		nh.zone = path->zone;
	}
	if (type == NH_VIA && addr_is_unspecified(&path->gw)) {
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
	return a->type == b->type && a->iface == b->iface && a->neigh == b->neigh &&
	       addr_equal(&a->gw, &b->gw);
}

static uint32_t hash_of(const struct route_in *in)
{
	uint64_t h = in->type;

	for (unsigned i = 0; i == 0 || (in->type == NH_VIA && i < in->n_paths); i++) {
		struct nexthop nh = nexthop_of(in->type, path_of(in, i));

		h = (h ^ nh.iface ^ nh.gw.q[0]) * 0x9e3779b97f4a7c15;
		h = (h ^ h >> 32 ^ nh.gw.q[1]) * 0x94d049bb133111eb;
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
		char text[PREFIX_STRLEN];

		return fail(b, "route %s: more than %u different next hops",
			prefix_format(&in->to, text), NEXTHOPS_MAX);
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
		const struct route_in *in = &b->in[b->order[i]];
		int32_t nh = nexthop_index(b, in);

		if (nh < 0)
			return -1;
		r->route[i] = (struct route){in->to, (uint16_t)nh, in->origin};
	}
	r->n_routes = b->n;
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
	else if (sort(&b, n) == 0 && make_list(&b) == 0)
		rc = route_fib_make(b.r, socket, why, why_size);
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
	rte_fib6_free(r->fib6);
	free(r->nh);
	free(r->route);
	free(r);
}
