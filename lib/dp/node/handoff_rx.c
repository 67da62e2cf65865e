/* Source: packets that other workers handed to this one, as received (they go on as if just
 * received), ready to be sent, or for a security association that this worker owns. Worker.
 */
#include "dp/node/ipsec.h"

enum {
	NEXT_FAST_PATH,
	NEXT_PORT_TX,
	NEXT_ESP_IN,
	NEXT_AH_IN,
	NEXT_ESP_OUT,
	NEXT_AH_OUT,
	NEXT_DROP
};

#define ROOM 64 /* packets of each kind per walk */

static unsigned take(struct worker *w, struct rte_mbuf **m, enum handoff_kind kind)
{
	const struct handoff *h = &w->shared->handoff;
	unsigned n = 0, room = worker_room(w, ROOM);

	for (unsigned from = 0; from < h->n_workers && n < room; from++) {
		unsigned begin = (unsigned)((from + w->stats.walks) % h->n_workers);

		if (begin != w->id)
			n += link_packets_get(handoff_ring(h, begin, w->id, kind), m + n, room - n);
	}
	w->stats.handoff_in[kind] += n;
	w->walk_packets += n;
	return n;
}

/* Where the packet's SA wants it. */
static uint16_t by_sa(const struct worker *w, struct meta *meta)
{
	const struct ipsec *ipsec = w->root->ipsec;
	const struct sa *sa = ipsec ? sad_get(ipsec->sad, meta->sa) : NULL;

	if (unlikely(sa == NULL)) /* gone meanwhile */
		return node_drop(meta, DROP_IPSEC_NO_SA, NEXT_DROP);
	if (sa->flags & SA_IN)
		return sa->proto == PROTO_AH ? NEXT_AH_IN : NEXT_ESP_IN;
	return sa->proto == PROTO_AH ? NEXT_AH_OUT : NEXT_ESP_OUT;
}

static unsigned take_sa(struct rte_graph *graph, struct rte_node *node, struct worker *w)
{
	struct rte_mbuf *m[ROOM];
	uint16_t next[ROOM];
	unsigned n = take(w, m, HANDOFF_SA);

	for (unsigned i = 0; i < n; i++)
		next[i] = by_sa(w, meta_of(m[i]));
	node_send_some(graph, node, (void **)m, next, n);
	return n;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	unsigned rx, tx;

	if (w->shared->n_workers == 1)
		return 0;
	rx = take(w, (struct rte_mbuf **)node->objs, HANDOFF_RX);
	node_source_send(graph, node, NEXT_FAST_PATH, rx);
	tx = take(w, (struct rte_mbuf **)node->objs, HANDOFF_TX);
	node_source_send(graph, node, NEXT_PORT_TX, tx);
	return (uint16_t)(rx + tx + take_sa(graph, node, w));
}

const struct node node_handoff_rx = {
	.name = "handoff_rx",
	.sentence = "takes packets that other workers handed over",
	.source = true,
	.process = process,
	.n_next = 7,
	.next = {[NEXT_FAST_PATH] = "fast_path",
		[NEXT_PORT_TX] = "port_tx",
		[NEXT_ESP_IN] = "esp_in",
		[NEXT_AH_IN] = "ah_in",
		[NEXT_ESP_OUT] = "esp_out",
		[NEXT_AH_OUT] = "ah_out",
		[NEXT_DROP] = "drop"},
};
