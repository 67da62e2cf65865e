/* Our own IPv6 addresses: tentative until nobody objects (RFC 4862 section 5.4), then advertised to
 * the link (RFC 4861 section 7.2.6), or found to be another's and never used. What may not be used
 * is published for the workers. Called by the other neigh files; control core only, but for
 * neigh_unusable_has.
 */
#include "table/neigh_parts.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define START_DELAY_MS 1000 /* MAX_RTR_SOLICITATION_DELAY: RFC 4862 section 5.4.2 */
#define ANNOUNCEMENTS 3     /* MAX_NEIGHBOR_ADVERTISEMENT: RFC 4861 section 10 */

bool neigh_unusable_has(const struct neigh_unusable *u, uint16_t iface, const uint8_t addr[16])
{
	struct addr a;

	memcpy(a.b, addr, sizeof(a.b));
	for (uint32_t k = 0; k < u->n; k++)
		if (addr_equal(&u->key[k].addr, &a) &&
			(u->key[k].iface == iface || !addr_is_link_local(&a)))
			return true;
	return false;
}

/* What workers see of it, with what is needed to free it. */
struct neigh_own_list {
	struct neigh_old old;
	struct neigh_unusable u;
};

/* A duplicate that says that the very MAC is in use twice: RFC 4862 section 5.4.5. */
static bool turns_off(const struct neigh_db *db, const struct neigh_own *o)
{
	const struct iface *iface = neigh_iface(db->ports, o->iface);
	struct addr made;

	if (o->state != NEIGH_OWN_DUPLICATE || iface == NULL)
		return false;
	made = iface_eui64(&iface->mac);
	return addr_equal(&o->addr, &made);
}

bool neigh_db_ip6_off(const struct neigh_db *db, uint16_t iface)
{
	if (iface >= IFACES_MAX)
		return false;
	for (uint32_t k = db->own_at[iface]; k < db->own_at[iface + 1]; k++)
		if (turns_off(db, &db->own[k]))
			return true;
	return false;
}

/* Nobody may use it. */
static bool unusable(const struct neigh_db *db, const struct neigh_own *o)
{
	return o->state != NEIGH_OWN_USABLE || neigh_db_ip6_off(db, o->iface);
}

/* Tells the workers. Out of memory: the list stays as it was. */
static void publish(struct neigh_db *db)
{
	struct neigh_own_list *list = NULL, *before = db->own_list;
	uint32_t n = 0;

	for (uint32_t k = 0; k < db->n_own; k++)
		n += unusable(db, &db->own[k]);
	if (n > 0) {
		list = calloc(1, sizeof(*list) + n * sizeof(list->u.key[0]));
		if (list == NULL) {
			log_error("out of memory for our IPv6 addresses");
			return;
		}
	}
	for (uint32_t k = 0; k < db->n_own; k++) {
		const struct neigh_own *o = &db->own[k];

		if (unusable(db, o))
			list->u.key[list->u.n++] =
				(struct neigh_key){.addr = o->addr, .iface = o->iface};
		if (turns_off(db, o))
			list->u.off[o->iface / 64] |= 1ull << (o->iface % 64);
	}
	/* release: pairs with the acquire of neigh_unusable */
	atomic_store_explicit(&db->table.unusable, list ? &list->u : NULL, memory_order_release);
	db->own_list = list;
	if (before)
		neigh_slot_defer(db, &before->old, before);
}

struct neigh_own *neigh_own_find(const struct neigh_db *db, uint16_t iface, const struct addr *addr)
{
	for (uint32_t k = db->own_at[iface]; k < db->own_at[iface + 1]; k++)
		if (addr_equal(&db->own[k].addr, addr))
			return &db->own[k];
	return NULL;
}

bool neigh_own_source(const struct neigh_db *db, const struct iface *iface, const struct addr *addr,
	struct addr *ours)
{
	const struct neigh_own *o;

	if (neigh_db_ip6_off(db, iface->id))
		return false;
	if (!neigh_on_link(iface, addr, ours))
		*ours = iface->ll;
	o = neigh_own_find(db, iface->id, ours);
	for (uint32_t k = db->own_at[iface->id];
		!(o && o->state == NEIGH_OWN_USABLE) && k < db->own_at[iface->id + 1]; k++)
		o = &db->own[k];
	if (o == NULL || o->state != NEIGH_OWN_USABLE)
		return false;
	*ours = o->addr;
	return true;
}

static void due(struct neigh_db *db, struct neigh_own *o, uint64_t when_ms)
{
	o->due_ms = when_ms;
	if (when_ms)
		db->own_due_ms = RTE_MIN(db->own_due_ms, when_ms);
}

/* The address is new on the link. Nothing is published yet. */
static void begin(
	struct neigh_db *db, struct neigh_own *o, const struct iface *iface, uint64_t now_ms)
{
	uint64_t nonce = random_next(&db->random);

	memcpy(o->nonce, &nonce, sizeof(o->nonce));
	if (iface->dad_transmits == 0) {
		o->state = NEIGH_OWN_USABLE;
		o->left = ANNOUNCEMENTS;
		due(db, o, neigh_link_down(db, iface) ? 0 : now_ms);
		return;
	}
	o->state = NEIGH_OWN_TENTATIVE;
	o->left = iface->dad_transmits;
	/* without a link nobody could object: neigh_own_link_up goes on */
	due(db, o,
		neigh_link_down(db, iface)
			? 0
			: now_ms + random_between(&db->random, 0, START_DELAY_MS));
}

/* RFC 4862 section 5.4.2 */
static void send_probe(struct neigh_db *db, const struct neigh_own *o, const struct iface *iface)
{
	const struct addr nobody = {0};
	struct addr dst = nd_solicited_node(&o->addr);
	struct mac mac = nd_group_mac(&dst);
	uint8_t packet[ND_PACKET_MAX];

	db->ops.nd(db->ops.arg, iface, &mac, packet,
		nd_write_ns(packet, &nobody, &dst, &o->addr, NULL, o->nonce));
}

void neigh_own_advertise(struct neigh_db *db, const struct iface *iface, const struct addr *addr)
{
	struct addr all = nd_all_nodes();
	struct mac to = nd_group_mac(&all), ours;
	uint8_t packet[ND_PACKET_MAX];

	memcpy(&ours, &iface->mac, sizeof(ours));
	db->ops.nd(db->ops.arg, iface, &to, packet,
		nd_write_na(packet, addr, &all, addr, &ours, ND_ROUTER | ND_OVERRIDE));
}

void neigh_own_duplicate(
	struct neigh_db *db, struct neigh_own *o, const struct mac *mac, uint64_t now_ms)
{
	const struct iface *iface = neigh_iface(db->ports, o->iface);
	char addr[ADDR_STRLEN], who[MAC_STRLEN];

	o->state = NEIGH_OWN_DUPLICATE;
	o->due_ms = 0;
	publish(db);
	log_error("address %s on %s is a duplicate: %s%s uses it too; it stays out of use until "
		  "the link comes up anew or a reload changes it",
		addr_format(&o->addr, addr), iface ? iface->name : "?",
		mac ? "the host with MAC " : "another host", mac ? mac_format(mac, who) : "");
	if (!turns_off(db, o))
		return;
	/* workers forget what they send there past the checks (flow_cache.h) */
	atomic_fetch_add_explicit(&db->table.epoch, 1, memory_order_release);
	log_error("that address is made from the MAC, which two devices on the link seem to have: "
		  "IPv6 is off on %s until then",
		iface->name);
}

/* Returns whether the address became usable. */
static bool step(struct neigh_db *db, struct neigh_own *o, uint64_t now_ms)
{
	const struct iface *iface = neigh_iface(db->ports, o->iface);
	uint64_t again = now_ms + RTE_MAX(db->share[NEIGH_IP6].conf.retry_ms, 1u);
	bool probing = o->state == NEIGH_OWN_TENTATIVE;

	if (iface == NULL || neigh_db_ip6_off(db, o->iface)) {
		o->due_ms = 0;
		return false;
	}
	if (probing && o->left > 0) {
		send_probe(db, o, iface);
		o->left--;
		due(db, o, again);
		return false;
	}
	if (probing) {
		o->state = NEIGH_OWN_USABLE;
		o->left = ANNOUNCEMENTS;
	}
	neigh_own_advertise(db, iface, &o->addr);
	due(db, o, --o->left > 0 ? again : 0);
	return probing;
}

void neigh_own_tick(struct neigh_db *db, uint64_t now_ms)
{
	bool changed = false;

	if (now_ms < db->own_due_ms)
		return;
	db->own_due_ms = UINT64_MAX;
	for (uint32_t k = 0; k < db->n_own; k++) {
		struct neigh_own *o = &db->own[k];

		if (o->due_ms && o->due_ms <= now_ms)
			changed |= step(db, o, now_ms);
		else
			due(db, o, o->due_ms);
	}
	if (changed)
		publish(db);
}

void neigh_own_link_up(struct neigh_db *db, uint16_t port, uint64_t now_ms)
{
	for (uint32_t k = 0; k < db->n_own; k++) {
		const struct iface *iface = neigh_iface(db->ports, db->own[k].iface);

		if (iface && iface->port == port)
			begin(db, &db->own[k], iface, now_ms);
	}
	publish(db);
}

static uint32_t count(const struct ports *ports)
{
	uint32_t n = 0;

	for (uint16_t id = 1; id < ports->n_ifaces; id++) {
		const struct iface *iface = neigh_iface(ports, id);

		n += iface ? iface->n_addrs : 0u;
	}
	return n;
}

void neigh_own_ports(struct neigh_db *db, const struct ports *old, uint64_t now_ms)
{
	struct neigh_own *own = calloc(count(db->ports) + 1, sizeof(*own));
	uint32_t at[IFACES_MAX + 1] = {0}, n = 0;
	uint64_t off[(IFACES_MAX + 63) / 64] = {0};

	if (own == NULL) {
		log_error("out of memory for our IPv6 addresses");
		return;
	}
	db->own_due_ms = UINT64_MAX;
	for (uint16_t id = 0; id < IFACES_MAX; id++) {
		const struct iface *is = neigh_iface(db->ports, id);
		bool same = neigh_same_link(neigh_iface(old, id), is);

		at[id] = n;
		if (same && neigh_db_ip6_off(db, id))
			off[id / 64] |= 1ull << (id % 64);
		for (unsigned j = 0; is && j < is->n_addrs; j++) {
			const struct addr *addr = &is->addrs[j].addr;
			const struct neigh_own *was = same ? neigh_own_find(db, id, addr) : NULL;

			if (addr_is4(addr))
				continue;
			own[n] = was ? *was : (struct neigh_own){.addr = *addr, .iface = id};
			if (was)
				due(db, &own[n], was->due_ms);
			else
				begin(db, &own[n], is, now_ms);
			n++;
		}
	}
	at[IFACES_MAX] = n;
	free(db->own);
	db->own = own;
	db->n_own = n;
	memcpy(db->own_at, at, sizeof(at));
	for (uint32_t k = 0; k < n; k++) {
		uint16_t id = own[k].iface;

		/* what kept IPv6 off is no longer ours: all begin anew */
		if (off[id / 64] >> (id % 64) & 1 && !neigh_db_ip6_off(db, id))
			begin(db, &own[k], &db->ports->iface[id], now_ms);
	}
	publish(db);
}

void neigh_own_free(struct neigh_db *db)
{
	free(db->own_list);
	free(db->own);
}

void neigh_db_own_each(const struct neigh_db *db,
	void (*fn)(void *arg, uint16_t iface, const struct addr *addr, enum neigh_own_state state),
	void *arg)
{
	for (uint32_t k = 0; k < db->n_own; k++)
		fn(arg, db->own[k].iface, &db->own[k].addr, db->own[k].state);
}
