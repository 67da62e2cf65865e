/* Bursts of packets for us with ESP or AH: each is given to the worker that owns its SA; what was
 * in them goes to ip4_input or ip6_input as if it had just come, marked with the SA. In the nodes
 * esp_in and ah_in. Worker.
 */
#include "dp/node/fast.h"
#include "dp/node/ipsec.h"

#include "ipsec/ah.h"

#include <rte_tcp.h>

/* Bytes in front of the ESP or AH header. */
static unsigned header_at(const struct rte_mbuf *m, const struct meta *meta)
{
	return ipsec_l4(m, meta) + (meta->proto == IPPROTO_UDP ? UDP_HDR_LEN : 0);
}

static unsigned spi_at(unsigned at, uint8_t proto)
{
	return at + (proto == PROTO_AH ? offsetof(struct ah_hdr, spi) : 0);
}

#define NOT_ASKED UINT32_MAX /* no handle: its index would be beyond every SAD's */

/* Handles of the SAs of n packets (n <= SAD_BURST_MAX), looked up side by side, and what a first
 * look at the SAs needs on its way into the cache. NOT_ASKED: of packets that are not plain. */
static void find_burst(
	const struct ipsec *ipsec, void **objs, uint32_t handle[], unsigned n, uint8_t proto)
{
	struct sad_key key[SAD_BURST_MAX];
	const struct sad_key *keys[SAD_BURST_MAX];
	uint32_t found[SAD_BURST_MAX];
	uint8_t of[SAD_BURST_MAX];
	unsigned asked = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct rte_mbuf *m = objs[i];
		const struct meta *meta = meta_of(objs[i]);
		unsigned at = spi_at(header_at(m, meta), proto);

		handle[i] = NOT_ASKED;
		if (m->nb_segs > 1 || meta->more & META_HANDED || m->data_len < at + 4)
			continue;
		key[asked] = (struct sad_key){.dst = meta_dst(meta), .proto = proto};
		memcpy(&key[asked].spi, rte_pktmbuf_mtod_offset(m, const uint8_t *, at), 4);
		keys[asked] = &key[asked];
		of[asked++] = (uint8_t)i;
	}
	if (asked == 0)
		return;
	sad_find_burst(ipsec->sad, keys, found, asked);
	for (unsigned i = 0; i < asked; i++) {
		handle[of[i]] = found[i];
		rte_prefetch0(&ipsec->sad->slot[SA_INDEX(found[i])]);
	}
}

/* The SA of the packet, or NULL: none, and the reason stands in meta. at: its ESP or AH header.
 * handle: what find_burst says of it. */
static struct sa *find(struct worker *w, struct rte_mbuf *m, struct meta *meta, unsigned at,
	uint8_t proto, uint32_t handle)
{
	const struct ipsec *ipsec = w->root->ipsec;
	bool handed = meta->more & META_HANDED;
	struct sa *sa = NULL;
	rte_be32_t spi;

	meta->more &= (uint8_t)~META_HANDED;
	meta->drop = DROP_IPSEC_UNKNOWN_SPI;
	if (unlikely(ipsec == NULL || w->mb == NULL))
		return NULL;
	if (unlikely(m->data_len < at + (proto == PROTO_AH ? AH_HDR_LEN : ESP_HDR_LEN))) {
		meta->drop = DROP_IPSEC_TRUNCATED;
		return NULL;
	}
	if (unlikely(meta->nested >= ipsec->nesting_max)) {
		meta->drop = DROP_IPSEC_NESTING;
		return NULL;
	}
	memcpy(&spi, rte_pktmbuf_mtod_offset(m, const uint8_t *, spi_at(at, proto)), sizeof(spi));
	if (likely(!handed)) {
		struct addr dst = meta_dst(meta);

		if (unlikely(handle == NOT_ASKED))
			handle = sad_find(ipsec->sad, spi, proto, &dst);
		return handle == SA_NONE ? NULL : sad_get(ipsec->sad, handle);
	}
	sa = sad_get(ipsec->sad, meta->sa);
	return sa && sa->spi == spi ? sa : NULL;
}

/* The packet becomes p, the next of the burst. False: it went to another worker. next: where it
 * goes if it is dropped. */
static bool begin(struct worker *w, struct rte_mbuf *m, uint8_t proto, uint32_t handle,
	struct esp_packet *p, uint16_t *next)
{
	struct meta *meta = meta_of(m);
	unsigned at = header_at(m, meta);
	struct sa *sa;

	*next = SA_IN_DROP;
	if (unlikely(m->nb_segs > 1 && frag_linearise(m) < 0)) {
		meta->drop = DROP_IPSEC_SEGMENTS;
		return true;
	}
	sa = find(w, m, meta, at, proto, handle);
	if (unlikely(sa == NULL))
		return true;
	if (unlikely(sa->owner != w->id))
		return !sa_handoff(w, m, sa);
	*p = (struct esp_packet){.m = m,
		.sa = sa,
		.l4 = (uint16_t)at,
		.proto_at = (uint16_t)ipsec_proto_at(meta),
		.ip6 = (meta->flags & META_IP6) != 0};
	*next = SA_IN_IP4_INPUT;
	return true;
}

/* Which headers of its tunnel the packet has had: those of the same one that were just around this
 * one count. */
static uint8_t had(const struct meta *meta, const struct sa *sa, uint8_t proto)
{
	uint8_t this = proto == PROTO_AH ? META_HAD_AH : META_HAD_ESP;

	return meta->tunnel == sa->tunnel ? this | (meta->more & (META_HAD_AH | META_HAD_ESP))
					  : this;
}

/* The packet begins its way anew. */
static uint16_t reenter(const struct worker *w, const struct esp_packet *p, uint8_t proto)
{
	struct meta *meta = meta_of(p->m);
	const struct sa *sa = p->sa;
	const struct iface *f;

	f = &w->root->ports->iface[sa->iface != IFACE_NONE ? sa->iface : meta->in_if];
	*meta = (struct meta){
		.in_if = f->id,
		.zone_in = sa->iface != IFACE_NONE ? f->zone : meta->zone_in,
		.flags =
			sa->iface != IFACE_NONE && f->flags & (IFACE_URPF_LOOSE | IFACE_URPF_STRICT)
				? META_URPF
				: 0,
		.more = had(meta, sa, proto),
		.verdict_in = UINT32_MAX,
		.verdict_out = UINT32_MAX,
		.nested = (uint8_t)(meta->nested + 1),
		.sa = sa->handle,
		.tunnel = sa->tunnel,
	};
	if (unlikely(!(f->flags & IFACE_UP)))
		return node_drop(meta, DROP_ETH_IFACE_DOWN, SA_IN_DROP);
	return p->ip6 ? SA_IN_IP6_INPUT : SA_IN_IP4_INPUT;
}

/* A packet whose flow may be known: what came out of ESP alone, of an SA whose packets come by the
 * interface that this one came by, and is no SYN, whose MSS may have to fall. */
static inline bool may_be_known(
	const struct worker *w, const struct esp_packet *p, uint8_t proto, struct pending *f)
{
	const struct flow_cache *c = w->flow_cache;
	const struct meta *meta = meta_of(p->m);
	const struct sa *sa = p->sa;
	uint16_t in_if = sa->iface != IFACE_NONE ? sa->iface : meta->in_if;
	uint64_t rest = flow_rest_sa(0, 0, false, SA_INDEX(sa->handle));
	uint8_t *ip = rte_pktmbuf_mtod(p->m, uint8_t *);
	bool plain;

	if (c == NULL || c->rest > 0 || proto != PROTO_ESP || p->status != SA_OK || p->dummy ||
		sa->flags & SA_TRANSPORT || meta->nested || sa->way_serial != c->serial ||
		sa->way != in_if)
		return false;
	plain = p->ip6 ? plain6(c, p->m, ip, 0, rest, f) : plain4(c, p->m, ip, 0, rest, f);
	return plain && !((uint8_t)(f->key[0] >> 32) == IPPROTO_TCP &&
				ip[(p->ip6 ? IP6_HDR : IP4_MIN_HDR) + 13] & RTE_TCP_SYN_FLAG);
}

/* What became of packet p. False: it was a dummy, and is gone. */
static bool end(struct worker *w, const struct esp_packet *p, uint8_t proto, uint16_t *next)
{
	if (unlikely(p->status != SA_OK)) {
		*next = node_drop(
			meta_of(p->m), sa_drop_reason((enum sa_error)p->status), SA_IN_DROP);
		return true;
	}
	if (unlikely(p->dummy)) {
		w->stats.absorbed++;
		w->stats.esp_dummies++;
		rte_pktmbuf_free(p->m);
		return false;
	}
	*next = reenter(w, p, proto);
	return true;
}

/* All packets of the burst when they were processed: those of known flows are ready to be sent, in
 * one touch (fast.h). Returns how many objs
 * there are. */
static unsigned end_burst(struct worker *w, const struct esp_packet p[], unsigned n, uint8_t proto,
	void **objs, uint16_t next[], unsigned kept)
{
	struct burst b = {.way = {.neigh = NEIGH_NONE}};
	struct pending pending[AHEAD];

	for (unsigned from = 0; from < n; from += AHEAD) {
		unsigned some = RTE_MIN((unsigned)AHEAD, n - from);

		for (unsigned i = 0; i < some; i++)
			if (unlikely(!may_be_known(w, &p[from + i], proto, &pending[i])))
				pending[i] = not_plain;
		for (unsigned i = 0; i < some; i++) {
			const struct esp_packet *q = &p[from + i];
			uint16_t in_if = meta_of(q->m)->in_if;

			if (q->sa->iface != IFACE_NONE)
				in_if = q->sa->iface;
			if (pending[i].set != nowhere && forward(w, q->m, &pending[i], &b)) {
				meta_set_tx(q->m, b.tx | in_if);
				next[kept] = SA_IN_PORT_TX;
			} else if (!end(w, q, proto, &next[kept])) {
				continue;
			}
			objs[kept++] = q->m;
		}
	}
	count(w->rule_counter, &b);
	return kept;
}

uint16_t sa_in(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n, uint8_t proto)
{
	struct worker *w = node_worker(node);
	struct esp_packet p[WALK_PACKETS_MAX];
	uint16_t next[WALK_PACKETS_MAX];
	uint32_t handle[SAD_BURST_MAX] = {0};
	unsigned dropped = 0, members = 0, kept;

	/* those that are dropped right away go first, since they meet no other packet again */
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];
		uint16_t edge;

		if (i % SAD_BURST_MAX == 0 && w->root->ipsec != NULL)
			find_burst(w->root->ipsec, objs + i, handle,
				RTE_MIN((unsigned)SAD_BURST_MAX, n - i), proto);
		if (!begin(w, m, proto, handle[i % SAD_BURST_MAX], &p[members], &edge))
			continue;
		if (unlikely(edge == SA_IN_DROP)) {
			next[dropped] = SA_IN_DROP;
			objs[dropped++] = m;
		} else {
			members++;
		}
	}
	if (members)
		(proto == PROTO_AH ? ah_in_burst : esp_in_burst)(w->mb, p, members);
	kept = end_burst(w, p, members, proto, objs, next, dropped);
	node->idx = (uint16_t)kept; /* node_send may move the stream as a whole */
	node_send(graph, node, objs, next, kept);
	return n;
}
