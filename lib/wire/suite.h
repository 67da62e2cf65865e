/* The algorithms of ESP and AH: one table of encryption and one of integrity algorithms, and suites
 * made of them. What a suite is called, how long its keys, IVs and ICVs are, and what it may be
 * used for. How IPsec-MB does it is known by lib/ipsec/mb.c alone.
 *
 * Used by conf (names and key lengths), table and ipsec. No state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum suite_enc_id { /* of ESP */
	ENC_NONE,   /* AH */
	ENC_NULL,   /* RFC 2410 */
	ENC_AES_CBC_128,
	ENC_AES_CBC_192,
	ENC_AES_CBC_256, /* RFC 3602 */
	ENC_AES_CTR_128,
	ENC_AES_CTR_192,
	ENC_AES_CTR_256, /* RFC 3686 */
	ENC_AES_GCM_128,
	ENC_AES_GCM_192,
	ENC_AES_GCM_256, /* RFC 4106, ICV of 16, 12 or 8 bytes */
	ENC_AES_GMAC_128,
	ENC_AES_GMAC_192,
	ENC_AES_GMAC_256, /* RFC 4543, in ESP: integrity alone */
	ENC_AES_CCM_128,
	ENC_AES_CCM_256,       /* RFC 4309, ICV of 16, 12 or 8 bytes */
	ENC_CHACHA20_POLY1305, /* RFC 7634 */
	ENC_3DES_CBC,          /* RFC 2451 */
	ENC_DES_CBC,           /* RFC 2405 */
	ENC_N
};

enum suite_integ_id {
	INTEG_NONE, /* a combined-mode algorithm has its own */
	INTEG_SHA1_96,
	INTEG_SHA256_128,
	INTEG_SHA384_192,
	INTEG_SHA512_256,  /* RFC 2404, RFC 4868 */
	INTEG_AES_XCBC_96, /* RFC 3566 */
	INTEG_AES_CMAC_96, /* RFC 4494 */
	INTEG_MD5_96,      /* RFC 2403 */
	INTEG_AES_GMAC_128,
	INTEG_AES_GMAC_192,
	INTEG_AES_GMAC_256, /* RFC 4543, in AH */
	INTEG_N
};

#define SUITE_KEY_MAX 128 /* bytes of keying material: an encryption and an integrity key */
#define SUITE_NAME_MAX 32
#define SUITE_ICV_MAX 32
#define SUITE_IV_MAX 16

/* A suite of one SA: what its packets look like. Plain value. */
struct suite {
	uint8_t enc;   /* enum suite_enc_id */
	uint8_t integ; /* enum suite_integ_id */
	uint8_t icv_len;
	uint8_t iv_len;        /* bytes of IV in the packet; AH with GMAC: 8 */
	uint8_t block;         /* the encrypted part is a multiple of it: 4 at least (ESP) */
	uint8_t enc_key_len;   /* bytes, without salt */
	uint8_t salt_len;      /* behind the encryption key (AH with GMAC: behind that); 0 to 4 */
	uint8_t integ_key_len; /* bytes; 0: none */
	bool legacy;           /* DES, 3DES, MD5 (RFC 8221): only where configured */
	bool aead;             /* combined mode, or GMAC */
};

/* Bytes of keying material: encryption key, its salt, integrity key, in that order (RFC 7296
 * section 2.17; RFC 4106 section 8.1); AH with GMAC: integrity key, salt. */
static inline unsigned suite_key_len(const struct suite *s)
{
	return s->enc_key_len + s->salt_len + s->integ_key_len;
}

/* "aes128gcm16", "aes256-sha256", "null-sha256", "aes128ctr-aesxcbc", "chacha20poly1305",
 * "aes128gmac", and for AH "sha256", "aes128gmac"; names as IKE daemons write them (suite.c lists
 * them). proto: 50 (ESP) or 51 (AH). False with a sentence in why: unknown, not of that protocol,
 * or NULL without integrity. CBC and CTR without integrity are refused too (RFC 8221 section 4). */
bool suite_parse(const char *name, uint8_t proto, struct suite *s, char *why, size_t why_size);

/* Its name; returns buf. */
char *suite_format(const struct suite *s, char buf[SUITE_NAME_MAX]);

/* Every suite there is for that protocol, one after the other: false behind the last. For tests,
 * benches and documentation. */
bool suite_nth(uint8_t proto, unsigned n, struct suite *s);
