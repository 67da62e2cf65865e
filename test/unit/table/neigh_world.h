/* A small world for the neighbour tests: five interfaces, a clock that the test moves, and a record
 * of what the table sent and told. Included by one test file each.
 *
 *   1 lan0    10.1.0.1/24 (and 10.1.1.1/24)   02:00:fe:..:01, untagged, port 0
 *   2 wan0.7  192.0.2.2/30                    02:00:fe:..:02, VLAN 7, port 1
 *   3 down0   10.9.0.1/24                     not up
 *   4 big0    11.0.0.1/8                      02:00:fe:..:04, untagged, port 2
 *   5 six0    2001:db8:6::1/64, fe80::1/64    02:00:fe:..:05, untagged, port 3; dad as set
 */
#pragma once

#include "eal.h"

#include "base/log.h"
#include "table/neigh_write.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_malloc.h>

#include <cmocka.h>

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
#define LAN 1
#define WAN 2
#define DOWN 3
#define BIG 4
#define SIX 5
#define LAN_US IP(10, 1, 0, 1)
#define HOST IP(10, 1, 0, 9)
#define GW IP(192, 0, 2, 1)

#define REACHABLE_MS 30000
#define RETRY_MS 1000
#define STALE_MS 600000
#define RETRIES 3

struct sent {
	uint16_t iface, op;
	uint32_t spa, tpa;
	bool broadcast;
	struct rte_ether_addr tha;
};

struct told {
	uint16_t iface;
	struct addr addr;
	uint32_t index;
	bool ready;
	enum neigh_outcome outcome;
};

struct sent_nd {
	uint16_t iface;
	struct mac dst;
	struct nd nd;
};

static struct ports world[2];
static uint8_t dad; /* probes of six0 */
static struct prefix six_addrs[2];
static struct prefix lan_addrs[2], wan_addrs[1], down_addrs[1], big_addrs[1];
static struct neigh_db *db;
static const struct neigh_table *table;
static struct rte_rcu_qsbr *qsv;
static uint64_t now;
static struct sent sent[64];
static struct told told[64];
static struct sent_nd sent_nd[64];
static unsigned n_sent_nd;
static unsigned n_sent, n_told;

static void record_send(void *arg, const struct iface *iface, uint16_t op, uint32_t spa,
	uint32_t tpa, const struct rte_ether_addr *tha)
{
	struct sent *s = &sent[n_sent++ % 64];

	*s = (struct sent){.iface = iface->id, .op = op, .spa = spa, .tpa = tpa, .broadcast = !tha};
	if (tha)
		s->tha = *tha;
}

static void record_nd(void *arg, const struct iface *iface, const struct mac *dst,
	const uint8_t *packet, unsigned len)
{
	struct sent_nd *s = &sent_nd[n_sent_nd++ % 64];

	s->iface = iface->id;
	s->dst = *dst;
	assert_int_equal(nd_read(packet, len, &s->nd), ND_OK);
}

static void record_settled(void *arg, uint16_t iface, const struct addr *addr, uint32_t index,
	enum neigh_outcome outcome)
{
	told[n_told++ % 64] = (struct told){iface, *addr, index, outcome == NEIGH_READY, outcome};
}

static inline struct rte_ether_addr mac_of(uint32_t n)
{
	return (struct rte_ether_addr){
		{2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static struct iface iface_of(uint16_t id, uint16_t port, uint16_t vlan, struct prefix *addrs,
	uint16_t n_addrs, const char *name)
{
	struct iface f = {.id = id, .port = port, .vlan = vlan, .mtu = 1500, .flags = IFACE_UP};

	f.mac = mac_of(0xfe000000u | id);
	f.addrs = addrs;
	f.n_addrs = n_addrs;
	f.addr = addrs[0].addr.w[3];
	strcpy(f.name, name);
	return f;
}

static inline void world_ports(struct ports *p)
{
	memset(p, 0, sizeof(*p));
	lan_addrs[0] = prefix_of4(LAN_US, 24);
	lan_addrs[1] = prefix_of4(IP(10, 1, 1, 1), 24);
	wan_addrs[0] = prefix_of4(IP(192, 0, 2, 2), 30);
	down_addrs[0] = prefix_of4(IP(10, 9, 0, 1), 24);
	big_addrs[0] = prefix_of4(IP(11, 0, 0, 1), 8);
	p->n_ports = 4;
	p->n_ifaces = 6;
	p->iface[LAN] = iface_of(LAN, 0, 0, lan_addrs, 2, "lan0");
	p->iface[WAN] = iface_of(WAN, 1, 7, wan_addrs, 1, "wan0.7");
	p->iface[DOWN] = iface_of(DOWN, 1, 9, down_addrs, 1, "down0");
	p->iface[DOWN].flags = 0;
	p->iface[BIG] = iface_of(BIG, 2, 0, big_addrs, 1, "big0");
	assert_int_equal(prefix_parse("2001:db8:6::1/64", &six_addrs[0]), 0);
	assert_int_equal(prefix_parse("fe80::1/64", &six_addrs[1]), 0);
	p->iface[SIX] = iface_of(SIX, 3, 0, six_addrs, 2, "six0");
	p->iface[SIX].flags |= IFACE_IP6;
	p->iface[SIX].addr = 0;
	p->iface[SIX].addr6 = six_addrs[0].addr;
	p->iface[SIX].ll = six_addrs[1].addr;
	p->iface[SIX].dad_transmits = dad;
}

static inline void forget(void)
{
	n_sent = n_told = n_sent_nd = 0;
}

static uint32_t resolve_rate, incomplete_max; /* of IPv6 */

static inline void world_up_of(uint32_t max4, uint32_t max6, uint64_t seed)
{
	const struct neigh_conf conf[NEIGH_FAMILIES] = {
		[NEIGH_IP4] = {.reachable_ms = REACHABLE_MS,
			.retry_ms = RETRY_MS,
			.stale_ms = STALE_MS,
			.retries = RETRIES},
		[NEIGH_IP6] = {.reachable_ms = REACHABLE_MS,
			.retry_ms = RETRY_MS,
			.stale_ms = STALE_MS,
			.retries = RETRIES,
			.resolve_rate = resolve_rate,
			.incomplete_max = incomplete_max},
	};
	const struct neigh_ops ops = {
		.arp = record_send, .nd = record_nd, .settled = record_settled};
	const uint32_t max[NEIGH_FAMILIES] = {max4, max6};

	qsv = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(4), RTE_CACHE_LINE_SIZE);
	assert_non_null(qsv);
	assert_int_equal(rte_rcu_qsbr_init(qsv, 4), 0);
	db = neigh_db_new(max, qsv, conf, &ops, seed);
	assert_non_null(db);
	table = neigh_db_table(db);
	now = 1000000;
	world_ports(&world[0]);
	neigh_db_ports(db, &world[0], now);
	forget();
}

static inline void world_up(uint32_t max)
{
	world_up_of(max, 0, 1);
}

static inline void world_down(void)
{
	neigh_db_free(db);
	rte_free(qsv);
	db = NULL;
}

/* Moves the clock in steps of 10 ms, as the control loop would. */
static inline void pass(uint64_t ms)
{
	for (uint64_t end = now + ms; now < end;) {
		now += 10;
		neigh_db_tick(db, now);
	}
}

/* What the table is asked, with IPv4 addresses as the tests write them. */
static inline uint32_t find4(uint16_t iface, uint32_t addr)
{
	struct addr a = addr_of4(addr);

	return neigh_find(table, iface, &a);
}

static inline void resolve4(uint16_t iface, uint32_t addr)
{
	struct addr a = addr_of4(addr);

	neigh_db_resolve(db, iface, &a, now);
}

static inline uint32_t pin4(uint16_t iface, uint32_t addr)
{
	struct addr a = addr_of4(addr);

	return neigh_db_pin(db, iface, &a, now);
}

static inline int static4(uint16_t iface, uint32_t addr, const struct rte_ether_addr *mac)
{
	struct addr a = addr_of4(addr);

	return neigh_db_static(db, iface, &a, mac, now);
}

static inline const struct neigh *entry_of(uint16_t iface, uint32_t addr)
{
	uint32_t i = find4(iface, addr);

	return i == NEIGH_NONE ? NULL : neigh_get(table, i);
}

/* -1: there is no such entry. */
static inline int state_of(uint16_t iface, uint32_t addr)
{
	const struct neigh *n = entry_of(iface, addr);

	return n ? n->state : -1;
}

static inline struct rte_arp_hdr arp_of(
	uint16_t op, uint32_t spa, struct rte_ether_addr sha, uint32_t tpa)
{
	struct rte_arp_hdr a = {.arp_hardware = RTE_BE16(1),
		.arp_protocol = RTE_BE16(0x0800),
		.arp_hlen = 6,
		.arp_plen = 4,
		.arp_opcode = rte_cpu_to_be_16(op)};

	a.arp_data.arp_sha = sha;
	a.arp_data.arp_sip = rte_cpu_to_be_32(spa);
	a.arp_data.arp_tip = rte_cpu_to_be_32(tpa);
	return a;
}

static inline int hear(
	uint16_t iface, uint16_t op, uint32_t spa, struct rte_ether_addr sha, uint32_t tpa)
{
	struct rte_arp_hdr a = arp_of(op, spa, sha, tpa);

	return neigh_db_arp(db, iface, (const uint8_t *)&a, sizeof(a), now);
}

static inline void assert_sent(unsigned k, uint16_t iface, uint16_t op, uint32_t spa, uint32_t tpa,
	const struct rte_ether_addr *tha)
{
	const struct sent *s = &sent[k % 64];

	assert_true(k < n_sent);
	assert_int_equal(s->iface, iface);
	assert_int_equal(s->op, op);
	assert_int_equal(s->spa, spa);
	assert_int_equal(s->tpa, tpa);
	assert_int_equal(s->broadcast, tha == NULL);
	if (tha)
		assert_memory_equal(&s->tha, tha, sizeof(*tha));
}

static inline void assert_told(unsigned k, uint16_t iface, uint32_t addr, bool ready)
{
	assert_true(k < n_told);
	assert_int_equal(told[k % 64].iface, iface);
	assert_int_equal(addr_to4(&told[k % 64].addr), addr);
	assert_int_equal(told[k % 64].ready, ready);
}

/* A neighbour that has answered. */
static inline uint32_t known(uint16_t iface, uint32_t addr, struct rte_ether_addr mac)
{
	resolve4(iface, addr);
	assert_int_equal(
		hear(iface, 2, addr, mac, rte_be_to_cpu_32(world[0].iface[iface].addr)), 0);
	assert_int_equal(state_of(iface, addr), NEIGH_REACHABLE);
	forget();
	return find4(iface, addr);
}
