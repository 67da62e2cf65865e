/* One worker: what its nodes share. Owned by the worker's thread; the control core reads the
 * counters (they only rise) and writes nothing but what is marked so. app/posternd/worker.c runs
 * the loop.
 */
#pragma once

#include "base/bucket.h"
#include "dp/drop.h"
#include "dp/flow_cache.h"
#include "dp/meta.h"
#include "frag/frag.h"
#include "ipsec/mb.h"
#include "link/handoff.h"
#include "link/msg.h"
#include "table/acl_memo.h"
#include "table/root.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_graph.h>
#include <rte_rcu_qsbr.h>
#include <stdatomic.h>

#define WORKER_RXQ_MAX 64
#define WALK_PACKETS_MAX 256    /* of all sources in one walk: what nodes and streams hold */
#define WALK_FRAGMENTS_MAX 1024 /* made in one walk, beside those */
#define SAMPLES_PER_REASON 4
#define SAMPLE_BYTES 128
#define GAP_SECONDS 64

enum worker_idle { WORKER_POLL, WORKER_SLEEP, WORKER_INTERRUPT };

/* Shared by all workers; the control core writes. */
struct dp_shared {
	_Atomic(const struct root *) root;  /* writer: control core (release); readers: workers */
	struct rte_rcu_qsbr *qsv;           /* one thread id per worker */
	_Atomic uint8_t link_up[PORTS_MAX]; /* writer: control core */
	_Atomic bool stop;                  /* writer: control core: workers drain and return */
	struct handoff handoff;
	unsigned n_workers;
	uint32_t n_counters; /* capacity of each worker's rule counters */
	uint32_t reassembly_datagrams, reassembly_buffers; /* of each worker; set at boot */
	uint64_t tsc_hz;
	/* wall clock = wall_ns + (tsc - wall_tsc) / hz; set at boot */
	uint64_t wall_ns, wall_tsc;
	/* what an idle worker does; set at boot */
	enum worker_idle idle;
	uint32_t idle_after_us, idle_sleep_us;
};

struct rule_counter {
	uint64_t packets, bytes;
};

struct port_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* The conservation law, summed over workers:
 * received + injected + created = sent + punted + dropped + absorbed + in flight. */
struct worker_stats {
	uint64_t received; /* from ports */
	uint64_t injected; /* from the control core */
	/* ICMP errors (their offender is dropped); fragments but the first of a packet cut */
	uint64_t created;
	uint64_t sent;
	uint64_t punted;
	/* fragments but the first of a datagram put together; the three below */
	uint64_t absorbed;
	uint64_t esp_dummies;    /* RFC 4303 section 2.6 */
	uint64_t nat_keepalives; /* RFC 3948 section 2.3 */
	uint64_t path_mtu_told;  /* RFC 4301 section 8.2: errors that the control core judges */
	uint64_t drops[DROP_N];
	uint64_t handoff_out[HANDOFF_KINDS], handoff_in[HANDOFF_KINDS];
	uint64_t icmp_errors_sent,
		icmp_errors_limited; /* limited: rate, or no answer is permitted */
	uint64_t exempt; /* that the filter did not see: our own errors, neighbour discovery */
	uint64_t log_left_out;
	uint64_t neigh_waiting; /* packets that wait now (a gauge, part of in flight) */
	uint64_t frag_waiting;  /* likewise: fragments of datagrams that are not whole yet */
	uint64_t packets_cut;   /* packets sent as fragments */
	uint64_t walks, busy_walks, busy_cycles, sleeps;
	uint64_t orders;
	struct port_counters port[PORTS_MAX];
};

/* One dropped packet, for show drops --sample. Writer: worker. The sequence is odd while it is
 * written (release); a reader that sees it change takes the sample again. */
struct drop_sample {
	_Atomic uint32_t seq; /* 0: never written */
	uint16_t len;  /* of the frame from its Ethernet header, or of the packet from l3 on */
	uint16_t kept; /* bytes in data */
	uint64_t wall_ns;
	uint16_t in_if, out_if;
	uint16_t l2_len; /* of data's Ethernet header; 0: data begins with the IP header */
	uint16_t pad;
	uint32_t generation, verdict; /* of filter drops: acl verdict; else UINT32_MAX */
	uint8_t data[SAMPLE_BYTES];
};

struct rxq {
	uint16_t port, queue;
	bool spread;      /* hand packets to workers by flow hash */
	uint16_t burst;   /* packets of the next poll: bounded by bytes too */
	uint32_t avg_len; /* moving average, bytes */
};

struct txq {
	uint16_t queue;
	uint16_t owner; /* worker that sends for us; ourselves where we have a queue */
};

struct neigh_wait; /* node/neigh_wait.c */
struct reassembly; /* node/reassemble.c */

struct worker {
	/* read within the walk */
	const struct root *root; /* read once per walk */
	uint64_t now_tsc;        /* start of the walk */
	struct dp_shared *shared;
	struct rule_counter *rule_counter; /* [shared->n_counters] */
	uint16_t id;
	uint16_t n_rxq;
	uint16_t burst_packets;
	uint32_t burst_bytes;
	struct rxq rxq[WORKER_RXQ_MAX];
	struct txq txq[PORTS_MAX];
	struct bucket icmp_error, icmp_echo, icmp6_error, icmp6_echo, arp_punt, log;
	struct bucket nd_ask, nd_tell;         /* neighbour discovery: solicitations, the others */
	struct bucket resolve[NEIGH_FAMILIES]; /* events */
	uint32_t log_pending_left_out;         /* since the last record */
	uint32_t policy_generation;            /* of the root the buckets were made from */
	uint16_t ip_id;                        /* of packets that we make */
	struct neigh_wait *neigh_wait;
	struct reassembly *reassembly;
	struct acl_memo *acl_memo;
	struct flow_cache *flow_cache;
	struct mb *mb;                   /* IPsec's ciphers; NULL: the CPU has not what they need */
	struct bucket acquire, path_mtu; /* events */
	struct rte_graph *graph;
	unsigned walk_packets;   /* that sources put into this walk, and pieces that protect cut */
	unsigned walk_fragments; /* that ip_output made in this walk */

	struct worker_stats stats;
	struct drop_sample (*sample)[SAMPLES_PER_REASON]; /* [DROP_N] */
	uint8_t sample_next[DROP_N];
	uint64_t sample_walk[DROP_N]; /* the walk that sample_left is about */
	uint8_t sample_left[DROP_N];  /* samples of a reason that this walk may still keep */

	/* gap[s % GAP_SECONDS]: longest time between two walks within second s of the TSC */
	struct {
		uint64_t second, cycles;
	} gap[GAP_SECONDS];
	uint64_t last_walk_tsc;

	struct link link;
	unsigned lcore;
	int socket;
	rte_graph_t graph_id;
} __rte_cache_aligned;

/* Memory of a worker that belongs to dp (counters, samples, wait queue). 0 or -ENOMEM; unwinds.
 * id, lcore, socket, shared and the rx/tx queues are set by the caller. Boot only. */
int worker_init(struct worker *w);
/* Frees it and every packet that still waits. After the worker stopped. */
void worker_fini(struct worker *w);

/* One round: orders, root, walk, quiescent. Returns packets that the sources brought. The worker's
 * thread (or a test's). */
unsigned worker_walk(struct worker *w);

/* What became of fragments for us; NULL for a worker that worker_init has not made. Any thread. */
const struct frag_stats *worker_fragments(const struct worker *w);

static inline uint64_t worker_wall_ns(const struct worker *w)
{
	const struct dp_shared *s = w->shared;

	return s->wall_ns +
	       (uint64_t)((unsigned __int128)(w->now_tsc - s->wall_tsc) * 1000000000 / s->tsc_hz);
}

/* How many packets a source may still put into this walk, at most `most`. rte_graph calls the
 * sources from the last of the map to the first: port_rx takes what the others leave. */
static inline unsigned worker_room(const struct worker *w, unsigned most)
{
	return RTE_MIN(most, WALK_PACKETS_MAX - w->walk_packets);
}

/* Counts one packet as dropped for reason and keeps a sample of it; the packet is not freed. Its
 * metadata says where its headers are (META_FRAMED, l2_len). */
void worker_drop_account(struct worker *w, struct rte_mbuf *m, enum drop_reason reason);
