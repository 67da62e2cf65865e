/* Every node's definition, for graph.c, and what nodes share about each other. */
#pragma once

#include "dp/node.h"
#include "frag/frag.h"

extern const struct node node_port_rx, node_handoff_rx, node_inject_rx, node_neigh_ready;
extern const struct node node_spread, node_fast_path, node_eth_input, node_arp_input;
extern const struct node node_ip4_input;
extern const struct node node_ip_route, node_acl_in, node_ip_local, node_icmp4_echo;
extern const struct node node_ip6_input, node_nd_input, node_icmp6_echo, node_icmp6_error;
extern const struct node node_icmp4_error, node_acl_out, node_ip_output, node_neigh_wait;
extern const struct node node_reassemble, node_reassemble_expire;
extern const struct node node_policy_in, node_policy_out, node_protect;
extern const struct node node_esp_in, node_ah_in, node_esp_out, node_ah_out;
extern const struct node node_port_tx, node_drop_node; /* node_drop is a function */

/* --- acl_log.c: the filter log, worker's side */

/* Writes a record for the packet (at its IP header), unless the rate is exceeded: then it is
 * counted. verdict: UINT32_MAX when no rule is concerned. */
void acl_log(struct worker *w, struct rte_mbuf *m, uint8_t dir, uint32_t verdict,
	enum drop_reason reason);

/* --- spread.c */

/* For a valid fragment as received, at its IP header: does it belong to another worker, whatever
 * queue the device put it into? Then it is a frame again, and goes to node spread. */
bool spread_fragment(const struct worker *w, struct rte_mbuf *m, struct meta *meta);

/* --- neigh_wait.c: packets that wait for their neighbour. Worker only. */

struct neigh_wait *neigh_wait_new(int socket);
void neigh_wait_free(struct neigh_wait *nw); /* and the packets in it; NULL is permitted */

/* Packets wait for that neighbour: a later one must queue behind them. */
bool neigh_wait_has(const struct neigh_wait *nw, uint16_t iface, const struct addr *addr);
/* An order of the control core: the neighbour is settled. */
void neigh_wait_settle(
	struct neigh_wait *nw, uint16_t iface, const struct addr *addr, enum neigh_outcome outcome);
/* Takes up to n packets that go on now; fate: DROP_NONE to be sent, or the reason why not. Called
 * until it returns 0. */
unsigned neigh_wait_take(struct worker *w, struct rte_mbuf **m, unsigned n, enum drop_reason *fate);

/* --- reassemble.c: datagrams for us of which fragments are missing. Worker only, but for the first
 * two: boot and end. */

int reassembly_new(struct worker *w); /* 0 or -ENOMEM */
void reassembly_free(struct worker *w);
struct frag_table *reassembly_table(const struct worker *w);
/* Up to n first fragments whose time is over; the others of their datagrams are dropped. */
unsigned reassembly_expired(struct worker *w, struct rte_mbuf *m[], unsigned n);
/* Anything waits: fragments, or datagrams that were given up. */
static inline bool reassembly_waits(const struct worker *w)
{
	return w->stats.frag_waiting != 0 || frag_table_stats(reassembly_table(w))->waiting != 0;
}
