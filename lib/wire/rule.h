/* One filter rule as a plain value: what the classic line and a libconfig rule both become, what
 * the compiler in table/ takes, and what show prints. The semantics stand in docs/filter.md.
 *
 * Used by conf (which makes them), table (which compiles them), ctl (which shows them). No state.
 */
#pragma once

#include "wire/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULES_MAX 131072 /* rules in one filter, all files together */

#define RULE_PROTO_ICMP 1
#define RULE_PROTO_ICMP6 58

enum rule_proto_special {
	RULE_PROTO_ALL = 256,     /* any protocol */
	RULE_PROTO_TCP_ACK = 257, /* TCP with the ACK bit set */
};

enum rule_op {
	RULE_OP_ANY,
	RULE_OP_EQ,
	RULE_OP_NEQ,
	RULE_OP_LT,
	RULE_OP_LE,
	RULE_OP_GT,
	RULE_OP_GE
};

enum rule_frag {
	RULE_FRAG_YES,     /* every packet */
	RULE_FRAG_NO,      /* unfragmented packets only */
	RULE_FRAG_ONLY,    /* fragments and their headers only */
	RULE_FRAG_HEADERS, /* fragment headers (first fragments) and unfragmented packets */
	RULE_FRAG_LATER,   /* later fragments alone: of generated rules, no text says it */
};

/* Bit sets, so that "both" is both bits. */
enum { RULE_SECURE = 1, RULE_NONSECURE = 2, RULE_ZONE_BOTH = 3 };
enum { RULE_ROUTE = 1, RULE_LOCAL = 2, RULE_SCOPE_BOTH = 3 };
enum { RULE_IN = 1, RULE_OUT = 2, RULE_DIR_BOTH = 3 };
enum { RULE_IP4 = 1, RULE_IP6 = 2, RULE_FAMILY_BOTH = 3 };

#define RULE_TUNNEL_ANY UINT32_MAX /* t= not given: within tunnels and without */

/* For ICMP and ICMPv6 sport is the type and dport the code, both at most 255. */
struct rule_port {
	uint8_t op; /* enum rule_op */
	uint16_t value;
};

struct rule {
	struct prefix src, dst; /* of one family, which is the rule's; host bits as written */
	bool any_addr;          /* any addresses of either family: src and dst say nothing */
	uint16_t proto;         /* IP protocol 0 to 255, or enum rule_proto_special */
	struct rule_port sport, dport;
	uint8_t zone;  /* RULE_SECURE | RULE_NONSECURE */
	uint8_t scope; /* RULE_ROUTE | RULE_LOCAL */
	uint8_t dir;   /* RULE_IN | RULE_OUT */
	uint8_t frag;  /* enum rule_frag */
	bool permit;   /* else deny */
	bool log;      /* l=yes */
	/* t=: 0 is outside tunnels only, RULE_TUNNEL_ANY either; else as conf names a tunnel: by
	 * its number, or above 65535 where it has none */
	uint32_t tunnel;
	/* the id of that tunnel, which is what packets have; set by who knows the ids (app). 0: it
	 * is not there, and the rule matches nothing */
	uint16_t tunnel_id;
	bool tunnel_loose; /* classic-tunnel-match = "any" */
	bool generated;    /* not the user's: file is the name of the tunnel that it is for */
	uint32_t line;     /* from 1, in file */
	const char *file;  /* as the user named it; owned by whoever owns the list of rules */
};

/* The ports (or ICMP types) that (op, value) admits, as up to two closed ranges in ascending order.
 * Returns how many: 0 when nothing can match (lt 0, gt 65535). max: 65535, or 255 for ICMP. */
struct rule_range {
	uint16_t from, to;
};
unsigned rule_port_ranges(struct rule_port port, uint16_t max, struct rule_range ranges[2]);

/* The families whose packets the rule can match, as a bit set; 0 when src and dst are of two. */
static inline unsigned rule_families(const struct rule *r)
{
	bool src4 = addr_is4(&r->src.addr), dst4 = addr_is4(&r->dst.addr);

	if (r->any_addr)
		return RULE_FAMILY_BOTH;
	return src4 != dst4 ? 0 : src4 ? RULE_IP4 : RULE_IP6;
}

/* ICMP is of IPv4 alone, and ICMPv6 of IPv6. */
static inline bool rule_proto_is_icmp(uint16_t proto)
{
	return proto == RULE_PROTO_ICMP || proto == RULE_PROTO_ICMP6;
}

/* Protocols whose first four bytes are a source and a destination port. A rule may name ports with
 * these alone, type and code with ICMP and ICMPv6 alone; conf refuses anything else. */
static inline bool rule_proto_has_ports(uint16_t proto)
{
	return proto == 6 || proto == 17 || proto == 33 || proto == 132 || proto == 136 ||
	       proto == RULE_PROTO_TCP_ACK;
}

/* True when the rule looks at something that only the first fragment carries: ports, the ACK bit,
 * an ICMP type or code. Such a rule can't match a later fragment. */
static inline bool rule_needs_l4(const struct rule *r)
{
	return r->sport.op != RULE_OP_ANY || r->dport.op != RULE_OP_ANY ||
	       r->proto == RULE_PROTO_TCP_ACK;
}

/* Same meaning: all fields but line and file are equal. */
bool rule_same(const struct rule *a, const struct rule *b);
/* A hash over what rule_same compares. */
uint64_t rule_hash(const struct rule *r);

/* "tcp", "tcp/ack", "all", or the number in buf. */
const char *rule_proto_name(uint16_t proto, char buf[8]);

#define RULE_STRLEN 256
/* The rule as a line of the classic syntax; returns buf. */
char *rule_format(const struct rule *r, char *buf, size_t size);

/* A packet as the filter sees it; also what filter test takes. */
enum rule_packet_frag { PACKET_WHOLE, PACKET_FIRST_FRAGMENT, PACKET_LATER_FRAGMENT, PACKET_FRAG_N };

struct rule_packet {
	struct addr src, dst;  /* of one family */
	uint8_t proto;         /* IPv6: the one behind the extension headers */
	bool ack;              /* TCP with the ACK bit */
	uint16_t sport, dport; /* host byte order; ICMP type and code; 0 in later fragments */
	uint8_t frag;          /* enum rule_packet_frag */
	uint8_t zone;          /* RULE_SECURE or RULE_NONSECURE */
	uint8_t scope;         /* RULE_ROUTE or RULE_LOCAL */
	uint8_t dir;           /* RULE_IN or RULE_OUT */
	/* id of the tunnel that it came through (inbound), or that it goes through (outbound; by
	 * policy or route, before the filter); 0: none */
	uint16_t tunnel;
};

/* Whether t= of the rule admits a packet of that tunnel. Inbound, t=N is what came through N.
 * Outbound, it is what goes through N and what goes through none yet, which the rule then directs
 * there (rule_directs). Loose: inbound t= says nothing, and t=0 says nothing anywhere. */
static inline bool rule_tunnel_matches(const struct rule *r, unsigned dir, uint16_t tunnel)
{
	if (r->tunnel == RULE_TUNNEL_ANY || (r->tunnel_loose && (dir == RULE_IN || r->tunnel == 0)))
		return true;
	if (r->tunnel == 0)
		return tunnel == 0;
	return r->tunnel_id != 0 && (tunnel == r->tunnel_id || (tunnel == 0 && dir == RULE_OUT));
}

/* The tunnel that an outbound packet goes through because this rule matched; 0: none. */
static inline uint16_t rule_directs(const struct rule *r)
{
	return r->permit && r->tunnel != 0 && r->tunnel != RULE_TUNNEL_ANY ? r->tunnel_id : 0;
}

/* Whether f= of a rule admits packets of that class of fragment (enum rule_packet_frag). */
bool rule_frag_matches(uint8_t rule, uint8_t packet);

/* Whether this one rule matches the packet: the meaning of a rule, in one plain function. The
 * compiled table is held against a walk with it; nothing fast is built on it. */
bool rule_matches(const struct rule *r, const struct rule_packet *p);
