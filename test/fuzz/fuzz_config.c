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

	must(f->port < conf->n_ports);
	must(f->mtu <= conf->ports[f->port].mtu);
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
