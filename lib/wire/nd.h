/* Neighbour discovery on the wire (RFC 4861 section 4, with RFC 8106 and the nonce of RFC 3971):
 * messages read and validated, and those that we send written. No state.
 *
 * Used by workers (nd_input: is it valid?), the control core (what it says) and tests.
 */
#pragma once

#include "wire/addr.h"
#include "wire/ra.h"

#define ND_HOP_LIMIT 255
#define ND_PACKET_MAX 1280 /* of what we write: it fits any link */
#define ND_NONCE 6         /* bytes of a nonce, as everybody makes them */

enum nd_type {
	ND_RS = 133, /* router solicitation */
	ND_RA = 134, /* router advertisement */
	ND_NS = 135, /* neighbour solicitation */
	ND_NA = 136, /* neighbour advertisement */
	ND_REDIRECT = 137,
};

/* Of a neighbour advertisement. */
#define ND_ROUTER 0x80
#define ND_SOLICITED 0x40
#define ND_OVERRIDE 0x20

/* Why a message must be ignored: RFC 4861 sections 6.1, 7.1 and 8.1. */
enum nd_fault {
	ND_OK,
	ND_NO_ND,    /* no ICMPv6 message of those types, or the packet is no IPv6 */
	ND_FRAGMENT, /* RFC 6980: never in fragments */
	ND_HOPS,     /* the hop limit is not 255: it came through a router */
	ND_CHECKSUM,
	ND_CODE,        /* not 0 */
	ND_SHORT,       /* shorter than its kind */
	ND_OPTION,      /* an option of length 0 or beyond the end, or a MAC that is nobody's */
	ND_SOURCE,      /* the source is none that such a message can have */
	ND_DESTINATION, /* likewise the destination */
	ND_TARGET, /* the target (or what is redirected) is multicast, or not what it must be */
};

struct nd {           /* a message as read; all of it from the network, all of it hostile */
	uint8_t type; /* enum nd_type */
	struct addr src, dst;
	struct addr target;     /* NS, NA, redirect */
	struct addr redirected; /* redirect: the destination */
	uint8_t flags;          /* NA: ND_ROUTER and so on */
	bool has_mac, has_nonce;
	struct mac mac; /* source link-layer address (RS, RA, NS), or target's (NA, redirect) */
	uint8_t nonce[ND_NONCE]; /* NS */
	struct ra ra;            /* RA, but for dns and domains; interval_s is not on the wire */
};

/* Reads a packet from its IPv6 header on. len: what there is; bytes behind the packet's own length
 * are ignored. nd is valid with ND_OK alone. */
enum nd_fault nd_read(const uint8_t *packet, unsigned len, struct nd *nd);

/* The solicited-node group of a unicast address (RFC 4291 section 2.7.1). */
struct addr nd_solicited_node(const struct addr *unicast);
/* ff02::1 */
struct addr nd_all_nodes(void);
/* The MAC of an IPv6 multicast group (RFC 2464 section 7). */
struct mac nd_group_mac(const struct addr *group);

/* Each writes a whole IPv6 packet into buf, which holds ND_PACKET_MAX, and returns its length. */

/* src unspecified: a probe for a duplicate, with the nonce (or NULL); else mac is the source's. */
unsigned nd_write_ns(uint8_t *buf, const struct addr *src, const struct addr *dst,
	const struct addr *target, const struct mac *mac, const uint8_t *nonce);
/* mac: the target's. flags: ND_ROUTER and so on. */
unsigned nd_write_na(uint8_t *buf, const struct addr *src, const struct addr *dst,
	const struct addr *target, const struct mac *mac, uint8_t flags);
/* To all nodes. */
unsigned nd_write_ra(
	uint8_t *buf, const struct addr *src, const struct mac *mac, const struct ra *ra);
