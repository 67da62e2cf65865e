/* ICMP errors about packets that were too large. See path_mtu.h. */
#include "wire/path_mtu.h"

#include "wire/esp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#define ICMP_HDR 8 /* of both families, in front of the packet */
#define PROTO_UDP 17
#define CHAIN_MAX 8

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* RFC 1191 section 5: of a router that does not tell, the next common one below. */
static unsigned plateau(unsigned len)
{
	static const uint16_t mtu[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006};

	for (unsigned i = 0; i < sizeof(mtu) / sizeof(mtu[0]); i++)
		if (mtu[i] < len)
			return mtu[i];
	return PATH_MTU_MIN4;
}

/* What the packet within shows behind its IP headers, of which there may be but 8 bytes. */
static bool read_l4(const uint8_t *l4, unsigned len, uint8_t proto, struct path_mtu *p)
{
	if (len < 8)
		return false;
	p->proto = proto;
	if (proto == PROTO_ESP) {
		memcpy(&p->spi, l4, 4);
	} else if (proto == PROTO_AH) {
		memcpy(&p->spi, l4 + 4, 4);
	} else if (proto == PROTO_UDP) {
		p->udp = true;
		p->proto = PROTO_ESP;
		memcpy(&p->sport, l4, 2);
		memcpy(&p->dport, l4 + 2, 2);
		if (len >= UDP_HDR_LEN + 4)
			memcpy(&p->spi, l4 + UDP_HDR_LEN, 4);
	} else {
		return false;
	}
	return true;
}

static bool read4(const uint8_t *icmp, unsigned len, struct path_mtu *p)
{
	const uint8_t *ip = icmp + ICMP_HDR;
	unsigned left = len - ICMP_HDR, hdr_len, total;

	if (icmp[0] != ICMP4_UNREACHABLE || icmp[1] != ICMP4_FRAG_NEEDED || left < IP4_MIN_HDR)
		return false;
	hdr_len = (ip[0] & 15u) * 4;
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || hdr_len < IP4_MIN_HDR || hdr_len > left ||
		(get16(ip + 6) & 0x1fff) != 0)
		return false;
	p->mtu = get16(icmp + 6);
	if (p->mtu == 0)
		p->mtu = plateau(total);
	if (p->mtu >= total) /* it would have fitted */
		return false;
	if (p->mtu < PATH_MTU_MIN4)
		p->mtu = PATH_MTU_MIN4;
	p->src = addr_of4((uint32_t)get16(ip + 12) << 16 | get16(ip + 14));
	p->dst = addr_of4((uint32_t)get16(ip + 16) << 16 | get16(ip + 18));
	return read_l4(ip + hdr_len, left - hdr_len, ip[9], p);
}

static bool read6(const uint8_t *icmp, unsigned len, struct path_mtu *p)
{
	const uint8_t *ip = icmp + ICMP_HDR;
	unsigned left = len - ICMP_HDR;
	struct ip6_chain c;

	if (icmp[0] != ICMP6_TOO_BIG || left < IP6_HDR || ip[0] >> 4 != 6)
		return false;
	p->mtu = (uint32_t)get16(icmp + 4) << 16 | get16(icmp + 6);
	if (p->mtu >= IP6_HDR + get16(ip + IP6_AT_PAYLOAD_LEN))
		return false;
	if (p->mtu < PATH_MTU_MIN6)
		p->mtu = PATH_MTU_MIN6;
	memcpy(p->src.b, ip + 8, 16);
	memcpy(p->dst.b, ip + 24, 16);
	/* AH is an extension header to others; here it is what was sent */
	if (ip[IP6_AT_NEXT_HEADER] == PROTO_AH)
		return read_l4(ip + IP6_HDR, left - IP6_HDR, PROTO_AH, p);
	if (ip6_chain_walk(ip, left, CHAIN_MAX, &c) != IP6_CHAIN_OK || c.offset != 0)
		return false;
	return read_l4(ip + c.l4, left - c.l4, c.proto, p);
}

bool path_mtu_read(const uint8_t *icmp, unsigned len, bool ip6, struct path_mtu *p)
{
	*p = (struct path_mtu){0};
	if (len < ICMP_HDR)
		return false;
	return ip6 ? read6(icmp, len, p) : read4(icmp, len, p);
}
