/* AH inbound (RFC 4302 section 3.4). See ah.h. Worker. */
#include "ipsec/esp_parts.h"

#include "ipsec/ah_parts.h"
#include "ipsec/replay.h"

#include <rte_cycles.h>

/* Section 2.6 permits padding up to what the family asks for; Linux pads to 8 bytes in IPv4 too,
 * unless it is told otherwise. */
static bool length_ok(const struct sa *sa, bool ip6, unsigned len)
{
	return len == ah_len(sa, ip6) || len == ah_len(sa, true);
}

/* Puts the packet next into the batch, its ICV aside and its header muted. */
static enum sa_error look(struct ah_batch *b, struct esp_packet *p)
{
	const struct sa *sa = p->sa;
	const struct rte_mbuf *m = p->m;
	struct mb_op *op = &b->op[b->n];
	unsigned len = m->data_len, head = p->l4, all, tail = sa->flags & SA_ESN ? 4 : 0;
	unsigned check = (unsigned)sa->iv_len + sa->icv_len;
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *), *ah = ip + head;
	rte_be32_t low;
	uint64_t seq;

	if (m->nb_segs != 1)
		return SA_ERR_SEGMENTS;
	if (len < head + AH_HDR_LEN || head < ip_hdr_min(p->ip6) ||
		!header_ok(ip, p->ip6, head, p->proto_at))
		return SA_ERR_TRUNCATED;
	all = (ah[offsetof(struct ah_hdr, len)] + 2u) * 4;
	if (!length_ok(sa, p->ip6, all) || head + all > len)
		return SA_ERR_TRUNCATED;
	if (is_fragment(ip, p->ip6))
		return SA_ERR_MODE;
	if (m->data_off + len + tail > m->buf_len)
		return SA_ERR_TOO_BIG;
	if (sa_spent(sa, 0))
		return SA_ERR_LIFETIME;
	memcpy(&low, ah + offsetof(struct ah_hdr, seq), sizeof(low));
	seq = replay_seq(sa, rte_be_to_cpu_32(low));
	if (!replay_check(sa, seq))
		return seq == 0 ? SA_ERR_SEQUENCE : SA_ERR_REPLAY;

	ah_save(b, ip, head);
	b->of[b->n].p = p;
	b->of[b->n].seq = seq;
	b->of[b->n].ah_len = (uint8_t)all;
	memcpy(b->of[b->n].iv_icv, ah + AH_HDR_LEN, check);
	if (!ah_mute(ip, p->ip6, head, false)) {
		memcpy(ip, ah_saved(b, b->n), head);
		return SA_ERR_TRUNCATED;
	}
	memset(ah + AH_HDR_LEN, 0, check);
	op->sa = sa;
	op->aad = ip;
	op->aad_len = (uint16_t)len;
	op->iv = b->of[b->n].iv_icv;
	op->icv = op->iv + sa->iv_len;
	op->seq_hi = (uint32_t)(seq >> 32);
	return SA_OK;
}

/* What is left to do when the ICV is right; the packet is as it came but for IV and ICV. */
static enum sa_error unwrap(struct ah_batch *b, unsigned i, uint64_t now)
{
	struct esp_packet *p = b->of[i].p;
	struct sa *sa = p->sa;
	uint8_t *ip = b->op[i].aad, *ah = ip + p->l4;
	unsigned all = b->of[i].ah_len, from = p->l4 + all, len = p->m->data_len - from;
	uint8_t next = ah[0];

	if (!replay_commit(sa, b->of[i].seq))
		return SA_ERR_REPLAY;
	p->inner = next;
	if (sa->flags & SA_TRANSPORT) {
		len += p->l4;
		memmove(ip + all, ip, p->l4);
		strip(p->m, all, len);
		transport_header(ip + all, p->ip6, len, p->proto_at, next);
	} else {
		enum sa_error status =
			tunnel_inner(sa, p, next, ip + from, &len, ip_tos(ip, p->ip6));

		if (status != SA_OK)
			return status;
		strip(p->m, from, len);
	}
	if (sa_spent(sa, len))
		return SA_ERR_LIFETIME;
	sa_count(sa, len, now);
	return SA_OK;
}

static void finish(struct mb *mb, struct ah_batch *b, uint64_t now)
{
	mb_crypt(mb, b->op, b->n);
	for (unsigned i = 0; i < b->n; i++) {
		struct mb_op *op = &b->op[i];
		struct esp_packet *p = b->of[i].p;
		enum sa_error status = op->status;

		/* also for those who look at what was dropped */
		memcpy(op->aad, ah_saved(b, i), b->of[i].head);
		memcpy(op->aad + p->l4 + AH_HDR_LEN, b->of[i].iv_icv,
			(size_t)op->sa->iv_len + op->sa->icv_len);
		if (status == SA_OK)
			status = unwrap(b, i, now);
		p->status = status;
		if (status != SA_OK)
			p->sa->error[status]++;
	}
	b->n = b->saved_len = 0;
}

void ah_in_burst(struct mb *mb, struct esp_packet p[], unsigned n)
{
	struct ah_batch b;
	uint64_t now = rte_rdtsc();

	b.n = b.saved_len = 0;
	for (unsigned i = 0; i < n; i++) {
		enum sa_error status;

		if (!ah_has_room(&b, p[i].l4))
			finish(mb, &b, now);
		p[i].dummy = false;
		status = p[i].l4 > AH_SAVED ? SA_ERR_TOO_BIG : look(&b, &p[i]);
		if (status == SA_OK)
			b.n++;
		else
			sa_fail(&p[i], status);
	}
	finish(mb, &b, now);
}
