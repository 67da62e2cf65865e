/* Drops a packet and tells its sender why with an ICMP error (RFC 792, RFC 1812 section 4.3), made
 * in the offender's own buffer. Counts: the offender is dropped, the error is created. Worker.
 *
 * No error answers an ICMP error, a later fragment, a broadcast or multicast, or a source that is
 * no single host (RFC 1122 section 3.2.2); and errors are limited in rate.
 */
#include "dp/node/ipsec.h"

#include "wire/ip4.h"

#include <rte_icmp.h>
#include <rte_ip.h>

enum { NEXT_IP_ROUTE };

static bool may_answer(const struct rte_mbuf *m, const struct meta *meta)
{
	uint32_t src = rte_be_to_cpu_32(meta->key.src);
	uint32_t dst = rte_be_to_cpu_32(meta->key.dst);

	if (meta->flags & (META_OURS | META_L2_GROUP) || meta->frag == PACKET_LATER_FRAGMENT)
		return false;
	if (meta->nh_type == NH_BROADCAST || ip4_multicast(dst) || dst == UINT32_MAX)
		return false;
	if (ip4_martian_source(src))
		return false;
	return meta->proto != IPPROTO_ICMP ||
	       !icmp4_is_error((uint8_t)rte_be_to_cpu_16(meta->key.sport));
}

/* The address we send from: of the interface the offender came by, else of any. */
static rte_be32_t source(const struct ports *ports, const struct meta *meta)
{
	uint16_t in_if = ipsec_error_iface(ports, meta);

	/* what came out of a tunnel is answered through it, by an address that the other end knows
	 */
	if (meta->tunnel != TUNNEL_NONE && meta->scope == RULE_LOCAL && meta->nh_type == NH_LOCAL)
		return meta->key.dst;
	if (ports->iface[in_if].addr)
		return ports->iface[in_if].addr;
	for (unsigned i = 1; i < ports->n_ifaces; i++)
		if (ports->iface[i].flags & IFACE_UP && ports->iface[i].addr)
			return ports->iface[i].addr;
	return 0;
}

static bool build(struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	unsigned room = ICMP4_ERROR_MAX - IP4_MIN_HDR - ICMP4_HDR;
	rte_be32_t from = source(w->root->ports, meta), to = meta->key.src;
	struct rte_ipv4_hdr *ip;
	struct rte_icmp_hdr *icmp;
	unsigned quoted;

	if (from == 0)
		return false;
	frag_head(m, room);
	quoted = m->pkt_len;
	ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(m, IP4_MIN_HDR + ICMP4_HDR);
	if (ip == NULL)
		return false;
	icmp = (struct rte_icmp_hdr *)(ip + 1);
	*icmp = (struct rte_icmp_hdr){
		.icmp_type = meta->icmp_type,
		.icmp_code = meta->icmp_code,
		.icmp_seq_nb = rte_cpu_to_be_16(meta->icmp_data), /* RFC 1191: next-hop MTU */
	};
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, ICMP4_HDR + quoted);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = 0xc0, /* internetwork control, RFC 1812 section 4.3.2.5 */
		.total_length = rte_cpu_to_be_16((uint16_t)m->pkt_len),
		.packet_id = rte_cpu_to_be_16(w->ip_id++),
		.time_to_live = w->root->ip4.ttl,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = from,
		.dst_addr = to,
	};
	ip->hdr_checksum = ip4_checksum(ip, IP4_MIN_HDR);
	*meta = (struct meta){
		.flags = META_OURS | META_EXEMPT,
		.tunnel_out = ipsec_error_tunnel(w->root->ports, meta),
		.proto = IPPROTO_ICMP,
		.verdict_in = UINT32_MAX,
		.verdict_out = UINT32_MAX,
		.key = {.class = acl_class(w->root->acl, IPPROTO_ICMP, false),
			.src = from,
			.dst = to,
			.sport = rte_cpu_to_be_16(icmp->icmp_type),
			.dport = rte_cpu_to_be_16(icmp->icmp_code)},
	};
	return true;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);

		worker_drop_account(w, m, meta->drop);
		if (!may_answer(m, meta) || !bucket_take(&w->icmp_error, w->now_tsc) ||
			!build(w, m, meta)) {
			w->stats.icmp_errors_limited++;
			rte_pktmbuf_free(m);
			continue;
		}
		w->stats.created++;
		w->stats.icmp_errors_sent++;
		rte_node_enqueue_x1(graph, node, NEXT_IP_ROUTE, m);
	}
	return nb_objs;
}

const struct node node_icmp4_error = {
	.name = "icmp4_error",
	.sentence = "drops a packet and tells its sender why",
	.process = process,
	.n_next = 1,
	.next = {[NEXT_IP_ROUTE] = "ip_route"},
};
