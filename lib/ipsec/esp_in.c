/* ESP inbound (RFC 4303 section 3.4): lengths and window are looked at before the cipher runs over
 * the burst, window, padding and what is inside after it. See esp.h. Worker.
 */
#include "ipsec/esp_parts.h"
#include "ipsec/replay.h"

#include <rte_cycles.h>
#include <rte_prefetch.h>
#include <rte_tcp.h>

/* A packet between the two passes. */
struct pending {
	uint16_t of;
	uint64_t seq;
};

/* In UDP? RFC 7296 section 2.23: an SA takes packets either way, whatever NAT was found. */
static inline bool in_udp(const struct esp_packet *p, const uint8_t *ip)
{
	return ip[p->proto_at] == IPPROTO_UDP;
}

static inline bool headers_ok(const struct esp_packet *p, const uint8_t *ip)
{
	unsigned head = p->l4;

	if (unlikely(p->proto_at >= head))
		return false;
	if (in_udp(p, ip))
		head -= UDP_HDR_LEN;
	return header_ok(ip, p->ip6, head, p->proto_at);
}

/* All that can be judged before the cipher. */
static inline enum sa_error look(
	const struct sa *sa, const struct esp_packet *p, struct mb_op *op, uint64_t *seq)
{
	const struct rte_mbuf *m = p->m;
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *), *esp = ip + p->l4;
	unsigned len = m->data_len, around = ESP_HDR_LEN + (unsigned)sa->iv_len + sa->icv_len, text;
	rte_be32_t low;

	if (unlikely(m->nb_segs != 1))
		return SA_ERR_SEGMENTS;
	if (unlikely(len < p->l4 + around + sa->block || p->l4 < ip_hdr_min(p->ip6) ||
		     !headers_ok(p, ip)))
		return SA_ERR_TRUNCATED;
	text = len - p->l4 - around;
	if (unlikely(text & (sa->block - 1u)))
		return SA_ERR_TRUNCATED;
	if (unlikely(is_fragment(ip, p->ip6)))
		return SA_ERR_MODE;
	if (sa_spent(sa, 0))
		return SA_ERR_LIFETIME;
	memcpy(&low, esp + 4, sizeof(low));
	*seq = replay_seq(sa, rte_be_to_cpu_32(low));
	if (unlikely(!replay_check(sa, *seq)))
		return *seq == 0 ? SA_ERR_SEQUENCE : SA_ERR_REPLAY;

	op->sa = sa;
	op->aad = esp;
	op->aad_len = ESP_HDR_LEN;
	op->len = (uint16_t)text;
	op->iv = esp + ESP_HDR_LEN;
	op->text = op->iv + sa->iv_len;
	op->icv = op->text + text;
	op->seq_hi = (uint32_t)(*seq >> 32);
	return SA_OK;
}

/* RFC 4303 section 2.4: bytes 1, 2, 3, ... */
static inline bool padding_ok(const uint8_t *pad, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (unlikely(pad[i] != i + 1))
			return false;
	}
	return true;
}

/* RFC 3948 section 3.1.2: a NAT has changed addresses that the checksum within knows. Nobody told
 * what they were, so it is made anew: the ICV vouches for the bytes. A UDP checksum of zero stays.
 */
static void mend_checksum(uint8_t *ip, bool ip6, unsigned head, unsigned len, uint8_t proto)
{
	uint8_t *l4 = ip + head;
	rte_be16_t sum = 0;
	unsigned at;

	len -= head;
	if (proto == IPPROTO_TCP && len >= sizeof(struct rte_tcp_hdr))
		at = offsetof(struct rte_tcp_hdr, cksum);
	else if (proto == IPPROTO_UDP && len >= sizeof(struct rte_udp_hdr) && (l4[6] | l4[7]) != 0)
		at = offsetof(struct rte_udp_hdr, dgram_cksum);
	else
		return;
	memcpy(l4 + at, &sum, sizeof(sum));
	if (ip6) {
		sum = (rte_be16_t)~ip6_sum(ip + 8, ip + 24, proto, l4, len);
	} else {
		uint64_t s = (uint64_t)rte_cpu_to_be_16((uint16_t)len) + rte_cpu_to_be_16(proto) +
			     ip4_sum(ip + 12, 8) + ip4_sum(l4, len & ~1u);

		if (len & 1)
			s += l4[len - 1]; /* as if a zero byte followed */
		sum = (rte_be16_t)~ip4_fold(s);
	}
	if (sum == 0 && proto == IPPROTO_UDP)
		sum = UINT16_MAX;
	memcpy(l4 + at, &sum, sizeof(sum));
}

/* Transport mode: the headers in front move up to the payload of len bytes that begins at from. */
static void transport_unwrap(struct esp_packet *p, uint8_t next, unsigned from, unsigned len)
{
	uint8_t *ip = rte_pktmbuf_mtod(p->m, uint8_t *);
	bool udp = in_udp(p, ip);
	unsigned head = p->l4 - (udp ? UDP_HDR_LEN : 0), total = head + len;
	uint8_t *to = ip + from - head;

	memmove(to, ip, head);
	strip(p->m, from - head, total);
	transport_header(to, p->ip6, total, p->proto_at, next);
	p->l4 = (uint16_t)head;
	if (udp)
		mend_checksum(to, p->ip6, head, total, next);
}

/* The peer was heard from somewhere else (RFC 3948 section 4). */
static void follow(struct sa *sa, const struct esp_packet *p, const uint8_t *ip)
{
	struct addr from = {{{0}}};
	rte_be16_t port;
	uint32_t version;

	if (p->ip6) {
		memcpy(from.b, ip + 8, 16);
	} else {
		from.b[10] = from.b[11] = 0xff;
		memcpy(from.b + 12, ip + 12, 4);
	}
	memcpy(&port, ip + p->l4 - UDP_HDR_LEN, sizeof(port));
	if (port == sa->peer_port && addr_equal(&from, &sa->peer))
		return;
	/* pairs with sa_peer in table/sa.h */
	version = atomic_load_explicit(&sa->peer_version, memory_order_relaxed);
	atomic_store_explicit(&sa->peer_version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	sa->peer = from;
	sa->peer_port = port;
	atomic_store_explicit(&sa->peer_version, version + 2, memory_order_release);
}

/* What is left to do when the ICV is right. */
static inline enum sa_error unwrap(
	struct sa *sa, struct esp_packet *p, const struct mb_op *op, uint64_t seq, uint64_t now)
{
	uint8_t *ip = rte_pktmbuf_mtod(p->m, uint8_t *), *end = op->text + op->len;
	unsigned pad = end[-2], from = (unsigned)(op->text - ip), len;
	uint8_t next = end[-1];
	bool newest = seq > sa->seq;

	if (unlikely(!replay_commit(sa, seq)))
		return SA_ERR_REPLAY;
	if (unlikely(sa->follow && newest && in_udp(p, ip)))
		follow(sa, p, ip);
	if (unlikely(pad + ESP_TRAILER_LEN > op->len))
		return SA_ERR_PADDING;
	len = op->len - ESP_TRAILER_LEN - pad;
	if (unlikely(!padding_ok(op->text + len, pad)))
		return SA_ERR_PADDING;
	p->inner = next;
	if (unlikely(next == PROTO_NO_NEXT)) {
		p->dummy = true;
		sa->dummies++;
		return SA_OK;
	}
	if (unlikely(sa->flags & SA_TRANSPORT)) {
		transport_unwrap(p, next, from, len);
		len = p->m->data_len;
	} else {
		enum sa_error status =
			tunnel_inner(sa, p, next, op->text, &len, ip_tos(ip, p->ip6));

		if (unlikely(status != SA_OK))
			return status;
		strip(p->m, from, len);
	}
	if (sa_spent(sa, len))
		return SA_ERR_LIFETIME;
	sa_count(sa, len, now);
	return SA_OK;
}

static void burst(struct mb *mb, struct esp_packet p[], unsigned n)
{
	struct mb_op op[MB_BURST_MAX];
	struct pending pending[MB_BURST_MAX];
	uint64_t now = rte_rdtsc();
	unsigned ops = 0;

	for (unsigned i = 0; i < RTE_MIN(n, (unsigned)PREFETCH_AHEAD); i++)
		prefetch_packet(&p[i]);
	for (unsigned i = 0; i < n; i++) {
		enum sa_error status;

		if (i + PREFETCH_AHEAD < n)
			prefetch_packet(&p[i + PREFETCH_AHEAD]);
		p[i].dummy = false;
		status = look(p[i].sa, &p[i], &op[ops], &pending[ops].seq);
		if (unlikely(status != SA_OK)) {
			sa_fail(&p[i], status);
			continue;
		}
		pending[ops++].of = (uint16_t)i;
	}
	mb_crypt(mb, op, ops);
	for (unsigned i = 0; i < ops; i++) {
		struct esp_packet *q = &p[pending[i].of];
		enum sa_error status = op[i].status;

		if (likely(status == SA_OK))
			status = unwrap(q->sa, q, &op[i], pending[i].seq, now);
		q->status = status;
		if (unlikely(status != SA_OK))
			q->sa->error[status]++;
	}
}

void esp_in_burst(struct mb *mb, struct esp_packet p[], unsigned n)
{
	for (; n > MB_BURST_MAX; p += MB_BURST_MAX, n -= MB_BURST_MAX)
		burst(mb, p, MB_BURST_MAX);
	burst(mb, p, n);
}
