/* show.neighbours: who is known by ARP and neighbour discovery, a page at a time. Control core,
 * which owns the table. */
#include "ctl/api.h"

#include "ctl/routing.h"

#include <time.h>

struct pass {
	const struct root *root;
	struct api_page page;
	size_t seen;
	uint64_t now_ms;
};

static void one(void *arg, uint32_t index, const struct neigh_info *n)
{
	struct pass *p = arg;
	char addr[ADDR_STRLEN];
	bool mac = n->state != NEIGH_INCOMPLETE && n->state != NEIGH_FAILED;
	json_t *entry;

	p->page.total++;
	if (p->seen++ < p->page.offset || !api_page_room(&p->page))
		return;
	entry = json_pack("{s:o, s:o, s:o, s:s, s:I, s:i, s:I, s:b}", "address",
		text_json(addr_format(&n->addr, addr)), "interface",
		api_iface_name(p->root, n->iface), "mac",
		mac ? text_json_mac(n->mac.addr_bytes) : json_null(), "state",
		routing_neigh_state(n->state), "age_ms",
		(json_int_t)(p->now_ms > n->since_ms ? p->now_ms - n->since_ms : 0), "tries",
		n->tries, "routes", (json_int_t)n->pins, "router", n->router);
	api_page_add(&p->page, entry, 160);
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	struct pass pass = {.root = api_root(env, error)};
	struct timespec now;

	if (pass.root == NULL)
		return NULL;
	if (env->neigh == NULL)
		return api_fail(error, API_UNAVAILABLE, "there is no neighbour table yet");
	if (api_page_init(&pass.page, params, 0) < 0)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pass.now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	neigh_db_each(env->neigh, one, &pass);
	return api_page_end(&pass.page, "neighbours");
}

static const struct api_param param[] = {API_PAGE_PARAMS, {.name = NULL}};
const struct api_method api_neighbours = {.name = "show.neighbours", .param = param, .run = run};
