/* Cuts packets that are too large for their way out, and makes one segment of several. The
 * fragments are copies in buffers of the packet's own pool, for all but the first, which keeps the
 * packet's buffer when it can: devices that free fast (RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE) permit
 * neither indirect buffers nor shared ones, and not every device sends chains. Any thread. See
 * frag.h.
 */
#include "frag/frag.h"

#include "wire/ip4.h"
#include "wire/ip6.h"

#include <errno.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <string.h>

#define HDR_MAX 60 /* IPv4 with all its options; IPv6 with a fragment header has 48 */

struct cut {
	struct rte_mbuf *m;
	unsigned mtu, hdr_len;        /* of the packet as it is */
	unsigned first_len, rest_len; /* header lengths of the fragments */
	uint8_t first[HDR_MAX], rest[HDR_MAX];
	unsigned offset; /* of the packet itself, IPv4 */
	bool more;       /* ... is a fragment, and not the last */
	/* writes the lengths, offset and flag of a fragment with so much data */
	void (*finish)(struct rte_mbuf *m, unsigned hdr_len, unsigned offset, bool more);
};

/* Bytes of data for the next fragment. */
static unsigned take(const struct cut *c, unsigned done, unsigned left)
{
	unsigned room = c->mtu - (done ? c->rest_len : c->first_len);

	return left <= room ? left : room & ~7u;
}

static unsigned count(const struct cut *c)
{
	unsigned left = c->m->pkt_len - c->hdr_len, done = 0, n = 0;

	do {
		unsigned now = take(c, done, left);

		done += now;
		left -= now;
		n++;
	} while (left);
	return n;
}

/* A place in a chain of segments. */
struct place {
	const struct rte_mbuf *m;
	unsigned at;
};

static void copy(struct place *from, struct rte_mbuf *to, unsigned len)
{
	while (len) {
		unsigned n = RTE_MIN(len, from->m->data_len - from->at);

		memcpy(rte_pktmbuf_mtod_offset(to, uint8_t *, to->data_len),
			rte_pktmbuf_mtod_offset(from->m, const uint8_t *, from->at), n);
		to->data_len += (uint16_t)n;
		to->pkt_len += n;
		from->at += n;
		len -= n;
		if (len) {
			from->m = from->m->next;
			from->at = 0;
		}
	}
}

/* The packet's own buffer becomes its first fragment, with len bytes of data. */
static void shorten(const struct cut *c, struct rte_mbuf *m, unsigned len)
{
	rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - c->hdr_len - len));
	rte_pktmbuf_adj(m, (uint16_t)c->hdr_len);
	memcpy(rte_pktmbuf_prepend(m, (uint16_t)c->first_len), c->first, c->first_len);
}

static int cut(const struct cut *c, struct rte_mbuf *out[], unsigned max)
{
	struct rte_mbuf *m = c->m;
	unsigned left = m->pkt_len - c->hdr_len, done = 0, n = count(c);
	/* in its own buffer only when that has room in front for a longer header */
	unsigned own = m->nb_segs == 1 && m->data_off + c->hdr_len >= c->first_len;
	struct place from = {.m = m, .at = c->hdr_len};

	if (n > max)
		return -E2BIG;
	if (n > own && rte_pktmbuf_alloc_bulk(m->pool, out + own, n - own) < 0)
		return -ENOBUFS;
	for (unsigned i = 0; i < n; i++) {
		unsigned now = take(c, done, left);
		unsigned hdr_len = i ? c->rest_len : c->first_len;

		left -= now;
		if (i == 0 && own) {
			from.at += now;
			out[0] = m;
		} else {
			memcpy(rte_pktmbuf_append(out[i], (uint16_t)hdr_len),
				i ? c->rest : c->first, hdr_len);
			copy(&from, out[i], now);
			c->finish(out[i], hdr_len, c->offset + done, left || c->more);
		}
		done += now;
	}
	if (own) {
		unsigned now = take(c, 0, m->pkt_len - c->hdr_len);

		shorten(c, m, now);
		c->finish(m, c->first_len, c->offset, n > 1 || c->more);
	} else {
		rte_pktmbuf_free(m);
	}
	return (int)n;
}

/* In one segment, in another buffer when its own has no room. */
static int whole(struct rte_mbuf *m, struct rte_mbuf *out[])
{
	struct place from = {.m = m};
	struct rte_mbuf *copied;

	out[0] = m;
	if (frag_linearise(m) == 0)
		return 1;
	copied = rte_pktmbuf_alloc(m->pool);
	if (copied == NULL)
		return -ENOBUFS;
	copy(&from, copied, m->pkt_len);
	rte_pktmbuf_free(m);
	out[0] = copied;
	return 1;
}

/* The largest fragment that a buffer of the pool holds: at least a frame of the largest port. */
static unsigned room_of(const struct rte_mbuf *m)
{
	return rte_pktmbuf_data_room_size(m->pool) - RTE_PKTMBUF_HEADROOM;
}

static bool cuttable(const struct cut *c)
{
	return c->mtu >= c->first_len + 8 && c->mtu >= c->rest_len + 8;
}

static void finish4(struct rte_mbuf *m, unsigned hdr_len, unsigned offset, bool more)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);

	ip->total_length = rte_cpu_to_be_16((uint16_t)m->pkt_len);
	ip->fragment_offset =
		rte_cpu_to_be_16((uint16_t)(offset / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = ip4_checksum(ip, hdr_len);
}

/* The header of fragments but the first: options with the copy bit, filled up with ends of the list
 * (RFC 791 section 3.1). Returns its length. The options are well formed: ip4_input looks at them;
 * what is not is left out. */
static unsigned copied_header(const uint8_t *hdr, unsigned hdr_len, uint8_t *out)
{
	unsigned n = IP4_MIN_HDR, at = IP4_MIN_HDR;

	memset(out, 0, HDR_MAX);
	memcpy(out, hdr, IP4_MIN_HDR);
	while (at < hdr_len && hdr[at] != IP4_OPT_EOL) {
		unsigned len;

		if (hdr[at] == IP4_OPT_NOP) {
			at++;
			continue;
		}
		len = at + 1 < hdr_len ? hdr[at + 1] : 0;
		if (len < 2 || at + len > hdr_len)
			break;
		if (hdr[at] & IP4_OPT_COPIED) {
			memcpy(out + n, hdr + at, len);
			n += len;
		}
		at += len;
	}
	n = RTE_ALIGN(n, 4u);
	out[0] = (uint8_t)(0x40 | n / 4);
	return n;
}

int frag4_cut(struct rte_mbuf *m, unsigned mtu, struct rte_mbuf *out[], unsigned max)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	struct cut c = {.m = m, .mtu = RTE_MIN(mtu, room_of(m)), .finish = finish4};
	unsigned field;

	if (max == 0)
		return -E2BIG;
	if (m->data_len < IP4_MIN_HDR || m->data_len < (ip->version_ihl & 15u) * 4)
		return -EINVAL;
	if (m->pkt_len <= c.mtu)
		return whole(m, out);
	field = rte_be_to_cpu_16(ip->fragment_offset);
	c.offset = (field & RTE_IPV4_HDR_OFFSET_MASK) * 8;
	c.more = field & RTE_IPV4_HDR_MF_FLAG;
	c.hdr_len = c.first_len = (ip->version_ihl & 15u) * 4;
	if (c.hdr_len < IP4_MIN_HDR)
		return -EINVAL;
	memcpy(c.first, ip, c.first_len);
	c.rest_len = copied_header(c.first, c.first_len, c.rest);
	return cuttable(&c) ? cut(&c, out, max) : -EINVAL;
}

static void finish6(struct rte_mbuf *m, unsigned hdr_len, unsigned offset, bool more)
{
	uint8_t *ip6 = rte_pktmbuf_mtod(m, uint8_t *);
	rte_be16_t len = rte_cpu_to_be_16((uint16_t)(m->pkt_len - IP6_HDR));
	rte_be16_t field = rte_cpu_to_be_16((uint16_t)(offset | more));

	memcpy(ip6 + IP6_AT_PAYLOAD_LEN, &len, 2);
	memcpy(ip6 + IP6_HDR + 2, &field, 2);
}

int frag6_cut(struct rte_mbuf *m, unsigned mtu, uint32_t id, struct rte_mbuf *out[], unsigned max)
{
	const uint8_t *ip6 = rte_pktmbuf_mtod(m, const uint8_t *);
	struct cut c = {.m = m,
		.mtu = RTE_MIN(mtu, room_of(m)),
		.hdr_len = IP6_HDR,
		.first_len = IP6_HDR + IP6_FRAG_HDR,
		.rest_len = IP6_HDR + IP6_FRAG_HDR,
		.finish = finish6};
	rte_be32_t id_be = rte_cpu_to_be_32(id);

	if (max == 0)
		return -E2BIG;
	if (m->data_len < IP6_HDR)
		return -EINVAL;
	if (m->pkt_len <= c.mtu)
		return whole(m, out);
	if (ip6_is_extension(ip6[IP6_AT_NEXT_HEADER]))
		return -EINVAL;
	memcpy(c.first, ip6, IP6_HDR);
	c.first[IP6_HDR] = ip6[IP6_AT_NEXT_HEADER];
	c.first[IP6_AT_NEXT_HEADER] = IP6_FRAGMENT;
	memcpy(c.first + IP6_HDR + 4, &id_be, 4);
	memcpy(c.rest, c.first, c.first_len);
	return cuttable(&c) ? cut(&c, out, max) : -EINVAL;
}

int frag_linearise(struct rte_mbuf *m)
{
	if (m->pkt_len - m->data_len > rte_pktmbuf_tailroom(m))
		return -ENOSPC;
	return rte_pktmbuf_linearize(m) < 0 ? -ENOSPC : 0;
}

void frag_head(struct rte_mbuf *m, unsigned len)
{
	struct rte_mbuf *more = m->next;
	unsigned data_len = m->data_len;
	struct place from = {.m = more};

	len = RTE_MIN(len, m->pkt_len);
	len = RTE_MIN(len, data_len + rte_pktmbuf_tailroom(m));
	m->next = NULL;
	m->nb_segs = 1;
	m->pkt_len = data_len;
	if (len > data_len)
		copy(&from, m, len - data_len);
	m->pkt_len = m->data_len = (uint16_t)len;
	rte_pktmbuf_free(more);
}
