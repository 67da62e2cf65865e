/* Writes a rule list for the benches, in the classic syntax, to the standard output:
 *
 *     rulegen --rules 1000 --seed 1 [--split] [--ip6] > FILE
 *
 * Of the flows in flows.h, each meets its first match in the last line. --split makes the inbound
 * and the outbound list different; --ip6 writes the list's IPv6 twin.
 */
#include "gen.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static int usage(void)
{
	fprintf(stderr,
		"usage: rulegen --rules N [--seed S] [--split] [--ip6]\n"
		"N: 1 to %d\n",
		RULES_MAX);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"rules", required_argument, NULL, 'r'},
		{"seed", required_argument, NULL, 's'}, {"split", no_argument, NULL, 'p'},
		{"ip6", no_argument, NULL, '6'}, {0}};
	unsigned long n = 0, seed = 1;
	bool split = false, ip6 = false;
	struct rule *rules;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			n = strtoul(optarg, NULL, 10);
		else if (c == 's')
			seed = strtoul(optarg, NULL, 10);
		else if (c == 'p')
			split = true;
		else if (c == '6')
			ip6 = true;
		else
			return usage();
	}
	if (optind != argc || n < 1 || n > RULES_MAX)
		return usage();
	rules = calloc(n, sizeof(rules[0]));
	if (rules == NULL || rulegen(rules, (uint32_t)n, seed, split, ip6) != 0) {
		fprintf(stderr, "rulegen: out of memory\n");
		return 1;
	}
	printf("# rulegen --rules %lu --seed %lu%s%s\n", n, seed, split ? " --split" : "",
		ip6 ? " --ip6" : "");
	for (unsigned long i = 0; i < n; i++) {
		char text[RULE_STRLEN];

		puts(rule_format(&rules[i], text, sizeof(text)));
	}
	free(rules);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
