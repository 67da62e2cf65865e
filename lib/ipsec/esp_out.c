/* ESP outbound (RFC 4303 section 3.3): one pass puts headers, IV, padding and trailer around all
 * packets of the burst, then the cipher runs over them together. See esp.h. Worker.
 */
#include "ipsec/esp_parts.h"

#include <rte_cycles.h>
#include <rte_prefetch.h>

/* What counts must not repeat under a key (RFC 4106 section 3.1); what CBC begins with must not be
 * foreseen (RFC 3602 section 3). */
static inline void write_iv(struct mb *mb, const struct sa *sa, uint8_t *iv, uint64_t seq)
{
	if (likely(sa->enc >= ENC_AES_CTR_128 && sa->enc <= ENC_CHACHA20_POLY1305)) {
		rte_be64_t count = rte_cpu_to_be_64(sa->iv_base + seq);

		memcpy(iv, &count, sizeof(count));
	} else if (sa->iv_len) {
		mb_random(mb, iv, sa->iv_len);
	}
}

/* RFC 4303 section 2.4: padding 1, 2, 3, ... up to 15, its length, the next header. What is stored
 * too much lies where the ICV comes. */
static inline void write_trailer(uint8_t *at, unsigned pad, uint8_t next)
{
	const uint64_t first = 0x0807060504030201, second = 0x100f0e0d0c0b0a09;

	memcpy(at, &first, 8);
	if (pad > 8)
		memcpy(at + 8, &second, 8);
	at[pad] = (uint8_t)pad;
	at[pad + 1] = next;
}

static inline enum sa_error transport_ok(const struct esp_packet *p, unsigned len)
{
	const uint8_t *ip = rte_pktmbuf_mtod(p->m, const uint8_t *);

	if (p->l4 > len || !header_ok(ip, p->ip6, p->l4, p->proto_at))
		return SA_ERR_TRUNCATED;
	return is_fragment(ip, p->ip6) ? SA_ERR_MODE : SA_OK;
}

/* Everything but the cipher. */
static inline enum sa_error wrap(
	struct mb *mb, struct sa *sa, struct esp_packet *p, struct mb_op *op, uint64_t now)
{
	struct rte_mbuf *m = p->m;
	bool transport = sa->flags & SA_TRANSPORT;
	unsigned len = m->data_len, head = transport ? p->l4 : 0;
	unsigned front = (unsigned)sa->outer_len + sa->iv_len, text, pad, total;
	uint8_t *inner = rte_pktmbuf_mtod(m, uint8_t *), *to, *esp;
	const uint8_t *template;
	uint64_t seq;
	rte_be32_t low;

	if (unlikely(m->nb_segs != 1))
		return SA_ERR_SEGMENTS;
	if (unlikely(len < ip_hdr_min(p->ip6)))
		return SA_ERR_TRUNCATED;
	if (unlikely(transport)) {
		enum sa_error status = transport_ok(p, len);

		if (status != SA_OK)
			return status;
	}
	text = (len - head + ESP_TRAILER_LEN + sa->block - 1) & -(unsigned)sa->block;
	pad = text - (len - head) - ESP_TRAILER_LEN;
	total = head + front + text + sa->icv_len;
	if (unlikely(m->data_off < front || m->data_off - front + total > m->buf_len ||
		     total > UINT16_MAX))
		return SA_ERR_TOO_BIG;
	if (sa_spent(sa, len))
		return SA_ERR_LIFETIME;
	seq = sa_seq_reserve(sa, 1) + 1;
	if (unlikely(seq == 0))
		return SA_ERR_SEQUENCE;
	sa_count(sa, len, now);

	to = inner - front;
	m->data_off -= (uint16_t)front;
	m->data_len = (uint16_t)total;
	m->pkt_len = total;
	write_trailer(inner + len, pad,
		transport ? inner[p->proto_at]
		: p->ip6  ? IPPROTO_IPV6
			  : IPPROTO_IPIP);
	/* pairs with the release of sa_outer */
	template = sa->outer[atomic_load_explicit(&sa->outer_now, memory_order_acquire)];
	esp = to + head + sa->l4_at;
	if (likely(!transport)) {
		copy_template(to, template, sa->outer_len);
		outer_header(to, sa, inner, p->ip6, total, seq);
		p->ip6 = sa->flags & SA_OUTER6;
		p->l4 = (uint16_t)ip_hdr_min(p->ip6);
		p->proto_at = p->ip6 ? IP6_AT_NEXT_HEADER : IP4_AT_PROTO;
	} else {
		memmove(to, inner, head);
		memcpy(to + head, template, sa->outer_len);
		transport_header(to, p->ip6, total, p->proto_at,
			sa->flags & SA_ENCAP ? IPPROTO_UDP : PROTO_ESP);
	}
	if (sa->flags & SA_ENCAP)
		store16(esp - 4, total - (unsigned)(esp - UDP_HDR_LEN - to));
	low = rte_cpu_to_be_32((uint32_t)seq);
	memcpy(esp + 4, &low, sizeof(low));
	write_iv(mb, sa, esp + ESP_HDR_LEN, seq);

	op->sa = sa;
	op->aad = esp;
	op->aad_len = ESP_HDR_LEN;
	op->len = (uint16_t)text;
	op->iv = esp + ESP_HDR_LEN;
	op->text = esp + ESP_HDR_LEN + sa->iv_len;
	op->icv = op->text + text;
	op->seq_hi = (uint32_t)(seq >> 32);
	return SA_OK;
}

/* RFC 3948 section 2.1 wants no checksum in IPv4; IPv6 has none of zero (RFC 8200 section 8.1), and
 * receivers that RFC 6935 would permit to take one must be told to, which Linux is not. */
static void udp6_checksum(const struct esp_packet *p)
{
	uint8_t *ip = rte_pktmbuf_mtod(p->m, uint8_t *);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + p->l4);
	uint16_t sum;

	udp->dgram_cksum = 0;
	sum = (uint16_t)~ip6_sum(ip + 8, ip + 24, IPPROTO_UDP, udp, p->m->data_len - p->l4);
	udp->dgram_cksum = sum ? sum : UINT16_MAX;
}

static void burst(struct mb *mb, struct esp_packet p[], unsigned n)
{
	struct mb_op op[MB_BURST_MAX];
	uint16_t of[MB_BURST_MAX];
	uint64_t now = rte_rdtsc();
	unsigned ops = 0;

	for (unsigned i = 0; i < RTE_MIN(n, (unsigned)PREFETCH_AHEAD); i++)
		prefetch_packet(&p[i]);
	for (unsigned i = 0; i < n; i++) {
		struct sa *sa = p[i].sa;
		enum sa_error status;

		if (i + PREFETCH_AHEAD < n) {
			prefetch_packet(&p[i + PREFETCH_AHEAD]);
			rte_prefetch0(p[i + PREFETCH_AHEAD].sa->outer);
		}
		status = wrap(mb, sa, &p[i], &op[ops], now);
		p[i].status = SA_OK;
		if (unlikely(status != SA_OK)) {
			sa_fail(&p[i], status);
			continue;
		}
		of[ops++] = (uint16_t)i;
	}
	mb_crypt(mb, op, ops);
	for (unsigned i = 0; i < ops; i++) {
		if (unlikely(op[i].status != SA_OK))
			sa_fail(&p[of[i]], op[i].status);
		else if (unlikely((op[i].sa->flags & (SA_ENCAP | SA_OUTER6)) ==
				  (SA_ENCAP | SA_OUTER6)))
			udp6_checksum(&p[of[i]]);
	}
}

void esp_out_burst(struct mb *mb, struct esp_packet p[], unsigned n)
{
	for (; n > MB_BURST_MAX; p += MB_BURST_MAX, n -= MB_BURST_MAX)
		burst(mb, p, MB_BURST_MAX);
	burst(mb, p, n);
}
