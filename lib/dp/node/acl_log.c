/* The filter log, worker's side: one record per logged packet over the event ring, so many a
 * second. What is left out is counted, and the count travels with the next record. Worker.
 */
#include "dp/node/nodes.h"

/* Addresses, ports, type and code from the filter key: all 0 where a packet has none yet. */
static void key_of(struct log_record *r, const struct meta *meta)
{
	const struct acl_key *key = &meta->key;
	const struct acl_key6 *key6 = &meta->key6;

	if (meta->flags & META_IP6) {
		memcpy(r->src.b, key6->src, sizeof(r->src.b));
		memcpy(r->dst.b, key6->dst, sizeof(r->dst.b));
		r->sport = rte_be_to_cpu_16(key6->sport);
		r->dport = rte_be_to_cpu_16(key6->dport);
	} else {
		r->src = addr_of4(rte_be_to_cpu_32(key->src));
		r->dst = addr_of4(rte_be_to_cpu_32(key->dst));
		r->sport = rte_be_to_cpu_16(key->sport);
		r->dport = rte_be_to_cpu_16(key->dport);
	}
}

void acl_log(struct worker *w, struct rte_mbuf *m, uint8_t dir, uint32_t verdict,
	enum drop_reason reason)
{
	struct meta *meta = meta_of(m);
	struct event e = {.kind = EVENT_FILTER_LOG, .worker = (uint8_t)w->id};

	if (reason != DROP_NONE) /* one that was let through may still be dropped, and logged so */
		meta->flags |= META_LOGGED;
	if (!bucket_take(&w->log, w->now_tsc)) {
		w->log_pending_left_out++;
		w->stats.log_left_out++;
		return;
	}
	e.log = (struct log_record){
		.wall_ns = worker_wall_ns(w),
		.generation = w->root->generation,
		.verdict = verdict,
		.left_out = w->log_pending_left_out,
		.in_if = meta->in_if,
		.out_if = meta->out_if,
		.reason = (uint16_t)reason,
		.len = (uint16_t)m->pkt_len,
		.proto = meta->proto,
		.tcp_flags = meta->tcp_flags,
		.dir = dir,
		.frag = meta->frag,
	};
	key_of(&e.log, meta);
	if (link_event_put(&w->link, &e)) {
		w->log_pending_left_out = 0;
	} else {
		w->log_pending_left_out++;
		w->stats.log_left_out++;
	}
}
