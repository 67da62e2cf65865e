/* Answers an echo request in its own buffer (RFC 792, RFC 1122 section 3.2.2.6), so many a second.
 * The answer is ours: it is routed and filtered outbound as local. Worker.
 */
#include "dp/node/nodes.h"

#include "wire/ip4.h"

#include <rte_icmp.h>
#include <rte_ip.h>

enum { NEXT_IP_ROUTE, NEXT_DROP };

/* Options are not sent back: the header becomes its plain 20 bytes. */
static void strip_options(struct rte_mbuf *m, unsigned hdr_len)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	unsigned extra = hdr_len - IP4_MIN_HDR;

	memmove(p + extra, p, IP4_MIN_HDR);
	rte_pktmbuf_adj(m, (uint16_t)extra);
}

static void answer(struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	unsigned hdr_len = (*rte_pktmbuf_mtod(m, uint8_t *) & 15u) * 4;
	struct rte_ipv4_hdr *ip;
	struct rte_icmp_hdr *icmp;
	rte_be32_t asker = meta->key.src;
	uint32_t sum;

	if (hdr_len > IP4_MIN_HDR)
		strip_options(m, hdr_len);
	ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	icmp = (struct rte_icmp_hdr *)(ip + 1);
	icmp->icmp_type = ICMP4_ECHO_REPLY;
	/* the type fell from 8 to 0: RFC 1624. 0xffff stays: a message of zeros needs it */
	sum = (uint32_t)icmp->icmp_cksum + RTE_BE16(ICMP4_ECHO << 8);
	icmp->icmp_cksum = (uint16_t)(sum + (sum >> 16));
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16((uint16_t)m->pkt_len);
	ip->time_to_live = w->root->ip4.ttl;
	ip->src_addr = meta->key.dst;
	ip->dst_addr = asker;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = ip4_checksum(ip, IP4_MIN_HDR);

	meta->key.src = ip->src_addr;
	meta->key.dst = asker;
	meta->key.sport = 0; /* the reply's type; the code stays */
	meta->flags = META_OURS;
	meta_forget_tunnel(meta);
	meta->l2_len = 0;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++) {
		struct meta *meta = meta_of(objs[i]);

		if (!bucket_take(&w->icmp_echo, w->now_tsc)) {
			next[i] = node_drop(meta, DROP_ICMP_ECHO_RATE, NEXT_DROP);
			continue;
		}
		answer(w, objs[i], meta);
		next[i] = NEXT_IP_ROUTE;
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_icmp4_echo = {
	.name = "icmp4_echo",
	.sentence = "answers echo requests, so many a second",
	.process = process,
	.n_next = 2,
	.next = {[NEXT_IP_ROUTE] = "ip_route", [NEXT_DROP] = "drop"},
};
