/* Packets of flows that are known: whole, without options or extension headers, for the port's own
 * MAC. Everything that the nodes from eth_input to ip_output would do to such a packet is done here
 * at once, in one touch of its headers; the flow cache says where it goes and which rules permitted
 * it. Whatever is not that plain, or not known, goes to eth_input as it came. Worker.
 *
 * What a packet can have of its own is checked for each: lengths, checksum, TTL, TCP's header
 * length, MTU. What the key holds was judged when the flow was learned.
 */
#include "dp/node/nodes.h"

#include "dp/flow_cache.h"
#include "wire/ip4.h"

#include <netinet/in.h>

enum { NEXT_PORT_TX, NEXT_ETH_INPUT };

#define IP6_HDR 40

/* By protocol, of what is behind the IP header: which of the first four bytes are in the key, and
 * how many must be there. */
struct l4 {
	uint32_t mask;
	uint32_t need;
};
#define PORTS(least)              \
	{                         \
		UINT32_MAX, least \
	}
#define TYPE_AND_CODE         \
	{                     \
		UINT16_MAX, 8 \
	} /* the first two bytes, in memory's order */

static const struct l4 l4_of4[256] = {
	[IPPROTO_ICMP] = TYPE_AND_CODE,
	[IPPROTO_TCP] = PORTS(20),
	[IPPROTO_UDP] = PORTS(8),
	[IPPROTO_DCCP] = PORTS(4),
	[IPPROTO_SCTP] = PORTS(4),
	[IPPROTO_UDPLITE] = PORTS(4),
};

/* Those with a need alone: any other may be an extension header. */
static const struct l4 l4_of6[256] = {
	[IPPROTO_ICMPV6] = TYPE_AND_CODE,
	[IPPROTO_TCP] = PORTS(20),
	[IPPROTO_UDP] = PORTS(8),
	[IPPROTO_SCTP] = PORTS(4),
	[IPPROTO_ESP] = {0, 8},
	[IPPROTO_GRE] = {0, 4},
	[IPPROTO_IPIP] = {0, 20},
	[IPPROTO_IPV6] = {0, 40},
};

/* What all frames for one port with one tag, or none, have in common: looked up when it changes. */
struct arrival {
	uint64_t key;  /* arrival_key() */
	uint64_t mac;  /* the port's, in the high 48 bits, as a frame's first word shows it; 1: such
			* frames are none of ours */
	uint64_t rest; /* of the flow's key: the interface */
};
#define NO_TAG UINT16_MAX

/* A packet between two passes over so many: the first makes the key and fetches where its flow
 * would be, so that the second need not wait for it. */
#define AHEAD 16
struct pending {
	const void *set; /* of flows; NULL: not plain */
	uint64_t key[5]; /* IPv4: two */
	uint16_t ip_len;
	uint8_t l2_len;
	bool ip6;
};

/* What the packets of a burst may have in common with the one before. */
struct burst {
	uint64_t counters; /* two indices */
	uint64_t packets, bytes;
	const struct neigh *neigh; /* entry of index: may be sent to */
	uint32_t index;            /* NEIGH_NONE: of none yet */
	uint64_t way;              /* for meta, but for the incoming interface */
	bool slow; /* one of a known flow had to go on as it came: so do all behind it */
};

static inline uint64_t arrival_key(uint32_t segs_port, uint32_t tag)
{
	return segs_port | (uint64_t)tag << 32;
}

static __rte_noinline void learn_arrival(
	const struct root *root, const struct rte_mbuf *m, uint32_t tag, struct arrival *a)
{
	const struct port_entry *entry = &root->ports->port[m->port];
	/* tag 0 is a priority tag: the frame is untagged */
	uint16_t id = port_find(entry, 0, tag == NO_TAG ? 0 : (uint16_t)tag);

	*a = (struct arrival){.key = arrival_key(1u | (uint32_t)m->port << 16, tag),
		.mac = 1,
		.rest = flow_rest(0, 0, false, id)};
	if (id == IFACE_NONE || !(root->ports->iface[id].flags & IFACE_UP))
		return;
	a->mac = 0;
	memcpy((uint8_t *)&a->mac + 2, &entry->mac, sizeof(entry->mac));
}

/* The transport header's part of the key; false when the header is not whole. */
static inline bool transport(
	const uint8_t *p, unsigned len, unsigned proto, const struct l4 *l4, uint64_t *rest)
{
	uint32_t ports;

	/* read before it is known to be there, but never beyond the buffer's end */
	memcpy(&ports, p, sizeof(ports));
	*rest |= (ports & l4->mask) | (uint64_t)proto << 32;
	if (proto == IPPROTO_TCP) {
		unsigned hdr_len = (p[12] >> 4) * 4u;

		if (hdr_len < 20 || hdr_len > len)
			return false;
		*rest |= flow_rest(0, 0, p[13] >> 4 & 1, 0); /* RTE_TCP_ACK_FLAG */
	}
	return len >= l4->need;
}

/* Notes all about the IPv4 packet if it is plain. Reads the header as words. */
static inline void plain4(const struct flow_cache *c, const struct rte_mbuf *m, const uint8_t *ip,
	unsigned l2_len, uint64_t rest, struct pending *f)
{
	uint64_t device = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	uint64_t first, second, addrs;
	uint32_t dst;
	unsigned total, proto;

	memcpy(&first, ip, 8);
	memcpy(&second, ip + 8, 8);
	memcpy(&dst, ip + 16, 4);
	memcpy(&addrs, ip + 12, 8);
	total = __builtin_bswap16((uint16_t)(first >> 16));
	proto = (uint8_t)(second >> 8);
	if (unlikely(!ip4_words_plain(first) || total + l2_len > m->data_len ||
		     total < IP4_MIN_HDR || (uint8_t)second <= 1))
		return;
	if (unlikely(!transport(
		    ip + IP4_MIN_HDR, total - IP4_MIN_HDR, proto, &l4_of4[proto], &rest)))
		return;
	if (likely(device != RTE_MBUF_F_RX_IP_CKSUM_GOOD) &&
		(device == RTE_MBUF_F_RX_IP_CKSUM_BAD || !ip4_words_sum_ok(first, second, dst)))
		return;
	f->set = flow4_where(c, addrs, rest);
	f->key[0] = addrs;
	f->key[1] = rest;
	f->ip_len = (uint16_t)total;
	f->l2_len = (uint8_t)l2_len;
	f->ip6 = false;
}

/* The same for IPv6. */
static inline void plain6(const struct flow_cache *c, const struct rte_mbuf *m, const uint8_t *ip,
	unsigned l2_len, uint64_t rest, struct pending *f)
{
	unsigned len = (unsigned)ip[4] << 8 | ip[5], proto = ip[6];

	if (unlikely(ip[0] >> 4 != 6 || l2_len + IP6_HDR + len > m->data_len || ip[7] <= 1 ||
		     l4_of6[proto].need == 0))
		return;
	if (unlikely(!transport(ip + IP6_HDR, len, proto, &l4_of6[proto], &rest)))
		return;
	memcpy(f->key, ip + 8, 32);
	f->key[4] = rest;
	f->set = flow6_where(c, f->key);
	f->ip_len = (uint16_t)RTE_MIN(IP6_HDR + len, (unsigned)UINT16_MAX); /* MTUs are smaller */
	f->l2_len = (uint8_t)l2_len;
	f->ip6 = true;
}

/* If it is a plain packet of a port and tag that we know, for the port's own MAC. */
static inline void plain(
	const struct worker *w, struct rte_mbuf *m, struct arrival *a, struct pending *f)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t segs_port, tag = NO_TAG;
	unsigned l2_len = RTE_ETHER_HDR_LEN;
	uint16_t type, tci;
	uint64_t mac;

	/* nothing here reads further than every buffer is long */
	memcpy(&segs_port, &m->nb_segs, sizeof(segs_port));
	memcpy(&mac, p, sizeof(mac));
	memcpy(&type, p + 12, sizeof(type));
	f->set = NULL;
	if (unlikely(type == RTE_BE16(RTE_ETHER_TYPE_VLAN))) {
		memcpy(&tci, p + 14, sizeof(tci));
		memcpy(&type, p + 16, sizeof(type));
		tag = rte_be_to_cpu_16(tci) & 0xfff;
		l2_len += 4;
	}
	if (unlikely(arrival_key(segs_port, tag) != a->key)) {
		if (m->nb_segs != 1)
			return;
		learn_arrival(w->root, m, tag, a);
	}
	if (unlikely(mac << 16 != a->mac ||
		     m->ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)))
		return;
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		plain4(w->flow_cache, m, p + l2_len, l2_len, a->rest, f);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		plain6(w->flow_cache, m, p + l2_len, l2_len, a->rest, f);
}

/* The entry of the flow's neighbour, where it can be sent to right now, else NULL. */
static __rte_noinline const struct neigh *neighbour(
	struct worker *w, const struct flow_way *way, struct burst *b)
{
	const struct neigh_table *t = w->root->neigh;
	const struct neigh *e = neigh_get(t, way->neigh);

	if (unlikely(e == NULL || e->hdr_len == 0))
		return NULL;
	/* those that came before still wait: keep the order */
	if (unlikely(w->stats.neigh_waiting) && neigh_wait_has(w->neigh_wait, e->iface, &e->addr))
		return NULL;
	neigh_mark_used(t, way->neigh);
	b->index = way->neigh;
	b->neigh = e;
	b->way = (struct meta){.out_if = e->iface, .out_port = e->port, .flags = META_FRAMED}.way;
	return e;
}

/* Runs of packets that the same two rules permitted are counted at once. */
static __rte_noinline void count(struct rule_counter *counter, struct burst *b, uint64_t counters)
{
	for (unsigned i = 0; i < 2; i++) {
		struct rule_counter *c = &counter[(uint32_t)(b->counters >> 32 * i)];

		c->packets += b->packets;
		c->bytes += b->bytes;
	}
	b->counters = counters;
	b->packets = 0;
	b->bytes = 0;
}

/* Puts the neighbour's header in front of the IP header in place of the one received, and sets the
 * lengths, without padding; what later nodes must know. */
static inline void reframe(
	struct rte_mbuf *m, const struct pending *f, const struct burst *b, uint16_t in_if)
{
	const struct neigh *e = b->neigh;
	unsigned hdr_len = e->hdr_len, len = f->ip_len + hdr_len;
	uint8_t *p = rte_pktmbuf_mtod_offset(m, uint8_t *, f->l2_len - (int)hdr_len);

	if (likely(hdr_len == RTE_ETHER_HDR_LEN))
		memcpy(p, e->hdr, RTE_ETHER_HDR_LEN);
	else
		memcpy(p, e->hdr, hdr_len);
	m->data_off = (uint16_t)(m->data_off + f->l2_len - hdr_len);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	meta_of(m)->way = b->way | in_if;
}
_Static_assert(offsetof(struct meta, in_if) == offsetof(struct meta, way), "the lowest bits");

static inline void ttl4(uint8_t *ip)
{
	uint32_t word, sum;

	/* TTL, protocol, checksum. RFC 1624: the checksum rises by what the TTL falls; 0xffff is
	 * written as 0 */
	memcpy(&word, ip + 8, 4);
	sum = (word >> 16) + RTE_BE16(0x0100);
	sum += sum >= UINT16_MAX;
	word = sum << 16 | (uint16_t)(word - 1);
	memcpy(ip + 8, &word, 4);
}

/* The packet's flow is known and its neighbour ready: it is ready to be sent. Else nothing of it is
 * changed. */
static inline bool forward(
	struct worker *w, struct rte_mbuf *m, const struct pending *f, struct burst *b)
{
	uint32_t serial = w->flow_cache->serial;
	const struct flow_way *way =
		f->ip6 ? flow6_find(f->set, f->key, serial) : flow4_find(f->set, f->key, serial);
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, f->l2_len);
	uint64_t rest = f->key[f->ip6 ? 4 : 1], counters;

	if (unlikely(way == NULL || b->slow))
		return false;
	if (unlikely(way->neigh != b->index) && unlikely(neighbour(w, way, b) == NULL))
		return false;
	if (unlikely(f->ip_len > b->neigh->mtu)) { /* it may go out as fragments, in its place */
		b->slow = true;
		return false;
	}
	memcpy(&counters, &way->counter_in, sizeof(counters));
	if (unlikely(counters != b->counters))
		count(w->rule_counter, b, counters);
	b->packets++;
	b->bytes += f->ip_len;
	if (f->ip6)
		ip[7]--;
	else
		ttl4(ip);
	reframe(m, f, b, (uint16_t)(rest >> 48));
	return true;
}
_Static_assert(offsetof(struct flow_way, counter_out) == offsetof(struct flow_way, counter_in) + 4,
	"one word");

static void judge(struct flow_cache *c, const uint16_t next[], unsigned n)
{
	c->seen += n;
	for (unsigned i = 0; i < n; i++)
		c->missed += next[i] != NEXT_PORT_TX;
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
	struct arrival arrival = {.key = 0}; /* of no port: a frame has a segment */
	struct burst b = {.index = NEIGH_NONE};
	struct pending pending[AHEAD];
	uint16_t next[WALK_PACKETS_MAX];

	/* NULL: tests hold one way against the other */
	if (unlikely(c == NULL || c->rest > 0)) {
		if (c != NULL)
			c->rest -= RTE_MIN(c->rest, (uint32_t)nb_objs);
		rte_node_next_stream_move(graph, node, NEXT_ETH_INPUT);
		return nb_objs;
	}
	for (unsigned from = 0; from < nb_objs; from += AHEAD) {
		unsigned to = RTE_MIN(from + AHEAD, (unsigned)nb_objs);

		for (unsigned i = from; i < to; i++)
			plain(w, objs[i], &arrival, &pending[i - from]);
		for (unsigned i = from; i < to; i++)
			next[i] =
				likely(pending[i - from].set != NULL) &&
						likely(forward(w, objs[i], &pending[i - from], &b))
					? NEXT_PORT_TX
					: NEXT_ETH_INPUT;
	}
	count(w->rule_counter, &b, 0);
	judge(c, next, nb_objs);
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_fast_path = {
	.name = "fast_path",
	.sentence = "forwards packets of known flows at once",
	.process = process,
	.n_next = 2,
	.next = {[NEXT_PORT_TX] = "port_tx", [NEXT_ETH_INPUT] = "eth_input"},
};
