/* Where dropped packets end: each is counted under its one reason, a sample of it is kept, and it
 * is freed. Worker.
 */
#include "dp/node/nodes.h"

static void keep_sample(struct worker *w, const struct rte_mbuf *m, enum drop_reason reason)
{
	const struct meta *meta = meta_of((struct rte_mbuf *)(uintptr_t)m);
	struct drop_sample *s = &w->sample[reason][w->sample_next[reason]++ % SAMPLES_PER_REASON];
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned l2_len = meta->flags & META_FRAMED ? RTE_ETHER_HDR_LEN : meta->l2_len;
	unsigned behind = meta->flags & META_FRAMED ? 0 : meta->l2_len;
	unsigned kept = RTE_MIN((unsigned)m->data_len + behind, (unsigned)SAMPLE_BYTES);
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);

	/* odd while it is written; pairs with the reader's acquire loads (ctl/api_drops.c) */
	atomic_store_explicit(&s->seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	s->wall_ns = worker_wall_ns(w);
	s->len = (uint16_t)RTE_MIN(m->pkt_len + behind, (uint32_t)UINT16_MAX);
	s->kept = (uint16_t)kept;
	s->l2_len = (uint16_t)l2_len;
	s->in_if = meta->in_if;
	s->out_if = meta->out_if;
	s->generation = w->root->generation;
	s->verdict = UINT32_MAX;
	if (reason == DROP_FILTER_IN || reason == DROP_FILTER_IN_IMPLICIT)
		s->verdict = meta->verdict_in;
	else if (reason == DROP_FILTER_OUT || reason == DROP_FILTER_OUT_IMPLICIT)
		s->verdict = meta->verdict_out;
	memcpy(s->data, data - behind, kept);
	atomic_store_explicit(&s->seq, seq + 2, memory_order_release);
}

void worker_drop_account(struct worker *w, struct rte_mbuf *m, enum drop_reason reason)
{
	const struct meta *meta = meta_of(m);

	w->stats.drops[reason]++;
	/* the first of each reason in a walk, so that a flood of one hides no other; walks counts
	 * from 0 */
	if (w->sample_walk[reason] != w->stats.walks + 1) {
		w->sample_walk[reason] = w->stats.walks + 1;
		w->sample_left[reason] = SAMPLES_PER_REASON;
	}
	if (w->sample_left[reason]) {
		w->sample_left[reason]--;
		keep_sample(w, m, reason);
	}
	if (unlikely(w->root->ip4.drop_log[reason / 64] >> (reason % 64) & 1) &&
		!(meta->flags & META_LOGGED))
		acl_log(w, m, meta->out_if ? RULE_OUT : RULE_IN, UINT32_MAX, reason);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);

	for (unsigned i = 0; i < nb_objs; i++)
		worker_drop_account(w, objs[i], meta_of(objs[i])->drop);
	rte_pktmbuf_free_bulk((struct rte_mbuf **)objs, nb_objs);
	return nb_objs;
}

const struct node node_drop_node = {
	.name = "drop",
	.sentence = "counts the reason, keeps a sample, frees",
	.process = process,
};
