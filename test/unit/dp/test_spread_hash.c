/* The hash that spreads flows over workers: both directions of a flow, all fragments of a datagram
 * and frames with any tags agree; flows differ; nothing is read beyond the frame.
 */
#include "dp/spread_hash.h"
#include "wire/ip6.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 2000

struct frame {
	uint8_t b[256];
	unsigned len;
};

struct flow {
	bool v6;
	uint8_t src[16], dst[16], proto;
	uint16_t sport, dport;
};

static uint32_t rnd(void)
{
	return (uint32_t)random();
}

static void put16(struct frame *f, unsigned v)
{
	f->b[f->len++] = (uint8_t)(v >> 8);
	f->b[f->len++] = (uint8_t)v;
}

static void put(struct frame *f, const void *from, unsigned n)
{
	memcpy(f->b + f->len, from, n);
	f->len += n;
}

static struct flow any_flow(bool v6)
{
	struct flow f = {.v6 = v6,
		.proto = rnd() % 2 ? IPPROTO_TCP : IPPROTO_UDP,
		.sport = (uint16_t)rnd(),
		.dport = (uint16_t)rnd()};

	for (unsigned i = 0; i < 16; i++) {
		f.src[i] = (uint8_t)rnd();
		f.dst[i] = (uint8_t)rnd();
	}
	return f;
}

static struct flow back(struct flow f)
{
	struct flow b = f;

	memcpy(b.src, f.dst, 16);
	memcpy(b.dst, f.src, 16);
	b.sport = f.dport;
	b.dport = f.sport;
	return b;
}

/* Ethernet header with so many tags, the outer one of the given type. */
static struct frame ether(bool v6, unsigned tags, unsigned outer_type)
{
	struct frame f = {.len = 12};

	for (unsigned i = 0; i < tags; i++) {
		put16(&f, i == 0 ? outer_type : 0x8100);
		put16(&f, rnd() & 0xffff);
	}
	put16(&f, v6 ? 0x86dd : 0x0800);
	return f;
}

static void ip_header(struct frame *f, const struct flow *flow, unsigned frag, uint8_t next)
{
	unsigned n = flow->v6 ? 16 : 4;

	if (flow->v6) {
		put(f, (uint8_t[]){0x60, 0, 0, (uint8_t)rnd(), 0, 100, next, 64}, 8);
	} else {
		put(f, (uint8_t[]){0x45, 0, 0, 100, (uint8_t)rnd(), 0}, 6);
		put16(f, frag);
		put(f, (uint8_t[]){64, next, 0, 0}, 4);
	}
	put(f, flow->src, n);
	put(f, flow->dst, n);
}

static uint32_t hash_of(const struct frame *f)
{
	uint8_t *exact = malloc(f->len ? f->len : 1); /* a sanitizer sees what goes beyond */
	uint32_t hash;

	memcpy(exact, f->b, f->len);
	hash = spread_hash(exact, f->len);
	free(exact);
	return hash;
}

static uint32_t whole(const struct flow *flow, unsigned tags, unsigned outer_type)
{
	struct frame f = ether(flow->v6, tags, outer_type);

	ip_header(&f, flow, 0, flow->proto);
	put16(&f, flow->sport);
	put16(&f, flow->dport);
	return hash_of(&f);
}

/* offset in units of 8 bytes */
static uint32_t fragment(const struct flow *flow, unsigned offset, bool more, uint8_t proto)
{
	struct frame f = ether(flow->v6, 0, 0);

	ip_header(&f, flow, offset | (more ? 0x2000u : 0), flow->v6 ? IP6_FRAGMENT : proto);
	if (flow->v6) {
		put(&f, (uint8_t[]){proto, 0}, 2);
		put16(&f, offset << 3 | more);
		put(&f, "id..", 4);
	}
	put16(&f, flow->sport);
	put16(&f, flow->dport);
	return hash_of(&f);
}

static void both_directions_agree(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct flow f = any_flow(i % 2), b = back(f);

		assert_int_equal(whole(&f, 0, 0), whole(&b, 0, 0));
		assert_int_equal(fragment(&f, 0, true, f.proto), fragment(&b, 9, false, b.proto));
	}
}

static void tags_make_no_difference(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct flow f = any_flow(i % 2);
		uint32_t hash = whole(&f, 0, 0);

		assert_int_equal(whole(&f, 1, 0x8100), hash);
		assert_int_equal(whole(&f, 1, 0x88a8), hash);
		assert_int_equal(whole(&f, 2, 0x88a8), hash);
		assert_int_equal(whole(&f, 2, 0x8100), hash);
		assert_int_equal(whole(&f, 3, 0x88a8), 0); /* eth_input knows no third tag */
	}
}

static void fragments_agree(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct flow f = any_flow(i % 2), other = f;
		uint32_t hash = fragment(&f, 0, true, f.proto);

		/* what lies where the ports would be is of no account */
		other.sport = (uint16_t)rnd();
		other.dport = (uint16_t)rnd();
		assert_int_equal(fragment(&other, 1, true, f.proto), hash);
		assert_int_equal(fragment(&other, 0x1fff, false, f.proto), hash);
		/* RFC 8200 section 4.5: later fragments may name another next header */
		assert_int_equal(fragment(&f, 8, true, IPPROTO_ICMP), hash);
	}
}

/* RFC 6946: no part of anything. */
static void an_atomic_fragment_is_whole(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct flow f = any_flow(true);

		assert_int_equal(fragment(&f, 0, false, f.proto), whole(&f, 0, 0));
	}
}

static void extension_headers_are_passed(void **state)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct flow flow = any_flow(true);
		struct frame f = ether(true, 0, 0);
		unsigned n = 1 + rnd() % 10;

		ip_header(&f, &flow, 0, IP6_DEST_OPTIONS);
		for (unsigned k = 0; k < n; k++)
			put(&f,
				(uint8_t[]){k + 1 < n ? IP6_DEST_OPTIONS : flow.proto, 0, 1, 4, 0,
					0, 0, 0},
				8);
		put16(&f, flow.sport);
		put16(&f, flow.dport);
		assert_int_equal(hash_of(&f), whole(&flow, 0, 0));
	}
}

static void flows_are_spread(void **state)
{
	for (unsigned workers = 2; workers <= 8; workers *= 2) {
		for (unsigned v6 = 0; v6 < 2; v6++) {
			unsigned count[8] = {0};
			struct flow f = any_flow(v6);

			for (unsigned i = 0; i < 1000; i++) {
				f.sport++;
				count[spread_worker(whole(&f, 0, 0), workers)]++;
			}
			for (unsigned i = 0; i < workers; i++)
				assert_in_range(count[i], 500 / workers, 2000 / workers);
		}
	}
}

/* Cut anywhere and with bytes changed anywhere. */
static void believes_nothing(void **state)
{
	for (unsigned i = 0; i < ROUNDS * 10; i++) {
		struct flow flow = any_flow(i % 2);
		struct frame f = ether(flow.v6, rnd() % 3, 0x88a8);

		ip_header(&f, &flow, rnd(), flow.v6 && rnd() % 2 ? IP6_FRAGMENT : flow.proto);
		while (f.len < sizeof(f.b))
			f.b[f.len++] = (uint8_t)(rnd() % 3 ? rnd() : IP6_DEST_OPTIONS);
		f.b[12 + rnd() % 60] = (uint8_t)rnd();
		f.len = rnd() % sizeof(f.b);
		hash_of(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_agree),
		cmocka_unit_test(tags_make_no_difference),
		cmocka_unit_test(fragments_agree),
		cmocka_unit_test(an_atomic_fragment_is_whole),
		cmocka_unit_test(extension_headers_are_passed),
		cmocka_unit_test(flows_are_spread),
		cmocka_unit_test(believes_nothing),
	};
	const char *seed = getenv("POSTERN_SEED");
	unsigned s = seed ? (unsigned)strtoul(seed, NULL, 0) : 20261123;

	printf("POSTERN_SEED=%u\n", s);
	srandom(s);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
