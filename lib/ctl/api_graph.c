/* show.graph: the nodes in packet order, what they cost, and a drawing of them. Control core. */
#include "ctl/api.h"

#include <stdlib.h>
#include <string.h>

#define NODES_MAX 128

static void add(struct graph_node_info *all, const struct graph_node_info *one, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		all[i].calls += one[i].calls;
		all[i].packets += one[i].packets;
		all[i].cycles += one[i].cycles;
		all[i].reallocs += one[i].reallocs;
	}
}

static json_t *node_json(const struct graph_node_info *n)
{
	json_t *next = json_array();

	for (unsigned i = 0; i < n->n_next && i < GRAPH_NEXT_MAX; i++)
		json_array_append_new(next, text_json(n->next[i]));
	return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:f, s:f, s:o}", //
		"name", text_json(n->name),                                    //
		"sentence", text_json(n->sentence),                            //
		"source", n->source,                                           //
		"next", next,                                                  //
		"calls", api_u64(n->calls),                                    //
		"packets", api_u64(n->packets),                                //
		"cycles", api_u64(n->cycles),                                  //
		"cycles_per_packet", n->packets ? (double)n->cycles / (double)n->packets : 0.0,
		"packets_per_call", n->calls ? (double)n->packets / (double)n->calls : 0.0,
		"reallocs", api_u64(n->reallocs));
}

/* The map as Graphviz text. */
static json_t *dot(const struct graph_node_info *node, unsigned n)
{
	static char buf[64 * 1024]; /* control core only; far more than the map needs */
	struct text t;

	text_init(&t, buf, sizeof(buf));
	text_add(&t, "digraph postern {\n\tnode [shape=box, fontname=\"sans-serif\"];\n");
	for (unsigned i = 0; i < n; i++) {
		text_add(&t, "\t\"%s\"%s;\n", node[i].name, node[i].source ? " [style=bold]" : "");
		for (unsigned k = 0; k < node[i].n_next && k < GRAPH_NEXT_MAX; k++)
			text_add(&t, "\t\"%s\" -> \"%s\"%s;\n", node[i].name, node[i].next[k],
				strcmp(node[i].next[k], "drop") == 0 ? " [color=gray]" : "");
	}
	text_add(&t, "}\n");
	return text_json(buf);
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	struct graph_node_info *all = calloc(2 * NODES_MAX, sizeof(*all));
	unsigned n, workers = api_workers_n(env);
	json_t *nodes;

	if (all == NULL)
		return NULL;
	n = graph_nodes(NULL, all, NODES_MAX);
	for (unsigned w = 0; w < workers; w++) {
		if (env->worker[w]->graph == NULL)
			continue;
		memset(all + NODES_MAX, 0, NODES_MAX * sizeof(*all));
		add(all, all + NODES_MAX,
			RTE_MIN(n, graph_nodes(env->worker[w], all + NODES_MAX, NODES_MAX)));
	}
	nodes = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(nodes, node_json(&all[i]));
	nodes = json_pack("{s:o, s:I, s:o}", "nodes", nodes, "workers", (json_int_t)workers, "dot",
		dot(all, n));
	free(all);
	return nodes;
}

const struct api_method api_graph = {.name = "show.graph", .run = run};
