/* Bursts of packets through Intel IPsec-MB (mb.h): GCM and GMAC are called directly, packet by
 * packet, everything else goes as a burst of jobs (mb_job.c). Worker.
 */
#include "ipsec/mb_parts.h"

#include <rte_malloc.h>
#include <rte_prefetch.h>

#include <immintrin.h>
#include <string.h>
#include <sys/random.h>

struct mb *mb_new(int socket)
{
	struct mb *mb = rte_zmalloc_socket("mb", sizeof(*mb), RTE_CACHE_LINE_SIZE, socket);
	void *memory = rte_zmalloc_socket("mb", imb_get_mb_mgr_size(), RTE_CACHE_LINE_SIZE, socket);

	if (mb == NULL || memory == NULL) {
		rte_free(memory);
		rte_free(mb);
		return NULL;
	}
	mb->mgr = imb_set_pointers_mb_mgr(memory, 0, 1);
	init_mb_mgr_auto(mb->mgr, NULL);
	if (imb_get_errno(mb->mgr) != 0 ||
		getrandom(mb->random_key, sizeof(mb->random_key), 0) != sizeof(mb->random_key)) {
		mb_free(mb);
		return NULL;
	}
	mb->gcm[0][0] = mb->mgr->gcm128_enc;
	mb->gcm[0][1] = mb->mgr->gcm128_dec;
	mb->gcm[1][0] = mb->mgr->gcm192_enc;
	mb->gcm[1][1] = mb->mgr->gcm192_dec;
	mb->gcm[2][0] = mb->mgr->gcm256_enc;
	mb->gcm[2][1] = mb->mgr->gcm256_dec;
	return mb;
}

void mb_free(struct mb *mb)
{
	if (mb == NULL)
		return;
	explicit_bzero(mb->mgr, imb_get_mb_mgr_size());
	rte_free(mb->mgr);
	explicit_bzero(mb, sizeof(*mb));
	rte_free(mb);
}

/* One store, as the library loads it: two would have to reach the cache first. */
static inline void set_nonce(uint8_t to[16], const struct mb_op *op)
{
	uint64_t iv;

	memcpy(&iv, op->iv, 8);
	_mm_store_si128((__m128i *)to, _mm_set_epi64x(iv >> 32, op->sa->salt | iv << 32));
}

/* RFC 4106 section 5: the high half of an ESN stands between the SPI and the low half. */
static inline void set_aad_esn(uint8_t to[16], const uint8_t *esp, uint32_t seq_hi)
{
	uint64_t header, hi = rte_cpu_to_be_32(seq_hi);

	memcpy(&header, esp, 8);
	_mm_store_si128((__m128i *)to, _mm_set_epi64x(header >> 32, (uint32_t)header | hi << 32));
}

static void gcm_one(struct mb *mb, struct mb_op *op)
{
	const struct sa *sa = op->sa;
	bool in = sa->flags & SA_IN, esn = sa->flags & SA_ESN;
	uint8_t nonce[16] __rte_aligned(16), aad[16] __rte_aligned(16), icv[16];

	set_nonce(nonce, op);
	if (esn)
		set_aad_esn(aad, op->aad, op->seq_hi);
	mb->gcm[sa->enc - ENC_AES_GCM_128][in](&mb_key_of(sa)->gcm, &mb->ctx, op->text, op->text,
		op->len, nonce, esn ? aad : op->aad, esn ? 12 : op->aad_len, in ? icv : op->icv,
		sa->icv_len);
	op->status = in && !mb_icv_equal(icv, op->icv, sa->icv_len) ? SA_ERR_INTEGRITY : SA_OK;
}

/* The ICV of a text that GMAC authenticates and nothing encrypts: of a message without plain text.
 */
static void gmac_one(struct mb *mb, struct mb_op *op, unsigned size, uint8_t *from, unsigned len)
{
	const struct sa *sa = op->sa;
	bool in = sa->flags & SA_IN;
	uint8_t nonce[16] __rte_aligned(16), icv[16];

	set_nonce(nonce, op);
	mb->gcm[size][0](&mb_key_of(sa)->gcm, &mb->ctx, from, from, 0, nonce, from, len,
		in ? icv : op->icv, sa->icv_len);
	op->status = in && !mb_icv_equal(icv, op->icv, sa->icv_len) ? SA_ERR_INTEGRITY : SA_OK;
}

/* RFC 4543 section 3: ESP header, IV, text; with ESN the header has 12 bytes, for which the SPI
 * moves forward by 4 while the ICV is computed. */
static void gmac_esp(struct mb *mb, struct mb_op *op)
{
	unsigned len = op->text + op->len - op->aad;
	rte_be32_t hi = rte_cpu_to_be_32(op->seq_hi);
	uint8_t *from = op->aad, saved[8];
	bool esn = op->sa->flags & SA_ESN;

	if (esn) {
		from -= 4;
		len += 4;
		memcpy(saved, from, 8);
		memcpy(from, op->aad, 4);
		memcpy(from + 4, &hi, 4);
	}
	gmac_one(mb, op, op->sa->enc - ENC_AES_GMAC_128, from, len);
	if (esn)
		memcpy(from, saved, 8);
}

/* RFC 4543 section 4; the high half of an ESN behind the packet (RFC 4302 section 2.5.1). */
static void gmac_ah(struct mb *mb, struct mb_op *op)
{
	rte_be32_t hi = rte_cpu_to_be_32(op->seq_hi);
	uint8_t *tail = op->aad + op->aad_len, saved[4];
	unsigned len = op->aad_len;
	bool esn = op->sa->flags & SA_ESN;

	if (esn) {
		memcpy(saved, tail, 4);
		memcpy(tail, &hi, 4);
		len += 4;
	}
	gmac_one(mb, op, op->sa->integ - INTEG_AES_GMAC_128, op->aad, len);
	if (esn)
		memcpy(tail, saved, 4);
}

/* The lines of an expanded key that a text of that length needs: round keys, and as many powers of
 * GCM's hash key as there are blocks, of which the library has the low ones last; or the key of the
 * second algorithm. */
static void prefetch_key(const struct mb_op *op)
{
	const struct sa *sa = op->sa;
	const uint8_t *key = sa->key;
	unsigned at = offsetof(struct mb_key, hmac), end = at + sizeof(struct mb_hmac_key);

	if (sa->integ == INTEG_NONE || sa->integ >= INTEG_AES_GMAC_128) {
		end = sizeof(struct gcm_key_data);
		at = (end - 16 * RTE_MIN((op->len | op->aad_len) / 16u + 3, 48u)) & ~63u;
	} else if (sa->flags & SA_IN && sa->enc <= ENC_AES_CBC_256)
		key += offsetof(struct mb_key, aes.dec) & ~63u;
	for (unsigned i = 0; i < 4; i++)
		rte_prefetch0(key + i * RTE_CACHE_LINE_SIZE);
	for (; at < end; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(sa->key + at);
}

#define AHEAD 3 /* packets: their keys come from memory while others are encrypted */

void mb_crypt(struct mb *mb, struct mb_op op[], unsigned n)
{
	unsigned n_jobs = 0;

	for (unsigned i = 1; i < RTE_MIN(n, AHEAD); i++)
		if (op[i].sa != op[0].sa)
			prefetch_key(&op[i]);
	for (unsigned i = 0; i < n; i++) {
		const struct sa *sa = op[i].sa;

		if (i + AHEAD < n && op[i + AHEAD].sa != sa)
			prefetch_key(&op[i + AHEAD]);
		if (sa->enc >= ENC_AES_GCM_128 && sa->enc <= ENC_AES_GCM_256)
			gcm_one(mb, &op[i]);
		else if (sa->enc >= ENC_AES_GMAC_128 && sa->enc <= ENC_AES_GMAC_256)
			gmac_esp(mb, &op[i]);
		else if (sa->integ >= INTEG_AES_GMAC_128)
			gmac_ah(mb, &op[i]);
		else {
			mb->op[n_jobs++] = &op[i];
			if (n_jobs == MB_JOBS) {
				mb_jobs(mb, mb->op, n_jobs);
				n_jobs = 0;
			}
		}
	}
	if (n_jobs)
		mb_jobs(mb, mb->op, n_jobs);
}

/* The key stream of AES-128 in counter mode; its first 16 bytes are the next key, so that what was
 * given out can't be computed from what is in memory now. */
static void refill(struct mb *mb)
{
	static const uint8_t zero[16];
	IMB_JOB *j = IMB_GET_NEXT_JOB(mb->mgr);

	IMB_AES_KEYEXP_128(mb->mgr, mb->random_key, mb->round_keys[0], mb->round_keys[1]);
	memset(mb->pool, 0, sizeof(mb->pool));
	j->cipher_mode = IMB_CIPHER_CNTR;
	j->hash_alg = IMB_AUTH_NULL;
	j->chain_order = IMB_ORDER_CIPHER_HASH;
	j->cipher_direction = IMB_DIR_ENCRYPT;
	j->enc_keys = mb->round_keys[0];
	j->dec_keys = mb->round_keys[0];
	j->key_len_in_bytes = 16;
	j->src = mb->pool;
	j->dst = mb->pool;
	j->cipher_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = sizeof(mb->pool);
	j->iv = zero;
	j->iv_len_in_bytes = sizeof(zero);
	j = IMB_SUBMIT_JOB_NOCHECK(mb->mgr);
	while (j == NULL)
		j = IMB_FLUSH_JOB(mb->mgr);
	memcpy(mb->random_key, mb->pool, sizeof(mb->random_key));
	memset(mb->pool, 0, sizeof(mb->random_key));
	mb->pool_left = sizeof(mb->pool) - sizeof(mb->random_key);
}

void mb_random(struct mb *mb, uint8_t *to, unsigned n)
{
	while (n) {
		unsigned some;

		if (mb->pool_left == 0)
			refill(mb);
		some = RTE_MIN(n, mb->pool_left);
		memcpy(to, mb->pool + sizeof(mb->pool) - mb->pool_left, some);
		mb->pool_left -= some;
		to += some;
		n -= some;
	}
}
