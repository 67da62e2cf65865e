/* The filter as packets of IPv6 meet it: the same questions as test_filter.c asks for IPv4, in the
 * same order, and what is different: extension headers before the ports (RFC 8200 section 4),
 * atomic fragments (RFC 6946), rules of one family and rules of both.
 */
#include "harness.h"

#include "link/msg.h"

#include <string.h>

static void rules(const char *text)
{
	rig_reload(&(struct rig_text){.interfaces = RIG6_INTERFACES, .rules = text});
	rig_mark();
}

static void passes(unsigned from, struct spec6 s, unsigned port, const char *host, uint16_t vlan)
{
	struct frame f;

	frame6_make(&f, &s);
	expect_routed6(from, &f, port, host, vlan);
}

static void falls(unsigned from, struct spec6 s, enum drop_reason reason)
{
	struct frame f;

	frame6_make(&f, &s);
	expect_drop_of(from, &f, reason);
}

static struct spec6 to(struct spec6 s, const char *dst)
{
	s.dst = ip6_of(dst);
	return s;
}

static void nothing_matches(void **state)
{
	rules("{ action = \"permit\"; dst = \"2001:db8:2::3\"; }");
	falls(LAN, spec6_udp(), DROP_FILTER_IN_IMPLICIT);
	rules("");
	falls(LAN, spec6_udp(), DROP_FILTER_IN_IMPLICIT);
	rules("{ action = \"permit\"; direction = \"inbound\"; }");
	falls(LAN, spec6_udp(), DROP_FILTER_OUT_IMPLICIT);
	rules("{ action = \"permit\"; direction = \"inbound\"; }, { action = \"deny\"; }");
	falls(LAN, spec6_udp(), DROP_FILTER_OUT);
}

static void addresses(void **state)
{
	rules("{ action = \"deny\"; src = \"2001:db8:1::2\"; dst = \"2001:db8:2::/48\"; proto = "
	      "\"tcp\"; },"
	      "{ action = \"permit\"; src = \"2001:db8:1::/126\"; },"
	      "{ action = \"permit\"; dst = \"2001:db8:1::2\"; }");
	falls(LAN, spec6_tcp(), DROP_FILTER_IN);
	passes(LAN, spec6_udp(), WAN, HOST_B6, 0);
	passes(WAN, spec6_from_wan(spec6_tcp()), LAN, HOST_A6, 0);
	struct spec6 s = spec6_udp();
	s.src = ip6_of("2001:db8:1::4");
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
}

/* A rule with addresses is of their family; one without is of both, with one counter. */
static void families(void **state)
{
	struct spec s4 = spec_udp();
	const struct acl_verdict *v;
	struct frame f;

	rules("{ action = \"permit\"; src = \"0.0.0.0/0\"; }");
	falls(LAN, spec6_udp(), DROP_FILTER_IN_IMPLICIT);
	frame_make(&f, &s4);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	rules("{ action = \"permit\"; dst = \"::/0\"; }");
	passes(LAN, spec6_udp(), WAN, HOST_B6, 0);
	expect_drop_of(LAN, &f, DROP_FILTER_IN_IMPLICIT);
	rules("{ action = \"permit\"; proto = \"udp\"; }");
	passes(LAN, spec6_udp(), WAN, HOST_B6, 0);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	falls(LAN, spec6_tcp(), DROP_FILTER_IN_IMPLICIT);
	v = &rig->tables->acl->verdict[1];
	assert_int_equal(rig->worker[0]->rule_counter[v->counter].packets -
				 rig->counter_base[v->counter].packets,
		4);
}

static void zones(void **state)
{
	rules("{ action = \"permit\"; interface = \"secure\"; direction = \"inbound\"; },"
	      "{ action = \"permit\"; interface = \"nonsecure\"; direction = \"outbound\"; }");
	passes(LAN, spec6_udp(), WAN, HOST_B6, 0);
	falls(WAN, spec6_from_wan(spec6_udp()), DROP_FILTER_IN_IMPLICIT);
	falls(LAN, to(spec6_udp(), "2001:db8:a::2"), DROP_FILTER_OUT_IMPLICIT); /* secure */
	passes(LAN, to(spec6_udp(), HOST_C6), DMZ, HOST_C6, 0);
}

static void scope(void **state)
{
	struct spec6 echo = to(spec6_echo(), LAN6);
	struct frame in, want;
	struct l2 l2 = l2_to6(HOST_A6, LAN, 0);
	struct ip6 us = ip6_of(LAN6);

	rules("{ action = \"permit\"; scope = \"route\"; }");
	passes(LAN, spec6_echo(), WAN, HOST_B6, 0);
	falls(LAN, echo, DROP_FILTER_IN_IMPLICIT);
	rules("{ action = \"permit\"; scope = \"local\"; proto = \"icmpv6\"; }");
	falls(LAN, spec6_echo(), DROP_FILTER_IN_IMPLICIT);
	frame6_make(&in, &echo);
	frame6_echo_reply(&want, &in, 0, &us, 64, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(LAN, &want);
	/* echo requests come in, and no reply leaves */
	rules("{ action = \"permit\"; scope = \"local\"; proto = \"icmpv6\"; icmp-type = 128; }");
	falls(LAN, echo, DROP_FILTER_OUT_IMPLICIT);
}

/* Before the transport header: hop-by-hop options, destination options twice. */
#define CHAIN "\x3c\0\1\4\0\0\0\0\x3c\0\1\4\0\0\0\0"

static struct spec6 behind_chain(struct spec6 s)
{
	static uint8_t chain[16 + 8];

	memcpy(chain, CHAIN, 16);
	memcpy(chain + 16, (uint8_t[8]){s.proto, 0, 1, 4}, 8);
	s.ext = chain;
	s.ext_len = sizeof(chain);
	s.ext_kind = 0;
	return s;
}

/* Protocol, ports, flags and type are those behind the extension headers. */
static void extension_headers(void **state)
{
	struct spec6 s = behind_chain(spec6_udp());

	rules("{ action = \"permit\"; proto = \"udp\"; dport = 53; },"
	      "{ action = \"permit\"; proto = \"tcp/ack\"; },"
	      "{ action = \"permit\"; proto = \"icmpv6\"; icmp-type = 1; icmp-code = \"ge 3\"; }");
	passes(LAN, s, WAN, HOST_B6, 0);
	s.dport = 54;
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	s = behind_chain(spec6_tcp());
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	s.tcp_flags = TCP_ACK;
	passes(LAN, s, WAN, HOST_B6, 0);
	s = behind_chain(spec6_echo());
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	s.type = 1;
	s.code = 3;
	passes(LAN, s, WAN, HOST_B6, 0);
	s.code = 2;
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	/* the kind of an extension header is no protocol */
	rules("{ action = \"permit\"; proto = 60; }, { action = \"permit\"; proto = 0; }");
	falls(LAN, behind_chain(spec6_udp()), DROP_FILTER_IN_IMPLICIT);
}

static void ports_and_ack(void **state)
{
	struct spec6 s = spec6_tcp();

	rules("{ action = \"permit\"; proto = \"tcp/ack\"; sport = \"ge 4000\"; dport = \"lt "
	      "1024\"; }");
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	s.tcp_flags = TCP_ACK | TCP_SYN;
	passes(LAN, s, WAN, HOST_B6, 0);
	s.sport = 3999;
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	s.sport = 65535;
	s.dport = 1024;
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
}

/* The packet behind a fragment header: offset in units of 8 bytes, and the M flag. */
static struct spec6 fragment(unsigned offset, bool more)
{
	static uint8_t header[8];
	struct spec6 s = spec6_udp();

	memcpy(header,
		(uint8_t[8]){s.proto, 0, (uint8_t)(offset >> 5), (uint8_t)(offset << 3 | more), 0,
			0, 0, 7},
		8);
	s.ext = header;
	s.ext_len = sizeof(header);
	s.ext_kind = 44;
	s.payload_len = 24;
	return s;
}

/* Whole packet, first fragment, later fragment: who gets through. A packet that is its own only
 * fragment counts as whole (RFC 6946 section 4). */
static void fragment_rules(const char *frag, const char *more, bool whole, bool first, bool later)
{
	const struct {
		unsigned offset;
		bool more, pass;
	} c[] = {{0, false, whole}, {0, true, first}, {4, true, later}, {4, false, later}};
	char text[200];

	snprintf(text, sizeof(text), "{ action = \"permit\"; fragments = \"%s\"; %s }", frag, more);
	rules(text);
	for (unsigned i = 0; i < RTE_DIM(c); i++) {
		struct spec6 s = fragment(c[i].offset, c[i].more);

		if (c[i].pass)
			passes(LAN, s, WAN, HOST_B6, 0);
		else
			falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	}
}

static void fragments(void **state)
{
	fragment_rules("yes", "", true, true, true);
	fragment_rules("no", "", true, false, false);
	fragment_rules("only", "", false, true, true);
	fragment_rules("headers", "", true, true, false);
	/* a later fragment has no ports to match, whatever its data look like */
	fragment_rules("yes", "proto = \"udp\"; dport = \"eq 53\";", true, true, false);
	fragment_rules("yes", "proto = \"udp\";", true, true, true);
}

static bool next_record(struct log_record *r)
{
	struct event e;

	while (link_event_get(&rig->worker[0]->link, &e, 1))
		if (e.kind == EVENT_FILTER_LOG) {
			*r = e.log;
			return true;
		}
	return false;
}

static void log_records(void **state)
{
	struct addr src, dst;
	struct log_record r;

	addr_parse(HOST_A6, &src);
	addr_parse(HOST_B6, &dst);
	rules("{ action = \"deny\"; src = \"2001:db8::/32\"; proto = \"icmpv6\"; log = true; }");
	falls(LAN, spec6_echo(), DROP_FILTER_IN);
	assert_true(next_record(&r));
	assert_true(addr_equal(&r.src, &src));
	assert_true(addr_equal(&r.dst, &dst));
	assert_int_equal(r.proto, 58);
	assert_int_equal(r.sport, 128);
	assert_int_equal(r.verdict, 1);
	assert_false(next_record(&r));
}

/* Every kind of packet in one burst, in groups of both families. */
static void mixed_groups_in_a_burst(void **state)
{
	struct spec6 kind6[] = {spec6_udp(), spec6_tcp(), to(spec6_echo(), LAN6), fragment(4, true),
		to(spec6_udp(), HOST_C6)};
	struct spec kind4[] = {spec_udp(), spec_tcp(), spec_echo(), spec_udp(), spec_udp()};
	unsigned lan = 0, wan4 = 0, wan6 = 0, dmz = 0;
	struct frame f, got;

	kind4[3].frag = 2;
	kind4[3].payload_len = 16;
	kind4[4].dst = HOST_C;
	rules("{ action = \"deny\"; proto = \"tcp\"; scope = \"route\"; },"
	      "{ action = \"deny\"; src = \"::/0\"; fragments = \"only\"; direction = "
	      "\"outbound\"; },"
	      "{ action = \"deny\"; dst = \"172.16.0.0/24\"; direction = \"inbound\"; },"
	      "{ action = \"permit\"; }");
	for (unsigned i = 0; i < 250; i++) {
		if (i % 2)
			frame6_make(&f, &kind6[i / 2 % 5]);
		else
			frame_make(&f, &kind4[i / 2 % 5]);
		rig_put(LAN, &f);
	}
	rig_run();
	for (; rig_take(LAN, &got); lan++)
		assert_int_equal(got.b[14 + 40], 129); /* echo replies */
	while (rig_take(WAN, &got))
		*(got.b[12] == 0x86 ? &wan6 : &wan4) += 1;
	for (; rig_take(DMZ, &got); dmz++)
		assert_int_equal(got.b[12], 0x86);
	assert_int_equal(lan, 25);
	assert_int_equal(wan4, 75); /* udp, echo, later fragments */
	assert_int_equal(wan6, 25); /* udp */
	assert_int_equal(dmz, 25);
	assert_int_equal(rig_dropped(DROP_FILTER_IN), 75); /* tcp of both, IPv4 to the DMZ */
	assert_int_equal(rig_dropped(DROP_FILTER_OUT), 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_matches),
		TEST(addresses),
		TEST(families),
		TEST(zones),
		TEST(scope),
		TEST(extension_headers),
		TEST(ports_and_ack),
		TEST(fragments),
		TEST(log_records),
		TEST(mixed_groups_in_a_burst),
	};
	int ret;

	rig_up(&(struct rig_text){.interfaces = RIG6_INTERFACES, .system = "burst-packets = 256;"},
		1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
