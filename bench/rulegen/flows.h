/* The 1,024 UDP flows that every bench sends: flow i, from a host of 10.1.0.0/16 to one of
 * 10.2.0.0/16, or for IPv6 from 2001:db8:a01::/48 to 2001:db8:a02::/48. rulegen writes rules that
 * none of them matches before the last; bench/acl looks them up; the pcap writer of the pipeline
 * bench makes packets of them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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

/* The address that stands for an IPv4 one where IPv6 is measured: 10.1.3.7 becomes
 * 2001:db8:a01:3::7, so that a site /16 is a /48, a subnet /24 a /64, and hosts have low numbers.
 * Networks outside those that the lists call home lie in other /32s. */
static inline void flow_addr6(uint32_t addr, uint8_t addr6[16])
{
	uint8_t a = (uint8_t)(addr >> 24);
	bool home = a == 9 || a == 10 || a == 172 || a == 192;
	uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8, a, (uint8_t)(addr >> 16), 0,
		(uint8_t)(addr >> 8), [15] = (uint8_t)addr};

	if (!home) {
		bytes[0] = 0x2a;
		bytes[1] = (uint8_t)(a >> 4);
		bytes[2] = a;
	}
	memcpy(addr6, bytes, sizeof(bytes));
}

/* The length of the prefix that stands for an IPv4 prefix of length len (0 or 8 to 32). */
static inline uint8_t flow_len6(unsigned len)
{
	if (len == 0)
		return 0;
	if (len <= 16)
		return (uint8_t)(32 + len);
	return (uint8_t)(len <= 24 ? 40 + len : 96 + len);
}
