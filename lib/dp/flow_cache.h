/* What a worker remembers of flows that it forwarded: where the packets of a flow go and which
 * rules permitted them, so that the next ones skip routing and filter. Exact, since all of that
 * depends on what is in the key and on the tables alone; an entry is good for one serial, and the
 * serial rises when the tables or the identity of a neighbour change.
 *
 * Only whole packets that were permitted without a log record are remembered, on their way out by a
 * neighbour, into a tunnel of ESP, or to us as ESP. What came out of a tunnel has its SA in the key
 * in place of its interface, so that whatever the policies say depends on the key as well. One per
 * worker, read (node fast_path) and written (node ip_output) by it alone.
 */
#pragma once

#include "dp/meta.h"
#include "table/root.h"

#include <rte_prefetch.h>
#include <smmintrin.h>

#define FLOW4_BITS 15 /* sets of two entries, a cache line: 2 MiB */
#define FLOW6_BITS 14 /* sets of two entries, two cache lines: 2 MiB */

/* Where most packets are of new flows (a scan, a flood), looking them up and learning them would
 * cost a third more than it saves: the cache is then left alone for a while. The judgement looks
 * back over twice as many packets as there are entries, so that any number of flows that fits is
 * found. */
#define FLOW_JUDGE_AFTER 131072
#define FLOW_REST 1048576 /* packets */

struct worker;

/* What the cache says of a flow. */
struct flow_way {
	uint32_t serial;                  /* of the tables it was learned from; 0: empty */
	uint32_t neigh;                   /* index of the neighbour it goes to */
	uint32_t counter_in, counter_out; /* of the rules that permitted it */
};

/* What .neigh says of a flow that goes to no neighbour: into a tunnel, or to esp_in. */
#define FLOW_SPECIAL 0x80000000u
#define FLOW_ESP_IN (FLOW_SPECIAL | 0x40000000u)
#define FLOW_IFACE_AT 16 /* into a tunnel: its id, and the interface that the route says */
_Static_assert(IFACES_MAX <= 1u << 14, "an id between the flags and the tunnel");

struct flow4 {
	uint64_t key[2]; /* flow_rest(); source and destination as they lie in the header */
	struct flow_way way;
};
_Static_assert(sizeof(struct flow4) == 32, "two to a cache line");

struct flow6 {
	uint64_t key[5]; /* flow_rest(); source and destination as they lie in the header */
	struct flow_way way;
	uint64_t reserved;
};
_Static_assert(sizeof(struct flow6) == 64, "a cache line");

struct flow_cache {
	uint32_t serial; /* of the entries that are good; never 0 */
	/* that serial was made for: root->serial, epochs of the neighbours and of the SAD */
	uint32_t root, neigh, sad;
	uint32_t seen, missed; /* packets since the last judgement */
	uint32_t rest;         /* packets yet to go the long way, unlearned */
	uint64_t learned;      /* entries written: rises only */
	uint64_t hits;         /* packets sent on at once: rises only */
	struct flow4 set4[1u << FLOW4_BITS][2] __rte_cache_aligned;
	struct flow6 set6[1u << FLOW6_BITS][2] __rte_cache_aligned;
};

/* On the given NUMA socket. NULL when out of memory. Control core, at boot. */
struct flow_cache *flow_cache_new(int socket);
void flow_cache_free(struct flow_cache *c); /* NULL is permitted */

/* At the beginning of a walk: forgets everything if the tables are others than in the last one. */
void flow_cache_follow(struct flow_cache *c, const struct root *root);

/* A packet that was just framed by the chain of nodes: remembers its flow, if it is of that kind,
 * or with its SA where the SA's packets go. meta as it left ip_output. The owning worker. */
void flow_cache_learn(struct worker *w, const struct meta *meta);
/* The same for one that goes into a tunnel, as it leaves protect, and for ESP that is for us. */
void flow_cache_learn_tunnel(struct worker *w, const struct meta *meta);
void flow_cache_learn_esp(struct worker *w, const struct meta *meta);

/* What else tells flows apart: ports as they lie in the packet (or ICMP type and code, or 0),
 * protocol, TCP's ACK bit, interface. */
static inline uint64_t flow_rest(uint32_t ports, uint8_t proto, bool ack, uint16_t in_if)
{
	return ports | (uint64_t)proto << 32 | (uint64_t)ack << 40 | (uint64_t)in_if << 48;
}

/* The same for what came out of an SA, whose index stands in place of the interface. */
static inline uint64_t flow_rest_sa(uint32_t ports, uint8_t proto, bool ack, uint32_t sa_index)
{
	return flow_rest(ports, proto, ack, 0) | UINT64_C(1) << 41 | (uint64_t)sa_index << 42;
}
_Static_assert(42 + SA_INDEX_BITS <= 64, "room for the index");

/* Somebody who knows the hash can make flows collide; they then go through all nodes, no worse than
 * without a cache. */
static inline unsigned flow4_set(const uint64_t key[2])
{
	uint64_t h = _mm_crc32_u64(_mm_crc32_u64(UINT32_MAX, key[1]), key[0]);

	return (unsigned)(h >> (32 - FLOW4_BITS));
}

static inline unsigned flow6_set(const uint64_t key[5])
{
	uint64_t a = _mm_crc32_u64(_mm_crc32_u64(UINT32_MAX, key[1]), key[2]);
	uint64_t b = _mm_crc32_u64(_mm_crc32_u64(0, key[3]), key[4]);

	return (unsigned)((_mm_crc32_u64(a, key[0]) ^ b) >> (32 - FLOW6_BITS));
}

/* Where the flow's entry would be, on its way into the cache. */
static inline const struct flow4 *flow4_where(const struct flow_cache *c, const uint64_t key[2])
{
	const struct flow4 *set = c->set4[flow4_set(key)];

	rte_prefetch0(set);
	return set;
}

static inline const struct flow6 *flow6_where(const struct flow_cache *c, const uint64_t key[5])
{
	const struct flow6 *set = c->set6[flow6_set(key)];

	rte_prefetch0(set);
	return set;
}

/* 0 when the 16 bytes are the same. */
static inline __m128i flow_differs(const void *a, const void *b)
{
	return _mm_xor_si128(_mm_loadu_si128(a), _mm_loadu_si128(b));
}

/* The entry is that flow's, and says just that. */
static inline bool flow4_is(
	const struct flow4 *e, const uint64_t key[2], const struct flow_way *way)
{
	__m128i d = _mm_or_si128(flow_differs(e->key, key), flow_differs(&e->way, way));

	return _mm_testz_si128(d, d);
}

static inline bool flow6_is(
	const struct flow6 *e, const uint64_t key[5], const struct flow_way *way)
{
	__m128i d = _mm_or_si128(flow_differs(e->key, key), flow_differs(&e->way, way));

	d = _mm_or_si128(d, flow_differs(e->key + 2, key + 2));
	return _mm_testz_si128(d, d) && e->key[4] == key[4];
}
_Static_assert(sizeof(struct flow_way) == 16, "compared at once");

/* What is known of the flow, in either entry of its set; or NULL. */
static inline const struct flow_way *flow4_find(
	const struct flow4 *set, const uint64_t key[2], uint32_t serial)
{
	for (const struct flow4 *e = set; e < set + 2; e++)
		if (e->way.serial == serial && memcmp(e->key, key, sizeof(e->key)) == 0)
			return &e->way;
	return NULL;
}

static inline const struct flow_way *flow6_find(
	const struct flow6 *set, const uint64_t key[5], uint32_t serial)
{
	for (const struct flow6 *e = set; e < set + 2; e++)
		if (e->way.serial == serial && memcmp(e->key, key, sizeof(e->key)) == 0)
			return &e->way;
	return NULL;
}
