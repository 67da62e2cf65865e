/* The methods about IPsec: show.ipsec, show.sad, show.spd, sa.add, sa.delete, policy.add and
 * policy.delete, with a real SAD and a real SPD behind them.
 */
#include "fake.h"

#include "table/sad_write.h"
#include "table/spd_write.h"

#include <arpa/inet.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

/* AES-GCM: 16 bytes and a salt of 4 */
#define KEY_HEX "000102030405060708090a0b0c0d0e0f10111213"

static struct fake *f;
static struct rte_rcu_qsbr *qsv;
static struct sad_db *sad;
static struct tunnel tunnel[3];
static struct spd *spd;
static struct ipsec ipsec;
/* what the daemon was asked for */
static struct ctl_sa asked_sa;
static struct ctl_policy asked_policy;
static bool asked_add;
static int status;

static int expand(struct sa *sa, const struct suite *suite, const uint8_t *key)
{
	memcpy(sa->key, key, suite_key_len(suite));
	return 0;
}

static int sa_add(
	struct ctl_env *env, const struct ctl_sa *sa, uint32_t *handle, char *why, size_t why_size)
{
	asked_sa = *sa;
	snprintf(why, why_size, "because");
	*handle = 7;
	return status;
}

static int sa_delete(struct ctl_env *env, uint32_t handle, char *why, size_t why_size)
{
	snprintf(why, why_size, "because");
	return status < 0 ? status : sad_db_del(sad, handle);
}

static void policy(struct ctl_env *env, const struct ctl_policy *p, bool add,
	void (*done)(void *arg, int ret, const char *why), void *arg)
{
	asked_policy = *p;
	asked_add = add;
	done(arg, status, "because");
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static uint32_t add(const char *name, uint16_t of, bool in, uint32_t spi, const char *suite)
{
	static const uint8_t key[SUITE_KEY_MAX];
	struct selector any = {.any_addr = true,
		.proto = SELECTOR_PROTO_ANY,
		.sport_to = UINT16_MAX,
		.dport_to = UINT16_MAX};
	struct sa_info info = {.tunnel = of,
		.proto = PROTO_ESP,
		.in = in,
		.manual = true,
		.spi = htonl(spi),
		.window = in ? 64 : 0,
		.owner = SAD_OWNER_AUTO,
		.hard_s = 1000,
		.soft_bytes = 5000,
		.created = 1700000000,
		.n_selectors = in,
		.selector = &any};
	uint32_t handle;
	char why[256];

	snprintf(info.name, sizeof(info.name), "%s", name);
	assert_true(suite_parse(suite, PROTO_ESP, &info.suite, why, sizeof(why)));
	if (sad_db_add(sad, &tunnel[of], &info, key, &handle, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	return handle;
}

static int setup(void **state)
{
	static struct policy policies[2];
	char why[256];

	f = fake_new();
	qsv = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), 64);
	rte_rcu_qsbr_init(qsv, 1);
	sad = sad_db_new(64, 2, qsv, expand, SOCKET_ID_ANY, why, sizeof(why));
	if (sad == NULL)
		fail_msg("%s", why);
	tunnel[1] = (struct tunnel){.id = 1,
		.flags = TUNNEL_UP | TUNNEL_ESP,
		.number = 5,
		.local = addr_of("192.0.2.1"),
		.remote = addr_of("192.0.2.2"),
		.name = "site-b"};
	tunnel[2] = (struct tunnel){.id = 2,
		.flags = TUNNEL_UP | TUNNEL_ESP | TUNNEL_ENCAP | TUNNEL_TRANSPORT,
		.local = addr_of("2001:db8::1"),
		.remote = addr_of("2001:db8::2"),
		.local_port = htons(4500),
		.remote_port = htons(4501),
		.name = "host-c"};
	policies[0] = (struct policy){.sel = {.src_from = addr_of("10.1.0.0"),
					      .src_to = addr_of("10.1.255.255"),
					      .dst_from = addr_of("10.2.0.1"),
					      .dst_to = addr_of("10.2.0.9"),
					      .proto = 6,
					      .sport_to = UINT16_MAX,
					      .dport_from = 443,
					      .dport_to = 443},
		.dir = RULE_DIR_BOTH,
		.action = POLICY_PROTECT,
		.tunnel = 1,
		.line = 12,
		.file = "f.conf",
		.name = "web"};
	policies[1] = (struct policy){.sel = {.any_addr = true,
					      .proto = 1,
					      .sport_from = 8,
					      .sport_to = 8,
					      .dport_to = UINT16_MAX},
		.dir = RULE_OUT,
		.action = POLICY_BYPASS,
		.by_socket = true,
		.name = "ping"};
	spd = spd_build(policies, 2, POLICY_DISCARD, SOCKET_ID_ANY, why, sizeof(why));
	if (spd == NULL)
		fail_msg("%s", why);
	ipsec = (struct ipsec){.spd = spd,
		.sad = sad_db_table(sad),
		.n_tunnels = 3,
		.tunnel = tunnel,
		.nesting_max = 4,
		.predecap_filter = 1};
	f->root.ipsec = &ipsec;
	f->env.sad = sad;
	f->env.sa_add = sa_add;
	f->env.sa_delete = sa_delete;
	f->env.policy = policy;
	status = 0;
	return 0;
}

static int teardown(void **state)
{
	sad_db_free(sad);
	spd_free(spd);
	rte_free(qsv);
	fake_free(f);
	return 0;
}

static const char *text(json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static json_int_t number(json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static void test_show_sad(void **state)
{
	uint32_t in = add("b-in", 1, true, 0x1001, "aes128gcm16");
	struct sa *sa = sad_get(sad_db_table(sad), in);
	json_t *r, *e, *life;
	char *all;

	add("b-out", 1, false, 0x2002, "aes256-sha256");
	sa->packets = 3;
	sa->bytes = 300;
	sa->seq = 9;
	sa->error[SA_ERR_REPLAY] = 2;
	r = fake_call(&f->env, "show.sad", "{}");
	assert_int_equal(number(r, "total"), 2);
	e = json_array_get(json_object_get(r, "sas"), 0);
	assert_string_equal(text(e, "name"), "b-in");
	assert_string_equal(text(e, "tunnel"), "site-b");
	assert_string_equal(text(e, "direction"), "in");
	assert_string_equal(text(e, "spi"), "0x00001001");
	assert_string_equal(text(e, "suite"), "aes128gcm16");
	assert_string_equal(text(e, "remote"), "192.0.2.2");
	assert_string_equal(text(e, "mode"), "tunnel");
	assert_int_equal(number(e, "packets"), 3);
	assert_int_equal(number(e, "sequence"), 9);
	assert_int_equal(number(e, "window"), 64);
	assert_int_equal(number(json_object_get(e, "errors"), "replay"), 2);
	assert_int_equal(json_object_size(json_object_get(e, "errors")), 1);
	life = json_object_get(json_object_get(e, "lifetime"), "soft");
	assert_int_equal(number(json_object_get(life, "bytes"), "left"), 4700);
	assert_true(json_is_null(json_object_get(life, "packets")));
	assert_int_equal(json_array_size(json_object_get(e, "selectors")), 1);
	e = json_array_get(json_object_get(r, "sas"), 1);
	assert_string_equal(text(e, "suite"), "aes256-sha256");
	assert_true(json_is_true(json_object_get(e, "in_use")));
	assert_true(json_is_null(json_object_get(e, "window")));
	/* no key, in whatever form */
	all = json_dumps(r, 0);
	assert_null(strstr(all, "\"key\""));
	free(all);
	json_decref(r);
	r = fake_call(&f->env, "show.sad", "{\"name\":\"b-out\"}");
	assert_int_equal(number(r, "total"), 1);
	json_decref(r);
	r = fake_call(&f->env, "show.sad", "{\"tunnel\":\"host-c\"}");
	assert_int_equal(number(r, "total"), 0);
	json_decref(r);
}

static void test_show_ipsec(void **state)
{
	uint32_t in = add("b-in", 1, true, 0x1001, "aes128gcm16");
	json_t *r, *e;

	add("b-out", 1, false, 0x2002, "aes128gcm16");
	add("c-out", 2, false, 0x2003, "aes128gcm16");
	sad_get(sad_db_table(sad), in)->packets = 5;
	sad_get(sad_db_table(sad), in)->error[SA_ERR_INTEGRITY] = 4;
	r = fake_call(&f->env, "show.ipsec", "{}");
	assert_int_equal(number(r, "total"), 2);
	assert_int_equal(number(json_object_get(r, "sas"), "now"), 3);
	assert_int_equal(number(r, "policies"), 2);
	e = json_array_get(json_object_get(r, "tunnels"), 0);
	assert_string_equal(text(e, "name"), "site-b");
	assert_string_equal(text(e, "state"), "up");
	assert_int_equal(number(e, "number"), 5);
	assert_int_equal(number(json_object_get(e, "in"), "packets"), 5);
	assert_int_equal(number(e, "errors"), 4);
	e = json_array_get(json_object_get(r, "tunnels"), 1);
	assert_string_equal(text(e, "state"), "sends");
	assert_string_equal(text(e, "mode"), "transport");
	assert_true(json_is_true(json_object_get(e, "udp")));
	json_decref(r);
	r = fake_call(&f->env, "show.ipsec", "{\"offset\":1}");
	assert_int_equal(json_array_size(json_object_get(r, "tunnels")), 1);
	json_decref(r);
}

static void test_show_spd(void **state)
{
	json_t *r = fake_call(&f->env, "show.spd", "{}"), *e, *sel;

	assert_int_equal(number(r, "total"), 2);
	assert_string_equal(text(r, "others"), "discard");
	e = json_array_get(json_object_get(r, "policies"), 0);
	assert_string_equal(text(e, "name"), "web");
	assert_string_equal(text(e, "action"), "protect");
	assert_string_equal(text(e, "tunnel"), "site-b");
	assert_int_equal(number(e, "line"), 12);
	sel = json_object_get(e, "selector");
	assert_string_equal(text(sel, "src"), "10.1.0.0/16");
	assert_string_equal(text(sel, "dst"), "10.2.0.1-10.2.0.9");
	assert_string_equal(text(sel, "proto"), "tcp");
	assert_string_equal(text(sel, "sport"), "any");
	assert_string_equal(text(sel, "dport"), "443");
	e = json_array_get(json_object_get(r, "policies"), 1);
	assert_string_equal(text(e, "origin"), "socket");
	assert_true(json_is_null(json_object_get(e, "file")));
	sel = json_object_get(e, "selector");
	assert_string_equal(text(sel, "src"), "any");
	assert_string_equal(text(sel, "icmp_type"), "8");
	json_decref(r);
}

/* A box without IPsec has nothing to show, and that is no error. */
static void test_nothing(void **state)
{
	static const char *const shows[][2] = {
		{"show.sad", "sas"}, {"show.spd", "policies"}, {"show.ipsec", "tunnels"}};
	json_t *r;

	f->root.ipsec = NULL;
	f->env.sad = NULL;
	f->env.sa_add = NULL;
	f->env.sa_delete = NULL;
	f->env.policy = NULL;
	for (unsigned i = 0; i < 3; i++) {
		r = fake_call(&f->env, shows[i][0], "{}");
		assert_int_equal(json_array_size(json_object_get(r, shows[i][1])), 0);
		assert_int_equal(number(r, "total"), 0);
		json_decref(r);
	}
	r = fake_ask(&f->env, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"policy.add\",\"params\":{"
			      "\"name\":\"a\",\"action\":\"bypass\"}}");
	assert_int_equal(fake_code(r), -32000);
	json_decref(r);
}

#define SA_ADD(params) \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sa.add\",\"params\":{" params "}}"
#define GOOD                                                                                   \
	"\"name\":\"n\",\"tunnel\":\"site-b\",\"direction\":\"in\",\"suite\":\"aes128gcm16\"," \
	"\"key\":\"" KEY_HEX "\""

static void test_sa_add(void **state)
{
	json_t *r = fake_ask(&f->env,
		SA_ADD(GOOD ",\"spi\":\"0x1001\",\"window\":1024,\"esn\":true,\"hard_s\":60"));

	assert_null(json_object_get(r, "error"));
	json_decref(r);
	assert_string_equal(asked_sa.tunnel, "site-b");
	assert_string_equal(asked_sa.info.name, "n");
	assert_int_equal(asked_sa.info.spi, htonl(0x1001));
	assert_int_equal(asked_sa.info.window, 1024);
	assert_int_equal(asked_sa.info.hard_s, 60);
	assert_true(asked_sa.info.in && asked_sa.info.esn && asked_sa.info.by_socket);
	assert_int_equal(asked_sa.info.suite.enc, ENC_AES_GCM_128);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(asked_sa.key[i], i);
	r = fake_ask(&f->env, SA_ADD(GOOD ",\"spi\":4097"));
	assert_null(json_object_get(r, "error"));
	assert_int_equal(asked_sa.info.spi, htonl(4097));
	json_decref(r);
	status = -EEXIST;
	r = fake_ask(&f->env, SA_ADD(GOOD ",\"spi\":4097"));
	assert_int_equal(fake_code(r), -32002);
	assert_string_equal(
		text(json_object_get(json_object_get(r, "error"), "data"), "reason"), "exists");
	json_decref(r);
}

static void test_sa_add_wrong(void **state)
{
	static const struct {
		const char *line, *param;
	} wrong[] = {
		{SA_ADD(GOOD), "spi"},
		{SA_ADD(GOOD ",\"spi\":255"), "spi"},
		{SA_ADD(GOOD ",\"spi\":\"0x100000000\""), "spi"},
		{SA_ADD(GOOD ",\"spi\":\"x\""), "spi"},
		{SA_ADD(GOOD ",\"spi\":\"0x1001z\""), "spi"},
		{SA_ADD(GOOD ",\"spi\":4097,\"window\":16"), "window"},
		{SA_ADD(GOOD ",\"spi\":4097,\"window\":0,\"esn\":true"), "window"},
		{SA_ADD(GOOD ",\"spi\":4097,\"worker\":2"), "worker"},
		{SA_ADD(GOOD ",\"spi\":4097,\"protocol\":\"xx\""), "protocol"},
		{SA_ADD("\"name\":\"n\",\"tunnel\":\"t\",\"direction\":\"up\",\"spi\":4097"),
			"direction"},
		{SA_ADD("\"name\":\"n\",\"tunnel\":\"t\",\"spi\":4097"), "direction"},
		{SA_ADD("\"name\":\"a b\",\"tunnel\":\"t\",\"direction\":\"in\",\"spi\":4097"),
			"name"},
		{SA_ADD("\"tunnel\":\"t\",\"direction\":\"in\",\"spi\":4097"), "name"},
		{SA_ADD("\"name\":\"n\",\"direction\":\"in\",\"spi\":4097"), "tunnel"},
		{SA_ADD("\"name\":\"n\",\"tunnel\":\"t\",\"direction\":\"out\",\"spi\":4097,"
			"\"window\":64"),
			"window"},
		{SA_ADD("\"name\":\"n\",\"tunnel\":\"t\",\"direction\":\"in\",\"spi\":4097,"
			"\"suite\":\"aes999\",\"key\":\"00\""),
			"suite"},
		{SA_ADD("\"name\":\"n\",\"tunnel\":\"t\",\"direction\":\"in\",\"spi\":4097,"
			"\"suite\":\"aes128gcm16\",\"key\":\"00\""),
			"key"},
		{SA_ADD("\"name\":\"n\",\"tunnel\":\"t\",\"direction\":\"in\",\"spi\":4097,"
			"\"suite\":\"aes128gcm16\",\"key\":\"0001020304050607 "
			"8090a0b0c0d0e0f10111213\""),
			"key"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *r = fake_ask(&f->env, wrong[i].line);

		if (fake_code(r) != -32602 || strstr(fake_message(r), wrong[i].param) == NULL)
			fail_msg("%s: %s", wrong[i].line,
				fake_message(r) ? fake_message(r) : "taken");
		/* a key is never said again */
		assert_null(strstr(fake_message(r), "0001020304"));
		json_decref(r);
	}
}

static void test_sa_delete(void **state)
{
	json_t *r;

	add("b-in", 1, true, 0x1001, "aes128gcm16");
	r = fake_call(&f->env, "sa.delete", "{\"name\":\"b-in\"}");
	json_decref(r);
	r = fake_ask(&f->env, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sa.delete\",\"params\":{"
			      "\"name\":\"b-in\"}}");
	assert_int_equal(fake_code(r), -32002);
	assert_non_null(strstr(fake_message(r), "b-in"));
	json_decref(r);
}

#define POLICY_ADD(params)                                                              \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"policy.add\",\"params\":{\"name\":" \
	"\"p\"," params "}}"

static void test_policy_add(void **state)
{
	const struct selector *s = &asked_policy.policy.sel;
	json_t *r = fake_ask(&f->env,
		POLICY_ADD("\"action\":\"protect\",\"tunnel\":\"site-b\",\"src\":\"10.0.0.0/8\","
			   "\"proto\":\"udp\",\"dport\":\"5060-5061\",\"before\":\"web\""));

	assert_null(json_object_get(r, "error"));
	json_decref(r);
	assert_true(asked_add);
	assert_string_equal(asked_policy.policy.name, "p");
	assert_string_equal(asked_policy.tunnel, "site-b");
	assert_string_equal(asked_policy.before, "web");
	assert_int_equal(asked_policy.policy.dir, RULE_DIR_BOTH);
	assert_false(s->any_addr);
	/* any destination, but of the source's family */
	assert_true(addr_is4(&s->dst_from) && addr_is4(&s->dst_to));
	assert_int_equal(s->dst_to.w[3], UINT32_MAX);
	assert_int_equal(s->proto, 17);
	assert_int_equal(s->dport_from, 5060);
	assert_int_equal(s->dport_to, 5061);
	assert_int_equal(s->sport_to, UINT16_MAX);
	r = fake_ask(&f->env, POLICY_ADD("\"action\":\"discard\",\"direction\":\"in\",\"proto\":1,"
					 "\"icmp_type\":8"));
	assert_null(json_object_get(r, "error"));
	json_decref(r);
	assert_true(s->any_addr);
	assert_int_equal(asked_policy.policy.dir, RULE_IN);
	assert_int_equal(asked_policy.policy.action, POLICY_DISCARD);
	assert_int_equal(s->sport_from, 8);
	assert_int_equal(s->dport_to, UINT16_MAX);
	status = -ENOENT;
	r = fake_ask(&f->env, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"policy.delete\","
			      "\"params\":{\"name\":\"gone\"}}");
	assert_int_equal(fake_code(r), -32002);
	assert_false(asked_add);
	assert_string_equal(asked_policy.policy.name, "gone");
	json_decref(r);
}

static void test_policy_add_wrong(void **state)
{
	static const struct {
		const char *line, *param;
	} wrong[] = {
		{POLICY_ADD("\"src\":\"any\""), "action"},
		{POLICY_ADD("\"action\":\"protect\""), "tunnel"},
		{POLICY_ADD("\"action\":\"bypass\",\"tunnel\":\"site-b\""), "tunnel"},
		{POLICY_ADD("\"action\":\"bypass\",\"direction\":\"up\""), "direction"},
		{POLICY_ADD("\"action\":\"bypass\",\"src\":\"10.0.0.1/8\""), "src"},
		{POLICY_ADD("\"action\":\"bypass\",\"src\":\"10.0.0.1\",\"dst\":\"::1\""), "dst"},
		{POLICY_ADD("\"action\":\"bypass\",\"proto\":\"nonsense\""), "proto"},
		{POLICY_ADD("\"action\":\"bypass\",\"proto\":\"esp\",\"dport\":1"), "dport"},
		{POLICY_ADD("\"action\":\"bypass\",\"dport\":1"), "dport"},
		{POLICY_ADD("\"action\":\"bypass\",\"proto\":\"tcp\",\"dport\":\"9-1\""), "dport"},
		{POLICY_ADD("\"action\":\"bypass\",\"proto\":\"icmp\",\"icmp_type\":\"256\""),
			"icmp_type"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *r = fake_ask(&f->env, wrong[i].line);

		if (fake_code(r) != -32602 || strstr(fake_message(r), wrong[i].param) == NULL)
			fail_msg("%s: %s", wrong[i].line,
				fake_message(r) ? fake_message(r) : "taken");
		json_decref(r);
	}
}

int main(void)
{
	char *argv[] = {(char *)(uintptr_t) "test", (char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "-m", (char *)(uintptr_t) "256", (char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-telemetry", (char *)(uintptr_t) "--no-shconf",
		(char *)(uintptr_t) "--lcores", (char *)(uintptr_t) "0",
		(char *)(uintptr_t) "--log-level", (char *)(uintptr_t) "5"};
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_show_sad),
		T(test_show_ipsec),
		T(test_show_spd),
		T(test_nothing),
		T(test_sa_add),
		T(test_sa_add_wrong),
		T(test_sa_delete),
		T(test_policy_add),
		T(test_policy_add_wrong),
	};

	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) < 0) {
		fprintf(stderr, "EAL does not start: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
