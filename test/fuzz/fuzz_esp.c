/* Fuzzes lib/ipsec: arbitrary bytes to esp_in and ah_in, as they are and with the right ICV for
 * whatever they say, and to esp_out and ah_out. No byte beyond the packet is touched (it lies in
 * memory of its own), what fails has its length, and what comes out is within its buffer.
 * libFuzzer, one thread; EAL is started once.
 *
 * Input: what, suite, flags of the SA, length of the headers in front, offset of the protocol, then
 * the packet.
 */
#include "eal.h"
#include "ipsec/ah.h"
#include "ipsec/ah_parts.h"

#include <rte_malloc.h>

#define LEN_MAX 2000
#define ROOM_OUT 200 /* in front of and behind what goes out */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum what { ESP_RAW, ESP_SEALED, AH_RAW, AH_SEALED, ESP_OUT, AH_OUT, WHATS };

static struct rte_mempool *pool;
static struct mb *mb;
static struct sa *sa_in, *sa_out;
static uint64_t bitmap[SA_WINDOW_MAX / 32];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	eal_up();
	pool = rte_pktmbuf_pool_create("fuzz", 15, 0, 0, 256, SOCKET_ID_ANY);
	mb = mb_new(SOCKET_ID_ANY);
	sa_in = rte_zmalloc("sa", sizeof(*sa_in), RTE_CACHE_LINE_SIZE);
	sa_out = rte_zmalloc("sa", sizeof(*sa_out), RTE_CACHE_LINE_SIZE);
	if (pool == NULL || mb == NULL || sa_in == NULL || sa_out == NULL)
		abort();
	return 0;
}

/* flags: bits 0 transport, 1 UDP, 2 ESN, 3 IPv6 outside, 4 follow, 5 no window, 6 ECN */
static void make_sa(struct sa *sa, const struct suite *s, uint8_t proto, uint8_t flags, bool in)
{
	struct tunnel t = {.flags = TUNNEL_UP,
		.ttl = 64,
		.dscp_copy = flags >> 7,
		.ecn = flags >> 6 & 1,
		.local = addr_of4(0x0a000001),
		.remote = addr_of4(0x0a000002)};
	uint8_t key[SUITE_KEY_MAX];

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 1);
	if (flags & 1)
		t.flags |= TUNNEL_TRANSPORT;
	if (flags & 2)
		t.flags |= TUNNEL_ENCAP;
	if (flags & 16)
		t.flags |= TUNNEL_FOLLOW;
	if (flags & 8)
		memset(t.local.b, 0x20, 16), memset(t.remote.b, 0x21, 16);
	memset(sa, 0, sizeof(*sa));
	sa->spi = RTE_BE32(0x1000);
	sa->proto = proto;
	sa->flags = (in ? SA_IN : 0) | (flags & 4 ? SA_ESN : 0) | (s->aead ? SA_AEAD : 0);
	sa->enc = s->enc;
	sa->integ = s->integ;
	sa->iv_len = s->iv_len;
	sa->icv_len = s->icv_len;
	sa->block = s->block;
	sa->hard_packets = sa->hard_bytes = UINT64_MAX;
	sa->window = in && !(flags & 32) ? 64 : 0;
	sa->bitmap = bitmap;
	sa_template(sa, &t);
	sa->iv_base = 0;
	if (mb_expand(sa, s, key) < 0)
		abort();
}

/* The bytes become an ESP packet with the right ICV: those behind IV are its plain text. */
static void seal_esp(uint8_t *p, unsigned l4, unsigned len)
{
	struct mb_op op = {.sa = sa_out, .aad = p + l4, .aad_len = 8, .iv = p + l4 + 8};
	unsigned around = l4 + 8 + sa_out->iv_len + sa_out->icv_len;

	if (l4 < 20 || len < around + sa_out->block || (len - around) % sa_out->block)
		return;
	op.text = op.iv + sa_out->iv_len;
	op.len = (uint16_t)(len - around);
	op.icv = op.text + op.len;
	op.seq_hi = 0;
	mb_crypt(mb, &op, 1);
}

/* The same for AH, over a copy whose headers are muted. */
static void seal_ah(uint8_t *p, bool ip6, unsigned l4, unsigned len)
{
	unsigned all = ah_len(sa_out, ip6), icv_at = l4 + 12 + sa_out->iv_len;
	uint8_t copy[LEN_MAX + 4], icv[SUITE_ICV_MAX];
	struct mb_op op = {.sa = sa_out, .aad = copy, .aad_len = (uint16_t)len};

	if (l4 < (ip6 ? 40u : 20u) || len < l4 + all)
		return;
	p[l4 + 1] = (uint8_t)(all / 4 - 2);
	memcpy(copy, p, len);
	memset(copy + l4 + 12, 0, (size_t)sa_out->iv_len + sa_out->icv_len);
	if (!ah_mute(copy, ip6, l4, false))
		return;
	op.iv = p + l4 + 12;
	op.icv = icv;
	mb_crypt(mb, &op, 1);
	memcpy(p + icv_at, icv, sa_out->icv_len);
}

static void check(const struct esp_packet *p, bool in)
{
	const struct rte_mbuf *m = p->m;

	if (p->status >= SA_ERRORS || m->pkt_len != m->data_len ||
		m->data_off + m->data_len > m->buf_len)
		abort();
	if (p->status != SA_OK || p->dummy)
		return;
	if (m->data_len < (p->ip6 ? 40 : 20))
		abort();
	/* what a tunnel brought is what it was said to be */
	if (in && !(p->sa->flags & SA_TRANSPORT) &&
		rte_pktmbuf_mtod(m, const uint8_t *)[0] >> 4 != (p->ip6 ? 6 : 4))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct esp_packet p = {0};
	unsigned what, len, room, tail;
	struct suite s;
	uint8_t proto, *memory;
	bool out;

	if (size < 5 || size > LEN_MAX + 5)
		return 0;
	what = data[0] % WHATS;
	out = what >= ESP_OUT;
	proto = what == AH_RAW || what == AH_SEALED || what == AH_OUT ? PROTO_AH : PROTO_ESP;
	if (!suite_nth(proto, data[1], &s))
		return 0;
	memset(bitmap, 0, sizeof(bitmap));
	make_sa(sa_out, &s, proto, data[2], false);
	make_sa(sa_in, &s, proto, data[2], true);
	len = (unsigned)size - 5;
	room = out ? ROOM_OUT : 0;
	tail = out ? ROOM_OUT : proto == PROTO_AH && data[2] & 4 ? 4 : 0; /* ah.h */
	p.m = rte_pktmbuf_alloc(pool);
	memory = malloc(room + len + tail);
	if (memory == NULL || p.m == NULL)
		abort();
	if (len)
		memcpy(memory + room, data + 5, len);
	p.sa = out ? sa_out : sa_in;
	p.l4 = data[3];
	p.proto_at = data[4];
	p.ip6 = len && memory[room] >> 4 == 6;
	if (what == ESP_SEALED)
		seal_esp(memory, p.l4, len);
	else if (what == AH_SEALED)
		seal_ah(memory, p.ip6, p.l4, len);

	void *own = p.m->buf_addr;
	uint16_t own_len = p.m->buf_len;

	p.m->buf_addr = memory;
	p.m->buf_len = (uint16_t)(room + len + tail);
	p.m->data_off = (uint16_t)room;
	p.m->data_len = (uint16_t)len;
	p.m->pkt_len = len;
	if (what == ESP_OUT)
		esp_out_burst(mb, &p, 1);
	else if (what == AH_OUT)
		ah_out_burst(mb, &p, 1);
	else if (proto == PROTO_AH)
		ah_in_burst(mb, &p, 1);
	else
		esp_in_burst(mb, &p, 1);
	check(&p, !out);
	if (p.status != SA_OK && p.m->data_len != len)
		abort();
	p.m->buf_addr = own;
	p.m->buf_len = own_len;
	rte_pktmbuf_reset(p.m);
	rte_pktmbuf_free(p.m);
	free(memory);
	return 0;
}
