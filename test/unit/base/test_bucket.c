/* base/bucket: the rate over a long time, the burst, nothing at rate 0, no credit beyond the depth.
 */
#include "base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HZ 1000000000ull

static unsigned take(struct bucket *b, uint64_t now, unsigned tries)
{
	unsigned got = 0;

	for (unsigned i = 0; i < tries; i++)
		got += bucket_take(b, now);
	return got;
}

static void burst_then_nothing(void **state)
{
	struct bucket b;

	bucket_init(&b, 100, 10, HZ, 5000);
	assert_int_equal(take(&b, 5000, 50), 10);
	assert_int_equal(take(&b, 5000 + HZ / 100 - 1, 5), 0);
	assert_int_equal(take(&b, 5000 + HZ / 100, 5), 1);
}

static void rate_over_time(void **state)
{
	struct bucket b;
	unsigned got = 0;

	bucket_init(&b, 1000, 1, HZ, 0);
	/* Ten seconds, asked every 100 us: rate x time and the first token. */
	for (uint64_t now = 0; now < 10 * HZ; now += HZ / 10000)
		got += bucket_take(&b, now);
	assert_in_range(got, 9999, 10001);
}

static void credit_has_a_depth(void **state)
{
	struct bucket b;

	bucket_init(&b, 1000, 5, HZ, 0);
	assert_int_equal(take(&b, 0, 100), 5);
	assert_int_equal(take(&b, 3600 * HZ, 100), 5);
}

static void rate_zero_refuses(void **state)
{
	struct bucket b;

	bucket_init(&b, 0, 10, HZ, 0);
	assert_int_equal(take(&b, 0, 10), 0);
	assert_int_equal(take(&b, 3600 * HZ, 10), 0);
}

static void burst_zero_is_one(void **state)
{
	struct bucket b;

	bucket_init(&b, 10, 0, HZ, 0);
	assert_int_equal(take(&b, 0, 10), 1);
}

static void rate_above_the_clock(void **state)
{
	struct bucket b;

	bucket_init(&b, 5000, 1, 1000, 0); /* a token a cycle is as fast as it goes */
	assert_int_equal(take(&b, 0, 10), 1);
	assert_int_equal(take(&b, 1, 10), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_then_nothing),
		cmocka_unit_test(rate_over_time),
		cmocka_unit_test(credit_has_a_depth),
		cmocka_unit_test(rate_zero_refuses),
		cmocka_unit_test(burst_zero_is_one),
		cmocka_unit_test(rate_above_the_clock),
	};

	return cmocka_run_group_tests_name("base/bucket", tests, NULL, NULL);
}
