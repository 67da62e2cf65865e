/* show.spd: the security policies in order, a page at a time; what is done to the packets that none
 * is about comes last. Control core.
 */
#include "ctl/api.h"

#include <string.h>

static const char *action(uint8_t a)
{
	switch ((enum policy_action)a) {
	case POLICY_BYPASS:
		return "bypass";
	case POLICY_DISCARD:
		return "discard";
	case POLICY_PROTECT:
		return "protect";
	}
	return "unknown";
}

static json_t *policy_json(const struct root *root, const struct policy *p, uint32_t number)
{
	const char *dir = p->dir == RULE_DIR_BOTH ? "both" : p->dir == RULE_IN ? "in" : "out";
	json_t *o = json_pack("{s:I, s:o, s:s, s:o, s:s, s:s, s:o, s:o}", "number",
		(json_int_t)number, "name", *p->name ? text_json(p->name) : json_null(), "action",
		action(p->action), "tunnel",
		p->action == POLICY_PROTECT ? api_tunnel_name(root, p->tunnel) : json_null(),
		"direction", dir, "origin", p->by_socket ? "socket" : "config", "file",
		p->by_socket ? json_null() : text_json(p->file), "line",
		p->by_socket ? json_null() : json_integer(p->line));

	json_object_set_new(o, "selector", api_selector(&p->sel));
	return o;
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	const struct root *root = api_root(env, error);
	const struct spd *spd = root && root->ipsec ? root->ipsec->spd : NULL;
	struct api_page page;
	json_t *result;

	if (root == NULL || api_page_init(&page, params, spd ? spd->n_policies : 0) < 0)
		return NULL;
	for (size_t i = page.offset; i < page.total && api_page_room(&page); i++)
		api_page_add(&page, policy_json(root, &spd->policy[i], (uint32_t)i + 1), 400);
	result = api_page_end(&page, "policies");
	json_object_set_new(
		result, "others", json_string(spd ? action(spd->verdict[0].action) : "bypass"));
	return result;
}

static const struct api_param param[] = {API_PAGE_PARAMS, {.name = NULL}};
const struct api_method api_spd = {.name = "show.spd", .param = param, .run = run};
