/* config.check and config.reload: is a file right, and use it. Refused configurations are results
 * (valid or applied false, with every error), no errors of the protocol. Control core.
 */
#include "ctl/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct checking {
	struct api_call *call;
	char *file;
};

static void checked(void *arg, int status, const struct errs *errs)
{
	struct checking *c = arg;
	struct api_error error = {0};

	api_done(c->call,
		json_pack("{s:b, s:o, s:o, s:o, s:I}", "valid", status == 0, "file",
			text_json(c->file), "errors", api_errs(errs, false), "warnings",
			api_errs(errs, true), "n_errors", (json_int_t)errs->n_errors),
		&error);
	free(c->file);
	free(c);
}

/* NULL and an error, or what checked needs. */
static struct checking *check_begin(
	struct ctl_env *env, const char *file, struct api_call *call, struct api_error *error)
{
	struct checking *c = NULL;
	struct stat st;

	if (env->check == NULL)
		api_fail(error, API_UNAVAILABLE, "the daemon can't check configurations yet");
	else if (file != NULL && file[0] != '/') /* relative to what? */
		api_param_wrong(error, "file", "an absolute path");
	else if (file != NULL && stat(file, &st) == 0 && !S_ISREG(st.st_mode))
		api_param_wrong(error, "file", "the path of an ordinary file");
	else
		c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->call = call;
	c->file = strdup(file ? file : env->config_path ? env->config_path : "");
	if (c->file == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

static void check(struct ctl_env *env, json_t *params, struct api_call *call)
{
	const char *file = api_string(params, "file");
	struct api_error error = {0};
	struct checking *c = check_begin(env, file, call, &error);

	if (c == NULL)
		api_done(call, NULL, &error);
	else
		env->check(env, file, checked, c);
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
	.name = "config.check", .param = check_param, .start = check};
const struct api_method api_config_reload = {.name = "config.reload", .start = reload};
