/* What a router advertisement of an interface says (RFC 4861 section 4.2, RFC 8106), as a value.
 *
 * conf fills it from the text, the port table carries it, and whoever sends router advertisements
 * reads it. No state; a plain copy is a copy. At most 984 bytes of a packet: it fits any MTU.
 */
#pragma once

#include "wire/addr.h"

#define RA_PREFIXES_MAX 16
#define RA_DNS_MAX 8
#define RA_DOMAINS_MAX 256 /* bytes of all domain names as on the wire */
#define RA_FOREVER UINT32_MAX

struct ra_prefix {
	struct prefix prefix; /* IPv6, host bits zero */
	bool on_link, autonomous;
	uint32_t valid_s, preferred_s; /* RA_FOREVER: without end */
};

struct ra {
	bool send; /* false: none are sent, and solicitations are not answered */
	bool managed, other_config;
	uint8_t hop_limit;                 /* 0: unspecified */
	uint16_t interval_s;               /* MaxRtrAdvInterval, 4 to 1800 */
	uint16_t lifetime_s;               /* 0 (no default router), or interval_s to 9000 */
	uint16_t mtu;                      /* 0: no option */
	uint32_t reachable_ms, retrans_ms; /* 0: unspecified */
	uint32_t dns_lifetime_s;           /* of dns and domains */
	uint16_t n_prefixes, n_dns;
	uint16_t domains_len;
	struct ra_prefix prefix[RA_PREFIXES_MAX];
	struct addr dns[RA_DNS_MAX];
	/* RFC 1035 section 3.1: labels behind their lengths, each name ends with a 0; one name
	 * behind the other, as the option of RFC 8106 section 5.2 has them before its padding */
	uint8_t domains[RA_DOMAINS_MAX];
};
