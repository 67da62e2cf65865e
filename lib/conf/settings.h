/* The table of settings: what each may hold. Made from settings.def.
 *
 * Used by the parser and by conf_diff_restart; the test of the documents reads it too. No state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parse;
struct config_setting_t;

enum setting_kind { SETTING_INT, SETTING_BOOL, SETTING_ENUM, SETTING_OTHER };

struct setting {
	const char *section; /* "system", "filter.rules" */
	const char *name;
	enum setting_kind kind;
	bool restart; /* else a reload applies it */
	bool zero;    /* INT: 0 is permitted below min */
	bool required;
	uint16_t offset;  /* of the field in the section's struct */
	uint16_t size;    /* of the field, bytes */
	int64_t min, max; /* INT; ENUM: min is the value of the first choice */
	int64_t def;
	const char *choices;                 /* ENUM: "auto|on|off" */
	const char *type, *range, *def_text; /* OTHER: words for the documents and messages */
	/* OTHER: s into the field of base; says what is wrong by itself */
	void (*read)(struct parse *p, struct config_setting_t *s, void *base);
	void (*write)(const void *base, const struct setting *s, char *buf, size_t size);
};

extern const struct setting settings[];
extern const unsigned n_settings;

/* The settings of a section, which stand together; *n of them. NULL: there is no such section. */
const struct setting *settings_of(const char *section, unsigned *n);

/* Sets the defaults of p->section in base, then reads the group's settings (NULL: none are given).
 * An OTHER setting has no default here: base starts zeroed, and its section knows what follows. */
void settings_read(struct parse *p, struct config_setting_t *group, void *base);

/* As the documents say it; return buf. */
const char *setting_type_text(const struct setting *s);
char *setting_range_text(const struct setting *s, char *buf, size_t size);
char *setting_default_text(const struct setting *s, char *buf, size_t size);
/* The value in base as a user would write it. An OTHER setting without write gives "". */
char *setting_value_text(const struct setting *s, const void *base, char *buf, size_t size);
