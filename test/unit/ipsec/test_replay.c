/* The anti-replay window against a plain model: a set of the numbers that were taken, and the
 * highest. Every window size, with and without ESN, over the edge of the low half. The seed is
 * printed; POSTERN_SEED repeats a run.
 */
#include "ipsec/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SPAN (1u << 20) /* numbers from base on that the model can hold */

static uint64_t seed, state_;
static uint8_t taken[SPAN];
static uint64_t bitmap[2 * SA_WINDOW_MAX / 64];

static uint32_t below(uint32_t n)
{
	state_ ^= state_ << 13;
	state_ ^= state_ >> 7;
	state_ ^= state_ << 17;
	return (uint32_t)((state_ >> 20) % n);
}

struct model {
	uint64_t base, highest;
	uint32_t window;
	unsigned used; /* bytes of taken[] */
};

static bool model_would_take(const struct model *m, uint64_t seq)
{
	if (seq == 0)
		return false;
	if (seq <= m->highest && m->highest - seq >= m->window)
		return false;
	return !taken[seq - m->base];
}

static void model_take(struct model *m, uint64_t seq)
{
	taken[seq - m->base] = 1;
	m->used = RTE_MAX(m->used, (unsigned)(seq - m->base) + 1);
	m->highest = RTE_MAX(m->highest, seq);
}

static void begin(struct sa *sa, struct model *m, uint32_t window, bool esn, uint64_t base)
{
	memset(taken, 0, m->used);
	*m = (struct model){.base = base, .highest = base, .window = window};
	memset(sa, 0, sizeof(*sa));
	memset(bitmap, 0, sizeof(bitmap));
	sa->flags = SA_IN | (esn ? SA_ESN : 0);
	sa->window = window;
	sa->bitmap = bitmap;
	sa->seq = base;
}

/* A number that a sender, a network or an attacker might bring: the next ones, reordered ones, ones
 * about the edges of the window, duplicates, a leap. */
static uint64_t pick(const struct model *m)
{
	uint64_t top = m->highest, seq;

	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		seq = top + 1 + below(3);
		break;
	case 3:
		seq = top + 1 + below(3 * m->window);
		break;
	case 4:
		seq = top - below(m->window + 4);
		break;
	case 5:
		seq = top - m->window + below(5) - 2; /* the left edge */
		break;
	case 6:
		seq = (top | 63) + below(3) - 1; /* the edge of a word */
		break;
	default:
		seq = top - below(20);
	}
	if ((int64_t)(seq - m->base) < 0)
		seq = m->base + below(2);
	return RTE_MIN(seq, m->base + SPAN - 1);
}

static void against_model(
	struct sa *sa, struct model *m, unsigned packets, uint64_t most, const char *what)
{
	for (unsigned i = 0; i < packets; i++) {
		uint64_t seq = RTE_MIN(pick(m), most), got = replay_seq(sa, (uint32_t)seq);
		bool want = model_would_take(m, seq);

		/* left of the window there is nothing to take, so it counts as one of the next
		 * half (appendix A2), for which its ICV is wrong */
		if (sa->flags & SA_ESN && m->highest >= m->window &&
			seq <= m->highest - m->window) {
			assert_int_equal(got, seq + (UINT64_C(1) << 32));
			continue;
		}
		if (got != seq || replay_check(sa, got) != want) {
			print_error("%s, window %u: packet %u: %llu above %llu became %llu, %s\n",
				what, m->window, i, (unsigned long long)seq,
				(unsigned long long)m->highest, (unsigned long long)got,
				want ? "refused" : "taken");
			fail();
		}
		if (below(10) == 0)
			continue; /* its ICV was wrong: nothing may have changed */
		assert_int_equal(replay_commit(sa, got), want);
		if (want)
			model_take(m, seq);
		assert_int_equal(sa->seq, m->highest);
		if (m->highest - m->base > SPAN - 4 * SA_WINDOW_MAX)
			break;
	}
}

/* RFC 4303 section 3.4.3 */
static void every_window(void **state)
{
	static struct sa sa;
	struct model m = {.used = SPAN};

	for (uint32_t window = 64; window <= SA_WINDOW_MAX; window += 64) {
		begin(&sa, &m, window, false, 0);
		against_model(&sa, &m, 3000, UINT32_MAX, "32 bits");
		/* the last numbers there are: RFC 4303 section 3.3.3 */
		begin(&sa, &m, window, false, UINT32_MAX - 2 * window);
		against_model(&sa, &m, 3000, UINT32_MAX, "the last of 32 bits");
	}
}

/* RFC 4303 section 2.2.1 and appendix A2: only the low half is in the packet. */
static void every_window_esn(void **state)
{
	static struct sa sa;
	struct model m = {.used = SPAN};

	for (uint32_t window = 64; window <= SA_WINDOW_MAX; window += 64) {
		uint64_t high = (uint64_t)(1 + below(5)) << 32;

		begin(&sa, &m, window, true, 0);
		against_model(&sa, &m, 1500, UINT64_MAX, "ESN from 0");
		/* the window lies over the edge for a while: RFC 4303 appendix A2.1, case B */
		begin(&sa, &m, window, true, high - window - below(200));
		against_model(&sa, &m, 3000, UINT64_MAX, "ESN over the edge");
		begin(&sa, &m, window, true, high + below(UINT32_MAX - SPAN));
		against_model(&sa, &m, 1500, UINT64_MAX, "ESN within a half");
	}
}

/* RFC 4303 appendix A2.2, the cases of its pseudo code, in numbers that can be followed. */
static void esn_cases(void **state)
{
	struct sa sa = {.flags = SA_IN | SA_ESN, .window = 64, .bitmap = bitmap};

	sa.seq = 0x500000100; /* case A: the window is 0x5000000c1 to 0x500000100 */
	assert_int_equal(replay_seq(&sa, 0xc1), 0x5000000c1);
	assert_int_equal(replay_seq(&sa, 0x101), 0x500000101);
	assert_int_equal(replay_seq(&sa, 0xffffffff), 0x5ffffffff);
	assert_int_equal(replay_seq(&sa, 0xc0), 0x6000000c0); /* left of it: must be the next */
	sa.seq = 0x500000010; /* case B: 0x4ffffffd1 to 0x500000010 */
	assert_int_equal(replay_seq(&sa, 0xffffffd1), 0x4ffffffd1);
	assert_int_equal(replay_seq(&sa, 0xffffffd0), 0x5ffffffd0);
	assert_int_equal(replay_seq(&sa, 0), 0x500000000);
	assert_int_equal(replay_seq(&sa, 0x11), 0x500000011);
	sa.seq = 0x10; /* there is no half before the first */
	assert_int_equal(replay_seq(&sa, 0xfffffff0), 0xfffffff0);
	/* behind the last half there is none: the number is left of the window */
	sa.seq = 0xffffffff00000100;
	memset(bitmap, 0, sizeof(bitmap));
	assert_false(replay_check(&sa, replay_seq(&sa, 0x20)));
}

/* Both copies pass the check before the cipher; the second is caught behind it. */
static void duplicates_in_a_burst(void **state)
{
	struct sa sa = {.flags = SA_IN, .window = 64, .bitmap = bitmap, .seq = 100};

	memset(bitmap, 0, sizeof(bitmap));
	for (uint64_t seq = 90; seq < 400; seq += 7) {
		assert_true(replay_check(&sa, seq));
		assert_true(replay_check(&sa, seq));
		assert_true(replay_commit(&sa, seq));
		assert_false(replay_commit(&sa, seq));
		assert_false(replay_check(&sa, seq));
	}
	/* and so is one that fell out of the window within the burst */
	assert_true(replay_check(&sa, 350));
	assert_true(replay_commit(&sa, 1000));
	assert_false(replay_commit(&sa, 350));
}

/* RFC 4303 section 3.4.3: without a window there is no check. */
static void no_window(void **state)
{
	struct sa sa = {.flags = SA_IN};

	for (int i = 0; i < 3; i++) {
		assert_true(replay_check(&sa, 5));
		assert_true(replay_commit(&sa, 5));
		assert_true(replay_commit(&sa, 0));
		assert_int_equal(sa.seq, 5);
	}
}

/* RFC 6479: more words than the window has bits for, so that none is cleared too early. */
static void words(void **state)
{
	for (uint32_t window = 64; window <= SA_WINDOW_MAX; window += 64) {
		uint32_t n = sa_window_words(window);

		assert_true(n >= window / 64 + 1 && n < 2 * (window / 64 + 1));
		assert_int_equal(n & (n - 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(no_window),
		cmocka_unit_test(duplicates_in_a_burst),
		cmocka_unit_test(esn_cases),
		cmocka_unit_test(every_window),
		cmocka_unit_test(every_window_esn),
	};
	const char *text = getenv("POSTERN_SEED");

	seed = text ? strtoull(text, NULL, 0) : 20261124;
	state_ = seed ? seed : 1;
	print_message("seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
