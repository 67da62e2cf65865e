/* The security association database, reader's side: SAs by handle, and inbound ones by SPI,
 * protocol and destination (RFC 4301 section 4.1). Lives as long as the daemon; SAs come and go
 * under RCU: a worker uses a pointer within one walk, and keeps the handle for longer. A lookup
 * costs the same for one SA and for 100,000. Writer: sad_write.h (control core).
 */
#pragma once

#include "table/sa.h"

#include <rte_hash.h>

struct sad_key { /* 32 bytes: rte_hash compares those in one go */
	struct addr dst;
	rte_be32_t spi;
	uint32_t proto;
	uint32_t zero[2];
};

struct sad {
	struct rte_hash *hash; /* struct sad_key -> handle; lock-free readers */
	uint32_t max;          /* indices 1 to max */
	unsigned n_workers;
	/* writer: control core (release); readers: workers (acquire) */
	_Atomic(struct sa *) *slot; /* [max + 1]; NULL: free */
	/* Outbound SAs in use: [tunnel * n_workers + worker], the handle of ESP's in the low half,
	 * of AH's in the high half; SA_NONE: none. With fewer SAs than workers, several workers
	 * have the same one. writer: control core (release) */
	_Atomic uint64_t *out;
	/* writer: control core; readers: workers. Rises when an SA is deleted or a tunnel's
	 * outbound SA changes, before the slot is used again: what was remembered is forgotten. */
	_Atomic uint32_t epoch;
};

/* The SA of a handle, or NULL when it is gone. Worker within a walk, or control core. */
static inline struct sa *sad_get(const struct sad *s, uint32_t handle)
{
	struct sa *sa = atomic_load_explicit(&s->slot[SA_INDEX(handle)], memory_order_acquire);

	return sa && sa->handle == handle ? sa : NULL;
}

/* Handle of an inbound SA; SA_NONE: there is none. Worker, within a walk, or control core. */
static inline uint32_t sad_find(
	const struct sad *s, rte_be32_t spi, uint8_t proto, const struct addr *dst)
{
	struct sad_key key = {.dst = *dst, .spi = spi, .proto = proto};
	void *data;

	return rte_hash_lookup_data(s->hash, &key, &data) < 0 ? SA_NONE : (uint32_t)(uintptr_t)data;
}

#define SAD_BURST_MAX 64

/* The same for n packets (n <= SAD_BURST_MAX), whose lookups go side by side: where there are many
 * SAs, one misses the cache while the next is on its way. zero of each key is 0. */
static inline void sad_find_burst(
	const struct sad *s, const struct sad_key *const key[], uint32_t handle[], unsigned n)
{
	void *data[SAD_BURST_MAX];
	uint64_t hits = 0;

	/* fails for bad arguments only: then none is found */
	if (rte_hash_lookup_bulk_data(s->hash, (const void **)(uintptr_t)key, n, &hits, data) < 0)
		hits = 0;
	for (unsigned i = 0; i < n; i++)
		handle[i] = hits >> i & 1 ? (uint32_t)(uintptr_t)data[i] : SA_NONE;
}

/* Handles of the outbound SAs that this worker sends by: ESP's in the low half, AH's in the high
 * half. */
static inline uint64_t sad_out(const struct sad *s, uint16_t tunnel, unsigned worker)
{
	return atomic_load_explicit(
		&s->out[(size_t)tunnel * s->n_workers + worker], memory_order_acquire);
}
