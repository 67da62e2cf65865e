/* The SAD's writer: SAs come, go, and are found for show. See sad_write.h. An SA is published state
 * first, then the ways to it; it goes the other way round, and is wiped a grace period later, which
 * is polled and never waited for. Control core only.
 */
#include "table/sad_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_hash_crc.h>
#include <rte_jhash.h>
#include <rte_random.h>

#define RECLAIM_MAX 256 /* wiped in one call: the control loop has other things to do */
#define GENERATION_MASK (UINT32_MAX >> SA_INDEX_BITS)

static void push(struct sad_db *db, struct sad_queue *q, uint32_t i)
{
	db->entry[i].next = 0;
	if (q->last)
		db->entry[q->last].next = i;
	else
		q->first = i;
	q->last = i;
}

static uint32_t pop(struct sad_db *db, struct sad_queue *q)
{
	uint32_t i = q->first;

	if (i == 0)
		return 0;
	q->first = db->entry[i].next;
	if (q->first == 0)
		q->last = 0;
	return i;
}

/* Who chooses SPIs of ours is we, so that a fast hash will do. */
static struct rte_hash *make_hash(uint32_t max, int socket)
{
	static _Atomic unsigned instance; /* DPDK wants a name per table, in one global list */
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters params = {
		.name = name,
		/* half full at most: then no key is ever left without a bucket */
		.entries = RTE_MAX(max * 2, 64u),
		.key_len = sizeof(struct sad_key),
		.hash_func = rte_hash_crc,
		.hash_func_init_val = (uint32_t)rte_rand(),
		.socket_id = socket,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	snprintf(name, sizeof(name), "sad%u", atomic_fetch_add(&instance, 1));
	return rte_hash_create(&params);
}

/* What the writer keeps of its own, and what workers read but no keys are in. */
static bool make_tables(struct sad_db *db, int socket)
{
	struct sad *t = &db->table;

	while (db->names_mask < t->max)
		db->names_mask = db->names_mask * 2 + 1;
	db->entry = calloc((size_t)t->max + 1, sizeof(db->entry[0]));
	db->newest = calloc(TUNNELS_MAX, sizeof(db->newest[0]));
	db->named = calloc((size_t)db->names_mask + 1, sizeof(db->named[0]));
	for (unsigned i = 0; i < 2; i++)
		db->n_owned[i] = calloc(t->n_workers, sizeof(db->n_owned[i][0]));
	t->slot = calloc((size_t)t->max + 1, sizeof(t->slot[0]));
	t->out = calloc((size_t)TUNNELS_MAX * t->n_workers, sizeof(t->out[0]));
	t->hash = make_hash(t->max, socket);
	return db->entry && db->newest && db->named && db->n_owned[0] && db->n_owned[1] &&
	       t->slot && t->out && t->hash;
}

struct sad_db *sad_db_new(uint32_t max, unsigned n_workers, struct rte_rcu_qsbr *qsv,
	sad_expand_t expand, int socket, char *why, size_t why_size)
{
	struct sad_db *db;
	char what[32];

	if (max == 0 || max > SA_INDEX_MAX || n_workers == 0 || n_workers >= SAD_OWNER_AUTO) {
		snprintf(why, why_size, "there may be 1 to %u SAs", SA_INDEX_MAX);
		return NULL;
	}
	db = calloc(1, sizeof(*db));
	if (db == NULL) {
		snprintf(why, why_size, "out of memory");
		return NULL;
	}
	db->table.max = max;
	db->table.n_workers = n_workers;
	db->qsv = qsv;
	db->expand = expand;
	db->bitmaps.socket = socket;
	snprintf(what, sizeof(what), "%u SAs", max);
	if (sad_region_new(&db->slots, sizeof(db->slot[0]) * ((size_t)max + 1), socket, what, why,
		    why_size) != 0)
		goto fail;
	db->slot = (struct sa *)db->slots.base;
	if (!make_tables(db, socket)) {
		snprintf(why, why_size, "no memory for the tables of %u SAs", max);
		goto fail;
	}
	for (uint32_t i = 1; i <= max; i++)
		push(db, &db->free, i);
	return db;
fail:
	sad_db_free(db);
	return NULL;
}

void sad_db_free(struct sad_db *db)
{
	if (db == NULL)
		return;
	for (uint32_t i = 1; db->entry && i <= db->table.max; i++)
		free(db->entry[i].selector);
	sad_region_free(&db->slots);
	sad_bitmaps_fini(&db->bitmaps);
	rte_hash_free(db->table.hash);
	free(db->table.slot);
	free(db->table.out);
	free(db->n_owned[0]);
	free(db->n_owned[1]);
	free(db->named);
	free(db->newest);
	free(db->entry);
	free(db);
}

const struct sad *sad_db_table(const struct sad_db *db)
{
	return &db->table;
}

/* Inbound ones are found by our address, outbound ones are in the same table by the peer's: only
 * so that none is there twice. */
static struct sad_key key_of(const struct tunnel *t, const struct sa_info *info)
{
	return (struct sad_key){.dst = info->in ? t->local : t->remote,
		.spi = info->spi,
		.proto = info->proto,
		.zero = {!info->in}};
}

static uint32_t *name_bucket(const struct sad_db *db, const char *name)
{
	return &db->named[rte_jhash(name, (uint32_t)strlen(name), 0) & db->names_mask];
}

static const char *direction(const struct sa_info *info)
{
	return info->in ? "inbound" : "outbound";
}

/* 0 or -errno with the sentence. */
static int check(const struct sad_db *db, const struct tunnel *t, const struct sa_info *info,
	const struct sad_key *key, char *why, size_t why_size)
{
	unsigned has = info->proto == PROTO_ESP ? TUNNEL_ESP : TUNNEL_AH;
	const char *proto = info->proto == PROTO_ESP ? "ESP" : "AH";
	uint32_t spi = rte_be_to_cpu_32(info->spi);

	if ((info->proto != PROTO_ESP && info->proto != PROTO_AH) || t->id == TUNNEL_NONE ||
		info->tunnel != t->id || !(t->flags & TUNNEL_UP))
		snprintf(why, why_size, "not an SA of a tunnel");
	else if (!(t->flags & has))
		snprintf(why, why_size, "tunnel %s does not use %s", t->name, proto);
	else if (has == TUNNEL_AH && (t->flags & TUNNEL_ENCAP))
		snprintf(why, why_size,
			"tunnel %s puts ESP into UDP, which AH can't be in (RFC "
			"3948)",
			t->name);
	else if (spi < 256)
		snprintf(why, why_size, "SPI %u is reserved: expected 256 to 4294967295", spi);
	else if (info->window > SA_WINDOW_MAX)
		snprintf(why, why_size, "a window of %u packets: expected at most %u", info->window,
			SA_WINDOW_MAX);
	else if (info->owner != SAD_OWNER_AUTO && info->owner >= db->table.n_workers)
		snprintf(why, why_size, "there is no worker %u: the first is 0, the last %u",
			info->owner, db->table.n_workers - 1);
	else if (info->n_selectors > SA_SELECTORS_MAX)
		snprintf(why, why_size, "%u selectors: there is room for %u", info->n_selectors,
			SA_SELECTORS_MAX);
	else if (memchr(info->name, '\0', sizeof(info->name)) == NULL)
		snprintf(why, why_size, "the name is too long");
	else if (rte_hash_lookup(db->table.hash, key) >= 0) {
		snprintf(why, why_size, "there is an %s %s SA with SPI 0x%08x already",
			direction(info), proto, spi);
		return -EEXIST;
	} else if (info->name[0] && sad_db_named(db, info->name) != SA_NONE) {
		snprintf(why, why_size, "there is an SA named %s already", info->name);
		return -EEXIST;
	} else
		return 0;
	return -EINVAL;
}

/* Everything but the keys. */
static void fill(const struct sad_db *db, struct sa *sa, uint32_t i, const struct tunnel *t)
{
	const struct sad_entry *e = &db->entry[i];
	const struct sa_info *info = &e->info;
	const struct suite *suite = &info->suite;

	sa->handle = e->generation << SA_INDEX_BITS | i;
	sa->spi = info->spi;
	sa->tunnel = t->id;
	sa->owner = e->owner;
	sa->proto = info->proto;
	sa->flags = (uint8_t)((info->in ? SA_IN : 0) | (info->esn ? SA_ESN : 0) |
			      (suite->aead ? SA_AEAD : 0));
	sa->enc = suite->enc;
	sa->integ = suite->integ;
	sa->iv_len = suite->iv_len;
	sa->icv_len = suite->icv_len;
	sa->block = suite->block;
	sa->window = info->window;
	sa->n_selectors = (uint8_t)info->n_selectors;
	sa->selector = e->selector;
	sa->seq = info->in ? 0 : info->first_seq;
	sa->hard_packets = info->hard_packets ? info->hard_packets : UINT64_MAX;
	sa->hard_bytes = info->hard_bytes ? info->hard_bytes : UINT64_MAX;
	sa_template(sa, t);
}

/* The slot and what belongs to it are free again. */
static void clear(struct sad_db *db, uint32_t i)
{
	struct sad_entry *e = &db->entry[i];
	struct sa *sa = &db->slot[i];

	if (sa->bitmap)
		sad_bitmap_give(&db->bitmaps, sa->bitmap, sa->window);
	explicit_bzero(sa, sizeof(*sa));
	free(e->selector);
	*e = (struct sad_entry){.generation = e->generation};
	push(db, &db->free, i);
}

/* 0 or -errno with the sentence; what was taken is given back by clear(). */
static int prepare(struct sad_db *db, uint32_t i, const struct tunnel *t, const uint8_t *key,
	char *why, size_t why_size)
{
	struct sad_entry *e = &db->entry[i];
	struct sa_info *info = &e->info;
	struct sa *sa = &db->slot[i];
	int rc;

	/* a handle is never SA_NONE, since index 0 is not used */
	e->generation = (e->generation + 1) & GENERATION_MASK;
	if (info->n_selectors > 0) {
		e->selector = malloc(sizeof(e->selector[0]) * info->n_selectors);
		if (e->selector == NULL) {
			snprintf(why, why_size, "out of memory");
			return -ENOMEM;
		}
		memcpy(e->selector, info->selector, sizeof(e->selector[0]) * info->n_selectors);
	}
	info->selector = e->selector;
	fill(db, sa, i, t);
	if (sa->window > 0) {
		sa->bitmap = sad_bitmap_take(&db->bitmaps, sa->window, why, why_size);
		if (sa->bitmap == NULL)
			return -ENOMEM;
	}
	rc = db->expand(sa, &info->suite, key);
	if (rc != 0)
		snprintf(why, why_size, "the suite does not work on this machine: %s",
			strerror(-rc));
	return rc;
}

/* Into the lists that the writer keeps. */
static void link_entry(struct sad_db *db, uint32_t i)
{
	struct sad_entry *e = &db->entry[i];
	uint32_t *newest = &db->newest[e->info.tunnel][e->info.in];

	e->live = true;
	e->older = *newest;
	e->newer = 0;
	if (*newest)
		db->entry[*newest].newer = i;
	*newest = i;
	if (e->info.name[0]) {
		uint32_t *bucket = name_bucket(db, e->info.name);

		e->named = *bucket;
		*bucket = i;
	}
	db->n_owned[e->info.in][e->owner]++;
	db->n_live++;
}

static void unlink_entry(struct sad_db *db, uint32_t i)
{
	struct sad_entry *e = &db->entry[i];

	if (e->newer)
		db->entry[e->newer].older = e->older;
	else
		db->newest[e->info.tunnel][e->info.in] = e->older;
	if (e->older)
		db->entry[e->older].newer = e->newer;
	if (e->info.name[0]) {
		uint32_t *link = name_bucket(db, e->info.name);

		while (*link != i)
			link = &db->entry[*link].named;
		*link = e->named;
	}
	e->live = false;
	db->n_owned[e->info.in][e->owner]--;
	db->n_live--;
}

int sad_db_add(struct sad_db *db, const struct tunnel *t, const struct sa_info *info,
	const uint8_t *key, uint32_t *handle, char *why, size_t why_size)
{
	struct sad_key find = key_of(t, info);
	int rc = check(db, t, info, &find, why, why_size);
	struct sad_entry *e;
	uint32_t i;

	if (rc != 0)
		return rc;
	if (db->free.first == 0)
		sad_db_tick(db);
	i = pop(db, &db->free);
	if (i == 0) {
		snprintf(why, why_size, "there is room for %u SAs: raise ipsec.sas-max",
			db->table.max);
		return -ENOSPC;
	}
	e = &db->entry[i];
	e->info = *info;
	e->info.window = info->in ? RTE_ALIGN_CEIL(info->window, 64) : 0;
	e->key = find;
	e->owner = e->info.owner = sad_owner_choose(db, info);
	rc = prepare(db, i, t, key, why, why_size);
	if (rc == 0 && rte_hash_add_key_data(db->table.hash, &e->key,
			       (void *)(uintptr_t)db->slot[i].handle) < 0) {
		snprintf(why, why_size, "no room in the table of SPIs");
		rc = -ENOSPC;
	}
	if (rc != 0) {
		clear(db, i);
		return rc;
	}
	link_entry(db, i);
	/* release: pairs with the acquire of sad_get. Who finds the handle a moment earlier finds
	 * no SA yet. */
	atomic_store_explicit(&db->table.slot[i], &db->slot[i], memory_order_release);
	if (!info->in)
		sad_out_refresh(db, info->tunnel);
	*handle = db->slot[i].handle;
	return 0;
}

/* The index of a live SA, or 0. */
static uint32_t index_of(const struct sad_db *db, uint32_t handle)
{
	uint32_t i = SA_INDEX(handle);

	return i <= db->table.max && db->entry[i].live && db->slot[i].handle == handle ? i : 0;
}

int sad_db_del(struct sad_db *db, uint32_t handle)
{
	uint32_t i = index_of(db, handle);
	struct sad_entry *e = &db->entry[i];

	if (i == 0)
		return -ENOENT;
	e->hash_pos = rte_hash_del_key(db->table.hash, &e->key);
	unlink_entry(db, i);
	if (e->info.in)
		atomic_fetch_add_explicit(&db->table.epoch, 1, memory_order_release);
	else
		sad_out_refresh(db, e->info.tunnel);
	atomic_store_explicit(&db->table.slot[i], NULL, memory_order_release);
	e->token = rte_rcu_qsbr_start(db->qsv);
	push(db, &db->old, i);
	db->n_old++;
	return 0;
}

void sad_db_tick(struct sad_db *db)
{
	for (unsigned n = 0; n < RECLAIM_MAX && db->old.first; n++) {
		uint32_t i = db->old.first;
		const struct sad_entry *e = &db->entry[i];

		if (!rte_rcu_qsbr_check(db->qsv, e->token, false))
			return;
		pop(db, &db->old);
		if (e->hash_pos >= 0)
			rte_hash_free_key_with_position(db->table.hash, e->hash_pos);
		clear(db, i);
		db->n_old--;
	}
}

uint32_t sad_db_pending(const struct sad_db *db)
{
	return db->n_old;
}

uint32_t sad_db_count(const struct sad_db *db)
{
	return db->n_live;
}

const struct sa_info *sad_db_info(const struct sad_db *db, uint32_t handle)
{
	uint32_t i = index_of(db, handle);

	return i ? &db->entry[i].info : NULL;
}

uint32_t sad_db_named(const struct sad_db *db, const char *name)
{
	uint32_t i = *name_bucket(db, name);

	while (i != 0 && strcmp(db->entry[i].info.name, name) != 0)
		i = db->entry[i].named;
	return i ? db->slot[i].handle : SA_NONE;
}

void sad_db_each(const struct sad_db *db,
	void (*fn)(void *arg, uint32_t handle, const struct sa_info *info, const struct sa *sa),
	void *arg)
{
	for (uint32_t i = 1; i <= db->table.max; i++)
		if (db->entry[i].live)
			fn(arg, db->slot[i].handle, &db->entry[i].info, &db->slot[i]);
}

void sad_db_path_mtu(struct sad_db *db, uint16_t tunnel, uint16_t mtu)
{
	for (uint32_t i = db->newest[tunnel][0]; i != 0; i = db->entry[i].older)
		atomic_store_explicit(&db->slot[i].path_mtu, mtu, memory_order_relaxed);
}

int sad_db_moved(struct sad_db *db, const struct tunnel *t)
{
	for (uint32_t i = db->newest[t->id][0]; i != 0; i = db->entry[i].older) {
		const struct sad_entry *e = &db->entry[i];

		if (e->moved && !rte_rcu_qsbr_check(db->qsv, e->token, false))
			return -EAGAIN;
	}
	for (uint32_t i = db->newest[t->id][0]; i != 0; i = db->entry[i].older) {
		struct sad_entry *e = &db->entry[i];

		sa_outer(&db->slot[i], t);
		e->moved = true;
		e->token = rte_rcu_qsbr_start(db->qsv);
	}
	return 0;
}
