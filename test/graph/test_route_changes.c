/* Routes that change while packets go on, step by step of a transaction (routing.c without its
 * thread): 100,000 changes of both families, with packets between any two steps; links that go down
 * and up; a reload that arrives in between. No packet is lost, each takes the old way or the new
 * one, and once a change is answered, the new one.
 */
#include "harness.h"

#include <errno.h>
#include <string.h>

#define NETS 512   /* prefixes that change, half of them of each family */
#define ROUNDS 250 /* of that many changes */
#define CHANGES 400
#define GW_COVER 0 /* where a net goes that has no route of its own */

static const struct rig_text dual = {
	.interfaces = RIG6_INTERFACES,
	.routes = "{ to = \"198.18.0.0/15\"; via = \"192.0.2.2\"; },"
		  "{ to = \"2001:db8:4000::/36\"; via = \"2001:db8:2::2\"; },"
		  "{ to = \"203.0.113.0/24\"; via = [\"192.0.2.2\", \"172.16.0.2\"]; },"
		  "{ to = \"203.0.113.128/25\"; via = \"172.16.0.2\"; },"
		  "{ to = \"0.0.0.0/0\"; via = \"192.0.2.2\"; }",
};

static const char *const gateways[2][3] = {
	{"192.0.2.2", "192.0.2.254", "192.0.2.253"},
	{"2001:db8:2::2", "2001:db8:2::fe", "2001:db8:2::fd"},
};

static uint64_t seed;

static uint32_t rnd(void) /* xorshift64*: the same sequence everywhere */
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1d) >> 32);
}

/* --- the model: which gateway each net has, before and after what is under way */

static uint8_t was[NETS], is[NETS];

static struct prefix net(unsigned i)
{
	struct addr a = {.b = {0x20, 0x01, 0x0d, 0xb8, 0x40, (uint8_t)(i >> 1)}};
	static const uint8_t len4[] = {24, 25, 28, 32}, len6[] = {48, 56, 64, 128};

	if (i % 2 == 0)
		return prefix_of4((198u << 24 | 18u << 16) + (i / 2 << 8), len4[i / 2 % 4]);
	return (struct prefix){a, len6[i / 2 % 4]};
}

static void make(struct frame *f, unsigned i)
{
	struct prefix p = net(i);
	struct spec s = spec_udp();
	struct spec6 s6 = spec6_udp();

	if (addr_is4(&p.addr)) {
		s.dst = addr_to4(&p.addr);
		frame_make(f, &s);
	} else {
		memcpy(s6.dst.b, p.addr.b, 16);
		frame6_make(f, &s6);
	}
}

/* Some packets to any nets, a walk of the workers, and what came of them. settled: nothing is under
 * way. */
static void packets(bool settled)
{
	static struct frame in, got;
	unsigned n = 1 + rnd() % 16, missing[NETS] = {0};

	for (unsigned k = 0; k < n; k++) {
		unsigned i = rnd() % NETS;

		missing[i]++;
		make(&in, i);
		rig_put(LAN, &in);
	}
	rig_walk();
	for (unsigned k = 0; k < n; k++) {
		unsigned i, gw = 3;
		struct ip6 a6;
		uint32_t a4;

		if (!rig_take(WAN, &got))
			fail_msg("%u of %u packets are lost", n - k, n);
		i = got.b[12] == 0x08 ? got.b[14 + 18] * 2u : got.b[14 + 24 + 5] * 2u + 1;
		if (i >= NETS || missing[i]-- == 0)
			fail_msg("net %u gets a packet that was none of its", i);
		for (unsigned g = 0; g < 3; g++) {
			struct mac6 mac;

			if (i % 2) {
				a6 = ip6_of(gateways[1][g]);
				mac = (struct mac6){{2, 6, a6.b[12], a6.b[13], a6.b[14], a6.b[15]}};
			} else {
				assert_int_equal(addr4_parse(gateways[0][g], &a4), 0);
				mac = host_mac(a4);
			}
			if (memcmp(got.b, mac.b, 6) == 0)
				gw = g;
		}
		if (gw != is[i] && (settled || gw != was[i]))
			fail_msg("net %u goes to gateway %u, not %u", i, gw, is[i]);
	}
}

/* --- calls */

static unsigned answers, failures;
static struct ctl_route_result last;
static char last_why[256];

static void answered(void *arg, const struct ctl_route_result *result)
{
	answers++;
	failures += result->status != 0;
	last = *result;
	snprintf(last_why, sizeof(last_why), "%s", result->why ? result->why : "");
}

static void call(enum route_op op, const struct ctl_route *route, uint32_t n)
{
	struct ctl_route *copy = malloc(n * sizeof(*copy));

	memcpy(copy, route, n * sizeof(*copy));
	rig->env.app = rig;
	routing_call(&rig->env, op, copy, n, answered, NULL);
}

static struct ctl_route via(const struct prefix *to, const char *gw)
{
	struct ctl_route r = {.to = *to, .type = NH_VIA, .n_via = 1};

	assert_int_equal(addr_parse(gw, &r.via[0].addr), 0);
	return r;
}

/* Steps until the transactions are over and `n` calls answered; packets after each. */
static void until(unsigned n)
{
	for (unsigned steps = 0; answers < n || rig->routing.stage != ROUTING_IDLE; steps++) {
		routing_tick(rig);
		packets(false);
		assert_in_range(steps, 0, 1000);
	}
}

static void a_hundred_thousand_changes(void **state)
{
	static struct ctl_route list[3][CHANGES];
	unsigned done = 0;

	seed = 20260711;
	print_message("seed %lu\n", seed);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t serial = tables_root(rig->tables)->serial, n[3] = {0};
		uint32_t generation = tables_root(rig->tables)->generation;
		bool touched[NETS + 1] = {false};
		unsigned calls = 0;

		memcpy(was, is, sizeof(was));
		answers = 0;
		for (unsigned k = 0; k < CHANGES; k++) {
			unsigned i = rnd() % NETS, gw = 1 + rnd() % 2;
			enum route_op op;
			struct prefix p = net(i);

			/* one change of a net a round, so that the order of the calls is of no
			 * matter; the others are replacements that change nothing */
			if (touched[i]) {
				op = ROUTE_REPLACE;
				i = NETS; /* beside the nets */
				p = prefix_of4((198u << 24 | 19u << 16) + (rnd() % 4096 << 4), 28);
			} else if (was[i] == GW_COVER) {
				op = ROUTE_ADD;
			} else {
				op = rnd() % 2 ? ROUTE_DELETE : ROUTE_REPLACE;
			}
			touched[i] = i < NETS;
			if (i < NETS)
				is[i] = op == ROUTE_DELETE ? GW_COVER : (uint8_t)gw;
			list[op][n[op]++] = via(&p, gateways[!addr_is4(&p.addr)][gw]);
		}
		for (unsigned op = 0; op < 3; op++) {
			if (n[op] == 0)
				continue;
			call(op, list[op], n[op]);
			calls++;
			done += n[op];
		}
		until(calls);
		if (failures != 0)
			fail_msg("round %u: %s", round, last_why);
		assert_true(tables_root(rig->tables)->serial > serial);
		assert_int_equal(tables_root(rig->tables)->generation, generation);
		memcpy(was, is, sizeof(was));
		for (unsigned k = 0; k < 4; k++)
			packets(true);
	}
	assert_int_equal(done, ROUNDS * CHANGES);
	print_message("%u changes, %u swaps, tables made anew: %u\n", done,
		tables_root(rig->tables)->serial, route_db_stats(rig->routing.db).rebuilds);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* Takes the routes of the test above out again. */
static void all_out(void **state)
{
	static struct ctl_route list[8192];
	struct route r;
	uint32_t n = 0, end = route_db_count(rig->routing.db);

	for (uint32_t i = 0; i < end; i++)
		if (route_db_read(rig->routing.db, i, &r, 1) == 1 && r.origin == ROUTE_CONTROL)
			list[n++] = (struct ctl_route){.to = r.to};
	answers = 0;
	call(ROUTE_DELETE, list, n);
	memset(is, GW_COVER, sizeof(is));
	until(1);
	assert_int_equal(last.status, 0);
	memset(was, GW_COVER, sizeof(was));
	packets(true);
	expect_drops(DROP_NONE, 0);
}

/* --- links */

static void link_set(unsigned port, bool up)
{
	atomic_store(&rig->shared.link_up[rig->port[port].id], up);
	rig->routing.link_changed = true;
	do {
		routing_tick(rig);
		rig_walk();
	} while (rig->routing.stage != ROUTING_IDLE);
}

/* A member of a group without a link gets no flow; a longer prefix that
 * leads nowhere gives way to a shorter one, and so does a subnet of ours; our own address stays. */
static void links_take_routes_with_them(void **state)
{
	struct spec s = spec_udp();
	struct frame f;

	s.dst = IP(203, 0, 113, 200);
	frame_make(&f, &s);
	expect_routed(LAN, &f, DMZ, HOST_C, 0);
	link_set(DMZ, false);
	expect_routed(LAN, &f, WAN, HOST_B, 0); /* of the group that is left */
	for (unsigned flow = 0; flow < 32; flow++) {
		s.dst = IP(203, 0, 113, 7);
		s.sport = (uint16_t)(2000 + flow);
		frame_make(&f, &s);
		expect_routed(LAN, &f, WAN, HOST_B, 0);
	}
	s.dst = IP(172, 16, 0, 9); /* the subnet is behind the default route now */
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	s = spec_echo();
	s.dst = DMZ_ADDR;
	frame_make(&f, &s);
	rig_put(LAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 1); /* its answer */
	link_set(DMZ, true);
	s = spec_udp();
	s.dst = IP(203, 0, 113, 200);
	frame_make(&f, &s);
	expect_routed(LAN, &f, DMZ, HOST_C, 0);
	expect_drops(DROP_NONE, 0);
}

/* A call that comes while a reload has the routes waits for it, and holds afterwards. */
static void a_reload_in_between(void **state)
{
	struct prefix to = prefix_of4(IP(198, 18, 0, 0), 24);
	struct ctl_route r = via(&to, gateways[0][1]);
	struct spec s = spec_udp();
	struct tables *old;
	struct frame f;

	s.dst = IP(198, 18, 0, 5);
	frame_make(&f, &s);
	answers = 0;
	old = rig_swap(&dual);
	call(ROUTE_ADD, &r, 1);
	routing_tick(rig);
	assert_int_equal(answers, 0);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	rig_swapped(old);
	is[0] = 1;
	until(1);
	assert_int_equal(last.status, 0);
	expect_routed(LAN, &f, WAN, IP(192, 0, 2, 254), 0);
	rig_reload(&dual); /* and over the next */
	expect_routed(LAN, &f, WAN, IP(192, 0, 2, 254), 0);
	answers = 0;
	call(ROUTE_DELETE, &r, 1);
	is[0] = was[0] = GW_COVER;
	while (answers == 0) {
		routing_tick(rig);
		rig_walk();
	}
	expect_routed(LAN, &f, WAN, HOST_B, 0);
}

/* What is refused changes nothing, and is no swap. */
static void refused(void **state)
{
	struct prefix own = prefix_of4(IP(10, 1, 0, 0), 16), to = prefix_of4(IP(198, 18, 3, 0), 24);
	struct ctl_route r[2] = {via(&to, gateways[0][1]), via(&own, gateways[0][1])};
	uint32_t serial;

	while (rig->routing.stage != ROUTING_IDLE) {
		routing_tick(rig);
		rig_walk();
	}
	serial = tables_root(rig->tables)->serial;
	answers = 0;
	call(ROUTE_REPLACE, r, 2);
	while (answers == 0)
		routing_tick(rig);
	assert_int_equal(last.status, -EEXIST);
	assert_int_equal(last.bad, 1);
	assert_string_equal(last_why, "10.1.0.0/16 is an address or a subnet of this box itself");
	assert_int_equal(tables_root(rig->tables)->serial, serial);
	memset(is, GW_COVER, sizeof(is));
	memset(was, GW_COVER, sizeof(was));
	packets(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_hundred_thousand_changes),
		TEST(all_out),
		TEST(links_take_routes_with_them),
		TEST(a_reload_in_between),
		TEST(refused),
	};
	int ret;

	rig_up(&dual, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
