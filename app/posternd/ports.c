/* Boot, stage ports: each configured device gets its queues, its offloads and its MTU, and each
 * queue its worker. Says what it chose. Afterwards watches the links. Control core.
 */
#include "app.h"
#include "device.h"

#include "base/log.h"

#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#define TAGS 2 /* what every port has room for: a reload may add interfaces with so many */
#define FRAME_EXTRA (RTE_ETHER_HDR_LEN + TAGS * DEVICE_TAG_BYTES + RTE_ETHER_CRC_LEN)
#define ROOM_MIN 2048
#define LINK_POLL_MS 100

static uint8_t rss_key[DEVICE_RSS_KEY_MAX];

uint16_t ports_data_room(const struct conf *conf)
{
	unsigned room = ROOM_MIN;

	for (unsigned i = 0; i < conf->n_ports; i++)
		room = RTE_MAX(room, conf->ports[i].mtu + FRAME_EXTRA);
	return (uint16_t)(RTE_ALIGN(room, 64u) + RTE_PKTMBUF_HEADROOM);
}

static int device_port(const struct conf_port *c, uint16_t *id)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(c->device, ","), c->device);
	if (rte_eth_dev_get_port_by_name(name, id) == 0)
		return 0;
	/* "03:00.0" is "0000:03:00.0" to DPDK */
	snprintf(name, sizeof(name), "0000:%.*s", (int)strcspn(c->device, ","), c->device);
	if (rte_eth_dev_get_port_by_name(name, id) == 0)
		return 0;
	log_error("port %s: DPDK found no device \"%s\"; a NIC must be bound to vfio-pci", c->name,
		c->device);
	return -1;
}

static uint16_t clamp_queues(
	const struct conf_port *c, const char *what, unsigned asked, unsigned max, unsigned workers)
{
	unsigned n = asked ? asked : RTE_MIN(max, workers);

	if (n > max) {
		log_warn("port %s: %s = %u, but the device has %u", c->name, what, n, max);
		n = max;
	}
	return (uint16_t)(n ? n : 1);
}

/* Queues, and how packets reach the workers. */
static void choose_queues(struct app *a, const struct conf_port *c, struct port_setup *p,
	const struct rte_eth_dev_info *info)
{
	uint64_t rss = device_rss_hf(info);

	p->n_txq = clamp_queues(c, "tx-queues", c->tx_queues, info->max_tx_queues, a->n_workers);
	/* without RSS a device has no way to keep a flow on a queue that we know of */
	p->n_rxq = clamp_queues(
		c, "rx-queues", c->rx_queues, info->max_rx_queues, rss ? a->n_workers : 1);
	p->rss_hf = p->n_rxq > 1 ? rss : 0;
	p->spread = a->n_workers > 1 && p->n_rxq < a->n_workers;
	p->rx_checksum = c->checksum_offload != CONF_OFF &&
			 info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	if (c->checksum_offload == CONF_ON && !p->rx_checksum)
		log_warn("port %s: checksum-offload is on, but the device has none; computed in "
			 "software",
			c->name);
}

/* The configuration's MTU is the packet's; the device has to take the tags on top. */
static void choose_mtu(struct app *a, unsigned i, const struct rte_eth_dev_info *info)
{
	const struct conf_port *c = &a->conf->ports[i];
	unsigned tags = 0;
	bool fits;

	for (unsigned f = 0; f < a->conf->n_ifaces; f++) {
		const struct conf_iface *iface = &a->conf->ifaces[f];

		if (iface->port == i)
			tags = RTE_MAX(tags, (iface->outer_vlan != 0) + (iface->vlan != 0) + 0u);
	}
	a->port[i].device_mtu = device_mtu(info, c->mtu, TAGS, &fits);
	/* one tag is taken by every device that we know of, whether it says so or not */
	if (!fits && tags == TAGS)
		app_note(a,
			"port %s: packets of %u bytes with two VLAN tags are longer than what the "
			"device promises to take; interfaces with such tags want mtu = %u",
			c->name, c->mtu, c->mtu - DEVICE_TAG_BYTES);
}

static int configure(const struct app *a, const struct conf_port *c, struct port_setup *p,
	const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {
		.rxmode = {.mtu = p->device_mtu},
		.intr_conf.rxq = a->conf->system.idle == CONF_IDLE_INTERRUPT,
	};
	int ret;

	if (p->rx_checksum)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	if (p->fast_free)
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	if (p->rss_hf) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_key = rss_key;
		conf.rx_adv_conf.rss_conf.rss_key_len = device_rss_key(info, rss_key);
		conf.rx_adv_conf.rss_conf.rss_hf = p->rss_hf;
	}
	ret = rte_eth_dev_configure(p->id, p->n_rxq, p->n_txq, &conf);
	if (ret < 0 && conf.intr_conf.rxq) {
		conf.intr_conf.rxq = 0;
		ret = rte_eth_dev_configure(p->id, p->n_rxq, p->n_txq, &conf);
	} else {
		p->rx_interrupt = conf.intr_conf.rxq;
	}
	return ret;
}

static int setup_queues(struct app *a, unsigned i, const struct rte_eth_dev_info *info)
{
	const struct conf_port *c = &a->conf->ports[i];
	struct port_setup *p = &a->port[i];
	struct rte_mempool *pool = a->pools[a->numa.of_port[i]];
	unsigned socket = (unsigned)numa_of_port(&a->numa, i);
	int ret;
	struct rte_eth_txconf txconf = info->default_txconf;

	p->n_rxd = c->rx_descriptors ? c->rx_descriptors : 1024;
	p->n_txd = c->tx_descriptors ? c->tx_descriptors : 1024;
	ret = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &p->n_rxd, &p->n_txd);
	if (ret < 0)
		return ret;
	if (p->fast_free)
		txconf.offloads |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	for (uint16_t q = 0; q < p->n_rxq && ret == 0; q++)
		ret = rte_eth_rx_queue_setup(p->id, q, p->n_rxd, socket, NULL, pool);
	for (uint16_t q = 0; q < p->n_txq && ret == 0; q++)
		ret = rte_eth_tx_queue_setup(p->id, q, p->n_txd, socket, &txconf);
	return ret;
}

static int start(const struct conf_port *c, struct port_setup *p)
{
	struct rte_ether_addr mac;
	int ret;

	if (c->has_mac) {
		memcpy(&mac, c->mac.b, sizeof(mac));
		ret = rte_eth_dev_default_mac_addr_set(p->id, &mac);
		if (ret < 0) {
			log_error("port %s: the device does not take a MAC address: %s", c->name,
				rte_strerror(-ret));
			return ret;
		}
	}
	ret = rte_eth_dev_start(p->id);
	if (ret < 0) {
		log_error("port %s: the device does not start: %s", c->name, rte_strerror(-ret));
		return ret;
	}
	if (c->promiscuous && rte_eth_promiscuous_enable(p->id) < 0)
		log_warn("port %s: the device has no promiscuous mode", c->name);
	/* A card passes no group that it was not told of, and neighbour discovery goes to one per
	 * address (RFC 4861 section 7.2.1): take them all, eth_input and ip6_input know ours.
	 * Virtual devices that filter nothing have no such mode. */
	ret = rte_eth_allmulticast_enable(p->id);
	if (ret < 0 && ret != -ENOTSUP && !c->promiscuous)
		log_warn(
			"port %s: the device does not take all multicast frames: %s; IPv6 may need "
			"promiscuous = true",
			c->name, rte_strerror(-ret));
	return 0;
}

/* Port i's queues over the workers, those of its socket first; ports begin with different ones, so
 * that many single-queue ports spread as well. */
static int assign(struct app *a, unsigned i, const struct port_setup *p)
{
	int socket[WORKERS_MAX];
	uint16_t order[WORKERS_MAX];
	unsigned near;

	for (unsigned w = 0; w < a->n_workers; w++)
		socket[w] = a->worker[w]->socket;
	near = numa_workers(socket, a->n_workers, numa_of_port(&a->numa, i), i, order);
	if (near < RTE_MIN((unsigned)p->n_rxq, a->n_workers))
		app_note(a,
			"port %s: on socket %d, where %u workers are: others receive from it too, "
			"which costs them time",
			a->conf->ports[i].name, numa_of_port(&a->numa, i), near);
	for (uint16_t q = 0; q < p->n_rxq; q++) {
		struct worker *w = a->worker[order[q % a->n_workers]];

		if (w->n_rxq >= WORKER_RXQ_MAX) {
			log_error("worker %u: more than %u receive queues", w->id, WORKER_RXQ_MAX);
			return -1;
		}
		w->rxq[w->n_rxq++] = (struct rxq){.port = p->id, .queue = q, .spread = p->spread};
	}
	for (unsigned id = 0; id < a->n_workers; id++) {
		unsigned owner = id < p->n_txq ? id : id % p->n_txq;

		a->worker[id]->txq[p->id] =
			(struct txq){.queue = (uint16_t)owner, .owner = (uint16_t)owner};
	}
	return 0;
}

static void say(
	struct app *a, const struct conf_port *c, const struct port_setup *p, const char *checksum)
{
	const char *lacks = device_rss_lacks(p->rss_hf);

	app_note(a, "port %s: %u receive and %u transmit queues, %s, checksums in %s", c->name,
		p->n_rxq, p->n_txq,
		p->spread      ? "spread over workers in software"
		: p->rss_hf    ? "spread over workers by the device (symmetric RSS)"
		: p->n_rxq > 1 ? "spread over workers as its driver does it"
			       : "received by one worker",
		checksum);
	if (p->rss_hf && *lacks)
		app_note(a,
			"port %s: RSS of this device leaves out %s; such packets reach fewer "
			"workers, and rx-queues = 1 would spread them in software",
			c->name, lacks);
}

static int boot_port(struct app *a, unsigned i)
{
	const struct conf_port *c = &a->conf->ports[i];
	struct port_setup *p = &a->port[i];
	struct rte_eth_dev_info info;
	int ret;

	ret = rte_eth_dev_info_get(p->id, &info);
	if (ret < 0) {
		log_error("port %s: the device tells nothing of itself: %s", c->name,
			rte_strerror(-ret));
		return -1;
	}
	if (c->mtu > device_mtu_max(&info)) {
		log_error("port %s: mtu = %u, but the device goes to %u", c->name, c->mtu,
			device_mtu_max(&info));
		return -1;
	}
	choose_queues(a, c, p, &info);
	choose_mtu(a, i, &info);
	/* the device gives buffers back to their pool without looking: there must be one alone */
	p->fast_free = a->numa.n == 1 && info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	ret = configure(a, c, p, &info);
	if (ret == 0)
		ret = setup_queues(a, i, &info);
	if (ret < 0) {
		log_error("port %s: the device refuses %u receive and %u transmit queues with MTU "
			  "%u: %s",
			c->name, p->n_rxq, p->n_txq, c->mtu, rte_strerror(-ret));
		return -1;
	}
	if (start(c, p) < 0 || assign(a, i, p) < 0)
		return -1;
	a->ctl_port[i] = (struct ctl_port){
		.name = c->name,
		.device = c->device,
		.id = p->id,
		.n_rxq = p->n_rxq,
		.n_txq = p->n_txq,
		.n_rxd = p->n_rxd,
		.n_txd = p->n_txd,
		.checksum = p->rx_checksum ? "hardware" : "software",
		.spread = p->spread      ? "software"
			  : p->rss_hf    ? "rss"
			  : p->n_rxq > 1 ? "device"
					 : "one worker",
		.socket = numa_of_port(&a->numa, i),
	};
	say(a, c, p, a->ctl_port[i].checksum);
	return 0;
}

int boot_devices(struct app *a)
{
	uint16_t id[CONF_PORTS_MAX];

	for (unsigned i = 0; i < a->conf->n_ports; i++) {
		if (device_port(&a->conf->ports[i], &id[i]) < 0)
			return -1;
		if (id[i] >= PORTS_MAX) {
			log_error(
				"port %s: more than %u devices", a->conf->ports[i].name, PORTS_MAX);
			return -1;
		}
		a->port[i].id = id[i];
	}
	numa_plan(&a->numa, &numa_map_machine, id, a->conf->n_ports, (int)rte_socket_id());
	return 0;
}

int boot_ports(struct app *a)
{
	for (unsigned i = 0; i < a->conf->n_ports; i++)
		if (boot_port(a, i) < 0)
			return -1;
	for (unsigned i = 0; i < a->conf->n_ports; i++) {
		bool up = false;

		(void)ports_link(a, i, &up);
		a->shared.link_up[a->port[i].id] = up;
	}
	return 0;
}

void ports_stop(struct app *a)
{
	ports_link_fini(a);
	for (unsigned i = 0; a->eal && i < a->conf->n_ports; i++) {
		uint16_t id;

		if (a->ctl_port[i].name == NULL)
			continue;
		id = a->port[i].id;
		rte_eth_dev_stop(id);
		rte_eth_dev_close(id);
	}
}

void ports_poll_links(struct app *a)
{
	uint64_t now = control_now_ms();

	if (now - a->link_polled_ms < LINK_POLL_MS)
		return;
	a->link_polled_ms = now;
	for (unsigned i = 0; i < a->conf->n_ports; i++) {
		uint16_t id = a->port[i].id;
		bool up;

		if (ports_link(a, i, &up) < 0 || up == atomic_load(&a->shared.link_up[id]))
			continue;
		atomic_store(&a->shared.link_up[id], up);
		a->routing.link_changed = true;
		log_info("port %s: link %s", a->conf->ports[i].name, up ? "up" : "down");
		neigh_link(a, id, up);
	}
}
