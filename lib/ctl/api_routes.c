/* show.routes: the routing table, a page at a time. Control core. */
#include "ctl/api.h"

#include "ctl/routing.h"

static json_t *route_json(const struct root *root, const struct route *r)
{
	char to[PREFIX_STRLEN];

	return json_pack("{s:s, s:s, s:s, s:o}", "to", prefix_format(&r->to, to), "origin",
		r->origin == ROUTE_CONNECTED ? "connected" : "static", "type",
		routing_type(root->routes, r->nh), "next_hops", routing_hops(root, r->nh));
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	const struct root *root = api_root(env, error);
	struct api_page page;

	if (root == NULL)
		return NULL;
	if (root->routes == NULL)
		return api_fail(error, API_UNAVAILABLE, "there are no routes yet");
	if (api_page_init(&page, params, root->routes->n_routes) < 0)
		return NULL;
	for (size_t i = page.offset; i < page.total && api_page_room(&page); i++) {
		json_t *entry = route_json(root, &root->routes->route[i]);
		size_t hops = json_array_size(json_object_get(entry, "next_hops"));

		api_page_add(&page, entry, 80 + hops * 110);
	}
	return api_page_end(&page, "routes");
}

static const struct api_param param[] = {API_PAGE_PARAMS, {.name = NULL}};
const struct api_method api_routes = {.name = "show.routes", .param = param, .run = run};
