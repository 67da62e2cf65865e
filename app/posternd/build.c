/* conf -> tables: ports and interfaces, filter, policy; and their publication. The control
 * core owns the beginning and the end; the slow middle runs on the builder thread in a reload.
 */
#include "app.h"

#include "base/log.h"

#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The id of an interface name: stays for as long as the daemon runs, so that an id in a packet or a
 * neighbour never means another interface. 0 when there are no more. */
static uint16_t iface_id(struct app *a, const char *name)
{
	for (unsigned id = 1; id <= a->n_iface_names; id++)
		if (strcmp(a->iface_name[id], name) == 0)
			return (uint16_t)id;
	if (a->n_iface_names + 1 >= IFACES_MAX)
		return IFACE_NONE;
	snprintf(a->iface_name[++a->n_iface_names], IFACE_NAME_MAX, "%s", name);
	return (uint16_t)a->n_iface_names;
}

static uint8_t iface_flags(const struct conf_iface *c)
{
	return (uint8_t)((c->enabled ? IFACE_UP : 0) |
			 (c->urpf == CONF_URPF_LOOSE ? IFACE_URPF_LOOSE : 0) |
			 (c->urpf == CONF_URPF_STRICT ? IFACE_URPF_STRICT : 0) |
			 (c->directed_broadcast ? IFACE_BCAST_FORWARD : 0) |
			 (c->tunnel ? IFACE_TUNNEL : 0));
}

/* Nobody sees it: its link-local address is made of it, as that of others. */
static struct rte_ether_addr tunnel_mac(uint16_t id)
{
	return (struct rte_ether_addr){{2, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id}};
}

static void ports_free(struct ports *p)
{
	for (unsigned i = 0; p && i < PORTS_MAX; i++)
		port_fini(&p->port[i]);
	for (unsigned i = 0; p && i < p->n_ifaces; i++) {
		free(p->iface[i].addrs);
		free(p->iface[i].ra);
	}
	free(p);
}

/* What the interface has besides plain values: its addresses and its router advertisements. Where
 * IPv6 runs without a configured link-local address, it gets one of its MAC. */
static int copy_addrs(struct iface *f, const struct conf_iface *c)
{
	bool has6 = false, has_ll = false;

	for (unsigned j = 0; j < c->n_addrs; j++) {
		has6 |= !addr_is4(&c->addrs[j].addr);
		has_ll |= addr_is_link_local(&c->addrs[j].addr);
	}
	f->addrs = calloc(c->n_addrs + 1u, sizeof(*f->addrs));
	if (f->addrs == NULL)
		return -1;
	if (c->n_addrs)
		memcpy(f->addrs, c->addrs, c->n_addrs * sizeof(*f->addrs));
	f->n_addrs = c->n_addrs;
	if (has6 && !has_ll)
		f->addrs[f->n_addrs++] = (struct prefix){iface_eui64(&f->mac), 64};
	if (c->ra == NULL)
		return 0;
	f->ra = malloc(sizeof(*f->ra));
	if (f->ra == NULL)
		return -1;
	*f->ra = *c->ra;
	return 0;
}

static int add_iface(struct app *a, const struct conf *conf, struct ports *p, unsigned i)
{
	const struct conf_iface *c = &conf->ifaces[i];
	uint16_t port = c->tunnel ? IFACE_NO_PORT : a->port[c->port].id;
	uint16_t id = iface_id(a, c->name);
	struct iface *f = &p->iface[id];

	if (id == IFACE_NONE)
		return -1;
	*f = (struct iface){
		.id = id,
		.port = port,
		.vlan = c->vlan,
		.outer_vlan = c->outer_vlan,
		.mtu = c->mtu,
		.zone = c->secure ? RULE_SECURE : RULE_NONSECURE,
		.flags = iface_flags(c),
		.mac = c->tunnel ? tunnel_mac(id) : p->port[port].mac,
		.dad_transmits = c->dad_transmits,
	};
	snprintf(f->name, sizeof(f->name), "%s", c->name);
	if (p->n_ifaces <= id)
		p->n_ifaces = (uint16_t)(id + 1);
	if (copy_addrs(f, c) < 0)
		return -1;
	if (c->tunnel)
		return 0;
	return port_add(&p->port[port], f->outer_vlan, f->vlan, id);
}

static struct ports *ports_build(struct app *a, const struct conf *conf)
{
	struct ports *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->n_ifaces = 1;
	p->n_ports = conf->n_ports;
	for (unsigned i = 0; i < conf->n_ports; i++) {
		struct port_entry *entry = &p->port[a->port[i].id];

		rte_eth_macaddr_get(a->port[i].id, &entry->mac);
		snprintf(entry->name, sizeof(entry->name), "%s", conf->ports[i].name);
	}
	for (unsigned i = 0; i < conf->n_ifaces; i++) {
		if (add_iface(a, conf, p, i) < 0) {
			ports_free(p);
			return NULL;
		}
	}
	ports_index(p);
	return p;
}

static uint32_t share(uint32_t rate, unsigned workers)
{
	return (rate + workers - 1) / workers;
}

static struct ip6_policy policy6(const struct app *a, const struct conf *conf)
{
	return (struct ip6_policy){
		.hop_limit = conf->ip6.hop_limit,
		.martians_drop = conf->ip6.martians_drop,
		.extension_headers_max = conf->ip6.extension_headers_max,
		.icmp_error_rate = share(conf->ip6.icmp_error_rate, a->n_workers),
		.icmp_echo_rate = share(conf->ip6.icmp_echo_rate, a->n_workers),
		.nd_punt_rate = share(conf->nd.punt_rate, a->n_workers),
		.neigh_queue = conf->nd.queue,
	};
}

static struct reassembly_policy reassembly(const struct conf *conf)
{
	return (struct reassembly_policy){
		.per_source = conf->reassembly.per_source,
		.fragments = conf->reassembly.fragments,
		.timeout_s = conf->reassembly.timeout_s,
	};
}

static struct ip4_policy policy(const struct app *a, const struct conf *conf)
{
	static const uint8_t options[] = {
		[CONF_OPT_DROP] = OPTIONS_DROP,
		[CONF_OPT_FORWARD_SAFE] = OPTIONS_FORWARD_SAFE,
		[CONF_OPT_FORWARD] = OPTIONS_FORWARD,
	};
	struct ip4_policy p = {
		.options = options[conf->ip4.options],
		.ttl = conf->ip4.ttl,
		.martians_drop = conf->ip4.martians_drop,
		.icmp_error_rate = share(conf->ip4.icmp_error_rate, a->n_workers),
		.icmp_echo_rate = share(conf->ip4.icmp_echo_rate, a->n_workers),
		.arp_punt_rate = share(conf->arp.punt_rate, a->n_workers),
		.log_rate = share(conf->log.rate, a->n_workers),
		.log_burst = share(conf->log.burst, a->n_workers),
		.neigh_queue = conf->arp.queue,
	};

	for (unsigned i = 0; i < conf->log.n_drops; i++) {
		enum drop_reason r = drop_find(conf->log.drops[i]);

		p.drop_log[r / 64] |= 1ull << (r % 64);
	}
	p.drop_log[0] &= ~1ull;
	return p;
}

struct tables *tables_begin(struct app *a, const struct conf *conf, char *why, size_t why_size)
{
	struct tables *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->ports = ports_build(a, conf);
	if (t == NULL || t->ports == NULL) {
		snprintf(why, why_size,
			"no memory, or more than %u interface names in this daemon's life",
			IFACES_MAX - 1);
		tables_free(t);
		return NULL;
	}
	neigh_db_ports(a->neigh, t->ports, control_now_ms());
	t->root[0].ip4 = policy(a, conf);
	t->root[0].ip6 = policy6(a, conf);
	t->root[0].reassembly = reassembly(conf);
	return t;
}

/* The id of the tunnel that a rule means, as conf names it: by its number, or above all numbers by
 * its place. by_number: index + 1. */
static uint16_t tunnel_of(const struct conf *conf, const struct ipsec_tables *t, uint32_t tunnel,
	const uint32_t *by_number)
{
	uint32_t i = tunnel - CONF_TUNNEL_NUMBER_MAX - 1;

	if (tunnel == 0 || tunnel == RULE_TUNNEL_ANY)
		return TUNNEL_NONE;
	if (tunnel <= CONF_TUNNEL_NUMBER_MAX)
		return by_number[tunnel] ? t->id[by_number[tunnel] - 1] : TUNNEL_NONE;
	return i < conf->ipsec.n_tunnels ? t->id[i] : TUNNEL_NONE;
}

/* The filter's rules: first what tunnels make for themselves, then those of the configuration. To
 * be freed; NULL: no memory. */
static struct rule *all_rules(const struct conf *conf, const struct ipsec_tables *t, uint32_t *n)
{
	const struct conf_ipsec *c = &conf->ipsec;
	size_t most = conf->n_rules + (size_t)c->n_tunnels * TUNNEL_RULES_MAX + 1;
	uint32_t *by_number = calloc(CONF_TUNNEL_NUMBER_MAX + 1, sizeof(*by_number));
	struct rule *rule = malloc(most * sizeof(*rule));

	*n = 0;
	if (by_number == NULL || rule == NULL) {
		free(by_number);
		free(rule);
		return NULL;
	}
	for (uint32_t i = 0; i < c->n_tunnels; i++) {
		by_number[c->tunnels[i].number] = i + 1;
		if (c->generated_rules)
			*n += tunnel_rules(&t->tunnel[t->id[i]], &rule[*n]);
	}
	for (uint32_t i = 0; i < conf->n_rules; i++) {
		rule[*n] = conf->rules[i];
		rule[*n].tunnel_id = tunnel_of(conf, t, rule[*n].tunnel, by_number);
		++*n;
	}
	free(by_number);
	return rule;
}

static void progress(void *arg, unsigned done, unsigned of)
{
	log_info("compiling the filter: %u of %u tables", done, of);
}

int tables_compile(struct app *a, const struct conf *conf, struct tables *t, struct errs *errs,
	char *why, size_t why_size)
{
	const struct ipsec_change none = {.running = a->tables ? a->tables->ipsec : NULL};
	struct rule *rules;
	uint32_t n;
	int status;

	t->ipsec = ipsec_build(a, conf, &none, errs, &status, why, why_size);
	if (t->ipsec == NULL)
		return -1;
	rules = all_rules(conf, t->ipsec, &n);
	if (rules == NULL) {
		snprintf(why, why_size, "no memory");
		return -1;
	}
	t->acl = acl_build(rules, n, a->counters, a->numa.tables, &t->acl_stats,
		n >= 10000 ? progress : NULL, NULL, why, why_size);
	free(rules);
	return t->acl ? 0 : -1;
}

void tables_free(struct tables *t)
{
	if (t == NULL)
		return;
	acl_free(t->acl);
	ports_free(t->ports);
	ipsec_tables_free(t->ipsec);
	free(t);
}

static void publish(struct app *a, const struct root *root)
{
	/* pairs with the acquire load in worker_walk */
	atomic_store_explicit(&a->shared.root, root, memory_order_release);
}

struct tables *tables_publish(struct app *a, struct tables *t)
{
	struct tables *old = a->tables;
	const struct root *was = old ? tables_root(old) : NULL;
	struct root *root = &t->root[0];

	root->generation = was ? was->generation + 1 : 1;
	root->serial = was ? was->serial + 1 : 1;
	root->ports = t->ports;
	root->routes = route_db_next(a->routing.db);
	root->acl = t->acl;
	root->neigh = neigh_db_table(a->neigh);
	root->ipsec = t->ipsec->used ? &t->ipsec->view : NULL;
	a->tables = t;
	a->env.acl_stats = t->acl_stats;
	publish(a, root);
	route_db_swapped(a->routing.db);
	return old;
}

struct tables *tables_swap_ipsec(struct app *a, struct tables *t)
{
	struct tables *old = a->tables;
	struct root *root = &t->root[0];

	*root = *tables_root(old);
	root->serial++;
	root->ipsec = t->ipsec->used ? &t->ipsec->view : NULL;
	t->ports = old->ports;
	t->acl = old->acl;
	t->acl_stats = old->acl_stats;
	old->ports = NULL;
	old->acl = NULL;
	a->tables = t;
	publish(a, root);
	return old;
}

bool tables_swap_routes(struct app *a)
{
	const struct routes *next = route_db_next(a->routing.db);
	struct tables *t = a->tables;
	struct root *spare = &t->root[1 - t->side]; /* since the grace period of the last swap */

	if (next == NULL)
		return false;
	*spare = *tables_root(t);
	spare->serial++;
	spare->routes = next;
	t->side = 1 - t->side;
	publish(a, spare);
	route_db_swapped(a->routing.db);
	return true;
}

void tables_neighbours(struct app *a, const struct conf *conf)
{
	uint64_t now = control_now_ms();

	neigh_db_static_clear(a->neigh, now);
	for (uint32_t i = 0; i < conf->n_neighs; i++) {
		const struct conf_neigh *c = &conf->neighs[i];
		struct rte_ether_addr mac;

		memcpy(&mac, c->mac.b, sizeof(mac));
		if (neigh_db_static(a->neigh, iface_id(a, conf->ifaces[c->iface].name), &c->addr,
			    &mac, now) < 0)
			log_warn("%s:%u: neighbours[%u]: the table is full (arp.entries-max)",
				conf->file, c->line, i);
	}
}
