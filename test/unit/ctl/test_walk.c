/* filter.test, held against what the data path does with such packets (dp/node), case by case, in
 * both families.
 */
#include "walk_cases.h"

static const struct expect expected[] = {
	/* --- IPv4 */
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
	{"'in':'lan0','src':'10.0.0.2','dst':'10.0.0.1','proto':'icmp','fragment':'first'",
		"permit", NULL, "interface,route,inbound,local,"},
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
	/* TTL and size */
	{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp','hop_limit':1", "deny",
		"ttl-exceeded", "interface,route,inbound,outbound,output,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp','length':1400,'df':true",
		"permit", NULL, "interface,route,inbound,outbound,output,"},
	{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp','length':1401,'df':true",
		"deny", "mtu-exceeded", "interface,route,inbound,outbound,output,"},
	/* --- IPv6 */
	{"'in':'lan0','src':'fd00::2','dst':'fd00:1::2','proto':'tcp','dport':443", "permit", NULL,
		"interface,route,inbound,outbound,output,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00:1::2','proto':'tcp','dport':25", "deny",
		"filter-in", "interface,route,inbound,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00:1::2','proto':'udp','dport':53", "deny",
		"filter-out-implicit", "interface,route,inbound,outbound,"},
	{"'in':'wan0','src':'fd00:1::2','dst':'fd00::2','proto':'tcp','dport':80,'flags':'SA'",
		"permit", NULL, "interface,route,inbound,outbound,output,"},
	{"'in':'wan0','src':'fd00:1::2','dst':'fd00::2','proto':'tcp','dport':80,'flags':'S'",
		"deny", "filter-in-implicit", "interface,route,inbound,"},
	{"'in':'lan0','src':'FD00::2','dst':'fd00:1::2','proto':'ICMPv6'", "permit", NULL,
		"interface,route,inbound,outbound,output,"},
	/* rule 6 names ports: a later fragment has none */
	{"'in':'lan0','src':'fd00::2','dst':'fd00:1::2','proto':'tcp','fragment':'later'", "deny",
		"filter-in-implicit", "interface,route,inbound,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00:6::2','proto':'icmpv6'", "deny", "route-prohibit",
		"interface,route,inbound,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00:7::2','proto':'icmpv6'", "deny",
		"route-blackhole", "interface,route,inbound,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00:8::2','proto':58", "deny", "route-unreachable",
		"interface,route,inbound,"},
	{"'in':'lan0','src':'fd00::2','dst':'2001:db8::1','proto':'icmpv6'", "deny", "no-route",
		"interface,route,inbound,"},
	/* several next hops, one of them link-local */
	{"'in':'lan0','src':'fd00::2','dst':'fd00:5::2','proto':'icmpv6'", "permit", NULL,
		"interface,route,inbound,outbound,output,outbound,output,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00:5::2','proto':'icmpv6','out':'wan1'", "permit",
		NULL, "interface,route,inbound,outbound,output,"},
	/* for this box: its address, a link-local one, a group (RFC 4443 section 4.2) */
	{"'in':'lan0','src':'fd00::2','dst':'fd00::1','proto':'icmpv6'", "permit", NULL,
		"interface,route,inbound,local,route,outbound,output,"},
	{"'in':'lan0','src':'fe80::2','dst':'fe80::','proto':'icmpv6'", "permit", NULL,
		"interface,route,inbound,local,route,outbound,output,"},
	{"'in':'lan0','src':'fe80::2','dst':'ff02::1','proto':'icmpv6'", "permit", NULL,
		"interface,route,inbound,local,route,outbound,output,"},
	/* RFC 4862 section 5.4: not before it is known to be no duplicate */
	{"'in':'strict0','src':'fe80::2','dst':'fe80::4','proto':'icmpv6'", "deny",
		"local-tentative", "interface,route,inbound,local,"},
	{"'in':'strict0','src':'fe80::2','dst':'ff02::1','proto':'icmpv6'", "deny",
		"local-icmp-ignored", "interface,route,inbound,local,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00::1','proto':'icmpv6','icmp_type':1", "deny",
		"local-icmp-ignored", "interface,route,inbound,local,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00::1','proto':'udp','dport':53", "deny",
		"local-no-port", "interface,route,inbound,local,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00::1','proto':'icmpv6','fragment':'first'",
		"permit", NULL, "interface,route,inbound,local,"},
	/* RFC 4291 section 2.5.6: link-local addresses are of one link */
	{"'in':'lan0','src':'fd00::2','dst':'fe80::77','proto':'icmpv6'", "deny", "ip6-link-local",
		"interface,route,"},
	{"'in':'lan0','src':'fe80::2','dst':'fe80::1','proto':'icmpv6'", "deny", "ip6-link-local",
		"interface,route,"},
	{"'in':'lan0','src':'fe80::2','dst':'fd00:1::2','proto':'icmpv6'", "deny",
		"ip6-beyond-scope", "interface,route,"},
	/* RFC 4861 sections 6.1 and 7.1: neighbour discovery for us is not filtered */
	{"'in':'lan0','src':'fe80::2','dst':'ff02::1:ff00:1','proto':'icmpv6','icmp_type':135",
		"permit", NULL, "interface,neighbour,"},
	{"'in':'lan0','src':'::','dst':'ff02::1:ff00:1','proto':'icmpv6','icmp_type':135", "permit",
		NULL, "interface,neighbour,"},
	{"'in':'lan0','src':'fe80::2','dst':'fd00::1','proto':'icmpv6','icmp_type':136,"
	 "'hop_limit':254",
		"deny", "nd-hop-limit", "interface,neighbour,"},
	{"'in':'lan0','src':'fe80::2','dst':'fd00::1','proto':'icmpv6','icmp_type':136,"
	 "'fragment':'first'",
		"deny", "nd-fragment", "interface,neighbour,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00:1::2','proto':'icmpv6','icmp_type':135", "permit",
		NULL, "interface,route,inbound,outbound,output,"},
	/* addresses */
	{"'in':'lan0','src':'::','dst':'fd00::1','proto':'icmpv6'", "deny", "ip6-source-martian",
		"interface,addresses,"},
	{"'in':'lan0','src':'::1','dst':'fd00:1::2','proto':'icmpv6'", "deny", "ip6-source-martian",
		"interface,addresses,"},
	{"'in':'lan0','src':'fd00:1::1','dst':'fd00:1::2','proto':'icmpv6'", "deny",
		"ip6-source-martian", "interface,addresses,"},
	{"'in':'lan0','src':'ff02::1','dst':'fd00:1::2','proto':'icmpv6'", "deny",
		"ip6-source-martian", "interface,addresses,"},
	{"'in':'lan0','src':'fd00::2','dst':'::1','proto':'icmpv6'", "deny",
		"ip6-destination-martian", "interface,addresses,"},
	{"'in':'lan0','src':'fd00::2','dst':'ff02::5','proto':'ospf'", "deny", "ip6-multicast",
		"interface,addresses,"},
	/* interfaces */
	{"'in':'off0','src':'fd00:3::2','dst':'fd00:1::2','proto':'icmpv6'", "deny",
		"eth-interface-down", "interface,"},
	{"'in':'four0','src':'fd00:5::2','dst':'fd00:1::2','proto':'icmpv6'", "deny",
		"ip6-not-configured", "interface,"},
	{"'in':'strict0','src':'fd00::2','dst':'fd00:1::2','proto':'icmpv6'", "deny", "urpf",
		"interface,route,reverse path,"},
	/* hop limit and size: RFC 8200 section 5, no router fragments */
	{"'in':'lan0','src':'fd00::2','dst':'fd00:1::2','proto':'icmpv6','hop_limit':1", "deny",
		"ttl-exceeded", "interface,route,inbound,outbound,output,"},
	{"'in':'lan0','src':'fd00::2','dst':'fd00:1::2','proto':'icmpv6','length':1401", "deny",
		"mtu-exceeded", "interface,route,inbound,outbound,output,"},
	/* our own */
	{"'src':'fd00::1','dst':'fd00:1::2','proto':'icmpv6','icmp_type':129", "permit", NULL,
		"route,outbound,output,"},
	{"'src':'fe80::1','dst':'fe80::9','proto':'icmpv6','out':'wan0'", "permit", NULL,
		"route,outbound,output,"},
	{"'src':'fd00::1','dst':'2001:db8::1','proto':'icmpv6'", "deny", "no-route", "route,"},
};

static void test_filter_test(void **state)
{
	expect_walks(expected, sizeof(expected) / sizeof(expected[0]));
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
		/* of two families, or of none */
		{"'in':'lan0','src':'10.0.0.2','dst':'fd00::1','proto':'icmp'",
			"\"dst\" must be an IPv4 address, as src is"},
		{"'in':'lan0','src':'fd00::2','dst':'10.0.0.1','proto':'icmpv6'",
			"\"dst\" must be an IPv6 address, as src is"},
		{"'in':'lan0','src':'fd00::2','dst':'fd00::1','proto':'icmp'",
			"\"proto\" must be icmpv6 for IPv6"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.0.0.1','proto':'icmpv6'",
			"\"proto\" must be icmp for IPv4"},
		{"'in':'lan0','src':'::ffff:10.0.0.2','dst':'fd00::1','proto':'icmpv6'",
			"\"src\" must be"},
		{"'in':'lan0','src':'fd00::2%lan0','dst':'fd00::1','proto':'icmpv6'",
			"\"src\" must be"},
		{"'in':'lan0','src':'fe80::2%lan0','dst':'fd00::1','proto':'icmpv6'",
			"without a zone"},
		{"'in':'lan0','src':'[fd00::2]','dst':'fd00::1','proto':'icmpv6'",
			"\"src\" must be"},
		{"'in':'lan0','src':'fd00::2','dst':'fd00::1','proto':1,'icmp_type':8",
			"\"icmp_type\" must be"},
		{"'in':'lan0','src':'fd00::2','dst':'fd00::1','proto':'icmpv6','df':true",
			"\"df\" must be"},
		/* which link? */
		{"'src':'fe80::1','dst':'fe80::9','proto':'icmpv6'", "\"out\" must be"},
		{"'src':'fe80::1','dst':'fe80::9','proto':'icmpv6','out':'lan0'", "\"in\" must be"},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		json_t *a = ask_test(t[i].params);

		print_message("%s\n", t[i].params);
		assert_int_equal(fake_code(a), -32602);
		assert_non_null(strstr(fake_message(a), t[i].says));
		json_decref(a);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_filter_test),
		T(test_filter_test_mixed),
		T(test_filter_test_params),
	};

	return world_run(tests, sizeof(tests) / sizeof(tests[0]));
}
