/* Parameters of methods: held against the method's list before it runs, then read. Also the errors
 * that methods answer with, and pages of long lists. Control core.
 */
#include "ctl/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STRING_MAX 4096

json_t *api_fail(struct api_error *error, int code, const char *fmt, ...)
{
	va_list ap;

	error->code = code;
	va_start(ap, fmt);
	vsnprintf(error->message, sizeof(error->message), fmt, ap);
	va_end(ap);
	return NULL;
}

json_t *api_param_wrong(struct api_error *error, const char *name, const char *expected)
{
	api_fail(error, API_PARAMS, "parameter \"%.64s\" must be %s", name, expected);
	json_decref(error->data);
	error->data =
		json_pack("{s:o, s:o}", "param", text_json(name), "expected", text_json(expected));
	return NULL;
}

static bool fits(const struct api_param *p, json_t *value)
{
	json_int_t i = json_integer_value(value);
	size_t len = json_string_length(value);
	bool number = json_is_integer(value) && i >= p->min && i <= p->max;
	bool string = json_is_string(value) && len > 0 && len <= STRING_MAX;

	bool list = json_is_array(value) && (json_int_t)json_array_size(value) >= p->min &&
		    (json_int_t)json_array_size(value) <= p->max;

	switch (p->type) {
	case API_BOOL:
		return json_is_boolean(value);
	case API_INT:
		return number;
	case API_STRING:
		return string;
	case API_NAME:
		return number || string;
	case API_LIST:
		return list;
	case API_STRINGS:
		for (size_t k = 0; list && k < json_array_size(value); k++)
			list = json_is_string(json_array_get(value, k));
		return list || string;
	}
	return false;
}

static void unknown(const struct api_method *m, const char *name, struct api_error *error)
{
	json_t *known = json_array();

	for (const struct api_param *p = m->param; p != NULL && p->name != NULL; p++)
		json_array_append_new(known, json_string(p->name));
	api_fail(error, API_PARAMS, "%s has no parameter \"%.64s\"", m->name, name);
	error->data = json_pack("{s:o, s:o}", "param", text_json(name), "known", known);
}

int api_params_check(const struct api_method *m, json_t *params, struct api_error *error)
{
	const char *name;
	json_t *value;

	json_object_foreach (params, name, value) {
		const struct api_param *p = m->param;

		while (p != NULL && p->name != NULL && strcmp(p->name, name) != 0)
			p++;
		if (p == NULL || p->name == NULL) {
			unknown(m, name, error);
			return -EINVAL;
		}
		if (!fits(p, value)) {
			api_param_wrong(error, name, p->expected);
			return -EINVAL;
		}
	}
	return 0;
}

bool api_bool(json_t *params, const char *name, bool absent)
{
	json_t *v = json_object_get(params, name);

	return v ? json_is_true(v) : absent;
}

json_int_t api_int(json_t *params, const char *name, json_int_t absent)
{
	json_t *v = json_object_get(params, name);

	return v ? json_integer_value(v) : absent;
}

const char *api_string(json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

int api_page_init(struct api_page *p, json_t *params, size_t total)
{
	*p = (struct api_page){
		.offset = (size_t)api_int(params, "offset", 0),
		.limit = (size_t)api_int(params, "limit", 1000),
		.total = total,
		.list = json_array(),
	};
	return p->list ? 0 : -ENOMEM;
}

bool api_page_room(const struct api_page *p)
{
	return json_array_size(p->list) < p->limit && p->bytes < API_PAGE_BYTES;
}

void api_page_add(struct api_page *p, json_t *entry, size_t bytes)
{
	if (entry != NULL)
		json_array_append_new(p->list, entry);
	p->bytes += bytes;
}

json_t *api_page_end(struct api_page *p, const char *name)
{
	return json_pack("{s:I, s:I, s:o}", "total", (json_int_t)p->total, "offset",
		(json_int_t)p->offset, name, p->list);
}
