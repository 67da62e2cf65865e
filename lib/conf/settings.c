/* The table of settings and the reading of one group by it. See settings.h. */
#include "conf/settings.h"

#include "conf/parse.h"
#include "conf/rulefield.h"

#include <stdio.h>
#include <string.h>

#define RELOAD false
#define RESTART true
#define REQUIRED INT64_MIN
#define COUNT_MAX 900000000000000000 /* of 18 digits: what text.c lets through */
#define FIELD(S, f) .offset = offsetof(S, f), .size = sizeof(((S *)NULL)->f)
#define INT(sec, S, f, n, least, most, d, apply) \
	{.section = sec,                         \
		.name = n,                       \
		.kind = SETTING_INT,             \
		.restart = apply,                \
		FIELD(S, f),                     \
		.min = least,                    \
		.max = most,                     \
		.def = d,                        \
		.required = (int64_t)(d) == REQUIRED},
#define INTZ(sec, S, f, n, least, most, d, apply) \
	{.section = sec,                          \
		.name = n,                        \
		.kind = SETTING_INT,              \
		.restart = apply,                 \
		.zero = true,                     \
		FIELD(S, f),                      \
		.min = least,                     \
		.max = most,                      \
		.def = d},
#define INT0(sec, S, f, n, least, most, apply) \
	{.section = sec,                       \
		.name = n,                     \
		.kind = SETTING_INT,           \
		.restart = apply,              \
		.zero = true,                  \
		FIELD(S, f),                   \
		.min = least,                  \
		.max = most},
#define BOOL(sec, S, f, n, d, apply) \
	{.section = sec, .name = n, .kind = SETTING_BOOL, .restart = apply, FIELD(S, f), .def = d},
#define ENUM(sec, S, f, n, words, first, d, apply) \
	{.section = sec,                           \
		.name = n,                         \
		.kind = SETTING_ENUM,              \
		.restart = apply,                  \
		FIELD(S, f),                       \
		.min = first,                      \
		.def = d,                          \
		.choices = words,                  \
		.required = (int64_t)(d) == REQUIRED},
#define OTHER(sec, S, f, n, rd, wr, t, r, d, apply) \
	{.section = sec,                            \
		.name = n,                          \
		.kind = SETTING_OTHER,              \
		.restart = apply,                   \
		FIELD(S, f),                        \
		.type = t,                          \
		.range = r,                         \
		.def_text = d,                      \
		.read = rd,                         \
		.write = wr},

const struct setting settings[] = {
#include "conf/settings.def"
};
const unsigned n_settings = sizeof(settings) / sizeof(settings[0]);

static bool required(const struct setting *s)
{
	return s->required || (s->def_text && strcmp(s->def_text, "required") == 0);
}

const struct setting *settings_of(const char *section, unsigned *n)
{
	const struct setting *first = NULL;

	*n = 0;
	for (unsigned i = 0; i < n_settings; i++) {
		if (strcmp(settings[i].section, section) != 0)
			continue;
		if (first == NULL)
			first = &settings[i];
		++*n;
	}
	return first;
}

static void store(const struct setting *s, void *base, int64_t value)
{
	char *at = (char *)base + s->offset;

	switch (s->size) {
	case 1:
		*(uint8_t *)at = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)at = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)at = (uint32_t)value;
		break;
	case 8:
		*(uint64_t *)at = (uint64_t)value;
		break;
	}
}

static int64_t fetch(const struct setting *s, const void *base)
{
	const char *at = (const char *)base + s->offset;

	switch (s->size) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		return *(const uint16_t *)at;
	case 8:
		return (int64_t) * (const uint64_t *)at;
	default:
		return s->min < 0 ? *(const int32_t *)at : (int64_t) * (const uint32_t *)at;
	}
}

static void read_int(
	struct parse *p, const struct setting *s, const config_setting_t *from, void *base)
{
	int type = config_setting_type(from);
	char range[128], expected[160];
	long long v;

	if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
		v = config_setting_get_int64(from);
		if ((v >= s->min && v <= s->max) || (s->zero && v == 0)) {
			store(s, base, v);
			return;
		}
	}
	snprintf(expected, sizeof(expected), "an integer, %s",
		setting_range_text(s, range, sizeof(range)));
	parse_found(p, s->name, -1, from, expected);
}

static void read_enum(
	struct parse *p, const struct setting *s, const config_setting_t *from, void *base)
{
	char range[256], expected[288];
	int i = -1;

	/* Exact case: only the classic line leaves it open. */
	if (config_setting_type(from) == CONFIG_TYPE_STRING) {
		const char *text = config_setting_get_string(from);

		if (strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL)
			i = rulefield_word(text, s->choices);
	}
	if (i >= 0) {
		store(s, base, s->min + i);
		return;
	}
	snprintf(expected, sizeof(expected), "one of %s",
		setting_range_text(s, range, sizeof(range)));
	parse_found(p, s->name, -1, from, expected);
}

static void read_one(struct parse *p, const struct setting *s, config_setting_t *from, void *base)
{
	switch (s->kind) {
	case SETTING_INT:
		read_int(p, s, from, base);
		break;
	case SETTING_BOOL:
		if (config_setting_type(from) == CONFIG_TYPE_BOOL)
			store(s, base, config_setting_get_bool(from));
		else
			parse_found(p, s->name, -1, from, "true or false");
		break;
	case SETTING_ENUM:
		read_enum(p, s, from, base);
		break;
	case SETTING_OTHER:
		if (s->read)
			s->read(p, from, base);
		break;
	}
}

static void unknown(struct parse *p, const char *name)
{
	char known[384];
	size_t len = 0;

	known[0] = '\0';
	for (unsigned i = 0; i < p->n_set && len < sizeof(known); i++)
		len += (size_t)snprintf(
			known + len, sizeof(known) - len, "%s%s", i ? ", " : "", p->set[i].name);
	parse_err(p, HERE(p), name, -1, "unknown setting, expected one of: %s", known);
}

void settings_read(struct parse *p, config_setting_t *group, void *base)
{
	uint64_t seen = 0; /* no section has over 64 settings */
	int n = group ? config_setting_length(group) : 0;

	for (unsigned i = 0; i < p->n_set; i++)
		if (p->set[i].kind != SETTING_OTHER && !p->set[i].required)
			store(&p->set[i], base, p->set[i].def);
	for (int i = 0; i < n; i++) {
		config_setting_t *from = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(from);
		unsigned k = 0;

		while (k < p->n_set && strcmp(p->set[k].name, name) != 0)
			k++;
		if (k == p->n_set) {
			unknown(p, name);
			continue;
		}
		seen |= 1ull << k;
		read_one(p, &p->set[k], from, base);
	}
	for (unsigned k = 0; group && k < p->n_set; k++) {
		char range[256];

		if (required(&p->set[k]) && !(seen >> k & 1))
			parse_err(p, HERE(p), p->set[k].name, -1, "missing, expected %s",
				setting_range_text(&p->set[k], range, sizeof(range)));
	}
}

const char *setting_type_text(const struct setting *s)
{
	switch (s->kind) {
	case SETTING_INT:
		return "integer";
	case SETTING_BOOL:
		return "boolean";
	case SETTING_ENUM:
		return "string";
	default:
		return s->type;
	}
}

/* The n-th choice of an ENUM into buf. */
static void choice(const struct setting *s, int64_t n, char *buf, size_t size)
{
	const char *at = s->choices;

	for (; n > 0 && strchr(at, '|'); n--)
		at = strchr(at, '|') + 1;
	snprintf(buf, size, "%.*s", (int)strcspn(at, "|"), at);
}

char *setting_range_text(const struct setting *s, char *buf, size_t size)
{
	size_t len = 0;

	switch (s->kind) {
	case SETTING_INT:
		snprintf(buf, size, "%s%lld to %lld", s->zero ? "0 or " : "", (long long)s->min,
			(long long)s->max);
		break;
	case SETTING_BOOL:
		snprintf(buf, size, "true, false");
		break;
	case SETTING_ENUM:
		for (const char *at = s->choices; at && len < size;) {
			int n = (int)strcspn(at, "|");

			len += (size_t)snprintf(
				buf + len, size - len, "%s\"%.*s\"", len ? ", " : "", n, at);
			at = at[n] ? at + n + 1 : NULL;
		}
		break;
	case SETTING_OTHER:
		snprintf(buf, size, "%s", s->range);
		break;
	}
	return buf;
}

char *setting_default_text(const struct setting *s, char *buf, size_t size)
{
	if (required(s))
		snprintf(buf, size, "required");
	else if (s->kind == SETTING_INT)
		snprintf(buf, size, "%lld", (long long)s->def);
	else if (s->kind == SETTING_BOOL)
		snprintf(buf, size, "%s", s->def ? "true" : "false");
	else if (s->kind == SETTING_ENUM)
		choice(s, s->def - s->min, buf, size);
	else
		snprintf(buf, size, "%s", s->def_text);
	return buf;
}

char *setting_value_text(const struct setting *s, const void *base, char *buf, size_t size)
{
	buf[0] = '\0';
	if (s->kind == SETTING_INT)
		snprintf(buf, size, "%lld", (long long)fetch(s, base));
	else if (s->kind == SETTING_BOOL)
		snprintf(buf, size, "%s", fetch(s, base) ? "true" : "false");
	else if (s->kind == SETTING_ENUM)
		choice(s, fetch(s, base) - s->min, buf, size);
	else if (s->write)
		s->write(base, s, buf, size);
	return buf;
}
