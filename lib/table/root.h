/* The root: everything immutable that a worker looks up, under one pointer. A worker reads the
 * pointer once per walk; the control core swaps it and frees the old one after a grace period.
 */
#pragma once

#include "table/acl.h"
#include "table/ipsec.h"
#include "table/neigh.h"
#include "table/port.h"
#include "table/route.h"

#include <stdatomic.h>

enum ip4_options_policy { OPTIONS_DROP, OPTIONS_FORWARD_SAFE, OPTIONS_FORWARD };

struct ip4_policy {
	uint8_t options; /* enum ip4_options_policy */
	uint8_t ttl;
	uint8_t martians_drop;
	uint32_t icmp_error_rate, icmp_echo_rate; /* a second and worker; 0: none */
	uint32_t arp_punt_rate;                   /* a second and worker */
	uint32_t log_rate, log_burst;             /* a second and worker */
	uint16_t neigh_queue;                     /* packets that wait per neighbour and worker */
	uint64_t drop_log[4];                     /* bit per drop reason: write a log record */
};

struct ip6_policy {
	uint8_t hop_limit;
	uint8_t martians_drop;
	uint8_t extension_headers_max;
	uint32_t icmp_error_rate, icmp_echo_rate; /* a second and worker; 0: none */
	uint32_t nd_punt_rate;                    /* a second and worker */
	uint16_t neigh_queue;                     /* packets that wait per neighbour and worker */
};

struct reassembly_policy { /* of each worker's table */
	uint32_t per_source;
	uint16_t fragments, timeout_s;
};

struct root {
	uint32_t generation; /* rises with each reload of the configuration, from 1 */
	uint32_t serial;     /* rises with each swap, whatever changed: routes alone as well */
	const struct ports *ports;
	const struct routes *routes;
	const struct acl *acl;
	const struct neigh_table *neigh;
	const struct ipsec *ipsec; /* NULL: none is configured */
	struct ip4_policy ip4;
	struct ip6_policy ip6;
	struct reassembly_policy reassembly;
};
