/* THE MAP: every node, in packet order. Registered by name here, and not by constructors, so that
 * the way of a packet can be read off this list; docs/packet-walk.md is drawn from it.
 */
#include "dp/node/nodes.h"

#include <errno.h>
#include <rte_graph.h>
#include <stdio.h>

const struct node *const node_map[] = {
	/* sources */
	&node_port_rx,
	&node_handoff_rx,
	&node_inject_rx,
	&node_neigh_ready,
	&node_reassemble_expire,
	/* in */
	&node_spread,
	&node_fast_path,
	&node_eth_input,
	&node_arp_input,
	&node_ip4_input,
	&node_ip6_input,
	&node_nd_input,
	&node_ip_route,
	&node_acl_in,
	&node_policy_in,
	/* for us, and what we answer */
	&node_reassemble,
	&node_ip_local,
	&node_esp_in,
	&node_ah_in,
	&node_icmp4_echo,
	&node_icmp6_echo,
	&node_icmp4_error,
	&node_icmp6_error,
	/* out */
	&node_policy_out,
	&node_acl_out,
	&node_protect,
	&node_esp_out,
	&node_ah_out,
	&node_ip_output,
	&node_neigh_wait,
	&node_port_tx,
	&node_drop_node,
};
const unsigned node_map_n = RTE_DIM(node_map);

static int register_node(const struct node *n)
{
	/* ends in a flexible array, the names of the next nodes */
	struct rte_node_register *r = calloc(1, sizeof(*r) + sizeof(n->next));
	int ok;

	if (r == NULL)
		return -ENOMEM;
	snprintf(r->name, sizeof(r->name), "%s", n->name);
	r->flags = n->source ? RTE_NODE_SOURCE_F : 0;
	r->process = n->process;
	r->nb_edges = (uint16_t)n->n_next;
	memcpy(r->next_nodes, n->next, n->n_next * sizeof(n->next[0]));
	ok = __rte_node_register(r) != RTE_NODE_ID_INVALID;
	free(r); /* rte_graph keeps a copy */
	return ok ? 0 : -ENOMEM;
}

int graph_register(void)
{
	static bool done;
	int ret;

	for (unsigned i = 0; !done && i < node_map_n; i++) {
		ret = register_node(node_map[i]);
		if (ret < 0)
			return ret;
	}
	done = true;
	return 0;
}

/* The nodes that see a packet after ip_output has cut it. */
static bool fragments_reach(const struct rte_node *node)
{
	return strcmp(node->name, node_port_tx.name) == 0 ||
	       strcmp(node->name, node_drop_node.name) == 0;
}

int graph_init(struct worker *w)
{
	const char *pattern[RTE_DIM(node_map)];
	struct rte_graph_param param = {.socket_id = w->socket,
		.nb_node_patterns = RTE_DIM(node_map),
		.node_patterns = pattern};
	char name[RTE_GRAPH_NAMESIZE];
	struct rte_node *node;
	rte_graph_off_t off;
	rte_node_t count;

	for (unsigned i = 0; i < RTE_DIM(node_map); i++)
		pattern[i] = node_map[i]->name;
	snprintf(name, sizeof(name), "worker-%u", w->id);
	w->graph_id = rte_graph_create(name, &param);
	if (w->graph_id == RTE_GRAPH_ID_INVALID)
		return -rte_errno;
	w->graph = rte_graph_lookup(name);
	rte_graph_foreach_node(count, off, w->graph, node)
	{
		*node_ctx(node) = (struct node_ctx){.worker = w};
		/* room for all that a walk may bring, so that no stream grows later */
		__rte_node_stream_alloc_size(w->graph, node,
			2 * WALK_PACKETS_MAX + (fragments_reach(node) ? WALK_FRAGMENTS_MAX : 0));
		node->realloc_count = 0;
	}
	return 0;
}

void graph_fini(struct worker *w)
{
	if (w->graph)
		rte_graph_destroy(w->graph_id);
	w->graph = NULL;
}

/* Cycles of all calls, from those of every WALKS_PER_TIMED-th walk. */
static uint64_t cycles(const struct rte_node *node)
{
	uint64_t timed = ((const struct node_ctx *)node->ctx)->timed_packets;

	if (timed == 0)
		return node->total_cycles * WALKS_PER_TIMED;
	return (uint64_t)((unsigned __int128)node->total_cycles * node->total_objs / timed);
}

unsigned graph_nodes(const struct worker *w, struct graph_node_info *out, unsigned max)
{
	unsigned n = RTE_MIN(max, node_map_n);

	for (unsigned i = 0; i < n; i++) {
		const struct node *def = node_map[i];
		const struct rte_node *node =
			w && w->graph ? rte_graph_node_get_by_name(w->graph->name, def->name)
				      : NULL;

		out[i] = (struct graph_node_info){.name = def->name,
			.sentence = def->sentence,
			.source = def->source,
			.n_next = def->n_next};
		memcpy(out[i].next, def->next, sizeof(out[i].next));
		if (node) {
			out[i].calls = node->total_calls;
			out[i].packets = node->total_objs;
			out[i].cycles = cycles(node);
			out[i].reallocs = node->realloc_count;
		}
	}
	return n;
}
