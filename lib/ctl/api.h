/* What the methods of the control API share: their table entry, their parameters, their errors, and
 * what several of them show. One file api_<noun>.c per noun; proto.c calls them.
 *
 * For this room alone. Control core.
 */
#pragma once

#include "ctl/ctl.h"
#include "ctl/text.h"

#include <jansson.h>

/* JSON-RPC 2.0 section 5.1, and ours from -32000 downwards */
enum api_code {
	API_PARSE = -32700,
	API_REQUEST = -32600,
	API_METHOD = -32601,
	API_PARAMS = -32602,
	API_INTERNAL = -32603,
	API_UNAVAILABLE = -32000, /* the daemon has nothing to answer with (yet) */
	API_CLIENTS = -32001,     /* too many clients */
	API_REFUSED = -32002,     /* understood, but not done: data says why */
};

struct api_error {
	int code; /* 0: none yet */
	char message[512];
	json_t *data; /* owned; may be NULL */
};

enum api_type {
	API_BOOL,
	API_INT,     /* min to max */
	API_STRING,  /* at most 4096 bytes, never empty */
	API_NAME,    /* a string, or an integer from min to max */
	API_STRINGS, /* a string, or a list of min to max of them */
	API_LIST,    /* a list of min to max */
};

struct api_param {
	const char *name; /* NULL ends the list */
	enum api_type type;
	json_int_t min, max;
	const char *expected; /* for messages: "an integer from 1 to 10000" */
};

struct api_call;

struct api_method {
	const char *name;
	const struct api_param *param; /* NULL: none */
	/* One of the two. run: the result, or NULL with error filled (code 0: out of memory). */
	json_t *(*run)(struct ctl_env *env, json_t *params, struct api_error *error);
	/* start: as run, or api_done is called with call, now or later. */
	void (*start)(struct ctl_env *env, json_t *params, struct api_call *call);
};

extern const struct api_method api_version, api_ports, api_routes, api_neighbours, api_filter;
extern const struct api_method api_fragments, api_workers, api_graph, api_drops, api_log,
	api_filter_test;
extern const struct api_method api_config_check, api_config_reload;
extern const struct api_method api_sad, api_spd, api_ipsec, api_sa_add, api_sa_delete;
extern const struct api_method api_policy_add, api_policy_delete;
extern const struct api_method api_route_add, api_route_delete, api_route_replace;

/* Ends a call that start began. result is taken over; NULL with an error. */
void api_done(struct api_call *call, json_t *result, struct api_error *error);

/* --- api_param.c */

/* Holds params (an object or NULL) against the method's list. 0, or -EINVAL with error filled. */
int api_params_check(const struct api_method *m, json_t *params, struct api_error *error);
/* Says that a parameter is wrong and what was expected. Returns NULL, for return statements. */
json_t *api_param_wrong(struct api_error *error, const char *name, const char *expected);
json_t *api_fail(struct api_error *error, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

bool api_bool(json_t *params, const char *name, bool absent);
json_int_t api_int(json_t *params, const char *name, json_int_t absent);
const char *api_string(json_t *params, const char *name); /* NULL when absent */

/* A page of a large list: params offset and limit. A page ends early when it has so many bytes:
 * that is some 3 ms of the control core, and far below the bound of a client's output. */
#define API_PAGE_BYTES (256u << 10)
#define API_PAGE_PARAMS                                                  \
	{"offset", API_INT, 0, INT32_MAX, "an integer from 0"},          \
	{                                                                \
		"limit", API_INT, 1, 10000, "an integer from 1 to 10000" \
	}
struct api_page {
	size_t offset, limit, total;
	size_t bytes; /* so far, about */
	json_t *list;
};
/* 0 or -ENOMEM. Then add entries from page.offset on while api_page_room. */
int api_page_init(struct api_page *p, json_t *params, size_t total);
bool api_page_room(const struct api_page *p);
/* Takes entry over (NULL permitted: out of memory, left out); bytes: about its length as text. */
void api_page_add(struct api_page *p, json_t *entry, size_t bytes);
/* {"total", "offset", name: list}; the list is taken over. */
json_t *api_page_end(struct api_page *p, const char *name);

/* --- api_common.c */

/* The root in use, or NULL with the error. */
const struct root *api_root(struct ctl_env *env, struct api_error *error);
/* A counter that a worker writes while we read it. */
static inline uint64_t api_count(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}
static inline json_t *api_u64(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}
unsigned api_workers_n(const struct ctl_env *env);
/* Packets and bytes of a rule counter over all workers, since the rule was loaded. */
struct rule_counter api_rule_count(const struct ctl_env *env, uint32_t id);
/* The name of an interface id: JSON null for 0. New reference. */
json_t *api_iface_name(const struct root *root, uint16_t id);
/* {number, file, line, text} of acl verdict v (0: the implicit deny); null beyond the list. */
json_t *api_rule(const struct acl *acl, uint32_t verdict);
/* The tunnel of an id, or NULL; its name, JSON null for none. New reference. */
const struct tunnel *api_tunnel(const struct root *root, uint16_t id);
json_t *api_tunnel_name(const struct root *root, uint16_t id);
/* {source, destination, protocol, source_port, destination_port, text} of a selector. */
json_t *api_selector(const struct selector *sel);
/* What an error answer of env's functions is: API_REFUSED with data {reason}. Returns NULL. */
json_t *api_refused(struct api_error *error, int status, const char *why);
/* The errors, or the warnings, as a list of {file, line, setting, text}. */
json_t *api_errs(const struct errs *errs, bool warnings);
uint64_t api_now_ns(void); /* CLOCK_REALTIME */
/* Seconds since the epoch as RFC 3339; JSON null for 0. */
json_t *api_time(time_t t);
