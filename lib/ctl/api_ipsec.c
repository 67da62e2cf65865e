/* show.ipsec: the tunnels, a page at a time, each with the sums of its SAs; and what all of them
 * have in common. Control core.
 */
#include "ctl/api.h"

#include <stdlib.h>
#include <string.h>

struct sums {             /* of one tunnel */
	uint32_t in, out; /* SAs */
	uint64_t packets_in, bytes_in, packets_out, bytes_out, errors;
};

struct pass {
	struct sums *sums; /* [n] by tunnel id, from `first` on */
	uint32_t n;
};

static void add(void *arg, uint32_t handle, const struct sa_info *i, const struct sa *sa)
{
	struct pass *p = arg;
	struct sums *s = i->tunnel < p->n ? &p->sums[i->tunnel] : NULL;

	if (s == NULL)
		return;
	for (unsigned e = SA_OK + 1; e < SA_ERRORS; e++)
		s->errors += api_count(&sa->error[e]);
	if (i->in) {
		s->in++;
		s->packets_in += api_count(&sa->packets);
		s->bytes_in += api_count(&sa->bytes);
	} else {
		s->out++;
		s->packets_out += api_count(&sa->packets);
		s->bytes_out += api_count(&sa->bytes);
	}
}

static const char *protocol(const struct tunnel *t)
{
	if (t->flags & TUNNEL_ESP)
		return t->flags & TUNNEL_AH ? "esp+ah" : "esp";
	return "ah";
}

/* Sends, receives, both or neither: whether it has the SAs that it needs. */
static const char *state(const struct sums *s)
{
	if (s->in && s->out)
		return "up";
	return s->in ? "receives" : s->out ? "sends" : "down";
}

static json_t *tunnel_json(const struct root *root, const struct tunnel *t, const struct sums *s)
{
	return json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:b, s:o, s:{s:I, s:o, s:o}, "
			 "s:{s:I, s:o, s:o}, s:o}",
		"name", text_json(t->name), "number",
		t->number ? json_integer(t->number) : json_null(), "state", state(s), "mode",
		t->flags & TUNNEL_TRANSPORT ? "transport" : "tunnel", "protocol", protocol(t),
		"local", text_json_addr(&t->local), "remote", text_json_addr(&t->remote), "udp",
		(t->flags & TUNNEL_ENCAP) != 0, "interface", api_iface_name(root, t->iface), "in",
		"sas", (json_int_t)s->in, "packets", api_u64(s->packets_in), "bytes",
		api_u64(s->bytes_in), "out", "sas", (json_int_t)s->out, "packets",
		api_u64(s->packets_out), "bytes", api_u64(s->bytes_out), "errors",
		api_u64(s->errors));
}

static uint32_t tunnels_n(const struct ipsec *ipsec)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < ipsec->n_tunnels; i++)
		n += ipsec->tunnel[i].flags & TUNNEL_UP;
	return n;
}

static void add_common(json_t *result, const struct ctl_env *env, const struct ipsec *ipsec)
{
	json_object_set_new(result, "sas",
		json_pack("{s:I, s:I, s:I}", "now",
			(json_int_t)(env->sad ? sad_db_count(env->sad) : 0), "most",
			(json_int_t)(env->sad ? sad_db_table(env->sad)->max : 0), "ending",
			(json_int_t)(env->sad ? sad_db_pending(env->sad) : 0)));
	json_object_set_new(
		result, "policies", json_integer(ipsec ? (json_int_t)ipsec->spd->n_policies : 0));
	json_object_set_new(
		result, "predecap_filter", json_boolean(ipsec == NULL || ipsec->predecap_filter));
	json_object_set_new(
		result, "nesting_max", ipsec ? json_integer(ipsec->nesting_max) : json_null());
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	const struct root *root = api_root(env, error);
	const struct ipsec *ipsec = root ? root->ipsec : NULL;
	struct pass pass = {.n = ipsec ? ipsec->n_tunnels : 0};
	struct api_page page;
	size_t seen = 0;
	json_t *result;

	if (root == NULL || api_page_init(&page, params, ipsec ? tunnels_n(ipsec) : 0) < 0)
		return NULL;
	pass.sums = calloc(pass.n + 1, sizeof(*pass.sums));
	if (pass.sums == NULL) {
		json_decref(page.list);
		return NULL;
	}
	if (env->sad != NULL)
		sad_db_each(env->sad, add, &pass);
	for (uint32_t i = 1; i < pass.n && api_page_room(&page); i++)
		if (ipsec->tunnel[i].flags & TUNNEL_UP && seen++ >= page.offset)
			api_page_add(
				&page, tunnel_json(root, &ipsec->tunnel[i], &pass.sums[i]), 500);
	free(pass.sums);
	result = api_page_end(&page, "tunnels");
	add_common(result, env, ipsec);
	return result;
}

static const struct api_param param[] = {API_PAGE_PARAMS, {.name = NULL}};
const struct api_method api_ipsec = {.name = "show.ipsec", .param = param, .run = run};
