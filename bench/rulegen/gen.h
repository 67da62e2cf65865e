/* A seeded generator of rule lists that look like lists people keep: nested prefixes, services as
 * exact ports, port ranges, wildcards, mixed protocols. Used by rulegen (text) and bench/acl.
 */
#pragma once

#include "wire/rule.h"

/* Fills n rules. The last permits everything; no other matches a flow of flows.h, though a third of
 * them come close. No two are equal. split: every rule is inbound or outbound, alternately, but for
 * the last. ip6: the same list for IPv6. Same seed, same rules; a shorter list is no prefix of a
 * longer one. 0 or -ENOMEM. */
int rulegen(struct rule *rules, uint32_t n, uint64_t seed, bool split, bool ip6);
