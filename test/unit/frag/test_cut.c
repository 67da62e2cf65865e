/* Cutting: random packets, MTUs and chains; the fragments must fit, and a reassembly of them must
 * give the packet back. What the header of each must say is held byte for byte in
 * graph/test_fragments.c. The seed is printed; POSTERN_SEED repeats a run.
 */
#include "frag_world.h"

#include <errno.h>
#include <rte_ip.h>
#include <stdlib.h>

#define PIECES 256

static uint64_t seed, state_;
static uint8_t data[65536], got[70000], want[70000];

static uint32_t below(uint32_t n)
{
	state_ ^= state_ << 13;
	state_ ^= state_ >> 7;
	state_ ^= state_ << 17;
	return (uint32_t)((state_ >> 20) % n);
}

/* A packet of so many bytes of payload, in segments of random sizes; the header is in the first. */
static struct rte_mbuf *chain(unsigned family, unsigned len, unsigned options_len, bool one)
{
	unsigned hdr = family == 4 ? 20 + options_len : 40, at = 0;
	struct rte_mbuf *m = rte_pktmbuf_alloc(world_pool), *last = m;
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)hdr);

	memset(p, 0, hdr);
	if (family == 4) {
		p[0] = (uint8_t)(0x40 | hdr / 4);
		put16(p + 2, hdr + len);
		p[8] = 64;
		p[9] = 17;
		p[15] = 1;
		p[19] = 2;
		memset(p + 20, 1, options_len); /* no-ops: for the first alone */
		put16(p + 10, 0);
		memcpy(p + 10, &(uint16_t){(uint16_t)~rte_raw_cksum(p, hdr)}, 2);
	} else {
		p[0] = 0x60;
		put16(p + 4, len);
		p[6] = 17;
		p[7] = 64;
		p[23] = 1;
		p[39] = 2;
	}
	while (at < len) {
		unsigned room = rte_pktmbuf_tailroom(last), take = RTE_MIN(room, len - at);

		if (!one && take > 1)
			take = 1 + below(take);
		if (take) {
			memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len), data + at,
				take);
			last->data_len += (uint16_t)take;
			m->pkt_len += take;
			at += take;
		}
		if (at < len) {
			last->next = rte_pktmbuf_alloc(world_pool);
			last = last->next;
			assert_non_null(last);
			m->nb_segs++;
		}
	}
	return m;
}

static int cut(
	unsigned family, struct rte_mbuf *m, unsigned mtu, struct rte_mbuf *out[], unsigned max)
{
	return family == 4 ? frag4_cut(m, mtu, out, max) : frag6_cut(m, mtu, 77, out, max);
}

static void cut_and_put_together(void **state)
{
	struct rte_mbuf *piece[PIECES];

	for (unsigned round = 0; round < 3000; round++) {
		unsigned family = below(2) ? 4 : 6, options = 4 * below(11);
		bool one = below(2);
		unsigned len = one ? below(2048 - 80) : below(20) ? below(9000) : below(65476);
		unsigned mtu = family == 4 ? 576 + below(1000) : 1280 + below(300), n_want,
			 merged = 0;
		struct rte_mbuf *m = chain(family, len, options, one), *whole = NULL;
		int n;

		n_want = bytes_of(m, want);
		n = cut(family, m, mtu, piece, PIECES);
		assert_true(n > 0);
		table_up(8, 512, 8, 256);
		for (int i = 0; i < n; i++) {
			assert_int_equal(piece[i]->nb_segs, 1);
			assert_int_equal(piece[i]->pkt_len, piece[i]->data_len);
			assert_true(piece[i]->pkt_len <= mtu);
			assert_true(rte_pktmbuf_headroom(piece[i]) >= 64);
			assert_null(whole);
			if (family == 4)
				assert_int_equal(
					rte_raw_cksum(rte_pktmbuf_mtod(piece[i], void *),
						(rte_pktmbuf_mtod(piece[i], uint8_t *)[0] & 15u) *
							4),
					0xffff);
			if (n > 1)
				whole = (family == 4 ? frag4_add : frag6_add)(
					world_table, piece[i], 0, 0, &merged);
			else
				whole = piece[i];
		}
		assert_non_null(whole);
		assert_int_equal(bytes_of(whole, got), n_want);
		assert_memory_equal(got, want, n_want);
		rte_pktmbuf_free(whole);
		table_down();
	}
}

/* Nothing is lost or changed when there is no room, or the packet is not to be cut. */
static void refusals(void **state)
{
	struct rte_mbuf *piece[PIECES], *hog[WORLD_BUFFERS];
	unsigned n = 0;
	struct rte_mbuf *m = chain(4, 1900, 0, true);

	assert_int_equal(frag4_cut(m, 600, piece, 3), -E2BIG);
	assert_int_equal(frag4_cut(m, 600, piece, 0), -E2BIG);
	assert_int_equal(frag4_cut(m, 27, piece, PIECES), -EINVAL);
	while ((hog[n] = rte_pktmbuf_alloc(world_pool)) != NULL)
		n++;
	assert_int_equal(frag4_cut(m, 600, piece, PIECES), -ENOBUFS);
	assert_int_equal(bytes_of(m, got), 1920);
	assert_memory_equal(got + 20, data, 1900);
	rte_pktmbuf_free_bulk(hog, n);
	assert_int_equal(frag4_cut(m, 600, piece, 4), 4);
	rte_pktmbuf_free_bulk(piece, 4);

	m = chain(6, 1900, 0, true);
	rte_pktmbuf_mtod(m, uint8_t *)[6] = 60; /* another header is in between */
	assert_int_equal(frag6_cut(m, 1280, 1, piece, PIECES), -EINVAL);
	rte_pktmbuf_free(m);
	m = rte_pktmbuf_alloc(world_pool);
	assert_int_equal(frag4_cut(m, 600, piece, PIECES), -EINVAL);
	assert_int_equal(frag6_cut(m, 1280, 1, piece, PIECES), -EINVAL);
	rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_avail_count(world_pool), WORLD_BUFFERS);
}

static void one_segment(void **state)
{
	struct rte_mbuf *m = chain(4, 1500, 0, false);

	assert_int_equal(frag_linearise(m), 0);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(bytes_of(m, got), 1520);
	assert_memory_equal(got + 20, data, 1500);
	rte_pktmbuf_free(m);
	m = chain(4, 3000, 0, false);
	assert_int_equal(frag_linearise(m), -ENOSPC);
	assert_int_equal(bytes_of(m, got), 3020);
	assert_memory_equal(got + 20, data, 3000);
	rte_pktmbuf_free(m);
	for (unsigned len = 1; len < 3000; len += 1 + below(50)) {
		m = chain(6, 3000, 0, false);
		frag_head(m, len);
		assert_int_equal(m->nb_segs, 1);
		assert_int_equal(bytes_of(m, got), RTE_MIN(len, 2048u));
		if (len > 40)
			assert_memory_equal(got + 40, data, RTE_MIN(len, 2048u) - 40);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(rte_mempool_avail_count(world_pool), WORLD_BUFFERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_and_put_together),
		cmocka_unit_test(refusals),
		cmocka_unit_test(one_segment),
	};
	const char *text = getenv("POSTERN_SEED");

	seed = text ? strtoull(text, NULL, 0) : 20261124;
	state_ = seed ? seed : 1;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)below(256);
	world_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
