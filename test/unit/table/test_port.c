/* Port tables: the interface of a frame's tags, and the header that such a frame gets on its way
 * out (IEEE 802.1Q, 802.1ad).
 */
#include "table/neigh.h"
#include "table/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_both_tags),
		cmocka_unit_test(writes_the_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
