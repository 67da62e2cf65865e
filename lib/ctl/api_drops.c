/* show.drops: why packets were dropped, how many, and what the last of them were. Answers "where
 * did my packet go?". Control core; the samples are the workers', read by their sequence
 * (dp/worker.h).
 */
#include "ctl/api.h"

#include "ctl/decode.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 32

struct taken { /* a sample, copied */
	struct drop_sample sample;
	uint16_t worker;
};

/* Copies a sample that its worker may be writing. False: never written, or in motion all the time.
 */
static bool take(const struct drop_sample *from, struct drop_sample *to)
{
	for (int tries = 0; tries < 8; tries++) {
		uint32_t before = atomic_load_explicit(&from->seq, memory_order_acquire);

		if (before == 0)
			return false;
		if (before & 1)
			continue;
		memcpy(to, from, sizeof(*to));
		atomic_thread_fence(
			memory_order_acquire); /* the copy comes before the second look */
		if (atomic_load_explicit(&from->seq, memory_order_relaxed) == before)
			return true;
	}
	return false;
}

static int newest_first(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;

	return x->sample.wall_ns < y->sample.wall_ns   ? 1
	       : x->sample.wall_ns > y->sample.wall_ns ? -1
						       : 0;
}

static json_t *hex(const struct drop_sample *s)
{
	char buf[2 * SAMPLE_BYTES + 1];
	struct text t;

	text_init(&t, buf, sizeof(buf));
	for (unsigned i = 0; i < s->kept; i++)
		text_add(&t, "%02x", s->data[i]);
	return json_string(buf);
}

static json_t *rule_of(const struct root *root, const struct drop_sample *s)
{
	if (s->verdict == UINT32_MAX)
		return json_null();
	if (root == NULL || s->generation != root->generation) {
		/* its number would be another rule's now */
		return json_pack("{s:I, s:n, s:n, s:s}", "number", (json_int_t)s->verdict, "file",
			"line", "text", "(of a configuration that is no longer in use)");
	}
	return api_rule(root->acl, s->verdict);
}

static json_t *sample_json(const struct root *root, struct taken *taken)
{
	struct drop_sample *s = &taken->sample;
	char line[DECODE_STRLEN], when[TEXT_TIME_STRLEN];

	if (s->kept > SAMPLE_BYTES)
		s->kept = SAMPLE_BYTES;
	decode(s->data, s->kept, s->len, s->l2_len != 0, line, sizeof(line));
	return json_pack("{s:s, s:o, s:o, s:i, s:i, s:o, s:o, s:o}", "time",
		text_time(s->wall_ns, when), "in", api_iface_name(root, s->in_if), "out",
		api_iface_name(root, s->out_if), "length", s->len, "worker", taken->worker,
		"packet", text_json(line), "rule", rule_of(root, s), "hex", hex(s));
}

/* The last packets of a reason over all workers, newest first. */
static json_t *samples(
	struct ctl_env *env, const struct root *root, enum drop_reason reason, size_t limit)
{
	size_t room = (size_t)api_workers_n(env) * SAMPLES_PER_REASON, n = 0;
	struct taken *all = calloc(room + 1, sizeof(*all));
	json_t *list = json_array();

	for (unsigned w = 0; all != NULL && w < api_workers_n(env); w++) {
		if (env->worker[w]->sample == NULL)
			continue;
		for (unsigned i = 0; i < SAMPLES_PER_REASON; i++) {
			if (!take(&env->worker[w]->sample[reason][i], &all[n].sample))
				continue;
			all[n++].worker = (uint16_t)w;
		}
	}
	if (n > 1)
		qsort(all, n, sizeof(*all), newest_first);
	for (size_t i = 0; i < n && i < limit; i++)
		json_array_append_new(list, sample_json(root, &all[i]));
	free(all);
	return list;
}

static json_t *unknown_reason(struct api_error *error, const char *name)
{
	json_t *names = json_array();

	for (unsigned r = 1; r < DROP_N; r++)
		json_array_append_new(names, json_string(drop_text[r].name));
	api_fail(error, API_PARAMS, "there is no drop reason \"%.64s\"", name);
	error->data = json_pack("{s:s, s:o}", "param", "reason", "reasons", names);
	return NULL;
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	bool all = api_bool(params, "all", false), with = api_bool(params, "sample", false);
	size_t limit = (size_t)api_int(params, "limit", SAMPLES_PER_REASON);
	const char *name = api_string(params, "reason");
	const struct root *root = env->shared ? atomic_load(&env->shared->root) : NULL;
	enum drop_reason only = name ? drop_find(name) : DROP_NONE;
	json_t *rows;
	uint64_t total = 0;

	if (name != NULL && only == DROP_NONE)
		return unknown_reason(error, name);
	rows = json_array();
	for (unsigned r = 1; r < DROP_N; r++) {
		uint64_t n = 0;
		json_t *row;

		for (unsigned w = 0; w < api_workers_n(env); w++)
			n += api_count(&env->worker[w]->stats.drops[r]);
		total += n;
		if (only ? r != only : n == 0 && !all)
			continue;
		row = json_pack("{s:s, s:s, s:o, s:s}", "reason", drop_text[r].name, "room",
			drop_text[r].room, "packets", api_u64(n), "sentence",
			drop_text[r].sentence);
		if (with)
			json_object_set_new(row, "samples", samples(env, root, r, limit));
		json_array_append_new(rows, row);
	}
	return json_pack("{s:o, s:o}", "drops", rows, "total", api_u64(total));
}

static const struct api_param param[] = {
	{"sample", API_BOOL, 0, 0, "true or false"},
	{"reason", API_STRING, 0, 0, "the name of a drop reason"},
	{"all", API_BOOL, 0, 0, "true or false"},
	{"limit", API_INT, 1, LIMIT_MAX, "an integer from 1 to 32"},
	{.name = NULL},
};
const struct api_method api_drops = {.name = "show.drops", .param = param, .run = run};
