/* What we use of a device. See device.h. Control core, at boot.
 */
#include "device.h"

#define RSS_IP4 (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER)
#define RSS_IP4_PORTS (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP)
#define RSS_IP6 (RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER)
#define RSS_IP6_PORTS (RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)

uint64_t device_rss_hf(const struct rte_eth_dev_info *info)
{
	/* Not SCTP: some devices hash its verification tag, which differs by direction. Not the
	 * *_EX kinds: they hash addresses out of extension headers in one direction only. */
	return info->hash_key_size > DEVICE_RSS_KEY_MAX
		       ? 0
		       : info->flow_type_rss_offloads &
				 (RSS_IP4 | RSS_IP4_PORTS | RSS_IP6 | RSS_IP6_PORTS);
}

uint8_t device_rss_key(const struct rte_eth_dev_info *info, uint8_t key[DEVICE_RSS_KEY_MAX])
{
	for (unsigned i = 0; i < DEVICE_RSS_KEY_MAX; i += 2) {
		key[i] = 0x6d;
		key[i + 1] = 0x5a;
	}
	return info->hash_key_size ? info->hash_key_size : 40;
}

/* Some devices hash all of a family under one name, some under a name per kind: any of them will
 * do. */
const char *device_rss_lacks(uint64_t hf)
{
	bool ip4 = hf & (RSS_IP4 | RSS_IP4_PORTS), ip6 = hf & (RSS_IP6 | RSS_IP6_PORTS);
	bool ports4 = (hf & RSS_IP4_PORTS) == RSS_IP4_PORTS;
	bool ports6 = (hf & RSS_IP6_PORTS) == RSS_IP6_PORTS;

	if (!ip6)
		return ports4 ? "IPv6" : "IPv6, and not all ports of IPv4";
	if (!ip4)
		return ports6 ? "IPv4" : "IPv4, and not all ports of IPv6";
	if (!ports4)
		return ports6 ? "all ports of IPv4" : "all ports";
	return ports6 ? "" : "all ports of IPv6";
}

/* Bytes of a frame that are not the packet, as ethdev counts them. */
static uint32_t overhead(const struct rte_eth_dev_info *info)
{
	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		return info->max_rx_pktlen - info->max_mtu;
	return RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
}

uint16_t device_mtu_max(const struct rte_eth_dev_info *info)
{
	uint32_t have = overhead(info), most = info->max_mtu ? info->max_mtu : UINT16_MAX;

	if (info->max_rx_pktlen == 0 || info->max_rx_pktlen >= most + have)
		return (uint16_t)most;
	return (uint16_t)(info->max_rx_pktlen > have ? info->max_rx_pktlen - have : 0);
}

uint16_t device_mtu(const struct rte_eth_dev_info *info, uint16_t mtu, unsigned tags, bool *fits)
{
	uint32_t have = overhead(info), most = device_mtu_max(info);
	uint32_t need = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + tags * DEVICE_TAG_BYTES;
	uint32_t want = mtu + (need > have ? need - have : 0);

	*fits = want <= most;
	return (uint16_t)(*fits ? want : most > mtu ? most : mtu);
}
