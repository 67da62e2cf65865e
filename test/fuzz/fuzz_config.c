/* libFuzzer: any text as a configuration. Either there are errors, each with what a user needs, or
 * there is a configuration whose references hold.
 */
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void check_iface(const struct conf *conf, const struct conf_iface *f)
{
	bool has6 = false;

	must(f->tunnel ? f->port == UINT16_MAX : f->port < conf->n_ports);
	must(f->tunnel || f->mtu <= conf->ports[f->port].mtu);
	for (unsigned k = 0; k < f->n_addrs; k++) {
		const struct prefix *a = &f->addrs[k];

		must(a->len > 0 && a->len <= 128 && !addr_is_multicast(&a->addr));
		must(!addr_is4(&a->addr) || a->len > 96);
		has6 |= !addr_is4(&a->addr);
	}
	must(!has6 || f->mtu >= CONF_MTU_MIN6);
	if (f->ra == NULL)
		return;
	must(has6 || !f->ra->send);
	must(f->ra->lifetime_s == 0 || f->ra->lifetime_s >= f->ra->interval_s);
	must(f->ra->n_dns <= RA_DNS_MAX && f->ra->domains_len <= RA_DOMAINS_MAX);
	must(f->ra->n_prefixes <= RA_PREFIXES_MAX);
	for (unsigned k = 0; k < f->ra->n_prefixes; k++) {
		const struct ra_prefix *r = &f->ra->prefix[k];
		struct addr net = addr_masked(&r->prefix.addr, r->prefix.len);

		must(addr_equal(&net, &r->prefix.addr) && !addr_is4(&net));
		must(r->preferred_s <= r->valid_s);
		must(r->prefix.len == 64 || !r->autonomous);
	}
}

static void check_route(const struct conf *conf, const struct conf_route *r)
{
	struct addr net = addr_masked(&r->to.addr, r->to.len);

	must((r->kind == CONF_ROUTE_VIA) == (r->n_paths > 0));
	must(addr_equal(&net, &r->to.addr));
	for (unsigned k = 0; k < r->n_paths; k++) {
		const struct addr *via = &r->paths[k].via;

		must(r->paths[k].iface < conf->n_ifaces);
		must(addr_is_unspecified(via) || addr_is4(via) == addr_is4(&r->to.addr));
	}
}

static void check_sa(const struct conf_ipsec *c, const struct conf_sa *sa)
{
	must(sa->tunnel < c->n_tunnels && sa->name[0] && sa->spi >= 256);
	must(sa->proto == 50 || sa->proto == 51);
	must(suite_key_len(&sa->suite) > 0 && suite_key_len(&sa->suite) <= SUITE_KEY_MAX);
	must(sa->key >= c->keys && sa->key + SUITE_KEY_MAX <= c->keys + c->keys_size);
	must(!sa->suite.legacy || c->allow_legacy);
	must(sa->window == 0 || (!sa->out && sa->window >= 32 && sa->window <= 65536));
}

static void check_ipsec(const struct conf *conf)
{
	const struct conf_ipsec *c = &conf->ipsec;
	uint32_t sas = 0;

	for (uint32_t i = 0; i < c->n_tunnels; i++) {
		const struct conf_tunnel *t = &c->tunnels[i];

		must(t->name[0] && t->protocol >= 1 && t->protocol <= 3 && t->ttl > 0);
		must(addr_is4(&t->local) == addr_is4(&t->remote));
		must(!t->encap || t->protocol == CONF_TUNNEL_ESP);
		must(t->iface == UINT16_MAX ||
			(t->iface < conf->n_ifaces && conf->ifaces[t->iface].tunnel));
		must(t->first_sa == sas);
		sas += t->n_sas;
	}
	must(sas == c->n_sas && c->n_sas <= c->sas_max);
	for (uint32_t i = 0; i < c->n_sas; i++)
		check_sa(c, &c->sas[i]);
	for (uint32_t i = 0; i < c->n_policies; i++) {
		const struct conf_policy *p = &c->policies[i];

		must((p->action == CONF_POLICY_PROTECT) == (p->tunnel < c->n_tunnels));
		must(p->sel.any_addr || addr_is4(&p->sel.src_from) == addr_is4(&p->sel.dst_from));
		must(p->sel.sport_from <= p->sel.sport_to && p->sel.dport_from <= p->sel.dport_to);
	}
}

static void check(const struct conf *conf)
{
	must(conf->n_ports > 0 && conf->n_ports <= CONF_PORTS_MAX);
	for (unsigned i = 0; i < conf->n_ports; i++)
		must(conf->ports[i].name[0] && conf->ports[i].device);
	for (unsigned i = 0; i < conf->n_ifaces; i++)
		check_iface(conf, &conf->ifaces[i]);
	for (uint32_t i = 0; i < conf->n_routes; i++)
		check_route(conf, &conf->routes[i]);
	for (uint32_t i = 0; i < conf->n_neighs; i++)
		must(conf->neighs[i].iface < conf->n_ifaces &&
			!addr_is_unspecified(&conf->neighs[i].addr));
	check_ipsec(conf);
	for (uint32_t i = 0; i < conf->n_rules; i++)
		must(conf->rules[i].file && rule_families(&conf->rules[i]) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errs errs = {0}, diff = {0};
	char *text = malloc(size + 1);
	struct conf *conf;

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	conf = conf_parse(text, "f", NULL, &errs);
	must((conf == NULL) == (errs.n_errors > 0));
	for (size_t i = 0; i < errs.n; i++)
		must(errs.e[i].file && errs.e[i].setting && errs.e[i].text && *errs.e[i].text);
	/* libconfig's own words: then our check of the grammar let something through. */
	for (size_t i = 0; i < errs.n; i++)
		must(strcmp(errs.e[i].text, "syntax error") != 0);
	if (conf) {
		check(conf);
		must(conf_diff_restart(conf, conf, &diff) == 0);
	}
	conf_free(conf);
	errs_fini(&errs);
	errs_fini(&diff);
	free(text);
	return 0;
}
