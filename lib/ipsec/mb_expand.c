/* Keying material to expanded keys in an SA (mb.h), once per SA. Control core and tests; the
 * library's functions that expand keys write nothing into their manager, so that one is enough.
 */
#include "ipsec/mb_parts.h"

#include <errno.h>
#include <string.h>

/* The control core's own manager: made at first use, and never freed. No key goes through it. */
static IMB_MGR *manager(void)
{
	static IMB_MGR *mgr;

	if (mgr == NULL) {
		mgr = alloc_mb_mgr(0);
		if (mgr)
			init_mb_mgr_auto(mgr, NULL);
	}
	return mgr;
}

/* Keys of DES that decrypt what they, or each other, encrypted (RFC 2405 section 2.3 advises to
 * refuse them), without parity. */
static bool des_weak(uint64_t key)
{
	static const uint64_t weak[] = {0x0000000000000000, 0xfefefefefefefefe, 0xe0e0e0e0f0f0f0f0,
		0x1e1e1e1e0e0e0e0e, 0x00fe00fe00fe00fe, 0xfe00fe00fe00fe00, 0x1ee01ee00ef00ef0,
		0xe01ee01ef00ef00e, 0x00e000e000f000f0, 0xe000e000f000f000, 0x1efe1efe0efe0efe,
		0xfe1efe1efe0efe0e, 0x001e001e000e000e, 0x1e001e000e000e00, 0xe0fee0fef0fef0fe,
		0xfee0fee0fef0fef0};

	for (unsigned i = 0; i < RTE_DIM(weak); i++)
		if (key == weak[i])
			return true;
	return false;
}

static int expand_des(IMB_MGR *mgr, struct mb_key *to, const uint8_t *key, unsigned n)
{
	uint64_t k[3] = {0};
	int err = 0;

	for (unsigned i = 0; i < n; i++) {
		memcpy(&k[i], key + 8 * i, 8);
		k[i] = rte_be_to_cpu_64(k[i]) & 0xfefefefefefefefe;
		/* three keys of which two neighbours are equal are one key */
		if (des_weak(k[i]) || (i && k[i] == k[i - 1]))
			err = -EINVAL;
		IMB_DES_KEYSCHED(mgr, to->des[i], key + 8 * i);
	}
	explicit_bzero(k, sizeof(k));
	return err;
}

static int expand_enc(IMB_MGR *mgr, struct mb_key *to, unsigned enc, const uint8_t *key)
{
	switch (enc) {
	case ENC_NONE:
	case ENC_NULL:
		return 0;
	case ENC_AES_GCM_128:
	case ENC_AES_GMAC_128:
		IMB_AES128_GCM_PRE(mgr, key, &to->gcm);
		return 0;
	case ENC_AES_GCM_192:
	case ENC_AES_GMAC_192:
		IMB_AES192_GCM_PRE(mgr, key, &to->gcm);
		return 0;
	case ENC_AES_GCM_256:
	case ENC_AES_GMAC_256:
		IMB_AES256_GCM_PRE(mgr, key, &to->gcm);
		return 0;
	case ENC_AES_CBC_128:
	case ENC_AES_CTR_128:
	case ENC_AES_CCM_128:
		IMB_AES_KEYEXP_128(mgr, key, to->aes.enc, to->aes.dec);
		return 0;
	case ENC_AES_CBC_192:
	case ENC_AES_CTR_192:
		IMB_AES_KEYEXP_192(mgr, key, to->aes.enc, to->aes.dec);
		return 0;
	case ENC_AES_CBC_256:
	case ENC_AES_CTR_256:
	case ENC_AES_CCM_256:
		IMB_AES_KEYEXP_256(mgr, key, to->aes.enc, to->aes.dec);
		return 0;
	case ENC_CHACHA20_POLY1305:
		memcpy(to->chacha, key, sizeof(to->chacha));
		return 0;
	case ENC_3DES_CBC:
		return expand_des(mgr, to, key, 3);
	case ENC_DES_CBC:
		return expand_des(mgr, to, key, 1);
	}
	return -EINVAL;
}

/* RFC 2104: the hash's state after the key's block, for both passes. Keys are no longer than a
 * block. */
static void expand_hmac(
	struct mb_key *to, const uint8_t *key, unsigned len, unsigned block, hash_one_block_t hash)
{
	uint8_t pad[IMB_SHA_512_BLOCK_SIZE];

	memset(pad, 0x36, sizeof(pad));
	for (unsigned i = 0; i < len; i++)
		pad[i] ^= key[i];
	hash(pad, to->hmac.inner);
	for (unsigned i = 0; i < block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hash(pad, to->hmac.outer);
	explicit_bzero(pad, sizeof(pad));
}

static int expand_integ(
	IMB_MGR *mgr, struct mb_key *to, unsigned integ, const uint8_t *key, unsigned len)
{
	switch (integ) {
	case INTEG_NONE:
		return 0;
	case INTEG_SHA1_96:
		expand_hmac(to, key, len, IMB_SHA1_BLOCK_SIZE, mgr->sha1_one_block);
		return 0;
	case INTEG_SHA256_128:
		expand_hmac(to, key, len, IMB_SHA_256_BLOCK_SIZE, mgr->sha256_one_block);
		return 0;
	case INTEG_SHA384_192:
		expand_hmac(to, key, len, IMB_SHA_384_BLOCK_SIZE, mgr->sha384_one_block);
		return 0;
	case INTEG_SHA512_256:
		expand_hmac(to, key, len, IMB_SHA_512_BLOCK_SIZE, mgr->sha512_one_block);
		return 0;
	case INTEG_MD5_96:
		expand_hmac(to, key, len, 64, mgr->md5_one_block);
		return 0;
	case INTEG_AES_XCBC_96:
		IMB_AES_XCBC_KEYEXP(mgr, key, to->mac.k1, to->mac.k2, to->mac.k3);
		return 0;
	case INTEG_AES_CMAC_96: {
		uint8_t unused[11 * 16] __rte_aligned(16);

		IMB_AES_KEYEXP_128(mgr, key, to->mac.k1, unused);
		IMB_AES_CMAC_SUBKEY_GEN_128(mgr, to->mac.k1, to->mac.k2, to->mac.k3);
		explicit_bzero(unused, sizeof(unused));
		return 0;
	}
	case INTEG_AES_GMAC_128:
	case INTEG_AES_GMAC_192:
	case INTEG_AES_GMAC_256:
		return expand_enc(mgr, to, ENC_AES_GMAC_128 + (integ - INTEG_AES_GMAC_128), key);
	}
	return -EINVAL;
}

int mb_expand(struct sa *sa, const struct suite *suite, const uint8_t *key)
{
	struct mb_key *to = (struct mb_key *)sa->key;
	IMB_MGR *mgr = manager();
	const uint8_t *salt, *integ;
	int err;

	if (mgr == NULL)
		return -ENOMEM;
	memset(to, 0, sizeof(*to));
	salt = key + (suite->enc == ENC_NONE ? suite->integ_key_len : suite->enc_key_len);
	integ = suite->enc == ENC_NONE ? key : salt + suite->salt_len;
	err = expand_enc(mgr, to, suite->enc, key);
	if (err == 0)
		err = expand_integ(mgr, to, suite->integ, integ, suite->integ_key_len);
	sa->salt = 0;
	memcpy(&sa->salt, salt, suite->salt_len);
	if (err != 0) {
		explicit_bzero(sa->key, sizeof(sa->key));
		explicit_bzero(&sa->salt, sizeof(sa->salt));
	}
	return err;
}
