/* wire/addr: what is an address, a prefix, a MAC, and what is none; there and back. */
#include "wire/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void addresses(void **state)
{
	static const struct {
		const char *text;
		uint32_t addr;
	} good[] = {
		{"0.0.0.0", 0},
		{"255.255.255.255", UINT32_MAX},
		{"9.0.0.1", 0x09000001},
		{"192.168.10.200", 0xc0a80ac8},
	};
	char buf[ADDR4_STRLEN];
	uint32_t a;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(addr4_parse(good[i].text, &a), 0);
		assert_int_equal(a, good[i].addr);
		assert_string_equal(addr4_format(a, buf), good[i].text);
	}
}

static void no_addresses(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"1.2.3.04",
		"01.2.3.4",
		"1.2.3.",
		".1.2.3",
		"1..2.3",
		" 1.2.3.4",
		"1.2.3.4 ",
		"1.2.3.4/24",
		"-1.2.3.4",
		"+1.2.3.4",
		"1.2.3.0x4",
		"1.2.3.4444",
		"a.b.c.d",
		"99999999999.1.1.1",
		"1,2,3,4",
	};
	uint32_t a;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(addr4_parse(bad[i], &a) < 0);
}

static void either_family(void **state)
{
	static const struct {
		const char *text, *written;
		uint8_t len;
	} good[] = {
		{"10.1.2.3/8", "10.1.2.3/8", 104},
		{"0.0.0.0/0", "0.0.0.0/0", 96},
		{"10.0.0.1", "10.0.0.1/32", 128},
		{"::/0", "::/0", 0},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1/128", 128},
		{"fe80::1/64", "fe80::1/64", 64},
		{"2001:db8::8:800:200c:417a/127", "2001:db8::8:800:200c:417a/127", 127},
	};
	static const char *const bad[] = {"", ":", ":::", "1::2::3", "2001:db8::/129", "::/",
		"::/-1", "::1/064", "::ffff:10.0.0.1", "::ffff:a00:1", "fe80::1%eth0",
		"2001:db8::1 ", "10.0.0.1/33", "12345::", "1:2:3:4:5:6:7:8:9",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
	char buf[PREFIX_STRLEN];
	struct prefix p;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(prefix_parse(good[i].text, &p), 0);
		assert_int_equal(p.len, good[i].len);
		assert_string_equal(prefix_format(&p, buf), good[i].written);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(prefix_parse(bad[i], &p) < 0);
}

static bool holds(const char *prefix, const char *addr)
{
	struct prefix p;
	struct addr a;

	assert_int_equal(prefix_parse(prefix, &p), 0);
	assert_int_equal(addr_parse(addr, &a), 0);
	return prefix_holds(&p, &a);
}

static void what_a_prefix_holds(void **state)
{
	struct prefix a, b;

	assert_true(holds("10.0.0.0/8", "10.255.0.1"));
	assert_false(holds("10.0.0.0/8", "11.0.0.1"));
	assert_true(holds("0.0.0.0/0", "255.255.255.255"));
	assert_true(holds("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(holds("2001:db8::/33", "2001:db8:ffff::1"));
	assert_true(holds("::/0", "fe80::1"));
	assert_true(holds("::1", "::1"));
	assert_false(holds("::1", "::2"));
	/* a family holds nothing of the other */
	assert_false(holds("::/0", "10.0.0.1"));
	assert_false(holds("0.0.0.0/0", "::1"));
	assert_int_equal(prefix_parse("2001:db8::/32", &a), 0);
	assert_int_equal(prefix_parse("2001:db8:1::/48", &b), 0);
	assert_true(prefix_overlap(&a, &b) && prefix_overlap(&b, &a));
	assert_int_equal(prefix_parse("0.0.0.0/0", &b), 0);
	assert_false(prefix_overlap(&a, &b));
}

static void kinds_of_addresses(void **state)
{
	struct addr a = addr_of4(0xe0000001);

	assert_true(addr_is4(&a) && addr_is_multicast(&a) && !addr_is_link_local(&a));
	assert_int_equal(addr_to4(&a), 0xe0000001);
	assert_int_equal(addr_parse("ff02::1", &a), 0);
	assert_true(!addr_is4(&a) && addr_is_multicast(&a) && !addr_is_unspecified(&a));
	assert_int_equal(addr_parse("febf::1", &a), 0);
	assert_true(addr_is_link_local(&a) && !addr_is_multicast(&a));
	assert_int_equal(addr_parse("::", &a), 0);
	assert_true(addr_is_unspecified(&a) && !addr_is4(&a));
}

static void prefixes(void **state)
{
	static const char *const bad[] = {
		"",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/08",
		"10.0.0.0/8 ",
		"10.0.0.0/8/8",
		"10.0.0/8",
		"10.0.0.0 /8",
		"10.0.0.0/100000000008",
	};
	struct prefix4 p;
	char buf[PREFIX4_STRLEN];

	assert_int_equal(prefix4_parse("10.1.2.3/8", &p), 0);
	assert_int_equal(p.addr, 0x0a010203); /* host bits stay */
	assert_int_equal(p.len, 8);
	assert_string_equal(prefix4_format(&p, buf), "10.1.2.3/8");
	assert_int_equal(prefix4_parse("10.1.2.3", &p), 0);
	assert_int_equal(p.len, 32);
	assert_int_equal(prefix4_parse("0.0.0.0/0", &p), 0);
	assert_int_equal(p.len, 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(prefix4_parse(bad[i], &p) < 0);
	p = (struct prefix4){UINT32_MAX, 32};
	assert_string_equal(prefix4_format(&p, buf), "255.255.255.255/32");
}

static void macs(void **state)
{
	static const char *const bad[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:01:02",
		"02-00-00-00-00-01",
		"2:0:0:0:0:1",
		"02:00:00:00:00:0g",
		"02:00:00:00:00:01 ",
		"020000000001",
	};
	struct mac m;
	char buf[MAC_STRLEN];

	assert_int_equal(mac_parse("02:aB:Cd:00:fF:10", &m), 0);
	assert_string_equal(mac_format(&m, buf), "02:ab:cd:00:ff:10");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(mac_parse(bad[i], &m) < 0);
}

static void masks(void **state)
{
	static const uint32_t holes[] = {1, 0x7fffffff, 0xff00ff00, 0xfffffffd, 0x80000001};

	for (unsigned len = 0; len <= 32; len++)
		assert_int_equal(mask4_len(mask4(len)), len);
	assert_int_equal(mask4(0), 0);
	assert_int_equal(mask4(32), UINT32_MAX);
	for (unsigned i = 0; i < sizeof(holes) / sizeof(holes[0]); i++)
		assert_int_equal(mask4_len(holes[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(either_family),
		cmocka_unit_test(what_a_prefix_holds),
		cmocka_unit_test(kinds_of_addresses),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(macs),
		cmocka_unit_test(masks),
	};

	return cmocka_run_group_tests_name("wire/addr", tests, NULL, NULL);
}
