/* conf/settings.def: each setting is read into its place at both ends of its range and refused
 * beyond them, has its default, and says where a wrong type is.
 */
#include "conf/conf.h"
#include "conf/settings.h"

#include "expect.h"

#include <stdlib.h>

#define RA "interfaces.router-advertisements"

static bool in_ra(const struct setting *s)
{
	return strncmp(s->section, RA, strlen(RA)) == 0;
}

/* The same for a setting of router advertisements, which stand within an interface. */
static const char *with_ra(const struct setting *s, const char *value)
{
	static char buf[1024];
	const char *required[] = {
		"prefix=\"2001:db8::/64\"; ", "valid-s=4294967295; ", "preferred-s=0; "};
	bool prefix = strcmp(s->section, RA) != 0;
	char name[64];

	snprintf(name, sizeof(name), "%s=", s->name);
	snprintf(buf, sizeof(buf),
		"ports=({name=\"a\"; device=\"net_null0\"; mtu=9000;});"
		"interfaces=({name=\"a\"; addresses=\"2001:db8::1/64\";"
		"router-advertisements={%s\n%s = %s; ",
		prefix ? "prefixes=({" : "", s->name, value);
	for (int i = 0; prefix && i < 3; i++)
		if (strncmp(required[i], name, strlen(name)) != 0)
			strcat(buf, required[i]);
	return strcat(buf, prefix ? "});};});" : "};});");
}

static bool in_ipsec(const struct setting *s)
{
	return strncmp(s->section, "ipsec", 5) == 0;
}

/* The settings of an entry of that section: what it must have, and on line 2 the given one, instead
 * of that of its name. */
static void ipsec_entry(char *to, const char *section, const char *required,
	const struct setting *s, const char *value)
{
	bool here = strcmp(section, s->section) == 0;
	size_t len = strlen(s->name);

	*to = '\0';
	for (const char *at = required; *at; at = strchr(at, ';') + 1)
		if (!here || strncmp(at, s->name, len) != 0 || at[len] != '=')
			to += sprintf(to, "%.*s", (int)(strchr(at, ';') - at + 1), at);
	if (here)
		sprintf(to, "\n%s = %s;", s->name, value);
}

/* The same within ipsec: just the entries that it stands in. */
static const char *with_ipsec(const struct setting *s, const char *value)
{
	static char buf[2048];
	char own[256], tunnel[256], encap[128], sa[256], life[128], policy[256];
	bool in_sa = strncmp(s->section, "ipsec.tunnels.sas", 17) == 0;
	bool in_encap = strcmp(s->section, "ipsec.tunnels.encap") == 0;
	char *at = buf;

	ipsec_entry(own, "ipsec", "", s, value);
	ipsec_entry(tunnel, "ipsec.tunnels", "name=\"t\";local=\"192.0.2.1\";remote=\"192.0.2.2\";",
		s, value);
	ipsec_entry(encap, "ipsec.tunnels.encap", "", s, value);
	ipsec_entry(sa, "ipsec.tunnels.sas",
		"name=\"s\";direction=\"in\";spi=256;suite=\"aes128gcm16\";"
		"key=\"0123456789abcdef0123456789abcdef01234567\";",
		s, value);
	ipsec_entry(life, "ipsec.tunnels.sas.lifetime", "", s, value);
	ipsec_entry(policy, "ipsec.policies", "action=\"bypass\";", s, value);
	at += sprintf(at,
		"ports=({name=\"a\"; device=\"net_null0\";}); "
		"interfaces=({name=\"a\";}); filter={rules=({action=\"deny\";});}; ipsec={%s",
		own);
	if (strncmp(s->section, "ipsec.tunnels", 13) == 0)
		at += sprintf(at, "tunnels=({%s", tunnel);
	if (in_encap)
		at += sprintf(at, "encap={%s};", encap);
	if (in_sa)
		at += sprintf(at, "sas=({%s", sa);
	if (in_sa && s->section[17])
		at += sprintf(at, "lifetime={%s};", life);
	if (in_sa)
		at += sprintf(at, "});");
	if (strncmp(s->section, "ipsec.tunnels", 13) == 0)
		at += sprintf(at, "});");
	if (strcmp(s->section, "ipsec.policies") == 0)
		at += sprintf(at, "policies=({%s});", policy);
	sprintf(at, "};");
	return buf;
}

/* A configuration with one setting given, on line 2 where it can be. */
static const char *with(const struct setting *s, const char *value)
{
	static char buf[1024];
	const char *port = "name=\"a\"; device=\"net_null0\";", *iface = "name=\"a\";";
	const char *route = "to=\"0.0.0.0/0\"; type=\"blackhole\";";
	const char *neigh = "interface=\"a\"; address=\"1.1.1.1\"; mac=\"02:00:00:00:00:01\";";
	char given[256];
	const struct {
		const char *section, *required;
	} lists[] = {{"ports", port}, {"interfaces", iface}, {"routes", route},
		{"neighbours", neigh}, {"filter.rules", "action=\"deny\";"}};
	const char *text[5];
	char merged[5][512];
	int in = -1;

	if (in_ra(s))
		return with_ra(s, value);
	if (in_ipsec(s))
		return with_ipsec(s, value);
	snprintf(given, sizeof(given), "%s = %s;", s->name, value);
	for (int i = 0; i < 5; i++) {
		char name[64];
		const char *at;

		text[i] = lists[i].required;
		if (strcmp(lists[i].section, s->section) != 0)
			continue;
		/* instead of the required one of the same name */
		in = i;
		snprintf(name, sizeof(name), "%s=", s->name);
		at = strstr(text[i], name);
		if (at != NULL && (at == text[i] || at[-1] == ' '))
			snprintf(merged[i], sizeof(merged[i]), "\n%.*s%s%s", (int)(at - text[i]),
				text[i], given, strchr(at, ';') + 1);
		else
			snprintf(merged[i], sizeof(merged[i]), "\n%s%s", text[i], given);
		text[i] = merged[i];
	}
	snprintf(buf, sizeof(buf),
		"ports=({%s}); interfaces=({%s}); routes=({%s}); neighbours=(%s%s%s); "
		"filter={rules=({%s}); %s%s}; %s%s%s%s%s",
		text[0], text[1], text[2], in == 3 ? "{" : "", in == 3 ? text[3] : "",
		in == 3 ? "}" : "", text[4], strcmp(s->section, "filter") == 0 ? "\n" : "",
		strcmp(s->section, "filter") == 0 ? given : "",
		in < 0 && strcmp(s->section, "filter") != 0 ? s->section : "",
		in < 0 && strcmp(s->section, "filter") != 0 ? " = {\n" : "",
		in < 0 && strcmp(s->section, "filter") != 0 ? given : "",
		in < 0 && strcmp(s->section, "filter") != 0 ? "}" : "",
		in < 0 && strcmp(s->section, "filter") != 0 ? ";" : "");
	return buf;
}

static const void *base_of(const struct conf *conf, const struct setting *s)
{
	const struct {
		const char *section;
		const void *base;
	} bases[] = {{"system", &conf->system}, {"ports", conf->ports},
		{"interfaces", conf->ifaces}, {"filter", conf}, {"ip4", &conf->ip4},
		{"ip6", &conf->ip6}, {"arp", &conf->arp}, {"nd", &conf->nd},
		{"reassembly", &conf->reassembly}, {"log", &conf->log}, {"control", &conf->control},
		{RA, conf->ifaces[0].ra},
		{RA ".prefixes", conf->ifaces[0].ra ? conf->ifaces[0].ra->prefix : NULL},
		{"ipsec", &conf->ipsec}, {"ipsec.tunnels", conf->ipsec.tunnels},
		{"ipsec.tunnels.encap", conf->ipsec.tunnels},
		{"ipsec.tunnels.sas", conf->ipsec.sas},
		{"ipsec.tunnels.sas.lifetime", conf->ipsec.sas},
		{"ipsec.policies", conf->ipsec.policies}};

	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		if (strcmp(bases[i].section, s->section) == 0)
			return bases[i].base;
	return NULL; /* the reading of routes and rules leaves no such struct */
}

static const char *path_of(const struct setting *s)
{
	static char path[96];
	bool list = strcmp(s->section, "ports") == 0 || strcmp(s->section, "interfaces") == 0 ||
		    strcmp(s->section, "routes") == 0 || strcmp(s->section, "neighbours") == 0 ||
		    strcmp(s->section, "filter.rules") == 0;

	static const struct {
		const char *section, *path;
	} ipsec[] = {{"ipsec", "ipsec"}, {"ipsec.tunnels", "ipsec.tunnels[0]"},
		{"ipsec.tunnels.encap", "ipsec.tunnels[0].encap"},
		{"ipsec.tunnels.sas", "ipsec.tunnels[0].sas[0]"},
		{"ipsec.tunnels.sas.lifetime", "ipsec.tunnels[0].sas[0].lifetime"},
		{"ipsec.policies", "ipsec.policies[0]"}};

	for (unsigned i = 0; i < sizeof(ipsec) / sizeof(ipsec[0]); i++)
		if (strcmp(ipsec[i].section, s->section) == 0) {
			snprintf(path, sizeof(path), "%s.%s", ipsec[i].path, s->name);
			return path;
		}
	if (in_ra(s)) {
		snprintf(path, sizeof(path), "interfaces[0].router-advertisements%s.%s",
			strcmp(s->section, RA) ? ".prefixes[0]" : "", s->name);
		return path;
	}
	snprintf(path, sizeof(path), "%s%s.%s", s->section, list ? "[0]" : "", s->name);
	return path;
}

static void accepted(const struct setting *s, const char *value, const char *stored)
{
	struct errs errs = {0};
	struct conf *conf = conf_parse(with(s, value), "f", NULL, &errs);
	char buf[64];

	if (conf == NULL) {
		errs_print(&errs, stderr);
		fail_msg("%s = %s is refused: %s", path_of(s), value, with(s, value));
	}
	if (base_of(conf, s))
		assert_string_equal(
			setting_value_text(s, base_of(conf, s), buf, sizeof(buf)), stored);
	conf_free(conf);
	errs_fini(&errs);
}

static void refused(const struct setting *s, const char *value, const char *found)
{
	struct errs errs = {0};
	struct conf *conf = conf_parse(with(s, value), "f", NULL, &errs);
	bool said = false;

	if (conf != NULL)
		fail_msg("%s = %s is accepted", path_of(s), value);
	for (size_t i = 0; i < errs.n; i++)
		said |= errs.e[i].line == 2 && strcmp(errs.e[i].setting, path_of(s)) == 0 &&
			strstr(errs.e[i].text, found) && strstr(errs.e[i].text, "expected");
	if (!said) {
		errs_print(&errs, stderr);
		fail_msg("%s = %s: no such error", path_of(s), value);
	}
	errs_fini(&errs);
}

static void integers(void **state)
{
	for (unsigned i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		char value[32], found[64];

		if (s->kind != SETTING_INT)
			continue;
		for (int k = 0; k < 2; k++) {
			snprintf(value, sizeof(value), "%lld", (long long)(k ? s->max : s->min));
			accepted(s, value, value);
			snprintf(value, sizeof(value), "%lld",
				(long long)(k ? s->max + 1 : s->min - (s->zero ? 2 : 1)));
			snprintf(found, sizeof(found), "the integer %s", value);
			refused(s, value, found);
		}
		if (s->zero)
			accepted(s, "0", "0");
		/* 2^32 and 2^32 + the least: what a careless reader takes for 0 and the least */
		if (s->max < 4294967296)
			refused(s, "4294967296", "the integer 4294967296");
		snprintf(value, sizeof(value), "%lld", 4294967296ll + s->max);
		refused(s, value, value);
		snprintf(value, sizeof(value), "0x%llx", (unsigned long long)s->max);
		snprintf(found, sizeof(found), "%lld", (long long)s->max);
		accepted(s, value, found);
		refused(s, "\"5\"", "found \"5\"");
		refused(s, "true", "the boolean true");
	}
}

static void booleans_and_choices(void **state)
{
	for (unsigned i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		char range[256], *save = NULL;

		if (s->kind == SETTING_BOOL) {
			accepted(s, "true", "true");
			accepted(s, "false", "false");
			refused(s, "1", "the integer 1");
			refused(s, "\"yes\"", "found \"yes\"");
		}
		if (s->kind != SETTING_ENUM)
			continue;
		setting_range_text(s, range, sizeof(range));
		for (char *c = strtok_r(range, "\", ", &save); c;
			c = strtok_r(NULL, "\", ", &save)) {
			char quoted[64], upper[64];

			snprintf(quoted, sizeof(quoted), "\"%s\"", c);
			/* what needs more settings besides it */
			if (strcmp(quoted, "\"via\"") && strcmp(quoted, "\"protect\"") &&
				!(strcmp(s->section, "log") == 0 && strcmp(c, "file") == 0))
				accepted(s, quoted, c);
			snprintf(upper, sizeof(upper), "\"%c%s\"", c[0] - 32, c + 1);
			refused(s, upper, "expected one of");
		}
		refused(s, "\"\"", "found \"\"");
		refused(s, "0", "the integer 0");
	}
}

static void wrong_types(void **state)
{
	for (unsigned i = 0; i < n_settings; i++) {
		if (strcmp(settings[i].name, "rules") == 0) /* a section itself: see test_errors */
			continue;
		if (strcmp(settings[i].name, "key") == 0) { /* and never what was found */
			refused(&settings[i], "1.5", "found no string, expected");
			refused(&settings[i], "0x1234", "found no string, expected");
			refused(&settings[i], "[ \"12\" ]", "found no string, expected");
			continue;
		}
		refused(&settings[i], "1.5", "the float 1.5");
		if (strcmp(settings[i].name, "router-advertisements") != 0 &&
			strcmp(settings[i].name, "encap") != 0 &&
			strcmp(settings[i].name, "lifetime") != 0)
			refused(&settings[i], "{ a = 1; }", "a group");
		if (settings[i].kind != SETTING_BOOL)
			refused(&settings[i], "true", "the boolean true");
	}
}

static void defaults(void **state)
{
	struct errs errs = {0};
	struct conf *conf = conf_parse("ports=({name=\"a\";device=\"net_null0\";});"
				       "interfaces=({name=\"a\"; addresses=\"2001:db8::1/64\";"
				       "router-advertisements={};});"
				       "ipsec={tunnels=({name=\"t\";local=\"192.0.2.1\";"
				       "remote=\"192.0.2.2\";encap={};sas=({name=\"s\";spi=256;"
				       "direction=\"in\";suite=\"aes128gcm16\";key=\"01234567"
				       "89abcdef0123456789abcdef01234567\";});});"
				       "policies=({action=\"bypass\";});};",
		"f", NULL, &errs);

	assert_non_null(conf);
	for (unsigned i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		char want[128], is[128];

		if (base_of(conf, s) == NULL || (s->kind == SETTING_OTHER && s->write == NULL))
			continue;
		setting_default_text(s, want, sizeof(want));
		setting_value_text(s, base_of(conf, s), is, sizeof(is));
		if (strcmp(want, "required") != 0)
			assert_string_equal(is, want);
	}
	/* and in numbers, those that conf.h promises */
	assert_int_equal(conf->system.control_lcore, -1);
	assert_int_equal(conf->system.burst_packets, 64);
	assert_int_equal(conf->system.burst_bytes, 32768);
	assert_int_equal(conf->ports[0].mtu, 1500);
	assert_int_equal(conf->ifaces[0].mtu, 1500);
	assert_false(conf->ifaces[0].secure);
	assert_true(conf->ifaces[0].enabled);
	assert_int_equal(conf->ip4.ttl, 64);
	assert_true(conf->ip4.martians_drop);
	assert_int_equal(conf->arp.reachable_s, 30);
	assert_int_equal(conf->arp.retry_ms, 1000);
	assert_int_equal(conf->arp.retries, 3);
	assert_int_equal(conf->arp.stale_s, 600);
	assert_int_equal(conf->arp.entries_max, 8192);
	assert_int_equal(conf->arp.queue, 16);
	assert_int_equal(conf->arp.punt_rate, 1000);
	assert_int_equal(conf->log.to, CONF_LOG_NONE);
	assert_int_equal(conf->control.clients_max, 32);
	assert_string_equal(conf->control.socket, "/run/postern/control.sock");
	assert_null(conf->control.group);
	assert_int_equal(conf->ipsec.sas_max, 4096);
	assert_int_equal(conf->ipsec.key_age_days, 90);
	assert_int_equal(conf->ipsec.nesting_max, 4);
	assert_true(conf->ipsec.predecap_filter && conf->ipsec.generated_rules);
	assert_int_equal(conf->ipsec.tunnels[0].dscp, CONF_DSCP_COPY);
	assert_int_equal(conf->ipsec.tunnels[0].mss, CONF_MSS_AUTO);
	assert_int_equal(conf->ipsec.tunnels[0].iface, UINT16_MAX);
	assert_int_equal(conf->ipsec.sas[0].window, 64);
	assert_int_equal(conf->ipsec.sas[0].owner, CONF_OWNER_ANY);
	conf_free(conf);
	errs_fini(&errs);
}

/* The table itself: sections stand together, no name twice. */
static void table(void **state)
{
	unsigned n, total = 0;

	for (unsigned i = 0; i < n_settings; i++) {
		const struct setting *of = settings_of(settings[i].section, &n);

		assert_in_range(n, 1, 64);
		assert_true(&settings[i] >= of && &settings[i] < of + n);
		if (of == &settings[i])
			total += n;
		for (const struct setting *k = of; k < &settings[i]; k++)
			assert_string_not_equal(k->name, settings[i].name);
		if (settings[i].restart && settings[i].kind == SETTING_OTHER)
			assert_non_null(
				settings[i].write); /* or conf_diff_restart is blind to it */
	}
	assert_int_equal(total, n_settings);
	assert_null(settings_of("nothing", &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(defaults),
		cmocka_unit_test(integers),
		cmocka_unit_test(booleans_and_choices),
		cmocka_unit_test(wrong_types),
	};

	return cmocka_run_group_tests_name("conf/settings", tests, NULL, NULL);
}
