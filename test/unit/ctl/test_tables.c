/* The methods that show the tables, with real ones: a filter, routes, neighbours. */
#include "tables_world.h"

static void test_show_filter(void **state)
{
	uint32_t id = acl->verdict[2].counter;
	json_t *r, *list, *rule;

	f->worker[0]->rule_counter[id] = (struct rule_counter){5, 500};
	f->worker[1]->rule_counter[id] = (struct rule_counter){7, 700};
	base[id] = (struct rule_counter){2, 200};
	r = fake_call(&f->env, "show.filter", "{}");
	list = json_object_get(r, "rules");
	assert_int_equal(json_integer_value(json_object_get(r, "total")), RULES + 1);
	assert_int_equal(json_array_size(list), RULES + 1);
	rule = json_array_get(list, 1);
	assert_int_equal(json_integer_value(json_object_get(rule, "number")), 2);
	assert_int_equal(json_integer_value(json_object_get(rule, "line")), 2);
	assert_int_equal(json_integer_value(json_object_get(rule, "packets")), 10);
	assert_int_equal(json_integer_value(json_object_get(rule, "bytes")), 1000);
	rule = json_array_get(list, RULES);
	assert_int_equal(json_integer_value(json_object_get(rule, "number")), 0);
	assert_non_null(json_object_get(r, "build"));
	json_decref(r);
	r = fake_call(&f->env, "show.filter", "{\"offset\":4,\"limit\":1}");
	assert_int_equal(json_array_size(json_object_get(r, "rules")), 1);
	assert_null(json_object_get(r, "build"));
	json_decref(r);
	r = fake_call(&f->env, "show.filter", "{\"offset\":1000000}");
	assert_int_equal(json_array_size(json_object_get(r, "rules")), 0);
	json_decref(r);
	base[id] = (struct rule_counter){0};
}

static void test_show_routes(void **state)
{
	json_t *r = fake_call(&f->env, "show.routes", "{}"), *e,
	       *list = json_object_get(r, "routes");
	size_t i, groups = 0;

	assert_int_equal(json_array_size(list), 17);
	json_array_foreach (list, i, e)
		if (strcmp(json_string_value(json_object_get(e, "type")), "multipath") == 0) {
			assert_int_equal(json_array_size(json_object_get(e, "next_hops")), 2);
			groups++;
		}
	assert_int_equal(groups, 2);
	json_decref(r);
}

static void test_show_neighbours(void **state)
{
	json_t *r = fake_call(&f->env, "show.neighbours", "{}");

	assert_int_equal(json_integer_value(json_object_get(r, "total")), 5);
	assert_int_equal(json_array_size(json_object_get(r, "neighbours")), 5);
	json_decref(r);
	r = fake_call(&f->env, "show.neighbours", "{\"offset\":1,\"limit\":1}");
	assert_int_equal(json_integer_value(json_object_get(r, "total")), 5);
	assert_int_equal(json_array_size(json_object_get(r, "neighbours")), 1);
	json_decref(r);
}

/* RFC 4862 section 5.4: addresses that are not used yet are said to be so. */
static void test_show_ports_tentative(void **state)
{
	json_t *r = fake_call(&f->env, "show.ports", "{}"), *e;
	size_t i;

	json_array_foreach (json_object_get(r, "interfaces"), i, e) {
		json_t *tentative = json_object_get(e, "tentative");

		assert_int_equal(json_array_size(json_object_get(e, "duplicate")), 0);
		assert_int_equal(json_array_size(tentative), i + 1 == STRICT ? 2 : 0);
		if (i + 1 == STRICT)
			assert_string_equal(
				json_string_value(json_array_get(tentative, 0)), "fd00:4::1");
	}
	assert_int_equal(i, IFACES);
	json_decref(r);
}

static void test_show_fragments(void **state)
{
	json_t *r = fake_call(&f->env, "show.fragments", "{}"), *totals;

	/* these workers have no tables: all is 0 and there */
	assert_int_equal(json_array_size(json_object_get(r, "workers")), 2);
	totals = json_object_get(r, "totals");
	assert_int_equal(json_integer_value(json_object_get(totals, "waiting")), 0);
	assert_int_equal(json_object_size(json_object_get(totals, "failed")), FRAG_WHY_N);
	json_decref(r);
}

static void test_show_graph(void **state)
{
	json_t *r = fake_call(&f->env, "show.graph", "{}");
	const char *dot = json_string_value(json_object_get(r, "dot"));

	assert_true(json_array_size(json_object_get(r, "nodes")) > 10);
	assert_memory_equal(dot, "digraph postern {", 17);
	assert_non_null(strstr(dot, "\"acl_in\" -> \"acl_out\""));
	json_decref(r);
}

/* A page ends early rather than become too long. */
static void test_page_is_bounded(void **state)
{
	static char name[4000];
	struct rule *many = calloc(4000, sizeof(*many));
	struct acl_verdict *verdict = calloc(4001, sizeof(*verdict));
	struct acl big = {.n_rules = 4000, .rule = many, .verdict = verdict};
	json_t *r;
	char *text;

	memset(name, 'x', sizeof(name) - 1);
	for (int i = 0; i < 4000; i++)
		many[i] = (struct rule){.file = name, .line = 1, .tunnel = RULE_TUNNEL_ANY};
	f->root.acl = &big;
	r = fake_call(&f->env, "show.filter", "{\"limit\":10000}");
	text = json_dumps(r, 0);
	assert_true(strlen(text) < 512 * 1024);
	assert_true(json_array_size(json_object_get(r, "rules")) > 30);
	free(text);
	json_decref(r);
	f->root.acl = acl;
	free(many);
	free(verdict);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_show_filter),
		T(test_show_routes),
		T(test_show_neighbours),
		T(test_show_ports_tentative),
		T(test_show_fragments),
		T(test_show_graph),
		T(test_page_is_bounded),
	};

	return world_run(tests, sizeof(tests) / sizeof(tests[0]));
}
