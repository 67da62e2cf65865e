/* See world.h. */
#include "world.h"

#include "ipsec/ah.h"
#include "rig.h"
#include "table/ipsec.h"
#include "table/sad_write.h"
#include "table/spd_write.h"
#include "wire/ip4.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#define ETH 14
#define WALKS_MAX 64

static struct sad_db *ours, *peers;
static struct spd *spd;
static struct tunnel *tunnel, *mirror;
static struct sa **peer_out; /* by tunnel: what the peer sends by */
static unsigned n_tunnels, next;
static uint8_t protocol;
static struct ipsec ipsec;
static struct mb *mb; /* the peer's */

void world_boot(unsigned burst_packets, unsigned burst_bytes)
{
	static const struct rig_text text = {
		.routes = "{ to = \"10.9.0.0/16\"; via = \"192.0.2.254\"; }"};

	rig_up(&text, 1);
	for (unsigned i = 0; i < rig->n_workers; i++) {
		rig->worker[i]->burst_packets = (uint16_t)burst_packets;
		rig->worker[i]->burst_bytes = burst_bytes;
	}
	mb = mb_new(SOCKET_ID_ANY);
	if (mb == NULL)
		die("mb", "out of memory");
}

static void publish(const struct ipsec *i)
{
	for (unsigned side = 0; side < 2; side++) {
		rig->tables->root[side].ipsec = i;
		rig->tables->root[side].serial += 1000;
	}
	rig_run();
}

static void clear(void)
{
	publish(NULL);
	sad_db_free(ours);
	sad_db_free(peers);
	spd_free(spd);
	free(tunnel);
	free(mirror);
	free(peer_out);
}

void world_end(void)
{
	clear();
	mb_free(mb);
	rig_down();
}

static struct sad_db *new_sad(unsigned n)
{
	char why[200];
	struct sad_db *db = sad_db_new(2 * n + 1, rig->n_workers, rig->shared.qsv, mb_expand,
		SOCKET_ID_ANY, why, sizeof(why));

	if (db == NULL)
		die("SAD", why);
	return db;
}

static uint32_t far_host(unsigned i)
{
	return IP(10, 9, 0, 0) + 256 * (i / 250 + 1) + i % 250 + 1;
}

static uint32_t add(
	struct sad_db *db, const struct tunnel *t, const struct sa_info *info, const uint8_t *key)
{
	uint32_t handle;
	char why[200] = "";

	if (sad_db_add(db, t, info, key, &handle, why, sizeof(why)) != 0)
		die("SA", why);
	return handle;
}

/* To the peer and from it, on both sides. */
static void add_pairs(const struct suite *suite, unsigned i)
{
	struct sa_info info = {
		.tunnel = (uint16_t)(i + 1), .proto = protocol, .window = 64, .suite = *suite};
	const struct tunnel *t = &tunnel[i + 1], *m = &mirror[i + 1];
	uint8_t key[2][SUITE_KEY_MAX];
	uint32_t handle;

	for (unsigned k = 0; k < SUITE_KEY_MAX; k++) {
		key[0][k] = (uint8_t)(k * 7 + i * 31 + (i >> 8));
		key[1][k] = (uint8_t)(k * 13 + i * 37 + (i >> 8) + 101);
	}
	info.spi = rte_cpu_to_be_32(0x10000 + i);
	add(ours, t, &info, key[0]);
	info.spi = rte_cpu_to_be_32(0x90000 + i);
	handle = add(peers, m, &info, key[1]);
	peer_out[i] = sad_get(sad_db_table(peers), handle);
	info.in = true;
	add(ours, t, &info, key[1]);
}

static void add_tunnel(struct policy *p, unsigned i)
{
	struct tunnel *t = &tunnel[i + 1];

	*t = (struct tunnel){.id = (uint16_t)(i + 1),
		.number = i + 1,
		.flags = TUNNEL_UP | TUNNEL_BY_POLICY |
			 (protocol == PROTO_AH ? TUNNEL_AH : TUNNEL_ESP),
		.dscp_copy = 1,
		.ecn = 1,
		.ttl = 64,
		.iface = IFACE_NONE,
		.local = addr_of4(WAN_ADDR),
		.remote = addr_of4(HOST_B)};
	mirror[i + 1] = *t;
	mirror[i + 1].local = t->remote;
	mirror[i + 1].remote = t->local;
	*p = (struct policy){.dir = RULE_IN | RULE_OUT,
		.action = POLICY_PROTECT,
		.tunnel = t->id,
		.sel = {.src_from = addr_of4(IP(10, 1, 0, 0)),
			.src_to = addr_of4(IP(10, 1, 255, 255)),
			.dst_from = addr_of4(far_host(i)),
			.dst_to = addr_of4(far_host(i)),
			.proto = SELECTOR_PROTO_ANY,
			.sport_to = UINT16_MAX,
			.dport_to = UINT16_MAX}};
}

void world_make(const struct suite *suite, uint8_t proto, unsigned n)
{
	struct policy *policy = calloc(n, sizeof(*policy));
	char why[200];

	clear();
	n_tunnels = n;
	protocol = proto;
	next = 0;
	tunnel = calloc(n + 1, sizeof(*tunnel));
	mirror = calloc(n + 1, sizeof(*mirror));
	peer_out = calloc(n, sizeof(struct sa *));
	if (!policy || !tunnel || !mirror || !peer_out)
		die("tunnels", "out of memory");
	ours = new_sad(n);
	peers = new_sad(n);
	for (unsigned i = 0; i < n; i++) {
		add_tunnel(&policy[i], i);
		add_pairs(suite, i);
	}
	spd = spd_build(policy, n, POLICY_BYPASS, SOCKET_ID_ANY, why, sizeof(why));
	if (spd == NULL)
		die("SPD", why);
	free(policy);
	ipsec = (struct ipsec){.spd = spd,
		.sad = sad_db_table(ours),
		.n_tunnels = n + 1,
		.tunnel = tunnel,
		.nesting_max = 4,
		.predecap_filter = 1};
	publish(&ipsec);
}

static void put32(uint8_t *p, uint32_t v)
{
	rte_be32_t be = rte_cpu_to_be_32(v);

	memcpy(p, &be, 4);
}

/* An UDP packet between a host on LAN and the host behind that tunnel. */
static void make_ip(struct rte_mbuf *m, unsigned len, unsigned t, bool in)
{
	uint8_t *ip = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len);
	uint32_t near = HOST_A, far = far_host(t);
	uint16_t sum;

	memset(ip, 0, len);
	ip[0] = 0x45;
	ip[2] = (uint8_t)(len >> 8);
	ip[3] = (uint8_t)len;
	ip[8] = 64;
	ip[9] = 17;
	put32(ip + 12, in ? far : near);
	put32(ip + 16, in ? near : far);
	sum = ip4_checksum(ip, 20);
	memcpy(ip + 10, &sum, 2);
	put32(ip + 20, 4000u << 16 | 53);
	put32(ip + 24, (len - 20) << 16);
}

static void put_eth(struct rte_mbuf *m, unsigned port, uint32_t from)
{
	struct mac6 dst = port_mac(port), src = host_mac(from);
	uint8_t *eth = (uint8_t *)rte_pktmbuf_prepend(m, ETH);

	memcpy(eth, dst.b, 6);
	memcpy(eth + 6, src.b, 6);
	eth[12] = 8;
	eth[13] = 0;
	m->port = rig_port[port].id;
}

/* Room in front for what the peer puts there. */
#define FRONT 80

static void make_burst(struct rte_mbuf *m[OPS], enum size size, bool in)
{
	struct esp_packet p[OPS];

	if (rte_pktmbuf_alloc_bulk(rig->pool, m, OPS) != 0)
		die("buffers", "there are none");
	for (unsigned i = 0; i < OPS; i++) {
		if (in)
			m[i]->data_off += FRONT;
		next = (next + 7919) % n_tunnels;
		make_ip(m[i], sample_ip_len(size, i), next, in);
		p[i] = (struct esp_packet){
			.m = m[i], .sa = peer_out[next], .l4 = 20, .proto_at = 9};
	}
	if (in)
		(protocol == PROTO_AH ? ah_out_burst : esp_out_burst)(mb, p, OPS);
	for (unsigned i = 0; i < OPS; i++) {
		if (in && p[i].status != SA_OK)
			die("peer", "can't protect a packet");
		put_eth(m[i], in ? WAN : LAN, in ? HOST_B : HOST_A);
	}
}

static void take(unsigned port)
{
	struct rte_mbuf *m[OPS];
	unsigned n = 0, some;

	do {
		some = rte_ring_dequeue_burst(rig_port[port].tx[0], (void **)m + n, OPS - n, NULL);
		n += some;
	} while (some && n < OPS);
	rte_pktmbuf_free_bulk(m, n);
	if (n != OPS) {
		for (enum drop_reason r = 1; r < DROP_N; r++)
			if (rig_dropped(r))
				fprintf(stderr, "dropped: %s\n", drop_text[r].name);
		die("packets", "not all of them arrive");
	}
}

uint64_t world_run(enum size size, bool in, unsigned rounds)
{
	unsigned from = in ? WAN : LAN, to = in ? LAN : WAN;
	uint64_t cycles = 0;
	struct rte_mbuf *m[OPS];

	for (unsigned round = 0; round < rounds; round++) {
		unsigned walks = 0;

		make_burst(m, size, in);
		rte_ring_enqueue_bulk(rig_port[from].rx[0], (void **)m, OPS, NULL);
		while (rte_ring_count(rig_port[to].tx[0]) < OPS && walks++ < WALKS_MAX) {
			uint64_t start = rte_rdtsc();

			worker_walk(rig->worker[0]);
			cycles += rte_rdtsc() - start;
		}
		take(to);
	}
	return cycles;
}
