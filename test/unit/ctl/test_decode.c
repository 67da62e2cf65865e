/* The decoder: what it says about whole packets, and that it reads nothing beyond what was kept, at
 * every length (each try has a block of memory of exactly that size, so that ASan sees it).
 */
#include "ctl/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ETH "\x02\0\0\0\0\x01\x02\0\0\0\0\x02"
#define IP(len, frag, ttl, proto) \
	"\x45\0" len "\0\x07" frag ttl proto "\0\0\x0a\0\0\x01\x0a\0\0\x02"

struct sample {
	const char *bytes;
	size_t n;
	int framed;
	const char *says;
};
#define S(bytes, framed, says)                         \
	{                                              \
		bytes, sizeof(bytes) - 1, framed, says \
	}

static const struct sample samples[] = {
	S(ETH "\x08\0" IP("\0\x28", "\x40\0", "\x40",
		  "\x06") "\x04\xd2\x01\xbb\0\0\0\x01\0\0\0\x02\x50\x12\x10\0\0\0\0\0",
		1,
		"02:00:00:00:00:02 > 02:00:00:00:00:01, IPv4 10.0.0.1:1234 > 10.0.0.2:443 tcp "
		"flags "
		"[SA] seq 1 ack 2 win 4096 data 0 ttl 64 DF length 40"),
	S(ETH "\x81\0\0\x07\x08\0" IP(
		  "\0\x20", "\0\0", "\x01", "\x11") "\0\x35\x04\0\0\x0c\0\0abcd",
		1,
		"02:00:00:00:00:02 > 02:00:00:00:00:01, vlan 7, IPv4 10.0.0.1:53 > 10.0.0.2:1024 "
		"udp "
		"data 4 ttl 1 length 32"),
	S(IP("\0\x1c", "\0\0", "\x40", "\x01") "\x08\0\0\0\0\x05\0\x06", 0,
		"IPv4 10.0.0.1 > 10.0.0.2 icmp echo request (type 8 code 0) id 5 seq 6 ttl 64 "
		"length "
		"28"),
	S(IP("\0\x38", "\0\0", "\x40", "\x01") "\x03\x04\0\0\0\0\x05\xdc" IP(
		  "\0\x1c", "\0\0", "\x40", "\x01") "12345678",
		0,
		"IPv4 10.0.0.1 > 10.0.0.2 icmp fragmentation needed (type 3 code 4) mtu 1500 about "
		"10.0.0.1 > 10.0.0.2 ttl 64 length 56"),
	S(IP("\0\x1c", "\x20\x02", "\x40", "\x11") "12345678", 0,
		"IPv4 10.0.0.1 > 10.0.0.2 udp fragment id 7 offset 16+ ttl 64 length 28"),
	S(IP("\0\x1c", "\0\0", "\x40", "\x32") "\0\0\x01\0\0\0\0\x09", 0,
		"IPv4 10.0.0.1 > 10.0.0.2 esp spi 0x00000100 seq 9 ttl 64 length 28"),
	S(ETH "\x08\x06\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x02\x0a\0\0\x01\0\0\0\0\0\0\x0a\0\0"
	      "\x02",
		1, "02:00:00:00:00:02 > 02:00:00:00:00:01, ARP who has 10.0.0.2? tell 10.0.0.1"),
	S(ETH "\x08\x06\0\x01\x08\0\x06\x04\0\x02\x02\0\0\0\0\x02\x0a\0\0\x01\0\0\0\0\0\0\x0a\0\0"
	      "\x02",
		1, "02:00:00:00:00:02 > 02:00:00:00:00:01, ARP 10.0.0.1 is at 02:00:00:00:00:02"),
	S(ETH "\x86\xddxxxx", 1, "02:00:00:00:00:02 > 02:00:00:00:00:01, IPv6 length 4"),
	S(ETH "\0\x10xxxx", 1, "02:00:00:00:00:02 > 02:00:00:00:00:01, 802.3 length 16"),
	S("\x65\0\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0, "IPv4 [version 6]"),
	S("\x43\0\0\x14\0\0\0\0\0\0\0\0\x0a\0\0\x01\x0a\0\0\x02", 0,
		"IPv4 [bad header length 12] 10.0.0.1 > 10.0.0.2"),
	S("\x4f\0\0\x14\0\0\0\0\x40\x06\0\0\x0a\0\0\x01\x0a\0\0\x02", 0,
		"IPv4 10.0.0.1 > 10.0.0.2 tcp [TCP header cut: 0 of 14 bytes] ttl 64 length 20 "
		"options "
		"40 [but 20 bytes came]"),
	S(ETH, 1, "[Ethernet header cut: 12 of 14 bytes]"),
	S("", 0, "IPv4 [header cut: 0 of 20 bytes]"),
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void test_says(void **state)
{
	char buf[DECODE_STRLEN];

	for (size_t i = 0; i < SAMPLES; i++) {
		const struct sample *s = &samples[i];

		decode((const uint8_t *)s->bytes, s->n, s->n, s->framed, buf, sizeof(buf));
		assert_string_equal(buf, s->says);
	}
}

static void test_every_length(void **state)
{
	char buf[DECODE_STRLEN];

	for (size_t i = 0; i < SAMPLES; i++)
		for (size_t n = 0; n <= samples[i].n; n++)
			for (size_t len = 0; len < 3; len++) {
				uint8_t *exact = malloc(n + !n);

				memcpy(exact, samples[i].bytes, n);
				decode(exact, n,
					len == 0   ? 0
					: len == 1 ? n
						   : 65535,
					samples[i].framed, buf, sizeof(buf));
				assert_true(strlen(buf) < sizeof(buf));
				free(exact);
			}
}

/* Random bytes, and whole packets with one byte changed, into small and large buffers. */
static void test_hostile(void **state)
{
	char buf[DECODE_STRLEN];

	srand(1);
	for (int round = 0; round < 20000; round++) {
		const struct sample *s = &samples[(size_t)rand() % SAMPLES];
		size_t n = round % 2 ? s->n : (size_t)rand() % 129;
		uint8_t *exact = malloc(n + !n);

		for (size_t i = 0; i < n; i++)
			exact[i] = round % 2 ? (uint8_t)s->bytes[i] : (uint8_t)rand();
		if (n > 0)
			exact[(size_t)rand() % n] = (uint8_t)rand();
		decode(exact, n, (size_t)rand() % 2000, rand() % 2, buf,
			round % 3 ? sizeof(buf) : 1 + (size_t)rand() % 40);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
