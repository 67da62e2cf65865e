/* show.fragments: datagrams that are being put together, what became of those before, and packets
 * that were cut. Control core.
 */
#include "ctl/api.h"

static const char *const why_name[FRAG_WHY_N] = {
	[FRAG_INVALID] = "invalid",
	[FRAG_DUPLICATE] = "duplicate",
	[FRAG_OVERLAP] = "overlap",
	[FRAG_INCONSISTENT] = "inconsistent",
	[FRAG_TOO_MANY] = "too-many",
	[FRAG_TOO_LONG] = "too-long",
	[FRAG_ECN] = "ecn",
	[FRAG_TIMEOUT] = "timeout",
	[FRAG_SOURCE_LIMIT] = "source-limit",
	[FRAG_TABLE_FULL] = "table-full",
};

static json_t *failed_json(const uint64_t failed[FRAG_WHY_N])
{
	json_t *o = json_object();

	for (unsigned i = 0; i < FRAG_WHY_N; i++)
		json_object_set_new(o, why_name[i], api_u64(failed[i]));
	return o;
}

/* One worker's, which are added to the sum. */
static json_t *worker_json(
	const struct ctl_env *env, const struct worker *w, struct frag_stats *sum, uint64_t *cut)
{
	const struct frag_stats *now = worker_fragments(w);
	struct frag_stats s = {0};
	uint64_t packets_cut = api_count(&w->stats.packets_cut);

	for (unsigned i = 0; now != NULL && i < FRAG_WHY_N; i++) {
		s.failed[i] = api_count(&now->failed[i]);
		sum->failed[i] += s.failed[i];
	}
	if (now != NULL) {
		s.waiting = api_count(&now->waiting);
		s.fragments = api_count(&now->fragments);
		s.done = api_count(&now->done);
	}
	sum->waiting += s.waiting;
	sum->fragments += s.fragments;
	sum->done += s.done;
	*cut += packets_cut;
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", w->id, "waiting",
		api_u64(s.waiting), "waiting_max", api_u64(env->shared->reassembly_datagrams),
		"fragments", api_u64(s.fragments), "fragments_max",
		api_u64(env->shared->reassembly_buffers), "done", api_u64(s.done), "failed",
		failed_json(s.failed), "cut", api_u64(packets_cut));
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	json_t *workers = json_array();
	struct frag_stats sum = {0};
	uint64_t cut = 0;

	for (unsigned i = 0; i < api_workers_n(env); i++)
		json_array_append_new(workers, worker_json(env, env->worker[i], &sum, &cut));
	return json_pack("{s:o, s:{s:o, s:o, s:o, s:o, s:o}}", "workers", workers, "totals",
		"waiting", api_u64(sum.waiting), "fragments", api_u64(sum.fragments), "done",
		api_u64(sum.done), "failed", failed_json(sum.failed), "cut", api_u64(cut));
}

const struct api_method api_fragments = {.name = "show.fragments", .run = run};
