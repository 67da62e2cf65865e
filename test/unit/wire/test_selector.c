/* What a selector matches (RFC 4301 section 4.4.1.1), its mirror image and its text. */
#include "wire/selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct selector selector(const char *sf, const char *st, const char *df, const char *dt)
{
	return (struct selector){.src_from = addr(sf),
		.src_to = addr(st),
		.dst_from = addr(df),
		.dst_to = addr(dt),
		.proto = SELECTOR_PROTO_ANY,
		.sport_to = UINT16_MAX,
		.dport_to = UINT16_MAX};
}

static const struct selector any = {.any_addr = true,
	.proto = SELECTOR_PROTO_ANY,
	.sport_to = UINT16_MAX,
	.dport_to = UINT16_MAX};

static struct selector_packet packet(const char *src, const char *dst)
{
	return (struct selector_packet){
		.src = addr(src), .dst = addr(dst), .proto = 6, .sport = 40000, .dport = 443};
}

static void test_addresses(void **state)
{
	struct selector s = selector("10.0.0.5", "10.0.1.9", "192.0.2.0", "192.0.2.255");
	struct selector all6 = selector(
		"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8::ffff");
	static const struct {
		const char *src, *dst;
		bool match;
	} t[] = {
		{"10.0.0.5", "192.0.2.0", true},
		{"10.0.1.9", "192.0.2.255", true},
		{"10.0.0.200", "192.0.2.1", true},
		{"10.0.0.4", "192.0.2.1", false},
		{"10.0.1.10", "192.0.2.1", false},
		{"10.0.0.5", "192.0.3.0", false},
		{"10.0.0.5", "192.0.1.255", false},
		{"2001:db8::1", "2001:db8::2", false},
	};
	struct selector_packet p6 = packet("2001:db8::1", "2001:db8::2"), p4;

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct selector_packet p = packet(t[i].src, t[i].dst);

		assert_int_equal(selector_matches(&s, &p), t[i].match);
		assert_true(selector_matches(&any, &p));
	}
	assert_true(selector_matches(&all6, &p6));
	/* an IPv4 packet is not one of ::/0 */
	p4 = packet("10.0.0.5", "192.0.2.0");
	all6.dst_from = addr("::");
	all6.dst_to = all6.src_to;
	assert_false(selector_matches(&all6, &p4));
}

static void test_protocol_and_ports(void **state)
{
	struct selector s = any;
	struct selector_packet p = packet("10.0.0.1", "10.0.0.2");

	s.proto = 17;
	assert_false(selector_matches(&s, &p));
	s.proto = 6;
	assert_true(selector_matches(&s, &p));
	s.dport_from = 443;
	s.dport_to = 444;
	assert_true(selector_matches(&s, &p));
	p.dport = 445;
	assert_false(selector_matches(&s, &p));
	p.dport = 442;
	assert_false(selector_matches(&s, &p));
	p.dport = 444;
	s.sport_from = 40000;
	assert_true(selector_matches(&s, &p));
	p.sport = 39999;
	assert_false(selector_matches(&s, &p));
	/* ports that nobody knows */
	p.sport = 40000;
	p.no_ports = true;
	assert_false(selector_matches(&s, &p));
	s.sport_from = s.dport_from = 0;
	s.dport_to = UINT16_MAX;
	assert_true(selector_matches(&s, &p));
	assert_false(selector_needs_ports(&s));
}

static void test_mirror(void **state)
{
	struct selector s = selector("10.0.0.0", "10.0.0.255", "192.0.2.1", "192.0.2.1"), m;

	s.proto = 6;
	s.sport_from = 1024;
	s.dport_from = s.dport_to = 443;
	m = selector_mirror(&s);
	assert_true(addr_equal(&m.src_from, &s.dst_from) && addr_equal(&m.src_to, &s.dst_to));
	assert_true(addr_equal(&m.dst_from, &s.src_from) && addr_equal(&m.dst_to, &s.src_to));
	assert_int_equal(m.sport_from, 443);
	assert_int_equal(m.sport_to, 443);
	assert_int_equal(m.dport_from, 1024);
	assert_int_equal(m.dport_to, 65535);
	m = selector_mirror(&m);
	assert_memory_equal(&m, &s, sizeof(m)); /* there and back */
	/* type and code are those of the packet, whichever way it goes */
	s.proto = 1;
	m = selector_mirror(&s);
	assert_int_equal(m.sport_from, 1024);
	assert_int_equal(m.dport_from, 443);
	s.proto = 58;
	m = selector_mirror(&s);
	assert_int_equal(m.dport_from, 443);
}

static void test_text(void **state)
{
	struct selector s = selector("10.0.0.0", "10.255.255.255", "192.168.1.0", "192.168.1.9");
	char text[SELECTOR_STRLEN];

	assert_string_equal(
		selector_format(&s, text, sizeof(text)), "10.0.0.0/8 -> 192.168.1.0-192.168.1.9");
	s.proto = 6;
	s.sport_from = 1024;
	s.dport_from = s.dport_to = 443;
	assert_string_equal(selector_format(&s, text, sizeof(text)),
		"10.0.0.0/8 -> 192.168.1.0-192.168.1.9 tcp 1024-65535 -> 443");
	s = selector("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1", "2001:db8::1");
	assert_string_equal(selector_format(&s, text, sizeof(text)), "::/0 -> 2001:db8::1");
	s = any;
	assert_string_equal(selector_format(&s, text, sizeof(text)), "any -> any");
	s.proto = 1;
	s.sport_from = s.sport_to = 8;
	assert_string_equal(
		selector_format(&s, text, sizeof(text)), "any -> any icmp type 8 code any");
	s.proto = 132;
	assert_string_equal(selector_format(&s, text, sizeof(text)), "any -> any 132 8 -> any");
	/* the longest there is */
	s = selector("1111:1111:1111:1111:1111:1111:1111:1111",
		"2222:2222:2222:2222:2222:2222:2222:2222",
		"1111:1111:1111:1111:1111:1111:1111:1111",
		"2222:2222:2222:2222:2222:2222:2222:2222");
	s.proto = 6;
	s.sport_from = s.dport_from = 10000;
	s.sport_to = s.dport_to = 20000;
	assert_non_null(
		strstr(selector_format(&s, text, sizeof(text)), "10000-20000 -> 10000-20000"));
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *from, *to, *prefixes;
		unsigned n;
	} t[] = {
		{"10.0.0.0", "10.255.255.255", "10.0.0.0/8", 1},
		{"10.0.0.7", "10.0.0.7", "10.0.0.7/32", 1},
		{"0.0.0.0", "255.255.255.255", "0.0.0.0/0", 1},
		{"10.0.0.1", "10.0.0.6", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32", 4},
		{"10.0.0.255", "10.0.1.0", "10.0.0.255/32 10.0.1.0/32", 2},
		{"255.255.255.254", "255.255.255.255", "255.255.255.254/31", 1},
		{"0.0.0.1", "255.255.255.254", NULL, 62},
		{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0", 1},
		{"2001:db8::fffe", "2001:db8::1:1", "2001:db8::fffe/127 2001:db8::1:0/127", 2},
		{"::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", NULL, RANGE_PREFIXES_MAX},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct addr from = addr(t[i].from), to = addr(t[i].to);
		struct prefix p[RANGE_PREFIXES_MAX];
		char text[512] = "";

		assert_int_equal(selector_prefixes(&from, &to, p), t[i].n);
		for (unsigned j = 0; t[i].prefixes && j < t[i].n; j++) {
			char one[PREFIX_STRLEN];

			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				j ? " " : "", prefix_format(&p[j], one));
		}
		if (t[i].prefixes)
			assert_string_equal(text, t[i].prefixes);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_protocol_and_ports),
		cmocka_unit_test(test_mirror),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests_name("selector", tests, NULL, NULL);
}
