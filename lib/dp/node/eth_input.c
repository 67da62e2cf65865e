/* Link layer: which interface a frame belongs to, whether it is for us, and what it carries. Starts
 * the packet's metadata. The data of ARP then begins behind the Ethernet header; ip4_input, which
 * writes the lengths anyway, does the same for IPv4, and ip6_input for IPv6. Worker.
 */
#include "dp/node/nodes.h"

enum { NEXT_IP4_INPUT, NEXT_IP6_INPUT, NEXT_ARP_INPUT, NEXT_DROP };

#define STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/* What follows the MAC addresses: up to two tags, from the outside, and the type behind them. */
struct tags {
	unsigned n;
	uint16_t vlan[2];
	bool service; /* the outer one said 802.1ad; what a device took off does not say */
	unsigned l2_len;
	rte_be16_t type;
};

static void tag(struct tags *t, uint16_t tci)
{
	t->vlan[t->n++] = tci & 0xfff;
}

/* Tags that the device took off. */
static void stripped(const struct rte_mbuf *m, struct tags *t)
{
	if (m->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED)
		tag(t, m->vlan_tci_outer);
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		tag(t, m->vlan_tci);
}

/* Tags, from the device and then from the data; a third one is left as the type. The outer tag is
 * of 802.1ad or, as many switches and some devices write it, of 802.1Q; the inner one of 802.1Q.
 * False when the frame is too short. */
static bool tags_of(const struct rte_mbuf *m, struct tags *t)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t tci;

	*t = (struct tags){.l2_len = RTE_ETHER_HDR_LEN};
	stripped(m, t);
	memcpy(&t->type, p + 12, sizeof(t->type));
	while (t->n < 2 && (t->type == RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
				   (t->n == 0 && t->type == RTE_BE16(ETHER_TYPE_SVLAN)))) {
		if (m->data_len < t->l2_len + 4)
			return false;
		t->service |= t->type == RTE_BE16(ETHER_TYPE_SVLAN);
		memcpy(&tci, p + t->l2_len, sizeof(tci));
		memcpy(&t->type, p + t->l2_len + 2, sizeof(t->type));
		tag(t, rte_be_to_cpu_16(tci));
		t->l2_len += 4;
	}
	return true;
}

/* The id of the frame's interface, or IFACE_NONE. A tag of VLAN 0 only carries a priority and
 * counts as none (IEEE 802.1Q section 6.9.1). */
static uint16_t iface_of(const struct port_entry *port, const struct tags *t)
{
	uint16_t outer = t->vlan[0], vlan = t->vlan[1];
	uint16_t id;

	if (outer == 0 || vlan != 0)
		return port_find(port, outer, vlan);
	/* one tag: of 802.1Q, unless only an interface with that outer tag alone can be meant */
	id = t->service ? IFACE_NONE : port_find(port, 0, outer);
	return id != IFACE_NONE ? id : port_find(port, outer, 0);
}

/* What all plain frames for one port have in common: looked up once per burst. */
struct plain {
	uint16_t port; /* UINT16_MAX: nothing known yet */
	bool usable;   /* the untagged interface is there and up */
	uint64_t mac;  /* the port's address in the high 48 bits, as the frame's first word shows it
			*/
	struct meta meta;
};

static void start(struct meta *meta, const struct iface *f, unsigned l2_len)
{
	*meta = (struct meta){
		.in_if = f->id,
		.zone_in = f->zone,
		.l2_len = (uint8_t)l2_len,
		.flags = META_FRAMED |
			 (f->flags & (IFACE_URPF_LOOSE | IFACE_URPF_STRICT) ? META_URPF : 0),
		.verdict_in = UINT32_MAX,
		.verdict_out = UINT32_MAX,
	};
}

static __rte_noinline void learn(const struct root *root, uint16_t port, struct plain *plain)
{
	const struct port_entry *entry = &root->ports->port[port];
	const struct iface *f = &root->ports->iface[entry->untagged];

	plain->port = port;
	plain->usable = entry->untagged != IFACE_NONE && f->flags & IFACE_UP;
	plain->mac = 0;
	memcpy((uint8_t *)&plain->mac + 2, &entry->mac, sizeof(entry->mac));
	start(&plain->meta, f, RTE_ETHER_HDR_LEN);
}

/* An untagged IPv4 frame to the port's own address. Reads no further than every buffer is long. */
static inline bool is_plain(const struct rte_mbuf *m, const struct plain *plain)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t dst;
	uint16_t type;

	memcpy(&dst, p, sizeof(dst));
	memcpy(&type, p + 12, sizeof(type));
	return plain->usable & (dst << 16 == plain->mac) & (type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) &
	       (m->data_len >= RTE_ETHER_HDR_LEN) & (m->nb_segs == 1) & !(m->ol_flags & STRIPPED);
}

/* Any frame. */
static __rte_noinline uint16_t input(const struct root *root, struct rte_mbuf *m)
{
	const struct port_entry *port = &root->ports->port[m->port];
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct iface *f = &root->ports->iface[IFACE_NONE];
	struct meta *meta = meta_of(m);
	struct tags tags;

	start(meta, f, 0);
	if (unlikely(m->data_len < RTE_ETHER_HDR_LEN))
		return node_drop(meta, DROP_ETH_TRUNCATED, NEXT_DROP);
	if (unlikely(m->nb_segs > 1))
		return node_drop(meta, DROP_ETH_SEGMENTED, NEXT_DROP);
	if (unlikely(!tags_of(m, &tags)))
		return node_drop(meta, DROP_ETH_TRUNCATED, NEXT_DROP);
	f = &root->ports->iface[iface_of(port, &tags)];
	if (unlikely(f->id == IFACE_NONE))
		return node_drop(meta, DROP_ETH_NO_IFACE, NEXT_DROP);
	start(meta, f, tags.l2_len);
	if (unlikely(!(f->flags & IFACE_UP)))
		return node_drop(meta, DROP_ETH_IFACE_DOWN, NEXT_DROP);
	if (!rte_is_same_ether_addr(&eth->dst_addr, &port->mac)) {
		if (!rte_is_multicast_ether_addr(&eth->dst_addr))
			return node_drop(meta, DROP_ETH_NOT_FOR_US, NEXT_DROP);
		meta->flags |= META_L2_GROUP;
	}
	if (tags.type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		return NEXT_IP4_INPUT;
	if (tags.type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		return NEXT_IP6_INPUT;
	if (tags.type != RTE_BE16(RTE_ETHER_TYPE_ARP))
		return node_drop(meta, DROP_ETH_UNKNOWN_TYPE, NEXT_DROP);
	meta_strip_l2(m, meta);
	return NEXT_ARP_INPUT;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	const struct worker *w = node_worker(node);
	struct plain plain = {.port = UINT16_MAX};
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];

		if (unlikely(m->port != plain.port))
			learn(w->root, m->port, &plain);
		if (likely(is_plain(m, &plain))) {
			memcpy(meta_of(m), &plain.meta, META_COMMON);
			next[i] = NEXT_IP4_INPUT;
		} else {
			next[i] = input(w->root, m);
		}
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_eth_input = {
	.name = "eth_input",
	.sentence = "finds the interface, checks the MAC, tells IPv4, IPv6 and ARP apart",
	.process = process,
	.n_next = 4,
	.next = {[NEXT_IP4_INPUT] = "ip4_input",
		[NEXT_IP6_INPUT] = "ip6_input",
		[NEXT_ARP_INPUT] = "arp_input",
		[NEXT_DROP] = "drop"},
};
