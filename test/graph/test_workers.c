/* Two workers on ports with one receive queue each: software spreading by flow hash, order within a
 * flow, frames handed to the worker that can send; and what a walk may hold. Ports have one
 * transmit queue here, owned by worker 0.
 */
#include "harness.h"

#include <string.h>

static struct spec flow(unsigned i)
{
	struct spec s = spec_udp();

	s.sport = (uint16_t)(1000 + i);
	return s;
}

static bool handled_by(struct spec s, unsigned *worker)
{
	struct worker_stats before[2] = {rig->worker[0]->stats, rig->worker[1]->stats};
	struct frame f;

	frame_make(&f, &s);
	rig_put(LAN, &f);
	rig_run();
	rig_discard();
	/* port 0 belongs to worker 0: what worker 1 handles was handed over */
	*worker =
		rig->worker[0]->stats.handoff_out[HANDOFF_RX] != before[0].handoff_out[HANDOFF_RX];
	return rig->worker[0]->stats.received == before[0].received + 1;
}

static void a_flow_has_one_worker(void **state)
{
	unsigned used[2] = {0}, first, again;
	struct spec s;

	for (unsigned i = 0; i < 200; i++) {
		s = flow(i);
		assert_true(handled_by(s, &first));
		s.payload_len = 700;
		s.ttl = 7;
		assert_true(handled_by(s, &again));
		assert_int_equal(first, again);
		used[first]++;
	}
	assert_true(used[0] > 50 && used[1] > 50);
	expect_drops(DROP_NONE, 0);
}

/* The answer comes in by WAN, which is worker 1's; it must be handled where the question was. */
static void both_directions_meet(void **state)
{
	for (unsigned i = 0; i < 100; i++) {
		struct spec s = flow(i), back;
		uint64_t before;
		struct frame f;
		unsigned worker;

		assert_true(handled_by(s, &worker));
		back = spec_from_wan(s);
		back.sport = s.dport;
		back.dport = s.sport;
		frame_make(&f, &back);
		before = rig->worker[1]->stats.handoff_out[HANDOFF_RX];
		rig_put(WAN, &f);
		rig_run();
		rig_discard();
		assert_int_equal(
			rig->worker[1]->stats.handoff_out[HANDOFF_RX] - before, worker == 0);
	}
	expect_drops(DROP_NONE, 0);
}

static void fragments_meet(void **state)
{
	struct spec s = spec_udp();
	unsigned worker[3];

	s.payload_len = 24;
	for (unsigned i = 0; i < 60; i++) {
		s.src = HOST_A + i;
		for (unsigned k = 0; k < 3; k++) {
			s.frag = (uint16_t)((k < 2 ? FRAG_MF : 0) | k * 4);
			s.raw = k > 0;
			assert_true(handled_by(s, &worker[k]));
		}
		assert_true(worker[0] == worker[1] && worker[1] == worker[2]);
	}
}

static void order_within_a_flow(void **state)
{
	uint16_t next[16] = {0};
	struct frame f, got;
	unsigned n = 0;

	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 400; i++) {
			unsigned k = i * 7 % 16;
			struct spec s = flow(k);

			s.id = (uint16_t)(round * 25 + i / 16);
			s.payload_len = i % 300;
			frame_make(&f, &s);
			rig_put(LAN, &f);
		}
		if (round % 2)
			rig_walk();
		else
			rig_run();
	}
	rig_run();
	for (; rig_take(WAN, &got); n++) {
		unsigned k = (unsigned)(got.b[34] << 8 | got.b[35]) - 1000;

		assert_in_range(k, 0, 15);
		assert_int_equal(got.b[18] << 8 | got.b[19], next[k]++);
	}
	assert_int_equal(n, 2000);
	expect_drops(DROP_NONE, 0);
}

static void bytes_after_handoff(void **state)
{
	struct frame f;

	for (unsigned i = 0; i < 20; i++) {
		struct spec s = flow(i);

		s.pad_to = 70;
		frame_make(&f, &s);
		expect_routed(LAN, &f, WAN, HOST_B, 0);
		s.dst = HOST_V10;
		frame_make(&f, &s);
		expect_routed(LAN, &f, DMZ, HOST_V10, 10);
	}
	assert_int_equal(rig->worker[1]->stats.sent, 0); /* it owns no queue */
	assert_true(rig->worker[1]->stats.handoff_out[HANDOFF_TX] > 0);
}

/* Neighbours resolve for whichever worker's packets wait. */
static void neighbours_of_both(void **state)
{
	uint32_t host = IP(192, 0, 2, 60);
	struct arp_spec a = {.l2 = {port_mac(WAN), host_mac(host), 0, 0},
		.op = 2,
		.sha = host_mac(host),
		.tha = port_mac(WAN),
		.spa = host,
		.tpa = WAN_ADDR};
	struct frame f;

	for (unsigned i = 0; i < 16; i++) {
		struct spec s = flow(i);

		s.dst = host;
		frame_make(&f, &s);
		rig_put(LAN, &f);
	}
	rig_run();
	assert_true(rig->worker[0]->stats.neigh_waiting > 0);
	assert_true(rig->worker[1]->stats.neigh_waiting > 0);
	control_tick(rig);
	rig_run();
	assert_int_equal(rig_discard(), 1); /* one request */
	frame_arp(&f, &a);
	rig_put(WAN, &f);
	rig_run();
	control_tick(rig);
	rig_run();
	assert_int_equal(rig_discard(), 16);
	expect_drops(DROP_NONE, 0);
}

/* All sources at once: the walk takes no more than its nodes hold. */
static void a_walk_is_bounded(void **state)
{
	struct frame f;
	unsigned most = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct spec s = flow(i);

		frame_make(&f, &s);
		rig_put(LAN, &f);
		s = spec_from_wan(s);
		frame_make(&f, &s);
		rig_put(WAN, &f);
	}
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned w = 0; w < 2; w++) {
			unsigned n = worker_walk(rig->worker[w]);

			most = RTE_MAX(most, n);
			assert_in_range(n, 0, WALK_PACKETS_MAX);
		}
	}
	assert_int_equal(most, WALK_PACKETS_MAX);
	rig_run();
	assert_int_equal(rig_discard(), 2000);
	expect_drops(DROP_NONE, 0);
}

/* A worker that does not keep up: what does not fit into its ring is dropped, and counted. */
static void full_handoff_ring(void **state)
{
	struct frame f;
	uint64_t dropped;

	/* worker 1 does not walk */
	for (unsigned i = 0; i < 6; i++) {
		for (unsigned k = 0; k < 1000; k++) {
			struct spec s = flow(k);

			frame_make(&f, &s);
			rig_put(LAN, &f);
		}
		for (unsigned k = 0; k < 20; k++)
			worker_walk(rig->worker[0]);
		rig_discard();
	}
	dropped = rig_dropped(DROP_HANDOFF_FULL);
	assert_true(dropped > 0);
	assert_int_equal(RIG_STAT(handoff_out[HANDOFF_RX]), 2047);
	rig_run();
	rig_discard();
	expect_drops(DROP_HANDOFF_FULL, dropped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flow_has_one_worker),
		TEST(both_directions_meet),
		TEST(fragments_meet),
		TEST(order_within_a_flow),
		TEST(bytes_after_handoff),
		TEST(neighbours_of_both),
		TEST(a_walk_is_bounded),
		TEST(full_handoff_ring),
	};
	int ret;

	rig_up(&(struct rig_text){.system = "workers = 2; burst-packets = 256;"}, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
