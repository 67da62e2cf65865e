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
	/* [RULE_IN - 1, RULE_OUT - 1][IPv6], as the filter's. constant: verdict where ctx is NULL
	 * or finds nothing */
	struct acl_group group[2][2];
	/* a policy of that direction and family names ports: fragments have to be whole first, for
	 * a later one has none in its key */
	bool needs_ports[2][2];
	uint32_t n_policies;
	struct spd_verdict *verdict; /* [n_policies + 1]; [0] is what is done to the others */
	struct policy *policy;       /* [n_policies], for showing; file strings owned here */
};

/* Looks up n packets (n <= ACL_BURST_MAX). The keys are those of the filter (meta.h), of one
 * family; the protocol stands beside it, since a key has its class alone. Where needs_ports, none
 * is that of a later fragment. Worker. */
void spd_classify(const struct spd *s, unsigned dir, const struct acl_key *const key[],
	const uint8_t proto[], uint32_t verdict[], unsigned n);
void spd_classify6(const struct spd *s, unsigned dir, const struct acl_key6 *const key[],
	const uint8_t proto[], uint32_t verdict[], unsigned n);

/* The verdict for one described packet (filter test, tests). Any thread. */
uint32_t spd_lookup(const struct spd *s, unsigned dir, const struct selector_packet *p);

/* What the policy is about in that direction; false: nothing. */
bool policy_selector(const struct policy *p, unsigned dir, struct selector *sel);
/* Plain first match over policies: the meaning of the list, which spd_lookup must equal. */
uint32_t policy_walk(
	const struct policy policy[], uint32_t n, unsigned dir, const struct selector_packet *p);
