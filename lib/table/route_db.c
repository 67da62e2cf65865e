/* The list of all routes and what is active of it: how changes are judged, made and taken back. The
 * life of a transaction and the copies of the lookup tables: route_txn.c. See route_write.h.
 *
 * The list is written by whoever works on a transaction and read by the control core: the lock is
 * held for one prefix or a block of routes at a time. Everything else belongs to one of the two at
 * any moment.
 */
#include "table/route_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is active */

void route_db_note(struct route_db *db, const struct prefix *to, uint32_t was, uint32_t hops)
{
	if (was == hops)
		return;
	if (db->n_ops == db->ops_room) {
		size_t room = db->ops_room ? db->ops_room * 2 : 64;
		struct route_fib_op *grown = realloc(db->op, room * sizeof(*grown));

		if (grown == NULL) { /* then the tables are made of the list */
			db->anew = true;
			return;
		}
		db->op = grown;
		db->ops_room = room;
	}
	db->op[db->n_ops++] = (struct route_fib_op){*to, was, hops};
}

/* All routes of one prefix. */
struct same_prefix {
	uint32_t was; /* hops of the active one; 0: none */
	uint32_t hops[ROUTE_ORIGINS];
};

static struct same_prefix look(const struct route_db *db, const struct prefix *to)
{
	struct route_at at = route_list_lower(&db->list, to, 0);
	struct same_prefix s = {0};
	const struct route *r;

	for (; (r = route_list_get(&db->list, at)) != NULL && route_compare(&r->to, to) == 0;
		at = route_list_next(&db->list, at)) {
		s.hops[r->origin] = r->hops;
		if (r->active)
			s.was = r->hops;
	}
	return s;
}

/* Finds the active route of a prefix anew, and notes what that changes. was: before. */
static void settle(struct route_db *db, const struct prefix *to, uint32_t was)
{
	struct route_at at = route_list_lower(&db->list, to, 0);
	uint32_t hops = 0;
	struct route *r;

	for (; (r = route_list_get(&db->list, at)) != NULL && route_compare(&r->to, to) == 0;
		at = route_list_next(&db->list, at)) {
		r->active = hops == 0 && db->usable[r->hops];
		if (r->active)
			hops = r->hops;
	}
	route_db_note(db, to, was, hops);
}

/* --- changes of origin ROUTE_CONTROL */

/* Makes hops what the route of that prefix leads to; 0: takes it out. 0 or -ENOMEM. */
static int set_control(struct route_db *db, const struct prefix *to, uint32_t hops)
{
	struct route_at at = route_list_lower(&db->list, to, ROUTE_CONTROL);
	struct route *r = route_list_find(&db->list, to, ROUTE_CONTROL);
	struct same_prefix s = look(db, to);

	if (r == NULL && hops != 0) {
		struct route new = {.to = *to, .hops = hops, .origin = ROUTE_CONTROL};

		if (route_list_insert(&db->list, &new) < 0)
			return -ENOMEM;
	} else if (r != NULL && hops != 0) {
		r->hops = hops;
	} else if (r != NULL) {
		route_list_remove(&db->list, at);
	}
	if (s.hops[ROUTE_CONTROL] != 0)
		db->refs[s.hops[ROUTE_CONTROL]]--;
	if (hops != 0)
		db->refs[hops]++;
	settle(db, to, s.was);
	return 0;
}

static int refuse(struct route_request *req, const struct prefix *to, int status, const char *text)
{
	char prefix[PREFIX_STRLEN];

	snprintf(req->why, sizeof(req->why), "%s %s", prefix_format(to, prefix), text);
	return status;
}

/* May it be done? 0, or the status with a sentence. */
static int judge(struct route_request *req, const struct prefix *to, const struct same_prefix *s)
{
	if (s->hops[ROUTE_CONNECTED])
		return refuse(req, to, -EEXIST, "is an address or a subnet of this box itself");
	switch (req->op) {
	case ROUTE_ADD:
		if (s->hops[ROUTE_CONTROL])
			return refuse(req, to, -EEXIST, "has a route already; replace it");
		if (s->hops[ROUTE_STATIC])
			return refuse(req, to, -EEXIST,
				"has a route in the configuration; a replacement goes before it");
		return 0;
	case ROUTE_DELETE:
		if (s->hops[ROUTE_CONTROL])
			return 0;
		if (s->hops[ROUTE_STATIC])
			return refuse(req, to, -EPERM,
				"is a route of the configuration: take it out there and reload");
		return refuse(req, to, -ENOENT, "has no route");
	case ROUTE_REPLACE:
		return 0;
	}
	return -EINVAL;
}

static int keep_undo(struct route_db *db, const struct prefix *to, uint32_t hops)
{
	if (db->n_undo == db->undo_room) {
		size_t room = db->undo_room ? db->undo_room * 2 : 64;
		struct route_undo *grown = realloc(db->undo, room * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		db->undo = grown;
		db->undo_room = room;
	}
	db->undo[db->n_undo++] = (struct route_undo){*to, hops};
	return 0;
}

static int change(struct route_db *db, struct route_request *req, const struct route_change *c)
{
	struct same_prefix s = look(db, &c->to);
	int status = judge(req, &c->to, &s);

	if (status == 0 && s.hops[ROUTE_CONTROL] == 0 && db->list.n >= ROUTES_MAX)
		return refuse(req, &c->to, -ENOSPC, "is one route too many");
	if (status == 0)
		status = keep_undo(db, &c->to, s.hops[ROUTE_CONTROL]);
	if (status == 0)
		status = set_control(db, &c->to, req->op == ROUTE_DELETE ? 0 : c->hops);
	if (status == -ENOMEM)
		return refuse(req, &c->to, status, "found no memory");
	return status;
}

void route_db_undo(struct route_db *db, size_t n_undo, size_t n_ops)
{
	pthread_mutex_lock(&db->lock);
	while (db->n_undo > n_undo) {
		const struct route_undo *u = &db->undo[--db->n_undo];

		/* what was taken out left its place behind, so this wants no memory but for the
		 * last of a block */
		(void)set_control(db, &u->to, u->hops);
	}
	db->n_ops = n_ops;
	pthread_mutex_unlock(&db->lock);
}

/* One request: all or nothing. */
static void request(struct route_db *db, struct route_request *req)
{
	size_t n_undo = db->n_undo, n_ops = db->n_ops;

	for (uint32_t i = 0; i < req->n && req->status == 0; i++) {
		pthread_mutex_lock(&db->lock);
		req->status = change(db, req, &req->change[i]);
		pthread_mutex_unlock(&db->lock);
		req->bad = i;
	}
	if (req->status != 0)
		route_db_undo(db, n_undo, n_ops);
}

void route_db_changes(struct route_db *db)
{
	for (struct route_request *req = db->first; req != NULL; req = req->next)
		if (req->status == 0)
			request(db, req);
}

/* --- interfaces up or down */

/* The routes of a block whose hops have turned, and those of the same prefix. */
void route_db_relink(struct route_db *db)
{
	for (uint32_t b = 0; b < db->list.n_blocks; b++) {
		const struct route_block *block = &db->list.block[b];

		pthread_mutex_lock(&db->lock);
		for (uint32_t i = 0; i < block->n; i++) {
			const struct prefix to = block->r[i].to;

			if (db->turned[block->r[i].hops])
				settle(db, &to, look(db, &to).was);
		}
		pthread_mutex_unlock(&db->lock);
	}
}

/* --- a new configuration */

static int compare_base(const void *a, const void *b, void *arg)
{
	const struct route *base = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = route_compare(&base[x].to, &base[y].to);

	if (order == 0)
		order = base[x].origin - base[y].origin;
	return order ? order : x < y ? -1 : x > y;
}

static int append(struct route_db *db, const struct route *r)
{
	const struct route_list *l = &db->next;
	const struct route_block *b = l->n_blocks ? &l->block[l->n_blocks - 1] : NULL;
	const struct route *last = b ? &b->r[b->n - 1] : NULL;
	bool same = last != NULL && route_compare(&last->to, &r->to) == 0;

	if (same && last->origin == r->origin)
		return 0; /* the first one counts */
	return route_list_append(&db->next, r);
}

/* A route of the socket that may not stay? */
static bool goes(const struct route_db *db, const struct route *r)
{
	const struct route_reload *reload = &db->reload;

	return !reload->keep(reload->arg, r->hops) ||
	       route_list_find(&db->next, &r->to, ROUTE_CONNECTED) != NULL;
}

/* The next route of the list whose origin is ROUTE_CONTROL. */
static struct route *next_control(const struct route_list *l, struct route_at *at)
{
	struct route *r;

	for (; (r = route_list_get(l, *at)) != NULL; *at = route_list_next(l, *at))
		if (r->origin == ROUTE_CONTROL)
			return r;
	return NULL;
}

/* Both in order: what the configuration says, and what came by the socket. */
static int merge(struct route_db *db, const uint32_t *order)
{
	const struct route_reload *reload = &db->reload;
	struct route_at at = {0};
	const struct route *control = next_control(&db->list, &at);

	for (uint32_t i = 0; i < reload->n || control != NULL;) {
		struct route r;
		bool is_base = i < reload->n;

		if (is_base && control != NULL) {
			const struct route *base = &reload->base[order[i]];
			int cmp = route_compare(&base->to, &control->to);

			is_base = cmp < 0 || (cmp == 0 && base->origin < ROUTE_CONTROL);
		}
		if (is_base) {
			r = reload->base[order[i++]];
			if (r.origin == ROUTE_STATIC)
				r.hops = reload->map[r.hops];
			if (r.hops == 0)
				continue;
		} else {
			r = *control;
			at = route_list_next(&db->list, at);
			control = next_control(&db->list, &at);
			if (goes(db, &r)) {
				reload->gone(reload->arg, &r.to);
				continue;
			}
		}
		r.active = false;
		if (append(db, &r) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void activate(const struct route_db *db, const struct route_list *l)
{
	struct route_at at = {0};
	struct prefix to = {.len = UINT8_MAX};
	bool found = false;
	struct route *r;

	for (; (r = route_list_get(l, at)) != NULL; at = route_list_next(l, at)) {
		if (to.len != r->to.len || route_compare(&to, &r->to) != 0) {
			to = r->to;
			found = false;
		}
		r->active = !found && db->usable[r->hops];
		found |= r->active;
	}
}

static const struct route *next_active(const struct route_list *l, struct route_at *at)
{
	const struct route *r;

	for (; (r = route_list_get(l, *at)) != NULL; *at = route_list_next(l, *at))
		if (r->active)
			return r;
	return NULL;
}

/* Notes what is active in one list and not, or otherwise, in the other. */
static void compare_lists(struct route_db *db)
{
	struct route_at a = {0}, b = {0};

	for (;;) {
		const struct route *was = next_active(&db->list, &a);
		const struct route *is = next_active(&db->next, &b);
		int order = was == NULL ? 1 : is == NULL ? -1 : route_compare(&was->to, &is->to);

		if (was == NULL && is == NULL)
			return;
		if (order < 0)
			route_db_note(db, &was->to, was->hops, 0);
		else if (order > 0)
			route_db_note(db, &is->to, 0, is->hops);
		else
			route_db_note(db, &is->to, was->hops, is->hops);
		if (order <= 0)
			a = route_list_next(&db->list, a);
		if (order >= 0)
			b = route_list_next(&db->next, b);
	}
}

int route_db_reread(struct route_db *db)
{
	const struct route_reload *reload = &db->reload;
	uint32_t *order = malloc(((size_t)reload->n + 1) * sizeof(*order));
	int ret;

	if (order == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < reload->n; i++)
		order[i] = i;
	qsort_r(order, reload->n, sizeof(*order), compare_base, reload->base);
	ret = merge(db, order);
	free(order);
	if (ret < 0)
		return ret;
	activate(db, &db->next);
	compare_lists(db);
	return 0;
}

/* --- looking */

uint32_t route_db_count(struct route_db *db)
{
	uint32_t n;

	pthread_mutex_lock(&db->lock);
	n = db->list.n;
	pthread_mutex_unlock(&db->lock);
	return n;
}

uint32_t route_db_read(struct route_db *db, uint32_t from, struct route *out, uint32_t max)
{
	struct route_at at;
	const struct route *r;
	uint32_t n = 0;

	pthread_mutex_lock(&db->lock);
	for (at = route_list_nth(&db->list, from);
		n < max && (r = route_list_get(&db->list, at)) != NULL;
		at = route_list_next(&db->list, at))
		out[n++] = *r;
	pthread_mutex_unlock(&db->lock);
	return n;
}

bool route_db_match(struct route_db *db, const struct addr *dst, struct route *out)
{
	int shortest = addr_is4(dst) ? 96 : 0;
	bool found = false;

	pthread_mutex_lock(&db->lock);
	for (int len = 128; len >= shortest && !found; len--) {
		struct prefix to = {addr_masked(dst, (unsigned)len), (uint8_t)len};
		struct route_at at = route_list_lower(&db->list, &to, 0);
		const struct route *r;

		for (; !found && (r = route_list_get(&db->list, at)) != NULL &&
			route_compare(&r->to, &to) == 0;
			at = route_list_next(&db->list, at)) {
			*out = *r;
			found = r->active;
		}
	}
	pthread_mutex_unlock(&db->lock);
	return found;
}

bool route_db_find(
	struct route_db *db, const struct prefix *to, enum route_origin origin, struct route *out)
{
	const struct route *r;

	pthread_mutex_lock(&db->lock);
	r = route_list_find(&db->list, to, (uint8_t)origin);
	if (r != NULL)
		*out = *r;
	pthread_mutex_unlock(&db->lock);
	return r != NULL;
}
