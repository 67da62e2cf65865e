/* IPv6: checksum, extension headers and their options. See ip6.h. */
#include "wire/ip6.h"

#include <arpa/inet.h>

static uint64_t add(uint64_t sum, const uint8_t *p, unsigned len)
{
	uint32_t word;
	uint16_t half = 0;

	for (; len >= 4; len -= 4, p += 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	if (len >= 2) {
		memcpy(&half, p, 2);
		sum += half;
		p += 2;
		len -= 2;
	}
	if (len) {
		half = 0;
		memcpy(&half, p, 1); /* as if a zero byte followed */
		sum += half;
	}
	return sum;
}

/* Both addresses, protocol and length, and what the sum is so far. */
static uint16_t pseudo(
	const uint8_t src[16], const uint8_t dst[16], uint8_t proto, unsigned len, uint64_t sum)
{
	sum += (uint64_t)htonl(len) + htonl(proto);
	sum = add(sum, src, 16);
	sum = add(sum, dst, 16);
	for (int i = 0; i < 2; i++)
		sum = (sum & UINT32_MAX) + (sum >> 32);
	for (int i = 0; i < 3; i++)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t ip6_sum(
	const uint8_t src[16], const uint8_t dst[16], uint8_t proto, const void *l4, unsigned len)
{
	return pseudo(src, dst, proto, len, add(0, l4, len));
}

uint16_t ip6_sum_of(
	const uint8_t src[16], const uint8_t dst[16], uint8_t proto, unsigned len, uint16_t sum)
{
	return pseudo(src, dst, proto, len, sum);
}

/* Bytes of the extension header of that kind that begins at p; 8 of it are there. */
static unsigned header_len(uint8_t kind, const uint8_t *p)
{
	if (kind == IP6_FRAGMENT)
		return IP6_FRAG_HDR;
	if (kind == IP6_AH)
		return (p[1] + 2u) * 4; /* RFC 4302 section 2.2: words of 4 */
	return (p[1] + 1u) * 8;
}

/* One step of a walk: the header of kind c->proto at c->l4. OK: c stands at the next. */
static enum ip6_chain_result step(
	const uint8_t *ip6, unsigned len, unsigned most, struct ip6_chain *c, unsigned *hdr_len)
{
	const uint8_t *p = ip6 + c->l4;

	if (c->proto == IP6_HOP_BY_HOP && c->n > 0)
		return IP6_CHAIN_HOP_BY_HOP;
	if (c->n >= most)
		return IP6_CHAIN_TOO_LONG;
	if (c->l4 + 8u > len)
		return IP6_CHAIN_TRUNCATED;
	*hdr_len = header_len(c->proto, p);
	/* AH has at least 12 bytes, and a length of 0 would say 8 */
	if (c->l4 + *hdr_len > len || (c->proto == IP6_AH && *hdr_len < 12))
		return IP6_CHAIN_TRUNCATED;
	if (c->proto == IP6_FRAGMENT) {
		if (c->frag_at)
			return IP6_CHAIN_FRAGMENT;
		c->frag_at = c->l4;
		c->offset = (uint16_t)((p[2] << 8 | p[3]) & 0xfff8);
		c->more = p[3] & 1;
		c->id = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
	} else if (c->proto == IP6_ROUTING &&
		   (c->routing_at == 0 || (p[2] == 0 && c->routing_type != 0))) {
		c->routing_at = c->l4;
		c->routing_type = p[2];
		c->segments_left = p[3];
	}
	c->proto_at = c->l4;
	c->proto = p[0];
	c->l4 = (uint16_t)(c->l4 + *hdr_len);
	c->n++;
	return IP6_CHAIN_OK;
}

static void begin(const uint8_t *ip6, struct ip6_chain *c)
{
	*c = (struct ip6_chain){
		.proto = ip6[IP6_AT_NEXT_HEADER], .l4 = IP6_HDR, .proto_at = IP6_AT_NEXT_HEADER};
}

static enum ip6_chain_result walk(
	const uint8_t *ip6, unsigned len, unsigned most, bool own, struct ip6_chain *c)
{
	enum ip6_chain_result ret = IP6_CHAIN_OK;
	unsigned hdr_len;

	/* offsets are 16 bits wide; no packet of ours is as long */
	if (len > UINT16_MAX)
		len = UINT16_MAX;
	begin(ip6, c);
	while (ret == IP6_CHAIN_OK && c->offset == 0 && ip6_is_extension(c->proto) &&
		!(own && c->proto == IP6_AH))
		ret = step(ip6, len, most, c, &hdr_len);
	return ret;
}

enum ip6_chain_result ip6_chain_walk(
	const uint8_t *ip6, unsigned len, unsigned most, struct ip6_chain *c)
{
	return walk(ip6, len, most, false, c);
}

enum ip6_chain_result ip6_chain_walk_own(
	const uint8_t *ip6, unsigned len, unsigned most, struct ip6_chain *c)
{
	return walk(ip6, len, most, true, c);
}

static enum ip6_fate problem(struct ip6_problem *p, uint8_t code, unsigned pointer)
{
	p->code = code;
	p->pointer = (uint16_t)pointer;
	return IP6_PROBLEM;
}

enum ip6_fate ip6_options(const uint8_t *ip6, unsigned at, unsigned len, struct ip6_problem *p)
{
	unsigned end = at + len;

	at += 2; /* next header, length */
	while (at < end) {
		uint8_t type = ip6[at];

		if (type == IP6_OPT_PAD1) {
			at++;
			continue;
		}
		if (at + 2 > end || at + 2u + ip6[at + 1] > end)
			return problem(p, ICMP6_BAD_FIELD, at);
		if (type != IP6_OPT_PADN && type != IP6_OPT_ROUTER_ALERT) {
			/* the two highest bits say what to do about an unknown option */
			switch (type >> 6) {
			case 0:
				break;
			case 1:
				return IP6_DISCARD;
			case 2:
				problem(p, ICMP6_BAD_OPTION, at);
				return IP6_PROBLEM_ALWAYS;
			default:
				return problem(p, ICMP6_BAD_OPTION, at);
			}
		}
		at += 2u + ip6[at + 1];
	}
	return IP6_ACCEPT;
}

enum ip6_fate ip6_examine(const uint8_t *ip6, unsigned len, unsigned most, struct ip6_problem *p)
{
	struct ip6_chain c;

	if (len > UINT16_MAX)
		len = UINT16_MAX;
	begin(ip6, &c);
	while (c.offset == 0 && ip6_is_extension(c.proto) && c.proto != IP6_AH) {
		uint8_t kind = c.proto;
		uint16_t at = c.l4, named_at = c.proto_at;
		unsigned hdr_len;
		enum ip6_fate fate;

		p->kind = kind;
		/* these are for nobody here */
		if (kind == IP6_MOBILITY || kind == IP6_HIP || kind == IP6_SHIM6)
			return problem(p, ICMP6_BAD_NEXT_HEADER, named_at);
		switch (step(ip6, len, most, &c, &hdr_len)) {
		case IP6_CHAIN_OK:
			break;
		case IP6_CHAIN_HOP_BY_HOP:
			return problem(p, ICMP6_BAD_NEXT_HEADER, named_at);
		default:
			return IP6_DISCARD;
		}
		if (kind == IP6_HOP_BY_HOP || kind == IP6_DEST_OPTIONS) {
			fate = ip6_options(ip6, at, hdr_len, p);
			if (fate != IP6_ACCEPT)
				return fate;
		}
		/* no type is spoken here (RFC 8200 section 4.4, RFC 5095 section 3) */
		if (kind == IP6_ROUTING && ip6[at + 3] != 0)
			return problem(p, ICMP6_BAD_FIELD, at + 2u);
	}
	return IP6_ACCEPT;
}
