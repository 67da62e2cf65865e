/* Multicast listener discovery messages: queries validated and read, reports written. See mld.h. */
#include "wire/mld.h"

#include "wire/ip6.h"

#define EXTENSIONS_MAX 8
#define HBH_LEN 8      /* of the hop-by-hop header that we write */
#define QUERY_1_LEN 24 /* RFC 2710 section 3 */
#define QUERY_2_LEN 28 /* RFC 3810 section 5.1, without sources */
#define REPORT_2_LEN 8 /* without records */
#define RECORD_LEN 20  /* without sources */
#define HEADERS_LEN (IP6_HDR + HBH_LEN)

_Static_assert(HEADERS_LEN + REPORT_2_LEN + MLD_RECORDS_MAX * RECORD_LEN <= MLD_PACKET_MAX,
	"a full report fits");

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

struct addr mld_routers(void)
{
	return (struct addr){.b = {0xff, 2, [15] = 0x16}};
}

/* --- reading */

/* Has the packet a hop-by-hop header with the router alert for MLD (RFC 2711 section 2.1)? Its
 * headers were walked, and are whole. */
static bool has_alert(const uint8_t *packet)
{
	unsigned at = IP6_HDR + 2, end;

	if (packet[IP6_AT_NEXT_HEADER] != IP6_HOP_BY_HOP)
		return false;
	end = IP6_HDR + (packet[IP6_HDR + 1] + 1u) * 8;
	while (at < end) {
		if (packet[at] == IP6_OPT_PAD1) {
			at++;
			continue;
		}
		if (at + 2 > end || at + 2u + packet[at + 1] > end)
			return false;
		if (packet[at] == IP6_OPT_ROUTER_ALERT)
			return packet[at + 1] == 2 && get16(packet + at + 2) == 0;
		at += 2u + packet[at + 1];
	}
	return false;
}

/* RFC 3810 section 5.1.3: large ones are a mantissa and an exponent. */
static uint32_t max_delay(uint16_t code)
{
	return code < 0x8000 ? code : (uint32_t)(0x1000 | (code & 0xfff)) << ((code >> 12 & 7) + 3);
}

static enum mld_fault read_message(const uint8_t *p, unsigned len, struct mld_query *q)
{
	if (len != QUERY_1_LEN && len < QUERY_2_LEN)
		return MLD_LENGTH;
	q->version = len == QUERY_1_LEN ? 1 : 2;
	q->max_delay_ms = q->version == 1 ? get16(p + 4) : max_delay(get16(p + 4));
	memcpy(q->group.b, p + 8, sizeof(q->group.b));
	if (!addr_is_unspecified(&q->group) && !addr_is_multicast(&q->group))
		return MLD_GROUP;
	if (q->version == 1)
		return MLD_OK;
	q->robustness = p[24] & 7;
	return QUERY_2_LEN + get16(p + 26) * 16u <= len ? MLD_OK : MLD_LENGTH;
}

enum mld_fault mld_read(const uint8_t *packet, unsigned len, struct mld_query *q)
{
	struct ip6_chain chain;
	const uint8_t *p;

	memset(q, 0, sizeof(*q));
	if (len < IP6_HDR || packet[0] >> 4 != 6 || len < IP6_HDR + (unsigned)get16(packet + 4))
		return MLD_NO_QUERY;
	len = IP6_HDR + (unsigned)get16(packet + 4);
	if (ip6_chain_walk(packet, len, EXTENSIONS_MAX, &chain) != IP6_CHAIN_OK ||
		chain.frag_at != 0)
		return MLD_NO_QUERY;
	p = packet + chain.l4;
	len -= chain.l4;
	if (chain.proto != IP6_ICMP || len < ICMP6_HDR || p[0] != MLD_QUERY)
		return MLD_NO_QUERY;
	memcpy(q->src.b, packet + 8, sizeof(q->src.b));
	memcpy(q->dst.b, packet + 24, sizeof(q->dst.b));
	if (packet[7] != MLD_HOP_LIMIT)
		return MLD_HOPS;
	if (!addr_is_link_local(&q->src))
		return MLD_SOURCE;
	if (!has_alert(packet))
		return MLD_NO_ALERT;
	if (ip6_sum(q->src.b, q->dst.b, IP6_ICMP, p, len) != UINT16_MAX)
		return MLD_CHECKSUM;
	return read_message(p, len, q);
}

/* --- writing */

/* The headers before a message of len bytes and its checksum: with the router alert (RFC 3810
 * section 5), so that routers look at what is for groups that they don't listen to. */
static unsigned finish(uint8_t *buf, unsigned len, const struct addr *src, const struct addr *dst)
{
	static const uint8_t alert[HBH_LEN] = {
		IP6_ICMP, 0, IP6_OPT_ROUTER_ALERT, 2, 0, 0, IP6_OPT_PADN, 0};
	uint8_t *message = buf + HEADERS_LEN;
	uint16_t sum;

	memset(buf, 0, IP6_HDR);
	buf[0] = 6 << 4;
	put16(buf + 4, HBH_LEN + len);
	buf[IP6_AT_NEXT_HEADER] = IP6_HOP_BY_HOP;
	buf[7] = MLD_HOP_LIMIT;
	memcpy(buf + 8, src->b, sizeof(src->b));
	memcpy(buf + 24, dst->b, sizeof(dst->b));
	memcpy(buf + IP6_HDR, alert, sizeof(alert));
	memset(message + 2, 0, 2);
	sum = (uint16_t)~ip6_sum(src->b, dst->b, IP6_ICMP, message, len);
	memcpy(message + 2, &sum, sizeof(sum));
	return HEADERS_LEN + len;
}

unsigned mld_write_report(
	uint8_t *buf, const struct addr *src, const struct mld_record *record, unsigned n)
{
	uint8_t *p = buf + HEADERS_LEN;
	struct addr dst = mld_routers();

	memset(p, 0, REPORT_2_LEN + n * RECORD_LEN);
	p[0] = MLD_REPORT_2;
	put16(p + 6, n);
	p += REPORT_2_LEN;
	for (unsigned i = 0; i < n; i++, p += RECORD_LEN) {
		p[0] = record[i].type;
		memcpy(p + 4, record[i].group.b, sizeof(record[i].group.b));
	}
	return finish(buf, REPORT_2_LEN + n * RECORD_LEN, src, &dst);
}

unsigned mld_write_report_1(
	uint8_t *buf, const struct addr *src, const struct addr *group, bool done, struct addr *dst)
{
	uint8_t *p = buf + HEADERS_LEN;

	*dst = done ? (struct addr){.b = {0xff, 2, [15] = 2}} : *group;
	memset(p, 0, QUERY_1_LEN);
	p[0] = done ? MLD_DONE_1 : MLD_REPORT_1;
	memcpy(p + 8, group->b, sizeof(group->b));
	return finish(buf, QUERY_1_LEN, src, dst);
}
