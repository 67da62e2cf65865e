/* AH outbound (RFC 4302 section 3.3). The header goes in front of or into the packet; what may
 * change on the way is zero while the ICV is computed, and put back behind it. See ah.h. Worker.
 */
#include "ipsec/esp_parts.h"

#include "ipsec/ah_parts.h"

#include <rte_cycles.h>

/* Writes AH, its ICV zero, and fills the operation. */
static void write_ah(const struct sa *sa, uint8_t *ah, unsigned len, uint8_t next, uint64_t seq,
	struct mb_op *op)
{
	rte_be32_t low = rte_cpu_to_be_32((uint32_t)seq);
	uint8_t *iv = ah + AH_HDR_LEN;

	ah[offsetof(struct ah_hdr, next_header)] = next;
	ah[offsetof(struct ah_hdr, len)] = (uint8_t)(len / 4 - 2);
	memcpy(ah + offsetof(struct ah_hdr, seq), &low, sizeof(low));
	memset(iv, 0, len - AH_HDR_LEN);
	op->sa = sa;
	op->icv = iv + sa->iv_len;
	op->seq_hi = (uint32_t)(seq >> 32);
}

/* Puts the packet next into the batch. */
static enum sa_error wrap(struct ah_batch *b, struct esp_packet *p, uint64_t now)
{
	struct sa *sa = p->sa;
	struct rte_mbuf *m = p->m;
	struct mb_op *op = &b->op[b->n];
	bool transport = sa->flags & SA_TRANSPORT, ip6 = transport ? p->ip6 : sa->flags & SA_OUTER6;
	unsigned len = m->data_len, ah = ah_len(sa, ip6);
	unsigned head = transport ? p->l4 : sa->l4_at, front = transport ? ah : head + ah;
	unsigned total = len + front, tail = sa->flags & SA_ESN ? 4 : 0;
	uint8_t *inner = rte_pktmbuf_mtod(m, uint8_t *), *to = inner - front, next;
	const uint8_t *template;
	uint64_t seq;

	if (m->nb_segs != 1)
		return SA_ERR_SEGMENTS;
	if (len < ip_hdr_min(p->ip6) ||
		(transport && (head > len || !header_ok(inner, ip6, head, p->proto_at))))
		return SA_ERR_TRUNCATED;
	if (transport && is_fragment(inner, ip6))
		return SA_ERR_MODE;
	if (m->data_off < front || m->data_off + len + tail > m->buf_len || total > UINT16_MAX)
		return SA_ERR_TOO_BIG;
	if (sa_spent(sa, len))
		return SA_ERR_LIFETIME;
	seq = sa_seq_reserve(sa, 1) + 1;
	if (seq == 0)
		return SA_ERR_SEQUENCE;

	template = sa->outer[atomic_load_explicit(&sa->outer_now, memory_order_acquire)];
	if (transport) {
		next = inner[p->proto_at];
		memmove(to, inner, head);
		memcpy(to + head, template, AH_HDR_LEN);
		transport_header(to, ip6, total, p->proto_at, PROTO_AH);
	} else {
		next = p->ip6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
		memcpy(to, template, sa->outer_len);
		outer_header(to, sa, inner, p->ip6, total, seq);
	}
	write_ah(sa, to + head, ah, next, seq, op);
	ah_save(b, to, head);
	op->aad = to;
	op->aad_len = (uint16_t)total;
	op->iv = b->of[b->n].iv_icv;
	if (sa->iv_len) {
		rte_be64_t count = rte_cpu_to_be_64(sa->iv_base + seq);

		memcpy(op->iv, &count, sizeof(count));
	}
	if (!ah_mute(to, ip6, head, true))
		return SA_ERR_TRUNCATED;
	sa_count(sa, len, now);
	m->data_off -= (uint16_t)front;
	m->data_len = (uint16_t)total;
	m->pkt_len = total;
	p->ip6 = ip6;
	if (!transport) {
		p->l4 = (uint16_t)head;
		p->proto_at = ip6 ? IP6_AT_NEXT_HEADER : IP4_AT_PROTO;
	}
	b->of[b->n].p = p;
	return SA_OK;
}

static void finish(struct mb *mb, struct ah_batch *b)
{
	mb_crypt(mb, b->op, b->n);
	for (unsigned i = 0; i < b->n; i++) {
		const struct mb_op *op = &b->op[i];

		memcpy(op->aad, ah_saved(b, i), b->of[i].head);
		memcpy(op->icv - op->sa->iv_len, op->iv, op->sa->iv_len);
		if (op->status != SA_OK)
			sa_fail(b->of[i].p, op->status);
	}
	b->n = b->saved_len = 0;
}

void ah_out_burst(struct mb *mb, struct esp_packet p[], unsigned n)
{
	struct ah_batch b;
	uint64_t now = rte_rdtsc();

	b.n = b.saved_len = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned head = p[i].sa->flags & SA_TRANSPORT ? p[i].l4 : SA_OUTER_MAX;
		enum sa_error status;

		if (!ah_has_room(&b, head))
			finish(mb, &b);
		status = head > AH_SAVED ? SA_ERR_TOO_BIG : wrap(&b, &p[i], now);
		p[i].status = SA_OK;
		if (status == SA_OK)
			b.n++;
		else
			sa_fail(&p[i], status);
	}
	finish(mb, &b);
}
