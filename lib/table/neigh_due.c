/* Deadlines of neighbours: a binary heap of indices, so that a tick with nothing due costs one
 * comparison however many entries there are. Called by the other neigh files; control core only.
 */
#include "table/neigh_parts.h"

static void put(struct neigh_db *db, uint32_t at, uint32_t i)
{
	db->heap[at] = i;
	db->slot[i].heap_at = at;
}

static uint64_t deadline(const struct neigh_db *db, uint32_t at)
{
	return db->slot[db->heap[at]].deadline_ms;
}

/* Moves the index at that place to where its deadline belongs. */
static void sift(struct neigh_db *db, uint32_t at)
{
	uint32_t i = db->heap[at], child;
	uint64_t when = db->slot[i].deadline_ms;

	for (; at > 1 && when < deadline(db, at / 2); at /= 2)
		put(db, at, db->heap[at / 2]);
	for (; (child = at * 2) <= db->n_heap; at = child) {
		if (child < db->n_heap && deadline(db, child + 1) < deadline(db, child))
			child++;
		if (when <= deadline(db, child))
			break;
		put(db, at, db->heap[child]);
	}
	put(db, at, i);
}

void neigh_due_set(struct neigh_db *db, uint32_t i, uint64_t deadline_ms)
{
	struct neigh_slot *s = &db->slot[i];

	s->deadline_ms = deadline_ms;
	if (s->heap_at == 0)
		put(db, ++db->n_heap, i);
	sift(db, s->heap_at);
}

void neigh_due_clear(struct neigh_db *db, uint32_t i)
{
	struct neigh_slot *s = &db->slot[i];
	uint32_t at = s->heap_at, last;

	s->deadline_ms = 0;
	if (at == 0)
		return;
	s->heap_at = 0;
	last = db->heap[db->n_heap--];
	if (last != i) {
		put(db, at, last);
		sift(db, at);
	}
}

uint32_t neigh_due_first(const struct neigh_db *db, uint64_t now_ms)
{
	return db->n_heap > 0 && deadline(db, 1) <= now_ms ? db->heap[1] : NEIGH_NONE;
}
