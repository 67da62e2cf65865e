/* Reassembly: judges each fragment against those that are there, and hands out the datagram when
 * nothing is missing. Worker. See frag.h.
 */
#include "frag/parts.h"

#include "wire/ip4.h"
#include "wire/ip6.h"

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <string.h>

/* A fragment as it comes. */
struct part {
	struct rte_mbuf *m;
	unsigned first, end; /* bytes of the datagram's payload */
	unsigned at;         /* where they begin in m */
	unsigned frag_at;    /* IPv6 */
	unsigned headers;    /* what counts beside the payload towards the limit of 65,535 */
	bool more;
	uint8_t ecn;
};

/* The datagram is given up for what its own fragments say; it stays, empty. */
static void kill(
	struct frag_table *t, struct datagram *d, struct rte_mbuf *m, bool first, enum frag_why why)
{
	t->stats.failed[why]++;
	datagram_empty(t, d, why);
	d->dead = (uint8_t)(why + 1);
	if (m)
		t->drop(t->arg, m, why, first);
}

/* The piece after which the part belongs (NONE: it is the first), and the one behind that. */
static void place(const struct frag_table *t, const struct datagram *d, const struct part *p,
	uint32_t *before, uint32_t *behind)
{
	*before = NONE;
	*behind = d->head;
	/* in order is the usual way */
	if (d->tail != NONE && t->piece[d->tail].end <= p->first) {
		*before = d->tail;
		*behind = NONE;
		return;
	}
	while (*behind != NONE && t->piece[*behind].end <= p->first) {
		*before = *behind;
		*behind = t->piece[*behind].next;
	}
}

static bool same(const struct datagram *d, const struct piece *have, const struct part *p)
{
	bool last = d->end != 0 && have->end == d->end;

	return have->first == p->first && have->end == p->end && last == !p->more &&
	       memcmp(rte_pktmbuf_mtod_offset(have->m, const uint8_t *, have->at),
		       rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->at),
		       p->end - p->first) == 0;
}

/* FRAG_WHY_N: the part fits with those that are there. behind: the piece that ends behind its
 * beginning. */
static enum frag_why judge(
	const struct frag_table *t, const struct datagram *d, const struct part *p, uint32_t behind)
{
	if (p->end + p->headers > FRAG_TOTAL_MAX)
		return FRAG_TOO_LONG;
	if (behind != NONE && t->piece[behind].first < p->end)
		return same(d, &t->piece[behind], p) ? FRAG_DUPLICATE : FRAG_OVERLAP;
	if (d->end != 0 && (p->more ? p->end >= d->end : p->end != d->end))
		return FRAG_INCONSISTENT;
	if (!p->more && d->tail != NONE && t->piece[d->tail].end > p->end)
		return FRAG_INCONSISTENT;
	return d->n >= t->limits.fragments ? FRAG_TOO_MANY : FRAG_WHY_N;
}

static void insert(struct frag_table *t, struct datagram *d, const struct part *p, uint32_t i,
	uint32_t before, uint32_t behind)
{
	t->piece[i] = (struct piece){.m = p->m,
		.next = behind,
		.first = (uint16_t)p->first,
		.end = (uint16_t)p->end,
		.at = (uint16_t)p->at,
		.frag_at = (uint16_t)p->frag_at};
	*(before == NONE ? &d->head : &t->piece[before].next) = i;
	if (behind == NONE)
		d->tail = i;
	if (!p->more)
		d->end = p->end;
	d->n++;
	d->bytes += p->end - p->first;
	d->ecn |= (uint8_t)(1u << p->ecn);
	t->stats.fragments++;
}

static struct rte_mbuf *finish(struct frag_table *t, struct datagram *d, unsigned *merged)
{
	enum frag_why why;
	struct rte_mbuf *m = frag_merge(t, d, &why);

	if (m == NULL) {
		kill(t, d, NULL, false, why);
		return NULL;
	}
	*merged = d->n;
	pieces_free(t, d);
	datagram_del(t, d);
	t->stats.done++;
	return m;
}

static struct rte_mbuf *add(struct frag_table *t, const struct key *key, const struct part *p,
	uint64_t now, unsigned *merged)
{
	struct datagram *d = datagram_get(t, key, now);
	uint32_t before, behind, i;
	enum frag_why why;

	if (d->dead) {
		t->drop(t->arg, p->m, d->dead - 1, p->first == 0);
		return NULL;
	}
	place(t, d, p, &before, &behind);
	why = judge(t, d, p, behind);
	if (why == FRAG_DUPLICATE) {
		t->stats.failed[why]++;
		t->drop(t->arg, p->m, why, p->first == 0);
		return NULL;
	}
	i = why == FRAG_WHY_N ? piece_get(t, d) : NONE;
	if (i == NONE) {
		kill(t, d, p->m, p->first == 0, why == FRAG_WHY_N ? FRAG_TABLE_FULL : why);
		return NULL;
	}
	insert(t, d, p, i, before, behind);
	return d->bytes == d->end ? finish(t, d, merged) : NULL;
}

/* What no honest sender makes, whatever the others say. */
static bool part_ok(const struct part *p)
{
	return p->m->nb_segs == 1 && p->end > p->first && p->end <= FRAG_TOTAL_MAX &&
	       !(p->more && p->end % 8 != 0);
}

static struct rte_mbuf *invalid(struct frag_table *t, struct rte_mbuf *m, bool first)
{
	t->stats.failed[FRAG_INVALID]++;
	t->drop(t->arg, m, FRAG_INVALID, first);
	return NULL;
}

struct rte_mbuf *frag4_add(
	struct frag_table *t, struct rte_mbuf *m, uint16_t realm, uint64_t now, unsigned *merged)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	struct key key = {.family = 4, .realm = realm};
	struct part p = {.m = m};
	unsigned hdr_len, total, field;

	if (m->data_len < IP4_MIN_HDR)
		return invalid(t, m, false);
	hdr_len = (ip->version_ihl & 15u) * 4;
	total = rte_be_to_cpu_16(ip->total_length);
	field = rte_be_to_cpu_16(ip->fragment_offset);
	p.first = (field & RTE_IPV4_HDR_OFFSET_MASK) * 8;
	p.more = field & RTE_IPV4_HDR_MF_FLAG;
	if (hdr_len < IP4_MIN_HDR || hdr_len > total || total != m->data_len)
		return invalid(t, m, false);
	if (p.first == 0 && !p.more) {
		*merged = 1;
		return m;
	}
	p.at = p.headers = hdr_len;
	p.end = p.first + total - hdr_len;
	p.ecn = ip->type_of_service & 3;
	if (!part_ok(&p))
		return invalid(t, m, p.first == 0);
	memcpy(key.src, &ip->src_addr, 4);
	memcpy(key.dst, &ip->dst_addr, 4);
	key.id = ip->packet_id;
	key.proto = ip->next_proto_id;
	return add(t, &key, &p, now, merged);
}

/* The fragment header of the packet, and the field that names it; false when there is none with
 * all of its headers in front of it. Looks no further than there. */
static bool find_frag6(const uint8_t *ip6, unsigned len, unsigned *frag_at, unsigned *proto_at)
{
	unsigned at = IP6_HDR;
	uint8_t next = ip6[IP6_AT_NEXT_HEADER];

	*proto_at = IP6_AT_NEXT_HEADER;
	while (next == IP6_HOP_BY_HOP || next == IP6_ROUTING || next == IP6_DEST_OPTIONS) {
		if (at + 8 > len)
			return false;
		*proto_at = at;
		next = ip6[at];
		at += (ip6[at + 1] + 1u) * 8;
	}
	*frag_at = at;
	return next == IP6_FRAGMENT && at + IP6_FRAG_HDR <= len;
}

struct rte_mbuf *frag6_add(
	struct frag_table *t, struct rte_mbuf *m, uint16_t realm, uint64_t now, unsigned *merged)
{
	const uint8_t *ip6 = rte_pktmbuf_mtod(m, const uint8_t *);
	struct key key = {.family = 6, .realm = realm};
	struct part p = {.m = m};
	unsigned field, proto_at;

	if (m->nb_segs != 1 || m->data_len < IP6_HDR ||
		!find_frag6(ip6, m->data_len, &p.frag_at, &proto_at))
		return invalid(t, m, false);
	field = (unsigned)ip6[p.frag_at + 2] << 8 | ip6[p.frag_at + 3];
	p.first = field & 0xfff8;
	p.more = field & 1;
	if (p.first == 0 && !p.more) { /* RFC 6946 */
		*merged = 1;
		frag6_strip(m, p.frag_at, proto_at);
		return m;
	}
	p.at = p.frag_at + IP6_FRAG_HDR;
	p.headers = p.frag_at - IP6_HDR;
	p.end = p.first + m->data_len - p.at;
	p.ecn = ip6[1] >> 4 & 3;
	if (!part_ok(&p))
		return invalid(t, m, p.first == 0);
	memcpy(key.src, ip6 + 8, 16);
	memcpy(key.dst, ip6 + 24, 16);
	memcpy(&key.id, ip6 + p.frag_at + 4, 4);
	return add(t, &key, &p, now, merged);
}
