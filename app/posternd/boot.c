/* Boot, in stages: cores and EAL, packet pool, ports, tables, workers and their graphs. Each stage
 * says what failed. Control core.
 */
#include "app.h"

#include "base/log.h"

#include <errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POOL_CACHE 512

void app_note(struct app *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n_notes >= NOTES_MAX)
		return;
	va_start(ap, fmt);
	if (vasprintf(&a->note[a->n_notes], fmt, ap) >= 0)
		log_info("%s", a->note[a->n_notes++]);
	va_end(ap);
}

/* Packet buffers, on each socket that has ports. */
static int boot_pools(struct app *a)
{
	uint32_t n = a->env.memory.mbufs;
	unsigned cache = RTE_MIN(POOL_CACHE, (n / (a->n_workers + 1) / 3) & ~1u);
	uint16_t room = ports_data_room(a->conf);

	a->env.memory.pools = a->pools;
	a->env.memory.n_pools = a->numa.n;
	for (unsigned i = 0; i < a->numa.n; i++) {
		int socket = a->numa.socket[i];
		char name[RTE_MEMPOOL_NAMESIZE];

		snprintf(name, sizeof(name), "packets-%d", socket);
		a->pools[i] =
			rte_pktmbuf_pool_create(name, n, cache, sizeof(struct meta), room, socket);
		if (a->pools[i] == NULL) {
			log_error("no memory on socket %d for %u packet buffers of %u bytes: %s; "
				  "set system.memory-mb higher or system.mbufs lower",
				socket, n, room, rte_strerror(rte_errno));
			return -1;
		}
		if (socket == a->numa.tables)
			a->pool = a->pools[i];
	}
	if (a->numa.n == 1)
		app_note(a, "packet buffers: %u of %u bytes, on socket %d like routes and filter",
			n, room, a->numa.tables);
	else
		app_note(a,
			"packet buffers: %u of %u bytes on each of %u sockets that have ports; "
			"routes and filter on socket %d",
			n, room, a->numa.n, a->numa.tables);
	return 0;
}

static int boot_shared(struct app *a)
{
	struct dp_shared *s = &a->shared;
	struct timespec now;
	size_t size;
	static const enum worker_idle idle[] = {
		[CONF_IDLE_POLL] = WORKER_POLL,
		[CONF_IDLE_SLEEP] = WORKER_SLEEP,
		[CONF_IDLE_INTERRUPT] = WORKER_INTERRUPT,
	};

	s->n_workers = a->n_workers;
	s->idle = idle[a->conf->system.idle];
	s->idle_after_us = a->conf->system.idle_after_us;
	s->idle_sleep_us = a->conf->system.idle_sleep_us;
	/* old and new lists count side by side while a reload swaps them */
	s->n_counters = 2 * RULES_MAX + 1;
	s->reassembly_datagrams = (a->conf->reassembly.datagrams + a->n_workers - 1) / a->n_workers;
	/* a quarter of all: who sends fragments and never the rest must not stop everybody */
	s->reassembly_buffers = RTE_MAX(a->env.memory.mbufs / 4 / a->n_workers, 1u);
	s->tsc_hz = rte_get_tsc_hz();
	clock_gettime(CLOCK_REALTIME, &now);
	s->wall_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	s->wall_tsc = rte_rdtsc();
	size = rte_rcu_qsbr_get_memsize(a->n_workers);
	s->qsv = rte_zmalloc("qsbr", size, RTE_CACHE_LINE_SIZE);
	if (s->qsv == NULL || rte_rcu_qsbr_init(s->qsv, a->n_workers) != 0 ||
		handoff_init(&s->handoff, a->n_workers, a->numa.tables) < 0) {
		log_error("no memory for what the workers share; set system.memory-mb higher");
		return -1;
	}
	return 0;
}

/* The worker's structure; its queues are given to it by boot_ports. */
static int new_worker(struct app *a, unsigned id)
{
	int socket = numa_map_machine.lcore(id + 1);
	struct worker *w = rte_zmalloc_socket("worker", sizeof(*w), RTE_CACHE_LINE_SIZE, socket);

	if (w == NULL)
		return -1;
	a->worker[id] = w;
	w->id = (uint16_t)id;
	w->lcore = id + 1;
	w->socket = socket;
	w->shared = &a->shared;
	w->burst_packets = (uint16_t)RTE_MIN(a->conf->system.burst_packets, WALK_PACKETS_MAX);
	w->burst_bytes = a->conf->system.burst_bytes;
	w->ip_id = (uint16_t)rte_rdtsc();
	return link_init(&w->link, id, socket);
}

static int boot_workers(struct app *a)
{
	if (graph_register() < 0)
		return -1;
	for (unsigned i = 0; i < a->n_workers; i++) {
		if (worker_init(a->worker[i]) < 0 || graph_init(a->worker[i]) < 0) {
			log_error("worker %u: no memory; set system.memory-mb higher", i);
			return -1;
		}
		rte_rcu_qsbr_thread_register(a->shared.qsv, i);
		rte_rcu_qsbr_thread_online(a->shared.qsv, i);
	}
	return 0;
}

static int boot_tables(struct app *a)
{
	struct errs errs = {0};
	struct tables *t;
	char why[512];

	ipsec_init(a);
	a->counters = acl_counters_new(a->shared.n_counters);
	a->counter_base = calloc(a->shared.n_counters, sizeof(*a->counter_base));
	if (neigh_init(a) < 0 || a->counters == NULL || a->counter_base == NULL) {
		log_error("no memory for neighbours and counters; set system.memory-mb higher");
		return -1;
	}
	if (routing_init(a) < 0)
		return -1;
	t = tables_begin(a, a->conf, why, sizeof(why));
	if (t == NULL || routing_apply(a, a->conf, t, why, sizeof(why)) < 0 ||
		tables_compile(a, a->conf, t, &errs, why, sizeof(why)) < 0) {
		log_error("%s", why);
		tables_free(t);
		return -1;
	}
	if (ipsec_check(a, a->conf, t, &errs) < 0) {
		errs_print(&errs, stderr);
		errs_fini(&errs);
		tables_free(t);
		return -1;
	}
	ipsec_join(a->conf, t->ipsec, t->ports);
	tables_publish(a, t);
	ipsec_apply(a, NULL, NULL);
	if (routing_applied(a, why, sizeof(why)) < 0) { /* no worker runs yet */
		log_error("%s", why);
		return -1;
	}
	neigh_apply(a, a->conf);
	return 0;
}

int app_boot(struct app *a, struct conf *conf)
{
	a->conf = conf;
	a->reload.ready_fd = -1;
	return boot_eal(a) < 0 ? -1 : app_boot_on_eal(a);
}

int app_boot_on_eal(struct app *a)
{
	if (boot_devices(a) < 0 || boot_pools(a) < 0 || boot_shared(a) < 0)
		return -1;
	for (unsigned i = 0; i < a->n_workers; i++) {
		if (new_worker(a, i) < 0) {
			log_error("worker %u: no memory; set system.memory-mb higher", i);
			return -1;
		}
	}
	if (boot_ports(a) < 0 || boot_tables(a) < 0 || boot_workers(a) < 0)
		return -1;
	return 0;
}

void app_fini(struct app *a)
{
	ports_stop(a);
	for (unsigned i = 0; i < a->n_workers && a->worker[i]; i++) {
		graph_fini(a->worker[i]);
		worker_fini(a->worker[i]);
		link_fini(&a->worker[i]->link);
		free(a->pending[i].order);
		rte_free(a->worker[i]);
	}
	handoff_fini(&a->shared.handoff);
	if (a->tables) {
		tables_free(a->tables);
		a->tables = NULL;
	}
	routing_fini(a);
	ipsec_fini(a);
	neigh_fini(a);
	acl_counters_free(a->counters);
	free(a->counter_base);
	rte_free(a->shared.qsv);
	for (unsigned i = 0; i < a->numa.n; i++)
		rte_mempool_free(a->pools[i]);
	if (a->eal)
		rte_eal_cleanup();
	for (unsigned i = 0; i < a->n_notes; i++)
		free(a->note[i]);
	conf_free(a->conf);
}
