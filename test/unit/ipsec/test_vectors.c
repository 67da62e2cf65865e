/* Published vectors (test/vectors, each file names its source) through mb_crypt, both directions;
 * that each suite has one, or the reason why not.
 *
 * Usage: unit-ipsec-vectors FOLDER
 *
 * A vector is a block of "name = hex" lines: suite; key, the suite's keying material (where it is
 * shorter, the rest is zero: an authentication key that the vector does not have); iv; aad; esn,
 * the high half; plain; sealed; icv (not there: not compared). proto = ah: aad is the message.
 */
#include "../table/eal.h"
#include "ipsec/mb.h"

#include <rte_malloc.h>

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 4096
#define HEAD 64

struct bytes {
	uint8_t b[TEXT_MAX];
	unsigned len;
};

struct vector {
	char suite[40];
	bool ah;
	struct bytes key, iv, aad, esn, plain, sealed, icv;
};

static const char *folder;
static struct mb *mb;
static uint8_t enc_seen[ENC_N][SUITE_ICV_MAX + 1], integ_seen[INTEG_N];

static void parse_hex(const char *at, const char *s, struct bytes *to)
{
	unsigned v;

	for (to->len = 0; s[0] && s[1] && to->len < TEXT_MAX; s += 2) {
		if (sscanf(s, "%2x", &v) != 1)
			fail_msg("%s: no hex: %s", at, s);
		to->b[to->len++] = (uint8_t)v;
	}
}

static void set_field(const char *at, struct vector *v, const char *name, const char *value)
{
	const struct {
		const char *name;
		struct bytes *to;
	} field[] = {{"key", &v->key}, {"iv", &v->iv}, {"aad", &v->aad}, {"esn", &v->esn},
		{"plain", &v->plain}, {"sealed", &v->sealed}, {"icv", &v->icv}};

	if (strcmp(name, "suite") == 0) {
		snprintf(v->suite, sizeof(v->suite), "%.39s", value);
		return;
	}
	if (strcmp(name, "proto") == 0) {
		v->ah = strcmp(value, "ah") == 0;
		return;
	}
	for (unsigned i = 0; i < RTE_DIM(field); i++)
		if (strcmp(name, field[i].name) == 0) {
			parse_hex(at, value, field[i].to);
			return;
		}
	fail_msg("%s: what is \"%s\"?", at, name);
}

static struct sa *new_sa(const struct vector *v, const struct suite *s, bool in)
{
	struct sa *sa = rte_zmalloc("sa", sizeof(*sa), RTE_CACHE_LINE_SIZE);
	uint8_t key[SUITE_KEY_MAX] = {0};

	assert_non_null(sa);
	memcpy(key, v->key.b, v->key.len);
	sa->proto = v->ah ? PROTO_AH : PROTO_ESP;
	sa->flags = (in ? SA_IN : 0) | (v->esn.len ? SA_ESN : 0) | (s->aead ? SA_AEAD : 0);
	sa->enc = s->enc;
	sa->integ = s->integ;
	sa->iv_len = s->iv_len;
	sa->icv_len = s->icv_len;
	sa->block = s->block;
	assert_int_equal(mb_expand(sa, s, key), 0);
	return sa;
}

/* buf: from aad on; returns the status, and where text and ICV are. */
static uint32_t crypt(const struct vector *v, const struct suite *s, bool in, uint8_t *aad,
	uint8_t **text, uint8_t *icv)
{
	struct sa *sa = new_sa(v, s, in);
	struct mb_op op = {.sa = sa,
		.aad = aad,
		.aad_len = (uint16_t)v->aad.len,
		.iv = aad + v->aad.len,
		.text = aad + v->aad.len + v->iv.len,
		.len = (uint16_t)v->plain.len,
		.icv = icv};

	for (unsigned i = 0; i < v->esn.len; i++)
		op.seq_hi = op.seq_hi << 8 | v->esn.b[i];
	if (text)
		*text = op.text;
	mb_crypt(mb, &op, 1);
	rte_free(sa);
	return op.status;
}

static void same(const char *at, const char *what, const uint8_t *is, const struct bytes *want)
{
	for (unsigned i = 0; i < want->len; i++)
		if (is[i] != want->b[i])
			fail_msg("%s: %s: byte %u is %02x and not %02x", at, what, i, is[i],
				want->b[i]);
}

/* aad, iv, text, room; what comes behind is the ICV of ESP. */
static uint8_t *lay_out(uint8_t *buf, const struct vector *v, const struct bytes *text)
{
	uint8_t *p = buf + HEAD;

	memset(buf, 0xee, HEAD + 4 * TEXT_MAX);
	memcpy(p, v->aad.b, v->aad.len);
	memcpy(p + v->aad.len, v->iv.b, v->iv.len);
	memcpy(p + v->aad.len + v->iv.len, text->b, text->len);
	return p;
}

static void check_esp(const char *at, const struct vector *v, const struct suite *s)
{
	static uint8_t buf[HEAD + 4 * TEXT_MAX];
	uint8_t icv[SUITE_ICV_MAX], *p = lay_out(buf, v, &v->plain), *text, *end;

	end = p + v->aad.len + v->iv.len + v->plain.len;
	assert_int_equal(crypt(v, s, false, p, &text, end), SA_OK);
	same(at, "sealed", text, &v->sealed);
	same(at, "icv", end, &v->icv);
	memcpy(icv, end, s->icv_len);

	for (unsigned wrong = 0; wrong < 2; wrong++) {
		p = lay_out(buf, v, &v->sealed);
		memcpy(end, icv, s->icv_len);
		end[s->icv_len - 1] ^= (uint8_t)wrong;
		if (crypt(v, s, true, p, &text, end) != (wrong ? SA_ERR_INTEGRITY : SA_OK))
			fail_msg("%s: %s ICV, inbound", at,
				wrong ? "taken: wrong" : "refused: right");
		if (!wrong)
			same(at, "plain", text, &v->plain);
	}
}

static void check_ah(const char *at, const struct vector *v, const struct suite *s)
{
	static uint8_t buf[HEAD + 4 * TEXT_MAX];
	uint8_t icv[SUITE_ICV_MAX], *p = lay_out(buf, v, &v->plain);

	assert_int_equal(crypt(v, s, false, p, NULL, icv), SA_OK);
	same(at, "icv", icv, &v->icv);
	for (unsigned wrong = 0; wrong < 2; wrong++) {
		icv[0] ^= (uint8_t)(wrong << 7);
		if (crypt(v, s, true, p, NULL, icv) != (wrong ? SA_ERR_INTEGRITY : SA_OK))
			fail_msg("%s: %s ICV, inbound", at,
				wrong ? "taken: wrong" : "refused: right");
	}
}

static void check(const char *at, struct vector *v)
{
	struct suite s;
	char why[160];

	v->ah |= suite_parse(v->suite, PROTO_AH, &s, why, sizeof(why)) &&
		 !suite_parse(v->suite, PROTO_ESP, &s, why, sizeof(why));
	if (!suite_parse(v->suite, v->ah ? PROTO_AH : PROTO_ESP, &s, why, sizeof(why)))
		fail_msg("%s: %s", at, why);
	if (v->key.len > suite_key_len(&s) ||
		v->key.len < (v->ah ? suite_key_len(&s) : s.enc_key_len + s.salt_len))
		fail_msg("%s: key of %u bytes", at, v->key.len);
	if (v->iv.len != s.iv_len || v->plain.len != v->sealed.len)
		fail_msg("%s: lengths", at);
	if (v->icv.len && v->icv.len != s.icv_len)
		fail_msg("%s: ICV of %u bytes", at, v->icv.len);
	if (v->ah)
		check_ah(at, v, &s);
	else
		check_esp(at, v, &s);
	enc_seen[s.enc][s.aead ? s.icv_len : 0] = 1;
	if (v->icv.len)
		integ_seen[s.integ] = 1;
}

static unsigned check_file(const char *name)
{
	static struct vector v;
	static char line[4 * TEXT_MAX], field[sizeof(line)], value[sizeof(line)];
	char path[4096], at[4200];
	unsigned number = 0, first = 0, n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s can't be read", path);
	for (;;) {
		bool more = fgets(line, sizeof(line), f) != NULL;

		number++;
		if (more && line[0] == '#')
			continue;
		if (!more || line[0] == '\n') {
			snprintf(at, sizeof(at), "%s:%u", name, first);
			if (v.suite[0]) {
				check(at, &v);
				n++;
			}
			memset(&v, 0, sizeof(v));
			if (!more)
				break;
			continue;
		}
		snprintf(at, sizeof(at), "%s:%u", name, number);
		if (sscanf(line, "%s = %s", field, value) != 2)
			fail_msg("%s: %s", at, line);
		if (strcmp(field, "suite") == 0)
			first = number;
		set_field(at, &v, field, value);
	}
	fclose(f);
	return n;
}

static void published_vectors(void **state)
{
	struct dirent **entry;
	int n = scandir(folder, &entry, NULL, alphasort);
	unsigned files = 0;

	if (n < 0)
		fail_msg("%s: no such folder", folder);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(entry[i]->d_name);

		if (len > 4 && strcmp(entry[i]->d_name + len - 4, ".txt") == 0) {
			print_message("%-36s %u\n", entry[i]->d_name, check_file(entry[i]->d_name));
			files++;
		}
		free(entry[i]);
	}
	free(entry);
	assert_true(files >= 15);
}

/* Runs behind the test above. Not published with the lengths that ESP has: CCM with ICVs of 8 and
 * 12 bytes and nonces of 11, GMAC of ESP with keys of 192 and 256 bits (AH's are GMAC too), and
 * NULL, which is nothing. OpenSSL judges those in test_mb.c. */
static void each_algorithm_has_one(void **state)
{
	struct suite s;
	char name[SUITE_NAME_MAX];

	for (unsigned n = 0; suite_nth(PROTO_ESP, n, &s); n++) {
		bool ccm = s.enc == ENC_AES_CCM_128 || s.enc == ENC_AES_CCM_256;

		if (s.enc == ENC_NULL || s.enc == ENC_AES_GMAC_192 || s.enc == ENC_AES_GMAC_256 ||
			(ccm && s.icv_len != 16))
			continue;
		if (!enc_seen[s.enc][s.aead ? s.icv_len : 0])
			fail_msg("%s: no vector for its encryption", suite_format(&s, name));
	}
	for (unsigned n = 0; suite_nth(PROTO_AH, n, &s); n++)
		if (!integ_seen[s.integ])
			fail_msg("%s: no vector", suite_format(&s, name));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(each_algorithm_has_one),
	};
	int failed;

	if (argc != 2) {
		fprintf(stderr, "usage: unit-ipsec-vectors FOLDER\n");
		return 2;
	}
	folder = argv[1];
	eal_up();
	mb = mb_new(SOCKET_ID_ANY);
	if (mb == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mb_free(mb);
	return failed;
}
