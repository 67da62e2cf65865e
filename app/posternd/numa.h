/* NUMA: which memory is near to what. A port's packets lie on the port's socket, what all workers
 * look up lies where most ports are, and a port's queues go to the workers of its socket first.
 *
 * Decisions alone, from a map that says where things are: the machine's, or a test's. Control core,
 * at boot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMA_SOCKETS_MAX 8
#define NUMA_PORTS_MAX 32

/* Where things are. A negative answer: it does not say. */
struct numa_map {
	int (*port)(uint16_t id);
	int (*lcore)(unsigned lcore);
};

/* The machine as DPDK sees it. */
extern const struct numa_map numa_map_machine;

struct numa {
	unsigned n; /* sockets that have ports: one at least */
	int socket[NUMA_SOCKETS_MAX];
	unsigned n_ports;
	uint8_t of_port[NUMA_PORTS_MAX]; /* index in socket, by the port's number in the
					    configuration */
	int tables;                      /* the socket with the most ports */
};

/* Fills n for these ports. A port that does not say where it is, or that is on one socket too many,
 * counts as on the socket of the others, or where there is none on `control`, the control core's
 * (negative: 0). */
void numa_plan(struct numa *n, const struct numa_map *map, const uint16_t id[], unsigned n_ports,
	int control);

static inline int numa_of_port(const struct numa *n, unsigned port)
{
	return n->socket[n->of_port[port]];
}

/* The order in which workers get the queues of a port: those on its socket first, beginning with
 * the first-th of them, then the others. order has n_workers entries. Returns how many are near. */
unsigned numa_workers(const int worker_socket[], unsigned n_workers, int socket, unsigned first,
	uint16_t order[]);
