/* Answers an echo request in its own buffer (RFC 4443 section 4.2), so many a second. The answer is
 * ours: it is routed and filtered outbound as local. Worker.
 */
#include "dp/node/nodes.h"

#include "wire/ip6.h"

enum { NEXT_IP_ROUTE, NEXT_DROP };

/* Extension headers are not sent back: ICMPv6 follows the IPv6 header. */
static uint8_t *strip_extensions(struct rte_mbuf *m, struct meta *meta)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	unsigned extra = meta->l4 - IP6_HDR;

	memmove(p + extra, p, IP6_HDR);
	meta->l4 = IP6_HDR;
	return (uint8_t *)rte_pktmbuf_adj(m, (uint16_t)extra);
}

/* False: no address to answer from. */
static bool answer(struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	const struct ports *ports = w->root->ports;
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	struct acl_key6 *key = &meta->key6;
	struct addr from, to;
	unsigned len;
	uint16_t sum;

	memcpy(to.b, key->src, sizeof(to.b));
	memcpy(from.b, key->dst, sizeof(from.b));
	/* a group, or the anycast address of all routers (RFC 4291 section 2.6.1), is no source */
	if (!ports_is_own6(ports, meta->in_if, from.b) &&
		(!ports_source6(ports, meta->in_if, &to, &from) ||
			!neigh_own_usable(w->root->neigh, meta->in_if, from.b)))
		return false;
	if (meta->l4 > IP6_HDR)
		p = strip_extensions(m, meta);
	len = m->pkt_len - IP6_HDR;
	p[4] = (uint8_t)(len >> 8);
	p[5] = (uint8_t)len;
	p[6] = IP6_ICMP;
	p[7] = w->root->ip6.hop_limit;
	memcpy(p + 8, from.b, 16);
	memcpy(p + 24, to.b, 16);
	p[40] = ICMP6_ECHO_REPLY;
	memset(p + 42, 0, 2);
	sum = (uint16_t)~ip6_sum_of(from.b, to.b, IP6_ICMP, len, node_sum(m, IP6_HDR));
	memcpy(p + 42, &sum, sizeof(sum));

	memcpy(key->src, from.b, sizeof(key->src));
	memcpy(key->dst, to.b, sizeof(key->dst));
	key->sport = rte_cpu_to_be_16(ICMP6_ECHO_REPLY); /* the code stays */
	meta->flags = META_OURS | META_IP6;
	meta_forget_tunnel(meta);
	meta->flags6 = 0;
	meta->l4 = IP6_HDR; /* the request's extension headers are gone */
	meta->proto_at = IP6_AT_NEXT_HEADER;
	meta->out_if = meta->in_if; /* for a link-local asker */
	meta->l2_len = 0;
	return true;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	uint16_t next[WALK_PACKETS_MAX];

	for (unsigned i = 0; i < nb_objs; i++) {
		struct meta *meta = meta_of(objs[i]);

		if (!bucket_take(&w->icmp6_echo, w->now_tsc))
			next[i] = node_drop(meta, DROP_ICMP_ECHO_RATE, NEXT_DROP);
		else if (!answer(w, objs[i], meta))
			next[i] = node_drop(meta, DROP_LOCAL_ICMP_IGNORED, NEXT_DROP);
		else
			next[i] = NEXT_IP_ROUTE;
	}
	node_send(graph, node, objs, next, nb_objs);
	return nb_objs;
}

const struct node node_icmp6_echo = {
	.name = "icmp6_echo",
	.sentence = "answers echo requests of IPv6, so many a second",
	.process = process,
	.n_next = 2,
	.next = {[NEXT_IP_ROUTE] = "ip_route", [NEXT_DROP] = "drop"},
};
