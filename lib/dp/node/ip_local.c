/* Packets for this box that the filter permitted: echo requests are answered, what nothing here
 * listens to is refused with an ICMP error (RFC 1122 sections 3.2.2.1 and 4.1.3.1). Worker.
 */
#include "dp/node/nodes.h"

#include "wire/ip4.h"

#include <rte_ip.h>

enum { NEXT_ICMP4_ECHO, NEXT_ICMP4_ERROR, NEXT_DROP };

static uint16_t icmp(struct rte_mbuf *m, struct meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned hdr_len = (p[0] & 15u) * 4;

	if (rte_raw_cksum(p + hdr_len, m->data_len - hdr_len) != UINT16_MAX)
		return node_drop(meta, DROP_LOCAL_CHECKSUM, NEXT_DROP);
	if (p[hdr_len] == ICMP4_ECHO)
		return NEXT_ICMP4_ECHO;
	return node_drop(meta, DROP_LOCAL_ICMP_IGNORED, NEXT_DROP);
}

static uint16_t local(struct rte_mbuf *m)
{
	struct meta *meta = meta_of(m);

	if (meta->nh_type == NH_BROADCAST)
		return node_drop(meta, DROP_IP4_BROADCAST, NEXT_DROP);
	if (meta->frag != PACKET_WHOLE)
		return node_drop(meta, DROP_LOCAL_FRAGMENT, NEXT_DROP);
	switch (meta->proto) {
	case IPPROTO_ICMP:
		return icmp(m, meta);
	case IPPROTO_UDP:
	case IPPROTO_TCP:
		return node_error(meta, DROP_LOCAL_NO_PORT, ICMP4_UNREACHABLE, ICMP4_PORT_UNREACH,
			NEXT_ICMP4_ERROR);
	default:
		return node_error(meta, DROP_LOCAL_NO_PROTOCOL, ICMP4_UNREACHABLE,
			ICMP4_PROTO_UNREACH, NEXT_ICMP4_ERROR);
	}
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++)
		next[i] = local(objs[i]);
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_ip_local = {
	.name = "ip_local",
	.sentence = "takes packets for this box",
	.process = process,
	.n_next = 3,
	.next = {[NEXT_ICMP4_ECHO] = "icmp4_echo",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_DROP] = "drop"},
};
