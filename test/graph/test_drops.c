/* Every reason why a frame or an IPv4 packet that comes in is dropped: each test changes one thing
 * of a packet that would pass, and expects exactly that counter to rise, and nothing sent.
 */
#include "harness.h"

#include <string.h>

static const struct rig_text world = {
	.interfaces =
		"{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; addresses = "
		"[\"10.1.0.1/16\"]; },"
		"{ name = \"wan\"; port = \"p1\"; addresses = [\"192.0.2.1/24\"]; },"
		"{ name = \"v10\"; port = \"p2\"; vlan = 10; addresses = [\"10.10.0.1/24\"]; },"
		"{ name = \"off\"; port = \"p2\"; vlan = 30; enabled = false;"
		"  addresses = [\"10.30.0.1/24\"]; }",
	.routes = "{ to = \"203.0.113.0/24\"; type = \"blackhole\"; }",
};

static void put_be16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void ethernet(void **state)
{
	struct spec s = spec_udp();
	struct frame f, g;

	frame_make(&f, &s);
	for (g = f, g.len = 0; g.len < 14; g.len++)
		expect_drop_of(LAN, &g, DROP_ETH_TRUNCATED);
	g = f;
	g.b[5] ^= 4;
	expect_drop_of(LAN, &g, DROP_ETH_NOT_FOR_US);
	g = f;
	put_be16(g.b + 12, 0x88cc);
	expect_drop_of(LAN, &g, DROP_ETH_UNKNOWN_TYPE);
	put_be16(g.b + 12, 0x9100); /* a tag before there was 802.1ad */
	expect_drop_of(LAN, &g, DROP_ETH_UNKNOWN_TYPE);
	put_be16(g.b + 12, 46); /* 802.3 length */
	expect_drop_of(LAN, &g, DROP_ETH_UNKNOWN_TYPE);
	expect_drop_of(DMZ, &f, DROP_ETH_NO_IFACE); /* untagged, but there are only VLANs */
}

static void tags(void **state)
{
	struct spec s = spec_udp();
	struct frame f, g;

	s.tagged = true;
	s.tci = 10;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_ETH_NO_IFACE);
	s.dst_mac = port_mac(DMZ);
	s.tci = 11;
	frame_make(&f, &s);
	expect_drop_of(DMZ, &f, DROP_ETH_NO_IFACE);
	s.tci = 0xfff;
	frame_make(&f, &s);
	expect_drop_of(DMZ, &f, DROP_ETH_NO_IFACE);
	s.tci = 30;
	frame_make(&f, &s);
	expect_drop_of(DMZ, &f, DROP_ETH_IFACE_DOWN);
	s.tci = 10;
	frame_make(&f, &s);
	for (g = f, g.len = 14; g.len < 18; g.len++)
		expect_drop_of(DMZ, &g, DROP_ETH_TRUNCATED);
	put_be16(f.b + 16, 0x8100); /* a tag in a tag: the packet's first bytes say which */
	expect_drop_of(DMZ, &f, DROP_ETH_NO_IFACE);
}

static void segments(void **state)
{
	struct spec s = spec_udp();
	struct frame f;
	struct rte_mbuf *m;

	frame_make(&f, &s);
	m = rig_mbuf(f.b, 40);
	assert_int_equal(rte_pktmbuf_chain(m, rig_mbuf(f.b + 40, f.len - 40)), 0);
	rig_put_mbuf(LAN, m);
	rig_run();
	expect_nothing();
	expect_drops(DROP_ETH_SEGMENTED, 1);
}

static void lengths(void **state)
{
	struct spec s = spec_udp();
	struct frame f, g;

	frame_make(&f, &s);
	for (g = f, g.len = 14; g.len < f.len; g.len++)
		expect_drop_of(LAN, &g, DROP_IP4_TRUNCATED);
	g = f;
	put_be16(g.b + 16, 19);
	frame_fix_ip(&g, 14);
	expect_drop_of(LAN, &g, DROP_IP4_TRUNCATED);
	put_be16(g.b + 16, f.len - 14 + 1);
	frame_fix_ip(&g, 14);
	expect_drop_of(LAN, &g, DROP_IP4_TRUNCATED);
	put_be16(g.b + 16, 0xffff);
	frame_fix_ip(&g, 14);
	expect_drop_of(LAN, &g, DROP_IP4_TRUNCATED);
	g = f;
	g.b[14] = 0x4f; /* 60 bytes of header, 46 there */
	expect_drop_of(LAN, &g, DROP_IP4_TRUNCATED);
}

static void versions(void **state)
{
	struct spec s = spec_udp();
	struct frame f;

	frame_make(&f, &s);
	for (unsigned v = 0; v < 16; v++) {
		f.b[14] = (uint8_t)(v << 4 | 5);
		frame_fix_ip(&f, 14);
		if (v != 4)
			expect_drop_of(LAN, &f, DROP_IP4_VERSION);
	}
	for (unsigned ihl = 0; ihl < 5; ihl++) {
		f.b[14] = (uint8_t)(0x40 | ihl);
		expect_drop_of(LAN, &f, DROP_IP4_VERSION);
	}
}

static void checksums(void **state)
{
	struct spec s = spec_udp();
	struct frame f;

	frame_make(&f, &s);
	for (unsigned bit = 0; bit < 20 * 8; bit++) {
		struct frame g = f;
		unsigned byte = 14 + bit / 8;

		if (byte == 14 || byte == 16 || byte == 17)
			continue; /* version and lengths are looked at before */
		g.b[byte] ^= (uint8_t)(1 << bit % 8);
		expect_drop_of(LAN, &g, DROP_IP4_CHECKSUM);
	}
}

static void martians(void **state)
{
	static const uint32_t bad_src[] = {0, IP(0, 1, 2, 3), IP(127, 0, 0, 1),
		IP(127, 255, 255, 255), IP(224, 0, 0, 1), IP(239, 255, 255, 255), IP(240, 0, 0, 1),
		UINT32_MAX, LAN_ADDR, WAN_ADDR};
	static const uint32_t bad_dst[] = {
		0, IP(0, 0, 0, 1), IP(127, 0, 0, 1), IP(240, 0, 0, 0), IP(255, 255, 255, 254)};
	struct spec s = spec_udp();
	struct frame f;

	for (unsigned i = 0; i < RTE_DIM(bad_src); i++) {
		s.src = bad_src[i];
		frame_make(&f, &s);
		expect_drop_of(LAN, &f, DROP_IP4_SRC_MARTIAN);
	}
	s = spec_udp();
	for (unsigned i = 0; i < RTE_DIM(bad_dst); i++) {
		s.dst = bad_dst[i];
		frame_make(&f, &s);
		expect_drop_of(LAN, &f, DROP_IP4_DST_MARTIAN);
	}
}

static void groups(void **state)
{
	struct spec s = spec_udp();
	struct frame f;

	s.dst = IP(224, 0, 0, 5);
	s.dst_mac = (struct mac6){{1, 0, 0x5e, 0, 0, 5}};
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_MULTICAST);
	s.dst_mac = port_mac(LAN);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_MULTICAST);
	s.dst = UINT32_MAX;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_BROADCAST);
	s.dst = IP(10, 1, 255, 255);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_BROADCAST);
	memset(s.dst_mac.b, 0xff, 6);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_BROADCAST);
	s.dst = IP(192, 0, 2, 255); /* not forwarded: directed-broadcast is off */
	s.dst_mac = port_mac(LAN);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_BROADCAST);
	s.dst = HOST_B; /* RFC 1122 section 3.3.6 */
	memset(s.dst_mac.b, 0xff, 6);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_L2_BROADCAST);
	s.dst = LAN_ADDR;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_L2_BROADCAST);
}

static void bad_options(void **state)
{
	static const uint8_t bad[][4] = {
		{7, 0, 0, 0},    /* length 0 */
		{7, 1, 0, 0},    /* length 1 */
		{7, 5, 4, 0},    /* beyond the header */
		{1, 1, 1, 7},    /* no room for a length */
		{131, 200, 4, 0} /* source route beyond the header */
	};
	static const uint8_t route[][4] = {{131, 3, 4, 0}, {137, 3, 4, 0}, {1, 137, 3, 4}};
	struct spec s = spec_udp();
	struct frame f;

	s.options_len = 4;
	for (unsigned i = 0; i < RTE_DIM(bad); i++) {
		s.options = bad[i];
		frame_make(&f, &s);
		expect_drop_of(LAN, &f, DROP_IP4_BAD_OPTION);
	}
	for (unsigned i = 0; i < RTE_DIM(route); i++) {
		s.options = route[i];
		frame_make(&f, &s);
		expect_drop_of(LAN, &f, DROP_IP4_SOURCE_ROUTE);
	}
	s.options = "\x01\x01\x01\x00"; /* padding only: passes, as it is */
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	s.options = "\x94\x04\x00\x00"; /* router alert */
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	s.options = "\x00\x83\x03\x04"; /* behind the end of the list there is nothing */
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
}

static void transport_headers(void **state)
{
	struct spec s[] = {spec_tcp(), spec_udp(), spec_echo()};
	static const unsigned need[] = {20, 8, 8};
	struct frame f;

	for (unsigned i = 0; i < 3; i++) {
		s[i].raw = true;
		s[i].payload = "\x0f\xa0\x00\x35\0\0\0\0\0\0\0\0\x50\x10\0\0\0\0\0\0";
		for (unsigned len = 0; len < need[i]; len++) {
			s[i].payload_len = len;
			frame_make(&f, &s[i]);
			expect_drop_of(LAN, &f, DROP_IP4_L4_TRUNCATED);
		}
		s[i].payload_len = need[i];
		frame_make(&f, &s[i]);
		expect_routed(LAN, &f, WAN, HOST_B, 0);
	}
	s[0] = spec_tcp();
	frame_make(&f, &s[0]);
	f.b[14 + 20 + 12] = 4 << 4;
	expect_drop_of(LAN, &f, DROP_IP4_L4_TRUNCATED);
	f.b[14 + 20 + 12] = 15 << 4; /* 60 bytes of header, 38 there */
	expect_drop_of(LAN, &f, DROP_IP4_L4_TRUNCATED);
}

static void fragments(void **state)
{
	struct spec s = spec_tcp();
	struct frame f;

	s.raw = true;
	s.frag = FRAG_MF;
	s.payload_len = 16; /* RFC 1858: the flags are in the second */
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_TINY_FRAGMENT);
	s.frag = FRAG_MF | 1;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_TINY_FRAGMENT);
	s.frag = 1;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_TINY_FRAGMENT);
	s.proto = 17; /* the same of UDP hides nothing */
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	s.frag = FRAG_MF | 2;
	s.payload_len = 17;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_FRAGMENT_INVALID);
	s.payload_len = 0;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_FRAGMENT_INVALID);
	s.frag = 8191;
	s.payload_len = 8; /* 65528 + 8 */
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_FRAGMENT_INVALID);
	s.frag = 8189;
	s.payload_len = 4; /* 20 + 65512 + 4 */
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_FRAGMENT_INVALID);
	s.payload_len = 3;
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	s.payload_len = 0;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_FRAGMENT_INVALID);
	s.payload_len = 3;
	s.frag = 0x8000; /* the reserved bit makes no fragment */
	s.raw = false;
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
}

static void for_this_box(void **state)
{
	struct spec s = spec_echo();
	struct frame f;

	s.dst = LAN_ADDR;
	frame_make(&f, &s);
	f.b[14 + 20 + 2] ^= 1;
	expect_drop_of(LAN, &f, DROP_LOCAL_CHECKSUM);
	s.type = 0;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_LOCAL_ICMP_IGNORED);
	s.type = 13; /* timestamp: not answered (RFC 6633 and usage) */
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_LOCAL_ICMP_IGNORED);
}

static void dead_ends(void **state)
{
	struct spec s = spec_udp();
	struct frame f;

	s.dst = IP(203, 0, 113, 7);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_ROUTE_BLACKHOLE);
	s = spec_udp();
	s.payload_len = 1472 - 8; /* one that fits */
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
}

static void arp_that_is_none(void **state)
{
	const struct arp_spec a = {.l2 = {.dst = port_mac(LAN), .src = host_mac(HOST_A)},
		.op = 1,
		.sha = host_mac(HOST_A),
		.spa = HOST_A,
		.tpa = LAN_ADDR};
	static const unsigned field[] = {0, 1, 2, 3, 4, 5};
	struct frame f, g;

	frame_arp(&f, &a);
	for (g = f, g.len = 14; g.len < f.len; g.len++)
		expect_drop_of(LAN, &g, DROP_ARP_INVALID);
	for (unsigned i = 0; i < RTE_DIM(field); i++) {
		g = f;
		g.b[14 + field[i]] ^= 0x10;
		expect_drop_of(LAN, &g, DROP_ARP_INVALID);
	}
}

static void options_policy(void **state)
{
	struct rig_text t = world;
	struct spec s = spec_udp();
	struct frame f;

	s.options_len = 4;
	s.options = "\x01\x01\x01\x00";
	frame_make(&f, &s);
	t.rest = "ip4 = { options = \"drop\"; };";
	rig_reload(&t);
	expect_drop_of(LAN, &f, DROP_IP4_OPTIONS);
	t.rest = "ip4 = { options = \"forward\"; };";
	rig_reload(&t);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	s.options = "\x83\x03\x04\x00"; /* forwarded by its destination, never followed */
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	s.options = "\x07\x01\x00\x00";
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_BAD_OPTION);
	t.rest = "ip4 = { martians-drop = false; };";
	rig_reload(&t);
	s = spec_udp();
	s.src = 0;
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	rig_reload(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ethernet),
		TEST(tags),
		TEST(segments),
		TEST(lengths),
		TEST(versions),
		TEST(checksums),
		TEST(martians),
		TEST(groups),
		TEST(bad_options),
		TEST(transport_headers),
		TEST(fragments),
		TEST(for_this_box),
		TEST(dead_ends),
		TEST(arp_that_is_none),
		TEST(options_policy),
	};
	int ret;

	rig_up(&world, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
