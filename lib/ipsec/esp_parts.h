/* What ESP and AH share: the outer header of a tunnel, the packet inside one, the header of
 * transport mode. Private to this room; worker.
 */
#pragma once

#include "ipsec/esp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#define IP4_AT_PROTO 9
#define ECN_MASK 3
#define ECN_ECT1 1
#define ECN_ECT0 2
#define ECN_CE 3

static inline uint16_t load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void store16(uint8_t *p, unsigned v)
{
	rte_be16_t be = rte_cpu_to_be_16((uint16_t)v);

	memcpy(p, &be, sizeof(be));
}

/* The hard limit of packets or bytes is reached (RFC 4301 section 4.4.2.1). */
static inline bool sa_spent(const struct sa *sa, unsigned len)
{
	return unlikely(sa->packets >= sa->hard_packets || sa->bytes + len > sa->hard_bytes);
}

static inline void sa_count(struct sa *sa, unsigned len, uint64_t now)
{
	sa->packets++;
	sa->bytes += len;
	sa->last_tsc = now;
}

/* The traffic class, or type of service, of an IP header. */
static inline uint8_t ip_tos(const uint8_t *ip, bool ip6)
{
	return ip6 ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];
}

/* Bytes of an IP header without options or extension headers. */
static inline unsigned ip_hdr_min(bool ip6)
{
	return ip6 ? IP6_HDR : IP4_MIN_HDR;
}

/* No more than a template has, and no byte beyond len: 16 to 64. */
static inline void copy_template(uint8_t *to, const uint8_t *from, unsigned len)
{
	if (len <= 32) {
		uint8_t tail[16];

		memcpy(tail, from + len - 16, 16);
		memcpy(to, from, 16);
		memcpy(to + len - 16, tail, 16);
	} else {
		uint8_t tail[32];

		memcpy(tail, from + len - 32, 32);
		memcpy(to, from, 32);
		memcpy(to + len - 32, tail, 32);
	}
}

/* RFC 6438 section 3: a number that is the same for all packets of a flow. Of an IPv4 packet its
 * addresses, protocol and, unless it is a fragment, ports; of an IPv6 packet its addresses and its
 * own label. */
static inline uint32_t flow_label(const uint8_t *inner, bool ip6)
{
	uint64_t a, b, c = 0, d = 0;

	if (ip6) {
		uint32_t first;

		memcpy(&first, inner, 4);
		memcpy(&a, inner + 8, 8);
		memcpy(&b, inner + 16, 8);
		memcpy(&c, inner + 24, 8);
		memcpy(&d, inner + 32, 8);
		d ^= (uint64_t)(first & rte_cpu_to_be_32(0xfffff)) << 32;
	} else {
		memcpy(&a, inner + 12, 8);
		b = inner[9];
		if ((b == IPPROTO_TCP || b == IPPROTO_UDP) && inner[0] == 0x45 &&
			!(load16(inner + 6) & 0x3fff) && load16(inner + 2) >= 24)
			memcpy((uint8_t *)&b + 4, inner + 20, 4);
	}
	a = (a ^ b * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
	a = (a ^ a >> 32 ^ c * 0xc4ceb9fe1a85ec53u ^ d) * 0xff51afd7ed558ccdu;
	return (uint32_t)(a >> 44);
}

/* The template of a tunnel is at ip: fills in what is this packet's own. total: of the outer
 * packet. inner: the packet inside. */
static inline void outer_header(uint8_t *ip, const struct sa *sa, const uint8_t *inner, bool inner6,
	unsigned total, uint64_t seq)
{
	uint8_t tos = (uint8_t)((ip_tos(inner, inner6) & sa->tos_keep) | sa->tos_set);

	if (sa->flags & SA_OUTER6) {
		uint32_t label = sa->flow_label ? flow_label(inner, inner6) : 0;
		rte_be32_t first = rte_cpu_to_be_32(6u << 28 | (uint32_t)tos << 20 | label);

		memcpy(ip, &first, 4);
		store16(ip + IP6_AT_PAYLOAD_LEN, total - IP6_HDR);
	} else {
		struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)ip;
		rte_be16_t df = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);

		/* RFC 4301 section 8.1; no router cuts an IPv6 packet, so that one inside is
		 * treated as if it had the bit */
		if (sa->df == TUNNEL_CLEAR)
			df = 0;
		else if (sa->df == TUNNEL_COPY && !inner6)
			df &= ((const struct rte_ipv4_hdr *)inner)->fragment_offset;
		ip4->type_of_service = tos;
		ip4->total_length = rte_cpu_to_be_16((uint16_t)total);
		/* RFC 6864: need not differ but among what may be cut, within its lifetime */
		ip4->packet_id = (uint16_t)(seq ^ sa->spi);
		ip4->fragment_offset = df;
		ip4->hdr_checksum =
			(uint16_t)~ip4_fold((uint64_t)ip4->hdr_checksum + rte_cpu_to_be_16(tos) +
					    ip4->total_length + ip4->packet_id + df);
	}
}

/* Transport mode: the header stays in front but for length and protocol. hdr_len is looked at
 * already (transport_ok). */
static inline void transport_header(
	uint8_t *ip, bool ip6, unsigned total, unsigned proto_at, uint8_t proto)
{
	ip[proto_at] = proto;
	if (ip6) {
		store16(ip + IP6_AT_PAYLOAD_LEN, total - IP6_HDR);
	} else {
		struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)ip;

		ip4->total_length = rte_cpu_to_be_16((uint16_t)total);
		ip4->hdr_checksum = 0;
		ip4->hdr_checksum = ip4_checksum(ip, (ip[0] & 15u) * 4);
	}
}

/* A packet whose first head bytes are its IP header and extension headers. */
static inline bool header_ok(const uint8_t *ip, bool ip6, unsigned head, unsigned proto_at)
{
	unsigned len = ip6 ? IP6_HDR : (ip[0] & 15u) * 4;

	if (unlikely(len < ip_hdr_min(ip6) || len > head))
		return false;
	return ip6 ? proto_at == IP6_AT_NEXT_HEADER || (proto_at >= IP6_HDR && proto_at < head)
		   : proto_at == IP4_AT_PROTO;
}

/* RFC 4303 sections 3.1.1 and 3.4.1: no fragment goes into transport mode, and none comes out. */
static inline bool is_fragment(const uint8_t *ip, bool ip6)
{
	return !ip6 && (load16(ip + 6) & 0x3fff) != 0;
}

/* The packet that came out of a tunnel: next header, len bytes from inner on, traffic class of the
 * outer header. Sets p->ip6 and *len, which is shorter where there was TFC padding (RFC 4303
 * section 2.7). What is wrong within the inner header is seen by ip4_input and ip6_input. */
static inline enum sa_error tunnel_inner(struct sa *sa, struct esp_packet *p, uint8_t next,
	uint8_t *inner, unsigned *len, uint8_t outer_tos)
{
	bool ip6 = next == IPPROTO_IPV6;
	unsigned least = ip_hdr_min(ip6), total;
	uint8_t outer = outer_tos & ECN_MASK, ecn;

	if (unlikely((next != IPPROTO_IPIP && !ip6) || *len < least ||
		     inner[0] >> 4 != (ip6 ? 6 : 4)))
		return SA_ERR_MODE;
	p->ip6 = ip6;
	total = ip6 ? IP6_HDR + (unsigned)load16(inner + IP6_AT_PAYLOAD_LEN) : load16(inner + 2);
	if (unlikely(total < *len && total >= least)) {
		sa->tfc_bytes += *len - total;
		*len = total;
	}
	if (likely(outer == 0 || outer == ECN_ECT0 || !sa->ecn))
		return SA_OK;
	/* RFC 6040 section 4.2, figure 4 */
	ecn = ip_tos(inner, ip6) & ECN_MASK;
	if (ecn == 0)
		return outer == ECN_CE ? SA_ERR_ECN : SA_OK;
	if (ecn == outer || ecn == ECN_CE || (outer == ECN_ECT1 && ecn != ECN_ECT0))
		return SA_OK;
	if (ip6) {
		inner[1] = (uint8_t)((inner[1] & ~(ECN_MASK << 4)) | outer << 4);
	} else {
		struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)inner;
		uint16_t sum = (uint16_t)~ip4->hdr_checksum;

		/* RFC 1624 */
		sum = ip4_fold(
			(uint64_t)sum + (uint16_t)~rte_cpu_to_be_16(ecn) + rte_cpu_to_be_16(outer));
		ip4->hdr_checksum = (uint16_t)~sum;
		ip4->type_of_service = (uint8_t)((ip4->type_of_service & ~ECN_MASK) | outer);
	}
	return SA_OK;
}

/* The data begins so many bytes later, and has len bytes. What the device said of the outer
 * headers' checksums says nothing of these. */
static inline void strip(struct rte_mbuf *m, unsigned bytes, unsigned len)
{
	m->data_off += (uint16_t)bytes;
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	m->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
}

/* The packet failed: counts it, and says so. */
static inline void sa_fail(struct esp_packet *p, enum sa_error status)
{
	p->status = status;
	p->sa->error[status]++;
}

#define PREFETCH_AHEAD 4

/* What the pass before the cipher needs of a packet that comes later. */
static inline void prefetch_packet(const struct esp_packet *p)
{
	const struct sa *sa = p->sa;

	rte_prefetch0(sa);
	rte_prefetch0(&sa->seq);
	rte_prefetch0(p->m);
}
