/* What the box says itself over IPv6: ICMPv6 errors and echo replies, byte for byte; and when it
 * must keep silent (RFC 4443, RFC 8200 section 4).
 */
#include "harness.h"

#include <string.h>

#define ROUTES                                                   \
	"{ to = \"2001:db8:d::/48\"; type = \"unreachable\"; }," \
	"{ to = \"2001:db8:c::/48\"; type = \"prohibit\"; },"    \
	"{ to = \"2001:db8:b::/48\"; type = \"blackhole\"; }"

#define RATES "ip6 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };"

static const struct rig_text world = {
	.interfaces = RIG6_INTERFACES, .routes = ROUTES, .rest = RATES};

#define UNREACHABLE 1
#define TOO_BIG 2
#define TIME_EXCEEDED 3
#define PARAMETER 4

/* The packet is dropped for that reason, and its sender on LAN told by this error. */
#define expect_error(s, reason, ...) \
	check_error(s, reason, (struct icmp6_error){__VA_ARGS__}, __FILE__, __LINE__)
static void check_error(const struct spec6 *s, enum drop_reason reason, struct icmp6_error e,
	const char *file, int line)
{
	static struct frame in, want;
	struct l2 l2 = l2_to6(HOST_A6, LAN, 0);

	frame6_make(&in, s);
	if (e.from.b[0] == 0)
		e.from = ip6_of(LAN6);
	e.hop_limit = 64;
	frame6_icmp_error(&want, &in, &e, &l2);
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
#define expect_silence(s, reason) check_silence(s, reason, 1, __FILE__, __LINE__)
#define expect_drop(s, reason) check_silence(s, reason, 0, __FILE__, __LINE__)
static void check_silence(const struct spec6 *s, enum drop_reason reason, unsigned limited,
	const char *file, int line)
{
	static struct frame in;

	frame6_make(&in, s);
	rig_put(LAN, &in);
	rig_run();
	rig_expect_nothing(file, line);
	assert_int_equal(RIG_STAT(created), 0);
	assert_int_equal(RIG_STAT(icmp_errors_limited), limited);
	rig_expect_drops(reason, 1, file, line);
}

/* RFC 4443 section 3.3 */
static void time_exceeded(void **state)
{
	struct spec6 s[] = {spec6_udp(), spec6_tcp(), spec6_echo()};

	for (unsigned i = 0; i < 3; i++)
		for (uint8_t hops = 0; hops < 2; hops++) {
			s[i].hop_limit = hops;
			expect_error(&s[i], DROP_TTL_EXCEEDED, .type = TIME_EXCEEDED);
		}
	/* for a later fragment too: RFC 4443 does not except it */
	s[0].ext_kind = 44;
	s[0].ext = "\x11\0\0\x10\0\0\0\1";
	s[0].ext_len = 8;
	expect_error(&s[0], DROP_TTL_EXCEEDED, .type = TIME_EXCEEDED);
}

/* RFC 4443 section 2.4 (c): as much of the offender as fits into 1,280 bytes. */
static void quotes_no_more_than_fits(void **state)
{
	struct spec6 s = spec6_udp();

	s.hop_limit = 1;
	for (s.payload_len = 1170; s.payload_len <= 1200; s.payload_len++)
		expect_error(&s, DROP_TTL_EXCEEDED, .type = TIME_EXCEEDED);
	s.payload_len = 1450;
	expect_error(&s, DROP_TTL_EXCEEDED, .type = TIME_EXCEEDED);
}

/* RFC 4443 section 3.1 */
static void unreachable(void **state)
{
	struct spec6 s = spec6_udp();

	s.dst = ip6_of("2001:dead::1");
	expect_error(&s, DROP_NO_ROUTE, .type = UNREACHABLE, .code = 0);
	s.dst = ip6_of("2001:db8:d::1");
	expect_error(&s, DROP_ROUTE_UNREACHABLE, .type = UNREACHABLE, .code = 3);
	s.dst = ip6_of("2001:db8:c::1");
	expect_error(&s, DROP_ROUTE_PROHIBIT, .type = UNREACHABLE, .code = 1);
	s.dst = ip6_of("2001:db8:b::1");
	expect_drop(&s, DROP_ROUTE_BLACKHOLE);
	/* for us: from the address that was asked, also another interface's */
	s.dst = ip6_of(LAN6);
	expect_error(&s, DROP_LOCAL_NO_PORT, .type = UNREACHABLE, .code = 4);
	s.dst = ip6_of(WAN6);
	expect_error(&s, DROP_LOCAL_NO_PORT, .type = UNREACHABLE, .code = 4, .from = ip6_of(WAN6));
	s = spec6_tcp();
	s.dst = ip6_of(WAN6);
	expect_error(&s, DROP_LOCAL_NO_PORT, .type = UNREACHABLE, .code = 4, .from = ip6_of(WAN6));
}

/* RFC 4291 section 2.5.6, RFC 4443 section 3.1 code 2: it goes back on the link that it came by. */
static void beyond_scope(void **state)
{
	struct spec6 s = spec6_udp();

	s.src = ip6_of("fe80::2");
	expect_error(&s, DROP_IP6_SCOPE, .type = UNREACHABLE, .code = 2, .from = ip6_of("fe80::1"));
	/* to an address of ours it is fine */
	s.dst = ip6_of(LAN6);
	expect_error(&s, DROP_LOCAL_NO_PORT, .type = UNREACHABLE, .code = 4, .from = ip6_of(LAN6));
	s.dst = ip6_of("fe80::1");
	expect_error(
		&s, DROP_LOCAL_NO_PORT, .type = UNREACHABLE, .code = 4, .from = ip6_of("fe80::1"));
}

/* RFC 4443 section 3.2, RFC 8201 */
static void packet_too_big(void **state)
{
	struct spec6 s = spec6_udp();
	struct frame f;

	s.dst = ip6_of(HOST_C6);
	s.payload_len = 1280 - 48;
	frame6_make(&f, &s);
	expect_routed6(LAN, &f, DMZ, HOST_C6, 0);
	for (s.payload_len = 1280 - 47; s.payload_len < 1440; s.payload_len += 40)
		expect_error(&s, DROP_MTU_EXCEEDED, .type = TOO_BIG, .data = 1280);
	/* the hop limit is looked at first */
	s.hop_limit = 1;
	expect_error(&s, DROP_TTL_EXCEEDED, .type = TIME_EXCEEDED);
	/* an echo as well */
	s = spec6_echo();
	s.dst = ip6_of(HOST_C6);
	s.payload_len = 1300;
	expect_error(&s, DROP_MTU_EXCEEDED, .type = TOO_BIG, .data = 1280);
}

/* RFC 4443 section 3.4, RFC 8200 sections 4 and 4.2 */
static void parameter_problems(void **state)
{
	static const struct {
		uint8_t kind;
		unsigned len;
		const char *ext;
		enum drop_reason reason;
		uint8_t code;
		uint16_t pointer;
	} t[] = {
		/* unknown options that must be known */
		{60, 8, "\x11\0\x9e\4\0\0\0\0", DROP_IP6_OPTION, 2, 42},
		{60, 8, "\x11\0\xde\4\0\0\0\0", DROP_IP6_OPTION, 2, 42},
		{0, 8, "\x11\0\xc2\4\0\1\0\0", DROP_IP6_OPTION, 2, 42},
		{0, 16, "\x3c\0\1\4\0\0\0\0\x11\0\1\0\xde\2\0\0", DROP_IP6_OPTION, 2, 52},
		/* an option that goes beyond its header */
		{60, 8, "\x11\0\1\5\0\0\0\0", DROP_IP6_OPTION, 0, 42},
		/* a hop-by-hop header that is not the first */
		{60, 16, "\0\0\1\4\0\0\0\0\x11\0\1\4\0\0\0\0", DROP_LOCAL_NO_PROTOCOL, 1, 40},
		/* routing headers with segments left: RFC 8200 section 4.4, RFC 5095 section 3 */
		{43, 8, "\x11\0\0\1\0\0\0\0", DROP_IP6_ROUTING_HEADER, 0, 42},
		{43, 8, "\x11\0\4\2\0\0\0\0", DROP_IP6_ROUTING_HEADER, 0, 42},
		/* an extension header that we do not speak */
		{139, 8, "\x11\0\0\0\0\0\0\0", DROP_LOCAL_NO_PROTOCOL, 1, 6},
	};
	struct spec6 s = spec6_udp();

	s.dst = ip6_of(LAN6);
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		s.ext_kind = t[i].kind;
		s.ext = t[i].ext;
		s.ext_len = t[i].len;
		expect_error(&s, t[i].reason, .type = PARAMETER, .code = t[i].code,
			.data = t[i].pointer);
	}
	/* one that says to drop it silently */
	s.ext_kind = 60;
	s.ext = "\x11\0\x5e\4\0\0\0\0";
	s.ext_len = 8;
	expect_drop(&s, DROP_IP6_OPTION);
	/* a transport protocol */
	s.raw = true;
	s.ext_len = 0;
	s.proto = 132;
	expect_error(&s, DROP_LOCAL_NO_PROTOCOL, .type = PARAMETER, .code = 1, .data = 6);
	s.ext_len = 8;
	s.ext = "\x84\0\1\4\0\0\0\0";
	expect_error(&s, DROP_LOCAL_NO_PROTOCOL, .type = PARAMETER, .code = 1, .data = 40);
	/* "no next header" asks for nothing */
	s.ext_len = 0;
	s.proto = 59;
	expect_drop(&s, DROP_LOCAL_NO_PROTOCOL);
}

/* What is fine for a destination: RFC 8200 section 4.2 and 4.4. */
static void options_that_are_fine(void **state)
{
	static const struct {
		uint8_t kind;
		unsigned len;
		const char *ext;
	} t[] = {
		{0, 8, "\x11\0\5\2\0\0\1\0"},
		{60, 8, "\x11\0\x1e\4\0\0\0\0"},
		{43, 8, "\x11\0\0\0\0\0\0\0"},
		{44, 8, "\x11\0\0\0\0\0\0\7"},
	};
	struct spec6 s = spec6_udp();

	s.dst = ip6_of(LAN6);
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		s.ext_kind = t[i].kind;
		s.ext = t[i].ext;
		s.ext_len = t[i].len;
		expect_error(&s, DROP_LOCAL_NO_PORT, .type = UNREACHABLE, .code = 4);
	}
}

/* RFC 4443 section 2.4 (e.1) and (e.2) */
static void silent_to_errors(void **state)
{
	static const uint8_t type[] = {1, 2, 3, 4, 5, 100, 127, 137};
	struct spec6 s = spec6_echo();

	s.hop_limit = 1;
	for (unsigned i = 0; i < sizeof(type); i++) {
		s.type = type[i];
		expect_silence(&s, DROP_TTL_EXCEEDED);
	}
	s.type = 128;
	expect_error(&s, DROP_TTL_EXCEEDED, .type = TIME_EXCEEDED);
	s.type = 200;
	expect_error(&s, DROP_TTL_EXCEEDED, .type = TIME_EXCEEDED);
	/* of a later fragment nobody knows */
	s.raw = true;
	s.ext_kind = 44;
	s.ext = "\x3a\0\0\x10\0\0\0\1";
	s.ext_len = 8;
	expect_silence(&s, DROP_TTL_EXCEEDED);
}

/* RFC 4443 section 2.4 (e.3) to (e.5), with the exceptions for parameter problems of code 2. */
static void silent_to_groups(void **state)
{
	struct spec6 s = spec6_udp();

	s.dst = ip6_of("ff02::1");
	s.dst_mac = (struct mac6){{0x33, 0x33, 0, 0, 0, 1}};
	expect_silence(&s, DROP_LOCAL_NO_PORT);
	s.ext_kind = 60;
	s.ext_len = 8;
	s.ext = "\x11\0\xde\4\0\0\0\0"; /* action 11: not to a group */
	expect_drop(&s, DROP_IP6_OPTION);
	s.ext = "\x11\0\x9e\4\0\0\0\0"; /* action 10: even so */
	expect_error(&s, DROP_IP6_OPTION, .type = PARAMETER, .code = 2, .data = 42);
	s.ext = "\x11\0\1\5\0\0\0\0"; /* code 0 has no exception */
	expect_drop(&s, DROP_IP6_OPTION);
}

static void rate_of_errors(void **state)
{
	struct rig_text t = world;
	struct spec6 s = spec6_udp();
	struct frame f;

	t.rest = "ip6 = { icmp-error-rate = 10; };";
	rig_reload(&t);
	s.hop_limit = 1;
	frame6_make(&f, &s);
	for (unsigned i = 0; i < 100; i++)
		rig_put(LAN, &f);
	rig_run();
	/* a tenth of a second's worth, and what the test's own time adds */
	assert_in_range(RIG_STAT(created), 1, 20);
	assert_int_equal(RIG_STAT(created) + RIG_STAT(icmp_errors_limited), 100);
	rig_discard();
	t.rest = "ip6 = { icmp-error-rate = 0; };";
	rig_reload(&t);
	rig_mark();
	expect_silence(&s, DROP_TTL_EXCEEDED);
	rig_reload(&world);
}

/* --- echo: RFC 4443 section 4 */

#define expect_reply(s, from) check_reply(s, from, HOST_A6, __FILE__, __LINE__)
static void check_reply(
	const struct spec6 *s, const char *from, const char *to, const char *file, int line)
{
	static struct frame in, want;
	struct l2 l2 = l2_to6(to, LAN, 0);
	struct ip6 addr = ip6_of(from);

	frame6_make(&in, s);
	frame6_echo_reply(&want, &in, s->ext_len, &addr, 64, &l2);
	rig_put(LAN, &in);
	rig_run();
	rig_expect_frame(LAN, &want, file, line);
	rig_expect_nothing(file, line);
	rig_expect_drops(DROP_NONE, 0, file, line);
}

static void echo_of_every_size(void **state)
{
	struct spec6 s = spec6_echo();

	s.dst = ip6_of(LAN6);
	for (s.payload_len = 0; s.payload_len < 1440; s.payload_len += s.payload_len < 70 ? 1 : 63)
		expect_reply(&s, LAN6);
	s.payload_len = 2;
	s.pad_to = 300;
	expect_reply(&s, LAN6);
}

static void echo_of_every_kind(void **state)
{
	struct spec6 s = spec6_echo();

	s.dst = ip6_of(WAN6); /* another interface's */
	expect_reply(&s, WAN6);
	s.dst = ip6_of(LAN6);
	s.hop_limit = 1;
	expect_reply(&s, LAN6);
	s.code = 7;
	expect_reply(&s, LAN6);
	s.code = 0;
	/* extension headers are not sent back; an atomic fragment is a whole packet (RFC 6946) */
	s.ext_kind = 0;
	s.ext = "\x3c\0\5\2\0\0\1\0\x3a\0\1\4\0\0\0\0";
	s.ext_len = 16;
	expect_reply(&s, LAN6);
	s.ext_kind = 44;
	s.ext = "\x3a\0\0\0\0\0\0\7";
	s.ext_len = 8;
	expect_reply(&s, LAN6);
	s.ext_len = 0;
	/* link-local, to us and from the other */
	s.dst = ip6_of("fe80::1");
	expect_reply(&s, "fe80::1");
	s.src = ip6_of("fe80::2");
	expect_reply(&s, "fe80::1");
	s.dst = ip6_of(LAN6);
	expect_reply(&s, LAN6);
	/* all nodes: RFC 4443 section 4.2, from an address of the interface */
	s.dst = ip6_of("ff02::1");
	s.dst_mac = (struct mac6){{0x33, 0x33, 0, 0, 0, 1}};
	expect_reply(&s, "fe80::1");
	s.src = ip6_of(HOST_A6);
	expect_reply(&s, LAN6);
	/* our solicited-node group */
	s.dst = ip6_of("ff02::1:ff00:1");
	expect_reply(&s, LAN6);
}

static void echo_that_is_broken(void **state)
{
	struct spec6 s = spec6_echo();
	struct frame f;

	s.dst = ip6_of(LAN6);
	frame6_make(&f, &s);
	for (unsigned at = 14 + 40; at < 14 + 48; at++) {
		f.b[at] ^= 0x10;
		if (at != 14 + 40) /* another type is another message */
			expect_drop_of(LAN, &f, DROP_LOCAL_CHECKSUM);
		f.b[at] ^= 0x10;
	}
	f.b[14 + 8 + 5] ^= 1; /* the pseudo-header counts */
	expect_drop_of(LAN, &f, DROP_LOCAL_CHECKSUM);
	/* other messages are not for us to answer */
	for (unsigned type = 129; type < 256; type++) {
		if (type == 130 || (type >= 133 && type <= 137)) /* these are the control core's */
			continue;
		s.type = (uint8_t)type;
		frame6_make(&f, &s);
		expect_drop_of(LAN, &f, DROP_LOCAL_ICMP_IGNORED);
	}
}

static void rate_of_echo(void **state)
{
	struct rig_text t = world;
	struct spec6 s = spec6_echo();

	t.rest = "ip6 = { icmp-echo-rate = 0; };";
	rig_reload(&t);
	s.dst = ip6_of(LAN6);
	expect_drop(&s, DROP_ICMP_ECHO_RATE);
	rig_reload(&world);
	expect_reply(&s, LAN6);
}

/* RFC 4861 sections 6.1 and 7.1, RFC 6980: what came through a router, or in fragments, is none. */
static void discovery_from_afar(void **state)
{
	static const char *const dst[] = {LAN6, "fe80::1", "ff02::1", "ff02::2", "ff02::1:ff00:1"};
	struct spec6 s = spec6_echo();

	s.payload_len = 16;
	for (unsigned i = 0; i < sizeof(dst) / sizeof(dst[0]); i++) {
		s.dst = ip6_of(dst[i]);
		for (s.type = 133; s.type <= 137; s.type++) {
			s.hop_limit = 254;
			s.ext_len = 0;
			expect_drop(&s, DROP_ND_HOP_LIMIT);
			s.hop_limit = 255;
			s.ext_kind = 44;
			s.ext_len = 8;
			s.ext = "\x3a\0\0\0\0\0\0\7";
			expect_drop(&s, DROP_ND_FRAGMENT);
			s.ext = "\x3a\0\0\1\0\0\0\7";
			expect_drop(&s, DROP_ND_FRAGMENT);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(time_exceeded),
		TEST(quotes_no_more_than_fits),
		TEST(unreachable),
		TEST(beyond_scope),
		TEST(packet_too_big),
		TEST(parameter_problems),
		TEST(options_that_are_fine),
		TEST(silent_to_errors),
		TEST(silent_to_groups),
		TEST(rate_of_errors),
		TEST(echo_of_every_size),
		TEST(echo_of_every_kind),
		TEST(echo_that_is_broken),
		TEST(rate_of_echo),
		TEST(discovery_from_afar),
	};
	int ret;

	rig_up(&world, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
