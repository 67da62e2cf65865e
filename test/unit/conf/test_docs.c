/* docs/config.md and postern.conf(5) name each setting with its type, range, default and whether a
 * reload applies it, as settings.def has them.
 *
 * The documents are read from the top of the tree, where the test runs.
 */
#include "conf/settings.h"

#include "expect.h"

#include <stdlib.h>

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 18);

	if (f == NULL || text == NULL)
		fail_msg("can't read %s", path);
	assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
	fclose(f);
	return text;
}

/* The part of a document that begins with head, up to the next head of the kind. */
static char *part(const char *text, const char *head, const char *next)
{
	const char *from = strstr(text, head), *to;

	if (from == NULL)
		fail_msg("missing: %s", head);
	from += strlen(head);
	to = strstr(from, next);
	return to ? strndup(from, (size_t)(to - from)) : strdup(from);
}

static void markdown(void **state)
{
	char *text = read_whole("docs/config.md");

	for (unsigned i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		char head[64], row[512], range[256], def[128], *in;

		snprintf(head, sizeof(head), "\n## %s\n", s->section);
		in = part(text, head, "\n## ");
		snprintf(row, sizeof(row), "\n| `%s` | %s | %s | %s | %s | ", s->name,
			setting_type_text(s), setting_range_text(s, range, sizeof(range)),
			setting_default_text(s, def, sizeof(def)),
			s->restart ? "restart" : "reload");
		if (strstr(in, row) == NULL)
			fail_msg("docs/config.md, %s: missing the row%s", s->section, row);
		free(in);
	}
	free(text);
}

/* A dash before a digit is a minus in roff. */
static void roff(const char *from, char *to)
{
	for (; *from; from++) {
		if (*from == '-' && from[1] >= '0' && from[1] <= '9')
			*to++ = '\\';
		*to++ = *from;
	}
	*to = '\0';
}

static void manual(void **state)
{
	char *text = read_whole("docs/man/postern.conf.5");

	for (unsigned i = 0; i < n_settings; i++) {
		const struct setting *s = &settings[i];
		char head[64], item[512], line[1024], range[256], def[128], *in;
		const char *d = setting_default_text(s, def, sizeof(def));

		snprintf(head, sizeof(head), "\n.Ss %s\n", s->section);
		in = part(text, head, "\n.S");
		snprintf(item, sizeof(item), "\n.It Ic %s\n%s; %s; %s%s; %s.\n", s->name,
			setting_type_text(s), setting_range_text(s, range, sizeof(range)),
			strcmp(d, "required") == 0 ? "" : "default ", d,
			s->restart ? "restart" : "reload");
		roff(item, line);
		if (strstr(in, line) == NULL)
			fail_msg("postern.conf.5, %s: missing%s", s->section, line);
		free(in);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markdown),
		cmocka_unit_test(manual),
	};

	return cmocka_run_group_tests_name("conf/docs", tests, NULL, NULL);
}
