/* Which worker owns an SA, and which of a tunnel's outbound SAs each worker sends by. See
 * sad_parts.h. Control core.
 */
#include "table/sad_parts.h"

/* The newest outbound SA of the tunnel with that protocol: one that the worker owns, else any. */
static uint32_t newest_for(const struct sad_db *db, uint16_t tunnel, uint8_t proto, unsigned worker)
{
	uint32_t any = SA_NONE;

	for (uint32_t i = db->newest[tunnel][0]; i != 0; i = db->entry[i].older) {
		const struct sad_entry *e = &db->entry[i];

		if (e->info.proto != proto)
			continue;
		if (e->owner == worker)
			return db->slot[i].handle;
		if (any == SA_NONE)
			any = db->slot[i].handle;
	}
	return any;
}

void sad_out_refresh(struct sad_db *db, uint16_t tunnel)
{
	_Atomic uint64_t *out = &db->table.out[(size_t)tunnel * db->table.n_workers];

	for (unsigned w = 0; w < db->table.n_workers; w++) {
		uint64_t esp = newest_for(db, tunnel, PROTO_ESP, w);
		uint64_t ah = newest_for(db, tunnel, PROTO_AH, w);

		/* release: pairs with the acquire of sad_out; the slots are written */
		atomic_store_explicit(&out[w], ah << 32 | esp, memory_order_release);
	}
	atomic_fetch_add_explicit(&db->table.epoch, 1, memory_order_release);
}

/* ESP and AH of one packet belong to one worker, or each packet would be handed on twice. */
static bool partner(const struct sad_db *db, const struct sa_info *info, uint16_t *owner)
{
	for (uint32_t i = db->newest[info->tunnel][info->in]; i != 0; i = db->entry[i].older) {
		if (db->entry[i].info.proto == info->proto)
			continue;
		*owner = db->entry[i].owner;
		return true;
	}
	return false;
}

uint16_t sad_owner_choose(const struct sad_db *db, const struct sa_info *info)
{
	const uint32_t *same = db->n_owned[info->in], *other = db->n_owned[!info->in];
	uint16_t best = 0;

	if (info->owner != SAD_OWNER_AUTO)
		return info->owner;
	if (partner(db, info, &best))
		return best;
	/* by direction, so that no worker only decrypts; then by all */
	for (uint16_t w = 1; w < db->table.n_workers; w++)
		if (same[w] < same[best] || (same[w] == same[best] && other[w] < other[best]))
			best = w;
	return best;
}
