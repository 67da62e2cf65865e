/* AH (RFC 4302), tunnel and transport mode, both families: as ipsec/esp.h. Mutable fields, IPv4
 * options and IPv6 extension headers as RFC 4302 section 3.3.3 and appendix A say.
 */
#pragma once

#include "ipsec/esp.h"

/* As esp_out_burst and esp_in_burst; l4 is where AH begins or has to be put. */
void ah_out_burst(struct mb *mb, struct esp_packet p[], unsigned n);
void ah_in_burst(struct mb *mb, struct esp_packet p[], unsigned n);
