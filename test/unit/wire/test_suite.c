/* The table of suites (lib/wire/suite.h): each name there and back, lengths as the RFCs say, what
 * is refused and why.
 */
#include "wire/esp.h"
#include "wire/suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void every_name_there_and_back(void **state)
{
	static const uint8_t proto[] = {PROTO_ESP, PROTO_AH};
	static const unsigned count[] = {19 + 9 * 7, 10};
	char why[160], name[SUITE_NAME_MAX], again[SUITE_NAME_MAX];
	struct suite s, t, u;

	for (unsigned p = 0; p < 2; p++) {
		unsigned n = 0;

		for (; suite_nth(proto[p], n, &s); n++) {
			suite_format(&s, name);
			if (!suite_parse(name, proto[p], &t, why, sizeof(why)))
				fail_msg("%s: %s", name, why);
			assert_memory_equal(&s, &t, sizeof(s));
			assert_true(suite_key_len(&s) <= SUITE_KEY_MAX);
			assert_true(s.icv_len <= SUITE_ICV_MAX && s.icv_len >= 8);
			assert_true(s.iv_len <= SUITE_IV_MAX);
			assert_int_equal(s.enc == ENC_NONE, proto[p] == PROTO_AH);
			for (unsigned m = 0; m < n; m++) {
				suite_nth(proto[p], m, &u);
				assert_string_not_equal(name, suite_format(&u, again));
			}
		}
		assert_int_equal(n, count[p]);
	}
}

static const struct {
	const char *name;
	uint8_t proto, enc_key, salt, integ_key, iv, block, icv;
	bool legacy, aead;
} lengths[] = {
	{"aes128gcm16", PROTO_ESP, 16, 4, 0, 8, 4, 16, false, true}, /* RFC 4106 */
	{"aes192gcm12", PROTO_ESP, 24, 4, 0, 8, 4, 12, false, true},
	{"aes256gcm8", PROTO_ESP, 32, 4, 0, 8, 4, 8, false, true},
	{"aes256gmac", PROTO_ESP, 32, 4, 0, 8, 4, 16, false, true}, /* RFC 4543 */
	{"aes128gmac", PROTO_AH, 0, 4, 16, 8, 4, 16, false, true},
	{"aes128ccm8", PROTO_ESP, 16, 3, 0, 8, 4, 8, false, true}, /* RFC 4309 */
	{"aes256ccm16", PROTO_ESP, 32, 3, 0, 8, 4, 16, false, true},
	{"chacha20poly1305", PROTO_ESP, 32, 4, 0, 8, 4, 16, false, true},    /* RFC 7634 */
	{"aes128-sha1", PROTO_ESP, 16, 0, 20, 16, 16, 12, false, false},     /* RFC 3602, 2404 */
	{"aes192-sha384", PROTO_ESP, 24, 0, 48, 16, 16, 24, false, false},   /* RFC 4868 */
	{"aes256ctr-sha512", PROTO_ESP, 32, 4, 64, 8, 4, 32, false, false},  /* RFC 3686 */
	{"aes192ctr-aesxcbc", PROTO_ESP, 24, 4, 16, 8, 4, 12, false, false}, /* RFC 3566 */
	{"null-sha256", PROTO_ESP, 0, 0, 32, 0, 4, 16, false, false},        /* RFC 2410 */
	{"null-aescmac", PROTO_ESP, 0, 0, 16, 0, 4, 12, false, false},       /* RFC 4494 */
	{"3des-sha256", PROTO_ESP, 24, 0, 32, 8, 8, 16, true, false},        /* RFC 2451 */
	{"des-md5", PROTO_ESP, 8, 0, 16, 8, 8, 12, true, false},             /* RFC 2405, 2403 */
	{"aes256-md5", PROTO_ESP, 32, 0, 16, 16, 16, 12, true, false},
	{"md5", PROTO_AH, 0, 0, 16, 0, 4, 12, true, false},
	{"sha512", PROTO_AH, 0, 0, 64, 0, 4, 32, false, false},
};

static void lengths_are_those_of_the_rfcs(void **state)
{
	char why[160];
	struct suite s;

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		if (!suite_parse(lengths[i].name, lengths[i].proto, &s, why, sizeof(why)))
			fail_msg("%s: %s", lengths[i].name, why);
		print_message("%s\n", lengths[i].name);
		assert_int_equal(s.enc_key_len, lengths[i].enc_key);
		assert_int_equal(s.salt_len, lengths[i].salt);
		assert_int_equal(s.integ_key_len, lengths[i].integ_key);
		assert_int_equal(s.iv_len, lengths[i].iv);
		assert_int_equal(s.block, lengths[i].block);
		assert_int_equal(s.icv_len, lengths[i].icv);
		assert_int_equal(s.legacy, lengths[i].legacy);
		assert_int_equal(s.aead, lengths[i].aead);
		assert_int_equal(suite_key_len(&s),
			lengths[i].enc_key + lengths[i].salt + lengths[i].integ_key);
	}
}

static const struct {
	const char *name;
	uint8_t proto;
	const char *part; /* of why */
} refused[] = {
	{"", PROTO_ESP, "no suite"},
	{"-", PROTO_ESP, "no suite"},
	{"rot13", PROTO_ESP, "\"rot13\""},
	{"AES128-SHA1", PROTO_ESP, "no suite"},
	{"null", PROTO_ESP, "neither encrypts nor authenticates"},
	{"null-", PROTO_ESP, "no integrity algorithm"},
	{"aes128", PROTO_ESP, "does not authenticate (RFC 8221 section 4)"},
	{"aes256ctr", PROTO_ESP, "does not authenticate"},
	{"aes128-sha2", PROTO_ESP, "no integrity algorithm is called \"sha2\""},
	{"aes128-sha1-sha1", PROTO_ESP, "no integrity algorithm"},
	{"aes128gcm16-sha256", PROTO_ESP, "has its own integrity"},
	{"null-aes128gmac", PROTO_ESP, "no integrity algorithm"},
	{"aes192ccm16", PROTO_ESP, "no suite"},
	{"aes128gcm4", PROTO_ESP, "no suite"},
	{"sha256", PROTO_ESP, "no suite of ESP"},
	{"aes128-sha1", PROTO_AH, "AH does not encrypt"},
	{"aes128gcm16", PROTO_AH, "AH does not encrypt"},
	{"sha3", PROTO_AH, "no suite of AH"},
	{"", PROTO_AH, "no suite of AH"},
};

static void what_is_refused_says_why(void **state)
{
	char why[160];
	struct suite s;

	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		why[0] = '\0';
		if (suite_parse(refused[i].name, refused[i].proto, &s, why, sizeof(why)))
			fail_msg("\"%s\" is taken", refused[i].name);
		if (strstr(why, refused[i].part) == NULL)
			fail_msg("\"%s\": \"%s\", expected \"%s\"", refused[i].name, why,
				refused[i].part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_there_and_back),
		cmocka_unit_test(lengths_are_those_of_the_rfcs),
		cmocka_unit_test(what_is_refused_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
