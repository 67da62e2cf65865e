/* conf -> what workers look up for IPsec: tunnels, the list of policies with those that the control
 * socket added, the UDP ports of ESP. Runs on the builder thread in a reload; the control core then
 * joins tunnels and interfaces.
 */
#include "app.h"

#include "ipsec/mb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_SAS_MIN 64 /* beyond sas-max: for those that replace others for a moment */

static void fill_tunnel(struct tunnel *t, uint16_t id, const struct conf_tunnel *c)
{
	_Static_assert((int)CONF_DF_SET == TUNNEL_SET && (int)CONF_DF_CLEAR == TUNNEL_CLEAR, "");
	*t = (struct tunnel){
		.id = id,
		.flags = (uint8_t)(TUNNEL_UP | (c->transport ? TUNNEL_TRANSPORT : 0) |
				   (c->encap ? TUNNEL_ENCAP : 0) | (c->follow ? TUNNEL_FOLLOW : 0) |
				   (c->protocol & CONF_TUNNEL_ESP ? TUNNEL_ESP : 0) |
				   (c->protocol & CONF_TUNNEL_AH ? TUNNEL_AH : 0) |
				   (c->fragment_after ? 0 : TUNNEL_FRAGMENT_INNER)),
		.df = c->df,
		.dscp_copy = c->dscp == CONF_DSCP_COPY,
		.dscp = c->dscp == CONF_DSCP_COPY ? 0 : c->dscp,
		.ecn = c->ecn,
		.ttl = c->ttl,
		.flow_label = c->flow_label,
		.mtu = c->mtu,
		.mss = c->mss,
		.local_port = rte_cpu_to_be_16(c->local_port),
		.remote_port = rte_cpu_to_be_16(c->remote_port),
		.number = c->number,
		.local = c->local,
		.remote = c->remote,
	};
	memcpy(t->name, c->name, sizeof(t->name));
}

/* By id, with room for the highest. */
static int build_tunnels(struct app *a, const struct conf *conf, struct ipsec_tables *t)
{
	const struct conf_ipsec *c = &conf->ipsec;
	uint16_t *id = calloc(c->n_tunnels + 1, sizeof(*id));
	uint32_t top = 0;

	t->id = id;
	for (uint32_t i = 0; id && i < c->n_tunnels; i++) {
		id[i] = tunnel_id(a, c->tunnels[i].name, true);
		if (id[i] == TUNNEL_NONE)
			return -ENOSPC;
		top = RTE_MAX(top, id[i]);
	}
	t->tunnel = calloc(top + 1, sizeof(*t->tunnel));
	t->udp_port = calloc(65536 / 64, sizeof(*t->udp_port));
	if (id == NULL || t->tunnel == NULL || t->udp_port == NULL)
		return -ENOMEM;
	t->udp_port[PORT_IKE_NAT / 64] |= 1ull << PORT_IKE_NAT % 64;
	for (uint32_t i = 0; i < c->n_tunnels; i++) {
		const struct conf_tunnel *from = &c->tunnels[i];

		fill_tunnel(&t->tunnel[id[i]], id[i], from);
		if (from->encap)
			t->udp_port[from->local_port / 64] |= 1ull << from->local_port % 64;
	}
	t->view.n_tunnels = top + 1;
	return 0;
}

static struct policy of_conf(
	const struct conf *conf, const struct conf_policy *c, const uint16_t *id)
{
	struct policy p = {.sel = c->sel,
		.dir = c->dir,
		.action = c->action,
		.tunnel = c->action == CONF_POLICY_PROTECT ? id[c->tunnel] : TUNNEL_NONE,
		.line = c->line,
		.file = conf->file};

	_Static_assert((int)CONF_POLICY_PROTECT == POLICY_PROTECT &&
			       (int)CONF_POLICY_DISCARD == POLICY_DISCARD,
		"");
	memcpy(p.name, c->name, sizeof(p.name));
	return p;
}

static uint32_t find_policy(const struct policy *p, uint32_t n, const char *name)
{
	uint32_t i = 0;

	while (i < n && (name[0] == '\0' || strcmp(p[i].name, name) != 0))
		i++;
	return i;
}

/* Puts one that the socket added among the n. 0, or -errno with a sentence. */
static int put(struct app *a, struct ipsec_tables *t, struct policy *list, uint32_t *n,
	const struct ctl_policy *c, char *why, size_t why_size)
{
	uint32_t at = find_policy(list, *n, c->before);
	struct policy p = c->policy;

	if (p.action == POLICY_PROTECT) {
		p.tunnel = tunnel_id(a, c->tunnel, false);
		if (p.tunnel == TUNNEL_NONE || p.tunnel >= t->view.n_tunnels ||
			!(t->tunnel[p.tunnel].flags & TUNNEL_UP)) {
			snprintf(why, why_size, "there is no tunnel %s", c->tunnel);
			return -ENOENT;
		}
	}
	if (find_policy(list, *n, p.name) < *n) {
		snprintf(why, why_size, "there is a policy named %s already", p.name);
		return -EEXIST;
	}
	if (*n == POLICIES_MAX) {
		snprintf(why, why_size, "there are %u policies, which is the most", *n);
		return -ENOSPC;
	}
	memmove(&list[at + 1], &list[at], (*n - at) * sizeof(*list));
	p.by_socket = true;
	p.file = "";
	list[at] = p;
	++*n;
	return 0;
}

/* Those of the running tables that still make sense, and what changes with them: added to, or taken
 * out of, the list. 0, or -errno with a sentence: the change is refused. */
static int put_added(struct app *a, const struct conf *conf, struct ipsec_tables *t,
	struct policy *list, uint32_t *n, const struct ipsec_change *change, struct errs *errs,
	char *why, size_t why_size)
{
	const struct ipsec_tables *was = change->running;
	bool gone = change->policy == NULL || change->add;

	for (uint32_t i = 0; was && i < was->n_added; i++) {
		const struct ctl_policy *c = &was->added[i];

		if (change->policy && !change->add &&
			strcmp(c->policy.name, change->policy->policy.name) == 0) {
			gone = true;
			continue;
		}
		if (put(a, t, list, n, c, why, why_size) == 0)
			t->added[t->n_added++] = *c;
		else
			errs_warn(errs, conf->file, 0, "ipsec.policies",
				"policy %s, which the control socket added, is gone: %s",
				c->policy.name, why);
	}
	if (change->policy && change->add) {
		const struct ctl_policy *c = change->policy;
		int ret;

		if (c->before[0] && find_policy(list, *n, c->before) == *n) {
			snprintf(
				why, why_size, "there is no policy %s to be put before", c->before);
			return -ENOENT;
		}
		ret = put(a, t, list, n, c, why, why_size);
		if (ret == 0)
			t->added[t->n_added++] = *c;
		return ret;
	}
	if (gone)
		return 0;
	if (find_policy(list, *n, change->policy->policy.name) < *n) {
		snprintf(why, why_size, "policy %s is of the configuration",
			change->policy->policy.name);
		return -EPERM;
	}
	snprintf(why, why_size, "there is no policy %s", change->policy->policy.name);
	return -ENOENT;
}

/* What comes out of a tunnel without an interface must be what its policies are about; where the
 * filter alone says what goes in, nothing does. */
static void mark_tunnels(
	struct ipsec_tables *t, const struct conf *conf, const struct policy *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (list[i].action == POLICY_PROTECT && list[i].dir & RULE_IN)
			t->tunnel[list[i].tunnel].flags |= TUNNEL_BY_POLICY;
	for (uint32_t i = 0; i < conf->ipsec.n_tunnels; i++)
		if (conf->ipsec.tunnels[i].iface != UINT16_MAX)
			t->tunnel[t->id[i]].flags &= (uint8_t)~TUNNEL_BY_POLICY;
}

static int build_policies(struct app *a, const struct conf *conf, struct ipsec_tables *t,
	const struct ipsec_change *change, struct errs *errs, char *why, size_t why_size)
{
	const struct conf_ipsec *c = &conf->ipsec;
	uint32_t n = c->n_policies, added = change->running ? change->running->n_added : 0;
	struct policy *list = calloc((size_t)n + added + 1, sizeof(*list));
	int ret = -ENOMEM;

	t->added = calloc(added + 1, sizeof(*t->added));
	if (list == NULL || t->added == NULL) {
		snprintf(why, why_size, "no memory");
		goto done;
	}
	for (uint32_t i = 0; i < n; i++)
		list[i] = of_conf(conf, &c->policies[i], t->id);
	ret = put_added(a, conf, t, list, &n, change, errs, why, why_size);
	if (ret < 0)
		goto done;
	mark_tunnels(t, conf, list, n);
	t->spd = spd_build(list, n, c->discard_unmatched ? POLICY_DISCARD : POLICY_BYPASS,
		a->numa.tables, why, why_size);
	ret = t->spd ? 0 : -ENOMEM;
done:
	free(list);
	return ret;
}

/* The SAD is made when it is first needed, and then there for good. */
static int need_sad(struct app *a, const struct conf *conf, char *why, size_t why_size)
{
	uint32_t max = conf->ipsec.sas_max, spare = RTE_MAX(max / 4, SPARE_SAS_MIN);

	if (a->ipsec.made == NULL)
		a->ipsec.made = sad_db_new(RTE_MIN(max + spare, SA_INDEX_MAX), a->n_workers,
			a->shared.qsv, mb_expand, a->numa.tables, why, why_size);
	return a->ipsec.made ? 0 : -ENOMEM;
}

struct ipsec_tables *ipsec_build(struct app *a, const struct conf *conf,
	const struct ipsec_change *change, struct errs *errs, int *status, char *why,
	size_t why_size)
{
	struct ipsec_tables *t = calloc(1, sizeof(*t));

	*status = t ? build_tunnels(a, conf, t) : -ENOMEM;
	if (*status < 0)
		snprintf(why, why_size,
			"no memory, or more than %u names of tunnels in this daemon's life",
			TUNNELS_MAX - 1);
	else
		*status = build_policies(a, conf, t, change, errs, why, why_size);
	if (*status < 0)
		goto fail;
	t->used = conf->ipsec.n_tunnels || t->spd->n_policies || conf->ipsec.discard_unmatched;
	if (t->used) {
		*status = need_sad(a, conf, why, why_size);
		if (*status < 0)
			goto fail;
		t->view.sad = sad_db_table(a->ipsec.made);
	}
	t->view.spd = t->spd;
	t->view.tunnel = t->tunnel;
	t->view.nesting_max = conf->ipsec.nesting_max;
	t->view.predecap_filter = conf->ipsec.predecap_filter;
	t->view.udp_port = t->udp_port;
	return t;
fail:
	ipsec_tables_free(t);
	return NULL;
}

void ipsec_tables_free(struct ipsec_tables *t)
{
	if (t == NULL)
		return;
	spd_free(t->spd);
	free(t->tunnel);
	free(t->udp_port);
	free(t->added);
	free(t->id);
	free(t);
}

void ipsec_join(const struct conf *conf, struct ipsec_tables *t, struct ports *ports)
{
	for (uint32_t i = 0; i < conf->ipsec.n_tunnels; i++) {
		const struct conf_tunnel *c = &conf->ipsec.tunnels[i];
		struct tunnel *tunnel = &t->tunnel[t->id[i]];

		if (c->iface == UINT16_MAX)
			continue;
		for (uint16_t id = 1; id < ports->n_ifaces; id++) {
			struct iface *f = &ports->iface[id];

			if (strcmp(f->name, conf->ifaces[c->iface].name) != 0)
				continue;
			if (f->tunnel != tunnel->id) /* else workers may see it already */
				f->tunnel = tunnel->id;
			tunnel->iface = id;
			tunnel->zone = f->zone;
		}
	}
}
