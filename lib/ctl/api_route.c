/* route.add, route.delete, route.replace: a route, or a list of them, all or nothing. What is wrong
 * with its form is said here; the rest by whoever owns the routes (ctl_env.route). Control core.
 */
#include "ctl/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUTES_AT_ONCE 10000 /* more than a request line holds */

struct changing { /* a call that waits for its answer */
	struct api_call *call;
	bool list;
	uint32_t n;
};

/* Says what is wrong with a member of an entry (index -1: of the parameters themselves). */
static bool wrong(struct api_error *error, int index, const char *name, const char *expected)
{
	char where[96];

	snprintf(where, sizeof(where), "routes[%d].%s", index, name);
	api_param_wrong(error, index < 0 ? name : where, expected);
	if (index >= 0)
		json_object_set_new(error->data, "entry", json_integer(index));
	return false;
}

static bool read_to(struct ctl_route *r, json_t *entry, int index, struct api_error *error)
{
	const char *text = json_string_value(json_object_get(entry, "to"));
	struct addr masked;

	if (text == NULL || prefix_parse(text, &r->to) < 0)
		return wrong(error, index, "to", "a prefix such as 192.0.2.0/24 or 2001:db8::/32");
	masked = addr_masked(&r->to.addr, r->to.len);
	if (!addr_equal(&masked, &r->to.addr))
		return wrong(error, index, "to", "a prefix without bits beyond its length");
	if (!prefix_is_routable(&r->to))
		return wrong(error, index, "to",
			"of unicast addresses, neither loopback nor link-local");
	return true;
}

/* "192.0.2.1", "2001:db8::1", or "fe80::1%lan" with the name of an interface. */
static bool read_via(struct ctl_route *r, const char *text, int index, struct api_error *error)
{
	static const char expected[] = "the address of a next hop, such as 192.0.2.1, 2001:db8::1 "
				       "or fe80::1%lan with the name of an interface";
	const char *zone = text ? strchr(text, '%') : NULL;
	struct ctl_via *via = &r->via[r->n_via];
	char host[ADDR_STRLEN];

	if (text == NULL || (size_t)(zone ? zone - text : (long)strlen(text)) >= sizeof(host))
		return wrong(error, index, "via", expected);
	snprintf(host, sizeof(host), "%.*s", (int)(zone ? zone - text : (long)strlen(text)), text);
	if (addr_parse(host, &via->addr) < 0 || !addr_is_host(&via->addr) ||
		(zone && (!addr_is_link_local(&via->addr) || zone[1] == '\0' ||
				 strlen(zone + 1) >= sizeof(via->iface))))
		return wrong(error, index, "via", expected);
	if (zone)
		strcpy(via->iface, zone + 1);
	for (unsigned i = 0; i < r->n_via; i++)
		if (addr_equal(&r->via[i].addr, &via->addr) &&
			strcmp(r->via[i].iface, via->iface) == 0)
			return wrong(error, index, "via", "next hops, each of them once");
	r->n_via++;
	return true;
}

static bool read_vias(struct ctl_route *r, json_t *entry, int index, struct api_error *error)
{
	json_t *via = json_object_get(entry, "via"), *one;
	size_t i;

	if (via == NULL)
		return true;
	if (json_is_string(via))
		return read_via(r, json_string_value(via), index, error);
	if (json_array_size(via) < 1 || json_array_size(via) > CTL_PATHS_MAX)
		return wrong(error, index, "via", "a string, or a list of 1 to 16");
	json_array_foreach (via, i, one)
		if (!read_via(r, json_string_value(one), index, error))
			return false;
	return true;
}

static bool read_type(struct ctl_route *r, json_t *entry, int index, struct api_error *error)
{
	static const struct {
		const char *name;
		uint8_t type;
	} types[] = {{"via", NH_VIA}, {"blackhole", NH_BLACKHOLE}, {"unreachable", NH_UNREACHABLE},
		{"prohibit", NH_PROHIBIT}};
	json_t *type = json_object_get(entry, "type"), *iface = json_object_get(entry, "interface");
	const char *text = json_string_value(type), *name = json_string_value(iface);
	unsigned i = 0;

	while (type != NULL && i < RTE_DIM(types) && (!text || strcmp(types[i].name, text) != 0))
		i++;
	if (i == RTE_DIM(types))
		return wrong(error, index, "type",
			"\"via\", \"blackhole\", \"unreachable\" or \"prohibit\"");
	r->type = types[i].type;
	if (iface != NULL && (!name || !*name || strlen(name) >= sizeof(r->iface)))
		return wrong(error, index, "interface", "the name of an interface");
	if (iface != NULL)
		strcpy(r->iface, name);
	if (r->type != NH_VIA && (r->n_via || iface != NULL))
		return wrong(error, index, r->n_via ? "via" : "interface",
			"left out: this type has no next hop");
	if (r->type == NH_VIA && r->n_via == 0 && iface == NULL)
		return wrong(
			error, index, "via", "given, or interface, or a type without next hop");
	return true;
}

static bool known(json_t *entry, int index, bool hops, struct api_error *error)
{
	static const char *const names[] = {"to", "via", "interface", "type"};
	const char *name;
	json_t *value;

	json_object_foreach (entry, name, value) {
		unsigned i = 0;

		while (i < (hops ? RTE_DIM(names) : 1) && strcmp(names[i], name) != 0)
			i++;
		if (i == (hops ? RTE_DIM(names) : 1) && strcmp(name, "routes") != 0)
			return wrong(error, index, name,
				hops ? "none: a route has to, via, interface and type"
				     : "none: only \"to\" is said of what is deleted");
	}
	return true;
}

static bool read_route(
	struct ctl_route *r, json_t *entry, int index, enum route_op op, struct api_error *error)
{
	bool hops = op != ROUTE_DELETE;

	if (!json_is_object(entry))
		return wrong(error, index, "to", "in an object");
	return known(entry, index, hops, error) && read_to(r, entry, index, error) &&
	       (!hops || (read_vias(r, entry, index, error) && read_type(r, entry, index, error)));
}

static void changed(void *arg, const struct ctl_route_result *result)
{
	struct changing *c = arg;
	struct api_error error = {0};
	char text[600], where[32] = "";

	if (result->status == 0) {
		api_done(c->call, json_pack("{s:I}", "changed", (json_int_t)c->n), &error);
		free(c);
		return;
	}
	if (c->list)
		snprintf(where, sizeof(where), "routes[%u]: ", result->bad);
	snprintf(text, sizeof(text), "%s%s", where, result->why);
	api_refused(&error, result->status, text);
	json_object_set_new(error.data, "entry", json_integer((json_int_t)result->bad));
	api_done(c->call, NULL, &error);
	free(c);
}

static void start(struct ctl_env *env, json_t *params, struct api_call *call, enum route_op op)
{
	json_t *list = json_object_get(params, "routes");
	size_t n = list ? json_array_size(list) : 1;
	struct ctl_route *route = calloc(n, sizeof(*route));
	struct changing *c = calloc(1, sizeof(*c));
	struct api_error error = {0};
	bool ok = route != NULL && c != NULL;

	if (env->route == NULL) {
		api_fail(&error, API_UNAVAILABLE, "the daemon can't change routes yet");
		ok = false;
	} else if (ok && list != NULL && json_object_size(params) != 1) {
		ok = wrong(&error, -1, "routes", "alone, or a single route without it");
	}
	for (size_t i = 0; ok && i < n; i++)
		ok = read_route(&route[i], list ? json_array_get(list, i) : params,
			list ? (int)i : -1, op, &error);
	if (!ok) {
		free(route);
		free(c);
		api_done(call, NULL, &error);
		return;
	}
	*c = (struct changing){.call = call, .list = list != NULL, .n = (uint32_t)n};
	env->route(env, op, route, (uint32_t)n, changed, c);
}

static void add(struct ctl_env *env, json_t *params, struct api_call *call)
{
	start(env, params, call, ROUTE_ADD);
}

static void delete (struct ctl_env *env, json_t *params, struct api_call *call)
{
	start(env, params, call, ROUTE_DELETE);
}

static void replace(struct ctl_env *env, json_t *params, struct api_call *call)
{
	start(env, params, call, ROUTE_REPLACE);
}

#define TO                                                                               \
	{                                                                                \
		"to", API_STRING, 0, 0, "a prefix such as 192.0.2.0/24 or 2001:db8::/32" \
	}
#define LIST                                                                         \
	{                                                                            \
		"routes", API_LIST, 1, ROUTES_AT_ONCE, "a list of 1 to 10000 routes" \
	}
static const struct api_param param[] = {
	TO,
	{"via", API_STRINGS, 1, CTL_PATHS_MAX, "an address, or a list of 1 to 16"},
	{"interface", API_STRING, 0, 0, "the name of an interface"},
	{"type", API_STRING, 0, 0, "\"via\", \"blackhole\", \"unreachable\" or \"prohibit\""},
	LIST,
	{.name = NULL},
};
static const struct api_param delete_param[] = {TO, LIST, {.name = NULL}};
const struct api_method api_route_add = {.name = "route.add", .param = param, .start = add};
const struct api_method api_route_delete = {
	.name = "route.delete", .param = delete_param, .start = delete};
const struct api_method api_route_replace = {
	.name = "route.replace", .param = param, .start = replace};
