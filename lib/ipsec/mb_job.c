/* What goes through the library's job manager: CBC, CTR, NULL, DES and 3DES with their integrity
 * algorithms, AH, CCM and ChaCha20-Poly1305. Jobs of a burst are submitted together, so that the
 * lanes of multi-buffer algorithms fill, and then flushed. Called by mb_crypt, worker.
 */
#include "ipsec/mb_parts.h"

#include <rte_branch_prediction.h>
#include <string.h>

#define LEN_MAX                                                                          \
	65534 /* lengths of lanes have 16 bits, and the highest one means something else \
	       */

/* Nonce of counter modes: salt and IV of the packet, and the counter's first value. */
static void set_nonce(struct mb_scratch *x, const struct mb_op *op)
{
	memcpy(x->iv, &op->sa->salt, 4);
	memcpy(x->iv + 4, op->iv, 8);
}

/* ESP header as it is authenticated (RFC 4106 section 5, RFC 4309 section 5, RFC 7634 section 2.1):
 * with ESN the high half stands between the SPI and the low half. */
static const uint8_t *aad_of(struct mb_scratch *x, const struct mb_op *op, uint64_t *len)
{
	rte_be32_t hi = rte_cpu_to_be_32(op->seq_hi);

	*len = op->aad_len;
	if (!(op->sa->flags & SA_ESN))
		return op->aad;
	*len = ESP_HDR_LEN + sizeof(hi);
	memcpy(x->aad, op->aad, 4);
	memcpy(x->aad + 4, &hi, 4);
	memcpy(x->aad + 8, op->aad + 4, 4);
	return x->aad;
}

/* ChaCha20-Poly1305 and CCM have a MAC of their own. */
static inline bool combined(const struct sa *sa)
{
	return sa->enc >= ENC_AES_CCM_128 && sa->enc <= ENC_CHACHA20_POLY1305;
}

static void set_cipher(IMB_JOB *j, IMB_CIPHER_MODE mode, const void *enc, const void *dec,
	unsigned key_len, const uint8_t *iv, unsigned iv_len)
{
	j->cipher_mode = mode;
	j->enc_keys = enc;
	j->dec_keys = dec;
	j->key_len_in_bytes = key_len;
	j->iv = iv;
	j->iv_len_in_bytes = iv_len;
}

static void set_enc(IMB_JOB *j, const struct mb_op *op, struct mb_scratch *x)
{
	const struct mb_key *k = mb_key_of(op->sa);
	unsigned enc = op->sa->enc;

	switch (enc) {
	case ENC_AES_CBC_128:
	case ENC_AES_CBC_192:
	case ENC_AES_CBC_256:
		set_cipher(j, IMB_CIPHER_CBC, k->aes.enc, k->aes.dec,
			16 + 8 * (enc - ENC_AES_CBC_128), op->iv, 16);
		break;
	case ENC_AES_CTR_128:
	case ENC_AES_CTR_192:
	case ENC_AES_CTR_256: /* RFC 3686 section 4: the counter begins with 1 */
		set_nonce(x, op);
		memcpy(x->iv + 12, &(rte_be32_t){RTE_BE32(1)}, 4);
		set_cipher(j, IMB_CIPHER_CNTR, k->aes.enc, k->aes.enc,
			16 + 8 * (enc - ENC_AES_CTR_128), x->iv, 16);
		break;
	case ENC_3DES_CBC:
		for (unsigned i = 0; i < 3; i++)
			x->des[i] = k->des[i];
		set_cipher(j, IMB_CIPHER_DES3, x->des, x->des, 24, op->iv, 8);
		break;
	case ENC_DES_CBC:
		set_cipher(j, IMB_CIPHER_DES, k->des[0], k->des[0], 8, op->iv, 8);
		break;
	default: /* NULL, AH */
		set_cipher(j, IMB_CIPHER_NULL, NULL, NULL, 16, NULL, 0);
	}
}

static void set_hmac(IMB_JOB *j, const struct mb_key *k, IMB_HASH_ALG hash)
{
	j->hash_alg = hash;
	j->u.HMAC._hashed_auth_key_xor_ipad = k->hmac.inner;
	j->u.HMAC._hashed_auth_key_xor_opad = k->hmac.outer;
}

static void set_integ(IMB_JOB *j, const struct sa *sa)
{
	const struct mb_key *k = mb_key_of(sa);

	switch (sa->integ) {
	case INTEG_SHA1_96:
		set_hmac(j, k, IMB_AUTH_HMAC_SHA_1);
		break;
	case INTEG_SHA256_128:
		set_hmac(j, k, IMB_AUTH_HMAC_SHA_256);
		break;
	case INTEG_SHA384_192:
		set_hmac(j, k, IMB_AUTH_HMAC_SHA_384);
		break;
	case INTEG_SHA512_256:
		set_hmac(j, k, IMB_AUTH_HMAC_SHA_512);
		break;
	case INTEG_MD5_96:
		set_hmac(j, k, IMB_AUTH_MD5);
		break;
	case INTEG_AES_XCBC_96:
		j->hash_alg = IMB_AUTH_AES_XCBC;
		j->u.XCBC._k1_expanded = (const uint32_t *)k->mac.k1;
		j->u.XCBC._k2 = k->mac.k2;
		j->u.XCBC._k3 = k->mac.k3;
		break;
	case INTEG_AES_CMAC_96:
		j->hash_alg = IMB_AUTH_AES_CMAC;
		j->u.CMAC._key_expanded = k->mac.k1;
		j->u.CMAC._skey1 = k->mac.k2;
		j->u.CMAC._skey2 = k->mac.k3;
		break;
	}
}

/* Where the high half of an ESN is authenticated: behind everything (RFC 4303 section 2.2.1, RFC
 * 4302 section 2.5.1). */
static uint8_t *tail_of(const struct mb_op *op)
{
	return op->sa->proto == PROTO_AH ? op->aad + op->aad_len : op->text + op->len;
}

/* An encryption (or none) and an integrity algorithm. */
static bool set_two(IMB_JOB *j, struct mb_op *op, struct mb_scratch *x)
{
	const struct sa *sa = op->sa;
	bool in = sa->flags & SA_IN;
	uint8_t *tail = tail_of(op);
	unsigned len = tail - op->aad;

	if (sa->flags & SA_ESN) {
		rte_be32_t hi = rte_cpu_to_be_32(op->seq_hi);

		memcpy(x->saved, tail, 4);
		memcpy(tail, &hi, 4);
		len += 4;
	}
	if (unlikely(len > LEN_MAX || (op->len == 0 && sa->proto == PROTO_ESP)))
		return false;
	set_enc(j, op, x);
	set_integ(j, sa);
	j->chain_order = in ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
	j->src = op->aad;
	j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_hash_in_bytes = len;
	if (j->cipher_mode == IMB_CIPHER_NULL) {
		j->dst = op->aad;
		j->cipher_start_src_offset_in_bytes = 0;
		j->msg_len_to_cipher_in_bytes = 0;
	} else {
		j->dst = op->text;
		j->cipher_start_src_offset_in_bytes = op->text - op->aad;
		j->msg_len_to_cipher_in_bytes = op->len;
	}
	return true;
}

static bool set_chacha(IMB_JOB *j, struct mb_op *op, struct mb_scratch *x)
{
	const uint8_t *key = mb_key_of(op->sa)->chacha;

	set_nonce(x, op);
	set_cipher(j, IMB_CIPHER_CHACHA20_POLY1305, key, key, 32, x->iv, 12);
	j->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	j->u.CHACHA20_POLY1305.aad = aad_of(x, op, &j->u.CHACHA20_POLY1305.aad_len_in_bytes);
	j->chain_order = op->sa->flags & SA_IN ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
	return true;
}

static bool set_ccm(IMB_JOB *j, struct mb_op *op, struct mb_scratch *x)
{
	const struct mb_key *k = mb_key_of(op->sa);

	memcpy(x->iv, &op->sa->salt, 3); /* RFC 4309 section 4: 3 bytes of salt, 8 of IV */
	memcpy(x->iv + 3, op->iv, 8);
	set_cipher(j, IMB_CIPHER_CCM, k->aes.enc, k->aes.enc,
		op->sa->enc == ENC_AES_CCM_128 ? 16 : 32, x->iv, 11);
	j->hash_alg = IMB_AUTH_AES_CCM;
	j->u.CCM.aad = aad_of(x, op, &j->u.CCM.aad_len_in_bytes);
	/* the plain text is authenticated */
	j->chain_order = op->sa->flags & SA_IN ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	return op->len <= LEN_MAX;
}

static bool set_job(IMB_JOB *j, struct mb_op *op, struct mb_scratch *x)
{
	const struct sa *sa = op->sa;
	bool in = sa->flags & SA_IN;

	j->user_data = op;
	j->user_data2 = x;
	j->cipher_direction = in ? IMB_DIR_DECRYPT : IMB_DIR_ENCRYPT;
	j->auth_tag_output = in ? x->icv : op->icv;
	j->auth_tag_output_len_in_bytes = sa->icv_len;
	if (!combined(sa))
		return set_two(j, op, x);
	j->src = op->text;
	j->dst = op->text;
	j->cipher_start_src_offset_in_bytes = 0;
	j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = op->len;
	j->msg_len_to_hash_in_bytes = op->len;
	return sa->enc == ENC_CHACHA20_POLY1305 ? set_chacha(j, op, x) : set_ccm(j, op, x);
}

static void finish(const IMB_JOB *j)
{
	struct mb_op *op = j->user_data;
	const struct mb_scratch *x = j->user_data2;
	const struct sa *sa = op->sa;

	op->status = j->status == IMB_STATUS_COMPLETED ? SA_OK : SA_ERR_INTEGRITY;
	/* outbound ESP has its ICV there */
	if (sa->flags & SA_ESN && !combined(sa) && (sa->flags & SA_IN || sa->proto == PROTO_AH))
		memcpy(tail_of(op), x->saved, 4);
	if (sa->flags & SA_IN && !mb_icv_equal(x->icv, op->icv, sa->icv_len))
		op->status = SA_ERR_INTEGRITY;
}

void mb_jobs(struct mb *mb, struct mb_op *op[], unsigned n)
{
	IMB_JOB *job[MB_JOBS];
	unsigned n_jobs = 0, done;

	/* nothing is in the manager between two calls, so there is room for all of them */
	n = IMB_GET_NEXT_BURST(mb->mgr, n, job);
	for (unsigned i = 0; i < n; i++) {
		if (likely(set_job(job[n_jobs], op[i], &mb->scratch[n_jobs])))
			n_jobs++;
		else
			op[i]->status = SA_ERR_INTEGRITY;
	}
	done = n_jobs ? IMB_SUBMIT_BURST_NOCHECK(mb->mgr, n_jobs, job) : 0;
	for (unsigned i = 0; i < done; i++)
		finish(job[i]);
	while (done < n_jobs) {
		unsigned more = IMB_FLUSH_BURST(mb->mgr, n_jobs - done, job);

		for (unsigned i = 0; i < more; i++)
			finish(job[i]);
		done += more;
	}
}
