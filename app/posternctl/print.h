/* Output that a person likes to read: tables with aligned columns, numbers with separators, and
 * text whose bytes can do nothing to a terminal.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The text without control characters; valid until a few further calls. NULL: "". */
const char *print_clean(const char *text);
/* 1234567 as "1,234,567"; valid until a few further calls. */
const char *print_count(json_int_t n);
/* 1234567 as "1.2 MB". */
const char *print_bytes(json_int_t n);
/* Seconds as "2 d 3 h", "4 min 5 s", "10 min". */
const char *print_span(json_int_t seconds);
/* Microseconds as "12 us", "3.4 ms", "1.2 s". */
const char *print_us(double us);

/* A word of a line that is `at` characters long, behind a blank; or on a new line behind `indent`
 * blanks when it would grow too long. Returns how long the line is then. */
size_t print_word(FILE *to, size_t at, size_t indent, const char *word);

/* The object: indented at a terminal, else one line. */
void print_json(json_t *value);
/* Bold where the output is a terminal, else as it is. */
void print_bold(const char *text);

/* Members of an object; "" or 0 where there is none. Strings are clean. */
const char *get_text(json_t *object, const char *name);
json_int_t get_int(json_t *object, const char *name);
double get_real(json_t *object, const char *name);
/* The items of a list of strings, with a separator; valid until a few further calls. */
const char *get_list(json_t *object, const char *name, const char *separator);
/* The string at a place of a list, "" beyond its end. */
const char *get_item(json_t *list, size_t i);

/* A table: columns whose name begins with '>' are aligned to the right. Rows are kept until
 * table_flush, which prints them; the header comes before the first. */
struct table;
struct table *table_new(const char *const *column, size_t n);
/* The next cell of a row; after the last the next row begins. */
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* n empty cells: a row that goes on with the one above. */
void table_blank(struct table *t, size_t n);
bool table_is_empty(const struct table *t); /* no row yet */
void table_flush(struct table *t);
/* Flushes and frees. empty: the line for a table without rows, NULL for none. */
void table_end(struct table *t, const char *empty);
