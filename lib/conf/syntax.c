/* The grammar of libconfig, checked before libconfig sees the text: it says "syntax error" and no
 * more, loses memory when it does, and knows no bound to nesting. What passes here is a subset of
 * what it reads.
 *
 * Called while a configuration is parsed, on its thread. No state. The text comes from
 * text_prepare.
 */
#include "conf/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX 16 /* groups and lists within each other; the settings need 5 */

/* A token is its character, or one of these. */
enum {
	T_END = 0,
	T_NAME = 'n',
	T_STRING = 's',
	T_INT = 'i',
	T_FLOAT = 'f',
	T_BOOL = 'b',
	T_BAD = '?'
};

struct syntax {
	const char *at;   /* behind the token */
	const char *from; /* the token */
	unsigned line;    /* of the token */
	unsigned next_line;
	char token;
	bool key; /* within the value of a setting named key: never shown */
	const char *name;
	struct errs *errs;
};

static void skip_space(struct syntax *s) /* text_prepare took the comments out */
{
	for (; *s->at && strchr(" \t\r\n\f", *s->at); s->at++)
		s->next_line += *s->at == '\n';
}

static size_t digits(const char *p)
{
	return strspn(p, "0123456789");
}

/* What text_prepare leaves of numbers: integers end in L. */
static char number(struct syntax *s)
{
	const char *p = s->from + (*s->from == '-' || *s->from == '+');
	size_t whole, part = 0;
	char kind = T_INT;

	if (p == s->from && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		whole = strspn(p + 2, "0123456789abcdefABCDEF");
		p += 2 + whole;
	} else {
		whole = digits(p);
		p += whole;
		if (*p == '.') {
			kind = T_FLOAT;
			part = digits(p + 1);
			p += 1 + part;
		}
		if (whole + part > 0 && (*p == 'e' || *p == 'E')) {
			kind = T_FLOAT;
			p += 1 + (p[1] == '-' || p[1] == '+');
			if (digits(p) == 0)
				whole = part = 0;
			p += digits(p);
		}
	}
	if (whole + part == 0)
		kind = T_BAD;
	if (kind == T_INT && *p != 'L')
		kind = T_BAD;
	for (int i = 0; kind == T_INT && i < 2 && *p == 'L'; i++)
		p++;
	if (isalnum((unsigned char)*p) || (*p && strchr("._+-*", *p)))
		kind = T_BAD;
	while (isalnum((unsigned char)*p) || (*p && strchr("._+-*", *p)))
		p++;
	s->at = p;
	return kind;
}

static void next(struct syntax *s)
{
	skip_space(s);
	s->from = s->at;
	s->line = s->next_line;
	if (*s->at == '\0') {
		s->token = T_END;
	} else if (*s->at == '"') {
		for (s->at++; *s->at && *s->at != '"'; s->at++) {
			if (*s->at == '\\' && s->at[1])
				s->at++;
			s->next_line += *s->at == '\n';
		}
		s->at += *s->at == '"';
		s->token = T_STRING;
	} else if (isdigit((unsigned char)*s->at) || strchr("+-.", *s->at)) {
		s->token = number(s);
	} else if (isalpha((unsigned char)*s->at) || *s->at == '*') {
		while (isalnum((unsigned char)*s->at) || (*s->at && strchr("-_*", *s->at)))
			s->at++;
		s->token = T_NAME;
		if ((s->at - s->from == 4 && strncasecmp(s->from, "true", 4) == 0) ||
			(s->at - s->from == 5 && strncasecmp(s->from, "false", 5) == 0))
			s->token = T_BOOL;
	} else {
		s->token = strchr("=:;,()[]{}", *s->at) ? *s->at : T_BAD;
		s->at++;
	}
}

static int fail(struct syntax *s, const char *expected)
{
	char token[64], quoted[CONF_QUOTED];

	/* The L behind an integer is text_prepare's. */
	snprintf(token, sizeof(token), "%.*s", (int)(s->at - s->from) - (s->token == T_INT),
		s->from);
	errs_add(s->errs, s->name, s->line, "", "syntax error: found %s, expected %s",
		s->token == T_END               ? "the end of the file"
		: s->key && s->at - s->from > 1 ? "a key without quotes"
						: text_quote(token, quoted),
		expected);
	return -EINVAL;
}

/* One scalar, and the token behind it. Several strings in a row are one. */
static int scalar(struct syntax *s, const char *expected)
{
	char kind = s->token;

	if (s->token == T_END || strchr("sifb", s->token) == NULL)
		return fail(s, expected);
	do
		next(s);
	while (kind == T_STRING && s->token == T_STRING);
	return 0;
}

static int array(struct syntax *s)
{
	char kind;

	next(s);
	kind = s->token;
	while (s->token != ']') {
		if (s->token != kind)
			return fail(s, "elements of one type in an array: [ 1, 2 ]; a list ( ... ) "
				       "may mix");
		if (scalar(s, "a string, a number, true or false in an array, or ]") < 0)
			return -EINVAL;
		if (s->token == ']')
			break;
		if (s->token != ',')
			return fail(s, ", or ]");
		next(s);
		if (s->token == ']')
			return fail(s, "another element: no comma stands behind the last");
	}
	next(s);
	return 0;
}

/* name = in a group, up to where the value begins; or the end of the group. */
static int setting(struct syntax *s, bool top)
{
	if (s->token != T_NAME)
		return fail(s, top ? "the name of a setting" : "the name of a setting, or }");
	s->key = s->at - s->from == 3 && memcmp(s->from, "key", 3) == 0;
	next(s);
	if (s->token != '=' && s->token != ':')
		return fail(s, "=");
	next(s);
	return 0;
}

/* open: the brackets that are open, depth of them. Everything there is to a value that isn't
 * another bracket; true when it opened one. */
static int value(struct syntax *s, char *open, unsigned *depth)
{
	if (s->token == '[')
		return array(s);
	if (s->token != '(' && s->token != '{')
		return scalar(s, "a value: a string, a number, true, false, [, ( or {");
	if (*depth == DEPTH_MAX)
		return fail(s, "fewer groups and lists within each other");
	open[(*depth)++] = s->token;
	next(s);
	return 1;
}

/* What may stand behind a value in a group or list. */
static int behind(struct syntax *s, char in)
{
	if (in == '(' && s->token == ',') {
		next(s);
		return s->token == ')' ? fail(s, "another element: no comma stands behind the last")
				       : 0;
	}
	if (in == '(' && s->token != ')')
		return fail(s, ", or )");
	if (in != '(' && (s->token == ';' || s->token == ','))
		next(s);
	return 0;
}

int syntax_check(const char *text, const char *name, struct errs *errs)
{
	struct syntax s = {.at = text, .next_line = 1, .name = name, .errs = errs};
	char open[DEPTH_MAX] = {0};
	unsigned depth = 0;

	next(&s);
	for (;;) {
		char in = depth ? open[depth - 1] : '\0';
		int r;

		if (in == '\0' && s.token == T_END)
			return 0;
		if ((in == '(' && s.token == ')') || (in == '{' && s.token == '}')) {
			next(&s);
			depth--;
			r = 0;
		} else {
			if (in != '(' && setting(&s, in == '\0') < 0)
				return -EINVAL;
			r = value(&s, open, &depth);
		}
		if (r < 0 || (r == 0 && behind(&s, depth ? open[depth - 1] : '\0') < 0))
			return -EINVAL;
	}
}
