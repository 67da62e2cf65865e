/* Four workers, each with a receive and a transmit queue of every port: packets stay with the
 * worker whose queue they came by, but fragments go to the one that their addresses name; and
 * neighbours that packets of all four wait for.
 */
#include "harness.h"

#include "dp/spread_hash.h"

#include <stdlib.h>
#include <string.h>

#define WORKERS 4

static uint64_t sent[WORKERS];

static void note_sent(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		sent[i] = rig->worker[i]->stats.sent;
}

/* The worker that has sent so many frames since, and nobody else any. */
static unsigned sender(uint64_t n)
{
	unsigned who = WORKERS;

	for (unsigned i = 0; i < WORKERS; i++) {
		uint64_t by_it = rig->worker[i]->stats.sent - sent[i];

		if (by_it == 0)
			continue;
		assert_int_equal(who, WORKERS);
		assert_int_equal(by_it, n);
		who = i;
	}
	assert_in_range(who, 0, WORKERS - 1);
	return who;
}

static void whole_packets_stay(void **state)
{
	struct spec6 s6 = spec6_udp();
	struct spec s = spec_udp();
	struct frame f;

	for (unsigned i = 0; i < 40; i++) {
		s.sport = s6.sport = (uint16_t)(1000 + i);
		for (unsigned queue = 0; queue < WORKERS; queue++) {
			frame_make(&f, &s);
			if (i % 2)
				frame6_make(&f, &s6);
			note_sent();
			rig_put_queue(LAN, queue, &f);
			rig_run();
			assert_int_equal(rig_discard(), 1);
			assert_int_equal(sender(1), queue);
		}
	}
	assert_int_equal(RIG_STAT(handoff_out[HANDOFF_RX]), 0);
	assert_int_equal(RIG_STAT(handoff_out[HANDOFF_TX]), 0);
	expect_drops(DROP_NONE, 0);
}

/* Piece k of three, of 24 bytes each. */
static void piece4(struct frame *f, unsigned k, uint32_t src, uint16_t outer_type)
{
	struct spec s = spec_udp();

	s.src = src;
	s.payload_len = 24;
	s.frag = (uint16_t)((k < 2 ? FRAG_MF : 0) | k * 4);
	s.raw = k > 0;
	s.outer_type = outer_type;
	frame_make(f, &s);
}

static void piece6(struct frame *f, unsigned k, unsigned host)
{
	uint8_t frag[8] = {17, 0, 0, (uint8_t)(k * 32 | (k < 2)), 1, 2, 3, 4};
	struct spec6 s = spec6_udp();

	s.src.b[15] = (uint8_t)host;
	s.src.b[14] = 9;
	s.ext = frag;
	s.ext_len = sizeof(frag);
	s.ext_kind = 44;
	s.payload_len = k ? 32 : 24;
	s.raw = k > 0;
	frame6_make(f, &s);
}

static void expect_one_worker(const struct frame piece[3], unsigned *used)
{
	static const uint8_t orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}};
	unsigned want = spread_worker(spread_hash(piece[0].b, piece[0].len), WORKERS);

	for (unsigned o = 0; o < RTE_DIM(orders); o++) {
		for (unsigned q = 0; q < WORKERS; q++) {
			note_sent();
			for (unsigned k = 0; k < 3; k++) /* each by another queue */
				rig_put_queue(LAN, (q + k) % WORKERS, &piece[orders[o][k]]);
			rig_run();
			assert_int_equal(rig_discard(), 3);
			assert_int_equal(sender(3), want);
		}
	}
	used[want]++;
}

/* All fragments of a datagram, of both families, whatever queue each came by. RFC 791 section 3.2;
 * RFC 8200 section 4.5. */
static void fragments_meet(void **state)
{
	unsigned used[WORKERS] = {0};
	struct frame piece[3];

	for (unsigned i = 0; i < 30; i++) {
		for (unsigned k = 0; k < 3; k++)
			piece4(&piece[k], k, HOST_A + i, 0);
		expect_one_worker(piece, used);
		for (unsigned k = 0; k < 3; k++)
			piece6(&piece[k], k, i);
		expect_one_worker(piece, used);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		assert_true(used[i] > 0);
	expect_drops(DROP_NONE, 0);
}

/* The frame that is handed over is the one that came: tags and all, but for padding. */
static void fragments_behind_tags(void **state)
{
	struct l2 l2 = l2_to(HOST_B, WAN, 0);
	struct frame f, want;

	for (unsigned i = 0; i < 20; i++) {
		for (unsigned k = 0; k < 3; k++) {
			piece4(&f, k, HOST_A + i, k == 1 ? 0x88a8 : 0);
			if (k == 2)
				f.b[f.len++] = 0xee;
			frame_routed(&want, &f, &l2);
			rig_put_queue(LAN, k, &f);
			rig_run();
			expect_frame(WAN, &want);
		}
	}
	assert_true(RIG_STAT(handoff_out[HANDOFF_RX]) > 0);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* Fragments that came by one queue keep their order on the way over the ring. */
static void fragments_keep_their_order(void **state)
{
	struct frame f, got;
	unsigned n = 0;

	for (unsigned i = 0; i < 200; i++) {
		struct spec s = spec_udp();

		s.id = (uint16_t)i;
		s.frag = (uint16_t)(FRAG_MF | (i % 50 * 3));
		s.raw = true;
		s.payload_len = 24;
		frame_make(&f, &s);
		rig_put_queue(LAN, 3, &f);
		if (rand() % 8 == 0)
			worker_walk(rig->worker[rand() % WORKERS]);
	}
	rig_run();
	for (; rig_take(WAN, &got); n++)
		assert_int_equal(got.b[18] << 8 | got.b[19], n);
	assert_int_equal(n, 200);
	expect_drops(DROP_NONE, 0);
}

static void full_ring_of_fragments(void **state)
{
	struct frame f;
	unsigned to, from;
	uint64_t dropped;

	piece4(&f, 0, HOST_A, 0);
	to = spread_worker(spread_hash(f.b, f.len), WORKERS);
	from = (to + 1) % WORKERS; /* queue i of LAN is worker i's */
	for (unsigned i = 0; i < 3000; i++) {
		rig_put_queue(LAN, from, &f);
		worker_walk(rig->worker[from]); /* the other one does not */
	}
	dropped = rig_dropped(DROP_HANDOFF_FULL);
	assert_int_equal(dropped, 3000 - 2047);
	assert_int_equal(RIG_STAT(handoff_out[HANDOFF_RX]), 2047);
	for (unsigned i = 0; i < 20; i++) {
		rig_run();
		rig_discard();
	}
	expect_drops(DROP_HANDOFF_FULL, dropped);
}

/* --- neighbours */

static void answer(uint32_t host)
{
	struct arp_spec a = {.l2 = {.dst = port_mac(WAN), .src = host_mac(host)},
		.op = 2,
		.sha = host_mac(host),
		.tha = port_mac(WAN),
		.spa = host,
		.tpa = WAN_ADDR};
	struct frame f;

	frame_arp(&f, &a);
	rig_put_queue(WAN, (unsigned)rand() % WORKERS, &f);
	rig_run();
	control_tick(rig);
	rig_run();
}

/* Packets i of n to the host, a flow per worker, by the queues of all four. */
static void send_to(uint32_t host, unsigned from, unsigned n)
{
	struct frame f;

	for (unsigned i = from; i < from + n; i++) {
		struct spec s = spec_udp();

		s.dst = host;
		s.sport = (uint16_t)(1000 + i % WORKERS);
		s.id = (uint16_t)(i / WORKERS);
		frame_make(&f, &s);
		rig_put_queue(LAN, i % WORKERS, &f);
	}
}

/* So many of each flow, in order, without a gap; others: of flows that send_to does not make. */
static void expect_flows_of(const unsigned each[WORKERS], unsigned others)
{
	unsigned next[WORKERS] = {0}, n = 0;
	struct frame got;

	while (rig_take(WAN, &got)) {
		unsigned k = (unsigned)(got.b[34] << 8 | got.b[35]) - 1000;

		if (k >= WORKERS)
			n++;
		else
			assert_int_equal(got.b[18] << 8 | got.b[19], next[k]++);
	}
	for (unsigned k = 0; k < WORKERS; k++)
		assert_int_equal(next[k], each[k]);
	assert_int_equal(n, others);
}

static void expect_flows(unsigned n)
{
	const unsigned each[WORKERS] = {n, n, n, n};

	expect_flows_of(each, 0);
}

/* All four wait, one request is sent, and the answer lets all of them go; who comes meanwhile does
 * not overtake. */
static void one_request_for_all(void **state)
{
	uint32_t host = IP(192, 0, 2, 70);
	struct frame f;

	send_to(host, 0, 4 * 5);
	rig_run();
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(rig->worker[i]->stats.neigh_waiting, 5);
	control_tick(rig);
	rig_run();
	assert_true(rig_take(WAN, &f));
	assert_int_equal(f.b[12] << 8 | f.b[13], 0x0806);
	expect_nothing();
	send_to(host, 20, 4 * 3); /* lie in the queues when the answer comes */
	answer(host);
	expect_flows(8);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* arp.queue is for a neighbour and a worker: one worker's flood takes nothing from the others. */
static void each_has_its_queue(void **state)
{
	static const unsigned each[WORKERS] = {8, 8, 0, 8};
	uint32_t host = IP(192, 0, 2, 71);
	struct frame f;

	send_to(host, 0, 4 * 8);
	rig_run();
	for (unsigned i = 0; i < 20; i++) {
		struct spec s = spec_udp();

		s.dst = host;
		frame_make(&f, &s);
		rig_put_queue(LAN, 2, &f);
	}
	rig_run();
	assert_int_equal(rig_dropped(DROP_NEIGH_QUEUE_FULL), 20);
	control_tick(rig);
	rig_run();
	rig_discard(); /* the request */
	answer(host);
	expect_flows_of(each, 8);
	expect_drops(DROP_NEIGH_QUEUE_FULL, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whole_packets_stay),
		TEST(fragments_meet),
		TEST(fragments_behind_tags),
		TEST(fragments_keep_their_order),
		TEST(full_ring_of_fragments),
		TEST(one_request_for_all),
		TEST(each_has_its_queue),
	};
	int ret;

	srand(1);
	rig_up(&(struct rig_text){.system = "workers = 4;",
		       .interfaces = RIG6_INTERFACES,
		       .rest = "arp = { queue = 8; };",
		       .rx_rings = WORKERS},
		WORKERS);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
