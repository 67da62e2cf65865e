/* show.ports: devices with their link, counters and errors, and the interfaces on them. Reads the
 * devices' own statistics, which no driver makes slow. Control core.
 */
#include "ctl/api.h"

#include <rte_ethdev.h>
#include <stdlib.h>

static struct port_counters sum(const struct ctl_env *env, uint16_t port)
{
	struct port_counters all = {0};

	for (unsigned i = 0; port < PORTS_MAX && i < api_workers_n(env); i++) {
		const struct port_counters *c = &env->worker[i]->stats.port[port];

		all.rx_packets += api_count(&c->rx_packets);
		all.rx_bytes += api_count(&c->rx_bytes);
		all.tx_packets += api_count(&c->tx_packets);
		all.tx_bytes += api_count(&c->tx_bytes);
	}
	return all;
}

/* up: what the daemon found, which knows more than some drivers. */
static json_t *link_json(uint16_t port, bool up)
{
	struct rte_eth_link link = {0};

	if (!rte_eth_dev_is_valid_port(port) || rte_eth_link_get_nowait(port, &link) < 0)
		return json_pack("{s:s}", "state", "unknown");
	if (link.link_status == RTE_ETH_LINK_DOWN || !up)
		return json_pack("{s:s}", "state", "down");
	return json_pack("{s:s, s:o, s:s}", "state", "up", "speed_mbps",
		link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN || link.link_speed == 0
			? json_null()
			: json_integer(link.link_speed),
		"duplex", link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX ? "full" : "half");
}

/* Errors that only the device sees. */
static json_t *device_json(uint16_t port)
{
	struct rte_eth_stats s;

	if (!rte_eth_dev_is_valid_port(port) || rte_eth_stats_get(port, &s) < 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "imissed", api_u64(s.imissed), "ierrors",
		api_u64(s.ierrors), "oerrors", api_u64(s.oerrors), "rx_nombuf",
		api_u64(s.rx_nombuf));
}

static json_t *interfaces_of(const struct ports *ports, uint16_t port)
{
	json_t *names = json_array();

	for (unsigned id = 1; id < ports->n_ifaces; id++)
		if (ports->iface[id].name[0] != '\0' && ports->iface[id].port == port)
			json_array_append_new(names, text_json(ports->iface[id].name));
	return names;
}

static json_t *port_json(
	const struct ctl_env *env, const struct root *root, const struct ctl_port *p)
{
	bool up = p->id < PORTS_MAX && atomic_load(&env->shared->link_up[p->id]);
	struct port_counters c = sum(env, p->id);
	json_t *mac = p->id < PORTS_MAX ? text_json_mac(root->ports->port[p->id].mac.addr_bytes)
					: json_null();

	return json_pack("{s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
			 " s:i, s:i, s:i, s:i, s:o, s:o}",
		"name", text_json(p->name),                      //
		"device", text_json(p->device),                  //
		"id", p->id,                                     //
		"mac", mac,                                      //
		"link", link_json(p->id, up),                    //
		"rx_packets", api_u64(c.rx_packets),             //
		"rx_bytes", api_u64(c.rx_bytes),                 //
		"tx_packets", api_u64(c.tx_packets),             //
		"tx_bytes", api_u64(c.tx_bytes),                 //
		"errors", device_json(p->id),                    //
		"interfaces", interfaces_of(root->ports, p->id), //
		"rx_queues", p->n_rxq, "tx_queues", p->n_txq, "rx_descriptors", p->n_rxd,
		"tx_descriptors", p->n_txd, "checksum", text_json(p->checksum), "spread",
		text_json(p->spread));
}

static const char *port_name(const struct ctl_env *env, uint16_t id)
{
	for (unsigned i = 0; i < env->n_ports; i++)
		if (env->port[i].id == id)
			return env->port[i].name;
	return "?";
}

/* Seconds; null: without end. */
static json_t *seconds(uint32_t s)
{
	return s == RA_FOREVER ? json_null() : json_integer(s);
}

static json_t *ra_prefixes(const struct ra *ra)
{
	json_t *list = json_array();
	char buf[PREFIX_STRLEN];

	for (unsigned i = 0; i < ra->n_prefixes && i < RA_PREFIXES_MAX; i++) {
		const struct ra_prefix *p = &ra->prefix[i];

		json_array_append_new(
			list, json_pack("{s:s, s:b, s:b, s:o, s:o}", "prefix",
				      prefix_format(&p->prefix, buf), "on_link", p->on_link,
				      "autonomous", p->autonomous, "valid_s", seconds(p->valid_s),
				      "preferred_s", seconds(p->preferred_s)));
	}
	return list;
}

static json_t *ra_dns(const struct ra *ra)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ra->n_dns && i < RA_DNS_MAX; i++)
		json_array_append_new(list, text_json_addr(&ra->dns[i]));
	return list;
}

/* The names as text; they stand there in the form of RFC 1035 section 3.1. */
static json_t *ra_domains(const struct ra *ra)
{
	unsigned end = ra->domains_len < RA_DOMAINS_MAX ? ra->domains_len : RA_DOMAINS_MAX;
	json_t *list = json_array();
	char name[RA_DOMAINS_MAX];
	struct text t;

	text_init(&t, name, sizeof(name));
	for (unsigned at = 0; at < end; at += 1u + ra->domains[at]) {
		unsigned len = ra->domains[at];

		if (len == 0) {
			json_array_append_new(list, text_json(name));
			text_init(&t, name, sizeof(name));
		} else if (at + 1 + len <= end) {
			text_add(&t, "%s%.*s", t.len ? "." : "", (int)len,
				(const char *)&ra->domains[at + 1]);
		}
	}
	return list;
}

static json_t *ra_json(const struct ra *ra)
{
	if (ra == NULL)
		return json_null();
	return json_pack("{s:b, s:i, s:i, s:b, s:b, s:i, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", //
		"send", ra->send,                                                             //
		"interval_s", ra->interval_s,                                                 //
		"lifetime_s", ra->lifetime_s,                                                 //
		"managed", ra->managed,                                                       //
		"other_config", ra->other_config,                                             //
		"hop_limit", ra->hop_limit,                                                   //
		"mtu", ra->mtu ? json_integer(ra->mtu) : json_null(),                         //
		"reachable_ms", (json_int_t)ra->reachable_ms,                                 //
		"retrans_ms", (json_int_t)ra->retrans_ms,                                     //
		"prefixes", ra_prefixes(ra),                                                  //
		"dns", ra_dns(ra),                                                            //
		"domains", ra_domains(ra),                                                    //
		"dns_lifetime_s", seconds(ra->dns_lifetime_s));
}

static json_t *vlan_json(uint16_t vlan)
{
	return vlan ? json_integer(vlan) : json_null();
}

/* Messages of routers, by neighbour discovery. */
static json_t *discovery_json(const struct ctl_env *env, const struct iface *f)
{
	struct ra_stats s = {0};

	if (env->ra)
		s = ra_db_stats(env->ra, f->id);
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "advertisements_sent", api_u64(s.sent),
		"solicitations_received", api_u64(s.solicited), "advertisements_received",
		api_u64(s.heard), "advertisements_inconsistent", api_u64(s.inconsistent),
		"redirects_ignored", api_u64(s.redirects));
}

/* The IPv6 groups that are listened to, and what is said about that. */
static json_t *multicast_json(const struct ctl_env *env, const struct iface *f)
{
	struct addr *group = calloc(IFACE_GROUPS_MAX(f), sizeof(*group));
	unsigned n = group ? iface_groups(f, group, IFACE_GROUPS_MAX(f)) : 0;
	json_t *groups = json_array();
	struct mld_stats s = {.version = 2};

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(groups, text_json_addr(&group[i]));
	free(group);
	if (env->mld)
		s = mld_db_stats(env->mld, f->id);
	return json_pack("{s:o, s:o, s:o, s:i}", "groups", groups, "reports_sent",
		api_u64(s.reports), "queries_received", api_u64(s.queries), "version", s.version);
}

static json_t *iface_json(const struct ctl_env *env, const struct iface *f)
{
	json_t *addrs = json_array();
	char buf[PREFIX_STRLEN];

	for (unsigned i = 0; f->addrs != NULL && i < f->n_addrs; i++)
		json_array_append_new(addrs, json_string(prefix_format(&f->addrs[i], buf)));
	return json_pack(
		"{s:o, s:s, s:b, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:[], s:[], s:s, s:b, s:o,"
		" s:o, s:b, s:o}",                                       //
		"name", text_json(f->name),                              //
		"zone", f->zone == RULE_SECURE ? "secure" : "nonsecure", //
		"enabled", (f->flags & IFACE_UP) != 0,                   //
		"port",
		f->port == IFACE_NO_PORT ? json_null() : text_json(port_name(env, f->port)), //
		"vlan", vlan_json(f->vlan),                                                  //
		"outer_vlan", vlan_json(f->outer_vlan),                                      //
		"mtu", f->mtu,                                                               //
		"mac", text_json_mac(f->mac.addr_bytes),                                     //
		"addresses", addrs,                                                          //
		"link_local", f->flags & IFACE_IP6 ? text_json_addr(&f->ll) : json_null(),   //
		"tentative", "duplicate",                                                    //
		"urpf",
		f->flags & IFACE_URPF_STRICT  ? "strict"
		: f->flags & IFACE_URPF_LOOSE ? "loose"
					      : "off",
		"directed_broadcast", (f->flags & IFACE_BCAST_FORWARD) != 0, //
		"router_advertisements", ra_json(f->ra),                     //
		"router_discovery", discovery_json(env, f),                  //
		"ip6_off", env->neigh != NULL && neigh_db_ip6_off(env->neigh, f->id), "multicast",
		multicast_json(env, f));
}

struct own {                       /* interfaces by id, for the states of their addresses */
	json_t *iface[IFACES_MAX]; /* borrowed; NULL: none */
};

/* An IPv6 address of ours that is not usable (RFC 4862 section 5.4) goes to the list of its state.
 */
static void own_state(
	void *arg, uint16_t iface, const struct addr *addr, enum neigh_own_state state)
{
	const struct own *own = arg;
	const char *list = state == NEIGH_OWN_TENTATIVE ? "tentative" : "duplicate";

	if (state != NEIGH_OWN_USABLE && iface < IFACES_MAX)
		json_array_append_new(
			json_object_get(own->iface[iface], list), text_json_addr(addr));
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	const struct root *root = api_root(env, error);
	json_t *ports, *ifaces;
	struct own own = {0};

	if (root == NULL)
		return NULL;
	if (root->ports == NULL)
		return api_fail(error, API_UNAVAILABLE, "there are no ports yet");
	ports = json_array();
	ifaces = json_array();
	for (unsigned i = 0; i < env->n_ports; i++)
		json_array_append_new(ports, port_json(env, root, &env->port[i]));
	for (unsigned id = 1; id < root->ports->n_ifaces && id < IFACES_MAX; id++)
		if (root->ports->iface[id].name[0] != '\0')
			json_array_append_new(
				ifaces, own.iface[id] = iface_json(env, &root->ports->iface[id]));
	if (env->neigh != NULL)
		neigh_db_own_each(env->neigh, own_state, &own);
	return json_pack("{s:o, s:o}", "ports", ports, "interfaces", ifaces);
}

const struct api_method api_ports = {.name = "show.ports", .run = run};
