/* The packet that keeps a NAT's mapping alive (RFC 3948 section 4). See esp.h. Control core. */
#include "ipsec/esp_parts.h"

unsigned nat_keepalive(const struct sa *sa, const struct tunnel *t, uint8_t to[SA_OUTER_MAX])
{
	bool ip6 = sa->flags & SA_OUTER6;
	unsigned at = ip_hdr_min(ip6), total = at + UDP_HDR_LEN + 1;
	uint8_t now = atomic_load_explicit(&sa->outer_now, memory_order_relaxed);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(to + at);
	struct sa whole;

	if (sa->flags & SA_TRANSPORT) { /* has no IP header in its template */
		memset(&whole, 0, sizeof(whole));
		whole.flags = (uint8_t)(sa->flags & ~SA_TRANSPORT);
		whole.proto = PROTO_ESP;
		sa_outer(&whole, t);
		memcpy(to, whole.outer[whole.outer_now], SA_OUTER_MAX);
	} else {
		memcpy(to, sa->outer[now], SA_OUTER_MAX);
	}
	udp->dgram_len = RTE_BE16(UDP_HDR_LEN + 1);
	udp->dgram_cksum = 0;
	to[total - 1] = NAT_KEEPALIVE;
	if (ip6) {
		uint16_t sum;

		store16(to + IP6_AT_PAYLOAD_LEN, UDP_HDR_LEN + 1);
		sum = (uint16_t)~ip6_sum(to + 8, to + 24, IPPROTO_UDP, udp, UDP_HDR_LEN + 1);
		udp->dgram_cksum = sum ? sum : UINT16_MAX;
	} else {
		struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)to;

		ip4->total_length = rte_cpu_to_be_16((uint16_t)total);
		ip4->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
		ip4->hdr_checksum = 0;
		ip4->hdr_checksum = ip4_checksum(to, IP4_MIN_HDR);
	}
	return total;
}
