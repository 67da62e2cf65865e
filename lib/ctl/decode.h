/* One line about a packet, in the manner of tcpdump, from its first bytes. The bytes are hostile:
 * whatever is missing is said, nothing is read beyond what was kept.
 *
 * Used by show drops. No state, any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* data: kept bytes, of a packet of len bytes. framed: they begin with an Ethernet header, else with
 * an IPv4 or IPv6 header. Returns buf, always terminated. */
#define DECODE_STRLEN 1024
char *decode(const uint8_t *data, size_t kept, size_t len, int framed, char *buf, size_t size);
