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
