/* ESP inbound against what a hostile or merely different peer sends: truncation, corruption, the
 * order of checks, ESN, padding, dummies, ECN, NAT. Packets are put together by hand (esp_world.h).
 * Seeded: POSTERN_SEED.
 */
#include "esp_world.h"

static const char *const some_suites[] = {
	"aes128gcm16",
	"aes128gmac",
	"chacha20poly1305",
	"aes256ccm8",
	"aes128-sha1",
	"aes256ctr-sha512",
	"null-sha256",
	"3des-md5",
	"aes128-aesxcbc",
};

static struct bytes outer(bool ip6, uint8_t tos)
{
	struct bytes b = {.len = ip6 ? 40 : 20};

	if (ip6) {
		put32(b.b, 6u << 28 | (uint32_t)tos << 20);
		b.b[6] = 50;
		b.b[7] = 9;
		memset(b.b + 8, 1, 32);
	} else {
		b.b[0] = 0x45;
		b.b[1] = tos;
		b.b[8] = 9;
		b.b[9] = 50;
		memset(b.b + 12, 1, 8);
	}
	return b;
}

static const uint8_t some_iv[16] = {9, 8, 7};

/* A tunnel packet that carries `in`. */
static struct esp_spec spec_of(const struct pair *pair, const struct inner *in, uint64_t seq)
{
	return (struct esp_spec){.pair = pair,
		.head = outer(pair->out->flags & SA_OUTER6, 0),
		.ip6 = pair->out->flags & SA_OUTER6,
		.seq = seq,
		.iv = some_iv,
		.payload = in->p.b,
		.len = in->p.len,
		.pad = UINT32_MAX,
		.pad_wrong = -1,
		.next = in->ip6 ? 41 : 4};
}

static struct esp_packet received(
	struct pair *pair, const struct bytes *b, const struct esp_spec *s)
{
	return (struct esp_packet){.m = mbuf_of(b->b, b->len),
		.sa = pair->in,
		.l4 = (uint16_t)s->head.len,
		.proto_at = s->ip6 ? 6 : 9,
		.ip6 = s->ip6};
}

/* Gives one packet to esp_in; its buffer is freed. */
static enum sa_error in_status(struct pair *pair, const struct esp_spec *s)
{
	struct bytes b = esp_bytes(s);
	struct esp_packet p = received(pair, &b, s);

	esp_in_burst(world_mb, &p, 1);
	rte_pktmbuf_free(p.m);
	return p.status;
}

static struct pair gcm(uint8_t tunnel_flags, uint8_t flags)
{
	struct tunnel t = world_tunnel(false, (uint8_t)(TUNNEL_ESP | tunnel_flags));

	return pair_named("aes128gcm16", &t, PROTO_ESP, flags, 64);
}

/* Every length that a packet can be cut down to is an error. The bytes stand at the end of memory
 * of their own, so that the address sanitizer sees a read behind them. */
static void truncated_at_every_length(void **state)
{
	for (unsigned i = 0; i < RTE_DIM(some_suites); i++) {
		for (unsigned ip6 = 0; ip6 < 2; ip6++) {
			struct tunnel t = world_tunnel(ip6, TUNNEL_ESP);
			struct pair pair = pair_named(some_suites[i], &t, PROTO_ESP, 0, 64);
			struct inner in = random_inner(below(2), 60, false);
			struct esp_spec s = spec_of(&pair, &in, 5);
			struct bytes whole = esp_bytes(&s);
			unsigned integrity = 0;

			for (unsigned len = 0; len < whole.len; len++) {
				struct esp_packet p = received(&pair, &whole, &s);
				uint8_t *memory = malloc(len + 1);
				void *own = p.m->buf_addr;
				uint16_t room = p.m->buf_len;

				assert_non_null(memory);
				memcpy(memory, whole.b, len);
				p.m->buf_addr = memory;
				p.m->data_off = 0;
				p.m->buf_len = p.m->data_len = (uint16_t)len;
				p.m->pkt_len = len;
				esp_in_burst(world_mb, &p, 1);
				assert_true(p.status == SA_ERR_TRUNCATED ||
					    p.status == SA_ERR_INTEGRITY);
				integrity += p.status == SA_ERR_INTEGRITY;
				assert_int_equal(p.m->data_len, len);
				p.m->buf_addr = own;
				p.m->buf_len = room;
				rte_pktmbuf_reset(p.m);
				rte_pktmbuf_free(p.m);
				free(memory);
			}
			assert_true(integrity > 0);
			assert_int_equal(
				pair.in->error[SA_ERR_TRUNCATED] + pair.in->error[SA_ERR_INTEGRITY],
				whole.len);
			assert_int_equal(pair.in->seq, 0);
			assert_int_equal(pair.in->packets, 0);
			assert_int_equal(in_status(&pair, &s), SA_OK);
			pair_free(&pair);
		}
	}
	world_down(state);
}

/* Every byte from the ESP header on is covered by the ICV. */
static void corrupted_at_every_byte(void **state)
{
	for (unsigned i = 0; i < RTE_DIM(some_suites); i++) {
		for (unsigned esn = 0; esn < 2; esn++) {
			struct tunnel t = world_tunnel(false, TUNNEL_ESP);
			struct pair pair =
				pair_named(some_suites[i], &t, PROTO_ESP, esn ? SA_ESN : 0, 64);
			struct inner in = random_inner(false, 60, false);
			struct esp_spec s = spec_of(&pair, &in, 5);
			struct bytes whole = esp_bytes(&s);

			for (unsigned at = s.head.len; at < whole.len; at++) {
				struct esp_packet p = received(&pair, &whole, &s);

				*rte_pktmbuf_mtod_offset(p.m, uint8_t *, at) ^=
					(uint8_t)(1 << below(8));
				esp_in_burst(world_mb, &p, 1);
				/* that it might be the number 0 is seen before */
				if (p.status != SA_ERR_INTEGRITY && p.status != SA_ERR_SEQUENCE)
					fail_msg("%s: byte %u: status %u", some_suites[i], at,
						p.status);
				rte_pktmbuf_free(p.m);
			}
			assert_int_equal(pair.in->seq, 0); /* the window has not moved */
			assert_int_equal(in_status(&pair, &s), SA_OK);
			pair_free(&pair);
		}
	}
	world_down(state);
}

/* RFC 4303 section 3.4: the window before the ICV, and again behind it; nothing moves it but a
 * packet that authenticates. */
static void order_of_checks(void **state)
{
	struct pair pair = gcm(0, 0);
	struct inner in = random_inner(false, 60, false);
	struct esp_spec s = spec_of(&pair, &in, 100);
	struct esp_packet p[6];
	struct bytes b;

	assert_int_equal(in_status(&pair, &s), SA_OK);
	b = esp_bytes(&s);
	b.b[b.len - 1] ^= 1; /* replayed and wrong: the window comes first */
	p[0] = received(&pair, &b, &s);
	esp_in_burst(world_mb, p, 1);
	assert_int_equal(p[0].status, SA_ERR_REPLAY);
	rte_pktmbuf_free(p[0].m);
	s.seq = 0;
	assert_int_equal(in_status(&pair, &s), SA_ERR_SEQUENCE);
	s.seq = 36;
	assert_int_equal(in_status(&pair, &s), SA_ERR_REPLAY);
	s.seq = 37;
	assert_int_equal(in_status(&pair, &s), SA_OK);

	/* copies in one burst; the wrong one among them takes nothing away */
	s.seq = 1000;
	b = esp_bytes(&s);
	for (unsigned i = 0; i < 6; i++) {
		p[i] = received(&pair, &b, &s);
		if (i == 0)
			*rte_pktmbuf_mtod_offset(p[i].m, uint8_t *, 40) ^= 1;
	}
	esp_in_burst(world_mb, p, 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(p[i].status, i == 0   ? SA_ERR_INTEGRITY
					      : i == 1 ? SA_OK
						       : SA_ERR_REPLAY);
		rte_pktmbuf_free(p[i].m);
	}
	/* padding is looked at behind the ICV: this one has been received */
	s.seq = 1001;
	s.pad = 6;
	s.len = in.p.len = 80;
	s.pad_wrong = 3;
	assert_int_equal(in_status(&pair, &s), SA_ERR_PADDING);
	assert_int_equal(pair.in->seq, 1001);
	s.pad_wrong = -1;
	assert_int_equal(in_status(&pair, &s), SA_ERR_REPLAY);
	assert_int_equal(pair.in->packets, 3);
	assert_int_equal(pair.in->error[SA_ERR_REPLAY], 7);
	pair_free(&pair);
	world_down(state);
}

/* Without a window (manual SAs of old) the same packet comes in as often as it is sent. */
static void no_window(void **state)
{
	struct tunnel t = world_tunnel(false, TUNNEL_ESP);
	struct pair pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 0);
	struct inner in = random_inner(false, 60, false);
	struct esp_spec s = spec_of(&pair, &in, 100);

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(in_status(&pair, &s), SA_OK);
	s.seq = 0;
	assert_int_equal(in_status(&pair, &s), SA_OK);
	pair_free(&pair);
	world_down(state);
}

/* RFC 4303 section 2.2.1: a stream that goes over the edge of the low half, reordered, with losses
 * and duplicates. */
static void esn_over_the_edge(void **state)
{
	enum { N = 400 };
	uint64_t seq[N];
	static bool sent[N];

	for (unsigned i = 0; i < RTE_DIM(some_suites); i++) {
		struct tunnel t = world_tunnel(false, TUNNEL_ESP);
		struct pair pair = pair_named(some_suites[i], &t, PROTO_ESP, SA_ESN, 1024);
		struct inner in = random_inner(false, 20, false);
		uint64_t first = 0x2ffffffff - N / 2;

		pair.in->seq = first - 1;
		memset(sent, 0, sizeof(sent));
		for (unsigned k = 0; k < N; k++)
			seq[k] = first + k;
		for (unsigned k = 0; k < N; k++) { /* reordered by up to 60 */
			unsigned with = k + below(RTE_MIN(60u, N - k));
			uint64_t keep = seq[k];

			seq[k] = seq[with];
			seq[with] = keep;
		}
		for (unsigned k = 0; k < N; k++) {
			struct esp_spec s = spec_of(&pair, &in, seq[k]);

			if (below(10) == 0)
				continue; /* lost */
			assert_int_equal(in_status(&pair, &s), SA_OK);
			sent[seq[k] - first] = true;
			if (below(5) == 0)
				assert_int_equal(in_status(&pair, &s), SA_ERR_REPLAY);
			/* an old one of the half before, as if it were new: its ICV is another */
			s.seq = seq[k] - (UINT64_C(1) << 32);
			assert_int_not_equal(in_status(&pair, &s), SA_OK);
		}
		for (unsigned k = 0; k < N; k++) { /* and all once more */
			struct esp_spec s = spec_of(&pair, &in, first + k);

			assert_int_equal(in_status(&pair, &s), sent[k] ? SA_ERR_REPLAY : SA_OK);
		}
		pair_free(&pair);
	}
	world_down(state);
}

/* RFC 4303 section 2.4: any amount of padding up to 255, each byte of it as it must be. */
static void padding(void **state)
{
	struct pair pair = gcm(0, 0);
	struct inner in = random_inner(false, 60, false); /* 80 bytes */
	struct esp_spec s = spec_of(&pair, &in, 0);

	for (s.pad = 2; s.pad <= 254; s.pad += 4) {
		struct bytes b;
		struct esp_packet p;

		s.seq++;
		b = esp_bytes(&s);
		p = received(&pair, &b, &s);
		esp_in_burst(world_mb, &p, 1);
		assert_int_equal(p.status, SA_OK);
		assert_bytes(p.m, &in.p);
		rte_pktmbuf_free(p.m);
		for (s.pad_wrong = 0; s.pad_wrong < (int)s.pad; s.pad_wrong += 1 + s.pad / 9) {
			s.seq++;
			assert_int_equal(in_status(&pair, &s), SA_ERR_PADDING);
		}
		s.pad_wrong = -1;
	}
	/* more of it than there are bytes; exactly all of them */
	for (unsigned plus = 0; plus < 254; plus++) {
		s.seq++;
		s.pad = 2;
		s.pad_len_plus = (uint8_t)plus;
		assert_int_equal(in_status(&pair, &s), plus == 0 ? SA_OK : SA_ERR_PADDING);
	}
	s.pad_len_plus = 0;
	s.len = 0;
	s.seq++;
	assert_int_equal(in_status(&pair, &s), SA_ERR_MODE);
	pair_free(&pair);
	world_down(state);
}

/* RFC 4303 section 2.7: the packet inside is shorter than what carries it. */
static void traffic_flow_confidentiality(void **state)
{
	struct pair pair = gcm(0, 0);
	uint64_t padded = 0;

	for (unsigned i = 1; i <= 40; i++) {
		struct inner in = random_inner(i & 1, below(200), i & 2);
		struct esp_spec s = spec_of(&pair, &in, i);
		struct bytes b, want = in.p;
		struct esp_packet p;

		s.len += i * 3;
		padded += i * 3;
		fill(in.p.b + in.p.len, i * 3);
		b = esp_bytes(&s);
		p = received(&pair, &b, &s);
		esp_in_burst(world_mb, &p, 1);
		assert_int_equal(p.status, SA_OK);
		assert_bytes(p.m, &want);
		assert_int_equal(pair.in->tfc_bytes, padded);
		rte_pktmbuf_free(p.m);
	}
	pair_free(&pair);
	world_down(state);
}

/* RFC 4303 section 2.6: absorbed, in either mode, whatever is in them; they count for the window.
 */
static void dummies(void **state)
{
	for (unsigned transport = 0; transport < 2; transport++) {
		struct pair pair = gcm(transport ? TUNNEL_TRANSPORT : 0, 0);
		struct inner in = random_inner(false, 60, false);
		struct esp_spec s = spec_of(&pair, &in, 7);
		struct bytes b;
		struct esp_packet p;

		s.next = 59;
		fill(in.p.b, in.p.len);
		for (unsigned i = 0; i < 2; i++) {
			b = esp_bytes(&s);
			p = received(&pair, &b, &s);
			esp_in_burst(world_mb, &p, 1);
			assert_int_equal(p.status, i == 0 ? SA_OK : SA_ERR_REPLAY);
			if (i == 0)
				assert_true(p.dummy);
			rte_pktmbuf_free(p.m);
		}
		assert_int_equal(pair.in->dummies, 1);
		assert_int_equal(pair.in->packets, 0);
		pair_free(&pair);
	}
	world_down(state);
}

/* RFC 4301 section 5.2: a tunnel has IP in it, and what it says it has. */
static void what_a_tunnel_carries(void **state)
{
	struct pair pair = gcm(0, 0);
	struct inner in4 = random_inner(false, 60, false), in6 = random_inner(true, 60, false);
	struct esp_spec s = spec_of(&pair, &in4, 0);

	for (unsigned next = 0; next < 256; next++) {
		s.seq++;
		s.next = (uint8_t)next;
		assert_int_equal(
			in_status(&pair, &s), next == 4 || next == 59 ? SA_OK : SA_ERR_MODE);
	}
	s = spec_of(&pair, &in6, s.seq + 1);
	assert_int_equal(in_status(&pair, &s), SA_OK);
	s.seq++;
	s.next = 4;
	assert_int_equal(in_status(&pair, &s), SA_ERR_MODE);
	for (s.len = 0; s.len < 40; s.len++) { /* no whole header */
		s.seq++;
		s.next = 41;
		assert_int_equal(in_status(&pair, &s), SA_ERR_MODE);
	}
	s = spec_of(&pair, &in4, s.seq);
	for (s.len = 0; s.len < 20; s.len++) {
		s.seq++;
		assert_int_equal(in_status(&pair, &s), SA_ERR_MODE);
	}
	/* a fragment outside: RFC 4303 section 3.4.1 */
	s = spec_of(&pair, &in4, s.seq + 1);
	put16(s.head.b + 6, 0x2000);
	assert_int_equal(in_status(&pair, &s), SA_ERR_MODE);
	put16(s.head.b + 6, 0x4000);
	assert_int_equal(in_status(&pair, &s), SA_OK);
	pair_free(&pair);
	world_down(state);
}

/* RFC 6040 figure 4: by inner and outer field; 4: dropped. 0 not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
static void ecn(void **state)
{
	static const uint8_t want[4][4] = {
		[0] = {0, 0, 0, 4},
		[1] = {1, 1, 1, 3},
		[2] = {2, 1, 2, 3},
		[3] = {3, 3, 3, 3},
	};

	for (unsigned n = 0; n < 4 * 4 * 2 * 2 * 2; n++) {
		unsigned inner = n & 3, out = n >> 2 & 3;
		bool ip6 = n & 16, outer6 = n & 32, on = n & 64;
		struct tunnel t = world_tunnel(outer6, TUNNEL_ESP);
		struct inner in = random_inner(ip6, 40, false);
		struct bytes b, expected;
		struct esp_packet p;
		struct esp_spec s;
		struct pair pair;
		unsigned result = on ? want[inner][out] : inner;

		t.ecn = on;
		pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 64);
		if (ip6) {
			in.p.b[1] = (uint8_t)((in.p.b[1] & 0xcf) | inner << 4);
		} else {
			in.p.b[1] = (uint8_t)((in.p.b[1] & 0xfc) | inner);
			checksum4(in.p.b);
		}
		expected = in.p;
		if (ip6) {
			expected.b[1] = (uint8_t)((in.p.b[1] & 0xcf) | (result & 3) << 4);
		} else {
			expected.b[1] = (uint8_t)((in.p.b[1] & 0xfc) | (result & 3));
			checksum4(expected.b);
		}
		s = spec_of(&pair, &in, 1);
		s.head = outer(outer6, (uint8_t)(0xa8 | out));
		b = esp_bytes(&s);
		p = received(&pair, &b, &s);
		esp_in_burst(world_mb, &p, 1);
		assert_int_equal(p.status, result == 4 ? SA_ERR_ECN : SA_OK);
		if (result != 4)
			assert_bytes(p.m, &expected);
		rte_pktmbuf_free(p.m);
		pair_free(&pair);
	}
	world_down(state);
}

/* --- NAT: RFC 3948 */

static void sum_l4(struct inner *in, uint8_t proto, unsigned at)
{
	uint8_t pseudo[ROOM] = {0}, *l4 = in->p.b + in->head;
	unsigned len = in->p.len - in->head, addrs = in->ip6 ? 32 : 8;
	uint16_t sum;

	put16(l4 + at, 0);
	memcpy(pseudo, in->p.b + (in->ip6 ? 8 : 12), addrs);
	put32(pseudo + addrs, len);
	pseudo[addrs + 7] = proto;
	memcpy(pseudo + addrs + 8, l4, len);
	sum = (uint16_t)~rte_raw_cksum(pseudo, addrs + 8 + len);
	memcpy(l4 + at, &sum, sizeof(sum));
}

/* Section 3.1.2: in transport mode the checksum within was made for other addresses. */
static void checksums_behind_a_nat(void **state)
{
	static const struct {
		uint8_t proto, at;
	} kind[] = {{6, 16}, {17, 6}, {17, 0}, {132, 0}};

	for (unsigned n = 0; n < 64; n++) {
		bool ip6 = n & 1, udp = n & 2;
		unsigned k = n >> 2 & 3, at = kind[k].at;
		struct tunnel t = world_tunnel(ip6, TUNNEL_ESP | TUNNEL_TRANSPORT | TUNNEL_ENCAP);
		struct pair pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 64);
		struct inner in = random_inner(ip6, 41 + below(30), false);
		struct esp_spec s = {.pair = &pair,
			.ip6 = ip6,
			.udp = udp,
			.seq = 1,
			.iv = some_iv,
			.pad = UINT32_MAX,
			.pad_wrong = -1};
		struct bytes b;
		struct esp_packet p;

		if (!ip6)
			put16(in.p.b + 6, 0);
		in.p.b[in.proto_at] = s.next = kind[k].proto;
		if (kind[k].proto == 17)
			put16(in.p.b + in.head + 6, 0); /* UDP without a checksum keeps none */
		if (at)
			sum_l4(&in, kind[k].proto, at);
		s.payload = in.p.b + in.head;
		s.len = in.p.len - in.head;
		memcpy(s.head.b, in.p.b, in.head);
		s.head.b[in.proto_at] = udp ? 17 : 50;
		s.head.len = in.head + (udp ? 8 : 0);
		in.p.b[ip6 ? 20 : 13] ^= 0x10; /* the source changes on the way */
		s.head.b[ip6 ? 20 : 13] ^= 0x10;
		b = esp_bytes(&s);
		if (udp && at)
			sum_l4(&in, kind[k].proto, at); /* as if made for the new one */
		if (!ip6)
			checksum4(in.p.b);
		p = received(&pair, &b, &s);
		esp_in_burst(world_mb, &p, 1);
		assert_int_equal(p.status, SA_OK);
		assert_bytes(p.m, &in.p);
		rte_pktmbuf_free(p.m);
		pair_free(&pair);
	}
	world_down(state);
}

/* The peer is where the newest packet that authenticated came from. */
static void follows_the_peer(void **state)
{
	struct tunnel t = world_tunnel(false, TUNNEL_ESP | TUNNEL_ENCAP | TUNNEL_FOLLOW);
	struct pair pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 64);
	struct inner in = random_inner(false, 20, false);
	struct esp_spec s = spec_of(&pair, &in, 10);
	struct addr addr, want = addr_of4(0x01010101);
	struct esp_packet p;
	struct bytes b;
	rte_be16_t port;

	assert_true(sa_peer(pair.in, &addr, &port));
	assert_true(addr_equal(&addr, &t.remote));
	assert_int_equal(port, t.remote_port);
	s.udp = true;
	s.head.b[9] = 17;
	s.head.len += 8;
	put16(s.head.b + 20, 1234);
	assert_int_equal(in_status(&pair, &s), SA_OK);
	assert_true(sa_peer(pair.in, &addr, &port));
	assert_true(addr_equal(&addr, &want));
	assert_int_equal(port, RTE_BE16(1234));
	/* wrong, replayed, older: not believed */
	put16(s.head.b + 20, 1235);
	assert_int_equal(in_status(&pair, &s), SA_ERR_REPLAY);
	s.seq = 9;
	assert_int_equal(in_status(&pair, &s), SA_OK);
	s.seq = 11;
	b = esp_bytes(&s);
	b.b[b.len - 1] ^= 1;
	p = received(&pair, &b, &s);
	esp_in_burst(world_mb, &p, 1);
	assert_int_equal(p.status, SA_ERR_INTEGRITY);
	rte_pktmbuf_free(p.m);
	sa_peer(pair.in, &addr, &port);
	assert_int_equal(port, RTE_BE16(1234));
	assert_int_equal(in_status(&pair, &s), SA_OK);
	sa_peer(pair.in, &addr, &port);
	assert_int_equal(port, RTE_BE16(1235));
	pair_free(&pair);

	/* and where it is not asked for it does not happen */
	t.flags &= (uint8_t)~TUNNEL_FOLLOW;
	pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 64);
	s.pair = &pair;
	assert_int_equal(in_status(&pair, &s), SA_OK);
	sa_peer(pair.in, &addr, &port);
	assert_int_equal(port, t.remote_port);
	pair_free(&pair);
	world_down(state);
}

/* Another header is written beside the one that holds, and takes its place. */
static void the_peer_moves(void **state)
{
	struct tunnel t = world_tunnel(false, TUNNEL_ESP | TUNNEL_ENCAP);
	struct pair pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 64);
	struct inner in = random_inner(false, 20, false);

	for (unsigned i = 0; i < 4; i++) {
		struct esp_packet p;
		uint8_t *ip;

		t.remote = addr_of4(0x0a000000 + i);
		t.remote_port = rte_cpu_to_be_16((uint16_t)(1000 + i));
		sa_outer(pair.out, &t);
		p = packet_of(&in, pair.out);
		esp_out_burst(world_mb, &p, 1);
		ip = rte_pktmbuf_mtod(p.m, uint8_t *);
		assert_int_equal(p.status, SA_OK);
		assert_int_equal(ip[19], i);
		assert_int_equal(get16(ip + 22), 1000 + i);
		assert_int_equal(rte_raw_cksum(ip, 20), 0xffff);
		rte_pktmbuf_free(p.m);
	}
	pair_free(&pair);
	world_down(state);
}

/* RFC 7296 section 2.23: with or without UDP, whatever the SA says. */
static void in_udp_or_not(void **state)
{
	for (unsigned n = 0; n < 8; n++) {
		bool encap = n & 1, udp = n & 2, outer6 = n & 4;
		struct tunnel t =
			world_tunnel(outer6, (uint8_t)(TUNNEL_ESP | (encap ? TUNNEL_ENCAP : 0)));
		struct pair pair = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 64);
		struct inner in = random_inner(true, 20, true);
		struct esp_spec s = spec_of(&pair, &in, 1);
		struct esp_packet p;
		struct bytes b;

		if (udp) {
			s.udp = true;
			s.head.b[outer6 ? 6 : 9] = 17;
			s.head.len += 8;
		}
		b = esp_bytes(&s);
		p = received(&pair, &b, &s);
		esp_in_burst(world_mb, &p, 1);
		assert_int_equal(p.status, SA_OK);
		assert_bytes(p.m, &in.p);
		rte_pktmbuf_free(p.m);
		pair_free(&pair);
	}
	world_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truncated_at_every_length),
		cmocka_unit_test(corrupted_at_every_byte),
		cmocka_unit_test(order_of_checks),
		cmocka_unit_test(no_window),
		cmocka_unit_test(esn_over_the_edge),
		cmocka_unit_test(padding),
		cmocka_unit_test(traffic_flow_confidentiality),
		cmocka_unit_test(dummies),
		cmocka_unit_test(what_a_tunnel_carries),
		cmocka_unit_test(ecn),
		cmocka_unit_test(checksums_behind_a_nat),
		cmocka_unit_test(follows_the_peer),
		cmocka_unit_test(the_peer_moves),
		cmocka_unit_test(in_udp_or_not),
	};

	world_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
