/* Routing decisions of IPv6 as packets show them: longest prefix, reverse path checks, what belongs
 * to the link, whom we speak as, and that the filter comes before the route.
 */
#include "harness.h"

#include <string.h>

static const struct rig_text plain = {
	.interfaces = RIG6_INTERFACES,
	.routes = "{ to = \"2001:db8:f::/48\"; via = \"2001:db8:2::fe\"; },"
		  "{ to = \"2001:db8:f:8000::/49\"; via = \"2001:db8:3::2\"; },"
		  "{ to = \"2001:db8:f:8000::7/128\"; via = \"2001:db8:1::3\"; }",
	.rest = "ip6 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };",
};

static struct frame *udp_to(const char *dst)
{
	static struct frame f;
	struct spec6 s = spec6_udp();

	s.dst = ip6_of(dst);
	frame6_make(&f, &s);
	return &f;
}

static void longest_prefix_and_next_hop(void **state)
{
	expect_routed6(LAN, udp_to("2001:db8:f::1"), WAN, "2001:db8:2::fe", 0);
	expect_routed6(
		LAN, udp_to("2001:db8:f:7fff:ffff:ffff:ffff:ffff"), WAN, "2001:db8:2::fe", 0);
	expect_routed6(LAN, udp_to("2001:db8:f:8000::1"), DMZ, HOST_C6, 0);
	expect_routed6(LAN, udp_to("2001:db8:f:8000::7"), LAN, "2001:db8:1::3", 0);
}

/* RFC 3704 */
static void reverse_path(void **state)
{
	struct rig_text t = {
		.interfaces =
			"{ name = \"lan\"; port = \"p0\"; urpf = \"strict\"; dad-transmits = 0;"
			"  addresses = [\"" LAN6 "/64\", \"fe80::1/64\"]; },"
			"{ name = \"wan\"; port = \"p1\"; urpf = \"loose\"; dad-transmits = 0;"
			"  addresses = [\"" WAN6 "/64\"]; },"
			"{ name = \"dmz\"; port = \"p2\"; dad-transmits = 0;"
			"  addresses = [\"" DMZ6 "/64\"]; }",
		.routes = "{ to = \"2001:db8:9::/48\"; via = \"2001:db8:1::3\"; },"
			  "{ to = \"2001:db8:8::/48\"; via = [\"2001:db8:1::3\", "
			  "\"2001:db8:2::fe\"]; },"
			  "{ to = \"2001:db8:7::/48\"; via = \"2001:db8:2::fe\"; },"
			  "{ to = \"2001:db8:6::/48\"; type = \"blackhole\"; }",
		.rest = plain.rest,
	};
	static const struct {
		const char *src;
		bool lan, wan;
	} in[] = {
		{HOST_A6, true, true},           /* connected to lan: strict passes */
		{"2001:db8:9::1", true, true},   /* behind a host of lan */
		{"2001:db8:8::1", true, true},   /* one of two paths leads there */
		{"2001:db8:7::1", false, true},  /* elsewhere: loose only */
		{HOST_C6, false, true},          /* likewise */
		{"2001:db8:6::1", false, false}, /* a dead route is none */
		{"2001:dead::1", false, false},  /* no route */
	};
	struct spec6 s;
	struct frame f;

	rig_reload(&t);
	rig_discard();
	for (unsigned i = 0; i < RTE_DIM(in); i++) {
		s = spec6_udp();
		s.dst = ip6_of(HOST_C6);
		s.src = ip6_of(in[i].src);
		frame6_make(&f, &s);
		if (in[i].lan)
			expect_routed6(LAN, &f, DMZ, HOST_C6, 0);
		else
			expect_drop_of(LAN, &f, DROP_URPF);
		s.dst_mac = port_mac(WAN);
		frame6_make(&f, &s);
		if (in[i].wan)
			expect_routed6(WAN, &f, DMZ, HOST_C6, 0);
		else
			expect_drop_of(WAN, &f, DROP_URPF);
		s.dst_mac = port_mac(DMZ); /* off: anything passes */
		s.dst = ip6_of(HOST_A6);
		frame6_make(&f, &s);
		expect_routed6(DMZ, &f, LAN, HOST_A6, 0);
	}
	s = spec6_udp(); /* packets for us are judged too */
	s.src = ip6_of("2001:dead::1");
	s.dst = ip6_of(LAN6);
	frame6_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_URPF);
	rig_reload(&plain);
	rig_discard();
}

/* The echo request comes from `asker` for `asked` by LAN; the answer goes to LAN from `from`. */
#define expect_answer(asker, asked, from) check_answer(asker, asked, from, __FILE__, __LINE__)
static void check_answer(
	const char *asker, const char *asked, const char *from, const char *file, int line)
{
	static struct frame in, want;
	struct l2 l2 = l2_to6(HOST_A6, LAN, 0);
	struct spec6 s = spec6_echo();
	struct ip6 addr = ip6_of(from);

	s.src = ip6_of(asker);
	s.dst = ip6_of(asked);
	if (s.dst.b[0] == 0xff)
		s.dst_mac = (struct mac6){{0x33, 0x33, 0, 0, 0, 1}};
	frame6_make(&in, &s);
	frame6_echo_reply(&want, &in, 0, &addr, 64, &l2);
	rig_put(LAN, &in);
	rig_run();
	rig_expect_frame(LAN, &want, file, line);
	rig_expect_nothing(file, line);
	rig_expect_drops(DROP_NONE, 0, file, line);
}

/* A link-local address is ours on its interface alone (RFC 4007 section 6), and an answer to one
 * goes back where the question came from, strict reverse path or not. */
static void link_local(void **state)
{
	struct rig_text t = plain;
	struct spec6 s = spec6_udp();
	struct frame f;

	t.interfaces = "{ name = \"lan\"; port = \"p0\"; urpf = \"strict\"; dad-transmits = 0;"
		       "  addresses = [\"" LAN6 "/64\", \"fe80::1/64\"]; },"
		       "{ name = \"wan\"; port = \"p1\"; dad-transmits = 0;"
		       "  addresses = [\"" WAN6 "/64\", \"fe80::f/64\"]; },"
		       "{ name = \"dmz\"; port = \"p2\"; dad-transmits = 0; addresses = [\"" DMZ6
		       "/64\"]; }";
	rig_reload(&t);
	rig_discard();
	expect_answer("fe80::2", "fe80::1", "fe80::1");
	expect_answer("fe80::2", LAN6, LAN6);
	expect_answer("fe80::2", WAN6, WAN6);
	s.dst = ip6_of("fe80::f"); /* wan's */
	frame6_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP6_LINK_LOCAL);
	rig_reload(&plain);
	rig_discard();
}

/* RFC 4291 section 2.6.1: each router answers to prefix::, but not as prefix::. */
static void subnet_router_anycast(void **state)
{
	expect_answer(HOST_A6, "2001:db8:1::", LAN6);
	expect_answer(HOST_A6, "2001:db8:2::", LAN6);
}

/* RFC 6724 rule 2: an interface with nothing but a link-local address speaks to the world by an
 * address of another; RFC 4443 section 2.2. */
static void scope_of_what_we_say(void **state)
{
	struct rig_text t = {
		.interfaces = "{ name = \"lan\"; port = \"p0\"; dad-transmits = 0;"
			      "  addresses = [\"fe80::1/64\"]; },"
			      "{ name = \"wan\"; port = \"p1\"; dad-transmits = 0;"
			      "  addresses = [\"" WAN6 "/64\"]; }",
		.routes = "{ to = \"2001:db8:1::/64\"; via = \"fe80::2\"; interface = \"lan\"; }",
		.neighbours = ", { interface = \"lan\"; address = \"fe80::2\";"
			      " mac = \"02:06:00:00:00:02\"; }",
		.rest = plain.rest,
	};
	struct icmp6_error e = {.type = 3, .hop_limit = 64, .from = ip6_of(WAN6)};
	struct l2 l2 = l2_to6(HOST_A6, LAN, 0);
	struct spec6 s = spec6_udp();
	struct frame in, want;

	rig_reload(&t);
	rig_discard();
	s.hop_limit = 1;
	frame6_make(&in, &s);
	frame6_icmp_error(&want, &in, &e, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(LAN, &want);
	expect_drops(DROP_TTL_EXCEEDED, 1);
	expect_answer(HOST_A6, "ff02::1", WAN6);
	expect_answer("fe80::2", "ff02::1", "fe80::1");
	rig_reload(&plain);
	rig_discard();
}

/* A denied packet is a denied packet, wherever it wanted to go; but what no network has is dropped
 * before. */
static void filter_before_route(void **state)
{
	struct rig_text t = plain;

	t.rules = "{ action = \"permit\"; proto = \"icmpv6\"; }";
	rig_reload(&t);
	rig_discard();
	expect_drop_of(LAN, udp_to("2001:dead::1"), DROP_FILTER_IN_IMPLICIT);
	expect_drop_of(LAN, udp_to(LAN6), DROP_FILTER_IN_IMPLICIT);
	expect_drop_of(LAN, udp_to(HOST_B6), DROP_FILTER_IN_IMPLICIT);
	expect_drop_of(LAN, udp_to("fe80::1"), DROP_FILTER_IN_IMPLICIT);
	expect_drop_of(LAN, udp_to("ff02::1"), DROP_FILTER_IN_IMPLICIT);
	expect_drop_of(LAN, udp_to("fe80::99"), DROP_IP6_LINK_LOCAL);
	expect_drop_of(LAN, udp_to("::1"), DROP_IP6_DST_MARTIAN);
	rig_reload(&plain);
	rig_discard();
}

/* With ip6.martians-drop = false what only strange networks have passes; what no packet has, or
 * our tables mean otherwise, does not. */
static void martians_permitted(void **state)
{
	static const char *const never[] = {"::", "::ffff:10.1.0.2", "ff02::1"};
	struct rig_text t = plain;
	struct spec6 s = spec6_udp();
	struct frame f;

	t.rest = "ip6 = { martians-drop = false; };";
	rig_reload(&t);
	rig_discard();
	s.src = ip6_of(WAN6);
	frame6_make(&f, &s);
	expect_routed6(LAN, &f, WAN, HOST_B6, 0);
	s.src = ip6_of("::1");
	frame6_make(&f, &s);
	expect_routed6(LAN, &f, WAN, HOST_B6, 0);
	for (unsigned i = 0; i < RTE_DIM(never); i++) {
		s.src = ip6_of(never[i]);
		frame6_make(&f, &s);
		expect_drop_of(LAN, &f, DROP_IP6_SRC_MARTIAN);
	}
	rig_reload(&plain);
	rig_discard();
}

/* The cap is a setting. */
static void extension_headers_max(void **state)
{
	struct rig_text t = plain;
	struct spec6 s = spec6_udp();
	struct frame f;

	s.ext_kind = 60;
	s.ext = "\x3c\0\1\4\0\0\0\0\x11\0\1\4\0\0\0\0";
	s.ext_len = 16;
	frame6_make(&f, &s);
	expect_routed6(LAN, &f, WAN, HOST_B6, 0);
	t.rest = "ip6 = { extension-headers-max = 1; };";
	rig_reload(&t);
	rig_discard();
	expect_drop_of(LAN, &f, DROP_IP6_EXT_MAX);
	t.rest = "ip6 = { extension-headers-max = 2; };";
	rig_reload(&t);
	rig_discard();
	expect_routed6(LAN, &f, WAN, HOST_B6, 0);
	rig_reload(&plain);
	rig_discard();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(longest_prefix_and_next_hop),
		TEST(reverse_path),
		TEST(link_local),
		TEST(subnet_router_anycast),
		TEST(scope_of_what_we_say),
		TEST(filter_before_route),
		TEST(martians_permitted),
		TEST(extension_headers_max),
	};
	int ret;

	rig_up(&plain, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
