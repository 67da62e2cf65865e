/* Neighbour discovery messages: validation, and bytes to value and back. See nd.h. */
#include "wire/nd.h"

#include "wire/ip6.h"

/* Bytes of each kind of message before its options. */
#define RS_LEN 8
#define RA_LEN 16
#define NS_LEN 24 /* NA too */
#define REDIRECT_LEN 40

enum {
	OPT_SOURCE_MAC = 1,
	OPT_TARGET_MAC = 2,
	OPT_PREFIX = 3,
	OPT_MTU = 5,
	OPT_NONCE = 14,
	OPT_RDNSS = 25,
	OPT_DNSSL = 31,
};
#define PREFIX_LEN 32 /* of the prefix option */
#define PREFIX_ON_LINK 0x80
#define PREFIX_AUTONOMOUS 0x40
#define RA_MANAGED 0x80
#define RA_OTHER 0x40
#define EXTENSIONS_MAX 8

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, (uint16_t)(v >> 16)), (uint16_t)v);
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t len)
{
	memcpy(p, bytes, len);
	return p + len;
}

struct addr nd_solicited_node(const struct addr *unicast)
{
	return (struct addr){
		.b = {0xff, 2, [11] = 1, 0xff, unicast->b[13], unicast->b[14], unicast->b[15]}};
}

struct addr nd_all_nodes(void)
{
	return (struct addr){.b = {0xff, 2, [15] = 1}};
}

struct mac nd_group_mac(const struct addr *group)
{
	const uint8_t *b = group->b;

	return (struct mac){{0x33, 0x33, b[12], b[13], b[14], b[15]}};
}

/* --- reading */

/* A prefix option (RFC 4861 section 4.6.2); one too many is passed over. */
static void read_prefix(const uint8_t *o, struct ra *ra)
{
	struct ra_prefix *p = &ra->prefix[ra->n_prefixes];

	if (ra->n_prefixes == RA_PREFIXES_MAX || o[2] > 128)
		return;
	p->prefix.len = o[2];
	memcpy(p->prefix.addr.b, o + 16, sizeof(p->prefix.addr.b));
	p->prefix.addr = addr_masked(&p->prefix.addr, p->prefix.len);
	p->on_link = o[3] & PREFIX_ON_LINK;
	p->autonomous = o[3] & PREFIX_AUTONOMOUS;
	p->valid_s = get32(o + 4);
	p->preferred_s = get32(o + 8);
	ra->n_prefixes++;
}

static enum nd_fault read_mac(const uint8_t *o, struct nd *nd)
{
	static const uint8_t zero[6];

	/* a group's MAC, or none, is no host's */
	if (o[2] & 1 || memcmp(o + 2, zero, sizeof(zero)) == 0)
		return ND_OPTION;
	memcpy(nd->mac.b, o + 2, sizeof(nd->mac.b));
	nd->has_mac = true;
	return ND_OK;
}

/* One option of len bytes, at least 8. Those that a message of its kind does not have are ignored
 * like unknown ones (RFC 4861 section 4.6). */
static enum nd_fault read_option(const uint8_t *o, unsigned len, struct nd *nd)
{
	bool source = nd->type == ND_RS || nd->type == ND_RA || nd->type == ND_NS;

	if (len == 8 && o[0] == (source ? OPT_SOURCE_MAC : OPT_TARGET_MAC))
		return read_mac(o, nd);
	if (o[0] == OPT_NONCE && len == 8 && nd->type == ND_NS) {
		memcpy(nd->nonce, o + 2, ND_NONCE);
		nd->has_nonce = true;
	} else if (o[0] == OPT_PREFIX && len == PREFIX_LEN && nd->type == ND_RA) {
		read_prefix(o, &nd->ra);
	} else if (o[0] == OPT_MTU && len == 8 && nd->type == ND_RA) {
		nd->ra.mtu = get32(o + 4) > UINT16_MAX ? UINT16_MAX : get16(o + 6);
	}
	return ND_OK;
}

static enum nd_fault read_options(const uint8_t *o, unsigned left, struct nd *nd)
{
	while (left > 0) {
		unsigned len = left < 2 ? 0 : o[1] * 8u;
		enum nd_fault fault;

		if (len == 0 || len > left)
			return ND_OPTION;
		fault = read_option(o, len, nd);
		if (fault != ND_OK)
			return fault;
		o += len;
		left -= len;
	}
	return ND_OK;
}

static unsigned fixed_len(uint8_t type)
{
	switch (type) {
	case ND_RS:
		return RS_LEN;
	case ND_RA:
		return RA_LEN;
	case ND_REDIRECT:
		return REDIRECT_LEN;
	default:
		return NS_LEN;
	}
}

static void read_fixed(const uint8_t *p, struct nd *nd)
{
	struct ra *ra = &nd->ra;

	if (nd->type == ND_RA) {
		ra->hop_limit = p[4];
		ra->managed = p[5] & RA_MANAGED;
		ra->other_config = p[5] & RA_OTHER;
		ra->lifetime_s = get16(p + 6);
		ra->reachable_ms = get32(p + 8);
		ra->retrans_ms = get32(p + 12);
	} else if (nd->type != ND_RS) {
		memcpy(nd->target.b, p + 8, sizeof(nd->target.b));
		nd->flags = nd->type == ND_NA ? p[4] : 0;
		if (nd->type == ND_REDIRECT)
			memcpy(nd->redirected.b, p + 24, sizeof(nd->redirected.b));
	}
}

/* What the addresses of each kind must be. */
static enum nd_fault judge(const struct nd *nd)
{
	bool nobody = addr_is_unspecified(&nd->src);
	static const uint8_t solicited[13] = {0xff, 2, [11] = 1, 0xff};

	switch (nd->type) {
	case ND_RS: /* 6.1.1 */
		return nobody && nd->has_mac ? ND_SOURCE : ND_OK;
	case ND_RA: /* 6.1.2 */
		return addr_is_link_local(&nd->src) ? ND_OK : ND_SOURCE;
	case ND_NS: /* 7.1.1 */
		if (addr_is_multicast(&nd->target))
			return ND_TARGET;
		if (nobody && nd->has_mac)
			return ND_SOURCE;
		if (nobody && memcmp(nd->dst.b, solicited, sizeof(solicited)) != 0)
			return ND_DESTINATION;
		return ND_OK;
	case ND_NA: /* 7.1.2 */
		if (addr_is_multicast(&nd->target))
			return ND_TARGET;
		return addr_is_multicast(&nd->dst) && nd->flags & ND_SOLICITED ? ND_DESTINATION
									       : ND_OK;
	default: /* redirect: 8.1 */
		if (!addr_is_link_local(&nd->src))
			return ND_SOURCE;
		if (addr_is_multicast(&nd->redirected))
			return ND_TARGET;
		return addr_is_link_local(&nd->target) || addr_equal(&nd->target, &nd->redirected)
			       ? ND_OK
			       : ND_TARGET;
	}
}

enum nd_fault nd_read(const uint8_t *packet, unsigned len, struct nd *nd)
{
	enum nd_fault fault;
	struct ip6_chain chain;
	const uint8_t *p;
	unsigned fixed;

	memset(nd, 0, sizeof(*nd));
	if (len < IP6_HDR || packet[0] >> 4 != 6 || len < IP6_HDR + (unsigned)get16(packet + 4))
		return ND_NO_ND;
	len = IP6_HDR + (unsigned)get16(packet + 4);
	if (ip6_chain_walk(packet, len, EXTENSIONS_MAX, &chain) != IP6_CHAIN_OK)
		return ND_NO_ND;
	if (chain.frag_at != 0)
		return ND_FRAGMENT;
	p = packet + chain.l4;
	len -= chain.l4;
	if (chain.proto != IP6_ICMP || len < RS_LEN || p[0] < ND_RS || p[0] > ND_REDIRECT)
		return ND_NO_ND;
	nd->type = p[0];
	memcpy(nd->src.b, packet + 8, sizeof(nd->src.b));
	memcpy(nd->dst.b, packet + 24, sizeof(nd->dst.b));
	if (packet[7] != ND_HOP_LIMIT)
		return ND_HOPS;
	if (ip6_sum(nd->src.b, nd->dst.b, IP6_ICMP, p, len) != UINT16_MAX)
		return ND_CHECKSUM;
	if (p[1] != 0)
		return ND_CODE;
	fixed = fixed_len(nd->type);
	if (len < fixed)
		return ND_SHORT;
	read_fixed(p, nd);
	fault = read_options(p + fixed, len - fixed, nd);
	return fault != ND_OK ? fault : judge(nd);
}

/* --- writing */

/* The IPv6 header and the checksum of the message behind it; end: behind its last byte. */
static unsigned finish(
	uint8_t *buf, const uint8_t *end, const struct addr *src, const struct addr *dst)
{
	unsigned len = (unsigned)(end - buf) - IP6_HDR;
	uint8_t *icmp = buf + IP6_HDR;
	uint16_t sum;

	memset(buf, 0, 8);
	buf[0] = 6 << 4;
	put16(buf + 4, (uint16_t)len);
	buf[6] = IP6_ICMP;
	buf[7] = ND_HOP_LIMIT;
	memcpy(buf + 8, src->b, sizeof(src->b));
	memcpy(buf + 24, dst->b, sizeof(dst->b));
	memset(icmp + 2, 0, 2);
	sum = (uint16_t)~ip6_sum(src->b, dst->b, IP6_ICMP, icmp, len);
	memcpy(icmp + 2, &sum, sizeof(sum));
	return len + IP6_HDR;
}

static uint8_t *begin(uint8_t *buf, uint8_t type)
{
	uint8_t *p = buf + IP6_HDR;

	memset(p, 0, RS_LEN);
	p[0] = type;
	return p + 4;
}

static uint8_t *put_option(uint8_t *p, uint8_t type, const void *bytes, unsigned len)
{
	*p++ = type;
	*p++ = (uint8_t)((len + 2) / 8);
	return put(p, bytes, len);
}

unsigned nd_write_ns(uint8_t *buf, const struct addr *src, const struct addr *dst,
	const struct addr *target, const struct mac *mac, const uint8_t *nonce)
{
	uint8_t *p = put32(begin(buf, ND_NS), 0);

	p = put(p, target->b, sizeof(target->b));
	if (!addr_is_unspecified(src))
		p = put_option(p, OPT_SOURCE_MAC, mac->b, sizeof(mac->b));
	if (nonce)
		p = put_option(p, OPT_NONCE, nonce, ND_NONCE);
	return finish(buf, p, src, dst);
}

unsigned nd_write_na(uint8_t *buf, const struct addr *src, const struct addr *dst,
	const struct addr *target, const struct mac *mac, uint8_t flags)
{
	uint8_t *p = put32(begin(buf, ND_NA), (uint32_t)flags << 24);

	p = put(p, target->b, sizeof(target->b));
	p = put_option(p, OPT_TARGET_MAC, mac->b, sizeof(mac->b));
	return finish(buf, p, src, dst);
}

static uint8_t *put_prefix(uint8_t *p, const struct ra_prefix *x)
{
	*p++ = OPT_PREFIX;
	*p++ = PREFIX_LEN / 8;
	*p++ = x->prefix.len;
	*p++ = (uint8_t)((x->on_link ? PREFIX_ON_LINK : 0) |
			 (x->autonomous ? PREFIX_AUTONOMOUS : 0));
	p = put32(p, x->valid_s);
	p = put32(p, x->preferred_s);
	p = put32(p, 0);
	return put(p, x->prefix.addr.b, sizeof(x->prefix.addr.b));
}

/* RFC 8106 section 5: name servers and search domains, the latter padded to 8 bytes. */
static uint8_t *put_dns(uint8_t *p, const struct ra *ra)
{
	unsigned padded = (ra->domains_len + 7u) & ~7u;

	if (ra->n_dns) {
		*p++ = OPT_RDNSS;
		*p++ = (uint8_t)(1 + 2 * ra->n_dns);
		p = put32(put16(p, 0), ra->dns_lifetime_s);
		p = put(p, ra->dns, ra->n_dns * sizeof(ra->dns[0]));
	}
	if (ra->domains_len) {
		*p++ = OPT_DNSSL;
		*p++ = (uint8_t)(1 + padded / 8);
		p = put32(put16(p, 0), ra->dns_lifetime_s);
		p = put(p, ra->domains, ra->domains_len);
		memset(p, 0, padded - ra->domains_len);
		p += padded - ra->domains_len;
	}
	return p;
}

unsigned nd_write_ra(
	uint8_t *buf, const struct addr *src, const struct mac *mac, const struct ra *ra)
{
	uint8_t *p = begin(buf, ND_RA);
	struct addr all = nd_all_nodes();

	*p++ = ra->hop_limit;
	*p++ = (uint8_t)((ra->managed ? RA_MANAGED : 0) | (ra->other_config ? RA_OTHER : 0));
	p = put16(p, ra->lifetime_s);
	p = put32(p, ra->reachable_ms);
	p = put32(p, ra->retrans_ms);
	p = put_option(p, OPT_SOURCE_MAC, mac->b, sizeof(mac->b));
	if (ra->mtu) {
		*p++ = OPT_MTU;
		*p++ = 1;
		p = put32(put16(p, 0), ra->mtu);
	}
	for (unsigned i = 0; i < ra->n_prefixes; i++)
		p = put_prefix(p, &ra->prefix[i]);
	p = put_dns(p, ra);
	return finish(buf, p, src, &all);
}
