/* The filter log as text. See filterlog_text.h. */
#include "ctl/filterlog_text.h"

#include "dp/drop.h"
#include "wire/rule.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define PRI_LOCAL0 (16 * 8)
#define SEVERITY_NOTICE 5
#define SEVERITY_INFO 6

static void iface_name(char to[IFACE_NAME_MAX], const struct root *root, uint16_t id)
{
	const char *name = "?";

	if (id == IFACE_NONE)
		name = "";
	else if (root != NULL && root->ports != NULL && id < IFACES_MAX &&
		 root->ports->iface[id].name[0] != '\0')
		name = root->ports->iface[id].name;
	snprintf(to, IFACE_NAME_MAX, "%s", name);
}

void filterlog_entry_make(
	struct filterlog_entry *e, const struct log_record *r, const struct root *root)
{
	const struct acl *acl = root ? root->acl : NULL;

	*e = (struct filterlog_entry){.r = *r, .rule = FILTERLOG_RULE_GONE};
	iface_name(e->in, root, r->in_if);
	iface_name(e->out, root, r->out_if);
	if (r->verdict == UINT32_MAX) {
		e->rule = FILTERLOG_RULE_NONE;
	} else if (root != NULL && r->verdict == 0) {
		e->rule = FILTERLOG_RULE_IMPLICIT;
	} else if (acl != NULL && acl->rule != NULL && r->verdict <= acl->n_rules) {
		const struct rule *rule = &acl->rule[r->verdict - 1];
		const char *file = rule->file ? rule->file : "?";
		size_t len = strlen(file);

		if (len >= sizeof(e->file))
			file += len - sizeof(e->file) + 1;
		snprintf(e->file, sizeof(e->file), "%s", file);
		e->line = rule->line;
		e->rule = FILTERLOG_RULE_KNOWN;
	}
}

static const char *reason_name(const struct log_record *r)
{
	return r->reason == DROP_NONE ? "-" : r->reason < DROP_N ? drop_text[r->reason].name : "?";
}

static const char *dir_name(const struct log_record *r)
{
	return r->dir == RULE_IN ? "inbound" : r->dir == RULE_OUT ? "outbound" : "-";
}

static const char *frag_name(const struct log_record *r)
{
	return r->frag == PACKET_FIRST_FRAGMENT   ? "first"
	       : r->frag == PACKET_LATER_FRAGMENT ? "later"
						  : "no";
}

static bool is_icmp(const struct log_record *r)
{
	return r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6;
}

static bool has_ports(const struct log_record *r)
{
	return r->frag != PACKET_LATER_FRAGMENT && rule_proto_has_ports(r->proto);
}

/* The values of one record under their keys: what both forms write. quote writes a value. */
typedef void (*pair_fn)(struct text *t, const char *key, const char *value);

static void number(struct text *t, pair_fn pair, const char *key, uint32_t value)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%u", value);
	pair(t, key, buf);
}

static void transport_pairs(const struct log_record *r, struct text *t, pair_fn pair)
{
	char buf[TEXT_FLAGS_STRLEN];

	if (r->frag == PACKET_LATER_FRAGMENT)
		return;
	if (is_icmp(r)) {
		number(t, pair, "type", r->sport);
		number(t, pair, "code", r->dport);
	} else if (has_ports(r)) {
		number(t, pair, "sport", r->sport);
		number(t, pair, "dport", r->dport);
	}
	if (r->proto == IPPROTO_TCP)
		pair(t, "flags", text_tcp_flags(r->tcp_flags, buf));
}

static void pairs(const struct filterlog_entry *e, struct text *t, pair_fn pair)
{
	const struct log_record *r = &e->r;
	char buf[ADDR_STRLEN];

	switch ((enum filterlog_rule)e->rule) {
	case FILTERLOG_RULE_NONE:
		pair(t, "rule", "-");
		break;
	case FILTERLOG_RULE_GONE:
		pair(t, "rule", "?");
		break;
	case FILTERLOG_RULE_IMPLICIT:
		pair(t, "rule", "implicit");
		break;
	case FILTERLOG_RULE_KNOWN:
		number(t, pair, "rule", r->verdict);
		pair(t, "file", e->file);
		number(t, pair, "line", e->line);
		break;
	}
	pair(t, "verdict", r->reason == DROP_NONE ? "permit" : "deny");
	pair(t, "reason", reason_name(r));
	pair(t, "in", e->in[0] ? e->in : "-");
	pair(t, "out", e->out[0] ? e->out : "-");
	pair(t, "dir", dir_name(r));
	pair(t, "proto", text_proto(r->proto, buf));
	pair(t, "src", addr_format(&r->src, buf));
	pair(t, "dst", addr_format(&r->dst, buf));
	transport_pairs(r, t, pair);
	if (r->frag != PACKET_WHOLE)
		pair(t, "fragment", frag_name(r));
	number(t, pair, "len", r->len);
	if (r->left_out)
		number(t, pair, "left_out", r->left_out);
}

/* key=value; in quotes where a reader that splits at blanks would go wrong. */
static void pair_line(struct text *t, const char *key, const char *value)
{
	bool plain = *value != '\0' && strpbrk(value, " \t\"\\=") == NULL;

	for (const char *p = value; plain && *p; p++)
		plain = (unsigned char)*p >= 0x20 && *p != 0x7f;
	if (plain) {
		text_add(t, " %s=%s", key, value);
		return;
	}
	text_add(t, " %s=\"", key);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\')
			text_add(t, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			text_add(t, "\\x%02x", c);
		else
			text_add(t, "%c", c);
	}
	text_add(t, "\"");
}

void filterlog_line(const struct filterlog_entry *e, struct text *t)
{
	char when[TEXT_TIME_STRLEN];

	text_add(t, "time=%s", text_time(e->r.wall_ns, when));
	pairs(e, t, pair_line);
}

/* RFC 5424 section 6.3.3: UTF-8, with '"', '\' and ']' escaped. */
static void pair_rfc5424(struct text *t, const char *key, const char *value)
{
	size_t left = strlen(value), n;

	text_add(t, " %s=\"", key);
	for (; left > 0; value += n, left -= n) {
		n = text_utf8((const uint8_t *)value, left);
		if (n == 0 || (n == 1 && ((unsigned char)*value < 0x20 || *value == 0x7f))) {
			n = 1;
			text_add(t, "?");
		} else if (*value == '"' || *value == '\\' || *value == ']') {
			text_add(t, "\\%c", *value);
		} else {
			text_add(t, "%.*s", (int)n, value);
		}
	}
	text_add(t, "\"");
}

/* PRINTUSASCII, 1 to 255 of them; "-" for none. */
static void host_name(struct text *t, const char *host)
{
	if (*host == '\0')
		text_add(t, "-");
	for (unsigned i = 0; host[i] != '\0' && i < 255; i++)
		text_add(t, "%c", host[i] > 0x20 && host[i] < 0x7f ? host[i] : '?');
}

void filterlog_rfc5424(
	const struct filterlog_entry *e, const struct filterlog_sender *sender, struct text *t)
{
	const struct log_record *r = &e->r;
	unsigned severity = r->reason == DROP_NONE ? SEVERITY_INFO : SEVERITY_NOTICE;
	char when[TEXT_TIME_STRLEN], proto[TEXT_PROTO_STRLEN];

	text_add(t, "<%u>1 %s ", PRI_LOCAL0 + severity, text_time(r->wall_ns, when));
	host_name(t, sender->host);
	text_add(t, " postern %d FILTER [filter@32473", sender->pid);
	pairs(e, t, pair_rfc5424);
	text_add(t, "] %s %s %s ", r->reason == DROP_NONE ? "permit" : "deny", dir_name(r),
		text_proto(r->proto, proto));
	text_add_endpoint(t, &r->src, has_ports(r) ? r->sport : -1);
	text_add(t, " > ");
	text_add_endpoint(t, &r->dst, has_ports(r) ? r->dport : -1);
	if (r->reason != DROP_NONE)
		text_add(t, ": %s", reason_name(r));
}

static json_t *optional(const char *s)
{
	return *s ? text_json(s) : json_null();
}

json_t *filterlog_json(const struct filterlog_entry *e)
{
	const struct log_record *r = &e->r;
	bool l4 = r->frag != PACKET_LATER_FRAGMENT;
	bool ports = has_ports(r) || (l4 && is_icmp(r));
	char when[TEXT_TIME_STRLEN], proto[TEXT_PROTO_STRLEN], flags[TEXT_FLAGS_STRLEN];
	json_t *rule = json_null();

	if (e->rule == FILTERLOG_RULE_KNOWN)
		rule = json_pack("{s:I, s:o, s:I}", "number", (json_int_t)r->verdict, "file",
			text_json(e->file), "line", (json_int_t)e->line);
	else if (e->rule == FILTERLOG_RULE_IMPLICIT)
		rule = json_pack("{s:i, s:n, s:n}", "number", 0, "file", "line");
	return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s,"
			 " s:i, s:I}",
		"time", text_time(r->wall_ns, when), "rule", rule, "verdict",
		r->reason == DROP_NONE ? "permit" : "deny", "reason", reason_name(r), "in",
		optional(e->in), "out", optional(e->out), "direction", dir_name(r), "proto",
		text_proto(r->proto, proto), "src", text_json_addr(&r->src), "dst",
		text_json_addr(&r->dst), "sport", ports ? json_integer(r->sport) : json_null(),
		"dport", ports ? json_integer(r->dport) : json_null(), "flags",
		l4 && r->proto == IPPROTO_TCP ? json_string(text_tcp_flags(r->tcp_flags, flags))
					      : json_null(),
		"fragment", frag_name(r), "length", r->len, "left_out", (json_int_t)r->left_out);
}
