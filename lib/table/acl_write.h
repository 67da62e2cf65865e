/* The filter compiler: rules -> struct acl. Runs on the builder thread or at boot (EAL threads
 * only, for rte_malloc); allocates; may take seconds for large lists.
 */
#pragma once

#include "table/acl.h"

#include <stddef.h>

/* Ids of rule counters: given out per distinct rule, so that a rule that stays over a reload keeps
 * its counter. Counter 0 is the implicit deny. Control core only. */
struct acl_counters;

/* max: capacity in counters (at least 2). NULL when out of memory. */
struct acl_counters *acl_counters_new(uint32_t max);
void acl_counters_free(struct acl_counters *c);

struct acl_build_stats {
	uint32_t n_rules;    /* as configured */
	uint32_t n_compiled; /* rte_acl rules over all contexts, after neq was split */
	uint32_t n_contexts;
	uint32_t n_shadowed; /* rules behind a match-all of their group, left out of it */
	size_t bytes;        /* run-time tables, where rte_acl tells */
	uint64_t build_ns;
};

/* Compiles. rules (n of them, at most RULES_MAX) is copied with its file strings. counters: ids are
 * taken from it for rules that it does not know; the ids that only the old table used stay taken
 * until acl_counters_retire. socket: where the tables lie, or SOCKET_ID_ANY. progress (may be NULL)
 * is called at most every 200 ms with contexts done and in all. NULL on failure, with a sentence in
 * why; nothing is changed then. */
struct acl *acl_build(const struct rule *rules, uint32_t n, struct acl_counters *counters,
	int socket, struct acl_build_stats *stats,
	void (*progress)(void *arg, unsigned done, unsigned of), void *arg, char *why,
	size_t why_size);

/* Frees a table that no worker can read any more; NULL is permitted. */
void acl_free(struct acl *a);

/* After old was replaced by next and no worker counts for it any more: the ids that next does not
 * use become free for later rules. For each freed id, freed(arg, id) is called, so that the owner
 * of the counters can remember the sum to subtract. old may be NULL. */
void acl_counters_retire(struct acl_counters *c, const struct acl *old, const struct acl *next,
	void (*freed)(void *arg, uint32_t id), void *arg);

/* Plain first match over the rules: what acl_lookup must equal. For tests and lint. */
uint32_t acl_walk(const struct rule *rules, uint32_t n, const struct rule_packet *p);
