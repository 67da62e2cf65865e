/* What goes through the library as jobs: CBC, CTR, NULL, DES and 3DES with their integrity
 * algorithms, AH, CCM and ChaCha20-Poly1305. Jobs of a burst are submitted together, by suite, so
 * that the lanes of multi-buffer algorithms fill. Called by mb_crypt, worker.
 */
#include "ipsec/mb_parts.h"

#include <rte_branch_prediction.h>
#include <string.h>

/* Nothing is in the manager between two calls, so there is room for all of them. */
static void chained(struct mb *mb, struct mb_op *op[], unsigned n)
{
	IMB_JOB *job[MB_JOBS];
	unsigned n_jobs = 0, done;

	n = IMB_GET_NEXT_BURST(mb->mgr, n, job);
	for (unsigned i = 0; i < n; i++) {
		mb_job_suite(job[n_jobs], op[i]->sa);
		if (likely(mb_job_packet(job[n_jobs], op[i], &mb->scratch[n_jobs])))
			n_jobs++;
		else
			op[i]->status = SA_ERR_INTEGRITY;
	}
	done = n_jobs ? IMB_SUBMIT_BURST_NOCHECK(mb->mgr, n_jobs, job) : 0;
	for (unsigned i = 0; i < done; i++)
		mb_job_finish(job[i]);
	while (done < n_jobs) {
		unsigned more = IMB_FLUSH_BURST(mb->mgr, n_jobs - done, job);

		for (unsigned i = 0; i < more; i++)
			mb_job_finish(job[i]);
		done += more;
	}
}

/* CBC and CTR of AES, and no cipher, with HMAC-SHA: their lanes fill in bursts of one algorithm. */
static bool has_two_bursts(const struct sa *sa)
{
	return sa->integ >= INTEG_SHA1_96 && sa->integ <= INTEG_SHA512_256 &&
	       sa->enc <= ENC_AES_CTR_256;
}

/* First all through the one algorithm, then all through the other. */
static void run_two_bursts(struct mb *mb, unsigned n)
{
	IMB_JOB *j = mb->job;
	bool cipher = j->cipher_mode != IMB_CIPHER_NULL;
	bool hash_first = j->chain_order == IMB_ORDER_HASH_CIPHER;

	if (hash_first || !cipher)
		IMB_SUBMIT_HASH_BURST_NOCHECK(mb->mgr, j, n, j->hash_alg);
	if (cipher)
		IMB_SUBMIT_CIPHER_BURST_NOCHECK(mb->mgr, j, n, j->cipher_mode, j->cipher_direction,
			(IMB_KEY_SIZE_BYTES)j->key_len_in_bytes);
	if (!hash_first && cipher)
		IMB_SUBMIT_HASH_BURST_NOCHECK(mb->mgr, j, n, j->hash_alg);
}

/* n jobs of one suite and direction. What does not change from packet to packet stays in the jobs
 * until another suite comes. */
static void two_bursts(struct mb *mb, struct mb_op *op[], unsigned n)
{
	const struct sa *sa = op[0]->sa;
	uint32_t suite = 1u << 31 | (sa->flags & SA_IN) << 16 | sa->enc << 8 | sa->integ;
	unsigned n_jobs = 0;

	if (mb->job_suite != suite) {
		mb->job_suite = suite;
		mb->jobs_set = 0;
	}
	for (; mb->jobs_set < n; mb->jobs_set++)
		mb_job_suite(&mb->job[mb->jobs_set], sa);
	for (unsigned i = 0; i < n; i++) {
		mb->job[n_jobs].status = IMB_STATUS_BEING_PROCESSED;
		if (likely(mb_job_packet(&mb->job[n_jobs], op[i], &mb->scratch[n_jobs])))
			n_jobs++;
		else
			op[i]->status = SA_ERR_INTEGRITY;
	}
	if (n_jobs)
		run_two_bursts(mb, n_jobs);
	for (unsigned i = 0; i < n_jobs; i++)
		mb_job_finish(&mb->job[i]);
}

/* By descending length, roughly: long ones that come last would have the lanes to themselves. */
static void long_ones_first(struct mb_op *op[], unsigned n)
{
	struct mb_op *sorted[MB_JOBS];
	uint8_t bucket[MB_JOBS];
	unsigned at[17] = {0};

	for (unsigned i = 0; i < n; i++) {
		unsigned len = op[i]->len | op[i]->aad_len; /* whichever is longer, about */

		bucket[i] = 15 - RTE_MIN(len >> 7, 15u);
		at[bucket[i] + 1]++;
	}
	if (at[bucket[0] + 1] == n)
		return;
	for (unsigned i = 1; i < 16; i++)
		at[i] += at[i - 1];
	for (unsigned i = 0; i < n; i++)
		sorted[at[bucket[i]]++] = op[i];
	memcpy(op, sorted, n * sizeof(op[0]));
}

static bool same_suite(const struct sa *a, const struct sa *b)
{
	return a->enc == b->enc && a->integ == b->integ && ((a->flags ^ b->flags) & SA_IN) == 0;
}

/* Brings those of the first one's suite and direction to the front; returns how many they are. */
static unsigned first_suite(struct mb_op *op[], unsigned n)
{
	unsigned same = 1;

	while (same < n && same_suite(op[0]->sa, op[same]->sa))
		same++;
	for (unsigned i = same + 1; i < n; i++)
		if (same_suite(op[0]->sa, op[i]->sa)) {
			struct mb_op *other = op[same];

			op[same++] = op[i];
			op[i] = other;
		}
	return same;
}

void mb_jobs(struct mb *mb, struct mb_op *op[], unsigned n)
{
	long_ones_first(op, n);
	while (n) {
		unsigned some = first_suite(op, n);

		if (has_two_bursts(op[0]->sa))
			two_bursts(mb, op, some);
		else
			chained(mb, op, some);
		op += some;
		n -= some;
	}
}
