/* Interfaces by name: the one lookup in the port table that is no plain index. See port.h.
 *
 * Called by the control core (configuration, control socket), never by a worker. No state.
 */
#include "table/port.h"

#include <string.h>

const struct iface *ports_find(const struct ports *p, const char *name)
{
	/* Linear: at most a thousand names, asked for by people. Id 0 is "none" and has no name; a
	 * hole has an empty one, which nobody may find. */
	if (name[0] == '\0')
		return NULL;
	for (uint16_t i = 1; i < p->n_ifaces; i++)
		if (strncmp(p->iface[i].name, name, sizeof(p->iface[i].name)) == 0)
			return &p->iface[i];
	return NULL;
}

bool ports_is_own(const struct ports *p, rte_be32_t addr)
{
	uint32_t host = rte_be_to_cpu_32(addr);

	for (unsigned i = 1; i < p->n_ifaces; i++)
		for (unsigned j = 0; p->iface[i].flags & IFACE_UP && j < p->iface[i].n_addrs; j++)
			if (p->iface[i].addrs[j].addr == host)
				return true;
	return false;
}
