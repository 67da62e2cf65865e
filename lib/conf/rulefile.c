/* Filter rules in the classic syntax, one on a line. docs/filter.md gives the syntax; conf.h the
 * contract.
 *
 * Called while a configuration is parsed, on its thread, and by a fuzzer. No state.
 */
#include "conf/conf.h"
#include "conf/parse.h"
#include "conf/rulefield.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_BYTES 1024
#define WORDS_MAX 24 /* more than any line needs: the surplus is an error anyway */

enum field {
	F_ACTION,
	F_SRC,
	F_SMASK,
	F_DST,
	F_DMASK,
	F_PROTO,
	F_SOP,
	F_SPORT,
	F_DOP,
	F_DPORT,
	F_ZONE,
	F_SCOPE,
	F_DIR,
	N_FIELDS,
};

static const struct {
	const char *name, *expected;
} fields[N_FIELDS] = {
	[F_ACTION] = {"action", "permit or deny"},
	[F_SRC] = {"src", "a source address such as 192.0.2.0 or 2001:db8::, or any"},
	[F_SMASK] = {"src-mask", "a source mask such as 255.255.255.0"},
	[F_DST] = {"dst", "a destination address such as 192.0.2.0 or 2001:db8::, or any"},
	[F_DMASK] = {"dst-mask", "a destination mask such as 255.255.255.0"},
	[F_PROTO] = {"protocol", RULEFIELD_PROTOS},
	[F_SOP] = {"sport-operator", "any, eq, neq, lt, le, gt or ge"},
	[F_SPORT] = {"sport", "a source port (ICMP: a type) from 0 to 65535"},
	[F_DOP] = {"dport-operator", "any, eq, neq, lt, le, gt or ge"},
	[F_DPORT] = {"dport", "a destination port (ICMP: a code) from 0 to 65535"},
	[F_ZONE] = {"interface", "secure, nonsecure or both"},
	[F_SCOPE] = {"scope", "route, local or both"},
	[F_DIR] = {"direction", "inbound, outbound or both"},
};

struct line {
	const char *name;
	uint32_t number;
	struct errs *errs;
	bool bad;
	struct rule r;
};

static void fault(struct line *l, const char *setting, const char *word, const char *expected)
{
	char quoted[CONF_QUOTED];

	l->bad = true;
	errs_add(l->errs, l->name, l->number, setting, "found %s, expected %s",
		text_quote(word, quoted), expected);
}

/* IPv6: a mask, or the length of one. */
static void mask_of6(struct line *l, enum field f, const char *word, struct prefix *p)
{
	struct addr mask;
	uint32_t len;

	if (rulefield_number(word, 128, &len) == 0)
		p->len = (uint8_t)len;
	else if (addr_parse(word, &mask) < 0 || addr_is4(&mask))
		fault(l, fields[f].name, word,
			"a length from 0 to 128 or a mask such as ffff:ffff::");
	else if (prefix_set_mask(p, &mask) < 0)
		fault(l, fields[f].name, word, "a mask without holes, such as ffff:ffff::");
}

static void mask_of4(struct line *l, enum field f, const char *word, struct prefix *p)
{
	struct addr mask;

	if (addr_parse(word, &mask) < 0 || !addr_is4(&mask))
		fault(l, fields[f].name, word, fields[f].expected);
	else if (prefix_set_mask(p, &mask) < 0)
		fault(l, fields[f].name, word, "a mask without holes, such as 255.255.0.0");
}

/* An address and its mask, or "any any". Returns whether it was that. */
static bool prefix(struct line *l, enum field f, char *const *words, struct prefix *p)
{
	bool any = rulefield_word(words[f], "any") == 0;

	if (any && rulefield_word(words[f + 1], "any") == 0)
		return true;
	if (any) {
		fault(l, fields[f + 1].name, words[f + 1], "any, as the address before it");
		return false;
	}
	if (addr_parse(words[f], &p->addr) < 0) {
		fault(l, fields[f].name, words[f], fields[f].expected);
		/* the mask may be wrong too: it is read as of the family that was meant */
		if (strchr(words[f], ':') || strchr(words[f + 1], ':'))
			p->addr = (struct addr){0};
		else
			p->addr = addr_of4(0);
	}
	if (addr_is4(&p->addr))
		mask_of4(l, f + 1, words[f + 1], p);
	else
		mask_of6(l, f + 1, words[f + 1], p);
	return false;
}

static uint8_t word_of(struct line *l, enum field f, const char *word, const char *choices)
{
	int i = rulefield_word(word, choices);

	if (i < 0) {
		fault(l, fields[f].name, word, fields[f].expected);
		return 0;
	}
	return (uint8_t)i;
}

static void port(struct line *l, enum field op, char *const *words, struct rule_port *out)
{
	uint32_t value = 0;

	out->op = word_of(l, op, words[op], RULEFIELD_OPS);
	if (rulefield_number(words[op + 1], UINT16_MAX, &value) < 0)
		fault(l, fields[op + 1].name, words[op + 1], fields[op + 1].expected);
	/* The number behind "any" says nothing: one spelling, so that rule_same sees one rule. */
	out->value = out->op == RULE_OP_ANY ? 0 : (uint16_t)value;
}

static void check_family(struct line *l)
{
	const char *why = rulefield_family_fault(&l->r);

	if (why == NULL)
		return;
	l->bad = true;
	errs_add(l->errs, l->name, l->number,
		fields[rule_families(&l->r) == 0 ? F_DST : F_PROTO].name, "%s", why);
}

static void check_port(struct line *l, enum field op, struct rule_port p)
{
	const char *why = rulefield_port_fault(l->r.proto, p);

	if (why == NULL)
		return;
	l->bad = true;
	errs_add(l->errs, l->name, l->number,
		fields[p.value > 255 && rule_proto_is_icmp(l->r.proto) ? op + 1 : op].name, "%s",
		why);
}

/* The words behind the fields: l=, f= and t=, in any order, each at most once. */
static void trailing(struct line *l, char *const *words, unsigned n)
{
	bool seen[3] = {false};

	l->r.tunnel = RULE_TUNNEL_ANY;
	for (unsigned i = 0; i < n; i++) {
		static const char letters[] = "lft";
		static const char *const setting[] = {"l", "f", "t"};
		const char *w = words[i], *at;
		int which, v;

		at = w[0] && w[1] == '=' ? strchr(letters, w[0] | 0x20) : NULL;
		if (at == NULL) {
			fault(l, "", w, "l=, f=, t= or the end of the line");
			continue;
		}
		which = (int)(at - letters);
		if (seen[which]) {
			fault(l, setting[which], w, "it only once");
			continue;
		}
		seen[which] = true;
		if (which == 0) {
			if ((v = rulefield_word(w + 2, "no|yes")) < 0)
				fault(l, "l", w, "l=yes or l=no");
			l->r.log = v == 1;
		} else if (which == 1) {
			if ((v = rulefield_word(w + 2, "yes|no|only|headers")) < 0)
				fault(l, "f", w, "f=yes, f=no, f=only or f=headers");
			l->r.frag = (uint8_t)v;
		} else if (rulefield_number(w + 2, RULE_TUNNEL_ANY - 1, &l->r.tunnel) < 0) {
			fault(l, "t", w, "t= and the number of a tunnel, 0 for none");
		}
	}
}

static void rule_line(struct line *l, char **words, unsigned n)
{
	struct rule *r = &l->r;
	bool src_any, dst_any;

	if (n < N_FIELDS) {
		l->bad = true;
		errs_add(l->errs, l->name, l->number, fields[n].name,
			"the line ends after %u of %u fields, expected %s", n, N_FIELDS,
			fields[n].expected);
		return;
	}
	r->permit = word_of(l, F_ACTION, words[F_ACTION], "deny|permit") == 1;
	src_any = prefix(l, F_SRC, words, &r->src);
	dst_any = prefix(l, F_DST, words, &r->dst);
	if (rulefield_proto(words[F_PROTO], &r->proto) < 0)
		fault(l, fields[F_PROTO].name, words[F_PROTO], fields[F_PROTO].expected);
	port(l, F_SOP, words, &r->sport);
	port(l, F_DOP, words, &r->dport);
	r->zone = (uint8_t)(word_of(l, F_ZONE, words[F_ZONE], "secure|nonsecure|both") + 1);
	r->scope = (uint8_t)(word_of(l, F_SCOPE, words[F_SCOPE], "route|local|both") + 1);
	r->dir = (uint8_t)(word_of(l, F_DIR, words[F_DIR], "inbound|outbound|both") + 1);
	trailing(l, words + N_FIELDS, n - N_FIELDS);
	if (!l->bad) {
		rulefield_any(r, src_any, dst_any);
		check_family(l);
		check_port(l, F_SOP, r->sport);
		check_port(l, F_DOP, r->dport);
	}
	r->file = l->name;
	r->line = l->number;
}

/* Splits one line and reads it. 1: l->r is a rule; 0: nothing there; -EINVAL after an error. */
static int one_line(struct line *l, const char *text, size_t len)
{
	char buf[LINE_MAX_BYTES + 1], *words[WORDS_MAX], *save = NULL;
	const char *comment = memchr(text, '#', len);
	unsigned n = 0;

	if (memchr(text, '\0', len)) {
		errs_add(l->errs, l->name, l->number, "", "found a NUL byte, expected text");
		return -EINVAL;
	}
	if (comment)
		len = (size_t)(comment - text);
	if (len > LINE_MAX_BYTES) {
		errs_add(l->errs, l->name, l->number, "",
			"the line has %zu bytes, expected at most %u", len, LINE_MAX_BYTES);
		return -EINVAL;
	}
	memcpy(buf, text, len);
	buf[len] = '\0';
	for (char *w = strtok_r(buf, " \t\r\v\f", &save); w && n < WORDS_MAX;
		w = strtok_r(NULL, " \t\r\v\f", &save))
		words[n++] = w;
	if (n == 0)
		return 0;
	l->bad = false;
	l->r = (struct rule){0};
	rule_line(l, words, n);
	return l->bad ? -EINVAL : 1;
}

static int append(struct rule **rules, uint32_t n, uint32_t *room, const struct rule *r)
{
	if (n == *room) {
		uint32_t more = *room < 32 ? 64 : *room * 2;
		struct rule *grown = realloc(*rules, more * sizeof(**rules));

		if (grown == NULL)
			return -ENOMEM;
		*rules = grown;
		*room = more;
	}
	(*rules)[n] = *r;
	return 0;
}

int rulefile_parse(const char *text, size_t len, const char *name, struct rule **rules, uint32_t *n,
	struct errs *errs)
{
	const char *end = text + len;
	struct line l = {.name = name, .errs = errs};
	uint32_t got = *n, room = *n;
	bool bad = false;

	for (const char *at = text, *next; at < end; at = next) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		int r;

		next = eol ? eol + 1 : end;
		l.number++;
		r = one_line(&l, at, (size_t)((eol ? eol : end) - at));
		if (r < 0)
			bad = true;
		if (r <= 0)
			continue;
		if (got == RULES_MAX) {
			errs_add(errs, name, l.number, "", "more than %u rules", RULES_MAX);
			return -E2BIG;
		}
		if (append(rules, got, &room, &l.r) < 0) {
			errs_add(errs, name, l.number, "", "no memory for so many rules");
			return -ENOMEM;
		}
		rulefield_warn(&l.r, "", errs);
		got++;
	}
	if (bad)
		return -EINVAL;
	*n = got;
	return 0;
}
