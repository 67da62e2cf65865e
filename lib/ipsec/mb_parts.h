/* What the parts of mb share: how expanded keys lie in an SA, and what a worker has of the library.
 * Only mb*.c include this, and bench/crypto, which holds
 * them against the bare library.
 */
#pragma once

#include "ipsec/mb.h"

#include <intel-ipsec-mb.h>

/* AH has no cipher, combined modes have no second key: whatever is there first begins on a cache
 * line, and what is not there costs none. */
struct mb_aes_key {
	uint8_t enc[15 * 16], dec[15 * 16]; /* round keys */
};

struct mb_hmac_key {
	uint8_t inner[64] __rte_aligned(16); /* hash states after the first block */
	uint8_t outer[64] __rte_aligned(16);
};

struct mb_mac_key { /* XCBC, CMAC */
	uint8_t k1[11 * 16] __rte_aligned(16);
	uint8_t k2[16], k3[16];
};

struct mb_key {
	union {
		struct gcm_key_data gcm; /* GCM, GMAC of ESP and of AH */
		uint8_t chacha[32];
		struct {
			union {
				struct mb_aes_key aes; /* CBC, CTR, CCM */
				uint64_t des[3][IMB_DES_KEY_SCHED_SIZE / 8];
			};
			union {
				struct mb_hmac_key hmac;
				struct mb_mac_key mac;
			} __rte_cache_aligned;
		};
	};
} __rte_aligned(16);
_Static_assert(sizeof(struct mb_key) <= SA_KEY_BYTES, "expanded keys fit into an SA");

static inline const struct mb_key *mb_key_of(const struct sa *sa)
{
	return (const struct mb_key *)sa->key;
}

/* What a job needs besides its packet: a cache line. */
struct mb_scratch {
	uint8_t icv[SUITE_ICV_MAX]; /* inbound: computed */
	union {
		struct {
			uint8_t iv[16]; /* nonce, where it is not the IV of the packet alone */
			uint8_t aad[12];
			uint8_t saved[4]; /* what was where an ESN's high half has to be */
		};
		const void *des[3]; /* key schedules of 3DES; leaves saved alone */
	};
} __rte_cache_aligned;
_Static_assert(sizeof(struct mb_scratch) == 64, "one cache line");

#define MB_JOBS IMB_MAX_BURST_SIZE /* in one go */
#define MB_POOL 1024               /* random bytes in stock */

typedef void (*mb_gcm_t)(const struct gcm_key_data *key, struct gcm_context_data *ctx, uint8_t *out,
	uint8_t const *in, uint64_t len, const uint8_t *iv, uint8_t const *aad, uint64_t aad_len,
	uint8_t *tag, uint64_t tag_len);

struct mb {
	IMB_MGR *mgr;
	mb_gcm_t gcm[3][2]; /* [key of 128, 192, 256 bits][inbound] */
	struct gcm_context_data ctx;
	unsigned pool_left; /* the last bytes of it */
	uint8_t pool[MB_POOL];
	uint8_t random_key[16], round_keys[2][15 * 16] __rte_aligned(16);
	struct mb_scratch scratch[MB_JOBS];
	struct mb_op *op[MB_JOBS]; /* of the burst that is being gathered */
	IMB_JOB job[MB_JOBS];      /* of bursts of one algorithm; others have the manager's */
	uint32_t job_suite;        /* that jobs_set of them are filled for */
	unsigned jobs_set;
};

/* Runs n operations (n <= MB_JOBS) as jobs of the library: everything but GCM and GMAC. */
void mb_jobs(struct mb *mb, struct mb_op *op[], unsigned n);

/* One packet as one job: what is the same for all packets of a suite and direction; the rest
 * (false: it can't be done); and what there is to do when the library has done it. mb_fill.c, which
 * bench/crypto uses as well. */
void mb_job_suite(IMB_JOB *j, const struct sa *sa);
bool mb_job_packet(IMB_JOB *j, struct mb_op *op, struct mb_scratch *x);
void mb_job_finish(const IMB_JOB *j);

/* Whether two ICVs are the same, in a time that depends on their length alone: 8 to 32 bytes, a
 * multiple of 4. */
static inline bool mb_icv_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	uint32_t x, y, differ = 0;

	for (unsigned i = 0; i < len; i += 4) {
		memcpy(&x, a + i, 4);
		memcpy(&y, b + i, 4);
		differ |= x ^ y;
	}
	return differ == 0;
}
