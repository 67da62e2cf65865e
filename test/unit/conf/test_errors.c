/* conf_parse and conf_load: every kind of mistake between settings, with its exact line and
 * setting. Types and ranges of single settings: test_settings. Rule lines: test_rulefile.
 */
#include "conf/conf.h"

#include "expect.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Line 1 of each case: nothing in it is wrong. Sections that a case gives itself are left out. */
#define PORT "ports = ({ name = \"a\"; device = \"net_null0\"; });"
#define IFACE "interfaces = ({ name = \"a\"; addresses = \"192.0.2.1/24\"; });"
#define FILTER "filter = { rules = ({ action = \"permit\"; }); };"

static const struct {
	const char *what, *text;
	struct want want[6];
} cases[] = {
	{"nothing is wrong", PORT IFACE FILTER, {{0}}},
	/* the language */
	{"no value", PORT "\nsystem = {\n workers = ;\n};",
		{{3, "", "found \";\", expected a value"}}},
	{"no comma behind the last", PORT "\nroutes = (\n{ },\n);",
		{{4, "", "no comma stands behind"}}},
	{"nor in an array", PORT "\nlog = { drops = [ \"a\",\n];};",
		{{3, "", "no comma stands behind"}}},
	{"no equals sign", PORT "\nlog {\n};", {{2, "", "found \"{\", expected ="}}},
	{"an address without quotes", PORT "\nroutes = (\n{ via = 1.2.3.4; } );",
		{{3, "", "found \"1.2.3.4\", expected a value"}}},
	{"a word without quotes", PORT "\nlog = { to =\nfile; };",
		{{3, "", "found \"file\", expected a value"}}},
	{"never closed", PORT "\nlog = {\n rate = 3;\n",
		{{4, "", "found the end of the file, expected the name"}}},
	{"closed twice", PORT "\nlog = { };\n};", {{3, "", "found \"}\", expected the name"}}},
	{"wrong bracket", PORT "\nroutes = ( { } }\n;", {{2, "", "found \"}\", expected , or )"}}},
	{"too deep", "x = ((((((((((((((((((1))))))))))))))))));", {{1, "", "within each other"}}},
	{"twice", PORT IFACE FILTER "\n arp = {\n queue = 1;\n queue = 2; };",
		{{4, "", "duplicate setting name"}}},
	{"section twice", PORT IFACE FILTER "\n arp = { };\n arp = { };",
		{{3, "", "duplicate setting name"}}},
	{"open string", PORT "\nlog = { file = \"abc; };\n\n",
		{{2, "", "string that begins here"}}},
	{"open comment", PORT "\n\n/* abc\n\n", {{3, "", "comment that begins here"}}},
	{"include", PORT "\n\n@include \"/etc/passwd\"\n", {{3, "", "@include is not supported"}}},
	{"include within", PORT "\nsystem = { @include \"x\" };\n", {{2, "", "@include"}}},
	{"include in a comment or string",
		PORT IFACE FILTER "# @include \"x\"\n/* @include */\n"
				  "log = { file = \"a@b\"; };",
		{{0}}},
	{"comments of all kinds",
		PORT IFACE FILTER "// a\n/**/arp/*\n*/=/* */{/*\n\n*/queue = 0; } # end",
		{{5, "arp.queue", "found the integer 0"}}},
	{"a comment without an end of its line", PORT IFACE FILTER "#", {{0}}},
	{"long number", PORT "\narp = { queue = 9999999999999999999; };", {{2, "", "19 digits"}}},
	{"long hex number", PORT "\narp = { queue = 0x10000000000000005; };",
		{{2, "", "17 digits"}}},
	{"mixed array", PORT "\nsystem = { lcores = [ 1, \"x\" ]; };",
		{{2, "", "elements of one type"}}},
	/* names */
	{"unknown section", PORT IFACE FILTER "\nfirewall = { };",
		{{2, "firewall", "unknown setting, expected one of: system, ports"}}},
	{"unknown setting", PORT IFACE FILTER "\nsystem = {\n worker = 1; };",
		{{3, "system.worker", "unknown setting, expected one of: control-lcore, workers"}}},
	{"unknown in a list",
		PORT IFACE FILTER "routes = ( { to = \"0.0.0.0/0\";\n"
				  "type = \"blackhole\"; },\n{ to = \"1.0.0.0/8\"; type = "
				  "\"prohibit\";\n metric = 3; } );",
		{{4, "routes[1].metric", "unknown setting"}}},
	{"unknown in a rule",
		PORT IFACE "filter = { rules = (\n { action = \"deny\";\n port = 3; } ); };",
		{{3, "filter.rules[0].port", "unknown setting, expected one of: action, src"}}},
	/* shapes */
	{"list for a group", PORT IFACE FILTER "\nsystem = ( );",
		{{2, "system", "found a list, expected a group"}}},
	{"group for a list", "\nports = { };" FILTER,
		{{2, "ports", "found a group, expected a list of groups"}}},
	{"string for a list", PORT IFACE "\nfilter = { rules = \"all\"; };",
		{{2, "filter.rules", "found \"all\", expected a list of groups"}}},
	{"array for a list", PORT IFACE FILTER "\nroutes = [ 1 ];",
		{{2, "routes", "found an array"}}},
	{"string in a list", PORT IFACE FILTER "\nroutes = (\n \"x\" );",
		{{3, "routes[0]", "found \"x\", expected a group"}}},
	{"rule that is none", PORT IFACE "filter = { rules = (\n 5 ); };",
		{{2, "filter.rules[0]", "found the integer 5, expected a group"}}},
	/* ports */
	{"no ports", FILTER, {{0, "ports", "missing, expected a list of ports"}}},
	{"empty ports", "\nports = ( );" FILTER, {{2, "ports", "found no port"}}},
	{"port without all", "ports = (\n{ mtu = 1500; } );" FILTER,
		{{2, "ports[0].name", "missing"}, {2, "ports[0].device", "missing"}}},
	{"port name twice",
		"ports = ( { name = \"a\"; device = \"net_null0\"; },\n{ device = \"net_null1\";\n"
		" name = \"a\"; } );" IFACE FILTER,
		{{3, "ports[1].name", "is the name of ports[0] as well"}}},
	{"device twice",
		"ports = ( { name = \"a\"; device = \"03:00.0\"; },\n{ name = \"b\";\n"
		" device = \"0000:03:00.0,x=1\"; } );" IFACE FILTER,
		{{3, "ports[1].device", "0000:03:00.0 is the device of ports[0] as well"}}},
	{"vdev twice",
		"ports = ( { name = \"a\"; device = \"net_tap0,iface=x\"; },\n{ name = \"b\";\n"
		" device = \"net_tap0,iface=y\"; } );" IFACE FILTER,
		{{3, "ports[1].device", "net_tap0 is the device of ports[0]"}}},
	/* interfaces */
	{"no such port", PORT "interfaces = (\n{ name = \"b\";\n port = \"c\"; } );" FILTER,
		{{3, "interfaces[0].port", "found \"c\", but no port has that name"}}},
	{"no port of that name", PORT "interfaces = (\n{ name = \"b\"; } );" FILTER,
		{{2, "interfaces[0].port", "missing, and no port is named \"b\""}}},
	{"interface name twice",
		PORT "interfaces = ( { name = \"a\"; },\n{ port = \"a\"; vlan = 2;\n"
		     " name = \"a\"; } );" FILTER,
		{{3, "interfaces[1].name", "is the name of interfaces[0] as well"}}},
	{"vlan twice",
		PORT "interfaces = ( { name = \"x\"; port = \"a\"; vlan = 7; },\n"
		     "{ name = \"y\"; port = \"a\";\n vlan = 7; } );" FILTER,
		{{3, "interfaces[1].vlan", "vlan 7 of port a is interfaces[0] already"}}},
	{"untagged twice",
		PORT "interfaces = ( { name = \"a\"; },\n{ name = \"y\"; port = \"a\"; } );" FILTER,
		{{2, "interfaces[1].vlan", "vlan 0 of port a"}}},
	{"mtu above the port's", PORT "interfaces = (\n{ name = \"a\";\n mtu = 1501; } );" FILTER,
		{{3, "interfaces[0].mtu", "found 1501, expected at most the 1500 of port a"}}},
	{"addresses that are none",
		PORT "interfaces = ( { name = \"a\"; addresses = (\n"
		     "\"192.0.2.1\",\n\"x\"\n,\n5,\n\"\") ; } );" FILTER,
		{{2, "interfaces[0].addresses[0]",
			 "found \"192.0.2.1\", expected an address of this"},
			{3, "interfaces[0].addresses[1]", "found \"x\""},
			{5, "interfaces[0].addresses[2]", "found the integer 5"},
			{6, "interfaces[0].addresses[3]", "found \"\""}}},
	{"addresses of no host",
		PORT "interfaces = ( { name = \"a\"; addresses = [\n\"127.0.0.1/8\",\n"
		     "\"224.0.0.1/24\",\n\"192.0.2.0/24\",\n\"192.0.2.255/24\",\n\"0.0.0.0/0\" ]; "
		     "} );" FILTER,
		{{2, "interfaces[0].addresses[0]", "can't be an interface's"},
			{3, "interfaces[0].addresses[1]", "can't be an interface's"},
			{4, "interfaces[0].addresses[2]", "first or last address"},
			{5, "interfaces[0].addresses[3]", "first or last address"},
			{6, "interfaces[0].addresses[4]", "found \"0.0.0.0/0\""}}},
	{"address twice",
		PORT "interfaces = ( { name = \"a\"; addresses = [ \"192.0.2.1/24\",\n"
		     "\"192.0.2.1/24\" ]; } );" FILTER,
		{{2, "interfaces[0].addresses[1]",
			"192.0.2.1 is interfaces[0].addresses[0] as well"}}},
	{"subnets overlap",
		PORT "interfaces = ( { name = \"a\"; addresses = \"10.0.0.1/8\"; },\n"
		     "{ name = \"b\"; port = \"a\"; vlan = 5;\n addresses = \"10.1.0.1/16\"; } "
		     ");" FILTER,
		{{3, "interfaces[1].addresses",
			"the subnet of 10.1.0.1/16 overlaps that of 10.0.0.1/8"}}},
	{"subnets overlap, the larger later",
		PORT
		"interfaces = ( { name = \"a\"; addresses = \"10.1.0.1/16\"; },\n"
		"{ name = \"b\"; port = \"a\"; vlan = 5;\n addresses = \"10.0.0.1/8\"; } );" FILTER,
		{{3, "interfaces[1].addresses", "overlaps that of 10.1.0.1/16 on interface a"}}},
	{"one interface may nest its own",
		PORT "interfaces = ( { name = \"a\"; addresses = "
		     "[ \"10.0.0.1/8\", \"10.1.0.1/16\", \"10.0.0.2/8\" ]; } );" FILTER,
		{{0}}},
	{"many addresses", NULL,
		{{2, "interfaces[0].addresses", "found 65 elements, expected at most 64"}}},
	/* routes */
	{"host bits",
		PORT IFACE FILTER "routes = (\n{ type = \"blackhole\";\n to = \"10.0.0.1/8\"; } );",
		{{3, "routes[0].to", "expected 10.0.0.0/8"}}},
	{"no prefix",
		PORT IFACE FILTER "routes = (\n{ type = \"blackhole\"; to = \"default\"; } );",
		{{2, "routes[0].to", "found \"default\", expected a prefix"}}},
	{"multicast",
		PORT IFACE FILTER "routes = (\n{ type = \"blackhole\"; to = \"224.0.0.0/4\"; } );",
		{{2, "routes[0].to", "multicast"}}},
	{"to missing", PORT IFACE FILTER "routes = (\n{ type = \"blackhole\"; } );",
		{{2, "routes[0].to", "missing"}}},
	{"nowhere", PORT IFACE FILTER "routes = (\n{ to = \"10.0.0.0/8\"; } );",
		{{2, "routes[0].via", "missing, expected via, interface"}}},
	{"next hops",
		PORT IFACE FILTER "routes = ( { to = \"10.0.0.0/8\"; via = (\n\"192.0.2.9\",\n"
				  "\"198.51.100.1\",\n\"192.0.2.1\",\n\"192.0.2.255\" ); } );",
		{{3, "routes[0].via[1]", "198.51.100.1 is on no subnet"},
			{4, "routes[0].via[2]", "192.0.2.1 is an address of this box itself"},
			{5, "routes[0].via[3]", "first or last address"}}},
	{"next hop that is none",
		PORT IFACE FILTER "routes = (\n{ to = \"10.0.0.0/8\"; via = \"gw\"; } );",
		{{2, "routes[0].via", "found \"gw\", expected the address of a next hop"}}},
	{"next hop twice",
		PORT IFACE FILTER "routes = ( { to = \"10.0.0.0/8\"; via = [ \"192.0.2.9\",\n"
				  "\"192.0.2.9\" ]; } );",
		{{2, "routes[0].via[1]", "192.0.2.9 is named twice"}}},
	{"no next hop", PORT IFACE FILTER "routes = (\n{ to = \"10.0.0.0/8\"; via = [ ]; } );",
		{{2, "routes[0].via", "found none"}}},
	{"no such interface",
		PORT IFACE FILTER "routes = (\n{ to = \"10.0.0.0/8\";\n interface = \"z\"; } );",
		{{3, "routes[0].interface", "found \"z\", but no interface has that name"}}},
	{"next hop and type",
		PORT IFACE FILTER "routes = (\n{ to = \"10.0.0.0/8\"; type = \"prohibit\";\n"
				  " via = \"192.0.2.9\"; } );",
		{{3, "routes[0].via", "found besides type = \"prohibit\""}}},
	{"route twice",
		PORT IFACE FILTER "routes = ( { to = \"10.0.0.0/8\"; via = \"192.0.2.9\"; },\n"
				  "{ via = \"192.0.2.8\";\n to = \"10.0.0.0/8\"; } );",
		{{3, "routes[1].to", "10.0.0.0/8 is the prefix of routes[0] as well"}}},
	{"route to a connected subnet",
		PORT IFACE FILTER "routes = (\n{ to = \"192.0.2.0/24\";\n"
				  " via = \"192.0.2.9\"; } );",
		{{2, "routes[0].to", "is the subnet of interface a"}}},
	{"off the subnets, but with an interface",
		PORT IFACE FILTER
		"routes = ( { to = \"10.0.0.0/8\"; via = \"198.51.100.1\"; interface = \"a\"; } );",
		{{0}}},
	/* neighbours */
	{"neighbour",
		PORT IFACE FILTER
		"neighbours = (\n{ interface = \"b\";\n address = \"192.0.2.0/24\";\n"
		" mac = \"ff:ff:ff:ff:ff:ff\"; },\n{ } );",
		{{2, "neighbours[0].interface", "found \"b\", but no interface has that name"},
			{3, "neighbours[0].address", "expected the address of a neighbour"},
			{4, "neighbours[0].mac", "expected a unicast MAC address"},
			{5, "neighbours[1].interface", "missing"},
			{5, "neighbours[1].address", "missing"},
			{5, "neighbours[1].mac", "missing"}}},
	{"neighbour that we are",
		PORT IFACE FILTER "neighbours = (\n{ interface = \"a\";\n"
				  " address = \"192.0.2.1\"; mac = \"02:00:00:00:00:01\"; } );",
		{{3, "neighbours[0].address", "192.0.2.1 is an address of this box itself"}}},
	{"neighbour twice",
		PORT IFACE FILTER
		"neighbours = (\n"
		"{ interface = \"a\"; address = \"192.0.2.9\"; mac = \"02:00:00:00:00:01\"; },\n"
		"{ interface = \"a\"; address = \"192.0.2.9\"; mac = \"02:00:00:00:00:02\"; } );",
		{{3, "neighbours[1].address", "is neighbours[0] as well"}}},
	/* rules */
	{"rule without action", PORT IFACE "filter = { rules = (\n{ src = \"9.0.0.0/8\"; } ); };",
		{{2, "filter.rules[0].action", "missing, expected"}}},
	{"fields of a rule",
		PORT IFACE "filter = { rules = ( { action = \"permit\";\nsrc = \"9.0.0/8\";\n"
			   "dst-mask = \"255.0.255.0\";\nproto = \"tpc\";\nsport = \"= "
			   "80\";\ntunnel = \"vpn\"; } ); };",
		{{2, "filter.rules[0].src", "found \"9.0.0/8\", expected any, an address"},
			{3, "filter.rules[0].dst-mask", "mask without holes"},
			{3, "filter.rules[0].dst-mask", "found without dst"},
			{4, "filter.rules[0].proto", "found \"tpc\", expected all, tcp"},
			{5, "filter.rules[0].sport", "found \"= 80\", expected any, or eq"},
			{6, "filter.rules[0].tunnel",
				"found \"vpn\", expected any, none, or the name or number of a "
				"tunnel"}}},
	{"length and mask",
		PORT IFACE "filter = { rules = ( { action = \"permit\"; src = \"9.0.0.0/8\";\n"
			   "src-mask = \"255.0.0.0\"; } ); };",
		{{2, "filter.rules[0].src-mask", "found besides a src with its own length"}}},
	{"ports without ports",
		PORT IFACE "filter = { rules = ( { action = \"permit\"; proto = \"esp\";\n"
			   "sport = \"eq 1\";\n dport = 2; } ); };",
		{{2, "filter.rules[0].sport", "have ports"},
			{3, "filter.rules[0].dport", "have ports"}}},
	{"icmp without icmp",
		PORT IFACE "filter = { rules = ( { action = \"permit\"; proto = \"udp\";\n"
			   "icmp-type = 8;\n icmp-code = \"any\"; } ); };",
		{{2, "filter.rules[0].icmp-type", "without proto = \"icmp\""},
			{3, "filter.rules[0].icmp-code", "without proto = \"icmp\""}}},
	{"ports with icmp",
		PORT IFACE "filter = { rules = ( { action = \"permit\"; proto = \"icmp\";\n"
			   "sport = 8;\n icmp-code = 256; } ); };",
		{{3, "filter.rules[0].icmp-code", "found the integer 256, expected any, or"}}},
	{"addresses of two families",
		PORT IFACE
		"filter = { rules = (\n{ action = \"permit\"; src = \"9.0.0.0/8\"; dst = "
		"\"2001:db8::/32\"; },\n"
		"{ action = \"permit\"; src = \"9.0.0.0\"; src-mask = \"ffff::\"; },\n"
		"{ action = \"permit\"; src = \"2001:db8::\"; src-mask = "
		"\"ffff:0:ffff::\"; },\n"
		"{ action = \"permit\"; src = \"2001:db8::/129\"; } ); };",
		{{2, "filter.rules[0].dst", "of two families"},
			{3, "filter.rules[1].src-mask",
				"a mask of one family besides a src of the other"},
			{4, "filter.rules[2].src-mask", "mask without holes"},
			{5, "filter.rules[3].src", "found \"2001:db8::/129\", expected any"}}},
	{"icmp of the other family",
		PORT IFACE
		"filter = { rules = (\n{ action = \"permit\"; src = \"::/0\"; proto = "
		"\"icmp\"; },\n"
		"{ action = \"permit\"; dst = \"0.0.0.0/0\"; proto = 58; icmp-type = 1; } ); };",
		{{2, "filter.rules[0].proto", "expected icmpv6 with IPv6 addresses"},
			{3, "filter.rules[1].proto", "expected icmp with IPv4 addresses"}}},
	{"ports with icmpv6",
		PORT IFACE "filter = { rules = ( { action = \"permit\"; proto = \"icmpv6\";\n"
			   "sport = 8;\n dport = 256; } ); };",
		{{2, "filter.rules[0].sport", "expected icmp-type"},
			{3, "filter.rules[0].dport", "expected icmp-code"}}},
	{"tunnels",
		PORT IFACE "filter = { rules = (\n{ action = \"permit\"; tunnel = 0; },\n"
			   "{ action = \"permit\";\ntunnel = 4; } ); };",
		{{4, "filter.rules[1].tunnel", "no tunnel 4 is configured"}}},
	{"files in memory", PORT IFACE "filter = {\n files = [ \"x\",\n \"y\" ]; };",
		{{2, "filter.files[0]", "no rule file can be named"},
			{3, "filter.files[1]", "no rule file can be named"}}},
	/* the rest */
	{"workers and lcores",
		PORT IFACE FILTER "system = { lcores = [ 1, 1, 2 ];\n workers = 2; };",
		{{2, "system.workers", "found 2 workers, expected 3"}}},
	{"lcores", PORT IFACE FILTER "system = { lcores = (\n1,\n1024,\n\"2\" ); };",
		{{3, "system.lcores[1]",
			 "found the integer 1024, expected a CPU number, 0 to 1023"},
			{4, "system.lcores[2]", "found \"2\""}}},
	{"log without file", PORT IFACE FILTER "log = {\n to = \"file\"; };",
		{{1, "log.file", "missing"}}},
	{"drops", PORT IFACE FILTER "log = { drops = [\n\"ttl\",\n\"ttl\",\n\"A b\" ]; };",
		{{3, "log.drops[1]", "ttl is named twice"},
			{4, "log.drops[2]", "found \"A b\", expected"}}},
	{"long socket", NULL, {{2, "control.socket", "expected at most 107"}}},
	{"group", PORT IFACE FILTER "control = {\n group = \"a:b\"; };",
		{{2, "control.group", "found \"a:b\", expected the name of a group"}}},
	{"control characters", PORT IFACE FILTER "log = {\n file = \"a\\x07b\"; };",
		{{2, "log.file", "control character 0x07"}}},
	/* all at once, in the order of lines */
	{"all at once",
		"log = { rate = 0; };\nports = ( { name = \"a b\"; device = \"eth0\"; } );\n"
		"interfaces = ( { name = \"a\"; zone = \"dmz\"; } );\nfoo = 1;\n"
		"ip4 = { ttl = 0; };\n" FILTER,
		{{1, "log.rate", "1 to 1000000"},
			{2, "ports[0].name", "expected a name of 1 to 31"},
			{2, "ports[0].device", "expected a PCI address"},
			{3, "interfaces[0].zone", "one of \"nonsecure\", \"secure\""},
			{3, "interfaces[0].port", "no port is named \"a\""},
			{4, "foo", "unknown setting"}}},
};

static void each_case(void **state)
{
	char many[4096], *at = many;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errs errs = {0};
		struct want want[WANT_MAX] = {{0}};
		const char *text = cases[i].text;
		struct conf *conf;

		if (strcmp(cases[i].what, "many addresses") == 0) {
			at = many +
			     sprintf(many, PORT "interfaces = ( { name = \"a\";\n addresses = [");
			for (int k = 1; k <= 65; k++)
				at += sprintf(at, "%s\"192.0.2.%d/24\"", k > 1 ? "," : "", k);
			sprintf(at, "]; } );" FILTER);
			text = many;
		} else if (strcmp(cases[i].what, "long socket") == 0) {
			sprintf(many, PORT IFACE FILTER "control = {\n socket = \"/%0107d\"; };",
				0);
			text = many;
		}
		memcpy(want, cases[i].want, sizeof(cases[i].want));
		if (strcmp(cases[i].what, "all at once") == 0)
			want[6] = (struct want){5, "ip4.ttl", "1 to 255"};
		print_message("%s\n", cases[i].what);
		conf = conf_parse(text, "f", NULL, &errs);
		expect(&errs, false, want);
		assert_int_equal(conf != NULL, want[0].text == NULL);
		for (size_t k = 0; k < errs.n; k++)
			assert_string_equal(errs.e[k].file, "f");
		conf_free(conf);
		errs_fini(&errs);
	}
}

static const struct {
	const char *device, *stored; /* NULL: refused */
} devices[] = {
	{"0000:03:00.0", "0000:03:00.0"},
	{"03:00.0", "0000:03:00.0"},
	{"0000:AF:1f.7", "0000:af:1f.7"},
	{"10000:01:00.0", "10000:01:00.0"},
	{"03:00.0,rx=1", "0000:03:00.0,rx=1"},
	{"net_null0", "net_null0"},
	{"net_af_packet0,iface=veth-a", "net_af_packet0,iface=veth-a"},
	{"eth_tap3", "eth_tap3"},
	{"net_pcap0,rx_pcap=/tmp/x.pcap,infinite_rx=1",
		"net_pcap0,rx_pcap=/tmp/x.pcap,infinite_rx=1"},
	{"03:00", NULL},
	{"03:20.0", NULL},
	{"03:00.8", NULL},
	{"03:00.0x", NULL},
	{"3:00.0", NULL},
	{"000:03:00.0", NULL},
	{"eth0", NULL},
	{"net_", NULL},
	{"net_Null0", NULL},
	{"net_tap0;iface", NULL},
	{"net_tap0,iface=a b", NULL},
	{"net_tap0,iface='a'", NULL},
	{"crypto_null0", NULL},
	{"--vdev=net_null0", NULL},
	{"", NULL},
	{"net_tap0,\\n", NULL},
	{"net_tap0,\\x7f", NULL},
};

static void device_strings(void **state)
{
	for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		struct errs errs = {0};
		char text[512];
		struct conf *conf;

		snprintf(text, sizeof(text),
			"ports = ( { name = \"a\";\ndevice = \"%s\"; } );" IFACE FILTER,
			devices[i].device);
		conf = conf_parse(text, "f", NULL, &errs);
		print_message("%s\n", devices[i].device);
		if (devices[i].stored) {
			assert_non_null(conf);
			assert_string_equal(conf->ports[0].device, devices[i].stored);
		} else {
			assert_null(conf);
			assert_int_equal(errs.n_errors, 1);
			assert_int_equal(errs.e[0].line, 2);
			assert_string_equal(errs.e[0].setting, "ports[0].device");
		}
		conf_free(conf);
		errs_fini(&errs);
	}
}

static void warnings(void **state)
{
	static const struct {
		const char *text;
		struct want want[4];
	} w[] = {
		{PORT IFACE, {{0, "filter", "every packet is denied"}}},
		{PORT IFACE "\nfilter = { };", {{2, "filter", "every packet is denied"}}},
		{"ports = ( { name = \"a\"; device = \"net_null0\"; },\n"
		 "{ name = \"b\"; device = \"net_null1\"; } );" IFACE FILTER,
			{{2, "ports[1]", "no interface uses port b"}}},
		{PORT IFACE
			"filter = { rules = ( { action = \"permit\"; direction = \"inbound\"; },\n"
			"{ action = \"permit\"; direction = \"outbound\"; },\n"
			"{ action = \"deny\"; src = \"9.0.0.0/8\"; }, { action = \"deny\"; } ); };",
			{{3, "filter.rules[2]",
				"can never match: earlier ones match everything that it "
				"could (and so for later"}}},
		/* by family: the second rule matches IPv6 yet, the fourth nothing any more */
		{PORT IFACE "filter = { rules = ( { action = \"permit\"; src = \"0.0.0.0/0\"; },\n"
			    "{ action = \"permit\"; proto = \"tcp\"; },\n"
			    "{ action = \"deny\"; src = \"::/0\"; },\n"
			    "{ action = \"deny\"; proto = \"udp\"; } ); };",
			{{4, "filter.rules[3]", "can never match"}}},
		{PORT IFACE "filter = { rules = ( { action = \"permit\"; },\n"
			    "{ action = \"deny\"; src = \"2001:db8::/32\"; } ); };",
			{{2, "filter.rules[1]", "can never match"}}},
		/* a family without rules */
		{PORT "interfaces = ( { name = \"a\"; addresses = [ \"9.0.0.1/8\", "
		      "\"2001:db8::1/64\" ]; "
		      "} );\nfilter = { rules = ( { action = \"permit\"; src = \"0.0.0.0/0\"; } ); "
		      "};",
			{{2, "filter", "IPv6 addresses and no rule permits IPv6"}}},
		{PORT "interfaces = ( { name = \"a\"; addresses = [ \"9.0.0.1/8\", "
		      "\"2001:db8::1/64\" ]; "
		      "} );\nfilter = { rules = ( { action = \"permit\"; proto = \"icmpv6\"; } ); "
		      "};",
			{{2, "filter", "IPv4 addresses and no rule permits IPv4"}}},
		/* outside tunnels everything is matched, within them not */
		{PORT IFACE "filter = { rules = ( { action = \"permit\"; tunnel = 0; },\n"
			    "{ action = \"deny\"; } ); };",
			{{0}}},
		{PORT IFACE "filter = { rules = ( { action = \"permit\";\n src = \"9.9.9.9/8\"; } "
			    "); };",
			{{1, "filter.rules[0].src", "bits beyond the mask"}}},
		{PORT IFACE "filter = { rules = (\n{ action = \"permit\"; proto = \"icmp\"; "
			    "icmp-type = \"lt 0\"; } ); };",
			{{2, "filter.rules[0].icmp-type", "nothing is lt 0"}}},
	};

	for (unsigned i = 0; i < sizeof(w) / sizeof(w[0]); i++) {
		struct errs errs = {0};
		struct conf *conf = conf_parse(w[i].text, "f", NULL, &errs);

		assert_non_null(conf);
		expect(&errs, true, w[i].want);
		conf_free(conf);
		errs_fini(&errs);
	}
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Files: relative to the configuration, not to where the daemon stands; errors name theirs. */
static void files(void **state)
{
	char dir[] = "/tmp/postern-test-XXXXXX", path[256], other[256];
	static const char *const names[] = {"a.conf", "a.rules", "b.rules", "c.conf"};
	struct errs errs = {0};
	struct conf *conf;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	write_file(dir, "a.conf",
		PORT IFACE "filter = {\nfiles = (\"a.rules\",\n\"none.rules\",\n"
			   "\"a.rules\",\n\"fifo\",\n\".\",\n\"b.rules\"); };");
	write_file(dir, "a.rules",
		"# a\npermit 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both "
		"both t=7\n");
	write_file(
		dir, "b.rules", "deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both\n");
	write_file(dir, "c.conf",
		PORT IFACE "filter = { rules = ({ action = \"permit\"; });\n"
			   "files = \"c.rules\"; };");
	write_file(dir, "c.rules",
		"deny 9.0.0.0 255.0.0.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both both\n");
	snprintf(path, sizeof(path), "%s/a.conf", dir);
	assert_null(conf_load(path, &errs));
	expect(&errs, false,
		(struct want[]){{3, "filter.files[1]", "none.rules can't be read: No such file"},
			{4, "filter.files[2]", "is named twice"},
			{5, "filter.files[3]", "it is not a regular file"},
			{6, "filter.files[4]", "it is not a regular file"},
			{1, "direction", "12 of 13 fields"}, {2, "t", "no tunnel 7 is configured"},
			{0, 0, 0}});
	assert_string_equal(errs.e[0].file, path);
	snprintf(other, sizeof(other), "%s/b.rules", dir);
	assert_string_equal(errs.e[4].file, other);
	snprintf(other, sizeof(other), "%s/a.rules", dir);
	assert_string_equal(errs.e[5].file, other);
	errs_fini(&errs);

	/* rule files come first, whatever stands first in the text */
	snprintf(path, sizeof(path), "%s/c.conf", dir);
	conf = conf_load(path, &errs);
	assert_non_null(conf);
	assert_int_equal(conf->n_rules, 2);
	snprintf(other, sizeof(other), "%s/c.rules", dir);
	assert_string_equal(conf->rules[0].file, other);
	assert_int_equal(conf->rules[0].line, 1);
	assert_string_equal(conf->rules[1].file, path);
	assert_int_equal(conf->rules[1].line, 1);
	conf_free(conf);

	snprintf(path, sizeof(path), "%s/none.conf", dir);
	assert_null(conf_load(path, &errs));
	assert_string_equal(errs.e[errs.n - 1].file, path);
	assert_non_null(strstr(errs.e[errs.n - 1].text, "No such file"));
	errs_fini(&errs);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/c.rules", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

/* Errors that were there before do not refuse a configuration. */
static void earlier_errors(void **state)
{
	struct errs errs = {0};
	struct conf *conf;

	errs_add(&errs, "other", 1, "x", "bad");
	conf = conf_parse(PORT IFACE FILTER, "f", NULL, &errs);
	assert_non_null(conf);
	assert_int_equal(errs.n, 1);
	conf_free(conf);
	errs_fini(&errs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case),
		cmocka_unit_test(device_strings),
		cmocka_unit_test(warnings),
		cmocka_unit_test(files),
		cmocka_unit_test(earlier_errors),
	};

	return cmocka_run_group_tests_name("conf/errors", tests, NULL, NULL);
}
