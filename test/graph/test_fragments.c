/* Fragments through the graph, both families: put together where they are for this box, cut on the
 * way out, each packet accounted for. What lib/frag does with them in detail is in
 * test/unit/frag.
 */
#include "harness.h"

#include "dp/node/nodes.h"

#include <string.h>

#define FRAMES_MAX 64
#define BIG 6000 /* bytes of a ping */

static const struct rig_text world = {
	.interfaces = RIG6_INTERFACES,
	.rest = "ip4 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };"
		"ip6 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };",
};

static uint8_t data[9000];
static struct frame cut[FRAMES_MAX], want[FRAMES_MAX];

static struct spec ping(void)
{
	struct spec s = spec_echo();

	s.dst = LAN_ADDR;
	s.payload = data;
	s.payload_len = BIG;
	return s;
}

static struct spec6 ping6(void)
{
	struct spec6 s = spec6_echo();

	s.dst = ip6_of(LAN6);
	s.payload = data;
	s.payload_len = BIG;
	return s;
}

static void put_all(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rig_put(LAN, &cut[i]);
	rig_run();
}

/* The reply to the ping s, in fragments for the MTU. */
static void expect_reply(const struct spec *s, unsigned mtu)
{
	struct l2 l2 = l2_to(HOST_A, LAN, 0);
	struct frame in, reply;
	unsigned n;

	frame_make(&in, s);
	frame_echo_reply(&reply, &in, 64, &l2);
	n = frame_cut(want, FRAMES_MAX, &reply, mtu);
	for (unsigned i = 0; i < n; i++)
		expect_frame(LAN, &want[i]);
	expect_nothing();
}

/* The same of IPv6. The identification of the fragments is anything but 0, and the same in all. */
static void expect_reply6(const struct spec6 *s, unsigned mtu)
{
	struct l2 l2 = l2_to6(HOST_A6, LAN, 0);
	struct ip6 from = ip6_of(LAN6);
	struct frame in, reply, got;
	unsigned n;

	frame6_make(&in, s);
	frame6_echo_reply(&reply, &in, s->ext_len, &from, 64, &l2);
	assert_true(rig_take(LAN, &got));
	n = frame6_cut(want, FRAMES_MAX, &reply, mtu,
		(uint32_t)got.b[58] << 24 | (uint32_t)got.b[59] << 16 | (uint32_t)got.b[60] << 8 |
			got.b[61]);
	assert_true(frame_same(&got, &want[0], "first fragment"));
	for (unsigned i = 1; i < n; i++)
		expect_frame(LAN, &want[i]);
	expect_nothing();
}

/* RFC 791 section 3.2: a ping in fragments is answered, in fragments; RFC 815's any order. */
static void ping_in_fragments(void **state)
{
	struct spec s = ping();
	struct frame f, swap;
	unsigned n;

	frame_make(&f, &s);
	n = frame_cut(cut, FRAMES_MAX, &f, 1500);
	assert_int_equal(n, 5);
	put_all(n);
	expect_reply(&s, 1500);
	assert_int_equal(RIG_STAT(received), 5);
	assert_int_equal(RIG_STAT(absorbed), 4);
	assert_int_equal(RIG_STAT(created), 4);
	assert_int_equal(RIG_STAT(sent), 5);
	assert_int_equal(RIG_STAT(packets_cut), 1);
	expect_drops(DROP_NONE, 0);
	/* backwards, and of other sizes than those of the answer */
	n = frame_cut(cut, FRAMES_MAX, &f, 588);
	for (unsigned i = 0; i < n / 2; i++) {
		swap = cut[i];
		cut[i] = cut[n - 1 - i];
		cut[n - 1 - i] = swap;
	}
	put_all(n);
	expect_reply(&s, 1500);
	expect_drops(DROP_NONE, 0);
	/* one that fits in a frame, and what is not sent back */
	s.payload_len = 1000;
	s.options = "\x94\x04\x00\x00\x01\x01\x01\x00";
	s.options_len = 8;
	frame_make(&f, &s);
	put_all(frame_cut(cut, FRAMES_MAX, &f, 600));
	s.options_len = 0;
	expect_reply(&s, 1500);
	expect_drops(DROP_NONE, 0);
}

/* RFC 8200 section 4.5 */
static void ping6_in_fragments(void **state)
{
	struct spec6 s = ping6();
	struct frame f;
	unsigned n;

	frame6_make(&f, &s);
	n = frame6_cut(cut, FRAMES_MAX, &f, 1280, 7);
	put_all(n);
	expect_reply6(&s, 1500);
	assert_int_equal(RIG_STAT(received), n);
	assert_int_equal(RIG_STAT(absorbed), n - 1);
	expect_drops(DROP_NONE, 0);
	put_all(n);
	expect_reply6(&s, 1500);
	expect_drops(DROP_NONE, 0);
}

/* 45 fragments and more: the largest ping there is (RFC 791: 65,535 bytes), in 1,480 and in fewer
 * bytes each. Only the last of a frame's worth is looked at, since no frame holds the whole. */
static void the_largest(void **state)
{
	static const unsigned room[] = {1480, 1080};

	for (unsigned k = 0; k < 2; k++) {
		unsigned total = 65535 - 20, n = 0;

		for (unsigned at = 0; at < total; at += room[k], n++) {
			struct spec s = ping();

			s.raw = true;
			s.payload = data;
			s.payload_len = at + room[k] < total ? room[k] : total - at;
			s.frag = (uint16_t)(at / 8 | (at + room[k] < total ? FRAG_MF : 0));
			memset(data, 0, sizeof(data));
			if (at == 0) {
				memcpy(data, "\x8\0\xf7\xff", 4); /* the rest is zeros */
			}
			frame_make(&cut[n % FRAMES_MAX], &s);
			rig_put(LAN, &cut[n % FRAMES_MAX]);
		}
		assert_true(n == 45 || n == 61);
		rig_run();
		assert_int_equal(RIG_STAT(absorbed), n - 1);
		assert_int_equal(rig_discard(), 45);
		expect_drops(DROP_NONE, 0);
	}
}

/* The filter sees fragments as they were received: a later one that no rule permits never gets as
 * far as the reassembly. */
static void the_filter_comes_first(void **state)
{
	static const struct rig_text headers = {.interfaces = RIG6_INTERFACES,
		.rules = "{ action = \"permit\"; fragments = \"headers\"; }"};
	struct spec s = ping();
	struct frame f;
	unsigned n;

	frame_make(&f, &s);
	n = frame_cut(cut, FRAMES_MAX, &f, 1500);
	rig_reload(&headers);
	put_all(n);
	expect_nothing();
	assert_int_equal(RIG_STAT(frag_waiting), 1);
	expect_drops(DROP_FILTER_IN_IMPLICIT, n - 1);
	rig_reload(&world);
	put_all(n); /* the first one is there already */
	expect_reply(&s, 1500);
	expect_drops(DROP_FRAG_DUPLICATE, 1);
}

/* Nothing is put together for others; broadcasts are nobody's. */
static void only_for_us(void **state)
{
	struct spec s = ping();
	struct frame f;

	s.dst = HOST_B;
	frame_make(&f, &s);
	for (unsigned i = 0, n = frame_cut(cut, FRAMES_MAX, &f, 1500); i < n; i++)
		expect_routed(LAN, &cut[i], WAN, HOST_B, 0);
	s.dst = IP(10, 1, 255, 255);
	memset(s.dst_mac.b, 255, 6);
	frame_make(&f, &s);
	put_all(frame_cut(cut, FRAMES_MAX, &f, 1500));
	assert_int_equal(RIG_STAT(frag_waiting), 0);
	expect_drops(DROP_IP4_BROADCAST, 5);
}

/* What is not echo is answered as any packet: the error quotes the datagram, up to 576 bytes in
 * all, wherever the fragments' ends lie. */
static void errors_about_datagrams(void **state)
{
	struct l2 l2 = l2_to(HOST_A, LAN, 0), l26 = l2_to6(HOST_A6, LAN, 0);
	struct icmp_error e = {.type = 3, .code = 3, .from = LAN_ADDR, .ttl = 64};
	struct icmp6_error e6 = {.type = 1, .code = 4, .from = ip6_of(LAN6), .hop_limit = 64};
	struct spec s = spec_udp();
	struct spec6 s6 = spec6_udp();
	struct frame f, error;

	s.dst = LAN_ADDR;
	s.payload = data;
	s.payload_len = BIG;
	frame_make(&f, &s);
	put_all(frame_cut(cut, FRAMES_MAX, &f, 200));
	e.id = (uint16_t)(rig->worker[0]->ip_id - 1);
	frame_icmp_error(&error, &f, &e, &l2);
	expect_frame(LAN, &error);
	expect_drops(DROP_LOCAL_NO_PORT, 1);
	s6.dst = ip6_of(LAN6);
	s6.payload = data;
	s6.payload_len = BIG;
	frame6_make(&f, &s6);
	put_all(frame6_cut(cut, FRAMES_MAX, &f, 600, 9));
	frame6_icmp_error(&error, &f, &e6, &l26);
	expect_frame(LAN, &error);
	expect_drops(DROP_LOCAL_NO_PORT, 1);
}

static void make_old(void)
{
	struct frag_limits now_due = {.per_source = 64, .fragments = 64, .timeout_tsc = 0};

	frag_set_limits(reassembly_table(rig->worker[0]), &now_due);
	rig_run();
	rig_reload(&world); /* the limits as configured */
}

/* RFC 792, RFC 8200 section 4.5: time exceeded, code 1, when the first fragment came; silence when
 * it did not. */
static void timeouts(void **state)
{
	struct l2 l2 = l2_to(HOST_A, LAN, 0), l26 = l2_to6(HOST_A6, LAN, 0);
	struct icmp_error e = {.type = 11, .code = 1, .from = LAN_ADDR, .ttl = 64};
	struct icmp6_error e6 = {.type = 3, .code = 1, .from = ip6_of(LAN6), .hop_limit = 64};
	struct spec s = ping();
	struct spec6 s6 = ping6();
	struct frame f, error;
	unsigned n;

	frame_make(&f, &s);
	n = frame_cut(cut, FRAMES_MAX, &f, 1500);
	put_all(n - 1);
	expect_nothing();
	assert_int_equal(RIG_STAT(frag_waiting), n - 1);
	make_old();
	assert_int_equal(rig->worker[0]->stats.frag_waiting, 0);
	e.id = (uint16_t)(rig->worker[0]->ip_id - 1);
	frame_icmp_error(&error, &cut[0], &e, &l2);
	expect_frame(LAN, &error);
	expect_nothing();
	expect_drops(DROP_FRAG_TIMEOUT, n - 1);
	/* without the first */
	cut[0] = cut[n - 1];
	put_all(n - 1);
	make_old();
	expect_nothing();
	expect_drops(DROP_FRAG_TIMEOUT, n - 1);

	frame6_make(&f, &s6);
	n = frame6_cut(cut, FRAMES_MAX, &f, 1500, 1);
	put_all(n - 1);
	make_old();
	frame6_icmp_error(&error, &cut[0], &e6, &l26);
	expect_frame(LAN, &error);
	expect_nothing();
	expect_drops(DROP_FRAG_TIMEOUT, n - 1);
}

/* More time-outs at once than a walk may tell about: every packet is accounted for. */
static void many_timeouts(void **state)
{
	struct spec s = ping();
	struct frame f;

	s.payload_len = 1000;
	for (unsigned i = 0; i < 200; i++) {
		s.src = IP(10, 1, 1, 0) + i;
		s.id = (uint16_t)i;
		frame_make(&f, &s);
		frame_cut(cut, FRAMES_MAX, &f, 600);
		rig_put(LAN, &cut[0]);
	}
	rig_run();
	assert_int_equal(RIG_STAT(frag_waiting), 200);
	make_old();
	assert_int_equal(rig->worker[0]->stats.frag_waiting, 0);
	expect_drops(DROP_FRAG_TIMEOUT, 200);
	rig_discard();
	control_tick(rig); /* nobody answers for those hosts; the errors wait for them */
}

/* RFC 8200 section 4.5: parameter problem, code 0, pointing at the payload length or the offset. */
static void parameter_problems(void **state)
{
	struct l2 l26 = l2_to6(HOST_A6, LAN, 0);
	struct icmp6_error e6 = {.type = 4, .data = 4, .from = ip6_of(LAN6), .hop_limit = 64};
	struct spec6 s = ping6();
	struct frame f, error;

	s.payload_len = 61;
	s.ext_kind = 44;
	s.ext_len = 8;
	s.ext = "\x3a\0\0\1\0\0\0\7";
	frame6_make(&f, &s);
	rig_put(LAN, &f);
	rig_run();
	frame6_icmp_error(&error, &f, &e6, &l26);
	expect_frame(LAN, &error);
	expect_drops(DROP_IP6_FRAGMENT_INVALID, 1);
	s.proto = 17;
	s.raw = true;
	s.ext = "\x11\0\xff\xf8\0\0\0\7";
	frame6_make(&f, &s);
	rig_put(LAN, &f);
	rig_run();
	e6.data = 42;
	frame6_icmp_error(&error, &f, &e6, &l26);
	expect_frame(LAN, &error);
	expect_drops(DROP_IP6_FRAGMENT_INVALID, 1);
}

/* RFC 7112 section 5, RFC 8200 section 4.5: a first fragment without all headers is answered with
 * code 3, where the filter permits the packet as far as it can be seen. */
static void tiny_for_us(void **state)
{
	struct l2 l26 = l2_to6(HOST_A6, LAN, 0);
	struct icmp6_error e6 = {.type = 4, .code = 3, .from = ip6_of(LAN6), .hop_limit = 64};
	static const struct {
		uint8_t proto;
		unsigned ext_len, payload_len;
		const char *ext;
	} t[] = {
		{6, 8, 8, "\6\0\0\1\0\0\0\7"},
		{6, 8, 16, "\6\0\0\1\0\0\0\7"},
		{17, 8, 0, "\x11\0\0\1\0\0\0\7"},
		/* destination options that go on in the second */
		{6, 16, 0, "\x3c\0\0\1\0\0\0\7\6\1\1\4\0\0\0\0"},
		{6, 8, 0, "\x3c\0\0\1\0\0\0\7"},
	};
	struct rig_text text = world;
	struct spec6 s = spec6_udp();
	static struct frame f, error;

	s.dst = ip6_of(LAN6);
	s.raw = true;
	s.ext_kind = 44;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		s.proto = t[i].proto;
		s.ext = t[i].ext;
		s.ext_len = t[i].ext_len;
		s.payload_len = t[i].payload_len;
		frame6_make(&f, &s);
		rig_put(LAN, &f);
		rig_run();
		frame6_icmp_error(&error, &f, &e6, &l26);
		expect_frame(LAN, &error);
		expect_nothing();
		expect_drops(DROP_IP6_TINY_FRAGMENT, 1);
	}
	/* what it hides could be an ICMPv6 error */
	s.proto = 58;
	s.ext = "\x3a\0\0\1\0\0\0\7";
	s.ext_len = 8;
	frame6_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IP6_TINY_FRAGMENT);
	s.proto = 6;
	s.ext = "\6\0\0\1\0\0\0\7";
	frame6_make(&f, &s);
	text.rules = "{ action = \"permit\"; proto = \"tcp\"; dport = \"eq 80\"; }";
	rig_reload(&text);
	rig_mark();
	expect_drop_of(LAN, &f, DROP_FILTER_IN_IMPLICIT);
	rig_reload(&world);
}

/* RFC 5722: one overlap and the datagram is gone, with what still comes. */
static void overlaps(void **state)
{
	struct spec s = ping();
	struct frame f, g;
	unsigned n;

	frame_make(&f, &s);
	n = frame_cut(cut, FRAMES_MAX, &f, 1500);
	g = cut[1];
	g.b[14 + 7] = (uint8_t)(g.b[14 + 7] - 1); /* 8 bytes earlier */
	frame_fix_ip(&g, 14);
	rig_put(LAN, &cut[0]);
	rig_put(LAN, &g);
	rig_put(LAN, &cut[1]);
	rig_run();
	expect_drops(DROP_FRAG_OVERLAP, 3);
	put_all(n);
	expect_nothing();
	expect_drops(DROP_FRAG_OVERLAP, n);
	make_old();
}

/* --- on the way out */

static const struct rig_text narrow = {
	.interfaces =
		"{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; addresses = "
		"[\"10.1.0.1/16\"]; },"
		"{ name = \"wan\"; port = \"p1\"; mtu = 600; addresses = [\"192.0.2.1/24\"]; },"
		"{ name = \"dmz\"; port = \"p2\"; addresses = [\"172.16.0.1/24\"]; }",
};

/* Routed, and in fragments for the MTU of 600. */
static void expect_cut(const struct spec *s)
{
	struct l2 l2 = l2_to(HOST_B, WAN, 0);
	struct frame f, routed;
	unsigned n;

	frame_make(&f, s);
	frame_routed(&routed, &f, &l2);
	n = frame_cut(want, FRAMES_MAX, &routed, 600);
	assert_in_range(n, 2, FRAMES_MAX);
	rig_put(LAN, &f);
	rig_run();
	for (unsigned i = 0; i < n; i++)
		expect_frame(WAN, &want[i]);
	expect_nothing();
	assert_int_equal(RIG_STAT(created), n - 1);
	expect_drops(DROP_NONE, 0);
}

/* RFC 791 section 3.2: fragmentation, a fragment cut again, options that are copied and that are
 * not. */
static void cutting(void **state)
{
	struct spec s = spec_udp();

	rig_reload(&narrow);
	s.payload = data;
	for (s.payload_len = 600 - 28 + 1; s.payload_len < 600 - 28 + 20; s.payload_len++)
		expect_cut(&s);
	for (s.payload_len = 1140; s.payload_len < 1160; s.payload_len++)
		expect_cut(&s);
	s.payload_len = 1472;
	expect_cut(&s);
	s.frag = FRAG_MF; /* the first of more */
	s.payload_len = 1472;
	expect_cut(&s);
	s.raw = true;
	s.frag = FRAG_MF | 100;
	expect_cut(&s);
	s.frag = 100;
	s.payload_len = 1471;
	expect_cut(&s);
	s.frag = 0;
	s.raw = false;
	/* router alert is copied, record route is not, the security option (130) is; no-ops vanish
	 */
	s.options = "\x07\x07\x04\0\0\0\0\x01\x94\x04\0\0\x01\x82\x03\x11";
	s.options_len = 16;
	s.payload_len = 1400;
	expect_cut(&s);
	rig_reload(&world);
}

/* Small packets behind a large one of the same flow do not overtake its fragments. */
static void order_holds(void **state)
{
	struct l2 l2 = l2_to(HOST_B, WAN, 0);
	struct spec s = spec_udp();
	struct frame f, routed;
	unsigned total = 0, n;

	rig_reload(&narrow);
	s.payload = data;
	for (unsigned i = 0; i < 12; i++) {
		s.payload_len = i % 3 == 1 ? 1400 : 20 + i;
		s.id = (uint16_t)i;
		frame_make(&f, &s);
		rig_put(LAN, &f);
		frame_routed(&routed, &f, &l2);
		n = frame_cut(want + total, FRAMES_MAX - total, &routed, 600);
		total += n;
	}
	rig_walk();
	for (unsigned i = 0; i < total; i++)
		expect_frame(WAN, &want[i]);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
	rig_reload(&world);
}

/* A burst of large ones: more fragments than packets of a walk, all of them sent, no stream grows;
 * and no buffers: the packet is dropped with that reason. */
static void many(void **state)
{
	struct spec s = spec_udp();
	struct rte_mbuf *hog[8191];
	struct frame f;
	unsigned n = 0;

	rig_reload(&narrow);
	s.payload = data;
	s.payload_len = 1472;
	frame_make(&f, &s);
	for (unsigned i = 0; i < 256; i++)
		rig_put(LAN, &f);
	rig_run();
	assert_int_equal(RIG_STAT(created), 512);
	assert_int_equal(rig_discard(), 768);
	expect_drops(DROP_NONE, 0);
	rig_put(LAN, &f);
	while (n < RTE_DIM(hog) && (hog[n] = rte_pktmbuf_alloc(rig->pool)) != NULL)
		n++;
	rig_run();
	expect_nothing();
	expect_drops(DROP_FRAG_NO_BUFFER, 1);
	rte_pktmbuf_free_bulk(hog, n);
	rig_reload(&world);
}

/* A large packet of ours waits for its neighbour as one. */
static void waits_whole(void **state)
{
	struct spec s = ping();
	struct frame f;

	s.src = IP(10, 1, 0, 99);
	frame_make(&f, &s);
	put_all(frame_cut(cut, FRAMES_MAX, &f, 1500));
	expect_nothing();
	assert_int_equal(RIG_STAT(neigh_waiting), 1);
	assert_int_equal(RIG_STAT(absorbed), 4);
	neigh_wait_settle(rig->worker[0]->neigh_wait, ports_find(rig->tables->ports, "lan")->id,
		&(struct addr){.b = {[10] = 0xff, [11] = 0xff, [12] = 10, 1, 0, 99}}, NEIGH_SILENT);
	rig_run();
	expect_drops(DROP_NEIGH_FAILED, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ping_in_fragments),
		TEST(ping6_in_fragments),
		TEST(the_largest),
		TEST(the_filter_comes_first),
		TEST(only_for_us),
		TEST(errors_about_datagrams),
		TEST(timeouts),
		TEST(many_timeouts),
		TEST(parameter_problems),
		TEST(tiny_for_us),
		TEST(overlaps),
		TEST(cutting),
		TEST(order_holds),
		TEST(many),
		TEST(waits_whole),
	};
	int failed;

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	rig_up(&world, 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return failed;
}
