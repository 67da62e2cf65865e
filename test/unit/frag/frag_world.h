/* What the tests of lib/frag share: a pool of buffers, fragments of either family built by hand, a
 * table whose drops are counted, and the question whether every buffer is back. One thread.
 */
#pragma once

#include "eal.h"
#include "frag/frag.h"

#include <rte_ip.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WORLD_BUFFERS 2047
#define WORLD_TIMEOUT 1000

static struct rte_mempool *world_pool;
static struct frag_table *world_table;
static unsigned world_dropped[FRAG_WHY_N], world_first_dropped;

/* A fragment: so much of the payload of one datagram. */
struct spec {
	unsigned family;  /* 4 or 6 */
	uint8_t src, dst; /* last bytes of the addresses; IPv6: of the first half too */
	uint32_t id;
	uint8_t proto, ecn;
	unsigned first, len;
	bool more;
	const uint8_t *payload; /* of the datagram */
	const uint8_t *options; /* IPv4: options; IPv6: headers in front of the fragment header */
	unsigned options_len;
	uint8_t options_kind; /* IPv6 */
};

static inline void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline struct rte_mbuf *make(const struct spec *s)
{
	unsigned hdr = (s->family == 4 ? 20 : 48) + s->options_len;
	struct rte_mbuf *m = rte_pktmbuf_alloc(world_pool);
	uint16_t sum;
	uint8_t *p;

	assert_non_null(m);
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(hdr + s->len));
	assert_non_null(p);
	memset(p, 0, hdr);
	if (s->family == 4) {
		p[0] = (uint8_t)(0x40 | hdr / 4);
		p[1] = s->ecn;
		put16(p + 2, hdr + s->len);
		put16(p + 4, s->id);
		put16(p + 6, s->first / 8 | (s->more ? 0x2000 : 0));
		p[8] = 64;
		p[9] = s->proto;
		p[15] = s->src;
		p[19] = s->dst;
		if (s->options_len)
			memcpy(p + 20, s->options, s->options_len);
		sum = (uint16_t)~rte_raw_cksum(p, hdr);
		memcpy(p + 10, &sum, sizeof(sum));
	} else {
		p[0] = 0x60;
		p[1] = (uint8_t)(s->ecn << 4);
		put16(p + 4, hdr + s->len - 40);
		p[6] = s->options_len ? s->options_kind : 44;
		p[7] = 64;
		p[15] = p[23] = s->src;
		p[39] = s->dst;
		if (s->options_len)
			memcpy(p + 40, s->options, s->options_len);
		p += hdr - 8;
		p[0] = s->proto;
		put16(p + 2, s->first | s->more);
		put16(p + 4, s->id >> 16);
		put16(p + 6, s->id & 0xffff);
		p -= hdr - 8;
	}
	if (s->len)
		memcpy(p + hdr, s->payload + s->first, s->len);
	return m;
}

static inline struct rte_mbuf *add(const struct spec *s, uint64_t now, unsigned *merged)
{
	return (s->family == 4 ? frag4_add : frag6_add)(world_table, make(s), 0, now, merged);
}

static inline void count_drop(void *arg, struct rte_mbuf *m, enum frag_why why, bool first)
{
	world_dropped[why]++;
	world_first_dropped += first;
	rte_pktmbuf_free(m);
}

static inline void table_up(
	uint32_t datagrams, uint32_t buffers, uint32_t per_source, uint16_t fragments)
{
	const struct frag_limits limits = {per_source, fragments, WORLD_TIMEOUT};

	world_table = frag_new(datagrams, buffers, SOCKET_ID_ANY, count_drop, NULL);
	assert_non_null(world_table);
	frag_set_limits(world_table, &limits);
	memset(world_dropped, 0, sizeof(world_dropped));
	world_first_dropped = 0;
}

/* Frees the table; every buffer must be back. */
static inline void table_down(void)
{
	frag_free(world_table);
	assert_int_equal(rte_mempool_avail_count(world_pool), WORLD_BUFFERS);
}

/* Exactly so many fragments were dropped since the last look, all for that reason. */
#define expect_dropped(why, n) expect_dropped_at(why, n, __FILE__, __LINE__)
static inline void expect_dropped_at(enum frag_why why, unsigned n, const char *file, int line)
{
	for (enum frag_why i = 0; i < FRAG_WHY_N; i++) {
		if (world_dropped[i] == (i == why ? n : 0))
			continue;
		fprintf(stderr, "%s:%d: reason %u: %u dropped\n", file, line, i, world_dropped[i]);
		_fail(file, line);
	}
	memset(world_dropped, 0, sizeof(world_dropped));
}

/* The bytes of a packet, whatever its segments; also checks that these add up. */
static inline unsigned bytes_of(const struct rte_mbuf *m, uint8_t *out)
{
	unsigned n = 0, segs = 0;

	for (const struct rte_mbuf *s = m; s; s = s->next) {
		memcpy(out + n, rte_pktmbuf_mtod(s, const uint8_t *), s->data_len);
		n += s->data_len;
		segs++;
	}
	assert_int_equal(n, m->pkt_len);
	assert_int_equal(segs, m->nb_segs);
	return n;
}

static inline void world_up(void)
{
	eal_up();
	world_pool = rte_pktmbuf_pool_create(
		"world", WORLD_BUFFERS, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	if (world_pool == NULL)
		exit(1);
}
