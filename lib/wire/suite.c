/* The one table of ESP's and AH's algorithms (suite.h): a row per encryption and ICV length, a row
 * per integrity algorithm; a suite is one row, or one of each. Called by conf, control and tests,
 * on any thread.
 */
#include "wire/suite.h"

#include "wire/esp.h"

#include <stdio.h>
#include <string.h>

struct enc_row {
	const char *name;
	uint8_t id, key_len, salt_len, iv_len, block;
	uint8_t icv_len; /* of combined modes and GMAC, which take no integrity algorithm; else 0 */
	bool legacy;
};

static const struct enc_row enc_row[] = {
	{"aes128gcm16", ENC_AES_GCM_128, 16, 4, 8, 4, 16, false},
	{"aes192gcm16", ENC_AES_GCM_192, 24, 4, 8, 4, 16, false},
	{"aes256gcm16", ENC_AES_GCM_256, 32, 4, 8, 4, 16, false},
	{"aes128gcm12", ENC_AES_GCM_128, 16, 4, 8, 4, 12, false},
	{"aes192gcm12", ENC_AES_GCM_192, 24, 4, 8, 4, 12, false},
	{"aes256gcm12", ENC_AES_GCM_256, 32, 4, 8, 4, 12, false},
	{"aes128gcm8", ENC_AES_GCM_128, 16, 4, 8, 4, 8, false},
	{"aes192gcm8", ENC_AES_GCM_192, 24, 4, 8, 4, 8, false},
	{"aes256gcm8", ENC_AES_GCM_256, 32, 4, 8, 4, 8, false},
	{"chacha20poly1305", ENC_CHACHA20_POLY1305, 32, 4, 8, 4, 16, false},
	{"aes128ccm16", ENC_AES_CCM_128, 16, 3, 8, 4, 16, false},
	{"aes256ccm16", ENC_AES_CCM_256, 32, 3, 8, 4, 16, false},
	{"aes128ccm12", ENC_AES_CCM_128, 16, 3, 8, 4, 12, false},
	{"aes256ccm12", ENC_AES_CCM_256, 32, 3, 8, 4, 12, false},
	{"aes128ccm8", ENC_AES_CCM_128, 16, 3, 8, 4, 8, false},
	{"aes256ccm8", ENC_AES_CCM_256, 32, 3, 8, 4, 8, false},
	{"aes128gmac", ENC_AES_GMAC_128, 16, 4, 8, 4, 16, false},
	{"aes192gmac", ENC_AES_GMAC_192, 24, 4, 8, 4, 16, false},
	{"aes256gmac", ENC_AES_GMAC_256, 32, 4, 8, 4, 16, false},
	{"aes128", ENC_AES_CBC_128, 16, 0, 16, 16, 0, false},
	{"aes192", ENC_AES_CBC_192, 24, 0, 16, 16, 0, false},
	{"aes256", ENC_AES_CBC_256, 32, 0, 16, 16, 0, false},
	{"aes128ctr", ENC_AES_CTR_128, 16, 4, 8, 4, 0, false},
	{"aes192ctr", ENC_AES_CTR_192, 24, 4, 8, 4, 0, false},
	{"aes256ctr", ENC_AES_CTR_256, 32, 4, 8, 4, 0, false},
	{"null", ENC_NULL, 0, 0, 0, 4, 0, false},
	{"3des", ENC_3DES_CBC, 24, 0, 8, 8, 0, true},
	{"des", ENC_DES_CBC, 8, 0, 8, 8, 0, true},
};

struct integ_row {
	const char *name;
	uint8_t id, key_len, icv_len;
	uint8_t salt_len, iv_len; /* not 0: GMAC, of AH alone: in ESP it is an encryption */
	bool legacy;
};

static const struct integ_row integ_row[] = {
	{"sha256", INTEG_SHA256_128, 32, 16, 0, 0, false},
	{"sha384", INTEG_SHA384_192, 48, 24, 0, 0, false},
	{"sha512", INTEG_SHA512_256, 64, 32, 0, 0, false},
	{"sha1", INTEG_SHA1_96, 20, 12, 0, 0, false},
	{"aesxcbc", INTEG_AES_XCBC_96, 16, 12, 0, 0, false},
	{"aescmac", INTEG_AES_CMAC_96, 16, 12, 0, 0, false},
	{"md5", INTEG_MD5_96, 16, 12, 0, 0, true},
	{"aes128gmac", INTEG_AES_GMAC_128, 16, 16, 4, 8, false},
	{"aes192gmac", INTEG_AES_GMAC_192, 24, 16, 4, 8, false},
	{"aes256gmac", INTEG_AES_GMAC_256, 32, 16, 4, 8, false},
};

#define N_ENC (sizeof(enc_row) / sizeof(enc_row[0]))
#define N_INTEG (sizeof(integ_row) / sizeof(integ_row[0]))
#define N_INTEG_ESP (N_INTEG - 3) /* without GMAC */

static const struct enc_row *enc_named(const char *name, size_t len)
{
	for (unsigned i = 0; i < N_ENC; i++)
		if (strlen(enc_row[i].name) == len && memcmp(enc_row[i].name, name, len) == 0)
			return &enc_row[i];
	return NULL;
}

static const struct integ_row *integ_named(const char *name)
{
	for (unsigned i = 0; i < N_INTEG; i++)
		if (strcmp(integ_row[i].name, name) == 0)
			return &integ_row[i];
	return NULL;
}

/* e is NULL in AH, i in combined modes. */
static struct suite combine(const struct enc_row *e, const struct integ_row *i)
{
	struct suite s = {.enc = ENC_NONE, .integ = INTEG_NONE, .block = 4};

	if (e) {
		s.enc = e->id;
		s.iv_len = e->iv_len;
		s.block = e->block;
		s.enc_key_len = e->key_len;
		s.salt_len = e->salt_len;
		s.icv_len = e->icv_len;
		s.legacy = e->legacy;
		s.aead = e->icv_len != 0;
	}
	if (i) {
		s.integ = i->id;
		s.integ_key_len = i->key_len;
		s.icv_len = i->icv_len;
		s.legacy |= i->legacy;
		if (i->iv_len) {
			s.iv_len = i->iv_len;
			s.salt_len = i->salt_len;
			s.aead = true;
		}
	}
	return s;
}

static bool parse_ah(const char *name, struct suite *s, char *why, size_t why_size)
{
	const struct integ_row *i = integ_named(name);

	if (i == NULL) {
		const char *dash = strchr(name, '-');

		if (enc_named(name, dash ? (size_t)(dash - name) : strlen(name)))
			snprintf(why, why_size, "suite \"%.40s\": AH does not encrypt", name);
		else
			snprintf(why, why_size, "no suite of AH is called \"%.40s\"", name);
		return false;
	}
	*s = combine(NULL, i);
	return true;
}

static bool parse_esp(const char *name, struct suite *s, char *why, size_t why_size)
{
	const char *dash = strchr(name, '-');
	const struct enc_row *e = enc_named(name, dash ? (size_t)(dash - name) : strlen(name));
	const struct integ_row *i = dash ? integ_named(dash + 1) : NULL;
	bool combined = e && e->icv_len;

	if (e == NULL)
		snprintf(why, why_size, "no suite of ESP is called \"%.40s\"", name);
	else if (combined && dash)
		snprintf(why, why_size,
			"suite \"%.40s\": %s has its own integrity, leave out \"%.20s\"", name,
			e->name, dash);
	else if (!combined && dash == NULL && e->id == ENC_NULL)
		snprintf(why, why_size,
			"suite \"null\" neither encrypts nor authenticates (RFC 4303 section 3.2)");
	else if (!combined && dash == NULL)
		snprintf(why, why_size,
			"suite \"%s\" does not authenticate (RFC 8221 section 4): add \"-sha256\" "
			"or "
			"another",
			e->name);
	else if (dash && (i == NULL || i->iv_len))
		snprintf(why, why_size,
			"suite \"%.40s\": no integrity algorithm is called \"%.20s\"", name,
			dash + 1);
	else {
		*s = combine(e, i);
		return true;
	}
	return false;
}

bool suite_parse(const char *name, uint8_t proto, struct suite *s, char *why, size_t why_size)
{
	return proto == PROTO_AH ? parse_ah(name, s, why, why_size)
				 : parse_esp(name, s, why, why_size);
}

char *suite_format(const struct suite *s, char buf[SUITE_NAME_MAX])
{
	const char *enc = "", *integ = "";

	for (unsigned i = 0; i < N_ENC; i++)
		if (enc_row[i].id == s->enc &&
			(enc_row[i].icv_len == 0 || enc_row[i].icv_len == s->icv_len))
			enc = enc_row[i].name;
	for (unsigned i = 0; i < N_INTEG; i++)
		if (integ_row[i].id == s->integ)
			integ = integ_row[i].name;
	snprintf(buf, SUITE_NAME_MAX, "%s%s%s", enc, *enc && *integ ? "-" : "", integ);
	return buf;
}

bool suite_nth(uint8_t proto, unsigned n, struct suite *s)
{
	if (proto == PROTO_AH) {
		if (n >= N_INTEG)
			return false;
		*s = combine(NULL, &integ_row[n]);
		return true;
	}
	for (unsigned i = 0; i < N_ENC; i++) {
		unsigned some = enc_row[i].icv_len ? 1 : N_INTEG_ESP;

		if (n < some) {
			*s = combine(&enc_row[i], enc_row[i].icv_len ? NULL : &integ_row[n]);
			return true;
		}
		n -= some;
	}
	return false;
}
