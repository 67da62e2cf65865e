/* The path MTU of tunnels, as ICMP errors tell it (RFC 4301 section 8.2). Anybody can send those:
 * one is believed when the packet that it quotes is one that an SA of ours sends. Control core.
 */
#include "table/sad_parts.h"

static bool ours(const struct tunnel *t, const struct path_mtu *told)
{
	if (!(t->flags & TUNNEL_UP) || !addr_equal(&t->local, &told->src) ||
		told->udp != ((t->flags & TUNNEL_ENCAP) != 0))
		return false;
	if (told->udp && told->sport != t->local_port)
		return false;
	/* the other end may have moved (RFC 3948) */
	return t->flags & TUNNEL_FOLLOW || (addr_equal(&t->remote, &told->dst) &&
						   (!told->udp || told->dport == t->remote_port));
}

/* The tunnel sends by that SPI: one in 2^32 guesses is right. In UDP the error may not show it. */
static bool sends(const struct sad_db *db, uint16_t tunnel, const struct path_mtu *told)
{
	if (told->spi == 0)
		return told->udp && db->newest[tunnel][0] != 0;
	for (uint32_t i = db->newest[tunnel][0]; i != 0; i = db->entry[i].older)
		if (db->slot[i].spi == told->spi && db->slot[i].proto == told->proto)
			return true;
	return false;
}

uint16_t sad_db_path_mtu_told(struct sad_db *db, const struct tunnel *tunnel, uint32_t n_tunnels,
	const struct path_mtu *told)
{
	for (uint32_t i = 1; i < n_tunnels; i++) {
		const struct sa *newest;
		uint16_t now;

		if (!ours(&tunnel[i], told) || !sends(db, (uint16_t)i, told))
			continue;
		newest = &db->slot[db->newest[i][0]];
		now = atomic_load_explicit(&newest->path_mtu, memory_order_relaxed);
		if (now != 0 && now <= told->mtu)
			return TUNNEL_NONE;
		sad_db_path_mtu(db, (uint16_t)i, (uint16_t)told->mtu);
		return (uint16_t)i;
	}
	return TUNNEL_NONE;
}
