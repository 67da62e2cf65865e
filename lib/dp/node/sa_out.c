/* Bursts that a security association protects: each packet goes to the worker that owns its SA;
 * what comes out of ESP or AH begins with a header of ours, and is routed as a packet of ours. In
 * the nodes esp_out and ah_out. Worker.
 */
#include "dp/node/ipsec.h"

#include "ipsec/ah.h"

enum drop_reason sa_drop_reason(enum sa_error error)
{
	static const uint8_t reason[SA_ERRORS] = {
		[SA_ERR_REPLAY] = DROP_IPSEC_REPLAY,
		[SA_ERR_INTEGRITY] = DROP_IPSEC_INTEGRITY,
		[SA_ERR_TRUNCATED] = DROP_IPSEC_TRUNCATED,
		[SA_ERR_PADDING] = DROP_IPSEC_PADDING,
		[SA_ERR_MODE] = DROP_IPSEC_MODE,
		[SA_ERR_SEQUENCE] = DROP_IPSEC_SEQUENCE,
		[SA_ERR_LIFETIME] = DROP_IPSEC_LIFETIME,
		[SA_ERR_SELECTOR] = DROP_IPSEC_SELECTOR,
		[SA_ERR_TOO_BIG] = DROP_IPSEC_TOO_BIG,
		[SA_ERR_SEGMENTS] = DROP_IPSEC_SEGMENTS,
		[SA_ERR_ECN] = DROP_IPSEC_ECN,
	};

	return (enum drop_reason)reason[error];
}
_Static_assert(DROP_N <= 256, "reasons in a byte");

bool sa_handoff(struct worker *w, struct rte_mbuf *m, const struct sa *sa)
{
	struct meta *meta = meta_of(m);

	meta->sa = sa->handle;
	meta->more |= META_HANDED;
	if (likely(sa->owner < w->shared->n_workers) &&
		link_packets_put(handoff_ring(&w->shared->handoff, w->id, sa->owner, HANDOFF_SA),
			&m, 1) == 1) {
		w->stats.handoff_out[HANDOFF_SA]++;
		return true;
	}
	meta->drop = DROP_IPSEC_HANDOFF_FULL;
	return false;
}

void sa_acquire(struct worker *w, const struct meta *meta, uint16_t tunnel)
{
	bool ip6 = meta->flags & META_IP6;
	struct event e = {.kind = EVENT_ACQUIRE, .worker = (uint8_t)w->id};

	if (!bucket_take(&w->acquire, w->now_tsc))
		return;
	e.acquire.tunnel = tunnel;
	e.acquire.proto = meta->proto;
	e.acquire.dst = meta_dst(meta);
	if (ip6)
		memcpy(e.acquire.src.b, meta->key6.src, sizeof(e.acquire.src.b));
	else
		e.acquire.src = addr_of4(rte_be_to_cpu_32(meta->key.src));
	if (meta->frag != PACKET_LATER_FRAGMENT) {
		e.acquire.sport = rte_be_to_cpu_16(ip6 ? meta->key6.sport : meta->key.sport);
		e.acquire.dport = rte_be_to_cpu_16(ip6 ? meta->key6.dport : meta->key.dport);
	}
	link_event_put(&w->link, &e);
}

/* The SA that the packet is for: the one that another worker chose, or that of this worker. NULL:
 * none, and the reason stands in meta. */
static struct sa *choose(struct worker *w, struct meta *meta, uint8_t proto)
{
	const struct ipsec *ipsec = w->root->ipsec;
	uint32_t handle = meta->sa;
	uint64_t handles;
	struct sa *sa = NULL;

	if (likely(ipsec && !(meta->more & META_HANDED))) {
		handles = sad_out(ipsec->sad, meta->tunnel_out, w->id);
		handle = (uint32_t)(proto == PROTO_AH ? handles >> 32 : handles);
	}
	meta->more &= (uint8_t)~META_HANDED;
	if (likely(ipsec && handle != SA_NONE && w->mb))
		sa = sad_get(ipsec->sad, handle);
	if (unlikely(sa == NULL))
		meta->drop = DROP_IPSEC_NO_SA;
	else if (unlikely(meta->nested >= ipsec->nesting_max))
		meta->drop = DROP_IPSEC_NESTING;
	else
		return sa;
	return NULL;
}

void sa_outer_meta(
	const struct worker *w, struct rte_mbuf *m, bool ip6, uint16_t l4, uint16_t proto_at)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	struct meta *meta = meta_of(m);

	*meta = (struct meta){
		.flags = META_OURS | (ip6 ? META_IP6 : 0),
		.more = META_OUTER,
		.proto = ip[proto_at],
		.verdict_in = UINT32_MAX,
		.verdict_out = UINT32_MAX,
		.nested = meta->nested,
		.tunnel_out = meta->tunnel_out,
		.sa = meta->sa,
		.l4 = l4,
		.proto_at = proto_at,
	};
	if (ip6) {
		memcpy(meta->key6.src, ip + 8, 32);
		meta->key6.class = acl_class(w->root->acl, meta->proto, false);
		if (meta->proto == IPPROTO_UDP)
			memcpy(&meta->key6.sport, ip + l4, 4);
	} else {
		memcpy(&meta->key.src, ip + 12, 8);
		meta->key.class = acl_class(w->root->acl, meta->proto, false);
		if (meta->proto == IPPROTO_UDP)
			memcpy(&meta->key.sport, ip + l4, 4);
	}
}

/* What the packets of a burst have in common with the one before: the neighbour that they go to. */
struct burst {
	uint32_t index;
	const struct neigh *neigh; /* entry of index: may be sent to right now; else NULL */
	bool slow; /* one of a known flow has to go through protect: so do all behind it */
};

static __rte_noinline void use_neighbour(struct worker *w, uint32_t index, struct burst *b)
{
	const struct neigh_table *t = w->root->neigh;
	const struct neigh *e = neigh_get(t, index);

	b->index = index;
	b->neigh = NULL;
	/* those that came before still wait: keep the order */
	if (e == NULL || e->hdr_len == 0 ||
		(w->stats.neigh_waiting && neigh_wait_has(w->neigh_wait, e->iface, &e->addr)))
		return;
	neigh_mark_used(t, index);
	b->neigh = e;
}

/* The neighbour that all packets of the SA go to, where that is known and can be sent to now, or
 * NULL. */
static inline const struct neigh *way_of(struct worker *w, const struct sa *sa, struct burst *b)
{
	uint32_t outer =
		atomic_load_explicit(&sa->outer_now, memory_order_relaxed) ? SA_WAY_OUTER : 0;

	if (unlikely(w->flow_cache == NULL || sa->way_serial != w->flow_cache->serial ||
		     (sa->way & SA_WAY_OUTER) != outer))
		return NULL;
	if (unlikely((sa->way & ~SA_WAY_OUTER) != b->index))
		use_neighbour(w, sa->way & ~SA_WAY_OUTER, b);
	return b->neigh;
}

/* The packet goes to the neighbour, as ip_output would send it. */
static inline void send_direct(struct worker *w, const struct esp_packet *p, const struct neigh *e)
{
	struct rte_mbuf *m = p->m;
	struct rule_counter *counter = &w->rule_counter[p->sa->way_counter];
	uint8_t *to;

	counter->packets++;
	counter->bytes += m->data_len;
	m->data_off -= e->hdr_len;
	m->data_len += e->hdr_len;
	m->pkt_len = m->data_len;
	to = rte_pktmbuf_mtod(m, uint8_t *);
	if (likely(e->hdr_len == RTE_ETHER_HDR_LEN))
		memcpy(to, e->hdr, RTE_ETHER_HDR_LEN);
	else
		memcpy(to, e->hdr, e->hdr_len);
	meta_set_tx(m,
		(struct meta){.out_if = e->iface, .out_port = e->port, .flags = META_FRAMED}.way);
}

/* Where a packet goes that was protected. */
static inline uint16_t onward(
	struct worker *w, const struct esp_packet *p, uint8_t proto, struct burst *b)
{
	struct meta *meta = meta_of(p->m);
	const struct neigh *e = meta->nested == 0 ? way_of(w, p->sa, b) : NULL;
	const struct tunnel *t;

	/* what ip_output puts in front */
	if (unlikely(rte_pktmbuf_headroom(p->m) < IFACE_HDR_MAX))
		return node_drop(meta, DROP_IPSEC_TOO_BIG, SA_OUT_DROP);
	if (likely(e != NULL && p->m->data_len <= e->mtu)) {
		send_direct(w, p, e);
		return SA_OUT_PORT_TX;
	}
	t = ipsec_tunnel(w->root->ipsec, meta->tunnel_out);
	meta->nested++;
	sa_outer_meta(w, p->m, p->ip6, p->l4, p->proto_at);
	if (proto == PROTO_ESP && t && t->flags & TUNNEL_AH)
		return SA_OUT_AH_OUT;
	meta->tunnel_out = TUNNEL_NONE;
	return SA_OUT_IP_ROUTE;
}

/* A packet of a known flow that protect has not seen: does what that would do and says true, if
 * there is nothing to it but the TTL. */
static inline bool protect_fast(struct worker *w, struct rte_mbuf *m, struct burst *b)
{
	struct meta *meta = meta_of(m);
	const struct sad *sad = w->root->ipsec->sad;
	uint64_t handles = sad_out(sad, meta->tunnel_out, w->id);
	const struct sa *sa = sad_get(sad, (uint32_t)handles);
	const struct neigh *e;
	unsigned path, len = m->data_len;

	meta->more &= (uint8_t)~META_FAST;
	if (unlikely(b->slow || sa == NULL || sa->owner != w->id || handles >> 32))
		return false;
	e = way_of(w, sa, b);
	path = atomic_load_explicit(&sa->path_mtu, memory_order_relaxed);
	len += esp_overhead(sa, len);
	if (unlikely(e == NULL || len > e->mtu || (path && len > path) ||
		     (sa->mtu && m->data_len > sa->mtu)))
		return false;
	protect_age(m, meta);
	return true;
}

/* The packet becomes p, the next of the burst. False: it went to another worker. next: where it
 * goes if not into the burst. */
static inline bool begin(struct worker *w, struct rte_mbuf *m, uint8_t proto, struct esp_packet *p,
	uint16_t *next, struct burst *b)
{
	struct meta *meta = meta_of(m);
	struct sa *sa;

	if (meta->more & META_FAST && unlikely(!protect_fast(w, m, b))) {
		b->slow = true;
		*next = SA_OUT_PROTECT;
		return true;
	}
	sa = choose(w, meta, proto);
	*next = SA_OUT_DROP;
	if (unlikely(sa == NULL))
		return true;
	if (unlikely(sa->owner != w->id))
		return !sa_handoff(w, m, sa);
	meta->sa = sa->handle;
	*p = (struct esp_packet){.m = m,
		.sa = sa,
		.l4 = (uint16_t)ipsec_l4(m, meta),
		.proto_at = (uint16_t)ipsec_proto_at(meta),
		.ip6 = (meta->flags & META_IP6) != 0};
	*next = SA_OUT_IP_ROUTE;
	return true;
}

/* Where there are many SAs, what leads to those of the burst comes from memory side by side: the
 * tunnels' entries, the slots, the SAs. */
static void fetch_sas(const struct worker *w, void **objs, unsigned n)
{
	const struct sad *sad = w->root->ipsec->sad;
	uint16_t first = meta_of(objs[0])->tunnel_out, differ = 0;
	struct sa *sa;

	for (unsigned i = 0; i < n; i++) {
		uint16_t tunnel = meta_of(objs[i])->tunnel_out;

		differ |= tunnel ^ first;
		rte_prefetch0(&sad->out[(size_t)tunnel * sad->n_workers + w->id]);
	}
	if (likely(!differ))
		return;
	for (unsigned i = 0; i < n; i++) {
		uint64_t handles = sad_out(sad, meta_of(objs[i])->tunnel_out, w->id);

		rte_prefetch0(&sad->slot[SA_INDEX((uint32_t)handles)]);
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t handles = sad_out(sad, meta_of(objs[i])->tunnel_out, w->id);

		sa = atomic_load_explicit(
			&sad->slot[SA_INDEX((uint32_t)handles)], memory_order_relaxed);
		rte_prefetch0(sa);
		rte_prefetch0(sa ? &sa->seq : NULL);
	}
}

uint16_t sa_out(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n, uint8_t proto)
{
	struct worker *w = node_worker(node);
	struct burst b = {.index = NEIGH_NONE};
	struct esp_packet p[WALK_PACKETS_MAX];
	uint16_t at[WALK_PACKETS_MAX], next[WALK_PACKETS_MAX];
	unsigned kept = 0, members = 0;

	if (likely(w->root->ipsec != NULL))
		fetch_sas(w, objs, n);
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];

		if (!begin(w, m, proto, &p[members], &next[kept], &b))
			continue;
		if (likely(next[kept] == SA_OUT_IP_ROUTE))
			at[members++] = (uint16_t)kept;
		objs[kept++] = m;
	}
	if (members)
		(proto == PROTO_AH ? ah_out_burst : esp_out_burst)(w->mb, p, members);
	for (unsigned i = 0; i < members; i++)
		next[at[i]] =
			likely(p[i].status == SA_OK)
				? onward(w, &p[i], proto, &b)
				: node_drop(meta_of(p[i].m),
					  sa_drop_reason((enum sa_error)p[i].status), SA_OUT_DROP);
	node->idx = (uint16_t)kept; /* node_send may move the stream as a whole */
	node_send(graph, node, objs, next, kept);
	return n;
}
