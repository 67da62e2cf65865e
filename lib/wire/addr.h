/* Addresses and prefixes: text to value and back. struct addr holds either family; the addr4 and
 * prefix4 forms are for code that is about IPv4 alone.
 *
 * Used by every room above. No state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ADDR_STRLEN 46    /* the longest IPv6 address and its end */
#define PREFIX_STRLEN 50  /* with "/128" */
#define ADDR4_STRLEN 16   /* "255.255.255.255" and its end */
#define PREFIX4_STRLEN 19 /* with "/32" */
#define MAC_STRLEN 18

/* An IPv6 address, or an IPv4 address in its IPv4-mapped form ::ffff:a.b.c.d (RFC 4291 section
 * 2.5.5.2). That form is never on a wire (ip6_input drops it as a martian), so that the two
 * families share one key and one comparison. All bytes 0 is the IPv6 unspecified address "::". */
struct addr {
	union {
		uint8_t b[16]; /* network byte order */
		uint32_t w[4]; /* network byte order; IPv4 is w[3] */
		uint64_t q[2]; /* network byte order */
	};
};
_Static_assert(sizeof(struct addr) == 16, "as on the wire");

/* Bits beyond len are kept as given (an interface address). An IPv4 prefix has the mapped form's
 * length: 96 more than people write, so 0.0.0.0/0 is ::ffff:0:0/96. ::/0 as a prefix means all of
 * IPv6 and nothing of IPv4: prefix_holds compares families first. */
struct prefix {
	struct addr addr;
	uint8_t len; /* 0 to 128; IPv4: 96 to 128 */
};

struct prefix4 {
	uint32_t addr; /* host byte order; bits beyond len are kept as given (an interface address)
			*/
	uint8_t len;   /* 0 to 32 */
};

struct mac {
	uint8_t b[6];
};

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return ((a->q[0] ^ b->q[0]) | (a->q[1] ^ b->q[1])) == 0;
}

static inline bool addr_is4(const struct addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

/* "::": what an unset struct addr is. */
static inline bool addr_is_unspecified(const struct addr *a)
{
	return (a->q[0] | a->q[1]) == 0;
}

/* ff00::/8 or 224.0.0.0/4 */
static inline bool addr_is_multicast(const struct addr *a)
{
	return addr_is4(a) ? a->b[12] >> 4 == 14 : a->b[0] == 0xff;
}

/* fe80::/10 (RFC 4291 section 2.5.6): says nothing without an interface. */
static inline bool addr_is_link_local(const struct addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* IPv4, host byte order, to and from the mapped form. */
static inline struct addr addr_of4(uint32_t addr4)
{
	struct addr a = {.b = {[10] = 0xff,
				 [11] = 0xff,
				 [12] = (uint8_t)(addr4 >> 24),
				 (uint8_t)(addr4 >> 16),
				 (uint8_t)(addr4 >> 8),
				 (uint8_t)addr4}};

	return a;
}

static inline uint32_t addr_to4(const struct addr *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 |
	       a->b[15];
}

/* The length as people write it: 0 to 32 for IPv4. */
static inline unsigned prefix_written_len(const struct prefix *p)
{
	return addr_is4(&p->addr) ? p->len - 96u : p->len;
}

/* An IPv4 prefix for code that is about IPv4 alone; addr_is4(&p->addr). */
static inline struct prefix4 prefix_to4(const struct prefix *p)
{
	return (struct prefix4){addr_to4(&p->addr), (uint8_t)prefix_written_len(p)};
}

static inline struct prefix prefix_of4(uint32_t addr4, unsigned len)
{
	return (struct prefix){addr_of4(addr4), (uint8_t)(len + 96)};
}

/* addr with all bits beyond len (0 to 128) zero. */
struct addr addr_masked(const struct addr *addr, unsigned len);
/* addr with all bits beyond len one. */
struct addr addr_last(const struct addr *addr, unsigned len);
/* May be a host's: not this network, unspecified, loopback, multicast or reserved. */
bool addr_is_host(const struct addr *addr);
/* No host's in the subnet of that length: the first or last of more than two (IPv4), or the first
 * of more than two, which is every router's (IPv6: RFC 4291 section 2.6.1, RFC 6164). */
bool addr_is_edge(const struct addr *addr, unsigned len);
/* May be a route's: its first address is neither loopback, link-local, multicast nor reserved. */
bool prefix_is_routable(const struct prefix *prefix);
/* Is addr within the prefix? False when the families differ. */
bool prefix_holds(const struct prefix *prefix, const struct addr *addr);
/* The same family, and one within the other. */
bool prefix_overlap(const struct prefix *a, const struct prefix *b);

/* Either family, nothing before or after; the IPv4 form is addr4_parse's, IPv6 as RFC 4291 section
 * 2.2 writes it but without a dotted quad and without a zone ("%eth0"). 0 or -EINVAL. */
int addr_parse(const char *text, struct addr *addr);
/* The same with "/len"; without it the length is that of a host. 0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix *prefix);
/* Into buf, which holds at least ADDR_STRLEN or PREFIX_STRLEN; returns buf. IPv6 as RFC 5952. */
char *addr_format(const struct addr *addr, char *buf);
char *prefix_format(const struct prefix *prefix, char *buf);

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

/* Gives the prefix the length of a mask such as 255.255.0.0 or ffff:ffff::. 0, -EAFNOSUPPORT when
 * the mask is of the other family, -EINVAL when it has holes. */
int prefix_set_mask(struct prefix *prefix, const struct addr *mask);

/* The length of a contiguous mask, or -1 when the mask has holes. */
int mask4_len(uint32_t mask);
