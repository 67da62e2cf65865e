/* The end of a configuration. Anyone who holds one; any thread. */
#include "conf/conf.h"

#include "base/secret.h"

#include <stdlib.h>

static void free_strings(char **s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(s[i]);
	free(s);
}

void conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (unsigned i = 0; i < conf->n_ports; i++)
		free(conf->ports[i].device);
	for (unsigned i = 0; i < conf->n_ifaces; i++) {
		free(conf->ifaces[i].addrs);
		free(conf->ifaces[i].ra);
	}
	for (uint32_t i = 0; i < conf->n_routes; i++)
		free(conf->routes[i].paths);
	free(conf->ports);
	free(conf->ifaces);
	free(conf->routes);
	free(conf->neighs);
	free(conf->rules);
	free(conf->ipsec.tunnels);
	free(conf->ipsec.sas);
	free(conf->ipsec.policies);
	secret_free(conf->ipsec.keys, conf->ipsec.keys_size);
	free_strings(conf->files, conf->n_files);
	free_strings(conf->log.drops, conf->log.n_drops);
	free(conf->log.file);
	free(conf->control.socket);
	free(conf->control.group);
	free(conf->file);
	free(conf);
}
