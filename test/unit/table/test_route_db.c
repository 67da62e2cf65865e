/* Changes of routes: random transactions of every kind (requests of the socket, links, a new
 * configuration) against a plain model, with lookups in the copy that workers would read after each
 * of them; what is refused, and why; what stays as it was when something fails.
 */
#include "eal.h"
#include "route_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define IFACES 6   /* 1 to 5 */
#define POOL 240   /* prefixes that the test knows */
#define ANSWERS 40 /* where routes may lead */

static uint64_t seed;

static uint32_t rnd(void) /* xorshift64*: the same sequence everywhere */
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1d) >> 32);
}

/* --- the model */

struct answer {
	uint8_t type, n;
	struct route_path path[3];
};

struct model {
	struct prefix to[POOL];
	int by[POOL][3]; /* by origin: index of an answer, or -1 */
	struct answer answer[ANSWERS];
	struct route_iface iface[IFACES_MAX];
};

static struct model m;
static struct route_db *db;
static char why[256];

static bool usable(const struct answer *a)
{
	if (a->type == NH_LOCAL || a->n == 0)
		return true;
	for (unsigned i = 0; i < a->n; i++)
		if (m.iface[a->path[i].iface].up)
			return true;
	return false;
}

/* The answer that a prefix of the pool leads to, or -1. */
static int active(unsigned p)
{
	for (unsigned o = 0; o < 3; o++)
		if (m.by[p][o] >= 0 && usable(&m.answer[m.by[p][o]]))
			return m.by[p][o];
	return -1;
}

/* Where a destination goes: the longest prefix that leads anywhere. */
static int walk(const struct addr *dst)
{
	int best = -1, found = -1;

	for (unsigned p = 0; p < POOL; p++) {
		if (m.to[p].len <= best || active(p) < 0 || !prefix_holds(&m.to[p], dst))
			continue;
		best = m.to[p].len;
		found = active(p);
	}
	return found;
}

static struct prefix random_prefix(bool is4)
{
	struct addr a = {.q = {0, 0}};
	unsigned len;

	if (is4) {
		len = rnd() % 33;
		return prefix_of4((0x0a000000 | (rnd() & 0x0003ffff)) & mask4(len), len);
	}
	len = rnd() % 4 ? 24 + rnd() % 42 : rnd() % 129;
	a.b[0] = 0x20;
	for (unsigned i = 3; i < 16; i++)
		a.b[i] = (uint8_t)(rnd() & (rnd() & 3 ? 0x81 : 0xff));
	return (struct prefix){addr_masked(&a, len), (uint8_t)len};
}

static void model_new(void)
{
	memset(&m, 0, sizeof(m));
	for (unsigned p = 0; p < POOL; p++) {
		bool again;

		do {
			again = false;
			m.to[p] = random_prefix(p % 2);
			for (unsigned k = 0; k < p; k++)
				again |= m.to[k].len == m.to[p].len &&
					 addr_equal(&m.to[k].addr, &m.to[p].addr);
		} while (again);
		for (unsigned o = 0; o < 3; o++)
			m.by[p][o] = -1;
	}
	for (unsigned a = 0; a < ANSWERS; a++) {
		static const uint8_t types[] = {NH_BLACKHOLE, NH_PROHIBIT, NH_LOCAL, NH_CONNECTED};
		struct answer *answer = &m.answer[a];

		answer->type = a < 4 ? types[a] : NH_VIA;
		answer->n = (uint8_t)(a < 2 ? 0 : a < 4 ? 1 : 1 + a % 3);
		for (unsigned i = 0; i < answer->n; i++)
			answer->path[i] =
				(struct route_path){.iface = (uint16_t)(1 + (a + i) % (IFACES - 1)),
					.gw = addr_of4(a < 4 ? 0 : a * 256 + i)};
		if (a >= 2 && a < 4)
			answer->path[0].gw = (struct addr){.q = {0, 0}};
	}
	for (unsigned i = 1; i < IFACES; i++)
		m.iface[i] = (struct route_iface){.up = true, .zone = (uint8_t)(1 + i % 2)};
}

/* --- is it so? */

static bool same_hop(const struct nexthop *nh, const struct route_path *path)
{
	return nh->iface == path->iface && addr_equal(&nh->gw, &path->gw) &&
	       nh->zone == m.iface[path->iface].zone;
}

static void expect_hop(uint64_t index, int answer, const struct addr *dst)
{
	const struct routes *r = route_db_live(db);
	const struct answer *a = &m.answer[answer < 0 ? 0 : answer];
	const struct nexthop *nh = &r->nh[index];
	const struct route_path *up[3];
	char text[ADDR_STRLEN];
	unsigned n = 0;
	bool good;

	if (index >= r->n_nh)
		fail_msg("%s: next hop %lu of %u", addr_format(dst, text), index, r->n_nh);
	for (unsigned i = 0; i < a->n; i++)
		if (a->type == NH_LOCAL || m.iface[a->path[i].iface].up)
			up[n++] = &a->path[i];
	if (answer < 0) {
		good = index == 0;
	} else if (n > 1) { /* those that are up, in their order */
		good = nh->type == NH_GROUP && nh->n == n && nh->first + n <= r->n_nh;
		for (unsigned i = 0; good && i < n; i++)
			good = same_hop(&r->nh[nh->first + i], up[i]);
	} else {
		good = nh->type == a->type && (n == 0 || same_hop(nh, up[0]));
	}
	if (!good)
		fail_msg("%s: next hop %lu, not answer %d", addr_format(dst, text), index, answer);
}

static struct addr random_address(void)
{
	const struct prefix *p = &m.to[rnd() % POOL];
	struct addr a = p->addr;

	for (unsigned i = p->len; i < 128; i++)
		if (rnd() & 1)
			a.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return a;
}

enum { BURST = 64 };

static void hold_against_model(void)
{
	const struct routes *r = route_db_live(db);
	struct addr dst[BURST];
	uint8_t dst6[BURST][16];
	uint32_t dst4[BURST], n = 0, active_n = 0;
	uint64_t nh4[BURST], nh6[BURST];
	struct route shown[3 * POOL];

	for (unsigned i = 0; i < BURST; i++) {
		dst[i] = random_address();
		dst4[i] = addr_to4(&dst[i]);
		memcpy(dst6[i], dst[i].b, 16);
	}
	routes_lookup(r, dst4, nh4, BURST);
	routes_lookup6(r, dst6, nh6, BURST);
	for (unsigned i = 0; i < BURST; i++) {
		struct route match;
		int want = walk(&dst[i]);

		expect_hop(addr_is4(&dst[i]) ? nh4[i] : nh6[i], want, &dst[i]);
		assert_int_equal(route_db_match(db, &dst[i], &match), want >= 0);
	}
	for (unsigned p = 0; p < POOL; p++) {
		active_n += active(p) >= 0;
		for (unsigned o = 0; o < 3; o++)
			n += m.by[p][o] >= 0;
	}
	assert_int_equal(route_db_count(db), n);
	assert_int_equal(route_db_read(db, 0, shown, 3 * POOL), n);
	for (uint32_t i = 0; i < n; i++) {
		active_n -= shown[i].active;
		if (i > 0 && prefix_written_len(&shown[i].to) == 0)
			assert_true(addr_is4(&shown[i - 1].to.addr) ||
				    shown[i - 1].to.len == shown[i].to.len);
	}
	assert_int_equal(active_n, 0);
}

/* --- transactions */

static uint32_t hops_of(int answer)
{
	const struct answer *a = &m.answer[answer];
	uint32_t hops = route_db_hops(db, a->type, a->path, a->n, 1, why, sizeof(why));

	if (hops == 0)
		fail_msg("%s", why);
	return hops;
}

static void work(void)
{
	if (route_db_work(db, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	route_whole(db);
}

/* What the configuration says, anew: subnets and static routes. */
static void reload(void)
{
	static uint32_t map[NEXTHOPS_MAX + 1];
	struct route_reload r = {.iface = m.iface, .map = map, .keep = keep_all, .gone = none_gone};

	r.base = calloc(2 * POOL, sizeof(*r.base));
	for (unsigned p = 0; p < POOL; p++) {
		m.by[p][ROUTE_STATIC] = rnd() % 3 ? -1 : (int)(rnd() % ANSWERS);
		/* a route of the socket to a subnet would go: the model is spared that */
		m.by[p][ROUTE_CONNECTED] =
			m.by[p][ROUTE_CONTROL] < 0 && rnd() % 12 == 0 ? 2 + (int)(rnd() & 1) : -1;
		for (unsigned o = ROUTE_CONNECTED; o <= ROUTE_STATIC; o += ROUTE_STATIC) {
			if (m.by[p][o] < 0)
				continue;
			r.base[r.n] = (struct route){
				.to = m.to[p], .hops = hops_of(m.by[p][o]), .origin = (uint8_t)o};
			map[r.base[r.n].hops] = r.base[r.n].hops;
			r.n++;
		}
	}
	route_db_begin_reload(db, &r);
	work();
}

static void links(void)
{
	for (unsigned i = 1; i < IFACES; i++)
		m.iface[i].up = rnd() & 1;
	route_db_begin_link(db, m.iface);
	work();
}

#define CHANGES 12

struct asked {
	struct route_request request;
	struct route_change change[CHANGES];
	int before[POOL];
};

/* Asks for changes at random, and does in the model what should become of it. */
static void ask(struct asked *q)
{
	struct route_request *r = &q->request;
	int status = 0;

	*r = (struct route_request){.op = rnd() % 3, .change = q->change, .n = 1 + rnd() % 3};
	if (rnd() % 4 == 0)
		r->n = CHANGES;
	for (unsigned p = 0; p < POOL; p++)
		q->before[p] = m.by[p][ROUTE_CONTROL];
	for (uint32_t i = 0; i < r->n; i++) {
		unsigned p = rnd() % POOL;
		int to = (int)(rnd() % ANSWERS);

		/* mostly what can be done */
		for (unsigned tries = 0; rnd() % 8 && tries < 50; tries++, p = rnd() % POOL)
			if (m.by[p][0] < 0 &&
				(r->op == ROUTE_DELETE       ? m.by[p][1] >= 0
					: r->op == ROUTE_ADD ? m.by[p][1] < 0 && m.by[p][2] < 0
							     : true))
				break;
		q->change[i] = (struct route_change){m.to[p], hops_of(to)};
		if (status != 0)
			continue;
		r->bad = i; /* as it should be */
		if (m.by[p][ROUTE_CONNECTED] >= 0)
			status = -EEXIST;
		else if (r->op == ROUTE_ADD && (m.by[p][1] >= 0 || m.by[p][2] >= 0))
			status = -EEXIST;
		else if (r->op == ROUTE_DELETE && m.by[p][1] < 0)
			status = m.by[p][2] >= 0 ? -EPERM : -ENOENT;
		else
			m.by[p][ROUTE_CONTROL] = r->op == ROUTE_DELETE ? -1 : to;
	}
	for (unsigned p = 0; status != 0 && p < POOL; p++)
		m.by[p][ROUTE_CONTROL] = q->before[p];
	q->before[0] = status;
}

static void changes(void)
{
	struct asked q[3];
	unsigned n = 1 + rnd() % 3;
	uint32_t bad[3];

	for (unsigned i = 0; i < n; i++) {
		ask(&q[i]);
		bad[i] = q[i].request.bad;
		q[i].request.next = i + 1 < n ? &q[i + 1].request : NULL;
	}
	route_db_begin_changes(db, &q[0].request);
	work();
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(q[i].request.status, q[i].before[0]);
		if (q[i].request.status == 0)
			continue;
		assert_int_equal(q[i].request.bad, bad[i]);
		assert_true(q[i].request.why[0] != '\0');
	}
}

static void transactions(void **state)
{
	for (unsigned round = 0; round < 6; round++) {
		seed = 20260101 + round;
		print_message("seed %lu\n", seed);
		model_new();
		db = route_db_new(NULL, SOCKET_ID_ANY);
		assert_non_null(db);
		reload();
		hold_against_model();
		for (unsigned i = 0; i < 400; i++) {
			if (rnd() % 40 == 0)
				reload();
			else if (rnd() % 10 == 0)
				links();
			else
				changes();
			hold_against_model();
		}
		print_message("%u tables made anew\n", route_db_stats(db).rebuilds);
		route_db_free(db);
	}
}

/* --- one by one */

static struct prefix prefix(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static struct route_request one(enum route_op op, const char *to, uint32_t hops)
{
	static struct route_change change[8];
	static unsigned next;
	struct route_change *c = &change[next++ % RTE_DIM(change)];

	*c = (struct route_change){prefix(to), hops};
	return (struct route_request){.op = op, .change = c, .n = 1};
}

static int request(struct route_request *r)
{
	route_db_begin_changes(db, r);
	work();
	return r->status;
}

static void refusals(void **state)
{
	struct route_path lan = {.iface = 1}, via = {.iface = 1, .gw = addr_of4(0x0a000002)};
	struct route_in in[] = {
		{prefix("10.0.0.0/24"), NH_CONNECTED, ROUTE_CONNECTED, 1, &lan},
		{prefix("10.1.0.0/16"), NH_VIA, ROUTE_STATIC, 1, &via},
	};
	struct route_request r;
	uint32_t hops;

	db = route_db_new(NULL, SOCKET_ID_ANY);
	assert_int_equal(route_load(db, in, 2, why, sizeof(why)), 0);
	hops = route_db_hops(db, NH_BLACKHOLE, NULL, 0, 1, why, sizeof(why));
#define REFUSED(op, to, status, text)          \
	r = one(op, to, hops);                 \
	assert_int_equal(request(&r), status); \
	assert_string_equal(r.why, text);      \
	hops = route_db_hops(db, NH_BLACKHOLE, NULL, 0, 1, why, sizeof(why))
	REFUSED(ROUTE_ADD, "10.0.0.0/24", -EEXIST,
		"10.0.0.0/24 is an address or a subnet of this box itself");
	REFUSED(ROUTE_REPLACE, "10.0.0.0/24", -EEXIST,
		"10.0.0.0/24 is an address or a subnet of this box itself");
	REFUSED(ROUTE_ADD, "10.1.0.0/16", -EEXIST,
		"10.1.0.0/16 has a route in the configuration; a replacement goes before it");
	REFUSED(ROUTE_DELETE, "10.1.0.0/16", -EPERM,
		"10.1.0.0/16 is a route of the configuration: take it out there and reload");
	REFUSED(ROUTE_DELETE, "10.2.0.0/16", -ENOENT, "10.2.0.0/16 has no route");
	r = one(ROUTE_ADD, "10.2.0.0/16", hops);
	assert_int_equal(request(&r), 0);
	hops = route_db_hops(db, NH_PROHIBIT, NULL, 0, 1, why, sizeof(why));
	REFUSED(ROUTE_ADD, "10.2.0.0/16", -EEXIST, "10.2.0.0/16 has a route already; replace it");
	route_db_free(db);
}

/* A replacement goes before the configuration's route, which is back without it. */
static void replaced_and_back(void **state)
{
	struct route_path via = {.iface = 1, .gw = addr_of4(0x0a000002)};
	struct route_in in = {prefix("10.1.0.0/16"), NH_VIA, ROUTE_STATIC, 1, &via};
	struct addr dst = addr_of4(0x0a010203);
	struct route_request r;
	struct route route;

	db = route_db_new(NULL, SOCKET_ID_ANY);
	assert_int_equal(route_load(db, &in, 1, why, sizeof(why)), 0);
	r = one(ROUTE_REPLACE, "10.1.0.0/16",
		route_db_hops(db, NH_BLACKHOLE, NULL, 0, 1, why, sizeof(why)));
	assert_int_equal(request(&r), 0);
	assert_true(route_db_match(db, &dst, &route));
	assert_int_equal(route.origin, ROUTE_CONTROL);
	assert_true(route_db_find(db, &in.to, ROUTE_STATIC, &route));
	assert_false(route.active);
	/* over a reload as well */
	assert_int_equal(route_load(db, &in, 1, why, sizeof(why)), 0);
	assert_true(route_db_match(db, &dst, &route));
	assert_int_equal(route.origin, ROUTE_CONTROL);
	r = one(ROUTE_DELETE, "10.1.0.0/16", 0);
	assert_int_equal(request(&r), 0);
	assert_true(route_db_match(db, &dst, &route));
	assert_int_equal(route.origin, ROUTE_STATIC);
	assert_int_equal(route_db_hop_set(db, route.hops)->type, NH_VIA);
	route_db_free(db);
}

static bool keep_none(void *arg, uint32_t hops)
{
	return false;
}

static void count_gone(void *arg, const struct prefix *to)
{
	char text[PREFIX_STRLEN];

	assert_string_equal(prefix_format(to, text), "10.2.0.0/16");
	++*(unsigned *)arg;
}

/* A route of the socket goes with a reload when its next hop makes no sense any more, or when its
 * prefix is a subnet of the box; and somebody hears of it. */
static void gone_with_a_reload(void **state)
{
	struct route_path lan = {.iface = 1};
	uint32_t map[1] = {0};
	unsigned n = 0;
	struct route_reload reload = {.iface = all_up(), .map = map, .gone = count_gone, .arg = &n};
	struct route_request r;

	db = route_db_new(NULL, SOCKET_ID_ANY);
	for (unsigned i = 0; i < 2; i++) {
		r = one(ROUTE_ADD, "10.2.0.0/16",
			route_db_hops(db, NH_BLACKHOLE, NULL, 0, 1, why, sizeof(why)));
		assert_int_equal(request(&r), 0);
		assert_int_equal(route_db_count(db), 1);
		reload.keep = i ? keep_none : keep_all;
		reload.base = calloc(1, sizeof(*reload.base));
		reload.n = 1 - i;
		reload.base[0] = (struct route){.to = prefix("10.2.0.0/16"),
			.hops = route_db_hops(db, NH_CONNECTED, &lan, 1, 1, why, sizeof(why))};
		route_db_begin_reload(db, &reload);
		work();
		assert_int_equal(n, i + 1);
		assert_int_equal(route_db_count(db), 1 - i);
		if (i == 0)
			assert_int_equal(route_load(db, NULL, 0, why, sizeof(why)), 0);
	}
	route_db_free(db);
}

/* More than the memory of this process holds is refused, and all is as before: list, lookups, and
 * the next change. */
static void no_memory(void **state)
{
	uint32_t n = 3000000;
	struct route_change *change = calloc(n, sizeof(*change));
	struct route_request big = {.op = ROUTE_ADD, .change = change, .n = n}, r;
	struct addr dst = addr_of4(0x0a020001);
	struct route route;

	db = route_db_new(NULL, SOCKET_ID_ANY);
	r = one(ROUTE_ADD, "10.2.0.0/16",
		route_db_hops(db, NH_PROHIBIT, NULL, 0, 1, why, sizeof(why)));
	assert_int_equal(request(&r), 0);
	for (uint32_t i = 0; i < n; i++)
		change[i] = (struct route_change){prefix_of4((1 << 24) + (i << 8), 24),
			route_db_hops(db, NH_BLACKHOLE, NULL, 0, 1, why, sizeof(why))};
	route_db_begin_changes(db, &big);
	assert_int_equal(route_db_work(db, why, sizeof(why)), -1);
	route_whole(db);
	assert_int_equal(big.status, -ENOMEM);
	assert_non_null(strstr(big.why, "memory-mb"));
	assert_int_equal(route_db_count(db), 1);
	assert_true(route_db_match(db, &dst, &route));
	assert_int_equal(route_db_live(db)->nh[route.hops].type, NH_PROHIBIT);
	r = one(ROUTE_REPLACE, "10.2.0.0/16",
		route_db_hops(db, NH_BLACKHOLE, NULL, 0, 1, why, sizeof(why)));
	assert_int_equal(request(&r), 0);
	assert_true(route_db_match(db, &dst, &route));
	assert_int_equal(route_db_live(db)->nh[route.hops].type, NH_BLACKHOLE);
	free(change);
	route_db_free(db);
}

/* The list by itself: any order in, the same order out, however blocks are cut. */
static void pages(void **state)
{
	enum { N = 5000 };
	struct route_change *change = calloc(N, sizeof(*change));
	struct route_request r = {.op = ROUTE_ADD, .change = change, .n = N};
	struct route page[100];
	uint32_t hops, seen = 0, n;

	seed = 99;
	db = route_db_new(NULL, SOCKET_ID_ANY);
	hops = route_db_hops(db, NH_BLACKHOLE, NULL, 0, 1, why, sizeof(why));
	for (uint32_t i = 0; i < N; i++)
		change[i] = (struct route_change){prefix_of4(0x0a000000 + (i << 8), 24), hops};
	for (uint32_t i = N - 1; i > 0; i--) {
		uint32_t k = rnd() % (i + 1);
		struct route_change c = change[i];

		change[i] = change[k];
		change[k] = c;
	}
	assert_int_equal(request(&r), 0);
	for (;; seen += n) {
		n = route_db_read(db, seen, page, RTE_DIM(page));
		if (n == 0)
			break;
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(
				addr_to4(&page[i].to.addr), 0x0a000000 + ((seen + i) << 8));
	}
	assert_int_equal(seen, N);
	r.op = ROUTE_DELETE;
	assert_int_equal(request(&r), 0);
	assert_int_equal(route_db_count(db), 0);
	free(change);
	route_db_free(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transactions),
		cmocka_unit_test(refusals),
		cmocka_unit_test(replaced_and_back),
		cmocka_unit_test(gone_with_a_reload),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(pages),
	};

	eal_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
