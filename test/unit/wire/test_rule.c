/* wire/rule: what each field of a rule means, shown on single packets; ranges; sameness; text. */
#include "wire/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Matches everything, and the packet that each case changes a little. */
static const struct rule all = {.any_addr = true,
	.proto = RULE_PROTO_ALL,
	.zone = RULE_ZONE_BOTH,
	.scope = RULE_SCOPE_BOTH,
	.dir = RULE_DIR_BOTH,
	.tunnel = RULE_TUNNEL_ANY};
static struct rule_packet tcp = {.proto = 6,
	.sport = 40000,
	.dport = 80,
	.zone = RULE_SECURE,
	.scope = RULE_ROUTE,
	.dir = RULE_IN};

#define CHECK(expected, change_rule, change_packet)                       \
	do {                                                              \
		struct rule r = all;                                      \
		struct rule_packet p = tcp;                               \
		change_rule;                                              \
		change_packet;                                            \
		if (rule_matches(&r, &p) != (expected))                   \
			fail_msg("%s; %s", #change_rule, #change_packet); \
	} while (0)

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct prefix net(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

/* Makes it a rule for these addresses. */
static void between(struct rule *r, const char *src, const char *dst)
{
	r->any_addr = false;
	r->src = net(src);
	r->dst = net(dst);
}

static void addresses(void **state)
{
	CHECK(true, , );
	CHECK(true, between(&r, "9.0.0.0/8", "0.0.0.0/0"), );
	CHECK(false, between(&r, "10.0.0.0/8", "0.0.0.0/0"), );
	CHECK(true, between(&r, "0.0.0.0/0", "192.168.0.1"), );
	CHECK(false, between(&r, "0.0.0.0/0", "192.168.0.1"), p.dst = addr("192.168.0.2"));
	/* bits beyond the mask are ignored on both sides */
	CHECK(true, between(&r, "9.255.255.255/8", "0.0.0.0/0"), );
	CHECK(true, between(&r, "192.168.0.0/0", "0.0.0.0/0"), );
}

#define IP6(p, s, d) (p.src = addr(s), p.dst = addr(d))

static void addresses_ip6(void **state)
{
	CHECK(true, , IP6(p, "2001:db8::1", "2001:db8:1::1"));
	CHECK(true, between(&r, "::/0", "::/0"), IP6(p, "2001:db8::1", "::1"));
	CHECK(true, between(&r, "2001:db8::/32", "::/0"), IP6(p, "2001:db8::1", "2001:db9::1"));
	CHECK(false, between(&r, "2001:db8::/32", "::/0"), IP6(p, "2001:db9::1", "2001:db8::1"));
	CHECK(true, between(&r, "::/0", "2001:db8::/63"), IP6(p, "::1", "2001:db8:0:1:ffff::"));
	CHECK(false, between(&r, "::/0", "2001:db8::/63"), IP6(p, "::1", "2001:db8:0:2::"));
	CHECK(true, between(&r, "::/0", "2001:db8::/65"), IP6(p, "::1", "2001:db8::7fff:0:0:1"));
	CHECK(false, between(&r, "::/0", "2001:db8::/65"), IP6(p, "::1", "2001:db8::8000:0:0:1"));
	CHECK(true, between(&r, "::/0", "2001:db8::5"), IP6(p, "::1", "2001:db8::5"));
	CHECK(false, between(&r, "::/0", "2001:db8::5"), IP6(p, "::1", "2001:db8::4"));
	/* a prefix of one family holds nothing of the other */
	CHECK(false, between(&r, "0.0.0.0/0", "0.0.0.0/0"), IP6(p, "::1", "::2"));
	CHECK(false, between(&r, "::/0", "::/0"), );
}

static void families(void **state)
{
	struct rule r = all;

	assert_int_equal(rule_families(&r), RULE_FAMILY_BOTH);
	between(&r, "9.0.0.0/8", "0.0.0.0/0");
	assert_int_equal(rule_families(&r), RULE_IP4);
	between(&r, "::/0", "2001:db8::1");
	assert_int_equal(rule_families(&r), RULE_IP6);
	between(&r, "::/0", "9.0.0.0/8");
	assert_int_equal(rule_families(&r), 0);
}

static void protocols(void **state)
{
	CHECK(true, r.proto = 6, );
	CHECK(false, r.proto = 17, );
	CHECK(true, r.proto = 17, p.proto = 17);
	CHECK(false, r.proto = RULE_PROTO_TCP_ACK, );
	CHECK(true, r.proto = RULE_PROTO_TCP_ACK, p.ack = true);
	CHECK(false, r.proto = RULE_PROTO_TCP_ACK, (p.ack = true, p.proto = 17));
	CHECK(true, r.proto = RULE_PROTO_ALL, p.proto = 255);
	CHECK(true, r.proto = 0, p.proto = 0);
}

static void operators(void **state)
{
	static const struct {
		enum rule_op op;
		bool below, same, above;
	} cases[] = {
		{RULE_OP_ANY, true, true, true},
		{RULE_OP_EQ, false, true, false},
		{RULE_OP_NEQ, true, false, true},
		{RULE_OP_LT, true, false, false},
		{RULE_OP_LE, true, true, false},
		{RULE_OP_GT, false, false, true},
		{RULE_OP_GE, false, true, true},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rule_port port = {cases[i].op, 1024};

		CHECK(cases[i].below, (r.proto = 6, r.dport = port), p.dport = 1023);
		CHECK(cases[i].same, (r.proto = 6, r.dport = port), p.dport = 1024);
		CHECK(cases[i].above, (r.proto = 6, r.dport = port), p.dport = 1025);
		CHECK(cases[i].below, (r.proto = 6, r.sport = port), p.sport = 1023);
		CHECK(cases[i].same, (r.proto = 6, r.sport = port), p.sport = 1024);
		CHECK(cases[i].above, (r.proto = 6, r.sport = port), p.sport = 1025);
	}
}

static void contexts(void **state)
{
	CHECK(true, r.zone = RULE_SECURE, );
	CHECK(false, r.zone = RULE_NONSECURE, );
	CHECK(true, r.zone = RULE_NONSECURE, p.zone = RULE_NONSECURE);
	CHECK(true, r.scope = RULE_ROUTE, );
	CHECK(false, r.scope = RULE_LOCAL, );
	CHECK(true, r.scope = RULE_LOCAL, p.scope = RULE_LOCAL);
	CHECK(true, r.dir = RULE_IN, );
	CHECK(false, r.dir = RULE_OUT, );
	CHECK(true, r.dir = RULE_OUT, p.dir = RULE_OUT);
}

static void tunnels(void **state)
{
	CHECK(true, r.tunnel = 0, );
	CHECK(false, r.tunnel = 0, p.tunnel = 3);
	CHECK(true, (r.tunnel = 9, r.tunnel_id = 3), p.tunnel = 3);
	CHECK(false, (r.tunnel = 9, r.tunnel_id = 3), p.tunnel = 9);
	CHECK(false, (r.tunnel = 9, r.tunnel_id = 3), );
	CHECK(true, r.tunnel = RULE_TUNNEL_ANY, p.tunnel = 3);
	CHECK(true, r.tunnel = RULE_TUNNEL_ANY, );
	/* outbound, what goes through no tunnel yet goes through this one */
	CHECK(true, (r.tunnel = 9, r.tunnel_id = 3), (p.dir = RULE_OUT, p.tunnel = 3));
	CHECK(true, (r.tunnel = 9, r.tunnel_id = 3), p.dir = RULE_OUT);
	CHECK(false, (r.tunnel = 9, r.tunnel_id = 3), (p.dir = RULE_OUT, p.tunnel = 4));
	CHECK(false, r.tunnel = 0, (p.dir = RULE_OUT, p.tunnel = 4));
	/* a tunnel that is not there */
	CHECK(false, r.tunnel = 9, );
	CHECK(false, r.tunnel = 9, p.dir = RULE_OUT);
	/* classic-tunnel-match = "any" */
	CHECK(true, (r.tunnel = 0, r.tunnel_loose = true), p.tunnel = 3);
	CHECK(true, (r.tunnel = 0, r.tunnel_loose = true), (p.dir = RULE_OUT, p.tunnel = 3));
	CHECK(true, (r.tunnel = 9, r.tunnel_id = 3, r.tunnel_loose = true), p.tunnel = 4);
	CHECK(true, (r.tunnel = 9, r.tunnel_id = 3, r.tunnel_loose = true), );
	CHECK(false, (r.tunnel = 9, r.tunnel_id = 3, r.tunnel_loose = true),
		(p.dir = RULE_OUT, p.tunnel = 4));
}

static void directs(void **state)
{
	struct rule r = all;

	r.permit = true;
	assert_int_equal(rule_directs(&r), 0);
	r.tunnel = 0;
	assert_int_equal(rule_directs(&r), 0);
	r.tunnel = 9;
	r.tunnel_id = 3;
	assert_int_equal(rule_directs(&r), 3);
	r.permit = false;
	assert_int_equal(rule_directs(&r), 0);
}

static void fragments(void **state)
{
	static const bool expected[4][PACKET_FRAG_N] = {
		[RULE_FRAG_YES] = {true, true, true},
		[RULE_FRAG_NO] = {true, false, false},
		[RULE_FRAG_ONLY] = {false, true, true},
		[RULE_FRAG_HEADERS] = {true, true, false},
	};

	for (uint8_t f = 0; f < 4; f++)
		for (uint8_t k = 0; k < PACKET_FRAG_N; k++)
			CHECK(expected[f][k], r.frag = f, p.frag = k);
	/* Ports, the ACK bit and ICMP types are not in a later fragment: such a rule matches none.
	 */
	for (uint8_t f = 0; f < 4; f++) {
		CHECK(false, (r.frag = f, r.proto = 6, r.dport.op = RULE_OP_GE),
			p.frag = PACKET_LATER_FRAGMENT);
		CHECK(false, (r.frag = f, r.proto = RULE_PROTO_TCP_ACK),
			(p.frag = PACKET_LATER_FRAGMENT, p.ack = true));
	}
	CHECK(true, r.proto = 6, p.frag = PACKET_LATER_FRAGMENT);
}

static void ranges(void **state)
{
	static const struct {
		struct rule_port port;
		uint16_t max;
		unsigned n;
		struct rule_range r[2];
	} cases[] = {
		{{RULE_OP_ANY, 7}, 65535, 1, {{0, 65535}}},
		{{RULE_OP_EQ, 7}, 65535, 1, {{7, 7}}},
		{{RULE_OP_NEQ, 7}, 65535, 2, {{0, 6}, {8, 65535}}},
		{{RULE_OP_NEQ, 0}, 65535, 1, {{1, 65535}}},
		{{RULE_OP_NEQ, 65535}, 65535, 1, {{0, 65534}}},
		{{RULE_OP_LT, 0}, 65535, 0, {{0, 0}}},
		{{RULE_OP_LT, 1}, 65535, 1, {{0, 0}}},
		{{RULE_OP_LE, 65535}, 65535, 1, {{0, 65535}}},
		{{RULE_OP_GT, 65535}, 65535, 0, {{0, 0}}},
		{{RULE_OP_GT, 65534}, 65535, 1, {{65535, 65535}}},
		{{RULE_OP_GE, 0}, 65535, 1, {{0, 65535}}},
		{{RULE_OP_GT, 255}, 255, 0, {{0, 0}}},
		{{RULE_OP_NEQ, 8}, 255, 2, {{0, 7}, {9, 255}}},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rule_range r[2];
		unsigned n = rule_port_ranges(cases[i].port, cases[i].max, r);

		assert_int_equal(n, cases[i].n);
		for (unsigned k = 0; k < n; k++) {
			assert_int_equal(r[k].from, cases[i].r[k].from);
			assert_int_equal(r[k].to, cases[i].r[k].to);
		}
	}
}

#define DIFFERS(change)                                        \
	do {                                                   \
		struct rule r = all;                           \
		change;                                        \
		assert_false(rule_same(&r, &all));             \
		assert_true(rule_hash(&r) != rule_hash(&all)); \
	} while (0)

static void sameness(void **state)
{
	struct rule other_place = all;

	other_place.line = 77;
	other_place.file = "elsewhere";
	assert_true(rule_same(&all, &other_place));
	assert_int_equal(rule_hash(&all), rule_hash(&other_place));
	DIFFERS(r.src.addr.b[0] = 1);
	DIFFERS(r.src.addr.b[15] = 1);
	DIFFERS(r.src.len = 1);
	DIFFERS(r.dst.addr.b[0] = 1);
	DIFFERS(r.dst.addr.b[15] = 1);
	DIFFERS(r.dst.len = 1);
	DIFFERS(r.any_addr = false);
	DIFFERS(r.proto = 1);
	DIFFERS(r.sport.op = 1);
	DIFFERS(r.sport.value = 1);
	DIFFERS(r.dport.op = 1);
	DIFFERS(r.dport.value = 1);
	DIFFERS(r.zone = 1);
	DIFFERS(r.scope = 1);
	DIFFERS(r.dir = 1);
	DIFFERS(r.frag = 1);
	DIFFERS(r.permit = true);
	DIFFERS(r.log = true);
	DIFFERS(r.tunnel = 0);
	DIFFERS(r.tunnel_id = 1);
	DIFFERS(r.tunnel_loose = true);
}

static void text(void **state)
{
	struct rule r = all;
	char buf[RULE_STRLEN], small[10];

	assert_string_equal(rule_format(&r, buf, sizeof(buf)),
		"deny any any any any all any 0 any 0 both both both l=no f=yes");
	between(&r, "9.1.2.3/8", "0.0.0.0/0");
	assert_string_equal(rule_format(&r, buf, sizeof(buf)),
		"deny 9.1.2.3 255.0.0.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both both l=no f=yes");
	between(&r, "2001:db8::1/32", "::/0");
	r.proto = RULE_PROTO_ICMP6;
	assert_string_equal(rule_format(&r, buf, sizeof(buf)),
		"deny 2001:db8::1 32 :: 0 icmpv6 any 0 any 0 both both both l=no f=yes");
	between(&r, "2001:db8:1111:2222:3333:4444:5555:6666",
		"2001:db8:1111:2222:3333:4444:5555:6666");
	assert_non_null(strstr(rule_format(&r, buf, sizeof(buf)), ":6666 128 icmpv6"));
	r = (struct rule){.src = net("255.255.255.255"),
		.dst = net("255.255.255.255"),
		.proto = RULE_PROTO_TCP_ACK,
		.sport = {RULE_OP_NEQ, 65535},
		.dport = {RULE_OP_GE, 65535},
		.zone = RULE_NONSECURE,
		.scope = RULE_LOCAL,
		.dir = RULE_OUT,
		.frag = RULE_FRAG_HEADERS,
		.permit = true,
		.log = true,
		.tunnel = 65535};
	rule_format(&r, buf, sizeof(buf));
	assert_string_equal(buf,
		"permit 255.255.255.255 255.255.255.255 255.255.255.255 255.255.255.255 tcp/ack "
		"neq "
		"65535 ge 65535 nonsecure local outbound l=yes f=headers t=65535");
	assert_string_equal(rule_format(&r, small, sizeof(small)), "permit 25");
	r.tunnel = 65536;
	r.frag = RULE_FRAG_LATER;
	assert_non_null(strstr(rule_format(&r, buf, sizeof(buf)), " f=later t=named"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(addresses_ip6),
		cmocka_unit_test(families),
		cmocka_unit_test(protocols),
		cmocka_unit_test(operators),
		cmocka_unit_test(contexts),
		cmocka_unit_test(tunnels),
		cmocka_unit_test(directs),
		cmocka_unit_test(fragments),
		cmocka_unit_test(ranges),
		cmocka_unit_test(sameness),
		cmocka_unit_test(text),
	};

	tcp.src = addr_of4(0x09010203);
	tcp.dst = addr_of4(0xc0a80001);
	return cmocka_run_group_tests_name("wire/rule", tests, NULL, NULL);
}
