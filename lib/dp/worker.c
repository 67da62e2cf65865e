/* One worker's round: orders, root, walk, quiescent. See worker.h.
 */
#include "dp/node/nodes.h"

#include <errno.h>
#include <rte_malloc.h>

#define RESOLVE_RATE 10000 /* events a second and family */
#define ACQUIRE_RATE 1000  /* events a second */
#define PATH_MTU_RATE 100  /* likewise */
#define ORDERS_PER_WALK 16

int worker_init(struct worker *w)
{
	w->rule_counter = rte_zmalloc_socket(
		"rule_counter", w->shared->n_counters * sizeof(*w->rule_counter), 64, w->socket);
	w->sample = rte_zmalloc_socket("drop_sample", DROP_N * sizeof(*w->sample), 64, w->socket);
	w->neigh_wait = neigh_wait_new(w->socket);
	w->acl_memo = acl_memo_new(w->socket);
	w->flow_cache = flow_cache_new(w->socket);
	w->mb = mb_new(w->socket);
	if (w->rule_counter == NULL || w->sample == NULL || w->neigh_wait == NULL ||
		w->acl_memo == NULL || w->flow_cache == NULL || reassembly_new(w) < 0) {
		worker_fini(w);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < w->n_rxq; i++) {
		w->rxq[i].burst = w->burst_packets;
		w->rxq[i].avg_len = 64;
	}
	return 0;
}

void worker_fini(struct worker *w)
{
	reassembly_free(w);
	mb_free(w->mb);
	flow_cache_free(w->flow_cache);
	acl_memo_free(w->acl_memo);
	neigh_wait_free(w->neigh_wait);
	rte_free(w->sample);
	rte_free(w->rule_counter);
	w->neigh_wait = NULL;
	w->acl_memo = NULL;
	w->flow_cache = NULL;
	w->mb = NULL;
	w->sample = NULL;
	w->rule_counter = NULL;
}

/* The rates are the root's; its numbers are per worker already. */
static void policy(struct worker *w)
{
	const struct ip4_policy *p = &w->root->ip4;
	const struct ip6_policy *p6 = &w->root->ip6;
	const struct reassembly_policy *r = &w->root->reassembly;
	uint64_t hz = w->shared->tsc_hz;
	struct frag_limits limits = {.per_source = r->per_source,
		.fragments = r->fragments,
		.timeout_tsc = r->timeout_s * hz};

	/* bursts: a tenth of a second's worth */
	bucket_init(&w->icmp_error, p->icmp_error_rate, p->icmp_error_rate / 10, hz, w->now_tsc);
	bucket_init(&w->icmp_echo, p->icmp_echo_rate, p->icmp_echo_rate / 10, hz, w->now_tsc);
	bucket_init(&w->icmp6_error, p6->icmp_error_rate, p6->icmp_error_rate / 10, hz, w->now_tsc);
	bucket_init(&w->icmp6_echo, p6->icmp_echo_rate, p6->icmp_echo_rate / 10, hz, w->now_tsc);
	bucket_init(&w->arp_punt, p->arp_punt_rate, p->arp_punt_rate / 10, hz, w->now_tsc);
	bucket_init(&w->nd_ask, p6->nd_punt_rate, p6->nd_punt_rate / 10, hz, w->now_tsc);
	bucket_init(&w->nd_tell, p6->nd_punt_rate, p6->nd_punt_rate / 10, hz, w->now_tsc);
	bucket_init(&w->log, p->log_rate, p->log_burst, hz, w->now_tsc);
	for (unsigned f = 0; f < NEIGH_FAMILIES; f++)
		bucket_init(&w->resolve[f], RESOLVE_RATE, RESOLVE_RATE / 10, hz, w->now_tsc);
	bucket_init(&w->acquire, ACQUIRE_RATE, ACQUIRE_RATE / 10, hz, w->now_tsc);
	bucket_init(&w->path_mtu, PATH_MTU_RATE, PATH_MTU_RATE, hz, w->now_tsc);
	frag_set_limits(reassembly_table(w), &limits);
	w->policy_generation = w->root->generation;
}

static void orders(struct worker *w)
{
	struct order o[ORDERS_PER_WALK];
	unsigned n = link_order_get(&w->link, o, ORDERS_PER_WALK);

	for (unsigned i = 0; i < n; i++)
		neigh_wait_settle(
			w->neigh_wait, o[i].iface, &o[i].addr, (enum neigh_outcome)o[i].outcome);
	if (n) {
		w->stats.orders += n;
		link_order_done(&w->link, n);
	}
}

static void note_gap(struct worker *w, uint64_t now)
{
	uint64_t gap = now - w->last_walk_tsc;
	uint64_t second = now / w->shared->tsc_hz;
	unsigned at = (unsigned)(second % GAP_SECONDS);

	if (unlikely(w->gap[at].second != second)) {
		w->gap[at].cycles = 0;
		w->gap[at].second = second;
	}
	if (gap > w->gap[at].cycles && w->last_walk_tsc)
		w->gap[at].cycles = gap;
	w->last_walk_tsc = now;
}

unsigned worker_walk(struct worker *w)
{
	uint64_t now = rte_rdtsc();

	note_gap(w, now);
	w->now_tsc = now;
	w->root = atomic_load_explicit(&w->shared->root, memory_order_acquire);
	if (unlikely(w->policy_generation != w->root->generation))
		policy(w);
	if (likely(w->flow_cache != NULL))
		flow_cache_follow(w->flow_cache, w->root);
	orders(w);
	w->walk_packets = 0;
	w->walk_fragments = 0;
	node_walk(w->graph, w->stats.walks % WALKS_PER_TIMED == 0);
	w->stats.walks++;
	if (w->walk_packets) {
		w->stats.busy_walks++;
		w->stats.busy_cycles += rte_rdtsc() - now;
	}
	rte_rcu_qsbr_quiescent(w->shared->qsv, w->id);
	return w->walk_packets;
}
