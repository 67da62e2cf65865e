/* Text into bounded buffers, and clean text for JSON and logs. See text.h. */
#include "ctl/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

void text_init(struct text *t, char *buf, size_t size)
{
	*t = (struct text){.buf = buf, .size = size};
	buf[0] = '\0';
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= t->size - t->len) {
		t->cut = true;
		t->len = t->size - 1;
	} else {
		t->len += (size_t)n;
	}
}

void text_add_addr4(struct text *t, uint32_t addr)
{
	char buf[ADDR4_STRLEN];

	text_add(t, "%s", addr4_format(addr, buf));
}

void text_add_addr(struct text *t, const struct addr *addr)
{
	char buf[ADDR_STRLEN];

	text_add(t, "%s", addr_format(addr, buf));
}

void text_add_endpoint(struct text *t, const struct addr *addr, int port)
{
	char buf[ADDR_STRLEN];
	bool six = !addr_is4(addr);

	if (port < 0)
		text_add_addr(t, addr);
	else
		text_add(t, "%s%s%s:%d", six ? "[" : "", addr_format(addr, buf), six ? "]" : "",
			port);
}

void text_add_mac(struct text *t, const uint8_t mac[6])
{
	text_add(
		t, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

size_t text_utf8(const uint8_t *s, size_t n)
{
	uint32_t c;
	size_t len;

	if (n == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] < 0xe0)
		len = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] < 0xf5)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	c = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	/* overlong, surrogates, beyond Unicode (RFC 3629 section 3) */
	if ((len == 3 && c < 0x800) || (len == 4 && (c < 0x10000 || c > 0x10ffff)) ||
		(c >= 0xd800 && c < 0xe000))
		return 0;
	return len;
}

char *text_time(uint64_t wall_ns, char *buf)
{
	time_t s = (time_t)(wall_ns / 1000000000);
	struct tm tm;
	size_t n;

	if (gmtime_r(&s, &tm) == NULL) {
		strcpy(buf, "?");
		return buf;
	}
	n = strftime(buf, TEXT_TIME_STRLEN - 5, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, TEXT_TIME_STRLEN - n, ".%03uZ", (unsigned)(wall_ns / 1000000 % 1000));
	return buf;
}

char *text_tcp_flags(uint8_t flags, char *buf)
{
	/* in the order people name them; bits of RFC 9293 section 3.1 */
	static const struct {
		uint8_t bit;
		char name;
	} bits[] = {{0x02, 'S'}, {0x10, 'A'}, {0x01, 'F'}, {0x04, 'R'}, {0x08, 'P'}, {0x20, 'U'},
		{0x40, 'E'}, {0x80, 'C'}};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (flags & bits[i].bit)
			buf[n++] = bits[i].name;
	if (n == 0)
		buf[n++] = '-';
	buf[n] = '\0';
	return buf;
}

static const struct {
	uint8_t number;
	const char *name;
} protos[] = {{1, "icmp"}, {2, "igmp"}, {4, "ipip"}, {6, "tcp"}, {17, "udp"}, {33, "dccp"},
	{41, "ipv6"}, {46, "rsvp"}, {47, "gre"}, {50, "esp"}, {51, "ah"}, {58, "icmpv6"},
	{59, "no-next"}, {88, "eigrp"}, {89, "ospf"}, {103, "pim"}, {108, "ipcomp"}, {112, "vrrp"},
	{132, "sctp"}, {135, "mobility"}, {136, "udplite"}};
_Static_assert(sizeof("mobility") <= TEXT_PROTO_STRLEN, "the longest name");

char *text_proto(unsigned proto, char *buf)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (protos[i].number == proto) {
			strcpy(buf, protos[i].name);
			return buf;
		}
	snprintf(buf, TEXT_PROTO_STRLEN, "%u", proto % 1000);
	return buf;
}

int text_proto_find(const char *name)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (strcasecmp(protos[i].name, name) == 0)
			return protos[i].number;
	return -1;
}

json_t *text_json(const char *s)
{
	json_t *clean = s ? json_string(s) : json_null();
	size_t left, n;
	char *copy;

	if (clean != NULL)
		return clean;
	copy = strdup(s);
	if (copy == NULL)
		return NULL;
	left = strlen(copy);
	for (char *p = copy; left > 0; p += n, left -= n) {
		n = text_utf8((const uint8_t *)p, left);
		if (n == 0) {
			*p = '?';
			n = 1;
		}
	}
	clean = json_string(copy);
	free(copy);
	return clean;
}

json_t *text_json_addr(const struct addr *addr)
{
	char buf[ADDR_STRLEN];

	return json_string(addr_format(addr, buf));
}

json_t *text_json_mac(const uint8_t mac[6])
{
	char buf[MAC_STRLEN];
	struct text t;

	text_init(&t, buf, sizeof(buf));
	text_add_mac(&t, mac);
	return json_string(buf);
}
