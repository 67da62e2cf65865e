/* ARP packets that arrive: validated, learned from, answered (RFC 826; RFC 5227 for probes and
 * conflicts). Everything in them is hostile until shown otherwise. Called by the control core with
 * what workers punt to it.
 *
 * We learn a new neighbour only from a packet that is meant for us; what is already known (or being
 * asked for) is updated by any packet of its. An address outside the interface's subnets counts
 * only where we asked for it ourselves, as for a gateway that is reached "on link".
 */
#include "table/neigh_parts.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

#include <rte_arp.h>

#define DEFEND_MS 10000 /* RFC 5227 section 2.4: DEFEND_INTERVAL */

/* The payload with its length (28); the Ethernet padding behind it is of no interest. */
static int parse(const uint8_t *bytes, uint32_t len, struct rte_arp_hdr *arp)
{
	_Static_assert(sizeof(*arp) == 28, "ARP for Ethernet and IPv4");

	if (len < sizeof(*arp))
		return -EINVAL;
	memcpy(arp, bytes, sizeof(*arp));
	if (arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
		arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		arp->arp_hlen != RTE_ETHER_ADDR_LEN || arp->arp_plen != sizeof(rte_be32_t))
		return -EINVAL;
	if (arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST) &&
		arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REPLY))
		return -EINVAL;
	/* a multicast, broadcast or zero address is nobody's */
	return rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha) ? 0 : -EINVAL;
}

/* At most once in DEFEND_MS per address. A flood over more addresses than are remembered gets no
 * more than NEIGH_DEFENDED_MAX in that time. */
static bool may_defend(struct neigh_db *db, uint16_t iface, uint32_t addr, uint64_t now_ms)
{
	unsigned at = NEIGH_DEFENDED_MAX;

	for (unsigned k = 0; k < NEIGH_DEFENDED_MAX; k++) {
		if (now_ms >= db->defended[k].until_ms)
			at = k;
		else if (db->defended[k].addr == addr && db->defended[k].iface == iface)
			return false;
	}
	if (at == NEIGH_DEFENDED_MAX)
		return false;
	db->defended[at].until_ms = now_ms + DEFEND_MS;
	db->defended[at].addr = addr;
	db->defended[at].iface = iface;
	return true;
}

/* Someone else says that an address of ours is its own. */
static void conflict(struct neigh_db *db, const struct iface *iface, uint32_t addr,
	const struct rte_ether_addr *mac, uint64_t now_ms)
{
	char text[ADDR4_STRLEN], who[RTE_ETHER_ADDR_FMT_SIZE];
	char after[NEIGH_AFTER_MAX];

	if (neigh_may_log(&db->conflict_log, now_ms, after)) {
		rte_ether_format_addr(who, sizeof(who), mac);
		log_warn("address conflict: our address %s on %s is also used by %s%s",
			addr4_format(addr, text), iface->name, who, after);
	}
	if (may_defend(db, iface->id, addr, now_ms))
		db->ops.arp(db->ops.arg, iface, RTE_ARP_OP_REQUEST, addr, addr, NULL);
}

/* Takes note of the sender. for_us: the packet asks for, or answers to, an address of ours. */
static int learn(struct neigh_db *db, const struct iface *iface, uint32_t spa,
	const struct rte_ether_addr *sha, bool for_us, uint64_t now_ms)
{
	struct neigh_slot like = {
		.iface = iface->id, .addr = addr_of4(spa), .state = NEIGH_REACHABLE, .mac = *sha};
	uint32_t i = neigh_find(&db->table, iface->id, &like.addr);

	if (!neigh_is_host(iface, &like.addr))
		return -EINVAL;
	if (i != NEIGH_NONE) {
		neigh_state_learn(db, i, sha, now_ms);
		return 0;
	}
	if (!neigh_on_link(iface, &like.addr, NULL))
		return -EINVAL;
	if (!for_us)
		return 0;
	i = neigh_slot_make(db, &like, now_ms);
	if (i != NEIGH_NONE)
		neigh_state_fresh(db, i, now_ms);
	return 0;
}

int neigh_db_arp(
	struct neigh_db *db, uint16_t iface_id, const uint8_t *bytes, uint32_t len, uint64_t now_ms)
{
	const struct iface *iface = neigh_iface(db->ports, iface_id);
	struct rte_arp_hdr arp;
	bool for_us, request;
	struct addr sender, target;
	uint32_t spa, tpa;
	int rc;

	if (iface == NULL || parse(bytes, len, &arp) != 0)
		return -EINVAL;
	spa = rte_be_to_cpu_32(arp.arp_data.arp_sip);
	tpa = rte_be_to_cpu_32(arp.arp_data.arp_tip);
	sender = addr_of4(spa);
	target = addr_of4(tpa);
	request = arp.arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST);
	for_us = neigh_is_ours(iface, &target);
	if (rte_is_same_ether_addr(&arp.arp_data.arp_sha, &iface->mac))
		/* our own, sent back by the network; with another's address it is a forgery */
		return neigh_is_ours(iface, &sender) ? 0 : -EINVAL;
	if (spa == 0) {
		if (!request)
			return -EINVAL;
	} else if (neigh_is_ours(iface, &sender)) {
		conflict(db, iface, spa, &arp.arp_data.arp_sha, now_ms);
		return 0;
	} else {
		rc = learn(db, iface, spa, &arp.arp_data.arp_sha, for_us, now_ms);
		if (rc != 0)
			return rc;
	}
	if (request && for_us)
		db->ops.arp(db->ops.arg, iface, RTE_ARP_OP_REPLY, tpa, spa, &arp.arp_data.arp_sha);
	return 0;
}

void neigh_db_announce(struct neigh_db *db, uint16_t iface_id)
{
	const struct iface *iface = neigh_iface(db->ports, iface_id);

	for (unsigned k = 0; iface && k < iface->n_addrs; k++) {
		uint32_t addr = addr_to4(&iface->addrs[k].addr);

		if (addr_is4(&iface->addrs[k].addr))
			db->ops.arp(db->ops.arg, iface, RTE_ARP_OP_REQUEST, addr, addr, NULL);
	}
}
