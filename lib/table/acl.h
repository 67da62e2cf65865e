/* The compiled filter, reader's side: which rule is the first that matches a packet.
 *
 * Immutable once published; a worker reads it within one walk, found through the root pointer
 * (table/root.h). Control core code (filter test) reads it the same way. Writer: acl_write.h.
 *
 * Shape. A packet belongs to one *group*: family x through a tunnel or not x direction x zone of
 * the interface x scope (routed or local) x fragment class. Each group has the rules that can match
 * in it, in order, as one rte_acl context; groups of a family with the same rules share one
 * context; a group whose first rule matches everything (or that has no rule) has no context but a
 * constant verdict; a large list has two (acl_ctx.c says why). Ports, type and code are 0 in the
 * key of a packet that has none. Which tunnel it is stands in the key, and is looked at in the
 * groups of tunnels alone, where a rule names one: a packet outside tunnels doesn't pay for them.
 */
#pragma once

#include "wire/rule.h"

#include <rte_acl.h>
#include <rte_byteorder.h>
#include <rte_common.h>
#include <stdint.h>

#define ACL_TUNNEL_GROUPS 24                      /* outside tunnels; as many within */
#define ACL_FAMILY_GROUPS (2 * ACL_TUNNEL_GROUPS) /* outside, then within */
#define ACL_GROUPS (2 * ACL_FAMILY_GROUPS)        /* IPv4's, then IPv6's */
#define ACL_BURST_MAX 256

/* What a lookup looks at, built once per packet by the input node. 16 bytes, passed to rte_acl as
 * it is: one byte, then three groups of four bytes in network byte order. */
struct acl_key {
	uint8_t class; /* acl_class(): protocol and ACK bit */
	uint8_t pad;   /* zero */
	/* id of the tunnel it came through (inbound) or goes through (outbound), in network byte
	 * order; 0: none. For groups of tunnels */
	rte_be16_t tunnel;
	rte_be32_t src, dst;
	rte_be16_t sport, dport; /* ICMP: type and code, each as a 16-bit number */
};
_Static_assert(sizeof(struct acl_key) == 16, "key is one vector");

/* The same for IPv6: one byte, then nine groups of four. */
struct acl_key6 {
	uint8_t class; /* of the protocol behind the extension headers */
	uint8_t pad;   /* zero */
	rte_be16_t tunnel;
	uint8_t src[16], dst[16];
	rte_be16_t sport, dport; /* ICMPv6: type and code, each as a 16-bit number */
};
_Static_assert(sizeof(struct acl_key6) == 40, "no padding");

/* Verdict 0 is the implicit deny; verdict i+1 is rule i of the configuration. */
struct acl_verdict {
	uint32_t counter; /* index of the rule's counter, stable over reloads */
	uint8_t permit;
	uint8_t log;
	uint16_t tunnel; /* outbound: the tunnel that it has to go through then; 0: none */
};

struct acl_group {
	struct rte_acl_ctx *ctx;  /* NULL: constant */
	struct rte_acl_ctx *more; /* the other part of a large list, or NULL */
	uint32_t constant;        /* verdict where ctx is NULL, or ctx and more find nothing */
	uint32_t id; /* groups of a family with equal ids give equal answers for equal keys */
};

struct acl {
	struct acl_group group[ACL_GROUPS];
	uint8_t class[2][256]; /* [ACK bit][protocol]: equivalence classes of the rules at hand */
	uint32_t n_rules;
	uint64_t serial;             /* no two tables of one process have the same; from 1 */
	struct acl_verdict *verdict; /* n_rules + 1 */
	struct rule *rule;           /* n_rules, for showing; file strings owned here */
	int socket;                  /* NUMA socket of the contexts */
};

/* Of a packet outside tunnels. */
static inline unsigned acl_group_of(
	bool ip6, unsigned dir, unsigned zone, unsigned scope, unsigned frag)
{
	/* dir, zone and scope are 1 or 2 (wire/rule.h), frag 0 to 2 */
	return ip6 * ACL_FAMILY_GROUPS +
	       (((dir - 1) * 2 + (zone - 1)) * 2 + (scope - 1)) * PACKET_FRAG_N + frag;
}

/* The same of a packet that came, or goes, through a tunnel. group: of the one outside. */
static inline unsigned acl_group_tunnel(unsigned group)
{
	return group + ACL_TUNNEL_GROUPS;
}

static inline uint8_t acl_class(const struct acl *a, uint8_t proto, bool ack)
{
	return a->class[ack && proto == 6][proto];
}

/* Keys of the group's family. For acl_classify and acl_classify6. */
static inline void acl_classify_keys(
	const struct acl_group *g, const uint8_t *key[], uint32_t out[], unsigned n)
{

	if (g->ctx == NULL) {
		for (unsigned i = 0; i < n; i++)
			out[i] = g->constant;
		return;
	}
	/* fails for bad arguments only */
	rte_acl_classify(g->ctx, key, out, n, 1);
	if (g->more != NULL) {
		uint32_t other[ACL_BURST_MAX];

		/* the smaller verdict but 0 is the earlier rule */
		rte_acl_classify(g->more, key, other, n, 1);
		for (unsigned i = 0; i < n; i++)
			out[i] = RTE_MIN(out[i] - 1, other[i] - 1) + 1;
	}
	/* A match-all at the end of the list is not in ctx, so that a packet far from every rule
	 * leaves the tries early. */
	for (unsigned i = 0; i < n; i++)
		out[i] = out[i] ? out[i] : g->constant;
}

/* Looks up n keys (n <= ACL_BURST_MAX), all of one group; out gets the verdicts. Any thread. */
static inline void acl_classify(const struct acl *a, unsigned group,
	const struct acl_key *const key[], uint32_t out[], unsigned n)
{
	acl_classify_keys(&a->group[group], (const uint8_t **)(uintptr_t)key, out, n);
}

/* The same for a group of IPv6. */
static inline void acl_classify6(const struct acl *a, unsigned group,
	const struct acl_key6 *const key[], uint32_t out[], unsigned n)
{
	acl_classify_keys(&a->group[group], (const uint8_t **)(uintptr_t)key, out, n);
}

/* The verdict for one described packet (filter test, tests). Any thread. */
uint32_t acl_lookup(const struct acl *a, const struct rule_packet *p);
