/* ESP, byte for byte: what esp_out makes is what the RFC describes (put together by hand in
 * esp_world.h, sealed by OpenSSL), and what esp_in takes apart is what went in. Every suite, both
 * modes, all four combinations of families, with and without UDP and ESN. Seeded: POSTERN_SEED.
 */
#include "esp_world.h"

/* --- outbound: the outer header of a tunnel, by hand */

static uint8_t tos_of(const struct inner *in)
{
	return in->ip6 ? (uint8_t)(in->p.b[0] << 4 | in->p.b[1] >> 4) : in->p.b[1];
}

static void udp_header(struct bytes *to, const struct tunnel *t)
{
	memcpy(to->b + to->len, &t->local_port, 2);
	memcpy(to->b + to->len + 2, &t->remote_port, 2);
	memset(to->b + to->len + 4, 0, 4);
	to->len += 8;
}

/* RFC 4301 section 5.1.2.1 and 5.1.2.2; id: the identification that was chosen. */
static struct bytes outer_bytes(
	const struct tunnel *t, const struct inner *in, bool udp, const uint8_t *id, uint8_t proto)
{
	struct bytes out = {0};
	uint8_t tos = tos_of(in);
	uint8_t *p = out.b;

	if (!t->dscp_copy)
		tos = (uint8_t)(t->dscp << 2 | (tos & 3));
	if (!t->ecn)
		tos &= 0xfc;
	if (!addr_is4(&t->remote)) {
		put32(p, 6u << 28 | (uint32_t)tos << 20);
		p[6] = udp ? 17 : proto;
		p[7] = t->ttl;
		memcpy(p + 8, t->local.b, 16);
		memcpy(p + 24, t->remote.b, 16);
		out.len = 40;
	} else {
		bool df = t->df == TUNNEL_SET ||
			  (t->df == TUNNEL_COPY && (in->ip6 || in->p.b[6] & 0x40));

		p[0] = 0x45;
		p[1] = tos;
		memcpy(p + 4, id, 2);
		p[6] = df ? 0x40 : 0;
		p[8] = t->ttl;
		p[9] = udp ? 17 : proto;
		memcpy(p + 12, t->local.b + 12, 4);
		memcpy(p + 16, t->remote.b + 12, 4);
		out.len = 20;
	}
	if (udp)
		udp_header(&out, t);
	return out;
}

/* RFC 8200 section 8.1: the checksum of a UDP packet in IPv6, checked and taken out. */
static void take_udp6_checksum(struct rte_mbuf *m, unsigned udp_at)
{
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *), *udp = ip + udp_at, sum[ROOM] = {0};
	unsigned len = m->data_len - udp_at;

	memcpy(sum, ip + 8, 32);
	put32(sum + 32, len);
	sum[39] = 17;
	memcpy(sum + 40, udp, len);
	assert_true(get16(udp + 6) != 0);
	assert_int_equal(rte_raw_cksum(sum, 40 + len), 0xffff);
	put16(udp + 6, 0);
}

/* One packet of a pair out and in again. */
static void there_and_back(
	struct pair *pair, const struct inner *in, uint64_t seq, struct esp_packet *p)
{
	const struct tunnel *t = &pair->tunnel;
	bool transport = pair->out->flags & SA_TRANSPORT, udp = pair->out->flags & SA_ENCAP;
	struct esp_spec want = {.pair = pair,
		.seq = seq,
		.udp = udp,
		.pad = UINT32_MAX,
		.pad_wrong = -1,
		.ip6 = transport ? in->ip6 : !addr_is4(&t->remote)};
	uint8_t *got = rte_pktmbuf_mtod(p->m, uint8_t *), iv[16];
	unsigned head_udp;
	struct bytes bytes;

	assert_int_equal(p->status, SA_OK);
	assert_int_equal(p->ip6, want.ip6);
	if (transport) {
		memcpy(want.head.b, in->p.b, in->head);
		want.head.len = in->head;
		want.head.b[in->proto_at] = udp ? 17 : 50;
		want.next = in->p.b[in->proto_at];
		want.payload = in->p.b + in->head;
		want.len = in->p.len - in->head;
		if (udp)
			udp_header(&want.head, t);
	} else {
		want.head = outer_bytes(t, in, udp, got + 4, 50);
		want.next = in->ip6 ? 41 : 4;
		want.payload = in->p.b;
		want.len = in->p.len;
	}
	head_udp = want.head.len - (udp ? 8 : 0);
	assert_int_equal(p->l4, head_udp);
	if (udp && want.ip6)
		take_udp6_checksum(p->m, head_udp);
	/* RFC 4106 section 3.1, RFC 3602 section 3 */
	memcpy(iv, got + want.head.len + 8, sizeof(iv));
	if (pair->suite.iv_len == 8 && pair->suite.block == 4) {
		rte_be64_t count = rte_cpu_to_be_64(pair->out->iv_base + seq);

		memcpy(iv, &count, 8);
	}
	want.iv = iv;
	bytes = esp_bytes(&want);
	assert_bytes(p->m, &bytes);

	p->sa = pair->in;
	p->l4 = (uint16_t)want.head.len;
	p->m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
}

static void came_back(const struct inner *in, const struct esp_packet *p)
{
	assert_int_equal(p->status, SA_OK);
	assert_false(p->dummy);
	assert_int_equal(p->ip6, in->ip6);
	assert_bytes(p->m, &in->p);
	/* it was said of another header */
	assert_int_equal(p->m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK, 0);
}

#define PER_ROUND 8

static void round_trip(const struct suite *s, unsigned how, bool inner6)
{
	bool transport = how & 1, udp = how & 2, esn = how & 4, outer6 = how & 8;
	struct tunnel t =
		world_tunnel(outer6, (uint8_t)(TUNNEL_ESP | (transport ? TUNNEL_TRANSPORT : 0) |
					       (udp ? TUNNEL_ENCAP : 0)));
	struct esp_packet p[PER_ROUND];
	struct inner in[PER_ROUND];
	uint64_t first, bytes = 0;
	struct pair pair;

	t.df = (uint8_t)below(3);
	t.dscp_copy = (uint8_t)below(2);
	t.dscp = (uint8_t)below(64);
	t.ecn = (uint8_t)below(2);
	t.ttl = (uint8_t)(1 + below(255));
	pair = pair_new(s, &t, PROTO_ESP, esn ? SA_ESN : 0, 64);
	first = pair.out->seq = esn ? UINT32_MAX - below(6) : below(1000);
	pair.in->seq = first;
	for (unsigned i = 0; i < PER_ROUND; i++) {
		in[i] = random_inner(inner6, below(below(2) ? 60 : 1500), transport || below(2));
		/* DSCP and ECN as they are: what is inside is not changed by what is outside */
		if (transport && !inner6)
			put16(in[i].p.b + 6, below(2) ? 0x4000 : 0);
		if (transport && !inner6)
			checksum4(in[i].p.b);
		p[i] = packet_of(&in[i], pair.out);
		bytes += in[i].p.len;
		/* a checksum that a NAT would have to be mended for stays what it is */
		if (transport && udp)
			in[i].p.b[in[i].proto_at] = 132;
		if (transport && udp && !inner6)
			checksum4(in[i].p.b);
		if (transport && udp)
			memcpy(rte_pktmbuf_mtod(p[i].m, uint8_t *), in[i].p.b, in[i].head);
	}
	esp_out_burst(world_mb, p, PER_ROUND);
	for (unsigned i = 0; i < PER_ROUND; i++)
		there_and_back(&pair, &in[i], first + 1 + i, &p[i]);
	assert_int_equal(pair.out->packets, PER_ROUND);
	assert_int_equal(pair.out->bytes, bytes);
	esp_in_burst(world_mb, p, PER_ROUND);
	for (unsigned i = 0; i < PER_ROUND; i++) {
		came_back(&in[i], &p[i]);
		rte_pktmbuf_free(p[i].m);
	}
	assert_int_equal(pair.in->packets, PER_ROUND);
	assert_int_equal(pair.in->bytes, bytes);
	pair_free(&pair);
}

/* RFC 4303 sections 2 and 3, RFC 3948, RFC 4304 */
static void every_suite_mode_and_family(void **state)
{
	struct suite s;
	unsigned n = 0;

	while (suite_nth(PROTO_ESP, n++, &s)) {
		for (unsigned how = 0; how < 16; how++) {
			round_trip(&s, how, how & 1 ? how & 8 : false);
			if (!(how & 1))
				round_trip(&s, how, true);
		}
	}
	assert_true(n > 50);
	world_down(state);
}

/* Many SAs of all suites in one call, more than one burst of the cipher takes. */
static void mixed_burst(void **state)
{
	enum { SAS = 40, N = 600 };
	static struct esp_packet p[N];
	static struct inner in[N];
	struct tunnel t = world_tunnel(false, TUNNEL_ESP);
	struct pair pair[SAS];
	uint64_t seq[SAS] = {0};
	struct suite s;

	for (unsigned i = 0; i < SAS; i++) {
		assert_true(suite_nth(PROTO_ESP, i, &s));
		pair[i] = pair_new(&s, &t, PROTO_ESP, 0, 1024);
	}
	for (unsigned i = 0; i < N; i++) {
		struct pair *of = &pair[below(SAS)];

		in[i] = random_inner(below(2), below(300), false);
		p[i] = packet_of(&in[i], of->out);
	}
	esp_out_burst(world_mb, p, N);
	for (unsigned i = 0; i < N; i++) {
		for (unsigned k = 0; k < SAS; k++) {
			if (p[i].sa != pair[k].out)
				continue;
			there_and_back(&pair[k], &in[i], ++seq[k], &p[i]);
			break;
		}
	}
	esp_in_burst(world_mb, p, N);
	for (unsigned i = 0; i < N; i++) {
		came_back(&in[i], &p[i]);
		rte_pktmbuf_free(p[i].m);
	}
	for (unsigned i = 0; i < SAS; i++)
		pair_free(&pair[i]);
	world_down(state);
}

/* --- sizes */

/* esp_overhead and esp_inner_max say what esp_out does. */
static void sizes(void **state)
{
	struct suite s;

	for (unsigned n = 0; suite_nth(PROTO_ESP, n, &s); n++) {
		for (unsigned how = 0; how < 8; how++) {
			bool outer6 = how & 1, transport = how & 2;
			struct tunnel t = world_tunnel(
				outer6, (uint8_t)(TUNNEL_ESP | (transport ? TUNNEL_TRANSPORT : 0) |
						  (how & 4 ? TUNNEL_ENCAP : 0)));
			struct pair pair = pair_new(&s, &t, PROTO_ESP, 0, 0);
			unsigned mtu = 1280 + below(300), most = esp_inner_max(pair.out, mtu);

			for (unsigned len = most - 20; len <= most + 1; len++) {
				struct inner in =
					random_inner(outer6, len - (outer6 ? 40 : 20), false);
				struct esp_packet p = packet_of(&in, pair.out);

				esp_out_burst(world_mb, &p, 1);
				assert_int_equal(p.status, SA_OK);
				assert_int_equal(p.m->data_len, len + esp_overhead(pair.out, len));
				assert_int_equal(p.m->data_len <= mtu, len <= most);
				rte_pktmbuf_free(p.m);
			}
			assert_int_equal(esp_inner_max(pair.out, 30), 0);
			pair_free(&pair);
		}
	}
	world_down(state);
}

/* --- the header's fields, one by one */

static struct rte_mbuf *out_one(struct pair *pair, const struct inner *in)
{
	struct esp_packet p = packet_of(in, pair->out);

	esp_out_burst(world_mb, &p, 1);
	assert_int_equal(p.status, SA_OK);
	return p.m;
}

/* RFC 6438: one flow, one label; another flow, another one. */
static void flow_labels(void **state)
{
	struct tunnel t = world_tunnel(true, TUNNEL_ESP);
	struct pair pair;

	for (unsigned on = 0; on < 2; on++) {
		unsigned same = 0;

		t.flow_label = (uint8_t)on;
		pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 0);
		for (unsigned i = 0; i < 200; i++) {
			struct inner a = random_inner(i & 1, 100, false), b;
			struct rte_mbuf *x, *y, *z;
			uint32_t label[3];

			if (!a.ip6)
				put16(a.p.b + 6, 0); /* no fragment: its ports count */
			b = a;
			b.p.b[a.ip6 ? 39 : 20] ^= 1; /* another address, another port */
			x = out_one(&pair, &a);
			y = out_one(&pair, &a);
			z = out_one(&pair, &b);
			for (unsigned k = 0; k < 3; k++) {
				struct rte_mbuf *m = k == 0 ? x : k == 1 ? y : z;

				label[k] = rte_be_to_cpu_32(*rte_pktmbuf_mtod(m, uint32_t *)) &
					   0xfffff;
				rte_pktmbuf_free(m);
			}
			assert_int_equal(label[0], label[1]);
			if (on)
				same += label[0] == label[2];
			else
				assert_int_equal(label[2], 0);
		}
		assert_true(same <= 2);
		pair_free(&pair);
	}
	world_down(state);
}

/* RFC 6864 section 4.3: datagrams that may be cut have different identifications for long. */
static void identification(void **state)
{
	struct tunnel t = world_tunnel(false, TUNNEL_ESP);
	struct pair pair;
	static uint8_t seen[65536];

	t.df = TUNNEL_CLEAR;
	pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 0);
	for (unsigned i = 0; i < 65536; i++) {
		struct inner in = random_inner(false, 0, false);
		struct rte_mbuf *m = out_one(&pair, &in);
		unsigned id = get16(rte_pktmbuf_mtod_offset(m, uint8_t *, 4));

		assert_int_equal(seen[id]++, 0);
		rte_pktmbuf_free(m);
	}
	pair_free(&pair);
	world_down(state);
}

/* RFC 4301 section 8.1 */
static void df(void **state)
{
	static const struct {
		uint8_t df;
		bool inner6, inner_df, want;
	} row[] = {
		{TUNNEL_COPY, false, true, true},
		{TUNNEL_COPY, false, false, false},
		{TUNNEL_COPY, true, false, true},
		{TUNNEL_SET, false, false, true},
		{TUNNEL_CLEAR, false, true, false},
		{TUNNEL_CLEAR, true, false, false},
	};

	for (unsigned i = 0; i < RTE_DIM(row); i++) {
		struct tunnel t = world_tunnel(false, TUNNEL_ESP);
		struct inner in = random_inner(row[i].inner6, 64, false);
		struct pair pair;
		struct rte_mbuf *m;

		t.df = row[i].df;
		if (!in.ip6)
			put16(in.p.b + 6, row[i].inner_df ? 0x4000 : 0x2000);
		pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 0);
		m = out_one(&pair, &in);
		assert_int_equal(
			get16(rte_pktmbuf_mtod_offset(m, uint8_t *, 6)), row[i].want ? 0x4000 : 0);
		rte_pktmbuf_free(m);
		pair_free(&pair);
	}
	world_down(state);
}

/* RFC 3602 section 3: IVs of CBC differ and do not count; RFC 4106 section 3.1: those of GCM count,
 * from a place that two SAs do not share. */
static void ivs(void **state)
{
	struct tunnel t = world_tunnel(false, TUNNEL_ESP);
	struct pair cbc = pair_named("aes128-sha1", &t, PROTO_ESP, 0, 0);
	struct pair a = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 0);
	struct pair b = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 0);
	uint64_t iv[64], last = 0;

	assert_true(a.out->iv_base != b.out->iv_base);
	for (unsigned i = 0; i < RTE_DIM(iv); i++) {
		struct inner in = random_inner(false, 20, false);
		struct rte_mbuf *m = out_one(&cbc, &in);

		memcpy(&iv[i], rte_pktmbuf_mtod_offset(m, uint8_t *, 28), 8);
		for (unsigned k = 0; k < i; k++) {
			assert_true(iv[k] != iv[i]);
			assert_true((iv[k] ^ iv[i]) >> 32 != 0 && (uint32_t)(iv[k] ^ iv[i]) != 0);
		}
		rte_pktmbuf_free(m);
		m = out_one(&a, &in);
		memcpy(&iv[i], rte_pktmbuf_mtod_offset(m, uint8_t *, 28), 8);
		iv[i] = rte_be_to_cpu_64(iv[i]);
		if (i)
			assert_true(iv[i] == last + 1);
		last = iv[i];
		memcpy(&iv[i], rte_pktmbuf_mtod_offset(m, uint8_t *, 28), 8);
		rte_pktmbuf_free(m);
	}
	pair_free(&cbc);
	pair_free(&a);
	pair_free(&b);
	world_down(state);
}

/* --- what does not go out */

static enum sa_error out_status(struct pair *pair, struct esp_packet *p)
{
	unsigned before = p->m->pkt_len;

	esp_out_burst(world_mb, p, 1);
	if (p->status != SA_OK)
		assert_int_equal(p->m->pkt_len, before);
	rte_pktmbuf_free(p->m);
	return p->status;
}

/* RFC 4303 section 3.3.3: a sequence number never wraps. */
static void sequence_ends(void **state)
{
	struct tunnel t = world_tunnel(false, TUNNEL_ESP);

	for (unsigned esn = 0; esn < 2; esn++) {
		struct pair pair = pair_named("aes128gcm16", &t, PROTO_ESP, esn ? SA_ESN : 0, 0);
		struct inner in = random_inner(false, 100, false);
		struct esp_packet p;

		pair.out->seq = esn ? UINT64_MAX - 2 : UINT32_MAX - 2;
		for (unsigned i = 0; i < 4; i++) {
			p = packet_of(&in, pair.out);
			assert_int_equal(out_status(&pair, &p), i < 2 ? SA_OK : SA_ERR_SEQUENCE);
		}
		assert_int_equal(pair.out->error[SA_ERR_SEQUENCE], 2);
		assert_int_equal(pair.out->packets, 2);
		assert_true(pair.out->seq == (esn ? UINT64_MAX : UINT32_MAX));
		/* all or nothing */
		pair.out->seq -= 3;
		assert_true(sa_seq_reserve(pair.out, 4) == UINT64_MAX);
		assert_true(sa_seq_reserve(pair.out, 3) == (esn ? UINT64_MAX : UINT32_MAX) - 3);
		pair_free(&pair);
	}
	world_down(state);
}

/* RFC 4301 section 4.4.2.1 */
static void lifetimes(void **state)
{
	struct tunnel t = world_tunnel(false, TUNNEL_ESP);
	struct pair pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 64);
	struct inner in = random_inner(false, 80, false);
	struct esp_packet p[5];

	pair.out->hard_packets = 5;
	pair.in->hard_packets = 2;
	for (unsigned i = 0; i < 5; i++)
		p[i] = packet_of(&in, pair.out);
	esp_out_burst(world_mb, p, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(p[i].status, SA_OK);
		p[i].sa = pair.in;
	}
	esp_in_burst(world_mb, p, 3);
	assert_int_equal(p[1].status, SA_OK);
	assert_int_equal(p[2].status, SA_ERR_LIFETIME);
	esp_in_burst(world_mb, p + 3, 1);
	assert_int_equal(p[3].status, SA_ERR_LIFETIME);
	assert_int_equal(pair.in->packets, 2);
	pair.in->hard_packets = UINT64_MAX;
	pair.in->hard_bytes = 299;
	esp_in_burst(world_mb, p + 4, 1);
	assert_int_equal(p[4].status, SA_ERR_LIFETIME);
	for (unsigned i = 0; i < 5; i++)
		rte_pktmbuf_free(p[i].m);
	p[0] = packet_of(&in, pair.out);
	assert_int_equal(out_status(&pair, &p[0]), SA_ERR_LIFETIME);
	pair.out->hard_packets = UINT64_MAX;
	pair.out->hard_bytes = 600;
	p[0] = packet_of(&in, pair.out);
	assert_int_equal(out_status(&pair, &p[0]), SA_OK);
	p[0] = packet_of(&in, pair.out);
	assert_int_equal(out_status(&pair, &p[0]), SA_ERR_LIFETIME);
	assert_int_equal(pair.out->error[SA_ERR_LIFETIME], 2);
	pair_free(&pair);
	world_down(state);
}

static void no_room(void **state)
{
	struct tunnel t = world_tunnel(false, TUNNEL_ESP);
	struct pair pair = pair_named("aes128-sha256", &t, PROTO_ESP, 0, 0);
	struct inner in = random_inner(false, 80, false);
	struct esp_packet p;
	unsigned front = 20 + 8 + 16, tail = 10 + 2 + 16;

	/* exactly enough, and a byte less */
	for (unsigned less = 0; less < 2; less++) {
		p = packet_of(&in, pair.out);
		p.m->data_off = (uint16_t)(front - less);
		assert_int_equal(out_status(&pair, &p), less ? SA_ERR_TOO_BIG : SA_OK);
		p = packet_of(&in, pair.out);
		p.m->data_off = (uint16_t)(p.m->buf_len - 100 - tail + less);
		assert_int_equal(out_status(&pair, &p), less ? SA_ERR_TOO_BIG : SA_OK);
	}
	p = packet_of(&in, pair.out);
	p.m->nb_segs = 2;
	esp_out_burst(world_mb, &p, 1);
	assert_int_equal(p.status, SA_ERR_SEGMENTS);
	p.sa = pair.in;
	esp_in_burst(world_mb, &p, 1);
	assert_int_equal(p.status, SA_ERR_SEGMENTS);
	p.m->nb_segs = 1;
	rte_pktmbuf_free(p.m);
	p = packet_of(&in, pair.out);
	p.m->data_len = 19;
	p.m->pkt_len = 19;
	assert_int_equal(out_status(&pair, &p), SA_ERR_TRUNCATED);
	pair_free(&pair);
	world_down(state);
}

/* RFC 4303 section 3.1.1: transport mode is for whole datagrams. */
static void no_fragments_in_transport_mode(void **state)
{
	struct tunnel t = world_tunnel(false, TUNNEL_ESP | TUNNEL_TRANSPORT);
	struct pair pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 0);
	struct inner in = random_inner(false, 80, false);
	struct esp_packet p;

	put16(in.p.b + 6, 0x2000);
	p = packet_of(&in, pair.out);
	assert_int_equal(out_status(&pair, &p), SA_ERR_MODE);
	put16(in.p.b + 6, 0x0004);
	p = packet_of(&in, pair.out);
	assert_int_equal(out_status(&pair, &p), SA_ERR_MODE);
	put16(in.p.b + 6, 0);
	p = packet_of(&in, pair.out);
	p.l4 = 101; /* whoever called was wrong */
	assert_int_equal(out_status(&pair, &p), SA_ERR_TRUNCATED);
	p = packet_of(&in, pair.out);
	p.l4 = 16;
	assert_int_equal(out_status(&pair, &p), SA_ERR_TRUNCATED);
	pair_free(&pair);
	world_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_suite_mode_and_family),
		cmocka_unit_test(mixed_burst),
		cmocka_unit_test(sizes),
		cmocka_unit_test(flow_labels),
		cmocka_unit_test(identification),
		cmocka_unit_test(df),
		cmocka_unit_test(ivs),
		cmocka_unit_test(sequence_ends),
		cmocka_unit_test(lifetimes),
		cmocka_unit_test(no_room),
		cmocka_unit_test(no_fragments_in_transport_mode),
	};

	world_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
