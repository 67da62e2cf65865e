/* From the configuration to the interfaces that workers see: addresses of both families, link-local
 * ones, tags and router advertisements, over a reload.
 */
#include "harness.h"

#include <string.h>

static const char dual[] =
	"{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; dad-transmits = 3; addresses = "
	"[\"10.1.0.1/16\", \"2001:db8:1::1/64\"]; router-advertisements = { interval-s = 30; }; },"
	"{ name = \"wan\"; port = \"p1\"; addresses = [\"2001:db8:2::1/64\", \"fe80::7/64\", "
	"\"192.0.2.1/24\"]; },"
	"{ name = \"plain\"; port = \"p2\"; addresses = [\"172.16.0.1/24\"]; },"
	"{ name = \"v10\"; port = \"p2\"; outer-vlan = 300; vlan = 10; mtu = 1280;"
	"  addresses = [\"fe80::1/64\"]; },"
	"{ name = \"v20\"; port = \"p2\"; vlan = 20; enabled = false;"
	"  addresses = [\"2001:db8:3::1/64\"]; }";

static const struct iface *iface(const char *name)
{
	const struct iface *f = ports_find(rig->tables->ports, name);

	assert_non_null(f);
	return f;
}

static void expect_addr(const struct addr *a, const char *want)
{
	char buf[ADDR_STRLEN];

	assert_string_equal(addr_format(a, buf), want);
}

static bool own(const char *name, const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return ports_is_own6(rig->tables->ports, iface(name)->id, a.b);
}

static void before(void **state)
{
	for (unsigned i = 1; i < rig->tables->ports->n_ifaces; i++) {
		assert_false(rig->tables->ports->iface[i].flags & IFACE_IP6);
		assert_null(rig->tables->ports->iface[i].ra);
	}
	assert_false(own("lan", "2001:db8:1::1"));
}

static void both_families(void **state)
{
	struct rig_text t = {.interfaces = dual};
	uint16_t lan = iface("lan")->id;
	const struct iface *f;

	rig_reload(&t);
	f = iface("lan");
	assert_int_equal(f->id, lan);
	assert_true(f->flags & IFACE_IP6);
	assert_int_equal(f->dad_transmits, 3);
	/* the link-local address of the port's MAC, 02:00:00:00:00:10, stands behind the others */
	assert_int_equal(f->n_addrs, 3);
	assert_int_equal(f->addrs[2].len, 64);
	expect_addr(&f->addrs[2].addr, "fe80::ff:fe00:10");
	expect_addr(&f->ll, "fe80::ff:fe00:10");
	expect_addr(&f->addr6, "2001:db8:1::1");
	assert_int_equal(f->addr, rte_cpu_to_be_32(LAN_ADDR));
	assert_non_null(f->ra);
	assert_int_equal(f->ra->interval_s, 30);
	assert_int_equal(f->ra->n_prefixes, 1);
	f = iface("wan");
	assert_int_equal(f->n_addrs, 3); /* it has one of its own */
	expect_addr(&f->ll, "fe80::7");
	expect_addr(&f->addr6, "2001:db8:2::1");
	assert_int_equal(f->addr, rte_cpu_to_be_32(WAN_ADDR));
	assert_null(f->ra);
	f = iface("plain");
	assert_false(f->flags & IFACE_IP6);
	assert_int_equal(f->n_addrs, 1);
	f = iface("v10");
	assert_int_equal(f->outer_vlan, 300);
	assert_int_equal(f->vlan, 10);
	assert_int_equal(f->mtu, 1280);
	expect_addr(&f->addr6, "fe80::1"); /* there is no other */
	assert_true(own("wan", "2001:db8:1::1"));
	assert_true(own("lan", "fe80::ff:fe00:10"));
	assert_false(own("wan", "fe80::ff:fe00:10"));
	assert_false(own("v20", "2001:db8:3::1")); /* disabled */
}

static void and_back(void **state)
{
	struct rig_text t = {0};

	rig_reload(&t);
	before(state);
	assert_int_equal(iface("lan")->addr, rte_cpu_to_be_32(LAN_ADDR));
}

int main(void)
{
	struct rig_text t = {0};
	const struct CMUnitTest tests[] = {TEST(before), TEST(both_families), TEST(and_back)};
	int failed;

	rig_up(&t, 1);
	failed = cmocka_run_group_tests_name("graph/iface", tests, NULL, NULL);
	rig_down();
	return failed;
}
