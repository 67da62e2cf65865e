/* Neighbour discovery for us, and queries of multicast listener discovery, go to the control core,
 * metered, so that a flood of them starves nobody. From ip6_input: META_IP6 is set, the data begins
 * with the IPv6 header and ends with the packet; of neighbour discovery the hop limit is 255 and
 * there is no fragment header. Exempt from the filter, since no link works without them (RFC 4890
 * section 4.4.1); they never leave the link either. Worker.
 *
 * Solicitations, which anybody can make up, have a rate of their own: a flood of them does not hold
 * up the answers that we wait for (RFC 6583 section 6.4). What is malformed does not use up either.
 */
#include "dp/node/nodes.h"

#include "wire/ip6.h"
#include "wire/mld.h"
#include "wire/nd.h"

enum { NEXT_DROP };

static enum drop_reason punt(struct worker *w, struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	struct mld_query query;
	struct nd nd;
	bool ask;

	if (meta_of(m)->key6.sport == RTE_BE16(ICMP6_MLD_QUERY)) {
		if (mld_read(p, m->data_len, &query) != MLD_OK)
			return DROP_MLD_INVALID;
		ask = true;
	} else {
		if (nd_read(p, m->data_len, &nd) != ND_OK)
			return DROP_ND_INVALID;
		ask = nd.type == ND_NS || nd.type == ND_RS;
	}
	if (!bucket_take(ask ? &w->nd_ask : &w->nd_tell, w->now_tsc))
		return DROP_ND_RATE;
	if (link_packets_put(&w->link.punt, &m, 1) == 0)
		return DROP_ND_RING_FULL;
	w->stats.punted++;
	w->stats.exempt++;
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

const struct node node_nd_input = {
	.name = "nd_input",
	.sentence = "gives neighbour discovery and listener queries to the control core, so many a "
		    "second",
	.process = process,
	.n_next = 1,
	.next = {[NEXT_DROP] = "drop"},
};
