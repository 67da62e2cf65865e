/* Makes one packet of the fragments of a complete datagram: the first one's header, made that of a
 * whole packet, and everybody's data as a chain of segments. Worker. See parts.h.
 */
#include "frag/parts.h"

#include "wire/ip4.h"
#include "wire/ip6.h"

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <string.h>

#define ECN_NOT 0 /* codepoints, RFC 3168 section 5 */
#define ECN_CE 3

/* RFC 3168 section 5.3: congestion experienced is not lost, and not set beside not ECN-capable. */
static bool ecn_ok(uint8_t seen)
{
	return !(seen & 1u << ECN_CE && seen & 1u << ECN_NOT);
}

static void header4(struct rte_mbuf *m, const struct datagram *d)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	unsigned hdr_len = (ip->version_ihl & 15u) * 4;

	ip->total_length = rte_cpu_to_be_16((uint16_t)m->pkt_len);
	ip->fragment_offset = 0;
	if (d->ecn & 1u << ECN_CE)
		ip->type_of_service |= ECN_CE;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = ip4_checksum(ip, hdr_len);
}

/* Where the header in front of the fragment header names it. */
static unsigned proto_at(const uint8_t *ip6, unsigned frag_at)
{
	unsigned at = IP6_HDR, named = IP6_AT_NEXT_HEADER;

	while (at < frag_at) {
		named = at;
		at += (ip6[at + 1] + 1u) * 8;
	}
	return named;
}

void frag6_strip(struct rte_mbuf *m, unsigned frag_at, unsigned named_at)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t len;

	p[named_at] = p[frag_at];
	memmove(p + IP6_FRAG_HDR, p, frag_at);
	p = (uint8_t *)rte_pktmbuf_adj(m, IP6_FRAG_HDR);
	len = rte_cpu_to_be_16((uint16_t)(m->pkt_len - IP6_HDR));
	memcpy(p + IP6_AT_PAYLOAD_LEN, &len, 2);
}

static void header6(struct rte_mbuf *m, const struct datagram *d, unsigned frag_at)
{
	uint8_t *ip6 = rte_pktmbuf_mtod(m, uint8_t *);

	if (d->ecn & 1u << ECN_CE)
		ip6[1] |= ECN_CE << 4;
	frag6_strip(m, frag_at, proto_at(ip6, frag_at));
}

struct rte_mbuf *frag_merge(
	const struct frag_table *t, const struct datagram *d, enum frag_why *why)
{
	const struct piece *first = &t->piece[d->head];
	unsigned headers = d->key.family == 4 ? first->at : first->frag_at - IP6_HDR;
	struct rte_mbuf *m = first->m, *last = m;

	*why = headers + d->end > FRAG_TOTAL_MAX ? FRAG_TOO_LONG : FRAG_ECN;
	if (headers + d->end > FRAG_TOTAL_MAX || !ecn_ok(d->ecn))
		return NULL;
	for (uint32_t i = first->next; i != NONE; i = t->piece[i].next) {
		struct rte_mbuf *more = t->piece[i].m;

		rte_pktmbuf_adj(more, t->piece[i].at);
		last->next = more;
		last = more;
		m->pkt_len += more->data_len;
		m->nb_segs++;
	}
	if (d->key.family == 4)
		header4(m, d);
	else
		header6(m, d, first->frag_at);
	return m;
}
