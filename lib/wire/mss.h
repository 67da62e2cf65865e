/* The maximum segment size that a TCP segment with SYN announces (RFC 9293 section 3.7.1). No
 * state. Workers.
 */
#pragma once

#include <stdint.h>

/* Lowers the MSS option of the TCP header at tcp, of which len bytes are there, to at most mss, and
 * mends the checksum. Where there is no such option, or the header is not whole, nothing is
 * changed. True: it was lowered. */
_Bool mss_clamp(uint8_t *tcp, unsigned len, uint16_t mss);
