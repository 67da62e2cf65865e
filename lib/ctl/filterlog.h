/* The filter log, control core's side: log records of the workers (link/msg.h) become lines in a
 * file or RFC 5424 messages to syslog, and the last ones are kept for show log.
 *
 * Control core only.
 */
#pragma once

#include "link/msg.h"
#include "table/root.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define FILTERLOG_KEPT 256

enum filterlog_to { FILTERLOG_NONE, FILTERLOG_FILE, FILTERLOG_SYSLOG };

struct filterlog;

/* NULL when out of memory. Opens nothing yet. */
struct filterlog *filterlog_new(void);
void filterlog_free(struct filterlog *l);

/* Where records go from now on. path: of the file (FILTERLOG_FILE), created 0640, appended to. For
 * FILTERLOG_SYSLOG path is the datagram socket, NULL: /dev/log. 0 or -errno with a sentence in why;
 * on failure the old destination stays. */
int filterlog_open(
	struct filterlog *l, enum filterlog_to to, const char *path, char *why, size_t why_size);
/* Opens the file anew under the same name (SIGHUP, after logrotate). 0 or -errno. */
int filterlog_reopen(struct filterlog *l);

/* Writes one record. root: the one whose generation the record names, or NULL when it is gone (then
 * rule, file and interface names are left out as "?"). Never blocks: what the destination does not
 * take is counted. */
void filterlog_write(struct filterlog *l, const struct log_record *r, const struct root *root);
/* Lines for a file are buffered: this writes them out. Called once per turn of the event loop. */
void filterlog_flush(struct filterlog *l);

/* The last records, oldest first, as a JSON array of objects; and the counters. New references. */
json_t *filterlog_last(const struct filterlog *l, unsigned n);
json_t *filterlog_stats(const struct filterlog *l);
