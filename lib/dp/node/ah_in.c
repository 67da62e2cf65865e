/* AH (RFC 4302), inbound. See sa_in.c. Worker.
 */
#include "dp/node/ipsec.h"

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	return sa_in(graph, node, objs, nb_objs, PROTO_AH);
}

const struct node node_ah_in = {
	.name = "ah_in",
	.sentence = "takes AH off packets, which begin their way anew; the worker that owns the SA "
		    "does it",
	.process = process,
	.n_next = SA_IN_EDGES,
	.next = {[SA_IN_IP4_INPUT] = "ip4_input",
		[SA_IN_IP6_INPUT] = "ip6_input",
		[SA_IN_DROP] = "drop",
		[SA_IN_PORT_TX] = "port_tx"},
};
