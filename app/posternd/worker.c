/* The loop of a worker lcore: walks the graph until told to stop, sleeps when it may, drains at the
 * end. Worker threads; launch and stop on the control core.
 */
#include "app.h"

#include "base/log.h"

#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <time.h>

#define DRAIN_IDLE_WALKS 64
#define DRAIN_WALKS_MAX 100000
#define INTERRUPT_WAIT_MS 1 /* rings have no interrupt: look at them this often */

struct idle {
	enum worker_idle mode;
	uint64_t after_tsc;
	uint32_t sleep_us;
	uint64_t since_tsc; /* idle since; 0: busy */
	bool armed;         /* the queues' interrupts are in this thread's epoll set */
};

/* Adds the receive interrupts of all queues to the thread's set; false where a device has none. */
static bool arm(const struct worker *w)
{
	for (unsigned i = 0; i < w->n_rxq; i++)
		if (rte_eth_dev_rx_intr_ctl_q(w->rxq[i].port, w->rxq[i].queue, RTE_EPOLL_PER_THREAD,
			    RTE_INTR_EVENT_ADD, NULL) < 0)
			return false;
	return w->n_rxq > 0;
}

static void wait_interrupt(const struct worker *w)
{
	struct rte_epoll_event event[8];

	for (unsigned i = 0; i < w->n_rxq; i++)
		rte_eth_dev_rx_intr_enable(w->rxq[i].port, w->rxq[i].queue);
	rte_epoll_wait(RTE_EPOLL_PER_THREAD, event, 8, INTERRUPT_WAIT_MS);
	for (unsigned i = 0; i < w->n_rxq; i++)
		rte_eth_dev_rx_intr_disable(w->rxq[i].port, w->rxq[i].queue);
}

/* Nothing came: the only place where a worker makes a system call, and only where configured. */
static void rest(struct worker *w, struct idle *idle)
{
	struct timespec pause = {.tv_nsec = (long)idle->sleep_us * 1000};

	if (idle->since_tsc == 0)
		idle->since_tsc = w->now_tsc;
	if (w->now_tsc - idle->since_tsc < idle->after_tsc)
		return;
	w->stats.sleeps++;
	if (idle->armed)
		wait_interrupt(w);
	else
		nanosleep(&pause, NULL);
	w->last_walk_tsc = 0; /* a rest is no gap */
}

static int run(void *arg)
{
	struct worker *w = arg;
	const struct dp_shared *s = w->shared;
	struct idle idle = {.mode = s->idle,
		.after_tsc = s->tsc_hz / 1000000 * s->idle_after_us,
		.sleep_us = s->idle_sleep_us};
	unsigned quiet = 0;

	idle.armed = idle.mode == WORKER_INTERRUPT && arm(w);
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		if (worker_walk(w) > 0)
			idle.since_tsc = 0;
		else if (idle.mode != WORKER_POLL)
			rest(w, &idle);
	}
	/* take nothing more from ports; send on what workers have handed to each other */
	w->n_rxq = 0;
	for (unsigned i = 0; i < DRAIN_WALKS_MAX && quiet < DRAIN_IDLE_WALKS; i++)
		quiet = worker_walk(w) > 0 ? 0 : quiet + 1;
	rte_rcu_qsbr_thread_offline(w->shared->qsv, w->id);
	return 0;
}

int workers_launch(struct app *a)
{
	for (unsigned i = 0; i < a->n_workers; i++) {
		if (rte_eal_remote_launch(run, a->worker[i], a->worker[i]->lcore) < 0) {
			log_error("worker %u: its core did not start", i);
			return -1;
		}
		a->launched = true;
	}
	return 0;
}

void workers_stop(struct app *a)
{
	atomic_store(&a->shared.stop, true);
	if (a->launched)
		rte_eal_mp_wait_lcore();
	a->launched = false;
}
