/* Neighbours, from the packet that waits to the one that goes: requests and replies byte for byte,
 * order, full queues, silence, change of MAC. The control core's clock is the real one, with short
 * times.
 */
#include "harness.h"

#include <string.h>
#include <unistd.h>

#define RETRY_MS 20

static const struct mac6 broadcast = {{255, 255, 255, 255, 255, 255}}, zero;
static const struct rig_text world = {
	.routes = "{ to = \"198.51.100.0/24\"; via = \"192.0.2.77\"; }",
	.rest = "arp = { retry-ms = 20; retries = 2; queue = 64; punt-rate = 100000; };",
	.system = "burst-packets = 256;",
};

static struct arp_spec request_from_us(uint32_t spa, uint32_t tpa, unsigned port, uint16_t vlan)
{
	return (struct arp_spec){.l2 = {broadcast, port_mac(port), vlan, 0},
		.op = 1,
		.sha = port_mac(port),
		.tha = zero,
		.spa = spa,
		.tpa = tpa};
}

static struct arp_spec reply_to_us(uint32_t spa, uint32_t tpa, unsigned port)
{
	return (struct arp_spec){.l2 = {port_mac(port), host_mac(spa), 0, 0},
		.op = 2,
		.sha = host_mac(spa),
		.tha = port_mac(port),
		.spa = spa,
		.tpa = tpa};
}

/* What came goes to the control core, and what it says goes out. */
static void settle(void)
{
	rig_run();
	control_tick(rig);
	rig_run();
}

static void put_arp(unsigned port, const struct arp_spec *a)
{
	struct frame f;

	frame_arp(&f, a);
	rig_put(port, &f);
}

#define expect_arp(port, a)                 \
	do {                                \
		struct frame want_;         \
		frame_arp(&want_, a);       \
		expect_frame(port, &want_); \
	} while (0)

/* The neighbour's MAC becomes known, without a word of the data path. */
static void teach(unsigned port, uint32_t host, uint32_t us)
{
	struct arp_spec a = reply_to_us(host, us, port);

	a.op = 1; /* it asks for us: that is how an unknown one is learned */
	put_arp(port, &a);
	settle();
	rig_discard();
}

static void answers_a_request(void **state)
{
	struct arp_spec ask = {.l2 = {broadcast, host_mac(IP(10, 1, 0, 99)), 0, 0},
		.op = 1,
		.sha = host_mac(IP(10, 1, 0, 99)),
		.tha = zero,
		.spa = IP(10, 1, 0, 99),
		.tpa = LAN_ADDR};
	struct arp_spec answer = {.l2 = {ask.sha, port_mac(LAN), 0, 0},
		.op = 2,
		.sha = port_mac(LAN),
		.tha = ask.sha,
		.spa = LAN_ADDR,
		.tpa = ask.spa};
	struct frame f;

	put_arp(LAN, &ask);
	settle();
	expect_arp(LAN, &answer);
	expect_nothing();
	assert_int_equal(RIG_STAT(punted), 1);
	assert_int_equal(RIG_STAT(injected), 1);
	/* padded and by unicast: the same */
	ask.l2.dst = port_mac(LAN);
	frame_arp(&f, &ask);
	f.len = 60;
	rig_put(LAN, &f);
	settle();
	expect_arp(LAN, &answer);
	ask.tpa = IP(10, 1, 0, 50); /* someone else's affair */
	put_arp(LAN, &ask);
	settle();
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

static void answers_in_the_vlan(void **state)
{
	struct arp_spec ask = {.l2 = {broadcast, host_mac(IP(10, 20, 0, 99)), 20, 0},
		.op = 1,
		.sha = host_mac(IP(10, 20, 0, 99)),
		.tha = zero,
		.spa = IP(10, 20, 0, 99),
		.tpa = IP(10, 20, 0, 1)};
	struct arp_spec answer = {.l2 = {ask.sha, port_mac(DMZ), 20, 0},
		.op = 2,
		.sha = port_mac(DMZ),
		.tha = ask.sha,
		.spa = ask.tpa,
		.tpa = ask.spa};

	put_arp(DMZ, &ask);
	settle();
	expect_arp(DMZ, &answer);
	ask.l2.vlan = 10; /* the address of another VLAN is not answered for */
	put_arp(DMZ, &ask);
	settle();
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

static void resolves_and_sends_in_order(void **state)
{
	uint32_t host = IP(192, 0, 2, 40);
	struct arp_spec ask = request_from_us(WAN_ADDR, host, WAN, 0);
	struct arp_spec answer = reply_to_us(host, WAN_ADDR, WAN);
	struct l2 l2 = l2_to(host, WAN, 0);
	struct spec s = spec_udp();
	struct frame in[10], want;

	s.dst = host;
	for (unsigned i = 0; i < 10; i++) {
		s.id = (uint16_t)i;
		s.payload_len = i * 9;
		frame_make(&in[i], &s);
		rig_put(LAN, &in[i]);
		if (i % 3 == 0)
			rig_run();
	}
	rig_run();
	expect_nothing();
	assert_int_equal(RIG_STAT(neigh_waiting), 10);
	settle();
	expect_arp(WAN, &ask); /* once, however many wait */
	expect_nothing();
	put_arp(WAN, &answer);
	settle();
	for (unsigned i = 0; i < 10; i++) {
		frame_routed(&want, &in[i], &l2);
		expect_frame(WAN, &want);
	}
	expect_nothing();
	assert_int_equal(rig->worker[0]->stats.neigh_waiting, 0);
	expect_drops(DROP_NONE, 0);
	expect_routed(LAN, &in[0], WAN, host, 0);
}

/* Packets that come in the very walk in which the answer is handled go behind those that wait. */
static void later_packets_do_not_overtake(void **state)
{
	uint32_t host[3] = {IP(192, 0, 2, 41), IP(192, 0, 2, 42), IP(192, 0, 2, 43)};
	struct spec s = spec_udp();
	struct frame f, got;
	unsigned next[3] = {0};

	s.payload_len = 0;
	for (unsigned i = 0; i < 60 * 3; i++) {
		s.dst = host[i % 3];
		s.id = (uint16_t)(i / 3);
		frame_make(&f, &s);
		rig_put(LAN, &f);
	}
	settle();
	assert_int_equal(rig_discard(), 3);
	assert_int_equal(rig->worker[0]->stats.neigh_waiting, 180);
	for (unsigned k = 0; k < 3; k++) {
		struct arp_spec a = reply_to_us(host[k], WAN_ADDR, WAN);

		put_arp(WAN, &a);
	}
	rig_run();
	control_tick(rig);
	for (unsigned i = 180; i < 64 * 3; i++) { /* the queues hold 64 each */
		s.dst = host[i % 3];
		s.id = (uint16_t)(i / 3);
		frame_make(&f, &s);
		rig_put(LAN, &f);
	}
	rig_run();
	for (unsigned i = 0; i < 64 * 3; i++) {
		unsigned k;

		assert_true(rig_take(WAN, &got));
		k = got.b[33] - 41u;
		assert_in_range(k, 0, 2);
		assert_int_equal(got.b[18] << 8 | got.b[19], next[k]++);
	}
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* RFC 1122 section 2.3.2.2: the latest stay, in their order. */
static void full_queue(void **state)
{
	struct spec s = spec_udp();
	struct l2 l2 = l2_to(IP(192, 0, 2, 44), WAN, 0);
	static struct frame f[70], want;
	struct arp_spec a;

	s.dst = IP(192, 0, 2, 44);
	for (unsigned i = 0; i < 70; i++) {
		s.id = (uint16_t)i;
		frame_make(&f[i], &s);
		rig_put(LAN, &f[i]);
	}
	rig_run();
	expect_drops(DROP_NEIGH_QUEUE_FULL, 6);
	settle();
	rig_discard();
	a = reply_to_us(s.dst, WAN_ADDR, WAN);
	put_arp(WAN, &a);
	settle();
	for (unsigned i = 6; i < 70; i++) {
		frame_routed(&want, &f[i], &l2);
		expect_frame(WAN, &want);
	}
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* The control core never answers: what waits is let go all the same, after ten seconds. */
static void control_core_is_silent(void **state)
{
	uint64_t hz = rig->shared.tsc_hz;
	struct spec s = spec_udp();
	struct event unheard;
	struct frame f;

	s.dst = IP(192, 0, 2, 46);
	frame_make(&f, &s);
	rig_put(LAN, &f);
	rig_put(LAN, &f);
	rig_run();
	assert_int_equal(RIG_STAT(neigh_waiting), 2);
	expect_drops(DROP_NONE, 0);
	rig->shared.tsc_hz = 1; /* seconds fly */
	rig_run();
	rig->shared.tsc_hz = hz;
	assert_int_equal(rig_discard(), 2); /* host unreachable */
	expect_drops(DROP_NEIGH_TIMEOUT, 2);
	assert_int_equal(rig->worker[0]->stats.neigh_waiting, 0);
	while (link_event_get(&rig->worker[0]->link, &unheard, 1))
		;
}

/* So many neighbours at once that there is no place left to wait. */
static void too_many_neighbours(void **state)
{
	struct spec s = spec_udp();
	struct frame f;
	uint64_t full;

	for (unsigned i = 0; i < 300; i++) {
		s.dst = IP(10, 1, 3 + i / 200, i % 200 + 1);
		s.src = HOST_B;
		s.dst_mac = port_mac(WAN);
		frame_make(&f, &s);
		rig_put(WAN, &f);
	}
	rig_run();
	/* 256 have a place; those that waited longest give theirs up, to keep 16 free, from the
	 * next walk on */
	full = rig_dropped(DROP_NEIGH_QUEUE_FULL);
	assert_int_equal(full, (300 - 256 - 16) + (300 - 240));
	assert_int_equal(full + RIG_STAT(neigh_waiting), 300);
	/* nobody answers */
	for (unsigned i = 0; i < 200 && rig->worker[0]->stats.neigh_waiting; i++) {
		usleep(1000);
		control_tick(rig);
		rig_run();
		rig_discard();
	}
	assert_int_equal(rig->worker[0]->stats.neigh_waiting, 0);
	assert_int_equal(rig_dropped(DROP_NEIGH_FAILED), 300 - full);
}

static void silent_neighbour(void **state)
{
	uint32_t host = IP(192, 0, 2, 45);
	struct arp_spec ask = request_from_us(WAN_ADDR, host, WAN, 0);
	struct icmp_error e = {.type = 3, .code = 1, .from = LAN_ADDR, .ttl = 64};
	struct l2 l2 = l2_to(HOST_A, LAN, 0);
	struct spec s = spec_udp();
	struct frame in, want;

	s.dst = host;
	frame_make(&in, &s);
	rig_put(LAN, &in);
	settle();
	expect_arp(WAN, &ask);
	e.id = rig->worker[0]->ip_id;
	usleep((RETRY_MS + 1) * 1000);
	settle();
	expect_arp(WAN, &ask);
	expect_nothing();
	usleep((RETRY_MS + 1) * 1000);
	settle();
	frame_icmp_error(&want, &in, &e, &l2);
	expect_frame(LAN, &want); /* host unreachable, for the one that waited */
	expect_nothing();
	expect_drops(DROP_NEIGH_FAILED, 1);
	e.id = rig->worker[0]->ip_id;
	frame_icmp_error(&want, &in, &e, &l2);
	rig_put(LAN, &in); /* and at once for the next */
	rig_run();
	expect_frame(LAN, &want);
	expect_nothing();
	expect_drops(DROP_NEIGH_FAILED, 1);
	teach(WAN, host, WAN_ADDR); /* it is back */
	rig_mark();
	expect_routed(LAN, &in, WAN, host, 0);
}

/* A scan of the subnet uses up all places, again and again: a neighbour that answers gets its
 * packet all the same. */
static void scanned(void **state)
{
	uint32_t host = IP(10, 1, 9, 9);
	struct spec s = spec_from_wan(spec_udp());
	struct arp_spec a = reply_to_us(host, LAN_ADDR, LAN);
	struct frame f, got;
	bool found = false;

	for (unsigned i = 0; i < 900; i++) {
		s.dst = i == 600 ? host : IP(10, 1, 10 + i / 200, i % 200 + 1);
		frame_make(&f, &s);
		rig_put(WAN, &f);
		if (i % 20)
			continue;
		rig_walk();
		control_tick(rig);
		rig_walk();
		while (rig_take(LAN, &got))
			if (got.b[12] == 8 && got.b[13] == 6 && got.b[40] == 9 && got.b[41] == 9)
				put_arp(LAN, &a); /* it answers at once */
			else if (got.b[12] == 8 && got.b[13] == 0 && got.b[30] == 10)
				found |= got.b[32] == 9 && got.b[33] == 9;
		rig_discard();
	}
	assert_true(found);
	for (unsigned i = 0; i < 400 && rig->worker[0]->stats.neigh_waiting; i++) {
		usleep(1000);
		control_tick(rig);
		rig_run();
		rig_discard();
	}
}

/* First: nothing else asks then. */
static void gateway_of_a_route(void **state)
{
	uint32_t gw = IP(192, 0, 2, 77);
	struct spec s = spec_udp();
	struct frame in;

	teach(WAN, gw, WAN_ADDR);
	rig_mark();
	s.dst = IP(198, 51, 100, 5);
	frame_make(&in, &s);
	expect_routed(LAN, &in, WAN, gw, 0);
}

static void neighbour_moves(void **state)
{
	uint32_t host = IP(192, 0, 2, 46), new_owner = IP(9, 9, 9, 9);
	struct arp_spec a = reply_to_us(host, WAN_ADDR, WAN);
	struct spec s = spec_udp();
	struct frame in;

	teach(WAN, host, WAN_ADDR);
	rig_mark();
	s.dst = host;
	frame_make(&in, &s);
	expect_routed(LAN, &in, WAN, host, 0);
	a.sha = host_mac(new_owner);
	a.l2.src = a.sha;
	put_arp(WAN, &a);
	settle();
	expect_nothing();
	rig_mark();
	expect_routed(LAN, &in, WAN, new_owner, 0); /* the address's new MAC */
}

static void rate_of_arp(void **state)
{
	struct rig_text t = world;
	struct arp_spec a = reply_to_us(IP(10, 1, 0, 98), LAN_ADDR, LAN);
	struct frame f;

	t.rest = "arp = { retry-ms = 20; retries = 2; queue = 64; punt-rate = 100; };";
	rig_reload(&t);
	rig_mark();
	frame_arp(&f, &a);
	for (unsigned i = 0; i < 50; i++)
		rig_put(LAN, &f);
	rig_walk();
	assert_int_equal(RIG_STAT(punted), 10);
	expect_drops(DROP_ARP_RATE, 40);
	rig_reload(&world);
}

static void full_punt_ring(void **state)
{
	struct arp_spec a = reply_to_us(IP(10, 1, 0, 98), LAN_ADDR, LAN);
	struct frame f;

	frame_arp(&f, &a);
	for (unsigned i = 0; i < 1200; i++) {
		rig_put(LAN, &f);
		if (i % 200 == 199)
			rig_run();
	}
	assert_int_equal(RIG_STAT(punted), 1023);
	assert_int_equal(rig->worker[0]->link.punt.refused, 1200 - 1023);
	expect_drops(DROP_ARP_RING_FULL, 1200 - 1023);
	for (unsigned i = 0; i < 4; i++)
		control_tick(rig);
}

static void injected_for_no_port(void **state)
{
	struct rte_mbuf *m = rig_mbuf("0123456789012345678901234567890123456789", 40);

	*meta_of(m) = (struct meta){.flags = META_OURS | META_FRAMED, .out_port = PORTS_MAX};
	assert_int_equal(link_packets_put(&rig->worker[0]->link.inject, &m, 1), 1);
	rig_run();
	expect_nothing();
	expect_drops(DROP_INJECT_INVALID, 1);
}

/* Packets that wait while the tables change go on by the new ones, or say that they can't. */
static void waiting_over_a_reload(void **state)
{
	struct rig_text t = world;
	uint32_t host = IP(192, 0, 2, 47), moved = IP(192, 0, 2, 48);
	struct spec s = spec_udp();
	struct frame in[2];
	struct arp_spec a;

	s.dst = host;
	frame_make(&in[0], &s);
	s.dst = moved;
	frame_make(&in[1], &s);
	rig_put(LAN, &in[0]);
	rig_put(LAN, &in[1]);
	settle();
	assert_int_equal(rig_discard(), 2);
	t.routes = "{ to = \"198.51.100.0/24\"; via = \"192.0.2.77\"; },"
		   "{ to = \"192.0.2.48/32\"; via = \"172.16.0.2\"; }";
	rig_reload(&t);
	rig_discard();
	for (unsigned i = 0; i < 2; i++) {
		a = reply_to_us(i ? moved : host, WAN_ADDR, WAN);
		put_arp(WAN, &a);
	}
	settle();
	assert_int_equal(rig_discard(), 1);
	expect_drops(DROP_NEIGH_STALE, 1);
	rig_reload(&world);
	rig_discard();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gateway_of_a_route),
		TEST(answers_a_request),
		TEST(answers_in_the_vlan),
		TEST(resolves_and_sends_in_order),
		TEST(later_packets_do_not_overtake),
		TEST(full_queue),
		TEST(control_core_is_silent),
		TEST(silent_neighbour),
		TEST(neighbour_moves),
		TEST(rate_of_arp),
		TEST(full_punt_ring),
		TEST(injected_for_no_port),
		TEST(waiting_over_a_reload),
		TEST(too_many_neighbours),
		TEST(scanned),
	};
	int ret;

	rig_up(&world, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
