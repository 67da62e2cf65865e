/* One line about a packet, in the manner of tcpdump. See decode.h. Here are Ethernet, ARP, IPv4
 * and the transports, IPv6 is in decode6.c and decode_icmp6.c.
 */
#include "ctl/decode.h"

#include "ctl/decode_parts.h"

bool view_has(const struct view *v, size_t n, const char *what)
{
	if (v->kept >= n)
		return true;
	text_add(v->t, "%s[%s: %zu of %zu bytes]", v->t->len ? " " : "", what, v->kept, n);
	return false;
}

static void tcp(struct view *v)
{
	char flags[TEXT_FLAGS_STRLEN];
	size_t header;

	if (!view_has(v, 14, "TCP header cut"))
		return;
	header = (size_t)(v->p[12] >> 4) * 4;
	text_add(v->t, " flags [%s] seq %u", text_tcp_flags(v->p[13], flags), get32(v->p + 4));
	if (v->p[13] & 0x10)
		text_add(v->t, " ack %u", get32(v->p + 8));
	if (v->kept >= 16)
		text_add(v->t, " win %u", get16(v->p + 14));
	if (header < 20)
		text_add(v->t, " [bad header length %zu]", header);
	else
		text_add(v->t, " data %zu", v->len > header ? v->len - header : 0);
}

/* RFC 3948 section 2: what UDP port 4500 carries. v is behind the UDP header. */
static void encapsulated(struct view *v)
{
	if (v->len == 1 && v->kept == 1 && v->p[0] == 0xff)
		text_add(v->t, " NAT keepalive");
	else if (v->kept >= 4 && get32(v->p) == 0)
		text_add(v->t, " IKE");
	else if (v->kept >= 8)
		text_add(v->t, " ESP spi 0x%08x seq %u", get32(v->p), get32(v->p + 4));
}

static void udp(struct view *v)
{
	bool nat;

	if (!view_has(v, 8, "UDP header cut"))
		return;
	nat = get16(v->p) == 4500 || get16(v->p + 2) == 4500;
	if (get16(v->p + 4) < 8 || (get16(v->p + 4) > v->len && !v->fragment))
		text_add(v->t, " [bad length %u]", get16(v->p + 4));
	else
		text_add(v->t, " data %u", get16(v->p + 4) - 8);
	if (nat) {
		view_skip(v, 8);
		encapsulated(v);
	}
}

static const char *icmp_name(uint8_t type, uint8_t code)
{
	static const char *const unreachable[] = {"network unreachable", "host unreachable",
		"protocol unreachable", "port unreachable", "fragmentation needed",
		"source route failed"};

	switch (type) {
	case 0:
		return "echo reply";
	case 3:
		if (code < sizeof(unreachable) / sizeof(unreachable[0]))
			return unreachable[code];
		return code == 9 || code == 10 || code == 13 ? "administratively prohibited"
							     : "unreachable";
	case 4:
		return "source quench";
	case 5:
		return "redirect";
	case 8:
		return "echo request";
	case 9:
		return "router advertisement";
	case 10:
		return "router solicitation";
	case 11:
		return code == 0 ? "time exceeded" : "reassembly time exceeded";
	case 12:
		return "parameter problem";
	case 13:
		return "timestamp request";
	case 14:
		return "timestamp reply";
	}
	return NULL;
}

static void icmp(struct view *v)
{
	const char *name;

	if (!view_has(v, 2, "ICMP header cut"))
		return;
	name = icmp_name(v->p[0], v->p[1]);
	if (name != NULL)
		text_add(v->t, " %s", name);
	text_add(v->t, " (type %u code %u)", v->p[0], v->p[1]);
	if ((v->p[0] == 0 || v->p[0] == 8) && v->kept >= 8)
		text_add(v->t, " id %u seq %u", get16(v->p + 4), get16(v->p + 6));
	if (v->p[0] == 3 && v->p[1] == 4 && v->kept >= 8)
		text_add(v->t, " mtu %u", get16(v->p + 6));
	if ((v->p[0] == 3 || v->p[0] == 11) && v->kept >= 8 + 20) {
		text_add(v->t, " about ");
		text_add_addr4(v->t, get32(v->p + 8 + 12));
		text_add(v->t, " > ");
		text_add_addr4(v->t, get32(v->p + 8 + 16));
	}
}

static void addresses(struct view *v, const uint8_t *ip, int ports)
{
	text_add(v->t, " ");
	text_add_addr4(v->t, get32(ip + 12));
	if (ports)
		text_add(v->t, ":%u", get16(v->p));
	text_add(v->t, " > ");
	text_add_addr4(v->t, get32(ip + 16));
	if (ports)
		text_add(v->t, ":%u", get16(v->p + 2));
}

static void ip4(struct view *v);

static void within(struct view *v, unsigned proto)
{
	text_add(v->t, " ");
	if (proto == 4)
		ip4(v);
	else
		decode_ip6(v);
}

void decode_l4(struct view *v, unsigned proto)
{
	if (proto == 6)
		tcp(v);
	else if (proto == 17)
		udp(v);
	else if (proto == 50 && view_has(v, 8, "ESP header cut"))
		text_add(v->t, " spi 0x%08x seq %u", get32(v->p), get32(v->p + 4));
	else if (proto == 51 && view_has(v, 12, "AH cut"))
		text_add(v->t, " spi 0x%08x seq %u", get32(v->p + 4), get32(v->p + 8));
	else if (proto == 4 || proto == 41) /* of a packet within; each takes 20 bytes or more */
		within(v, proto);
}

bool decode_has_ports(const struct view *v, unsigned proto)
{
	return (proto == 6 || proto == 17 || proto == 132) && v->kept >= 4;
}

/* AH hides nothing of what it protects (RFC 4302 section 2). */
static unsigned behind_ah(struct view *v)
{
	unsigned proto = v->p[0];
	size_t len = (v->p[1] + 2u) * 4;
	char name[TEXT_PROTO_STRLEN];

	decode_l4(v, 51);
	text_add(v->t, " %s", text_proto(proto, name));
	if (len < 12 || !view_has(v, len, "cut"))
		return 256;
	view_skip(v, len);
	if (decode_has_ports(v, proto))
		text_add(v->t, " %u > %u", get16(v->p), get16(v->p + 2));
	return proto;
}

/* What stands behind the IPv4 header; v is there. */
static void transport(struct view *v, const uint8_t *ip)
{
	unsigned offset = (get16(ip + 6) & 0x1fffu) * 8, proto = ip[9];
	char name[TEXT_PROTO_STRLEN];

	addresses(v, ip, offset == 0 && decode_has_ports(v, proto));
	text_add(v->t, " %s", text_proto(proto, name));
	if (offset == 0 && proto == 51 && v->kept >= 12)
		proto = behind_ah(v);
	if (offset == 0 && proto == 1)
		icmp(v);
	else if (offset == 0)
		decode_l4(v, proto);
	if (get16(ip + 6) & 0x3fff)
		text_add(v->t, " fragment id %u offset %u%s", get16(ip + 4), offset,
			get16(ip + 6) & 0x2000 ? "+" : "");
}

static void ip4(struct view *v)
{
	const uint8_t *ip = v->p;
	size_t header, total, had = v->len;

	text_add(v->t, "IPv4");
	if (!view_has(v, 20, "header cut"))
		return;
	if (ip[0] >> 4 != 4) {
		text_add(v->t, " [version %u]", ip[0] >> 4);
		return;
	}
	header = (size_t)(ip[0] & 15) * 4;
	total = get16(ip + 2);
	if (header < 20) {
		text_add(v->t, " [bad header length %zu]", header);
		addresses(v, ip, 0);
		return;
	}
	view_end(v, total); /* the rest is padding */
	view_skip(v, header);
	v->fragment = get16(ip + 6) & 0x2000;
	transport(v, ip);
	text_add(v->t, " ttl %u%s length %zu", ip[8], get16(ip + 6) & 0x4000 ? " DF" : "", total);
	if (header > 20)
		text_add(v->t, " options %zu", header - 20);
	if (total < header || total > had)
		text_add(v->t, " [but %zu bytes came]", had);
}

static void arp(struct view *v)
{
	uint16_t op;

	text_add(v->t, "ARP");
	if (!view_has(v, 28, "cut"))
		return;
	if (get16(v->p) != 1 || get16(v->p + 2) != 0x0800 || v->p[4] != 6 || v->p[5] != 4) {
		text_add(v->t, " [not for Ethernet and IPv4: hardware %u protocol 0x%04x]",
			get16(v->p), get16(v->p + 2));
		return;
	}
	op = get16(v->p + 6);
	if (op == 1) {
		text_add(v->t, " who has ");
		text_add_addr4(v->t, get32(v->p + 24));
		text_add(v->t, "? tell ");
		text_add_addr4(v->t, get32(v->p + 14));
	} else if (op == 2) {
		text_add(v->t, " ");
		text_add_addr4(v->t, get32(v->p + 14));
		text_add(v->t, " is at ");
		text_add_mac(v->t, v->p + 8);
	} else {
		text_add(v->t, " operation %u", op);
	}
}

/* A tag: IEEE 802.1ad's outer one (S-tag) or 802.1Q's. */
static void vlan(struct view *v, uint16_t type)
{
	uint16_t tag = get16(v->p);

	text_add(v->t, ", %svlan %u", type == 0x88a8 ? "outer " : "", tag & 0xfffu);
	if (tag >> 13)
		text_add(v->t, " priority %u", tag >> 13);
}

static void ethernet(struct view *v)
{
	uint16_t type;

	if (!view_has(v, 14, "Ethernet header cut"))
		return;
	text_add_mac(v->t, v->p + 6);
	text_add(v->t, " > ");
	text_add_mac(v->t, v->p);
	type = get16(v->p + 12);
	view_skip(v, 14);
	for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); tags++) {
		if (!view_has(v, 4, "VLAN tag cut"))
			return;
		vlan(v, type);
		type = get16(v->p + 2);
		view_skip(v, 4);
	}
	text_add(v->t, ", ");
	if (type == 0x0800)
		ip4(v);
	else if (type == 0x0806)
		arp(v);
	else if (type == 0x86dd)
		decode_ip6(v);
	else if (type < 0x600)
		text_add(v->t, "802.3 length %u", type);
	else
		text_add(v->t, "type 0x%04x length %zu", type, v->len);
}

char *decode(const uint8_t *data, size_t kept, size_t len, int framed, char *buf, size_t size)
{
	struct text t;
	struct view v = {.p = data, .kept = kept, .len = len > kept ? len : kept, .t = &t};

	text_init(&t, buf, size);
	if (framed)
		ethernet(&v);
	else if (kept > 0 && data[0] >> 4 == 6)
		decode_ip6(&v);
	else
		ip4(&v);
	return buf;
}
