/* Fuzzes lib/frag: the input is a list of fragments of either family, of packets to be cut, and of
 * moments at which time passes. Whatever it says, no buffer is lost, the table's numbers add up,
 * and what comes out whole is what its header says. libFuzzer, one thread; EAL is started once.
 *
 * Each record: a byte (bits 0-2 what, 3 family) and two bytes length (little endian), then its
 * bytes: a raw packet for the table, a fragment as fields (identification, offset / 8, length,
 * flags), a raw packet to be cut, time and a sweep.
 */
#include "eal.h"
#include "frag/frag.h"

#include <rte_ip.h>
#include <string.h>

#define BUFFERS 1023
#define RECORDS_MAX 400
#define LEN_MAX 2000

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rte_mempool *pool;
static struct frag_table *table;
static uint64_t now;

static void drop(void *arg, struct rte_mbuf *m, enum frag_why why, bool first)
{
	if (why >= FRAG_WHY_N)
		abort();
	rte_pktmbuf_free(m);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	eal_up();
	pool = rte_pktmbuf_pool_create(
		"fuzz", BUFFERS, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	if (pool == NULL)
		abort();
	return 0;
}

static struct rte_mbuf *packet(const void *bytes, unsigned len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m == NULL)
		abort();
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), bytes, len);
	return m;
}

static void check_chain(const struct rte_mbuf *m)
{
	unsigned len = 0, segs = 0;

	for (const struct rte_mbuf *s = m; s; s = s->next, segs++)
		len += s->data_len;
	if (len != m->pkt_len || segs != m->nb_segs)
		abort();
}

static void check_whole(struct rte_mbuf *m, bool six, unsigned merged)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned said = six ? 40 + ((unsigned)p[4] << 8 | p[5]) : (unsigned)p[2] << 8 | p[3];

	check_chain(m);
	/* one alone comes back as it was, whatever its header says */
	if (merged == 0 || (merged > 1 && said != m->pkt_len))
		abort();
	if (merged > 1 && !six && rte_raw_cksum(p, (p[0] & 15u) * 4) != 0xffff)
		abort();
	rte_pktmbuf_free(m);
}

static void add(struct rte_mbuf *m, bool six)
{
	unsigned merged = 0;

	m = (six ? frag6_add : frag4_add)(table, m, 0, now, &merged);
	if (m)
		check_whole(m, six, merged);
}

/* A fragment that is well formed, of few datagrams and places, so that they meet. */
static void add_fields(const uint8_t *d, unsigned len, bool six)
{
	uint8_t p[48 + 2040] = {0};
	unsigned first, n, hdr = six ? 48 : 20;

	if (len < 5)
		return;
	first = d[1] * 8u;
	n = d[2] % 240 * 8u + (d[3] & 7u);
	if (six) {
		p[0] = 0x60;
		p[1] = (uint8_t)(d[4] << 4 & 0x30);
		p[6] = 44;
		p[23] = d[4] >> 6;
		p[40] = 17;
		p[42] = (uint8_t)(first >> 8);
		p[43] = (uint8_t)(first | (d[3] >> 7));
		p[47] = d[0] & 7;
	} else {
		p[0] = 0x45;
		p[1] = d[4] & 3;
		p[2] = (uint8_t)((hdr + n) >> 8);
		p[3] = (uint8_t)(hdr + n);
		p[5] = d[0] & 7;
		p[6] = (uint8_t)(first / 8 >> 8 | (d[3] >> 7 << 5));
		p[7] = (uint8_t)(first / 8);
		p[9] = 17;
		p[15] = d[4] >> 6;
	}
	memset(p + hdr, d[4] >> 4 & 1, n);
	add(packet(p, hdr + n), six);
}

static void cut(struct rte_mbuf *m, bool six, unsigned mtu)
{
	struct rte_mbuf *out[256];
	unsigned len = m->pkt_len;
	int n = six ? frag6_cut(m, mtu, 7, out, 256) : frag4_cut(m, mtu, out, 256);

	if (n < 0) {
		if (m->pkt_len != len)
			abort();
		rte_pktmbuf_free(m);
		return;
	}
	for (int i = 0; i < n; i++) {
		check_chain(out[i]);
		if (out[i]->pkt_len > mtu || out[i]->nb_segs != 1)
			abort();
		if (n > 1)
			add(out[i], six);
		else
			rte_pktmbuf_free(out[i]);
	}
}

static void record(uint8_t how, const uint8_t *d, unsigned len)
{
	const struct frag_limits limits = {
		1 + (len ? d[0] % 8 : 0), (uint16_t)(2 + (len > 1 ? d[1] % 60 : 0)), 1000};
	bool six = how & 8;

	switch (how & 7) {
	case 0:
	case 1:
		add_fields(d, len, six);
		break;
	case 2:
		add(packet(d, len), six);
		break;
	case 3:
		/* longer than its bytes, so that there is something to cut */
		cut(packet(d, len), six, 68 + (unsigned)how / 16 * 100);
		break;
	case 4:
		now += len ? d[0] * 8u : 1;
		break;
	case 5:
		frag_expire(table, now, len ? d[0] : 1);
		break;
	case 6:
		frag_set_limits(table, &limits);
		break;
	default: {
		struct rte_mbuf *m = packet(d, len);

		frag_head(m, len / 2);
		check_chain(m);
		rte_pktmbuf_free(m);
	}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct frag_limits limits = {6, 20, 1000};

	now = 0;
	table = frag_new(16, 100, SOCKET_ID_ANY, drop, NULL);
	if (table == NULL)
		abort();
	frag_set_limits(table, &limits);
	for (unsigned n = 0; size >= 3 && n < RECORDS_MAX; n++) {
		unsigned len = (unsigned)(data[1] | data[2] << 8) % LEN_MAX;
		uint8_t how = data[0];

		data += 3;
		size -= 3;
		len = RTE_MIN(len, (unsigned)size);
		record(how, data, len);
		data += len;
		size -= len;
		if (rte_mempool_avail_count(pool) != BUFFERS - frag_table_stats(table)->fragments ||
			frag_table_stats(table)->waiting > 16)
			abort();
	}
	frag_expire(table, now + 1000, UINT32_MAX);
	if (frag_table_stats(table)->waiting || frag_table_stats(table)->fragments)
		abort();
	frag_free(table);
	if (rte_mempool_avail_count(pool) != BUFFERS)
		abort();
	return 0;
}
