/* What workers look up for IPsec, under one pointer of the root: NULL there where no tunnel, no
 * tunnel interface and no policy is configured, so that a box without IPsec pays nothing. Immutable
 * but for the SAD, which lives as long as the daemon.
 */
#pragma once

#include "table/sad.h"
#include "table/spd.h"
#include "table/tunnel.h"

struct ipsec {
	const struct spd *spd;       /* never NULL */
	const struct sad *sad;       /* never NULL */
	uint32_t n_tunnels;          /* highest id + 1 */
	const struct tunnel *tunnel; /* [n_tunnels], by id */
	uint8_t nesting_max;         /* headers that are taken off one packet, 1 to 16 */
	uint8_t predecap_filter;     /* the filter judges AH and ESP before they are taken off */
	/* A bit for each UDP port (host byte order) of ours that has IKE and ESP (RFC 3948): 4500
	 * and the local ports of tunnels; [1024]. NULL: 4500 alone */
	const uint64_t *udp_port;
};

/* A packet to this UDP port of ours is ESP, unless a marker of four zero bytes says IKE. */
static inline bool ipsec_udp_port(const struct ipsec *ipsec, uint16_t port)
{
	return ipsec->udp_port ? ipsec->udp_port[port / 64] >> (port % 64) & 1
			       : port == PORT_IKE_NAT;
}
