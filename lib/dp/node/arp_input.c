/* ARP goes to the control core, metered, so that a flood of it starves nobody. Worker.
 *
 * What the packet says is judged there (table/neigh_write.h); here only that it is one.
 */
#include "dp/node/nodes.h"

#include <rte_arp.h>

enum { NEXT_DROP };

static enum drop_reason punt(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_arp_hdr *arp = rte_pktmbuf_mtod(m, const struct rte_arp_hdr *);

	if (m->data_len < sizeof(*arp) || arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
		arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		arp->arp_hlen != RTE_ETHER_ADDR_LEN || arp->arp_plen != 4)
		return DROP_ARP_INVALID;
	if (!bucket_take(&w->arp_punt, w->now_tsc))
		return DROP_ARP_RATE;
	if (link_packets_put(&w->link.punt, &m, 1) == 0)
		return DROP_ARP_RING_FULL;
	w->stats.punted++;
	return DROP_NONE;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);

	for (unsigned i = 0; i < nb_objs; i++) {
		enum drop_reason reason = punt(w, objs[i]);

		if (reason == DROP_NONE)
			continue;
		meta_of(objs[i])->drop = (uint16_t)reason;
		rte_node_enqueue_x1(graph, node, NEXT_DROP, objs[i]);
	}
	return nb_objs;
}

const struct node node_arp_input = {
	.name = "arp_input",
	.sentence = "gives ARP packets to the control core, so many a second",
	.process = process,
	.n_next = 1,
	.next = {[NEXT_DROP] = "drop"},
};
