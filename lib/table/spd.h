/* The security policy database, reader's side (RFC 4301 section 4.4.1): an ordered list of
 * selectors, each with what is done to the packets that it is about. Immutable once published, like
 * the filter: on rte_acl, a context for each direction and family, so that the ten-thousandth
 * policy costs what the tenth does. Writer: spd_write.h.
 */
#pragma once

#include "table/acl.h"
#include "table/tunnel.h"
#include "wire/selector.h"

#define POLICIES_MAX 65536

enum policy_action {
	POLICY_BYPASS, /* in the clear */
	POLICY_DISCARD,
	POLICY_PROTECT, /* by a tunnel; inbound: must have come through it */
};

struct policy {
	struct selector sel; /* of outbound packets: source on our side. See dir */
	/* RULE_OUT, RULE_IN, or both: then sel is mirrored for inbound. RULE_IN alone: sel is as
	 * inbound packets have it */
	uint8_t dir;
	uint8_t action;  /* enum policy_action */
	uint16_t tunnel; /* POLICY_PROTECT */
	bool by_socket;  /* survives a reload */
	uint32_t line;
	const char *file;           /* owned by whoever owns the list */
	char name[TUNNEL_NAME_MAX]; /* "" */
};

/* Verdict 0: no policy is about the packet; i + 1: policy i. */
struct spd_verdict {
	uint8_t action; /* enum policy_action */
	uint8_t pad;
	uint16_t tunnel;
};

struct spd {
	struct rte_acl_ctx *ctx[2][2]; /* [RULE_IN - 1, RULE_OUT - 1][IPv6]; NULL: constant */
	uint32_t constant[2][2];       /* verdict where ctx is NULL or finds nothing */
	/* a policy of that direction and family names ports: fragments have to be whole first */
	bool needs_ports[2][2];
	uint32_t n_policies;
	struct spd_verdict *verdict; /* [n_policies + 1]; [0] is what is done to the others */
	struct policy *policy;       /* [n_policies], for showing; file strings owned here */
};

/* The keys of n packets are those of the filter (meta.h), of one family; the protocol is looked up
 * beside it, since a key has its class alone. */
void spd_classify(const struct spd *s, unsigned dir, const struct acl_key *const key[],
	const uint8_t proto[], uint32_t verdict[], unsigned n);
void spd_classify6(const struct spd *s, unsigned dir, const struct acl_key6 *const key[],
	const uint8_t proto[], uint32_t verdict[], unsigned n);

/* The verdict for one described packet (filter test, tests). Any thread. */
uint32_t spd_lookup(const struct spd *s, unsigned dir, const struct selector_packet *p);
