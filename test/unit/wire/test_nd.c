/* Neighbour discovery on the wire: what RFC 4861 says must be ignored, rule by rule, and that what
 * we write reads back as meant. Packets are made by hand here, so that a mistake in the writer does
 * not hide one in the reader.
 */
#include "wire/ip6.h"
#include "wire/nd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t pkt[1500];
static unsigned len;
static struct nd nd;

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* The length and the checksum of what stands in pkt. */
static void seal(void)
{
	uint8_t *icmp = pkt + IP6_HDR;
	uint16_t sum;

	pkt[4] = (uint8_t)((len - IP6_HDR) >> 8);
	pkt[5] = (uint8_t)(len - IP6_HDR);
	icmp[2] = icmp[3] = 0;
	sum = (uint16_t)~ip6_sum(pkt + 8, pkt + 24, IP6_ICMP, icmp, len - IP6_HDR);
	memcpy(icmp + 2, &sum, 2);
}

static void start(uint8_t type, const char *src, const char *dst, unsigned fixed)
{
	struct addr s = ip(src), d = ip(dst);

	memset(pkt, 0, sizeof(pkt));
	pkt[0] = 0x60;
	pkt[6] = IP6_ICMP;
	pkt[7] = 255;
	memcpy(pkt + 8, s.b, 16);
	memcpy(pkt + 24, d.b, 16);
	pkt[IP6_HDR] = type;
	len = IP6_HDR + fixed;
	seal();
}

static void set_addr(unsigned at, const char *text)
{
	struct addr a = ip(text);

	memcpy(pkt + IP6_HDR + at, a.b, 16);
	seal();
}

static void add_option(uint8_t type, unsigned units, const char *bytes)
{
	pkt[len] = type;
	pkt[len + 1] = (uint8_t)units;
	memcpy(pkt + len + 2, bytes, 6);
	len += units * 8;
	seal();
}

static void set(unsigned at, uint8_t value)
{
	pkt[IP6_HDR + at] = value;
	seal();
}

static enum nd_fault read_it(void)
{
	return nd_read(pkt, len, &nd);
}

static void ns(void)
{
	start(ND_NS, "fe80::2", "ff02::1:ff00:1", 24);
	set_addr(8, "fe80::1");
	add_option(1, 1, "\x02\x00\x00\x00\x00\x02");
}

static void na(void)
{
	start(ND_NA, "fe80::2", "fe80::1", 24);
	set_addr(8, "fe80::2");
	set(4, ND_SOLICITED | ND_OVERRIDE);
	add_option(2, 1, "\x02\x00\x00\x00\x00\x02");
}

static void rs(void)
{
	start(ND_RS, "fe80::2", "ff02::2", 8);
	add_option(1, 1, "\x02\x00\x00\x00\x00\x02");
}

static void ra(void)
{
	start(ND_RA, "fe80::2", "ff02::1", 16);
	add_option(1, 1, "\x02\x00\x00\x00\x00\x02");
}

static void redirect(void)
{
	start(ND_REDIRECT, "fe80::2", "fe80::1", 40);
	set_addr(8, "fe80::3");
	set_addr(24, "2001:db8::9");
	add_option(2, 1, "\x02\x00\x00\x00\x00\x03");
}

static void (*const kinds[])(void) = {rs, ra, ns, na, redirect};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* RFC 4861 sections 6.1.1, 6.1.2, 7.1.1, 7.1.2, 8.1: what all kinds have in common. */
static void rules_of_all(void **state)
{
	static const unsigned least[] = {8, 16, 24, 24, 40};

	for (unsigned k = 0; k < KINDS; k++) {
		kinds[k]();
		assert_int_equal(read_it(), ND_OK);
		assert_int_equal(nd.type, ND_RS + k);
		assert_true(nd.has_mac);
		pkt[7] = 254; /* a router was between us */
		assert_int_equal(read_it(), ND_HOPS);
		kinds[k]();
		pkt[IP6_HDR + 2] ^= 1;
		assert_int_equal(read_it(), ND_CHECKSUM);
		kinds[k]();
		set(1, 1);
		assert_int_equal(read_it(), ND_CODE);
		kinds[k]();
		pkt[len - 7] = 0; /* an option of length 0 */
		seal();
		assert_int_equal(read_it(), ND_OPTION);
		kinds[k]();
		pkt[len - 7] = 2; /* beyond the end */
		seal();
		assert_int_equal(read_it(), ND_OPTION);
		kinds[k]();
		len++; /* an option of one byte */
		seal();
		assert_int_equal(read_it(), ND_OPTION);
		kinds[k]();
		set_addr(0, "::"); /* wipes type, code and checksum */
		assert_int_equal(read_it(), ND_NO_ND);
		kinds[k]();
		len = IP6_HDR + least[k];
		seal();
		assert_int_equal(read_it(), ND_OK);
		assert_false(nd.has_mac);
		len--;
		seal();
		assert_int_equal(read_it(), k ? ND_SHORT : ND_NO_ND);
	}
}

/* What is no such message, or not the whole of one. */
static void other_packets(void **state)
{
	ns();
	for (unsigned n = 0; n < len; n++)
		assert_int_equal(nd_read(pkt, n, &nd), ND_NO_ND);
	assert_int_equal(nd_read(pkt, len + 20, &nd), ND_OK); /* padding of Ethernet */
	set(0, 128);
	assert_int_equal(read_it(), ND_NO_ND);
	set(0, 138);
	assert_int_equal(read_it(), ND_NO_ND);
	ns();
	pkt[6] = 17;
	assert_int_equal(read_it(), ND_NO_ND);
	ns();
	pkt[0] = 0x40;
	assert_int_equal(read_it(), ND_NO_ND);
}

/* RFC 6980 section 5: with a fragment header, even an atomic one, it is ignored. Other extension
 * headers change nothing. */
static void extension_headers(void **state)
{
	unsigned next[2] = {IP6_DEST_OPTIONS, IP6_FRAGMENT};

	for (unsigned k = 0; k < 2; k++) {
		ns();
		memmove(pkt + IP6_HDR + 8, pkt + IP6_HDR, len - IP6_HDR);
		memcpy(pkt + IP6_HDR,
			k ? "\x3a\x00\x00\x00\x00\x00\x00\x07" : "\x3a\x00\x01\x04\x00\x00\x00\x00",
			8);
		pkt[6] = (uint8_t)next[k];
		len += 8;
		pkt[5] = (uint8_t)(len - IP6_HDR);
		assert_int_equal(read_it(), k ? ND_FRAGMENT : ND_OK);
	}
}

/* RFC 4861 section 6.1.1 */
static void router_solicitation(void **state)
{
	rs();
	assert_int_equal(read_it(), ND_OK);
	assert_memory_equal(nd.mac.b, "\x02\x00\x00\x00\x00\x02", 6);
	start(ND_RS, "::", "ff02::2", 8);
	assert_int_equal(read_it(), ND_OK);
	add_option(1, 1, "\x02\x00\x00\x00\x00\x02");
	assert_int_equal(read_it(), ND_SOURCE);
	start(ND_RS, "::", "ff02::2", 8);
	add_option(2, 1, "\x02\x00\x00\x00\x00\x02"); /* not of this kind: ignored */
	assert_int_equal(read_it(), ND_OK);
	assert_false(nd.has_mac);
}

/* RFC 4861 section 6.1.2 */
static void router_advertisement(void **state)
{
	start(ND_RA, "2001:db8::2", "ff02::1", 16);
	assert_int_equal(read_it(), ND_SOURCE);
	start(ND_RA, "::", "ff02::1", 16);
	assert_int_equal(read_it(), ND_SOURCE);
	ra();
	set(4, 64);
	set(5, 0x80);
	set(6, 0x07);
	set(7, 0x08);
	set(11, 9);
	set(14, 1);
	add_option(5, 1, "\0\0\0\0\x05\xdc");
	pkt[len + 2] = 64;
	pkt[len + 3] = 0xc0;
	pkt[len + 7] = 30;
	pkt[len + 11] = 20;
	memcpy(pkt + len + 16, "\x20\x01\x0d\xb8\0\0\0\0\1", 9); /* host bits are not heeded */
	pkt[len] = 3;
	pkt[len + 1] = 4;
	len += 32;
	seal();
	assert_int_equal(read_it(), ND_OK);
	assert_int_equal(nd.ra.hop_limit, 64);
	assert_true(nd.ra.managed);
	assert_false(nd.ra.other_config);
	assert_int_equal(nd.ra.lifetime_s, 1800);
	assert_int_equal(nd.ra.reachable_ms, 9);
	assert_int_equal(nd.ra.retrans_ms, 256);
	assert_int_equal(nd.ra.mtu, 1500);
	assert_int_equal(nd.ra.n_prefixes, 1);
	assert_int_equal(nd.ra.prefix[0].prefix.len, 64);
	assert_int_equal(nd.ra.prefix[0].valid_s, 30);
	assert_int_equal(nd.ra.prefix[0].preferred_s, 20);
	assert_true(nd.ra.prefix[0].on_link && nd.ra.prefix[0].autonomous);
	assert_int_equal(nd.ra.prefix[0].prefix.addr.b[8], 0);
	/* more of them than anybody has: the first are kept */
	for (unsigned i = 0; i < 30; i++) {
		memcpy(pkt + len, pkt + len - 32, 32);
		len += 32;
	}
	seal();
	assert_int_equal(read_it(), ND_OK);
	assert_int_equal(nd.ra.n_prefixes, RA_PREFIXES_MAX);
}

/* RFC 4861 section 7.1.1 */
static void neighbour_solicitation(void **state)
{
	ns();
	set_addr(8, "ff02::1");
	assert_int_equal(read_it(), ND_TARGET);
	start(ND_NS, "::", "ff02::1:ff00:1", 24);
	set_addr(8, "fe80::1");
	assert_int_equal(read_it(), ND_OK);
	add_option(14, 1, "nonce!");
	assert_int_equal(read_it(), ND_OK);
	assert_true(nd.has_nonce);
	assert_memory_equal(nd.nonce, "nonce!", 6);
	add_option(1, 1, "\x02\x00\x00\x00\x00\x02");
	assert_int_equal(read_it(), ND_SOURCE);
	start(ND_NS, "::", "fe80::1", 24); /* not to a solicited-node group */
	set_addr(8, "fe80::1");
	assert_int_equal(read_it(), ND_DESTINATION);
	start(ND_NS, "::", "ff02::1", 24);
	set_addr(8, "fe80::1");
	assert_int_equal(read_it(), ND_DESTINATION);
	start(ND_NS, "fe80::2", "fe80::1", 24); /* unicast, with a source: a probe */
	set_addr(8, "fe80::1");
	assert_int_equal(read_it(), ND_OK);
}

/* RFC 4861 section 7.1.2 */
static void neighbour_advertisement(void **state)
{
	na();
	assert_int_equal(read_it(), ND_OK);
	assert_int_equal(nd.flags, ND_SOLICITED | ND_OVERRIDE);
	set_addr(8, "ff02::1");
	assert_int_equal(read_it(), ND_TARGET);
	start(ND_NA, "fe80::2", "ff02::1", 24);
	set_addr(8, "fe80::2");
	assert_int_equal(read_it(), ND_OK);
	set(4, ND_SOLICITED);
	assert_int_equal(read_it(), ND_DESTINATION);
}

/* RFC 4861 section 8.1 */
static void redirects(void **state)
{
	redirect();
	assert_int_equal(read_it(), ND_OK);
	set_addr(8, "2001:db8::9"); /* on link: the destination itself */
	assert_int_equal(read_it(), ND_OK);
	set_addr(8, "2001:db8::8");
	assert_int_equal(read_it(), ND_TARGET);
	redirect();
	set_addr(24, "ff0e::1");
	assert_int_equal(read_it(), ND_TARGET);
	start(ND_REDIRECT, "2001:db8::1", "fe80::1", 40);
	set_addr(8, "fe80::3");
	assert_int_equal(read_it(), ND_SOURCE);
}

/* A MAC that no host has; one of another length is of another kind of link and ignored. */
static void link_layer_addresses(void **state)
{
	start(ND_NS, "fe80::2", "ff02::1:ff00:1", 24);
	set_addr(8, "fe80::1");
	add_option(1, 1, "\x33\x33\x00\x00\x00\x02");
	assert_int_equal(read_it(), ND_OPTION);
	start(ND_NA, "fe80::2", "ff02::1:ff00:1", 24);
	set_addr(8, "fe80::1");
	add_option(2, 1, "\0\0\0\0\0\0");
	assert_int_equal(read_it(), ND_OPTION);
	start(ND_NS, "fe80::2", "ff02::1:ff00:1", 24);
	set_addr(8, "fe80::1");
	add_option(1, 2, "\x02\x00\x00\x00\x00\x02");
	assert_int_equal(read_it(), ND_OK);
	assert_false(nd.has_mac);
	add_option(200, 3, "\x01\x02\x03\x04\x05\x06"); /* unknown: ignored (section 4.6) */
	assert_int_equal(read_it(), ND_OK);
}

static void writes_solicitations(void **state)
{
	const struct mac mac = {{2, 0, 0, 0, 0, 1}};
	struct addr src = ip("2001:db8::1"), target = ip("2001:db8::1234:5678"), none = {0};
	struct addr dst = nd_solicited_node(&target), want = ip("ff02::1:ff34:5678");
	struct mac group = nd_group_mac(&dst);
	static const uint8_t expected[] = {0x60, 0, 0, 0, 0, 32, 58, 255, 0x20, 1, 0xd, 0xb8, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x34,
		0x56, 0x78, 135, 0, 0x3d, 0x6b, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0,
		0, 0x12, 0x34, 0x56, 0x78, 1, 1, 2, 0, 0, 0, 0, 1};

	assert_true(addr_equal(&dst, &want));
	assert_memory_equal(group.b, "\x33\x33\xff\x34\x56\x78", 6); /* RFC 2464 section 7 */
	len = nd_write_ns(pkt, &src, &dst, &target, &mac, NULL);
	assert_int_equal(len, sizeof(expected));
	for (unsigned i = 0; i < len; i++)
		if (i != 42 && i != 43) /* the checksum: nd_read looks */
			assert_int_equal(pkt[i], expected[i]);
	assert_int_equal(read_it(), ND_OK);
	assert_true(addr_equal(&nd.target, &target));
	/* RFC 4862 section 5.4.2: the probe has no source, hence no MAC */
	len = nd_write_ns(pkt, &none, &dst, &target, NULL, (const uint8_t *)"abcdef");
	assert_int_equal(read_it(), ND_OK);
	assert_true(addr_is_unspecified(&nd.src));
	assert_false(nd.has_mac);
	assert_memory_equal(nd.nonce, "abcdef", 6);
}

static void writes_advertisements(void **state)
{
	const struct mac mac = {{2, 0, 0, 0, 0, 1}};
	struct addr src = ip("fe80::1"), dst = ip("fe80::2"), all = nd_all_nodes();

	len = nd_write_na(pkt, &src, &dst, &src, &mac, ND_ROUTER | ND_SOLICITED | ND_OVERRIDE);
	assert_int_equal(len, 72);
	assert_int_equal(read_it(), ND_OK);
	assert_int_equal(nd.flags, ND_ROUTER | ND_SOLICITED | ND_OVERRIDE);
	assert_memory_equal(&nd.mac, &mac, 6);
	len = nd_write_na(pkt, &src, &all, &src, &mac, ND_ROUTER | ND_OVERRIDE);
	assert_int_equal(read_it(), ND_OK);
	assert_memory_equal(nd_group_mac(&all).b, "\x33\x33\0\0\0\1", 6);
}

/* RFC 4861 section 4.2 and RFC 8106 section 5, byte for byte. */
static void writes_router_advertisements(void **state)
{
	const struct mac mac = {{2, 0, 0, 0, 0, 1}};
	struct addr src = ip("fe80::1");
	struct ra v = {.managed = true,
		.hop_limit = 64,
		.lifetime_s = 1800,
		.mtu = 1500,
		.reachable_ms = 30000,
		.retrans_ms = 1000,
		.dns_lifetime_s = 1800,
		.n_prefixes = 1,
		.n_dns = 1,
		.domains_len = 13};
	static const uint8_t want[] = {134, 0, 0, 0, 64, 0x80, 7, 8, 0, 0, 0x75, 0x30, 0, 0, 3,
		0xe8, 1, 1, 2, 0, 0, 0, 0, 1, 5, 1, 0, 0, 0, 0, 5, 0xdc, 3, 4, 64, 0xc0, 0, 1, 0x51,
		0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 7, 0, 0, 0, 0, 0,
		0, 0, 0, 25, 3, 0, 0, 0, 0, 7, 8, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0x53, 31, 3, 0, 0, 0, 0, 7, 8, 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'o', 'r',
		'g', 0, 0, 0, 0};

	assert_int_equal(prefix_parse("2001:db8:0:7::/64", &v.prefix[0].prefix), 0);
	v.prefix[0].on_link = v.prefix[0].autonomous = true;
	v.prefix[0].valid_s = 86400;
	v.prefix[0].preferred_s = 14400;
	v.dns[0] = ip("2001:db8::53");
	memcpy(v.domains, "\7example\3org", 13);
	len = nd_write_ra(pkt, &src, &mac, &v);
	assert_int_equal(len, IP6_HDR + sizeof(want));
	pkt[IP6_HDR + 2] = pkt[IP6_HDR + 3] = 0;
	assert_memory_equal(pkt + IP6_HDR, want, sizeof(want));
	seal();
	assert_int_equal(read_it(), ND_OK);
	assert_int_equal(nd.ra.n_prefixes, 1);
	assert_memory_equal(&nd.ra.prefix[0], &v.prefix[0], sizeof(v.prefix[0]));
	/* all that can be configured fits the smallest MTU */
	v.n_prefixes = RA_PREFIXES_MAX;
	v.n_dns = RA_DNS_MAX;
	v.domains_len = RA_DOMAINS_MAX;
	len = nd_write_ra(pkt, &src, &mac, &v);
	assert_true(len <= ND_PACKET_MAX);
	assert_int_equal(read_it(), ND_OK);
}

/* Any bytes: read or refused, and never read beyond their end (the sanitizers look). */
static void any_bytes(void **state)
{
	unsigned seed = 3, good = 0;

	for (unsigned i = 0; i < 200000; i++) {
		uint8_t *copy;
		unsigned n;

		kinds[i % KINDS]();
		for (unsigned k = rand_r(&seed) % 4; k > 0; k--)
			pkt[IP6_HDR + rand_r(&seed) % (len - IP6_HDR)] = (uint8_t)rand_r(&seed);
		if (i % 2)
			seal();
		n = i % 5 ? len : rand_r(&seed) % (len + 1);
		copy = malloc(n + 1);
		memcpy(copy, pkt, n);
		good += nd_read(copy, n, &nd) == ND_OK;
		free(copy);
	}
	assert_in_range(good, 1000, 199000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_of_all),
		cmocka_unit_test(other_packets),
		cmocka_unit_test(extension_headers),
		cmocka_unit_test(router_solicitation),
		cmocka_unit_test(router_advertisement),
		cmocka_unit_test(neighbour_solicitation),
		cmocka_unit_test(neighbour_advertisement),
		cmocka_unit_test(redirects),
		cmocka_unit_test(link_layer_addresses),
		cmocka_unit_test(writes_solicitations),
		cmocka_unit_test(writes_advertisements),
		cmocka_unit_test(writes_router_advertisements),
		cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
