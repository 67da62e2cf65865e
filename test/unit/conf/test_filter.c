/* filter.rules: each field of a rule in the configuration means what it means on a classic line. */
#include "conf/conf.h"

#include "expect.h"

#include <stdlib.h>

/* The left: a rule's settings. The right: the same as a classic line. */
static const struct {
	const char *native, *classic;
} same[] = {
	{"action = \"permit\";", "permit any any any any all any 0 any 0 both both both"},
	{"action = \"deny\"; src = \"any\"; dst = \"any\"; proto = \"all\"; sport = \"any\"; dport "
	 "= \"any\"; "
	 "interface = \"both\"; scope = \"both\"; direction = \"both\"; log = false; fragments = "
	 "\"yes\"; "
	 "tunnel = \"any\";",
		"deny any any any any all any 0 any 0 both both both l=no f=yes"},
	{"action = \"permit\"; src = \"9.0.0.0/8\"; dst = \"192.168.1.2\"; proto = \"tcp/ack\"; "
	 "sport = \"eq 80\"; dport = \"ge 1024\"; interface = \"secure\"; scope = \"route\"; "
	 "direction = \"inbound\"; log = true; fragments = \"headers\"; tunnel = 0;",
		"permit 9.0.0.0 255.0.0.0 192.168.1.2 255.255.255.255 tcp/ack eq 80 ge 1024 secure "
		"route "
		"inbound l=yes f=headers t=0"},
	{"action = \"permit\"; src = \"9.0.0.0\"; src-mask = \"255.0.0.0\"; dst-mask = "
	 "\"255.255.0.0\"; "
	 "dst = \"192.168.0.0\";",
		"permit 9.0.0.0 255.0.0.0 192.168.0.0 255.255.0.0 all any 0 any 0 both both both"},
	{"action = \"permit\"; src-mask = \"255.0.0.0\"; src = \"9.0.0.0\";",
		"permit 9.0.0.0 255.0.0.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both both"},
	{"action = \"deny\"; proto = \"udp\"; sport = 53; dport = \"neq 7\"; interface = "
	 "\"nonsecure\"; "
	 "scope = \"local\"; direction = \"outbound\"; fragments = \"no\";",
		"deny any any any any udp eq 53 neq 7 nonsecure local outbound "
		"f=no"},
	{"action = \"deny\"; proto = \"icmp\"; icmp-type = 8; icmp-code = \"le 3\"; fragments = "
	 "\"only\";",
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 icmp eq 8 le 3 both both both f=only"},
	{"action = \"deny\"; proto = 47;", "deny any any any any 47 any 0 any 0 both both both"},
	{"action = \"deny\"; proto = 6; dport = \"lt 1024\";",
		"deny any any any any tcp any 0 lt 1024 both both both"},
	{"action = \"deny\"; proto = \"132\"; dport = \"gt 1\"; sport = \"LE 2\";",
		"deny any any any any 132 le 2 gt 1 both both both"},
	{"action = \"deny\"; proto = \"ospf\";",
		"deny any any any any 89 any 0 any 0 both both both"},
	{"action = \"deny\"; src = \"0.0.0.0/0\"; proto = \"esp\";",
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 esp any 0 any 0 both both both"},
	/* IPv6 */
	{"action = \"permit\"; src = \"2001:db8::/32\"; dst = \"2001:db8:1::5\"; proto = \"tcp\"; "
	 "dport = 443;",
		"permit 2001:db8:: 32 2001:db8:1::5 128 tcp any 0 eq 443 both both both"},
	{"action = \"permit\"; src = \"2001:db8::\"; src-mask = \"ffff:ffff::\"; dst = \"any\";",
		"permit 2001:db8:: ffff:ffff:: :: :: all any 0 any 0 both both both"},
	{"action = \"permit\"; dst-mask = \"ffff:ffff:ffff:8000::\"; dst = \"2001:db8::\";",
		"permit any any 2001:db8:: 49 all any 0 any 0 both both both"},
	{"action = \"deny\"; dst = \"::/0\";", "deny :: 0 :: 0 all any 0 any 0 both both both"},
	{"action = \"deny\"; dst = \"192.0.2.1\";",
		"deny any any 192.0.2.1 255.255.255.255 all any 0 any 0 both both both"},
	{"action = \"permit\"; proto = \"icmpv6\"; icmp-type = 128; icmp-code = \"eq 0\";",
		"permit :: 0 :: 0 icmpv6 eq 128 eq 0 both both both"},
	{"action = \"permit\"; proto = 58; src = \"fe80::/10\"; scope = \"local\";",
		"permit fe80:: 10 :: 0 58 any 0 any 0 both local both"},
	{"action = \"permit\"; proto = \"icmp\";",
		"permit any any any any icmp any 0 any 0 both both both"},
};

static void means_the_same(void **state)
{
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct errs errs = {0};
		struct rule *classic = NULL;
		uint32_t n = 0;
		char text[1024], a[RULE_STRLEN], b[RULE_STRLEN];
		struct conf *conf;

		snprintf(text, sizeof(text),
			"ports = ( { name = \"a\"; device = \"net_null0\"; } ); interfaces = ( { "
			"name = "
			"\"a\"; } ); filter = { rules = ( { %s } ); };",
			same[i].native);
		conf = conf_parse(text, "f", NULL, &errs);
		rulefile_parse(same[i].classic, strlen(same[i].classic), "c", &classic, &n, &errs);
		errs_print(&errs, stderr);
		assert_int_equal(errs.n, 0);
		assert_non_null(conf);
		assert_int_equal(conf->n_rules, 1);
		assert_int_equal(n, 1);
		assert_string_equal(rule_format(&conf->rules[0], a, sizeof(a)),
			rule_format(classic, b, sizeof(b)));
		assert_true(rule_same(&conf->rules[0], classic));
		conf_free(conf);
		free(classic);
		errs_fini(&errs);
	}
}

/* A rule without addresses is for both families, but for ICMP, which is of one. */
static void family_of_any(void **state)
{
	static const struct {
		const char *settings;
		unsigned families;
	} cases[] = {
		{"", RULE_FAMILY_BOTH},
		{"src = \"any\";", RULE_FAMILY_BOTH},
		{"src = \"any\"; dst = \"any\"; proto = \"tcp\"; dport = 22;", RULE_FAMILY_BOTH},
		{"proto = \"icmp\";", RULE_IP4},
		{"proto = 1;", RULE_IP4},
		{"proto = \"icmpv6\"; src = \"any\";", RULE_IP6},
		{"src = \"0.0.0.0/0\";", RULE_IP4},
		{"dst = \"0.0.0.0/0\"; src = \"any\";", RULE_IP4},
		{"src = \"::/0\";", RULE_IP6},
		{"dst = \"2001:db8::1\";", RULE_IP6},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errs errs = {0};
		char text[512];
		struct conf *conf;

		snprintf(text, sizeof(text),
			"ports = ( { name = \"a\"; device = \"net_null0\"; } ); interfaces = ( { "
			"name = "
			"\"a\"; } ); filter = { rules = ( { action = \"permit\"; %s } ); };",
			cases[i].settings);
		conf = conf_parse(text, "f", NULL, &errs);
		assert_non_null(conf);
		assert_int_equal(rule_families(&conf->rules[0]), cases[i].families);
		assert_int_equal(conf->rules[0].any_addr, cases[i].families == RULE_FAMILY_BOTH);
		conf_free(conf);
		errs_fini(&errs);
	}
}

/* A list of rules keeps its order. */
static void order(void **state)
{
	struct errs errs = {0};
	char *text = malloc(200000), *at = text;
	struct conf *conf;

	assert_non_null(text);
	at += sprintf(at,
		"ports = ( { name = \"a\"; device = \"net_null0\"; } ); interfaces = ( { name = "
		"\"a\"; } ); filter = { rules = (\n");
	for (int i = 0; i < 2000; i++)
		at += sprintf(at, "{ action = \"deny\"; proto = \"tcp\"; dport = %d; }%s\n", i,
			i < 1999 ? "," : "");
	sprintf(at, "); };");
	conf = conf_parse(text, "f", NULL, &errs);
	assert_non_null(conf);
	assert_int_equal(conf->n_rules, 2000);
	for (unsigned i = 0; i < 2000; i++) {
		assert_int_equal(conf->rules[i].dport.value, i);
		assert_int_equal(conf->rules[i].line, i + 2);
	}
	conf_free(conf);
	errs_fini(&errs);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(means_the_same),
		cmocka_unit_test(family_of_any),
		cmocka_unit_test(order),
	};

	return cmocka_run_group_tests_name("conf/filter", tests, NULL, NULL);
}
