/* NUMA: what lies where. See numa.h. Control core, at boot.
 */
#include "numa.h"

#include <rte_ethdev.h>
#include <rte_lcore.h>

static int port_socket(uint16_t id)
{
	return rte_eth_dev_socket_id(id);
}

static int lcore_socket(unsigned lcore)
{
	return (int)rte_lcore_to_socket_id(lcore);
}

const struct numa_map numa_map_machine = {.port = port_socket, .lcore = lcore_socket};

/* Index of the socket, made when it is new and there is room; else of the first. */
static unsigned index_of(struct numa *n, int socket)
{
	for (unsigned i = 0; i < n->n; i++)
		if (n->socket[i] == socket)
			return i;
	if (n->n == NUMA_SOCKETS_MAX)
		return 0;
	n->socket[n->n] = socket;
	return n->n++;
}

void numa_plan(struct numa *n, const struct numa_map *map, const uint16_t id[], unsigned n_ports,
	int control)
{
	unsigned ports[NUMA_SOCKETS_MAX] = {0}, most = 0;

	*n = (struct numa){.n_ports = n_ports < NUMA_PORTS_MAX ? n_ports : NUMA_PORTS_MAX};
	for (unsigned i = 0; i < n->n_ports; i++) {
		int socket = map->port(id[i]);

		if (socket < 0)
			continue;
		n->of_port[i] = (uint8_t)index_of(n, socket);
		ports[n->of_port[i]]++;
	}
	if (n->n == 0)
		index_of(n, control < 0 ? 0 : control);
	for (unsigned i = 1; i < n->n; i++)
		if (ports[i] > ports[most])
			most = i;
	n->tables = n->socket[most];
	/* near to nothing: where the tables are */
	for (unsigned i = 0; i < n->n_ports; i++)
		if (map->port(id[i]) < 0)
			n->of_port[i] = (uint8_t)most;
}

unsigned numa_workers(
	const int worker_socket[], unsigned n_workers, int socket, unsigned first, uint16_t order[])
{
	unsigned near = 0, at = 0;

	for (unsigned i = 0; i < n_workers; i++)
		near += worker_socket[i] == socket;
	for (unsigned far = 0; far < 2; far++) {
		unsigned begin = at, n = far ? n_workers - near : near, k = 0;

		for (unsigned i = 0; i < n_workers; i++)
			if ((worker_socket[i] != socket) == far)
				order[begin + (k++ + n - first % n) % n] = (uint16_t)i;
		at += n;
	}
	return near;
}
