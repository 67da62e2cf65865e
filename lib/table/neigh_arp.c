/* ARP packets that arrive: validated, learned from, answered (RFC 826; RFC 5227 for probes and
 * conflicts). Everything in them is hostile until shown otherwise. Called by the control core with
 * what workers punt to it.
 *
 * We learn a new neighbour only from a packet that is meant for us; what is already known (or being
 * asked for) is updated by any packet of its. An address outside the interface's subnets counts
 * only where we asked for it ourselves, as for a gateway that is reached "on link".
 */
#include "table/neigh_parts.h"

#include <errno.h>
#include <string.h>

#include <rte_arp.h>

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
		neigh_state_learn(db, i, sha, NEIGH_REACHABLE, now_ms);
		return 0;
	}
	if (!neigh_on_link(iface, &like.addr, NULL))
		return -EINVAL;
	if (!for_us)
		return 0;
	i = neigh_slot_make(db, &like, now_ms);
	if (i != NEIGH_NONE)
		neigh_state_enter(db, i, NEIGH_REACHABLE, now_ms);
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
		neigh_conflict(db, iface, &sender, arp.arp_data.arp_sha.addr_bytes, now_ms);
		if (neigh_may_defend(db, iface->id, &sender, now_ms))
			db->ops.arp(db->ops.arg, iface, RTE_ARP_OP_REQUEST, spa, spa, NULL);
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
