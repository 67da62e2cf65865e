/* The rig's inside, shared by harness.c (boot) and drive.c (packets, counters, checks). */
#pragma once

#include "harness.h"

#define RIG_MBUFS 8191
#define RIG_TX_SIZE 2048
#define RIG_QUEUES 4

struct rig_port {
	uint16_t id;
	unsigned n_rx, n_tx;
	struct rte_ring *rx[RIG_QUEUES], *tx[RIG_QUEUES];
};

extern struct rig_port rig_port[RIG_PORTS];
