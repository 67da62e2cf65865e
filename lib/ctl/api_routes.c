/* show.routes: all routes, those in use and those that wait for a link or stand behind others, a
 * page at a time. Control core. */
#include "ctl/api.h"

#include "ctl/routing.h"

#define AT_ONCE 64 /* read under one lock */

static const char *origin(uint8_t o)
{
	switch ((enum route_origin)o) {
	case ROUTE_CONNECTED:
		return "connected";
	case ROUTE_CONTROL:
		return "control";
	case ROUTE_STATIC:
		return "static";
	}
	return "unknown";
}

static json_t *route_json(struct ctl_env *env, const struct root *root, const struct route *r)
{
	char to[PREFIX_STRLEN];

	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "to", prefix_format(&r->to, to), "origin",
		origin(r->origin), "type", routing_set_type(env->routes, r->hops), "state",
		r->active ? "active" : "inactive", "next_hops",
		routing_set_hops(env->routes, root, r->hops));
}

/* What the lookup tables take, on the first page. */
static json_t *with_tables(struct ctl_env *env, json_t *result)
{
	struct route_db_stats s = route_db_stats(env->routes);

	if (json_integer_value(json_object_get(result, "offset")) == 0)
		json_object_set_new(result, "tables",
			json_pack("{s:o, s:I}", "bytes", api_u64(s.bytes), "made_anew",
				(json_int_t)s.rebuilds));
	return result;
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	const struct root *root = api_root(env, error);
	struct route r[AT_ONCE];
	struct api_page page;
	uint32_t n = AT_ONCE;

	if (root == NULL)
		return NULL;
	if (env->routes == NULL)
		return api_fail(error, API_UNAVAILABLE, "there are no routes yet");
	if (api_page_init(&page, params, route_db_count(env->routes)) < 0)
		return NULL;
	for (size_t at = page.offset; n == AT_ONCE && api_page_room(&page); at += n) {
		n = at < page.total ? route_db_read(env->routes, (uint32_t)at, r, AT_ONCE) : 0;
		for (uint32_t i = 0; i < n && api_page_room(&page); i++) {
			json_t *entry = route_json(env, root, &r[i]);
			size_t hops = json_array_size(json_object_get(entry, "next_hops"));

			api_page_add(&page, entry, 100 + hops * 120);
		}
	}
	return with_tables(env, api_page_end(&page, "routes"));
}

static const struct api_param param[] = {API_PAGE_PARAMS, {.name = NULL}};
const struct api_method api_routes = {.name = "show.routes", .param = param, .run = run};
