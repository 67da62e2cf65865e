/* The daemon's own log. See log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

static enum log_level max_level = LOG_LVL_INFO;
static bool use_syslog;

void log_setup(enum log_level level, bool to_syslog)
{
	max_level = level;
	if (to_syslog && !use_syslog)
		openlog("posternd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	else if (!to_syslog && use_syslog)
		closelog();
	use_syslog = to_syslog;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	static const char *const word[] = {"error: ", "warning: ", "", "debug: "};
	static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
	char line[1024];
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "posternd: %s%s\n", word[level], line);
	if (use_syslog)
		syslog(priority[level], "%s%s", word[level], line);
}
