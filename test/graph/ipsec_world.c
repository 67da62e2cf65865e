/* See ipsec_world.h. */
#include "ipsec_world.h"

#include "ipsec/ah.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <stdio.h>
#include <string.h>

#define TUNNELS 12
#define POLICIES 16

struct ipsec world_ipsec;
struct sad_db *world_ours, *world_peers;

static struct tunnel tunnel[TUNNELS], mirror[TUNNELS];
static struct policy policy[POLICIES];
static unsigned n_tunnels, n_policies, n_sas;
static enum policy_action others;
static struct spd *spd;
static struct mb *mb;
static struct {
	uint32_t in, out; /* of the peer */
} peer[TUNNELS][2];

static void put_root(const struct ipsec *ipsec)
{
	for (unsigned i = 0; i < 2; i++) {
		rig->tables->root[i].ipsec = ipsec;
		rig->tables->root[i].serial += 1000;
	}
}

static struct sad_db *new_sad(void)
{
	char why[200];
	struct sad_db *db = sad_db_new(
		64, rig->n_workers, rig->shared.qsv, mb_expand, SOCKET_ID_ANY, why, sizeof(why));

	if (db == NULL)
		fail_msg("%s", why);
	return db;
}

void world_clear(void)
{
	put_root(NULL);
	rig_walk();
	sad_db_free(world_ours);
	sad_db_free(world_peers);
	spd_free(spd);
	spd = NULL;
	memset(tunnel, 0, sizeof(tunnel));
	memset(mirror, 0, sizeof(mirror));
	memset(peer, 0, sizeof(peer));
	n_tunnels = 1;
	n_policies = n_sas = 0;
	others = POLICY_BYPASS;
	world_ours = new_sad();
	world_peers = new_sad();
	if (mb == NULL)
		mb = mb_new(SOCKET_ID_ANY);
	assert_non_null(mb);
	world_ipsec = (struct ipsec){.nesting_max = 4, .predecap_filter = 1};
}

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

struct tunnel *world_tunnel(unsigned flags, bool ip6)
{
	struct tunnel *t = &tunnel[n_tunnels];

	assert_in_range(n_tunnels, 1, TUNNELS - 1);
	*t = (struct tunnel){.id = (uint16_t)n_tunnels,
		.number = n_tunnels,
		.flags = (uint8_t)(flags | TUNNEL_UP),
		.dscp_copy = 1,
		.ecn = 1,
		.ttl = 64,
		.local_port = RTE_BE16(PORT_IKE_NAT),
		.remote_port = RTE_BE16(PORT_IKE_NAT),
		.local = ip6 ? addr(WAN6) : addr_of4(WAN_ADDR),
		.remote = ip6 ? addr(HOST_B6) : addr_of4(HOST_B)};
	snprintf(t->name, sizeof(t->name), "t%u", n_tunnels++);
	return t;
}

static uint32_t add_sa(struct sad_db *db, const struct tunnel *t, struct sa_info *info,
	const uint8_t *key, void (*change)(struct sa_info *, bool))
{
	uint32_t handle;
	char why[200] = "";

	if (change)
		change(info, db == world_ours);
	if (sad_db_add(db, t, info, key, &handle, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	return handle;
}

static void add_pair(const struct tunnel *t, uint8_t proto, const char *suite, unsigned owner,
	void (*change)(struct sa_info *, bool))
{
	unsigned n = n_sas++;
	struct selector any = {.any_addr = true,
		.proto = SELECTOR_PROTO_ANY,
		.sport_to = UINT16_MAX,
		.dport_to = UINT16_MAX};
	struct sa_info info = {.tunnel = t->id,
		.proto = proto,
		.window = 64,
		.owner = (uint16_t)owner,
		.n_selectors = 1,
		.selector = &any};
	uint8_t key[2][SUITE_KEY_MAX];
	char why[200];

	if (!suite_parse(suite, proto, &info.suite, why, sizeof(why)))
		fail_msg("%s: %s", suite, why);
	for (unsigned i = 0; i < SUITE_KEY_MAX; i++) {
		key[0][i] = (uint8_t)(i * 7 + n);
		key[1][i] = (uint8_t)(i * 13 + n + 101);
	}
	/* to the peer, then from it */
	for (unsigned dir = 0; dir < 2; dir++) {
		info.spi = rte_cpu_to_be_32((dir ? 0x2000 : 0x1000) + n);
		info.in = dir;
		info.owner = (uint16_t)owner;
		snprintf(info.name, sizeof(info.name), "%u-%u", dir, n);
		add_sa(world_ours, t, &info, key[dir], change);
		info.in = !dir;
		info.owner = 0;
		*(dir ? &peer[t->id][proto == PROTO_AH].out : &peer[t->id][proto == PROTO_AH].in) =
			add_sa(world_peers, &mirror[t->id], &info, key[dir], change);
	}
}

void world_sas_with(const struct tunnel *t, const char *esp, const char *ah, unsigned owner,
	void (*change)(struct sa_info *, bool))
{
	struct tunnel *m = &mirror[t->id];

	*m = *t;
	m->local = t->remote;
	m->remote = t->local;
	m->local_port = t->remote_port;
	m->remote_port = t->local_port;
	m->iface = IFACE_NONE;
	if (esp)
		add_pair(t, PROTO_ESP, esp, owner, change);
	if (ah)
		add_pair(t, PROTO_AH, ah, owner, change);
}

void world_sas(const struct tunnel *t, const char *esp, const char *ah, unsigned owner)
{
	world_sas_with(t, esp, ah, owner, NULL);
}

static void range(const char *text, struct addr *from, struct addr *to)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	*from = *to = p.addr;
	for (unsigned bit = p.len; bit < 128; bit++) {
		from->b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		to->b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	}
}

void world_policy(enum policy_action action, const struct tunnel *t, const char *src,
	const char *dst, uint16_t port)
{
	struct policy *p = &policy[n_policies++];

	assert_in_range(n_policies, 1, POLICIES);
	*p = (struct policy){.dir = RULE_IN | RULE_OUT,
		.action = (uint8_t)action,
		.tunnel = t ? t->id : TUNNEL_NONE,
		.sel = {.any_addr = src[0] == '\0',
			.proto = SELECTOR_PROTO_ANY,
			.sport_to = UINT16_MAX,
			.dport_from = port,
			.dport_to = port ? port : UINT16_MAX}};
	if (port)
		p->sel.proto = 17;
	if (p->sel.any_addr)
		return;
	range(src, &p->sel.src_from, &p->sel.src_to);
	range(dst, &p->sel.dst_from, &p->sel.dst_to);
}

void world_others(enum policy_action action)
{
	others = action;
}

void world_publish(void)
{
	char why[200];

	spd = spd_build(policy, n_policies, others, SOCKET_ID_ANY, why, sizeof(why));
	if (spd == NULL)
		fail_msg("%s", why);
	world_ipsec.spd = spd;
	world_ipsec.sad = sad_db_table(world_ours);
	world_ipsec.tunnel = tunnel;
	world_ipsec.n_tunnels = n_tunnels;
	put_root(&world_ipsec);
}

struct sa *world_out(const struct tunnel *t, uint8_t proto)
{
	uint64_t handles = sad_out(world_ipsec.sad, t->id, 0);

	return sad_get(world_ipsec.sad, (uint32_t)(proto == PROTO_AH ? handles >> 32 : handles));
}

struct sa *world_in(const struct tunnel *t, uint8_t proto)
{
	const struct sad *peers = sad_db_table(world_peers);
	const struct sa *out = sad_get(peers, peer[t->id][proto == PROTO_AH].out);
	uint32_t handle = sad_find(world_ipsec.sad, out->spi, proto, &t->local);

	return sad_get(world_ipsec.sad, handle);
}

/* --- the peer */

static unsigned l2_of(const struct frame *f)
{
	return f->b[12] == 0x81 && f->b[13] == 0 ? 18 : 14;
}

/* A packet in a buffer, without padding behind, described for a burst. */
static void describe(struct rte_mbuf *m, struct sa *sa, struct esp_packet *p)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	struct ip6_chain c;

	*p = (struct esp_packet){.m = m, .sa = sa, .ip6 = ip[0] >> 4 == 6, .proto_at = 9};
	p->l4 = (uint16_t)((ip[0] & 15u) * 4);
	if (p->ip6) {
		assert_int_equal(ip6_chain_walk_own(ip, m->data_len, 8, &c), IP6_CHAIN_OK);
		p->l4 = c.l4;
		p->proto_at = c.proto_at;
	}
}

static struct rte_mbuf *packet_of(const struct frame *f)
{
	unsigned l2 = l2_of(f);
	const uint8_t *ip = f->b + l2;
	unsigned len = ip[0] >> 4 == 6 ? 40 + ((unsigned)ip[4] << 8 | ip[5])
				       : (unsigned)ip[2] << 8 | ip[3];
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig->pool);

	assert_non_null(m);
	assert_in_range(len, 20, f->len - l2);
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), ip, len);
	return m;
}

static void frame_of(const struct rte_mbuf *m, struct frame *f)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	struct mac6 dst = port_mac(WAN), src = host_mac(HOST_B);

	memset(f, 0, sizeof(*f));
	memcpy(f->b, dst.b, 6);
	memcpy(f->b + 6, src.b, 6);
	f->b[12] = ip[0] >> 4 == 6 ? 0x86 : 8;
	f->b[13] = ip[0] >> 4 == 6 ? 0xdd : 0;
	memcpy(f->b + 14, ip, m->data_len);
	f->len = 14u + m->data_len;
}

void peer_sends(const struct tunnel *t, const struct frame *inner, struct frame *out)
{
	const struct sad *sad = sad_db_table(world_peers);
	struct rte_mbuf *m = packet_of(inner);
	struct esp_packet p;

	for (unsigned ah = 0; ah < 2; ah++) {
		if (peer[t->id][ah].out == SA_NONE)
			continue;
		describe(m, sad_get(sad, peer[t->id][ah].out), &p);
		(ah ? ah_out_burst : esp_out_burst)(mb, &p, 1);
		assert_int_equal(p.status, SA_OK);
	}
	frame_of(m, out);
	rte_pktmbuf_free(m);
}

void peer_sends_by(
	const struct tunnel *t, uint8_t proto, const struct frame *inner, struct frame *out)
{
	struct rte_mbuf *m = packet_of(inner);
	struct esp_packet p;

	describe(m, sad_get(sad_db_table(world_peers), peer[t->id][proto == PROTO_AH].out), &p);
	(proto == PROTO_AH ? ah_out_burst : esp_out_burst)(mb, &p, 1);
	assert_int_equal(p.status, SA_OK);
	frame_of(m, out);
	rte_pktmbuf_free(m);
}

void peer_forges(const struct tunnel *t, const void *text, unsigned len, struct frame *out)
{
	struct sa *sa = sad_get(sad_db_table(world_peers), peer[t->id][0].out);
	/* an honest packet of that size: its text is replaced */
	struct frame inner = {.len = 14 + len - 2};
	uint8_t *ip = inner.b + 14, *esp;
	struct mb_op op;

	ip[0] = 0x45;
	ip[3] = (uint8_t)(len - 2);
	peer_sends_by(t, PROTO_ESP, &inner, out);
	esp = out->b + 14 + sa->l4_at;
	op = (struct mb_op){.sa = sa,
		.aad = esp,
		.aad_len = ESP_HDR_LEN,
		.len = (uint16_t)len,
		.iv = esp + ESP_HDR_LEN,
		.text = esp + ESP_HDR_LEN + sa->iv_len};
	op.icv = op.text + len;
	assert_int_equal(op.icv + sa->icv_len - out->b, out->len);
	memcpy(op.text, text, len);
	mb_crypt(mb, &op, 1);
	assert_int_equal(op.status, SA_OK);
}

bool peer_opens(const struct tunnel *t, const struct frame *outer, struct frame *inner)
{
	const struct sad *sad = sad_db_table(world_peers);
	struct rte_mbuf *m = packet_of(outer);
	struct esp_packet p;
	bool good = true;

	for (unsigned ah = 2; good && ah-- > 0;) {
		uint32_t handle = peer[t->id][ah].in;

		if (handle == SA_NONE)
			continue;
		describe(m, sad_get(sad, handle), &p);
		if (!ah && rte_pktmbuf_mtod(m, uint8_t *)[p.proto_at] == 17)
			p.l4 += UDP_HDR_LEN;
		else if (rte_pktmbuf_mtod(m, uint8_t *)[p.proto_at] != (ah ? PROTO_AH : PROTO_ESP))
			good = false;
		if (good)
			(ah ? ah_in_burst : esp_in_burst)(mb, &p, 1);
		good = good && p.status == SA_OK && !p.dummy;
	}
	if (good)
		frame_of(m, inner);
	rte_pktmbuf_free(m);
	return good;
}

void world_expect_opened(
	const struct tunnel *t, const struct frame *want, const char *file, int line)
{
	static struct frame outer, inner, plain;
	unsigned l2 = l2_of(want);
	char what[300];

	snprintf(what, sizeof(what), "%s:%d: in tunnel %s", file, line, t->name);
	if (!rig_take(WAN, &outer)) {
		for (enum drop_reason r = 1; r < DROP_N; r++)
			if (rig_dropped(r))
				fprintf(stderr, "%s: dropped: %s\n", what, drop_text[r].name);
		fprintf(stderr, "%s: nothing was sent\n", what);
		_fail(file, line);
	}
	if (!peer_opens(t, &outer, &inner)) {
		fprintf(stderr, "%s: the peer can't open it\n", what);
		_fail(file, line);
	}
	/* the link-layer headers say nothing */
	plain = *want;
	memmove(plain.b + 14, want->b + l2, want->len - l2);
	plain.len = want->len - l2 + 14;
	memcpy(plain.b, inner.b, 14);
	if (!frame_same(&inner, &plain, what))
		_fail(file, line);
}
