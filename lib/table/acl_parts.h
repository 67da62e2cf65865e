/* What the files of the filter compiler share: acl_write.c (the whole), acl_list.c (which rules
 * each group has), acl_ctx.c (one list -> rte_acl contexts), acl_counters.c (ids of counters). The
 * SPD is compiled by acl_ctx.c too (spd_write.c).
 *
 * For these files alone; everybody else includes acl.h or acl_write.h. Builder thread.
 */
#pragma once

#include "table/acl_write.h"

/* What a rule matches within its group, in one normal form: two rules with equal bytes match the
 * same packets of a family. No padding, so that memcmp compares it. */
struct acl_match {
	/* Host byte order, the address's first word first; bits outside the prefix are 0. IPv4: its
	 * one word, then 0. A rule for both families: 0. */
	uint32_t src[4], dst[4];
	uint8_t slen, dlen;       /* prefix lengths in the rule's family: IPv4 0 to 32 */
	uint8_t n_sport, n_dport; /* ranges, 0 to 2; 0: the rule can't match */
	uint16_t proto;           /* as in struct rule */
	uint16_t zero;
	struct rule_range sport[2], dport[2];
};
_Static_assert(sizeof(struct acl_match) == 56, "no padding");

/* Beside a rule's index in a list: of the packets that it matches only those of its tunnel. */
#define ACL_IN_TUNNEL (UINT32_C(1) << 31)
_Static_assert(RULES_MAX < ACL_IN_TUNNEL, "an index and a bit");

/* The rules of a group in order, as indices of rules, up to its first match-all. */
struct acl_list {
	uint32_t *rule; /* index | ACL_IN_TUNNEL. NULL where n is 0 or the list is that of an
			   earlier group */
	uint32_t n;
	uint32_t rest; /* verdict where none of them matches: the match-all's, or 0 */
	/* the first group of the family with this very list; its own number if there is none */
	uint32_t same;
};

/* The words of a prefix as struct acl_match has them; returns its length. */
uint8_t acl_prefix_words(const struct prefix *p, uint32_t word[4]);

/* 0, or -EINVAL (addresses of two families, with the sentence in why). */
int acl_match_make(const struct rule *r, struct acl_match *m, char *why, size_t why_size);

/* Fills the lists of all groups from the n rules and their matches; counts shadowed rules into
 * stats. 0 or -ENOMEM; acl_lists_fini in both cases. */
int acl_lists_make(struct acl_list list[ACL_GROUPS], const struct rule *rules,
	const struct acl_match *match, uint32_t n, struct acl_build_stats *stats);
void acl_lists_fini(struct acl_list list[ACL_GROUPS]);

/* Fills a->class from the protocols that the rules name. 0 or -E2BIG with the sentence in why. */
int acl_classes_make(
	struct acl *a, const struct rule *rules, uint32_t n, char *why, size_t why_size);

/* One of a list: what it matches, and the verdict then. */
struct acl_entry {
	const struct acl_match *match;
	uint32_t verdict;             /* from 1; of those that match the smallest holds */
	uint8_t class_from, class_to; /* the key's first byte */
	uint16_t tunnel;              /* the key's; 0: any */
};

/* Whose list it is. */
struct acl_spec {
	bool ip6;
	int socket;
	const char *what; /* "rules", for sentences */
};

/* n entries (1 at least), as the contexts of a group, ready for lookups. Adds to stats. 0 or -errno
 * with the sentence; the group has no context then. */
int acl_ctx_make(const struct acl_spec *spec, struct acl_group *group,
	const struct acl_entry *entry, uint32_t n, struct acl_build_stats *stats, char *why,
	size_t why_size);

/* What is taken of the DPDK heap, over all sockets: rte_acl doesn't tell the size of its tables. */
size_t acl_heap_bytes(void);

/* Sets verdict[i + 1].counter for rule i of n. Ids that were free before are also put into fresh
 * (room for n), their number into *n_fresh. 0, -ENOMEM or -ENOSPC; nothing is taken then. */
int acl_counters_take(struct acl_counters *c, const struct rule *rules, uint32_t n,
	struct acl_verdict *verdict, uint32_t *fresh, uint32_t *n_fresh);
/* Undoes that. */
void acl_counters_give_back(struct acl_counters *c, const uint32_t *fresh, uint32_t n_fresh);
