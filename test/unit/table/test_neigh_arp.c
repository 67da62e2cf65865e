/* ARP packets at the neighbour table: whom it answers, from whom it learns, conflicts, and hostile
 * ones: cut at every length, each field wrong in turn, and random bytes. The states: test_neigh.c.
 */
#include "neigh_world.h"

#include <stdlib.h>

#include <rte_random.h>

static const struct rte_ether_addr broadcast = {{255, 255, 255, 255, 255, 255}}, zero;

static void answers(void **state)
{
	const struct rte_ether_addr mac = mac_of(0x99);

	world_up(64);
	assert_int_equal(hear(LAN, 1, HOST, mac, LAN_US), 0);
	assert_int_equal(n_sent, 1);
	assert_sent(0, LAN, 2, LAN_US, HOST, &mac);
	assert_int_equal(state_of(LAN, HOST), NEIGH_REACHABLE); /* it will need our answer soon */
	assert_int_equal(hear(LAN, 1, HOST, mac, IP(10, 1, 1, 1)), 0); /* the second address */
	assert_sent(1, LAN, 2, IP(10, 1, 1, 1), HOST, &mac);
	/* Not for others, nor for an address of another interface, nor to an answer. */
	assert_int_equal(hear(LAN, 1, HOST, mac, IP(10, 1, 0, 200)), 0);
	assert_int_equal(hear(LAN, 1, HOST, mac, IP(192, 0, 2, 2)), 0);
	assert_int_equal(hear(LAN, 1, HOST, mac, 0), 0);
	assert_int_equal(hear(LAN, 2, HOST, mac, LAN_US), 0);
	assert_int_equal(n_sent, 2);
	/* A probe (RFC 5227): answered, nothing learned. */
	assert_int_equal(hear(LAN, 1, 0, mac_of(0x42), LAN_US), 0);
	assert_int_equal(n_sent, 3);
	assert_sent(2, LAN, 2, LAN_US, 0, &(struct rte_ether_addr){{2, 0, 0, 0, 0, 0x42}});
	assert_int_equal(hear(LAN, 1, 0, mac_of(0x42), IP(10, 1, 0, 77)), 0);
	assert_int_equal(hear(LAN, 2, 0, mac_of(0x42), LAN_US), -EINVAL);
	assert_int_equal(state_of(LAN, 0), -1);
	assert_int_equal(state_of(LAN, IP(10, 1, 0, 77)), -1);
	assert_int_equal(n_sent, 3);
	world_down();
}

static void learns(void **state)
{
	const struct rte_ether_addr mac = mac_of(0x99);

	world_up(64);
	/* Unknown: neither from others' requests nor from gratuitous ones. */
	assert_int_equal(hear(LAN, 1, HOST, mac, IP(10, 1, 0, 200)), 0);
	assert_int_equal(hear(LAN, 1, HOST, mac, HOST), 0);
	assert_int_equal(hear(LAN, 2, HOST, mac, HOST), 0);
	assert_int_equal(hear(LAN, 2, HOST, mac, IP(10, 1, 0, 200)), 0);
	assert_int_equal(state_of(LAN, HOST), -1);
	/* Asked for: from any. */
	resolve4(LAN, HOST);
	assert_int_equal(hear(LAN, 1, HOST, mac, HOST), 0);
	assert_int_equal(state_of(LAN, HOST), NEIGH_REACHABLE);
	assert_told(0, LAN, HOST, true);
	/* The same address on another interface is another neighbour. */
	assert_int_equal(hear(BIG, 1, IP(11, 0, 0, 9), mac, IP(11, 0, 0, 1)), 0);
	assert_int_equal(state_of(LAN, IP(11, 0, 0, 9)), -1);
	/* Known: any packet of its keeps it fresh. */
	pass(REACHABLE_MS - 10);
	neigh_mark_used(table, find4(LAN, HOST));
	assert_int_equal(hear(LAN, 1, HOST, mac, IP(10, 1, 0, 200)), 0);
	pass(REACHABLE_MS - 10);
	assert_int_equal(state_of(LAN, HOST), NEIGH_REACHABLE);
	assert_int_equal(n_sent, 2); /* our request, our answer on big0 */
	world_down();
}

static void senders(void **state)
{
	const struct rte_ether_addr mac = mac_of(0x99), multicast = {{1, 0, 0x5e, 0, 0, 1}};
	const uint32_t nobody[] = {IP(10, 2, 0, 9), IP(10, 1, 0, 0), IP(10, 1, 0, 255),
		IP(224, 0, 0, 1), UINT32_MAX, IP(127, 0, 0, 1), IP(0, 0, 0, 7), IP(192, 0, 2, 1)};

	world_up(64);
	for (unsigned i = 0; i < RTE_DIM(nobody); i++)
		for (uint16_t op = 1; op <= 2; op++)
			assert_int_equal(hear(LAN, op, nobody[i], mac, LAN_US), -EINVAL);
	assert_int_equal(hear(LAN, 1, HOST, multicast, LAN_US), -EINVAL);
	assert_int_equal(hear(LAN, 1, HOST, broadcast, LAN_US), -EINVAL);
	assert_int_equal(hear(LAN, 1, HOST, zero, LAN_US), -EINVAL);
	assert_int_equal(hear(LAN, 1, 0, broadcast, LAN_US), -EINVAL);
	assert_int_equal(hear(LAN, 1, HOST, world[0].iface[LAN].mac, LAN_US), -EINVAL);
	assert_int_equal(hear(DOWN, 1, IP(10, 9, 0, 2), mac, IP(10, 9, 0, 1)), -EINVAL);
	assert_int_equal(hear(0, 1, HOST, mac, LAN_US), -EINVAL);
	assert_int_equal(hear(5, 1, HOST, mac, LAN_US), -EINVAL);
	assert_int_equal(hear(65535, 1, HOST, mac, LAN_US), -EINVAL);
	assert_int_equal(n_sent + n_told, 0);
	for (unsigned i = 1; i <= 64; i++)
		assert_null(neigh_get(table, i));
	world_down();
}

static void conflicts(void **state)
{
	const struct rte_ether_addr thief = mac_of(0x666);

	world_up(64);
	/* Our own packet that comes back is no conflict. */
	assert_int_equal(hear(LAN, 1, LAN_US, world[0].iface[LAN].mac, LAN_US), 0);
	assert_int_equal(n_sent, 0);
	assert_int_equal(hear(LAN, 1, LAN_US, thief, HOST), 0);
	assert_int_equal(n_sent, 1);
	assert_sent(0, LAN, 1, LAN_US, LAN_US, NULL);
	for (int i = 0; i < 900; i++) { /* a duel is not ours to fight: once in ten seconds */
		assert_int_equal(hear(LAN, 1 + i % 2, LAN_US, thief, LAN_US), 0);
		pass(10);
	}
	assert_int_equal(n_sent, 1);
	assert_int_equal(hear(LAN, 1, IP(10, 1, 1, 1), thief, HOST), 0); /* another address */
	assert_int_equal(n_sent, 2);
	pass(1000);
	assert_int_equal(hear(LAN, 2, LAN_US, thief, HOST), 0);
	assert_int_equal(n_sent, 3);
	assert_sent(2, LAN, 1, LAN_US, LAN_US, NULL);
	assert_int_equal(state_of(LAN, LAN_US), -1);
	world_down();
}

static void announced(void **state)
{
	world_up(64);
	neigh_db_announce(db, LAN);
	assert_int_equal(n_sent, 2);
	assert_sent(0, LAN, 1, LAN_US, LAN_US, NULL);
	assert_sent(1, LAN, 1, IP(10, 1, 1, 1), IP(10, 1, 1, 1), NULL);
	neigh_db_announce(db, DOWN);
	neigh_db_announce(db, 0);
	neigh_db_announce(db, 999);
	assert_int_equal(n_sent, 2);
	world_down();
}

/* Exactly as many bytes as there are, so that a sanitizer sees a read beyond. */
static int hear_bytes(const void *bytes, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	rc = neigh_db_arp(db, LAN, copy, len, now);
	free(copy);
	return rc;
}

static void malformed(void **state)
{
	struct rte_arp_hdr good = arp_of(1, HOST, mac_of(0x99), LAN_US);
	uint8_t padded[64] = {0};

	world_up(64);
	for (uint32_t len = 0; len < sizeof(good); len++)
		assert_int_equal(hear_bytes(&good, len), -EINVAL);
	/* Each bit of what is fixed: hardware, protocol, lengths; and of the operation. */
	for (unsigned bit = 0; bit < 64; bit++) {
		struct rte_arp_hdr bad = good;

		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(hear_bytes(&bad, sizeof(bad)), -EINVAL);
	}
	assert_int_equal(n_sent, 0);
	assert_int_equal(state_of(LAN, HOST), -1);
	memcpy(padded, &good, sizeof(good));
	assert_int_equal(hear_bytes(padded, 46), 0); /* as Ethernet pads it */
	assert_int_equal(n_sent, 1);
	world_down();
}

/* Random packets, random hints, random time: no crash, no answer for others, no static entry moved,
 * no address learned that cannot be a neighbour's. */
static void random_bytes(void **state)
{
	const struct rte_ether_addr mac = mac_of(0xabc);

	log_setup(LOG_LVL_ERROR, false);
	world_up(64);
	rte_srand(20240601);
	assert_int_equal(static4(LAN, IP(10, 1, 0, 5), &mac), 0);
	for (uint32_t k = 0; k < 300000; k++) {
		uint64_t r[8], pick = rte_rand();
		struct rte_arp_hdr a;
		uint32_t len;

		for (unsigned i = 0; i < 8; i++)
			r[i] = rte_rand();
		len = pick % 61;
		if (pick >> 60 == 0) {
			hear_bytes(r, len);
			continue;
		}
		/* Plausible ones, so that they get further. */
		a = arp_of(1 + (pick >> 8) % 2, LAN_US - 4 + (r[0] & 15),
			mac_of((uint32_t)r[1] & 7), LAN_US + (r[2] & 3));
		if (r[3] % 8 == 0)
			((uint8_t *)&a)[r[4] % sizeof(a)] = (uint8_t)r[5];
		forget();
		hear_bytes(&a, sizeof(a));
		for (unsigned i = 0; i < n_sent; i++)
			assert_true(sent[i].spa == LAN_US || sent[i].spa == IP(10, 1, 1, 1));
		if (r[6] % 4 == 0)
			resolve4(LAN, IP(10, 1, 0, 0) + (r[7] & 0x1ff));
		if (r[6] % 64 == 1)
			pass(r[7] % 3000);
		if (r[6] % 512 == 2)
			neigh_mark_used(table, 1 + r[7] % 64);
	}
	for (uint32_t i = 1; i <= 64; i++) {
		const struct neigh *n = neigh_get(table, i);

		if (n == NULL)
			continue;
		assert_int_equal(neigh_find(table, n->iface, &n->addr), i);
		assert_int_equal(addr_to4(&n->addr) >> 9, IP(10, 1, 0, 0) >> 9);
		assert_int_not_equal(addr_to4(&n->addr), LAN_US);
		assert_in_range(addr_to4(&n->addr) & 255, 1, 254);
	}
	assert_int_equal(state_of(LAN, IP(10, 1, 0, 5)), NEIGH_STATIC);
	assert_memory_equal(entry_of(LAN, IP(10, 1, 0, 5))->hdr, &mac, 6);
	log_setup(LOG_LVL_INFO, false);
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(learns),
		cmocka_unit_test(senders),
		cmocka_unit_test(conflicts),
		cmocka_unit_test(announced),
		cmocka_unit_test(malformed),
		cmocka_unit_test(random_bytes),
	};

	eal_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
