/* The daemon's own log: lines a person reads, to standard error, and to syslog where asked.
 *
 * Called by the control core and at boot; never by a worker (workers write events).
 * The filter log (one record per packet) is not here: see ctl/filterlog.h.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* level: the most talkative level that is still written. to_syslog: also send to syslog(3) as
 * facility daemon. May be called again; not thread safe against log_write. */
void log_setup(enum log_level level, bool to_syslog);

/* One line, without a newline at its end. Control thread (or boot) only. */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LVL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LVL_DEBUG, __VA_ARGS__)
