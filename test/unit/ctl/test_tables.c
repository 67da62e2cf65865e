/* The methods that read the tables, with real ones: a filter, routes, neighbours. filter.test is
 * held against what the data path does with such packets (dp/node), case by case.
 */
#include "fake.h"

#include "table/acl_write.h"
#include "table/route_write.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
enum { LAN = 1, WAN, WAN2, OFF, STRICT };

static struct fake *f;
static struct acl_counters *counters;
static struct acl *acl;
static struct routes *routes;
static struct rte_rcu_qsbr *qsv;
static struct rule_counter base[64];

/* permit 10/8 to 10/8, TCP 443, routed; deny TCP 25 with log; permit ICMP; permit UDP on secure
 * interfaces; permit established TCP */
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
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

static void nothing_sent(void *arg, const struct iface *iface, uint16_t op, uint32_t spa,
	uint32_t tpa, const struct rte_ether_addr *tha)
{
}

static void nothing_settled(
	void *arg, uint16_t iface, const struct addr *addr, uint32_t index, bool ready)
{
}

static void iface_set(
	uint16_t id, const char *name, uint8_t zone, uint8_t flags, struct prefix *addr)
{
	struct iface *i = &f->ports.iface[id];

	*i = (struct iface){.id = id,
		.port = id,
		.zone = zone,
		.flags = flags,
		.mtu = 1500,
		.n_addrs = 1,
		.addrs = addr,
		.addr = addr->addr.w[3]};
	snprintf(i->name, sizeof(i->name), "%s", name);
	if (f->ports.n_ifaces <= id)
		f->ports.n_ifaces = id + 1;
}

static void tables(void)
{
	const struct neigh_conf conf = {30000, 1000, 600000, 3};
	const struct neigh_ops ops = {NULL, nothing_sent, nothing_settled};
	static struct prefix addr[5];
	const struct addr gw[2] = {addr_of4(IP(10, 1, 0, 9)), addr_of4(IP(10, 2, 0, 9))};
	const struct addr fixed = addr_of4(IP(10, 1, 0, 2));
	const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};
	struct route_path path[8] = {{LAN, .zone = 1}, {WAN, .zone = 2}, {WAN2, .zone = 2}};
	struct route_in in[16];
	char why[256];
	uint32_t n = 0;

	for (unsigned k = 0; k < 5; k++)
		addr[k] = prefix_of4(IP(10, k, 0, 1), 24);
	iface_set(LAN, "lan0", RULE_SECURE, IFACE_UP, &addr[0]);
	iface_set(WAN, "wan0", RULE_NONSECURE, IFACE_UP, &addr[1]);
	iface_set(WAN2, "wan1", RULE_SECURE, IFACE_UP, &addr[2]);
	iface_set(OFF, "off0", RULE_SECURE, 0, &addr[3]);
	iface_set(STRICT, "strict0", RULE_SECURE, IFACE_UP | IFACE_URPF_STRICT, &addr[4]);
	f->env.neigh = neigh_db_new(64, qsv, &conf, &ops);
	assert_non_null(f->env.neigh);
	neigh_db_ports(f->env.neigh, &f->ports, 1);
	path[3] = (struct route_path){WAN, gw[0], neigh_db_pin(f->env.neigh, WAN, &gw[0], 1), 2};
	path[4] = (struct route_path){WAN2, gw[1], neigh_db_pin(f->env.neigh, WAN2, &gw[1], 1), 2};
	neigh_db_static(f->env.neigh, WAN, &fixed, &mac, 1);
#define PREFIX(a, b, c, d, len) prefix_of4(IP(a, b, c, d), len)
#define ROUTE(...) in[n++] = (struct route_in){__VA_ARGS__}
	ROUTE(PREFIX(10, 0, 0, 0, 24), NH_CONNECTED, ROUTE_CONNECTED, 1, &path[0]);
	ROUTE(PREFIX(10, 0, 0, 1, 32), NH_LOCAL, ROUTE_CONNECTED, 1, &path[0]);
	ROUTE(PREFIX(10, 0, 0, 255, 32), NH_BROADCAST, ROUTE_CONNECTED, 1, &path[0]);
	ROUTE(PREFIX(10, 1, 0, 0, 24), NH_CONNECTED, ROUTE_CONNECTED, 1, &path[1]);
	ROUTE(PREFIX(10, 1, 0, 255, 32), NH_BROADCAST, ROUTE_CONNECTED, 1, &path[1]);
	ROUTE(PREFIX(10, 5, 0, 0, 16), NH_VIA, ROUTE_STATIC, 2, &path[3]);
	ROUTE(PREFIX(10, 6, 0, 0, 16), NH_PROHIBIT, ROUTE_STATIC, 0, NULL);
	ROUTE(PREFIX(10, 7, 0, 0, 16), NH_BLACKHOLE, ROUTE_STATIC, 0, NULL);
	ROUTE(PREFIX(10, 8, 0, 0, 16), NH_UNREACHABLE, ROUTE_STATIC, 0, NULL);
	ROUTE(PREFIX(10, 9, 0, 0, 16), NH_VIA, ROUTE_STATIC, 1, &path[3]);
	routes = routes_build(in, n, SOCKET_ID_ANY, why, sizeof(why));
	assert_non_null(routes);
	counters = acl_counters_new(64);
	acl = acl_build(rules, RULES, counters, &f->env.acl_stats, NULL, NULL, why, sizeof(why));
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
	f->root.routes = routes;
	f->root.acl = acl;
	f->root.neigh = neigh_db_table(f->env.neigh);
	f->root.ip4.martians_drop = 1;
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
	routes_free(routes);
	neigh_db_free(f->env.neigh);
	rte_free(qsv);
	fake_free(f);
	return 0;
}

/* steps: names of those that must be there in this order, with commas */
struct expect {
	const char *params, *verdict, *reason, *steps;
};

static const struct expect expected[] = {
	{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'tcp','dport':443", "permit", NULL,
		"interface,route,inbound,outbound,output,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':6,'dport':25", "deny", "filter-in",
		"interface,route,inbound,"},
	/* secure may in, nonsecure may not out */
	{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'udp','dport':53", "deny",
		"filter-out-implicit", "interface,route,inbound,outbound,"},
	{"'in':'wan0','src':'10.1.0.2','dst':'10.0.0.2','proto':'udp','dport':53", "deny",
		"filter-in-implicit", "interface,route,inbound,"},
	/* the ACK bit */
	{"'in':'wan0','src':'10.1.0.2','dst':'10.0.0.2','proto':'tcp','dport':80,'flags':'SA'",
		"permit", NULL, "interface,route,inbound,outbound,output,"},
	{"'in':'wan0','src':'10.1.0.2','dst':'10.0.0.2','proto':'tcp','dport':80,'flags':'S'",
		"deny", "filter-in-implicit", "interface,route,inbound,"},
	/* a later fragment has no ports */
	{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'tcp','fragment':'later'", "deny",
		"filter-in-implicit", "interface,route,inbound,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'tcp','dport':443,'fragment':'"
	 "first'",
		"permit", NULL, "interface,route,inbound,outbound,output,"},
	/* dead ends, but a denied packet is a denied packet */
	{"'in':'lan0','src':'10.0.0.2','dst':'10.6.0.2','proto':'icmp'", "deny", "route-prohibit",
		"interface,route,inbound,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.7.0.2','proto':'icmp'", "deny", "route-blackhole",
		"interface,route,inbound,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.8.0.2','proto':'icmp'", "deny",
		"route-unreachable", "interface,route,inbound,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'192.0.2.1','proto':'icmp'", "deny", "no-route",
		"interface,route,inbound,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'192.0.2.1','proto':'tcp','dport':25", "deny",
		"filter-in", "interface,route,inbound,"},
	/* for this box */
	{"'in':'lan0','src':'10.0.0.2','dst':'10.0.0.1','proto':'icmp'", "permit", NULL,
		"interface,route,inbound,local,route,outbound,output,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.0.0.1','proto':'icmp','icmp_type':13", "deny",
		"local-icmp-ignored", "interface,route,inbound,local,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.0.0.1','proto':'udp','dport':53", "deny",
		"local-no-port", "interface,route,inbound,local,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.0.0.1','proto':'icmp','fragment':'first'", "deny",
		"local-fragment", "interface,route,inbound,local,"},
	/* rule 1 is for routed packets alone */
	{"'in':'lan0','src':'10.0.0.2','dst':'10.0.0.1','proto':'tcp','dport':443", "deny",
		"filter-in-implicit", "interface,route,inbound,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.0.0.255','proto':'udp','dport':137", "deny",
		"ip4-broadcast", "interface,route,inbound,local,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.255','proto':'udp','dport':137", "deny",
		"ip4-broadcast", "interface,route,inbound,local,"},
	/* addresses */
	{"'in':'lan0','src':'127.0.0.1','dst':'10.1.0.2','proto':'icmp'", "deny",
		"ip4-source-martian", "interface,addresses,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'240.0.0.1','proto':'icmp'", "deny",
		"ip4-destination-martian", "interface,addresses,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'224.0.0.5','proto':'ospf'", "deny", "ip4-multicast",
		"interface,addresses,"},
	/* interfaces */
	{"'in':'off0','src':'10.3.0.2','dst':'10.1.0.2','proto':'icmp'", "deny",
		"eth-interface-down", "interface,"},
	{"'in':'strict0','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp'", "deny", "urpf",
		"interface,route,reverse path,"},
	/* several next hops */
	{"'in':'lan0','src':'10.0.0.2','dst':'10.5.0.2','proto':'icmp'", "permit", NULL,
		"interface,route,inbound,outbound,output,outbound,output,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.5.0.2','proto':'icmp','out':'wan1'", "permit",
		NULL, "interface,route,inbound,outbound,output,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.5.0.2','proto':'udp','dport':53,'out':'wan1'",
		"permit", NULL, "interface,route,inbound,outbound,output,"},
	/* our own */
	{"'src':'10.0.0.1','dst':'10.1.0.2','proto':'icmp','icmp_type':0", "permit", NULL,
		"route,outbound,output,"},
	{"'src':'10.0.0.1','dst':'192.0.2.1','proto':'icmp'", "deny", "no-route", "route,"},
};

static json_t *ask_test(const char *params)
{
	char text[512], *p = text;
	json_t *parsed, *request, *answer;
	char *line;

	snprintf(text, sizeof(text), "{%s}", params);
	for (; *p; p++)
		if (*p == '\'')
			*p = '"';
	parsed = json_loads(text, 0, NULL);
	assert_non_null(parsed);
	request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
		"filter.test", "params", parsed);
	line = json_dumps(request, 0);
	answer = fake_ask(&f->env, line);
	free(line);
	json_decref(request);
	return answer;
}

static void test_filter_test(void **state)
{
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct expect *e = &expected[i];
		json_t *answer = ask_test(e->params), *r = json_object_get(answer, "result"), *s;
		char steps[256] = "";
		size_t k;

		print_message("%s\n", e->params);
		assert_non_null(r);
		assert_string_equal(json_string_value(json_object_get(r, "verdict")), e->verdict);
		if (e->reason != NULL)
			assert_string_equal(
				json_string_value(json_object_get(r, "reason")), e->reason);
		else
			assert_true(json_is_null(json_object_get(r, "reason")));
		json_array_foreach (json_object_get(r, "steps"), k, s) {
			strcat(steps, json_string_value(json_object_get(s, "step")));
			strcat(steps, ",");
		}
		assert_string_equal(steps, e->steps);
		json_decref(answer);
	}
}

static void test_filter_test_mixed(void **state)
{
	json_t *a =
		ask_test("'in':'lan0','src':'10.0.0.2','dst':'10.5.0.2','proto':'udp','dport':53");
	json_t *r = json_object_get(a, "result");

	assert_true(json_is_true(json_object_get(r, "mixed")));
	assert_string_equal(json_string_value(json_object_get(r, "verdict")), "deny");
	assert_int_equal(json_array_size(json_object_get(r, "paths")), 2);
	json_decref(a);
	atomic_store(&f->shared.link_up[WAN], 0);
	a = ask_test("'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp'");
	r = json_object_get(a, "result");
	assert_string_equal(json_string_value(json_object_get(r, "reason")), "link-down");
	json_decref(a);
}

static void test_filter_test_params(void **state)
{
	static const struct {
		const char *params, *says;
	} t[] = {
		{"'src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp'", "\"in\" must be"},
		{"'in':'nope','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp'", "\"in\" must be"},
		{"'in':'lan0','out':'nope','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp'",
			"\"out\" must be"},
		{"'in':'lan0','dst':'10.1.0.2','proto':'icmp'", "\"src\" must be"},
		{"'in':'lan0','src':'10.0.0.2/24','dst':'10.1.0.2','proto':'icmp'",
			"\"src\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'x','proto':'icmp'", "\"dst\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2'", "\"proto\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'nope'",
			"\"proto\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'tcp'",
			"\"dport\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp','dport':1",
			"\"dport\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'udp','dport':1,'flags':'"
		 "S'",
			"\"flags\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'tcp','dport':1,'flags':'"
		 "X'",
			"\"flags\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'tcp','dport':1,'icmp_type'"
		 ":8",
			"\"icmp_type\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp','fragment':'x'",
			"\"fragment\" must be"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'udp','dport':1,"
		 "'fragment':'later'",
			"\"dport\" must be"},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		json_t *a = ask_test(t[i].params);

		print_message("%s\n", t[i].params);
		assert_int_equal(fake_code(a), -32602);
		assert_non_null(strstr(fake_message(a), t[i].says));
		json_decref(a);
	}
}

static void test_show_filter(void **state)
{
	uint32_t id = acl->verdict[2].counter;
	json_t *r, *list, *rule;

	f->worker[0]->rule_counter[id] = (struct rule_counter){5, 500};
	f->worker[1]->rule_counter[id] = (struct rule_counter){7, 700};
	base[id] = (struct rule_counter){2, 200};
	r = fake_call(&f->env, "show.filter", "{}");
	list = json_object_get(r, "rules");
	assert_int_equal(json_integer_value(json_object_get(r, "total")), RULES + 1);
	assert_int_equal(json_array_size(list), RULES + 1);
	rule = json_array_get(list, 1);
	assert_int_equal(json_integer_value(json_object_get(rule, "number")), 2);
	assert_int_equal(json_integer_value(json_object_get(rule, "line")), 2);
	assert_int_equal(json_integer_value(json_object_get(rule, "packets")), 10);
	assert_int_equal(json_integer_value(json_object_get(rule, "bytes")), 1000);
	rule = json_array_get(list, RULES);
	assert_int_equal(json_integer_value(json_object_get(rule, "number")), 0);
	assert_non_null(json_object_get(r, "build"));
	json_decref(r);
	r = fake_call(&f->env, "show.filter", "{\"offset\":4,\"limit\":1}");
	assert_int_equal(json_array_size(json_object_get(r, "rules")), 1);
	assert_null(json_object_get(r, "build"));
	json_decref(r);
	r = fake_call(&f->env, "show.filter", "{\"offset\":1000000}");
	assert_int_equal(json_array_size(json_object_get(r, "rules")), 0);
	json_decref(r);
	base[id] = (struct rule_counter){0};
}

static void test_show_routes(void **state)
{
	json_t *r = fake_call(&f->env, "show.routes", "{}"), *e,
	       *list = json_object_get(r, "routes");
	size_t i, groups = 0;

	assert_int_equal(json_array_size(list), 10);
	json_array_foreach (list, i, e)
		if (strcmp(json_string_value(json_object_get(e, "type")), "multipath") == 0) {
			assert_int_equal(json_array_size(json_object_get(e, "next_hops")), 2);
			groups++;
		}
	assert_int_equal(groups, 1);
	json_decref(r);
}

static void test_show_neighbours(void **state)
{
	json_t *r = fake_call(&f->env, "show.neighbours", "{}");

	assert_int_equal(json_integer_value(json_object_get(r, "total")), 3);
	assert_int_equal(json_array_size(json_object_get(r, "neighbours")), 3);
	json_decref(r);
	r = fake_call(&f->env, "show.neighbours", "{\"offset\":1,\"limit\":1}");
	assert_int_equal(json_integer_value(json_object_get(r, "total")), 3);
	assert_int_equal(json_array_size(json_object_get(r, "neighbours")), 1);
	json_decref(r);
}

static void test_show_graph(void **state)
{
	json_t *r = fake_call(&f->env, "show.graph", "{}");
	const char *dot = json_string_value(json_object_get(r, "dot"));

	assert_true(json_array_size(json_object_get(r, "nodes")) > 10);
	assert_memory_equal(dot, "digraph postern {", 17);
	assert_non_null(strstr(dot, "\"acl_in\" -> \"acl_out\""));
	json_decref(r);
}

/* A page ends early rather than become too long. */
static void test_page_is_bounded(void **state)
{
	static char name[4000];
	struct rule *many = calloc(4000, sizeof(*many));
	struct acl_verdict *verdict = calloc(4001, sizeof(*verdict));
	struct acl big = {.n_rules = 4000, .rule = many, .verdict = verdict};
	json_t *r;
	char *text;

	memset(name, 'x', sizeof(name) - 1);
	for (int i = 0; i < 4000; i++)
		many[i] = (struct rule){.file = name, .line = 1, .tunnel = RULE_TUNNEL_ANY};
	f->root.acl = &big;
	r = fake_call(&f->env, "show.filter", "{\"limit\":10000}");
	text = json_dumps(r, 0);
	assert_true(strlen(text) < 512 * 1024);
	assert_true(json_array_size(json_object_get(r, "rules")) > 30);
	free(text);
	json_decref(r);
	f->root.acl = acl;
	free(many);
	free(verdict);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_filter_test),
		T(test_filter_test_mixed),
		T(test_filter_test_params),
		T(test_show_filter),
		T(test_show_routes),
		T(test_show_neighbours),
		T(test_show_graph),
		T(test_page_is_bounded),
	};
	char *argv[] = {(char *)(uintptr_t) "test", (char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "-m", (char *)(uintptr_t) "512", (char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-telemetry", (char *)(uintptr_t) "--no-shconf",
		(char *)(uintptr_t) "--lcores", (char *)(uintptr_t) "0",
		(char *)(uintptr_t) "--log-level", (char *)(uintptr_t) "5"};

	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) < 0) {
		fprintf(stderr, "EAL does not start: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
