/* IPv6 for the decoder: the header, the chain of extension headers (RFC 8200 section 4) with what
 * each of them says, and the upper layer. See decode.h and decode_parts.h.
 */
#include "ctl/decode_parts.h"
#include "wire/ip6.h"

#include <arpa/inet.h>

void decode_addr6(struct text *t, const uint8_t *addr)
{
	char buf[INET6_ADDRSTRLEN];

	text_add(t, "%s", inet_ntop(AF_INET6, addr, buf, sizeof(buf)));
}

static void option(struct view *v, uint8_t type, uint8_t len)
{
	const uint8_t *value = v->p + 2;

	switch (type) {
	case 1: /* PadN */
		return;
	case 0x04: /* RFC 2473 section 4.1.1 */
		if (len == 1) {
			text_add(v->t, " encapsulation limit %u", value[0]);
			return;
		}
		break;
	case 0x05: /* RFC 2711 section 2.1 */
		if (len == 2) {
			text_add(v->t, " router alert %u", get16(value));
			return;
		}
		break;
	case 0xc2: /* RFC 2675 section 2 */
		if (len == 4) {
			text_add(v->t, " jumbo payload %u", get32(value));
			return;
		}
		break;
	case 0xc9: /* RFC 6275 section 6.3 */
		if (len == 16) {
			text_add(v->t, " home address ");
			decode_addr6(v->t, value);
			return;
		}
		break;
	}
	text_add(v->t, " option 0x%02x of %u", type, len);
}

/* Options of a hop-by-hop or destination options header, to the header's end (RFC 8200 section
 * 4.2). */
static void options(struct view *v)
{
	while (v->kept > 0) {
		if (v->p[0] == 0) { /* Pad1 */
			view_skip(v, 1);
			continue;
		}
		if (!view_has(v, 2, "option cut"))
			return;
		if (v->p[1] + 2u > v->kept) {
			text_add(v->t, " [option 0x%02x of %u ends beyond]", v->p[0], v->p[1]);
			return;
		}
		option(v, v->p[0], v->p[1]);
		view_skip(v, v->p[1] + 2u);
	}
}

/* RFC 8200 section 4.4; types 0 (RFC 5095: deprecated), 2 (RFC 6275) and 4 (RFC 8754) have a list
 * of addresses behind their first eight bytes. v is the header alone. */
static void routing(struct view *v)
{
	uint8_t type = v->p[2];

	text_add(v->t, " routing type %u left %u", type, v->p[3]);
	if (type != 0 && type != 2 && type != 4)
		return;
	view_skip(v, 8);
	for (const char *between = " via "; v->kept >= 16; between = ", ") {
		text_add(v->t, "%s", between);
		decode_addr6(v->t, v->p);
		view_skip(v, 16);
	}
}

/* RFC 8200 section 4.5. Returns the offset. */
static unsigned fragment(struct view *v)
{
	unsigned offset = get16(v->p + 2) & 0xfff8u;

	v->fragment = get16(v->p + 2) & 1;
	text_add(v->t, " fragment id %u offset %u%s", get32(v->p + 4), offset,
		v->fragment   ? "+"
		: offset == 0 ? " (atomic)"
			      : "");
	return offset;
}

static const char *extension_name(unsigned proto)
{
	switch (proto) {
	case IP6_HOP_BY_HOP:
		return "hop-by-hop";
	case IP6_ROUTING:
		return "routing";
	case IP6_FRAGMENT:
		return "fragment";
	case IP6_DEST_OPTIONS:
		return "destination options";
	case IP6_MOBILITY:
		return "mobility";
	case IP6_HIP:
		return "hip";
	case IP6_SHIM6:
		return "shim6";
	case IP6_AH:
		return "ah";
	}
	return NULL;
}

/* Tells the extension headers and leaves v behind them. Returns the upper layer's protocol, or -1
 * where the chain can't be followed. Each header takes eight bytes or more, so it ends. */
static int chain(struct view *v, unsigned proto, unsigned *offset)
{
	const char *name;

	while (*offset == 0 && (name = extension_name(proto)) != NULL) {
		struct view header = *v;
		size_t len;

		if (v->kept < 8)
			text_add(v->t, " %s", name);
		if (!view_has(v, 8, "header cut"))
			return -1;
		len = proto == IP6_FRAGMENT ? 8
		      : proto == IP6_AH     ? ((size_t)v->p[1] + 2) * 4
					    : ((size_t)v->p[1] + 1) * 8;
		view_end(&header, len);
		if (proto == IP6_ROUTING) {
			routing(&header);
		} else if (proto == IP6_FRAGMENT) {
			*offset = fragment(&header);
			v->fragment = header.fragment;
		} else {
			text_add(v->t, " %s", name);
			decode_l4(&header, proto); /* AH */
			view_skip(&header, 2);
			if (proto == IP6_HOP_BY_HOP || proto == IP6_DEST_OPTIONS)
				options(&header);
		}
		proto = v->p[0];
		if (!view_has(v, len, "header cut"))
			return -1;
		view_skip(v, len);
	}
	return (int)proto;
}

static void endpoint(struct text *t, const uint8_t *addr, int port)
{
	text_add(t, port < 0 ? " " : " [");
	decode_addr6(t, addr);
	if (port >= 0)
		text_add(t, "]:%d", port);
}

/* What is behind the fixed header: addresses come first, and with ports where the chain, which is
 * told after them, leads to some. */
static void behind(struct view *v, const uint8_t *ip)
{
	char headers[512], name[TEXT_PROTO_STRLEN];
	struct text *line = v->t, told;
	unsigned offset = 0;
	bool ports;
	int proto;

	text_init(&told, headers, sizeof(headers));
	v->t = &told;
	proto = chain(v, ip[6], &offset);
	v->t = line;
	ports = proto >= 0 && offset == 0 && decode_has_ports(v, (unsigned)proto);
	endpoint(line, ip + 8, ports ? get16(v->p) : -1);
	text_add(line, " >");
	endpoint(line, ip + 24, ports ? get16(v->p + 2) : -1);
	text_add(line, "%s%s", headers, told.cut ? " ..." : "");
	if (proto < 0)
		return;
	text_add(line, " %s", text_proto((unsigned)proto, name));
	if (offset == 0 && proto == IP6_ICMP)
		decode_icmp6(v);
	else if (offset == 0)
		decode_l4(v, (unsigned)proto);
}

void decode_ip6(struct view *v)
{
	const uint8_t *ip = v->p;
	uint32_t first;
	size_t payload, had;

	text_add(v->t, "IPv6");
	if (!view_has(v, IP6_HDR, "header cut"))
		return;
	first = get32(ip);
	if (first >> 28 != 6) {
		text_add(v->t, " [version %u]", first >> 28);
		return;
	}
	payload = get16(ip + 4);
	view_skip(v, IP6_HDR);
	had = v->len;
	if (payload != 0) /* 0 is a jumbogram's (RFC 2675), or nothing at all */
		view_end(v, payload);
	behind(v, ip);
	text_add(v->t, " hop limit %u", ip[7]);
	if (first >> 20 & 255)
		text_add(v->t, " class 0x%02x", first >> 20 & 255);
	if (first & 0xfffff)
		text_add(v->t, " flow 0x%05x", first & 0xfffff);
	text_add(v->t, " length %zu", IP6_HDR + payload);
	if (payload > had)
		text_add(v->t, " [but %zu bytes came]", IP6_HDR + had);
}
