/* Spreads the packets of a port with fewer receive queues than workers: each goes to the worker
 * that its flow hash names, over a handoff ring. Worker.
 *
 * The hash is symmetric (both directions of a flow meet one worker) and, for fragments, over the
 * addresses alone, so that the fragments of one datagram meet one worker.
 */
#include "dp/node/nodes.h"

#include <rte_hash_crc.h>
#include <rte_ip.h>

enum { NEXT_ETH_INPUT, NEXT_DROP };

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* Hash of a frame; 0 for what is not IPv4. Looks at no byte beyond the first segment. */
static uint32_t flow_hash(const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned len = m->data_len, at = RTE_ETHER_HDR_LEN, hdr_len;
	uint16_t type, src_port, dst_port;
	const struct rte_ipv4_hdr *ip;
	uint64_t key;

	if (len < at)
		return 0;
	memcpy(&type, p + 12, sizeof(type));
	if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN) && len >= at + 4) {
		memcpy(&type, p + 16, sizeof(type));
		at += 4;
	}
	if (type != RTE_BE16(RTE_ETHER_TYPE_IPV4) || len < at + sizeof(*ip))
		return 0;
	ip = (const struct rte_ipv4_hdr *)(p + at);
	key = (uint64_t)(ip->src_addr ^ ip->dst_addr) << 8 | ip->next_proto_id;
	hdr_len = (ip->version_ihl & 15u) * 4;
	if (has_ports(ip->next_proto_id) && len >= at + hdr_len + 4 &&
		(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG)) ==
			0) {
		memcpy(&src_port, p + at + hdr_len, 2);
		memcpy(&dst_port, p + at + hdr_len + 2, 2);
		key ^= (uint64_t)(src_port ^ dst_port) << 40;
	}
	return rte_hash_crc_8byte(key, UINT32_MAX);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	unsigned workers = w->shared->n_workers;

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		unsigned to = (unsigned)((uint64_t)flow_hash(m) * workers >> 32);

		if (to == w->id) {
			rte_node_enqueue_x1(graph, node, NEXT_ETH_INPUT, m);
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
	.sentence = "hands packets of a single-queue port to workers by flow hash",
	.process = process,
	.n_next = 2,
	.next = {[NEXT_ETH_INPUT] = "eth_input", [NEXT_DROP] = "drop"},
};
