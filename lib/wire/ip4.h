/* IPv4 and ICMP on the wire: constants, checksums, and what may follow which header. No state.
 *
 * Used by the data path (workers) and by tests. DPDK's rte_ip.h has the header structures.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define IP4_MIN_HDR 20
#define IP4_OPT_EOL 0
#define IP4_OPT_NOP 1
#define IP4_OPT_COPIED 128 /* the bit: repeated in every fragment */
#define IP4_OPT_LSRR 131   /* RFC 791 section 3.1 */
#define IP4_OPT_SSRR 137

#define ICMP4_ECHO_REPLY 0
#define ICMP4_UNREACHABLE 3
#define ICMP4_SOURCE_QUENCH 4
#define ICMP4_REDIRECT 5
#define ICMP4_ECHO 8
#define ICMP4_TIME_EXCEEDED 11
#define ICMP4_PARAMETER 12

#define ICMP4_NET_UNREACH 0
#define ICMP4_HOST_UNREACH 1
#define ICMP4_PROTO_UNREACH 2
#define ICMP4_PORT_UNREACH 3
#define ICMP4_FRAG_NEEDED 4
#define ICMP4_ADMIN_PROHIBITED 13

#define ICMP4_HDR 8
#define ICMP4_ERROR_MAX 576 /* RFC 1812 section 4.3.2.3 */

static inline bool icmp4_is_error(uint8_t type)
{
	return type == ICMP4_UNREACHABLE || type == ICMP4_SOURCE_QUENCH || type == ICMP4_REDIRECT ||
	       type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER;
}

/* Addresses that are no source of a packet from a network: 0/8, 127/8, multicast, 240/4 (RFC 1812
 * section 5.3.7). Host byte order. */
static inline bool ip4_martian_source(uint32_t addr)
{
	uint32_t top = addr >> 24;

	return top == 0 || top == 127 || top >= 224;
}

/* 0/8, 127/8 and 240/4 but for 255.255.255.255. Host byte order. */
static inline bool ip4_martian_destination(uint32_t addr)
{
	uint32_t top = addr >> 24;

	return top == 0 || top == 127 || (top >= 240 && addr != UINT32_MAX);
}

static inline bool ip4_multicast(uint32_t addr)
{
	return addr >> 28 == 14;
}

/* Sum of len bytes (even), not folded; the header is read as it lies. */
static inline uint64_t ip4_sum(const void *data, unsigned len)
{
	const uint8_t *p = data;
	uint64_t sum = 0;
	uint32_t word;

	for (; len >= 4; len -= 4, p += 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	if (len >= 2) {
		uint16_t half;

		memcpy(&half, p, 2);
		sum += half;
	}
	return sum;
}

static inline uint16_t ip4_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

/* The header's checksum is right (RFC 1071). len: header length, a multiple of 4. */
static inline bool ip4_checksum_ok(const void *hdr, unsigned len)
{
	return ip4_fold(ip4_sum(hdr, len)) == UINT16_MAX;
}

/* What to write in the checksum field, which is 0 while this is computed. */
static inline uint16_t ip4_checksum(const void *hdr, unsigned len)
{
	return (uint16_t)~ip4_fold(ip4_sum(hdr, len));
}

/* For a header of 20 bytes that was read as it lies, in words of 8, 8 and 4 bytes. */

/* Version 4, no options, no fragment: what must be in the first word, which has total length and
 * identification besides. */
static inline bool ip4_words_plain(uint64_t first)
{
	return (first & 0xffbf0000000000ff) == 0x45;
}

/* The checksum of a header whose first word is plain is right. The words' sum, with its carries, is
 * a multiple of 65535 when folding it gives 0xffff; 0 it never is. */
static inline bool ip4_words_sum_ok(uint64_t first, uint64_t second, uint32_t third)
{
	/* the first word's highest bits are the fragment's offset, 0: one carry is all there is */
	uint64_t sum;
	bool carry = __builtin_add_overflow(first + third, second, &sum);

	return (sum + carry) % UINT16_MAX == 0;
}

enum ip4_options_kind { IP4_OPTIONS_PLAIN, IP4_OPTIONS_SOURCE_ROUTE, IP4_OPTIONS_BAD };

/* Looks through len bytes of options: whether they are well formed, and hold a source route. */
enum ip4_options_kind ip4_options_kind(const uint8_t *opt, unsigned len);
