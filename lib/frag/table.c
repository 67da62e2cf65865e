/* The reassembly table: datagrams found by their key, in the order in which they came, of all and
 * of each source. Everything is preallocated and linked by index. Worker; frag_new and frag_free on
 * the control core.
 */
#include "frag/parts.h"

#include <rte_malloc.h>
#include <string.h>
#include <sys/random.h>

/* Multilinear hashing with a secret from boot: whoever does not know it can't aim at a bucket. */
static uint32_t bucket_of(const struct frag_table *t, const uint64_t w[], unsigned n)
{
	uint64_t sum = t->secret[0];

	for (unsigned i = 0; i < n; i++)
		sum += t->secret[2 * i + 1] * (uint32_t)w[i] + t->secret[2 * i + 2] * (w[i] >> 32);
	return (uint32_t)(sum >> t->hash_shift);
}

static void link_all(struct frag_table *t)
{
	for (uint32_t i = 0; i < 1u << (64 - t->hash_shift); i++)
		t->bucket[i] = t->source_bucket[i] = NONE;
	for (uint32_t i = 0; i < t->n_datagrams; i++) {
		t->datagram[i].hash_next = i + 1 < t->n_datagrams ? i + 1 : NONE;
		t->source[i].hash_next = t->datagram[i].hash_next;
	}
	for (uint32_t i = 0; i < t->n_pieces; i++)
		t->piece[i].next = i + 1 < t->n_pieces ? i + 1 : NONE;
	t->oldest = t->newest = NONE;
}

struct frag_table *frag_new(
	uint32_t datagrams, uint32_t buffers, int socket, frag_drop_t drop, void *arg)
{
	struct frag_table *t = rte_zmalloc_socket("frag", sizeof(*t), 64, socket);
	unsigned bits = 1;

	if (t == NULL)
		return NULL;
	while (1u << bits < 2 * datagrams)
		bits++;
	t->hash_shift = 64 - bits;
	t->drop = drop;
	t->arg = arg;
	t->n_datagrams = datagrams;
	t->n_pieces = buffers;
	t->bucket = rte_malloc_socket("frag", sizeof(uint32_t) << bits, 64, socket);
	t->source_bucket = rte_malloc_socket("frag", sizeof(uint32_t) << bits, 64, socket);
	t->datagram = rte_zmalloc_socket("frag", datagrams * sizeof(*t->datagram), 64, socket);
	t->source = rte_zmalloc_socket("frag", datagrams * sizeof(*t->source), 64, socket);
	t->piece = rte_zmalloc_socket("frag", buffers * sizeof(*t->piece), 64, socket);
	if (t->bucket == NULL || t->source_bucket == NULL || t->datagram == NULL ||
		t->source == NULL || t->piece == NULL ||
		getrandom(t->secret, sizeof(t->secret), 0) != sizeof(t->secret)) {
		t->oldest = NONE;
		frag_free(t);
		return NULL;
	}
	link_all(t);
	return t;
}

void frag_free(struct frag_table *t)
{
	if (t == NULL)
		return;
	for (uint32_t i = t->oldest; i != NONE; i = t->datagram[i].newer)
		for (uint32_t p = t->datagram[i].head; p != NONE; p = t->piece[p].next)
			rte_pktmbuf_free(t->piece[p].m);
	rte_free(t->piece);
	rte_free(t->source);
	rte_free(t->datagram);
	rte_free(t->source_bucket);
	rte_free(t->bucket);
	rte_free(t);
}

void frag_set_limits(struct frag_table *t, const struct frag_limits *limits)
{
	t->limits = *limits;
}

const struct frag_stats *frag_table_stats(const struct frag_table *t)
{
	return &t->stats;
}

/* --- sources */

/* Whose datagram it is: the address, or its /64, of which one host may have all. */
static void source_key(const struct key *key, uint64_t w[2])
{
	w[0] = key->w[0];
	w[1] = key->family;
}

static uint32_t source_find(const struct frag_table *t, const uint64_t w[2], uint32_t bucket)
{
	uint32_t i = t->source_bucket[bucket];

	while (i != NONE && (t->source[i].w[0] != w[0] || t->source[i].w[1] != w[1]))
		i = t->source[i].hash_next;
	return i;
}

/* There is always a free one: no source is there without a datagram. */
static uint32_t source_new(struct frag_table *t, const uint64_t w[2], uint32_t bucket)
{
	uint32_t i = t->free_source;
	struct source *s = &t->source[i];

	t->free_source = s->hash_next;
	*s = (struct source){.w = {w[0], w[1]},
		.hash_next = t->source_bucket[bucket],
		.oldest = NONE,
		.newest = NONE};
	t->source_bucket[bucket] = i;
	return i;
}

static void source_del(struct frag_table *t, uint32_t i)
{
	struct source *s = &t->source[i];
	uint32_t *at = &t->source_bucket[bucket_of(t, s->w, 2)];

	while (*at != i)
		at = &t->source[*at].hash_next;
	*at = s->hash_next;
	s->hash_next = t->free_source;
	t->free_source = i;
}

/* --- datagrams */

void pieces_free(struct frag_table *t, struct datagram *d)
{
	if (d->n == 0)
		return;
	t->piece[d->tail].next = t->free_piece;
	t->free_piece = d->head;
	t->stats.fragments -= d->n;
	d->head = d->tail = NONE;
	d->n = 0;
	d->bytes = 0;
}

void datagram_empty(struct frag_table *t, struct datagram *d, enum frag_why why)
{
	for (uint32_t i = d->head; i != NONE; i = t->piece[i].next)
		t->drop(t->arg, t->piece[i].m, why, t->piece[i].first == 0);
	pieces_free(t, d);
}

void datagram_del(struct frag_table *t, struct datagram *d)
{
	uint32_t i = (uint32_t)(d - t->datagram);
	uint32_t *at = &t->bucket[bucket_of(t, d->key.w, KEY_WORDS)];
	struct source *s = &t->source[d->source];

	while (*at != i)
		at = &t->datagram[*at].hash_next;
	*at = d->hash_next;
	*(d->older == NONE ? &t->oldest : &t->datagram[d->older].newer) = d->newer;
	*(d->newer == NONE ? &t->newest : &t->datagram[d->newer].older) = d->older;
	*(d->src_older == NONE ? &s->oldest : &t->datagram[d->src_older].src_newer) = d->src_newer;
	*(d->src_newer == NONE ? &s->newest : &t->datagram[d->src_newer].src_older) = d->src_older;
	if (--s->n == 0)
		source_del(t, d->source);
	d->hash_next = t->free_datagram;
	t->free_datagram = i;
	t->stats.waiting--;
}

/* The datagram gives way. One that was given up before has been counted. */
static void give_up(struct frag_table *t, uint32_t i, enum frag_why why)
{
	struct datagram *d = &t->datagram[i];

	if (!d->dead)
		t->stats.failed[why]++;
	datagram_empty(t, d, why);
	datagram_del(t, d);
}

unsigned frag_expire(struct frag_table *t, uint64_t now, unsigned datagrams)
{
	unsigned n = 0;

	while (n < datagrams && t->oldest != NONE &&
		now - t->datagram[t->oldest].born_tsc >= t->limits.timeout_tsc) {
		give_up(t, t->oldest, FRAG_TIMEOUT);
		n++;
	}
	return n;
}

static struct datagram *datagram_new(
	struct frag_table *t, const struct key *key, uint32_t bucket, uint64_t now)
{
	uint64_t w[2];
	uint32_t i, source, source_bucket;
	struct datagram *d;
	struct source *s;

	source_key(key, w);
	source_bucket = bucket_of(t, w, 2);
	source = source_find(t, w, source_bucket);
	/* a reload may have lowered the limit: then one more goes than comes */
	for (unsigned k = 0; k < 2 && source != NONE && t->source[source].n >= t->limits.per_source;
		k++) {
		give_up(t, t->source[source].oldest, FRAG_SOURCE_LIMIT);
		source = source_find(t, w, source_bucket);
	}
	if (t->free_datagram == NONE) {
		give_up(t, t->oldest, FRAG_TABLE_FULL);
		source = source_find(t, w, source_bucket);
	}
	if (source == NONE)
		source = source_new(t, w, source_bucket);
	s = &t->source[source];
	i = t->free_datagram;
	d = &t->datagram[i];
	t->free_datagram = d->hash_next;
	*d = (struct datagram){.key = *key,
		.born_tsc = now,
		.hash_next = t->bucket[bucket],
		.older = t->newest,
		.newer = NONE,
		.src_older = s->newest,
		.src_newer = NONE,
		.source = source,
		.head = NONE,
		.tail = NONE};
	t->bucket[bucket] = i;
	*(t->newest == NONE ? &t->oldest : &t->datagram[t->newest].newer) = i;
	t->newest = i;
	*(s->newest == NONE ? &s->oldest : &t->datagram[s->newest].src_newer) = i;
	s->newest = i;
	s->n++;
	t->stats.waiting++;
	return d;
}

struct datagram *datagram_get(struct frag_table *t, const struct key *key, uint64_t now)
{
	uint32_t bucket = bucket_of(t, key->w, KEY_WORDS);
	uint32_t i = t->bucket[bucket];

	while (i != NONE && memcmp(&t->datagram[i].key, key, sizeof(*key)) != 0)
		i = t->datagram[i].hash_next;
	if (i != NONE && now - t->datagram[i].born_tsc >= t->limits.timeout_tsc) {
		give_up(t, i, FRAG_TIMEOUT); /* the sweep has not come to it yet */
		i = NONE;
	}
	return i == NONE ? datagram_new(t, key, bucket, now) : &t->datagram[i];
}

uint32_t piece_get(struct frag_table *t, const struct datagram *d)
{
	uint32_t i;

	while (t->free_piece == NONE) {
		i = t->oldest;
		if (&t->datagram[i] == d)
			i = d->newer;
		if (i == NONE)
			return NONE;
		give_up(t, i, FRAG_TABLE_FULL);
	}
	i = t->free_piece;
	t->free_piece = t->piece[i].next;
	return i;
}
