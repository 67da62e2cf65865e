/* OpenSSL as the second opinion (oracle.h). Everything is RFC text in code: what is authenticated,
 * in which order, where an ESN's high half stands.
 */
#include "oracle.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define MUST(expression)                                                               \
	do {                                                                           \
		if (!(expression)) {                                                   \
			fprintf(stderr, "oracle: OpenSSL refuses: %s\n", #expression); \
			abort();                                                       \
		}                                                                      \
	} while (0)

#define MESSAGE_MAX 70000

static const EVP_CIPHER *cipher_of(unsigned enc)
{
	switch (enc) {
	case ENC_AES_CBC_128:
		return EVP_aes_128_cbc();
	case ENC_AES_CBC_192:
		return EVP_aes_192_cbc();
	case ENC_AES_CBC_256:
		return EVP_aes_256_cbc();
	case ENC_AES_CTR_128:
		return EVP_aes_128_ctr();
	case ENC_AES_CTR_192:
		return EVP_aes_192_ctr();
	case ENC_AES_CTR_256:
		return EVP_aes_256_ctr();
	case ENC_AES_GCM_128:
	case ENC_AES_GMAC_128:
		return EVP_aes_128_gcm();
	case ENC_AES_GCM_192:
	case ENC_AES_GMAC_192:
		return EVP_aes_192_gcm();
	case ENC_AES_GCM_256:
	case ENC_AES_GMAC_256:
		return EVP_aes_256_gcm();
	case ENC_AES_CCM_128:
		return EVP_aes_128_ccm();
	case ENC_AES_CCM_256:
		return EVP_aes_256_ccm();
	case ENC_CHACHA20_POLY1305:
		return EVP_chacha20_poly1305();
	case ENC_3DES_CBC:
	case ENC_DES_CBC: /* OpenSSL 3 has it as 3DES with three equal keys alone */
		return EVP_des_ede3_cbc();
	}
	abort();
}

/* nonce_len and icv_len 0: no combined mode. */
static void run(unsigned enc, const uint8_t *key, const uint8_t *nonce, unsigned nonce_len,
	const uint8_t *aad, unsigned aad_len, const uint8_t *in, unsigned len, uint8_t *out,
	uint8_t *icv, unsigned icv_len)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	bool ccm = enc == ENC_AES_CCM_128 || enc == ENC_AES_CCM_256;
	uint8_t three[24];
	int n;

	MUST(c);
	if (enc == ENC_DES_CBC) {
		for (unsigned i = 0; i < 3; i++)
			memcpy(three + 8 * i, key, 8);
		key = three;
	}
	MUST(EVP_EncryptInit_ex(c, cipher_of(enc), NULL, NULL, NULL) == 1);
	if (nonce_len)
		MUST(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, (int)nonce_len, NULL) == 1);
	if (ccm)
		MUST(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, (int)icv_len, NULL) == 1);
	MUST(EVP_EncryptInit_ex(c, NULL, NULL, key, nonce) == 1);
	EVP_CIPHER_CTX_set_padding(c, 0);
	if (ccm)
		MUST(EVP_EncryptUpdate(c, NULL, &n, NULL, (int)len) == 1);
	if (aad_len)
		MUST(EVP_EncryptUpdate(c, NULL, &n, aad, (int)aad_len) == 1);
	if (len || ccm)
		MUST(EVP_EncryptUpdate(c, out, &n, in, (int)len) == 1 && n == (int)len);
	MUST(EVP_EncryptFinal_ex(c, out + len, &n) == 1);
	if (icv_len)
		MUST(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, (int)icv_len, icv) == 1);
	EVP_CIPHER_CTX_free(c);
}

static void aes_block(const uint8_t key[16], const uint8_t in[16], uint8_t out[16])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t buf[32];
	int n;

	MUST(c && EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, key, NULL) == 1);
	EVP_CIPHER_CTX_set_padding(c, 0);
	MUST(EVP_EncryptUpdate(c, buf, &n, in, 16) == 1 && n == 16);
	memcpy(out, buf, 16);
	EVP_CIPHER_CTX_free(c);
}

/* RFC 3566 section 4, which OpenSSL does not have. */
static void xcbc(const uint8_t *key, const uint8_t *m, unsigned len, uint8_t *icv)
{
	uint8_t k[3][16], e[16] = {0};

	for (unsigned i = 0; i < 3; i++) {
		uint8_t c[16];

		memset(c, (int)i + 1, sizeof(c));
		aes_block(key, c, k[i]);
	}
	for (; len > 16; len -= 16, m += 16) {
		for (unsigned i = 0; i < 16; i++)
			e[i] ^= m[i];
		aes_block(k[0], e, e);
	}
	for (unsigned i = 0; i < len; i++)
		e[i] ^= m[i];
	if (len < 16)
		e[len] ^= 0x80;
	for (unsigned i = 0; i < 16; i++)
		e[i] ^= k[len == 16 ? 1 : 2][i];
	aes_block(k[0], e, e);
	memcpy(icv, e, 12);
}

static void cmac(const uint8_t *key, const uint8_t *m, unsigned len, uint8_t *icv)
{
	uint8_t mac[16];
	size_t n;

	MUST(EVP_Q_mac(
		NULL, "CMAC", NULL, "AES-128-CBC", NULL, key, 16, m, len, mac, sizeof(mac), &n));
	memcpy(icv, mac, 12);
}

static void hmac(const EVP_MD *md, const struct suite *s, const uint8_t *key, const uint8_t *m,
	unsigned len, uint8_t *icv)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned n;

	MUST(HMAC(md, key, s->integ_key_len, m, len, mac, &n));
	memcpy(icv, mac, s->icv_len);
}

static void authenticate(
	const struct suite *s, const uint8_t *key, const uint8_t *m, unsigned len, uint8_t *icv)
{
	switch (s->integ) {
	case INTEG_SHA1_96:
		hmac(EVP_sha1(), s, key, m, len, icv);
		break;
	case INTEG_SHA256_128:
		hmac(EVP_sha256(), s, key, m, len, icv);
		break;
	case INTEG_SHA384_192:
		hmac(EVP_sha384(), s, key, m, len, icv);
		break;
	case INTEG_SHA512_256:
		hmac(EVP_sha512(), s, key, m, len, icv);
		break;
	case INTEG_MD5_96:
		hmac(EVP_md5(), s, key, m, len, icv);
		break;
	case INTEG_AES_XCBC_96:
		xcbc(key, m, len, icv);
		break;
	case INTEG_AES_CMAC_96:
		cmac(key, m, len, icv);
		break;
	default:
		abort();
	}
}

/* What is authenticated, gathered: returns its length. */
static unsigned gather(const struct oracle_message *m, const uint8_t *sealed, uint8_t *to)
{
	uint32_t hi = htonl(m->seq_hi);
	bool esp = m->proto == PROTO_ESP;
	unsigned n = 0;

	memcpy(to, m->aad, m->aad_len);
	n += m->aad_len;
	if (m->esn && esp && m->suite->aead) { /* RFC 4106 section 5, RFC 4543 section 3.3 */
		memcpy(to + 8, m->aad + 4, 4);
		memcpy(to + 4, &hi, 4);
		n += 4;
	}
	if (esp &&
		!(m->suite->aead && m->suite->enc != ENC_AES_GMAC_128 &&
			m->suite->enc != ENC_AES_GMAC_192 && m->suite->enc != ENC_AES_GMAC_256)) {
		memcpy(to + n, m->iv, m->suite->iv_len);
		n += m->suite->iv_len;
		memcpy(to + n, sealed, m->len);
		n += m->len;
	}
	if (m->esn && !(esp && m->suite->aead)) { /* RFC 4303 section 2.2.1, RFC 4302 2.5.1 */
		memcpy(to + n, &hi, 4);
		n += 4;
	}
	return n;
}

void oracle_seal(const struct oracle_message *m, uint8_t *out, uint8_t *icv)
{
	static uint8_t all[MESSAGE_MAX], sealed[MESSAGE_MAX];
	const struct suite *s = m->suite;
	const uint8_t *salt = m->key + s->enc_key_len, *integ = salt + s->salt_len;
	uint8_t nonce[16] = {0};
	unsigned nonce_len = s->salt_len + s->iv_len;

	if (s->enc == ENC_NONE && s->aead)
		salt = m->key + s->integ_key_len;
	memcpy(nonce, salt, s->salt_len);
	memcpy(nonce + s->salt_len, m->iv, s->iv_len);
	switch (s->enc) {
	case ENC_AES_GCM_128:
	case ENC_AES_GCM_192:
	case ENC_AES_GCM_256:
	case ENC_AES_CCM_128:
	case ENC_AES_CCM_256:
	case ENC_CHACHA20_POLY1305:
		run(s->enc, m->key, nonce, nonce_len, all, gather(m, NULL, all), m->text, m->len,
			sealed, icv, s->icv_len);
		memcpy(out, sealed, m->len);
		return;
	case ENC_AES_GMAC_128:
	case ENC_AES_GMAC_192:
	case ENC_AES_GMAC_256:
		memmove(out, m->text, m->len);
		run(s->enc, m->key, nonce, 12, all, gather(m, m->text, all), NULL, 0, sealed, icv,
			16);
		return;
	case ENC_NONE:
		if (s->aead) {
			run(ENC_AES_GMAC_128 + (s->integ - INTEG_AES_GMAC_128), m->key, nonce, 12,
				all, gather(m, NULL, all), NULL, 0, sealed, icv, 16);
			return;
		}
		break;
	case ENC_NULL:
		memcpy(sealed, m->text, m->len);
		break;
	case ENC_AES_CTR_128:
	case ENC_AES_CTR_192:
	case ENC_AES_CTR_256:
		nonce[15] = 1;
		/* fallthrough */
	default:
		run(s->enc, m->key, nonce, 0, NULL, 0, m->text, m->len, sealed, NULL, 0);
	}
	authenticate(s, s->enc == ENC_NONE ? m->key : integ, all, gather(m, sealed, all), icv);
	if (s->enc != ENC_NONE)
		memcpy(out, sealed, m->len);
}
