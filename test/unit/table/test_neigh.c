/* The neighbour table: every transition with a clock of its own, ageing, probing, static and pinned
 * entries, a changed configuration, a full table, and what RCU promises. Packets: test_neigh_arp.c.
 */
#include "neigh_world.h"

#include <pthread.h>

static void resolve_answered(void **state)
{
	const struct rte_ether_addr mac = mac_of(0x99);
	const struct neigh *n;

	world_up(64);
	resolve4(LAN, HOST);
	assert_int_equal(n_sent, 1);
	assert_sent(0, LAN, 1, LAN_US, HOST, NULL);
	assert_int_equal(state_of(LAN, HOST), NEIGH_INCOMPLETE);
	for (int i = 0; i < 100; i++)
		resolve4(LAN, HOST); /* hints come many times */
	assert_int_equal(n_sent, 1);
	assert_int_equal(hear(LAN, 2, HOST, mac, LAN_US), 0);
	n = entry_of(LAN, HOST);
	assert_int_equal(n->state, NEIGH_REACHABLE);
	assert_int_equal(n->hdr_len, 14);
	assert_memory_equal(n->hdr, &mac, 6);
	assert_memory_equal(n->hdr + 6, &world[0].iface[LAN].mac, 6);
	assert_memory_equal(n->hdr + 12, "\x08\x00", 2);
	assert_int_equal(n->port, 0);
	assert_int_equal(n->iface, LAN);
	assert_int_equal(addr_to4(&n->addr), HOST);
	assert_int_equal(n->mtu, 1500);
	assert_int_equal(n_told, 1);
	assert_told(0, LAN, HOST, true);
	assert_int_equal(told[0].index, find4(LAN, HOST));
	resolve4(LAN, HOST); /* a late hint is told again */
	assert_int_equal(n_told, 2);
	assert_int_equal(n_sent, 1);
	world_down();
}

static void tagged_header(void **state)
{
	const struct rte_ether_addr mac = mac_of(0x98);
	const struct neigh *n;

	world_up(64);
	known(WAN, GW, mac);
	n = entry_of(WAN, GW);
	assert_int_equal(n->hdr_len, 18);
	assert_int_equal(n->port, 1);
	assert_memory_equal(n->hdr, &mac, 6);
	assert_memory_equal(n->hdr + 6, &world[0].iface[WAN].mac, 6);
	assert_memory_equal(n->hdr + 12, "\x81\x00\x00\x07\x08\x00", 6);
	/* The second address of an interface asks for its own subnet. */
	resolve4(LAN, IP(10, 1, 1, 5));
	assert_sent(0, LAN, 1, IP(10, 1, 1, 1), IP(10, 1, 1, 5), NULL);
	world_down();
}

static void resolve_silent(void **state)
{
	world_up(64);
	resolve4(LAN, HOST);
	pass(RETRY_MS - 10);
	assert_int_equal(n_sent, 1);
	pass(10);
	assert_int_equal(n_sent, 2);
	pass(RETRY_MS);
	assert_int_equal(n_sent, 3);
	assert_int_equal(state_of(LAN, HOST), NEIGH_INCOMPLETE);
	pass(RETRY_MS);
	assert_int_equal(n_sent, 3);
	assert_int_equal(state_of(LAN, HOST), NEIGH_FAILED);
	assert_int_equal(n_told, 1);
	assert_told(0, LAN, HOST, false);
	/* It is not asked again before its time, however many want it; then it's gone. */
	for (int i = 0; i < 290; i++) {
		resolve4(LAN, HOST);
		pass(10);
	}
	assert_int_equal(n_sent, 3);
	assert_int_equal(n_told, 1);
	pass(100);
	assert_int_equal(state_of(LAN, HOST), -1);
	resolve4(LAN, HOST);
	assert_int_equal(n_sent, 4);
	/* An answer that comes late still counts. */
	pass(3 * RETRY_MS);
	assert_int_equal(state_of(LAN, HOST), NEIGH_FAILED);
	forget();
	assert_int_equal(hear(LAN, 2, HOST, mac_of(5), LAN_US), 0);
	assert_int_equal(state_of(LAN, HOST), NEIGH_REACHABLE);
	assert_told(0, LAN, HOST, true);
	world_down();
}

static void resolve_nonsense(void **state)
{
	const uint32_t bad[] = {0, IP(127, 0, 0, 1), IP(224, 0, 0, 5), UINT32_MAX, LAN_US,
		IP(10, 1, 0, 255), IP(10, 1, 0, 0), IP(10, 1, 1, 1)};

	world_up(64);
	for (unsigned i = 0; i < RTE_DIM(bad); i++) {
		resolve4(LAN, bad[i]);
		assert_told(i, LAN, bad[i], false);
		assert_int_equal(told[i].index, NEIGH_NONE);
	}
	forget();
	resolve4(DOWN, IP(10, 9, 0, 2));
	resolve4(0, HOST);
	resolve4(99, HOST);
	resolve4(65535, HOST);
	assert_int_equal(n_told, 4);
	assert_int_equal(n_sent, 0);
	/* A network that a route calls on link is asked for with the first address. */
	resolve4(LAN, IP(172, 16, 0, 1));
	assert_sent(0, LAN, 1, LAN_US, IP(172, 16, 0, 1), NULL);
	assert_int_equal(hear(LAN, 2, IP(172, 16, 0, 1), mac_of(8), LAN_US), 0);
	assert_int_equal(state_of(LAN, IP(172, 16, 0, 1)), NEIGH_REACHABLE);
	world_down();
}

static void ageing(void **state)
{
	const struct rte_ether_addr mac = mac_of(0x77);
	uint32_t i;

	world_up(64);
	i = known(LAN, HOST, mac);
	/* Not used: nothing is sent, and after stale_ms it is gone. */
	pass(REACHABLE_MS + 5000);
	assert_int_equal(state_of(LAN, HOST), NEIGH_STALE);
	pass(STALE_MS - REACHABLE_MS - 5000 - 10);
	assert_int_equal(state_of(LAN, HOST), NEIGH_STALE);
	pass(10);
	assert_int_equal(state_of(LAN, HOST), -1);
	assert_int_equal(n_sent, 0);
	assert_int_equal(n_told, 0);
	/* Used: asked for by itself when its time is over, and fresh again when it answers. */
	i = known(LAN, HOST, mac);
	pass(1000);
	neigh_mark_used(table, i);
	pass(REACHABLE_MS - 1000);
	assert_int_equal(state_of(LAN, HOST), NEIGH_PROBE);
	assert_memory_equal(entry_of(LAN, HOST)->hdr, &mac, 6); /* usable meanwhile */
	assert_int_equal(n_sent, 1);
	assert_sent(0, LAN, 1, LAN_US, HOST, &mac);
	assert_int_equal(hear(LAN, 2, HOST, mac, LAN_US), 0);
	assert_int_equal(state_of(LAN, HOST), NEIGH_REACHABLE);
	assert_int_equal(n_told, 0); /* nobody waited */
	/* Aged, and used only then: asked at the next look. */
	pass(REACHABLE_MS + 60000);
	assert_int_equal(state_of(LAN, HOST), NEIGH_STALE);
	neigh_mark_used(table, i);
	pass(RETRY_MS);
	assert_int_equal(state_of(LAN, HOST), NEIGH_PROBE);
	world_down();
}

static void probing(void **state)
{
	const struct rte_ether_addr mac = mac_of(0x77);
	uint32_t i;

	world_up(64);
	i = known(LAN, HOST, mac);
	neigh_mark_used(table, i);
	pass(REACHABLE_MS + 2 * RETRY_MS);
	assert_int_equal(n_sent, 3);
	for (unsigned k = 0; k < 3; k++)
		assert_sent(k, LAN, 1, LAN_US, HOST, &mac);
	pass(3 * RETRY_MS);
	assert_int_equal(n_sent, 6);
	for (unsigned k = 3; k < 6; k++)
		assert_sent(k, LAN, 1, LAN_US, HOST, NULL);
	assert_int_equal(state_of(LAN, HOST), NEIGH_PROBE);
	pass(RETRY_MS);
	assert_int_equal(n_sent, 6);
	assert_int_equal(state_of(LAN, HOST), NEIGH_FAILED);
	assert_told(0, LAN, HOST, false);
	pass(3 * RETRY_MS);
	assert_int_equal(state_of(LAN, HOST), -1);
	world_down();
}

static void moved(void **state)
{
	const struct rte_ether_addr to = mac_of(0x1234);
	const struct neigh *before;
	uint32_t i;

	world_up(64);
	i = known(LAN, HOST, mac_of(0x77));
	before = neigh_get(table, i);
	assert_int_equal(hear(LAN, 1, HOST, to, IP(10, 1, 0, 200)), 0); /* not even for us */
	assert_ptr_not_equal(before, neigh_get(table, i));              /* replaced, never edited */
	assert_memory_equal(neigh_get(table, i)->hdr, &to, 6);
	before = neigh_get(table, i);
	assert_int_equal(hear(LAN, 1, HOST, to, IP(10, 1, 0, 200)), 0);
	assert_ptr_equal(before, neigh_get(table, i)); /* nothing new, nothing published */
	for (uint32_t k = 0; k < 1000; k++)            /* the log has a limit, see the output */
		assert_int_equal(hear(LAN, 1, HOST, mac_of(k), IP(10, 1, 0, 200)), 0);
	assert_int_equal(n_sent, 0);
	world_down();
}

static void pinned(void **state)
{
	uint32_t i, at[8];
	uint64_t began;

	world_up(64);
	i = pin4(WAN, GW);
	assert_int_not_equal(i, NEIGH_NONE);
	assert_int_equal(pin4(WAN, GW), i);
	assert_int_equal(n_sent, 1);
	began = now;
	for (unsigned k = 1; k < 8; k++) { /* silent: 1 1 | (fails) 2+1 4 8 8 8 seconds */
		while (n_sent == k)
			pass(10);
		at[k] = (uint32_t)(now - began);
		began = now;
	}
	assert_int_equal(at[1], 1000);
	assert_int_equal(at[2], 1000);
	assert_int_equal(at[3], 3000);
	assert_int_equal(at[4], 4000);
	assert_int_equal(at[5], 8000);
	assert_int_equal(at[6], 8000);
	assert_int_equal(at[7], 8000);
	assert_int_equal(n_told, 1);
	assert_int_equal(state_of(WAN, GW), NEIGH_FAILED);
	resolve4(WAN, GW); /* changes nothing: it is asked for anyway */
	assert_int_equal(n_sent, 8);
	assert_int_equal(hear(WAN, 2, GW, mac_of(3), IP(192, 0, 2, 2)), 0);
	assert_told(1, WAN, GW, true);
	/* A pinned one is kept fresh, used or not. */
	forget();
	pass(REACHABLE_MS);
	assert_int_equal(state_of(WAN, GW), NEIGH_PROBE);
	assert_int_equal(hear(WAN, 2, GW, mac_of(3), IP(192, 0, 2, 2)), 0);
	pass(REACHABLE_MS - 10);
	neigh_db_unpin(db, i);
	assert_int_equal(state_of(WAN, GW), NEIGH_REACHABLE);
	neigh_db_unpin(db, i);
	pass(STALE_MS + RETRY_MS);
	assert_int_equal(state_of(WAN, GW), -1);
	neigh_db_unpin(db, i); /* once too often */
	neigh_db_unpin(db, 0);
	neigh_db_unpin(db, 65);
	world_down();
}

static void fixed(void **state)
{
	const struct rte_ether_addr mac = mac_of(0xabc), other = mac_of(0xdef);
	uint32_t i;

	world_up(64);
	resolve4(LAN, HOST);
	assert_int_equal(static4(LAN, HOST, &mac), 0);
	assert_told(0, LAN, HOST, true);
	i = find4(LAN, HOST);
	assert_int_equal(hear(LAN, 2, HOST, other, LAN_US), 0);
	assert_int_equal(state_of(LAN, HOST), NEIGH_STATIC);
	assert_memory_equal(entry_of(LAN, HOST)->hdr, &mac, 6);
	neigh_mark_used(table, i);
	pass(2 * STALE_MS);
	assert_int_equal(state_of(LAN, HOST), NEIGH_STATIC);
	assert_int_equal(n_sent, 1);
	/* A reload: ordinary for a moment, with the same address and index; then static again. */
	neigh_db_static_clear(db, now);
	assert_int_equal(state_of(LAN, HOST), NEIGH_REACHABLE);
	assert_int_equal(static4(LAN, HOST, &other), 0);
	assert_int_equal(find4(LAN, HOST), i);
	assert_memory_equal(entry_of(LAN, HOST)->hdr, &other, 6);
	neigh_db_static_clear(db, now);
	assert_int_equal(hear(LAN, 2, HOST, mac, LAN_US), 0);
	assert_memory_equal(entry_of(LAN, HOST)->hdr, &mac, 6);
	/* For an interface that only comes later: kept, not usable until then. */
	assert_int_equal(static4(DOWN, IP(10, 9, 0, 7), &mac), 0);
	assert_int_equal(state_of(DOWN, IP(10, 9, 0, 7)), NEIGH_FAILED);
	world_ports(&world[1]);
	world[1].iface[DOWN].flags = IFACE_UP;
	neigh_db_ports(db, &world[1], now);
	assert_int_equal(state_of(DOWN, IP(10, 9, 0, 7)), NEIGH_STATIC);
	assert_int_equal(entry_of(DOWN, IP(10, 9, 0, 7))->hdr_len, 18);
	neigh_db_ports(db, &world[0], now);
	assert_int_equal(state_of(DOWN, IP(10, 9, 0, 7)), -1);
	assert_int_equal(static4(DOWN, IP(10, 9, 0, 7), &mac), 0);
	neigh_db_static_clear(db, now);
	assert_int_equal(state_of(DOWN, IP(10, 9, 0, 7)), -1);
	world_down();
}

static void reload(void **state)
{
	const struct rte_ether_addr mac = mac_of(0x55);
	struct prefix moved_addr[1] = {prefix_of4(IP(10, 1, 0, 1), 28)};
	uint32_t pin, gone;

	world_up(64);
	known(LAN, HOST, mac);
	known(LAN, IP(10, 1, 0, 99), mac);
	known(LAN, IP(10, 1, 1, 7), mac);
	pin = pin4(WAN, GW);
	assert_int_equal(hear(WAN, 2, GW, mac, IP(192, 0, 2, 2)), 0);
	forget();
	world_ports(&world[1]); /* nothing changes: nothing is touched */
	neigh_db_ports(db, &world[1], now);
	assert_int_equal(state_of(LAN, HOST), NEIGH_REACHABLE);
	assert_int_equal(state_of(WAN, GW), NEIGH_REACHABLE);
	assert_int_equal(n_sent + n_told, 0);
	world_ports(&world[0]); /* a smaller subnet, another MTU, another VLAN */
	world[0].iface[LAN].addrs = moved_addr;
	world[0].iface[LAN].n_addrs = 1;
	world[0].iface[LAN].mtu = 1400;
	world[0].iface[WAN].vlan = 8;
	neigh_db_ports(db, &world[0], now);
	assert_int_equal(state_of(LAN, HOST), NEIGH_REACHABLE);
	assert_int_equal(entry_of(LAN, HOST)->mtu, 1400);
	assert_int_equal(state_of(LAN, IP(10, 1, 0, 99)), -1);
	assert_int_equal(state_of(LAN, IP(10, 1, 1, 7)), -1);
	assert_int_equal(state_of(WAN, GW), NEIGH_INCOMPLETE); /* pinned: same index, asked */
	assert_int_equal(find4(WAN, GW), pin);
	assert_int_equal(n_sent, 1);
	assert_int_equal(hear(WAN, 2, GW, mac, IP(192, 0, 2, 2)), 0);
	assert_memory_equal(entry_of(WAN, GW)->hdr + 12, "\x81\x00\x00\x08", 4);
	/* Our MAC changes; an interface goes; another gets a gateway before it is there. */
	resolve4(LAN, IP(10, 1, 0, 3));
	gone = pin4(DOWN, IP(10, 9, 0, 2));
	assert_int_not_equal(gone, NEIGH_NONE);
	world_ports(&world[1]);
	world[1].iface[LAN].mac = mac_of(0x4444);
	world[1].iface[WAN].flags = 0;
	world[1].iface[DOWN].flags = IFACE_UP;
	forget();
	neigh_db_ports(db, &world[1], now);
	assert_int_equal(state_of(LAN, HOST), -1);
	assert_int_equal(state_of(WAN, GW), NEIGH_INCOMPLETE);
	assert_told(0, LAN, IP(10, 1, 0, 3), false); /* whoever waited is told */
	assert_int_equal(n_sent, 1);
	assert_sent(0, DOWN, 1, IP(10, 9, 0, 1), IP(10, 9, 0, 2), NULL);
	pass(10 * RETRY_MS);
	assert_int_equal(state_of(WAN, GW), NEIGH_FAILED);
	neigh_db_unpin(db, pin);
	world_ports(&world[0]);
	world[0].iface[WAN].flags = 0;
	neigh_db_ports(db, &world[0], now);
	assert_int_equal(state_of(WAN, GW), -1);
	world_down();
}

/* A scan of a /8 neither grows beyond its share nor pushes out who answers. */
static void scanned(void **state)
{
	uint32_t refused = 0;

	world_up(256);
	for (uint32_t k = 0; k < 150; k++)
		known(BIG, IP(11, 1, 0, k + 1), mac_of(k));
	pin4(WAN, GW);
	for (uint32_t k = 0; k < 20000; k++) {
		unsigned incomplete = 0;

		resolve4(BIG, IP(11, 2, 0, 1) + k * 257);
		refused += state_of(BIG, IP(11, 2, 0, 1) + k * 257) == -1;
		if (k % 50 == 0)
			pass(10);
		if (k % 1000)
			continue;
		for (uint32_t i = 1; i <= 256; i++)
			incomplete += neigh_get(table, i) &&
				      neigh_get(table, i)->state == NEIGH_INCOMPLETE;
		assert_in_range(incomplete, 1, 65); /* a quarter, and the pinned one */
	}
	assert_int_equal(refused, 0); /* the oldest unanswered made room */
	for (uint32_t k = 0; k < 150; k++)
		assert_int_equal(state_of(BIG, IP(11, 1, 0, k + 1)), NEIGH_REACHABLE);
	assert_int_not_equal(state_of(WAN, GW), -1);
	world_down();
}

static void full(void **state)
{
	const struct rte_ether_addr mac = mac_of(1);
	unsigned kept = 0;

	world_up(8);
	for (uint32_t k = 0; k < 8; k++)
		known(LAN, HOST + k, mac_of(k));
	resolve4(LAN, HOST + 8);
	assert_told(0, LAN, HOST + 8, false);
	assert_int_equal(told[0].index, NEIGH_NONE);
	assert_int_equal(pin4(WAN, GW), NEIGH_NONE);
	assert_int_equal(static4(WAN, GW, &mac), -ENOSPC);
	assert_int_equal(hear(LAN, 1, HOST + 8, mac, LAN_US), 0); /* answered, not learned */
	assert_int_equal(n_sent, 1);
	assert_int_equal(state_of(LAN, HOST + 8), -1);
	/* Aged and unused: those make room. A used one gets another round. */
	pass(REACHABLE_MS);
	neigh_mark_used(table, find4(LAN, HOST));
	assert_int_not_equal(pin4(WAN, GW), NEIGH_NONE);
	assert_int_equal(state_of(LAN, HOST), NEIGH_STALE);
	for (uint32_t k = 0; k < 8; k++)
		kept += state_of(LAN, HOST + k) == NEIGH_STALE;
	assert_int_equal(kept, 7);
	world_down();
	/* The smallest table. */
	world_up(1);
	resolve4(LAN, HOST);
	resolve4(LAN, HOST + 1);
	assert_int_equal(state_of(LAN, HOST), -1);
	assert_int_equal(state_of(LAN, HOST + 1), NEIGH_INCOMPLETE);
	world_down();
}

/* While a worker is inside its walk, what it saw stays as it was, and no index is given away. */
static void grace(void **state)
{
	const struct neigh *seen;
	struct neigh copy;
	uint32_t i;

	world_up(1);
	assert_int_equal(rte_rcu_qsbr_thread_register(qsv, 0), 0);
	rte_rcu_qsbr_thread_online(qsv, 0);
	resolve4(LAN, HOST);
	i = find4(LAN, HOST);
	seen = neigh_get(table, i);
	copy = *seen;
	resolve4(LAN, HOST + 1); /* evicts, but the index is not free yet */
	assert_told(0, LAN, HOST, false);
	assert_told(1, LAN, HOST + 1, false);
	assert_null(neigh_get(table, i));
	pass(100);
	resolve4(LAN, HOST + 1);
	assert_int_equal(state_of(LAN, HOST + 1), -1);
	assert_memory_equal(seen, &copy, sizeof(copy));
	rte_rcu_qsbr_quiescent(qsv, 0);
	resolve4(LAN, HOST + 1);
	assert_int_equal(find4(LAN, HOST + 1), i);
	assert_int_not_equal(neigh_get(table, i)->generation, copy.generation);
	rte_rcu_qsbr_thread_offline(qsv, 0);
	rte_rcu_qsbr_thread_unregister(qsv, 0);
	world_down();
}

static _Atomic bool stop;
static _Atomic uint64_t wrong, found;

static void *reader(void *arg)
{
	rte_rcu_qsbr_thread_register(qsv, 1);
	rte_rcu_qsbr_thread_online(qsv, 1);
	for (uint32_t k = 0; !atomic_load(&stop); k++) {
		uint32_t addr = IP(11, 3, 0, 1) + k % 200, i = find4(BIG, addr);
		const struct neigh *n = i == NEIGH_NONE ? NULL : neigh_get(table, i);

		if (n) {
			bool bad = addr_to4(&n->addr) != addr || n->iface != BIG;

			/* a header is whole: its two halves of the address tell the same */
			if (n->state == NEIGH_REACHABLE)
				bad |= n->hdr_len != 14 || n->hdr[4] != n->hdr[5];
			wrong += bad;
			found++;
		}
		rte_rcu_qsbr_quiescent(qsv, 1);
	}
	rte_rcu_qsbr_thread_offline(qsv, 1);
	rte_rcu_qsbr_thread_unregister(qsv, 1);
	return NULL;
}

static void concurrent(void **state)
{
	pthread_t t;

	log_setup(LOG_LVL_ERROR, false);
	world_up(64);
	assert_int_equal(pthread_create(&t, NULL, reader, NULL), 0);
	/* on a busy machine the reader may get its first turn late: go on until it has had one */
	for (uint32_t k = 0; k < 60000 || (!atomic_load(&found) && k < 60000000); k++) {
		uint32_t addr = IP(11, 3, 0, 1) + k * 7 % 200;

		resolve4(BIG, addr);
		if (k % 3)
			hear(BIG, 2, addr, mac_of(k % 256 * 257), IP(11, 0, 0, 1));
		if (k % 16 == 0)
			pass(REACHABLE_MS / 100);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	log_setup(LOG_LVL_INFO, false);
	assert_int_equal(wrong, 0);
	assert_true(found > 0);
	world_down();
}

static unsigned n_each;

static void count(void *arg, uint32_t index, const struct neigh_info *info)
{
	n_each++;
	if (info->iface != LAN)
		return;
	assert_int_equal(addr_to4(&info->addr), HOST);
	assert_int_equal(info->state, NEIGH_REACHABLE);
	assert_int_equal(info->deadline_ms, now + REACHABLE_MS);
	assert_ptr_equal(arg, &n_each);
}

/* A table of 65,536 whose timers all run: no tick is long, and nothing is forgotten. */
static void large(void **state)
{
	world_up(65536);
	known(LAN, HOST, mac_of(9));
	pin4(WAN, GW);
	n_each = 0;
	neigh_db_each(db, count, &n_each);
	assert_int_equal(n_each, 2);
	for (uint32_t k = 0; k < 60000; k++)
		known(BIG, IP(11, 4, 0, 1) + k * 3, mac_of(k));
	for (uint32_t k = 0; k < 60000; k += 2)
		neigh_mark_used(table, find4(BIG, IP(11, 4, 0, 1) + k * 3));
	forget();
	pass(REACHABLE_MS + 3000);
	for (uint32_t k = 0; k < 60000; k += 2)
		assert_int_equal(state_of(BIG, IP(11, 4, 0, 1) + k * 3), NEIGH_PROBE);
	for (uint32_t k = 1; k < 60000; k += 2)
		assert_int_equal(state_of(BIG, IP(11, 4, 0, 1) + k * 3), NEIGH_STALE);
	pass(20 * RETRY_MS);
	for (uint32_t k = 0; k < 60000; k += 2)
		assert_int_equal(state_of(BIG, IP(11, 4, 0, 1) + k * 3), -1);
	world_down();
	assert_null(neigh_db_new(
		(uint32_t[2]){0}, NULL, (struct neigh_conf[2]){{0}}, &(struct neigh_ops){0}, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolve_answered),
		cmocka_unit_test(tagged_header),
		cmocka_unit_test(resolve_silent),
		cmocka_unit_test(resolve_nonsense),
		cmocka_unit_test(ageing),
		cmocka_unit_test(probing),
		cmocka_unit_test(moved),
		cmocka_unit_test(pinned),
		cmocka_unit_test(fixed),
		cmocka_unit_test(reload),
		cmocka_unit_test(scanned),
		cmocka_unit_test(full),
		cmocka_unit_test(grace),
		cmocka_unit_test(concurrent),
		cmocka_unit_test(large),
	};

	eal_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
