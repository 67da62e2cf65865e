/* IPv6 and ICMPv6 on the wire: constants, classes of addresses, the pseudo-header's checksum, and
 * what lies between the IPv6 header and the transport header. No state.
 *
 * Used by the data path (workers), the control core and tests. DPDK's rte_ip.h has the header
 * structures.
 */
#pragma once

#include "wire/addr.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define IP6_HDR 40
#define IP6_MIN_MTU 1280 /* RFC 8200 section 5 */
#define IP6_FRAG_HDR 8
#define IP6_AT_PAYLOAD_LEN 4 /* offsets in the header, for pointers of parameter problems */
#define IP6_AT_NEXT_HEADER 6

/* Next header values (IANA: protocol numbers, IPv6 extension header types) */
#define IP6_HOP_BY_HOP 0
#define IP6_ROUTING 43
#define IP6_FRAGMENT 44
#define IP6_AH 51
#define IP6_ICMP 58
#define IP6_NO_NEXT 59
#define IP6_DEST_OPTIONS 60
#define IP6_MOBILITY 135
#define IP6_HIP 139
#define IP6_SHIM6 140

/* Options of hop-by-hop and destination options headers (RFC 8200 section 4.2) */
#define IP6_OPT_PAD1 0
#define IP6_OPT_PADN 1
#define IP6_OPT_ROUTER_ALERT 5 /* RFC 2711: nothing here listens to it */

/* ICMPv6 (RFC 4443) */
#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_PARAMETER 4
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129
#define ICMP6_MLD_QUERY 130 /* RFC 2710, RFC 3810 */
#define ICMP6_ND_FIRST 133  /* router solicitation, RFC 4861 */
#define ICMP6_REDIRECT 137
#define ICMP6_ND_LAST ICMP6_REDIRECT

#define ICMP6_NO_ROUTE 0 /* codes of unreachable */
#define ICMP6_ADMIN_PROHIBITED 1
#define ICMP6_BEYOND_SCOPE 2
#define ICMP6_ADDR_UNREACH 3
#define ICMP6_PORT_UNREACH 4
#define ICMP6_BAD_FIELD 0 /* codes of parameter problem */
#define ICMP6_BAD_NEXT_HEADER 1
#define ICMP6_BAD_OPTION 2
#define ICMP6_FIRST_FRAGMENT 3 /* RFC 7112: without all headers */

#define ICMP6_HDR 8
#define ICMP6_ERROR_MAX IP6_MIN_MTU /* RFC 4443 section 2.4 (c) */

static inline bool icmp6_is_error(uint8_t type)
{
	return type < 128;
}

static inline bool icmp6_is_nd(uint8_t type)
{
	return type >= ICMP6_ND_FIRST && type <= ICMP6_ND_LAST;
}

/* --- addresses: 16 bytes as they lie in the header */

/* ::ffff:0:0/96, which no packet has (RFC 4291 section 2.5.5.2 with RFC 6890): struct addr means
 * IPv4 by it. */
static inline bool ip6_is_mapped(const uint8_t a[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(a, mapped, sizeof(mapped)) == 0;
}

static inline bool ip6_is_unspecified(const uint8_t a[16])
{
	static const uint8_t unspecified[16];

	return memcmp(a, unspecified, sizeof(unspecified)) == 0;
}

static inline bool ip6_is_loopback(const uint8_t a[16])
{
	static const uint8_t loopback[16] = {[15] = 1};

	return memcmp(a, loopback, sizeof(loopback)) == 0;
}

static inline bool ip6_is_multicast(const uint8_t a[16])
{
	return a[0] == 0xff;
}

static inline bool ip6_is_link_local(const uint8_t a[16])
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* First bytes of addresses that want a closer look: "::" and the like, fe80::/10, multicast. */
static inline bool ip6_is_special(const uint8_t a[16])
{
	return a[0] == 0 || a[0] >= 0xfe;
}

/* --- checksum */

/* The sum that TCP, UDP and ICMPv6 have over the pseudo-header (RFC 8200 section 8.1) and len bytes
 * from l4, folded: 0xffff when the checksum within is right; its complement is what to write when
 * the field is 0. */
uint16_t ip6_sum(
	const uint8_t src[16], const uint8_t dst[16], uint8_t proto, const void *l4, unsigned len);

/* The same where the sum of the bytes is known: a packet in several segments. */
uint16_t ip6_sum_of(
	const uint8_t src[16], const uint8_t dst[16], uint8_t proto, unsigned len, uint16_t sum);

/* --- extension headers */

enum ip6_chain_result {
	IP6_CHAIN_OK,
	IP6_CHAIN_TRUNCATED,  /* the packet ends within a header */
	IP6_CHAIN_TOO_LONG,   /* more extension headers than permitted */
	IP6_CHAIN_HOP_BY_HOP, /* a hop-by-hop header that is not the first (RFC 8200 section 4.1) */
	IP6_CHAIN_FRAGMENT,   /* a second fragment header */
};

/* What a walk over the headers found; offsets are from the beginning of the IPv6 header. Where the
 * result is not OK, the fields say how far it came. */
struct ip6_chain {
	uint8_t proto;     /* the transport protocol, or what a later fragment's header names */
	uint8_t n;         /* extension headers */
	uint16_t l4;       /* where it begins; may be the packet's end */
	uint16_t proto_at; /* the next header field that named proto */
	uint16_t frag_at;  /* the fragment header; 0: none */
	bool more;         /* ... its M flag */
	uint16_t offset;   /* ... in bytes; with more false and 0 it is an atomic fragment, a whole
			      datagram (RFC 6946) */
	uint32_t id;       /* ... host byte order */
	/* the first routing header of type 0, else the first one; 0: none */
	uint16_t routing_at;
	uint8_t routing_type, segments_left; /* ... of it */
};

/* Whether what follows is an extension header, that is none of a transport protocol. */
static inline bool ip6_is_extension(uint8_t next)
{
	switch (next) {
	case IP6_HOP_BY_HOP:
	case IP6_ROUTING:
	case IP6_FRAGMENT:
	case IP6_AH:
	case IP6_DEST_OPTIONS:
	case IP6_MOBILITY:
	case IP6_HIP:
	case IP6_SHIM6:
		return true;
	default:
		return false;
	}
}

/* Goes over the extension headers of a packet of len bytes (at least IP6_HDR), at most `most` of
 * them. Stops at the transport header, at "no next header", and behind the fragment header of a
 * later fragment, where no header follows. Reads nothing beyond len. */
enum ip6_chain_result ip6_chain_walk(
	const uint8_t *ip6, unsigned len, unsigned most, struct ip6_chain *c);

/* The same for a packet that is for us: it stops at AH as well, which is to be verified before
 * anything behind it is believed (RFC 4302 section 3.4). */
enum ip6_chain_result ip6_chain_walk_own(
	const uint8_t *ip6, unsigned len, unsigned most, struct ip6_chain *c);

/* What the destination must do about a packet (RFC 8200 section 4). */
enum ip6_fate {
	IP6_ACCEPT,
	IP6_DISCARD,        /* silently */
	IP6_PROBLEM,        /* and send a parameter problem, unless the destination is a group */
	IP6_PROBLEM_ALWAYS, /* and send one (code 2), also when it is a group */
};
struct ip6_problem {
	uint8_t kind; /* of the extension header that has it */
	uint8_t code;
	uint16_t pointer;
};

/* Looks at all that the destination must understand, in the order of the headers, as far as AH:
 * options, routing headers with segments left, extension headers that nothing here speaks. p is set
 * for the PROBLEMs. For a packet whose walk was OK or ended at IP6_CHAIN_HOP_BY_HOP. */
enum ip6_fate ip6_examine(const uint8_t *ip6, unsigned len, unsigned most, struct ip6_problem *p);

/* The options of a hop-by-hop or destination options header; at: its offset, len: its bytes, within
 * the packet. */
enum ip6_fate ip6_options(const uint8_t *ip6, unsigned at, unsigned len, struct ip6_problem *p);
