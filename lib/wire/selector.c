/* The meaning of a selector, its mirror image and its text. See selector.h. */
#include "wire/selector.h"

#include "wire/rule.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

static bool within(const struct addr *a, const struct addr *from, const struct addr *to)
{
	return memcmp(a->b, from->b, sizeof(a->b)) >= 0 && memcmp(a->b, to->b, sizeof(a->b)) <= 0;
}

bool selector_matches(const struct selector *s, const struct selector_packet *p)
{
	if (p->no_ports && selector_needs_ports(s))
		return false;
	if (s->proto != SELECTOR_PROTO_ANY && s->proto != p->proto)
		return false;
	/* an IPv4 address lies between IPv6 ones in its mapped form */
	if (!s->any_addr && (addr_is4(&s->src_from) != addr_is4(&p->src) ||
				    !within(&p->src, &s->src_from, &s->src_to) ||
				    !within(&p->dst, &s->dst_from, &s->dst_to)))
		return false;
	return p->no_ports || (p->sport >= s->sport_from && p->sport <= s->sport_to &&
				      p->dport >= s->dport_from && p->dport <= s->dport_to);
}

struct selector selector_mirror(const struct selector *s)
{
	struct selector m = *s;

	m.src_from = s->dst_from;
	m.src_to = s->dst_to;
	m.dst_from = s->src_from;
	m.dst_to = s->src_to;
	if (rule_proto_is_icmp(s->proto))
		return m;
	m.sport_from = s->dport_from;
	m.sport_to = s->dport_to;
	m.dport_from = s->sport_from;
	m.dport_to = s->sport_to;
	return m;
}

static unsigned __int128 number_of(const struct addr *a)
{
	return (unsigned __int128)be64toh(a->q[0]) << 64 | be64toh(a->q[1]);
}

unsigned selector_prefixes(
	const struct addr *from, const struct addr *to, struct prefix prefix[RANGE_PREFIXES_MAX])
{
	unsigned __int128 at = number_of(from), last = number_of(to);
	unsigned fixed = addr_is4(from) ? 96 : 0, n = 0;

	for (;;) {
		unsigned len = 128;
		unsigned __int128 end = at;

		/* the largest block that begins here and does not go beyond the end */
		while (len > fixed) {
			unsigned __int128 bit = (unsigned __int128)1 << (128 - len);

			if (at & bit || (end | bit) > last)
				break;
			end |= bit;
			len--;
		}
		prefix[n].addr.q[0] = htobe64((uint64_t)(at >> 64));
		prefix[n].addr.q[1] = htobe64((uint64_t)at);
		prefix[n++].len = (uint8_t)len;
		if (end >= last)
			return n;
		at = end + 1;
	}
}

char *selector_addrs_format(
	const struct addr *from, const struct addr *to, char buf[SELECTOR_ADDRS_STRLEN])
{
	struct prefix prefix[RANGE_PREFIXES_MAX];
	char first[PREFIX_STRLEN], last[ADDR_STRLEN];

	if (addr_equal(from, to))
		return addr_format(from, buf);
	if (selector_prefixes(from, to, prefix) == 1)
		return strcpy(buf, prefix_format(&prefix[0], first));
	snprintf(buf, SELECTOR_ADDRS_STRLEN, "%s-%s", addr_format(from, first),
		addr_format(to, last));
	return buf;
}

char *selector_ports_format(uint16_t from, uint16_t to, char buf[SELECTOR_PORTS_STRLEN])
{
	if (from == 0 && to == UINT16_MAX)
		return strcpy(buf, "any");
	if (from == to)
		snprintf(buf, SELECTOR_PORTS_STRLEN, "%u", from);
	else
		snprintf(buf, SELECTOR_PORTS_STRLEN, "%u-%u", from, to);
	return buf;
}

char *selector_format(const struct selector *s, char *buf, size_t size)
{
	char src[SELECTOR_ADDRS_STRLEN] = "any", dst[SELECTOR_ADDRS_STRLEN] = "any";
	char name[8], proto[16] = "", ports[48] = "";
	char sport[SELECTOR_PORTS_STRLEN], dport[SELECTOR_PORTS_STRLEN];
	bool icmp = rule_proto_is_icmp(s->proto);

	if (!s->any_addr) {
		selector_addrs_format(&s->src_from, &s->src_to, src);
		selector_addrs_format(&s->dst_from, &s->dst_to, dst);
	}
	if (s->proto != SELECTOR_PROTO_ANY)
		snprintf(proto, sizeof(proto), " %s", rule_proto_name(s->proto, name));
	else if (selector_needs_ports(s))
		strcpy(proto, " all");
	if (selector_needs_ports(s))
		snprintf(ports, sizeof(ports), icmp ? " type %s code %s" : " %s -> %s",
			selector_ports_format(s->sport_from, s->sport_to, sport),
			selector_ports_format(s->dport_from, s->dport_to, dport));
	snprintf(buf, size, "%s -> %s%s%s", src, dst, proto, ports);
	return buf;
}
