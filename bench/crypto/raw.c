/* The library alone, by each way it offers: direct calls with everything prepared, single jobs, job
 * bursts, and a burst of ciphers followed (or preceded) by one of hashes. Jobs are prepared once
 * and copied. What is not done here and mb_crypt does: nonces, ICVs compared, statuses.
 */
#include "crypto.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <string.h>

const char *const raw_name[RAW_WAYS] = {[RAW_DIRECT] = "direct",
	[RAW_JOB] = "job",
	[RAW_BURST] = "burst",
	[RAW_TWO_BURSTS] = "two"};

struct raw {
	IMB_MGR *mgr;
	IMB_JOB job[OPS];
	IMB_JOB cipher[OPS], hash[OPS];
	struct mb_scratch scratch[OPS];
	uint8_t nonce[OPS][16], icv[OPS][SUITE_ICV_MAX];
	struct gcm_context_data ctx;
	struct chacha20_poly1305_context_data chacha;
};

struct raw *raw_new(void)
{
	struct raw *r = rte_zmalloc(NULL, sizeof(*r), RTE_CACHE_LINE_SIZE);

	if (r == NULL)
		die("raw", "out of memory");
	r->mgr = alloc_mb_mgr(0);
	if (r->mgr == NULL)
		die("IPsec-MB", "no manager");
	init_mb_mgr_auto(r->mgr, NULL);
	return r;
}

void raw_free(struct raw *r)
{
	free_mb_mgr(r->mgr);
	rte_free(r);
}

static bool gcm(const struct sa *sa)
{
	return sa->enc >= ENC_AES_GCM_128 && sa->enc <= ENC_AES_GMAC_256;
}

static bool gmac_ah(const struct sa *sa)
{
	return sa->integ >= INTEG_AES_GMAC_128;
}

static mb_gcm_t gcm_call(const struct raw *r, const struct sa *sa)
{
	bool in = sa->flags & SA_IN;
	unsigned bits =
		gmac_ah(sa) ? sa->integ - INTEG_AES_GMAC_128 : (sa->enc - ENC_AES_GCM_128) % 3;

	if (gmac_ah(sa) || sa->enc >= ENC_AES_GMAC_128)
		in = false;
	if (bits == 0)
		return in ? r->mgr->gcm128_dec : r->mgr->gcm128_enc;
	if (bits == 1)
		return in ? r->mgr->gcm192_dec : r->mgr->gcm192_enc;
	return in ? r->mgr->gcm256_dec : r->mgr->gcm256_enc;
}

/* AES in counter mode and in CBC, and HMAC with SHA: what the cipher and hash bursts accept. */
static bool two_bursts(const struct sa *sa)
{
	return sa->integ >= INTEG_SHA1_96 && sa->integ <= INTEG_SHA512_256 &&
	       ((sa->enc >= ENC_AES_CBC_128 && sa->enc <= ENC_AES_CTR_256) || sa->enc == ENC_NULL ||
		       sa->enc == ENC_NONE);
}

bool raw_prepare(struct raw *r, enum raw_way way, struct sample *s)
{
	bool direct = gcm(s->sa) || gmac_ah(s->sa);

	if (way == RAW_DIRECT && !direct && s->sa->enc != ENC_CHACHA20_POLY1305)
		return false;
	if (way == RAW_TWO_BURSTS && !two_bursts(s->sa))
		return false;
	if (way != RAW_DIRECT && direct)
		return false;
	for (unsigned i = 0; i < OPS; i++) {
		memcpy(r->nonce[i], &s->sa->salt, 4);
		memcpy(r->nonce[i] + 4, s->op[i].iv, 8);
		if (direct)
			continue;
		mb_job_suite(&r->job[i], s->sa);
		if (!mb_job_packet(&r->job[i], &s->op[i], &r->scratch[i]))
			die("raw", "a job can't be prepared");
		r->cipher[i] = r->hash[i] = r->job[i];
	}
	return true;
}

static void run_gcm(struct raw *r, struct sample *s)
{
	const struct gcm_key_data *key = &mb_key_of(s->sa)->gcm;
	bool mac = gmac_ah(s->sa) || s->sa->enc >= ENC_AES_GMAC_128;
	mb_gcm_t call = gcm_call(r, s->sa);

	for (unsigned i = 0; i < OPS; i++) {
		struct mb_op *op = &s->op[i];
		unsigned aad_len = !mac ? 8 : op->text ? 16u + op->len : op->aad_len;

		call(key, &r->ctx, op->text, op->text, mac ? 0 : op->len, r->nonce[i], op->aad,
			aad_len, r->icv[i], s->sa->icv_len);
	}
}

static void run_chacha(struct raw *r, struct sample *s)
{
	const uint8_t *key = mb_key_of(s->sa)->chacha;

	for (unsigned i = 0; i < OPS; i++) {
		struct mb_op *op = &s->op[i];

		IMB_CHACHA20_POLY1305_INIT(r->mgr, key, &r->chacha, r->nonce[i], op->aad, 8);
		if (s->sa->flags & SA_IN) {
			IMB_CHACHA20_POLY1305_DEC_UPDATE(
				r->mgr, key, &r->chacha, op->text, op->text, op->len);
			IMB_CHACHA20_POLY1305_DEC_FINALIZE(r->mgr, &r->chacha, r->icv[i], 16);
		} else {
			IMB_CHACHA20_POLY1305_ENC_UPDATE(
				r->mgr, key, &r->chacha, op->text, op->text, op->len);
			IMB_CHACHA20_POLY1305_ENC_FINALIZE(r->mgr, &r->chacha, r->icv[i], 16);
		}
	}
}

static void run_job(struct raw *r)
{
	for (unsigned i = 0; i < OPS; i++) {
		*IMB_GET_NEXT_JOB(r->mgr) = r->job[i];
		IMB_SUBMIT_JOB_NOCHECK(r->mgr);
		while (IMB_GET_COMPLETED_JOB(r->mgr))
			continue;
	}
}

static void run_burst(struct raw *r)
{
	IMB_JOB *job[OPS];

	while (IMB_GET_NEXT_BURST(r->mgr, OPS, job) < OPS)
		IMB_FLUSH_BURST(r->mgr, OPS, job);
	for (unsigned i = 0; i < OPS; i++)
		*job[i] = r->job[i];
	IMB_SUBMIT_BURST_NOCHECK(r->mgr, OPS, job);
}

static void run_two(struct raw *r, struct sample *s)
{
	const IMB_JOB *j = &r->job[0];
	bool in = s->sa->flags & SA_IN;

	if (in)
		IMB_SUBMIT_HASH_BURST_NOCHECK(r->mgr, r->hash, OPS, j->hash_alg);
	if (j->cipher_mode != IMB_CIPHER_NULL)
		IMB_SUBMIT_CIPHER_BURST_NOCHECK(r->mgr, r->cipher, OPS, j->cipher_mode,
			j->cipher_direction, (IMB_KEY_SIZE_BYTES)j->key_len_in_bytes);
	if (!in)
		IMB_SUBMIT_HASH_BURST_NOCHECK(r->mgr, r->hash, OPS, j->hash_alg);
}

uint64_t raw_run(struct raw *r, enum raw_way way, struct sample *s, unsigned passes)
{
	uint64_t start = rte_rdtsc(), end;

	for (unsigned p = 0; p < passes; p++) {
		if (way == RAW_JOB)
			run_job(r);
		else if (way == RAW_BURST)
			run_burst(r);
		else if (way == RAW_TWO_BURSTS)
			run_two(r, s);
		else if (s->sa->enc == ENC_CHACHA20_POLY1305)
			run_chacha(r, s);
		else
			run_gcm(r, s);
	}
	end = rte_rdtsc();
	while (IMB_FLUSH_JOB(r->mgr))
		continue;
	return end - start;
}
