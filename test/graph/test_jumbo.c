/* Jumbo frames: packets of up to 9000 bytes, of both families, with no tag, one and two, come in
 * and go out whole; a byte more does not, and neither does what is too large for the next network.
 */
#include "harness.h"

#include <string.h>

#define MTU 9000
#define HOST_Q IP(10, 31, 0, 2)

static uint8_t payload[FRAME_MAX];

static const struct rig_text text = {
	.interfaces =
		"{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; dad-transmits = 0;"
		"  addresses = [\"10.1.0.1/16\", \"2001:db8:1::1/64\", \"fe80::1/64\"]; },"
		"{ name = \"wan\"; port = \"p1\"; dad-transmits = 0;"
		"  addresses = [\"192.0.2.1/24\", \"2001:db8:2::1/64\"]; },"
		"{ name = \"dmz\"; port = \"p2\"; mtu = 1500; dad-transmits = 0;"
		"  addresses = [\"172.16.0.1/24\", \"2001:db8:3::1/64\"]; },"
		"{ name = \"v10\"; port = \"p2\"; vlan = 10; addresses = [\"10.10.0.1/24\"]; },"
		"{ name = \"q\"; port = \"p2\"; outer-vlan = 100; vlan = 10;"
		"  addresses = [\"10.31.0.1/24\"]; }",
	.neighbours = ", { interface = \"q\"; address = \"10.31.0.2\";"
		      "    mac = \"02:00:0a:1f:00:02\"; }",
	.port = "mtu = 9000;",
	.system = "burst-packets = 256;",
};

static void buffers_hold_a_frame(void **state)
{
	/* header, two tags, checksum */
	assert_true(rte_pktmbuf_data_room_size(rig->pool) >= RTE_PKTMBUF_HEADROOM + MTU + 26);
	assert_int_equal(rig->port[0].device_mtu, MTU + 8);
}

static struct spec udp(uint32_t dst, unsigned ip_len)
{
	struct spec s = spec_udp();

	s.dst = dst;
	s.payload = payload;
	s.payload_len = ip_len - 28;
	return s;
}

static void forwards(void **state)
{
	static const unsigned len[] = {1500, 1501, 2048, 4096, 8192, 8999, MTU};
	struct spec6 s6 = spec6_udp();
	struct frame f;

	for (unsigned i = 0; i < RTE_DIM(len); i++) {
		struct spec s = udp(HOST_B, len[i]);

		frame_make(&f, &s);
		expect_routed(LAN, &f, WAN, HOST_B, 0);
		s.dst = HOST_V10;
		frame_make(&f, &s);
		expect_routed(LAN, &f, DMZ, HOST_V10, 10);
		s6.payload = payload;
		s6.payload_len = len[i] - 48;
		frame6_make(&f, &s6);
		expect_routed6(LAN, &f, WAN, HOST_B6, 0);
	}
}

static void two_tags(void **state)
{
	struct spec s = udp(HOST_Q, MTU);
	struct l2 l2 = {
		.dst = host_mac(HOST_Q), .src = port_mac(DMZ), .vlan = 10, .outer_vlan = 100};
	static struct frame in, want;

	frame_make(&in, &s);
	frame_routed(&want, &in, &l2);
	assert_int_equal(want.len, MTU + 22);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(DMZ, &want);
	expect_nothing();
	s = udp(HOST_A, MTU);
	s.src = HOST_Q;
	s.dst_mac = port_mac(DMZ);
	s.outer_type = 0x88a8;
	s.outer_tci = 100;
	s.tagged = true;
	s.tci = 10;
	frame_make(&in, &s);
	assert_int_equal(in.len, MTU + 22);
	expect_routed(DMZ, &in, LAN, HOST_A, 0);
}

/* One byte more than the way out takes: RFC 1191 section 4, RFC 8201 section 4. */
static void too_large(void **state)
{
	struct icmp_error e = {.type = 3, .code = 4, .mtu = MTU, .from = LAN_ADDR, .ttl = 64};
	struct icmp6_error e6 = {.type = 2, .data = 1500, .from = ip6_of(LAN6), .hop_limit = 64};
	struct l2 l2 = l2_to(HOST_A, LAN, 0), l26 = l2_to6(HOST_A6, LAN, 0);
	struct spec s = udp(HOST_B, MTU + 1);
	struct spec6 s6 = spec6_udp();
	static struct frame in, want;

	s.frag = FRAG_DF;
	frame_make(&in, &s);
	e.id = rig->worker[0]->ip_id;
	frame_icmp_error(&want, &in, &e, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(LAN, &want);
	expect_nothing();
	expect_drops(DROP_MTU_EXCEEDED, 1);
	s = udp(HOST_C, MTU); /* into a network of 1500 */
	s.frag = FRAG_DF;
	frame_make(&in, &s);
	e.id = rig->worker[0]->ip_id;
	e.mtu = 1500;
	frame_icmp_error(&want, &in, &e, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(LAN, &want);
	expect_drops(DROP_MTU_EXCEEDED, 1);
	s6.dst = ip6_of(HOST_C6);
	s6.payload = payload;
	s6.payload_len = MTU - 48;
	frame6_make(&in, &s6);
	frame6_icmp_error(&want, &in, &e6, &l26);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(LAN, &want);
	expect_nothing();
	expect_drops(DROP_MTU_EXCEEDED, 1);
}

/* Echo requests of full size are answered whole. */
static void echo(void **state)
{
	struct spec s = spec_echo();
	struct spec6 s6 = spec6_echo();
	struct l2 l2 = l2_to(HOST_A, LAN, 0), l26 = l2_to6(HOST_A6, LAN, 0);
	struct ip6 us = ip6_of(LAN6);
	static struct frame in, want;

	s.dst = LAN_ADDR;
	s.payload = payload;
	s.payload_len = MTU - 28;
	frame_make(&in, &s);
	frame_echo_reply(&want, &in, 64, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(LAN, &want);
	s6.dst = us;
	s6.payload = payload;
	s6.payload_len = MTU - 48;
	frame6_make(&in, &s6);
	frame6_echo_reply(&want, &in, 0, &us, 64, &l26);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(LAN, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* So many fragments in one walk that no stream would hold them: what is beyond that is dropped, and
 * the next walk has room again. */
static void more_than_a_walk_holds(void **state)
{
	struct rig_text narrow = text;
	struct spec s = udp(HOST_C, 20 + 6 * 552 + 8); /* seven fragments each */
	static struct frame f;

	narrow.interfaces = "{ name = \"lan\"; port = \"p0\"; addresses = [\"10.1.0.1/16\"]; },"
			    "{ name = \"dmz\"; port = \"p2\"; mtu = 576;"
			    "  addresses = [\"172.16.0.1/24\"]; }";
	narrow.neighbours = "";
	rig_reload(&narrow);
	/* port_rx takes fewer of large packets: have it forget those of before */
	frame_make(&f, &(struct spec){.dst_mac = host_mac(HOST_A)});
	for (unsigned i = 0; i < 50; i++) {
		rig_put(LAN, &f);
		rig_run();
	}
	rig_discard();
	rig_mark();
	frame_make(&f, &s);
	for (unsigned i = 0; i < 200; i++)
		rig_put(LAN, &f);
	rig_walk();
	assert_int_equal(RIG_STAT(sent), WALK_FRAGMENTS_MAX / 7 * 7);
	assert_int_equal(RIG_STAT(packets_cut), WALK_FRAGMENTS_MAX / 7);
	assert_int_equal(rig_discard(), WALK_FRAGMENTS_MAX / 7 * 7);
	expect_drops(DROP_FRAG_WALK_FULL, 200 - WALK_FRAGMENTS_MAX / 7);
	rig_put(LAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 7);
	expect_drops(DROP_NONE, 0);
	rig_reload(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(buffers_hold_a_frame),
		TEST(forwards),
		TEST(two_tags),
		TEST(too_large),
		TEST(echo),
		TEST(more_than_a_walk_holds),
	};
	int ret;

	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 ^ i >> 8);
	rig_up(&text, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
