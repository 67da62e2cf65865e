/* The list of all routes in order: a sorted array cut into blocks. See route_parts.h.
 *
 * Called by route_db.c, which sees to it that one thread at a time writes.
 */
#include "table/route_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int route_compare(const struct prefix *a, const struct prefix *b)
{
	bool a4 = addr_is4(&a->addr), b4 = addr_is4(&b->addr);
	int by_addr;

	if (a4 != b4)
		return a4 ? -1 : 1;
	by_addr = memcmp(&a->addr, &b->addr, sizeof(a->addr));
	return by_addr ? by_addr : (int)a->len - b->len;
}

static bool before(const struct route *r, const struct prefix *to, uint8_t origin)
{
	int order = route_compare(&r->to, to);

	return order ? order < 0 : r->origin < origin;
}

void route_list_fini(struct route_list *l)
{
	for (uint32_t i = 0; i < l->n_blocks; i++)
		free(l->block[i].r);
	free(l->block);
	*l = (struct route_list){0};
}

struct route_at route_list_lower(
	const struct route_list *l, const struct prefix *to, uint8_t origin)
{
	uint32_t low = 0, high = l->n_blocks;
	struct route_at at;

	/* the first block whose last route is not before */
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		const struct route_block *b = &l->block[mid];

		if (before(&b->r[b->n - 1], to, origin))
			low = mid + 1;
		else
			high = mid;
	}
	at = (struct route_at){.block = low};
	if (low == l->n_blocks)
		return at;
	high = l->block[low].n;
	for (low = 0; low < high;) {
		uint32_t mid = (low + high) / 2;

		if (before(&l->block[at.block].r[mid], to, origin))
			low = mid + 1;
		else
			high = mid;
	}
	at.i = low;
	return at;
}

struct route *route_list_get(const struct route_list *l, struct route_at at)
{
	return at.block < l->n_blocks && at.i < l->block[at.block].n ? &l->block[at.block].r[at.i]
								     : NULL;
}

struct route_at route_list_next(const struct route_list *l, struct route_at at)
{
	if (at.block < l->n_blocks && ++at.i >= l->block[at.block].n)
		at = (struct route_at){.block = at.block + 1};
	return at;
}

struct route_at route_list_nth(const struct route_list *l, uint32_t n)
{
	struct route_at at = {0};

	for (; at.block < l->n_blocks && n >= l->block[at.block].n; at.block++)
		n -= l->block[at.block].n;
	at.i = at.block < l->n_blocks ? n : 0;
	return at;
}

struct route *route_list_find(const struct route_list *l, const struct prefix *to, uint8_t origin)
{
	struct route *r = route_list_get(l, route_list_lower(l, to, origin));

	return r != NULL && r->origin == origin && route_compare(&r->to, to) == 0 ? r : NULL;
}

/* A block with room for ROUTE_BLOCK routes before the one at index. 0 or -ENOMEM. */
static int new_block(struct route_list *l, uint32_t index)
{
	struct route *r = malloc(ROUTE_BLOCK * sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	if (l->n_blocks == l->room) {
		uint32_t room = l->room ? l->room * 2 : 16;
		struct route_block *grown = realloc(l->block, room * sizeof(*grown));

		if (grown == NULL) {
			free(r);
			return -ENOMEM;
		}
		l->block = grown;
		l->room = room;
	}
	memmove(&l->block[index + 1], &l->block[index],
		(l->n_blocks - index) * sizeof(l->block[0]));
	l->block[index] = (struct route_block){.r = r};
	l->n_blocks++;
	return 0;
}

/* Half of a full block moves to a new one behind it. */
static int split(struct route_list *l, uint32_t index)
{
	struct route_block *from, *to;

	if (new_block(l, index + 1) < 0)
		return -ENOMEM;
	from = &l->block[index];
	to = &l->block[index + 1];
	to->n = from->n / 2;
	from->n -= to->n;
	memcpy(to->r, from->r + from->n, to->n * sizeof(to->r[0]));
	return 0;
}

int route_list_insert(struct route_list *l, const struct route *r)
{
	struct route_at at = route_list_lower(l, &r->to, r->origin);
	struct route_block *b;

	if (at.block == l->n_blocks)
		return route_list_append(l, r);
	if (l->block[at.block].n == ROUTE_BLOCK) {
		if (split(l, at.block) < 0)
			return -ENOMEM;
		if (at.i > l->block[at.block].n) {
			at.i -= l->block[at.block].n;
			at.block++;
		}
	}
	b = &l->block[at.block];
	memmove(&b->r[at.i + 1], &b->r[at.i], (b->n - at.i) * sizeof(b->r[0]));
	b->r[at.i] = *r;
	b->n++;
	l->n++;
	return 0;
}

int route_list_append(struct route_list *l, const struct route *r)
{
	struct route_block *b;

	if (l->n_blocks == 0 || l->block[l->n_blocks - 1].n == ROUTE_BLOCK) {
		if (new_block(l, l->n_blocks) < 0)
			return -ENOMEM;
	}
	b = &l->block[l->n_blocks - 1];
	b->r[b->n++] = *r;
	l->n++;
	return 0;
}

void route_list_remove(struct route_list *l, struct route_at at)
{
	struct route_block *b = &l->block[at.block];

	b->n--;
	l->n--;
	memmove(&b->r[at.i], &b->r[at.i + 1], (b->n - at.i) * sizeof(b->r[0]));
	if (b->n > 0)
		return;
	free(b->r);
	l->n_blocks--;
	memmove(b, b + 1, (l->n_blocks - at.block) * sizeof(*b));
}
