/* IPv6 in the configuration: what stands in the text stands in struct conf, and what can't be is
 * refused, with its line and setting. Router advertisements: test_ra.
 */
#include "conf/conf.h"

#include "expect.h"

static const char text[] =
	"ports = ( { name = \"lan\"; device = \"net_null0\"; },\n"
	"  { name = \"wan\"; device = \"net_null1\"; mtu = 9000; } );\n"
	"interfaces = (\n"
	"  { name = \"lan\"; addresses = [ \"192.0.2.1/24\", \"2001:DB8:0:1::1/64\",\n"
	"    \"fe80::1/64\", \"2001:db8:0:2::/127\" ]; dad-transmits = 0; },\n"
	"  { name = \"wan\"; outer-vlan = 100; mtu = 1280; addresses = \"2001:db8:9::2/48\"; },\n"
	"  { name = \"q\"; port = \"wan\"; outer-vlan = 100; vlan = 20; addresses = ( "
	"\"fe80::1/64\" ); },\n"
	"  { name = \"four\"; port = \"wan\"; vlan = 100; mtu = 576; } );\n"
	"routes = (\n"
	"  { to = \"::/0\"; via = [ \"fe80::2%lan\", \"fe80::2%q\", \"2001:db8:9::9\" ]; },\n"
	"  { to = \"0.0.0.0/0\"; via = \"192.0.2.9\"; },\n"
	"  { to = \"2001:db8:100::/40\"; via = \"fe80::1\"; interface = \"wan\"; },\n"
	"  { to = \"fd00::/8\"; type = \"blackhole\"; },\n"
	"  { to = \"2001:db8:ff::1\"; interface = \"wan\"; },\n"
	"  { to = \"8000::/1\"; via = \"2001:db8:0:1::7\"; } );\n"
	"neighbours = ( { interface = \"lan\"; address = \"fe80::2\"; mac = "
	"\"02:00:00:00:00:01\"; },\n"
	"  { interface = \"q\"; address = \"fe80::2\"; mac = \"02:00:00:00:00:02\"; } );\n"
	"filter = { rules = ( { action = \"permit\"; } ); };\n"
	"ip6 = { hop-limit = 9; icmp-error-rate = 1; icmp-echo-rate = 2; martians-drop = false;\n"
	"  extension-headers-max = 3; };\n"
	"nd = { reachable-s = 4; retry-ms = 50; retries = 6; stale-s = 7; entries-max = 80;\n"
	"  queue = 9; punt-rate = 10; resolve-rate = 11; incomplete-max = 120; };\n"
	"reassembly = { datagrams = 130; per-source = 14; fragments = 15; timeout-s = 16; };\n";

static void assert_addr(const struct addr *a, const char *want)
{
	char buf[ADDR_STRLEN];

	assert_string_equal(addr_format(a, buf), want);
}

static void assert_prefix(const struct prefix *p, const char *want)
{
	char buf[PREFIX_STRLEN];

	assert_string_equal(prefix_format(p, buf), want);
}

static void interfaces(const struct conf *conf)
{
	const struct conf_iface *f = conf->ifaces;

	assert_int_equal(f[0].n_addrs, 4);
	assert_prefix(&f[0].addrs[0], "192.0.2.1/24");
	assert_prefix(&f[0].addrs[1], "2001:db8:0:1::1/64");
	assert_prefix(&f[0].addrs[2], "fe80::1/64");
	assert_prefix(&f[0].addrs[3], "2001:db8:0:2::/127"); /* RFC 6164: both are hosts' */
	assert_int_equal(f[0].dad_transmits, 0);
	assert_int_equal(f[0].outer_vlan, 0);
	assert_null(f[0].ra);
	assert_int_equal(f[1].dad_transmits, 1);
	assert_int_equal(f[1].mtu, 1280);
	assert_int_equal(f[1].outer_vlan, 100);
	assert_int_equal(f[1].vlan, 0);
	assert_int_equal(f[2].outer_vlan, 100);
	assert_int_equal(f[2].vlan, 20);
	assert_int_equal(f[3].vlan, 100);
}

static void routes(const struct conf *conf)
{
	const struct conf_route *r = conf->routes;

	assert_int_equal(conf->n_routes, 6);
	assert_prefix(&r[0].to, "::/0");
	assert_int_equal(r[0].n_paths, 3);
	assert_addr(&r[0].paths[0].via, "fe80::2");
	assert_int_equal(r[0].paths[0].iface, 0);
	assert_addr(&r[0].paths[1].via, "fe80::2");
	assert_int_equal(r[0].paths[1].iface, 2);
	assert_addr(&r[0].paths[2].via, "2001:db8:9::9");
	assert_int_equal(r[0].paths[2].iface, 1); /* found from the subnet */
	assert_prefix(&r[1].to, "0.0.0.0/0");     /* a default route for each family */
	assert_addr(&r[1].paths[0].via, "192.0.2.9");
	assert_addr(&r[2].paths[0].via, "fe80::1"); /* lan and q have it, wan hasn't */
	assert_int_equal(r[2].paths[0].iface, 1);
	assert_int_equal(r[3].kind, CONF_ROUTE_BLACKHOLE);
	assert_prefix(&r[4].to, "2001:db8:ff::1/128");
	assert_true(addr_is_unspecified(&r[4].paths[0].via));
	assert_int_equal(r[4].paths[0].iface, 1);
	assert_prefix(&r[5].to, "8000::/1");
	assert_int_equal(r[5].paths[0].iface, 0);
}

static void values(void **state)
{
	struct errs errs = {0};
	struct conf *conf = conf_parse(text, "f", NULL, &errs);

	errs_print(&errs, stderr);
	assert_non_null(conf);
	assert_int_equal(errs.n, 0);
	interfaces(conf);
	routes(conf);
	assert_int_equal(conf->n_neighs, 2);
	assert_addr(&conf->neighs[0].addr, "fe80::2");
	assert_addr(&conf->neighs[1].addr, "fe80::2");
	assert_int_equal(conf->neighs[1].iface, 2);
	assert_int_equal(conf->ip6.hop_limit, 9);
	assert_int_equal(conf->ip6.icmp_error_rate, 1);
	assert_int_equal(conf->ip6.icmp_echo_rate, 2);
	assert_false(conf->ip6.martians_drop);
	assert_int_equal(conf->ip6.extension_headers_max, 3);
	assert_int_equal(conf->nd.reachable_s, 4);
	assert_int_equal(conf->nd.retry_ms, 50);
	assert_int_equal(conf->nd.retries, 6);
	assert_int_equal(conf->nd.stale_s, 7);
	assert_int_equal(conf->nd.entries_max, 80);
	assert_int_equal(conf->nd.queue, 9);
	assert_int_equal(conf->nd.punt_rate, 10);
	assert_int_equal(conf->nd.resolve_rate, 11);
	assert_int_equal(conf->nd.incomplete_max, 120);
	assert_int_equal(conf->reassembly.datagrams, 130);
	assert_int_equal(conf->reassembly.per_source, 14);
	assert_int_equal(conf->reassembly.fragments, 15);
	assert_int_equal(conf->reassembly.timeout_s, 16);
	conf_free(conf);
	errs_fini(&errs);
}

/* Line 1 of each case; lines 2 and on are the case's. */
#define PORT "ports = ({ name = \"a\"; device = \"net_null0\"; });"
#define IFACES                                                                                 \
	"interfaces = ({ name = \"a\"; addresses = [ \"2001:db8::1/64\", \"fe80::1/64\" ]; }," \
	"{ name = \"b\"; port = \"a\"; vlan = 2; addresses = \"192.0.2.1/24\"; });"
#define FILTER "filter = { rules = ({ action = \"permit\"; }); };"
#define ADDRS(list) PORT FILTER "interfaces = ({ name = \"a\";\naddresses = [\n" list "\n]; });"
#define TWO(a, b)                                                    \
	PORT FILTER "interfaces = ({ name = \"a\"; addresses = [ " a \
		    " ]; },\n{ name = \"b\"; port "                  \
		    "= \"a\"; vlan = 2; addresses = [ " b " ]; });"
#define ROUTE(r) PORT IFACES FILTER "\nroutes = ({\n" r "\n});"
#define NEIGH(n) PORT IFACES FILTER "\nneighbours = ({ mac = \"02:00:00:00:00:01\";\n" n "\n});"
#define A0 "interfaces[0].addresses[0]"
#define B0 "interfaces[1].addresses[0]"
#define VIA "routes[0].via"

static const struct {
	const char *what, *text;
	struct want want[4];
} cases[] = {
	{"nothing is wrong", PORT IFACES FILTER, {{0}}},
	/* addresses of interfaces */
	{"no length", ADDRS("\"2001:db8::1\""), {{3, A0, "expected an address of this interface"}}},
	{"no address", ADDRS("\"2001:db8:::1/64\""), {{3, A0, "found \"2001:db8:::1/64\""}}},
	{"a length too long", ADDRS("\"2001:db8::1/129\""), {{3, A0, "found"}}},
	{"no length at all", ADDRS("\"2001:db8::1/0\""), {{3, A0, "found"}}},
	{"unspecified", ADDRS("\"::/64\""), {{3, A0, "expected a unicast address"}}},
	{"loopback", ADDRS("\"::1/128\""), {{3, A0, "expected a unicast address"}}},
	{"multicast", ADDRS("\"ff02::1/64\""), {{3, A0, "expected a unicast address"}}},
	{"IPv4-compatible (RFC 4291 section 2.5.5.1)", ADDRS("\"::c000:201/96\""),
		{{3, A0, "expected a unicast address"}}},
	{"IPv4-mapped (RFC 4291 section 2.5.5.2)", ADDRS("\"::ffff:c000:201/120\""),
		{{3, A0, "found"}}},
	{"a dotted quad", ADDRS("\"::ffff:192.0.2.1/120\""), {{3, A0, "found"}}},
	{"a zone", ADDRS("\"fe80::1%a/64\""), {{3, A0, "found"}}},
	{"subnet-router anycast (RFC 4291 section 2.6.1)", ADDRS("\"2001:db8::/64\""),
		{{3, A0, "every router's"}}},
	{"two of 127 bits and one of 128 (RFC 6164)",
		ADDRS("\"2001:db8::/127\", \"2001:db8:1::1/127\", \"2001:db8:2::/128\""), {{0}}},
	{"link-local of another length", ADDRS("\"fe80::1/10\""), {{3, A0, "with the length 64"}}},
	{"link-local beyond fe80::/64", ADDRS("\"fe80:1::1/64\""), {{3, A0, "one of fe80::/64"}}},
	{"two link-local", ADDRS("\"fe80::1/64\",\n\"fe80::2/64\""),
		{{4, "interfaces[0].addresses[1]", "a second link-local address"}}},
	{"the same link-local on two links", TWO("\"fe80::1/64\"", "\"fe80::1/64\""), {{0}}},
	{"twice", TWO("\"2001:db8::1/64\"", "\"2001:DB8:0::1/64\""),
		{{2, B0, "2001:db8::1 is interfaces[0].addresses[0] as well"},
			{2, B0, "overlaps"}}},
	{"subnets overlap", TWO("\"2001:db8::1/48\"", "\"2001:db8:0:7::1/64\""),
		{{2, B0,
			"the subnet of 2001:db8:0:7::1/64 overlaps that of 2001:db8::1/48 on "
			"interface a"}}},
	{"nor the other way round", TWO("\"2001:db8:0:7::1/64\"", "\"2001:db8::1/48\""),
		{{2, B0, "overlaps that of 2001:db8:0:7::1/64 on interface a"}}},
	{"subnets of one interface nest",
		TWO("\"2001:db8::1/48\", \"2001:db8:0:7::1/64\"", "\"2001:db8:1::1/48\""), {{0}}},
	{"families are apart, whatever the numbers say",
		TWO("\"0:0:0:1::1/3\"", "\"192.0.2.1/24\""), {{0}}},
	{"MTU (RFC 8200 section 5)",
		PORT FILTER "interfaces = ({ name = \"a\"; addresses = \"2001:db8::1/64\";\n"
			    "mtu = 1279; });",
		{{2, "interfaces[0].mtu", "it is 1279, expected at least 1280"}}},
	{"MTU of the port",
		"ports = ({ name = \"a\"; device = \"net_null0\"; mtu = 1000; });" FILTER
		"interfaces = (\n{ name = \"a\"; addresses = \"2001:db8::1/64\"; });",
		{{2, "interfaces[0].mtu", "it is 1000"}}},
	{"both tags of another",
		PORT FILTER "interfaces = ({ name = \"a\"; outer-vlan = 5; vlan = 6; },\n"
			    "{ name = \"b\"; port = \"a\"; outer-vlan = 6; vlan = 5; },\n"
			    "{ name = \"c\"; port = \"a\"; vlan = 6; },\n"
			    "{ name = \"d\"; port = \"a\"; outer-vlan = 5; },\n"
			    "{ name = \"e\"; port = \"a\"; outer-vlan = 5;\nvlan = 6; });",
		{{6, "interfaces[4].vlan",
			"outer-vlan 5, vlan 6 of port a is interfaces[0] already"}}},
	/* routes */
	{"no prefix", ROUTE("to = \"2001:db8:::/32\"; type = \"blackhole\";"),
		{{3, "routes[0].to", "found \"2001:db8:::/32\""}}},
	{"host bits", ROUTE("to = \"2001:db8::1/32\"; type = \"blackhole\";"),
		{{3, "routes[0].to", "expected 2001:db8::/32"}}},
	{"multicast route", ROUTE("to = \"ff05::/16\"; type = \"blackhole\";"),
		{{3, "routes[0].to", "expected unicast"}}},
	{"link-local route", ROUTE("to = \"fe80::/64\"; type = \"blackhole\";"),
		{{3, "routes[0].to", "expected unicast"}}},
	{"loopback route", ROUTE("to = \"::1\"; type = \"blackhole\";"),
		{{3, "routes[0].to", "expected unicast"}}},
	{"mapped route", ROUTE("to = \"::ffff:0:0/96\"; type = \"blackhole\";"),
		{{3, "routes[0].to", "found"}}},
	{"the other family's next hop", ROUTE("to = \"2001:db8:1::/48\"; via = \"192.0.2.7\";"),
		{{3, VIA, "192.0.2.7 is IPv4, expected an IPv6 next hop"}}},
	{"and the other way round", ROUTE("to = \"10.0.0.0/8\";\nvia = [ \"2001:db8::7\" ];"),
		{{4, VIA "[0]", "2001:db8::7 is IPv6, expected an IPv4 next hop"}}},
	{"on no subnet", ROUTE("to = \"::/0\"; via = \"2001:db8:1::1\";"),
		{{3, VIA, "is on no subnet of an interface"}}},
	{"link-local alone", ROUTE("to = \"::/0\"; via = \"fe80::9\";"),
		{{3, VIA, "is link-local, expected its interface: \"fe80::9%NAME\""}}},
	{"no such zone", ROUTE("to = \"::/0\"; via = \"fe80::9%z\";"), {{3, VIA, "found"}}},
	{"an empty zone", ROUTE("to = \"::/0\"; via = \"fe80::9%\";"), {{3, VIA, "found"}}},
	{"a zone of what has none", ROUTE("to = \"::/0\"; via = \"2001:db8::9%a\";"),
		{{3, VIA, "found"}}},
	{"zone and interface", ROUTE("to = \"::/0\"; interface = \"a\"; via = \"fe80::9%a\";"),
		{{3, VIA, "expected none besides it"}}},
	{"a next hop twice", ROUTE("to = \"::/0\"; via = [ \"fe80::9%a\", \"fe80::9%a\" ];"),
		{{3, VIA "[1]", "is named twice"}}},
	{"our own", ROUTE("to = \"::/0\"; via = \"2001:db8::1\";"),
		{{3, VIA, "an address of this box itself"}}},
	{"our own link-local", ROUTE("to = \"::/0\"; via = \"fe80::1%a\";"),
		{{3, VIA, "an address of this box itself"}}},
	{"the subnet's first address", ROUTE("to = \"::/0\"; via = \"2001:db8::\";"),
		{{3, VIA, "expected a host's"}}},
	{"the subnet's last address is a host's",
		ROUTE("to = \"::/0\"; via = \"2001:db8::ffff:ffff:ffff:ffff\";"), {{0}}},
	{"an interface without IPv6", ROUTE("to = \"::/0\"; via = \"fe80::9%b\";"),
		{{3, VIA, "interface b has no IPv6 address"}}},
	{"nor directly", ROUTE("to = \"2001:db8:1::/64\";\ninterface = \"b\";"),
		{{4, "routes[0].interface", "interface b has no IPv6 address"}}},
	{"a route twice",
		ROUTE("to = \"2001:db8:1::/48\"; type = \"blackhole\"; },\n"
		      "{ to = \"2001:DB8:1:0::/48\"; type = \"prohibit\"; },\n"
		      "{ to = \"2001:db8:1::/47\"; type = \"prohibit\";"),
		{{4, "routes[1].to", "2001:db8:1::/48 is the prefix of routes[0] as well"},
			{5, "routes[2].to", "bits beyond its length, expected 2001:db8::/47"}}},
	{"a connected subnet", ROUTE("to = \"2001:db8::/64\"; type = \"blackhole\";"),
		{{3, "routes[0].to", "is the subnet of interface a"}}},
	{"a host on it", ROUTE("to = \"2001:db8::7\"; type = \"blackhole\";"), {{0}}},
	/* neighbours */
	{"multicast neighbour", NEIGH("interface = \"a\"; address = \"ff02::1\";"),
		{{3, "neighbours[0].address", "found \"ff02::1\""}}},
	{"a prefix as neighbour", NEIGH("interface = \"a\"; address = \"2001:db8::2/64\";"),
		{{3, "neighbours[0].address", "found"}}},
	{"ourselves", NEIGH("interface = \"a\"; address = \"2001:db8::1\";"),
		{{3, "neighbours[0].address", "of this box itself"}}},
	{"our link-local", NEIGH("address = \"fe80::1\"; interface = \"a\";"),
		{{3, "neighbours[0].address", "of this box itself"}}},
	{"no IPv6 there", NEIGH("interface = \"b\"; address = \"2001:db8::2\";"),
		{{3, "neighbours[0].address", "interface b has no IPv6 address"}}},
	{"a neighbour twice",
		NEIGH("interface = \"a\"; address = \"2001:db8::2\"; },\n"
		      "{ interface = \"a\"; mac = \"02:00:00:00:00:01\"; address = "
		      "\"2001:db8:0::2\";"),
		{{4, "neighbours[1].address",
			"2001:db8::2 on interface a is neighbours[0] as well"}}},
};

static void each_case(void **state)
{
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errs errs = {0};
		struct conf *conf = conf_parse(cases[i].text, "f", NULL, &errs);

		print_message("%s\n", cases[i].what);
		assert_int_equal(conf == NULL, cases[i].want[0].text != NULL);
		expect(&errs, false, cases[i].want);
		conf_free(conf);
		errs_fini(&errs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(each_case),
	};

	return cmocka_run_group_tests_name("conf/ip6", tests, NULL, NULL);
}
