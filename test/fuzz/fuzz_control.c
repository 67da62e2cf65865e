/* Fuzzes the control protocol: a request of any bytes, to a daemon without an environment, with an
 * empty one, and with a small one. The first byte chooses; the rest may hold several lines. Every
 * answer must be one line of JSON.
 */
#include "ctl/ctl.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct ports ports;
	struct rule rule[2];
	struct acl_verdict verdict[3];
	struct acl acl;
	struct nexthop nh[3];
	struct routes routes;
	struct tunnel tunnel[2];
	struct policy policy[2];
	struct spd_verdict policy_verdict[3];
	struct spd spd;
	struct ipsec ipsec;
	struct root root;
	struct dp_shared shared;
	struct ctl_env env;
} small;

static void check(struct ctl_env *env, const char *path,
	void (*done)(void *arg, int status, const struct errs *errs), void *arg)
{
	struct errs errs = {0};

	errs_add(&errs, path, 1, "setting", "text");
	done(arg, -EINVAL, &errs);
	errs_fini(&errs);
}

static void reload(struct ctl_env *env,
	void (*done)(void *arg, int status, const struct errs *errs), void *arg)
{
	done(arg, 0, NULL);
}

/* Some are refused; what is asked for must be in bounds. */
static void route(struct ctl_env *env, enum route_op op, struct ctl_route *r, uint32_t n,
	void (*done)(void *arg, const struct ctl_route_result *result), void *arg)
{
	static const int status[] = {0, -EEXIST, -ENOENT, -EPERM, -EINVAL, -ENOSPC, -ENOMEM, -1};
	struct ctl_route_result result = {.bad = n / 2, .why = "text"};

	for (uint32_t i = 0; i < n; i++) {
		if (r[i].n_via > CTL_PATHS_MAX || r[i].to.len > 128 ||
			strlen(r[i].iface) >= sizeof(r[i].iface))
			abort();
		result.status = status[r[i].to.addr.b[15] % RTE_DIM(status)];
	}
	free(r);
	done(arg, &result);
}

static int sa_add(
	struct ctl_env *env, const struct ctl_sa *sa, uint32_t *handle, char *why, size_t why_size)
{
	const struct sa_info *i = &sa->info;

	if (strnlen(i->name, sizeof(i->name)) == sizeof(i->name) ||
		strnlen(sa->tunnel, sizeof(sa->tunnel)) == sizeof(sa->tunnel) ||
		suite_key_len(&i->suite) > sizeof(sa->key) || i->window > SA_WINDOW_MAX ||
		rte_be_to_cpu_32(i->spi) < 256)
		abort();
	*handle = 1;
	snprintf(why, why_size, "text");
	return i->esn ? -EEXIST : 0;
}

static void policy(struct ctl_env *env, const struct ctl_policy *p, bool add,
	void (*done)(void *arg, int status, const char *why), void *arg)
{
	const struct selector *s = &p->policy.sel;

	if (strnlen(p->policy.name, TUNNEL_NAME_MAX) == TUNNEL_NAME_MAX ||
		strnlen(p->before, TUNNEL_NAME_MAX) == TUNNEL_NAME_MAX ||
		strnlen(p->tunnel, TUNNEL_NAME_MAX) == TUNNEL_NAME_MAX ||
		s->sport_from > s->sport_to || s->dport_from > s->dport_to ||
		s->proto > SELECTOR_PROTO_ANY ||
		(add && !s->any_addr && addr_is4(&s->src_from) != addr_is4(&s->dst_to)))
		abort();
	done(arg, p->before[0] ? -ENOENT : 0, "text");
}

/* Two interfaces, two rules, a tunnel and two policies, of constants alone: no EAL. */
static void prepare(void)
{
	struct iface *i = small.ports.iface;

	i[1] = (struct iface){.id = 1,
		.zone = RULE_SECURE,
		.flags = IFACE_UP | IFACE_IP6,
		.ll.b = {0xfe, 0x80, [15] = 1},
		.name = "lan0"};
	i[2] = (struct iface){.id = 2, .zone = RULE_NONSECURE, .flags = IFACE_UP, .name = "wan0"};
	small.ports.n_ifaces = 3;
	small.rule[0] = (struct rule){
		.any_addr = true, .zone = 3, .scope = 3, .dir = 3, .permit = true, .file = "r"};
	small.rule[1] = small.rule[0];
	small.verdict[1].permit = 1;
	small.acl = (struct acl){.n_rules = 2, .rule = small.rule, .verdict = small.verdict};
	for (unsigned g = 0; g < ACL_GROUPS; g++)
		small.acl.group[g].constant = g % 3;
	small.nh[1] = (struct nexthop){.type = NH_CONNECTED, .iface = 1};
	small.nh[2] = (struct nexthop){.type = NH_BLACKHOLE};
	small.routes = (struct routes){.n_nh = 3, .nh = small.nh};
	small.tunnel[1] = (struct tunnel){.id = 1, .flags = TUNNEL_UP | TUNNEL_ESP, .name = "t"};
	small.policy[0].sel = (struct selector){.any_addr = true, .proto = SELECTOR_PROTO_ANY};
	small.policy[1].sel =
		(struct selector){.src_to.b = {1}, .dst_to.b = {[15] = 3}, .proto = 1};
	small.policy[1].action = POLICY_PROTECT;
	small.policy[1].tunnel = 1;
	small.spd = (struct spd){
		.n_policies = 2, .policy = small.policy, .verdict = small.policy_verdict};
	small.ipsec = (struct ipsec){
		.spd = &small.spd, .n_tunnels = 2, .tunnel = small.tunnel, .nesting_max = 4};
	small.root = (struct root){.generation = 1,
		.ports = &small.ports,
		.routes = &small.routes,
		.acl = &small.acl,
		.ipsec = &small.ipsec};
	atomic_store(&small.shared.root, &small.root);
	small.shared.tsc_hz = 1000000000;
	small.env = (struct ctl_env){.version = "fuzz",
		.shared = &small.shared,
		.filterlog = filterlog_new(),
		.check = check,
		.reload = reload,
		.routes = route_db_new(NULL, 0),
		.route = route,
		.sa_add = sa_add,
		.policy = policy};
}

static void never(void *arg, char *answer)
{
	abort(); /* reload is done at once */
}

static void request(struct ctl_env *env, const char *line, size_t len)
{
	bool pending;
	char *answer = ctl_handle(env, line, len, never, NULL, &pending);
	json_t *json;
	size_t n;

	if (pending)
		abort();
	if (answer == NULL)
		return;
	n = strlen(answer);
	json = json_loads(answer, 0, NULL);
	if (n == 0 || strchr(answer, '\n') != answer + n - 1 || !json_is_object(json))
		abort();
	json_decref(json);
	free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ctl_env empty;
	struct ctl_env *envs[] = {&small.env, &empty, NULL};
	const char *at, *end;
	struct ctl_env *env;

	if (small.env.version == NULL)
		prepare();
	if (size == 0)
		return 0;
	env = envs[data[0] % 3];
	at = (const char *)data + 1;
	for (end = (const char *)data + size; at < end; at++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = newline ? (size_t)(newline - at) : (size_t)(end - at);
		/* of exactly that size, so that reading on is seen */
		char *line = malloc(len + !len);

		memcpy(line, at, len);
		request(env, line, len);
		free(line);
		at += len;
	}
	return 0;
}
