/* Routing decisions as packets show them: next hops and ECMP, reverse path checks, directed
 * broadcasts.
 */
#include "harness.h"

#include <string.h>

#define GW1 IP(192, 0, 2, 254)
#define GW2 IP(192, 0, 2, 253)

static const struct rig_text plain = {
	.routes = "{ to = \"198.51.100.0/24\"; via = \"192.0.2.254\"; },"
		  "{ to = \"198.51.100.128/25\"; via = \"172.16.0.2\"; },"
		  "{ to = \"203.0.113.0/24\"; via = [\"192.0.2.254\", \"192.0.2.253\"]; }",
};

static void longest_prefix_and_next_hop(void **state)
{
	struct spec s = spec_udp();
	struct frame f;

	s.dst = IP(198, 51, 100, 1);
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, GW1, 0);
	s.dst = IP(198, 51, 100, 200);
	frame_make(&f, &s);
	expect_routed(LAN, &f, DMZ, HOST_C, 0);
}

/* Which gateway took the frame: 1, 2, or 0 for something else. */
static unsigned gateway(struct frame *got)
{
	struct mac6 g1 = host_mac(GW1), g2 = host_mac(GW2);

	if (!rig_take(WAN, got))
		return 0;
	return memcmp(got->b, g1.b, 6) == 0 ? 1 : memcmp(got->b, g2.b, 6) == 0 ? 2 : 0;
}

static void ecmp_keeps_a_flow_on_its_path(void **state)
{
	struct spec s = spec_tcp();
	unsigned used[3] = {0}, first[200];
	struct frame f, got;

	s.dst = IP(203, 0, 113, 9);
	for (unsigned pass = 0; pass < 3; pass++) {
		for (unsigned flow = 0; flow < 200; flow++) {
			unsigned gw;

			s.sport = (uint16_t)(1024 + flow);
			s.payload_len = pass * 100; /* neither length nor flags change the path */
			s.tcp_flags = pass ? TCP_ACK : TCP_SYN;
			s.id = (uint16_t)(pass * 1000 + flow);
			frame_make(&f, &s);
			rig_put(LAN, &f);
			rig_run();
			gw = gateway(&got);
			assert_in_range(gw, 1, 2);
			if (pass == 0)
				first[flow] = gw;
			assert_int_equal(gw, first[flow]);
			used[gw]++;
		}
	}
	/* 600 packets: neither path has under a quarter */
	assert_true(used[1] > 150 && used[2] > 150);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* The fragments of one datagram have one path: later ones have no ports. */
static void ecmp_keeps_fragments_together(void **state)
{
	struct spec s = spec_udp();
	struct frame f, got;

	s.payload_len = 24;
	for (unsigned host = 1; host < 50; host++) {
		unsigned gw[3];

		s.dst = IP(203, 0, 113, host);
		for (unsigned i = 0; i < 3; i++) {
			s.frag = (uint16_t)((i < 2 ? FRAG_MF : 0) | i * 4);
			s.raw = i > 0;
			frame_make(&f, &s);
			rig_put(LAN, &f);
			rig_run();
			gw[i] = gateway(&got);
		}
		assert_true(gw[0] && gw[0] == gw[1] && gw[0] == gw[2]);
	}
	expect_drops(DROP_NONE, 0);
}

static void reverse_path(void **state)
{
	struct rig_text t = {
		.interfaces = "{ name = \"lan\"; port = \"p0\"; urpf = \"strict\";"
			      "  addresses = [\"10.1.0.1/16\"]; },"
			      "{ name = \"wan\"; port = \"p1\"; urpf = \"loose\";"
			      "  addresses = [\"192.0.2.1/24\"]; },"
			      "{ name = \"dmz\"; port = \"p2\"; addresses = [\"172.16.0.1/24\"]; }",
		.routes = "{ to = \"10.9.0.0/16\"; via = \"10.1.0.3\"; },"
			  "{ to = \"10.8.0.0/16\"; via = [\"10.1.0.3\", \"192.0.2.254\"]; },"
			  "{ to = \"10.7.0.0/16\"; via = \"192.0.2.254\"; },"
			  "{ to = \"10.6.0.0/16\"; type = \"blackhole\"; }",
	};
	static const struct {
		uint32_t src;
		bool lan, wan;
	} in[] = {
		{HOST_A, true, true},           /* connected to lan: strict passes */
		{IP(10, 9, 1, 1), true, true},  /* behind a host of lan */
		{IP(10, 8, 1, 1), true, true},  /* one of two paths leads there */
		{IP(10, 7, 1, 1), false, true}, /* elsewhere: loose only */
		{HOST_C, false, true}, {IP(10, 6, 1, 1), false, false}, /* a dead route is none */
		{IP(8, 8, 8, 8), false, false},                         /* no route */
		{IP(10, 1, 255, 255), false, false},                    /* a broadcast address */
	};
	struct spec s = spec_udp();
	struct frame f;

	rig_reload(&t);
	for (unsigned i = 0; i < RTE_DIM(in); i++) {
		s = spec_udp();
		s.dst = HOST_C;
		s.src = in[i].src;
		frame_make(&f, &s);
		if (in[i].lan)
			expect_routed(LAN, &f, DMZ, HOST_C, 0);
		else
			expect_drop_of(LAN, &f, DROP_URPF);
		s.dst_mac = port_mac(WAN);
		frame_make(&f, &s);
		if (in[i].wan)
			expect_routed(WAN, &f, DMZ, HOST_C, 0);
		else
			expect_drop_of(WAN, &f, DROP_URPF);
		s.dst_mac = port_mac(DMZ); /* off: anything passes */
		s.dst = HOST_A;
		frame_make(&f, &s);
		expect_routed(DMZ, &f, LAN, HOST_A, 0);
	}
	s = spec_udp(); /* packets for us are judged too */
	s.src = IP(8, 8, 8, 8);
	s.dst = LAN_ADDR;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_URPF);
	rig_reload(&plain);
}

/* RFC 3704 section 2.4: a default route is a route to every source; a dead one, or a source that is
 * no host, is not helped by it. Strict: only by the interface where the default route leads. */
static void reverse_path_by_default_route(void **state)
{
	struct rig_text t = {
		.interfaces = "{ name = \"lan\"; port = \"p0\"; urpf = \"strict\";"
			      "  addresses = [\"10.1.0.1/16\"]; },"
			      "{ name = \"wan\"; port = \"p1\"; urpf = \"strict\";"
			      "  addresses = [\"192.0.2.1/24\"]; },"
			      "{ name = \"dmz\"; port = \"p2\"; urpf = \"loose\";"
			      "  addresses = [\"172.16.0.1/24\"]; }",
		.routes = "{ to = \"0.0.0.0/0\"; via = \"192.0.2.254\"; },"
			  "{ to = \"10.6.0.0/16\"; type = \"blackhole\"; }",
	};
	struct spec s = spec_udp();
	struct frame f;

	rig_reload(&t);
	s.src = IP(8, 8, 8, 8);
	s.dst = HOST_C;
	s.dst_mac = port_mac(WAN);
	frame_make(&f, &s);
	expect_routed(WAN, &f, DMZ, HOST_C, 0);
	s.dst_mac = port_mac(LAN);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_URPF);
	s.dst_mac = port_mac(DMZ);
	s.dst = HOST_A;
	frame_make(&f, &s);
	expect_routed(DMZ, &f, LAN, HOST_A, 0);
	s.src = IP(10, 6, 1, 1);
	frame_make(&f, &s);
	expect_drop_of(DMZ, &f, DROP_URPF);
	s.src = IP(10, 1, 255, 255);
	frame_make(&f, &s);
	expect_drop_of(DMZ, &f, DROP_URPF);
	rig_reload(&plain);
}

static void directed_broadcast(void **state)
{
	struct rig_text t = {
		.interfaces =
			"{ name = \"lan\"; port = \"p0\"; addresses = [\"10.1.0.1/16\"]; },"
			"{ name = \"dmz\"; port = \"p2\"; directed-broadcast = true;"
			"  addresses = [\"172.16.0.1/24\"]; },"
			"{ name = \"v20\"; port = \"p2\"; vlan = 20; directed-broadcast = true;"
			"  addresses = [\"10.20.0.1/24\", \"10.21.0.1/31\"]; }",
		.neighbours = ", { interface = \"v20\"; address = \"10.21.0.0\";"
			      " mac = \"02:00:0a:15:00:00\"; }",
	};
	struct l2 all = {.dst = {{255, 255, 255, 255, 255, 255}}, .src = port_mac(DMZ)};
	struct spec s = spec_udp();
	struct frame f, want;

	rig_reload(&t);
	s.dst = IP(172, 16, 0, 255);
	frame_make(&f, &s);
	frame_routed(&want, &f, &all);
	rig_put(LAN, &f);
	rig_run();
	expect_frame(DMZ, &want);
	s.dst = IP(10, 20, 0, 255);
	frame_make(&f, &s);
	all.vlan = 20;
	frame_routed(&want, &f, &all);
	rig_put(LAN, &f);
	rig_run();
	expect_frame(DMZ, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
	/* RFC 3021: no broadcast in a /31 */
	s.dst = IP(10, 21, 0, 0);
	frame_make(&f, &s);
	expect_routed(LAN, &f, DMZ, s.dst, 20);
	/* RFC 1812 section 5.3.4: not what came as a broadcast of another link */
	s.dst = IP(172, 16, 0, 255);
	memset(s.dst_mac.b, 0xff, 6);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP4_L2_BROADCAST);
	/* nor back to where it came from */
	s.src = HOST_C;
	s.dst_mac = port_mac(DMZ);
	frame_make(&f, &s);
	expect_drop_of(DMZ, &f, DROP_IP4_BROADCAST);
	rig_reload(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(longest_prefix_and_next_hop),
		TEST(ecmp_keeps_a_flow_on_its_path),
		TEST(ecmp_keeps_fragments_together),
		TEST(reverse_path),
		TEST(reverse_path_by_default_route),
		TEST(directed_broadcast),
	};
	int ret;

	rig_up(&plain, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
