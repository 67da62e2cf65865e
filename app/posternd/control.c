/* The control core's loop: every millisecond it reads the workers' rings (ARP, events), moves the
 * neighbours' clock and a running reload on, and looks at the links; the control socket lives in
 * the same libevent base. Never blocks. Control core.
 */
#include "app.h"

#include "base/log.h"

#include <errno.h>
#include <rte_mbuf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_US 1000
#define ROUNDS 8 /* at once, while any ring had something; then the socket gets its turn */
#define PUNTS 64
#define EVENTS 64

uint64_t control_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- rings in */

static unsigned read_punts(struct app *a, struct worker *w)
{
	struct rte_mbuf *m[PUNTS];
	unsigned n = link_packets_get(&w->link.punt, m, PUNTS);

	for (unsigned i = 0; i < n; i++)
		if (neigh_punted(a, m[i]) < 0)
			a->punts_unknown++;
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

/* The tables that a record's rule number belongs to. */
static const struct root *root_of(const struct app *a, uint32_t generation)
{
	if (tables_root(a->tables)->generation == generation)
		return tables_root(a->tables);
	if (a->reload.old && tables_root(a->reload.old)->generation == generation)
		return tables_root(a->reload.old);
	return NULL;
}

static unsigned read_events(struct app *a, struct worker *w)
{
	struct event e[EVENTS];
	unsigned n = link_event_get(&w->link, e, EVENTS);

	for (unsigned i = 0; i < n; i++) {
		if (e[i].kind == EVENT_RESOLVE)
			neigh_db_resolve(
				a->neigh, e[i].resolve.iface, &e[i].resolve.addr, control_now_ms());
		else if (e[i].kind == EVENT_ACQUIRE)
			ipsec_acquire(a, &e[i]);
		else if (e[i].kind == EVENT_FILTER_LOG)
			filterlog_write(a->filterlog, &e[i].log, root_of(a, e[i].log.generation));
		else if (e[i].kind == EVENT_PATH_MTU)
			ipsec_path_mtu(a, &e[i].path_mtu);
	}
	return n;
}

unsigned control_tick(struct app *a)
{
	unsigned total = 0, n;

	for (unsigned round = 0; round < ROUNDS; round++) {
		n = 0;
		for (unsigned i = 0; i < a->n_workers; i++) {
			n += read_punts(a, a->worker[i]);
			n += read_events(a, a->worker[i]);
			neigh_flush_orders(a, i);
		}
		total += n;
		if (n == 0)
			break;
	}
	filterlog_flush(a->filterlog);
	/* who listens is said before anything is asked (RFC 4862 section 5.4.2) */
	mld_db_tick(a->mld, control_now_ms());
	neigh_db_tick(a->neigh, control_now_ms());
	ra_db_tick(a->ra, control_now_ms());
	ports_poll_links(a);
	routing_tick(a);
	reload_tick(a);
	ipsec_tick(a);
	return total;
}

/* --- the loop */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct app *a = arg;

	control_tick(a);
}

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct app *a = arg;

	log_info("%s received", sig == SIGTERM ? "SIGTERM" : "SIGINT");
	event_base_loopbreak(a->base);
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct app *a = arg;
	int ret = filterlog_reopen(a->filterlog);

	if (ret < 0)
		log_warn("filter log: can't be opened anew: %s; the old file stays in use",
			strerror(-ret));
	else
		log_info("filter log opened anew");
}

static int open_filterlog(struct app *a)
{
	const struct conf_log *c = &a->conf->log;
	static const enum filterlog_to to[] = {
		[CONF_LOG_NONE] = FILTERLOG_NONE,
		[CONF_LOG_FILE] = FILTERLOG_FILE,
		[CONF_LOG_SYSLOG] = FILTERLOG_SYSLOG,
	};
	char why[256];

	a->filterlog = filterlog_new();
	if (a->filterlog == NULL)
		return -1;
	if (filterlog_open(a->filterlog, to[c->to], c->to == CONF_LOG_FILE ? c->file : NULL, why,
		    sizeof(why)) == 0)
		return 0;
	log_error("filter log: %s", why);
	return -1;
}

static int open_socket(struct app *a)
{
	const struct conf_control *c = &a->conf->control;
	char why[512];

	a->env.version = POSTERN_VERSION;
	a->env.config_path = a->conf->file;
	a->env.started = time(NULL);
	a->env.shared = &a->shared;
	a->env.worker = a->worker;
	a->env.neigh = a->neigh;
	a->env.ra = a->ra;
	a->env.mld = a->mld;
	a->env.filterlog = a->filterlog;
	a->env.port = a->ctl_port;
	a->env.n_ports = a->conf->n_ports;
	a->env.notes = (const char *const *)a->note;
	a->env.n_notes = a->n_notes;
	a->env.counter_base = a->counter_base;
	a->env.check = reload_check;
	a->env.reload = reload_start;
	a->env.routes = a->routing.db;
	a->env.route = routing_call;
	a->env.sa_add = ipsec_sa_add;
	a->env.sa_delete = ipsec_sa_delete;
	a->env.policy = reload_policy;
	a->env.app = a;
	a->server = ctl_server_new(
		a->base, c->socket, c->group, c->clients_max, &a->env, why, sizeof(why));
	if (a->server == NULL)
		log_error("control socket: %s", why);
	return a->server ? 0 : -1;
}

int control_init(struct app *a)
{
	const struct timeval tick = {.tv_usec = TICK_US};

	signal(SIGPIPE, SIG_IGN);
	a->base = event_base_new();
	if (a->base == NULL) {
		log_error("libevent did not start");
		return -1;
	}
	if (open_filterlog(a) < 0 || reload_init(a) < 0 || routing_start(a) < 0 ||
		open_socket(a) < 0)
		return -1;
	a->tick = event_new(a->base, -1, EV_PERSIST, on_tick, a);
	a->on_term = evsignal_new(a->base, SIGTERM, on_stop, a);
	a->on_int = evsignal_new(a->base, SIGINT, on_stop, a);
	a->on_hup = evsignal_new(a->base, SIGHUP, on_hup, a);
	if (!a->tick || !a->on_term || !a->on_int || !a->on_hup || event_add(a->tick, &tick) < 0 ||
		event_add(a->on_term, NULL) < 0 || event_add(a->on_int, NULL) < 0 ||
		event_add(a->on_hup, NULL) < 0) {
		log_error("libevent: no timer or signals");
		return -1;
	}
	neigh_start(a);
	return 0;
}

void control_run(struct app *a)
{
	event_base_dispatch(a->base);
}

void control_fini(struct app *a)
{
	struct event *const events[] = {a->tick, a->on_term, a->on_int, a->on_hup};

	ctl_server_free(a->server);
	routing_stop(a);
	reload_fini(a);
	/* what the workers still said */
	for (unsigned i = 0; a->filterlog && i < a->n_workers && a->worker[i]; i++)
		while (read_events(a, a->worker[i]))
			;
	filterlog_free(a->filterlog);
	for (unsigned i = 0; i < RTE_DIM(events); i++)
		if (events[i])
			event_free(events[i]);
	if (a->base)
		event_base_free(a->base);
	a->server = NULL;
	a->filterlog = NULL;
	a->base = NULL;
}
