/* What workers look up for IPsec, under one pointer of the root: NULL there where no tunnel and no
 * policy is configured, so that a box without IPsec pays nothing. Immutable but for the SAD, which
 * lives as long as the daemon.
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
};
