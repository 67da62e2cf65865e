/* base/errs: a list of errors keeps copies, counts, formats, and has an end. */
#include "base/errs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void keeps_copies(void **state)
{
	struct errs errs = {0};
	char file[] = "a.conf", setting[] = "ports[0].mtu";

	errs_add(&errs, file, 7, setting, "found %d, expected %d", 1, 2);
	memset(file, 'x', strlen(file));
	memset(setting, 'x', strlen(setting));
	assert_int_equal(errs.n, 1);
	assert_int_equal(errs.n_errors, 1);
	assert_string_equal(errs.e[0].file, "a.conf");
	assert_int_equal(errs.e[0].line, 7);
	assert_string_equal(errs.e[0].setting, "ports[0].mtu");
	assert_string_equal(errs.e[0].text, "found 1, expected 2");
	assert_false(errs.e[0].warning);
	errs_fini(&errs);
	assert_int_equal(errs.n, 0);
	assert_null(errs.e);
}

static void warnings_are_no_errors(void **state)
{
	struct errs errs = {0};

	errs_warn(&errs, "a.conf", 1, "x", "hm");
	assert_int_equal(errs.n, 1);
	assert_int_equal(errs.n_errors, 0);
	assert_true(errs.e[0].warning);
	errs_fini(&errs);
}

static void formats(void **state)
{
	struct errs errs = {0};
	char buf[64], small[8];

	errs_add(&errs, "a.conf", 7, "system.mbufs", "too few");
	errs_add(&errs, "a.conf", 0, "", "no memory");
	errs_add(&errs, NULL, 0, NULL, "nothing known");
	assert_string_equal(
		errs_format(&errs.e[0], buf, sizeof(buf)), "a.conf:7: system.mbufs: too few");
	assert_string_equal(errs_format(&errs.e[1], buf, sizeof(buf)), "a.conf: no memory");
	assert_string_equal(errs_format(&errs.e[2], buf, sizeof(buf)), ": nothing known");
	assert_string_equal(errs_format(&errs.e[0], small, sizeof(small)), "a.conf:");
	errs_fini(&errs);
}

static void prints_a_line_each(void **state)
{
	struct errs errs = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	errs_add(&errs, "a", 1, "s", "bad");
	errs_warn(&errs, "a", 2, "s", "odd");
	errs_print(&errs, to);
	fclose(to);
	assert_string_equal(text, "a:1: s: bad\nwarning: a:2: s: odd\n");
	free(text);
	errs_fini(&errs);
}

static void has_an_end(void **state)
{
	struct errs errs = {0};

	for (unsigned i = 0; i < 5000; i++)
		errs_add(&errs, "a", i, "s", "bad");
	assert_int_equal(errs.n, 1000);
	assert_int_equal(errs.n_errors, 5000);
	assert_int_equal(errs.e[999].line, 999);
	errs_fini(&errs);
}

static void cuts_long_text(void **state)
{
	struct errs errs = {0};
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	errs_add(&errs, "a", 1, "s", "%s", text);
	assert_in_range(strlen(errs.e[0].text), 100, 1000);
	errs_fini(&errs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_copies),
		cmocka_unit_test(warnings_are_no_errors),
		cmocka_unit_test(formats),
		cmocka_unit_test(prints_a_line_each),
		cmocka_unit_test(has_an_end),
		cmocka_unit_test(cuts_long_text),
	};

	return cmocka_run_group_tests_name("base/errs", tests, NULL, NULL);
}
