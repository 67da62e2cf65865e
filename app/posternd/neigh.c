/* The control core's side of neighbours, router advertisements and multicast groups: frames out,
 * what workers punt, and orders to those that keep packets waiting. The state machines are
 * lib/table's. Control core.
 */
#include "app.h"

#include "wire/nd.h"

#include <errno.h>
#include <rte_arp.h>
#include <rte_mbuf.h>
#include <rte_random.h>
#include <stdlib.h>
#include <string.h>

/* --- frames out */

/* An empty frame with its Ethernet header and room for len bytes behind it, which payload gets.
 * NULL: no buffer. */
static struct rte_mbuf *frame(struct app *a, const struct iface *iface,
	const struct rte_ether_addr *dst, rte_be16_t type, unsigned len, uint8_t **payload)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(a->pool);
	uint8_t hdr[IFACE_HDR_MAX];
	unsigned l2;
	uint8_t *p;

	if (m == NULL)
		return NULL;
	l2 = iface_header(iface, dst, type, hdr);
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(l2 + len));
	if (p == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(p, hdr, l2);
	*payload = p + l2;
	*meta_of(m) = (struct meta){
		.flags = META_OURS | META_FRAMED, .out_port = iface->port, .out_if = iface->id};
	return m;
}

/* What the ring refuses it counts; the state machines ask again. */
static void inject(struct app *a, struct rte_mbuf *m)
{
	if (link_packets_put(&a->worker[0]->link.inject, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

static void send_arp(void *arg, const struct iface *iface, uint16_t op, uint32_t spa, uint32_t tpa,
	const struct rte_ether_addr *tha)
{
	static const struct rte_ether_addr all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct app *a = arg;
	struct rte_arp_hdr arp = {
		.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
		.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN,
		.arp_plen = 4,
		.arp_opcode = rte_cpu_to_be_16(op),
		.arp_data = {.arp_sha = iface->mac,
			.arp_sip = rte_cpu_to_be_32(spa),
			.arp_tip = rte_cpu_to_be_32(tpa)},
	};
	struct rte_mbuf *m;
	uint8_t *p;

	if (tha)
		arp.arp_data.arp_tha = *tha;
	m = frame(a, iface, tha ? tha : &all, RTE_BE16(RTE_ETHER_TYPE_ARP), sizeof(arp), &p);
	if (m == NULL)
		return;
	memcpy(p, &arp, sizeof(arp));
	inject(a, m);
}

static void send_nd(void *arg, const struct iface *iface, const struct mac *dst,
	const uint8_t *packet, unsigned len)
{
	struct app *a = arg;
	struct rte_ether_addr to;
	struct rte_mbuf *m;
	uint8_t *p;

	memcpy(&to, dst, sizeof(to));
	m = frame(a, iface, &to, RTE_BE16(RTE_ETHER_TYPE_IPV6), len, &p);
	if (m == NULL)
		return;
	memcpy(p, packet, len);
	inject(a, m);
}

/* --- orders: kept until the ring takes them */

void neigh_flush_orders(struct app *a, unsigned worker)
{
	struct pending_orders *p = &a->pending[worker];
	size_t done = 0;

	while (done < p->n && link_order_put(&a->worker[worker]->link, &p->order[done]))
		done++;
	if (done) {
		memmove(p->order, p->order + done, (p->n - done) * sizeof(*p->order));
		p->n -= done;
	}
}

static void keep_order(struct app *a, unsigned worker, const struct order *o)
{
	struct pending_orders *p = &a->pending[worker];

	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct order *grown = realloc(p->order, room * sizeof(*grown));

		if (grown == NULL) /* the packets' own time-out ends their wait */
			return;
		p->order = grown;
		p->room = room;
	}
	p->order[p->n++] = *o;
}

static void settled(void *arg, uint16_t iface, const struct addr *addr, uint32_t index,
	enum neigh_outcome outcome)
{
	struct app *a = arg;
	struct order o = {.kind = ORDER_NEIGH,
		.outcome = (uint8_t)outcome,
		.iface = iface,
		.addr = *addr,
		.index = index};

	for (unsigned i = 0; i < a->n_workers; i++) {
		keep_order(a, i, &o);
		neigh_flush_orders(a, i);
	}
}

/* --- what workers punt */

int neigh_punted(struct app *a, const struct rte_mbuf *m)
{
	const struct meta *meta = meta_of((struct rte_mbuf *)(uintptr_t)m);
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t now = control_now_ms();
	struct mld_query query;
	struct nd nd;

	if (!(meta->flags & META_IP6))
		return neigh_db_arp(a->neigh, meta->in_if, p, m->data_len, now);
	if (mld_read(p, m->data_len, &query) == MLD_OK) {
		mld_db_heard(a->mld, meta->in_if, &query, now);
		return 0;
	}
	if (nd_read(p, m->data_len, &nd) != ND_OK)
		return -EINVAL;
	ra_db_heard(a->ra, meta->in_if, &nd, now);
	return neigh_db_nd(a->neigh, meta->in_if, &nd, now);
}

/* --- the state machines */

static bool ra_ready(void *arg, const struct iface *iface)
{
	const struct app *a = arg;

	return atomic_load(&a->shared.link_up[iface->port]) &&
	       neigh_own_usable(neigh_db_table(a->neigh), iface->id, iface->ll.b);
}

/* RFC 3590: "::" is the source of what must be said before we have an address. */
static bool mld_source(void *arg, const struct iface *iface, struct addr *from)
{
	const struct app *a = arg;

	if (!atomic_load(&a->shared.link_up[iface->port]) || neigh_db_ip6_off(a->neigh, iface->id))
		return false;
	*from = neigh_own_usable(neigh_db_table(a->neigh), iface->id, iface->ll.b)
			? iface->ll
			: (struct addr){0};
	return true;
}

static void neigh_confs(const struct conf *conf, struct neigh_conf nc[NEIGH_FAMILIES])
{
	nc[NEIGH_IP4] = (struct neigh_conf){.reachable_ms = conf->arp.reachable_s * 1000,
		.retry_ms = conf->arp.retry_ms,
		.stale_ms = conf->arp.stale_s * 1000,
		.retries = conf->arp.retries};
	nc[NEIGH_IP6] = (struct neigh_conf){.reachable_ms = conf->nd.reachable_s * 1000,
		.retry_ms = conf->nd.retry_ms,
		.stale_ms = conf->nd.stale_s * 1000,
		.retries = conf->nd.retries,
		.incomplete_max = conf->nd.incomplete_max,
		.resolve_rate = conf->nd.resolve_rate};
}

int neigh_init(struct app *a)
{
	const struct neigh_ops ops = {.arg = a, .arp = send_arp, .nd = send_nd, .settled = settled};
	const struct ra_ops ra_ops = {.arg = a, .send = send_nd, .ready = ra_ready};
	const struct mld_ops mld_ops = {.arg = a, .send = send_nd, .source = mld_source};
	uint32_t max[NEIGH_FAMILIES] = {
		[NEIGH_IP4] = a->conf->arp.entries_max, [NEIGH_IP6] = a->conf->nd.entries_max};
	struct neigh_conf nc[NEIGH_FAMILIES];

	neigh_confs(a->conf, nc);
	a->neigh = neigh_db_new(max, a->shared.qsv, nc, &ops, rte_rand());
	a->ra = ra_db_new(&ra_ops, rte_rand());
	a->mld = mld_db_new(&mld_ops, rte_rand());
	return a->neigh && a->ra && a->mld ? 0 : -ENOMEM;
}

void neigh_fini(struct app *a)
{
	mld_db_free(a->mld);
	ra_db_free(a->ra);
	neigh_db_free(a->neigh);
	a->mld = NULL;
	a->ra = NULL;
	a->neigh = NULL;
}

void neigh_apply(struct app *a, const struct conf *conf)
{
	struct neigh_conf nc[NEIGH_FAMILIES];

	neigh_confs(conf, nc);
	neigh_db_configure(a->neigh, nc);
	tables_neighbours(a, conf);
	ra_db_ports(a->ra, a->tables->ports, control_now_ms());
	mld_db_configure(a->mld, conf->nd.retry_ms);
	mld_db_ports(a->mld, a->tables->ports, control_now_ms());
}

void neigh_link(struct app *a, uint16_t port, bool up)
{
	uint64_t now = control_now_ms();

	mld_db_link(a->mld, port, up, now);
	neigh_db_link(a->neigh, port, up, now);
	if (up)
		ra_db_link_up(a->ra, port, now);
}

void neigh_start(struct app *a)
{
	const struct ports *p = a->tables->ports;
	uint64_t now = control_now_ms();

	for (unsigned i = 0; i < a->conf->n_ports; i++) {
		bool up = atomic_load(&a->shared.link_up[a->port[i].id]);

		mld_db_link(a->mld, a->port[i].id, up, now);
		neigh_db_link(a->neigh, a->port[i].id, up, now);
	}
	for (uint16_t i = 1; i < p->n_ifaces; i++) {
		const struct iface *f = &p->iface[i];

		if (f->flags & IFACE_UP && f->port != IFACE_NO_PORT &&
			atomic_load(&a->shared.link_up[f->port]))
			neigh_db_announce(a->neigh, i);
	}
}
