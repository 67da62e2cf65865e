/* Link layer: which interface a frame belongs to, whether it is for us, and what it carries. Starts
 * the packet's metadata; afterwards the data begins with the network header. Worker.
 */
#include "dp/node/nodes.h"

enum { NEXT_IP4_INPUT, NEXT_ARP_INPUT, NEXT_DROP };

#define AHEAD 4

/* The tag of the frame: from the device where it stripped it, else from the data. Advances *l2_len
 * and *type. False when the frame is too short. */
static bool vlan_of(const struct rte_mbuf *m, const uint8_t *p, unsigned *l2_len, uint16_t *type,
	uint16_t *vlan)
{
	uint16_t tci;

	*vlan = 0;
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		*vlan = m->vlan_tci & 0xfff;
		return true;
	}
	if (*type != RTE_BE16(RTE_ETHER_TYPE_VLAN))
		return true;
	if (m->data_len < RTE_ETHER_HDR_LEN + 4)
		return false;
	memcpy(&tci, p + 14, sizeof(tci));
	memcpy(type, p + 16, sizeof(*type));
	*vlan = rte_be_to_cpu_16(tci) & 0xfff;
	*l2_len += 4;
	return true;
}

static inline uint16_t input(const struct root *root, struct rte_mbuf *m)
{
	const struct port_entry *port = &root->ports->port[m->port];
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)p;
	struct meta *meta = meta_of(m);
	unsigned l2_len = RTE_ETHER_HDR_LEN;
	uint16_t type, vlan;

	*meta = (struct meta){
		.flags = META_FRAMED, .verdict_in = UINT32_MAX, .verdict_out = UINT32_MAX};
	if (unlikely(m->data_len < RTE_ETHER_HDR_LEN))
		return node_drop(meta, DROP_ETH_TRUNCATED, NEXT_DROP);
	if (unlikely(m->nb_segs > 1))
		return node_drop(meta, DROP_ETH_SEGMENTED, NEXT_DROP);
	type = eth->ether_type;
	if (unlikely(!vlan_of(m, p, &l2_len, &type, &vlan)))
		return node_drop(meta, DROP_ETH_TRUNCATED, NEXT_DROP);
	/* tag 0 is a priority tag: the frame is untagged (IEEE 802.1Q) */
	if (vlan == 0)
		meta->in_if = port->untagged;
	else
		meta->in_if = port->vlan ? port->vlan[vlan] : IFACE_NONE;
	if (unlikely(meta->in_if == IFACE_NONE))
		return node_drop(meta, DROP_ETH_NO_IFACE, NEXT_DROP);
	if (unlikely(!(root->ports->iface[meta->in_if].flags & IFACE_UP)))
		return node_drop(meta, DROP_ETH_IFACE_DOWN, NEXT_DROP);
	if (unlikely(!rte_is_same_ether_addr(&eth->dst_addr, &port->mac))) {
		if (!rte_is_multicast_ether_addr(&eth->dst_addr))
			return node_drop(meta, DROP_ETH_NOT_FOR_US, NEXT_DROP);
		meta->flags |= META_L2_GROUP;
	}
	if (unlikely(type != RTE_BE16(RTE_ETHER_TYPE_IPV4) && type != RTE_BE16(RTE_ETHER_TYPE_ARP)))
		return node_drop(meta, DROP_ETH_UNKNOWN_TYPE, NEXT_DROP);
	meta->flags &= (uint8_t)~META_FRAMED;
	meta->l2_len = (uint8_t)l2_len;
	m->data_off += (uint16_t)l2_len;
	m->data_len -= (uint16_t)l2_len;
	m->pkt_len -= l2_len;
	return likely(type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) ? NEXT_IP4_INPUT : NEXT_ARP_INPUT;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	const struct worker *w = node_worker(node);
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++) {
		if (i + AHEAD < nb_objs)
			rte_prefetch0(rte_pktmbuf_mtod((struct rte_mbuf *)objs[i + AHEAD], void *));
		next[i] = input(w->root, objs[i]);
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_eth_input = {
	.name = "eth_input",
	.sentence = "finds the interface, checks the MAC, tells IPv4 from ARP",
	.process = process,
	.n_next = 3,
	.next = {[NEXT_IP4_INPUT] = "ip4_input",
		[NEXT_ARP_INPUT] = "arp_input",
		[NEXT_DROP] = "drop"},
};
