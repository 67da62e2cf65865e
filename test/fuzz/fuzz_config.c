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

static void check(const struct conf *conf)
{
	must(conf->n_ports > 0 && conf->n_ports <= CONF_PORTS_MAX);
	for (unsigned i = 0; i < conf->n_ports; i++)
		must(conf->ports[i].name[0] && conf->ports[i].device);
	for (unsigned i = 0; i < conf->n_ifaces; i++) {
		must(conf->ifaces[i].port < conf->n_ports);
		must(conf->ifaces[i].mtu <= conf->ports[conf->ifaces[i].port].mtu);
	}
	for (uint32_t i = 0; i < conf->n_routes; i++) {
		const struct conf_route *r = &conf->routes[i];

		must((r->kind == CONF_ROUTE_VIA) == (r->n_paths > 0));
		must((r->to.addr & ~mask4(r->to.len)) == 0);
		for (unsigned k = 0; k < r->n_paths; k++)
			must(r->paths[k].iface < conf->n_ifaces);
	}
	for (uint32_t i = 0; i < conf->n_neighs; i++)
		must(conf->neighs[i].iface < conf->n_ifaces);
	for (uint32_t i = 0; i < conf->n_rules; i++)
		must(conf->rules[i].file && mask4_len(conf->rules[i].smask) >= 0);
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
