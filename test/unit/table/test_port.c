/* Port tables: the interface of a frame's tags, and the header that such a frame gets on its way
 * out (IEEE 802.1Q, 802.1ad); our own addresses and multicast groups.
 */
#include "table/neigh.h"
#include "table/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void finds_by_both_tags(void **state)
{
	struct port_entry p = {0};

	assert_int_equal(port_find(&p, 0, 0), IFACE_NONE);
	assert_int_equal(port_find(&p, 0, 10), IFACE_NONE);
	assert_int_equal(port_find(&p, 10, 0), IFACE_NONE);
	assert_int_equal(port_find(&p, 10, 10), IFACE_NONE);
	assert_int_equal(port_add(&p, 0, 0, 1), 0);
	assert_int_equal(port_add(&p, 0, 10, 2), 0);
	assert_int_equal(port_add(&p, 10, 0, 3), 0);
	assert_int_equal(port_add(&p, 10, 10, 4), 0);
	assert_int_equal(port_add(&p, 10, 4094, 5), 0);
	assert_int_equal(port_add(&p, 4094, 10, 6), 0);
	assert_int_equal(port_find(&p, 0, 0), 1);
	assert_int_equal(port_find(&p, 0, 10), 2);
	assert_int_equal(port_find(&p, 10, 0), 3);
	assert_int_equal(port_find(&p, 10, 10), 4);
	assert_int_equal(port_find(&p, 10, 4094), 5);
	assert_int_equal(port_find(&p, 4094, 10), 6);
	assert_int_equal(port_find(&p, 4094, 0), IFACE_NONE);
	assert_int_equal(port_find(&p, 11, 10), IFACE_NONE);
	assert_int_equal(port_find(&p, 10, 11), IFACE_NONE);
	assert_int_equal(port_find(&p, 0, 4095), IFACE_NONE);
	assert_int_equal(port_find(&p, 4095, 4095), IFACE_NONE);
	port_fini(&p);
}

static void expect_header(uint16_t outer, uint16_t vlan, const void *tags, unsigned len)
{
	static const struct rte_ether_addr dst = {{2, 0, 0, 0, 0, 0xd}};
	const struct iface f = {.mac = {{2, 0, 0, 0, 0, 0x5}}, .outer_vlan = outer, .vlan = vlan};
	uint8_t hdr[IFACE_HDR_MAX], want[IFACE_HDR_MAX] = {2, 0, 0, 0, 0, 0xd, 2, 0, 0, 0, 0, 0x5};

	memcpy(want + 12, tags, len);
	memcpy(want + 12 + len, "\x08\x06", 2);
	assert_int_equal(iface_header(&f, &dst, RTE_BE16(RTE_ETHER_TYPE_ARP), hdr), 14 + len);
	assert_memory_equal(hdr, want, 14 + len);
}

static void writes_the_tags(void **state)
{
	expect_header(0, 0, "", 0);
	expect_header(0, 10, "\x81\x00\x00\x0a", 4);
	expect_header(300, 0, "\x88\xa8\x01\x2c", 4);
	expect_header(300, 10, "\x88\xa8\x01\x2c\x81\x00\x00\x0a", 8);
	assert_true(NEIGH_HDR_MAX >= 22);
}

/* --- addresses */

enum { LAN = 1, WAN, OFF, FOUR };

static struct prefix lan[] = {{.len = 0}, {.len = 64}, {.len = 64}, {.len = 64}};
static struct prefix wan[] = {{.len = 64}}, off[] = {{.len = 64}}, four[1];

static struct addr at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct ports *world(void)
{
	struct ports *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	lan[0] = prefix_of4(0x0a000001, 24);
	lan[1].addr = at("fe80::1");
	lan[2].addr = at("2001:db8::a1:b2c3");
	lan[3].addr = at("2001:db8:1::1");
	wan[0].addr = at("fe80::1");
	off[0].addr = at("2001:db8:2::7");
	four[0] = prefix_of4(0x0a000101, 24);
	p->n_ifaces = 5;
	p->iface[LAN] = (struct iface){.flags = IFACE_UP, .n_addrs = 4, .addrs = lan};
	p->iface[WAN] = (struct iface){.flags = IFACE_UP, .n_addrs = 1, .addrs = wan};
	p->iface[OFF] = (struct iface){.n_addrs = 1, .addrs = off};
	p->iface[FOUR] = (struct iface){.flags = IFACE_UP, .n_addrs = 1, .addrs = four};
	p->iface[FOUR].flags |= IFACE_IP6; /* what stood there before */
	p->own6[3] = 0xff;
	ports_index(p);
	return p;
}

static void knows_the_first_addresses(void **state)
{
	struct ports *p = world();
	struct addr a;

	assert_int_equal(p->iface[LAN].addr, RTE_BE32(0x0a000001));
	a = at("fe80::1");
	assert_true(addr_equal(&p->iface[LAN].ll, &a));
	assert_true(addr_equal(&p->iface[WAN].ll, &a));
	assert_true(addr_equal(&p->iface[WAN].addr6, &a)); /* there is no other */
	a = at("2001:db8::a1:b2c3");
	assert_true(addr_equal(&p->iface[LAN].addr6, &a));
	assert_int_equal(p->iface[WAN].addr, 0);
	assert_true(p->iface[LAN].flags & IFACE_IP6);
	assert_true(p->iface[OFF].flags & IFACE_IP6);
	assert_false(p->iface[FOUR].flags & IFACE_IP6);
	assert_true(addr_is_unspecified(&p->iface[FOUR].addr6));
	free(p);
}

static bool own(const struct ports *p, uint16_t iface, const char *text)
{
	struct addr a = at(text);

	return ports_is_own6(p, iface, a.b);
}

static void knows_its_own(void **state)
{
	struct ports *p = world();

	assert_true(ports_is_own(p, RTE_BE32(0x0a000001)));
	assert_true(ports_maybe_own(p, RTE_BE32(0x0a000101)));
	assert_false(ports_is_own(p, RTE_BE32(0x0a000002)));
	/* a global address is ours wherever it is asked for, */
	assert_true(own(p, LAN, "2001:db8:1::1"));
	assert_true(own(p, WAN, "2001:db8:1::1"));
	assert_true(own(p, IFACE_NONE, "2001:db8::a1:b2c3"));
	assert_false(own(p, LAN, "2001:db8:1::2"));
	assert_false(own(p, LAN, "2001:db8:2::7")); /* its interface is down */
	assert_false(own(p, OFF, "2001:db8:2::7"));
	/* a link-local one on its link alone */
	assert_true(own(p, LAN, "fe80::1"));
	assert_true(own(p, WAN, "fe80::1"));
	assert_false(own(p, FOUR, "fe80::1"));
	assert_false(own(p, IFACE_NONE, "fe80::1"));
	assert_false(own(p, 999, "fe80::1"));
	assert_false(own(p, WAN, "fe80::2"));
	assert_false(own(p, LAN, "::"));
	free(p);
}

static bool joined(const struct iface *f, const char *text)
{
	struct addr a = at(text);

	return iface_has_group(f, a.b);
}

/* RFC 4291 section 2.8: the groups that a router must be in, as far as they are on the link. */
static void knows_its_groups(void **state)
{
	struct ports *p = world();
	const struct iface *f = &p->iface[LAN];
	static const char *const others[] = {"ff02::", "ff02::3", "ff02::1:2", "ff01::1", "ff05::2",
		"ff12::1", "ff02::100:0:1", "ff02::1:ffa1:b2c4", "ff02::1:ffa2:b2c3",
		"ff02::1:fea1:b2c3", "ff02::2:ffa1:b2c3", "ff02:1::1:ffa1:b2c3",
		"ff05::1:ffa1:b2c3", "ff02::1:ff00:2", "2001:db8:1::1", "fe80::1"};

	assert_true(joined(f, "ff02::1"));
	assert_true(joined(f, "ff02::2"));
	assert_true(joined(f, "ff02::1:ffa1:b2c3"));
	assert_true(joined(f, "ff02::1:ff00:1")); /* of two addresses */
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (joined(f, others[i]))
			fail_msg("%s is none of our groups", others[i]);
	/* subnet-router anycast: of lan's subnets, not of wan's link-local one */
	assert_true(joined(f, "ff02::1:ff00:0"));
	assert_false(joined(&p->iface[WAN], "ff02::1:ff00:0"));
	/* IPv4's 10.0.1.1 would have the last bytes of this one */
	assert_false(joined(f, "ff02::1:ff00:101"));
	assert_false(joined(&p->iface[FOUR], "ff02::1"));
	assert_false(joined(&p->iface[WAN], "ff02::1:ffa1:b2c3"));
	free(p);
}

/* RFC 4291 appendix A, and its example in RFC 2464 section 4. */
static void forms_link_local(void **state)
{
	const struct rte_ether_addr mac = {{0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde}};
	const struct rte_ether_addr local = {{2, 0, 0, 0, 0, 1}};
	struct addr a = iface_eui64(&mac), want = at("fe80::3656:78ff:fe9a:bcde");

	assert_true(addr_equal(&a, &want));
	a = iface_eui64(&local);
	want = at("fe80::ff:fe00:1");
	assert_true(addr_equal(&a, &want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_both_tags),
		cmocka_unit_test(writes_the_tags),
		cmocka_unit_test(knows_the_first_addresses),
		cmocka_unit_test(knows_its_own),
		cmocka_unit_test(knows_its_groups),
		cmocka_unit_test(forms_link_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
