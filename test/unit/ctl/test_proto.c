/* The protocol: what is answered to what, table-driven; and the methods that need no tables. */
#include "fake.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define R(method, params) \
	"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" method "\",\"params\":" params "}"

static const struct {
	const char *line;
	int code;
	const char *says; /* in the message */
} errors[] = {
	{"", -32700, "not JSON"},
	{"{", -32700, "not JSON"},
	{"garbage", -32700, "not JSON"},
	{"{\"jsonrpc\":\"2.0\"} x", -32700, "not JSON"},
	{"{\"a\":1,\"a\":2}", -32700, "duplicate"},
	{"\"\xff\"", -32700, "not JSON"},
	{"{\"id\":99999999999999999999}", -32700, "not JSON"},
	{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", -32700, "nested deeper than 16"},
	{"1", -32600, "is an object"},
	{"null", -32600, "is an object"},
	{"\"x\"", -32600, "is an object"},
	{"[]", -32600, "batches"},
	{"[" R("show.version", "{}") "]", -32600, "batches"},
	{"{}", -32600, "\"jsonrpc\""},
	{"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"show.version\"}", -32600, "\"jsonrpc\""},
	{"{\"jsonrpc\":2,\"id\":1,\"method\":\"show.version\"}", -32600, "\"jsonrpc\""},
	{"{\"jsonrpc\":\"2.0\",\"id\":1}", -32600, "\"method\""},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", -32600, "\"method\""},
	{"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"show.version\"}", -32600, "\"id\""},
	{"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"show.version\"}", -32600, "\"id\""},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.version\",\"param\":{}}", -32600,
		"no member \"param\""},
	{R("show.nothing", "{}"), -32601, "there is no method \"show.nothing\""},
	{R("", "{}"), -32601, "there is no method"},
	{R("show.version", "[]"), -32602, "must be an object"},
	{R("show.version", "null"), -32602, "must be an object"},
	{R("show.version", "{\"x\":1}"), -32602, "show.version has no parameter \"x\""},
	{R("show.routes", "{\"limit\":0}"), -32602, "\"limit\" must be an integer from 1 to 10000"},
	{R("show.routes", "{\"limit\":10001}"), -32602, "\"limit\""},
	{R("show.routes", "{\"limit\":1.5}"), -32602, "\"limit\""},
	{R("show.routes", "{\"limit\":\"5\"}"), -32602, "\"limit\""},
	{R("show.routes", "{\"offset\":-1}"), -32602, "\"offset\""},
	{R("show.routes", "{\"offset\":9223372036854775807}"), -32602, "\"offset\""},
	{R("show.log", "{\"limit\":257}"), -32602, "\"limit\""},
	{R("show.drops", "{\"sample\":1}"), -32602, "\"sample\" must be true or false"},
	{R("show.drops", "{\"reason\":\"\"}"), -32602, "\"reason\""},
	{R("show.drops", "{\"reason\":\"nothing\"}"), -32602, "no drop reason \"nothing\""},
	{R("show.drops", "{\"limit\":33}"), -32602, "\"limit\""},
	{R("config.check", "{\"file\":\"relative\"}"), -32602, "an absolute path"},
	{R("config.check", "{\"file\":\"/dev/zero\"}"), -32602, "an ordinary file"},
	{R("config.check", "{\"file\":\"/\"}"), -32602, "an ordinary file"},
	{R("filter.test", "{\"sport\":65536}"), -32602, "\"sport\""},
	{R("filter.test", "{\"proto\":256}"), -32602, "\"proto\""},
	{R("filter.test", "{\"proto\":true}"), -32602, "\"proto\""},
	/* these need what the fake does not have */
	{R("filter.test", "{}"), -32000, "no tables"},
	{R("show.filter", "{}"), -32000, "no filter"},
	{R("show.routes", "{}"), -32000, "no routes"},
	{R("show.neighbours", "{}"), -32000, "no neighbour table"},
	{R("show.log", "{}"), -32000, "no filter log"},
};

static void test_errors(void **state)
{
	struct fake *f = fake_new();

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		json_t *answer = fake_ask(&f->env, errors[i].line);

		print_message("%s\n", errors[i].line);
		assert_non_null(answer);
		assert_string_equal(json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
		assert_non_null(json_object_get(answer, "id"));
		assert_null(json_object_get(answer, "result"));
		assert_int_equal(fake_code(answer), errors[i].code);
		assert_non_null(strstr(fake_message(answer), errors[i].says));
		json_decref(answer);
	}
	fake_free(f);
}

static void test_id_comes_back(void **state)
{
	static const char *const id[] = {"7", "\"x\"", "null", "-1", "\"\\u00fc\""};
	struct fake *f = fake_new();

	for (size_t i = 0; i < 5; i++) {
		json_t *want = json_loads(id[i], JSON_DECODE_ANY, NULL), *answer;
		char line[128];

		for (int good = 0; good < 2; good++) {
			snprintf(line, sizeof(line),
				"{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\"}", id[i],
				good ? "show.version" : "show.nothing");
			answer = fake_ask(&f->env, line);
			assert_true(json_equal(json_object_get(answer, "id"), want));
			json_decref(answer);
		}
		json_decref(want);
	}
	fake_free(f);
}

static void test_notification_is_not_answered(void **state)
{
	struct fake *f = fake_new();

	f->reload_now = true;
	assert_null(fake_ask(&f->env, "{\"jsonrpc\":\"2.0\",\"method\":\"show.version\"}"));
	assert_null(fake_ask(&f->env, "{\"jsonrpc\":\"2.0\",\"method\":\"show.nothing\"}"));
	assert_null(fake_ask(&f->env, "{\"jsonrpc\":\"2.0\",\"method\":\"config.reload\"}"));
	assert_null(fake_ask(NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"show.version\"}"));
	fake_free(f);
}

static void test_error_data(void **state)
{
	struct fake *f = fake_new();
	json_t *a, *data;

	a = fake_ask(&f->env, R("show.nothing", "{}"));
	data = json_object_get(json_object_get(a, "error"), "data");
	assert_int_equal(json_array_size(json_object_get(data, "methods")), 23);
	json_decref(a);
	a = fake_ask(&f->env, R("show.routes", "{\"limit\":0}"));
	data = json_object_get(json_object_get(a, "error"), "data");
	assert_string_equal(json_string_value(json_object_get(data, "param")), "limit");
	assert_string_equal(
		json_string_value(json_object_get(data, "expected")), "an integer from 1 to 10000");
	json_decref(a);
	fake_free(f);
}

static void test_without_env(void **state)
{
	static const char *const methods[] = {"show.version", "show.ports", "show.routes",
		"show.neighbours", "show.filter", "show.workers", "show.fragments", "show.graph",
		"show.drops", "show.log", "filter.test", "config.check", "config.reload"};
	struct ctl_env nothing = {0};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char line[128];
		json_t *a;

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\"}",
			methods[i]);
		a = fake_ask(NULL, line);
		assert_int_equal(fake_code(a), -32000);
		json_decref(a);
		a = fake_ask(&nothing, line); /* an answer of whatever kind */
		assert_non_null(a);
		json_decref(a);
	}
}

static void test_version(void **state)
{
	struct fake *f = fake_new();
	json_t *r = fake_call(&f->env, "show.version", "{}");

	assert_string_equal(json_string_value(json_object_get(r, "version")), "1.2.3");
	assert_int_equal(json_integer_value(json_object_get(r, "generation")), 4);
	assert_true(json_is_null(json_object_get(r, "reloaded")));
	json_decref(r);
	f->env.config_path = "/bad\xff/utf8";
	r = fake_call(&f->env, "show.version", "{}");
	assert_string_equal(json_string_value(json_object_get(r, "config")), "/bad?/utf8");
	json_decref(r);
	fake_free(f);
}

static void test_ports(void **state)
{
	struct fake *f = fake_new();
	json_t *r, *p, *i;

	f->worker[0]->stats.port[0] = (struct port_counters){1, 2, 3, 4};
	f->worker[1]->stats.port[0] = (struct port_counters){10, 20, 30, 40};
	r = fake_call(&f->env, "show.ports", "{}");
	p = json_array_get(json_object_get(r, "ports"), 0);
	assert_int_equal(json_integer_value(json_object_get(p, "rx_packets")), 11);
	assert_int_equal(json_integer_value(json_object_get(p, "tx_bytes")), 44);
	assert_int_equal(json_array_size(json_object_get(p, "interfaces")), 2);
	i = json_array_get(json_object_get(r, "interfaces"), 1);
	assert_string_equal(json_string_value(json_object_get(i, "name")), "wan0");
	assert_string_equal(json_string_value(json_object_get(i, "zone")), "nonsecure");
	assert_int_equal(json_integer_value(json_object_get(i, "vlan")), 7);
	assert_true(json_is_false(json_object_get(i, "enabled")));
	assert_true(json_is_null(json_object_get(i, "link_local")));
	assert_true(json_is_null(json_object_get(i, "outer_vlan")));
	assert_true(json_is_null(json_object_get(i, "router_advertisements")));
	json_decref(r);
	fake_free(f);
}

/* Addresses of IPv6, two tags, and what an interface advertises (RFC 4861, RFC 8106). */
static void test_ports_ip6(void **state)
{
	struct fake *f = fake_new();
	struct iface *wan = &f->ports.iface[2];
	struct prefix addrs[3];
	struct ra ra = {.send = true,
		.interval_s = 600,
		.lifetime_s = 1800,
		.mtu = 1400,
		.n_prefixes = 1,
		.n_dns = 1,
		.dns_lifetime_s = RA_FOREVER,
		.domains_len = 13 + 3,
		.domains = "\7example\3net\0\1x"};
	const char *expected =
		"{\"send\":true,\"interval_s\":600,\"lifetime_s\":1800,\"managed\":false,"
		"\"other_config\":false,\"hop_limit\":0,\"mtu\":1400,\"reachable_ms\":0,"
		"\"retrans_ms\":0,\"prefixes\":[{\"prefix\":\"2001:db8::/64\",\"on_link\":true,"
		"\"autonomous\":false,\"valid_s\":null,\"preferred_s\":60}],"
		"\"dns\":[\"2001:db8::53\"],\"domains\":[\"example.net\",\"x\"],"
		"\"dns_lifetime_s\":null}";
	json_t *r, *i, *a;
	char *text;

	assert_int_equal(prefix_parse("10.0.0.1/24", &addrs[0]), 0);
	assert_int_equal(prefix_parse("2001:db8::1/64", &addrs[1]), 0);
	assert_int_equal(prefix_parse("fe80::1/64", &addrs[2]), 0);
	assert_int_equal(prefix_parse("2001:db8::/64", &ra.prefix[0].prefix), 0);
	assert_int_equal(addr_parse("2001:db8::53", &ra.dns[0]), 0);
	ra.prefix[0].on_link = true;
	ra.prefix[0].valid_s = RA_FOREVER;
	ra.prefix[0].preferred_s = 60;
	wan->addrs = addrs;
	wan->n_addrs = 3;
	wan->ll = addrs[2].addr;
	wan->flags = IFACE_IP6;
	wan->outer_vlan = 100;
	wan->ra = &ra;
	r = fake_call(&f->env, "show.ports", "{}");
	i = json_array_get(json_object_get(r, "interfaces"), 1);
	assert_int_equal(json_integer_value(json_object_get(i, "outer_vlan")), 100);
	assert_string_equal(json_string_value(json_object_get(i, "link_local")), "fe80::1");
	a = json_object_get(i, "addresses");
	assert_int_equal(json_array_size(a), 3);
	assert_string_equal(json_string_value(json_array_get(a, 1)), "2001:db8::1/64");
	text = json_dumps(json_object_get(i, "router_advertisements"), JSON_COMPACT);
	assert_string_equal(text, expected);
	free(text);
	json_decref(r);
	fake_free(f);
}

static void test_workers_add_up(void **state)
{
	struct fake *f = fake_new();
	struct worker_stats *s = &f->worker[1]->stats;
	uint64_t second = rte_rdtsc() / f->shared.tsc_hz;
	json_t *r, *t, *w;

	f->worker[0]->stats.received = 100;
	s->created = 3;
	s->sent = 50;
	s->punted = 1;
	s->drops[DROP_NO_ROUTE] = 40;
	s->neigh_waiting = 9;
	f->worker[1]->gap[second % GAP_SECONDS].second = second;
	f->worker[1]->gap[second % GAP_SECONDS].cycles = 1234567;
	r = fake_call(&f->env, "show.workers", "{}");
	t = json_object_get(r, "totals");
	assert_int_equal(json_integer_value(json_object_get(t, "dropped")), 40);
	assert_int_equal(json_integer_value(json_object_get(t, "in_flight")), 9);
	assert_int_equal(json_integer_value(json_object_get(t, "balance")), 3);
	w = json_array_get(json_object_get(r, "workers"), 1);
	assert_string_equal(json_string_value(json_object_get(w, "state")), "stopped");
	assert_true(json_number_value(json_object_get(w, "gap_60s_us")) > 1234);
	assert_true(json_number_value(json_object_get(w, "gap_60s_us")) < 1235);
	json_decref(r);
	fake_free(f);
}

static double worker_number(json_t *r, size_t i, const char *name)
{
	return json_number_value(
		json_object_get(json_array_get(json_object_get(r, "workers"), i), name));
}

/* The load since the last look: of one that is a second ago or more. */
static void test_workers_load(void **state)
{
	struct fake *f = fake_new();
	uint64_t hz = f->shared.tsc_hz, now = rte_rdtsc();
	json_t *r;

	f->shared.wall_tsc = now - 1000 * hz;
	f->worker[1]->stats.busy_cycles = 100 * hz;
	r = fake_call(&f->env, "show.workers", "{}"); /* nobody has looked: since the start */
	assert_true(worker_number(r, 0, "load") == 0);
	assert_true(worker_number(r, 1, "load") > 0.09 && worker_number(r, 1, "load") < 0.101);
	assert_true(worker_number(r, 1, "load_recent") == worker_number(r, 1, "load"));
	json_decref(r);
	f->env.look[1].tsc -= 4 * hz; /* that was four seconds ago */
	f->worker[1]->stats.busy_cycles += 2 * hz;
	r = fake_call(&f->env, "show.workers", "{}");
	assert_true(worker_number(r, 1, "recent_s") >= 4);
	assert_true(worker_number(r, 1, "load_recent") * worker_number(r, 1, "recent_s") > 1.999);
	assert_true(worker_number(r, 1, "load_recent") * worker_number(r, 1, "recent_s") < 2.001);
	json_decref(r);
	f->env.look[1].tsc = rte_rdtsc(); /* just now: the look before is taken again */
	r = fake_call(&f->env, "show.workers", "{}");
	assert_true(worker_number(r, 1, "recent_s") >= 4);
	json_decref(r);
	fake_free(f);
}

static void sample(struct drop_sample *s, uint32_t seq, uint64_t ns)
{
	static const uint8_t ip[] = {0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0,
		0, 2, 0, 53, 4, 0, 0, 8, 0, 0};

	memset(s, 0, sizeof(*s));
	s->len = s->kept = sizeof(ip);
	memcpy(s->data, ip, sizeof(ip));
	s->wall_ns = ns;
	s->in_if = 1;
	s->out_if = 9; /* gone */
	s->verdict = UINT32_MAX;
	atomic_store(&s->seq, seq);
}

static void test_drops(void **state)
{
	struct fake *f = fake_new();
	json_t *r, *row, *list, *s;

	f->worker[0]->stats.drops[DROP_NO_ROUTE] = 3;
	f->worker[1]->stats.drops[DROP_NO_ROUTE] = 4;
	sample(&f->worker[0]->sample[DROP_NO_ROUTE][0], 2, 1000000000);
	sample(&f->worker[0]->sample[DROP_NO_ROUTE][1], 3, 0); /* being written */
	sample(&f->worker[1]->sample[DROP_NO_ROUTE][2], 4, 2000000000);
	r = fake_call(&f->env, "show.drops", "{\"sample\":true}");
	assert_int_equal(json_integer_value(json_object_get(r, "total")), 7);
	assert_int_equal(json_array_size(json_object_get(r, "drops")), 1);
	row = json_array_get(json_object_get(r, "drops"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "reason")), "no-route");
	list = json_object_get(row, "samples");
	assert_int_equal(json_array_size(list), 2);
	s = json_array_get(list, 0); /* the newest */
	assert_string_equal(
		json_string_value(json_object_get(s, "time")), "1970-01-01T00:00:02.000Z");
	assert_string_equal(json_string_value(json_object_get(s, "in")), "lan0");
	assert_string_equal(json_string_value(json_object_get(s, "out")), "#9");
	assert_string_equal(json_string_value(json_object_get(s, "packet")),
		"IPv4 10.0.0.1:53 > 10.0.0.2:1024 udp data 0 ttl 64 length 28");
	assert_int_equal(json_string_length(json_object_get(s, "hex")), 56);
	json_decref(r);
	r = fake_call(&f->env, "show.drops", "{\"all\":true}");
	assert_int_equal(json_array_size(json_object_get(r, "drops")), DROP_N - 1);
	json_decref(r);
	r = fake_call(&f->env, "show.drops", "{\"reason\":\"urpf\"}");
	assert_int_equal(json_array_size(json_object_get(r, "drops")), 1);
	json_decref(r);
	fake_free(f);
}

static void test_config_check(void **state)
{
	struct fake *f = fake_new();
	json_t *r = fake_call(&f->env, "config.check", "{\"file\":\"/nowhere/bad\"}"), *e;

	assert_true(json_is_false(json_object_get(r, "valid")));
	assert_int_equal(json_array_size(json_object_get(r, "warnings")), 1);
	e = json_array_get(json_object_get(r, "errors"), 0);
	assert_int_equal(json_integer_value(json_object_get(e, "line")), 3);
	assert_string_equal(json_string_value(json_object_get(e, "setting")), "ports[0].mtu");
	json_decref(r);
	r = fake_call(&f->env, "config.check", "{}");
	assert_true(json_is_true(json_object_get(r, "valid")));
	json_decref(r);
	fake_free(f);
}

static void keep(void *arg, char *answer)
{
	*(char **)arg = answer;
}

static void test_reload_later(void **state)
{
	struct fake *f = fake_new();
	const char *line = R("config.reload", "{}");
	struct errs none = {0};
	char *answer = NULL;
	bool pending = false;

	assert_null(ctl_handle(&f->env, line, strlen(line), keep, &answer, &pending));
	assert_true(pending);
	assert_null(answer);
	f->done(f->done_arg, 0, &none);
	assert_non_null(answer);
	assert_non_null(strstr(answer, "\"applied\":true"));
	assert_non_null(strstr(answer, "\"id\":7"));
	free(answer);
	fake_free(f);
}

static void test_reload_now(void **state)
{
	static const struct {
		int status;
		const char *word;
	} t[] = {{0, "applied"}, {-EINVAL, "refused"}, {-EBUSY, "busy"}, {-ENOMEM, "failed"}};
	struct fake *f = fake_new();

	f->reload_now = true;
	for (size_t i = 0; i < 4; i++) {
		json_t *r;

		f->status = t[i].status;
		r = fake_call(&f->env, "config.reload", "{}");
		assert_string_equal(json_string_value(json_object_get(r, "status")), t[i].word);
		assert_int_equal(json_is_true(json_object_get(r, "applied")), t[i].status == 0);
		json_decref(r);
	}
	fake_free(f);
}

/* Every shortening of a good request is answered, and none is taken for good. */
static void test_truncated(void **state)
{
	const char *line = R("show.drops", "{\"reason\":\"urpf\",\"sample\":true}");
	struct fake *f = fake_new();

	for (size_t n = 0; n < strlen(line); n++) {
		char *exact = malloc(n ? n : 1);
		json_t *a;

		memcpy(exact, line, n);
		a = fake_ask_line(&f->env, exact, n);
		assert_int_equal(fake_code(a), -32700);
		json_decref(a);
		free(exact);
	}
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_id_comes_back),
		cmocka_unit_test(test_notification_is_not_answered),
		cmocka_unit_test(test_error_data),
		cmocka_unit_test(test_without_env),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_ports_ip6),
		cmocka_unit_test(test_workers_add_up),
		cmocka_unit_test(test_workers_load),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_config_check),
		cmocka_unit_test(test_reload_later),
		cmocka_unit_test(test_reload_now),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
