/* libFuzzer: any bytes as a rule file. Either there are errors and no rules, or rules that can be
 * written and read again as the same.
 */
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule *rules = NULL, *again = NULL;
	struct errs errs = {0}, none = {0};
	uint32_t n = 0, m = 0;
	char line[RULE_STRLEN];
	int r = rulefile_parse((const char *)data, size, "f", &rules, &n, &errs);

	must((r < 0) == (errs.n_errors > 0));
	must(r == 0 || n == 0);
	for (uint32_t i = 0; i < n; i++) {
		rule_format(&rules[i], line, sizeof(line));
		must(rulefile_parse(line, strlen(line), "g", &again, &m, &none) == 0);
		must(m == 1 && rule_same(&rules[i], &again[0]));
		m = 0;
	}
	free(rules);
	free(again);
	errs_fini(&errs);
	errs_fini(&none);
	return 0;
}
