/* A list of errors and warnings about a piece of text (a config file, a rule file): every one says
 * where it is, in which setting, and what was expected, so that a user sees all of them at once.
 *
 * Used by conf and whoever shows its findings. Owns copies of all strings. Control thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct err {
	char *file;    /* as the user named it; never NULL */
	unsigned line; /* from 1; 0 where no line is known */
	char *setting; /* path such as "ports[0].mtu"; "" where there is none */
	char *text;    /* what is wrong and what was expected */
	bool warning;  /* does not refuse the configuration */
};

struct errs {
	struct err *e;
	size_t n;
	size_t n_errors; /* those that are not warnings */
};

/* Adds an error (warning: a warning). file and setting are copied; file may be NULL (""). After
 * 1000 entries further ones are counted in n_errors but not kept, so that a hostile file is no
 * flood. */
void errs_add(struct errs *errs, const char *file, unsigned line, const char *setting,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void errs_warn(struct errs *errs, const char *file, unsigned line, const char *setting,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* "file:line: setting: text" into buf, always terminated; returns buf. */
char *errs_format(const struct err *e, char *buf, size_t size);

/* One line each to the stream, warnings with the word in front. */
void errs_print(const struct errs *errs, FILE *to);

/* Frees the entries and leaves an empty list. */
void errs_fini(struct errs *errs);
