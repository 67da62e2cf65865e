/* Packets for the bench: SAs with random keys, buffers as far apart as packet buffers. */
#include "crypto.h"

#include "base/random.h"

#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint8_t *memory;

/* IP packets: of frames of 64 and 1,438 bytes; IMIX: frames of 64 x 7, 570 x 4, 1,438 x 1, mixed.
 */
unsigned sample_ip_len(enum size size, unsigned i)
{
	static const uint16_t imix[12] = {46, 552, 46, 46, 1420, 46, 552, 46, 552, 46, 46, 552};

	return size == SIZE_64 ? 46 : size == SIZE_1438 ? 1420 : imix[i % 12];
}

/* ESP: header, IV, IP packet with trailer, ICV, as in tunnel mode. */
static void make_esp(struct mb_op *op, const struct suite *s, uint8_t *at, unsigned len)
{
	op->aad = at;
	op->aad_len = ESP_HDR_LEN;
	op->iv = at + ESP_HDR_LEN;
	op->text = op->iv + s->iv_len;
	op->len = (uint16_t)RTE_ALIGN_CEIL(len + ESP_TRAILER_LEN, s->block);
	op->icv = op->text + op->len;
}

/* AH: outer header, AH with its ICV, IP packet. */
static void make_ah(struct mb_op *op, const struct suite *s, uint8_t *at, unsigned len)
{
	op->aad = at;
	op->aad_len = (uint16_t)(20 + AH_HDR_LEN + s->iv_len + s->icv_len + len);
	op->iv = at + 20 + AH_HDR_LEN;
	op->icv = op->iv + s->iv_len;
}

#define HUGE ((size_t)2 << 20)

/* In huge pages where the kernel has them, as the SAD lies. */
struct sa *sample_sas(unsigned n)
{
	size_t bytes = RTE_ALIGN_CEIL(n * sizeof(struct sa), HUGE);
	struct sa *sa = aligned_alloc(HUGE, bytes);

	if (sa == NULL)
		die("SAs", "out of memory");
	madvise(sa, bytes, MADV_HUGEPAGE);
	memset(sa, 0, bytes);
	return sa;
}

void sample_make(struct sample *s, const struct suite *suite, uint8_t proto, enum size size,
	bool in, unsigned n_sas)
{
	struct random rnd;
	uint8_t key[SUITE_KEY_MAX];

	if (memory == NULL)
		memory = rte_malloc(NULL, (size_t)OPS * BUFFER, 64);
	memset(s, 0, sizeof(*s));
	s->suite = *suite;
	s->n_sas = n_sas;
	s->sa = sample_sas(n_sas);
	if (memory == NULL)
		die("samples", "out of memory");
	random_init(&rnd, 4303);
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)random_next(&rnd);
	for (unsigned i = 0; i < OPS * BUFFER; i += 8)
		*(uint64_t *)(memory + i) = random_next(&rnd);
	s->sa->proto = proto;
	s->sa->flags = (in ? SA_IN : 0) | (suite->aead ? SA_AEAD : 0);
	s->sa->enc = suite->enc;
	s->sa->integ = suite->integ;
	s->sa->iv_len = suite->iv_len;
	s->sa->icv_len = suite->icv_len;
	s->sa->block = suite->block;
	if (mb_expand(s->sa, suite, key) != 0)
		die("keys", "not expanded");
	for (unsigned i = 1; i < n_sas; i++)
		s->sa[i] = s->sa[0];
	for (unsigned i = 0; i < OPS; i++) {
		/* behind headroom, Ethernet and, for ESP, the outer header */
		uint8_t *at = memory + (size_t)i * BUFFER + 128 + 14;
		unsigned len = sample_ip_len(size, i);

		s->bytes += len;
		s->op[i].sa = s->sa;
		if (proto == PROTO_AH)
			make_ah(&s->op[i], suite, at, len);
		else
			make_esp(&s->op[i], suite, at + 20, len);
		if (proto == PROTO_AH && in)
			s->op[i].icv = s->icv[i];
	}
}

void sample_next(struct sample *s)
{
	if (s->n_sas == 1)
		return;
	for (unsigned i = 0; i < OPS; i++) {
		s->next = (s->next + 7919) % s->n_sas;
		s->op[i].sa = &s->sa[s->next];
	}
}

void sample_free(struct sample *s)
{
	free(s->sa);
}
