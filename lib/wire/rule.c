/* One filter rule as a plain value: its meaning and its text. See rule.h. */
#include "wire/rule.h"

#include <stdio.h>
#include <string.h>

unsigned rule_port_ranges(struct rule_port port, uint16_t max, struct rule_range ranges[2])
{
	uint16_t v = port.value;
	unsigned n = 0;

	switch ((enum rule_op)port.op) {
	case RULE_OP_ANY:
		ranges[n++] = (struct rule_range){0, max};
		break;
	case RULE_OP_EQ:
		if (v <= max)
			ranges[n++] = (struct rule_range){v, v};
		break;
	case RULE_OP_NEQ:
		if (v > 0)
			ranges[n++] = (struct rule_range){0, v <= max ? (uint16_t)(v - 1) : max};
		if (v < max)
			ranges[n++] = (struct rule_range){(uint16_t)(v + 1), max};
		break;
	case RULE_OP_LT:
		if (v > 0)
			ranges[n++] = (struct rule_range){0, v <= max ? (uint16_t)(v - 1) : max};
		break;
	case RULE_OP_LE:
		ranges[n++] = (struct rule_range){0, v <= max ? v : max};
		break;
	case RULE_OP_GT:
		if (v < max)
			ranges[n++] = (struct rule_range){(uint16_t)(v + 1), max};
		break;
	case RULE_OP_GE:
		if (v <= max)
			ranges[n++] = (struct rule_range){v, max};
		break;
	}
	return n;
}

static bool same_prefix(const struct prefix *a, const struct prefix *b)
{
	return addr_equal(&a->addr, &b->addr) && a->len == b->len;
}

bool rule_same(const struct rule *a, const struct rule *b)
{
	return same_prefix(&a->src, &b->src) && same_prefix(&a->dst, &b->dst) &&
	       a->any_addr == b->any_addr && a->proto == b->proto && a->sport.op == b->sport.op &&
	       a->sport.value == b->sport.value && a->dport.op == b->dport.op &&
	       a->dport.value == b->dport.value && a->zone == b->zone && a->scope == b->scope &&
	       a->dir == b->dir && a->frag == b->frag && a->permit == b->permit &&
	       a->log == b->log && a->tunnel == b->tunnel && a->tunnel_id == b->tunnel_id &&
	       a->tunnel_loose == b->tunnel_loose;
}

uint64_t rule_hash(const struct rule *r)
{
	uint64_t part[] = {
		r->src.addr.q[0],
		r->src.addr.q[1],
		r->dst.addr.q[0],
		r->dst.addr.q[1],
		(uint64_t)r->src.len << 16 | (uint64_t)r->dst.len << 8 | r->any_addr,
		(uint64_t)r->proto << 48 | (uint64_t)r->sport.op << 40 |
			(uint64_t)r->dport.op << 32 | (uint32_t)r->sport.value << 16 |
			r->dport.value,
		(uint64_t)r->tunnel << 32 | (uint32_t)r->zone << 16 | (uint32_t)r->scope << 12 |
			(uint32_t)r->dir << 8 | (uint32_t)r->frag << 4 | (uint32_t)r->permit << 1 |
			(uint32_t)r->log,
		(uint64_t)r->tunnel_id << 1 | r->tunnel_loose,
	};
	uint64_t h = 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		h = (h ^ part[i]) * 0xbf58476d1ce4e5b9;
		h ^= h >> 29;
	}
	return h;
}

const char *rule_proto_name(uint16_t proto, char buf[8])
{
	switch (proto) {
	case RULE_PROTO_ALL:
		return "all";
	case RULE_PROTO_TCP_ACK:
		return "tcp/ack";
	case RULE_PROTO_ICMP:
		return "icmp";
	case 4:
		return "ipip";
	case 6:
		return "tcp";
	case 17:
		return "udp";
	case 50:
		return "esp";
	case 51:
		return "ah";
	case RULE_PROTO_ICMP6:
		return "icmpv6";
	case 89:
		return "ospf";
	default:
		snprintf(buf, 8, "%u", proto);
		return buf;
	}
}

#define PREFIX_TEXT (ADDR_STRLEN + ADDR4_STRLEN) /* address, blank, mask or length */

/* IPv4 with its mask, IPv6 with its length. */
static const char *prefix_text(const struct rule *r, const struct prefix *p, char buf[PREFIX_TEXT])
{
	char addr[ADDR_STRLEN], mask[ADDR4_STRLEN];

	if (r->any_addr)
		return "any any";
	addr_format(&p->addr, addr);
	if (addr_is4(&p->addr))
		snprintf(buf, PREFIX_TEXT, "%s %s", addr,
			addr4_format(mask4(prefix_written_len(p)), mask));
	else
		snprintf(buf, PREFIX_TEXT, "%s %u", addr, p->len);
	return buf;
}

char *rule_format(const struct rule *r, char *buf, size_t size)
{
	static const char *const op[] = {"any", "eq", "neq", "lt", "le", "gt", "ge"};
	static const char *const zone[] = {"none", "secure", "nonsecure", "both"};
	static const char *const scope[] = {"none", "route", "local", "both"};
	static const char *const dir[] = {"none", "inbound", "outbound", "both"};
	static const char *const frag[] = {"yes", "no", "only", "headers", "later"};
	char src[PREFIX_TEXT], dst[PREFIX_TEXT], proto[8], tunnel[16] = "";

	if (r->tunnel > UINT16_MAX && r->tunnel != RULE_TUNNEL_ANY)
		strcpy(tunnel, " t=named"); /* it has no number */
	else if (r->tunnel != RULE_TUNNEL_ANY)
		snprintf(tunnel, sizeof(tunnel), " t=%u", r->tunnel);
	snprintf(buf, size, "%s %s %s %s %s %u %s %u %s %s %s l=%s f=%s%s",
		r->permit ? "permit" : "deny", prefix_text(r, &r->src, src),
		prefix_text(r, &r->dst, dst), rule_proto_name(r->proto, proto), op[r->sport.op],
		r->sport.value, op[r->dport.op], r->dport.value, zone[r->zone & 3],
		scope[r->scope & 3], dir[r->dir & 3], r->log ? "yes" : "no",
		frag[r->frag <= RULE_FRAG_LATER ? r->frag : 0], tunnel);
	return buf;
}

static bool port_matches(struct rule_port port, uint16_t value)
{
	struct rule_range range[2];
	unsigned n = rule_port_ranges(port, UINT16_MAX, range);

	for (unsigned i = 0; i < n; i++)
		if (value >= range[i].from && value <= range[i].to)
			return true;
	return false;
}

bool rule_frag_matches(uint8_t rule, uint8_t packet)
{
	switch ((enum rule_frag)rule) {
	case RULE_FRAG_YES:
		return true;
	case RULE_FRAG_NO:
		return packet == PACKET_WHOLE;
	case RULE_FRAG_ONLY:
		return packet != PACKET_WHOLE;
	case RULE_FRAG_HEADERS:
		return packet != PACKET_LATER_FRAGMENT;
	case RULE_FRAG_LATER:
		return packet == PACKET_LATER_FRAGMENT;
	}
	return false;
}

bool rule_matches(const struct rule *r, const struct rule_packet *p)
{
	if (!(r->zone & p->zone) || !(r->scope & p->scope) || !(r->dir & p->dir))
		return false;
	if (!rule_frag_matches(r->frag, p->frag))
		return false;
	if (p->frag == PACKET_LATER_FRAGMENT && rule_needs_l4(r))
		return false;
	if (!r->any_addr && (!prefix_holds(&r->src, &p->src) || !prefix_holds(&r->dst, &p->dst)))
		return false;
	if (!rule_tunnel_matches(r, p->dir, p->tunnel))
		return false;
	if (r->proto == RULE_PROTO_TCP_ACK ? p->proto != 6 || !p->ack
					   : r->proto != RULE_PROTO_ALL && r->proto != p->proto)
		return false;
	return port_matches(r->sport, p->sport) && port_matches(r->dport, p->dport);
}
