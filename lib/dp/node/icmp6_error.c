/* Drops an IPv6 packet and tells its sender why with an ICMPv6 error (RFC 4443 section 3), made in
 * the offender's own buffer. Counts: the offender is dropped, the error is created. Worker.
 *
 * RFC 4443 section 2.4 (e) says what no error answers: an error or a redirect, a multicast packet
 * (but packet too big, and a parameter problem about an option), and a source that is no single
 * host; and (f) that errors are limited in rate.
 */
#include "dp/node/ipsec.h"

#include "wire/ip6.h"

enum { NEXT_IP_ROUTE };

/* Is the offender itself what no error may answer? Of a later fragment nobody knows. */
static bool is_error(const struct meta *meta)
{
	uint8_t type = (uint8_t)rte_be_to_cpu_16(meta->key6.sport);

	return meta->proto == IP6_ICMP && (meta->frag == PACKET_LATER_FRAGMENT ||
						  icmp6_is_error(type) || type == ICMP6_REDIRECT);
}

static bool may_answer(const struct meta *meta)
{
	const struct acl_key6 *key = &meta->key6;
	bool group = meta->flags & META_L2_GROUP || ip6_is_multicast(key->dst);
	bool even_then =
		meta->icmp_type == ICMP6_TOO_BIG ||
		(meta->icmp_type == ICMP6_PARAMETER && meta->icmp_code == ICMP6_BAD_OPTION);

	if (meta->flags & META_OURS || is_error(meta) || (group && !even_then))
		return false;
	return !ip6_is_unspecified(key->src) && !ip6_is_multicast(key->src) &&
	       !ip6_is_loopback(key->src);
}

/* RFC 4443 section 2.2: the address that the offender was sent to, or one of where it came by. */
static bool source(
	const struct root *root, const struct meta *meta, const struct addr *to, struct addr *from)
{
	memcpy(from->b, meta->key6.dst, sizeof(from->b));
	return (ports_is_own6(root->ports, meta->in_if, from->b) ||
		       ports_source6(
			       root->ports, ipsec_error_iface(root->ports, meta), to, from)) &&
	       neigh_own_usable(root->neigh, meta->in_if, from->b);
}

/* The ICMPv6 message at p: its header, and quoted bytes of the offender that are there already. */
static void message(uint8_t *p, unsigned quoted, const struct meta *meta, const struct addr *from,
	const struct addr *to)
{
	/* the MTU, or the pointer */
	uint8_t hdr[ICMP6_HDR] = {[0] = meta->icmp_type,
		[1] = meta->icmp_code,
		[6] = (uint8_t)(meta->icmp_data >> 8),
		[7] = (uint8_t)meta->icmp_data};
	uint16_t sum;

	memcpy(p, hdr, sizeof(hdr));
	sum = (uint16_t)~ip6_sum(from->b, to->b, IP6_ICMP, p, ICMP6_HDR + quoted);
	memcpy(p + 2, &sum, sizeof(sum));
}

static bool build(struct worker *w, struct rte_mbuf *m, struct meta *meta)
{
	unsigned room = ICMP6_ERROR_MAX - IP6_HDR - ICMP6_HDR;
	uint8_t type = meta->icmp_type, code = meta->icmp_code;
	uint16_t in_if = meta->in_if;
	struct addr from, to;
	unsigned len;
	uint8_t *p;

	memcpy(to.b, meta->key6.src, sizeof(to.b));
	if (!source(w->root, meta, &to, &from))
		return false;
	frag_head(m, room);
	len = ICMP6_HDR + m->pkt_len;
	p = (uint8_t *)rte_pktmbuf_prepend(m, IP6_HDR + ICMP6_HDR);
	if (p == NULL)
		return false;
	memset(p, 0, IP6_HDR);
	p[0] = 0x60;
	p[4] = (uint8_t)(len >> 8);
	p[5] = (uint8_t)len;
	p[6] = IP6_ICMP;
	p[7] = w->root->ip6.hop_limit;
	memcpy(p + 8, from.b, 16);
	memcpy(p + 24, to.b, 16);
	message(p + IP6_HDR, len - ICMP6_HDR, meta, &from, &to);
	*meta = (struct meta){
		.flags = META_OURS | META_EXEMPT | META_IP6,
		.tunnel_out = ipsec_error_tunnel(w->root->ports, meta),
		.out_if = in_if, /* for a link-local sender */
		.proto = IP6_ICMP,
		.verdict_in = UINT32_MAX,
		.verdict_out = UINT32_MAX,
		.l4 = IP6_HDR,
		.proto_at = IP6_AT_NEXT_HEADER,
		.key6 = {.class = acl_class(w->root->acl, IP6_ICMP, false),
			.sport = rte_cpu_to_be_16(type),
			.dport = rte_cpu_to_be_16(code)},
	};
	memcpy(meta->key6.src, from.b, sizeof(from.b));
	memcpy(meta->key6.dst, to.b, sizeof(to.b));
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
		if (!may_answer(meta) || !bucket_take(&w->icmp6_error, w->now_tsc) ||
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

const struct node node_icmp6_error = {
	.name = "icmp6_error",
	.sentence = "drops an IPv6 packet and tells its sender why",
	.process = process,
	.n_next = 1,
	.next = {[NEXT_IP_ROUTE] = "ip_route"},
};
