/* The map: registers every node in packet order, makes a worker's graph, and tells what it did.
 * rte_graph stays behind this header and node.h.
 */
#pragma once

#include "dp/worker.h"

#define GRAPH_NEXT_MAX 16

struct graph_node_info {
	const char *name;
	const char *sentence; /* what the node does */
	bool source;
	unsigned n_next;
	const char *next[GRAPH_NEXT_MAX];
	uint64_t calls, packets;
	uint64_t cycles;   /* estimated from one walk in sixteen */
	uint64_t reallocs; /* stays 0 */
};

/* Registers all nodes with rte_graph, once per process. 0 or -errno. After EAL, boot only. */
int graph_register(void);

/* Makes the worker's graph and binds its nodes to the worker. 0 or -errno. Boot only. */
int graph_init(struct worker *w);
void graph_fini(struct worker *w);

/* Nodes in packet order, without a worker (w NULL): the map with zero counts. With one: its counts.
 * Returns how many were written to out, at most max. Control core; reading is free. */
unsigned graph_nodes(const struct worker *w, struct graph_node_info *out, unsigned max);
