/* Where routes lead to: each different answer (a type, and for some of them interfaces and
 * gateways) once, so that a million routes by one gateway share one entry. See route_write.h.
 *
 * An instance belongs to one thread: the control core, or the builder for what it read.
 */
#include "table/route_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (1u << 16) /* twice the answers there can be */

struct route_hops {
	struct route_hop_set *set; /* [NEXTHOPS_MAX + 1]; type NH_NONE: unused */
	uint32_t *slot;            /* [SLOTS]: index by content, 0: empty */
	uint32_t end, n_paths;
	uint32_t free_first; /* of those given back, chained by next_free; 0: none */
	uint32_t *next_free;
};

struct route_hops *route_hops_new(void)
{
	struct route_hops *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->end = 1;
	h->set = calloc(NEXTHOPS_MAX + 1, sizeof(h->set[0]));
	h->slot = calloc(SLOTS, sizeof(h->slot[0]));
	h->next_free = calloc(NEXTHOPS_MAX + 1, sizeof(h->next_free[0]));
	if (h->set != NULL && h->slot != NULL && h->next_free != NULL)
		return h;
	route_hops_free(h);
	return NULL;
}

void route_hops_free(struct route_hops *h)
{
	if (h == NULL)
		return;
	for (uint32_t i = 1; h->set != NULL && i < h->end; i++)
		free(h->set[i].path);
	free(h->set);
	free(h->slot);
	free(h->next_free);
	free(h);
}

static uint32_t hash_of(uint8_t type, const struct route_path *path, unsigned n)
{
	uint64_t h = type;

	for (unsigned i = 0; i < n; i++) {
		h = (h ^ (uint64_t)path[i].iface << 1 ^ path[i].named ^ path[i].gw.q[0]) *
		    0x9e3779b97f4a7c15;
		h = (h ^ h >> 32 ^ path[i].gw.q[1]) * 0x94d049bb133111eb;
		h ^= h >> 29;
	}
	return (uint32_t)(h >> 32) & (SLOTS - 1);
}

static bool same(
	const struct route_hop_set *set, uint8_t type, const struct route_path *path, unsigned n)
{
	if (set->type != type || set->n != n)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (set->path[i].iface != path[i].iface || set->path[i].named != path[i].named ||
			!addr_equal(&set->path[i].gw, &path[i].gw))
			return false;
	return true;
}

int route_hops_index(struct route_hops *h, uint8_t type, const struct route_path *path, unsigned n)
{
	uint32_t at = hash_of(type, path, n), index;
	struct route_path *copy;

	for (; h->slot[at] != 0; at = (at + 1) & (SLOTS - 1))
		if (same(&h->set[h->slot[at]], type, path, n))
			return (int)h->slot[at];
	index = h->free_first ? h->free_first : h->end;
	/* each may be followed by its members in the workers' array */
	if (index > NEXTHOPS_MAX || h->n_paths + n > NEXTHOPS_ALL - NEXTHOPS_MAX)
		return -ENOSPC;
	copy = calloc(n + 1u, sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(copy, path, n * sizeof(*copy));
	if (h->free_first)
		h->free_first = h->next_free[index];
	else
		h->end++;
	h->n_paths += n > 1 ? n : 0;
	h->set[index] = (struct route_hop_set){.type = type, .n = (uint8_t)n, .path = copy};
	h->slot[at] = index;
	return (int)index;
}

const struct route_hop_set *route_hops_get(const struct route_hops *h, uint32_t index)
{
	return index > 0 && index < h->end && h->set[index].type != NH_NONE ? &h->set[index] : NULL;
}

uint32_t route_hops_end(const struct route_hops *h)
{
	return h->end;
}

void route_hops_drop(struct route_hops *h, uint32_t index)
{
	struct route_hop_set *set = &h->set[index];
	uint32_t at = hash_of(set->type, set->path, set->n), next;

	while (h->slot[at] != index)
		at = (at + 1) & (SLOTS - 1);
	/* what stands behind it closes the gap, unless it would go before its own place */
	for (next = (at + 1) & (SLOTS - 1); h->slot[next] != 0; next = (next + 1) & (SLOTS - 1)) {
		const struct route_hop_set *s = &h->set[h->slot[next]];
		uint32_t home = hash_of(s->type, s->path, s->n);

		if (((next - home) & (SLOTS - 1)) < ((next - at) & (SLOTS - 1)))
			continue;
		h->slot[at] = h->slot[next];
		at = next;
	}
	h->slot[at] = 0;
	h->n_paths -= set->n > 1 ? set->n : 0;
	free(set->path);
	*set = (struct route_hop_set){.type = NH_NONE};
	h->next_free[index] = h->free_first;
	h->free_first = index;
}
