/* What the nodes of IPsec share, and those that lead to them: where a packet goes when the box has
 * IPsec, which packets carry ESP or AH, and the owners of security associations. Worker.
 */
#pragma once

#include "dp/node/nodes.h"
#include "wire/esp.h"

#include <netinet/in.h>

/* Where a packet goes that may come in and is not for us, by its route. out, icmp4, drop: edges;
 * the one after icmp4 leads to icmp6_error. */
static inline uint16_t onward_routed(
	struct meta *meta, uint16_t out, uint16_t icmp4, uint16_t drop_edge)
{
	switch (meta->nh_type) {
	case NH_VIA:
	case NH_CONNECTED:
	case NH_BROADCAST:
		return out;
	case NH_BLACKHOLE:
		return node_drop(meta, DROP_ROUTE_BLACKHOLE, drop_edge);
	case NH_UNREACHABLE:
		return node_unreachable(meta, DROP_ROUTE_UNREACHABLE, ICMP4_HOST_UNREACH,
			ICMP6_ADDR_UNREACH, icmp4);
	case NH_PROHIBIT:
		return node_unreachable(meta, DROP_ROUTE_PROHIBIT, ICMP4_ADMIN_PROHIBITED,
			ICMP6_ADMIN_PROHIBITED, icmp4);
	default:
		return node_unreachable(
			meta, DROP_NO_ROUTE, ICMP4_NET_UNREACH, ICMP6_NO_ROUTE, icmp4);
	}
}

/* Bytes before the transport header, be it AH or ESP, of a packet that is no later fragment. */
static inline unsigned ipsec_l4(const struct rte_mbuf *m, const struct meta *meta)
{
	return meta->flags & META_IP6 ? meta->l4 : (*rte_pktmbuf_mtod(m, uint8_t *) & 15u) * 4;
}

/* Offset of the byte that names what is there. */
static inline unsigned ipsec_proto_at(const struct meta *meta)
{
	return meta->flags & META_IP6 ? meta->proto_at : 9;
}

static inline rte_be16_t ipsec_dport(const struct meta *meta)
{
	return meta->flags & META_IP6 ? meta->key6.dport : meta->key.dport;
}

/* A packet for us that carries ESP or AH, or UDP to a port that has IKE or ESP: what protects
 * packets, and not what is to be protected (RFC 4301 section 5.2). */
static inline bool ipsec_carrier(const struct ipsec *ipsec, const struct meta *meta)
{
	uint16_t port;

	if (meta->scope != RULE_LOCAL || meta->nh_type == NH_BROADCAST)
		return false;
	if (meta->proto == PROTO_ESP || meta->proto == PROTO_AH)
		return true;
	if (meta->proto != IPPROTO_UDP || meta->frag == PACKET_LATER_FRAGMENT)
		return false;
	port = rte_be_to_cpu_16(ipsec_dport(meta));
	return port == PORT_IKE || ipsec_udp_port(ipsec, port);
}

/* The filter's group of a packet that came, or goes, through that tunnel, and its key's part;
 * group: of one that does not. */
static inline uint8_t ipsec_group(struct meta *meta, uint8_t group, uint16_t tunnel)
{
	rte_be16_t id = rte_cpu_to_be_16(tunnel);

	if (meta->flags & META_IP6)
		meta->key6.tunnel = id;
	else
		meta->key.tunnel = id;
	return (uint8_t)(tunnel ? acl_group_tunnel(group) : group);
}

/* The tunnel of an id, or NULL: it is gone. */
static inline const struct tunnel *ipsec_tunnel(const struct ipsec *ipsec, uint16_t id)
{
	const struct tunnel *t;

	if (unlikely(ipsec == NULL || id >= ipsec->n_tunnels))
		return NULL;
	t = &ipsec->tunnel[id];
	return likely(t->flags & TUNNEL_UP) ? t : NULL;
}

/* --- ICMP errors about packets that came out of a tunnel go back through it (RFC 4301 section 6):
 * from an address that the policies of such a tunnel know, of the interface that the packet was to
 * leave by. A tunnel interface is an interface like others. */

static inline bool ipsec_by_policy(const struct ports *ports, const struct meta *meta)
{
	return meta->tunnel != TUNNEL_NONE && !(ports->iface[meta->in_if].flags & IFACE_TUNNEL);
}

/* The interface that such an error has its source address from; of others the one that the
 * offender came by. */
static inline uint16_t ipsec_error_iface(const struct ports *ports, const struct meta *meta)
{
	return ipsec_by_policy(ports, meta) && meta->out_if != IFACE_NONE ? meta->out_if
									  : meta->in_if;
}

/* The tunnel that the error goes through, or TUNNEL_NONE: its route and policies say. */
static inline uint16_t ipsec_error_tunnel(const struct ports *ports, const struct meta *meta)
{
	return ipsec_by_policy(ports, meta) ? meta->tunnel : TUNNEL_NONE;
}

/* --- sa_out.c, sa_in.c: bursts of packets of one protocol, in the nodes esp_out, ah_out, esp_in
 * and ah_in. Edges have the same numbers in both nodes of a direction. */

/* the last two are esp_out's alone */
enum sa_out_edge {
	SA_OUT_IP_ROUTE,
	SA_OUT_DROP,
	SA_OUT_PORT_TX,
	SA_OUT_AH_OUT,
	SA_OUT_PROTECT,
	SA_OUT_EDGES
};
uint16_t sa_out(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n, uint8_t proto);

enum sa_in_edge { SA_IN_IP4_INPUT, SA_IN_IP6_INPUT, SA_IN_DROP, SA_IN_PORT_TX, SA_IN_EDGES };
uint16_t sa_in(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n, uint8_t proto);

/* What is known of a packet of ours that carries ESP, AH or a keepalive: meta from its headers;
 * nested and tunnel_out are kept. l4, proto_at: as in ipsec/esp.h. */
void sa_outer_meta(
	const struct worker *w, struct rte_mbuf *m, bool ip6, uint16_t l4, uint16_t proto_at);

/* The packet's SA (meta->sa) is another worker's: gives it to that one. False: its ring is full,
 * and the packet is to be dropped, as meta says. */
bool sa_handoff(struct worker *w, struct rte_mbuf *m, const struct sa *sa);

/* The drop reason of an error in processing. */
enum drop_reason sa_drop_reason(enum sa_error error);

/* Tells the control core, so many times a second, that a tunnel needs an SA, for that packet. */
void sa_acquire(struct worker *w, const struct meta *meta, uint16_t tunnel);

/* --- protect.c */

/* The TTL or hop limit of a packet of others, which is more than 1, falls. */
void protect_age(struct rte_mbuf *m, const struct meta *meta);

/* The longest packet that fits through the tunnel: the same for packets of both directions. 0:
 * nobody knows, since it has no SA or no route. */
unsigned protect_inner_max(
	const struct worker *w, const struct tunnel *t, const struct sa *esp, const struct sa *ah);
/* SAs by which this worker sends what goes into the tunnel; NULL where there is none. */
void protect_sas(
	const struct worker *w, uint16_t tunnel, const struct sa **esp, const struct sa **ah);
/* If it is a TCP segment with SYN that is to go through the tunnel or came out of it: lowers its
 * MSS so that what the other side sends fits. */
void protect_clamp_mss(const struct worker *w, struct rte_mbuf *m, const struct meta *meta,
	const struct tunnel *t);
