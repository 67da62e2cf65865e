/* What the server's two files share, and what tests turn down to see it: server.c accepts, client.c
 * speaks with one client.
 *
 * For these files and tests. Control core.
 */
#pragma once

#include "ctl/ctl.h"
#include "ctl/listen.h"

#include <sys/queue.h>

struct ctl_limits {
	size_t line_bytes;   /* longest request, without its newline */
	size_t output_bytes; /* waiting for one client; beyond it the client is disconnected */
	size_t pause_bytes;  /* waiting: no further request of this client is begun */
	unsigned idle_s;     /* without a request */
	unsigned stall_s;    /* with output that the client does not take */
	unsigned linger_s;   /* between a last answer and the end, for clients that still send */
};
extern const struct ctl_limits ctl_limits_default;

struct client;

struct ctl_server {
	struct event_base *base;
	struct ctl_env *env;
	struct ctl_limits limits;
	struct listener listener;
	struct event *accept; /* readable listener, or (accept_paused) the end of a pause */
	bool accept_paused;
	char *path;
	unsigned n_clients, clients_max;
	TAILQ_HEAD(, client) clients;
};

/* Takes fd over; on failure it is closed. 0 or -ENOMEM. */
int client_new(struct ctl_server *s, int fd);
/* Forgets a client. A call of it that is under way ends unheard. */
void client_free(struct client *c);
/* Frees all. */
void client_free_all(struct ctl_server *s);
