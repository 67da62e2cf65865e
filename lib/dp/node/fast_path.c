/* Packets of flows that are known: whole, without options or extension headers, for the port's own
 * MAC. Everything that the nodes from eth_input to ip_output would do to such a packet is done here
 * at once, in one touch of its headers; the flow cache says where it goes and which rules permitted
 * it. Whatever is not that plain, or not known, goes to eth_input as it came. Worker.
 *
 * What a packet can have of its own is checked for each: lengths, checksum, TTL, TCP's header
 * length, MTU. What the key holds was judged when the flow was learned.
 */
#include "dp/node/fast.h"
#include "dp/node/ipsec.h"

#include <rte_tcp.h>

enum { NEXT_PORT_TX, NEXT_ETH_INPUT, NEXT_ESP_OUT, NEXT_ESP_IN };

#define PORTS(least)              \
	{                         \
		UINT32_MAX, least \
	}
#define TYPE_AND_CODE         \
	{                     \
		UINT16_MAX, 8 \
	} /* the first two bytes, in memory's order */

const struct l4 fast_l4_of4[256] = {
	[IPPROTO_ICMP] = TYPE_AND_CODE,
	[IPPROTO_TCP] = PORTS(20),
	[IPPROTO_UDP] = PORTS(8),
	[IPPROTO_DCCP] = PORTS(4),
	[IPPROTO_SCTP] = PORTS(4),
	[IPPROTO_UDPLITE] = PORTS(4),
};

/* Those with a need alone: any other may be an extension header. */
const struct l4 fast_l4_of6[256] = {
	[IPPROTO_ICMPV6] = TYPE_AND_CODE,
	[IPPROTO_TCP] = PORTS(20),
	[IPPROTO_UDP] = PORTS(8),
	[IPPROTO_SCTP] = PORTS(4),
	[IPPROTO_ESP] = {0, 8},
	[IPPROTO_GRE] = {0, 4},
	[IPPROTO_IPIP] = {0, 20},
	[IPPROTO_IPV6] = {0, 40},
};

static __rte_noinline bool learn_arrival(
	const struct root *root, const struct rte_mbuf *m, uint16_t tag, struct arrival *a)
{
	const struct port_entry *entry = &root->ports->port[m->port];
	/* tag 0 is a priority tag: the frame is untagged */
	uint16_t id = port_find(entry, 0, tag == NO_TAG ? 0 : tag);

	if (m->nb_segs != 1)
		return false;
	*a = (struct arrival){.tag = tag, .mac = 1, .rest = flow_rest(0, 0, false, id)};
	memcpy(&a->segs_port, &m->nb_segs, sizeof(a->segs_port));
	if (id == IFACE_NONE || !(root->ports->iface[id].flags & IFACE_UP))
		return false;
	a->mac = 0;
	memcpy((uint8_t *)&a->mac + 2, &entry->mac, sizeof(entry->mac));
	return true;
}

/* The frame is for us: for the MAC of a port that has such an interface. */
static inline bool arrives(
	const struct root *root, const struct rte_mbuf *m, uint16_t tag, struct arrival *a)
{
	uint32_t segs_port;
	uint64_t mac;

	memcpy(&segs_port, &m->nb_segs, sizeof(segs_port));
	memcpy(&mac, rte_pktmbuf_mtod(m, const void *), sizeof(mac));
	if (unlikely(segs_port != a->segs_port || (tag != NO_TAG && tag != a->tag)) &&
		!learn_arrival(root, m, tag, a))
		return false;
	/* what the device says against it; a checksum that it calls good is seen to be good */
	return mac << 16 == a->mac &&
	       !(m->ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED |
				       RTE_MBUF_F_RX_IP_CKSUM_BAD));
}

/* A frame whose type stands behind l2_len - 2 bytes. */
static inline bool plain_type(const struct worker *w, const struct rte_mbuf *m, unsigned l2_len,
	uint16_t tag, struct arrival *a, struct pending *f)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, l2_len);
	uint16_t type;

	memcpy(&type, ip - 2, sizeof(type));
	if (likely(type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		return arrives(w->root, m, tag, a) &&
		       plain4(w->flow_cache, m, ip, l2_len, a->rest, f);
	return type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && arrives(w->root, m, tag, a) &&
	       plain6(w->flow_cache, m, ip, l2_len, a->rest, f);
}

static __rte_noinline bool plain_tagged(
	const struct worker *w, const struct rte_mbuf *m, struct burst *b, struct pending *f)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t tci;

	memcpy(&tci, p + RTE_ETHER_HDR_LEN, sizeof(tci));
	return plain_type(
		w, m, RTE_ETHER_HDR_LEN + 4, rte_be_to_cpu_16(tci) & 0xfff, &b->tagged, f);
}

/* If it is a plain packet of a port and tag that we know, for the port's own MAC. Nothing here
 * reads further than every buffer is long. */
static inline bool plain(
	const struct worker *w, const struct rte_mbuf *m, struct burst *b, struct pending *f)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t type;

	memcpy(&type, p + 12, sizeof(type));
	if (unlikely(type == RTE_BE16(RTE_ETHER_TYPE_VLAN)))
		return plain_tagged(w, m, b, f);
	return plain_type(w, m, RTE_ETHER_HDR_LEN, NO_TAG, &b->untagged, f);
}

/* The metadata of a packet whose way goes on through other nodes, which ip4_input or ip6_input
 * would have made, and what the filter and the policies said of it. Its data begins with the IP
 * header.
 */
static void describe(
	const struct root *root, struct rte_mbuf *m, const struct pending *f, struct meta *meta)
{
	unsigned l2_len = (unsigned)(f->ip - rte_pktmbuf_mtod(m, uint8_t *));
	uint16_t in_if = (uint16_t)(f->key[0] >> 48);
	struct meta common = {.in_if = in_if,
		.zone_in = root->ports->iface[in_if].zone,
		.l2_len = (uint8_t)l2_len,
		.proto = (uint8_t)(f->key[0] >> 32),
		.flags = f->ip6 ? META_IP6 : 0,
		.verdict_in = UINT32_MAX,
		.verdict_out = UINT32_MAX};
	uint32_t ports = (uint32_t)f->key[0];

	if (common.proto == (f->ip6 ? IP6_ICMP : IPPROTO_ICMP)) /* type and code, 16 bits each */
		ports = (ports & 0xff) << 8 | (ports & 0xff00) << 16;
	if (f->ip6) {
		meta->key6 = (struct acl_key6){.class = 0};
		memcpy(meta->key6.src, f->ip + 8, 32);
		memcpy(&meta->key6.sport, &ports, 4);
		meta->l4 = IP6_HDR;
		meta->proto_at = IP6_AT_NEXT_HEADER;
		meta->flags6 = 0;
	} else {
		memcpy(&common.key.src, f->ip + 12, 8);
		memcpy(&common.key.sport, &ports, 4);
	}
	memcpy(meta, &common, META_COMMON);
	m->data_off += (uint16_t)l2_len;
	m->data_len = f->ip_len;
	m->pkt_len = f->ip_len;
}

static inline void count_one(struct worker *w, uint32_t rule, const struct pending *f)
{
	w->rule_counter[rule].packets++;
	w->rule_counter[rule].bytes += f->ip_len;
}

/* A packet that is not ready to be sent: into a tunnel, or ESP for us, where its flow is known;
 * else it goes on as it came. */
static __rte_noinline uint16_t special(
	struct worker *w, struct rte_mbuf *m, const struct pending *f, struct burst *b)
{
	uint32_t serial = w->flow_cache->serial;
	const struct flow_way *way =
		f->ip6 ? flow6_find(f->set, f->key, serial) : flow4_find(f->set, f->key, serial);
	struct meta *meta = meta_of(m);

	if (way == NULL || !(way->neigh & FLOW_SPECIAL) || b->slow)
		return NEXT_ETH_INPUT;
	if ((way->neigh & FLOW_ESP_IN) == FLOW_ESP_IN) {
		/* may our address be used? */
		if (f->ip6 && neigh_unusable(w->root->neigh) != NULL)
			return NEXT_ETH_INPUT;
		describe(w->root, m, f, meta);
		meta->scope = RULE_LOCAL;
		meta->nh_type = NH_LOCAL;
		count_one(w, way->counter_in, f);
		return NEXT_ESP_IN;
	}
	/* the MSS in it may have to fall */
	if ((uint8_t)(f->key[0] >> 32) == IPPROTO_TCP &&
		f->ip[(f->ip6 ? IP6_HDR : IP4_MIN_HDR) + 13] & RTE_TCP_SYN_FLAG) {
		b->slow = true;
		b->way.serial = 0;
		return NEXT_ETH_INPUT;
	}
	describe(w->root, m, f, meta);
	meta->scope = RULE_ROUTE;
	meta->out_if = (uint16_t)(way->neigh >> FLOW_IFACE_AT & 0x3fff);
	meta->tunnel_out = (uint16_t)way->neigh;
	meta->more = META_FAST;
	count_one(w, way->counter_in, f);
	count_one(w, way->counter_out, f);
	return NEXT_ESP_OUT;
}

static void judge(struct flow_cache *c, unsigned n, unsigned missed)
{
	c->seen += n;
	c->missed += missed;
	c->hits += n - missed;
	if (likely(c->seen < FLOW_JUDGE_AFTER))
		return;
	c->rest = c->missed > c->seen / 4 * 3 ? FLOW_REST : 0;
	c->seen = 0;
	c->missed = 0;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	struct flow_cache *c = w->flow_cache;
	struct burst b = {.way = {.neigh = NEIGH_NONE}};
	struct pending pending[AHEAD];
	uint16_t next[WALK_PACKETS_MAX];
	unsigned missed = 0;
	bool other = false;

	/* NULL: tests hold one way against the other */
	if (unlikely(c == NULL || c->rest > 0)) {
		if (c != NULL)
			c->rest -= RTE_MIN(c->rest, (uint32_t)nb_objs);
		rte_node_next_stream_move(graph, node, NEXT_ETH_INPUT);
		return nb_objs;
	}
	for (unsigned from = 0; from < nb_objs; from += AHEAD) {
		unsigned n = RTE_MIN((unsigned)AHEAD, nb_objs - from);

		for (unsigned i = 0; i < n; i++)
			if (unlikely(!plain(w, objs[from + i], &b, &pending[i])))
				pending[i] = not_plain;
		for (unsigned i = 0; i < n; i++) {
			next[from + i] = NEXT_PORT_TX;
			if (likely(forward(w, objs[from + i], &pending[i], &b)))
				continue;
			next[from + i] = special(w, objs[from + i], &pending[i], &b);
			other = true;
			missed += next[from + i] == NEXT_ETH_INPUT;
		}
	}
	count(w->rule_counter, &b);
	judge(c, nb_objs, missed);
	if (likely(!other))
		rte_node_next_stream_move(graph, node, NEXT_PORT_TX);
	else
		node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_fast_path = {
	.name = "fast_path",
	.sentence = "forwards packets of known flows at once",
	.process = process,
	.n_next = 4,
	.next = {[NEXT_PORT_TX] = "port_tx",
		[NEXT_ETH_INPUT] = "eth_input",
		[NEXT_ESP_OUT] = "esp_out",
		[NEXT_ESP_IN] = "esp_in"},
};
