/* The filter as packets meet it: direction, scope, zone, fragments, flags, types; what it counts
 * and logs. That the compiled rules mean what they say is test/unit/table's matter; here it is that
 * each packet is asked about rightly, twice.
 */
#include "harness.h"

#include "link/msg.h"

#include <string.h>

static void rules(const char *text)
{
	rig_reload(&(struct rig_text){.rules = text});
	rig_mark();
}

static void passes(unsigned from, struct spec s, unsigned port, uint32_t host, uint16_t vlan)
{
	struct frame f;

	frame_make(&f, &s);
	expect_routed(from, &f, port, host, vlan);
}

static void falls(unsigned from, struct spec s, enum drop_reason reason)
{
	struct frame f;

	frame_make(&f, &s);
	expect_drop_of(from, &f, reason);
}

static struct spec to(struct spec s, uint32_t dst)
{
	s.dst = dst;
	return s;
}

static void nothing_matches(void **state)
{
	rules("{ action = \"permit\"; dst = \"1.2.3.4\"; }");
	falls(LAN, spec_udp(), DROP_FILTER_IN_IMPLICIT);
	rules("");
	falls(LAN, spec_udp(), DROP_FILTER_IN_IMPLICIT);
	rules("{ action = \"permit\"; direction = \"inbound\"; }");
	falls(LAN, spec_udp(), DROP_FILTER_OUT_IMPLICIT);
	rules("{ action = \"deny\"; }");
	falls(LAN, spec_udp(), DROP_FILTER_IN);
	rules("{ action = \"permit\"; direction = \"inbound\"; }, { action = \"deny\"; }");
	falls(LAN, spec_udp(), DROP_FILTER_OUT);
}

static void first_match_wins(void **state)
{
	rules("{ action = \"permit\"; proto = \"udp\"; dport = \"eq 53\"; },"
	      "{ action = \"deny\"; proto = \"udp\"; }, { action = \"permit\"; }");
	passes(LAN, spec_udp(), WAN, HOST_B, 0);
	struct spec s = spec_udp();
	s.dport = 54;
	falls(LAN, s, DROP_FILTER_IN);
	passes(LAN, spec_tcp(), WAN, HOST_B, 0);
}

/* A denied packet is a denied packet, wherever it wanted to go: no ICMP error tells of routes. */
static void filter_comes_before_the_route(void **state)
{
	rules("{ action = \"deny\"; }");
	falls(LAN, to(spec_udp(), IP(8, 8, 8, 8)), DROP_FILTER_IN);
	assert_int_equal(RIG_STAT(icmp_errors_limited), 0);
}

static void zones(void **state)
{
	/* inbound by the zone of the interface it came by, outbound by that of the one it leaves */
	rules("{ action = \"permit\"; interface = \"secure\"; direction = \"inbound\"; },"
	      "{ action = \"permit\"; interface = \"nonsecure\"; direction = \"outbound\"; }");
	passes(LAN, spec_udp(), WAN, HOST_B, 0);
	falls(WAN, spec_from_wan(spec_udp()), DROP_FILTER_IN_IMPLICIT);
	falls(LAN, to(spec_udp(), HOST_V10), DROP_FILTER_OUT_IMPLICIT); /* secure */
	passes(LAN, to(spec_udp(), HOST_V20), DMZ, HOST_V20, 20);
}

static void scope(void **state)
{
	struct spec echo = to(spec_echo(), LAN_ADDR);
	struct frame in, want;
	struct l2 l2 = l2_to(HOST_A, LAN, 0);

	rules("{ action = \"permit\"; scope = \"route\"; }");
	passes(LAN, spec_echo(), WAN, HOST_B, 0);
	falls(LAN, echo, DROP_FILTER_IN_IMPLICIT);
	rules("{ action = \"permit\"; scope = \"local\"; }");
	falls(LAN, spec_echo(), DROP_FILTER_IN_IMPLICIT);
	frame_make(&in, &echo);
	frame_echo_reply(&want, &in, 64, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(LAN, &want);
	/* broadcasts that go nowhere are local */
	falls(LAN, to(spec_udp(), IP(10, 1, 255, 255)), DROP_IP4_BROADCAST);
	rules("{ action = \"permit\"; scope = \"local\"; direction = \"inbound\"; },"
	      "{ action = \"deny\"; scope = \"local\"; direction = \"outbound\"; }");
	falls(LAN, echo, DROP_FILTER_OUT);
}

static void tcp_ack(void **state)
{
	struct spec s = spec_tcp();

	rules("{ action = \"permit\"; proto = \"tcp/ack\"; }");
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	s.tcp_flags = TCP_ACK;
	passes(LAN, s, WAN, HOST_B, 0);
	s.tcp_flags = TCP_ACK | TCP_SYN;
	passes(LAN, s, WAN, HOST_B, 0);
	s.tcp_flags = 0xff & ~TCP_ACK;
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	/* the bit of another protocol is none */
	s = spec_udp();
	s.payload = "\0\0\0\0\0\x10\x10\x10\x10";
	s.payload_len = 9;
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
}

static void ports(void **state)
{
	struct spec s = spec_udp();

	rules("{ action = \"permit\"; proto = \"udp\"; sport = \"ge 4000\"; dport = \"lt 1024\"; "
	      "}");
	passes(LAN, s, WAN, HOST_B, 0);
	s.sport = 3999;
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	s.sport = 65535;
	passes(LAN, s, WAN, HOST_B, 0);
	s.dport = 1024;
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
}

static void icmp_type_and_code(void **state)
{
	struct spec s = spec_echo();

	rules("{ action = \"permit\"; proto = \"icmp\"; icmp-type = \"eq 3\";"
	      "  icmp-code = \"le 4\"; }");
	falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	s.type = 3;
	for (s.code = 0; s.code < 8; s.code++) {
		if (s.code <= 4)
			passes(LAN, s, WAN, HOST_B, 0);
		else
			falls(LAN, s, DROP_FILTER_IN_IMPLICIT);
	}
}

/* Whole packet, first fragment, later fragment: who gets through. */
static void fragment_rules(const char *frag, const char *more, bool whole, bool first, bool later)
{
	static const uint16_t field[] = {0, FRAG_MF, FRAG_MF | 4, 4};
	const bool pass[] = {whole, first, later, later};
	struct spec s = spec_udp();
	char text[200];

	snprintf(text, sizeof(text), "{ action = \"permit\"; fragments = \"%s\"; %s }", frag, more);
	rules(text);
	s.payload_len = 24;
	for (unsigned i = 0; i < RTE_DIM(field); i++) {
		s.frag = field[i];
		if (pass[i])
			passes(LAN, s, WAN, HOST_B, 0);
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

/* --- counters and the log */

static struct rule_counter counter(unsigned rule) /* as it stands in the rules; 0: implicit */
{
	uint32_t id = rig->tables->acl->verdict[rule].counter;
	struct rule_counter c = rig->worker[0]->rule_counter[id];

	/* what an earlier rule with that id had counted */
	c.packets -= rig->counter_base[id].packets;
	c.bytes -= rig->counter_base[id].bytes;
	return c;
}

static void counts_on_rules(void **state)
{
	struct spec s = spec_udp();
	struct rule_counter before, after;

	rules("{ action = \"deny\"; proto = \"tcp\"; dport = \"eq 81\"; },"
	      "{ action = \"permit\"; proto = \"udp\"; direction = \"inbound\"; },"
	      "{ action = \"permit\"; proto = \"udp\"; dst = \"192.0.2.0/24\"; }");
	before = counter(2);
	s.pad_to = 60;
	passes(LAN, s, WAN, HOST_B, 0);
	after = counter(2);
	assert_int_equal(after.packets - before.packets, 1);
	assert_int_equal(after.bytes - before.bytes, 46); /* the IP packet, without padding */
	assert_int_equal(counter(3).packets, 1);          /* outbound */
	assert_int_equal(counter(3).bytes, 46);
	assert_int_equal(counter(1).packets, 0);
	before = counter(0);
	falls(LAN, spec_tcp(), DROP_FILTER_IN_IMPLICIT);
	assert_int_equal(counter(0).packets - before.packets, 1);
	/* over a reload: rules that stay keep their count, wherever they stand */
	rules("{ action = \"permit\"; proto = \"udp\"; dst = \"192.0.2.0/24\"; },"
	      "{ action = \"permit\"; proto = \"icmp\"; }");
	assert_int_equal(counter(1).packets, 1);
	passes(LAN, spec_echo(), WAN, HOST_B, 0);
	/* one that is gone and comes back begins anew */
	rules("{ action = \"permit\"; proto = \"icmp\"; }");
	rules("{ action = \"permit\"; proto = \"udp\"; dst = \"192.0.2.0/24\"; }");
	passes(LAN, spec_udp(), WAN, HOST_B, 0);
	assert_int_equal(counter(1).packets, 2);
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

static uint16_t iface(const char *name)
{
	return ports_find(rig->tables->ports, name)->id;
}

static void log_records(void **state)
{
	struct spec s = spec_tcp();
	struct log_record r;

	rules("{ action = \"deny\"; proto = \"tcp\"; dport = \"eq 81\"; log = true; },"
	      "{ action = \"permit\"; log = true; }");
	s.tcp_flags = TCP_SYN;
	passes(LAN, s, WAN, HOST_B, 0);
	assert_true(next_record(&r));
	assert_int_equal(r.dir, RULE_IN);
	assert_int_equal(r.generation, tables_root(rig->tables)->generation);
	assert_int_equal(r.verdict, 2);
	assert_int_equal(addr_to4(&r.src), HOST_A);
	assert_int_equal(addr_to4(&r.dst), HOST_B);
	assert_int_equal(r.sport, 4000);
	assert_int_equal(r.dport, 80);
	assert_int_equal(r.in_if, iface("lan"));
	assert_int_equal(r.reason, DROP_NONE);
	assert_int_equal(r.len, 20 + 20 + 18);
	assert_int_equal(r.proto, 6);
	assert_int_equal(r.tcp_flags, TCP_SYN);
	assert_int_equal(r.frag, PACKET_WHOLE);
	assert_int_equal(r.left_out, 0);
	assert_true(next_record(&r));
	assert_int_equal(r.dir, RULE_OUT);
	assert_int_equal(r.verdict, 2);
	assert_int_equal(r.out_if, iface("wan"));
	assert_false(next_record(&r));
	s.dport = 81;
	s.tcp_flags = TCP_ACK;
	falls(LAN, s, DROP_FILTER_IN);
	assert_true(next_record(&r));
	assert_int_equal(r.verdict, 1);
	assert_int_equal(r.reason, DROP_FILTER_IN);
	assert_int_equal(r.tcp_flags, TCP_ACK);
	assert_false(next_record(&r));
	s = spec_echo();
	s.type = 3;
	s.code = 1;
	passes(LAN, s, WAN, HOST_B, 0);
	assert_true(next_record(&r));
	assert_int_equal(r.sport, 3);
	assert_int_equal(r.dport, 1);
	while (next_record(&r))
		;
}

static void log_of_drops(void **state)
{
	struct rig_text t = {
		.rules = "{ action = \"deny\"; proto = \"tcp\"; },"
			 "{ action = \"permit\"; proto = \"udp\"; log = true; },"
			 "{ action = \"permit\"; proto = \"icmp\"; }",
		.rest = "log = { drops = [\"ttl-exceeded\", \"ip4-checksum\", \"filter-in\"]; };",
	};
	struct spec s = spec_echo();
	struct log_record r;
	struct frame f;

	rig_reload(&t);
	s.ttl = 1;
	frame_make(&f, &s);
	rig_put(LAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 1);
	assert_true(next_record(&r));
	assert_int_equal(r.reason, DROP_TTL_EXCEEDED);
	assert_int_equal(r.verdict, UINT32_MAX);
	assert_int_equal(addr_to4(&r.src), HOST_A);
	assert_int_equal(r.out_if, iface("wan"));
	assert_false(next_record(&r));
	f.b[25] ^= 1;
	rig_put(LAN, &f);
	rig_run();
	assert_true(next_record(&r));
	assert_int_equal(r.reason, DROP_IP4_CHECKSUM);
	assert_int_equal(r.in_if, iface("lan"));
	assert_false(next_record(&r));
	rig_mark();
	falls(LAN, spec_tcp(), DROP_FILTER_IN); /* the rule itself does not log: the drop does */
	assert_true(next_record(&r));
	assert_int_equal(r.reason, DROP_FILTER_IN);
	assert_false(next_record(&r));
	s = spec_udp(); /* permitted twice with a record each, then dropped with one */
	s.ttl = 1;
	frame_make(&f, &s);
	rig_put(LAN, &f);
	rig_run();
	rig_discard();
	for (unsigned i = 0; i < 3; i++) {
		assert_true(next_record(&r));
		assert_int_equal(r.reason, i < 2 ? DROP_NONE : DROP_TTL_EXCEEDED);
	}
	assert_false(next_record(&r));
}

static void log_rate(void **state)
{
	struct rig_text t = {
		.rules = "{ action = \"deny\"; log = true; }",
		.rest = "log = { rate = 1; burst = 4; };",
	};
	struct worker *w = rig->worker[0];
	struct log_record r;
	struct frame f;
	struct spec s = spec_udp();

	rig_reload(&t);
	rig_mark();
	frame_make(&f, &s);
	for (unsigned i = 0; i < 10; i++)
		rig_put(LAN, &f);
	rig_run();
	for (unsigned i = 0; i < 4; i++) {
		assert_true(next_record(&r));
		assert_int_equal(r.left_out, 0);
	}
	assert_false(next_record(&r));
	assert_int_equal(RIG_STAT(log_left_out), 6);
	w->log.last_tsc -= w->shared->tsc_hz; /* a second later */
	rig_put(LAN, &f);
	rig_run();
	assert_true(next_record(&r));
	assert_int_equal(r.left_out, 6);
	expect_drops(DROP_FILTER_IN, 11);
}

/* --- bursts of everything at once */

static void mixed_groups_in_a_burst(void **state)
{
	struct spec kind[] = {spec_udp(), spec_tcp(), spec_echo(), to(spec_udp(), HOST_V10),
		to(spec_udp(), HOST_V20), to(spec_echo(), LAN_ADDR), spec_udp(), spec_udp(),
		to(spec_tcp(), LAN_ADDR), to(spec_udp(), IP(8, 8, 8, 8))};
	/* by rule: pass, in the order of kind; local echo passes and is answered */
	struct frame f, got;
	unsigned lan = 0, wan = 0, dmz = 0;

	kind[6].frag = FRAG_MF;
	kind[6].payload_len = 16;
	kind[7].frag = 2;
	kind[7].payload_len = 16;
	rules("{ action = \"deny\"; proto = \"tcp\"; scope = \"route\"; },"
	      "{ action = \"deny\"; fragments = \"only\"; direction = \"outbound\"; },"
	      "{ action = \"deny\"; interface = \"nonsecure\"; dst = \"10.20.0.0/24\"; },"
	      "{ action = \"deny\"; dst = \"8.0.0.0/8\"; direction = \"inbound\"; },"
	      "{ action = \"deny\"; proto = \"tcp\"; dst = \"10.1.0.1\"; },"
	      "{ action = \"permit\"; }");
	for (unsigned i = 0; i < 250; i++) {
		kind[i % 10].id = (uint16_t)i;
		frame_make(&f, &kind[i % 10]);
		rig_put(LAN, &f);
	}
	rig_run();
	for (; rig_take(LAN, &got); lan++)
		assert_int_equal((got.b[18] << 8 | got.b[19]) % 10, 5);
	for (; rig_take(WAN, &got); wan++)
		assert_true((got.b[18] << 8 | got.b[19]) % 10 % 2 == 0);
	for (; rig_take(DMZ, &got); dmz++)
		assert_int_equal((got.b[20 + 2] << 8 | got.b[20 + 3]) % 10, 3);
	assert_int_equal(lan, 25);
	assert_int_equal(wan, 50);
	assert_int_equal(dmz, 25);
	/* tcp, tcp to us, 8.8.8.8 inbound; fragments and v20 outbound */
	assert_int_equal(rig_dropped(DROP_FILTER_IN), 75);
	assert_int_equal(rig_dropped(DROP_FILTER_OUT), 75);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_matches),
		TEST(first_match_wins),
		TEST(filter_comes_before_the_route),
		TEST(zones),
		TEST(scope),
		TEST(tcp_ack),
		TEST(ports),
		TEST(icmp_type_and_code),
		TEST(fragments),
		TEST(counts_on_rules),
		TEST(log_records),
		TEST(log_of_drops),
		TEST(log_rate),
		TEST(mixed_groups_in_a_burst),
	};
	int ret;

	rig_up(&(struct rig_text){.system = "burst-packets = 256;"}, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
