/* show.sad: the security associations, a page at a time: what they are, what they did, how long
 * they have left. Their keys are in nobody's answer. Control core.
 */
#include "ctl/api.h"

#include <string.h>
#include <time.h>

struct pass {
	const struct ctl_env *env;
	const struct root *root;
	const char *tunnel, *name; /* only those; NULL: all */
	struct api_page page;
	size_t seen;
	uint64_t now_ms;
};

static const char *const error_name[SA_ERRORS] = {
	[SA_ERR_REPLAY] = "replay",
	[SA_ERR_INTEGRITY] = "integrity",
	[SA_ERR_TRUNCATED] = "truncated",
	[SA_ERR_PADDING] = "padding",
	[SA_ERR_MODE] = "mode",
	[SA_ERR_SEQUENCE] = "sequence",
	[SA_ERR_LIFETIME] = "lifetime",
	[SA_ERR_SELECTOR] = "selector",
	[SA_ERR_TOO_BIG] = "too_big",
	[SA_ERR_SEGMENTS] = "segments",
	[SA_ERR_ECN] = "ecn",
};

/* Those that occurred. */
static json_t *errors(const struct sa *sa)
{
	json_t *o = json_object();

	for (unsigned i = SA_OK + 1; i < SA_ERRORS; i++) {
		uint64_t n = api_count(&sa->error[i]);

		if (n != 0 && error_name[i] != NULL)
			json_object_set_new(o, error_name[i], api_u64(n));
	}
	return o;
}

/* A limit and what is left of it; null where there is none. */
static json_t *left(uint64_t limit, uint64_t used)
{
	if (limit == 0)
		return json_null();
	return json_pack("{s:o, s:o}", "limit", api_u64(limit), "left",
		api_u64(limit > used ? limit - used : 0));
}

static json_t *lifetime(const struct sa_info *i, const struct sa *sa, uint64_t now_ms)
{
	uint64_t age_s = now_ms > i->added_ms ? (now_ms - i->added_ms) / 1000 : 0;
	uint64_t packets = api_count(&sa->packets), bytes = api_count(&sa->bytes);

	return json_pack("{s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o}}", "soft", "seconds",
		left(i->soft_s, age_s), "bytes", left(i->soft_bytes, bytes), "packets",
		left(i->soft_packets, packets), "hard", "seconds", left(i->hard_s, age_s), "bytes",
		left(i->hard_bytes, bytes), "packets", left(i->hard_packets, packets));
}

static json_t *selectors(const struct sa_info *i)
{
	json_t *list = json_array();

	for (unsigned s = 0; s < i->n_selectors; s++)
		json_array_append_new(list, api_selector(&i->selector[s]));
	return list;
}

/* What the packets of its tunnel have around them. */
static void add_ends(json_t *o, const struct tunnel *t, const struct sa *sa)
{
	uint16_t mtu = atomic_load_explicit(&sa->path_mtu, memory_order_relaxed);

	json_object_set_new(
		o, "mode", json_string(sa->flags & SA_TRANSPORT ? "transport" : "tunnel"));
	json_object_set_new(o, "local", t ? text_json_addr(&t->local) : json_null());
	json_object_set_new(o, "remote", t ? text_json_addr(&t->remote) : json_null());
	json_object_set_new(o, "udp",
		t && t->flags & TUNNEL_ENCAP
			? json_pack("{s:i, s:i}", "local_port", rte_be_to_cpu_16(t->local_port),
				  "remote_port", rte_be_to_cpu_16(t->remote_port))
			: json_null());
	json_object_set_new(o, "path_mtu", mtu ? json_integer(mtu) : json_null());
}

/* Is it the one that its owner sends by? The others of its tunnel wait behind it. */
static bool in_use(const struct ctl_env *env, const struct sa *sa, const struct sa_info *i)
{
	uint64_t out = sad_out(sad_db_table(env->sad), i->tunnel, sa->owner);

	return i->in || (uint32_t)(i->proto == PROTO_AH ? out >> 32 : out) == sa->handle;
}

static json_t *sa_json(const struct pass *p, const struct sa_info *i, const struct sa *sa)
{
	char spi[16], suite[SUITE_NAME_MAX];
	json_t *o;

	snprintf(spi, sizeof(spi), "0x%08x", rte_be_to_cpu_32(i->spi));
	o = json_pack("{s:o, s:o, s:s, s:s, s:s, s:s, s:b, s:i, s:s, s:b}", "name",
		*i->name ? text_json(i->name) : json_null(), "tunnel",
		api_tunnel_name(p->root, i->tunnel), "direction", i->in ? "in" : "out", "protocol",
		i->proto == PROTO_AH ? "ah" : "esp", "spi", spi, "suite",
		suite_format(&i->suite, suite), "esn", i->esn, "worker", sa->owner, "origin",
		i->by_socket ? "socket"
		: i->manual  ? "config"
			     : "ike",
		"in_use", in_use(p->env, sa, i));
	if (o == NULL)
		return NULL;
	add_ends(o, api_tunnel(p->root, i->tunnel), sa);
	json_object_set_new(o, "window", i->in ? json_integer(sa->window) : json_null());
	json_object_set_new(o, "sequence", api_u64(api_count(&sa->seq)));
	json_object_set_new(o, "packets", api_u64(api_count(&sa->packets)));
	json_object_set_new(o, "bytes", api_u64(api_count(&sa->bytes)));
	json_object_set_new(o, "dummies", api_u64(api_count(&sa->dummies)));
	json_object_set_new(o, "errors", errors(sa));
	json_object_set_new(o, "lifetime", lifetime(i, sa, p->now_ms));
	json_object_set_new(o, "key_created", api_time(i->created));
	json_object_set_new(o, "age_s",
		api_u64(p->now_ms > i->added_ms ? (p->now_ms - i->added_ms) / 1000 : 0));
	json_object_set_new(o, "selectors", selectors(i));
	return o;
}

static void one(void *arg, uint32_t handle, const struct sa_info *i, const struct sa *sa)
{
	struct pass *p = arg;
	const struct tunnel *t = api_tunnel(p->root, i->tunnel);

	if (p->name != NULL && strcmp(p->name, i->name) != 0)
		return;
	if (p->tunnel != NULL && (t == NULL || strcmp(p->tunnel, t->name) != 0))
		return;
	p->page.total++;
	if (p->seen++ < p->page.offset || !api_page_room(&p->page))
		return;
	api_page_add(&p->page, sa_json(p, i, sa), 900 + (size_t)i->n_selectors * 200);
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	struct pass pass = {.env = env,
		.root = api_root(env, error),
		.tunnel = api_string(params, "tunnel"),
		.name = api_string(params, "name")};
	struct timespec now;

	if (pass.root == NULL)
		return NULL;
	if (api_page_init(&pass.page, params, 0) < 0)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pass.now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (env->sad != NULL)
		sad_db_each(env->sad, one, &pass);
	return api_page_end(&pass.page, "sas");
}

static const struct api_param param[] = {
	API_PAGE_PARAMS,
	{"tunnel", API_STRING, 0, 0, "the name of a tunnel"},
	{"name", API_STRING, 0, 0, "the name of an SA"},
	{.name = NULL},
};
const struct api_method api_sad = {.name = "show.sad", .param = param, .run = run};
