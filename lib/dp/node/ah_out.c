/* AH (RFC 4302), outbound. See sa_out.c. Worker.
 */
#include "dp/node/ipsec.h"

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	return sa_out(graph, node, objs, nb_objs, PROTO_AH);
}

const struct node node_ah_out = {
	.name = "ah_out",
	.sentence = "protects packets with AH; the worker that owns the SA does it",
	.process = process,
	.n_next = SA_OUT_AH_OUT,
	.next = {[SA_OUT_IP_ROUTE] = "ip_route",
		[SA_OUT_DROP] = "drop",
		[SA_OUT_PORT_TX] = "port_tx"},
};
