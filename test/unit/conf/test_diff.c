/* conf_diff_restart: each setting that needs a restart is found and named, and no other. */
#include "conf/conf.h"
#include "conf/settings.h"

#include "expect.h"

#include <stdlib.h>

#define HEAD "ports = ( { name = \"a\"; device = \"net_null0\"; "
#define MID "} ); interfaces = ( { name = \"i\"; port = \"a\"; "
#define TAIL "} ); filter = { rules = ( { action = \"permit\"; } ); };"

/* Every setting with RESTART must have a line here, and one each that a reload applies. */
static const struct {
	const char *setting, *was, *is, *running, *next;
} cases[] = {
	{"system.control-lcore", "", "system = { control-lcore = 2; };", "-1", "2"},
	{"system.workers", "system = { workers = 1; };", "system = { workers = 2; };", "1", "2"},
	{"system.lcores", "", "system = { lcores = [ 2, 3 ]; };", "chosen", "2,3"},
	{"system.memory", "", "system = { memory = \"no-huge\"; };", "auto", "no-huge"},
	{"system.memory-mb", "", "system = { memory-mb = 64; };", "0", "64"},
	{"system.mbufs", "", "system = { mbufs = 2048; };", "0", "2048"},
	{"system.burst-packets", "", "system = { burst-packets = 8; };", "64", "8"},
	{"system.burst-bytes", "", "system = { burst-bytes = 4096; };", "32768", "4096"},
	{"system.idle", "", "system = { idle = \"sleep\"; };", "poll", "sleep"},
	{"system.idle-after-us", "", "system = { idle-after-us = 1; };", "1000", "1"},
	{"system.idle-sleep-us", "", "system = { idle-sleep-us = 1; };", "50", "1"},
	{"arp.entries-max", "", "arp = { entries-max = 16; };", "8192", "16"},
	{"nd.entries-max", "", "nd = { entries-max = 16; };", "8192", "16"},
	{"reassembly.datagrams", "", "reassembly = { datagrams = 16; };", "1024", "16"},
	{"ipsec.sas-max", "", "ipsec = { sas-max = 16; };", "4096", "16"},
	{"control.socket", "", "control = { socket = \"/x\"; };", "/run/postern/control.sock",
		"/x"},
	{"control.group", "", "control = { group = \"adm\"; };", "none", "adm"},
	{"control.clients-max", "", "control = { clients-max = 1; };", "32", "1"},
};

/* The same for a port's: they go between HEAD and MID. */
static const struct {
	const char *setting, *is, *running, *next;
} ports[] = {
	{"ports[0].mtu", "mtu = 9000;", "1500", "9000"},
	{"ports[0].mac", "mac = \"02:00:00:00:00:01\";", "the device's", "02:00:00:00:00:01"},
	{"ports[0].promiscuous", "promiscuous = true;", "false", "true"},
	{"ports[0].rx-queues", "rx-queues = 2;", "0", "2"},
	{"ports[0].tx-queues", "tx-queues = 2;", "0", "2"},
	{"ports[0].rx-descriptors", "rx-descriptors = 64;", "0", "64"},
	{"ports[0].tx-descriptors", "tx-descriptors = 64;", "0", "64"},
	{"ports[0].checksum-offload", "checksum-offload = \"on\";", "auto", "on"},
};

static const char *const reloaded[] = {
	HEAD MID "vlan = 3; zone = \"secure\"; enabled = false; urpf = \"loose\"; mtu = 1400; "
		 "directed-broadcast = true; addresses = \"192.0.2.1/24\"; " TAIL,
	HEAD MID TAIL "routes = ( { to = \"1.0.0.0/8\"; type = \"blackhole\"; } );"
		      "neighbours = ( { interface = \"i\"; address = \"1.1.1.1\"; mac = "
		      "\"02:00:00:00:00:01\"; } );",
	HEAD MID
	"} ); filter = { rules = ( { action = \"deny\"; } ); classic-tunnel-match = \"any\"; };",
	HEAD MID TAIL
	"ip4 = { ttl = 3; options = \"drop\"; icmp-error-rate = 1; icmp-echo-rate = 1; "
	"martians-drop = false; };",
	HEAD MID TAIL
	"arp = { reachable-s = 3; retry-ms = 10; retries = 1; stale-s = 1; punt-rate = 1; };",
	HEAD MID TAIL
	"nd = { reachable-s = 3; retry-ms = 10; retries = 1; stale-s = 1; punt-rate = 1; "
	"queue = 1; resolve-rate = 1; incomplete-max = 16; };",
	HEAD MID TAIL
	"ip6 = { hop-limit = 3; icmp-error-rate = 1; icmp-echo-rate = 1; martians-drop = false; "
	"extension-headers-max = 1; };",
	HEAD MID
	"addresses = \"192.0.2.1/24\"; }, { name = \"x\"; tunnel = true; " TAIL
	"ipsec = { allow-legacy = true; predecap-filter = false; generated-rules = false; "
	"unmatched = \"discard\"; nesting-max = 1; key-age-days = 0; tunnels = ( { name = \"t\"; "
	"number = 1; protocol = \"ah\"; local = \"192.0.2.1\"; remote = \"192.0.2.2\"; interface = "
	"\"x\"; dscp = 3; ecn = false; df = \"set\"; ttl = 3; flow-label = true; fragment = "
	"\"after\"; mss = \"off\"; mtu = 1400; sas = ( { name = \"s\"; direction = \"in\"; spi = "
	"256; "
	"suite = \"sha1\"; key = \"0123456789abcdef0123456789abcdef01234567\"; window = 0; owner = "
	"0; "
	"lifetime = { hard-s = 1; }; } ); } ); policies = ( { action = \"discard\"; } ); };",
	HEAD MID TAIL "reassembly = { per-source = 1; fragments = 2; timeout-s = 1; };",
	HEAD MID "outer-vlan = 4; vlan = 3; dad-transmits = 0; addresses = \"2001:db8::1/64\"; "
		 "router-advertisements = { interval-s = 4; managed = true; dns = "
		 "\"2001:db8::53\"; }; " TAIL
		 "routes = ( { to = \"::/0\"; via = \"2001:db8::2\"; } );"
		 "neighbours = ( { interface = \"i\"; address = \"2001:db8::2\"; mac = "
		 "\"02:00:00:00:00:01\"; } );",
	HEAD MID TAIL
	"log = { to = \"syslog\"; file = \"x\"; rate = 1; burst = 1; drops = [ \"x\" ]; };",
};

static struct conf *parse(const char *text)
{
	struct errs errs = {0};
	struct conf *conf = conf_parse(text, "f", NULL, &errs);

	if (conf == NULL) {
		errs_print(&errs, stderr);
		fail_msg("%s", text);
	}
	errs_fini(&errs);
	return conf;
}

static void differs(
	const char *a, const char *b, const char *setting, const char *running, const char *next)
{
	struct conf *was = parse(a), *is = parse(b);
	struct errs errs = {0};
	char text[256];

	assert_int_equal(conf_diff_restart(was, was, &errs), 0);
	assert_int_equal(conf_diff_restart(was, is, &errs), 1);
	assert_int_equal(errs.n, 1);
	assert_int_equal(errs.n_errors, 1);
	snprintf(text, sizeof(text), "running %s, new %s: this needs a restart", running, next);
	assert_string_equal(errs.e[0].text, text);
	assert_string_equal(errs.e[0].setting, setting);
	assert_string_equal(errs.e[0].file, "f");
	conf_free(was);
	conf_free(is);
	errs_fini(&errs);
}

static void each_setting(void **state)
{
	char a[1024], b[1024];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(a, sizeof(a), HEAD MID TAIL "%s", cases[i].was);
		snprintf(b, sizeof(b), HEAD MID TAIL "%s", cases[i].is);
		differs(a, b, cases[i].setting, cases[i].running, cases[i].next);
	}
	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		snprintf(b, sizeof(b), HEAD "%s" MID TAIL, ports[i].is);
		differs(HEAD MID TAIL, b, ports[i].setting, ports[i].running, ports[i].next);
	}
	differs(HEAD MID TAIL, "ports = ( { name = \"a\"; device = \"net_null1\"; " MID TAIL,
		"ports[0].device", "net_null0", "net_null1");
	differs("ports = ( { name = \"a\"; device = \"net_null0\"; } );",
		"ports = ( { name = \"b\"; device = \"net_null0\"; } );", "ports[0].name", "a",
		"b");
	differs(HEAD MID TAIL, HEAD "}, { name = \"b\"; device = \"net_null1\"; " MID TAIL, "ports",
		"1 ports", "2");
}

/* No restart setting is missing above. */
static void all_are_here(void **state)
{
	for (unsigned i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		char path[96];
		bool found = strcmp(s->section, "ports") == 0 &&
			     (strcmp(s->name, "name") == 0 || strcmp(s->name, "device") == 0);

		if (!s->restart)
			continue;
		snprintf(path, sizeof(path), "%s%s.%s", s->section,
			strcmp(s->section, "ports") == 0 ? "[0]" : "", s->name);
		for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
			found |= strcmp(cases[k].setting, path) == 0;
		for (unsigned k = 0; k < sizeof(ports) / sizeof(ports[0]); k++)
			found |= strcmp(ports[k].setting, path) == 0;
		if (!found)
			fail_msg("%s has no case", path);
	}
}

static void reload_applies_the_rest(void **state)
{
	struct conf *was = parse(HEAD MID TAIL);

	for (unsigned i = 0; i < sizeof(reloaded) / sizeof(reloaded[0]); i++) {
		struct conf *is = parse(reloaded[i]);
		struct errs errs = {0};

		assert_int_equal(conf_diff_restart(was, is, &errs), 0);
		assert_int_equal(errs.n, 0);
		conf_free(is);
	}
	conf_free(was);
}

static void several_at_once(void **state)
{
	struct conf *was = parse(HEAD MID TAIL);
	struct conf *is =
		parse(HEAD "mtu = 9000; rx-queues = 1; " MID TAIL "system = { workers = 3; };");
	struct errs errs = {0};

	assert_int_equal(conf_diff_restart(was, is, &errs), 3);
	expect(&errs, false,
		(struct want[]){{0, "system.workers", "new 3"}, {1, "ports[0].mtu", "new 9000"},
			{1, "ports[0].rx-queues", "new 1"}, {0, 0, 0}});
	conf_free(was);
	conf_free(is);
	errs_fini(&errs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_setting),
		cmocka_unit_test(all_are_here),
		cmocka_unit_test(reload_applies_the_rest),
		cmocka_unit_test(several_at_once),
	};

	return cmocka_run_group_tests_name("conf/diff", tests, NULL, NULL);
}
