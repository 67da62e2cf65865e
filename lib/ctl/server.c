/* The control server: listens, and takes clients up to a number. client.c speaks with them. Runs in
 * the control core's event loop and never waits. See ctl.h and server.h.
 */
#include "ctl/server.h"

#include "base/log.h"

#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 16

const struct ctl_limits ctl_limits_default = {
	.line_bytes = 64 * 1024,
	.output_bytes = 4 * 1024 * 1024,
	.pause_bytes = 1024 * 1024,
	.idle_s = 600,
	.stall_s = 30,
	.linger_s = 2,
};

static void on_accept(evutil_socket_t fd, short what, void *arg);

/* Watches the listener; with seconds, after that time: when descriptors ran out, looking again at
 * once would only spin. */
static void accept_watch(struct ctl_server *s, unsigned seconds)
{
	struct timeval tv = {.tv_sec = seconds};

	event_del(s->accept);
	event_assign(s->accept, s->base, seconds ? -1 : s->listener.fd,
		seconds ? 0 : EV_READ | EV_PERSIST, on_accept, s);
	event_add(s->accept, seconds ? &tv : NULL);
	s->accept_paused = seconds != 0;
}

/* One client too many: says so and closes. A fresh socket has room for this. */
static void turn_away(struct ctl_server *s, int fd)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":"
		"\"%u clients are connected, which is the limit (control.clients-max)\"}}\n",
		s->n_clients);

	if (send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control socket: a client was turned away unheard: %s", strerror(errno));
	close(fd);
}

static void on_accept(evutil_socket_t unused, short what, void *arg)
{
	struct ctl_server *s = arg;

	if (s->accept_paused)
		accept_watch(s, 0);
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(s->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
				errno == ENOBUFS) {
				log_warn("control socket: no client can be accepted: %s",
					strerror(errno));
				accept_watch(s, 1);
			}
			return;
		}
		if (s->n_clients >= s->clients_max)
			turn_away(s, fd);
		else if (client_new(s, fd) < 0)
			log_warn("control socket: out of memory for a client");
	}
}

/* jansson leaves pieces of what it read behind, and that may be a key. */
static void wipe_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

struct ctl_server *ctl_server_new(struct event_base *base, const char *path, const char *group,
	unsigned clients_max, struct ctl_env *env, char *why, size_t why_size)
{
	struct ctl_server *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		snprintf(why, why_size, "out of memory");
		return NULL;
	}
	*s = (struct ctl_server){.base = base,
		.env = env,
		.limits = ctl_limits_default,
		.listener = {.fd = -1},
		.clients_max = clients_max};
	TAILQ_INIT(&s->clients);
	json_set_alloc_funcs(malloc, wipe_free);
	s->path = strdup(path);
	if (s->path == NULL) {
		snprintf(why, why_size, "out of memory");
		goto fail;
	}
	if (listen_open(&s->listener, path, group, why, why_size) < 0)
		goto fail;
	s->accept = event_new(base, s->listener.fd, EV_READ | EV_PERSIST, on_accept, s);
	if (s->accept == NULL || event_add(s->accept, NULL) < 0) {
		snprintf(why, why_size, "the control socket %s can't be watched", path);
		goto fail;
	}
	return s;
fail:
	ctl_server_free(s);
	return NULL;
}

void ctl_server_free(struct ctl_server *s)
{
	if (s == NULL)
		return;
	client_free_all(s);
	if (s->accept != NULL)
		event_free(s->accept);
	if (s->path != NULL)
		listen_close(&s->listener, s->path);
	free(s->path);
	free(s);
}
