/* Addresses and ports of a selector from text. See selector_text.h. */
#include "wire/selector_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int range_parse(const char *text, const char *dash, struct addr *from, struct addr *to)
{
	char first[ADDR_STRLEN];

	if ((size_t)(dash - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	if (addr_parse(first, from) < 0 || addr_parse(dash + 1, to) < 0 ||
		addr_is4(from) != addr_is4(to) || memcmp(from->b, to->b, sizeof(from->b)) > 0)
		return -EINVAL;
	return 0;
}

int selector_addrs_parse(const char *text, struct addr *from, struct addr *to, bool *any)
{
	const char *dash = strchr(text, '-');
	struct addr masked;
	struct prefix p;

	*any = strcmp(text, "any") == 0;
	if (*any)
		return 0;
	if (dash != NULL)
		return range_parse(text, dash, from, to);
	if (strchr(text, '/') == NULL) {
		if (addr_parse(text, from) < 0)
			return -EINVAL;
		*to = *from;
		return 0;
	}
	if (prefix_parse(text, &p) < 0)
		return -EINVAL;
	masked = addr_masked(&p.addr, p.len);
	if (!addr_equal(&masked, &p.addr))
		return -EINVAL;
	*from = *to = masked;
	for (unsigned bit = p.len; bit < 128; bit++)
		to->b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return 0;
}

/* A decimal number up to max; *end: behind it. */
static int number(const char *text, uint16_t max, uint16_t *n, const char **end)
{
	unsigned long value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && p - text < 6; p++)
		value = value * 10 + (unsigned long)(*p - '0');
	*end = p;
	*n = (uint16_t)value;
	return p == text || value > max ? -EINVAL : 0;
}

int selector_ports_parse(const char *text, uint16_t max, uint16_t *from, uint16_t *to)
{
	const char *end;

	if (strcmp(text, "any") == 0) {
		*from = 0;
		*to = UINT16_MAX;
		return 0;
	}
	if (number(text, max, from, &end) < 0)
		return -EINVAL;
	*to = *from;
	if (*end == '-' && number(end + 1, max, to, &end) < 0)
		return -EINVAL;
	return *end != '\0' || *from > *to ? -EINVAL : 0;
}
