/* The filter log as text: one record as a line of key=value pairs, or as an RFC 5424 message.
 *
 * For filterlog.c and its tests. No state.
 */
#pragma once

#include "ctl/text.h"
#include "link/msg.h"
#include "table/root.h"

#define FILTERLOG_FILE_MAX 192 /* of a rule file's name; longer ones lose their beginning */

enum filterlog_rule {
	FILTERLOG_RULE_NONE,
	FILTERLOG_RULE_GONE,
	FILTERLOG_RULE_IMPLICIT,
	FILTERLOG_RULE_KNOWN
};

struct filterlog_entry { /* a record with its names, which outlive the root */
	struct log_record r;
	uint8_t rule; /* enum filterlog_rule */
	uint32_t line;
	char file[FILTERLOG_FILE_MAX];
	char in[IFACE_NAME_MAX], out[IFACE_NAME_MAX]; /* "": none, "?": unknown */
};

struct filterlog_sender { /* who we are, for RFC 5424 */
	char host[256];
	int pid;
};

/* root as in filterlog_write. */
void filterlog_entry_make(
	struct filterlog_entry *e, const struct log_record *r, const struct root *root);
/* A line without its newline. */
void filterlog_line(const struct filterlog_entry *e, struct text *t);
/* RFC 5424 section 6; facility local0, severity notice for what was denied, else informational. */
void filterlog_rfc5424(
	const struct filterlog_entry *e, const struct filterlog_sender *sender, struct text *t);
/* For show.log. New reference. */
json_t *filterlog_json(const struct filterlog_entry *e);
