/* The routing table: random prefixes held against a plain longest-match walk, next hops shared and
 * grouped, the order for show, and every limit with its sentence. Also ports_find.
 */
#include "eal.h"

#include "route_world.h"

#include "table/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define P4(a, b, c, d, len) prefix_of4(IP(a, b, c, d), len)
#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

/* A path by an interface and an IPv4 gateway. */
#define VIA(iface, gw) ((struct route_path){iface, false, addr_of4(gw), 0})

static char why[256];
static uint64_t seed;

static uint32_t rnd(void) /* xorshift64*: the same sequence everywhere */
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1d) >> 32);
}

static struct route_db *build(const struct route_in *in, uint32_t n)
{
	struct route_db *db = route_db_new(NULL, SOCKET_ID_ANY);

	assert_non_null(db);
	why[0] = '\0';
	if (route_load(db, in, n, why, sizeof(why)) == 0)
		return db;
	route_db_free(db);
	return NULL;
}

static const struct nexthop *hop(const struct route_db *db, uint64_t nh)
{
	assert_true(nh < route_db_live(db)->n_nh);
	return &route_db_live(db)->nh[nh];
}

static const struct nexthop *lookup(const struct route_db *db, uint32_t dst)
{
	uint64_t nh;

	routes_lookup(route_db_live(db), &dst, &nh, 1);
	return hop(db, nh);
}

static struct route nth(struct route_db *db, uint32_t i)
{
	struct route r;

	assert_int_equal(route_db_read(db, i, &r, 1), 1);
	return r;
}

static uint32_t at4(struct route r)
{
	return addr_to4(&r.to.addr);
}

static void refused(const struct route_in *in, uint32_t n, const char *sentence)
{
	assert_null(build(in, n));
	if (strstr(why, sentence) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, sentence);
}

static void empty(void **state)
{
	struct route_db *r = build(NULL, 0);

	assert_non_null(r);
	assert_int_equal(route_db_count(r), 0);
	assert_int_equal(route_db_live(r)->n_nh, 1);
	assert_int_equal(lookup(r, IP(1, 2, 3, 4))->type, NH_NONE);
	route_db_free(r);
	route_db_free(NULL);
}

static void types(void **state)
{
	struct route_path lan = {.iface = 1}, wan = VIA(2, IP(10, 2, 0, 1)), plain = {.iface = 3};
	struct route_in in[] = {
		{P4(0, 0, 0, 0, 0), NH_VIA, ROUTE_STATIC, 1, &wan},
		{P4(10, 1, 0, 0, 16), NH_CONNECTED, ROUTE_CONNECTED, 1, &lan},
		{P4(10, 1, 0, 1, 32), NH_LOCAL, ROUTE_CONNECTED, 1, &lan},
		{P4(10, 1, 255, 255, 32), NH_BROADCAST, ROUTE_CONNECTED, 1, &lan},
		{P4(10, 3, 0, 0, 16), NH_BLACKHOLE, ROUTE_STATIC, 0, NULL},
		{P4(10, 4, 0, 0, 16), NH_UNREACHABLE, ROUTE_STATIC, 0, NULL},
		{P4(10, 5, 0, 0, 16), NH_PROHIBIT, ROUTE_STATIC, 0, NULL},
		{P4(10, 6, 0, 0, 16), NH_VIA, ROUTE_STATIC, 1, &plain},
		{P4(10, 1, 0, 0, 16), NH_PROHIBIT, ROUTE_STATIC, 0, NULL}, /* too late */
	};
	struct route_db *r = build(in, RTE_DIM(in));
	const struct nexthop *nh;

	assert_non_null(r);
	assert_int_equal(route_db_count(r), RTE_DIM(in)); /* one of them is not active */
	nh = lookup(r, IP(8, 8, 8, 8));
	assert_int_equal(nh->type, NH_VIA);
	assert_int_equal(nh->iface, 2);
	assert_int_equal(addr_to4(&nh->gw), IP(10, 2, 0, 1));
	nh = lookup(r, IP(10, 1, 9, 9));
	assert_int_equal(nh->type, NH_CONNECTED);
	assert_int_equal(nh->iface, 1);
	assert_int_equal(lookup(r, IP(10, 1, 0, 1))->type, NH_LOCAL);
	assert_int_equal(lookup(r, IP(10, 1, 255, 255))->type, NH_BROADCAST);
	assert_int_equal(lookup(r, IP(10, 3, 0, 1))->type, NH_BLACKHOLE);
	assert_int_equal(lookup(r, IP(10, 4, 0, 1))->type, NH_UNREACHABLE);
	assert_int_equal(lookup(r, IP(10, 5, 0, 1))->type, NH_PROHIBIT);
	nh = lookup(r, IP(10, 6, 0, 1)); /* a path without a gateway is a connected one */
	assert_int_equal(nh->type, NH_CONNECTED);
	assert_int_equal(nh->iface, 3);
	/* In order, with origin and next hop. */
	assert_int_equal(nth(r, 0).to.len, 96);
	assert_int_equal(at4(nth(r, 1)), IP(10, 1, 0, 0));
	assert_int_equal(nth(r, 1).to.len, 96 + 16);
	assert_int_equal(nth(r, 1).origin, ROUTE_CONNECTED);
	assert_int_equal(hop(r, nth(r, 1).hops)->type, NH_CONNECTED);
	assert_true(nth(r, 1).active);
	assert_int_equal(nth(r, 2).origin, ROUTE_STATIC);
	assert_false(nth(r, 2).active);
	assert_int_equal(at4(nth(r, 3)), IP(10, 1, 0, 1));
	route_db_free(r);
}

static void shared_and_grouped(void **state)
{
	struct route_path a[] = {VIA(1, 5), VIA(2, 6)}, same[] = {VIA(1, 5), VIA(2, 6)},
			  turned[] = {VIA(2, 6), VIA(1, 5)}, flat[] = {{.iface = 1}, VIA(2, 6)};
	struct route_in in[] = {
		{P4(20, 0, 0, 0, 8), NH_VIA, ROUTE_STATIC, 2, a},
		{P4(21, 0, 0, 0, 8), NH_VIA, ROUTE_STATIC, 2, same},
		{P4(22, 0, 0, 0, 8), NH_VIA, ROUTE_STATIC, 2, turned},
		{P4(23, 0, 0, 0, 8), NH_VIA, ROUTE_STATIC, 1, a},
		{P4(24, 0, 0, 0, 8), NH_VIA, ROUTE_STATIC, 1, same},
		{P4(25, 0, 0, 0, 8), NH_VIA, ROUTE_STATIC, 2, flat},
		{P4(26, 0, 0, 0, 8), NH_BLACKHOLE, ROUTE_STATIC, 0, NULL},
		{P4(27, 0, 0, 0, 8), NH_BLACKHOLE, ROUTE_STATIC, 0, NULL},
	};
	struct route_db *r = build(in, RTE_DIM(in));
	const struct nexthop *nh;

	assert_non_null(r);
	/* none; three groups, one gateway, one blackhole; the groups' members */
	assert_int_equal(route_db_live(r)->n_nh, 1 + 5 + 3 * 2);
	nh = lookup(r, IP(20, 1, 1, 1));
	assert_ptr_equal(nh, lookup(r, IP(21, 1, 1, 1)));
	assert_ptr_not_equal(nh, lookup(r, IP(22, 1, 1, 1)));
	assert_int_equal(nh->type, NH_GROUP);
	assert_int_equal(nh->n, 2);
	assert_true(nh->first + nh->n <= route_db_live(r)->n_nh);
	assert_int_equal(hop(r, nh->first)->type, NH_VIA);
	assert_int_equal(addr_to4(&hop(r, nh->first)->gw), 5);
	assert_int_equal(addr_to4(&hop(r, nh->first + 1)->gw), 6);
	assert_int_equal(hop(r, nh->first + 1)->iface, 2);
	assert_ptr_equal(lookup(r, IP(23, 1, 1, 1)), lookup(r, IP(24, 1, 1, 1)));
	nh = lookup(r, IP(25, 1, 1, 1));
	assert_int_equal(hop(r, nh->first)->type, NH_CONNECTED);
	assert_int_equal(hop(r, nh->first)->iface, 1);
	assert_ptr_equal(lookup(r, IP(26, 1, 1, 1)), lookup(r, IP(27, 1, 1, 1)));
	route_db_free(r);
}

static void nonsense(void **state)
{
	struct route_path p[300] = {VIA(1, 9)}, none = VIA(0, 9), far = VIA(IFACES_MAX, 9);
	struct route_in in = {P4(10, 0, 0, 0, 8), NH_VIA, 0, 0, p};

	for (unsigned i = 1; i < RTE_DIM(p); i++)
		p[i] = VIA(1, i);
	refused(&in, 1, "with 0 next hops");
	in.n_paths = 256;
	refused(&in, 1, "with 256 next hops");
	in.n_paths = 1;
	in.paths = &none;
	refused(&in, 1, "makes no sense");
	in.paths = &far;
	refused(&in, 1, "makes no sense");
	in.paths = p;
	in.type = NH_CONNECTED;
	in.n_paths = 2;
	refused(&in, 1, "with 2 next hops");
	in.n_paths = 0;
	refused(&in, 1, "with 0 next hops");
	in.type = NH_BLACKHOLE;
	in.n_paths = 1;
	refused(&in, 1, "with 1 next hops");
	for (unsigned type = 0; type < 256; type++) {
		if (type != NH_NONE && type != NH_GROUP && type <= NH_PROHIBIT)
			continue;
		in.type = (uint8_t)type;
		refused(&in, 1, "makes no sense");
	}
	in.type = NH_VIA;
	in.n_paths = 255;
	route_db_free(build(&in, 1));
	assert_string_equal(why, "");
}

/* 32,767 next hops fit, one more does not; as many /24 groups, likewise. */
static void limits(void **state)
{
	uint32_t n = 40000;
	struct route_in *in = calloc(n, sizeof(*in));
	struct route_path *path = calloc(n, sizeof(*path));
	struct route_db *r;

	for (uint32_t i = 0; i < n; i++) {
		path[i] = VIA(1, i + 1);
		in[i] = (struct route_in){prefix_of4(i << 8, 24), NH_VIA, 0, 1, &path[i]};
	}
	r = build(in, NEXTHOPS_MAX);
	assert_non_null(r);
	assert_int_equal(route_db_live(r)->n_nh, NEXTHOPS_MAX + 1);
	assert_int_equal(addr_to4(&lookup(r, (NEXTHOPS_MAX - 1) << 8 | 5)->gw), NEXTHOPS_MAX);
	route_db_free(r);
	refused(in, NEXTHOPS_MAX + 1, "more than 32767 different next hops");
	for (uint32_t i = 0; i < n; i++)
		in[i] = (struct route_in){prefix_of4(i << 8 | 128, 25), NH_VIA, 0, 1, path};
	r = build(in, 32703);
	assert_non_null(r);
	assert_int_equal(lookup(r, 32702 << 8 | 128)->type, NH_VIA);
	assert_int_equal(lookup(r, 32702 << 8 | 127)->type, NH_NONE);
	route_db_free(r);
	refused(in, n, "/25: routes longer than /24 lie in more than 32703");
	free(in);
	free(path);
}

/* Memory that is not there: 512 MiB of it are, and 4 million routes want more. */
static void memory(void **state)
{
	uint32_t n = 4000000;
	struct route_in *in = calloc(n, sizeof(*in));

	for (uint32_t i = 0; i < n; i++)
		in[i] = (struct route_in){prefix_of4(i << 8, 24), NH_BLACKHOLE, 0, 0, NULL};
	refused(in, n, "memory-mb");
	assert_non_null(strstr(why, "MiB"));
	free(in);
	in = NULL;
	route_db_free(build(in, 0)); /* and nothing of it is lost */
	assert_string_equal(why, "");
}

static const struct route_in *walk(const struct route_in *in, uint32_t n, const struct addr *dst)
{
	const struct route_in *best = NULL;

	for (uint32_t i = 0; i < n; i++)
		if (prefix_holds(&in[i].to, dst) && (best == NULL || in[i].to.len > best->to.len))
			best = &in[i];
	return best;
}

static struct prefix random_prefix(bool is4)
{
	struct addr a = {.q = {0, 0}};
	unsigned len;

	if (is4) {
		/* Few high bits, so that prefixes nest, meet and repeat. */
		len = rnd() % 33;
		return prefix_of4(
			((rnd() & 0x0303ffff) | (rnd() & 1 ? 0x0a000000 : 0)) & mask4(len), len);
	}
	len = rnd() % 129;
	a.b[0] = rnd() & 1 ? 0x20 : 0;
	for (unsigned i = 1; i < 16; i++)
		a.b[i] = (uint8_t)(rnd() & (rnd() & 3 ? 0x81 : 0xff));
	a = addr_masked(&a, len);
	if (addr_is4(&a)) /* no IPv6 destination, nor a prefix that a route could have */
		a.b[0] = 0x20;
	return (struct prefix){a, (uint8_t)len};
}

/* The address before or behind, in 128 bits. */
static struct addr step(struct addr a, int by)
{
	for (int i = 15; i >= 0; i--) {
		a.b[i] = (uint8_t)(a.b[i] + by);
		if (a.b[i] != (by > 0 ? 0 : 0xff))
			break;
	}
	return a;
}

/* An address of that family in or beside one of the prefixes. */
static struct addr random_address(const struct route_in *in, uint32_t n, bool is4)
{
	const struct prefix *p = &in[rnd() % n].to;
	struct addr host, last = p->addr, inside = p->addr, far;

	for (unsigned i = 0; i < 4; i++)
		far.w[i] = rnd();
	host = far;
	for (unsigned i = p->len; i < 128; i++) {
		last.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
		inside.b[i / 8] |= (uint8_t)(host.b[i / 8] & 0x80 >> i % 8);
	}
	switch (rnd() % 6) {
	case 0:
		inside = p->addr;
		break;
	case 1:
		inside = last;
		break;
	case 2:
		inside = step(p->addr, -1);
		break;
	case 3:
		inside = step(last, 1);
		break;
	case 4:
		break;
	default:
		inside = far;
	}
	if (is4 && !addr_is4(&inside))
		inside = addr_of4(rnd());
	else if (!is4 && addr_is4(&inside))
		inside = far;
	return inside;
}

enum { BURST = 64 };

/* A burst of lookups against the plain walk. */
static void hold_against(const struct route_db *r, const struct route_in *in, uint32_t n, bool is4)
{
	uint8_t dst6[BURST][16];
	struct addr dst[BURST];
	uint32_t dst4[BURST];
	uint64_t nh[BURST];

	for (int i = 0; i < BURST; i++) {
		dst[i] = random_address(in, n, is4);
		dst4[i] = addr_to4(&dst[i]);
		memcpy(dst6[i], dst[i].b, 16);
	}
	if (is4)
		routes_lookup(route_db_live(r), dst4, nh, BURST);
	else
		routes_lookup6(route_db_live(r), dst6, nh, BURST);
	for (int i = 0; i < BURST; i++) {
		const struct route_in *want = walk(in, n, &dst[i]);
		const struct nexthop *got = hop(r, nh[i]);
		char text[ADDR_STRLEN];

		if (want == NULL ? nh[i] != 0
				 : got->type != NH_VIA || !addr_equal(&got->gw, &want->paths->gw) ||
					   got->iface != want->paths->iface)
			fail_msg("destination %s: next hop %lu", addr_format(&dst[i], text), nh[i]);
	}
}

static void property(bool is4, bool is6)
{
	enum { N = 600 };
	static struct route_in in[N];
	static struct route_path path[N];

	seed = 20240601 + is4 * 2 + is6;
	print_message("seed %lu\n", seed);
	for (int round = 0; round < 12; round++) {
		uint32_t n = round < 4 ? 1 + rnd() % 8 : 1 + rnd() % N;
		struct route_db *r;

		for (uint32_t i = 0; i < n; i++) {
			path[i] = VIA(1 + (uint16_t)(i % 3), 1 + i % 40);
			in[i] = (struct route_in){
				random_prefix(!is6 || (is4 && rnd() & 1)), NH_VIA, 0, 1, &path[i]};
		}
		r = build(in, n);
		if (r == NULL)
			fail_msg("%s", why);
		for (uint32_t i = 1; i < route_db_count(r); i++) {
			struct prefix x = nth(r, i - 1).to, y = nth(r, i).to;
			int order = memcmp(&x.addr, &y.addr, 16);

			if (addr_is4(&x.addr) != addr_is4(&y.addr))
				assert_true(addr_is4(&x.addr));
			else
				assert_true(order < 0 || (order == 0 && x.len < y.len));
		}
		for (int k = 0; k < 250; k++) {
			hold_against(r, in, n, true);
			hold_against(r, in, n, false);
		}
		route_db_free(r);
	}
}

static void property4(void **state)
{
	property(true, false);
}

static void property6(void **state)
{
	property(false, true);
}

static void property_both(void **state)
{
	property(true, true);
}

/* Half a million routes like the internet's: mostly /24, over 1,000 gateways. */
static void large(void **state)
{
	uint32_t n = 500000;
	struct route_in *in = calloc(n, sizeof(*in));
	struct route_path *path = calloc(n, sizeof(*path));
	struct timespec from, to;
	struct route_db *r;

	seed = 7;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t len = rnd() % 100 < 60 ? 24 : (uint8_t)(16 + rnd() % 9);

		path[i] = VIA(1, 1 + rnd() % 1000);
		in[i] = (struct route_in){
			prefix_of4(rnd() % 0xdf000000 & mask4(len), len), NH_VIA, 0, 1, &path[i]};
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	r = build(in, n);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (r == NULL)
		fail_msg("%s", why);
	print_message("%u routes, %u next hops: %ld ms\n", route_db_count(r),
		route_db_live(r)->n_nh,
		(to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
	assert_int_equal(route_db_live(r)->n_nh, 1001);
	route_db_free(r);
	free(in);
	free(path);
}

static void names(void **state)
{
	static struct ports p;

	p.n_ifaces = 5;
	strcpy(p.iface[1].name, "lan0");
	strcpy(p.iface[4].name, "lan0.7");
	memset(p.iface[3].name, 'x', sizeof(p.iface[3].name)); /* no end */
	assert_ptr_equal(ports_find(&p, "lan0"), &p.iface[1]);
	assert_ptr_equal(ports_find(&p, "lan0.7"), &p.iface[4]);
	assert_null(ports_find(&p, "lan"));
	assert_null(ports_find(&p, ""));
	assert_null(ports_find(&p, "lan0.77"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(types),
		cmocka_unit_test(shared_and_grouped),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(limits),
		cmocka_unit_test(memory),
		cmocka_unit_test(property4),
		cmocka_unit_test(property6),
		cmocka_unit_test(property_both),
		cmocka_unit_test(large),
		cmocka_unit_test(names),
	};

	eal_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
