/* What a node is, and how it sends its packets on. Thin shim over rte_graph: with graph.c the only
 * code that knows it. Included by the nodes.
 *
 * A node takes a burst, writes one next[] entry per packet, and calls node_send once.
 */
#pragma once

#include "dp/graph.h"

#include <rte_graph_worker.h>

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

static inline struct worker *node_worker(const struct rte_node *node)
{
	struct worker *w;

	memcpy(&w, node->ctx, sizeof(w));
	return w;
}

/* Sends n packets of objs (the node's own stream) on, packet i to next[i]. A burst that goes one
 * way moves as a whole. */
static inline void node_send(struct rte_graph *graph, struct rte_node *node, void **objs,
	const uint16_t next[], unsigned n)
{
	uint16_t other = 0;
	unsigned i, run;

	if (unlikely(n == 0))
		return;
	for (i = 1; i < n; i++)
		other |= next[i] ^ next[0];
	if (likely(other == 0)) {
		rte_node_next_stream_move(graph, node, next[0]);
		return;
	}
	for (i = 0; i < n; i += run) {
		for (run = 1; i + run < n && next[i + run] == next[i];)
			run++;
		rte_node_enqueue(graph, node, next[i], &objs[i], (uint16_t)run);
	}
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
	meta->icmp_mtu = 0;
	return (uint16_t)edge;
}
