/* show.log: the last records of the filter log and what became of the others. Control core. */
#include "ctl/api.h"

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	if (env->filterlog == NULL)
		return api_fail(error, API_UNAVAILABLE, "there is no filter log yet");
	return json_pack("{s:o, s:o}", "records",
		filterlog_last(env->filterlog, (unsigned)api_int(params, "limit", FILTERLOG_KEPT)),
		"stats", filterlog_stats(env->filterlog));
}

static const struct api_param param[] = {
	{"limit", API_INT, 1, FILTERLOG_KEPT, "an integer from 1 to 256"}, {.name = NULL}};
const struct api_method api_log = {.name = "show.log", .param = param, .run = run};
