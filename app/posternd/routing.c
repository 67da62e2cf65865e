/* Changes of routes while packets go on: one transaction after the other (route_write.h), of a
 * reload, of links that went up or down, or of the control socket. The control core begins each,
 * swaps the root and ends it; the slow parts run on a thread of their own, so that neither the loop
 * nor a filter that is being compiled holds them up. Every tick moves things on; nothing waits.
 */
#include "app.h"

#include "base/log.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_per_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_AT_ONCE 2000 /* in one transaction, or one request if that has more */
#define RETRY_MS 10000       /* when memory was short */

struct route_call { /* a request of the control socket */
	struct route_call *next;
	struct route_request request;
	struct ctl_route *route;
	struct route_change *change;
	void (*done)(void *arg, const struct ctl_route_result *result);
	void *arg;
};

/* --- the thread */

static void work(struct routing *r)
{
	r->status = r->stage == ROUTING_WORK ? route_db_work(r->db, r->why, sizeof(r->why))
					     : route_db_catch_up(r->db, r->why, sizeof(r->why));
	atomic_store_explicit(&r->done, true, memory_order_release); /* pairs with ready() */
}

static void *router(void *arg)
{
	struct routing *r = arg;

	/* DPDK's heap is for its own threads */
	if (rte_thread_register() < 0)
		log_warn("the router thread is unknown to DPDK: %s", rte_strerror(rte_errno));
	for (;;) {
		pthread_mutex_lock(&r->lock);
		while (!r->work && !r->quit)
			pthread_cond_wait(&r->wake, &r->lock);
		r->work = false;
		pthread_mutex_unlock(&r->lock);
		if (r->quit)
			break;
		work(r);
	}
	rte_thread_unregister();
	return NULL;
}

/* Before the thread has started, and in tests, the caller does it. */
static void give_work(struct routing *r, enum routing_stage stage)
{
	r->stage = stage;
	r->status = 0;
	atomic_store_explicit(&r->done, false, memory_order_relaxed);
	if (!r->started) {
		work(r);
		return;
	}
	pthread_mutex_lock(&r->lock);
	r->work = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

static bool ready(struct routing *r)
{
	return atomic_load_explicit(&r->done, memory_order_acquire);
}

int routing_init(struct app *a)
{
	struct routing *r = &a->routing;

	r->last = &r->first;
	r->db = route_db_new(a->neigh, a->numa.tables);
	r->map = calloc(NEXTHOPS_MAX + 1, sizeof(*r->map));
	r->keep = calloc(NEXTHOPS_MAX + 1, sizeof(*r->keep));
	if (r->db != NULL && r->map != NULL && r->keep != NULL)
		return 0;
	log_error("no memory for routes");
	return -1;
}

int routing_start(struct app *a)
{
	struct routing *r = &a->routing;

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	if (pthread_create(&r->thread, NULL, router, r) != 0) {
		log_error("the router thread did not start");
		return -1;
	}
	r->started = true;
	return 0;
}

void routing_stop(struct app *a)
{
	struct routing *r = &a->routing;

	if (!r->started)
		return;
	pthread_mutex_lock(&r->lock);
	r->quit = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	r->started = false;
}

static void call_free(struct route_call *c)
{
	free(c->route);
	free(c->change);
	free(c);
}

static void calls_free(struct route_call *c)
{
	while (c != NULL) {
		struct route_call *next = c->next;

		call_free(c);
		c = next;
	}
}

void routing_fini(struct app *a)
{
	struct routing *r = &a->routing;

	calls_free(r->first);
	calls_free(r->running);
	route_db_free(r->db);
	free(r->map);
	free(r->keep);
	*r = (struct routing){0};
}

/* --- what is asked for */

static void begin_link(struct app *a)
{
	static struct route_iface iface[IFACES_MAX];

	a->routing.link_changed = false;
	routes_interfaces(a, a->tables->ports, iface);
	route_db_begin_link(a->routing.db, iface);
	give_work(&a->routing, ROUTING_WORK);
}

/* The next hops of a request, by the interfaces of the moment. */
static void resolve(struct app *a, struct route_call *c)
{
	struct route_request *req = &c->request;

	for (uint32_t i = 0; i < req->n && req->status == 0; i++) {
		struct route_change *change = &c->change[i];

		req->bad = i;
		change->to = c->route[i].to;
		if (req->op == ROUTE_DELETE)
			continue;
		req->status =
			route_resolve(a, &c->route[i], &change->hops, req->why, sizeof(req->why));
	}
}

static void begin_calls(struct app *a)
{
	struct routing *r = &a->routing;
	struct route_call *c = r->first;

	r->running = c;
	for (uint32_t n = 0;;) {
		resolve(a, c);
		n += c->request.n;
		if (c->next == NULL || n + c->next->request.n > CHANGES_AT_ONCE)
			break;
		c->request.next = &c->next->request;
		c = c->next;
	}
	r->first = c->next;
	if (r->first == NULL)
		r->last = &r->first;
	c->next = NULL;
	route_db_begin_changes(r->db, &r->running->request);
	give_work(r, ROUTING_WORK);
}

void routing_call(struct ctl_env *env, enum route_op op, struct ctl_route *route, uint32_t n,
	void (*done)(void *arg, const struct ctl_route_result *result), void *arg)
{
	struct app *a = env->app;
	struct routing *r = &a->routing;
	struct route_call *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->change = calloc(n + 1ul, sizeof(*c->change));
	if (c == NULL || c->change == NULL) {
		free(c);
		free(route);
		done(arg, &(struct ctl_route_result){.status = -ENOMEM, .why = "no memory"});
		return;
	}
	c->route = route;
	c->done = done;
	c->arg = arg;
	c->request = (struct route_request){.op = op, .change = c->change, .n = n};
	*r->last = c;
	r->last = &c->next;
}

/* --- what becomes of it */

static void answer(struct routing *r)
{
	struct route_call *c = r->running;

	r->running = NULL;
	while (c != NULL) {
		struct route_call *next = c->next;
		struct ctl_route_result result = {
			.status = c->request.status, .bad = c->request.bad, .why = c->request.why};

		c->done(c->arg, &result);
		call_free(c);
		c = next;
	}
}

static void finish(struct app *a)
{
	struct routing *r = &a->routing;

	route_db_finish(r->db);
	r->reload = false;
	r->stage = ROUTING_IDLE;
}

/* Publishes what the transaction has made. False: nothing that a worker would see. */
static bool publish(struct app *a)
{
	struct routing *r = &a->routing;

	if (r->reload)
		return reload_routed(a, r->status, r->why);
	if (r->status == 0)
		return tables_swap_routes(a);
	log_error("routes: %s", r->why);
	r->link_changed |= r->running == NULL; /* once more, later */
	r->retry_ms = control_now_ms() + RETRY_MS;
	return false;
}

static void worked(struct app *a)
{
	struct routing *r = &a->routing;

	if (!publish(a)) {
		answer(r);
		finish(a);
		return;
	}
	r->token = rte_rcu_qsbr_start(a->shared.qsv);
	r->stage = ROUTING_GRACE;
}

/* Moves on by a step. False: there is nothing to do now. */
static bool step(struct app *a)
{
	struct routing *r = &a->routing;

	switch (r->stage) {
	case ROUTING_IDLE:
		if (reload_wants_routes(a))
			return true;
		if (r->link_changed && control_now_ms() >= r->retry_ms)
			begin_link(a);
		else if (r->first != NULL)
			begin_calls(a);
		else
			return false;
		return true;
	case ROUTING_WORK:
		if (!ready(r))
			return false;
		worked(a);
		return true;
	case ROUTING_GRACE:
		if (!rte_rcu_qsbr_check(a->shared.qsv, r->token, false))
			return false;
		answer(r);
		give_work(r, ROUTING_CATCH_UP);
		return true;
	case ROUTING_CATCH_UP:
		if (!ready(r))
			return false;
		if (r->status < 0)
			log_error("routes, second copy: %s", r->why);
		finish(a);
		return true;
	case ROUTING_BY_HAND:
		return false;
	}
	return false;
}

void routing_tick(struct app *a)
{
	for (unsigned steps = 0; steps < 8 && step(a); steps++)
		;
}

void routing_begin_reload(struct app *a)
{
	a->routing.reload = true;
	give_work(&a->routing, ROUTING_WORK);
}

/* --- by hand: boot, and tests that walk the workers themselves */

int routing_apply(
	struct app *a, const struct conf *conf, struct tables *t, char *why, size_t why_size)
{
	struct route_plan *plan = route_plan_new(conf, why, why_size);
	int ret = -1;

	if (plan != NULL && routes_begin_reload(a, conf, t, plan, why, why_size) == 0) {
		ret = route_db_work(a->routing.db, why, why_size);
		if (ret < 0)
			route_db_finish(a->routing.db);
		else
			a->routing.stage = ROUTING_BY_HAND;
	}
	route_plan_free(plan);
	return ret;
}

int routing_applied(struct app *a, char *why, size_t why_size)
{
	int ret = route_db_catch_up(a->routing.db, why, why_size);

	finish(a);
	return ret;
}
