/* Puts datagrams together from their fragments, after the filter has seen each as it was received
 * (lib/frag): those for this box, and those that a policy must see whole. What is not whole yet
 * stays here; reassemble_expire takes what waited too long. Worker.
 */
#include "dp/node/nodes.h"

#include "wire/ip6.h"

#include <errno.h>
#include <rte_malloc.h>

enum { NEXT_IP_LOCAL, NEXT_ICMP6_ERROR, NEXT_POLICY_IN };

#define EXPIRED_MAX 16

struct reassembly {
	struct frag_table *table;
	/* first fragments whose time is over, for an ICMP error */
	unsigned n_expired;
	struct rte_mbuf *expired[EXPIRED_MAX];
};

static enum drop_reason reason_of(enum frag_why why, const struct meta *meta)
{
	static const uint8_t reason[FRAG_WHY_N] = {
		[FRAG_DUPLICATE] = DROP_FRAG_DUPLICATE,
		[FRAG_OVERLAP] = DROP_FRAG_OVERLAP,
		[FRAG_INCONSISTENT] = DROP_FRAG_INCONSISTENT,
		[FRAG_TOO_MANY] = DROP_FRAG_TOO_MANY,
		[FRAG_TOO_LONG] = DROP_FRAG_TOO_LONG,
		[FRAG_ECN] = DROP_FRAG_ECN,
		[FRAG_TIMEOUT] = DROP_FRAG_TIMEOUT,
		[FRAG_SOURCE_LIMIT] = DROP_FRAG_SOURCE_LIMIT,
		[FRAG_TABLE_FULL] = DROP_FRAG_TABLE_FULL,
	};

	if (why == FRAG_INVALID)
		return meta->flags & META_IP6 ? DROP_IP6_FRAGMENT_INVALID
					      : DROP_IP4_FRAGMENT_INVALID;
	return reason[why];
}

/* Many may go at once, more than a stream holds: they end here. */
static void given_up(void *arg, struct rte_mbuf *m, enum frag_why why, bool first)
{
	struct worker *w = arg;
	struct reassembly *r = w->reassembly;

	if (why == FRAG_TIMEOUT && first && r->n_expired < EXPIRED_MAX) {
		r->expired[r->n_expired++] = m;
		return;
	}
	worker_drop_account(w, m, reason_of(why, meta_of(m)));
	rte_pktmbuf_free(m);
}

static void gauge(struct worker *w)
{
	const struct reassembly *r = w->reassembly;

	w->stats.frag_waiting = frag_table_stats(r->table)->fragments + r->n_expired;
}

int reassembly_new(struct worker *w)
{
	const struct dp_shared *s = w->shared;

	w->reassembly = rte_zmalloc_socket("reassembly", sizeof(*w->reassembly), 0, w->socket);
	if (w->reassembly == NULL)
		return -ENOMEM;
	w->reassembly->table =
		frag_new(s->reassembly_datagrams, s->reassembly_buffers, w->socket, given_up, w);
	return w->reassembly->table ? 0 : -ENOMEM;
}

void reassembly_free(struct worker *w)
{
	struct reassembly *r = w->reassembly;

	if (r == NULL)
		return;
	frag_free(r->table);
	rte_pktmbuf_free_bulk(r->expired, r->n_expired);
	rte_free(r);
	w->reassembly = NULL;
}

struct frag_table *reassembly_table(const struct worker *w)
{
	return w->reassembly->table;
}

const struct frag_stats *worker_fragments(const struct worker *w)
{
	return w->reassembly ? frag_table_stats(w->reassembly->table) : NULL;
}

unsigned reassembly_expired(struct worker *w, struct rte_mbuf *m[], unsigned n)
{
	struct reassembly *r = w->reassembly;

	frag_expire(r->table, w->now_tsc, EXPIRED_MAX);
	n = RTE_MIN(n, r->n_expired);
	r->n_expired -= n;
	memcpy(m, r->expired + r->n_expired, n * sizeof(*m));
	gauge(w);
	return n;
}

/* What the destination of an IPv6 fragment must tell its source (RFC 8200 section 4.5); ip6_input
 * drops such fragments for others. */
static uint16_t problem6(const struct rte_mbuf *m, struct meta *meta, unsigned most)
{
	struct ip6_chain c;
	unsigned payload, pointer;

	if (meta->flags6 & META6_TINY) {
		node_error(meta, DROP_IP6_TINY_FRAGMENT, ICMP6_PARAMETER, ICMP6_FIRST_FRAGMENT, 0);
		return NEXT_ICMP6_ERROR;
	}
	if (ip6_chain_walk(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, most, &c) !=
			IP6_CHAIN_OK ||
		c.frag_at == 0)
		return NEXT_IP_LOCAL;
	payload = m->data_len - c.frag_at - IP6_FRAG_HDR;
	if (c.more && payload % 8 != 0)
		pointer = IP6_AT_PAYLOAD_LEN;
	else if (c.frag_at - IP6_HDR + c.offset + payload > UINT16_MAX)
		pointer = c.frag_at + 2u;
	else
		return NEXT_IP_LOCAL;
	node_error(meta, DROP_IP6_FRAGMENT_INVALID, ICMP6_PARAMETER, ICMP6_BAD_FIELD, 0);
	meta->icmp_data = (uint16_t)pointer;
	return NEXT_ICMP6_ERROR;
}

/* The whole datagram goes on as if it had come so. */
static void made_whole(struct rte_mbuf *m, unsigned most)
{
	struct meta *meta = meta_of(m);
	bool own = meta->scope == RULE_LOCAL;
	struct ip6_chain c;

	meta->frag = PACKET_WHOLE;
	if (!own)
		meta->more |= META_MERGED;
	if (!(meta->flags & META_IP6))
		return;
	/* the fragment header is gone from among the others */
	(own ? ip6_chain_walk_own : ip6_chain_walk)(
		rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, most, &c);
	meta->proto_at = c.proto_at;
	meta->l4 = c.l4;
	meta->flags6 = 0;
	meta->l2_len = 0; /* the received Ethernet header is no longer in front */
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	unsigned most = w->root->ip6.extension_headers_max;

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);
		bool ip6 = meta->flags & META_IP6;
		unsigned merged;

		if (ip6 && problem6(m, meta, most) != NEXT_IP_LOCAL) {
			rte_node_enqueue_x1(graph, node, NEXT_ICMP6_ERROR, m);
			continue;
		}
		m = (ip6 ? frag6_add : frag4_add)(
			w->reassembly->table, m, meta->tunnel, w->now_tsc, &merged);
		if (m == NULL)
			continue;
		w->stats.absorbed += merged - 1;
		made_whole(m, most);
		rte_node_enqueue_x1(
			graph, node, w->root->ipsec ? NEXT_POLICY_IN : NEXT_IP_LOCAL, m);
	}
	gauge(w);
	return nb_objs;
}

const struct node node_reassemble = {
	.name = "reassemble",
	.sentence = "puts datagrams for this box, or for a policy, together from their fragments",
	.process = process,
	.n_next = 3,
	.next = {[NEXT_IP_LOCAL] = "ip_local",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_POLICY_IN] = "policy_in"},
};
