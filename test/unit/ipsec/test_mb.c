/* mb_crypt against OpenSSL: every suite of ESP and AH, random keys, lengths and contents, with and
 * without ESN, in bursts of one SA and of many; what it writes beside the packet; wrong ICVs.
 *
 * Seeded: POSTERN_SEED, printed.
 */
#include "../table/eal.h"
#include "base/random.h"
#include "ipsec/mb.h"
#include "oracle.h"

#include <rte_malloc.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 2048
#define HEAD 64 /* in front of the ESP or AH header */

static struct mb *mb;
static struct random rnd;
static uint64_t seed;

/* One packet: what goes in, and what has to come out. */
struct sample {
	struct sa *sa;
	struct suite suite;
	uint8_t key[SUITE_KEY_MAX];
	uint32_t seq_hi;
	unsigned len;    /* of text; AH: of what is authenticated */
	unsigned icv_at; /* in buf */
	uint8_t buf[ROOM], want[ROOM];
	char name[SUITE_NAME_MAX];
};

static void fill(uint8_t *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to[i] = (uint8_t)random_next(&rnd);
}

static struct sa *new_sa(
	const struct suite *s, uint8_t proto, bool in, bool esn, const uint8_t *key)
{
	struct sa *sa = rte_zmalloc("sa", sizeof(*sa), RTE_CACHE_LINE_SIZE);

	assert_non_null(sa);
	sa->proto = proto;
	sa->flags = (in ? SA_IN : 0) | (esn ? SA_ESN : 0) | (s->aead ? SA_AEAD : 0);
	sa->enc = s->enc;
	sa->integ = s->integ;
	sa->iv_len = s->iv_len;
	sa->icv_len = s->icv_len;
	sa->block = s->block;
	assert_int_equal(mb_expand(sa, s, key), 0);
	return sa;
}

/* AH: header and ICV in front of some payload, the ICV zero. */
static void make_ah(struct sample *x, unsigned len)
{
	uint8_t *ah = x->want + HEAD;
	unsigned iv_len = x->suite.iv_len;
	struct oracle_message m = {.suite = &x->suite,
		.key = x->key,
		.proto = PROTO_AH,
		.esn = x->sa->flags & SA_ESN,
		.seq_hi = x->seq_hi,
		.aad = ah,
		.iv = ah + AH_HDR_LEN};
	uint8_t icv[SUITE_ICV_MAX];

	x->len = m.aad_len = AH_HDR_LEN + iv_len + x->suite.icv_len + len;
	x->icv_at = HEAD + AH_HDR_LEN + iv_len;
	memset(x->want + x->icv_at, 0, x->suite.icv_len);
	memcpy(x->buf, x->want, ROOM);
	oracle_seal(&m, NULL, icv);
	memcpy(x->want + x->icv_at, icv, x->suite.icv_len);
}

static void make_esp(struct sample *x, unsigned len)
{
	uint8_t *esp = x->want + HEAD, *text = esp + ESP_HDR_LEN + x->suite.iv_len;
	struct oracle_message m = {.suite = &x->suite,
		.key = x->key,
		.proto = PROTO_ESP,
		.esn = x->sa->flags & SA_ESN,
		.seq_hi = x->seq_hi,
		.aad = esp,
		.aad_len = ESP_HDR_LEN,
		.iv = esp + ESP_HDR_LEN,
		.text = text};

	x->len = m.len = RTE_ALIGN_CEIL(len + 1, x->suite.block);
	x->icv_at = (unsigned)(text + m.len - x->want);
	memcpy(x->buf, x->want, ROOM);
	oracle_seal(&m, text, text + m.len);
}

/* x->buf is to be protected, x->want is what it becomes; inbound the other way round. */
static void make(struct sample *x, const struct suite *s, uint8_t proto, bool in, bool esn)
{
	unsigned len = (unsigned)random_between(&rnd, 0, random_next(&rnd) & 1 ? 100 : 1500);

	x->suite = *s;
	suite_format(s, x->name);
	fill(x->key, sizeof(x->key));
	x->sa = new_sa(s, proto, in, esn, x->key);
	x->seq_hi = (uint32_t)random_next(&rnd);
	fill(x->want, ROOM);
	if (proto == PROTO_AH)
		make_ah(x, len);
	else
		make_esp(x, len);
	if (in) {
		uint8_t swap[ROOM];

		memcpy(swap, x->buf, ROOM);
		memcpy(x->buf, x->want, ROOM);
		memcpy(x->want, swap, ROOM);
	}
}

/* For inbound AH, the received ICV lies elsewhere and is zero in what is authenticated. */
static struct mb_op op_of(struct sample *x, uint8_t *ah_icv)
{
	struct mb_op op = {.sa = x->sa, .aad = x->buf + HEAD, .seq_hi = x->seq_hi, .status = 99};

	op.icv = x->buf + x->icv_at;
	if (x->sa->proto == PROTO_AH) {
		op.aad_len = (uint16_t)x->len;
		op.iv = op.aad + AH_HDR_LEN;
		if (x->sa->flags & SA_IN) {
			memcpy(ah_icv, op.icv, x->suite.icv_len);
			memset(op.icv, 0, x->suite.icv_len);
			op.icv = ah_icv;
		}
	} else {
		op.aad_len = ESP_HDR_LEN;
		op.iv = op.aad + ESP_HDR_LEN;
		op.text = op.iv + x->suite.iv_len;
		op.len = (uint16_t)x->len;
	}
	return op;
}

static void check(const struct sample *x, const struct mb_op *op)
{
	const struct sa *sa = x->sa;
	bool in = sa->flags & SA_IN;
	unsigned skip = in && sa->proto == PROTO_ESP ? x->suite.icv_len : 0;

	if (op->status != SA_OK)
		fail_msg("%s %s%s, %u bytes: status %u (seed %llu)", x->name, in ? "in" : "out",
			sa->flags & SA_ESN ? ", ESN" : "", x->len, op->status,
			(unsigned long long)seed);
	/* everything in front and behind included; what lies where the ICV was is nobody's */
	for (unsigned i = 0; i < ROOM; i++)
		if (x->buf[i] != x->want[i] && !(i >= x->icv_at && i < x->icv_at + skip))
			fail_msg("%s %s%s, %u bytes: byte %d from the header is %02x and not %02x "
				 "(seed %llu)",
				x->name, in ? "in" : "out", sa->flags & SA_ESN ? ", ESN" : "",
				x->len, (int)i - HEAD, x->buf[i], x->want[i],
				(unsigned long long)seed);
}

static void run(struct sample *x, unsigned n)
{
	static struct mb_op op[MB_BURST_MAX];
	static uint8_t ah_icv[MB_BURST_MAX][SUITE_ICV_MAX];

	for (unsigned i = 0; i < n; i++)
		op[i] = op_of(&x[i], ah_icv[i]);
	mb_crypt(mb, op, n);
	for (unsigned i = 0; i < n; i++)
		check(&x[i], &op[i]);
}

static void drop(struct sample *x, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rte_free(x[i].sa);
}

static struct sample *samples(unsigned n)
{
	struct sample *x = calloc(n, sizeof(*x));

	assert_non_null(x);
	return x;
}

/* RFC 4106, 4543, 7634, 4309, 3602, 3686, 2410, 2451, 2405 with 2404, 4868, 3566, 4494, 2403. */
static void each_suite_as_openssl_has_it(void **state)
{
	static const uint8_t proto[] = {PROTO_ESP, PROTO_AH};
	struct sample *x = samples(40);
	struct suite s;

	for (unsigned p = 0; p < 2; p++)
		for (unsigned n = 0; suite_nth(proto[p], n, &s); n++)
			for (unsigned k = 0; k < 4; k++) {
				for (unsigned i = 0; i < 40; i++)
					make(&x[i], &s, proto[p], k & 1, k & 2);
				run(x, 40);
				drop(x, 40);
			}
	free(x);
}

/* Suites, directions and lengths mixed in one burst, of every size. */
static void bursts_of_mixed_suites(void **state)
{
	static const unsigned size[] = {1, 2, 3, 17, 64, 127, 128, 129, 200, 256};
	struct sample *x = samples(MB_BURST_MAX);
	struct suite s;

	for (unsigned b = 0; b < RTE_DIM(size); b++) {
		for (unsigned i = 0; i < size[b]; i++) {
			uint8_t proto = random_next(&rnd) % 8 ? PROTO_ESP : PROTO_AH;
			unsigned n = random_next(&rnd) % (proto == PROTO_ESP ? 82 : 10);

			assert_true(suite_nth(proto, n, &s));
			make(&x[i], &s, proto, random_next(&rnd) & 1, random_next(&rnd) & 1);
		}
		run(x, size[b]);
		drop(x, size[b]);
	}
	free(x);
}

/* A bit of header, IV, text or ICV that is wrong, or of the high half that nobody sent; the others
 * of the burst are not concerned. */
static void wrong_bits_are_found(void **state)
{
	static const uint8_t proto[] = {PROTO_ESP, PROTO_AH};
	static uint8_t ah_icv[32][SUITE_ICV_MAX];
	struct sample *x = samples(32);
	struct mb_op op[32];
	struct suite s;

	for (unsigned p = 0; p < 2; p++)
		for (unsigned n = 0; suite_nth(proto[p], n, &s); n++) {
			for (unsigned i = 0; i < 32; i++) {
				unsigned at;

				make(&x[i], &s, proto[p], true, i & 1);
				at = (unsigned)random_between(
					&rnd, HEAD, x[i].icv_at + s.icv_len - 1);
				if (i % 4 == 3) /* ESN is on */
					x[i].seq_hi ^= 1u << random_next(&rnd) % 32;
				else if (i % 4)
					x[i].buf[at] ^= 1 << random_next(&rnd) % 8;
				op[i] = op_of(&x[i], ah_icv[i]);
			}
			mb_crypt(mb, op, 32);
			for (unsigned i = 0; i < 32; i++)
				if (i % 4 == 0)
					check(&x[i], &op[i]);
				else if (op[i].status != SA_ERR_INTEGRITY)
					fail_msg("%s: packet %u is wrong and taken (seed %llu)",
						x[i].name, i, (unsigned long long)seed);
			drop(x, 32);
		}
	free(x);
}

static void weak_keys_of_des_are_refused(void **state)
{
	static const uint8_t weak[8] = {0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe};
	struct sa *sa = rte_zmalloc("sa", sizeof(*sa), RTE_CACHE_LINE_SIZE);
	uint8_t key[SUITE_KEY_MAX];
	static const uint8_t zero[SA_KEY_BYTES];
	struct suite s;
	char why[100];

	fill(key, sizeof(key));
	assert_true(suite_parse("des-sha1", PROTO_ESP, &s, why, sizeof(why)));
	memcpy(key, weak, 8);
	assert_int_equal(mb_expand(sa, &s, key), -EINVAL);
	assert_memory_equal(sa->key, zero, sizeof(zero));
	key[0] = 0x10;
	assert_int_equal(mb_expand(sa, &s, key), 0);
	assert_true(suite_parse("3des-sha1", PROTO_ESP, &s, why, sizeof(why)));
	fill(key, sizeof(key));
	assert_int_equal(mb_expand(sa, &s, key), 0);
	memcpy(key + 16, key + 8, 8);
	key[16] ^= 1; /* parity is no key */
	assert_int_equal(mb_expand(sa, &s, key), -EINVAL);
	rte_free(sa);
}

/* RFC 3602 section 3: IVs of CBC are unpredictable; here: not twice the same, bits even. */
static void random_bytes_differ(void **state)
{
	static uint8_t iv[4096][16];
	unsigned ones = 0;

	for (unsigned i = 0; i < 4096; i++) {
		mb_random(mb, iv[i], 16);
		for (unsigned k = 0; k < 16; k++)
			ones += (unsigned)__builtin_popcount(iv[i][k]);
	}
	for (unsigned i = 0; i < 4096; i++)
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(iv[i], iv[k], 16);
	/* 524,288 bits, standard deviation 362: this fails once in 10^15 runs */
	assert_in_range(ones, 262144 - 2900, 262144 + 2900);
	mb_random(mb, iv[0], 4096);
	mb_random(mb, iv[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_suite_as_openssl_has_it),
		cmocka_unit_test(bursts_of_mixed_suites),
		cmocka_unit_test(wrong_bits_are_found),
		cmocka_unit_test(weak_keys_of_des_are_refused),
		cmocka_unit_test(random_bytes_differ),
	};
	const char *given = getenv("POSTERN_SEED");
	int failed;

	eal_up();
	seed = given ? strtoull(given, NULL, 10) : 4303;
	printf("seed %llu\n", (unsigned long long)seed);
	random_init(&rnd, seed);
	mb = mb_new(SOCKET_ID_ANY);
	if (mb == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mb_free(mb);
	mb_free(NULL);
	return failed;
}
