/* Which packets a security policy is about (RFC 4301 section 4.4.1.1): closed ranges of addresses,
 * a protocol, closed ranges of ports. Plain values without state.
 *
 * Used by conf (which makes them), table (which compiles policies) and ipsec.
 */
#pragma once

#include "wire/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELECTOR_PROTO_ANY 256 /* RULE_PROTO_ALL */

struct selector {
	/* of one family; closed ranges in order of their bytes. any_addr: any of either family, and
	 * these say nothing */
	struct addr src_from, src_to, dst_from, dst_to;
	bool any_addr;
	uint16_t proto; /* 0 to 255, or SELECTOR_PROTO_ANY */
	/* Host byte order; 0 to 65535 is any. ICMP and ICMPv6: sport the type, dport the code. A
	 * selector that names some can't match a later fragment (RFC 4301 section 4.4.1.1). */
	uint16_t sport_from, sport_to, dport_from, dport_to;
};

/* A packet, or the endpoints that a policy sees of it. */
struct selector_packet {
	struct addr src, dst;  /* of one family */
	uint8_t proto;         /* IPv6: behind extension headers */
	bool no_ports;         /* a later fragment */
	uint16_t sport, dport; /* host byte order; 0 where the protocol has none */
};

static inline bool selector_needs_ports(const struct selector *s)
{
	return s->sport_from != 0 || s->sport_to != UINT16_MAX || s->dport_from != 0 ||
	       s->dport_to != UINT16_MAX;
}

/* The meaning of a selector, in one plain function. */
bool selector_matches(const struct selector *s, const struct selector_packet *p);
/* Source and destination change places: the same traffic the other way. ICMP type and code stay. */
struct selector selector_mirror(const struct selector *s);

#define RANGE_PREFIXES_MAX 254 /* of IPv6; 62 of IPv4 */
/* The fewest prefixes that hold just the addresses of a closed range (of one family, in order), in
 * ascending order. Returns how many. */
unsigned selector_prefixes(
	const struct addr *from, const struct addr *to, struct prefix prefix[RANGE_PREFIXES_MAX]);

#define SELECTOR_ADDRS_STRLEN (2 * ADDR_STRLEN)
#define SELECTOR_PORTS_STRLEN 16
/* A closed range of addresses of one family: an address, a prefix where it is one, or "a-b"; and
 * one of ports: "any", a number, or "a-b". Return buf. */
char *selector_addrs_format(
	const struct addr *from, const struct addr *to, char buf[SELECTOR_ADDRS_STRLEN]);
char *selector_ports_format(uint16_t from, uint16_t to, char buf[SELECTOR_PORTS_STRLEN]);

#define SELECTOR_STRLEN 256
/* "10.0.0.0/8 -> 192.168.1.0-192.168.1.9 tcp 1024-65535 -> 443", "any -> any icmp type 8 code any";
 * returns buf. */
char *selector_format(const struct selector *s, char *buf, size_t size);
