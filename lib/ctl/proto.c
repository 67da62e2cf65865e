/* JSON-RPC 2.0: one request line in, one answer line out. Decides what a request is worth before a
 * method sees it: length was bounded by the server, depth and form are here, parameters in
 * api_param.c. Batches are refused: a line is one request.
 *
 * Called by the server (control core), tests and the fuzzer.
 */
#include "ctl/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16

static const struct api_method *const methods[] = {
	&api_version,
	&api_ports,
	&api_routes,
	&api_neighbours,
	&api_filter,
	&api_workers,
	&api_fragments,
	&api_graph,
	&api_drops,
	&api_log,
	&api_filter_test,
	&api_config_check,
	&api_config_reload,
	&api_route_add,
	&api_route_delete,
	&api_route_replace,
	&api_sad,
	&api_spd,
	&api_ipsec,
	&api_sa_add,
	&api_sa_delete,
	&api_policy_add,
	&api_policy_delete,
};
#define METHODS_N (sizeof(methods) / sizeof(methods[0]))

/* A call whose answer comes later. */
struct api_call {
	json_t *id; /* NULL: a notification */
	void (*answered)(void *arg, char *answer);
	void *arg;
	bool inside; /* start has not returned yet */
	bool done;
	char *answer; /* when it was done inside */
};

/* The line for an answer object, which is taken over. */
static char *line_of(json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	char *line = NULL;
	size_t len;

	json_decref(answer);
	if (text == NULL) {
		/* Out of memory, most likely; this much must still be possible. */
		return strdup("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,"
			      "\"message\":\"out of memory\"}}\n");
	}
	len = strlen(text);
	line = realloc(text, len + 2);
	if (line == NULL) {
		free(text);
		return NULL;
	}
	line[len] = '\n';
	line[len + 1] = '\0';
	return line;
}

/* Takes result over; error->data is given away. id NULL: null. */
static char *answer_line(json_t *id, json_t *result, struct api_error *error)
{
	json_t *answer, *e;

	if (result != NULL)
		return line_of(json_pack(
			"{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, "result", result));
	if (error->code == 0)
		api_fail(error, API_INTERNAL, "out of memory");
	e = json_pack("{s:i, s:o}", "code", error->code, "message", text_json(error->message));
	if (e != NULL && error->data != NULL)
		json_object_set(e, "data", error->data);
	json_decref(error->data);
	error->data = NULL;
	answer = json_pack("{s:s, s:o?, s:o?}", "jsonrpc", "2.0", "id",
		id ? json_incref(id) : json_null(), "error", e);
	return line_of(answer);
}

/* Nesting outside of strings, so that no parser recurses further than we like. */
static bool too_deep(const char *line, size_t len)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '[' || c == '{') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if (c == ']' || c == '}') {
			depth--;
		}
	}
	return false;
}

static json_t *parse(const char *line, size_t len, struct api_error *error)
{
	json_error_t where;
	json_t *request;

	if (too_deep(line, len))
		return api_fail(
			error, API_PARSE, "the request is nested deeper than %d", DEPTH_MAX);
	request = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (request == NULL) {
		api_fail(error, API_PARSE, "not JSON: %s (column %d)", where.text, where.column);
		error->data = json_pack("{s:i}", "column", where.column);
	}
	return request;
}

static const struct api_method *method_find(const char *name)
{
	for (size_t i = 0; i < METHODS_N; i++)
		if (strcmp(methods[i]->name, name) == 0)
			return methods[i];
	return NULL;
}

static void method_unknown(const char *name, struct api_error *error)
{
	json_t *list = json_array();

	for (size_t i = 0; i < METHODS_N; i++)
		json_array_append_new(list, json_string(methods[i]->name));
	api_fail(error, API_METHOD, "there is no method \"%.64s\"", name);
	error->data = json_pack("{s:o}", "methods", list);
}

/* The form of a request (JSON-RPC 2.0 section 4). NULL: error is filled. */
static const struct api_method *request_check(json_t *request, struct api_error *error)
{
	static const char *const members[] = {"jsonrpc", "method", "params", "id"};
	const struct api_method *m;
	const char *key, *version, *name;
	json_t *value;

	json_object_foreach (request, key, value) {
		size_t i = 0;

		while (i < 4 && strcmp(key, members[i]) != 0)
			i++;
		if (i == 4) {
			api_fail(error, API_REQUEST, "a request has no member \"%.64s\"", key);
			return NULL;
		}
	}
	version = json_string_value(json_object_get(request, "jsonrpc"));
	if (version == NULL || strcmp(version, "2.0") != 0) {
		api_fail(error, API_REQUEST, "\"jsonrpc\" must be \"2.0\"");
		return NULL;
	}
	name = json_string_value(json_object_get(request, "method"));
	if (name == NULL) {
		api_fail(error, API_REQUEST, "\"method\" must be a string");
		return NULL;
	}
	m = method_find(name);
	if (m == NULL) {
		method_unknown(name, error);
		return NULL;
	}
	value = json_object_get(request, "params");
	if (value != NULL && !json_is_object(value)) {
		api_fail(error, API_PARAMS, "\"params\" must be an object: parameters have names");
		return NULL;
	}
	return api_params_check(m, value, error) < 0 ? NULL : m;
}

static void call_free(struct api_call *call)
{
	json_decref(call->id);
	free(call);
}

void api_done(struct api_call *call, json_t *result, struct api_error *error)
{
	char *answer = NULL;

	if (call->id != NULL) {
		answer = answer_line(call->id, result, error);
	} else {
		json_decref(result);
		json_decref(error->data);
	}
	if (call->inside) {
		call->answer = answer;
		call->done = true;
		return;
	}
	call->answered(call->arg, answer);
	call_free(call);
}

static char *call_start(const struct api_method *m, struct ctl_env *env, json_t *request,
	void (*answered)(void *arg, char *answer), void *arg, bool *pending)
{
	struct api_call *call = calloc(1, sizeof(*call));
	struct api_error error = {0};
	json_t *id = json_object_get(request, "id");
	char *answer;

	if (call == NULL)
		return id ? answer_line(id, NULL, &error) : NULL;
	*call = (struct api_call){
		.id = json_incref(id), .answered = answered, .arg = arg, .inside = true};
	m->start(env, json_object_get(request, "params"), call);
	call->inside = false;
	if (!call->done) {
		*pending = true;
		return NULL;
	}
	answer = call->answer;
	call_free(call);
	return answer;
}

static char *dispatch(const struct api_method *m, struct ctl_env *env, json_t *request,
	void (*answered)(void *arg, char *answer), void *arg, bool *pending)
{
	json_t *id = json_object_get(request, "id");
	struct api_error error = {0};
	json_t *result = NULL;

	if (env == NULL)
		api_fail(&error, API_UNAVAILABLE, "the daemon is not ready to answer this");
	else if (m->start != NULL)
		return call_start(m, env, request, answered, arg, pending);
	else
		result = m->run(env, json_object_get(request, "params"), &error);
	if (id != NULL)
		return answer_line(id, result, &error);
	json_decref(result);
	json_decref(error.data);
	return NULL;
}

char *ctl_handle(struct ctl_env *env, const char *line, size_t len,
	void (*answered)(void *arg, char *answer), void *arg, bool *pending)
{
	struct api_error error = {0};
	const struct api_method *m;
	json_t *request, *id;
	char *answer;

	*pending = false;
	request = parse(line, len, &error);
	if (request == NULL)
		return answer_line(NULL, NULL, &error);
	id = json_object_get(request, "id");
	if (json_is_array(request))
		api_fail(&error, API_REQUEST, "batches are not supported: one request per line");
	else if (!json_is_object(request))
		api_fail(&error, API_REQUEST, "a request is an object");
	else if (id != NULL && !json_is_string(id) && !json_is_integer(id) && !json_is_null(id))
		api_fail(&error, API_REQUEST, "\"id\" must be a string, an integer or null");
	if (error.code != 0) {
		answer = answer_line(NULL, NULL, &error);
		json_decref(request);
		return answer;
	}
	m = request_check(request, &error);
	if (m != NULL) {
		answer = dispatch(m, env, request, answered, arg, pending);
	} else if (id != NULL || error.code == API_REQUEST) {
		answer = answer_line(id, NULL, &error);
	} else { /* a notification is never answered */
		json_decref(error.data);
		answer = NULL;
	}
	json_decref(request);
	return answer;
}
