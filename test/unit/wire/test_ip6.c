/* wire/ip6: classes of addresses, the pseudo-header's checksum, chains of extension headers and
 * their options (RFC 8200 section 4), cut at every length.
 */
#include "wire/ip6.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 8

/* A packet that is put together header by header. */
static uint8_t pkt[2000];
static unsigned len, named_at;

static void begin(void)
{
	memset(pkt, 0, sizeof(pkt));
	pkt[0] = 0x60;
	len = IP6_HDR;
	named_at = IP6_AT_NEXT_HEADER;
}

/* A header of that kind; body: what follows its first byte. Its own length is in body. */
static unsigned put(uint8_t kind, const void *body, unsigned body_len)
{
	unsigned at = len;

	pkt[named_at] = kind;
	named_at = len++;
	memcpy(pkt + len, body, body_len);
	len += body_len;
	return at;
}

static void end(uint8_t proto, unsigned bytes)
{
	pkt[named_at] = proto;
	len += bytes;
}

/* Reads beyond the end are seen by the sanitizer: the copy is just as long as the packet. */
static enum ip6_chain_result walk(unsigned n, unsigned most, struct ip6_chain *c)
{
	uint8_t *copy = malloc(n);
	enum ip6_chain_result ret;

	memcpy(copy, pkt, n);
	ret = ip6_chain_walk(copy, n, most, c);
	free(copy);
	return ret;
}

static enum ip6_fate examine(struct ip6_problem *p)
{
	uint8_t *copy = malloc(len);
	enum ip6_fate ret;

	memcpy(copy, pkt, len);
	ret = ip6_examine(copy, len, MOST, p);
	free(copy);
	return ret;
}

#define HBH "\0\5\2\0\0\1\0" /* router alert, PadN */
#define DST "\0\1\4\0\0\0\0"
#define DST16 "\1\1\14\0\0\0\0\0\0\0\0\0\0\0\0"
#define AH24 "\4\0\0\0\0\1\0\0\0\0\1\1\1\1\1\1\1\1\1\1\1\1\1"

static void addresses(void **state)
{
	static const struct {
		const char *text;
		bool mapped, unspecified, loopback, multicast, link_local, special;
	} t[] = {
		{"::", 0, 1, 0, 0, 0, 1},
		{"::1", 0, 0, 1, 0, 0, 1},
		{"::2", 0, 0, 0, 0, 0, 1},
		{"2001:db8::1", 0, 0, 0, 0, 0, 0},
		{"fe80::1", 0, 0, 0, 0, 1, 1},
		{"febf::1", 0, 0, 0, 0, 1, 1},
		{"fec0::1", 0, 0, 0, 0, 0, 1},
		{"fd00::1", 0, 0, 0, 0, 0, 0},
		{"ff02::1", 0, 0, 0, 1, 0, 1},
		{"ff0e::1", 0, 0, 0, 1, 0, 1},
		{"1.2.3.4", 1, 0, 0, 0, 0, 1},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct addr a;

		assert_int_equal(addr_parse(t[i].text, &a), 0);
		assert_int_equal(ip6_is_mapped(a.b), t[i].mapped);
		assert_int_equal(ip6_is_unspecified(a.b), t[i].unspecified);
		assert_int_equal(ip6_is_loopback(a.b), t[i].loopback);
		assert_int_equal(ip6_is_multicast(a.b), t[i].multicast);
		assert_int_equal(ip6_is_link_local(a.b), t[i].link_local);
		assert_int_equal(ip6_is_special(a.b), t[i].special);
	}
}

/* RFC 8200 section 8.1: against a sum of 16-bit words in network order. */
static void checksum(void **state)
{
	uint8_t src[16], dst[16], data[257], word[2];

	srand(8200);
	for (unsigned n = 0; n <= sizeof(data); n++) {
		uint32_t sum = n + IP6_ICMP;
		uint16_t got;

		for (unsigned i = 0; i < 16; i++) {
			src[i] = (uint8_t)rand();
			dst[i] = (uint8_t)rand();
			sum += (uint32_t)(src[i] + dst[i]) << (i % 2 ? 0 : 8);
		}
		for (unsigned i = 0; i < n; i++) {
			data[i] = (uint8_t)(n % 3 ? rand() : 0xff);
			sum += (uint32_t)data[i] << (i % 2 ? 0 : 8);
		}
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		got = ip6_sum(src, dst, IP6_ICMP, data, n);
		memcpy(word, &got, 2);
		assert_int_equal(word[0] << 8 | word[1], sum);
	}
}

static void plain(void **state)
{
	struct ip6_chain c;

	begin();
	end(6, 20);
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_OK);
	assert_int_equal(c.proto, 6);
	assert_int_equal(c.l4, 40);
	assert_int_equal(c.proto_at, 6);
	assert_int_equal(c.n, 0);
	assert_int_equal(c.frag_at, 0);
	assert_int_equal(walk(40, MOST, &c), IP6_CHAIN_OK);
	assert_int_equal(walk(40, 0, &c), IP6_CHAIN_OK);
}

/* RFC 8200 section 4.1: every kind, in the order that it recommends. */
static void a_long_chain(void **state)
{
	struct ip6_chain c;
	unsigned last;

	begin();
	put(IP6_HOP_BY_HOP, HBH, 7);
	put(IP6_DEST_OPTIONS, DST, 7);
	put(IP6_ROUTING, "\0\4\0\0\0\0\0", 7);
	put(IP6_FRAGMENT, "\0\0\1\x12\x34\x56\x78", 7);
	put(IP6_AH, AH24, 23);
	last = put(IP6_DEST_OPTIONS, DST16, 15);
	end(17, 8);
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_OK);
	assert_int_equal(c.proto, 17);
	assert_int_equal(c.n, 6);
	assert_int_equal(c.l4, 40 + 8 + 8 + 8 + 8 + 24 + 16);
	assert_int_equal(c.proto_at, last);
	assert_int_equal(c.frag_at, 64);
	assert_true(c.more);
	assert_int_equal(c.offset, 0);
	assert_int_equal(c.id, 0x12345678);
	assert_int_equal(c.routing_at, 56);
	assert_int_equal(c.routing_type, 4);
	assert_int_equal(walk(len, 6, &c), IP6_CHAIN_OK);
	for (unsigned most = 0; most < 6; most++)
		assert_int_equal(walk(len, most, &c), IP6_CHAIN_TOO_LONG);
	/* cut anywhere within a header: said, and nothing read beyond the end */
	for (unsigned n = IP6_HDR; n < 40 + 72; n++)
		assert_int_equal(walk(n, MOST, &c), IP6_CHAIN_TRUNCATED);
	for (unsigned n = 40 + 72; n <= len; n++)
		assert_int_equal(walk(n, MOST, &c), IP6_CHAIN_OK);
}

/* RFC 6275, RFC 7401, RFC 5533: extension headers by the list of IANA. */
static void rare_kinds(void **state)
{
	static const uint8_t kind[] = {IP6_MOBILITY, IP6_HIP, IP6_SHIM6};
	struct ip6_problem p;
	struct ip6_chain c;

	for (unsigned i = 0; i < sizeof(kind); i++) {
		begin();
		put(kind[i], "\0\0\0\0\0\0\0", 7);
		end(IP6_NO_NEXT, 0);
		assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_OK);
		assert_int_equal(c.proto, IP6_NO_NEXT);
		assert_int_equal(c.l4, 48);
		/* for us they are unknown: RFC 8200 section 4 */
		assert_int_equal(examine(&p), IP6_PROBLEM);
		assert_int_equal(p.code, ICMP6_BAD_NEXT_HEADER);
		assert_int_equal(p.pointer, IP6_AT_NEXT_HEADER);
	}
}

/* RFC 4302 section 2.2: the length of AH is in words of four bytes, less two. */
static void authentication(void **state)
{
	struct ip6_chain c;

	begin();
	put(IP6_AH, AH24, 23);
	end(6, 20);
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_OK);
	assert_int_equal(c.l4, 64);
	pkt[41] = 0; /* shorter than any */
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_TRUNCATED);
	pkt[41] = 255;
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_TRUNCATED);
}

/* RFC 8200 section 4.5; RFC 6946 for the atomic one. */
static void fragments(void **state)
{
	struct ip6_chain c;

	begin();
	put(IP6_FRAGMENT, "\0\0\0\0\0\0\7", 7);
	end(6, 20);
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_OK);
	assert_int_equal(c.frag_at, 40);
	assert_false(c.more);
	assert_int_equal(c.offset, 0);
	assert_int_equal(c.proto, 6);

	/* a later one: what it names is not walked, for its bytes are no header */
	begin();
	put(IP6_FRAGMENT, "\0\0\x10\0\0\0\7", 7);
	end(IP6_DEST_OPTIONS, 16);
	pkt[49] = 0xff;
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_OK);
	assert_int_equal(c.offset, 16);
	assert_int_equal(c.proto, IP6_DEST_OPTIONS);
	assert_int_equal(c.l4, 48);

	/* the reserved bits say nothing */
	pkt[43] = 0x17;
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_OK);
	assert_int_equal(c.offset, 16);
	assert_true(c.more);

	begin();
	put(IP6_FRAGMENT, "\0\0\0\0\0\0\7", 7);
	put(IP6_FRAGMENT, "\0\0\1\0\0\0\7", 7);
	end(6, 20);
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_FRAGMENT);
}

/* RFC 8200 section 4: a hop-by-hop header anywhere but first. */
static void hop_by_hop_later(void **state)
{
	struct ip6_problem p;
	struct ip6_chain c;
	unsigned before;

	begin();
	before = put(IP6_DEST_OPTIONS, DST, 7);
	put(IP6_HOP_BY_HOP, HBH, 7);
	end(6, 20);
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_HOP_BY_HOP);
	assert_int_equal(examine(&p), IP6_PROBLEM);
	assert_int_equal(p.code, ICMP6_BAD_NEXT_HEADER);
	assert_int_equal(p.pointer, before);

	begin();
	put(IP6_HOP_BY_HOP, HBH, 7);
	put(IP6_HOP_BY_HOP, HBH, 7);
	end(6, 20);
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_HOP_BY_HOP);
}

/* RFC 5095, RFC 8200 section 4.4 */
static void routing_headers(void **state)
{
	struct ip6_problem p;
	struct ip6_chain c;

	begin();
	put(IP6_ROUTING, "\0\0\0\0\0\0\0", 7);
	end(6, 20);
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_OK);
	assert_int_equal(c.routing_at, 40);
	assert_int_equal(c.routing_type, 0);
	assert_int_equal(examine(&p), IP6_ACCEPT); /* no segments left: nothing to do */
	pkt[43] = 1;
	assert_int_equal(examine(&p), IP6_PROBLEM);
	assert_int_equal(p.code, ICMP6_BAD_FIELD);
	assert_int_equal(p.pointer, 42);

	/* one of type 0 does not hide behind another */
	begin();
	put(IP6_ROUTING, "\0\2\1\0\0\0\0", 7);
	put(IP6_ROUTING, "\0\0\1\0\0\0\0", 7);
	end(6, 20);
	assert_int_equal(walk(len, MOST, &c), IP6_CHAIN_OK);
	assert_int_equal(c.routing_at, 48);
	assert_int_equal(c.routing_type, 0);
}

/* RFC 8200 section 4.2: what the two highest bits of an unknown option's type say. */
static void unknown_options(void **state)
{
	static const struct {
		uint8_t type;
		enum ip6_fate fate;
	} t[] = {
		{0x1e, IP6_ACCEPT},
		{0x3e, IP6_ACCEPT},
		{0x5e, IP6_DISCARD},
		{0x7e, IP6_DISCARD},
		{0x9e, IP6_PROBLEM_ALWAYS},
		{0xbe, IP6_PROBLEM_ALWAYS},
		{0xc2, IP6_PROBLEM}, /* a jumbo payload */
		{0xfe, IP6_PROBLEM},
		{IP6_OPT_ROUTER_ALERT, IP6_ACCEPT},
	};

	for (unsigned k = 0; k < 2; k++) {
		for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
			struct ip6_problem p = {0};

			begin();
			put(k ? IP6_DEST_OPTIONS : IP6_HOP_BY_HOP, "\0\0\0\2\0\0\0", 7);
			end(17, 8);
			pkt[43] = t[i].type; /* behind a Pad1 */
			pkt[44] = 2;
			pkt[42] = IP6_OPT_PAD1;
			pkt[47] = IP6_OPT_PAD1;
			assert_int_equal(examine(&p), t[i].fate);
			if (t[i].fate >= IP6_PROBLEM) {
				assert_int_equal(p.code, ICMP6_BAD_OPTION);
				assert_int_equal(p.pointer, 43);
			}
		}
	}
}

static void malformed_options(void **state)
{
	struct ip6_problem p;

	/* longer than the header */
	begin();
	put(IP6_DEST_OPTIONS, "\0\1\5\0\0\0\0", 7);
	end(17, 8);
	assert_int_equal(examine(&p), IP6_PROBLEM);
	assert_int_equal(p.code, ICMP6_BAD_FIELD);
	assert_int_equal(p.pointer, 42);
	/* without a length */
	begin();
	put(IP6_DEST_OPTIONS, "\0\1\3\0\0\0\1", 7);
	end(17, 8);
	assert_int_equal(examine(&p), IP6_PROBLEM);
	assert_int_equal(p.pointer, 47);
	/* just so */
	begin();
	put(IP6_DEST_OPTIONS, "\0\1\4\0\0\0\0", 7);
	end(17, 8);
	assert_int_equal(examine(&p), IP6_ACCEPT);
	/* in the second header of two */
	begin();
	put(IP6_HOP_BY_HOP, "\0\5\2\0\0\1\0", 7);
	put(IP6_DEST_OPTIONS, "\0\x87\0\1\1\0\0", 7);
	end(17, 8);
	assert_int_equal(examine(&p), IP6_PROBLEM_ALWAYS);
	assert_int_equal(p.pointer, 50);
}

/* Whatever the bytes: the walk ends within the packet, and the destination's look agrees with it.
 */
static void any_bytes(void **state)
{
	static const uint8_t kinds[] = {IP6_HOP_BY_HOP, IP6_ROUTING, IP6_FRAGMENT, IP6_AH,
		IP6_DEST_OPTIONS, IP6_MOBILITY, 6, 17, IP6_ICMP, IP6_NO_NEXT};

	srand(4);
	for (unsigned round = 0; round < 200000; round++) {
		struct ip6_problem p = {0};
		struct ip6_chain c;
		enum ip6_chain_result ret;

		len = IP6_HDR + (unsigned)rand() % 80;
		for (unsigned i = 0; i < len; i++)
			pkt[i] = (uint8_t)(rand() % 3 ? rand() % 3
						      : kinds[(unsigned)rand() % sizeof(kinds)]);
		ret = walk(len, MOST, &c);
		assert_true(c.l4 >= IP6_HDR && c.l4 <= len && c.n <= MOST);
		if (ret == IP6_CHAIN_OK)
			assert_true(c.offset || !ip6_is_extension(c.proto));
		if (examine(&p) >= IP6_PROBLEM)
			assert_true(p.pointer < len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(checksum),
		cmocka_unit_test(plain),
		cmocka_unit_test(a_long_chain),
		cmocka_unit_test(rare_kinds),
		cmocka_unit_test(authentication),
		cmocka_unit_test(fragments),
		cmocka_unit_test(hop_by_hop_later),
		cmocka_unit_test(routing_headers),
		cmocka_unit_test(unknown_options),
		cmocka_unit_test(malformed_options),
		cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
