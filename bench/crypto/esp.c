/* What esp_out, esp_in, ah_out and ah_in cost as a whole, in tunnel mode: packets are made anew
 * before each burst, outside what is measured, and inbound ones have rising sequence numbers.
 */
#include "crypto.h"

#include "base/random.h"
#include "ipsec/ah.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WINDOW 64

struct esp {
	struct rte_mempool *pool;
	struct esp_packet p[OPS];
	struct sa *out, *in; /* n_sas pairs */
	uint64_t *bitmap;
	unsigned n_sas, next, of[OPS];
	enum size size;
	bool inbound, ah;
};

struct esp *esp_new(void)
{
	struct esp *e = calloc(1, sizeof(*e));

	if (e == NULL)
		die("packets", "out of memory");
	e->pool = rte_pktmbuf_pool_create(
		"packets", 2047, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	for (unsigned i = 0; i < OPS; i++) {
		e->p[i].m = e->pool ? rte_pktmbuf_alloc(e->pool) : NULL;
		if (e->p[i].m == NULL)
			die("packets", "out of memory");
	}
	return e;
}

void esp_free(struct esp *e)
{
	rte_mempool_free(e->pool);
	free(e);
}

static void init_sa(struct sa *sa, const struct sample *s, bool in)
{
	const struct tunnel t = {.flags = s->sa->proto == PROTO_AH ? TUNNEL_AH : TUNNEL_ESP,
		.local = addr_of4(0x0a000001),
		.remote = addr_of4(0x0a000002),
		.ttl = 64,
		.ecn = true,
		.dscp_copy = true};

	*sa = *s->sa;
	sa->flags = (sa->flags & ~SA_IN) | (in ? SA_IN : 0);
	sa->spi = RTE_BE32(4303);
	sa->hard_packets = sa->hard_bytes = UINT64_MAX;
	sa_template(sa, &t);
}

void esp_make(struct esp *e, const struct sample *s, enum size size)
{
	unsigned words = sa_window_words(WINDOW);

	e->n_sas = s->n_sas;
	e->size = size;
	e->next = 0;
	e->inbound = s->sa->flags & SA_IN;
	e->ah = s->sa->proto == PROTO_AH;
	e->out = sample_sas(e->n_sas);
	e->in = sample_sas(e->n_sas);
	e->bitmap = calloc(e->n_sas, words * sizeof(uint64_t));
	if (e->bitmap == NULL)
		die("SAs", "out of memory");
	for (unsigned i = 0; i < e->n_sas; i++) {
		init_sa(&e->out[i], s, false);
		init_sa(&e->in[i], s, true);
		e->in[i].window = WINDOW;
		e->in[i].bitmap = e->bitmap + (size_t)i * words;
	}
}

void esp_drop(struct esp *e)
{
	free(e->out);
	free(e->in);
	free(e->bitmap);
}

/* IPv4 packets of the given size, each of the next SA. */
static void fresh(struct esp *e)
{
	for (unsigned i = 0; i < OPS; i++) {
		struct esp_packet *p = &e->p[i];
		unsigned len = sample_ip_len(e->size, i);
		uint8_t *ip;

		e->next = (e->next + 7919) % e->n_sas;
		e->of[i] = e->next;
		rte_pktmbuf_reset(p->m);
		p->m->data_off += 14;
		p->m->data_len = (uint16_t)len;
		p->m->pkt_len = len;
		ip = rte_pktmbuf_mtod(p->m, uint8_t *);
		memset(ip, 0, 20);
		ip[0] = 0x45;
		ip[2] = (uint8_t)(len >> 8);
		ip[3] = (uint8_t)len;
		ip[8] = 64;
		ip[9] = 17;
		p->sa = &e->out[e->next];
		p->ip6 = false;
		p->l4 = 0;
	}
}

static void check(const struct esp *e)
{
	for (unsigned i = 0; i < OPS; i++)
		if (e->p[i].status != SA_OK)
			die(e->ah ? "ah" : "esp", "a packet was refused");
}

static void protect(struct esp *e, struct mb *mb, unsigned burst)
{
	for (unsigned i = 0; i < OPS; i += burst)
		(e->ah ? ah_out_burst : esp_out_burst)(mb, e->p + i, RTE_MIN(burst, OPS - i));
}

uint64_t esp_run(struct esp *e, struct mb *mb, unsigned passes, unsigned burst)
{
	uint64_t cycles = 0, start;

	for (unsigned pass = 0; pass < passes; pass++) {
		fresh(e);
		start = rte_rdtsc();
		protect(e, mb, burst);
		if (e->inbound) {
			check(e);
			for (unsigned i = 0; i < OPS; i++)
				e->p[i].sa = &e->in[e->of[i]];
			start = rte_rdtsc();
			for (unsigned i = 0; i < OPS; i += burst)
				(e->ah ? ah_in_burst : esp_in_burst)(
					mb, e->p + i, RTE_MIN(burst, OPS - i));
		}
		cycles += rte_rdtsc() - start;
		check(e);
	}
	return cycles;
}
