/* Whose address: which are on an interface's link, which are ours, which a neighbour can have, and
 * what happens when somebody else uses ours. Called by the other neigh files; control core only.
 */
#include "table/neigh_parts.h"

#include "base/log.h"

#define DEFEND_MS 10000 /* RFC 5227 section 2.4: DEFEND_INTERVAL */

bool neigh_on_link(const struct iface *iface, const struct addr *addr, struct addr *ours)
{
	const struct prefix *best = NULL;

	/* every one of fe80::/10 is (RFC 4861 section 5.1), whatever our own prefix length says */
	if (addr_is_link_local(addr)) {
		if (ours)
			*ours = iface->ll;
		return iface->flags & IFACE_IP6;
	}
	for (unsigned k = 0; k < iface->n_addrs; k++) {
		const struct prefix *p = &iface->addrs[k];

		if (prefix_holds(p, addr) && (best == NULL || p->len > best->len))
			best = p;
	}
	if (best && ours)
		*ours = best->addr;
	return best != NULL;
}

bool neigh_is_ours(const struct iface *iface, const struct addr *addr)
{
	for (unsigned k = 0; k < iface->n_addrs; k++)
		if (addr_equal(&iface->addrs[k].addr, addr))
			return true;
	return false;
}

static bool is_host4(const struct iface *iface, const struct addr *addr)
{
	uint32_t addr4 = addr_to4(addr);

	if (addr4 >> 24 == 0 || addr4 >> 24 == 127 || addr4 >> 24 >= 224)
		return false;
	for (unsigned k = 0; k < iface->n_addrs; k++) {
		uint32_t mask, host;

		if (!prefix_holds(&iface->addrs[k], addr))
			continue;
		mask = mask4(prefix_written_len(&iface->addrs[k]));
		host = addr4 & ~mask;
		/* RFC 3021: a /31 has neither; RFC 1122 section 3.2.1.3 has both */
		if (~mask > 1 && (host == 0 || host == ~mask))
			return false;
	}
	return true;
}

static bool is_host6(const struct iface *iface, const struct addr *addr)
{
	static const struct addr loopback = {.b = {[15] = 1}};

	return iface->flags & IFACE_IP6 && !addr_is_multicast(addr) && !addr_is_unspecified(addr) &&
	       !addr_equal(addr, &loopback) && !iface_is_anycast(iface, addr->b);
}

bool neigh_is_host(const struct iface *iface, const struct addr *addr)
{
	return addr_is4(addr) ? is_host4(iface, addr) : is_host6(iface, addr);
}

bool neigh_may_defend(struct neigh_db *db, uint16_t iface, const struct addr *addr, uint64_t now_ms)
{
	unsigned at = NEIGH_DEFENDED_MAX;

	for (unsigned k = 0; k < NEIGH_DEFENDED_MAX; k++) {
		if (now_ms >= db->defended[k].until_ms)
			at = k;
		else if (db->defended[k].iface == iface && addr_equal(&db->defended[k].addr, addr))
			return false;
	}
	if (at == NEIGH_DEFENDED_MAX)
		return false;
	db->defended[at].until_ms = now_ms + DEFEND_MS;
	db->defended[at].addr = *addr;
	db->defended[at].iface = iface;
	return true;
}

void neigh_conflict(struct neigh_db *db, const struct iface *iface, const struct addr *addr,
	const uint8_t mac[6], uint64_t now_ms)
{
	char text[ADDR_STRLEN], who[MAC_STRLEN], after[NEIGH_AFTER_MAX];
	struct mac m;

	if (!neigh_may_log(&db->conflict_log, now_ms, after))
		return;
	memcpy(m.b, mac, sizeof(m.b));
	log_warn("address conflict: our address %s on %s is also used by %s%s",
		addr_format(addr, text), iface->name, mac_format(&m, who), after);
}
