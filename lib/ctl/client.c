/* One client of the control socket: lines in, answers out, both bounded. One request is handled per
 * turn of the event loop, so that a client that sends thousands at once delays nobody. Control
 * core.
 *
 * A client ends in three ways: it closed both sides or failed (client_free); it closed its sending
 * side (half), then what it asked is answered first; or we end it (ending): the last answer goes
 * out, our sending side is closed, and what it still sends is thrown away for a moment, because
 * closing at once would take that answer from it.
 */
#include "ctl/server.h"

#include "base/log.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_BYTES 16384
#define IOV_N 8
#define CALLS_MAX 16 /* answers that come later; what follows waits in the socket */

/* An asynchronous call. Outlives its client if need be. */
struct pending {
	struct client *client; /* NULL: it left */
	TAILQ_ENTRY(pending) entry;
};

struct client {
	struct ctl_server *server;
	int fd;
	struct event *readable, *writable;
	struct event *turn;  /* a line waits to be handled */
	struct event *timer; /* idle, stall or linger, whichever applies */
	struct evbuffer *in, *out;
	size_t searched; /* bytes of in without a newline */
	bool half, ending, shut;
	TAILQ_HEAD(, pending) calls;
	unsigned n_calls;
	TAILQ_ENTRY(client) entry;
};

static void update(struct client *c);

void client_free(struct client *c)
{
	struct pending *p;

	TAILQ_FOREACH (p, &c->calls, entry)
		p->client = NULL;
	TAILQ_REMOVE(&c->server->clients, c, entry);
	c->server->n_clients--;
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	if (c->turn)
		event_free(c->turn);
	if (c->timer)
		event_free(c->timer);
	if (c->in)
		evbuffer_free(c->in);
	if (c->out)
		evbuffer_free(c->out);
	close(c->fd);
	free(c);
}

void client_free_all(struct ctl_server *s)
{
	while (!TAILQ_EMPTY(&s->clients))
		client_free(TAILQ_FIRST(&s->clients));
}

static void timer_set(struct client *c)
{
	const struct ctl_limits *l = &c->server->limits;
	struct timeval tv = {.tv_sec = c->ending                         ? l->linger_s
				       : evbuffer_get_length(c->out) > 0 ? l->stall_s
									 : l->idle_s};

	event_add(c->timer, &tv);
}

/* Sends what the socket takes. False when the client is gone. */
static bool send_out(struct client *c)
{
	struct evbuffer_iovec piece[IOV_N];
	struct iovec iov[IOV_N];
	struct msghdr msg = {.msg_iov = iov};
	ssize_t n;
	int pieces;

	while (evbuffer_get_length(c->out) > 0) {
		pieces = evbuffer_peek(c->out, -1, NULL, piece, IOV_N);
		if (pieces > IOV_N)
			pieces = IOV_N;
		for (int i = 0; i < pieces; i++)
			iov[i] = (struct iovec){piece[i].iov_base, piece[i].iov_len};
		msg.msg_iovlen = (size_t)pieces;
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		evbuffer_drain(c->out, (size_t)n);
		timer_set(c);
	}
	return true;
}

static void answer_unref(const void *data, size_t len, void *arg)
{
	free(arg);
}

/* Takes the answer over. False when the client does not read what it asked for. */
static bool answer_add(struct client *c, char *answer)
{
	size_t len = strlen(answer);

	if (evbuffer_get_length(c->out) + len > c->server->limits.output_bytes) {
		log_warn("control socket: a client is disconnected: it left %zu bytes of answers "
			 "unread",
			evbuffer_get_length(c->out) + len);
		free(answer);
		return false;
	}
	if (evbuffer_add_reference(c->out, answer, len, answer_unref, answer) < 0) {
		free(answer);
		return false;
	}
	timer_set(c);
	return true;
}

/* The answer to an asynchronous call. NULL: none (a notification). */
static void answered(void *arg, char *answer)
{
	struct pending *p = arg;
	struct client *c = p->client;

	if (c == NULL) {
		free(answer);
		free(p);
		return;
	}
	TAILQ_REMOVE(&c->calls, p, entry);
	c->n_calls--;
	free(p);
	if (answer != NULL && !answer_add(c, answer))
		client_free(c);
	else
		update(c);
}

/* Handles one request. False when the client is to be freed. */
static bool handle(struct client *c, const char *line, size_t len)
{
	struct pending *p = calloc(1, sizeof(*p));
	bool is_pending = false;
	char *answer;

	if (p == NULL)
		return false;
	p->client = c;
	answer = ctl_handle(c->server->env, line, len, answered, p, &is_pending);
	if (is_pending) {
		TAILQ_INSERT_TAIL(&c->calls, p, entry);
		c->n_calls++;
		return true;
	}
	free(p);
	return answer == NULL || answer_add(c, answer);
}

static bool refuse_line(struct client *c)
{
	char line[160];

	snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
		"\"the request is longer than %zu bytes\"}}\n",
		c->server->limits.line_bytes);
	c->ending = true;
	evbuffer_drain(c->in, evbuffer_get_length(c->in));
	return evbuffer_add(c->out, line, strlen(line)) == 0;
}

/* Whether a line waits; its length then. What follows the last newline of a client that closed its
 * sending side is a line too. */
static bool line_find(struct client *c, size_t *len)
{
	struct evbuffer_ptr at;
	size_t have = evbuffer_get_length(c->in);

	evbuffer_ptr_set(c->in, &at, c->searched < have ? c->searched : have, EVBUFFER_PTR_SET);
	at = evbuffer_search(c->in, "\n", 1, &at);
	if (at.pos >= 0) {
		*len = (size_t)at.pos;
		return true;
	}
	c->searched = have;
	*len = have;
	return c->half && have > 0;
}

/* Handles one line if there is one. False when the client was freed. */
static bool one_line(struct client *c)
{
	size_t len, have;
	char *line;
	bool ok = true;

	if (c->ending)
		return true;
	if (line_find(c, &len)) {
		have = evbuffer_get_length(c->in);
		if (len > c->server->limits.line_bytes) {
			ok = refuse_line(c);
		} else {
			line = (char *)evbuffer_pullup(c->in, (ev_ssize_t)len);
			/* an empty line is nothing */
			if (len > 0)
				ok = line != NULL && handle(c, line, len);
			/* it may have been an SA's key */
			if (line != NULL)
				explicit_bzero(line, len);
			evbuffer_drain(c->in, len < have ? len + 1 : len);
			c->searched = 0;
		}
	} else if (evbuffer_get_length(c->in) > c->server->limits.line_bytes) {
		ok = refuse_line(c);
	}
	if (!ok)
		client_free(c);
	return ok;
}

/* Sends, and decides what is waited for next. May free the client. */
static void update(struct client *c)
{
	/* not event_active: that would run before other clients are looked at */
	const struct timeval soon = {0};
	size_t len, waiting;
	bool line, full;

	if (!send_out(c)) {
		client_free(c);
		return;
	}
	waiting = evbuffer_get_length(c->out);
	if (waiting > 0)
		event_add(c->writable, NULL);
	else
		event_del(c->writable);
	line = !c->ending && line_find(c, &len);
	if (c->half && !line && waiting == 0 && TAILQ_EMPTY(&c->calls)) {
		client_free(c);
		return;
	}
	if (c->ending && waiting == 0 && !c->shut) {
		c->shut = true;
		shutdown(c->fd, SHUT_WR);
		timer_set(c);
	}
	/* While it does not take its answers, or waits for many, nothing more is begun, nor read.
	 */
	full = waiting >= c->server->limits.pause_bytes || c->n_calls >= CALLS_MAX;
	if (line && !full)
		event_add(c->turn, &soon);
	if (c->half || (!c->ending && (line || full)))
		event_del(c->readable);
	else
		event_add(c->readable, NULL);
	if (!event_pending(c->timer, EV_TIMEOUT, NULL))
		timer_set(c);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	timer_set(c);
	if (one_line(c))
		update(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	char buf[READ_BYTES];
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && c->ending)) {
		client_free(c);
		return;
	}
	if (n == 0)
		c->half = true;
	else if (!c->ending && evbuffer_add(c->in, buf, (size_t)n) < 0) {
		client_free(c);
		return;
	}
	explicit_bzero(buf, (size_t)n);
	if (one_line(c))
		update(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	update(arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	if (!c->ending && !TAILQ_EMPTY(&c->calls) && evbuffer_get_length(c->out) == 0) {
		timer_set(c); /* it waits for us */
		return;
	}
	if (!c->ending && evbuffer_get_length(c->out) > 0)
		log_warn("control socket: a client is disconnected: it left %zu bytes of answers "
			 "unread for %u s",
			evbuffer_get_length(c->out), c->server->limits.stall_s);
	client_free(c);
}

int client_new(struct ctl_server *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return -ENOMEM;
	}
	c->server = s;
	c->fd = fd;
	TAILQ_INIT(&c->calls);
	TAILQ_INSERT_TAIL(&s->clients, c, entry);
	s->n_clients++;
	c->readable = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(s->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	c->turn = event_new(s->base, -1, 0, on_turn, c);
	c->timer = event_new(s->base, -1, 0, on_timer, c);
	c->in = evbuffer_new();
	c->out = evbuffer_new();
	if (!c->readable || !c->writable || !c->turn || !c->timer || !c->in || !c->out) {
		client_free(c);
		return -ENOMEM;
	}
	event_add(c->readable, NULL);
	timer_set(c);
	return 0;
}
