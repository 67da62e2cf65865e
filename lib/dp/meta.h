/* What the nodes know about a packet: two cache lines in the mbuf's private area, of which an IPv4
 * packet needs the first alone. Written by the node
 * named beside each field, read by later ones; valid within one worker and one walk unless said
 * otherwise.
 */
#pragma once

#include "table/acl.h"
#include "wire/addr.h"

#include <rte_mbuf.h>
#include <stddef.h>
#include <stdint.h>

enum meta_flag {
	META_OURS = 1,     /* we made it: local, skips acl_in */
	META_EXEMPT = 2,   /* ... and the filter: an ICMP error of ours */
	META_L2_GROUP = 4, /* came in a broadcast or multicast frame */
	META_LOGGED = 8,   /* a filter log record says that it is dropped */
	META_WAITED = 16,  /* waited for its neighbour */
	META_FRAMED = 32,  /* the data begins with an Ethernet header; else with the IP header */
	META_URPF = 64,    /* the interface asks for a reverse-path check */
	META_IP6 = 128,    /* IPv6: the filter key is key6, else key */
};

enum meta_flag6 {
	META6_FRAG_HDR = 1, /* has a fragment header, be it an atomic one */
	META6_TINY = 2,     /* for us: a first fragment without all headers (RFC 7112) */
};

enum meta_more {          /* what IPsec has to do with it */
	META_MERGED = 1,  /* reassemble: another's fragments, made one here; may be cut again */
	META_OUTER = 2,   /* esp_out, ah_out: the outer header is ours; no policy is asked */
	META_HAD_ESP = 4, /* esp_in, ah_in: which headers of the tunnel it came out of */
	META_HAD_AH = 8,
	META_HANDED = 16,  /* came from another worker, which chose the SA: meta->sa */
	META_DISCARD = 32, /* policy_out: dropped unless the filter names a tunnel for it */
	META_JUDGED = 64,  /* policy_in: an inbound policy, or an SA, is about it */
	META_FAST = 128,   /* fast_path: esp_out does what protect has not done */
};

struct meta {
	struct acl_key key; /* ip4_input */
	union {
		struct {
			uint16_t in_if;    /* eth_input: interface id; 0 for what we made */
			uint16_t out_if;   /* ip_route */
			uint16_t out_port; /* ip_output; told to port_tx by meta_set_tx() */
			uint8_t flags;     /* enum meta_flag */
			/* eth_input: bytes of the received Ethernet header before the data; 0: none
			 */
			uint8_t l2_len;
		};
		uint64_t way; /* the five above: all that a framed packet needs */
	};
	uint16_t nh;                  /* ip_route: index of the member chosen (route.h) */
	uint16_t drop;                /* enum drop_reason, when next is the drop node */
	uint8_t frag;                 /* ip4_input, ip6_input: enum rule_packet_frag */
	uint8_t scope;                /* ip_route: RULE_ROUTE or RULE_LOCAL */
	uint8_t nh_type;              /* ip_route: enum nexthop_type */
	uint8_t icmp_type, icmp_code; /* whoever sends to icmp4_error or icmp6_error */
	uint8_t more;                 /* enum meta_more */
	uint16_t icmp_data;           /* ... the MTU of what does not fit, or a problem's pointer */
	uint32_t verdict_in, verdict_out; /* acl_in, acl_out: acl.h verdicts */
	uint32_t neigh;                   /* ip_output: index, for the wait queue */
	uint8_t proto;                    /* ip4_input, ip6_input: behind extension headers */
	uint8_t tcp_flags; /* ip4_input, ip6_input: 0 unless TCP with its header in the packet */
	uint8_t zone_in;   /* eth_input: RULE_SECURE or RULE_NONSECURE */
	uint8_t zone_out;  /* ip_route */
	uint8_t group_in;  /* acl_in: the group that was asked */
	/* esp_in, ah_in: how often a header of theirs was taken off; esp_out, ah_out: put on */
	uint8_t nested;
	/* inbound: handle of the SA that the packet came out of last; outbound (esp_out, ah_out):
	 * the one that it is for. Kept over a handoff to the worker that owns that SA */
	uint32_t sa;
	uint16_t tunnel;     /* the tunnel it came out of; 0: none */
	uint16_t tunnel_out; /* policy_out or acl_out: the one it has to go through; 0: none */
	struct acl_key6 key6 __rte_cache_aligned; /* ip6_input */
	uint16_t l4;                              /* ip6_input: offset of the transport header */
	uint16_t proto_at; /* ip6_input: offset of the next header field that named proto */
	uint8_t flags6;    /* ip6_input: enum meta_flag6 */
	uint8_t reserved6[19];
};
_Static_assert(sizeof(struct meta) == 128, "two cache lines");
#define META_COMMON offsetof(struct meta, key6) /* bytes that packets of both families have */

static inline struct meta *meta_of(struct rte_mbuf *m)
{
	return (struct meta *)rte_mbuf_to_priv(m);
}

/* What port_tx knows of a packet; whoever sends one there says it: its way, framed. It lies in the
 * mbuf's own first line, in place of the RSS hash that nobody asks for, so that packets of the fast
 * path need no line of the private area. Kept over a TX handoff. */
static inline void meta_set_tx(struct rte_mbuf *m, uint64_t way)
{
	memcpy(&m->hash, &way, sizeof(way));
}

static inline uint16_t meta_tx_port(const struct rte_mbuf *m)
{
	struct meta meta;

	memcpy(&meta.way, &m->hash, sizeof(meta.way));
	return meta.out_port;
}

/* And back, for a packet that cannot be sent: all that drop wants to know of it. */
static inline struct meta *meta_from_tx(struct rte_mbuf *m)
{
	memcpy(&meta_of(m)->way, &m->hash, sizeof(uint64_t));
	return meta_of(m);
}
_Static_assert(sizeof(((struct rte_mbuf *)0)->hash) == sizeof(uint64_t), "room for the way");

/* A packet that becomes one of ours: whatever it came through is nothing to it. */
static inline void meta_forget_tunnel(struct meta *meta)
{
	meta->more = 0;
	meta->nested = 0;
	meta->sa = 0;
	meta->tunnel = 0;
	meta->tunnel_out = 0;
}

/* The packet's destination, of either family. */
static inline struct addr meta_dst(const struct meta *meta)
{
	struct addr a;

	if (!(meta->flags & META_IP6))
		return addr_of4(rte_be_to_cpu_32(meta->key.dst));
	memcpy(a.b, meta->key6.dst, sizeof(a.b));
	return a;
}

/* Moves the data's beginning behind the received Ethernet header. */
static inline void meta_strip_l2(struct rte_mbuf *m, struct meta *meta)
{
	m->data_off += meta->l2_len;
	m->data_len -= meta->l2_len;
	m->pkt_len -= meta->l2_len;
	meta->flags &= (uint8_t)~META_FRAMED;
}

/* And back: the header still lies before the data. */
static inline void meta_unstrip_l2(struct rte_mbuf *m, struct meta *meta)
{
	m->data_off -= meta->l2_len;
	m->data_len += meta->l2_len;
	m->pkt_len += meta->l2_len;
	meta->flags |= META_FRAMED;
}
