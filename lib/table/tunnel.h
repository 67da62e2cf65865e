/* Tunnels, reader's side: what all SAs between two endpoints for one use have in common. The filter
 * (t=), policies and tunnel interfaces name a tunnel; its SAs come and go. Immutable, part of
 * struct ipsec (table/ipsec.h). Ids are stable over reloads by name. Transport mode is a tunnel too
 * in this sense.
 */
#pragma once

#include "table/port.h"
#include "wire/addr.h"
#include "wire/rule.h"

#include <stdbool.h>
#include <stdint.h>

#define TUNNELS_MAX 65536 /* tunnel 0 is "none" */
#define TUNNEL_NONE 0
#define TUNNEL_NAME_MAX 32

enum tunnel_flag {
	TUNNEL_UP = 1,              /* configured */
	TUNNEL_TRANSPORT = 2,       /* transport mode; else tunnel mode */
	TUNNEL_ENCAP = 4,           /* ESP in UDP (RFC 3948) */
	TUNNEL_ESP = 8,             /* its packets have ESP, */
	TUNNEL_AH = 16,             /* AH; both: AH around ESP */
	TUNNEL_FOLLOW = 32,         /* the peer's address and port may change (behind a NAT) */
	TUNNEL_FRAGMENT_INNER = 64, /* cut what is too large before ESP; else behind it */
	/* what comes out of it must be what a policy of this tunnel is about, unless its SA has
	 * selectors of its own; it has no interface, and the filter alone directs nothing there */
	TUNNEL_BY_POLICY = 128,
};

enum tunnel_copy { TUNNEL_COPY, TUNNEL_SET, TUNNEL_CLEAR };

struct tunnel {
	uint16_t id;
	uint8_t flags;     /* enum tunnel_flag; 0: no such tunnel */
	uint8_t df;        /* enum tunnel_copy: DF of an IPv4 outer header */
	uint8_t dscp_copy; /* 1: of the inner header (RFC 4301 section 5.1.2); else dscp */
	uint8_t dscp;
	uint8_t ecn; /* 1: RFC 6040 normal mode; 0: not-ECT outside, dropped-or-ignored inside */
	uint8_t ttl; /* of the outer header, 1 to 255 */
	uint8_t flow_label; /* 1: of outer IPv6, from the inner packet's flow; 0: 0 */
	uint8_t zone;       /* of the tunnel interface; else 0: that of the interface it came by */
	uint16_t iface; /* tunnel interface (IFACE_TUNNEL); IFACE_NONE: by policies and filter */
	uint16_t mtu;   /* of inner packets, as configured; 0: follows from the path */
	uint16_t mss;   /* TCP MSS clamped to it; 0: to what fits; UINT16_MAX: left alone */
	rte_be16_t local_port, remote_port; /* ENCAP */
	uint32_t number;                    /* t= of the filter; 0: it has none */
	struct addr local, remote;          /* outer addresses, of one family */
	char name[TUNNEL_NAME_MAX];
};

#define TUNNEL_RULES_MAX 4
/* The filter rules that let through what carries the tunnel: ESP, AH or UDP between its ends, in
 * and out, for this box. To be put before the user's, so that a configured tunnel opens its own
 * way; marked as generated, file is t->name. Returns how many. */
unsigned tunnel_rules(const struct tunnel *t, struct rule rule[TUNNEL_RULES_MAX]);
