/* Hands each frame to the worker that the hash of its flow names, over a handoff ring: all of a
 * port with fewer receive queues than workers, and the fragments that a device gave to another
 * worker. Worker. The hash: dp/spread_hash.h.
 */
#include "dp/node/nodes.h"

#include "dp/spread_hash.h"

enum { NEXT_FAST_PATH, NEXT_DROP };

static unsigned worker_of(const struct worker *w, const struct rte_mbuf *m)
{
	return spread_worker(spread_hash(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len),
		w->shared->n_workers);
}

bool spread_fragment(const struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	if (w->shared->n_workers == 1)
		return false;
	meta_unstrip_l2(m, meta);
	if (worker_of(w, m) != w->id)
		return true;
	meta_strip_l2(m, meta);
	return false;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		unsigned to = worker_of(w, m);

		if (to == w->id) {
			rte_node_enqueue_x1(graph, node, NEXT_FAST_PATH, m);
		} else if (link_packets_put(
				   handoff_ring(&w->shared->handoff, w->id, to, HANDOFF_RX), &m,
				   1) == 1) {
			w->stats.handoff_out[HANDOFF_RX]++;
		} else {
			*meta_of(m) =
				(struct meta){.flags = META_FRAMED, .drop = DROP_HANDOFF_FULL};
			rte_node_enqueue_x1(graph, node, NEXT_DROP, m);
		}
	}
	return nb_objs;
}

const struct node node_spread = {
	.name = "spread",
	.sentence = "hands packets to the workers that their flow hash names",
	.process = process,
	.n_next = 2,
	.next = {[NEXT_FAST_PATH] = "fast_path", [NEXT_DROP] = "drop"},
};
