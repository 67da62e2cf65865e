/* What a parse must say: each finding with its exact line and setting. For the tests of conf. */
#pragma once

#include "base/errs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WANT_MAX 24

struct want {
	unsigned line;
	const char *setting;
	const char *text; /* the message has this in it; NULL ends a list */
};

/* The findings of errs from first on are the wanted ones, in this order and no other. */
static inline void expect(const struct errs *errs, bool warnings, const struct want *want)
{
	size_t k = 0;

	for (size_t i = 0; i < errs->n; i++) {
		const struct err *e = &errs->e[i];

		if (e->warning != warnings)
			continue;
		if (k < WANT_MAX && want[k].text && want[k].line == e->line &&
			strcmp(want[k].setting, e->setting) == 0 && strstr(e->text, want[k].text)) {
			k++;
			continue;
		}
		errs_print(errs, stderr);
		fail_msg("found line %u, setting \"%s\": %s\nwanted line %u, setting \"%s\": %s",
			e->line, e->setting, e->text, want[k].text ? want[k].line : 0,
			want[k].text ? want[k].setting : "",
			want[k].text ? want[k].text : "nothing");
	}
	if (want[k].text)
		fail_msg("missing: line %u, setting \"%s\": %s", want[k].line, want[k].setting,
			want[k].text);
}
