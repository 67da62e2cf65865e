/* Duplicate address detection (RFC 4862 section 5.4, RFC 7527) and what is announced (RFC 4861
 * section 7.2.6), with a clock of its own.
 */
#include "neigh_world.h"

static struct addr us, ll, host, none;

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void up_seed(uint8_t probes, uint64_t seed)
{
	dad = probes;
	log_setup(LOG_LVL_ERROR, false);
	world_up_of(64, 64, seed);
	us = ip("2001:db8:6::1");
	ll = ip("fe80::1");
	host = ip("2001:db8:6::99");
}

static void up(uint8_t probes)
{
	up_seed(probes, 11);
}

static bool usable(const struct addr *a)
{
	return neigh_own_usable(table, SIX, a->b);
}

static unsigned count_sent(uint8_t type, const struct addr *target)
{
	unsigned n = 0;

	for (unsigned k = 0; k < n_sent_nd; k++)
		n += sent_nd[k].nd.type == type && addr_equal(&sent_nd[k].nd.target, target);
	return n;
}

static struct nd message(uint8_t type, const struct addr *src, const struct addr *target)
{
	struct nd nd = {.type = type, .src = *src, .dst = nd_solicited_node(target)};

	nd.target = *target;
	return nd;
}

static enum neigh_own_state found;

static void look(void *arg, uint16_t iface, const struct addr *addr, enum neigh_own_state state)
{
	assert_int_equal(iface, SIX);
	if (addr_equal(addr, arg))
		found = state;
}

static enum neigh_own_state own_state(struct addr *a)
{
	neigh_db_own_each(db, look, a);
	return found;
}

/* RFC 4862 section 5.4.2: the first probe after a random delay of up to a second; as many as
 * configured, RetransTimer apart; from "::" to the solicited-node group; then it is ours. */
static void probes_5_4_2(void **state)
{
	uint64_t first = 0;

	up(3);
	assert_false(usable(&us));
	assert_false(usable(&ll));
	assert_int_equal(own_state(&us), NEIGH_OWN_TENTATIVE);
	for (unsigned k = 0; k < 101 && count_sent(ND_NS, &us) == 0; k++, first += 10)
		pass(10);
	assert_in_range(first, 10, 1010);
	for (unsigned k = 0; k < n_sent_nd; k++) {
		const struct nd *nd = &sent_nd[k].nd;
		struct addr group = nd_solicited_node(&nd->target);
		struct mac mac = nd_group_mac(&group);

		assert_int_equal(nd->type, ND_NS);
		assert_true(addr_is_unspecified(&nd->src));
		assert_true(addr_equal(&nd->dst, &group));
		assert_memory_equal(&sent_nd[k].dst, &mac, 6);
		assert_false(nd->has_mac);
		assert_true(nd->has_nonce);
	}
	pass(2 * RETRY_MS);
	assert_int_equal(count_sent(ND_NS, &us), 3);
	assert_false(usable(&us));
	assert_int_equal(count_sent(ND_NA, &us), 0);
	pass(RETRY_MS);
	assert_true(usable(&us));
	assert_int_equal(own_state(&us), NEIGH_OWN_USABLE);
	assert_int_equal(count_sent(ND_NS, &us), 3);
	pass(2000);
	assert_true(usable(&ll));
	assert_int_equal(count_sent(ND_NS, &ll), 3);
	world_down();
}

/* The delay is random, so that hosts that start together do not probe together. */
static void random_delay_5_4_2(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (uint64_t seed = 1; seed <= 100; seed++) {
		uint64_t began;

		up_seed(1, seed);
		for (began = now; count_sent(ND_NS, &us) == 0;)
			pass(10);
		least = RTE_MIN(least, now - began);
		most = RTE_MAX(most, now - began);
		world_down();
	}
	assert_in_range(least, 0, 100);
	assert_in_range(most, 900, 1010);
}

/* RFC 4861 section 7.2.6: at most MAX_NEIGHBOR_ADVERTISEMENT, RetransTimer apart, to all nodes. */
static void announces_7_2_6(void **state)
{
	struct addr all = nd_all_nodes();
	const struct sent_nd *s = &sent_nd[0];

	up(0); /* section 5.1: no detection: usable at once */
	assert_true(usable(&us));
	pass(10);
	assert_int_equal(count_sent(ND_NA, &us), 1);
	assert_int_equal(s->nd.flags, ND_ROUTER | ND_OVERRIDE);
	assert_true(addr_equal(&s->nd.dst, &all));
	assert_memory_equal(&s->dst, "\x33\x33\0\0\0\1", 6);
	pass(RETRY_MS);
	assert_int_equal(count_sent(ND_NA, &us), 2);
	pass(60000);
	assert_int_equal(count_sent(ND_NA, &us), 3);
	assert_int_equal(count_sent(ND_NS, &us), 0);
	world_down();
}

/* RFC 4862 section 5.4: a tentative address is not answered for, and nothing is asked from it. */
static void tentative_5_4(void **state)
{
	struct nd nd;

	up(1);
	nd = message(ND_NS, &host, &us); /* someone looks for it: says nothing (5.4.3) */
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	assert_int_equal(n_sent_nd, 0);
	assert_int_equal(own_state(&us), NEIGH_OWN_TENTATIVE);
	neigh_db_resolve(db, SIX, &host, now); /* no address to ask from */
	assert_int_equal(n_sent_nd, 0);
	for (unsigned k = 0; k < 40 && !usable(&ll) && !usable(&us); k++)
		pass(50);
	pass(RETRY_MS + 1000);
	assert_true(count_sent(ND_NS, &host) > 0); /* asked again, now from ours */
	for (unsigned k = 0; k < n_sent_nd; k++)
		if (addr_equal(&sent_nd[k].nd.target, &host))
			assert_true(addr_equal(&sent_nd[k].nd.src, &us) ||
				    addr_equal(&sent_nd[k].nd.src, &ll));
	world_down();
}

/* RFC 4862 section 5.4.3: another host probes for the same address at the same time. */
static void both_probe_5_4_3(void **state)
{
	struct nd nd;

	for (unsigned with_nonce = 0; with_nonce < 2; with_nonce++) {
		up(1);
		nd = message(ND_NS, &none, &us);
		nd.has_nonce = with_nonce;
		memcpy(nd.nonce, "other!", 6);
		assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
		assert_int_equal(own_state(&us), NEIGH_OWN_DUPLICATE);
		assert_int_equal(
			own_state(&ll), NEIGH_OWN_TENTATIVE); /* the other is not concerned */
		pass(10000);
		assert_false(usable(&us));
		assert_true(usable(&ll));
		assert_int_equal(count_sent(ND_NA, &us), 0);
		/* it is the other host's now: not answered for, not asked from */
		forget();
		nd = message(ND_NS, &host, &us);
		assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
		assert_int_equal(n_sent_nd, 0);
		neigh_db_resolve(db, SIX, &host, now);
		assert_int_equal(n_sent_nd, 1);
		assert_true(addr_equal(&sent_nd[0].nd.src, &ll));
		world_down();
	}
}

/* RFC 7527: our own probe, sent back by the network, is no other host's. */
static void loop_7527(void **state)
{
	struct nd nd;

	up(2);
	pass(1010);
	assert_true(count_sent(ND_NS, &us) > 0);
	for (unsigned k = 0; k < n_sent_nd; k++) {
		nd = sent_nd[k].nd;
		assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	}
	assert_int_equal(own_state(&us), NEIGH_OWN_TENTATIVE);
	pass(5000);
	assert_true(usable(&us));
	/* late: not answered */
	forget();
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	assert_int_equal(n_sent_nd, 0);
	world_down();
}

/* RFC 4862 section 5.4.4: another host says that it has the address. */
static void advertised_5_4_4(void **state)
{
	struct rte_ether_addr mac = mac_of(0x66);
	struct nd nd;

	up(1);
	pass(1010);
	nd = message(ND_NA, &us, &us);
	nd.has_mac = true;
	memcpy(&nd.mac, &mac, 6);
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	assert_int_equal(own_state(&us), NEIGH_OWN_DUPLICATE);
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0); /* said once */
	pass(100000);
	assert_false(usable(&us));
	assert_int_equal(neigh_find(table, SIX, &us), NEIGH_NONE);
	world_down();
}

/* RFC 4861 section 7.2.4: who probes for an address that is ours is told. */
static void defended(void **state)
{
	struct rte_ether_addr mac = mac_of(0x66);
	struct nd nd;

	up(0);
	pass(5000);
	forget();
	nd = message(ND_NS, &none, &us);
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	assert_int_equal(count_sent(ND_NA, &us), 1);
	/* who uses it is contradicted, once in ten seconds; our own that come back are not */
	forget();
	nd = message(ND_NA, &us, &us);
	nd.has_mac = true;
	memcpy(&nd.mac, &world[0].iface[SIX].mac, 6);
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	assert_int_equal(n_sent_nd, 0);
	memcpy(&nd.mac, &mac, 6);
	for (unsigned k = 0; k < 100; k++) {
		assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
		pass(100);
	}
	assert_in_range(count_sent(ND_NA, &us), 1, 2);
	assert_true(usable(&us));
	/* its packets teach nothing of it */
	nd = message(ND_NS, &us, &ll);
	nd.has_mac = true;
	memcpy(&nd.mac, &mac, 6);
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	assert_int_equal(neigh_find(table, SIX, &us), NEIGH_NONE);
	world_down();
}

/* RFC 4862 section 5.4: again when the interface comes up anew; a duplicate gets another chance. */
static void link_up_5_4(void **state)
{
	struct nd nd;

	up(1);
	nd = message(ND_NS, &none, &us);
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	pass(5000);
	assert_false(usable(&us));
	neigh_db_link(db, 3, false, now);
	forget();
	neigh_db_link(db, 3, true, now);
	assert_int_equal(own_state(&us), NEIGH_OWN_TENTATIVE);
	assert_int_equal(own_state(&ll), NEIGH_OWN_TENTATIVE);
	pass(2010);
	assert_int_equal(count_sent(ND_NS, &us), 1);
	assert_int_equal(count_sent(ND_NS, &ll), 1);
	assert_true(usable(&us));
	assert_true(usable(&ll));
	world_down();
	/* without a link nothing is proved */
	up(1);
	neigh_db_link(db, 3, false, now);
	world_ports(&world[1]);
	world[1].iface[SIX].flags = 0;
	neigh_db_ports(db, &world[1], now);
	neigh_db_ports(db, &world[0], now);
	forget();
	pass(10000);
	assert_int_equal(n_sent_nd, 0);
	assert_false(usable(&us));
	neigh_db_link(db, 3, true, now);
	pass(2010);
	assert_true(usable(&us));
	world_down();
}

/* A reload: what stays is not probed for again; what is new, or on another link, is. */
static void reload(void **state)
{
	static struct prefix more[3];
	struct addr added = ip("2001:db8:6::2");

	up(1);
	pass(8000);
	assert_true(usable(&us));
	forget();
	world_ports(&world[1]);
	more[0] = six_addrs[0];
	more[1] = (struct prefix){added, 64};
	more[2] = six_addrs[1];
	world[1].iface[SIX].addrs = more;
	world[1].iface[SIX].n_addrs = 3;
	neigh_db_ports(db, &world[1], now);
	assert_true(usable(&us));
	assert_false(usable(&added));
	pass(8000);
	assert_true(usable(&added));
	assert_int_equal(count_sent(ND_NS, &us) + count_sent(ND_NA, &us), 0);
	assert_int_equal(count_sent(ND_NS, &added), 1);
	world_ports(&world[0]);
	world[0].iface[SIX].vlan = 12;
	neigh_db_ports(db, &world[0], now);
	assert_false(usable(&us));
	world_ports(&world[1]);
	world[1].iface[SIX].flags = 0;
	neigh_db_ports(db, &world[1], now);
	assert_true(usable(&us)); /* not ours any more: nothing is said of it */
	world_down();
}

/* The workers' list: link-local addresses are told apart by interface, others are not. */
static void unusable_list(void **state)
{
	up(1);
	assert_false(neigh_own_usable(table, SIX, ll.b));
	assert_true(neigh_own_usable(table, LAN, ll.b));
	assert_false(neigh_own_usable(table, LAN, us.b));
	assert_true(neigh_own_usable(table, SIX, host.b));
	pass(8000);
	assert_null(atomic_load(&table->unusable));
	world_down();
}

/* RFC 4862 section 5.4.5: the duplicate is the link-local address that is made from the MAC. */
static void off_5_4_5(void **state)
{
	struct prefix made[2];
	struct addr own_ll, all = nd_all_nodes();
	struct nd nd;

	for (unsigned how = 0; how < 2; how++) {
		up(1);
		world_ports(&world[1]);
		own_ll = iface_eui64(&world[1].iface[SIX].mac);
		made[0] = six_addrs[0];
		made[1] = (struct prefix){own_ll, 64};
		world[1].iface[SIX].addrs = made;
		world[1].iface[SIX].ll = own_ll;
		neigh_db_ports(db, &world[1], now);
		pass(8000);
		assert_true(usable(&us));
		/* looked for anew, and there it is */
		neigh_db_link(db, 3, false, now);
		neigh_db_link(db, 3, true, now);
		nd = message(ND_NA, &own_ll, &own_ll);
		nd.dst = all;
		assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
		assert_true(neigh_db_ip6_off(db, SIX));
		assert_true(neigh_ip6_off(neigh_unusable(table), SIX));
		assert_false(neigh_ip6_off(neigh_unusable(table), LAN));
		forget();
		nd = message(ND_NS, &host, &us);
		nd.has_mac = true;
		nd.mac.b[5] = 9;
		assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
		neigh_db_resolve(db, SIX, &host, now);
		pass(20000);
		assert_false(usable(&us)); /* it was no duplicate, but is of no use */
		assert_int_equal(n_sent_nd, 0);
		if (how == 0) { /* the link comes up anew */
			neigh_db_link(db, 3, false, now);
			neigh_db_link(db, 3, true, now);
		} else { /* a reload gives another */
			world_ports(&world[0]);
			neigh_db_ports(db, &world[0], now);
		}
		assert_false(neigh_db_ip6_off(db, SIX));
		assert_int_equal(own_state(&us), NEIGH_OWN_TENTATIVE);
		pass(8000);
		assert_true(usable(&us));
		assert_null(atomic_load(&table->unusable));
		world_down();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_5_4_2),
		cmocka_unit_test(random_delay_5_4_2),
		cmocka_unit_test(announces_7_2_6),
		cmocka_unit_test(tentative_5_4),
		cmocka_unit_test(both_probe_5_4_3),
		cmocka_unit_test(loop_7527),
		cmocka_unit_test(advertised_5_4_4),
		cmocka_unit_test(defended),
		cmocka_unit_test(link_up_5_4),
		cmocka_unit_test(reload),
		cmocka_unit_test(unusable_list),
		cmocka_unit_test(off_5_4_5),
	};

	eal_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
