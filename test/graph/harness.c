/* The rig: boot, swap and end of the daemon under test. See harness.h. What a test does with it is
 * in drive.c. One thread.
 */
#include "rig.h"

#include "base/log.h"
#include "ctl/filterlog.h"

#include <rte_bus_vdev.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct app *rig;
struct rig_port rig_port[RIG_PORTS];

static const char interfaces[] =
	"{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; addresses = [\"10.1.0.1/16\"]; },"
	"{ name = \"wan\"; port = \"p1\"; addresses = [\"192.0.2.1/24\"]; },"
	"{ name = \"dmz\"; port = \"p2\"; addresses = [\"172.16.0.1/24\"]; },"
	"{ name = \"v10\"; port = \"p2\"; vlan = 10; zone = \"secure\";"
	"  addresses = [\"10.10.0.1/24\"]; },"
	"{ name = \"v20\"; port = \"p2\"; vlan = 20; addresses = [\"10.20.0.1/24\"]; }";

static const struct {
	const char *iface;
	uint32_t addr;
} neighbours[] = {
	{"lan", HOST_A},
	{"lan", IP(10, 1, 0, 3)},
	{"wan", HOST_B},
	{"wan", IP(192, 0, 2, 254)},
	{"wan", IP(192, 0, 2, 253)},
	{"dmz", HOST_C},
	{"v10", HOST_V10},
	{"v20", HOST_V20},
};

/* where the interface is on that subnet */
static const struct {
	const char *iface, *subnet, *addr;
} neighbours6[] = {
	{"lan", "2001:db8:1::", HOST_A6},
	{"lan", "2001:db8:1::", "2001:db8:1::3"},
	{"lan", "2001:db8:1::", "fe80::2"},
	{"wan", "2001:db8:2::", HOST_B6},
	{"wan", "2001:db8:2::", "2001:db8:2::fe"},
	{"wan", "2001:db8:2::", "2001:db8:2::fd"},
	{"wan", "2001:db8:2::", "fe80::fe"},
	{"dmz", "2001:db8:3::", HOST_C6},
	{"v10", "2001:db8:a::", "2001:db8:a::2"},
};

__attribute__((noreturn)) static void give_up(const char *what)
{
	fprintf(stderr, "rig: %s\n", what);
	exit(EXIT_FAILURE);
}

struct mac6 port_mac(unsigned port)
{
	return (struct mac6){{2, 0, 0, 0, 0, (uint8_t)(0x10 + port)}};
}

struct mac6 host_mac(uint32_t a)
{
	return (struct mac6){
		{2, 0, (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a}};
}

static void write_neighbours(FILE *f, const char *text)
{
	for (unsigned i = 0; i < RTE_DIM(neighbours); i++) {
		uint32_t a = neighbours[i].addr;

		if (!strstr(text, neighbours[i].iface))
			continue;
		fprintf(f,
			"%s{ interface = \"%s\"; address = \"%u.%u.%u.%u\"; "
			"mac = \"02:00:%02x:%02x:%02x:%02x\"; }",
			i ? ", " : "", neighbours[i].iface, a >> 24, a >> 16 & 255, a >> 8 & 255,
			a & 255, a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	}
	for (unsigned i = 0; i < RTE_DIM(neighbours6); i++) {
		struct mac6 mac = host6_mac(neighbours6[i].addr);

		if (strstr(text, neighbours6[i].iface) && strstr(text, neighbours6[i].subnet))
			fprintf(f,
				", { interface = \"%s\"; address = \"%s\"; "
				"mac = \"%02x:%02x:%02x:%02x:%02x:%02x\"; }",
				neighbours6[i].iface, neighbours6[i].addr, mac.b[0], mac.b[1],
				mac.b[2], mac.b[3], mac.b[4], mac.b[5]);
	}
}

static struct conf *parse(const struct rig_text *t)
{
	const char *ifaces = t->interfaces ? t->interfaces : interfaces;
	struct errs errs = {0};
	struct conf *conf;
	size_t size;
	char *text;
	FILE *f = open_memstream(&text, &size);

	fprintf(f,
		"system = { memory = \"no-huge\"; memory-mb = 448; mbufs = %u;"
		" burst-bytes = 1048576; %s };\nports = (",
		RIG_MBUFS, t->system ? t->system : "");
	for (unsigned i = 0; i < RIG_PORTS; i++)
		fprintf(f, "%s{ name = \"p%u\"; device = \"net_ring_p%u\"; rx-queues = %u; %s }",
			i ? ", " : "", i, i, t->rx_rings ? t->rx_rings : 1, t->port ? t->port : "");
	fprintf(f, ");\ninterfaces = ( %s );\nneighbours = ( ", ifaces);
	write_neighbours(f, ifaces);
	fprintf(f, "%s );\nroutes = ( %s );\nfilter = { rules = ( %s ); };\n%s\n",
		t->neighbours ? t->neighbours : "", t->routes ? t->routes : "",
		t->rules ? t->rules : PERMIT_ALL, t->rest ? t->rest : "");
	fclose(f);
	conf = conf_parse(text, "rig.conf", NULL, &errs);
	if (conf)
		check_names(conf, &errs);
	if (errs.n_errors) {
		fprintf(stderr, "%s\n", text);
		errs_print(&errs, stderr);
		give_up("the configuration does not stand");
	}
	errs_fini(&errs);
	free(text);
	return conf;
}

static struct rte_ring *make_ring(const char *kind, unsigned port, unsigned i, unsigned size)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *r;

	snprintf(name, sizeof(name), "rig-%s-%u-%u", kind, port, i);
	r = rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (r == NULL)
		give_up("no memory for rings");
	return r;
}

static void make_port(unsigned i, unsigned rx_rings, unsigned tx_rings)
{
	struct rig_port *p = &rig_port[i];
	struct mac6 mac = port_mac(i);
	struct rte_ether_addr addr;
	char name[8];
	int id;

	p->n_rx = rx_rings;
	p->n_tx = tx_rings;
	for (unsigned q = 0; q < rx_rings; q++)
		p->rx[q] = make_ring("rx", i, q, 1024);
	for (unsigned q = 0; q < tx_rings; q++)
		p->tx[q] = make_ring("tx", i, q, RIG_TX_SIZE);
	snprintf(name, sizeof(name), "p%u", i);
	id = rte_eth_from_rings(name, p->rx, rx_rings, p->tx, tx_rings, 0);
	memcpy(&addr, mac.b, sizeof(addr));
	/* goes to the device's first place, which is free: its MAC is zero */
	if (id < 0 || rte_eth_dev_mac_addr_add((uint16_t)id, &addr, 0) < 0)
		give_up("no ring device");
	p->id = (uint16_t)id;
}

static bool speechless(void *arg, const struct iface *iface, struct addr *from)
{
	return false;
}

static void hush_listener(void)
{
	const struct mld_ops ops = {.source = speechless};

	mld_db_free(rig->mld);
	rig->mld = mld_db_new(&ops, 1);
	if (rig->mld == NULL)
		give_up("no memory");
	mld_db_ports(rig->mld, rig->tables->ports, control_now_ms());
}

void rig_up(const struct rig_text *t, unsigned tx_rings)
{
	struct conf *conf;
	uint16_t n_ports;

	log_setup(getenv("POSTERN_TEST_LOG") ? LOG_LVL_DEBUG : LOG_LVL_ERROR, false);
	conf = parse(t);
	rig = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*rig), RTE_CACHE_LINE_SIZE));
	if (rig == NULL)
		give_up("no memory");
	memset(rig, 0, sizeof(*rig));
	rig->conf = conf;
	rig->reload.ready_fd = -1;
	/* EAL makes no device: ours need rings, and rings need EAL */
	n_ports = conf->n_ports;
	conf->n_ports = 0;
	if (boot_eal(rig) < 0)
		give_up("EAL does not start");
	conf->n_ports = n_ports;
	for (unsigned i = 0; i < RIG_PORTS; i++)
		make_port(i, t->rx_rings ? t->rx_rings : 1, tx_rings);
	if (app_boot_on_eal(rig) < 0)
		give_up("the daemon does not boot");
	if (!t->listener)
		hush_listener();
	rig->filterlog = filterlog_new();
	if (rig->filterlog == NULL)
		give_up("no memory");
	rig_run();
	rig_discard(); /* what boot has to say */
}

void rig_down(void)
{
	filterlog_free(rig->filterlog);
	app_fini(rig);
	free(rig);
	rig = NULL;
}

static void must(bool ok, const char *why)
{
	if (!ok)
		give_up(why);
}

struct tables *rig_swap(const struct rig_text *t)
{
	struct conf *conf = parse(t);
	struct tables *next, *old;
	struct errs errs = {0};
	struct conf *was = rig->conf;
	char why[512];

	next = tables_begin(rig, conf, why, sizeof(why));
	must(next != NULL, why);
	must(routing_apply(rig, conf, next, why, sizeof(why)) == 0, why);
	must(tables_compile(rig, conf, next, &errs, why, sizeof(why)) == 0, why);
	must(ipsec_check(rig, conf, next, &errs) == 0, "the SAs of the configuration");
	ipsec_join(conf, next->ipsec, next->ports);
	old = tables_publish(rig, next);
	rig->conf = conf;
	ipsec_apply(rig, was, old);
	conf_free(was);
	errs_fini(&errs);
	neigh_apply(rig, conf);
	return old;
}

static void counter_freed(void *arg, uint32_t id)
{
	struct rule_counter sum = {0};

	for (unsigned i = 0; i < rig->n_workers; i++) {
		sum.packets += rig->worker[i]->rule_counter[id].packets;
		sum.bytes += rig->worker[i]->rule_counter[id].bytes;
	}
	rig->counter_base[id] = sum;
}

void rig_swapped(struct tables *old)
{
	uint64_t token = rte_rcu_qsbr_start(rig->shared.qsv);
	char why[512];

	rig_walk();
	must(rte_rcu_qsbr_check(rig->shared.qsv, token, false), "the workers have not walked");
	acl_counters_retire(rig->counters, old->acl, rig->tables->acl, counter_freed, NULL);
	tables_free(old);
	must(routing_applied(rig, why, sizeof(why)) == 0, why);
}

void rig_reload(const struct rig_text *t)
{
	rig_swapped(rig_swap(t));
}
