/* policy.add, policy.delete: a security policy by the socket. The answer comes when every worker
 * uses the new list. Control core.
 */
#include "ctl/api.h"

#include "wire/selector_text.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct changing { /* a call that waits for its answer */
	struct api_call *call;
	char name[TUNNEL_NAME_MAX];
};

static bool wrong(struct api_error *error, const char *name, const char *expected)
{
	api_param_wrong(error, name, expected);
	return false;
}

static bool read_name(json_t *params, const char *name, bool must, char to[TUNNEL_NAME_MAX],
	struct api_error *error)
{
	const char *text = api_string(params, name);

	if (text == NULL && !must)
		return true;
	if (text == NULL || strlen(text) >= TUNNEL_NAME_MAX)
		return wrong(error, name, "a name of up to 31 characters");
	strcpy(to, text);
	return true;
}

static bool read_addrs(struct selector *s, json_t *params, struct api_error *error)
{
	const char *src = api_string(params, "src"), *dst = api_string(params, "dst");
	bool any_src, any_dst;

	if (selector_addrs_parse(src ? src : "any", &s->src_from, &s->src_to, &any_src) < 0)
		return wrong(error, "src", SELECTOR_ADDRS_EXPECTED);
	if (selector_addrs_parse(dst ? dst : "any", &s->dst_from, &s->dst_to, &any_dst) < 0)
		return wrong(error, "dst", SELECTOR_ADDRS_EXPECTED);
	s->any_addr = any_src && any_dst;
	if (s->any_addr)
		return true;
	/* "any" beside an address is any of its family */
	if (any_src)
		selector_addrs_parse(addr_is4(&s->dst_from) ? "0.0.0.0/0" : "::/0", &s->src_from,
			&s->src_to, &any_src);
	if (any_dst)
		selector_addrs_parse(addr_is4(&s->src_from) ? "0.0.0.0/0" : "::/0", &s->dst_from,
			&s->dst_to, &any_dst);
	return addr_is4(&s->src_from) == addr_is4(&s->dst_from) ||
	       wrong(error, "dst", "of the family of src");
}

static bool read_proto(struct selector *s, json_t *params, struct api_error *error)
{
	json_t *proto = json_object_get(params, "proto");
	const char *text = json_string_value(proto);
	int n = SELECTOR_PROTO_ANY;

	if (text != NULL && strcmp(text, "any") != 0)
		n = text_proto_find(text);
	else if (json_is_integer(proto))
		n = (int)json_integer_value(proto);
	if (n < 0)
		return wrong(
			error, "proto", "a protocol: its name, a number from 0 to 255, or \"any\"");
	s->proto = (uint16_t)n;
	return true;
}

/* A range that the protocol may have, of the two that a selector has. */
static bool read_range(json_t *params, const char *name, bool may, uint16_t max, uint16_t *from,
	uint16_t *to, struct api_error *error)
{
	json_t *value = json_object_get(params, name);
	const char *text = json_string_value(value);
	char number[24];

	if (value == NULL)
		return true;
	if (!may)
		return wrong(error, name, "left out: this protocol has none");
	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		text = number;
	}
	if (text == NULL || selector_ports_parse(text, max, from, to) < 0)
		return wrong(error, name,
			max == 255 ? "a number up to 255, a range, or \"any\""
				   : SELECTOR_PORTS_EXPECTED);
	return true;
}

static bool read_ports(struct selector *s, json_t *params, struct api_error *error)
{
	bool ports = rule_proto_has_ports(s->proto);
	bool icmp = s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6;

	s->sport_to = s->dport_to = UINT16_MAX;
	return read_range(
		       params, "sport", ports, UINT16_MAX, &s->sport_from, &s->sport_to, error) &&
	       read_range(
		       params, "dport", ports, UINT16_MAX, &s->dport_from, &s->dport_to, error) &&
	       read_range(params, "icmp_type", icmp, 255, &s->sport_from, &s->sport_to, error) &&
	       read_range(params, "icmp_code", icmp, 255, &s->dport_from, &s->dport_to, error);
}

static bool read_word(json_t *params, const char *name, const char *const words[3], unsigned absent,
	uint8_t *which, const char *expected, struct api_error *error)
{
	const char *text = api_string(params, name);

	for (unsigned i = 0; text != NULL && i < 3; i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		*which = (uint8_t)i;
		return true;
	}
	*which = (uint8_t)absent;
	return (text == NULL && absent < 3) || wrong(error, name, expected);
}

static bool read_policy(struct ctl_policy *p, json_t *params, struct api_error *error)
{
	static const char *const actions[] = {"bypass", "discard", "protect"};
	static const char *const directions[] = {"in", "out", "both"};
	static const uint8_t dirs[] = {RULE_IN, RULE_OUT, RULE_DIR_BOTH};
	uint8_t dir;
	bool protect;

	if (!read_name(params, "name", true, p->policy.name, error) ||
		!read_word(params, "action", actions, 3, &p->policy.action,
			"\"protect\", \"bypass\" or \"discard\"", error) ||
		!read_word(params, "direction", directions, 2, &dir, "\"in\", \"out\" or \"both\"",
			error))
		return false;
	p->policy.by_socket = true;
	p->policy.dir = dirs[dir];
	protect = p->policy.action == POLICY_PROTECT;
	if (!protect && json_object_get(params, "tunnel") != NULL)
		return wrong(error, "tunnel", "left out: only \"protect\" has one");
	return read_name(params, "tunnel", protect, p->tunnel, error) &&
	       read_name(params, "before", false, p->before, error) &&
	       read_addrs(&p->policy.sel, params, error) &&
	       read_proto(&p->policy.sel, params, error) &&
	       read_ports(&p->policy.sel, params, error);
}

static void changed(void *arg, int status, const char *why)
{
	struct changing *c = arg;
	struct api_error error = {0};
	json_t *result = NULL;

	if (status < 0)
		api_refused(&error, status, why);
	else
		result = json_pack("{s:o}", "name", text_json(c->name));
	api_done(c->call, result, &error);
	free(c);
}

static void change(struct ctl_env *env, const struct ctl_policy *p, bool add, struct api_call *call)
{
	struct changing *c = calloc(1, sizeof(*c));
	struct api_error error = {0};

	if (c == NULL || env->policy == NULL) {
		if (c != NULL)
			api_fail(&error, API_UNAVAILABLE, "no tunnel is configured");
		free(c);
		api_done(call, NULL, &error);
		return;
	}
	c->call = call;
	strcpy(c->name, p->policy.name);
	env->policy(env, p, add, changed, c);
}

static void add(struct ctl_env *env, json_t *params, struct api_call *call)
{
	struct ctl_policy p = {.policy = {.line = 0}};
	struct api_error error = {0};

	if (read_policy(&p, params, &error))
		change(env, &p, true, call);
	else
		api_done(call, NULL, &error);
}

static void delete (struct ctl_env *env, json_t *params, struct api_call *call)
{
	struct ctl_policy p = {.policy = {.line = 0}};
	struct api_error error = {0};

	if (read_name(params, "name", true, p.policy.name, &error))
		change(env, &p, false, call);
	else
		api_done(call, NULL, &error);
}

#define PORTS(name)                                               \
	{                                                         \
		name, API_NAME, 0, 65535, SELECTOR_PORTS_EXPECTED \
	}
#define TYPE(name)                                                                \
	{                                                                         \
		name, API_NAME, 0, 255, "a number up to 255, a range, or \"any\"" \
	}
static const struct api_param param[] = {
	{"name", API_STRING, 0, 0, "a name"},
	{"action", API_STRING, 0, 0, "\"protect\", \"bypass\" or \"discard\""},
	{"tunnel", API_STRING, 0, 0, "the name of a tunnel"},
	{"direction", API_STRING, 0, 0, "\"in\", \"out\" or \"both\""},
	{"before", API_STRING, 0, 0, "the name of a policy"},
	{"src", API_STRING, 0, 0, SELECTOR_ADDRS_EXPECTED},
	{"dst", API_STRING, 0, 0, SELECTOR_ADDRS_EXPECTED},
	{"proto", API_NAME, 0, 255, "a protocol: its name, a number from 0 to 255, or \"any\""},
	PORTS("sport"),
	PORTS("dport"),
	TYPE("icmp_type"),
	TYPE("icmp_code"),
	{.name = NULL},
};
static const struct api_param delete_param[] = {
	{"name", API_STRING, 0, 0, "the name of a policy"},
	{.name = NULL},
};
const struct api_method api_policy_add = {.name = "policy.add", .param = param, .start = add};
const struct api_method api_policy_delete = {
	.name = "policy.delete", .param = delete_param, .start = delete};
