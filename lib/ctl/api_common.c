/* What several methods show: rules, interface names, counters summed over workers, findings about a
 * configuration. Control core.
 */
#include "ctl/api.h"

#include <errno.h>

#include <stdio.h>
#include <time.h>

const struct root *api_root(struct ctl_env *env, struct api_error *error)
{
	const struct root *root = NULL;

	if (env->shared != NULL)
		root = atomic_load_explicit(&env->shared->root, memory_order_acquire);
	if (root == NULL)
		api_fail(error, API_UNAVAILABLE, "the daemon has no tables yet");
	return root;
}

unsigned api_workers_n(const struct ctl_env *env)
{
	return env->shared != NULL && env->worker != NULL ? env->shared->n_workers : 0;
}

struct rule_counter api_rule_count(const struct ctl_env *env, uint32_t id)
{
	struct rule_counter sum = {0};

	if (env->shared == NULL || id >= env->shared->n_counters)
		return sum;
	for (unsigned i = 0; i < api_workers_n(env); i++) {
		const struct rule_counter *c = env->worker[i]->rule_counter;

		if (c == NULL)
			continue;
		sum.packets += api_count(&c[id].packets);
		sum.bytes += api_count(&c[id].bytes);
	}
	if (env->counter_base != NULL) {
		sum.packets -= env->counter_base[id].packets;
		sum.bytes -= env->counter_base[id].bytes;
	}
	return sum;
}

json_t *api_iface_name(const struct root *root, uint16_t id)
{
	char number[16];

	if (id == IFACE_NONE)
		return json_null();
	if (root != NULL && root->ports != NULL && id < IFACES_MAX &&
		root->ports->iface[id].name[0] != '\0')
		return text_json(root->ports->iface[id].name);
	snprintf(number, sizeof(number), "#%u", id); /* it is gone */
	return json_string(number);
}

json_t *api_rule(const struct acl *acl, uint32_t verdict)
{
	char text[RULE_STRLEN];
	const struct rule *r;

	if (verdict == 0)
		return json_pack("{s:i, s:n, s:n, s:s}", "number", 0, "file", "line", "text",
			"deny everything else (implicit)");
	if (acl == NULL || verdict > acl->n_rules || acl->rule == NULL)
		return json_null();
	r = &acl->rule[verdict - 1];
	return json_pack("{s:I, s:o, s:I, s:o}", "number", (json_int_t)verdict, "file",
		text_json(r->file), "line", (json_int_t)r->line, "text",
		text_json(rule_format(r, text, sizeof(text))));
}

json_t *api_errs(const struct errs *errs, bool warnings)
{
	json_t *list = json_array();

	for (size_t i = 0; errs != NULL && i < errs->n; i++) {
		const struct err *e = &errs->e[i];

		if (e->warning == warnings)
			json_array_append_new(
				list, json_pack("{s:o, s:I, s:o, s:o}", "file", text_json(e->file),
					      "line", (json_int_t)e->line, "setting",
					      text_json(e->setting), "text", text_json(e->text)));
	}
	return list;
}

uint64_t api_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

json_t *api_time(time_t t)
{
	char buf[TEXT_TIME_STRLEN];

	return t ? json_string(text_time((uint64_t)t * 1000000000, buf)) : json_null();
}

const struct tunnel *api_tunnel(const struct root *root, uint16_t id)
{
	const struct ipsec *ipsec = root ? root->ipsec : NULL;

	if (ipsec == NULL || id == TUNNEL_NONE || id >= ipsec->n_tunnels ||
		!(ipsec->tunnel[id].flags & TUNNEL_UP))
		return NULL;
	return &ipsec->tunnel[id];
}

json_t *api_tunnel_name(const struct root *root, uint16_t id)
{
	const struct tunnel *t = api_tunnel(root, id);

	return t ? text_json(t->name) : json_null();
}

json_t *api_selector(const struct selector *sel)
{
	bool icmp = sel->proto == RULE_PROTO_ICMP || sel->proto == RULE_PROTO_ICMP6;
	char proto[TEXT_PROTO_STRLEN], src[SELECTOR_ADDRS_STRLEN] = "any";
	char dst[SELECTOR_ADDRS_STRLEN] = "any";
	char sport[SELECTOR_PORTS_STRLEN], dport[SELECTOR_PORTS_STRLEN];

	if (!sel->any_addr) {
		selector_addrs_format(&sel->src_from, &sel->src_to, src);
		selector_addrs_format(&sel->dst_from, &sel->dst_to, dst);
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "src", src, "dst", dst, "proto",
		sel->proto == SELECTOR_PROTO_ANY ? "any" : text_proto(sel->proto, proto),
		icmp ? "icmp_type" : "sport",
		selector_ports_format(sel->sport_from, sel->sport_to, sport),
		icmp ? "icmp_code" : "dport",
		selector_ports_format(sel->dport_from, sel->dport_to, dport));
}

json_t *api_refused(struct api_error *error, int status, const char *why)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {{-EEXIST, "exists"}, {-ENOENT, "missing"}, {-EPERM, "configured"},
		{-EINVAL, "invalid"}, {-ENOSPC, "full"}, {-ENOMEM, "memory"}, {-EBUSY, "busy"}};
	const char *reason = "failed";

	for (unsigned i = 0; i < RTE_DIM(reasons); i++)
		if (reasons[i].status == status)
			reason = reasons[i].reason;
	api_fail(error, API_REFUSED, "%s", why);
	error->data = json_pack("{s:s}", "reason", reason);
	return NULL;
}
