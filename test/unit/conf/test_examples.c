/* config/: each *.conf loads without an error, and without a warning but the one that the classic
 * list is known for. The test runs at the top of the tree.
 */
#include "conf/conf.h"

#include "expect.h"

#include <glob.h>

static void each_example(void **state)
{
	glob_t g;

	assert_int_equal(glob("config/*.conf", 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 5);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct errs errs = {0};
		struct conf *conf = conf_load(g.gl_pathv[i], &errs);

		print_message("%s\n", g.gl_pathv[i]);
		if (conf == NULL) {
			errs_print(&errs, stderr);
			fail_msg("%s is refused", g.gl_pathv[i]);
		}
		for (size_t k = 0; k < errs.n; k++) {
			if (strcmp(errs.e[k].file, "config/classic.rules") == 0 &&
				errs.e[k].line == 23)
				continue;
			errs_print(&errs, stderr);
			fail_msg("%s has a warning", g.gl_pathv[i]);
		}
		assert_true(conf->n_rules > 0);
		assert_int_equal(conf_diff_restart(conf, conf, &errs), 0);
		conf_free(conf);
		errs_fini(&errs);
	}
	globfree(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_example)};

	return cmocka_run_group_tests_name("conf/examples", tests, NULL, NULL);
}
