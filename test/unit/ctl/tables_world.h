/* A fake daemon (fake.h) with real tables: a filter, routes and neighbours of both families. For
 * the tests of the methods that read them. Needs EAL: world_run.
 */
#pragma once

#include "../table/route_world.h"
#include "fake.h"

#include "table/acl_write.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
enum { LAN = 1, WAN, WAN2, OFF, STRICT, FOUR };
#define IFACES 6

static struct fake *f;
static struct acl_counters *counters;
static struct acl *acl;
static struct rte_rcu_qsbr *qsv;
static struct rule_counter base[64];

/* permit 10/8 to 10/8, TCP 443, routed; deny TCP 25 with log; permit ICMP; permit UDP on secure
 * interfaces; permit established TCP; permit fd00::/8 to fd00::/8, TCP 443, routed; permit ICMPv6;
 * permit ESP of ours on secure interfaces.
 * The second, the fourth and the fifth are of both families. */
static const struct rule rules[] = {
	{.src = {.addr = {.b = {[10] = 0xff, 0xff, 10}}, .len = 104},
		.dst = {.addr = {.b = {[10] = 0xff, 0xff, 10}}, .len = 104},
		.proto = 6,
		.dport = {RULE_OP_EQ, 443},
		.zone = 3,
		.scope = RULE_ROUTE,
		.dir = 3,
		.permit = true,
		.tunnel = RULE_TUNNEL_ANY,
		.line = 1,
		.file = "r"},
	{.any_addr = true,
		.proto = 6,
		.dport = {RULE_OP_EQ, 25},
		.zone = 3,
		.scope = 3,
		.dir = 3,
		.log = true,
		.tunnel = RULE_TUNNEL_ANY,
		.line = 2,
		.file = "r"},
	{.any_addr = true,
		.proto = 1,
		.zone = 3,
		.scope = 3,
		.dir = 3,
		.permit = true,
		.tunnel = RULE_TUNNEL_ANY,
		.line = 3,
		.file = "r"},
	{.any_addr = true,
		.proto = 17,
		.zone = RULE_SECURE,
		.scope = 3,
		.dir = 3,
		.permit = true,
		.tunnel = RULE_TUNNEL_ANY,
		.line = 4,
		.file = "r"},
	{.any_addr = true,
		.proto = RULE_PROTO_TCP_ACK,
		.zone = 3,
		.scope = 3,
		.dir = 3,
		.permit = true,
		.tunnel = RULE_TUNNEL_ANY,
		.line = 5,
		.file = "r"},
	{.src = {.addr = {.b = {0xfd}}, .len = 8},
		.dst = {.addr = {.b = {0xfd}}, .len = 8},
		.proto = 6,
		.dport = {RULE_OP_EQ, 443},
		.zone = 3,
		.scope = RULE_ROUTE,
		.dir = 3,
		.permit = true,
		.tunnel = RULE_TUNNEL_ANY,
		.line = 6,
		.file = "r"},
	{.any_addr = true,
		.proto = RULE_PROTO_ICMP6,
		.zone = 3,
		.scope = 3,
		.dir = 3,
		.permit = true,
		.tunnel = RULE_TUNNEL_ANY,
		.line = 7,
		.file = "r"},
	{.any_addr = true,
		.proto = 50,
		.zone = RULE_SECURE,
		.scope = RULE_LOCAL,
		.dir = 3,
		.permit = true,
		.tunnel = RULE_TUNNEL_ANY,
		.line = 8,
		.file = "r"},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

static void nothing_sent(void *arg, const struct iface *iface, uint16_t op, uint32_t spa,
	uint32_t tpa, const struct rte_ether_addr *tha)
{
}

static void no_nd_sent(void *arg, const struct iface *iface, const struct mac *dst,
	const uint8_t *packet, unsigned len)
{
}

static void nothing_settled(void *arg, uint16_t iface, const struct addr *addr, uint32_t index,
	enum neigh_outcome outcome)
{
}

/* 10.N.0.1/24 and, but for FOUR, fd00:N::1/64 and fe80::N/64, where N is id - 1. */
static void iface_set(uint16_t id, const char *name, uint8_t zone, uint8_t flags)
{
	static struct prefix addrs[IFACES + 1][3];
	struct iface *i = &f->ports.iface[id];
	struct prefix *a = addrs[id];

	a[0] = prefix_of4(IP(10, (unsigned)id - 1, 0, 1), 24);
	a[1] = (struct prefix){{.b = {0xfd, 0, 0, (uint8_t)(id - 1), [15] = 1}}, 64};
	a[2] = (struct prefix){{.b = {0xfe, 0x80, [15] = (uint8_t)(id - 1)}}, 64};
	*i = (struct iface){.id = id,
		.port = id,
		.zone = zone,
		.flags = flags,
		.mtu = id == WAN ? 1400 : 1500,
		.n_addrs = id == FOUR ? 1 : 3,
		.dad_transmits = id == STRICT, /* its addresses stay tentative: no time passes */
		.addrs = a};
	snprintf(i->name, sizeof(i->name), "%s", name);
	if (f->ports.n_ifaces <= id)
		f->ports.n_ifaces = id + 1;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

/* A gateway behind an interface. */
static struct route_path gateway(uint16_t iface, const char *text)
{
	return (struct route_path){.iface = iface, .gw = prefix_of(text).addr};
}

static void tables(void)
{
	const struct neigh_conf conf[NEIGH_FAMILIES] = {
		{30000, 1000, 600000, 3, 0, 0}, {30000, 1000, 600000, 3, 0, 0}};
	const uint32_t max[NEIGH_FAMILIES] = {64, 64};
	const struct neigh_ops ops = {NULL, nothing_sent, no_nd_sent, nothing_settled};
	const struct addr fixed = addr_of4(IP(10, 1, 0, 2));
	const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};
	struct route_path lan = {.iface = LAN}, wan = {.iface = WAN};
	struct route_path four[2], six[2];
	struct route_in in[32];
	char why[256];
	uint32_t n = 0;

	iface_set(LAN, "lan0", RULE_SECURE, IFACE_UP);
	iface_set(WAN, "wan0", RULE_NONSECURE, IFACE_UP);
	iface_set(WAN2, "wan1", RULE_SECURE, IFACE_UP);
	iface_set(OFF, "off0", RULE_SECURE, 0);
	iface_set(STRICT, "strict0", RULE_SECURE, IFACE_UP | IFACE_URPF_STRICT);
	iface_set(FOUR, "four0", RULE_SECURE, IFACE_UP);
	ports_index(&f->ports);
	f->env.neigh = neigh_db_new(max, qsv, conf, &ops, 1);
	assert_non_null(f->env.neigh);
	neigh_db_ports(f->env.neigh, &f->ports, 1);
	four[0] = gateway(WAN, "10.1.0.9");
	four[1] = gateway(WAN2, "10.2.0.9");
	six[0] = gateway(WAN, "fd00:1::9");
	six[1] = gateway(WAN2, "fe80::9");
	neigh_db_static(f->env.neigh, WAN, &fixed, &mac, 1);
#define ROUTE(to, ...) in[n++] = (struct route_in){prefix_of(to), __VA_ARGS__}
	ROUTE("10.0.0.0/24", NH_CONNECTED, ROUTE_CONNECTED, 1, &lan);
	ROUTE("10.0.0.1/32", NH_LOCAL, ROUTE_CONNECTED, 1, &lan);
	ROUTE("10.0.0.255/32", NH_BROADCAST, ROUTE_CONNECTED, 1, &lan);
	ROUTE("10.1.0.0/24", NH_CONNECTED, ROUTE_CONNECTED, 1, &wan);
	ROUTE("10.1.0.255/32", NH_BROADCAST, ROUTE_CONNECTED, 1, &wan);
	ROUTE("10.5.0.0/16", NH_VIA, ROUTE_STATIC, 2, four);
	ROUTE("10.6.0.0/16", NH_PROHIBIT, ROUTE_STATIC, 0, NULL);
	ROUTE("10.7.0.0/16", NH_BLACKHOLE, ROUTE_STATIC, 0, NULL);
	ROUTE("10.8.0.0/16", NH_UNREACHABLE, ROUTE_STATIC, 0, NULL);
	ROUTE("10.9.0.0/16", NH_VIA, ROUTE_STATIC, 1, four);
	ROUTE("fd00:0::/64", NH_CONNECTED, ROUTE_CONNECTED, 1, &lan);
	ROUTE("fd00:0::1/128", NH_LOCAL, ROUTE_CONNECTED, 1, &lan);
	ROUTE("fd00:1::/64", NH_CONNECTED, ROUTE_CONNECTED, 1, &wan);
	ROUTE("fd00:5::/32", NH_VIA, ROUTE_STATIC, 2, six);
	ROUTE("fd00:6::/32", NH_PROHIBIT, ROUTE_STATIC, 0, NULL);
	ROUTE("fd00:7::/32", NH_BLACKHOLE, ROUTE_STATIC, 0, NULL);
	ROUTE("fd00:8::/32", NH_UNREACHABLE, ROUTE_STATIC, 0, NULL);
	f->env.routes = route_db_new(f->env.neigh, SOCKET_ID_ANY);
	assert_non_null(f->env.routes);
	assert_int_equal(route_load(f->env.routes, in, n, why, sizeof(why)), 0);
	counters = acl_counters_new(64);
	acl = acl_build(rules, RULES, counters, SOCKET_ID_ANY, &f->env.acl_stats, NULL, NULL, why,
		sizeof(why));
	assert_non_null(acl);
}

static int setup(void **state)
{
	f = fake_new();
	qsv = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), 64);
	rte_rcu_qsbr_init(qsv, 1);
	f->shared.qsv = qsv;
	f->shared.n_counters = 64;
	for (unsigned i = 0; i < 2; i++)
		f->worker[i]->rule_counter = calloc(64, sizeof(struct rule_counter));
	f->env.counter_base = base;
	tables();
	f->root.routes = route_db_live(f->env.routes);
	f->root.acl = acl;
	f->root.neigh = neigh_db_table(f->env.neigh);
	f->root.ip4.martians_drop = 1;
	f->root.ip6.martians_drop = 1;
	for (unsigned i = 0; i < PORTS_MAX; i++)
		atomic_store(&f->shared.link_up[i], 1);
	return 0;
}

static int teardown(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		free(f->worker[i]->rule_counter);
	acl_free(acl);
	acl_counters_free(counters);
	route_db_free(f->env.routes);
	neigh_db_free(f->env.neigh);
	rte_free(qsv);
	fake_free(f);
	return 0;
}

/* Runs the tests in an EAL that needs nothing of the machine. */
static int world_run(const struct CMUnitTest *tests, size_t n)
{
	char *argv[] = {(char *)(uintptr_t) "test", (char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "-m", (char *)(uintptr_t) "512", (char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-telemetry", (char *)(uintptr_t) "--no-shconf",
		(char *)(uintptr_t) "--lcores", (char *)(uintptr_t) "0",
		(char *)(uintptr_t) "--log-level", (char *)(uintptr_t) "5"};

	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) < 0) {
		fprintf(stderr, "EAL does not start: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	return _cmocka_run_group_tests("tables", tests, n, NULL, NULL);
}
