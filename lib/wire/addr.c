/* Addresses and prefixes: text to value and back. See addr.h. */
#include "wire/addr.h"

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
