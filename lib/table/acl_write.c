/* The filter compiler as a whole: rules in, one immutable struct acl out, or a sentence and nothing
 * changed. The steps stand in acl_list.c (groups, classes), acl_ctx.c (rte_acl) and acl_counters.c.
 *
 * Called on the builder thread, or at boot on the main thread; acl_free by whoever swapped the
 * table out, once no worker reads it.
 */
#include "table/acl_write.h"

#include "table/acl_parts.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

size_t acl_heap_bytes(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < rte_socket_count(); i++) {
		struct rte_malloc_socket_stats s;

		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &s) == 0)
			sum += s.heap_allocsz_bytes;
	}
	return sum;
}

/* The rules and behind them, in the same allocation, their file names; equal neighbours share one.
 */
static struct rule *copy_rules(const struct rule *rules, uint32_t n)
{
	size_t bytes = sizeof(rules[0]) * ((size_t)n + 1);
	struct rule *copy;
	char *text;

	for (uint32_t i = 0; i < n; i++)
		if (rules[i].file != NULL)
			bytes += strlen(rules[i].file) + 1;
	copy = malloc(bytes);
	if (copy == NULL)
		return NULL;
	text = (char *)&copy[n + 1];
	for (uint32_t i = 0; i < n; i++) {
		copy[i] = rules[i];
		if (rules[i].file == NULL)
			continue;
		if (i > 0 && copy[i - 1].file && strcmp(copy[i - 1].file, rules[i].file) == 0) {
			copy[i].file = copy[i - 1].file;
			continue;
		}
		copy[i].file = strcpy(text, rules[i].file);
		text += strlen(text) + 1;
	}
	return copy;
}

static struct acl_match *make_matches(const struct acl *a, char *why, size_t why_size)
{
	struct acl_match *match = malloc(sizeof(match[0]) * ((size_t)a->n_rules + 1));

	if (match == NULL)
		snprintf(why, why_size, "out of memory");
	for (uint32_t i = 0; match != NULL && i < a->n_rules; i++) {
		if (acl_match_make(&a->rule[i], &match[i], why, why_size) != 0) {
			free(match);
			return NULL;
		}
	}
	return match;
}

struct progress {
	void (*call)(void *arg, unsigned done, unsigned of);
	void *arg;
	uint64_t last_ns;
};

static void tell(struct progress *p, unsigned done, unsigned of)
{
	uint64_t now = now_ns();

	if (p->call == NULL || now - p->last_ns < 200 * 1000 * 1000)
		return;
	p->last_ns = now;
	p->call(p->arg, done, of);
}

/* What the key's first byte is for packets that the rule is about. */
static void set_classes(struct acl_entry *e, const struct acl *a, uint16_t proto)
{
	e->class_from = 0;
	e->class_to = UINT8_MAX;
	if (proto == RULE_PROTO_TCP_ACK) {
		e->class_from = e->class_to = a->class[1][6];
	} else if (proto < RULE_PROTO_ALL) {
		e->class_from = a->class[0][proto];
		e->class_to = a->class[1][proto];
	}
}

static int make_group(const struct acl *a, unsigned g, struct acl_group *group,
	const struct acl_list *list, const struct acl_match *match, struct acl_build_stats *stats,
	char *why, size_t why_size)
{
	const struct acl_spec spec = {g >= ACL_FAMILY_GROUPS, a->socket, "rules"};
	struct acl_entry *entry = malloc(sizeof(entry[0]) * list->n);
	int rc;

	if (entry == NULL) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < list->n; i++) {
		uint32_t r = list->rule[i] & ~ACL_IN_TUNNEL;

		entry[i] = (struct acl_entry){.match = &match[r], .verdict = r + 1};
		if (list->rule[i] & ACL_IN_TUNNEL)
			entry[i].tunnel = a->rule[r].tunnel_id;
		set_classes(&entry[i], a, match[r].proto);
	}
	rc = acl_ctx_make(&spec, group, entry, list->n, stats, why, why_size);
	free(entry);
	return rc;
}

/* Contexts and constants of all groups. 0 or -errno with the sentence. */
static int make_groups(struct acl *a, const struct acl_match *match, struct acl_build_stats *stats,
	struct progress *progress, char *why, size_t why_size)
{
	struct acl_list list[ACL_GROUPS];
	unsigned done = 0, of = 0;
	int rc = acl_lists_make(list, a->rule, match, a->n_rules, stats);

	if (rc != 0) {
		snprintf(why, why_size, "out of memory");
		goto out;
	}
	for (unsigned g = 0; g < ACL_GROUPS; g++)
		of += list[g].same == g && list[g].n > 0;
	for (unsigned g = 0; g < ACL_GROUPS; g++) {
		struct acl_group *group = &a->group[g];

		if (list[g].same != g) {
			*group = a->group[list[g].same];
			continue;
		}
		group->id = g;
		group->constant = list[g].rest;
		if (list[g].n == 0)
			continue;
		tell(progress, done++, of);
		rc = make_group(a, g, group, &list[g], match, stats, why, why_size);
		if (rc != 0)
			goto out;
	}
out:
	acl_lists_fini(list);
	return rc;
}

static int make_verdicts(struct acl *a, struct acl_counters *counters, uint32_t *fresh,
	uint32_t *n_fresh, char *why, size_t why_size)
{
	int rc;

	for (uint32_t i = 0; i < a->n_rules; i++) {
		a->verdict[i + 1].permit = a->rule[i].permit;
		a->verdict[i + 1].log = a->rule[i].log;
		a->verdict[i + 1].tunnel = rule_directs(&a->rule[i]);
	}
	rc = acl_counters_take(counters, a->rule, a->n_rules, a->verdict, fresh, n_fresh);
	if (rc == -ENOSPC)
		snprintf(why, why_size,
			"no counters left for %u rules: the rules in use and the new ones together "
			"are too many",
			a->n_rules);
	else if (rc != 0)
		snprintf(why, why_size, "out of memory");
	return rc;
}

struct acl *acl_build(const struct rule *rules, uint32_t n, struct acl_counters *counters,
	int socket, struct acl_build_stats *stats,
	void (*progress)(void *arg, unsigned done, unsigned of), void *arg, char *why,
	size_t why_size)
{
	static atomic_ullong serial;
	struct acl_build_stats own;
	struct progress p = {progress, arg, now_ns()};
	uint64_t start = now_ns();
	size_t heap = acl_heap_bytes();
	struct acl_match *match = NULL;
	uint32_t *fresh = NULL, n_fresh = 0;
	struct acl *a;

	if (n > RULES_MAX) {
		snprintf(why, why_size, "%u rules: there is room for %u", n, RULES_MAX);
		return NULL;
	}
	stats = stats ? stats : &own;
	*stats = (struct acl_build_stats){.n_rules = n};
	a = calloc(1, sizeof(*a));
	fresh = malloc(sizeof(fresh[0]) * ((size_t)n + 1));
	if (a == NULL || fresh == NULL)
		goto no_memory;
	a->n_rules = n;
	a->socket = socket;
	a->serial = atomic_fetch_add(&serial, 1) + 1;
	a->rule = copy_rules(rules, n);
	a->verdict = calloc((size_t)n + 1, sizeof(a->verdict[0]));
	if (a->rule == NULL || a->verdict == NULL)
		goto no_memory;
	match = make_matches(a, why, why_size);
	if (match == NULL || acl_classes_make(a, a->rule, n, why, why_size) != 0)
		goto fail;
	if (make_verdicts(a, counters, fresh, &n_fresh, why, why_size) != 0)
		goto fail;
	if (make_groups(a, match, stats, &p, why, why_size) != 0)
		goto give_back;
	free(match);
	free(fresh);
	stats->bytes = RTE_MAX(acl_heap_bytes(), heap) - heap;
	stats->build_ns = now_ns() - start;
	return a;

give_back:
	acl_counters_give_back(counters, fresh, n_fresh);
	goto fail;
no_memory:
	snprintf(why, why_size, "out of memory");
fail:
	free(match);
	free(fresh);
	acl_free(a);
	return NULL;
}

void acl_free(struct acl *a)
{
	if (a == NULL)
		return;
	for (unsigned g = 0; g < ACL_GROUPS; g++) {
		if (a->group[g].id != g)
			continue;
		rte_acl_free(a->group[g].ctx);
		rte_acl_free(a->group[g].more);
	}
	free(a->verdict);
	free(a->rule);
	free(a);
}
