/* What the decoder's files share: bytes that are asked for before they are read, and the protocols
 * that stand behind either family's header.
 *
 * For decode*.c alone. No state, any thread.
 */
#pragma once

#include "ctl/text.h"

/* The part of a packet that is still to be told. A reader takes no byte beyond kept. */
struct view {
	const uint8_t *p;
	size_t kept; /* bytes that may be read */
	size_t len;  /* bytes that the packet had; may be less or more than kept */
	struct text *t;
	bool fragment; /* the datagram goes on in other packets */
};

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void view_skip(struct view *v, size_t n)
{
	n = n < v->kept ? n : v->kept;
	v->p += n;
	v->kept -= n;
	v->len = v->len > n ? v->len - n : 0;
}

/* The packet ends after n more bytes: what follows is padding. */
static inline void view_end(struct view *v, size_t n)
{
	v->len = n < v->len ? n : v->len;
	v->kept = n < v->kept ? n : v->kept;
}

/* --- decode.c */

/* Whether n bytes can be read; else says so. */
bool view_has(const struct view *v, size_t n, const char *what);
/* What TCP, UDP, ESP, AH and a packet within a packet say, v at their header; nothing for any other
 * protocol. */
void decode_l4(struct view *v, unsigned proto);
/* The protocol's first four bytes are ports, and they can be read. */
bool decode_has_ports(const struct view *v, unsigned proto);

/* --- decode6.c */

/* An IPv6 packet, its extension headers and what is behind them. */
void decode_ip6(struct view *v);
/* The address as it is on the wire: IPv4-mapped ones as such. */
void decode_addr6(struct text *t, const uint8_t *addr);

/* --- decode_icmp6.c */

/* ICMPv6 with neighbour discovery (RFC 4443, RFC 4861), v at its header. */
void decode_icmp6(struct view *v);
