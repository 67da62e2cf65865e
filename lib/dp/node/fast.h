/* What fast_path and esp_in do with a packet of a flow that is known: looking at it, finding its
 * flow, and making it ready to be sent. Worker.
 */
#pragma once

#include "dp/node/nodes.h"

#include "dp/flow_cache.h"
#include "wire/ip4.h"

#include <netinet/in.h>

/* By protocol, of what is behind the IP header: which of the first four bytes are in the key, and
 * how many must be there. */
struct l4 {
	uint32_t mask;
	int32_t need;
};
/* Of IPv6 those with a need alone: any other may be an extension header. */
extern const struct l4 fast_l4_of4[256], fast_l4_of6[256]; /* fast_path.c */

/* What all frames for one port with one tag, or none, have in common: looked up when it changes. */
struct arrival {
	uint32_t segs_port; /* as it lies in the mbuf: one segment; 0: of no port yet */
	uint16_t tag;       /* NO_TAG: none */
	uint64_t mac;       /* the port's, in the high 48 bits, as a frame's first word shows it; 1:
			     * such frames are none of ours */
	uint64_t rest;      /* of the flow's key: the interface */
};
#define NO_TAG UINT16_MAX

/* A packet between two passes over so many: the first makes the key and fetches where its flow
 * would be, so that the second need not wait for it. */
#define AHEAD 16
struct pending {
	const void *set; /* of flows, or nowhere: not plain */
	uint64_t key[5]; /* IPv4: two */
	uint8_t *ip;
	uint16_t ip_len;
	bool ip6;
};
static const struct flow6 nowhere[2];
static const struct pending not_plain = {.set = nowhere, .key = {1}};

/* What the packets of a burst have in common with the one before. */
struct burst {
	struct arrival untagged, tagged;
	struct flow_way way;       /* .serial 0: none yet, or slow */
	const struct neigh *neigh; /* entry of way.neigh: may be sent to */
	uint64_t tx;               /* for port_tx, but for the incoming interface */
	uint64_t packets, bytes;   /* to be counted for the rules of way */
	bool slow; /* one of a known flow had to go on as it came: so do all behind it */
};

/* The transport header's part of the key; false when the header is not whole. */
static inline bool transport(
	const uint8_t *p, int len, unsigned proto, const struct l4 *l4, uint64_t *rest)
{
	uint32_t ports;

	/* read before it is known to be there, but never beyond the buffer's end */
	memcpy(&ports, p, sizeof(ports));
	*rest |= (ports & l4->mask) | (uint64_t)proto << 32;
	if (proto == IPPROTO_TCP) {
		int hdr_len = (p[12] >> 4) * 4;

		if (hdr_len < 20 || hdr_len > len)
			return false;
		*rest |= flow_rest(0, 0, p[13] >> 4 & 1, 0); /* RTE_TCP_ACK_FLAG */
	}
	return len >= l4->need;
}

/* Notes all about the IPv4 packet if it is plain. Reads the header as words. */
static inline bool plain4(const struct flow_cache *c, const struct rte_mbuf *m, uint8_t *ip,
	unsigned l2_len, uint64_t rest, struct pending *f)
{
	uint64_t first, second;
	uint32_t third;
	uint16_t total_be;
	unsigned total, proto = ip[9];

	memcpy(&first, ip, 8);
	memcpy(&second, ip + 8, 8);
	memcpy(&third, ip + 16, 4);
	/* loaded again rather than cut out of the words: loads are cheaper */
	memcpy(&total_be, ip + 2, 2);
	total = rte_be_to_cpu_16(total_be);
	if (unlikely(!ip4_words_plain(first) || total + l2_len > m->data_len || ip[8] <= 1))
		return false;
	if (unlikely(!transport(
		    ip + IP4_MIN_HDR, (int)total - IP4_MIN_HDR, proto, &fast_l4_of4[proto], &rest)))
		return false;
	if (unlikely(!ip4_words_sum_ok(first, second, third)))
		return false;
	f->key[0] = rest;
	memcpy(f->key + 1, ip + 12, 8);
	f->set = flow4_where(c, f->key);
	f->ip = ip;
	f->ip_len = (uint16_t)total;
	f->ip6 = false;
	return true;
}

/* The same for IPv6. */
static inline bool plain6(const struct flow_cache *c, const struct rte_mbuf *m, uint8_t *ip,
	unsigned l2_len, uint64_t rest, struct pending *f)
{
	unsigned len = (unsigned)ip[4] << 8 | ip[5], proto = ip[6];

	if (unlikely(ip[0] >> 4 != 6 || l2_len + IP6_HDR + len > m->data_len || ip[7] <= 1 ||
		     fast_l4_of6[proto].need == 0))
		return false;
	if (unlikely(!transport(ip + IP6_HDR, (int)len, proto, &fast_l4_of6[proto], &rest)))
		return false;
	f->key[0] = rest;
	memcpy(f->key + 1, ip + 8, 32);
	f->set = flow6_where(c, f->key);
	f->ip = ip;
	f->ip_len = (uint16_t)RTE_MIN(IP6_HDR + len, (unsigned)UINT16_MAX); /* MTUs are smaller */
	f->ip6 = true;
	return true;
}

/* Both rules of all packets that went the burst's way since this was last called. */
static void count(struct rule_counter *counter, struct burst *b)
{
	const uint32_t rule[2] = {b->way.counter_in, b->way.counter_out};

	for (unsigned i = 0; i < 2; i++) {
		counter[rule[i]].packets += b->packets;
		counter[rule[i]].bytes += b->bytes;
	}
	b->packets = 0;
	b->bytes = 0;
}

/* The neighbour becomes the burst's, if it can be sent to right now. */
static bool use_neighbour(struct worker *w, uint32_t index, struct burst *b)
{
	const struct neigh_table *t = w->root->neigh;
	const struct neigh *e = neigh_get(t, index);

	if (unlikely(e == NULL || e->hdr_len == 0))
		return false;
	/* those that came before still wait: keep the order */
	if (unlikely(w->stats.neigh_waiting) && neigh_wait_has(w->neigh_wait, e->iface, &e->addr))
		return false;
	neigh_mark_used(t, index);
	b->neigh = e;
	b->tx = (struct meta){.out_if = e->iface, .out_port = e->port, .flags = META_FRAMED}.way;
	return true;
}

/* The packet's way, which is not the one of the packet before, becomes the burst's; false when it
 * is not known, or cannot be gone. */
static __rte_noinline bool change_way(struct worker *w, const struct pending *f, struct burst *b)
{
	uint32_t serial = w->flow_cache->serial;
	const struct flow_way *way =
		f->ip6 ? flow6_find(f->set, f->key, serial) : flow4_find(f->set, f->key, serial);

	if (way == NULL || b->slow || way->neigh & FLOW_SPECIAL)
		return false;
	if (way->neigh != b->way.neigh && !use_neighbour(w, way->neigh, b))
		return false;
	count(w->rule_counter, b);
	b->way = *way;
	return true;
}

static inline void ttl4(uint8_t *ip)
{
	uint32_t word;

	/* TTL, protocol, checksum. RFC 1624: the checksum rises by what the TTL falls; 0xffff is
	 * written as 0 */
	memcpy(&word, ip + 8, 4);
	word += (1u << 16) - 1 + (word >= 0xfffe0000 ? 1u << 16 : 0);
	memcpy(ip + 8, &word, 4);
}

/* Puts the neighbour's header in front of the IP header in place of the one received, and sets the
 * lengths, without padding; what later nodes must know. */
static inline void reframe(struct rte_mbuf *m, const struct pending *f, const struct burst *b)
{
	const struct neigh *e = b->neigh;
	unsigned hdr_len = e->hdr_len, len = f->ip_len + hdr_len;
	uint8_t *p = f->ip - hdr_len;

	if (likely(hdr_len == RTE_ETHER_HDR_LEN))
		memcpy(p, e->hdr, RTE_ETHER_HDR_LEN);
	else
		memcpy(p, e->hdr, hdr_len);
	m->data_off = (uint16_t)(p - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	meta_set_tx(m, b->tx | f->key[0] >> 48);
}
_Static_assert(offsetof(struct meta, in_if) == offsetof(struct meta, way), "the lowest bits");

/* The packet's flow is known and its neighbour ready: it is ready to be sent. Else nothing of it is
 * changed. */
static inline bool forward(
	struct worker *w, struct rte_mbuf *m, const struct pending *f, struct burst *b)
{
	bool same = f->ip6 ? flow6_is(f->set, f->key, &b->way) : flow4_is(f->set, f->key, &b->way);

	if (unlikely(!same) && !change_way(w, f, b))
		return false;
	if (unlikely(f->ip_len > b->neigh->mtu)) { /* it may go out as fragments, in its place */
		b->slow = true;
		b->way.serial = 0;
		return false;
	}
	b->packets++;
	b->bytes += f->ip_len;
	if (f->ip6)
		f->ip[7]--;
	else
		ttl4(f->ip);
	reframe(m, f, b);
	return true;
}
