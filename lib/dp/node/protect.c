/* What is to go through a tunnel: its TTL ends here or falls by one, it is made to fit, and it goes
 * to esp_out or ah_out. What is too large is refused with the MTU that would fit (RFC 4301 section
 * 8), cut here, or left to be cut behind, as its tunnel says. Worker.
 */
#include "dp/node/ipsec.h"

#include "ipsec/esp.h"
#include "wire/mss.h"

#include <errno.h>
#include <rte_random.h>
#include <rte_tcp.h>

enum { NEXT_ESP_OUT, NEXT_AH_OUT, NEXT_REASSEMBLE, NEXT_ICMP4_ERROR, NEXT_ICMP6_ERROR, NEXT_DROP };

#define PIECES_MAX 128 /* of one packet */
#define IP4_MIN_MTU 68 /* RFC 791 */

/* --- how much fits */

/* The MTU of the interface by which the tunnel's packets leave; 0: there is no way. */
static unsigned way_mtu(const struct root *root, const struct tunnel *t)
{
	const struct routes *r = root->routes;
	const struct nexthop *nh;
	uint64_t index;

	if (addr_is4(&t->remote)) {
		uint32_t dst = rte_be_to_cpu_32(t->remote.w[3]);

		routes_lookup(r, &dst, &index, 1);
	} else {
		uint8_t dst[1][16];

		memcpy(dst[0], t->remote.b, 16);
		routes_lookup6(r, dst, &index, 1);
	}
	nh = &r->nh[index];
	if (nh->type == NH_GROUP)
		nh = &r->nh[nh->first];
	return nh->type == NH_VIA || nh->type == NH_CONNECTED ? root->ports->iface[nh->iface].mtu
							      : 0;
}

void protect_sas(
	const struct worker *w, uint16_t tunnel, const struct sa **esp, const struct sa **ah)
{
	const struct sad *sad = w->root->ipsec->sad;
	uint64_t handles = sad_out(sad, tunnel, w->id);

	*esp = (uint32_t)handles ? sad_get(sad, (uint32_t)handles) : NULL;
	*ah = handles >> 32 ? sad_get(sad, (uint32_t)(handles >> 32)) : NULL;
}

/* What fits through one SA, where its packets may have mtu bytes; 0 stays 0. */
static unsigned inner_max(const struct sa *sa, unsigned mtu)
{
	unsigned path = atomic_load_explicit(&sa->path_mtu, memory_order_relaxed);

	if (path && path < mtu)
		mtu = path;
	return mtu ? esp_inner_max(sa, mtu) : 0;
}

unsigned protect_inner_max(
	const struct worker *w, const struct tunnel *t, const struct sa *esp, const struct sa *ah)
{
	unsigned max = way_mtu(w->root, t);

	if (ah)
		max = inner_max(ah, max);
	if (esp)
		max = inner_max(esp, max);
	return t->mtu && (max == 0 || t->mtu < max) ? t->mtu : max;
}

static __rte_noinline void clamp(
	struct rte_mbuf *m, const struct meta *meta, const struct tunnel *t, unsigned max)
{
	unsigned l4 = ipsec_l4(m, meta);
	unsigned headers = (meta->flags & META_IP6 ? IP6_HDR : IP4_MIN_HDR) + 20;
	unsigned mss = t->mss;

	if (mss == 0) { /* what fits */
		if (max <= headers + 8)
			return;
		mss = max - headers;
	}
	mss_clamp(rte_pktmbuf_mtod_offset(m, uint8_t *, l4), m->data_len - l4,
		(uint16_t)RTE_MIN(mss, (unsigned)UINT16_MAX));
}

static bool wants_clamp(const struct meta *meta, const struct tunnel *t)
{
	return meta->tcp_flags & RTE_TCP_SYN_FLAG && meta->proto == IPPROTO_TCP &&
	       meta->frag != PACKET_LATER_FRAGMENT && t->mss != UINT16_MAX;
}

void protect_clamp_mss(
	const struct worker *w, struct rte_mbuf *m, const struct meta *meta, const struct tunnel *t)
{
	const struct sa *esp, *ah;

	if (!wants_clamp(meta, t))
		return;
	protect_sas(w, t->id, &esp, &ah);
	clamp(m, meta, t, esp || ah ? protect_inner_max(w, t, esp, ah) : 0);
}

/* --- making it fit */

/* The packet itself forbids to be cut by others: to be told, and its outer header forbids it too,
 * unless the tunnel says otherwise (RFC 4301 section 8.1). */
static bool forbids_cutting(const struct rte_mbuf *m, const struct meta *meta)
{
	return meta->flags & META_IP6 ||
	       rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *)->fragment_offset &
		       RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
}

enum fit { FITS, TO_CUT, TO_REFUSE };

/* A packet that is larger than max. */
static __rte_noinline enum fit larger(
	const struct rte_mbuf *m, const struct meta *meta, const struct tunnel *t, unsigned max)
{
	bool ours = meta->flags & META_OURS || meta->more & META_MERGED;
	bool forbids = !ours && forbids_cutting(m, meta);
	unsigned least = meta->flags & META_IP6 ? IP6_MIN_MTU : IP4_MIN_MTU;

	/* every IPv6 link takes that much (RFC 8200 section 5): the outer packet is cut */
	if (m->pkt_len <= least)
		return FITS;
	if (t->flags & TUNNEL_FRAGMENT_INNER)
		return forbids ? TO_REFUSE : max < least ? FITS : TO_CUT;
	if (t->df == TUNNEL_CLEAR)
		return FITS;
	if (forbids)
		return TO_REFUSE;
	return t->df == TUNNEL_SET && addr_is4(&t->remote) && max >= least ? TO_CUT : FITS;
}

static uint16_t refuse(struct meta *meta, unsigned max)
{
	if (meta->flags & META_IP6) {
		node_error(meta, DROP_MTU_EXCEEDED, ICMP6_TOO_BIG, 0, 0);
		meta->icmp_data = (uint16_t)RTE_MAX(max, (unsigned)IP6_MIN_MTU);
		return NEXT_ICMP6_ERROR;
	}
	node_error(meta, DROP_MTU_EXCEEDED, ICMP4_UNREACHABLE, ICMP4_FRAG_NEEDED, 0);
	meta->icmp_data = (uint16_t)RTE_MAX(max, (unsigned)IP4_MIN_MTU);
	return NEXT_ICMP4_ERROR;
}

/* The burst that goes on, for what has to go out within it. */
struct burst {
	struct rte_graph *graph;
	struct rte_node *node;
	void **objs;
	uint16_t *next;
	unsigned sent; /* that many of objs are on their way */
};

/* Packet i of the burst is cut, and its pieces go on, all one way, behind those before it. Each of
 * the nodes to come has room for what a walk may bring, so the pieces count as that. */
static __rte_noinline void send_cut(
	struct worker *w, struct burst *b, unsigned i, unsigned max, uint16_t next)
{
	struct rte_mbuf *m = b->objs[i], *piece[PIECES_MAX];
	struct meta meta = *meta_of(m);
	unsigned room = worker_room(w, PIECES_MAX - 1) + 1;
	int n = meta.flags & META_IP6 ? frag6_cut(m, max, (uint32_t)rte_rand(), piece, room)
				      : frag4_cut(m, max, piece, room);

	if (n < 0) {
		b->next[i] = node_drop(meta_of(m),
			n == -ENOBUFS ? DROP_FRAG_NO_BUFFER
			: n == -E2BIG ? DROP_FRAG_WALK_FULL
				      : DROP_MTU_EXCEEDED,
			NEXT_DROP);
		return;
	}
	meta.l2_len = 0;
	for (int k = 0; k < n; k++) {
		if (n > 1)
			meta.frag = k == 0 && meta.frag != PACKET_LATER_FRAGMENT
					    ? PACKET_FIRST_FRAGMENT
					    : PACKET_LATER_FRAGMENT;
		*meta_of(piece[k]) = meta;
	}
	w->walk_packets += (unsigned)n - 1;
	w->stats.created += (unsigned)n - 1;
	w->stats.packets_cut += n > 1;
	node_send_some(b->graph, b->node, b->objs + b->sent, b->next + b->sent, i - b->sent);
	rte_node_enqueue(b->graph, b->node, next, (void **)piece, (uint16_t)n);
	b->sent = i + 1;
}

/* --- the packet */

void protect_age(struct rte_mbuf *m, const struct meta *meta)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;
	uint32_t sum;

	if (meta->flags & META_IP6) {
		p[7]--;
		return;
	}
	ip->time_to_live--;
	sum = (uint32_t)ip->hdr_checksum + RTE_BE16(0x0100); /* RFC 1624 */
	ip->hdr_checksum = (uint16_t)(sum + (sum >= UINT16_MAX));
}

static uint16_t expired(struct meta *meta)
{
	return meta->flags & META_IP6 ? node_error(meta, DROP_TTL_EXCEEDED, ICMP6_TIME_EXCEEDED, 0,
						NEXT_ICMP6_ERROR)
				      : node_error(meta, DROP_TTL_EXCEEDED, ICMP4_TIME_EXCEEDED, 0,
						NEXT_ICMP4_ERROR);
}

/* Packet i of the burst: sends it on in pieces, or says in next where it goes. */
static void protect(struct worker *w, struct burst *b, unsigned i)
{
	struct rte_mbuf *m = b->objs[i];
	struct meta *meta = meta_of(m);
	const struct tunnel *t = ipsec_tunnel(w->root->ipsec, meta->tunnel_out);
	bool ours = meta->flags & META_OURS;
	const struct sa *esp = NULL, *ah = NULL;
	enum fit fit = FITS;
	unsigned max;

	if (likely(t != NULL))
		protect_sas(w, t->id, &esp, &ah);
	if (unlikely(t == NULL || !(t->flags & TUNNEL_ESP) != !esp ||
		     !(t->flags & TUNNEL_AH) != !ah)) {
		sa_acquire(w, meta, meta->tunnel_out);
		b->next[i] = node_drop(meta, DROP_IPSEC_NO_SA, NEXT_DROP);
		return;
	}
	/* transport mode protects whole datagrams (RFC 4303 section 3.3.4) */
	if (unlikely(t->flags & TUNNEL_TRANSPORT && meta->frag != PACKET_WHOLE)) {
		b->next[i] = NEXT_REASSEMBLE;
		return;
	}
	if (!ours && *rte_pktmbuf_mtod_offset(m, uint8_t *, meta->flags & META_IP6 ? 7 : 8) <= 1) {
		b->next[i] = expired(meta);
		return;
	}
	max = protect_inner_max(w, t, esp, ah);
	if (unlikely(m->pkt_len > max && max != 0))
		fit = larger(m, meta, t, max);
	if (fit == TO_REFUSE) {
		b->next[i] = refuse(meta, max);
		return;
	}
	if (!ours)
		protect_age(m, meta);
	if (unlikely(wants_clamp(meta, t)))
		clamp(m, meta, t, max);
	if (!(meta->more & META_OUTER))
		meta->nested = 0;
	meta->more &= (uint8_t)~META_HANDED;
	b->next[i] = esp ? NEXT_ESP_OUT : NEXT_AH_OUT;
	/* what ESP alone protects is remembered (esp_out does the rest of this node for it) */
	if (fit == FITS && !ah && !(t->flags & TUNNEL_TRANSPORT) && m->nb_segs == 1 &&
		meta->more == (meta->more & META_JUDGED))
		flow_cache_learn_tunnel(w, meta);
	if (unlikely(fit == TO_CUT))
		send_cut(w, b, i, max, b->next[i]);
	else if (unlikely(m->nb_segs > 1 && frag_linearise(m) < 0))
		b->next[i] = node_drop(meta, DROP_IPSEC_SEGMENTS, NEXT_DROP);
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	uint16_t next[WALK_PACKETS_MAX];
	struct burst b = {.graph = graph, .node = node, .objs = objs, .next = next};

	for (unsigned i = 0; i < nb_objs; i++)
		protect(node_worker(node), &b, i);
	node_send_rest(graph, node, objs, next, b.sent, nb_objs);
	return nb_objs;
}

const struct node node_protect = {
	.name = "protect",
	.sentence = "what goes through a tunnel: TTL or hop limit, and made to fit",
	.process = process,
	.n_next = 6,
	.next = {[NEXT_ESP_OUT] = "esp_out",
		[NEXT_AH_OUT] = "ah_out",
		[NEXT_REASSEMBLE] = "reassemble",
		[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_DROP] = "drop"},
};
