/* Addresses and prefixes: text to value and back. See addr.h. */
#include "wire/addr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One decimal number of up to three digits, at most max; advances *text. */
static int number(const char **text, unsigned max, unsigned *value)
{
	const char *p = *text;
	unsigned v = 0, digits = 0;

	while (*p >= '0' && *p <= '9') {
		v = v * 10 + (unsigned)(*p++ - '0');
		if (++digits > 3)
			return -EINVAL;
	}
	if (digits == 0 || v > max || (digits > 1 && **text == '0'))
		return -EINVAL;
	*value = v;
	*text = p;
	return 0;
}

static int quad(const char **text, uint32_t *addr)
{
	uint32_t a = 0;
	unsigned octet;

	for (int i = 0; i < 4; i++) {
		if (i > 0 && *(*text)++ != '.')
			return -EINVAL;
		if (number(text, 255, &octet) < 0)
			return -EINVAL;
		a = a << 8 | octet;
	}
	*addr = a;
	return 0;
}

int addr4_parse(const char *text, uint32_t *addr)
{
	return quad(&text, addr) < 0 || *text != '\0' ? -EINVAL : 0;
}

int prefix4_parse(const char *text, struct prefix4 *prefix)
{
	unsigned len = 32;

	if (quad(&text, &prefix->addr) < 0)
		return -EINVAL;
	if (*text == '/') {
		text++;
		if (number(&text, 32, &len) < 0)
			return -EINVAL;
	}
	prefix->len = (uint8_t)len;
	return *text == '\0' ? 0 : -EINVAL;
}

struct addr addr_masked(const struct addr *addr, unsigned len)
{
	struct addr a = *addr;

	for (unsigned i = 0; i < sizeof(a.b); i++, len -= len < 8 ? len : 8)
		if (len < 8)
			a.b[i] &= (uint8_t)(0xff00 >> len);
	return a;
}

struct addr addr_last(const struct addr *addr, unsigned len)
{
	struct addr a = *addr;

	for (unsigned i = 0; i < sizeof(a.b); i++, len -= len < 8 ? len : 8)
		if (len < 8)
			a.b[i] |= (uint8_t)(0xff >> len);
	return a;
}

bool prefix_holds(const struct prefix *prefix, const struct addr *addr)
{
	uint64_t high = be64toh(prefix->addr.q[0] ^ addr->q[0]);
	uint64_t low = be64toh(prefix->addr.q[1] ^ addr->q[1]);
	unsigned len = prefix->len;

	if (len <= 64)
		low = 0;
	else if (len < 128)
		low >>= 128 - len;
	if (len == 0)
		high = 0;
	else if (len < 64)
		high >>= 64 - len;
	return (high | low) == 0 && addr_is4(&prefix->addr) == addr_is4(addr);
}

bool prefix_overlap(const struct prefix *a, const struct prefix *b)
{
	return a->len <= b->len ? prefix_holds(a, &b->addr) : prefix_holds(b, &a->addr);
}

int addr_parse(const char *text, struct addr *addr)
{
	uint32_t addr4;

	if (strchr(text, ':') == NULL) {
		if (addr4_parse(text, &addr4) < 0)
			return -EINVAL;
		*addr = addr_of4(addr4);
		return 0;
	}
	if (strchr(text, '.') != NULL || inet_pton(AF_INET6, text, addr->b) != 1)
		return -EINVAL;
	return addr_is4(addr) ? -EINVAL : 0;
}

int prefix_parse(const char *text, struct prefix *prefix)
{
	const char *slash = strchr(text, '/'), *len_text;
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned most, len;
	char host[ADDR_STRLEN];

	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (addr_parse(host, &prefix->addr) < 0)
		return -EINVAL;
	most = addr_is4(&prefix->addr) ? 32 : 128;
	len = most;
	if (slash) {
		len_text = slash + 1;
		if (number(&len_text, most, &len) < 0 || *len_text != '\0')
			return -EINVAL;
	}
	prefix->len = (uint8_t)(len + 128 - most);
	return 0;
}

char *addr_format(const struct addr *addr, char *buf)
{
	/* the family is known and the buffer large enough: it can't fail */
	if (addr_is4(addr))
		return addr4_format(addr_to4(addr), buf);
	return (char *)(uintptr_t)inet_ntop(AF_INET6, addr->b, buf, ADDR_STRLEN);
}

char *prefix_format(const struct prefix *prefix, char *buf)
{
	addr_format(&prefix->addr, buf);
	snprintf(buf + strlen(buf), 5, "/%u", prefix_written_len(prefix) & 255u);
	return buf;
}

int prefix_set_mask(struct prefix *prefix, const struct addr *mask)
{
	static const struct addr ones = {.q = {UINT64_MAX, UINT64_MAX}};
	bool is4 = addr_is4(mask);
	struct addr same;
	unsigned len = 0;

	if (is4 != addr_is4(&prefix->addr))
		return -EAFNOSUPPORT;
	if (is4) {
		int len4 = mask4_len(addr_to4(mask));

		if (len4 < 0)
			return -EINVAL;
		prefix->len = (uint8_t)(96 + len4);
		return 0;
	}
	for (unsigned i = 0; i < sizeof(mask->b); i++)
		len += (unsigned)__builtin_popcount(mask->b[i]);
	same = addr_masked(&ones, len);
	if (!addr_equal(&same, mask))
		return -EINVAL;
	prefix->len = (uint8_t)len;
	return 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, struct mac *mac)
{
	if (strlen(text) != MAC_STRLEN - 1)
		return -EINVAL;
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex(text[0]), low = hex(text[1]);

		if (high < 0 || low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac->b[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

char *addr4_format(uint32_t addr, char *buf)
{
	snprintf(buf, ADDR4_STRLEN, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
		addr & 255);
	return buf;
}

char *prefix4_format(const struct prefix4 *prefix, char *buf)
{
	addr4_format(prefix->addr, buf);
	snprintf(buf + strlen(buf), 4, "/%u", prefix->len & 63u);
	return buf;
}

char *mac_format(const struct mac *mac, char *buf)
{
	snprintf(buf, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac->b[0], mac->b[1], mac->b[2],
		mac->b[3], mac->b[4], mac->b[5]);
	return buf;
}

int mask4_len(uint32_t mask)
{
	unsigned len = mask ? (unsigned)__builtin_popcount(mask) : 0;

	return mask == mask4(len) ? (int)len : -1;
}

/* ::/96 holds the unspecified and the loopback address, and a form of IPv4 addresses that is
 * long deprecated (RFC 4291 section 2.5.5.1). */
static bool in_first96(const struct addr *a)
{
	return (a->q[0] | a->w[2]) == 0;
}

bool addr_is_host(const struct addr *a)
{
	uint32_t v4 = addr_to4(a);

	if (addr_is4(a))
		return v4 >> 24 != 0 && v4 >> 24 != 127 && v4 >> 28 < 14;
	return !addr_is_multicast(a) && !in_first96(a);
}

bool addr_is_edge(const struct addr *a, unsigned len)
{
	struct addr first = addr_masked(a, len), last;

	if (len > 126)
		return false;
	last = addr_last(a, len);
	return addr_equal(a, &first) || (addr_is4(a) && addr_equal(a, &last));
}

/* Prefixes that reach beyond what isn't unicast are common: 0.0.0.0/1 and 128.0.0.0/1 together are
 * a default route. So only the first address is looked at. */
bool prefix_is_routable(const struct prefix *to)
{
	const struct addr *a = &to->addr;

	if (addr_is4(a))
		return to->len == 96 || (a->b[12] < 224 && a->b[12] != 127);
	if (addr_is_multicast(a) || addr_is_link_local(a))
		return false;
	return to->len < 96 || addr_is_host(a);
}
