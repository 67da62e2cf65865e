/* router-advertisements of an interface (RFC 4861 section 6.2.1, RFC 8106 section 5): values,
 * defaults that follow from others, and what is refused.
 */
#include "conf/conf.h"

#include "expect.h"

#define HEAD                                                   \
	"ports = ({ name = \"a\"; device = \"net_null0\"; });" \
	"filter = { rules = ({ action = \"permit\"; }); };"
#define IFACE(addrs, ra)                                          \
	HEAD "interfaces = ({ name = \"a\"; addresses = [ " addrs \
	     " ];\nrouter-advertisements = {\n" ra "\n}; });"
#define ONE "\"2001:db8::1/64\""

static struct conf *good(const char *text)
{
	struct errs errs = {0};
	struct conf *conf = conf_parse(text, "f", NULL, &errs);

	errs_print(&errs, stderr);
	assert_non_null(conf);
	assert_int_equal(errs.n, 0);
	assert_non_null(conf->ifaces[0].ra);
	errs_fini(&errs);
	return conf;
}

static void assert_prefix(const struct ra_prefix *p, const char *want, bool on_link,
	bool autonomous, uint32_t valid_s, uint32_t preferred_s)
{
	char buf[PREFIX_STRLEN];

	assert_string_equal(prefix_format(&p->prefix, buf), want);
	assert_int_equal(p->on_link, on_link);
	assert_int_equal(p->autonomous, autonomous);
	assert_int_equal(p->valid_s, valid_s);
	assert_int_equal(p->preferred_s, preferred_s);
}

static void values(void **state)
{
	struct conf *conf = good(IFACE(ONE,
		"send = false; interval-s = 100; lifetime-s = 0; managed = true; other-config = "
		"true; hop-limit = 3; mtu = 1400; reachable-ms = 5; retrans-ms = 4294967295; dns = "
		"[ \"2001:db8::53\", \"fe80::53\" ]; domains = [ \"Example.com\", \"a_b.c-d.\" ]; "
		"dns-lifetime-s = 9; prefixes = ( { prefix = \"2001:db8:1::/64\"; on-link = false; "
		"valid-s = 4294967295; preferred-s = 0; }, { prefix = \"2001:db8:2::/48\"; "
		"autonomous = false; } );"));
	const struct ra *ra = conf->ifaces[0].ra;
	char buf[ADDR_STRLEN];

	assert_false(ra->send);
	assert_int_equal(ra->interval_s, 100);
	assert_int_equal(ra->lifetime_s, 0); /* as said, not the default */
	assert_true(ra->managed);
	assert_true(ra->other_config);
	assert_int_equal(ra->hop_limit, 3);
	assert_int_equal(ra->mtu, 1400);
	assert_int_equal(ra->reachable_ms, 5);
	assert_int_equal(ra->retrans_ms, UINT32_MAX);
	assert_int_equal(ra->dns_lifetime_s, 9);
	assert_int_equal(ra->n_dns, 2);
	assert_string_equal(addr_format(&ra->dns[0], buf), "2001:db8::53");
	assert_string_equal(addr_format(&ra->dns[1], buf), "fe80::53");
	assert_int_equal(ra->domains_len, 22);
	assert_memory_equal(ra->domains, "\7Example\3com\0\3a_b\3c-d", 22);
	assert_int_equal(ra->n_prefixes, 2);
	assert_prefix(&ra->prefix[0], "2001:db8:1::/64", false, true, RA_FOREVER, 0);
	assert_prefix(&ra->prefix[1], "2001:db8:2::/48", true, false, 86400, 14400);
	conf_free(conf);
}

static void defaults(void **state)
{
	struct conf *conf = good(IFACE("\"192.0.2.1/24\", \"fe80::1/64\", \"2001:db8::1/64\", "
				       "\"2001:db8:1::1/48\", \"2001:db8::2/64\", "
				       "\"2001:db8:2::1/128\"",
		""));
	const struct ra *ra = conf->ifaces[0].ra;

	assert_true(ra->send);
	assert_int_equal(ra->interval_s, 600);
	assert_int_equal(ra->lifetime_s, 1800); /* RFC 4861: 3 * MaxRtrAdvInterval */
	assert_int_equal(ra->dns_lifetime_s, 1800);
	assert_false(ra->managed);
	assert_false(ra->other_config);
	assert_int_equal(ra->hop_limit, 64);
	assert_int_equal(ra->mtu, 0);
	assert_int_equal(ra->n_dns, 0);
	assert_int_equal(ra->domains_len, 0);
	/* each subnet once: no IPv4, no link-local, no single host */
	assert_int_equal(ra->n_prefixes, 2);
	assert_prefix(&ra->prefix[0], "2001:db8::/64", true, true, 86400, 14400);
	assert_prefix(&ra->prefix[1], "2001:db8:1::/48", true, false, 86400, 14400);
	conf_free(conf);
	conf = good(IFACE(ONE, "prefixes = ( ); interval-s = 1800;"));
	assert_int_equal(conf->ifaces[0].ra->n_prefixes, 0);
	assert_int_equal(conf->ifaces[0].ra->lifetime_s, 5400);
	conf_free(conf);
	conf = good(IFACE("\"192.0.2.1/24\"", "send = false;"));
	assert_false(conf->ifaces[0].ra->send);
	conf_free(conf);
}

#define RA "interfaces[0].router-advertisements"
#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const struct {
	const char *what, *text;
	struct want want[4];
} cases[] = {
	{"no group", HEAD "interfaces = ({ name = \"a\";\nrouter-advertisements = 1; });",
		{{2, RA, "found the integer 1, expected a group"}}},
	{"unknown", IFACE(ONE, "intervals = 3;"),
		{{3, RA ".intervals", "unknown setting, expected one of: send, interval-s"}}},
	{"no IPv6", IFACE("\"192.0.2.1/24\"", ""), {{2, RA, "interface a has no IPv6 address"}}},
	{"no list", IFACE(ONE, "prefixes = { };"), {{3, RA ".prefixes", "a list of groups"}}},
	{"no group in it", IFACE(ONE, "prefixes = ( 3 );"),
		{{3, RA ".prefixes[0]", "found the integer 3"}}},
	{"unknown in it", IFACE(ONE, "prefixes = (\n{ prefix = \"2001:db8::/64\"; on = true; } );"),
		{{4, RA ".prefixes[0].on", "unknown setting, expected one of: prefix, on-link"}}},
	{"no prefix in it", IFACE(ONE, "prefixes = ( { },\n{ } );"),
		{{3, RA ".prefixes[0].prefix", "missing, expected an IPv6 prefix"},
			{4, RA ".prefixes[1].prefix", "missing"}}},
	{"lifetime below the interval", IFACE(ONE, "lifetime-s = 599;"),
		{{3, RA ".lifetime-s", "found 599, expected 0, or at least the 600"}}},
	{"lifetime of the interval", IFACE(ONE, "lifetime-s = 600;"), {{0}}},
	{"lifetime too long", IFACE(ONE, "lifetime-s = 9001;"),
		{{3, RA ".lifetime-s", "expected an integer, 0 to 9000"}}},
	{"a MTU that the link hasn't", IFACE(ONE, "mtu = 1501;"),
		{{3, RA ".mtu", "found 1501, expected at most the interface's 1500"}}},
	{"IPv4", IFACE(ONE, "prefixes = ( { prefix = \"192.0.2.0/24\"; } );"),
		{{3, RA ".prefixes[0].prefix", "expected an IPv6 prefix"}}},
	{"host bits", IFACE(ONE, "prefixes = ( { prefix = \"2001:db8::1/64\"; } );"),
		{{3, RA ".prefixes[0].prefix", "expected 2001:db8::/64"}}},
	{"link-local", IFACE(ONE, "prefixes = ( { prefix = \"fe80::/64\"; } );"),
		{{3, RA ".prefixes[0].prefix", "no addresses to give out"}}},
	{"multicast", IFACE(ONE, "prefixes = ( { prefix = \"ff02::/64\"; } );"),
		{{3, RA ".prefixes[0].prefix", "no addresses to give out"}}},
	{"autonomous of another length (RFC 4862 section 5.5.3)",
		IFACE(ONE, "prefixes = ( { prefix = \"2001:db8::/48\"; } );"),
		{{3, RA ".prefixes[0].prefix", "expected the length 64, or autonomous = false"}}},
	{"preferred longer than valid (RFC 4861 section 4.6.2)",
		IFACE(ONE, "prefixes = ( { prefix = \"2001:db8::/64\"; valid-s = 14399;\n} );"),
		{{3, RA ".prefixes[0].preferred-s", "it is 14400, expected at most the 14399"}}},
	{"a prefix twice",
		IFACE(ONE, "prefixes = ( { prefix = \"2001:db8::/64\"; },\n{ prefix = "
			   "\"2001:DB8::/64\"; } );"),
		{{4, RA ".prefixes[1].prefix", "is prefixes[0] as well"}}},
	{"too many", IFACE(ONE, "prefixes = ({},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{});"),
		{{3, RA ".prefixes", "found 17 entries, expected at most 16"}}},
	{"a server of IPv4", IFACE(ONE, "dns = [ \"2001:db8::53\",\n\"192.0.2.53\" ];"),
		{{4, RA ".dns[1]", "expected the IPv6 address of a name server"}}},
	{"a server everywhere", IFACE(ONE, "dns = \"ff02::53\";"), {{3, RA ".dns", "found"}}},
	{"no domain", IFACE(ONE, "domains = [ \"a..b\",\n\".\",\n\"a b\" ];"),
		{{3, RA ".domains[0]", "found \"a..b\""}, {4, RA ".domains[1]", "found \".\""},
			{5, RA ".domains[2]", "found \"a b\""}}},
	{"a label too long (RFC 1035 section 2.3.4)", IFACE(ONE, "domains = \"" L63 "l\";"),
		{{3, RA ".domains", "found"}}},
	{"a name too long", IFACE(ONE, "domains = \"" L63 "." L63 "." L63 "." L63 "\";"),
		{{3, RA ".domains", "found"}}},
	{"names too long together",
		IFACE(ONE, "domains = [ \"" L63 "." L63 "." L63 "\",\n\"" L63 "\" ];"),
		{{4, RA ".domains[1]", "found"}}},
};

static void each_case(void **state)
{
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errs errs = {0};
		struct conf *conf = conf_parse(cases[i].text, "f", NULL, &errs);

		print_message("%s\n", cases[i].what);
		assert_int_equal(conf == NULL, cases[i].want[0].text != NULL);
		if (strstr(cases[i].what, "too many") == NULL)
			expect(&errs, false, cases[i].want);
		else
			assert_string_equal(errs.e[0].setting, cases[i].want[0].setting);
		conf_free(conf);
		errs_fini(&errs);
	}
}

/* Seventeen subnets and no list of prefixes: which ones to advertise? */
static void too_many_of_our_own(void **state)
{
	char text[2048] = HEAD "interfaces = ({ name = \"a\";\nrouter-advertisements = { };\n"
			       "addresses = [ \"2001:db8::1/64\"";
	struct errs errs = {0};
	struct conf *conf;

	for (unsigned i = 1; i < 16; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			", \"2001:db8:0:%x::1/64\"", i);
	strcat(text, ", \"2001:db8::2/64\" ]; });"); /* of the first subnet */
	conf = conf_parse(text, "f", NULL, &errs);
	assert_non_null(conf);
	assert_int_equal(conf->ifaces[0].ra->n_prefixes, 16);
	conf_free(conf);
	strcpy(strstr(text, " ]; });"), ", \"2001:db8:1::1/64\" ]; });");
	assert_null(conf_parse(text, "f", NULL, &errs));
	expect(&errs, false, (struct want[]){{2, RA, "has more than 16 IPv6 subnets"}, {0, 0, 0}});
	errs_fini(&errs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(defaults),
		cmocka_unit_test(each_case),
		cmocka_unit_test(too_many_of_our_own),
	};

	return cmocka_run_group_tests_name("conf/ra", tests, NULL, NULL);
}
