/* Forwarding of IPv6, byte for byte, and what is not forwarded and why (RFC 8200, RFC 4291, RFC
 * 5095, RFC 6946, RFC 7112).
 */
#include "harness.h"

#include <string.h>

#define GATEWAYS                                                                         \
	"{ to = \"2001:db8:f::/48\"; via = [\"2001:db8:2::fe\", \"2001:db8:2::fd\"]; }," \
	"{ to = \"2001:db8:e::/48\"; via = \"fe80::fe\"; interface = \"wan\"; }"

static const struct rig_text world = {
	.interfaces = RIG6_INTERFACES,
	.routes = GATEWAYS,
	.rest = "ip6 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };",
};

#define DST8 "\x3c\0\1\4\0\0\0\0" /* destination options, and another behind */
#define DST8_UDP "\x11\0\1\4\0\0\0\0"

static void expect_way(const struct spec6 *s)
{
	struct frame f;

	frame6_make(&f, s);
	expect_routed6(LAN, &f, WAN, HOST_B6, 0);
}

static void expect_drop(const struct spec6 *s, enum drop_reason reason)
{
	struct frame f;

	frame6_make(&f, s);
	expect_drop_of(LAN, &f, reason);
}

/* RFC 8200 sections 3, 6 and 7: traffic class and flow label stay as they are. */
static void forwards(void **state)
{
	struct spec6 s[] = {spec6_udp(), spec6_tcp(), spec6_echo()};
	struct frame f;

	for (unsigned i = 0; i < 3; i++) {
		for (unsigned len = 0; len < 1440; len += len < 20 ? 1 : 71) {
			s[i].payload_len = len;
			expect_way(&s[i]);
		}
		s[i].payload_len = 18;
		frame6_make(&f, &(struct spec6[]){spec6_from_wan(s[i])}[0]);
		expect_routed6(WAN, &f, LAN, HOST_A6, 0);
	}
	s[0].flow = 0;
	s[0].class = 0;
	expect_way(&s[0]);
	s[0].flow = 0xfffff;
	s[0].class = 0xff;
	s[0].hop_limit = 255;
	expect_way(&s[0]);
	s[0].hop_limit = 2;
	expect_way(&s[0]);
	s[0].pad_to = 400;
	expect_way(&s[0]);
}

static void vlan(void **state)
{
	struct spec6 s = spec6_udp();
	struct frame f;

	s.dst = ip6_of("2001:db8:a::2");
	frame6_make(&f, &s);
	expect_routed6(LAN, &f, DMZ, "2001:db8:a::2", 10);
	s = spec6_udp();
	s.src = ip6_of("2001:db8:a::2");
	s.dst_mac = port_mac(DMZ);
	s.tagged = true;
	s.tci = 10;
	frame6_make(&f, &s);
	expect_routed6(DMZ, &f, WAN, HOST_B6, 0);
}

/* Frame i of a burst of both families, and what it becomes. */
static void mixed_frame(unsigned i, struct frame *f, struct frame *want)
{
	struct spec6 s6 = spec6_udp();
	struct spec s4 = spec_udp();
	struct l2 to4 = l2_to(HOST_B, WAN, 0), to6 = l2_to6(HOST_B6, WAN, 0);

	s6.sport = s4.sport = (uint16_t)(4000 + i);
	if (i % 3) {
		frame6_make(f, &s6);
		frame6_routed(want, f, &to6);
	} else {
		frame_make(f, &s4);
		frame_routed(want, f, &to4);
	}
}

/* Both families in one burst: each finds its own way, and keeps its order. */
static void mixed(void **state)
{
	unsigned next[2] = {0, 1};
	struct frame f, want, got;

	for (unsigned i = 0; i < 40; i++) {
		mixed_frame(i, &f, &want);
		rig_put(LAN, &f);
	}
	rig_run();
	for (unsigned i = 0; i < 40; i++) {
		bool ip6;

		assert_true(rig_take(WAN, &got));
		ip6 = got.b[12] == 0x86;
		mixed_frame(next[ip6], &f, &want);
		assert_true(frame_same(&got, &want, "mixed"));
		do
			next[ip6]++;
		while ((next[ip6] % 3 != 0) != ip6);
	}
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* One gateway of two by flow; the flow label is no part of it. */
static void equal_cost(void **state)
{
	struct spec6 s = spec6_udp();
	unsigned by[2] = {0};
	struct frame f, got;
	uint8_t first;

	s.dst = ip6_of("2001:db8:f::1");
	for (uint16_t i = 0; i < 200; i++) {
		s.sport = (uint16_t)(5000 + i);
		frame6_make(&f, &s);
		rig_put(LAN, &f);
		rig_run();
		assert_true(rig_take(WAN, &got));
		first = got.b[5];
		by[first == 0xfe]++;
		s.flow = i * 77u;
		frame6_make(&f, &s);
		rig_put(LAN, &f);
		rig_run();
		assert_true(rig_take(WAN, &got));
		assert_int_equal(got.b[5], first);
	}
	assert_true(by[0] > 60 && by[1] > 60);
	/* fragments have no ports: all go one way */
	s.proto = 17;
	s.raw = true;
	s.ext_kind = 44;
	s.ext = "\x11\0\0\x10\0\0\0\1";
	s.ext_len = 8;
	for (uint16_t i = 0; i < 20; i++) {
		s.payload_len = 8;
		s.payload = &i;
		s.payload_len = sizeof(i);
		frame6_make(&f, &s);
		rig_put(LAN, &f);
		rig_run();
		assert_true(rig_take(WAN, &got));
		if (i == 0)
			first = got.b[5];
		assert_int_equal(got.b[5], first);
	}
	expect_drops(DROP_NONE, 0);
}

/* RFC 4861 section 2.2: gateways are known by their link-local addresses. */
static void link_local_gateway(void **state)
{
	struct spec6 s = spec6_udp();
	struct frame f;

	s.dst = ip6_of("2001:db8:e::1");
	frame6_make(&f, &s);
	expect_routed6(LAN, &f, WAN, "fe80::fe", 0);
}

/* RFC 8200 section 4: a router looks at no options, and passes on what it does not know. */
static void extension_headers(void **state)
{
	static const struct {
		uint8_t kind;
		unsigned len;
		const char *ext;
	} t[] = {
		{0, 8, "\x11\0\5\2\0\0\1\0"},    /* router alert */
		{0, 8, "\x11\0\x9e\4\0\0\0\0"},  /* an unknown one */
		{60, 8, "\x11\0\xde\4\0\0\0\0"}, /* for the destination alone */
		{60, 16, DST8 DST8_UDP},
		{43, 8, "\x11\0\4\0\0\0\0\0"}, /* routing, SRH without segments */
		{43, 8, "\x11\0\3\1\0\0\0\0"}, /* with a segment: the destination's */
		{51, 16, "\x11\2\0\0\0\0\1\0\0\0\0\1\1\1\1\1"}, /* AH */
		{0, 16, "\x3c\0\1\4\0\0\0\0\x11\0\1\4\0\0\0\0"},
		{60, 64, DST8 DST8 DST8 DST8 DST8 DST8 DST8 DST8_UDP}, /* as many as permitted */
	};
	struct spec6 s = spec6_udp();

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		s.ext_kind = t[i].kind;
		s.ext = t[i].ext;
		s.ext_len = t[i].len;
		expect_way(&s);
	}
	s.ext = DST8 DST8 DST8 DST8 DST8 DST8 DST8 DST8 DST8_UDP;
	s.ext_len = 72;
	expect_drop(&s, DROP_IP6_EXT_MAX);
	s.ext = "\0\0\1\4\0\0\0\0\x11\0\1\4\0\0\0\0";
	s.ext_len = 16;
	expect_drop(&s, DROP_IP6_HOP_BY_HOP);
	s.ext_kind = 0;
	expect_drop(&s, DROP_IP6_HOP_BY_HOP);
	s.ext_kind = 60;
	s.ext = "\x11\xff\1\4\0\0\0\0";
	s.ext_len = 8;
	expect_drop(&s, DROP_IP6_EXT_TRUNCATED);
}

/* RFC 5095 section 3 and 4: of type 0, with or without segments left. */
static void routing_header_0(void **state)
{
	struct spec6 s = spec6_udp();

	s.ext_kind = 43;
	s.ext_len = 24;
	s.ext = "\x11\2\0\1\0\0\0\0\x20\1\x0d\xb8\0\2\0\0\0\0\0\0\0\0\0\2";
	expect_drop(&s, DROP_IP6_ROUTING_HEADER);
	s.ext = "\x11\2\0\0\0\0\0\0\x20\1\x0d\xb8\0\2\0\0\0\0\0\0\0\0\0\2";
	expect_drop(&s, DROP_IP6_ROUTING_HEADER);
	/* behind another of another type */
	s.ext_len = 16;
	s.ext = "\x2b\0\2\0\0\0\0\0\x11\0\0\1\0\0\0\0";
	expect_drop(&s, DROP_IP6_ROUTING_HEADER);
}

/* RFC 8200 section 4.5, RFC 6946, RFC 7112 */
static void fragments(void **state)
{
	struct spec6 s = spec6_udp();

	s.ext_kind = 44;
	s.ext_len = 8;
	s.ext = "\x11\0\0\0\0\0\0\7"; /* atomic */
	expect_way(&s);
	s.ext = "\x11\0\0\1\0\0\0\7"; /* first */
	s.payload_len = 16;
	expect_way(&s);
	s.payload_len = 17;
	expect_drop(&s, DROP_IP6_FRAGMENT_INVALID);
	s.raw = true;
	s.ext = "\x11\0\0\x19\0\0\0\7"; /* in the middle */
	s.payload_len = 16;
	expect_way(&s);
	s.payload_len = 0;
	expect_drop(&s, DROP_IP6_FRAGMENT_INVALID);
	s.ext = "\x11\0\0\x18\0\0\0\7"; /* the last, of any length */
	for (s.payload_len = 1; s.payload_len < 20; s.payload_len++)
		expect_way(&s);
	/* what a later one names is not walked */
	s.ext = "\x3c\0\0\x18\0\0\0\7";
	expect_way(&s);
	s.ext = "\x2c\0\0\x18\0\0\0\7";
	expect_way(&s);
	/* beyond 65,535 bytes */
	s.ext = "\x11\0\xff\xf8\0\0\0\7";
	s.payload_len = 8;
	expect_drop(&s, DROP_IP6_FRAGMENT_INVALID);
	s.payload_len = 7;
	expect_way(&s);
	/* a fragment within a fragment */
	s.ext_len = 16;
	s.ext = "\x2c\0\0\1\0\0\0\7\x11\0\0\x18\0\0\0\7";
	expect_drop(&s, DROP_IP6_FRAGMENT_INVALID);
	s.ext = "\x2c\0\0\0\0\0\0\7\x11\0\0\x18\0\0\0\7";
	expect_drop(&s, DROP_IP6_FRAGMENT_INVALID);
}

static void tiny_fragments(void **state)
{
	struct spec6 s = spec6_udp();

	s.ext_kind = 44;
	s.ext_len = 8;
	s.raw = true;
	s.proto = 6;
	s.ext = "\6\0\0\1\0\0\0\7";
	for (s.payload_len = 8; s.payload_len < 20; s.payload_len += 8)
		expect_drop(&s, DROP_IP6_TINY_FRAGMENT);
	s.payload_len = 24;
	s.payload = "\0\1\0\2\0\0\0\0\0\0\0\0\x50\x10\0\0\0\0\0\0\0\0\0";
	expect_way(&s);
	s.ext = "\6\0\0\x9\0\0\0\7"; /* over the flags of the first */
	s.payload_len = 8;
	expect_drop(&s, DROP_IP6_TINY_FRAGMENT);
	/* a header that goes on in the second: RFC 7112 section 5 */
	s.ext = "\x3c\0\0\1\0\0\0\7\6\1\1\4\0\0\0\0";
	s.ext_len = 16;
	s.payload_len = 0;
	expect_drop(&s, DROP_IP6_TINY_FRAGMENT);
}

/* RFC 4291 sections 2.5.2, 2.5.3, 2.5.5.2, 2.7 */
static void martians(void **state)
{
	static const char *const src[] = {
		"::", "::1", "::ffff:10.1.0.2", "ff02::1", "ff0e::9", LAN6, WAN6, "fe80::1"};
	static const char *const dst[] = {"::", "::1", "::ffff:192.0.2.2"};
	static const char *const group[] = {"ff02::5", "ff02::fb", "ff05::2", "ff01::1", "ff0e::1",
		"ff02::1:ff00:77", "ff00::1"};
	struct spec6 s;

	for (unsigned i = 0; i < sizeof(src) / sizeof(src[0]); i++) {
		s = spec6_udp();
		s.src = ip6_of(src[i]);
		expect_drop(&s, DROP_IP6_SRC_MARTIAN);
	}
	for (unsigned i = 0; i < sizeof(dst) / sizeof(dst[0]); i++) {
		s = spec6_udp();
		s.dst = ip6_of(dst[i]);
		expect_drop(&s, DROP_IP6_DST_MARTIAN);
	}
	for (unsigned i = 0; i < sizeof(group) / sizeof(group[0]); i++) {
		s = spec6_udp();
		s.dst = ip6_of(group[i]);
		s.dst_mac = (struct mac6){{0x33, 0x33, 0, 0, 0, 1}};
		expect_drop(&s, DROP_IP6_MULTICAST);
	}
	s = spec6_udp();
	s.dst_mac = (struct mac6){{0x33, 0x33, 0, 0, 0, 1}};
	expect_drop(&s, DROP_IP6_L2_MULTICAST);
	s.dst_mac = (struct mac6){{255, 255, 255, 255, 255, 255}};
	expect_drop(&s, DROP_IP6_L2_MULTICAST);
}

/* RFC 4291 section 2.5.6 */
static void link_local(void **state)
{
	struct spec6 s = spec6_udp();

	s.dst = ip6_of("fe80::3");
	expect_drop(&s, DROP_IP6_LINK_LOCAL);
	s.src = ip6_of("fe80::2");
	expect_drop(&s, DROP_IP6_LINK_LOCAL);
}

static void not_configured(void **state)
{
	struct rig_text t = world;
	struct spec6 s = spec6_udp();

	t.interfaces = "{ name = \"lan\"; port = \"p0\"; addresses = [\"10.1.0.1/16\"]; },"
		       "{ name = \"wan\"; port = \"p1\"; addresses = [\"192.0.2.1/24\"]; }";
	t.routes = "";
	rig_reload(&t);
	rig_discard();
	expect_drop(&s, DROP_IP6_NOT_CONFIGURED);
	rig_reload(&world);
	rig_discard();
	expect_way(&s);
}

/* RFC 2675: no jumbograms. */
static void lengths(void **state)
{
	struct spec6 s = spec6_udp();
	struct frame f, g;

	s.ext_kind = 0;
	s.ext = "\x11\0\xc2\4\0\1\0\0";
	s.ext_len = 8;
	frame6_make(&f, &s);
	f.b[18] = f.b[19] = 0;
	expect_drop_of(LAN, &f, DROP_IP6_JUMBO);

	s = spec6_udp();
	frame6_make(&f, &s);
	for (g = f, g.len = 14; g.len < f.len; g.len++)
		expect_drop_of(LAN, &g, DROP_IP6_TRUNCATED);
	g = f;
	g.b[14] = 0x45;
	expect_drop_of(LAN, &g, DROP_IP6_VERSION);
	g = f;
	g.b[18] = 0x20;
	expect_drop_of(LAN, &g, DROP_IP6_TRUNCATED);
	/* the length field cuts what Ethernet padded */
	s.proto = 6;
	frame6_make(&f, &s);
	for (uint8_t n = 0; n < 20; n++) {
		f.b[19] = n;
		expect_drop_of(LAN, &f, DROP_IP6_L4_TRUNCATED);
	}
	frame6_make(&f, &s);
	f.b[14 + 40 + 12] = 0x40;
	expect_drop_of(LAN, &f, DROP_IP6_L4_TRUNCATED);
	f.b[14 + 40 + 12] = 0xf0;
	expect_drop_of(LAN, &f, DROP_IP6_L4_TRUNCATED);
	s = spec6_echo();
	frame6_make(&f, &s);
	for (uint8_t n = 0; n < 8; n++) {
		f.b[19] = n;
		expect_drop_of(LAN, &f, DROP_IP6_L4_TRUNCATED);
	}
}

/* What carries nothing, and what we do not know, is forwarded (RFC 8200 section 4.7). */
static void other_protocols(void **state)
{
	static const uint8_t proto[] = {59, 50, 132, 89, 4, 41, 47, 103, 1, 253, 255};
	struct spec6 s = spec6_udp();

	s.raw = true;
	for (unsigned i = 0; i < sizeof(proto); i++) {
		s.proto = proto[i];
		expect_way(&s);
	}
	s.proto = 59;
	s.payload_len = 0;
	expect_way(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(forwards),
		TEST(vlan),
		TEST(mixed),
		TEST(equal_cost),
		TEST(link_local_gateway),
		TEST(extension_headers),
		TEST(routing_header_0),
		TEST(fragments),
		TEST(tiny_fragments),
		TEST(martians),
		TEST(link_local),
		TEST(not_configured),
		TEST(lengths),
		TEST(other_protocols),
	};
	int ret;

	rig_up(&world, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
