/* show.filter: the rules in order with their counters, a page at a time; the implicit deny is the
 * last line. Control core.
 */
#include "ctl/api.h"

#include <string.h>

static json_t *rule_json(const struct ctl_env *env, const struct root *root, uint32_t verdict)
{
	const struct acl *acl = root->acl;
	json_t *rule = api_rule(acl, verdict);
	struct rule_counter c = {0};

	if (acl->verdict != NULL)
		c = api_rule_count(env, acl->verdict[verdict].counter);
	json_object_set_new(rule, "packets", api_u64(c.packets));
	json_object_set_new(rule, "bytes", api_u64(c.bytes));
	json_object_set_new(
		rule, "generated", json_boolean(verdict > 0 && acl->rule[verdict - 1].generated));
	if (verdict > 0 && acl->rule[verdict - 1].tunnel_id != TUNNEL_NONE)
		json_object_set_new(
			rule, "tunnel", api_tunnel_name(root, acl->rule[verdict - 1].tunnel_id));
	return rule;
}

static json_t *stats_json(const struct acl_build_stats *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "rules", (json_int_t)s->n_rules,
		"compiled", (json_int_t)s->n_compiled, "contexts", (json_int_t)s->n_contexts,
		"shadowed", (json_int_t)s->n_shadowed, "bytes", (json_int_t)s->bytes, "build_ms",
		(double)(s->build_ns / 1000) / 1e3);
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	const struct root *root = api_root(env, error);
	struct api_page page;
	json_t *result;

	if (root == NULL)
		return NULL;
	if (root->acl == NULL)
		return api_fail(error, API_UNAVAILABLE, "there is no filter yet");
	if (api_page_init(&page, params, (size_t)root->acl->n_rules + 1) < 0)
		return NULL;
	for (size_t i = page.offset; i < page.total && api_page_room(&page); i++) {
		uint32_t verdict = i < root->acl->n_rules ? (uint32_t)i + 1 : 0;
		json_t *rule = rule_json(env, root, verdict);

		api_page_add(&page, rule, 240 + json_string_length(json_object_get(rule, "file")));
	}
	result = api_page_end(&page, "rules");
	if (page.offset == 0)
		json_object_set_new(result, "build", stats_json(&env->acl_stats));
	return result;
}

static const struct api_param param[] = {API_PAGE_PARAMS, {.name = NULL}};
const struct api_method api_filter = {.name = "show.filter", .param = param, .run = run};
