/* Cases of filter.test: what is asked, and what is to be answered. For the tests of walk*.c. */
#pragma once

#include "tables_world.h"

/* steps: names of those that must be there in this order, with commas */
struct expect {
	const char *params, *verdict, *reason, *steps;
};

static inline json_t *ask_test(const char *params)
{
	char text[512], *p = text;
	json_t *parsed, *request, *answer;
	char *line;

	snprintf(text, sizeof(text), "{%s}", params);
	for (; *p; p++)
		if (*p == '\'')
			*p = '"';
	parsed = json_loads(text, 0, NULL);
	assert_non_null(parsed);
	request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
		"filter.test", "params", parsed);
	line = json_dumps(request, 0);
	answer = fake_ask(&f->env, line);
	free(line);
	json_decref(request);
	return answer;
}

static inline void expect_walks(const struct expect *expected, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct expect *e = &expected[i];
		json_t *answer = ask_test(e->params), *r = json_object_get(answer, "result"), *s;
		char steps[256] = "";
		size_t k;

		print_message("%s\n", e->params);
		assert_non_null(r);
		json_array_foreach (json_object_get(r, "steps"), k, s) {
			strcat(steps, json_string_value(json_object_get(s, "step")));
			strcat(steps, ",");
		}
		assert_string_equal(steps, e->steps);
		if (e->reason != NULL)
			assert_string_equal(
				json_string_value(json_object_get(r, "reason")), e->reason);
		else
			assert_true(json_is_null(json_object_get(r, "reason")));
		assert_string_equal(json_string_value(json_object_get(r, "verdict")), e->verdict);
		json_decref(answer);
	}
}
