/* wire/ip4: a header of 20 bytes that is judged in words is judged as one in bytes is (RFC 1071).
 */
#include "wire/ip4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEADERS 300000

static uint64_t state_ = 20261124;

static uint32_t random32(void)
{
	state_ = state_ * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state_ >> 33);
}

/* Bytes that make carries, and any others. */
static uint8_t byte(void)
{
	static const uint8_t edge[] = {0, 1, 0xfe, 0xff};

	return random32() % 2 ? edge[random32() % 4] : (uint8_t)random32();
}

static void put_checksum(uint8_t h[IP4_MIN_HDR])
{
	uint16_t sum;

	h[10] = 0;
	h[11] = 0;
	sum = ip4_checksum(h, IP4_MIN_HDR);
	memcpy(h + 10, &sum, 2);
}

static bool words_ok(const uint8_t h[IP4_MIN_HDR])
{
	uint64_t first, second;
	uint32_t third;

	memcpy(&first, h, 8);
	memcpy(&second, h + 8, 8);
	memcpy(&third, h + 16, 4);
	assert_true(ip4_words_plain(first));
	return ip4_words_sum_ok(first, second, third);
}

static void checksum_in_words(void **state)
{
	unsigned good = 0;

	for (unsigned n = 0; n < HEADERS; n++) {
		uint8_t h[IP4_MIN_HDR];

		for (unsigned i = 0; i < sizeof(h); i++)
			h[i] = byte();
		h[0] = 0x45;
		h[6] = random32() % 2 ? 0x40 : 0; /* don't fragment */
		h[7] = 0;
		if (n % 4)
			put_checksum(h);
		if (n % 4 == 2) { /* 0 and 0xffff are the same number */
			h[10] ^= 0xff;
			h[11] ^= 0xff;
		}
		if (n % 4 == 3)
			h[8 + random32() % 12] ^= (uint8_t)(1u << random32() % 8);
		if (words_ok(h) != ip4_checksum_ok(h, sizeof(h)))
			fail_msg("header %u: words say %d", n, words_ok(h));
		good += words_ok(h);
	}
	assert_true(good >= HEADERS / 4 && good < HEADERS / 2);
}

static void plain_words(void **state)
{
	static const struct {
		uint8_t h[8];
		bool plain;
	} t[] = {
		{{0x45, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0}, true},
		{{0x45, 0, 0, 0, 0, 0, 0x40, 0}, true},
		{{0x46, 0, 0, 0, 0, 0, 0, 0}, false},    /* options */
		{{0x65, 0, 0, 0, 0, 0, 0, 0}, false},    /* version 6 */
		{{0x45, 0, 0, 0, 0, 0, 0x20, 0}, false}, /* more fragments */
		{{0x45, 0, 0, 0, 0, 0, 0x80, 0}, false}, /* the reserved bit */
		{{0x45, 0, 0, 0, 0, 0, 0, 1}, false},    /* a later fragment */
		{{0x45, 0, 0, 0, 0, 0, 0x10, 0}, false},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t first;

		memcpy(&first, t[i].h, 8);
		assert_int_equal(ip4_words_plain(first), t[i].plain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_in_words),
		cmocka_unit_test(plain_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
