/* Reassembly, rule by rule. Each test of both families runs for either. */
#include "frag_world.h"

#include <rte_ip.h>

static uint8_t payload[65536];
static uint8_t got[65536 + 100];
static unsigned family;

static struct spec piece(unsigned first, unsigned len, bool more)
{
	return (struct spec){.family = family,
		.src = 1,
		.dst = 2,
		.id = 0x1234,
		.proto = 17,
		.first = first,
		.len = len,
		.more = more,
		.payload = payload};
}

static struct rte_mbuf *put(unsigned first, unsigned len, bool more)
{
	struct spec s = piece(first, len, more);
	unsigned merged;

	return add(&s, 0, &merged);
}

/* The whole packet: its header says so, its checksum is right, its payload is the datagram's. */
static void expect_whole(struct rte_mbuf *m, unsigned len)
{
	unsigned hdr = family == 4 ? 20 : 40;

	assert_non_null(m);
	assert_int_equal(bytes_of(m, got), hdr + len);
	if (family == 4) {
		assert_int_equal(got[2] << 8 | got[3], hdr + len);
		assert_int_equal(got[6] << 8 | got[7], 0);
		assert_int_equal(rte_raw_cksum(got, 20), 0xffff);
	} else {
		assert_int_equal(got[4] << 8 | got[5], len);
		assert_int_equal(got[6], 17);
	}
	assert_memory_equal(got + hdr, payload, len);
	rte_pktmbuf_free(m);
}

/* RFC 791 section 3.2, RFC 8200 section 4.5: in order, backwards, mixed. */
static void orders(void **state)
{
	static const unsigned order[][4] = {
		{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 0, 3, 1}, {3, 0, 1, 2}};

	for (unsigned k = 0; k < RTE_DIM(order); k++) {
		for (unsigned i = 0; i < 4; i++) {
			unsigned at = order[k][i];
			struct spec s = piece(at * 800, at == 3 ? 123 : 800, at < 3);
			unsigned merged = 0;
			struct rte_mbuf *m = add(&s, 0, &merged);

			assert_int_equal(merged, i == 3 ? 4 : 0);
			if (i < 3)
				assert_null(m);
			else
				expect_whole(m, 2523);
		}
	}
	assert_int_equal(frag_table_stats(world_table)->done, RTE_DIM(order));
	assert_int_equal(frag_table_stats(world_table)->waiting, 0);
	assert_int_equal(frag_table_stats(world_table)->fragments, 0);
}

/* RFC 791: source, destination, protocol and identification; RFC 8200: without the protocol. */
static void keys(void **state)
{
	struct spec s = piece(0, 800, true), t = piece(800, 8, false);
	unsigned merged;

	assert_null(add(&s, 0, &merged));
	t.src++;
	assert_null(add(&t, 0, &merged));
	t = piece(800, 8, false);
	t.dst++;
	assert_null(add(&t, 0, &merged));
	t = piece(800, 8, false);
	t.id++;
	assert_null(add(&t, 0, &merged));
	t = piece(800, 8, false);
	t.proto++;
	if (family == 4) {
		assert_null(add(&t, 0, &merged));
		t.proto--;
	}
	/* IPv6: the next header of the first fragment counts */
	expect_whole(add(&t, 0, &merged), 808);
}

/* RFC 5722, RFC 8200 section 4.5: any overlap, and all fragments go, those to come too. */
static void overlaps(void **state)
{
	static const struct {
		unsigned first, len;
	} bad[] = {
		{0, 24}, {8, 16}, {8, 32}, {24, 16}, {16, 8}, {0, 80}, {40, 8}, {32, 16}, {16, 32}};

	for (unsigned k = 0; k < RTE_DIM(bad); k++) {
		struct spec s = piece(16, 16, true), t = piece(40, 16, true);
		struct spec u = piece(bad[k].first, bad[k].len, true);
		unsigned merged;

		s.id = t.id = u.id = k;
		assert_null(add(&s, 0, &merged));
		assert_null(add(&t, 0, &merged));
		assert_null(add(&u, 0, &merged));
		expect_dropped(FRAG_OVERLAP, 3);
		assert_null(add(&s, 0, &merged));
		expect_dropped(FRAG_OVERLAP, 1);
	}
	assert_int_equal(frag_table_stats(world_table)->failed[FRAG_OVERLAP], RTE_DIM(bad));
	assert_int_equal(frag_table_stats(world_table)->fragments, 0);
	/* until their time is over */
	assert_int_equal(frag_expire(world_table, WORLD_TIMEOUT - 1, 100), 0);
	assert_int_equal(frag_expire(world_table, WORLD_TIMEOUT, 100), RTE_DIM(bad));
	expect_dropped(FRAG_TIMEOUT, 0);
	assert_int_equal(frag_table_stats(world_table)->failed[FRAG_TIMEOUT], 0);
}

/* RFC 8200 section 4.5: exact duplicates may be dropped alone; what is not exact is an overlap. */
static void duplicates(void **state)
{
	struct spec s = piece(0, 800, true);
	unsigned merged;

	assert_null(put(0, 800, true));
	assert_null(put(0, 800, true));
	expect_dropped(FRAG_DUPLICATE, 1);
	assert_null(put(1600, 8, false));
	assert_null(put(1600, 8, false));
	expect_dropped(FRAG_DUPLICATE, 1);
	expect_whole(put(800, 800, true), 1608);
	/* the same place, another byte */
	assert_null(put(0, 800, true));
	payload[799] ^= 1;
	assert_null(add(&s, 0, &merged));
	payload[799] ^= 1;
	expect_dropped(FRAG_OVERLAP, 2);
	/* the same place, but the last */
	s = piece(800, 800, true);
	s.id = 7;
	assert_null(add(&s, 0, &merged));
	s.more = false;
	assert_null(add(&s, 0, &merged));
	expect_dropped(FRAG_OVERLAP, 2);
}

/* Where the datagram ends is said once. */
static void ends(void **state)
{
	static const struct {
		unsigned first, len;
		bool more;
	} bad[] = {{800, 8, false}, {2400, 8, false}, {2400, 8, true}, {1608, 8, true},
		{1608, 8, false}};
	struct spec s;
	unsigned merged;

	for (unsigned k = 0; k < RTE_DIM(bad); k++) {
		s = piece(1600, 8, false);
		s.id = k;
		assert_null(add(&s, 0, &merged));
		s = piece(bad[k].first, bad[k].len, bad[k].more);
		s.id = k;
		assert_null(add(&s, 0, &merged));
		expect_dropped(FRAG_INCONSISTENT, 2);
	}
	/* the end is before what is there */
	s = piece(1600, 8, true);
	s.id = 100;
	assert_null(add(&s, 0, &merged));
	s = piece(800, 8, false);
	s.id = 100;
	assert_null(add(&s, 0, &merged));
	expect_dropped(FRAG_INCONSISTENT, 2);
}

/* RFC 8200 section 4.5: multiples of 8; nothing is empty, nor ends beyond 65,535 bytes. */
static void lengths(void **state)
{
	assert_null(put(0, 801, true));
	assert_null(put(0, 0, true));
	assert_null(put(800, 0, false));
	assert_null(put(65528, 8, false));
	expect_dropped(FRAG_INVALID, 4);
	assert_int_equal(frag_table_stats(world_table)->waiting, 0);
}

/* What counts is the whole packet: a header of the first fragment that is longer than the others'.
 */
static void total_length(void **state)
{
	static const uint8_t options[8] = {[0] = 1, [1] = 1}, skip[8] = {44, 0, 1, 4};
	struct spec s;
	unsigned merged, end = family == 4 ? 65535 - 20 : 65535, room = 1440;

	for (unsigned round = 0; round < 2; round++) {
		struct rte_mbuf *m = NULL;

		for (unsigned at = end / room * room;; at -= room) {
			s = piece(at, RTE_MIN(room, end - at), at + room < end);
			s.id = round;
			if (at == 0 && round) {
				s.options = family == 4 ? options : skip;
				s.options_len = 8;
				s.options_kind = 60;
			}
			m = add(&s, 0, &merged);
			if (at == 0)
				break;
			assert_null(m);
		}
		if (round == 0)
			expect_whole(m, end);
		else
			assert_null(m);
	}
	expect_dropped(FRAG_TOO_LONG, end / room + 1);
	/* of one fragment alone */
	s = piece(end / 8 * 8, end % 8 + 1, false);
	s.id = 9;
	if (family == 4) {
		assert_null(add(&s, 0, &merged));
		expect_dropped(FRAG_TOO_LONG, 1);
	}
}

static void too_many(void **state)
{
	for (unsigned i = 0; i < 64; i++)
		assert_null(put(i * 8, 8, true));
	assert_null(put(64 * 8, 8, false));
	expect_dropped(FRAG_TOO_MANY, 65);
}

/* 64 are not too many. */
static void just_enough(void **state)
{
	for (unsigned i = 0; i < 63; i++)
		assert_null(put(i * 8, 8, true));
	expect_whole(put(63 * 8, 5, false), 63 * 8 + 5);
}

/* RFC 3168 section 5.3: 0 not ECN-capable, 1 and 2 ECT, 3 CE. */
static void ecn(void **state)
{
	static const struct {
		uint8_t a, b;
		int want; /* -1: dropped */
	} mix[] = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {3, 3, 3}, {1, 3, 3}, {3, 1, 3}, {2, 3, 3},
		{3, 2, 3}, {0, 3, -1}, {3, 0, -1}, {1, 2, 1}, {0, 1, 0}};

	for (unsigned k = 0; k < RTE_DIM(mix); k++) {
		struct spec s = piece(0, 800, true), t = piece(800, 8, false);
		struct rte_mbuf *m;
		unsigned merged;

		s.id = t.id = k;
		s.ecn = mix[k].a;
		t.ecn = mix[k].b;
		assert_null(add(&s, 0, &merged));
		m = add(&t, 0, &merged);
		if (mix[k].want < 0) {
			assert_null(m);
			expect_dropped(FRAG_ECN, 2);
			continue;
		}
		bytes_of(m, got);
		assert_int_equal(family == 4 ? got[1] : got[1] >> 4, mix[k].want);
		expect_whole(m, 808);
	}
}

/* RFC 8200 section 4.5: seconds from the fragment that came first. */
static void timeouts(void **state)
{
	struct spec s = piece(0, 800, true), t = piece(1600, 8, false);
	unsigned merged;

	assert_null(add(&s, 100, &merged));
	assert_null(add(&t, 900, &merged));
	t.id++;
	assert_null(add(&t, 500, &merged));
	assert_int_equal(frag_expire(world_table, 1099, 10), 0);
	assert_int_equal(frag_expire(world_table, 1100, 10), 1);
	assert_int_equal(world_first_dropped, 1);
	expect_dropped(FRAG_TIMEOUT, 2);
	/* one of the next: the sweep need not have come by */
	s = piece(0, 1600, true);
	s.id = t.id;
	assert_null(add(&s, 1500, &merged));
	expect_dropped(FRAG_TIMEOUT, 1);
	expect_whole(add(&t, 1501, &merged), 1608);
	/* so many at a time */
	for (unsigned i = 0; i < 10; i++) {
		s.id = i;
		assert_null(add(&s, 2000 + i, &merged));
	}
	assert_int_equal(frag_expire(world_table, 9000, 4), 4);
	expect_dropped(FRAG_TIMEOUT, 4);
	assert_int_equal(frag_expire(world_table, 9000, 100), 6);
	expect_dropped(FRAG_TIMEOUT, 6);
}

/* A source at its limit gives up its own oldest. */
static void per_source(void **state)
{
	struct spec s = piece(0, 8, true);
	unsigned merged;

	for (unsigned i = 0; i < 16; i++) {
		s.id = i;
		assert_null(add(&s, 0, &merged));
	}
	s.src = 9;
	assert_null(add(&s, 0, &merged));
	expect_dropped(FRAG_TIMEOUT, 0);
	s.src = 1;
	s.id = 16;
	assert_null(add(&s, 0, &merged));
	expect_dropped(FRAG_SOURCE_LIMIT, 1);
	/* number 0 went, number 1 is there */
	s = piece(8, 8, false);
	s.id = 1;
	assert_non_null(s.payload);
	expect_whole(add(&s, 0, &merged), 16);
	s.id = 0;
	assert_null(add(&s, 0, &merged));
	expect_dropped(FRAG_TIMEOUT, 0);
}

/* The table is full: the oldest of all goes, and never the new one. */
static void table_full(void **state)
{
	struct spec s = piece(0, 8, true);
	unsigned merged;

	for (unsigned i = 0; i < 40; i++) {
		s.src = (uint8_t)(i + 10);
		assert_null(add(&s, 0, &merged));
	}
	expect_dropped(FRAG_TABLE_FULL, 8); /* 32 have room */
	s = piece(8, 8, false);
	s.src = 10 + 8;
	expect_whole(add(&s, 0, &merged), 16);
	s.src = 10 + 39;
	expect_whole(add(&s, 0, &merged), 16);
	assert_int_equal(frag_table_stats(world_table)->waiting, 30);
}

/* So is the share of buffers: 200. One datagram may have them all but no more. */
static void buffers_full(void **state)
{
	struct spec s;
	unsigned merged;

	for (unsigned d = 0; d < 4; d++) {
		for (unsigned i = 0; i < 60; i++) {
			s = piece(i * 8, 8, true);
			s.id = d;
			assert_null(add(&s, 0, &merged));
		}
	}
	expect_dropped(FRAG_TABLE_FULL, 60);
	assert_int_equal(frag_table_stats(world_table)->fragments, 180);
	s = piece(60 * 8, 8, false);
	s.id = 3;
	expect_whole(add(&s, 0, &merged), 61 * 8);
}

/* A reload may lower the limit of a source below what it has. */
static void lower_limit(void **state)
{
	const struct frag_limits one = {1, 64, WORLD_TIMEOUT};
	struct spec s = piece(0, 8, true);
	unsigned merged;

	for (unsigned i = 0; i < 10; i++) {
		s.id = i;
		assert_null(add(&s, 0, &merged));
	}
	frag_set_limits(world_table, &one);
	for (unsigned i = 10; i < 30; i++) {
		s.id = i;
		assert_null(add(&s, 0, &merged));
	}
	assert_int_equal(frag_table_stats(world_table)->waiting, 1);
	expect_dropped(FRAG_SOURCE_LIMIT, 29);
}

/* What is no fragment comes back as it was. */
static void no_fragment(void **state)
{
	struct spec s = piece(0, 800, false);
	unsigned merged = 0;

	expect_whole(add(&s, 0, &merged), 800);
	assert_int_equal(merged, 1);
}

/* RFC 6946 section 4: an atomic fragment is alone, whatever waits with its identification. */
static void atomic(void **state)
{
	static const uint8_t skip[16] = {60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4};
	struct spec s;
	unsigned merged = 0;

	assert_null(put(0, 800, true));
	s = piece(0, 100, false);
	expect_whole(add(&s, 0, &merged), 100);
	assert_int_equal(merged, 1);
	expect_whole(put(800, 8, false), 808);
	/* behind other headers, of which the last no longer names it */
	s.options = skip;
	s.options_len = 16;
	s.options_kind = 60;
	{
		struct rte_mbuf *m = add(&s, 0, &merged);

		assert_int_equal(bytes_of(m, got), 40 + 16 + 100);
		assert_int_equal(got[4] << 8 | got[5], 116);
		assert_int_equal(got[6], 60);
		assert_int_equal(got[40], 60);
		assert_int_equal(got[48], 17);
		assert_memory_equal(got + 56, payload, 100);
		rte_pktmbuf_free(m);
	}
}

/* RFC 8200 section 4.5: the headers in front are those of the first fragment, which names what
 * follows; other fragments may have others. */
static void unfragmentable_part(void **state)
{
	static const uint8_t skip[8] = {44, 0, 1, 4}, more[16] = {44, 1, 1, 12};
	struct spec s;
	struct rte_mbuf *m;
	unsigned merged;

	s = piece(800, 9, false);
	s.options = more;
	s.options_len = 16;
	s.options_kind = 60;
	s.proto = 6;
	assert_null(add(&s, 0, &merged));
	s = piece(0, 800, true);
	s.options = skip;
	s.options_len = 8;
	s.options_kind = 60;
	m = add(&s, 0, &merged);
	assert_non_null(m);
	assert_int_equal(bytes_of(m, got), 48 + 809);
	assert_int_equal(got[4] << 8 | got[5], 8 + 809);
	assert_int_equal(got[6], 60);
	assert_int_equal(got[40], 17);
	assert_memory_equal(got + 48, payload, 809);
	rte_pktmbuf_free(m);
}

/* Whoever has a /64 has no more than one who has an address. */
static void one_source_per_64(void **state)
{
	struct spec s;
	unsigned merged;

	const struct frag_limits four = {4, 64, WORLD_TIMEOUT};

	frag_set_limits(world_table, &four);
	for (unsigned i = 0; i < 10; i++) {
		struct rte_mbuf *m;

		s = piece(0, 8, true);
		s.id = i;
		m = make(&s);
		rte_pktmbuf_mtod(m, uint8_t *)[23] = (uint8_t)i;
		assert_null(frag6_add(world_table, m, 0, 0, &merged));
	}
	expect_dropped(FRAG_SOURCE_LIMIT, 6);
}

/* Headers that contradict the buffer: never from the nodes in front, never believed either. */
static void hostile(void **state)
{
	unsigned hdr = family == 4 ? 20 : 48, merged;

	for (unsigned cut = 1; cut < hdr + 8; cut++) {
		struct spec s = piece(0, 8, true);
		struct rte_mbuf *m = make(&s);

		rte_pktmbuf_trim(m, (uint16_t)cut);
		assert_null((family == 4 ? frag4_add : frag6_add)(world_table, m, 0, 0, &merged));
	}
	expect_dropped(FRAG_INVALID, hdr + 7);
}

static int up_4(void **state)
{
	family = 4;
	table_up(32, 200, 16, 64);
	return 0;
}

static int up_6(void **state)
{
	family = 6;
	table_up(32, 200, 16, 64);
	return 0;
}

static int down(void **state)
{
	table_down();
	return 0;
}

#define TEST6(f) cmocka_unit_test_setup_teardown(f, up_6, down)
#define TESTS(f) cmocka_unit_test_setup_teardown(f, up_4, down), TEST6(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TESTS(orders),
		TESTS(keys),
		TESTS(overlaps),
		TESTS(duplicates),
		TESTS(ends),
		TESTS(lengths),
		TESTS(total_length),
		TESTS(too_many),
		TESTS(just_enough),
		TESTS(ecn),
		TESTS(timeouts),
		TESTS(per_source),
		TESTS(table_full),
		TESTS(buffers_full),
		TESTS(lower_limit),
		TESTS(no_fragment),
		TEST6(atomic),
		TEST6(unfragmentable_part),
		TEST6(one_source_per_64),
		TESTS(hostile),
	};

	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31 + i / 256);
	world_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
