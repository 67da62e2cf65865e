/* What a node is, and how it sends its packets on. Thin shim over rte_graph: with graph.c the only
 * code that knows it. Included by the nodes.
 *
 * A node takes a burst, writes one next[] entry per packet, and calls node_send once.
 */
#pragma once

#include "dp/graph.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <rte_graph_worker.h>
#include <rte_ip.h>

#define WALKS_PER_TIMED 16 /* every so many walks, the cycles of each node are taken */

/* A node as graph.c lists it. */
struct node {
	const char *name;
	const char *sentence;
	bool source; /* called once per walk with nothing */
	uint16_t (*process)(struct rte_graph *, struct rte_node *, void **objs, uint16_t n);
	unsigned n_next;
	const char *next[GRAPH_NEXT_MAX];
};

/* Every node, in packet order: the map. graph.c */
extern const struct node *const node_map[];
extern const unsigned node_map_n;

/* What a node keeps in rte_graph's 16 bytes of context. */
struct node_ctx {
	struct worker *worker;
	uint64_t timed_packets; /* packets of the walks whose cycles were taken */
};
_Static_assert(sizeof(struct node_ctx) == sizeof(((struct rte_node *)0)->ctx), "rte_graph's room");

static inline struct node_ctx *node_ctx(struct rte_node *node)
{
	return (struct node_ctx *)node->ctx;
}

static inline struct worker *node_worker(const struct rte_node *node)
{
	return ((const struct node_ctx *)node->ctx)->worker;
}

/* Runs every source, then every node that has packets, until none has. As rte_graph_walk, but it
 * reads the TSC around each node only when asked: some 25 cycles a node, for a dozen nodes a walk.
 */
static inline void node_walk(struct rte_graph *graph, bool timed)
{
	uint32_t head = graph->head;

	while (likely(head != graph->tail)) {
		struct rte_node *node = RTE_PTR_ADD(graph, graph->cir_start[(int32_t)head++]);
		uint64_t begin = timed ? rte_rdtsc() : 0;
		uint16_t n = node->process(graph, node, node->objs, node->idx);

		node->total_calls++;
		node->total_objs += n;
		if (timed) {
			node->total_cycles += rte_rdtsc() - begin;
			node_ctx(node)->timed_packets += n;
		}
		node->idx = 0;
		/* sources stand before the circle, at negative places */
		if (likely((int32_t)head > 0))
			head &= graph->cir_mask;
	}
	graph->tail = 0;
}

/* Sends n packets on, packet i to next[i]. */
static inline void node_send_some(struct rte_graph *graph, struct rte_node *node, void **objs,
	const uint16_t next[], unsigned n)
{
	unsigned i, run;

	for (i = 0; i < n; i += run) {
		for (run = 1; i + run < n && next[i + run] == next[i];)
			run++;
		rte_node_enqueue(graph, node, next[i], &objs[i], (uint16_t)run);
	}
}

/* The same for all n packets of the node's own stream. A burst that goes one way moves as a whole.
 */
static inline void node_send(struct rte_graph *graph, struct rte_node *node, void **objs,
	const uint16_t next[], unsigned n)
{
	uint16_t other = 0;

	if (unlikely(n == 0))
		return;
	for (unsigned i = 1; i < n; i++)
		other |= next[i] ^ next[0];
	if (likely(other == 0))
		rte_node_next_stream_move(graph, node, next[0]);
	else
		node_send_some(graph, node, objs, next, n);
}

/* The same for the packets from the given one on, when those before are on their way. */
static inline void node_send_rest(struct rte_graph *graph, struct rte_node *node, void **objs,
	const uint16_t next[], unsigned from, unsigned n)
{
	if (likely(from == 0))
		node_send(graph, node, objs, next, n);
	else
		node_send_some(graph, node, objs + from, next + from, n - from);
}

/* Sum of the packet's bytes from the offset on, as the internet checksum has it, over all segments;
 * all but the last have an even length. */
static inline uint16_t node_sum(const struct rte_mbuf *m, unsigned at)
{
	uint16_t sum = 0;

	if (likely(m->nb_segs == 1))
		return rte_raw_cksum(
			rte_pktmbuf_mtod_offset(m, const uint8_t *, at), m->data_len - at);
	rte_raw_cksum_mbuf(m, at, m->pkt_len - at, &sum);
	return sum;
}

/* Sends what a source put in its own stream (n packets) on, all one way. */
static inline void node_source_send(
	struct rte_graph *graph, struct rte_node *node, unsigned next, unsigned n)
{
	if (n == 0)
		return;
	node->idx = (uint16_t)n;
	rte_node_next_stream_move(graph, node, (rte_edge_t)next);
}

/* For a packet that is dropped: notes the reason and returns the given edge. */
static inline uint16_t node_drop(struct meta *meta, enum drop_reason reason, unsigned edge)
{
	meta->drop = (uint16_t)reason;
	return (uint16_t)edge;
}

/* For a packet that is dropped and answered with an ICMP error. */
static inline uint16_t node_error(
	struct meta *meta, enum drop_reason reason, uint8_t type, uint8_t code, unsigned edge)
{
	meta->drop = (uint16_t)reason;
	meta->icmp_type = type;
	meta->icmp_code = code;
	meta->icmp_data = 0;
	return (uint16_t)edge;
}

/* The same with "destination unreachable" and the code of the packet's family. edge4 leads to
 * icmp4_error; the one after it to icmp6_error. */
static inline uint16_t node_unreachable(
	struct meta *meta, enum drop_reason reason, uint8_t code4, uint8_t code6, unsigned edge4)
{
	if (meta->flags & META_IP6)
		return node_error(meta, reason, ICMP6_UNREACHABLE, code6, edge4 + 1);
	return node_error(meta, reason, ICMP4_UNREACHABLE, code4, edge4);
}
