/* filter.rules: each field of a rule in the configuration means what it means on a classic line. */
#include "conf/conf.h"

#include "expect.h"

#include <stdlib.h>

/* The left: a rule's settings. The right: the same as a classic line. */
static const struct {
	const char *native, *classic;
} same[] = {
	{"action = \"permit\";",
		"permit 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both both"},
	{"action = \"deny\"; src = \"any\"; dst = \"any\"; proto = \"all\"; sport = \"any\"; dport "
	 "= \"any\"; "
	 "interface = \"both\"; scope = \"both\"; direction = \"both\"; log = false; fragments = "
	 "\"yes\"; "
	 "tunnel = \"any\";",
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both both l=no f=yes"},
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
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 udp eq 53 neq 7 nonsecure local outbound "
		"f=no"},
	{"action = \"deny\"; proto = \"icmp\"; icmp-type = 8; icmp-code = \"le 3\"; fragments = "
	 "\"only\";",
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 icmp eq 8 le 3 both both both f=only"},
	{"action = \"deny\"; proto = 47;",
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 47 any 0 any 0 both both both"},
	{"action = \"deny\"; proto = 6; dport = \"lt 1024\";",
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 tcp any 0 lt 1024 both both both"},
	{"action = \"deny\"; proto = \"132\"; dport = \"gt 1\"; sport = \"LE 2\";",
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 132 le 2 gt 1 both both both"},
	{"action = \"deny\"; proto = \"ospf\";",
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 89 any 0 any 0 both both both"},
	{"action = \"deny\"; src = \"0.0.0.0/0\"; proto = \"esp\";",
		"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 esp any 0 any 0 both both both"},
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
		cmocka_unit_test(order),
	};

	return cmocka_run_group_tests_name("conf/filter", tests, NULL, NULL);
}
