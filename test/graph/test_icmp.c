/* What the box says itself: ICMP errors and echo replies, byte for byte; and when it must keep
 * silent (RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 4.3).
 */
#include "harness.h"

#include <string.h>

#define ROUTES                                                   \
	"{ to = \"198.51.100.0/24\"; type = \"unreachable\"; }," \
	"{ to = \"203.0.113.0/24\"; type = \"prohibit\"; },"     \
	"{ to = \"172.20.0.0/16\"; via = \"192.0.2.254\"; }"

static const struct rig_text world = {
	.interfaces =
		"{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; addresses = "
		"[\"10.1.0.1/16\"]; },"
		"{ name = \"wan\"; port = \"p1\"; mtu = 1000; addresses = [\"192.0.2.1/24\"]; },"
		"{ name = \"dmz\"; port = \"p2\"; addresses = [\"172.16.0.1/24\"];"
		"  directed-broadcast = true; },"
		"{ name = \"v10\"; port = \"p2\"; vlan = 10; addresses = [\"10.10.0.1/24\"]; }",
	.routes = ROUTES,
	.rest = "ip4 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };",
};

/* The packet is dropped for that reason, and its sender on LAN told by this error. */
#define expect_error(s, reason, ...) \
	check_error(s, reason, (struct icmp_error){__VA_ARGS__}, __FILE__, __LINE__)
static void check_error(
	struct spec s, enum drop_reason reason, struct icmp_error e, const char *file, int line)
{
	static struct frame in, want;
	struct l2 l2 = l2_to(HOST_A, LAN, 0);

	frame_make(&in, &s);
	e.from = LAN_ADDR;
	e.ttl = 64;
	e.id = rig->worker[0]->ip_id;
	frame_icmp_error(&want, &in, &e, &l2);
	rig_put(LAN, &in);
	rig_run();
	rig_expect_frame(LAN, &want, file, line);
	rig_expect_nothing(file, line);
	assert_int_equal(RIG_STAT(created), 1);
	assert_int_equal(RIG_STAT(icmp_errors_sent), 1);
	assert_int_equal(RIG_STAT(exempt), 1);
	rig_expect_drops(reason, 1, file, line);
}

/* Dropped for that reason, and nobody is told. */
#define expect_silence(s, reason) check_silence(s, reason, __FILE__, __LINE__)
static void check_silence(struct spec s, enum drop_reason reason, const char *file, int line)
{
	static struct frame in;

	frame_make(&in, &s);
	rig_put(LAN, &in);
	rig_run();
	rig_expect_nothing(file, line);
	assert_int_equal(RIG_STAT(created), 0);
	assert_int_equal(RIG_STAT(icmp_errors_limited), 1);
	rig_expect_drops(reason, 1, file, line);
}

static void time_exceeded(void **state)
{
	struct spec s[] = {spec_udp(), spec_tcp(), spec_echo()};

	for (unsigned i = 0; i < 3; i++) {
		for (s[i].ttl = 0; s[i].ttl < 2; s[i].ttl++)
			expect_error(s[i], DROP_TTL_EXCEEDED, .type = 11);
		s[i].pad_to = 90; /* padding is not quoted */
		s[i].ttl = 1;
		expect_error(s[i], DROP_TTL_EXCEEDED, .type = 11);
	}
}

static void quotes_no_more_than_fits(void **state)
{
	struct spec s = spec_udp();

	s.ttl = 1;
	for (s.payload_len = 500; s.payload_len < 560; s.payload_len++)
		expect_error(s, DROP_TTL_EXCEEDED, .type = 11);
	s.payload_len = 1472;
	expect_error(s, DROP_TTL_EXCEEDED, .type = 11);
	s.payload_len = 0;
	s.options = "\x01\x01\x01\x00\x01\x01\x01\x00";
	s.options_len = 8;
	expect_error(s, DROP_TTL_EXCEEDED, .type = 11);
}

static void unreachable(void **state)
{
	struct spec s = spec_udp();

	s.dst = IP(8, 8, 8, 8);
	expect_error(s, DROP_NO_ROUTE, .type = 3, .code = 0);
	s.dst = IP(198, 51, 100, 1);
	expect_error(s, DROP_ROUTE_UNREACHABLE, .type = 3, .code = 1);
	s.dst = IP(203, 0, 113, 1);
	expect_error(s, DROP_ROUTE_PROHIBIT, .type = 3, .code = 13);
	s.dst = LAN_ADDR;
	expect_error(s, DROP_LOCAL_NO_PORT, .type = 3, .code = 3);
	s.dst = WAN_ADDR;
	expect_error(s, DROP_LOCAL_NO_PORT, .type = 3, .code = 3);
	s.ttl = 1; /* for us: no hop is left to go */
	expect_error(s, DROP_LOCAL_NO_PORT, .type = 3, .code = 3);
	s = spec_tcp();
	s.dst = LAN_ADDR;
	expect_error(s, DROP_LOCAL_NO_PORT, .type = 3, .code = 3);
	s = spec_udp();
	s.dst = LAN_ADDR;
	s.proto = 99;
	expect_error(s, DROP_LOCAL_NO_PROTOCOL, .type = 3, .code = 2);
}

static void fragmentation_needed(void **state)
{
	struct spec s = spec_udp();
	struct frame f;

	s.frag = FRAG_DF;
	s.payload_len = 1000 - 28;
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	s.payload_len++;
	expect_error(s, DROP_MTU_EXCEEDED, .type = 3, .code = 4, .mtu = 1000);
	s.ttl = 1; /* the TTL ends before the way gets narrow */
	s.frag = FRAG_DF;
	expect_error(s, DROP_TTL_EXCEEDED, .type = 11);
}

static void silent_to_icmp_errors(void **state)
{
	static const uint8_t error[] = {3, 4, 5, 11, 12}, other[] = {0, 8, 9, 13, 17, 30};
	struct spec s = spec_echo();

	s.ttl = 1;
	for (unsigned i = 0; i < RTE_DIM(error); i++) {
		s.type = error[i];
		expect_silence(s, DROP_TTL_EXCEEDED);
	}
	for (unsigned i = 0; i < RTE_DIM(other); i++) {
		s.type = other[i];
		expect_error(s, DROP_TTL_EXCEEDED, .type = 11);
	}
}

static void silent_to_later_fragments(void **state)
{
	struct spec s = spec_udp();

	s.ttl = 1;
	s.frag = FRAG_MF;
	s.payload_len = 24;
	expect_error(s, DROP_TTL_EXCEEDED, .type = 11);
	s.frag = FRAG_MF | 4;
	expect_silence(s, DROP_TTL_EXCEEDED);
	s.frag = 4;
	expect_silence(s, DROP_TTL_EXCEEDED);
	s.proto = 1; /* what looks like a type there is data */
	s.raw = true;
	expect_silence(s, DROP_TTL_EXCEEDED);
}

static void silent_to_broadcasts(void **state)
{
	struct spec s = spec_udp();

	s.dst = IP(172, 16, 0, 255); /* directed, and forwarded out of dmz */
	s.ttl = 1;
	expect_silence(s, DROP_TTL_EXCEEDED);
	s.dst = IP(172, 16, 0, 0);
	expect_silence(s, DROP_TTL_EXCEEDED);
}

static void silent_to_what_is_no_host(void **state)
{
	static const uint32_t src[] = {0, IP(127, 0, 0, 1), IP(224, 0, 0, 1), UINT32_MAX};
	struct rig_text t = world;
	struct spec s = spec_udp();

	t.rest = "ip4 = { martians-drop = false; };";
	rig_reload(&t);
	s.ttl = 1;
	for (unsigned i = 0; i < RTE_DIM(src); i++) {
		s.src = src[i];
		expect_silence(s, DROP_TTL_EXCEEDED);
	}
	rig_reload(&world);
}

/* An error that finds no way is dropped itself. */
static void errors_without_a_way(void **state)
{
	static const uint32_t src[] = {
		IP(8, 8, 8, 8), LAN_ADDR, WAN_ADDR, IP(10, 1, 255, 255), IP(203, 0, 113, 9)};
	struct spec s = spec_udp();
	struct frame f;

	for (unsigned i = 0; i < RTE_DIM(src); i++) {
		s.src = src[i];
		s.ttl = 1;
		frame_make(&f, &s);
		rig_put(LAN, &f);
		rig_run();
		expect_nothing();
		if (rig_dropped(DROP_IP4_SRC_MARTIAN) == 0) {
			assert_int_equal(rig_dropped(DROP_TTL_EXCEEDED), 1);
			assert_int_equal(rig_dropped(DROP_NO_ROUTE), 1);
			assert_int_equal(RIG_STAT(created), 1);
		}
		rig_mark();
	}
}

/* Routed like anything else: out of another interface, by a gateway, into a VLAN. */
static void errors_find_their_way(void **state)
{
	struct spec s = spec_udp();
	struct frame in, want;
	struct icmp_error e = {.type = 11, .from = LAN_ADDR, .ttl = 64};
	struct l2 gw = l2_to(IP(192, 0, 2, 254), WAN, 0), v10 = l2_to(HOST_V10, DMZ, 10);

	s.ttl = 1;
	s.src = IP(172, 20, 1, 1);
	frame_make(&in, &s);
	e.id = rig->worker[0]->ip_id;
	frame_icmp_error(&want, &in, &e, &gw);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(WAN, &want);
	s.src = HOST_V10;
	s.dst_mac = port_mac(DMZ);
	s.tagged = true;
	s.tci = 10;
	frame_make(&in, &s);
	e.id = rig->worker[0]->ip_id;
	e.from = IP(10, 10, 0, 1);
	frame_icmp_error(&want, &in, &e, &v10);
	rig_put(DMZ, &in);
	rig_run();
	expect_frame(DMZ, &want);
	expect_nothing();
	expect_drops(DROP_TTL_EXCEEDED, 2);
}

/* Errors of ours are exempt from the filter; what they answer is not. */
static void errors_pass_the_filter(void **state)
{
	struct rig_text t = world;
	struct spec s = spec_udp();

	t.rules = "{ action = \"permit\"; proto = \"udp\"; }";
	rig_reload(&t);
	s.ttl = 1;
	expect_error(s, DROP_TTL_EXCEEDED, .type = 11);
	t.rules = "{ action = \"deny\"; }";
	rig_reload(&t);
	struct frame f;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_FILTER_IN);
	rig_reload(&world);
}

static void rate_of_errors(void **state)
{
	struct rig_text t = world;
	struct worker *w = rig->worker[0];
	struct spec s = spec_udp();
	struct frame f;

	t.rest = "ip4 = { icmp-error-rate = 50; };"; /* 5 at once */
	rig_reload(&t);
	s.ttl = 1;
	frame_make(&f, &s);
	for (unsigned i = 0; i < 20; i++)
		rig_put(LAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 5);
	assert_int_equal(RIG_STAT(icmp_errors_sent), 5);
	assert_int_equal(RIG_STAT(icmp_errors_limited), 15);
	expect_drops(DROP_TTL_EXCEEDED, 20);
	w->icmp_error.last_tsc -= w->shared->tsc_hz / 50 * 2 + 1; /* as if time had passed */
	for (unsigned i = 0; i < 20; i++)
		rig_put(LAN, &f);
	worker_walk(w);
	assert_in_range(rig_discard(), 2, 4); /* little more: a walk is short */
	expect_drops(DROP_TTL_EXCEEDED, 20);
	t.rest = "ip4 = { icmp-error-rate = 0; };";
	rig_reload(&t);
	expect_silence(s, DROP_TTL_EXCEEDED);
	rig_reload(&world);
}

#define expect_reply(in) check_reply(in, __LINE__)
static void check_reply(const struct frame *in, int line)
{
	static struct frame want;
	struct l2 l2 = l2_to(HOST_A, LAN, 0);

	frame_echo_reply(&want, in, 64, &l2);
	rig_put(LAN, in);
	rig_run();
	rig_expect_frame(LAN, &want, __FILE__, line);
	rig_expect_nothing(__FILE__, line);
	rig_expect_drops(DROP_NONE, 0, __FILE__, line);
}

static void echo_of_every_size(void **state)
{
	struct spec s = spec_echo();
	struct frame in;

	s.dst = LAN_ADDR;
	for (s.payload_len = 0; s.payload_len <= 1472; s.payload_len++) {
		frame_make(&in, &s);
		expect_reply(&in);
	}
}

static void echo_of_every_kind(void **state)
{
	struct spec s = spec_echo();
	struct frame in;

	s.dst = LAN_ADDR;
	s.tos = 0xb8;
	s.frag = FRAG_DF;
	s.ttl = 1;
	frame_make(&in, &s);
	expect_reply(&in);
	s.dst = WAN_ADDR; /* any address of ours, from anywhere */
	s.pad_to = 120;
	frame_make(&in, &s);
	expect_reply(&in);
	s.code = 5;
	frame_make(&in, &s);
	expect_reply(&in);
	for (s.options_len = 4; s.options_len <= 40; s.options_len += 4) {
		s.options = "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
			    "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
			    "\x01\x01\x01\x01\x01\x01\x01\x01";
		frame_make(&in, &s);
		expect_reply(&in); /* without them */
	}
}

static void echo_checksum_edges(void **state)
{
	uint8_t data[4] = {0};
	struct spec s = spec_echo();
	struct frame in;

	s.dst = LAN_ADDR;
	s.rest = 0;
	s.payload = data;
	s.payload_len = 0; /* nothing but zeros */
	frame_make(&in, &s);
	expect_reply(&in);
	s.payload_len = 4;
	memset(data + 2, 0xff, 2);
	for (unsigned v = 0; v < 65536; v += v < 16 || v > 65500 ? 1 : 251) {
		data[0] = (uint8_t)(v >> 8);
		data[1] = (uint8_t)v;
		frame_make(&in, &s);
		expect_reply(&in);
	}
	for (unsigned v = 0xf700; v < 0xf900; v++) { /* around where 8 << 8 wraps */
		data[0] = (uint8_t)(~v >> 8);
		data[1] = (uint8_t)~v;
		frame_make(&in, &s);
		expect_reply(&in);
	}
}

static void rate_of_echo(void **state)
{
	struct rig_text t = world;
	struct spec s = spec_echo();
	struct frame in;

	t.rest = "ip4 = { icmp-echo-rate = 30; };";
	rig_reload(&t);
	s.dst = LAN_ADDR;
	frame_make(&in, &s);
	for (unsigned i = 0; i < 10; i++)
		rig_put(LAN, &in);
	rig_run();
	assert_int_equal(rig_discard(), 3);
	expect_drops(DROP_ICMP_ECHO_RATE, 7);
	rig_reload(&world);
}

/* The reply is local and goes by the filter, outbound, with its own type and code. */
static void echo_reply_is_filtered(void **state)
{
	struct rig_text t = world;
	struct spec s = spec_echo();
	struct frame in;

	s.dst = LAN_ADDR;
	s.code = 1;
	frame_make(&in, &s);
	t.rules = "{ action = \"permit\"; proto = \"icmp\"; icmp-type = \"eq 8\"; }";
	rig_reload(&t);
	expect_drop_of(LAN, &in, DROP_FILTER_OUT_IMPLICIT);
	t.rules = "{ action = \"permit\"; proto = \"icmp\"; direction = \"inbound\"; },"
		  "{ action = \"permit\"; proto = \"icmp\"; icmp-type = \"eq 0\";"
		  "  icmp-code = \"eq 1\"; scope = \"local\"; direction = \"outbound\"; }";
	rig_reload(&t);
	expect_reply(&in);
	t.rules = "{ action = \"permit\"; scope = \"route\"; }";
	rig_reload(&t);
	expect_drop_of(LAN, &in, DROP_FILTER_IN_IMPLICIT);
	rig_reload(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(time_exceeded),
		TEST(quotes_no_more_than_fits),
		TEST(unreachable),
		TEST(fragmentation_needed),
		TEST(silent_to_icmp_errors),
		TEST(silent_to_later_fragments),
		TEST(silent_to_broadcasts),
		TEST(silent_to_what_is_no_host),
		TEST(errors_without_a_way),
		TEST(errors_find_their_way),
		TEST(errors_pass_the_filter),
		TEST(rate_of_errors),
		TEST(echo_of_every_size),
		TEST(echo_of_every_kind),
		TEST(echo_checksum_edges),
		TEST(rate_of_echo),
		TEST(echo_reply_is_filtered),
	};
	int ret;

	rig_up(&world, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
