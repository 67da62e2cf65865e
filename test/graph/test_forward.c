/* Plain forwarding, byte for byte: MACs, tags, TTL, the checksum updated in place, padding, sizes,
 * and which interface a frame belongs to.
 */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static void udp_tcp_and_icmp(void **state)
{
	struct spec s[] = {spec_udp(), spec_tcp(), spec_echo()};
	struct frame in;

	for (unsigned i = 0; i < 3; i++) {
		frame_make(&in, &s[i]);
		expect_routed(LAN, &in, WAN, HOST_B, 0);
		s[i] = spec_from_wan(s[i]);
		frame_make(&in, &s[i]);
		expect_routed(WAN, &in, LAN, HOST_A, 0);
	}
}

static void other_protocols(void **state)
{
	struct spec s = spec_udp();
	struct frame in;

	for (unsigned proto = 0; proto < 256; proto++) {
		s.proto = (uint8_t)proto;
		s.raw = proto != 6 && proto != 17 && proto != 1;
		s.payload_len = 4 + proto % 3;
		frame_make(&in, &s);
		expect_routed(LAN, &in, WAN, HOST_B, 0);
	}
	/* and nothing at all behind the header */
	s.proto = 99;
	s.raw = true;
	s.payload_len = 0;
	frame_make(&in, &s);
	expect_routed(LAN, &in, WAN, HOST_B, 0);
}

static void every_size(void **state)
{
	struct spec s = spec_udp();
	struct frame in;

	for (s.payload_len = 0; s.payload_len <= 1472; s.payload_len++) {
		frame_make(&in, &s);
		expect_routed(LAN, &in, WAN, HOST_B, 0);
	}
}

static void padding_is_trimmed(void **state)
{
	struct spec s = spec_udp();
	struct frame in;

	for (s.pad_to = 60; s.pad_to < 80; s.pad_to++) {
		s.payload_len = s.pad_to % 5;
		frame_make(&in, &s);
		expect_routed(LAN, &in, WAN, HOST_B, 0);
	}
}

/* The identification that gives the header this checksum. */
static uint16_t id_for(struct spec s, uint16_t cksum)
{
	struct frame f;
	uint32_t have;

	s.id = 0;
	frame_make(&f, &s);
	have = (uint16_t) ~(f.b[24] << 8 | f.b[25]);
	return (uint16_t)(((uint16_t)~cksum + 0xffffu - have) % 0xffff);
}

/* RFC 1624: what is updated in place must equal what is computed anew, also where a sum wraps. */
static void checksum_update_at_every_ttl(void **state)
{
	static const uint16_t edge[] = {
		0x0000, 0x0001, 0x00ff, 0x0100, 0xfdff, 0xfe00, 0xfefe, 0xfeff, 0xff00, 0xfffe};
	struct spec s = spec_udp();
	struct frame in, want;
	struct l2 l2 = l2_to(HOST_B, WAN, 0);

	for (unsigned ttl = 2; ttl < 256; ttl++) {
		for (unsigned i = 0; i < RTE_DIM(edge); i++) {
			s.ttl = (uint8_t)ttl;
			s.id = id_for(s, edge[i]);
			frame_make(&in, &s);
			assert_int_equal(in.b[24] << 8 | in.b[25], edge[i]);
			rig_put(LAN, &in);
		}
		rig_run();
		for (unsigned i = 0; i < RTE_DIM(edge); i++) {
			s.id = id_for(s, edge[i]);
			frame_make(&in, &s);
			frame_routed(&want, &in, &l2);
			expect_frame(WAN, &want);
		}
	}
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* 0xffff instead of 0x0000 is a valid checksum too. */
static void negative_zero_checksum(void **state)
{
	struct spec s = spec_udp();
	struct frame in;

	s.id = id_for(s, 0);
	frame_make(&in, &s);
	memset(in.b + 24, 0xff, 2);
	expect_routed(LAN, &in, WAN, HOST_B, 0);
}

static void tags_out_and_in(void **state)
{
	struct spec s = spec_udp(), back = spec_udp();
	struct frame in;

	s.dst = HOST_V10;
	frame_make(&in, &s);
	expect_routed(LAN, &in, DMZ, HOST_V10, 10);
	back.src = HOST_V10;
	back.dst = HOST_A;
	back.dst_mac = port_mac(DMZ);
	back.tagged = true;
	back.tci = 10;
	frame_make(&in, &back);
	expect_routed(DMZ, &in, LAN, HOST_A, 0);
	back.tci = 0xb00a; /* priority 5 and drop eligible: not kept */
	frame_make(&in, &back);
	expect_routed(DMZ, &in, LAN, HOST_A, 0);
	back.dst = HOST_V20; /* from tag to tag on one port */
	frame_make(&in, &back);
	expect_routed(DMZ, &in, DMZ, HOST_V20, 20);
	back.dst = HOST_C; /* ... and to the untagged interface */
	back.pad_to = 64;
	frame_make(&in, &back);
	expect_routed(DMZ, &in, DMZ, HOST_C, 0);
}

static void priority_tag_is_untagged(void **state)
{
	struct spec s = spec_udp();
	struct frame in;

	s.tagged = true;
	s.tci = 0;
	frame_make(&in, &s);
	expect_routed(LAN, &in, WAN, HOST_B, 0);
	s.tci = 0xe000;
	frame_make(&in, &s);
	expect_routed(LAN, &in, WAN, HOST_B, 0);
}

static void tag_stripped_by_the_device(void **state)
{
	struct spec s = spec_udp();
	struct frame in, want;
	struct l2 l2 = l2_to(HOST_A, LAN, 0);
	struct rte_mbuf *m;

	s.src = HOST_V20;
	s.dst = HOST_A;
	s.dst_mac = port_mac(DMZ);
	frame_make(&in, &s);
	frame_routed(&want, &in, &l2);
	m = rig_mbuf(in.b, in.len);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0x6014;
	rig_put_mbuf(DMZ, m);
	m = rig_mbuf(in.b, in.len);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 21;
	rig_put_mbuf(DMZ, m);
	rig_run();
	expect_frame(LAN, &want);
	expect_nothing();
	expect_drops(DROP_ETH_NO_IFACE, 1);
}

static void checksum_judged_by_the_device(void **state)
{
	struct spec s = spec_udp();
	struct frame in;
	struct rte_mbuf *m;

	frame_make(&in, &s);
	m = rig_mbuf(in.b, in.len);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
	rig_put_mbuf(LAN, m);
	in.b[25] ^= 0x55;
	m = rig_mbuf(in.b, in.len);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	rig_put_mbuf(LAN, m);
	rig_run();
	assert_int_equal(rig_discard(), 1);
	expect_drops(DROP_IP4_CHECKSUM, 1);
}

/* A burst to three interfaces at once, in order on each. */
static void mixed_burst(void **state)
{
	static const struct {
		uint32_t host;
		unsigned port;
		uint16_t vlan;
	} to[] = {{HOST_B, WAN, 0}, {HOST_C, DMZ, 0}, {HOST_V20, DMZ, 20}, {HOST_B, WAN, 0}};
	struct spec s = spec_udp();
	struct frame in, want;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < 256; i++) {
			unsigned k = i * 7 % 11 % 4;
			struct l2 l2 = l2_to(to[k].host, to[k].port, to[k].vlan);

			s.dst = to[k].host;
			s.id = (uint16_t)i;
			s.payload_len = i;
			frame_make(&in, &s);
			frame_routed(&want, &in, &l2);
			if (pass == 0)
				rig_put(LAN, &in);
			else
				expect_frame(to[k].port, &want);
		}
		rig_run();
	}
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* Port and byte counters: frames, with their link layer, without FCS. */
static void counts_what_went(void **state)
{
	struct spec s = spec_udp();
	struct frame in;

	s.pad_to = 60;
	frame_make(&in, &s);
	rig_put(LAN, &in);
	rig_put(LAN, &in);
	rig_run();
	assert_int_equal(rig_discard(), 2);
	assert_int_equal(RIG_STAT(received), 2);
	assert_int_equal(RIG_STAT(sent), 2);
	assert_int_equal(RIG_STAT(port[0].rx_packets), 2);
	assert_int_equal(RIG_STAT(port[0].rx_bytes), 120);
	assert_int_equal(RIG_STAT(port[1].tx_packets), 2);
	assert_int_equal(RIG_STAT(port[1].tx_bytes), 2 * (14 + 20 + 8 + 18));
}

static void full_transmit_queue(void **state)
{
	struct spec s = spec_udp();
	struct frame in;
	unsigned sent = 0, n = 2200;

	frame_make(&in, &s);
	for (unsigned i = 0; i < n; i++) {
		rig_put(LAN, &in);
		if (i % 200 == 199)
			rig_run();
	}
	rig_run();
	sent = rig_discard();
	assert_true(sent >= 2000 && sent < n);
	expect_drops(DROP_TX_FULL, n - sent);
}

static void no_link(void **state)
{
	struct spec s = spec_udp();
	struct frame in;

	frame_make(&in, &s);
	atomic_store(&rig->shared.link_up[1], 0);
	expect_drop_of(LAN, &in, DROP_LINK_DOWN);
	atomic_store(&rig->shared.link_up[1], 1);
	expect_routed(LAN, &in, WAN, HOST_B, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(udp_tcp_and_icmp),
		TEST(other_protocols),
		TEST(every_size),
		TEST(padding_is_trimmed),
		TEST(checksum_update_at_every_ttl),
		TEST(negative_zero_checksum),
		TEST(tags_out_and_in),
		TEST(priority_tag_is_untagged),
		TEST(tag_stripped_by_the_device),
		TEST(checksum_judged_by_the_device),
		TEST(mixed_burst),
		TEST(counts_what_went),
		TEST(full_transmit_queue),
		TEST(no_link),
	};
	int ret;

	rig_up(&(struct rig_text){.system = "burst-packets = 256;"}, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
