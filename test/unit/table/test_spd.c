/* The SPD: order, directions, families, ranges, what nobody asked about, limits (RFC 4301 section
 * 4.4.1). Random lists are test_spd_property's.
 */
#include "eal.h"

#include "table/spd_write.h"
#include "wire/selector_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static char why[256];

/* src, dst: as the configuration has them. */
static struct policy policy(uint8_t dir, uint8_t action, const char *src, const char *dst)
{
	struct policy p = {.dir = dir,
		.action = action,
		.tunnel = action == POLICY_PROTECT ? 7 : 0,
		.sel = {.proto = SELECTOR_PROTO_ANY,
			.sport_to = UINT16_MAX,
			.dport_to = UINT16_MAX}};
	bool any;

	assert_int_equal(
		selector_addrs_parse(dst, &p.sel.dst_from, &p.sel.dst_to, &p.sel.any_addr), 0);
	assert_int_equal(selector_addrs_parse(src, &p.sel.src_from, &p.sel.src_to, &any), 0);
	assert_int_equal(any, p.sel.any_addr);
	return p;
}

static struct spd *build(const struct policy *p, uint32_t n, enum policy_action others)
{
	struct spd *s = spd_build(p, n, others, SOCKET_ID_ANY, why, sizeof(why));

	if (s == NULL)
		fail_msg("%s", why);
	return s;
}

static struct selector_packet packet(const char *src, const char *dst)
{
	struct selector_packet p = {.proto = 6, .sport = 1024, .dport = 80};

	assert_int_equal(addr_parse(src, &p.src), 0);
	assert_int_equal(addr_parse(dst, &p.dst), 0);
	return p;
}

static void expect(
	const struct spd *s, unsigned dir, const struct selector_packet *p, uint32_t verdict)
{
	assert_int_equal(spd_lookup(s, dir, p), verdict);
	assert_int_equal(policy_walk(s->policy, s->n_policies, dir, p), verdict);
}

/* RFC 4301 section 4.4.1: the SPD is ordered; the first that matches decides. */
static void test_order(void **state)
{
	struct policy p[] = {
		policy(RULE_DIR_BOTH, POLICY_BYPASS, "10.0.0.7", "192.0.2.0/24"),
		policy(RULE_DIR_BOTH, POLICY_PROTECT, "10.0.0.0/8", "192.0.2.0/24"),
		policy(RULE_DIR_BOTH, POLICY_DISCARD, "10.0.0.0/8", "192.0.0.0/16"),
	};
	struct spd *s = build(p, 3, POLICY_DISCARD);
	struct selector_packet a = packet("10.0.0.7", "192.0.2.1");
	struct selector_packet b = packet("10.0.0.8", "192.0.2.1");
	struct selector_packet c = packet("10.0.0.8", "192.0.3.1");
	struct selector_packet d = packet("10.0.0.8", "198.51.100.1");

	expect(s, RULE_OUT, &a, 1);
	expect(s, RULE_OUT, &b, 2);
	expect(s, RULE_OUT, &c, 3);
	expect(s, RULE_OUT, &d, 0);
	assert_int_equal(s->verdict[0].action, POLICY_DISCARD);
	assert_int_equal(s->verdict[1].action, POLICY_BYPASS);
	assert_int_equal(s->verdict[1].tunnel, TUNNEL_NONE);
	assert_int_equal(s->verdict[2].action, POLICY_PROTECT);
	assert_int_equal(s->verdict[2].tunnel, 7);
	spd_free(s);
}

/* A policy of both directions is about the answers too; one of one direction is not. */
static void test_directions(void **state)
{
	struct policy p[] = {
		policy(RULE_DIR_BOTH, POLICY_PROTECT, "10.0.0.0/8", "192.0.2.0/24"),
		policy(RULE_OUT, POLICY_DISCARD, "10.0.0.0/8", "198.51.100.0/24"),
		policy(RULE_IN, POLICY_DISCARD, "203.0.113.0/24", "10.0.0.0/8"),
	};
	struct spd *s;
	struct selector_packet there = packet("10.1.2.3", "192.0.2.9");
	struct selector_packet back = packet("192.0.2.9", "10.1.2.3");
	struct selector_packet out = packet("10.1.2.3", "198.51.100.1");
	struct selector_packet in = packet("203.0.113.1", "10.1.2.3");

	p[0].sel.proto = 6;
	p[0].sel.dport_from = p[0].sel.dport_to = 80;
	s = build(p, 3, POLICY_BYPASS);
	expect(s, RULE_OUT, &there, 1);
	expect(s, RULE_IN, &there, 0);
	back.sport = 80;
	back.dport = 1024;
	expect(s, RULE_IN, &back, 1);
	expect(s, RULE_OUT, &back, 0);
	back.sport = 81;
	expect(s, RULE_IN, &back, 0);
	expect(s, RULE_OUT, &out, 2);
	expect(s, RULE_IN, &out, 0);
	expect(s, RULE_IN, &in, 3);
	expect(s, RULE_OUT, &in, 0);
	spd_free(s);
}

/* RFC 4301 section 4.4.1.1: ICMP type and code; ports that a later fragment doesn't have. */
static void test_icmp_and_fragments(void **state)
{
	struct policy p[] = {
		policy(RULE_DIR_BOTH, POLICY_BYPASS, "any", "any"),
		policy(RULE_OUT, POLICY_DISCARD, "10.0.0.0/8", "192.0.2.0/24"),
		policy(RULE_OUT, POLICY_PROTECT, "10.0.0.0/8", "192.0.2.0/24"),
	};
	struct spd *s;
	struct selector_packet echo = packet("10.0.0.1", "192.0.2.1");
	struct selector_packet tcp = echo;

	p[0].sel.proto = 1;
	p[0].sel.sport_from = p[0].sel.sport_to = 8;
	p[1].sel.proto = 6;
	p[1].sel.dport_from = p[1].sel.dport_to = 80;
	s = build(p, 3, POLICY_BYPASS);
	echo.proto = 1;
	echo.sport = 8;
	echo.dport = 0;
	expect(s, RULE_OUT, &echo, 1);
	expect(s, RULE_IN, &echo, 1); /* a type is a type in either direction */
	echo.sport = 3;
	expect(s, RULE_OUT, &echo, 3);
	expect(s, RULE_OUT, &tcp, 2);
	tcp.no_ports = true;
	expect(s, RULE_OUT, &tcp, 3);
	assert_true(s->needs_ports[RULE_OUT - 1][0]);
	assert_true(s->needs_ports[RULE_IN - 1][0]);
	/* ICMP of any addresses is one of IPv6 too, although it has none */
	assert_true(s->needs_ports[RULE_OUT - 1][1]);
	spd_free(s);
	p[0].sel.sport_from = 0;
	p[0].sel.sport_to = UINT16_MAX;
	s = build(p, 1, POLICY_BYPASS);
	assert_false(s->needs_ports[RULE_OUT - 1][0]);
	tcp.proto = 1;
	expect(s, RULE_OUT, &tcp, 1);
	spd_free(s);
}

static void test_families(void **state)
{
	struct policy p[] = {
		policy(RULE_OUT, POLICY_PROTECT, "2001:db8:1::/48",
			"2001:db8:2::5-2001:db8:2::ffff"),
		policy(RULE_OUT, POLICY_PROTECT, "10.0.0.1-10.0.0.6", "192.0.2.128-192.0.2.255"),
		policy(RULE_OUT, POLICY_BYPASS, "::/0", "::/0"),
		policy(RULE_OUT, POLICY_DISCARD, "any", "any"),
		policy(RULE_OUT, POLICY_PROTECT, "any", "any"),
	};
	struct spd *s = build(p, 5, POLICY_BYPASS);
	static const struct {
		const char *src, *dst;
		uint32_t verdict;
	} t[] = {
		{"2001:db8:1::1", "2001:db8:2::5", 1},
		{"2001:db8:1::1", "2001:db8:2::ffff", 1},
		{"2001:db8:1::1", "2001:db8:2::4", 3},
		{"2001:db8:1::1", "2001:db8:2::1:0", 3},
		{"2001:db8:2::1", "2001:db8:2::5", 3},
		{"10.0.0.1", "192.0.2.128", 2},
		{"10.0.0.6", "192.0.2.255", 2},
		{"10.0.0.0", "192.0.2.128", 4},
		{"10.0.0.7", "192.0.2.128", 4},
		{"10.0.0.6", "192.0.2.127", 4},
		{"10.0.0.6", "192.0.3.0", 4},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct selector_packet packet_i = packet(t[i].src, t[i].dst);

		expect(s, RULE_OUT, &packet_i, t[i].verdict);
		expect(s, RULE_IN, &packet_i, 0);
	}
	spd_free(s);
}

/* An IPv6 range that goes over ::ffff:0:0/96: those are no packet's addresses, and are not taken
 * for IPv4 ones. */
static void test_over_mapped(void **state)
{
	struct policy p = policy(RULE_OUT, POLICY_PROTECT, "2001:db8::/32", "::fffe:0:0-::2:0:0:0");
	struct spd *s;
	struct selector_packet a = packet("2001:db8::1", "::fffe:1:2");
	struct selector_packet b = packet("2001:db8::1", "::1:0:0:1");
	struct selector_packet c = packet("2001:db8::1", "::ff");
	struct selector_packet d = packet("2001:db8::1", "::2:0:0:1");
	struct selector_packet e = packet("2001:db8::1", "2001:db8::2");

	s = build(&p, 1, POLICY_BYPASS);
	expect(s, RULE_OUT, &a, 1);
	expect(s, RULE_OUT, &b, 1);
	expect(s, RULE_OUT, &c, 0);
	expect(s, RULE_OUT, &d, 0);
	expect(s, RULE_OUT, &e, 0);
	spd_free(s);
}

static void test_empty(void **state)
{
	struct spd *s = build(NULL, 0, POLICY_DISCARD);
	struct selector_packet p4 = packet("10.0.0.1", "10.0.0.2");
	struct selector_packet p6 = packet("2001:db8::1", "2001:db8::2");

	expect(s, RULE_OUT, &p4, 0);
	expect(s, RULE_IN, &p6, 0);
	assert_int_equal(s->verdict[0].action, POLICY_DISCARD);
	spd_free(s);
}

/* What is shown lives as long as the SPD. */
static void test_copied(void **state)
{
	char file[] = "vpn.conf";
	struct policy p = policy(RULE_OUT, POLICY_DISCARD, "10.0.0.0/8", "192.0.2.0/24");
	struct spd *s;

	p.file = file;
	p.line = 12;
	strcpy(p.name, "west");
	s = build(&p, 1, POLICY_BYPASS);
	memset(file, 'x', sizeof(file) - 1);
	memset(&p, 0, sizeof(p));
	assert_string_equal(s->policy[0].file, "vpn.conf");
	assert_string_equal(s->policy[0].name, "west");
	assert_int_equal(s->policy[0].line, 12);
	spd_free(s);
}

static struct policy site(uint32_t i)
{
	struct policy p = {.dir = RULE_DIR_BOTH,
		.action = POLICY_PROTECT,
		.tunnel = (uint16_t)(1 + i % 1000),
		.sel = {.proto = SELECTOR_PROTO_ANY,
			.sport_to = UINT16_MAX,
			.dport_to = UINT16_MAX}};
	uint32_t ours = 0x0a000000 | (i & 0xff) << 8, theirs = 0xac100000 + (i << 4);

	p.sel.src_from = addr_of4(ours);
	p.sel.src_to = addr_of4(ours | 0xff);
	p.sel.dst_from = addr_of4(theirs);
	p.sel.dst_to = addr_of4(theirs | 0xf);
	return p;
}

/* As many as there may be, each found and no other; and how long that took. */
static void many(uint32_t n)
{
	struct policy *p = calloc(n, sizeof(p[0]));
	struct timespec a, b;
	struct spd *s;

	assert_non_null(p);
	for (uint32_t i = 0; i < n; i++)
		p[i] = site(i);
	clock_gettime(CLOCK_MONOTONIC, &a);
	s = build(p, n, POLICY_BYPASS);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%u policies: %ld ms\n", n,
		(b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
	for (uint32_t i = 0; i < n; i++) {
		struct selector_packet out = {.src = p[i].sel.src_to, .dst = p[i].sel.dst_from};
		struct selector_packet in = {.src = out.dst, .dst = out.src}, other = out;

		assert_int_equal(spd_lookup(s, RULE_OUT, &out), i + 1);
		assert_int_equal(spd_lookup(s, RULE_IN, &in), i + 1);
		other.src.b[13] ^= 1;
		assert_int_equal(spd_lookup(s, RULE_OUT, &other), 0);
	}
	spd_free(s);
	free(p);
}

static void test_10000(void **state)
{
	many(10000);
}

static void test_65536(void **state)
{
	many(POLICIES_MAX);
}

static void test_limits(void **state)
{
	struct policy *p = calloc(POLICIES_MAX + 1, sizeof(p[0]));

	assert_non_null(p);
	assert_null(spd_build(p, POLICIES_MAX + 1, POLICY_BYPASS, SOCKET_ID_ANY, why, sizeof(why)));
	assert_non_null(strstr(why, "65537 policies: there is room for 65536"));
	/* the worst ranges there are: 254 prefixes each, 64,516 pairs */
	for (unsigned i = 0; i < 5; i++) {
		p[i] = policy(RULE_OUT, POLICY_PROTECT,
			"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
			"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
		strcpy(p[i].name, "wide");
	}
	assert_null(spd_build(p, 5, POLICY_BYPASS, SOCKET_ID_ANY, why, sizeof(why)));
	assert_non_null(strstr(why, "policy wide: its addresses are 64516 pairs of prefixes"));
	free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_icmp_and_fragments),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_over_mapped),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_copied),
		cmocka_unit_test(test_10000),
		cmocka_unit_test(test_65536),
		cmocka_unit_test(test_limits),
	};

	eal_up();
	return cmocka_run_group_tests_name("spd", tests, NULL, NULL);
}
