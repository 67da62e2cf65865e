/* Output that a person likes to read. See print.h. */
#include "print.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 20
#define SLOTS 32
#define LINE_MAX_CHARS 96

/* Short texts live in a ring, so that several can stand in one printf. */
static char *slot(size_t size)
{
	static char *ring[SLOTS];
	static unsigned next;
	char **s = &ring[next++ % SLOTS];
	char *grown = realloc(*s, size);

	if (grown == NULL) {
		fprintf(stderr, "posternctl: out of memory\n");
		exit(4);
	}
	*s = grown;
	return grown;
}

const char *print_clean(const char *text)
{
	char *buf, *p;

	if (text == NULL)
		return "";
	buf = p = slot(strlen(text) + 1);
	for (; *text; text++) {
		unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];
		/* C0, DEL, and C1 in UTF-8 (c2 80 to c2 9f) */
		bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;

		*p++ = c < 0x20 || c == 0x7f || c1 ? '?' : *text;
		text += c1;
	}
	*p = '\0';
	return buf;
}

const char *print_count(json_int_t n)
{
	char digits[24], *buf = slot(40), *p = buf;
	size_t len;

	snprintf(digits, sizeof(digits), "%lld", (long long)n);
	len = strlen(digits);
	for (size_t i = 0; i < len; i++) {
		*p++ = digits[i];
		if ((len - i) % 3 == 1 && i + 1 < len && digits[i] != '-')
			*p++ = ',';
	}
	*p = '\0';
	return buf;
}

const char *print_bytes(json_int_t n)
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)n;
	unsigned u = 0;
	char *buf = slot(32);

	while (v >= 999.95 && u < 6) {
		v /= 1000;
		u++;
	}
	snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", v, unit[u]);
	return buf;
}

const char *print_span(json_int_t s)
{
	static const struct {
		long long seconds;
		const char *name;
	} unit[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	char *buf = slot(48);
	long long v = s;
	unsigned u = 0;

	while (u < 3 && v < unit[u].seconds)
		u++;
	if (u == 3 || v / unit[u + 1].seconds * unit[u + 1].seconds % unit[u].seconds == 0)
		snprintf(buf, 48, "%lld %s", v / unit[u].seconds, unit[u].name);
	else
		snprintf(buf, 48, "%lld %s %lld %s", v / unit[u].seconds, unit[u].name,
			v % unit[u].seconds / unit[u + 1].seconds, unit[u + 1].name);
	return buf;
}

const char *print_us(double us)
{
	char *buf = slot(32);

	if (us < 1000)
		snprintf(buf, 32, "%.0f us", us);
	else if (us < 1e6)
		snprintf(buf, 32, "%.1f ms", us / 1e3);
	else
		snprintf(buf, 32, "%.1f s", us / 1e6);
	return buf;
}

size_t print_word(FILE *to, size_t at, size_t indent, const char *word)
{
	size_t len = strlen(word);

	if (at + 1 + len <= LINE_MAX_CHARS) {
		fprintf(to, " %s", word);
		return at + 1 + len;
	}
	fprintf(to, "\n%*s%s", (int)indent, "", word);
	return indent + len;
}

void print_json(json_t *value)
{
	json_dumpf(value, stdout,
		JSON_REAL_PRECISION(15) | (isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT));
	putchar('\n');
}

void print_bold(const char *text)
{
	printf(isatty(STDOUT_FILENO) ? "\033[1m%s\033[0m" : "%s", text);
}

const char *get_text(json_t *object, const char *name)
{
	return print_clean(json_string_value(json_object_get(object, name)));
}

json_int_t get_int(json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

double get_real(json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

const char *get_list(json_t *object, const char *name, const char *separator)
{
	json_t *list = json_object_get(object, name), *item;
	size_t i, size = 1;
	char *buf;

	json_array_foreach (list, i, item)
		size += json_string_length(item) + strlen(separator);
	buf = slot(size);
	buf[0] = '\0';
	json_array_foreach (list, i, item) {
		strcat(buf, i ? separator : "");
		strcat(buf, print_clean(json_string_value(item)));
	}
	return buf;
}

const char *get_item(json_t *list, size_t i)
{
	return print_clean(json_string_value(json_array_get(list, i)));
}

struct table {
	const char *const *column;
	size_t n;
	size_t width[COLUMNS_MAX];
	char **cell; /* rows x n */
	size_t cells, room;
	bool headed, empty;
};

/* Characters, not bytes. */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static const char *title(const char *column)
{
	return column + (*column == '>');
}

struct table *table_new(const char *const *column, size_t n)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL || n > COLUMNS_MAX)
		abort();
	t->column = column;
	t->n = n;
	t->empty = true;
	for (size_t i = 0; i < n; i++)
		t->width[i] = width_of(title(column[i]));
	return t;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;
	char *text;
	size_t w;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	if (t->cells == t->room) {
		t->room = t->room ? t->room * 2 : 256;
		t->cell = realloc(t->cell, t->room * sizeof(*t->cell));
		if (t->cell == NULL)
			abort();
	}
	w = width_of(text);
	if (w > t->width[t->cells % t->n])
		t->width[t->cells % t->n] = w;
	t->cell[t->cells++] = text;
}

void table_blank(struct table *t, size_t n)
{
	while (n-- > 0)
		table_cell(t, "%s", "");
}

bool table_is_empty(const struct table *t)
{
	return t->empty && t->cells == 0;
}

static void line(const struct table *t, const char *const *cell, bool header)
{
	/* blanks after the last text of a line are left out */
	size_t last = t->n;

	while (last > 1 && *cell[last - 1] == '\0')
		last--;
	for (size_t i = 0; i < last; i++) {
		const char *text = header ? title(cell[i]) : cell[i];
		int pad = (int)(t->width[i] - width_of(text));
		bool right = *t->column[i] == '>';

		printf("%s%*s%s%*s", i ? "  " : "", right ? pad : 0, "", text,
			!right && i + 1 < last ? pad : 0, "");
	}
	putchar('\n');
}

void table_flush(struct table *t)
{
	if (t->cells == 0)
		return;
	t->empty = false;
	if (!t->headed)
		line(t, t->column, true);
	t->headed = true;
	for (size_t row = 0; row + t->n <= t->cells; row += t->n)
		line(t, (const char *const *)&t->cell[row], false);
	for (size_t i = 0; i < t->cells; i++)
		free(t->cell[i]);
	t->cells = 0;
}

void table_end(struct table *t, const char *empty)
{
	table_flush(t);
	if (t->empty && empty != NULL)
		printf("%s\n", empty);
	free(t->cell);
	free(t);
}
