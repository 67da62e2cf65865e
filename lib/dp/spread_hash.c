/* The hash of a frame's flow. See spread_hash.h. Any thread, no state.
 */
#include "dp/spread_hash.h"

#include "wire/ip6.h"

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>

#define TAGS_MAX 2
#define EXTENSIONS_MAX 16 /* behind more, a packet goes by its addresses */

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* Protocol and ports as one word; at: where the transport header begins. */
static uint64_t transport(const uint8_t *p, unsigned len, unsigned at, uint8_t proto)
{
	uint16_t src, dst;

	if (!has_ports(proto) || len < at + 4)
		return proto;
	memcpy(&src, p + at, sizeof(src));
	memcpy(&dst, p + at + 2, sizeof(dst));
	return proto | (uint64_t)(src ^ dst) << 40;
}

static uint32_t hash4(const uint8_t *p, unsigned len)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)p;
	uint64_t key;

	if (len < sizeof(*ip))
		return 0;
	key = (uint64_t)(ip->src_addr ^ ip->dst_addr) << 8;
	if (!(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG)))
		key ^= transport(p, len, (ip->version_ihl & 15u) * 4, ip->next_proto_id);
	return rte_hash_crc_8byte(key, UINT32_MAX);
}

static uint32_t hash6(const uint8_t *p, unsigned len)
{
	uint64_t src[2], dst[2], key = 0;
	struct ip6_chain c;
	uint32_t hash;

	if (len < IP6_HDR)
		return 0;
	memcpy(src, p + 8, sizeof(src));
	memcpy(dst, p + 24, sizeof(dst));
	/* fragments name their protocol in the first one alone for certain (RFC 8200 section 4.5);
	 * an atomic one is whole (RFC 6946) */
	if (ip6_chain_walk(p, len, EXTENSIONS_MAX, &c) == IP6_CHAIN_OK && !c.more && c.offset == 0)
		key = transport(p, len, c.l4, c.proto);
	hash = rte_hash_crc_8byte(src[0] ^ dst[0], UINT32_MAX);
	hash = rte_hash_crc_8byte(src[1] ^ dst[1], hash);
	return rte_hash_crc_8byte(key, hash);
}

uint32_t spread_hash(const uint8_t *frame, unsigned len)
{
	unsigned at = RTE_ETHER_HDR_LEN;
	uint16_t type;

	if (len < at)
		return 0;
	memcpy(&type, frame + 12, sizeof(type));
	for (unsigned i = 0;
		i < TAGS_MAX && len >= at + 4 &&
		(type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ));
		i++) {
		memcpy(&type, frame + at + 2, sizeof(type));
		at += 4;
	}
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		return hash4(frame + at, len - at);
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		return hash6(frame + at, len - at);
	return 0;
}
