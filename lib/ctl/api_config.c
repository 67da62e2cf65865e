/* config.check and config.reload: is a file right, and use it. Refused configurations are results
 * (valid or applied false, with every error), no errors of the protocol. Control core.
 */
#include "ctl/api.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static json_t *check(struct ctl_env *env, json_t *params, struct api_error *error)
{
	const char *file = api_string(params, "file");
	struct errs errs = {0};
	struct stat st;
	json_t *result;
	int rc;

	if (env->check == NULL)
		return api_fail(
			error, API_UNAVAILABLE, "the daemon can't check configurations yet");
	/* Relative to what? And a pipe would hold up the daemon. */
	if (file != NULL && file[0] != '/')
		return api_param_wrong(error, "file", "an absolute path");
	if (file != NULL && stat(file, &st) == 0 && !S_ISREG(st.st_mode))
		return api_param_wrong(error, "file", "the path of an ordinary file");
	rc = env->check(env, file, &errs);
	result = json_pack("{s:b, s:o, s:o, s:o, s:I}", "valid", rc == 0, "file",
		text_json(file ? file : env->config_path), "errors", api_errs(&errs, false),
		"warnings", api_errs(&errs, true), "n_errors", (json_int_t)errs.n_errors);
	errs_fini(&errs);
	return result;
}

static void reloaded(void *arg, int status, const struct errs *errs)
{
	struct api_error error = {0};
	json_t *result = json_pack("{s:b, s:s, s:o, s:o, s:I}", "applied", status == 0, "status",
		status == 0         ? "applied"
		: status == -EBUSY  ? "busy"
		: status == -EINVAL ? "refused"
				    : "failed",
		"errors", api_errs(errs, false), "warnings", api_errs(errs, true), "n_errors",
		(json_int_t)(errs ? errs->n_errors : 0));

	api_done(arg, result, &error);
}

static void reload(struct ctl_env *env, json_t *params, struct api_call *call)
{
	struct api_error error = {0};

	if (env->reload != NULL) {
		env->reload(env, reloaded, call);
		return;
	}
	api_fail(&error, API_UNAVAILABLE, "the daemon can't reload yet");
	api_done(call, NULL, &error);
}

static const struct api_param check_param[] = {
	{"file", API_STRING, 0, 0, "an absolute path"}, {.name = NULL}};
const struct api_method api_config_check = {
	.name = "config.check", .param = check_param, .run = check};
const struct api_method api_config_reload = {.name = "config.reload", .start = reload};
