/* Addresses and ports of selectors from text. */
#include "wire/selector_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect_addrs(const char *text, const char *from, const char *to)
{
	struct addr a, b, x, y;
	bool any;

	assert_int_equal(selector_addrs_parse(text, &a, &b, &any), 0);
	assert_false(any);
	assert_int_equal(addr_parse(from, &x), 0);
	assert_int_equal(addr_parse(to, &y), 0);
	assert_memory_equal(&a, &x, sizeof(a));
	assert_memory_equal(&b, &y, sizeof(b));
}

static void test_addrs(void **state)
{
	static const char *const bad[] = {"", "x", "192.0.2.1/24", "192.0.2.9-192.0.2.1",
		"192.0.2.1-2001:db8::1", "192.0.2.1-", "-192.0.2.1", "192.0.2.0/33", "any ",
		"192.0.2.1-192.0.2.2-192.0.2.3",
		"1111111111111111111111111111111111111111111111111111111-::1", "2001:db8::1/64"};
	struct addr a, b;
	bool any;

	expect_addrs("192.0.2.1", "192.0.2.1", "192.0.2.1");
	expect_addrs("192.0.2.0/24", "192.0.2.0", "192.0.2.255");
	expect_addrs("0.0.0.0/0", "0.0.0.0", "255.255.255.255");
	expect_addrs("10.0.0.0/9", "10.0.0.0", "10.127.255.255");
	expect_addrs("192.0.2.1-192.0.2.9", "192.0.2.1", "192.0.2.9");
	expect_addrs("2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff");
	expect_addrs("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	expect_addrs("2001:db8::1-2001:db8::2", "2001:db8::1", "2001:db8::2");
	assert_int_equal(selector_addrs_parse("any", &a, &b, &any), 0);
	assert_true(any);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (selector_addrs_parse(bad[i], &a, &b, &any) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void test_ports(void **state)
{
	static const char *const bad[] = {
		"", "x", "65536", "1-", "-1", "9-1", "1-2-3", "1 ", "99999999999", "any-1"};
	uint16_t from, to;

	assert_int_equal(selector_ports_parse("any", 65535, &from, &to), 0);
	assert_true(from == 0 && to == 65535);
	assert_int_equal(selector_ports_parse("443", 65535, &from, &to), 0);
	assert_true(from == 443 && to == 443);
	assert_int_equal(selector_ports_parse("0-65535", 65535, &from, &to), 0);
	assert_true(from == 0 && to == 65535);
	assert_int_equal(selector_ports_parse("256", 255, &from, &to), -22);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (selector_ports_parse(bad[i], 65535, &from, &to) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addrs),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
