/* Speaks with the daemon. See rpc.h. */
#include "rpc.h"

#include "print.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (64u << 20)
#define SEND_S 5
#define ANSWER_S 30
#define CONFIG_S 600 /* a large filter takes its time, and routes wait for a reload's */
#define PAGE 1000

struct rpc {
	const char *path;
	int fd; /* -1: not connected */
	json_int_t id;
	char *buf;
	size_t len, size;
};

struct rpc *rpc_new(const char *socket)
{
	struct rpc *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		fprintf(stderr, "posternctl: out of memory\n");
		exit(EXIT_UNREACHABLE);
	}
	r->path = socket;
	r->fd = -1;
	return r;
}

static void disconnect(struct rpc *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->len = 0;
}

void rpc_free(struct rpc *r)
{
	disconnect(r);
	free(r->buf);
	free(r);
}

static void say_permission(const char *path)
{
	struct stat st;
	struct passwd *owner;
	struct group *group;

	fprintf(stderr, "posternctl: permission denied on the control socket %s\n", path);
	if (stat(path, &st) < 0) {
		fprintf(stderr,
			"  Its folder can't be entered: try as root (sudo posternctl ...).\n");
		return;
	}
	owner = getpwuid(st.st_uid);
	group = getgrgid(st.st_gid);
	fprintf(stderr, "  It is open to the user %s", owner ? owner->pw_name : "root");
	if (st.st_mode & S_IWGRP)
		fprintf(stderr, " and to members of the group %s", group ? group->gr_name : "?");
	fprintf(stderr, ".\n  %s\n",
		st.st_mode & S_IWGRP
			? "Use sudo, or join that group (and log in again)."
			: "Use sudo, or name a group in the configuration: control.group.");
}

static void say_unreachable(const char *path, int error)
{
	if (error == EACCES || error == EPERM) {
		say_permission(path);
		return;
	}
	fprintf(stderr, "posternctl: no daemon on the control socket %s: ", path);
	if (error == ENOENT || error == ENOTDIR)
		fprintf(stderr, "it does not exist.\n");
	else if (error == ECONNREFUSED)
		fprintf(stderr, "nobody listens on it any more.\n");
	else
		fprintf(stderr, "%s\n", strerror(error));
	fprintf(stderr, "  Is posternd running? (systemctl status postern)\n"
			"  Another socket: --socket PATH or the variable POSTERN_SOCKET.\n");
}

/* 0 or -errno. */
static int reach(struct rpc *r)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = SEND_S};
	int error;

	if (r->fd >= 0)
		return 0;
	if (strlen(r->path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, r->path);
	r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		return -errno;
	setsockopt(r->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(r->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	error = errno;
	disconnect(r);
	return -error;
}

static int send_line(struct rpc *r, const char *line, size_t len)
{
	while (len > 0) {
		ssize_t n = send(r->fd, line, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		line += n;
		len -= (size_t)n;
	}
	return 0;
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int room(struct rpc *r)
{
	size_t size = r->size ? r->size * 2 : 65536;
	char *grown;

	if (r->len + 1 < r->size)
		return 0;
	if (size > ANSWER_MAX)
		return -EMSGSIZE;
	grown = realloc(r->buf, size);
	if (grown == NULL)
		return -ENOMEM;
	r->buf = grown;
	r->size = size;
	return 0;
}

/* Reads one line into r->buf, without its newline. Its length or -errno. */
static ssize_t read_line(struct rpc *r, unsigned seconds)
{
	long long deadline = now_ms() + seconds * 1000LL;

	r->len = 0;
	for (;;) {
		struct pollfd p = {.fd = r->fd, .events = POLLIN};
		long long left = deadline - now_ms();
		ssize_t n;
		int rc = room(r);

		if (rc < 0)
			return rc;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = recv(r->fd, r->buf + r->len, r->size - r->len - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		r->len += (size_t)n;
		/* one request at a time: nothing can follow the newline */
		if (r->buf[r->len - 1] == '\n')
			return (ssize_t)--r->len;
	}
}

/* The answer object in *answer; 0 or -errno. */
static int exchange(struct rpc *r, const char *method, json_t *params, json_t **answer)
{
	bool slow = strncmp(method, "config.", 7) == 0 || strncmp(method, "route.", 6) == 0 ||
		    strncmp(method, "policy.", 7) == 0;
	unsigned seconds = slow ? CONFIG_S : ANSWER_S;
	json_t *request = json_pack("{s:s, s:I, s:s, s:O*}", "jsonrpc", "2.0", "id", ++r->id,
		"method", method, "params", params);
	char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t len = line ? strlen(line) : 0;
	bool fresh;
	ssize_t n;
	int rc;

	json_decref(request);
	if (line == NULL)
		return -ENOMEM;
	line[len] = '\n'; /* in place of the end, which is not sent */
	do {
		fresh = r->fd < 0;
		rc = reach(r);
		if (rc < 0)
			break;
		rc = send_line(r, line, len + 1);
		n = rc == -ETIMEDOUT || rc == -EAGAIN ? rc : read_line(r, seconds);
		rc = n < 0 ? (int)n : 0;
		if (rc < 0)
			disconnect(r);
		/* a connection that lay idle may be gone: once more with a new one */
	} while (!fresh && (rc == -ECONNRESET || rc == -EPIPE));
	free(line);
	if (rc < 0)
		return rc;
	*answer = json_loadb(r->buf, r->len, 0, NULL);
	return json_is_object(*answer) ? 0 : -EPROTO;
}

/* What the daemon says of a parameter, under the name that the option has here. */
static void say_message(json_t *error, json_t *data)
{
	const char *param = get_text(data, "param"), *expected = get_text(data, "expected");
	bool option = *param && *expected && strcmp(param, "file") != 0 && strcmp(param, "to") != 0;

	if (!option) {
		fprintf(stderr, "posternctl: %s\n", get_text(error, "message"));
		return;
	}
	fprintf(stderr, "posternctl: --");
	for (; *param; param++)
		putc(*param == '_' ? '-' : *param, stderr);
	fprintf(stderr, " must be %s\n", expected);
}

void rpc_say_error(struct tool *t, json_t *error)
{
	json_t *data = json_object_get(error, "data"), *list, *item;
	const char *key;
	size_t i, at;

	if (t->json) {
		json_t *whole = json_pack("{s:O}", "error", error);

		print_json(whole);
		json_decref(whole);
		return;
	}
	say_message(error, data);
	json_object_foreach (data, key, list) {
		if (!json_is_array(list))
			continue;
		at = (size_t)fprintf(stderr, "  %s:", print_clean(key));
		json_array_foreach (list, i, item)
			at = print_word(stderr, at, 4, print_clean(json_string_value(item)));
		fprintf(stderr, "\n");
	}
}

int rpc_ask(struct tool *t, const char *method, json_t *params, json_t **result, json_t **error)
{
	json_t *answer = NULL;
	int rc = exchange(t->rpc, method, params, &answer);

	*result = *error = NULL;
	if (rc == -ETIMEDOUT || rc == -EAGAIN) {
		fprintf(stderr, "posternctl: the daemon on %s did not answer in time\n", t->socket);
	} else if (rc == -ECONNRESET || rc == -EPIPE) {
		fprintf(stderr, "posternctl: the daemon on %s closed the connection\n", t->socket);
	} else if (rc == -EPROTO) {
		fprintf(stderr, "posternctl: what answers on %s does not speak JSON-RPC\n",
			t->socket);
	} else if (rc < 0) {
		say_unreachable(t->socket, -rc);
	}
	if (rc < 0) {
		json_decref(answer);
		return EXIT_UNREACHABLE;
	}
	*error = json_incref(json_object_get(answer, "error"));
	if (*error != NULL)
		/* such an answer may be the daemon's last word: too many clients */
		disconnect(t->rpc);
	else
		*result = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	if (*result == NULL && *error == NULL)
		*error = json_pack("{s:s}", "message", "the daemon's answer has no result");
	return *result ? EXIT_OK : EXIT_ANSWER;
}

int rpc_call(struct tool *t, const char *method, json_t *params, json_t **result)
{
	json_t *error;
	int rc = rpc_ask(t, method, params, result, &error);

	if (rc == EXIT_ANSWER)
		rpc_say_error(t, error);
	json_decref(error);
	return rc;
}

json_t *rpc_quiet(struct tool *t, const char *method, json_t *params)
{
	json_t *answer = NULL, *result = NULL;

	if (exchange(t->rpc, method, params, &answer) == 0)
		result = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	return result;
}

int rpc_change(
	struct tool *t, const char *method, json_t *params, const char *noun, const char *done)
{
	json_t *result, *error;
	int rc = rpc_ask(t, method, params, &result, &error);

	if (rc == EXIT_ANSWER) {
		rc = get_int(error, "code") == REFUSED ? EXIT_REFUSED : EXIT_ANSWER;
		rpc_say_error(t, error);
	} else if (rc == EXIT_OK && t->json) {
		print_json(result);
	} else if (rc == EXIT_OK) {
		printf("%s %s.\n", get_text(params, noun), done);
	}
	json_decref(result);
	json_decref(error);
	return rc;
}

int rpc_pages(struct tool *t, const char *method, json_t *of, const char *list,
	void (*page)(void *arg, json_t *result), void *arg)
{
	json_int_t offset = 0, total = 0;
	json_t *all = NULL;
	int rc;

	do {
		json_t *params = json_pack("{s:I, s:i}", "offset", offset, "limit", PAGE);
		json_t *result, *items;
		size_t n;

		if (of != NULL)
			json_object_update(params, of);
		rc = rpc_call(t, method, params, &result);
		json_decref(params);
		if (rc != EXIT_OK)
			break;
		items = json_object_get(result, list);
		n = json_array_size(items);
		total = json_integer_value(json_object_get(result, "total"));
		offset += (json_int_t)n;
		if (!t->json)
			page(arg, result);
		else if (all == NULL)
			all = json_incref(result);
		else
			json_array_extend(json_object_get(all, list), items);
		json_decref(result);
		if (n == 0)
			break;
	} while (offset < total);
	if (rc == EXIT_OK && t->json)
		print_json(all);
	json_decref(all);
	return rc;
}
