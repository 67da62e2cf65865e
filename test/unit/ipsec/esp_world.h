/* What the tests of ESP and AH share: pairs of SAs, random packets of both families, and packets as
 * the RFCs describe them, put together byte by byte and sealed by OpenSSL (oracle.h). One thread.
 */
#pragma once

#include "../table/eal.h"
#include "base/random.h"
#include "ipsec/ah.h"
#include "oracle.h"

#include <rte_ip.h>
#include <rte_malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 4096
#define WORLD_SPI 0x12345678

static struct rte_mempool *world_pool;
static struct mb *world_mb;
static struct random world_random;
static uint64_t world_seed;

/* Both ends of one SA. */
struct pair {
	struct suite suite;
	uint8_t key[SUITE_KEY_MAX];
	struct tunnel tunnel;
	struct sa *out, *in;
	uint64_t *bitmap;
};

/* Bytes of a packet, from its IP header on. */
struct bytes {
	unsigned len;
	uint8_t b[ROOM];
};

static inline uint32_t below(uint32_t n)
{
	return (uint32_t)random_between(&world_random, 0, n - 1);
}

static inline void fill(uint8_t *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to[i] = (uint8_t)random_next(&world_random);
}

static inline void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static inline unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static inline void checksum4(uint8_t *ip)
{
	uint16_t sum;

	put16(ip + 10, 0);
	sum = (uint16_t)~rte_raw_cksum(ip, (ip[0] & 15u) * 4);
	memcpy(ip + 10, &sum, sizeof(sum));
}

static inline struct tunnel world_tunnel(bool outer6, uint8_t flags)
{
	struct tunnel t = {.id = 1,
		.flags = (uint8_t)(TUNNEL_UP | flags),
		.df = TUNNEL_COPY,
		.dscp_copy = 1,
		.ecn = 1,
		.ttl = 64,
		.local_port = RTE_BE16(4500),
		.remote_port = RTE_BE16(4501),
		.local = addr_of4(0xc0000201),
		.remote = addr_of4(0xc6336407)};

	if (outer6) {
		addr_parse("2001:db8::1", &t.local);
		addr_parse("2001:db8:ff::7", &t.remote);
	}
	return t;
}

static inline struct sa *world_sa(const struct pair *p, uint8_t proto, uint8_t flags)
{
	struct sa *sa = rte_zmalloc("sa", sizeof(*sa), RTE_CACHE_LINE_SIZE);

	assert_non_null(sa);
	sa->spi = RTE_BE32(WORLD_SPI);
	sa->proto = proto;
	sa->flags = (uint8_t)(flags | (p->suite.aead ? SA_AEAD : 0));
	sa->enc = p->suite.enc;
	sa->integ = p->suite.integ;
	sa->iv_len = p->suite.iv_len;
	sa->icv_len = p->suite.icv_len;
	sa->block = p->suite.block;
	sa->hard_packets = sa->hard_bytes = UINT64_MAX;
	sa_template(sa, &p->tunnel);
	assert_int_equal(mb_expand(sa, &p->suite, p->key), 0);
	return sa;
}

/* window 0: none; flags: SA_ESN or 0 */
static inline struct pair pair_new(const struct suite *s, const struct tunnel *t, uint8_t proto,
	uint8_t flags, uint32_t window)
{
	struct pair p = {.suite = *s, .tunnel = *t};

	fill(p.key, sizeof(p.key));
	p.out = world_sa(&p, proto, flags);
	p.in = world_sa(&p, proto, flags | SA_IN);
	p.in->window = window;
	if (window)
		p.bitmap = p.in->bitmap = rte_zmalloc(NULL, 8 * sa_window_words(window), 64);
	return p;
}

static inline struct pair pair_named(
	const char *name, const struct tunnel *t, uint8_t proto, uint8_t flags, uint32_t window)
{
	struct suite s;
	char why[100];

	if (!suite_parse(name, proto, &s, why, sizeof(why)))
		fail_msg("%s: %s", name, why);
	return pair_new(&s, t, proto, flags, window);
}

static inline void pair_free(struct pair *p)
{
	rte_free(p->out);
	rte_free(p->in);
	rte_free(p->bitmap);
}

/* A random packet; head: bytes of its IP header and extension headers, proto_at: what names what is
 * behind them. */
struct inner {
	struct bytes p;
	bool ip6;
	unsigned head, proto_at;
};

/* IPv6 extension headers that may stand in front of ESP and AH, with options that may change on the
 * way and such that may not. */
static inline void extension_headers(struct inner *in)
{
	static const uint8_t hop_by_hop[8] = {0, 0, 5, 2, 0, 0, 1, 0};
	static const uint8_t destination[16] = {
		0, 1, 0x3e, 4, 9, 8, 7, 6, 0x1e, 4, 1, 2, 3, 4, 0, 0};
	uint8_t *at = in->p.b + 40;

	if (below(2)) {
		memcpy(at, hop_by_hop, 8);
		in->p.b[in->proto_at] = 0;
		in->proto_at = (unsigned)(at - in->p.b);
		at += 8;
	}
	if (below(2)) {
		memcpy(at, destination, 16);
		in->p.b[in->proto_at] = 60;
		in->proto_at = (unsigned)(at - in->p.b);
		at += 16;
	}
	in->head = (unsigned)(at - in->p.b);
}

/* len: of payload. options: IPv4 options or IPv6 extension headers at times. */
static inline struct inner random_inner(bool ip6, unsigned len, bool options)
{
	struct inner in = {.ip6 = ip6, .head = ip6 ? 40 : 20, .proto_at = ip6 ? 6 : 9};
	uint8_t *p = in.p.b;

	fill(p, 60);
	if (ip6) {
		p[0] = (uint8_t)(0x60 | (p[0] & 15));
		p[7] = 64;
		if (options)
			extension_headers(&in);
		put16(p + 4, in.head - 40 + len);
		p[in.proto_at] = 17;
	} else {
		if (options && below(2)) {
			/* record route, router alert, no-op, end */
			static const uint8_t some[16] = {
				7, 7, 8, 1, 2, 3, 4, 148, 4, 0, 0, 1, 1, 0};

			in.head += sizeof(some);
			memcpy(p + 20, some, sizeof(some));
		}
		p[0] = (uint8_t)(0x40 | in.head / 4);
		put16(p + 2, in.head + len);
		put16(p + 6, below(2) ? 0x4000 : 0);
		p[8] = 64;
		p[9] = 17;
		checksum4(p);
	}
	fill(p + in.head, len);
	in.p.len = in.head + len;
	return in;
}

static inline struct rte_mbuf *mbuf_of(const uint8_t *b, unsigned len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(world_pool);

	assert_non_null(m);
	m->data_off = 160; /* as behind an Ethernet header, and some */
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), b, len);
	return m;
}

static inline struct esp_packet packet_of(const struct inner *in, struct sa *sa)
{
	return (struct esp_packet){.m = mbuf_of(in->p.b, in->p.len),
		.sa = sa,
		.l4 = (uint16_t)in->head,
		.proto_at = (uint16_t)in->proto_at,
		.ip6 = in->ip6};
}

#define assert_bytes(m, want) assert_bytes_at(m, (want)->b, (want)->len, __FILE__, __LINE__)
static inline void assert_bytes_at(
	const struct rte_mbuf *m, const uint8_t *want, unsigned len, const char *file, int line)
{
	const uint8_t *got = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned i = 0;

	if (m->data_len != len || m->pkt_len != len) {
		print_error(
			"%s:%d: %u (%u) bytes, not %u\n", file, line, m->data_len, m->pkt_len, len);
		_fail(file, line);
	}
	while (i < len && got[i] == want[i])
		i++;
	if (i == len)
		return;
	print_error(
		"%s:%d: byte %u of %u is %02x, not %02x\n", file, line, i, len, got[i], want[i]);
	_fail(file, line);
}

/* The header of an ESP packet in plain, and what ESP carries. */
struct esp_spec {
	const struct pair *pair;
	struct bytes head; /* all that stands in front of ESP; its lengths are mended here */
	bool ip6, udp;
	uint64_t seq;
	const uint8_t *iv, *payload;
	unsigned len;  /* of payload */
	unsigned pad;  /* bytes of padding; UINT_MAX: as few as possible */
	int pad_wrong; /* that byte of it is wrong; -1: none */
	uint8_t pad_len_plus, next;
};

/* RFC 4303 section 2, in the order of its fields. */
static inline struct bytes esp_bytes(const struct esp_spec *s)
{
	const struct suite *suite = &s->pair->suite;
	struct bytes out = s->head, plain = {0};
	uint8_t *esp = out.b + out.len;
	struct oracle_message m = {.suite = suite,
		.key = s->pair->key,
		.proto = PROTO_ESP,
		.esn = s->pair->out->flags & SA_ESN,
		.seq_hi = (uint32_t)(s->seq >> 32),
		.aad = esp,
		.aad_len = 8,
		.iv = esp + 8,
		.text = plain.b};
	unsigned pad = s->pad;

	put32(esp, WORLD_SPI);
	put32(esp + 4, (uint32_t)s->seq);
	memcpy(esp + 8, s->iv, suite->iv_len);
	if (pad == UINT32_MAX)
		for (pad = 0; (s->len + pad + 2) % suite->block; pad++)
			;
	memcpy(plain.b, s->payload, s->len);
	for (unsigned i = 0; i < pad; i++)
		plain.b[s->len + i] = (uint8_t)(i + 1);
	if (s->pad_wrong >= 0)
		plain.b[s->len + (unsigned)s->pad_wrong] ^= 0x40;
	plain.b[s->len + pad] = (uint8_t)(pad + s->pad_len_plus);
	plain.b[s->len + pad + 1] = s->next;
	m.len = s->len + pad + 2;
	oracle_seal(&m, esp + 8 + suite->iv_len, esp + 8 + suite->iv_len + m.len);
	out.len += 8 + suite->iv_len + m.len + suite->icv_len;
	if (s->ip6) {
		put16(out.b + 4, out.len - 40);
	} else {
		put16(out.b + 2, out.len);
		checksum4(out.b);
	}
	if (s->udp)
		put16(esp - 4, out.len - (unsigned)(esp - 8 - out.b));
	return out;
}

static inline void world_up(void)
{
	const char *text = getenv("POSTERN_SEED");

	world_seed = text ? strtoull(text, NULL, 0) : 20261124;
	random_init(&world_random, world_seed);
	print_message("seed %llu\n", (unsigned long long)world_seed);
	eal_up();
	world_pool = rte_pktmbuf_pool_create("world", 1023, 0, 0, ROOM, SOCKET_ID_ANY);
	world_mb = mb_new(SOCKET_ID_ANY);
	if (world_pool == NULL || world_mb == NULL)
		exit(1);
}

/* Every buffer is back. */
static inline int world_down(void **state)
{
	assert_int_equal(rte_mempool_avail_count(world_pool), 1023);
	return 0;
}
