/* Addresses and prefixes: text to value and back. IPv4 now; struct addr has room for IPv6.
 *
 * Used by every room above. No state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR4_STRLEN 16   /* "255.255.255.255" and its end */
#define PREFIX4_STRLEN 19 /* with "/32" */
#define MAC_STRLEN 18

struct prefix4 {
	uint32_t addr; /* host byte order; bits beyond len are kept as given (an interface address)
			*/
	uint8_t len;   /* 0 to 32 */
};

struct mac {
	uint8_t b[6];
};

/* Exactly a dotted quad of four decimal numbers, nothing before or after, no leading zeros beyond a
 * single 0. Host byte order. 0 or -EINVAL. */
int addr4_parse(const char *text, uint32_t *addr);
/* "a.b.c.d/len"; without "/len" the length is 32. 0 or -EINVAL. */
int prefix4_parse(const char *text, struct prefix4 *prefix);
/* Six pairs of hex digits with colons. 0 or -EINVAL. */
int mac_parse(const char *text, struct mac *mac);

/* Into buf, which holds at least the STRLEN above; return buf. Host byte order. */
char *addr4_format(uint32_t addr, char *buf);
char *prefix4_format(const struct prefix4 *prefix, char *buf);
char *mac_format(const struct mac *mac, char *buf);

/* The mask of a prefix length (0 to 32), host byte order. */
static inline uint32_t mask4(unsigned len)
{
	return len ? UINT32_MAX << (32 - len) : 0;
}

/* The length of a contiguous mask, or -1 when the mask has holes. */
int mask4_len(uint32_t mask);
