/* Fragments of both families: reassembly of what comes in, and cutting of what is too large for the
 * way out. Called by the nodes of lib/dp on a worker; each worker has a table of its own (all
 * fragments of a datagram reach one worker). Nothing is allocated after frag_new but packet buffers
 * from their pool; nothing reads a clock.
 *
 * Packets begin with their IP header and are as ip4_input or ip6_input have left them; all the same
 * every length is checked here before it is used.
 */
#pragma once

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define FRAG_TOTAL_MAX 65535      /* largest total length, and largest IPv6 payload */
#define FRAG_PER_DATAGRAM_MAX 256 /* upper bound of frag_limits.fragments */

/* Why the table gives a fragment up. All but FRAG_DUPLICATE and FRAG_INVALID end the datagram. */
enum frag_why {
	FRAG_INVALID,      /* of this fragment alone: can't be an honest one */
	FRAG_DUPLICATE,    /* of this fragment alone: it is there already, byte for byte */
	FRAG_OVERLAP,      /* RFC 5722 */
	FRAG_INCONSISTENT, /* the fragments disagree about where the datagram ends */
	FRAG_TOO_MANY,     /* more than frag_limits.fragments */
	FRAG_TOO_LONG,     /* it would have more than 65,535 bytes */
	FRAG_ECN,          /* congestion experienced beside not ECN-capable, RFC 3168 section 5.3 */
	FRAG_TIMEOUT,      /* the rest has not come in time */
	FRAG_SOURCE_LIMIT, /* gave way to a newer datagram of the same source */
	FRAG_TABLE_FULL,   /* gave way to a newer datagram */
	FRAG_WHY_N
};

struct frag_limits {
	uint32_t per_source;  /* incomplete datagrams of one source (IPv6: one /64), at least 1 */
	uint16_t fragments;   /* of one datagram, 2 to FRAG_PER_DATAGRAM_MAX */
	uint64_t timeout_tsc; /* cycles from the fragment that came first */
};

/* Counts datagrams; where a reason is about one fragment alone, fragments. Writer: the worker; any
 * thread may read. */
struct frag_stats {
	uint64_t waiting;   /* gauge: in the table, those given up (see frag_add) too */
	uint64_t fragments; /* gauge: fragments in the table */
	uint64_t done;
	uint64_t failed[FRAG_WHY_N];
};

struct frag_table;

/* Takes a fragment that the table gives up; m is the callee's. first: it has offset 0, so that an
 * ICMP error may quote it. */
typedef void (*frag_drop_t)(void *arg, struct rte_mbuf *m, enum frag_why why, bool first);

/* A table for so many datagrams at a time, which together hold at most so many packet buffers.
 * NULL: no memory. Boot only. */
struct frag_table *frag_new(
	uint32_t datagrams, uint32_t buffers, int socket, frag_drop_t drop, void *arg);
/* Frees it and the packets in it. NULL is permitted. After the worker stopped. */
void frag_free(struct frag_table *t);
/* Hold from the next fragment on. Worker. */
void frag_set_limits(struct frag_table *t, const struct frag_limits *limits);
const struct frag_stats *frag_table_stats(const struct frag_table *t);

/* Gives a fragment (one segment) to the table, which then owns it. Returns the whole datagram when
 * this was the last that was missing, with *merged set to the fragments that are in it; else NULL.
 * It begins with the first fragment's header, made that of a whole packet, and may have a segment
 * per fragment, the header and all that was in the first fragment in the first one. What is no
 * fragment, and an IPv6 atomic fragment (RFC 6946), comes back at once and alone.
 *
 * A datagram that is given up for what its own fragments say stays in the table without them until
 * its time is over, so that those that come later are dropped for the same reason (RFC 5722). When
 * the table or the share of packet buffers is full the oldest datagram gives way, and when a source
 * is at its limit its own oldest: to refuse the new one would let a few fragments in a minute keep
 * everybody else's out, while like this an attacker must send a table full in the milliseconds in
 * which an honest datagram arrives.
 *
 * realm: fragments of different ones are never put together, whatever their headers say: what came
 * out of a tunnel and what did not (RFC 4301 section 7). */
struct rte_mbuf *frag4_add(
	struct frag_table *t, struct rte_mbuf *m, uint16_t realm, uint64_t now, unsigned *merged);
struct rte_mbuf *frag6_add(
	struct frag_table *t, struct rte_mbuf *m, uint16_t realm, uint64_t now, unsigned *merged);

/* Gives up datagrams whose time is over, up to so many; how many. Looks at no other. Worker. */
unsigned frag_expire(struct frag_table *t, uint64_t now, unsigned datagrams);

/* --- cutting; no state, any thread */

/* Cuts a packet for a way of that MTU. Writes at most max fragments (each in one segment, with
 * the usual headroom in front; the first may be m itself) to out and returns how many; m is then
 * consumed. A packet that fits comes back whole, in one segment. Private areas of new buffers are
 * left to the caller. -ENOBUFS: its pool has no buffers left; -E2BIG: more than max; -EINVAL: not
 * to be cut (no whole header, or no room for data beside it); then m is as it was.
 *
 * IPv4, RFC 791 section 3.2: options are repeated where their copy bit says so; a fragment is cut
 * again. The caller has looked at the don't fragment bit. */
int frag4_cut(struct rte_mbuf *m, unsigned mtu, struct rte_mbuf *out[], unsigned max);
/* IPv6, RFC 8200 section 4.5: packets of our own alone, without extension headers before the data.
 * id: not to be guessed (RFC 7739). */
int frag6_cut(struct rte_mbuf *m, unsigned mtu, uint32_t id, struct rte_mbuf *out[], unsigned max);

/* Makes one segment of a packet, in its first buffer. -ENOSPC, with nothing changed, when it does
 * not fit: the buffers hold a frame of the largest port MTU. */
int frag_linearise(struct rte_mbuf *m);
/* Cuts the packet down to its first len bytes, or what of them fits in the first buffer, in one
 * segment. */
void frag_head(struct rte_mbuf *m, unsigned len);
