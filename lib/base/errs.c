/* A list of errors about a piece of text. See errs.h. */
#include "base/errs.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ERRS_KEPT 1000

static void add(struct errs *errs, bool warning, const char *file, unsigned line,
	const char *setting, const char *fmt, va_list ap)
{
	char text[512];
	struct err *grown;

	if (!warning)
		errs->n_errors++;
	if (errs->n >= ERRS_KEPT)
		return;
	grown = realloc(errs->e, (errs->n + 1) * sizeof(*grown));
	if (grown == NULL)
		return;
	errs->e = grown;
	vsnprintf(text, sizeof(text), fmt, ap);
	grown[errs->n] = (struct err){
		.file = strdup(file ? file : ""),
		.line = line,
		.setting = strdup(setting ? setting : ""),
		.text = strdup(text),
		.warning = warning,
	};
	errs->n++;
}

void errs_add(struct errs *errs, const char *file, unsigned line, const char *setting,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(errs, false, file, line, setting, fmt, ap);
	va_end(ap);
}

void errs_warn(struct errs *errs, const char *file, unsigned line, const char *setting,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(errs, true, file, line, setting, fmt, ap);
	va_end(ap);
}

char *errs_format(const struct err *e, char *buf, size_t size)
{
	char where[32] = "";

	if (e->line)
		snprintf(where, sizeof(where), ":%u", e->line);
	snprintf(buf, size, "%s%s: %s%s%s", e->file, where, e->setting, *e->setting ? ": " : "",
		e->text);
	return buf;
}

void errs_print(const struct errs *errs, FILE *to)
{
	char line[1024];

	for (size_t i = 0; i < errs->n; i++)
		fprintf(to, "%s%s\n", errs->e[i].warning ? "warning: " : "",
			errs_format(&errs->e[i], line, sizeof(line)));
}

void errs_fini(struct errs *errs)
{
	for (size_t i = 0; i < errs->n; i++) {
		free(errs->e[i].file);
		free(errs->e[i].setting);
		free(errs->e[i].text);
	}
	free(errs->e);
	*errs = (struct errs){0};
}
