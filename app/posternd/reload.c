/* Reload: all or nothing. The builder thread reads, checks and compiles (RELOAD_READ); when nobody
 * else changes routes (RELOAD_WAIT), the control core makes interfaces and next hops; the router
 * thread the routes (RELOAD_ROUTES, routing.c); the control core swaps the root and, when every
 * worker has passed a quiet state (RELOAD_GRACE), frees the old tables. Any failure on the way
 * leaves the running configuration as it is.
 */
#include "app.h"

#include "base/log.h"

#include <errno.h>
#include <rte_lcore.h>
#include <rte_per_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void check_names(const struct conf *conf, struct errs *errs)
{
	for (unsigned i = 0; i < conf->log.n_drops; i++) {
		char setting[32];

		if (drop_find(conf->log.drops[i]) != DROP_NONE)
			continue;
		snprintf(setting, sizeof(setting), "log.drops[%u]", i);
		errs_add(errs, conf->file, 0, setting,
			"\"%s\" is no drop reason; posternctl show drops --all lists them",
			conf->log.drops[i]);
	}
}

/* --- the builder thread */

/* The configuration in path, or NULL or errors: r->errs has them all. */
static struct conf *read_conf(struct app *a, const char *path)
{
	struct reload *r = &a->reload;
	struct conf *conf = conf_load(path, &r->errs);

	if (conf) {
		check_names(conf, &r->errs);
		conf_diff_restart(a->conf, conf, &r->errs);
	}
	return conf;
}

static void build(struct app *a)
{
	struct reload *r = &a->reload;
	const char *path = a->env.config_path;

	r->conf = read_conf(a, path);
	if (r->errs.n_errors)
		return;
	r->next = calloc(1, sizeof(*r->next));
	if (r->next == NULL)
		errs_add(&r->errs, path, 0, "", "no memory");
	else if (tables_compile(a, r->conf, r->next, &r->errs, r->why, sizeof(r->why)) < 0)
		errs_add(&r->errs, path, 0, "", "%s", r->why);
	if (r->errs.n_errors)
		return;
	r->plan = route_plan_new(r->conf, r->why, sizeof(r->why));
	if (r->plan == NULL)
		errs_add(&r->errs, path, 0, "routes", "%s", r->why);
}

/* A change of the control socket to the policies. Everything of it is the control core's but while
 * the builder has it. */
struct policy_call {
	struct ctl_policy policy;
	bool add;
	void (*done)(void *arg, int status, const char *why);
	void *arg;
};

static void build_policy(struct app *a)
{
	struct reload *r = &a->reload;
	const struct ipsec_change change = {
		.running = a->tables->ipsec, .policy = &r->policy->policy, .add = r->policy->add};

	snprintf(r->why, sizeof(r->why), "no memory");
	r->status = -ENOMEM;
	r->next = calloc(1, sizeof(*r->next));
	if (r->next == NULL)
		return;
	r->next->ipsec =
		ipsec_build(a, a->conf, &change, &r->errs, &r->status, r->why, sizeof(r->why));
}

static void sweep(struct reload *r)
{
	conf_free(r->swept);
	r->swept = NULL;
}

static void *builder(void *arg)
{
	struct app *a = arg;
	struct reload *r = &a->reload;
	uint64_t one = 1;

	/* DPDK's heap is for its own threads */
	if (rte_thread_register() < 0)
		log_warn("the builder thread is unknown to DPDK: %s", rte_strerror(rte_errno));
	for (;;) {
		pthread_mutex_lock(&r->lock);
		while (!r->work && !r->quit)
			pthread_cond_wait(&r->wake, &r->lock);
		r->work = false;
		pthread_mutex_unlock(&r->lock);
		if (r->quit)
			break;
		if (r->stage == RELOAD_CHECK)
			conf_free(read_conf(a, r->check_path));
		else if (r->stage == RELOAD_POLICY)
			build_policy(a);
		else if (r->stage == RELOAD_SWEEP)
			sweep(r);
		else
			build(a);
		if (write(r->ready_fd, &one, sizeof(one)) < 0)
			log_error("reload: can't wake the control core: %s", strerror(errno));
	}
	rte_thread_unregister();
	return NULL;
}

static void give_work(struct reload *r, enum reload_stage stage)
{
	pthread_mutex_lock(&r->lock);
	r->stage = stage;
	r->work = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

/* --- the control core */

static void answer(struct app *a, int status)
{
	struct reload *r = &a->reload;
	void (*done)(void *, int, const struct errs *) = r->done;
	void *arg = r->arg;

	for (size_t i = 0; i < r->errs.n && i < 20; i++) {
		char line[1024];

		errs_format(&r->errs.e[i], line, sizeof(line));
		log_write(r->errs.e[i].warning ? LOG_LVL_WARN : LOG_LVL_ERROR, "reload: %s", line);
	}
	if (status == 0) {
		a->env.reloads++;
		a->env.reloaded = time(NULL);
		log_info("reload: applied, %u rules, %u routes", a->conf->n_rules,
			a->conf->n_routes);
	} else {
		a->env.reloads_failed++;
		log_error("reload: refused; the running configuration stays");
	}
	r->done = NULL;
	if (done)
		done(arg, status, &r->errs);
	errs_fini(&r->errs);
}

static void refuse(struct app *a)
{
	struct reload *r = &a->reload;

	if (r->next && r->next->acl)
		acl_counters_retire(a->counters, r->next->acl, a->tables->acl, NULL, NULL);
	if (r->next && r->next->ports) /* the neighbours follow the running interfaces again */
		neigh_db_ports(a->neigh, a->tables->ports, control_now_ms());
	tables_free(r->next);
	route_plan_free(r->plan);
	r->next = NULL;
	r->plan = NULL;
	r->swept = r->conf;
	r->conf = NULL;
	r->status = -EINVAL;
	give_work(r, RELOAD_SWEEP);
}

bool reload_wants_routes(struct app *a)
{
	struct reload *r = &a->reload;
	struct tables *t;

	if (r->stage != RELOAD_WAIT)
		return false;
	t = tables_begin(a, r->conf, r->why, sizeof(r->why));
	if (t == NULL) {
		errs_add(&r->errs, r->conf->file, 0, "", "%s", r->why);
		refuse(a);
		return false;
	}
	t->acl = r->next->acl;
	t->acl_stats = r->next->acl_stats;
	t->ipsec = r->next->ipsec;
	free(r->next);
	r->next = t;
	ipsec_join(r->conf, t->ipsec, t->ports);
	if (ipsec_check(a, r->conf, t, &r->errs) < 0) {
		refuse(a);
		return false;
	}
	if (routes_begin_reload(a, r->conf, t, r->plan, r->why, sizeof(r->why)) < 0) {
		errs_add(&r->errs, r->conf->file, 0, "routes", "%s", r->why);
		refuse(a);
		return false;
	}
	r->stage = RELOAD_ROUTES;
	routing_begin_reload(a);
	return true;
}

/* Settings that live outside the tables. */
static void apply_rest(struct app *a, const struct conf *conf)
{
	static const enum filterlog_to to[] = {
		[CONF_LOG_NONE] = FILTERLOG_NONE,
		[CONF_LOG_FILE] = FILTERLOG_FILE,
		[CONF_LOG_SYSLOG] = FILTERLOG_SYSLOG,
	};
	char why[256];

	neigh_apply(a, conf);
	if (filterlog_open(a->filterlog, to[conf->log.to],
		    conf->log.to == CONF_LOG_FILE ? conf->log.file : NULL, why, sizeof(why)) < 0)
		log_warn("reload: filter log: %s; the old destination stays", why);
}

static void swap(struct app *a)
{
	struct reload *r = &a->reload;
	struct conf *old = a->conf;

	r->old = tables_publish(a, r->next);
	r->next = NULL;
	a->conf = r->conf;
	r->conf = NULL;
	ipsec_apply(a, old, r->old);
	a->env.config_path = a->conf->file;
	for (unsigned i = 0; i < a->conf->n_ports; i++) {
		a->ctl_port[i].name = a->conf->ports[i].name;
		a->ctl_port[i].device = a->conf->ports[i].device;
	}
	apply_rest(a, a->conf);
	r->swept = old;
	route_plan_free(r->plan);
	r->plan = NULL;
	r->token = rte_rcu_qsbr_start(a->shared.qsv);
	r->drained = false;
	r->stage = RELOAD_GRACE;
}

bool reload_routed(struct app *a, int status, const char *why)
{
	struct reload *r = &a->reload;

	if (status == 0) {
		swap(a);
		return true;
	}
	errs_add(&r->errs, r->conf->file, 0, "routes", "%s", why);
	refuse(a);
	return false;
}

static void checked(struct app *a)
{
	struct reload *r = &a->reload;
	struct errs errs = r->errs;

	r->errs = (struct errs){0};
	r->stage = RELOAD_IDLE;
	r->done(r->arg, errs.n_errors ? -EINVAL : 0, &errs);
	errs_fini(&errs);
}

static void answer_policy(struct app *a)
{
	struct reload *r = &a->reload;
	struct policy_call *call = r->policy;

	r->policy = NULL;
	r->stage = RELOAD_IDLE;
	errs_fini(&r->errs);
	call->done(call->arg, r->status, r->why);
	free(call);
}

/* The builder has other policies: workers get them now, and the answer comes when all have. */
static void policy_built(struct app *a)
{
	struct reload *r = &a->reload;

	if (r->status < 0) {
		tables_free(r->next);
		r->next = NULL;
		answer_policy(a);
		return;
	}
	ipsec_join(a->conf, r->next->ipsec, a->tables->ports);
	r->old = tables_swap_ipsec(a, r->next);
	r->next = NULL;
	ipsec_apply(a, a->conf, r->old);
	r->token = rte_rcu_qsbr_start(a->shared.qsv);
	r->drained = false;
	r->stage = RELOAD_GRACE;
}

void reload_policy(struct ctl_env *env, const struct ctl_policy *policy, bool add,
	void (*done)(void *arg, int status, const char *why), void *arg)
{
	struct app *a = env->app;
	struct reload *r = &a->reload;
	struct policy_call *call;

	if (r->stage != RELOAD_IDLE) {
		done(arg, -EBUSY, "a reload, a check or another policy is under way; try again");
		return;
	}
	call = calloc(1, sizeof(*call));
	if (call == NULL) {
		done(arg, -ENOMEM, "no memory");
		return;
	}
	*call = (struct policy_call){.policy = *policy, .add = add, .done = done, .arg = arg};
	r->policy = call;
	give_work(r, RELOAD_POLICY);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct app *a = arg;
	struct reload *r = &a->reload;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
	if (r->stage == RELOAD_POLICY) {
		policy_built(a);
	} else if (r->stage == RELOAD_CHECK) {
		checked(a);
	} else if (r->stage == RELOAD_SWEEP) {
		r->stage = RELOAD_IDLE;
		answer(a, r->status);
	} else if (r->errs.n_errors) {
		refuse(a);
	} else {
		r->stage = RELOAD_WAIT;
	}
}

static void counter_freed(void *arg, uint32_t id)
{
	struct app *a = arg;
	struct rule_counter sum = {0};

	for (unsigned i = 0; i < a->n_workers; i++) {
		sum.packets += a->worker[i]->rule_counter[id].packets;
		sum.bytes += a->worker[i]->rule_counter[id].bytes;
	}
	a->counter_base[id] = sum;
}

void reload_tick(struct app *a)
{
	struct reload *r = &a->reload;

	if (r->stage != RELOAD_GRACE || !rte_rcu_qsbr_check(a->shared.qsv, r->token, false))
		return;
	/* what workers logged by the old tables is in the rings by now: one more round reads it */
	if (!r->drained) {
		r->drained = true;
		return;
	}
	if (r->policy) {
		tables_free(r->old);
		r->old = NULL;
		answer_policy(a);
		return;
	}
	acl_counters_retire(a->counters, r->old->acl, a->tables->acl, counter_freed, a);
	tables_free(r->old);
	r->old = NULL;
	r->status = 0;
	give_work(r, RELOAD_SWEEP);
}

/* Gives the builder its first work; or says that it is busy. */
static void start(struct app *a, enum reload_stage stage, const char *path,
	void (*done)(void *, int, const struct errs *), void *arg)
{
	struct reload *r = &a->reload;
	struct errs errs = {0};

	if (r->stage != RELOAD_IDLE) {
		errs_add(
			&errs, path, 0, "", "a reload or a check is under way; try again after it");
		done(arg, -EBUSY, &errs);
		errs_fini(&errs);
		return;
	}
	snprintf(r->check_path, sizeof(r->check_path), "%s", path);
	r->done = done;
	r->arg = arg;
	give_work(r, stage);
}

void reload_start(struct ctl_env *env, void (*done)(void *, int, const struct errs *), void *arg)
{
	start(env->app, RELOAD_READ, env->config_path, done, arg);
}

void reload_check(struct ctl_env *env, const char *path,
	void (*done)(void *, int, const struct errs *), void *arg)
{
	start(env->app, RELOAD_CHECK, path ? path : env->config_path, done, arg);
}

int reload_init(struct app *a)
{
	struct reload *r = &a->reload;

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	r->ready_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->ready_fd < 0 || pthread_create(&r->thread, NULL, builder, a) != 0) {
		log_error("reload: the builder thread did not start");
		return -1;
	}
	r->started = true;
	a->ready = event_new(a->base, r->ready_fd, EV_READ | EV_PERSIST, on_ready, a);
	return a->ready && event_add(a->ready, NULL) == 0 ? 0 : -1;
}

void reload_fini(struct app *a)
{
	struct reload *r = &a->reload;

	if (!r->started)
		return;
	pthread_mutex_lock(&r->lock);
	r->quit = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	r->started = false;
	/* the workers have stopped: nobody reads the old tables */
	tables_free(r->old);
	tables_free(r->next);
	route_plan_free(r->plan);
	conf_free(r->conf);
	conf_free(r->swept);
	free(r->policy);
	errs_fini(&r->errs);
	if (a->ready)
		event_free(a->ready);
	close(r->ready_fd);
}
