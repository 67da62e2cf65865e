/* show.workers: what each worker does, how long its walks were apart, what its rings refused, and
 * whether the packets add up. Counters are read while they rise: under traffic the balance is off
 * by what moved meanwhile. Control core.
 */
#include "ctl/api.h"

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#define STALLED_S 2
#define LOOK_S 1 /* shorter than that, a load means little */

/* What the load since the last look counts from: the last one that is LOOK_S ago or more. */
static const struct ctl_look *last_look(const struct ctl_env *env, uint64_t now)
{
	bool last = now - env->look[1].tsc >= LOOK_S * env->shared->tsc_hz;

	return &env->look[last];
}

/* Remembers this look, unless the last one was just now. */
static void look(struct ctl_env *env, uint64_t now)
{
	if (now - env->look[1].tsc < LOOK_S * env->shared->tsc_hz)
		return;
	env->look[0] = env->look[1];
	env->look[1].tsc = now;
	for (unsigned i = 0; i < api_workers_n(env) && i < WORKERS_MAX; i++)
		env->look[1].busy_cycles[i] = api_count(&env->worker[i]->stats.busy_cycles);
}

/* The CPU that the worker is pinned to; JSON null where EAL does not know. */
static json_t *cpu_json(const struct worker *w)
{
	rte_cpuset_t set;

	if (w->lcore >= RTE_MAX_LCORE)
		return json_null();
	set = rte_lcore_cpuset(w->lcore);
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			return json_integer(i);
	return json_null();
}

static const char *state_of(const struct worker *w, const struct dp_shared *s, uint64_t now)
{
	uint64_t last = api_count(&w->last_walk_tsc);

	if (w->lcore >= RTE_MAX_LCORE || rte_eal_get_lcore_state(w->lcore) != RUNNING)
		return "stopped";
	if (last == 0)
		return "resting"; /* nothing to do */
	if (now > last && now - last > STALLED_S * s->tsc_hz)
		return "stalled";
	return "running";
}

static double us(uint64_t cycles, uint64_t hz)
{
	return hz ? (double)(cycles * 10 / (hz / 1000000 ? hz / 1000000 : 1)) / 10 : 0;
}

/* The longest gap in the last so many whole seconds and the current one. */
static double gap_us(const struct worker *w, uint64_t hz, uint64_t now, unsigned seconds)
{
	uint64_t second = hz ? now / hz : 0, longest = 0;

	for (unsigned i = 0; i < GAP_SECONDS; i++) {
		uint64_t s = api_count(&w->gap[i].second), cycles = api_count(&w->gap[i].cycles);

		if (s <= second && second - s <= seconds && cycles > longest)
			longest = cycles;
	}
	return us(longest, hz);
}

static uint64_t ring_refused(const struct link_ring *r)
{
	return atomic_load_explicit(&r->refused, memory_order_relaxed);
}

/* What the rings from this worker to the others refused, and the packets in them. */
static uint64_t handoff_sum(
	const struct ctl_env *env, unsigned from, enum handoff_kind kind, uint64_t *waiting)
{
	const struct handoff *h = &env->shared->handoff;
	uint64_t refused = 0;

	for (unsigned to = 0; h->ring != NULL && from < h->n_workers && to < h->n_workers; to++) {
		const struct link_ring *r = handoff_ring(h, from, to, kind);

		if (r->ring == NULL)
			continue;
		refused += ring_refused(r);
		*waiting += rte_ring_count(r->ring);
	}
	return refused;
}

static json_t *rings_json(const struct ctl_env *env, const struct worker *w, uint64_t *waiting)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "punt",
		api_u64(ring_refused(&w->link.punt)), "inject",
		api_u64(ring_refused(&w->link.inject)), "event",
		api_u64(ring_refused(&w->link.event)), "order",
		api_u64(ring_refused(&w->link.order)), "handoff_rx",
		api_u64(handoff_sum(env, w->id, HANDOFF_RX, waiting)), "handoff_tx",
		api_u64(handoff_sum(env, w->id, HANDOFF_TX, waiting)), "handoff_sa",
		api_u64(handoff_sum(env, w->id, HANDOFF_SA, waiting)));
}

static json_t *queues_json(const struct ctl_env *env, const struct worker *w)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < w->n_rxq && i < WORKER_RXQ_MAX; i++) {
		const struct ctl_port none = {.name = "?"}, *port = &none;

		for (unsigned p = 0; p < env->n_ports; p++)
			if (env->port[p].id == w->rxq[i].port)
				port = &env->port[p];
		json_array_append_new(
			list, json_pack("{s:o, s:i, s:i, s:b}", "port", text_json(port->name),
				      "queue", w->rxq[i].queue, "socket", port->socket, "spread",
				      w->rxq[i].spread));
	}
	return list;
}

static json_t *handoff_json(const uint64_t count[HANDOFF_KINDS])
{
	return json_pack("{s:o, s:o, s:o}", "rx", api_u64(api_count(&count[HANDOFF_RX])), "tx",
		api_u64(api_count(&count[HANDOFF_TX])), "sa",
		api_u64(api_count(&count[HANDOFF_SA])));
}

/* Shares of the worker's time, since the start and since the last look. */
static json_t *load_json(const struct ctl_env *env, const struct worker *w, uint64_t now)
{
	const struct ctl_look *last = last_look(env, now);
	uint64_t start = env->shared->wall_tsc, busy = api_count(&w->stats.busy_cycles);
	uint64_t before = w->id < WORKERS_MAX ? last->busy_cycles[w->id] : 0;
	uint64_t from = RTE_MAX(last->tsc, start), hz = env->shared->tsc_hz;
	uint64_t since = now > from ? now - from : 1;

	return json_pack("{s:o, s:o, s:f, s:f, s:f}",                           //
		"busy_cycles", api_u64(busy),                                   //
		"cycles", api_u64(now > start ? now - start : 1),               //
		"load", (double)busy / (double)(now > start ? now - start : 1), //
		"load_recent", (double)(busy - before) / (double)since,         //
		"recent_s", hz ? (double)since / (double)hz : 0);
}

/* Packets that were sent on at once, as their flow was known; and verdicts that were remembered. */
static json_t *known_json(const struct worker *w)
{
	const struct acl_memo_stats none = {0},
				    *memo = w->acl_memo ? acl_memo_stats(w->acl_memo) : &none;
	const struct flow_cache *c = w->flow_cache;

	return json_pack("{s:o, s:o, s:b, s:o, s:o}", "flow_hits",
		api_u64(c ? api_count(&c->hits) : 0), "flows_learned",
		api_u64(c ? api_count(&c->learned) : 0), "flows_rest", c != NULL && c->rest > 0,
		"verdicts_asked", api_u64(api_count(&memo->lookups)), "verdicts_known",
		api_u64(api_count(&memo->hits)));
}

static json_t *worker_json(
	const struct ctl_env *env, const struct worker *w, uint64_t now, uint64_t *waiting)
{
	const struct dp_shared *s = env->shared;
	const struct worker_stats *st = &w->stats;
	uint64_t last = api_count(&w->last_walk_tsc);
	json_t *o = json_pack("{s:i, s:I, s:o, s:i, s:s, s:o, s:o, s:o}", //
		"id", w->id,                                              //
		"lcore", (json_int_t)w->lcore,                            //
		"cpu", cpu_json(w),                                       //
		"socket", w->socket,                                      //
		"state", state_of(w, s, now),                             //
		"queues", queues_json(env, w),                            //
		"walks", api_u64(api_count(&st->walks)),                  //
		"busy_walks", api_u64(api_count(&st->busy_walks)));

	json_object_update_new(o, load_json(env, w, now));
	json_object_update_new(o, known_json(w));
	json_object_update_new(o,
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}",   //
			"sleeps", api_u64(api_count(&st->sleeps)), //
			"received", api_u64(api_count(&st->received)), "sent",
			api_u64(api_count(&st->sent)), "orders", api_u64(api_count(&st->orders)),
			"neighbour_waiting", api_u64(api_count(&st->neigh_waiting)), "log_left_out",
			api_u64(api_count(&st->log_left_out)), "exempt",
			api_u64(api_count(&st->exempt))));
	json_object_update_new(o,
		json_pack("{s:f, s:f, s:f, s:o, s:o, s:o}", "gap_1s_us",
			gap_us(w, s->tsc_hz, now, 1), "gap_60s_us", gap_us(w, s->tsc_hz, now, 60),
			"since_walk_us", us(now > last && last ? now - last : 0, s->tsc_hz),
			"handoff_out", handoff_json(st->handoff_out), "handoff_in",
			handoff_json(st->handoff_in), "refused", rings_json(env, w, waiting)));
	return o;
}

/* received + injected + created = sent + punted + dropped + absorbed + in flight */
static json_t *law_json(const struct ctl_env *env, uint64_t waiting)
{
	uint64_t in[3] = {0}, out[4] = {0}, errors = 0, limited = 0;
	int64_t balance;

	for (unsigned i = 0; i < api_workers_n(env); i++) {
		const struct worker_stats *s = &env->worker[i]->stats;

		out[0] += api_count(&s->sent);
		out[1] += api_count(&s->punted);
		for (unsigned r = 0; r < DROP_N; r++)
			out[2] += api_count(&s->drops[r]);
		out[3] += api_count(&s->absorbed);
		in[0] += api_count(&s->received);
		in[1] += api_count(&s->injected);
		in[2] += api_count(&s->created);
		waiting += api_count(&s->neigh_waiting) + api_count(&s->frag_waiting);
		errors += api_count(&s->icmp_errors_sent);
		limited += api_count(&s->icmp_errors_limited);
	}
	balance = (int64_t)(in[0] + in[1] + in[2] - out[0] - out[1] - out[2] - out[3] - waiting);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "received",
		api_u64(in[0]), "injected", api_u64(in[1]), "created", api_u64(in[2]), "sent",
		api_u64(out[0]), "punted", api_u64(out[1]), "dropped", api_u64(out[2]), "absorbed",
		api_u64(out[3]), "in_flight", api_u64(waiting), "balance", (json_int_t)balance,
		"icmp_errors_sent", api_u64(errors), "icmp_errors_limited", api_u64(limited));
}

/* Packet buffers that somebody holds: those of packets in flight, and those in the rings of
 * devices. What lies in the caches of threads is free. */
static uint64_t mbufs_in_use(const struct ctl_memory *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; m->pools != NULL && i < m->n_pools; i++)
		n += rte_mempool_in_use_count(m->pools[i]);
	return n;
}

static json_t *memory_json(const struct ctl_memory *m)
{
	return json_pack("{s:o, s:I, s:I, s:o}", "mode", text_json(m->mode), "mb",
		(json_int_t)m->mb, "mbufs", (json_int_t)m->mbufs, "mbufs_in_use",
		api_u64(mbufs_in_use(m)));
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	json_t *workers = json_array(), *notes = json_array();
	uint64_t waiting = 0, now = rte_rdtsc();

	for (unsigned i = 0; i < api_workers_n(env); i++)
		json_array_append_new(workers, worker_json(env, env->worker[i], now, &waiting));
	if (api_workers_n(env))
		look(env, now);
	for (unsigned i = 0; i < env->n_notes; i++)
		json_array_append_new(notes, text_json(env->notes[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "workers", workers, "totals",
		law_json(env, waiting), "memory", memory_json(&env->memory), "notes", notes,
		"tsc_hz", api_u64(env->shared ? env->shared->tsc_hz : 0));
}

const struct api_method api_workers = {.name = "show.workers", .run = run};
