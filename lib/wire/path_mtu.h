/* ICMP errors that say that a packet of ours, ESP or AH, was too large for its way: RFC 1191, RFC
 * 8201, RFC 4301 section 8.2. No state.
 *
 * Used by the data path (which reads them) and the control core (which believes them or not).
 */
#pragma once

#include "wire/addr.h"

#include <stdbool.h>
#include <stdint.h>

/* Less is not believed: RFC 8201 section 4; for IPv4 what other systems take for the least, so that
 * nobody makes us send crumbs (RFC 5927 section 7.1). */
#define PATH_MTU_MIN4 552
#define PATH_MTU_MIN6 1280
#define PATH_MTU_AGE_MS 600000 /* RFC 1191 section 6.3, RFC 8201 section 4: then try again */

struct path_mtu {
	struct addr src, dst;  /* of the packet that did not fit */
	uint32_t spi;          /* network byte order; 0: the error does not show it */
	uint32_t mtu;          /* of the link that it did not fit, at least the above */
	uint16_t sport, dport; /* in UDP: network byte order; else 0 */
	uint8_t proto;         /* PROTO_ESP or PROTO_AH, also when it is in UDP */
	bool udp;
};

/* Reads the len bytes of an ICMP message (ip6: ICMPv6) from its type on; reads nothing beyond them.
 * False: it is another, tells nothing, or the packet within it is none of those. That its checksum
 * is right has been looked at. */
bool path_mtu_read(const uint8_t *icmp, unsigned len, bool ip6, struct path_mtu *p);
