/* One packet as one job of the library: what its suite asks for, what the packet itself, and what
 * there is to do when it is done. Called by mb_job.c, and by bench/crypto for the bare library.
 * Worker.
 */
#include "ipsec/mb_parts.h"

#include <rte_branch_prediction.h>
#include <string.h>

/* lengths of lanes have 16 bits, and the highest one means something else */
#define LEN_MAX 65534

/* ChaCha20-Poly1305 and CCM have a MAC of their own. */
static inline bool combined(const struct sa *sa)
{
	return sa->enc >= ENC_AES_CCM_128 && sa->enc <= ENC_CHACHA20_POLY1305;
}

static void set_cipher(IMB_JOB *j, IMB_CIPHER_MODE mode, unsigned key_len, unsigned iv_len)
{
	j->cipher_mode = mode;
	j->key_len_in_bytes = key_len;
	j->iv_len_in_bytes = iv_len;
}

static void suite_enc(IMB_JOB *j, unsigned enc)
{
	switch (enc) {
	case ENC_AES_CBC_128:
	case ENC_AES_CBC_192:
	case ENC_AES_CBC_256:
		set_cipher(j, IMB_CIPHER_CBC, 16 + 8 * (enc - ENC_AES_CBC_128), 16);
		break;
	case ENC_AES_CTR_128:
	case ENC_AES_CTR_192:
	case ENC_AES_CTR_256:
		set_cipher(j, IMB_CIPHER_CNTR, 16 + 8 * (enc - ENC_AES_CTR_128), 16);
		break;
	case ENC_AES_CCM_128:
	case ENC_AES_CCM_256:
		set_cipher(j, IMB_CIPHER_CCM, enc == ENC_AES_CCM_128 ? 16 : 32, 11);
		break;
	case ENC_CHACHA20_POLY1305:
		set_cipher(j, IMB_CIPHER_CHACHA20_POLY1305, 32, 12);
		break;
	case ENC_3DES_CBC:
		set_cipher(j, IMB_CIPHER_DES3, 24, 8);
		break;
	case ENC_DES_CBC:
		set_cipher(j, IMB_CIPHER_DES, 8, 8);
		break;
	default: /* NULL, AH */
		set_cipher(j, IMB_CIPHER_NULL, 16, 0);
	}
}

static IMB_HASH_ALG hash_of(const struct sa *sa)
{
	static const IMB_HASH_ALG hash[INTEG_N] = {[INTEG_SHA1_96] = IMB_AUTH_HMAC_SHA_1,
		[INTEG_SHA256_128] = IMB_AUTH_HMAC_SHA_256,
		[INTEG_SHA384_192] = IMB_AUTH_HMAC_SHA_384,
		[INTEG_SHA512_256] = IMB_AUTH_HMAC_SHA_512,
		[INTEG_MD5_96] = IMB_AUTH_MD5,
		[INTEG_AES_XCBC_96] = IMB_AUTH_AES_XCBC,
		[INTEG_AES_CMAC_96] = IMB_AUTH_AES_CMAC};

	if (sa->enc == ENC_CHACHA20_POLY1305)
		return IMB_AUTH_CHACHA20_POLY1305;
	return combined(sa) ? IMB_AUTH_AES_CCM : hash[sa->integ];
}

void mb_job_suite(IMB_JOB *j, const struct sa *sa)
{
	bool in = sa->flags & SA_IN;
	bool ccm = combined(sa) && sa->enc != ENC_CHACHA20_POLY1305;

	j->cipher_direction = in ? IMB_DIR_DECRYPT : IMB_DIR_ENCRYPT;
	/* the cipher text is authenticated; of CCM the plain text */
	j->chain_order = in != ccm ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
	j->hash_alg = hash_of(sa);
	j->hash_start_src_offset_in_bytes = 0;
	j->auth_tag_output_len_in_bytes = sa->icv_len;
	suite_enc(j, sa->enc);
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

static inline void set_keys(IMB_JOB *j, const void *enc, const void *dec, const uint8_t *iv)
{
	j->enc_keys = enc;
	j->dec_keys = dec;
	j->iv = iv;
}

static inline void packet_enc(IMB_JOB *j, const struct mb_op *op, struct mb_scratch *x)
{
	const struct mb_key *k = mb_key_of(op->sa);

	switch (j->cipher_mode) {
	case IMB_CIPHER_CBC:
		set_keys(j, k->aes.enc, k->aes.dec, op->iv);
		break;
	case IMB_CIPHER_CNTR: /* RFC 3686 section 4: nonce, IV, and the counter begins with 1 */
		memcpy(x->iv, &op->sa->salt, 4);
		memcpy(x->iv + 4, op->iv, 8);
		memcpy(x->iv + 12, &(rte_be32_t){RTE_BE32(1)}, 4);
		set_keys(j, k->aes.enc, k->aes.enc, x->iv);
		break;
	case IMB_CIPHER_DES3:
		for (unsigned i = 0; i < 3; i++)
			x->des[i] = k->des[i];
		set_keys(j, x->des, x->des, op->iv);
		break;
	case IMB_CIPHER_DES:
		set_keys(j, k->des[0], k->des[0], op->iv);
		break;
	default:
		set_keys(j, NULL, NULL, NULL);
	}
}

static inline void packet_integ(IMB_JOB *j, const struct sa *sa)
{
	const struct mb_key *k = mb_key_of(sa);

	if (sa->integ == INTEG_AES_XCBC_96) {
		j->u.XCBC._k1_expanded = (const uint32_t *)k->mac.k1;
		j->u.XCBC._k2 = k->mac.k2;
		j->u.XCBC._k3 = k->mac.k3;
	} else if (sa->integ == INTEG_AES_CMAC_96) {
		j->u.CMAC._key_expanded = k->mac.k1;
		j->u.CMAC._skey1 = k->mac.k2;
		j->u.CMAC._skey2 = k->mac.k3;
	} else {
		j->u.HMAC._hashed_auth_key_xor_ipad = k->hmac.inner;
		j->u.HMAC._hashed_auth_key_xor_opad = k->hmac.outer;
	}
}

/* Where the high half of an ESN is authenticated: behind everything (RFC 4303 section 2.2.1, RFC
 * 4302 section 2.5.1). */
static inline uint8_t *tail_of(const struct mb_op *op)
{
	return op->sa->proto == PROTO_AH ? op->aad + op->aad_len : op->text + op->len;
}

/* An encryption (or none) and an integrity algorithm. */
static bool packet_two(IMB_JOB *j, struct mb_op *op, struct mb_scratch *x)
{
	const struct sa *sa = op->sa;
	uint8_t *tail = tail_of(op);
	unsigned len = (unsigned)(tail - op->aad);

	if (unlikely(len > LEN_MAX - 4 || (op->len == 0 && sa->proto == PROTO_ESP)))
		return false;
	if (sa->flags & SA_ESN) {
		rte_be32_t hi = rte_cpu_to_be_32(op->seq_hi);

		memcpy(x->saved, tail, 4);
		memcpy(tail, &hi, 4);
		len += 4;
	}
	packet_enc(j, op, x);
	packet_integ(j, sa);
	j->src = op->aad;
	j->msg_len_to_hash_in_bytes = len;
	if (j->cipher_mode == IMB_CIPHER_NULL) {
		j->dst = op->aad;
		j->cipher_start_src_offset_in_bytes = 0;
		j->msg_len_to_cipher_in_bytes = 0;
	} else {
		j->dst = op->text;
		j->cipher_start_src_offset_in_bytes = (uint64_t)(op->text - op->aad);
		j->msg_len_to_cipher_in_bytes = op->len;
	}
	return true;
}

static bool packet_combined(IMB_JOB *j, struct mb_op *op, struct mb_scratch *x)
{
	const struct mb_key *k = mb_key_of(op->sa);

	j->src = op->text;
	j->dst = op->text;
	j->cipher_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = op->len;
	j->msg_len_to_hash_in_bytes = op->len;
	if (op->sa->enc ==
		ENC_CHACHA20_POLY1305) { /* RFC 7634 section 2: 4 bytes of salt, 8 of IV */
		memcpy(x->iv, &op->sa->salt, 4);
		memcpy(x->iv + 4, op->iv, 8);
		set_keys(j, k->chacha, k->chacha, x->iv);
		j->u.CHACHA20_POLY1305.aad =
			aad_of(x, op, &j->u.CHACHA20_POLY1305.aad_len_in_bytes);
		return true;
	}
	memcpy(x->iv, &op->sa->salt, 3); /* RFC 4309 section 4: 3 bytes of salt, 8 of IV */
	memcpy(x->iv + 3, op->iv, 8);
	set_keys(j, k->aes.enc, k->aes.enc, x->iv);
	j->u.CCM.aad = aad_of(x, op, &j->u.CCM.aad_len_in_bytes);
	return op->len <= LEN_MAX;
}

bool mb_job_packet(IMB_JOB *j, struct mb_op *op, struct mb_scratch *x)
{
	j->user_data = op;
	j->user_data2 = x;
	j->auth_tag_output = op->sa->flags & SA_IN ? x->icv : op->icv;
	return combined(op->sa) ? packet_combined(j, op, x) : packet_two(j, op, x);
}

void mb_job_finish(const IMB_JOB *j)
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
