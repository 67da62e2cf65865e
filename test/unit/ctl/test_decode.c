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

#define SRC "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define DST "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define IP6(len, next, hops) "\x60\0\0\0" len next hops SRC DST
#define TCP6 "\x04\xd2\x01\xbb\0\0\0\x01\0\0\0\0\x50\x02\x10\0\0\0\0\0"

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
	S(IP("\0\x18", "\0\0", "\x40", "\x32") "\0\0\x01\0", 0,
		"IPv4 10.0.0.1 > 10.0.0.2 esp [ESP header cut: 4 of 8 bytes] ttl 64 length 24"),
	/* RFC 3948: ESP in UDP, IKE behind four zeros, a keepalive */
	S(IP("\0\x24", "\0\0", "\x40", "\x11") "\x11\x94\x11\x94\0\x10\0\0\0\0\x01\0\0\0\0\x09", 0,
		"IPv4 10.0.0.1:4500 > 10.0.0.2:4500 udp data 8 ESP spi 0x00000100 seq 9 ttl 64 "
		"length "
		"36"),
	S(IP("\0\x24", "\0\0", "\x40", "\x11") "\x11\x94\x11\x94\0\x10\0\0\0\0\0\0\0\0\0\x09", 0,
		"IPv4 10.0.0.1:4500 > 10.0.0.2:4500 udp data 8 IKE ttl 64 length 36"),
	S(IP("\0\x1d", "\0\0", "\x40", "\x11") "\x11\x94\x11\x94\0\x09\0\0\xff", 0,
		"IPv4 10.0.0.1:4500 > 10.0.0.2:4500 udp data 1 NAT keepalive ttl 64 length 29"),
	/* AH hides nothing */
	S(IP("\0\x34", "\0\0", "\x40", "\x33") "\x11\x04\0\0\0\0\x01\0\0\0\0\x05xxxxxxxxxxxx"
					       "\0\x01\0\x02\0\x08\0\0",
		0,
		"IPv4 10.0.0.1 > 10.0.0.2 ah spi 0x00000100 seq 5 udp 1 > 2 data 0 ttl 64 length "
		"52"),
	S(IP("\0\x48", "\0\0", "\x40", "\x33") "\x04\x04\0\0\0\0\x01\0\0\0\0\x05xxxxxxxxxxxx" IP(
		  "\0\x1c", "\0\0", "\x40", "\x32") "\0\0\x01\x01\0\0\0\x09",
		0,
		"IPv4 10.0.0.1 > 10.0.0.2 ah spi 0x00000100 seq 5 ipip IPv4 10.0.0.1 > 10.0.0.2 "
		"esp "
		"spi 0x00000101 seq 9 ttl 64 length 28 ttl 64 length 72"),
	S(ETH "\x08\x06\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x02\x0a\0\0\x01\0\0\0\0\0\0\x0a\0\0"
	      "\x02",
		1, "02:00:00:00:00:02 > 02:00:00:00:00:01, ARP who has 10.0.0.2? tell 10.0.0.1"),
	S(ETH "\x08\x06\0\x01\x08\0\x06\x04\0\x02\x02\0\0\0\0\x02\x0a\0\0\x01\0\0\0\0\0\0\x0a\0\0"
	      "\x02",
		1, "02:00:00:00:00:02 > 02:00:00:00:00:01, ARP 10.0.0.1 is at 02:00:00:00:00:02"),
	S(ETH "\x86\xddxxxx", 1,
		"02:00:00:00:00:02 > 02:00:00:00:00:01, IPv6 [header cut: 4 of 40 bytes]"),
	S(ETH "\0\x10xxxx", 1, "02:00:00:00:00:02 > 02:00:00:00:00:01, 802.3 length 16"),
	S("\x55\0\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0, "IPv4 [version 5]"),
	S("\x43\0\0\x14\0\0\0\0\0\0\0\0\x0a\0\0\x01\x0a\0\0\x02", 0,
		"IPv4 [bad header length 12] 10.0.0.1 > 10.0.0.2"),
	S("\x4f\0\0\x14\0\0\0\0\x40\x06\0\0\x0a\0\0\x01\x0a\0\0\x02", 0,
		"IPv4 10.0.0.1 > 10.0.0.2 tcp [TCP header cut: 0 of 14 bytes] ttl 64 length 20 "
		"options "
		"40 [but 20 bytes came]"),
	S(ETH, 1, "[Ethernet header cut: 12 of 14 bytes]"),
	S("", 0, "IPv4 [header cut: 0 of 20 bytes]"),
};
static const struct sample samples6[] = {
	/* 802.1ad outside of 802.1Q, both with their priority */
	S(ETH "\x88\xa8\x60\x64\x81\0\x20\x07\x86\xdd" IP6("\0\x14", "\x06", "\x40") TCP6, 1,
		"02:00:00:00:00:02 > 02:00:00:00:00:01, outer vlan 100 priority 3, vlan 7 priority "
		"1, IPv6 [2001:db8::1]:1234 > [2001:db8::2]:443 tcp flags [S] seq 1 win 4096 data "
		"0 hop limit 64 length 60"),
	S("\x6b\x81\x23\x45\0\x0c\x11\x01" SRC DST "\0\x35\x04\0\0\x0c\0\0abcd", 0,
		"IPv6 [2001:db8::1]:53 > [2001:db8::2]:1024 udp data 4 hop limit 1 class 0xb8 "
		"flow 0x12345 length 52"),
	/* what follows the payload's end is padding */
	S(ETH "\x86\xdd" IP6("\0\0", "\x3b", "\x40"), 1,
		"02:00:00:00:00:02 > 02:00:00:00:00:01, IPv6 2001:db8::1 > 2001:db8::2 no-next hop "
		"limit 64 length 40"),
	S(IP6("\0\x08", "\x3a", "\x40") "\x80\0\0\0\0\x05\0\x06pad", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 echo request (type 128 code 0) id 5 seq 6 "
		"hop limit 64 length 48"),
	S(IP6("\0\x10", "\x3a", "\x40") "\x80\0\0\0\0\x05\0\x06", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 echo request (type 128 code 0) id 5 seq 6 "
		"hop limit 64 length 56 [but 48 bytes came]"),
	/* RFC 8200 section 4: the chain */
	S(IP6("\0\x54", "\0", "\x40") "\x3c\0\x05\x02\0\0\x01\0"
				      "\x2b\x02\xc9\x10" DST "\x1e\x05\x07"
				      "\0"
				      "\x2c\x02\0\x01\0\0\0\0" SRC "\x06\0\0\x01\0\0\0\x09" TCP6,
		0,
		"IPv6 [2001:db8::1]:1234 > [2001:db8::2]:443 hop-by-hop router alert 0 destination "
		"options home address 2001:db8::2 [option 0x1e of 5 ends beyond] "
		"routing type 0 left 1 via 2001:db8::1 fragment id 9 offset 0+ tcp flags [S] seq 1 "
		"win 4096 data 0 hop limit 64 length 124"),
	/* RFC 8200 section 4.5, RFC 6946: no transport behind a later fragment; an atomic one */
	S(IP6("\0\x10", "\x2c", "\x40") "\x11\0\x05\xa9\0\0\0\x07xxxxxxxx", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 fragment id 7 offset 1448+ udp hop limit 64 length "
		"56"),
	S(IP6("\0\x10", "\x2c", "\x40") "\x11\0\0\0\0\0\0\x07\0\x01\0\x02\0\x08\0\0", 0,
		"IPv6 [2001:db8::1]:1 > [2001:db8::2]:2 fragment id 7 offset 0 (atomic) udp data 0 "
		"hop limit 64 length 56"),
	S(IP6("\0\x10", "\x2b", "\x40") "\x3b\x01\x04\x02\0\0\0\0xxxxxxxx", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 routing type 4 left 2 no-next hop limit 64 length "
		"56"),
	S(IP6("\0\x08", "\x87", "\x40") "\x3b\0\x05\0\0\0\0\0", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 mobility no-next hop limit 64 length 48"),
	S(IP6("\0\x08", "\x2b", "\x40") "\x06\xff\x63\0\0\0\0\0", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 routing type 99 left 0 [header cut: 8 of 2048 "
		"bytes] "
		"hop limit 64 length 48"),
	/* a first fragment's UDP length is the datagram's */
	S(IP6("\0\x10", "\x2c", "\x40") "\x11\0\0\x01\0\0\0\x07\0\x01\0\x02\x01\0\0\0", 0,
		"IPv6 [2001:db8::1]:1 > [2001:db8::2]:2 fragment id 7 offset 0+ udp data 248 hop "
		"limit 64 length 56"),
	S(IP("\0\x1c", "\x20\0", "\x40", "\x11") "\0\x01\0\x02\x01\0\0\0", 0,
		"IPv4 10.0.0.1:1 > 10.0.0.2:2 udp data 248 fragment id 7 offset 0+ ttl 64 length "
		"28"),
	/* AH is one of the chain: behind it stands what it vouches for (RFC 4302 section 3.1.1) */
	S(IP6("\0\x20", "\x33", "\x40") "\x11\x04\0\0\0\0\x01\0\0\0\0\x05xxxxxxxxxxxx"
					"\0\x01\0\x02\0\x08\0\0",
		0,
		"IPv6 [2001:db8::1]:1 > [2001:db8::2]:2 ah spi 0x00000100 seq 5 udp data 0 hop "
		"limit 64 length 72"),
	/* RFC 4443: errors are about a packet */
	S(IP6("\0\x30", "\x3a", "\x40") "\x02\0\0\0\0\0\x05\0" IP6("\x05\0", "\x06", "\x3f"), 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 packet too big (type 2 code 0) mtu 1280 "
		"about 2001:db8::1 > 2001:db8::2 tcp hop limit 64 length 88"),
	S(IP6("\0\x08", "\x3a", "\x40") "\x04\x01\0\0\0\0\0\x28", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 unrecognized next header (type 4 code 1) at "
		"byte 40 hop limit 64 length 48"),
	S(IP6("\0\x08", "\x3a", "\x40") "\x01\x04\0\0\0\0\0\0", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 port unreachable (type 1 code 4) hop limit "
		"64 length 48"),
	/* RFC 4861 section 4 */
	S(IP6("\0\x20", "\x3a", "\xff") "\x87\0\0\0\0\0\0\0" DST "\x01\x01\x02\0\0\0\0\x02", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 neighbour solicitation (type 135 code 0) "
		"target 2001:db8::2 (source MAC 02:00:00:00:00:02) hop limit 255 length 72"),
	S(IP6("\0\x20", "\x3a", "\xff") "\x88\0\0\0\xe0\0\0\0" DST "\x02\x01\x02\0\0\0\0\x02", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 neighbour advertisement (type 136 code 0) "
		"target 2001:db8::2 flags [RSO] (target MAC 02:00:00:00:00:02) hop limit 255 "
		"length "
		"72"),
	S(IP6("\0\x90", "\x3a", "\xff") "\x86\0\0\0\x40\xc8\x07\x08\0\0\x75\x30\0\0\x03\xe8"
					"\x05\x01\0\0\0\0\x05\xdc"
					"\x03\x04\x40\xc0\0\x01\x51\x80\xff\xff\xff\xff\0\0\0\0" SRC
					"\x19\x03\0\0\0\0\x07\x08" DST
					"\x1f\x04\0\0\0\0\x07\x08\x03lan\x07"
					"ex\x1bmple\0\x01x\0\0\0\0\0\0\0\0\0"
					"\x18\x02\x30\x18\0\0\x07\x08\x20\x01\x0d\xb8\0\x07\0\0"
					"\x0e\x01\x01\x02\x03\x04\x05\x06"
					"\x63\x01xxxxxx",
		0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 router advertisement (type 134 code 0) "
		"current hop limit 64 flags [MO] preference high lifetime 1800 s reachable 30000 "
		"ms retrans 1000 ms (mtu 1500; prefix 2001:db8::1/64 flags [LA] valid 86400 s "
		"preferred infinite; dns 2001:db8::2 lifetime 1800 s; domains lan.ex?mple x "
		"lifetime 1800 s; route 2001:db8:7::/48 preference low lifetime 1800 s; nonce "
		"010203040506; option 99 of 8) hop limit 255 length 184"),
	S(IP6("\0\x0a", "\x3a", "\xff") "\x85\0\0\0\0\0\0\0\x01\0", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 router solicitation (type 133 code 0) "
		"([option 1 of length 0]) hop limit 255 length 50"),
	S(IP6("\0\x10", "\x3a", "\xff") "\x85\0\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 router solicitation (type 133 code 0) "
		"([option cut: 8 of 16 bytes]) hop limit 255 length 56"),
	S(IP6("\0\x30", "\x3a", "\xff") "\x89\0\0\0\0\0\0\0" SRC DST "\x04\x01\0\0\0\0\0\0", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 redirect (type 137 code 0) target "
		"2001:db8::1 for 2001:db8::2 (redirected header of 0) hop limit 255 length 88"),
	S(IP6("\0\x08", "\x3a", "\x01") "\x8f\0\0\0\0\0\0\x02", 0,
		"IPv6 2001:db8::1 > 2001:db8::2 icmpv6 MLDv2 report (type 143 code 0) 2 records "
		"hop "
		"limit 1 length 48"),
	/* an address that only looks like IPv4's stays what it is on the wire */
	S("\x60\0\0\0\0\0\x3b\x40\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01" DST, 0,
		"IPv6 ::ffff:10.0.0.1 > 2001:db8::2 no-next hop limit 64 length 40"),
	S("\x60\0\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0, "IPv6 [header cut: 20 of 40 bytes]"),
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

#define SAMPLES6 (sizeof(samples6) / sizeof(samples6[0]))

static const struct sample *sample_of(size_t i)
{
	return i < SAMPLES ? &samples[i] : &samples6[i - SAMPLES];
}

static void test_says(void **state)
{
	char buf[DECODE_STRLEN];

	for (size_t i = 0; i < SAMPLES + SAMPLES6; i++) {
		const struct sample *s = sample_of(i);

		decode((const uint8_t *)s->bytes, s->n, s->n, s->framed, buf, sizeof(buf));
		assert_string_equal(buf, s->says);
	}
}

/* Cut at every length, of a packet that said to be so long, or of nothing at all, or the longest.
 */
static void test_every_length(void **state)
{
	char buf[DECODE_STRLEN];

	for (size_t i = 0; i < SAMPLES + SAMPLES6; i++) {
		const struct sample *s = sample_of(i);

		for (size_t n = 0; n <= s->n; n++)
			for (size_t k = 0; k < 4; k++) {
				const size_t len[] = {0, n, s->n, 65535};
				uint8_t *exact = malloc(n + !n);

				memcpy(exact, s->bytes, n);
				decode(exact, n, len[k], s->framed, buf, sizeof(buf));
				assert_true(strlen(buf) < sizeof(buf));
				free(exact);
			}
	}
}

/* What was not kept is said: a sample has the first bytes alone. */
static void test_cut(void **state)
{
	static const char packet[] = IP6("\0\x40", "\x3a", "\xff") "\x86\0\0\0\x40\0\x07\x08"
								   "\0\0\0\0\0\0\0\0"
								   "\x05\x01\0\0\0\0\x05\xdc";
	static const struct {
		size_t kept;
		const char *says;
	} cuts[] = {
		{39, "IPv6 [header cut: 39 of 40 bytes]"},
		{40, "icmpv6 [ICMPv6 header cut: 0 of 2 bytes] hop limit 255 length 104"},
		{50, "(type 134 code 0) [message cut: 10 of 16 bytes] hop limit 255"},
		{56, "retrans 0 ms ([48 bytes cut]) hop limit 255 length 104"},
		{60, "retrans 0 ms ([option cut: 4 of 8 bytes]) hop limit 255 length 104"},
		{64, "retrans 0 ms (mtu 1500; [40 bytes cut]) hop limit 255 length 104"},
	};
	char buf[DECODE_STRLEN];

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		decode((const uint8_t *)packet, cuts[i].kept, 104, 0, buf, sizeof(buf));
		if (strstr(buf, cuts[i].says) == NULL)
			fail_msg("cut at %zu: %s", cuts[i].kept, buf);
	}
}

/* Random bytes, and whole packets with one byte changed, into small and large buffers. */
static void test_hostile(void **state)
{
	char buf[DECODE_STRLEN];

	srand(1);
	for (int round = 0; round < 40000; round++) {
		const struct sample *s = sample_of((size_t)rand() % (SAMPLES + SAMPLES6));
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
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
