/* The control core's loop: every millisecond it reads the workers' rings (ARP, events), moves the
 * neighbours' clock and a running reload on, and looks at the links; the control socket lives in
 * the same libevent base. Never blocks. Control core.
 */
#include "app.h"

#include "base/log.h"

#include <errno.h>
#include <rte_arp.h>
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

/* --- ARP out */

static struct rte_mbuf *arp_packet(struct app *a, const struct iface *iface, uint16_t op,
	uint32_t spa, uint32_t tpa, const struct rte_ether_addr *tha)
{
	static const struct rte_ether_addr all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct rte_mbuf *m = rte_pktmbuf_alloc(a->pool);
	uint8_t hdr[IFACE_HDR_MAX];
	struct rte_arp_hdr *arp;
	unsigned l2;
	uint8_t *p;

	if (m == NULL)
		return NULL;
	l2 = iface_header(iface, tha ? tha : &all, RTE_BE16(RTE_ETHER_TYPE_ARP), hdr);
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(l2 + sizeof(*arp)));
	memcpy(p, hdr, l2);
	arp = (struct rte_arp_hdr *)(p + l2);
	*arp = (struct rte_arp_hdr){
		.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
		.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN,
		.arp_plen = 4,
		.arp_opcode = rte_cpu_to_be_16(op),
		.arp_data = {.arp_sha = iface->mac,
			.arp_sip = rte_cpu_to_be_32(spa),
			.arp_tip = rte_cpu_to_be_32(tpa)},
	};
	if (tha)
		arp->arp_data.arp_tha = *tha;
	*meta_of(m) = (struct meta){
		.flags = META_OURS | META_FRAMED, .out_port = iface->port, .out_if = iface->id};
	return m;
}

static void send_arp(void *arg, const struct iface *iface, uint16_t op, uint32_t spa, uint32_t tpa,
	const struct rte_ether_addr *tha)
{
	struct app *a = arg;
	struct rte_mbuf *m = arp_packet(a, iface, op, spa, tpa, tha);

	/* a refused one is counted by the ring, and asked again by the state machine */
	if (m && link_packets_put(&a->worker[0]->link.inject, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

/* --- orders: kept until the ring takes them */

static void flush_orders(struct app *a, unsigned worker)
{
	struct pending_orders *p = &a->pending[worker];
	size_t done = 0;

	while (done < p->n && link_order_put(&a->worker[worker]->link, &p->order[done]))
		done++;
	if (done) {
		memmove(p->order, p->order + done, (p->n - done) * sizeof(*p->order));
		p->n -= done;
	}
}

static void keep_order(struct app *a, unsigned worker, const struct order *o)
{
	struct pending_orders *p = &a->pending[worker];

	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct order *grown = realloc(p->order, room * sizeof(*grown));

		if (grown == NULL) /* the packets' own time-out ends their wait */
			return;
		p->order = grown;
		p->room = room;
	}
	p->order[p->n++] = *o;
}

static void settled(void *arg, uint16_t iface, const struct addr *addr, uint32_t index, bool ready)
{
	struct app *a = arg;
	struct order o = {.kind = ready ? ORDER_NEIGH_READY : ORDER_NEIGH_FAILED,
		.iface = iface,
		.addr = *addr,
		.index = index};

	for (unsigned i = 0; i < a->n_workers; i++) {
		keep_order(a, i, &o);
		flush_orders(a, i);
	}
}

struct neigh_ops control_neigh_ops(struct app *a)
{
	return (struct neigh_ops){.arg = a, .arp = send_arp, .settled = settled};
}

/* --- rings in */

static unsigned read_punts(struct app *a, struct worker *w)
{
	struct rte_mbuf *m[PUNTS];
	unsigned n = link_packets_get(&w->link.punt, m, PUNTS);

	for (unsigned i = 0; i < n; i++) {
		const struct meta *meta = meta_of(m[i]);

		if (neigh_db_arp(a->neigh, meta->in_if, rte_pktmbuf_mtod(m[i], const uint8_t *),
			    m[i]->data_len, control_now_ms()) < 0)
			a->punts_unknown++;
	}
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

/* The tables that a record's rule number belongs to. */
static const struct root *root_of(const struct app *a, uint32_t generation)
{
	if (a->tables->root.generation == generation)
		return &a->tables->root;
	if (a->reload.old && a->reload.old->root.generation == generation)
		return &a->reload.old->root;
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
		else if (e[i].kind == EVENT_FILTER_LOG)
			filterlog_write(a->filterlog, &e[i].log, root_of(a, e[i].log.generation));
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
			flush_orders(a, i);
		}
		total += n;
		if (n == 0)
			break;
	}
	filterlog_flush(a->filterlog);
	neigh_db_tick(a->neigh, control_now_ms());
	ports_poll_links(a);
	reload_tick(a);
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
	a->env.filterlog = a->filterlog;
	a->env.port = a->ctl_port;
	a->env.n_ports = a->conf->n_ports;
	a->env.notes = (const char *const *)a->note;
	a->env.n_notes = a->n_notes;
	a->env.counter_base = a->counter_base;
	a->env.check = reload_check;
	a->env.reload = reload_start;
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
	if (open_filterlog(a) < 0 || reload_init(a) < 0 || open_socket(a) < 0)
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
	for (unsigned i = 1; i < a->tables->ports->n_ifaces; i++)
		if (a->tables->ports->iface[i].flags & IFACE_UP)
			neigh_db_announce(a->neigh, (uint16_t)i);
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
