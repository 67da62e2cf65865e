/* The 1,024 UDP flows that every bench sends: flow i, from a host of 10.1.0.0/16 to one of
 * 10.2.0.0/16. rulegen writes rules that none of them matches before the last; bench/acl looks them
 * up; the pcap writer of the pipeline bench makes packets of them.
 */
#pragma once

#include <stdint.h>

#define FLOWS 1024

struct flow {
	uint32_t src, dst; /* host byte order */
	uint16_t sport, dport;
};

/* 32 source networks /24 with 32 hosts each, 256 destination networks with 4 hosts each, 16
 * services. */
static inline struct flow flow_of(unsigned i)
{
	return (struct flow){
		.src = 10u << 24 | 1u << 16 | (i >> 5 & 31) << 8 | (1 + (i & 31) * 7),
		.dst = 10u << 24 | 2u << 16 | (i * 11 & 255) << 8 | (10 + (i >> 8 & 3) * 60),
		.sport = (uint16_t)(10000 + (i & 1023) * 7),
		.dport = (uint16_t)(5000 + (i & 15)),
	};
}
