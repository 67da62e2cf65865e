/* conf/rulefile: the classic syntax, every field and every mistake, the seed list, size. */
#include "conf/conf.h"

#include "expect.h"

#include <stdlib.h>
#include <time.h>

static struct rule *rules;
static uint32_t n;
static struct errs errs;

static int setup(void **state)
{
	rules = NULL;
	n = 0;
	errs = (struct errs){0};
	return 0;
}

static int teardown(void **state)
{
	free(rules);
	errs_fini(&errs);
	return 0;
}

static int parse(const char *text)
{
	return rulefile_parse(text, strlen(text), "f", &rules, &n, &errs);
}

/* The only rule of a text without mistakes. */
static struct rule one(const char *text)
{
	setup(NULL);
	if (parse(text) != 0 || n != 1) {
		errs_print(&errs, stderr);
		fail_msg("no rule: %s", text);
	}

	struct rule r = rules[0];

	teardown(NULL);
	setup(NULL);
	return r;
}

/* A line with one word changed: F(5, "udp"). */
static const char *line(unsigned field, const char *word)
{
	static const char *const words[] = {"permit", "9.0.0.0", "255.0.0.0", "192.168.0.0",
		"255.255.0.0", "tcp", "eq", "1000", "eq", "80", "both", "both", "both", ""};
	static char buf[512];
	size_t len = 0;

	for (unsigned i = 0; i < 14; i++)
		len += (size_t)snprintf(
			buf + len, sizeof(buf) - len, "%s ", i == field ? word : words[i]);
	return buf;
}

static void assert_prefix(const struct prefix *p, const char *text)
{
	char buf[PREFIX_STRLEN];

	assert_string_equal(prefix_format(p, buf), text);
}

static void every_field(void **state)
{
	struct rule r = one(line(13, ""));

	assert_true(r.permit);
	assert_prefix(&r.src, "9.0.0.0/8");
	assert_prefix(&r.dst, "192.168.0.0/16");
	assert_false(r.any_addr);
	assert_int_equal(r.proto, 6);
	assert_int_equal(r.sport.op, RULE_OP_EQ);
	assert_int_equal(r.sport.value, 1000);
	assert_int_equal(r.dport.op, RULE_OP_EQ);
	assert_int_equal(r.dport.value, 80);
	assert_int_equal(r.zone, RULE_ZONE_BOTH);
	assert_int_equal(r.scope, RULE_SCOPE_BOTH);
	assert_int_equal(r.dir, RULE_DIR_BOTH);
	assert_int_equal(r.frag, RULE_FRAG_YES);
	assert_false(r.log);
	assert_int_equal(r.tunnel, RULE_TUNNEL_ANY);
	assert_int_equal(r.line, 1);
	assert_string_equal(r.file, "f");
}

#define WORD(field, word, member, value) assert_int_equal(one(line(field, word)).member, value)

static void every_word(void **state)
{
	static const char *const ops[] = {"any", "eq", "neq", "lt", "le", "gt", "ge"};

	WORD(0, "deny", permit, false);
	WORD(0, "PERMIT", permit, true);
	WORD(5, "tcp/ack", proto, RULE_PROTO_TCP_ACK);
	WORD(5, "TCP/Ack", proto, RULE_PROTO_TCP_ACK);
	WORD(5, "udp", proto, 17);
	WORD(5, "6", proto, 6);
	WORD(5, "132", proto, 132);
	for (int i = 0; i < 7; i++) {
		WORD(6, ops[i], sport.op, i);
		WORD(8, ops[i], dport.op, i);
	}
	WORD(7, "0", sport.value, 0);
	WORD(7, "65535", sport.value, 65535);
	WORD(9, "65535", dport.value, 65535);
	WORD(6, "any", sport.value, 0); /* the number behind any says nothing */
	WORD(10, "secure", zone, RULE_SECURE);
	WORD(10, "nonsecure", zone, RULE_NONSECURE);
	WORD(11, "route", scope, RULE_ROUTE);
	WORD(11, "local", scope, RULE_LOCAL);
	WORD(12, "inbound", dir, RULE_IN);
	WORD(12, "OUTBOUND", dir, RULE_OUT);
	WORD(13, "l=yes", log, true);
	WORD(13, "L=NO", log, false);
	WORD(13, "f=yes", frag, RULE_FRAG_YES);
	WORD(13, "f=no", frag, RULE_FRAG_NO);
	WORD(13, "f=only", frag, RULE_FRAG_ONLY);
	WORD(13, "F=Headers", frag, RULE_FRAG_HEADERS);
	WORD(13, "t=0", tunnel, 0);
	WORD(13, "t=4294967294", tunnel, 4294967294u);
	WORD(13, "t=0 f=only l=yes", log, true);
	WORD(13, "t=0 f=only l=yes", frag, RULE_FRAG_ONLY);
	WORD(13, "t=0 f=only l=yes", tunnel, 0);
}

/* The words of the addresses, and what becomes of them. */
static void addresses(void **state)
{
	static const struct {
		const char *words, *src, *dst;
	} cases[] = {
		{"2001:db8:: ffff:ffff:: 2001:db8:1::1 128", "2001:db8::/32", "2001:db8:1::1/128"},
		{"2001:DB8::1 64 :: ::", "2001:db8::1/64", "::/0"},
		{":: 0 fe80:: ffc0::", "::/0", "fe80::/10"},
		{"2001:db8:0:0:8000:: 65 ::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
			"2001:db8:0:0:8000::/65", "::1/127"},
		{"any any 2001:db8:: 32", "::/0", "2001:db8::/32"},
		{"2001:db8:: 32 ANY Any", "2001:db8::/32", "::/0"},
		{"any any 9.0.0.0 255.0.0.0", "0.0.0.0/0", "9.0.0.0/8"},
	};
	char text[256];
	struct rule r;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "permit %s all any 0 any 0 both both both",
			cases[i].words);
		r = one(text);
		assert_prefix(&r.src, cases[i].src);
		assert_prefix(&r.dst, cases[i].dst);
		assert_false(r.any_addr);
	}
	r = one("permit any any any any tcp any 0 eq 22 both both both");
	assert_true(r.any_addr);
	r = one("permit any any any any icmp eq 8 any 0 both both both");
	assert_prefix(&r.src, "0.0.0.0/0");
	r = one("permit any any any any icmpv6 eq 128 any 0 both both both");
	assert_prefix(&r.src, "::/0");
	assert_int_equal(r.proto, 58);
	assert_int_equal(r.sport.value, 128);
}

static void address_mistakes(void **state)
{
	static const struct {
		const char *words, *setting, *text;
	} cases[] = {
		{"2001:db8::g 32 :: 0 all", "src", "found \"2001:db8::g\", expected a source"},
		{"2001:db8::1%eth0 32 :: 0 all", "src", "expected a source"},
		{"::ffff:9.0.0.0 104 :: 0 all", "src", "expected a source"},
		{"2001:db8:: 129 :: 0 all", "src-mask", "a length from 0 to 128 or a mask such as"},
		{"2001:db8:: 255.0.0.0 :: 0 all", "src-mask", "a length from 0 to 128 or a mask"},
		{"2001:db8:: ffff:0:ffff:: :: 0 all", "src-mask",
			"a mask without holes, such as ffff"},
		{":: 0 :: ::1 all", "dst-mask", "a mask without holes, such as ffff"},
		{"9.0.0.0 8 0.0.0.0 0.0.0.0 all", "src-mask",
			"a source mask such as 255.255.255.0"},
		{"9.0.0.0 ff00:: 0.0.0.0 0.0.0.0 all", "src-mask", "a source mask such as"},
		{"9.0.0.0 255.0.0.0 :: 0 all", "dst",
			"of two families, expected both IPv4 or both IPv6"},
		{"any 0 any any all", "src-mask", "found \"0\", expected any"},
		{":: 0 any 0 all", "dst-mask", "found \"0\", expected any"},
		{":: any :: 0 all", "src-mask", "a length from 0 to 128"},
		{":: 0 :: 0 icmp", "protocol", "expected icmpv6 with IPv6 addresses"},
		{":: 0 :: 0 1", "protocol", "expected icmpv6 with IPv6 addresses"},
		{"0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 icmpv6", "protocol", "expected icmp with IPv4"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256];

		setup(NULL);
		snprintf(
			text, sizeof(text), "permit %s any 0 any 0 both both both", cases[i].words);
		assert_true(parse(text) < 0);
		expect(&errs, false,
			(struct want[]){{1, cases[i].setting, cases[i].text}, {0, 0, 0}});
		teardown(NULL);
	}
	setup(NULL);
}

static void protocols_without_ports(void **state)
{
	static const struct {
		const char *word;
		uint16_t proto;
	} names[] = {{"all", RULE_PROTO_ALL}, {"icmp", 1}, {"esp", 50}, {"ah", 51}, {"ospf", 89},
		{"ipip", 4}, {"0", 0}, {"255", 255}};
	char text[128];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text),
			"deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 %s any 0 any 0 both both both",
			names[i].word);
		assert_int_equal(one(text).proto, names[i].proto);
	}
}

static void space_and_comments(void **state)
{
	assert_int_equal(
		parse("# a comment\n"
		      "\n"
		      "   \t \r\n"
		      "\tdeny\t0.0.0.0   0.0.0.0 0.0.0.0\v0.0.0.0 all any 0 any 0 both both "
		      "both\r\n"
		      "  # another: permit\r\n"
		      "deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 all any 0 any 0 both both both # why"),
		0);
	assert_int_equal(n, 2);
	assert_int_equal(rules[0].line, 4);
	assert_int_equal(rules[1].line, 6);
	assert_int_equal(errs.n, 0);
}

static void appends(void **state)
{
	assert_int_equal(parse(line(13, "")), 0);
	assert_int_equal(parse(line(0, "deny")), 0);
	assert_int_equal(n, 2);
	assert_true(rules[0].permit);
	assert_false(rules[1].permit);
	assert_true(parse("deny\n") < 0); /* all or nothing */
	assert_int_equal(n, 2);
	assert_int_equal(parse(""), 0);
	assert_int_equal(n, 2);
}

static const struct {
	unsigned field;
	const char *word;
	const char *setting, *text;
} mistakes[] = {
	{0, "allow", "action", "found \"allow\", expected permit or deny"},
	{1, "9.0.0", "src", "found \"9.0.0\", expected a source address"},
	{2, "255.0.255.0", "src-mask", "expected a mask without holes"},
	{2, "0.0.0.255", "src-mask", "expected a mask without holes"},
	{2, "/8", "src-mask", "expected a source mask"},
	{3, "host", "dst", "expected a destination address"},
	{4, "255.255.0.1", "dst-mask", "expected a mask without holes"},
	{5, "tcpp", "protocol", "found \"tcpp\", expected all, tcp, tcp/ack, udp"},
	{5, "256", "protocol", "number from 0 to 255"},
	{5, "-1", "protocol", "found \"-1\""},
	{5, "esp", "sport-operator", "have ports"},
	{5, "all", "sport-operator", "have ports"},
	{6, "==", "sport-operator", "expected any, eq, neq, lt, le, gt or ge"},
	{7, "65536", "sport", "from 0 to 65535"},
	{7, "http", "sport", "found \"http\""},
	{7, "0x50", "sport", "found \"0x50\""},
	{8, "range", "dport-operator", "expected any, eq, neq, lt, le, gt or ge"},
	{9, "99999999999999999999", "dport", "from 0 to 65535"},
	{10, "lan0", "interface", "expected secure, nonsecure or both"},
	{11, "routed", "scope", "expected route, local or both"},
	{12, "in", "direction", "expected inbound, outbound or both"},
	{13, "l=maybe", "l", "found \"l=maybe\", expected l=yes or l=no"},
	{13, "f=", "f", "expected f=yes, f=no, f=only or f=headers"},
	{13, "t=-1", "t", "expected t= and the number of a tunnel"},
	{13, "t=4294967295", "t", "expected t= and the number of a tunnel"},
	{13, "l=no l=no", "l", "found \"l=no\", expected it only once"},
	{13, "f=no f=yes", "f", "expected it only once"},
	{13, "t=0 t=0", "t", "expected it only once"},
	{13, "x=1", "", "found \"x=1\", expected l=, f=, t= or the end of the line"},
	{13, "inbound", "", "found \"inbound\", expected l=, f=, t= or the end of the line"},
	{13, "\x01", "", "found \"\\x01\""},
};

static void one_mistake(void **state)
{
	for (unsigned i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char text[600];

		setup(NULL);
		snprintf(text, sizeof(text), "# line 1\n\n%s\n",
			line(mistakes[i].field, mistakes[i].word));
		assert_true(parse(text) < 0);
		assert_int_equal(n, 0);
		if (strcmp(mistakes[i].text, "have ports") == 0)
			expect(&errs, false,
				(struct want[]){{3, "sport-operator", "have ports"},
					{3, "dport-operator", "have ports"}, {0, 0, 0}});
		else
			expect(&errs, false,
				(struct want[]){
					{3, mistakes[i].setting, mistakes[i].text}, {0, 0, 0}});
		teardown(NULL);
	}
	setup(NULL);
}

static void fields_missing(void **state)
{
	static const char *const names[] = {"src", "src-mask", "dst", "dst-mask", "protocol",
		"sport-operator", "sport", "dport-operator", "dport", "interface", "scope",
		"direction"};

	for (unsigned have = 1; have < 13; have++) {
		char text[512], *at = text;

		setup(NULL);
		strcpy(text, line(13, ""));
		for (unsigned i = 0; i < have; i++)
			at = strchr(at, ' ') + 1;
		*at = '\0';
		assert_true(parse(text) < 0);
		expect(&errs, false,
			(struct want[]){{1, names[have - 1], "the line ends after"}, {0, 0, 0}});
		teardown(NULL);
	}
	setup(NULL);
}

static void all_mistakes_at_once(void **state)
{
	assert_true(
		parse("allow 9.0.0.0 255.0.0.255 0.0.0.0 0.0.0.0 foo any 0 any 0 a b c z l=1\n"
		      "deny\n"
		      "permit 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 icmp eq 8 eq 256 both both both\n") <
		0);
	expect(&errs, false,
		(struct want[]){{1, "action", "allow"}, {1, "src-mask", "holes"},
			{1, "protocol", "foo"}, {1, "interface", "\"a\""}, {1, "scope", "\"b\""},
			{1, "direction", "\"c\""}, {1, "", "\"z\""}, {1, "l", "l=1"},
			{2, "src", "1 of 13 fields"}, {3, "dport", "at most 255"}, {0, 0, 0}});
}

static void bytes(void **state)
{
	char text[3000];

	memset(text, ' ', sizeof(text));
	text[sizeof(text) - 1] = 'x';
	assert_true(rulefile_parse(text, sizeof(text), "f", &rules, &n, &errs) < 0);
	assert_true(rulefile_parse("deny\0deny", 9, "f", &rules, &n, &errs) < 0);
	expect(&errs, false,
		(struct want[]){{1, "", "has 3000 bytes, expected at most 1024"},
			{1, "", "NUL byte"}, {0, 0, 0}});
}

static void warnings(void **state)
{
	assert_int_equal(
		parse("permit 192.168.0.0 0.0.0.0 10.1.2.3 255.0.0.0 tcp lt 0 gt 65535 both "
		      "both both\n"
		      "deny 0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0 icmp gt 255 any 7 both both both\n"
		      "deny 2001:db8::1 32 :: 0 icmpv6 gt 255 any 7 both both both\n"),
		0);
	expect(&errs, true,
		(struct want[]){{1, "src", "192.168.0.0 has bits beyond the mask 0.0.0.0"},
			{1, "dst", "matches as with 10.0.0.0"},
			{1, "sport", "nothing is lt 0: the rule can never match"},
			{1, "dport", "nothing is gt 65535"}, {2, "sport", "nothing is gt 255"},
			{3, "src", "2001:db8::1 has bits beyond the length 32"},
			{3, "sport", "nothing is gt 255"}, {0, 0, 0}});
}

/* Addresses of a family that the protocol permits, or any of both. */
static void draw_addresses(struct rule *r, unsigned *seed)
{
	unsigned kind = (unsigned)rand_r(seed) % 3;

	if (kind == 0 && !rule_proto_is_icmp(r->proto)) {
		r->any_addr = true;
	} else if (r->proto == RULE_PROTO_ICMP || (kind == 1 && r->proto != RULE_PROTO_ICMP6)) {
		r->src.addr = addr_of4((uint32_t)rand_r(seed) << 8);
		r->dst.addr = addr_of4((uint32_t)rand_r(seed) << 8);
		r->src.len = (uint8_t)(96 + rand_r(seed) % 33);
		r->dst.len = (uint8_t)(96 + rand_r(seed) % 33);
	} else {
		for (unsigned i = 0; i < 16; i++) {
			r->src.addr.b[i] = (uint8_t)(rand_r(seed) & rand_r(seed));
			r->dst.addr.b[i] = (uint8_t)(rand_r(seed) % 3);
		}
		r->src.len = (uint8_t)(rand_r(seed) % 129);
		r->dst.len = (uint8_t)(rand_r(seed) % 129);
	}
}

/* What rule_format writes is read as the same rule. */
static void there_and_back(void **state)
{
	unsigned seed = 1;

	for (int i = 0; i < 20000; i++) {
		struct rule r = {.proto = (uint16_t)(rand_r(&seed) % 258),
			.zone = (uint8_t)(1 + rand_r(&seed) % 3),
			.scope = (uint8_t)(1 + rand_r(&seed) % 3),
			.dir = (uint8_t)(1 + rand_r(&seed) % 3),
			.frag = (uint8_t)(rand_r(&seed) % 4),
			.permit = rand_r(&seed) & 1,
			.log = rand_r(&seed) & 1,
			.tunnel = rand_r(&seed) & 1 ? RULE_TUNNEL_ANY
						    : (uint32_t)rand_r(&seed) % 65536};
		char buf[RULE_STRLEN];

		draw_addresses(&r, &seed);
		if (rule_proto_has_ports(r.proto) || rule_proto_is_icmp(r.proto)) {
			uint16_t most = rule_proto_is_icmp(r.proto) ? 256 : 0xffff;

			r.sport = (struct rule_port){
				(uint8_t)(rand_r(&seed) % 7), (uint16_t)(rand_r(&seed) % most)};
			r.dport = (struct rule_port){
				(uint8_t)(rand_r(&seed) % 7), (uint16_t)(rand_r(&seed) % most)};
		}
		if (r.sport.op == RULE_OP_ANY)
			r.sport.value = 0;
		if (r.dport.op == RULE_OP_ANY)
			r.dport.value = 0;
		n = 0;
		assert_int_equal(parse(rule_format(&r, buf, sizeof(buf))), 0);
		assert_int_equal(n, 1);
		assert_true(rule_same(&r, &rules[0]));
	}
}

static char *read_whole(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *text = malloc(65536);

	assert_non_null(f);
	assert_non_null(text);
	*len = fread(text, 1, 65535, f);
	text[*len] = '\0';
	fclose(f);
	return text;
}

static void seed_list(void **state)
{
	size_t len;
	char *text = read_whole("config/classic.rules", &len), *at = text;

	assert_int_equal(rulefile_parse(text, len, "classic.rules", &rules, &n, &errs), 0);
	assert_int_equal(n, 24);
	expect(&errs, false, (struct want[]){{0, 0, 0}});
	expect(&errs, true, (struct want[]){{23, "src", "beyond the mask"}, {0, 0, 0}});
	/* Written again, each rule is the line that it came from. */
	for (uint32_t i = 0; i < n; i++) {
		char buf[RULE_STRLEN], *end = strchr(at, '\n');

		assert_non_null(end);
		*end = '\0';
		assert_int_equal(rules[i].line, i + 1);
		assert_int_equal(rule_families(&rules[i]), RULE_IP4); /* it says nothing of IPv6 */
		assert_string_equal(rule_format(&rules[i], buf, sizeof(buf)), at);
		at = end + 1;
	}
	free(text);
}

/* 131072 rules are taken and one more is refused; time grows with size and no faster. */
static void large(void **state)
{
	static const char rule[] = "permit 9.0.0.0 255.0.0.0 0.0.0.0 0.0.0.0 tcp any 0 eq 20 both "
				   "both inbound l=no f=yes t=0\n";
	size_t one_len = sizeof(rule) - 1;
	char *text = malloc(one_len * (RULES_MAX + 1));
	clock_t from;

	assert_non_null(text);
	for (size_t i = 0; i <= RULES_MAX; i++)
		memcpy(text + i * one_len, rule, one_len);
	from = clock();
	assert_int_equal(rulefile_parse(text, one_len * RULES_MAX, "f", &rules, &n, &errs), 0);
	assert_true(clock() - from < 5 * CLOCKS_PER_SEC); /* some 0.1 s; more under sanitizers */
	assert_int_equal(n, RULES_MAX);
	assert_int_equal(rules[RULES_MAX - 1].line, RULES_MAX);
	assert_true(rulefile_parse(text, one_len, "f", &rules, &n, &errs) < 0);
	expect(&errs, false, (struct want[]){{1, "", "more than 131072 rules"}, {0, 0, 0}});
	assert_int_equal(n, RULES_MAX);
	free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_field),
		TEST(every_word),
		TEST(addresses),
		TEST(address_mistakes),
		TEST(protocols_without_ports),
		TEST(space_and_comments),
		TEST(appends),
		TEST(one_mistake),
		TEST(fields_missing),
		TEST(all_mistakes_at_once),
		TEST(bytes),
		TEST(warnings),
		TEST(there_and_back),
		TEST(seed_list),
		TEST(large),
	};

	return cmocka_run_group_tests_name("conf/rulefile", tests, NULL, NULL);
}
