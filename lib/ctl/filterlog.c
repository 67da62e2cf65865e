/* The filter log: takes records, keeps the last ones, sends each to a file or to syslog. Nothing
 * here waits: the file is written from a buffer once per turn of the event loop, syslog by a socket
 * that does not block, and what neither takes is counted as lost. See filterlog.h. Control core.
 */
#include "ctl/filterlog.h"

#include "base/log.h"
#include "ctl/filterlog_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (256 * 1024)
#define LINE_BYTES 2048
#define DEV_LOG "/dev/log"

struct filterlog {
	enum filterlog_to to;
	int fd;
	char *path; /* NULL with FILTERLOG_NONE */
	struct filterlog_sender sender;
	time_t retry; /* syslog: not connected again before */
	bool failing; /* said so already */

	size_t buffered; /* FILTERLOG_FILE: bytes in buffer */
	unsigned lines;  /* ... and lines */
	char *buffer;

	uint64_t records, written, lost, left_out;
	uint64_t kept; /* ever; the last FILTERLOG_KEPT are in ring */
	struct filterlog_entry ring[FILTERLOG_KEPT];
};

struct filterlog *filterlog_new(void)
{
	struct filterlog *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->fd = -1;
	l->buffer = malloc(BUFFER_BYTES);
	if (l->buffer == NULL) {
		free(l);
		return NULL;
	}
	return l;
}

void filterlog_free(struct filterlog *l)
{
	if (l == NULL)
		return;
	filterlog_flush(l);
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
	free(l->buffer);
	free(l);
}

static int file_open(const char *path, char *why, size_t size)
{
	/* O_NONBLOCK: a pipe without a reader must not hold us up */
	int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
	int error = errno;

	if (fd >= 0)
		return fd;
	snprintf(why, size, "the filter log %s can't be opened: %s", path, strerror(error));
	return -error;
}

static int syslog_open(const char *path, char *why, size_t size)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd, error;

	if (strlen(path) >= sizeof(to.sun_path)) {
		snprintf(why, size, "the syslog socket's path %s is longer than %zu bytes", path,
			sizeof(to.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	error = errno;
	if (fd >= 0)
		close(fd);
	snprintf(why, size, "syslog does not listen on %s: %s", path, strerror(error));
	return -error;
}

static int to_open(enum filterlog_to to, const char *path, char *why, size_t size)
{
	return to == FILTERLOG_FILE ? file_open(path, why, size) : syslog_open(path, why, size);
}

int filterlog_open(
	struct filterlog *l, enum filterlog_to to, const char *path, char *why, size_t why_size)
{
	char *copy = NULL;
	int fd = -1;

	if (to == FILTERLOG_SYSLOG && path == NULL)
		path = DEV_LOG;
	if (to != FILTERLOG_NONE) {
		copy = path ? strdup(path) : NULL;
		if (copy == NULL) {
			snprintf(why, why_size, "%s", path ? "out of memory" : "no file is named");
			return path ? -ENOMEM : -EINVAL;
		}
		fd = to_open(to, path, why, why_size);
		if (fd < 0) {
			free(copy);
			return fd;
		}
	}
	filterlog_flush(l);
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
	l->lost += l->lines; /* what the old destination did not take */
	l->buffered = l->lines = 0;
	l->to = to;
	l->fd = fd;
	l->path = copy;
	l->failing = false;
	l->sender.pid = (int)getpid();
	if (gethostname(l->sender.host, sizeof(l->sender.host)) < 0)
		l->sender.host[0] = '\0';
	l->sender.host[sizeof(l->sender.host) - 1] = '\0';
	return 0;
}

int filterlog_reopen(struct filterlog *l)
{
	char why[256];
	int fd;

	if (l->to == FILTERLOG_NONE)
		return 0;
	filterlog_flush(l); /* what came before belongs to the old file */
	fd = to_open(l->to, l->path, why, sizeof(why));
	if (fd < 0) {
		log_error("%s; it goes on to the old one", why);
		return fd;
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = fd;
	l->failing = false;
	return 0;
}

/* Says once that records are lost, and once that they are not any more. */
static void failed(struct filterlog *l, const char *why)
{
	if (!l->failing)
		log_error("filter log %s: %s; records are being lost", l->path, why);
	l->failing = true;
}

static void worked(struct filterlog *l)
{
	if (l->failing)
		log_info("filter log %s: written again; %llu records were lost so far", l->path,
			(unsigned long long)l->lost);
	l->failing = false;
}

static unsigned lines_in(const char *p, size_t n)
{
	unsigned lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	return lines;
}

void filterlog_flush(struct filterlog *l)
{
	unsigned lines;
	ssize_t n;

	if (l->to != FILTERLOG_FILE || l->buffered == 0)
		return;
	n = write(l->fd, l->buffer, l->buffered);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			failed(l, strerror(errno));
		return;
	}
	lines = lines_in(l->buffer, (size_t)n);
	l->written += lines;
	l->lines -= lines;
	l->buffered -= (size_t)n;
	memmove(l->buffer, l->buffer + n, l->buffered);
	if (l->buffered == 0)
		worked(l);
}

static void file_write(struct filterlog *l, const struct filterlog_entry *e)
{
	struct text t;

	if (BUFFER_BYTES - l->buffered < LINE_BYTES + 1)
		filterlog_flush(l);
	if (BUFFER_BYTES - l->buffered < LINE_BYTES + 1) {
		l->lost++;
		return;
	}
	text_init(&t, l->buffer + l->buffered, LINE_BYTES);
	filterlog_line(e, &t);
	l->buffered += t.len;
	l->buffer[l->buffered++] = '\n';
	l->lines++;
}

/* syslogd went away: try again, but not for every record. */
static void syslog_again(struct filterlog *l)
{
	time_t now = time(NULL);
	char why[256];
	int fd;

	if (now < l->retry)
		return;
	l->retry = now + 1;
	fd = syslog_open(l->path, why, sizeof(why));
	if (fd < 0)
		return;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = fd;
}

static void syslog_write(struct filterlog *l, const struct filterlog_entry *e)
{
	char line[2048];
	struct text t;

	text_init(&t, line, sizeof(line));
	filterlog_rfc5424(e, &l->sender, &t);
	for (int tries = 0; tries < 2; tries++) {
		if (send(l->fd, line, t.len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			l->written++;
			worked(l);
			return;
		}
		if (errno == EAGAIN || errno == ENOBUFS || tries == 1)
			break;
		failed(l, strerror(errno));
		syslog_again(l);
	}
	l->lost++;
	if (errno != EAGAIN && errno != ENOBUFS)
		failed(l, strerror(errno));
}

void filterlog_write(struct filterlog *l, const struct log_record *r, const struct root *root)
{
	struct filterlog_entry *e = &l->ring[l->kept++ % FILTERLOG_KEPT];

	filterlog_entry_make(e, r, root);
	l->records++;
	l->left_out += r->left_out;
	if (l->to == FILTERLOG_FILE)
		file_write(l, e);
	else if (l->to == FILTERLOG_SYSLOG)
		syslog_write(l, e);
}

json_t *filterlog_last(const struct filterlog *l, unsigned n)
{
	uint64_t have = l->kept < FILTERLOG_KEPT ? l->kept : FILTERLOG_KEPT;
	json_t *list = json_array();

	for (uint64_t i = l->kept - (n < have ? n : have); i < l->kept; i++)
		json_array_append_new(list, filterlog_json(&l->ring[i % FILTERLOG_KEPT]));
	return list;
}

json_t *filterlog_stats(const struct filterlog *l)
{
	static const char *const to[] = {"none", "file", "syslog"};

	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:b}", "to", to[l->to], "path",
		text_json(l->path), "records", (json_int_t)l->records, "written",
		(json_int_t)l->written, "lost", (json_int_t)l->lost, "left_out",
		(json_int_t)l->left_out, "failing", l->failing);
}
