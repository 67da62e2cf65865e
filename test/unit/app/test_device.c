/* What is asked of a device: RSS whose hash is the same for both directions of a flow in both
 * families, and room for VLAN tags. The devices are made up.
 */
#include "device.h"

#include <rte_byteorder.h>
#include <rte_thash.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IP4_KINDS (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP)
#define IP6_KINDS (RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)

static uint64_t hf_of(uint64_t offers)
{
	return device_rss_hf(&(struct rte_eth_dev_info){.flow_type_rss_offloads = offers});
}

static void asks_for_what_there_is(void **state)
{
	assert_int_equal(hf_of(0), 0);
	assert_int_equal(hf_of(IP4_KINDS), IP4_KINDS);
	assert_int_equal(hf_of(IP4_KINDS | IP6_KINDS), IP4_KINDS | IP6_KINDS);
	/* fragments by their addresses, under whatever name */
	assert_int_equal(hf_of(RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_FRAG_IPV6),
		RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_FRAG_IPV6);
	/* not symmetric, or nothing that we spread by */
	assert_int_equal(hf_of(RTE_ETH_RSS_NONFRAG_IPV4_SCTP | RTE_ETH_RSS_IPV6_EX |
				 RTE_ETH_RSS_L2_PAYLOAD | RTE_ETH_RSS_ESP),
		0);
	/* a key that we have no room for */
	assert_int_equal(
		device_rss_hf(&(struct rte_eth_dev_info){.flow_type_rss_offloads = IP4_KINDS,
			.hash_key_size = DEVICE_RSS_KEY_MAX + 1}),
		0);
}

static void says_what_is_missing(void **state)
{
	assert_string_equal(device_rss_lacks(IP4_KINDS | IP6_KINDS), "");
	assert_string_equal(device_rss_lacks(IP4_KINDS), "IPv6");
	assert_string_equal(device_rss_lacks(RTE_ETH_RSS_IPV4), "IPv6, and not all ports of IPv4");
	assert_string_equal(device_rss_lacks(IP6_KINDS), "IPv4");
	assert_string_equal(device_rss_lacks(IP4_KINDS | RTE_ETH_RSS_IPV6), "all ports of IPv6");
	assert_string_equal(device_rss_lacks(RTE_ETH_RSS_IPV4 | IP6_KINDS), "all ports of IPv4");
	assert_string_equal(device_rss_lacks(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6), "all ports");
}

/* Toeplitz as devices compute it, over words in host order. */
static uint32_t toeplitz(const uint32_t *words, unsigned n)
{
	uint8_t key[DEVICE_RSS_KEY_MAX];
	uint32_t copy[16];

	assert_int_equal(device_rss_key(&(struct rte_eth_dev_info){0}, key), 40);
	memcpy(copy, words, n * sizeof(*words));
	return rte_softrss(copy, n, key);
}

/* n words of address on each side, then the ports. */
static void exchange(const uint32_t *in, uint32_t *out, unsigned n)
{
	memcpy(out, in + n, n * sizeof(*in));
	memcpy(out + n, in, n * sizeof(*in));
	out[2 * n] = in[2 * n] << 16 | in[2 * n] >> 16;
}

static void the_key_is_symmetric(void **state)
{
	uint32_t there[9], back[9], first = 0;
	bool differ = false;

	for (unsigned i = 0; i < 1000; i++) {
		for (unsigned k = 0; k < 9; k++)
			there[k] = (uint32_t)random() << 16 ^ (uint32_t)random();
		exchange(there, back, 1);
		assert_int_equal(toeplitz(there, 3), toeplitz(back, 3));
		assert_int_equal(toeplitz(there, 2), toeplitz(back, 2));
		exchange(there, back, 4);
		assert_int_equal(toeplitz(there, 9), toeplitz(back, 9));
		assert_int_equal(toeplitz(there, 8), toeplitz(back, 8));
		differ |= i > 0 && toeplitz(there, 9) != first;
		first = toeplitz(there, 9);
	}
	assert_true(differ);
	assert_int_equal(device_rss_key(&(struct rte_eth_dev_info){.hash_key_size = 52},
				 (uint8_t[DEVICE_RSS_KEY_MAX]){0}),
		52);
}

static void expect_mtu(uint32_t max_mtu, uint32_t max_rx_pktlen, uint16_t mtu, unsigned tags,
	uint16_t want, bool fits)
{
	struct rte_eth_dev_info info = {
		.max_mtu = (uint16_t)max_mtu, .max_rx_pktlen = max_rx_pktlen};
	bool did;

	assert_int_equal(device_mtu(&info, mtu, tags, &did), want);
	assert_int_equal(did, fits);
}

static void room_for_tags(void **state)
{
	/* counts two tags as part of the header (i40e, ice) */
	expect_mtu(9702, 9728, 1500, 2, 1500, true);
	expect_mtu(9702, 9728, 9000, 2, 9000, true);
	/* counts one (ixgbe says 9728 - 22) */
	expect_mtu(9706, 9728, 1500, 2, 1504, true);
	expect_mtu(9706, 9728, 1500, 1, 1500, true);
	/* none: 18 bytes of header and checksum */
	expect_mtu(9710, 9728, 9000, 2, 9008, true);
	expect_mtu(9710, 9728, 9000, 0, 9000, true);
	/* a driver that knows no limit */
	expect_mtu(UINT16_MAX, UINT32_MAX, 9000, 2, 9008, true);
	/* virtio with a limit of its peer's */
	expect_mtu(1500, 9728, 1500, 2, 1500, true);
	/* no further than the device goes: af_packet, and one with MTU 1504 at most */
	expect_mtu(UINT16_MAX, 1518, 1500, 2, 1500, false);
	expect_mtu(UINT16_MAX, 1518, 1400, 2, 1408, true);
	expect_mtu(1504, 1522, 1500, 2, 1504, false);
	expect_mtu(0, 0, 1500, 2, 1508, true); /* says nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_what_there_is),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(the_key_is_symmetric),
		cmocka_unit_test(room_for_tags),
	};

	srandom(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
