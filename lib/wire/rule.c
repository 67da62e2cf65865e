/* One filter rule as a plain value: its meaning and its text. See rule.h. */
#include "wire/rule.h"

#include "wire/addr.h"

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

bool rule_same(const struct rule *a, const struct rule *b)
{
	return a->src == b->src && a->smask == b->smask && a->dst == b->dst &&
	       a->dmask == b->dmask && a->proto == b->proto && a->sport.op == b->sport.op &&
	       a->sport.value == b->sport.value && a->dport.op == b->dport.op &&
	       a->dport.value == b->dport.value && a->zone == b->zone && a->scope == b->scope &&
	       a->dir == b->dir && a->frag == b->frag && a->permit == b->permit &&
	       a->log == b->log && a->tunnel == b->tunnel;
}

uint64_t rule_hash(const struct rule *r)
{
	uint64_t part[] = {
		(uint64_t)r->src << 32 | r->smask,
		(uint64_t)r->dst << 32 | r->dmask,
		(uint64_t)r->proto << 48 | (uint64_t)r->sport.op << 40 |
			(uint64_t)r->dport.op << 32 | (uint32_t)r->sport.value << 16 |
			r->dport.value,
		(uint64_t)r->tunnel << 32 | (uint32_t)r->zone << 16 | (uint32_t)r->scope << 12 |
			(uint32_t)r->dir << 8 | (uint32_t)r->frag << 4 | (uint32_t)r->permit << 1 |
			(uint32_t)r->log,
	};
	uint64_t h = 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		h = (h ^ part[i]) * 0xbf58476d1ce4e5b9;
		h ^= h >> 29;
	}
	return h;
}

static const char *proto_name(uint16_t proto, char buf[8])
{
	switch (proto) {
	case RULE_PROTO_ALL:
		return "all";
	case RULE_PROTO_TCP_ACK:
		return "tcp/ack";
	case 1:
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
	case 89:
		return "ospf";
	default:
		snprintf(buf, 8, "%u", proto);
		return buf;
	}
}

char *rule_format(const struct rule *r, char *buf, size_t size)
{
	static const char *const op[] = {"any", "eq", "neq", "lt", "le", "gt", "ge"};
	static const char *const zone[] = {"none", "secure", "nonsecure", "both"};
	static const char *const scope[] = {"none", "route", "local", "both"};
	static const char *const dir[] = {"none", "inbound", "outbound", "both"};
	static const char *const frag[] = {"yes", "no", "only", "headers"};
	char src[ADDR4_STRLEN], smask[ADDR4_STRLEN], dst[ADDR4_STRLEN], dmask[ADDR4_STRLEN];
	char proto[8], tunnel[16] = "";

	if (r->tunnel != RULE_TUNNEL_ANY)
		snprintf(tunnel, sizeof(tunnel), " t=%u", r->tunnel);
	snprintf(buf, size, "%s %s %s %s %s %s %s %u %s %u %s %s %s l=%s f=%s%s",
		r->permit ? "permit" : "deny", addr4_format(r->src, src),
		addr4_format(r->smask, smask), addr4_format(r->dst, dst),
		addr4_format(r->dmask, dmask), proto_name(r->proto, proto), op[r->sport.op],
		r->sport.value, op[r->dport.op], r->dport.value, zone[r->zone & 3],
		scope[r->scope & 3], dir[r->dir & 3], r->log ? "yes" : "no", frag[r->frag & 3],
		tunnel);
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

static bool frag_matches(uint8_t rule, uint8_t packet)
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
	}
	return false;
}

bool rule_matches(const struct rule *r, const struct rule_packet *p)
{
	if (!(r->zone & p->zone) || !(r->scope & p->scope) || !(r->dir & p->dir))
		return false;
	if (!frag_matches(r->frag, p->frag))
		return false;
	if (p->frag == PACKET_LATER_FRAGMENT && rule_needs_l4(r))
		return false;
	if ((p->src & r->smask) != (r->src & r->smask) ||
		(p->dst & r->dmask) != (r->dst & r->dmask))
		return false;
	if (r->tunnel != RULE_TUNNEL_ANY && r->tunnel != p->tunnel)
		return false;
	if (r->proto == RULE_PROTO_TCP_ACK ? p->proto != 6 || !p->ack
					   : r->proto != RULE_PROTO_ALL && r->proto != p->proto)
		return false;
	return port_matches(r->sport, p->sport) && port_matches(r->dport, p->dport);
}
