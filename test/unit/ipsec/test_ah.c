/* AH, byte for byte: what ah_out makes is what RFC 4302 describes, put together by hand, with what
 * may change on the way made zero by a mask per byte, and sealed by OpenSSL; and ah_in takes it
 * apart again, whatever routers did to those bits, and to no other. Seeded: POSTERN_SEED.
 */
#include "esp_world.h"

/* Where the bits are that may change on the way: RFC 4302 appendix A, for the packets of
 * random_inner. */
static void mutable_bits(const struct inner *in, uint8_t mask[])
{
	memset(mask, 0, in->head);
	if (in->ip6) {
		mask[0] = 0x0f; /* traffic class, flow label */
		mask[1] = mask[2] = mask[3] = 0xff;
		mask[7] = 0xff; /* hop limit */
		for (unsigned at = 40; at < in->head; at += (in->p.b[at + 1] + 1u) * 8)
			if (in->p.b[at + 1] == 1) /* the longer one: its first option's data */
				memset(mask + at + 4, 0xff, 4);
		return;
	}
	mask[1] = 0xff;
	mask[6] = mask[7] = 0xff; /* flags, offset */
	mask[8] = 0xff;
	mask[10] = mask[11] = 0xff;
	if (in->head > 20)
		memset(mask + 20, 0xff, 7); /* record route; router alert stays */
}

struct ah_spec {
	const struct pair *pair;
	struct inner head; /* what stands in front of AH: its lengths are mended here */
	uint64_t seq;
	const uint8_t *iv, *payload;
	unsigned len, pad; /* of payload; bytes behind the ICV */
	uint8_t next;
};

static struct bytes ah_bytes(struct ah_spec *s)
{
	const struct suite *suite = &s->pair->suite;
	unsigned head = s->head.head, check = (unsigned)suite->iv_len + suite->icv_len;
	struct bytes out = {0};
	uint8_t *p = s->head.p.b, *ah = out.b + head, mask[ROOM], plain[ROOM], icv[SUITE_ICV_MAX];
	struct oracle_message m = {.suite = suite,
		.key = s->pair->key,
		.proto = PROTO_AH,
		.esn = s->pair->out->flags & SA_ESN,
		.seq_hi = (uint32_t)(s->seq >> 32),
		.aad = plain,
		.iv = s->iv};

	out.len = head + 12 + check + s->pad + s->len;
	if (s->head.ip6) {
		put16(p + 4, out.len - 40);
	} else {
		put16(p + 2, out.len);
		checksum4(p);
	}
	p[s->head.proto_at] = 51;
	if (!s->head.ip6)
		checksum4(p);
	memcpy(out.b, p, head);
	ah[0] = s->next;
	ah[1] = (uint8_t)((12 + check + s->pad) / 4 - 2);
	put32(ah + 4, WORLD_SPI);
	put32(ah + 8, (uint32_t)s->seq);
	memcpy(ah + 12 + check + s->pad, s->payload, s->len);
	mutable_bits(&s->head, mask);
	memcpy(plain, out.b, out.len);
	for (unsigned i = 0; i < head; i++)
		plain[i] &= (uint8_t)~mask[i];
	m.aad_len = out.len;
	oracle_seal(&m, NULL, icv);
	memcpy(ah + 12, s->iv, suite->iv_len);
	memcpy(ah + 12 + suite->iv_len, icv, suite->icv_len);
	return out;
}

/* RFC 4302 section 2.6 */
static unsigned pad_of(const struct suite *s, bool ip6)
{
	unsigned pad = 0;

	while ((12 + s->iv_len + s->icv_len + pad) % (ip6 ? 8 : 4))
		pad++;
	return pad;
}

/* The outer header of a tunnel, as far as it is not shown in test_esp.c. */
static struct inner outer_of(const struct tunnel *t, const struct inner *in, const uint8_t *got)
{
	bool ip6 = !addr_is4(&t->remote);
	struct inner o = {.ip6 = ip6, .head = ip6 ? 40 : 20, .proto_at = ip6 ? 6 : 9};
	uint8_t tos = in->ip6 ? (uint8_t)(in->p.b[0] << 4 | in->p.b[1] >> 4) : in->p.b[1];
	uint8_t *p = o.p.b;

	if (ip6) {
		put32(p, 6u << 28 | (uint32_t)tos << 20);
		p[7] = t->ttl;
		memcpy(p + 8, t->local.b, 16);
		memcpy(p + 24, t->remote.b, 16);
	} else {
		p[0] = 0x45;
		p[1] = tos;
		memcpy(p + 4, got + 4, 2);
		p[6] = in->ip6 ? 0x40 : in->p.b[6] & 0x40;
		p[8] = t->ttl;
		memcpy(p + 12, t->local.b + 12, 4);
		memcpy(p + 16, t->remote.b + 12, 4);
	}
	return o;
}

#define PER_ROUND 6

static void round_trip(const struct suite *s, bool transport, bool esn, bool outer6, bool inner6)
{
	struct tunnel t =
		world_tunnel(outer6, (uint8_t)(TUNNEL_AH | (transport ? TUNNEL_TRANSPORT : 0)));
	struct pair pair = pair_new(s, &t, PROTO_AH, esn ? SA_ESN : 0, 64);
	struct esp_packet p[PER_ROUND];
	struct inner in[PER_ROUND];
	uint64_t first = esn ? UINT32_MAX - below(5) : below(1000);

	pair.out->seq = pair.in->seq = first;
	for (unsigned i = 0; i < PER_ROUND; i++) {
		in[i] = random_inner(inner6, below(below(2) ? 60 : 1500), true);
		p[i] = packet_of(&in[i], pair.out);
	}
	ah_out_burst(world_mb, p, PER_ROUND);
	for (unsigned i = 0; i < PER_ROUND; i++) {
		uint8_t *got = rte_pktmbuf_mtod(p[i].m, uint8_t *);
		rte_be64_t iv = rte_cpu_to_be_64(pair.out->iv_base + first + 1 + i);
		struct ah_spec want = {.pair = &pair,
			.seq = first + 1 + i,
			.iv = (uint8_t *)&iv,
			.head = transport ? in[i] : outer_of(&t, &in[i], got),
			.payload = in[i].p.b + (transport ? in[i].head : 0),
			.len = in[i].p.len - (transport ? in[i].head : 0),
			.next = transport ? 17
				: inner6  ? 41
					  : 4};
		struct bytes b;

		want.pad = pad_of(s, want.head.ip6);
		assert_int_equal(p[i].status, SA_OK);
		assert_int_equal(p[i].ip6, want.head.ip6);
		assert_int_equal(p[i].l4, want.head.head);
		assert_int_equal(p[i].proto_at, want.head.proto_at);
		b = ah_bytes(&want);
		assert_bytes(p[i].m, &b);
		assert_int_equal(b.len, in[i].p.len + esp_overhead(pair.out, in[i].p.len));
		assert_int_equal(esp_inner_max(pair.out, b.len), in[i].p.len);
		p[i].sa = pair.in;
	}
	ah_in_burst(world_mb, p, PER_ROUND);
	for (unsigned i = 0; i < PER_ROUND; i++) {
		assert_int_equal(p[i].status, SA_OK);
		assert_int_equal(p[i].ip6, inner6);
		assert_int_equal(p[i].inner, transport ? 17 : inner6 ? 41 : 4);
		assert_bytes(p[i].m, &in[i].p);
		rte_pktmbuf_free(p[i].m);
	}
	assert_int_equal(pair.in->packets, PER_ROUND);
	assert_int_equal(pair.in->bytes, pair.out->bytes);
	pair_free(&pair);
}

/* RFC 4302 sections 2 and 3, RFC 4543 section 4 */
static void every_suite_mode_and_family(void **state)
{
	struct suite s;
	unsigned n = 0;

	while (suite_nth(PROTO_AH, n++, &s)) {
		for (unsigned how = 0; how < 8; how++) {
			bool esn = how & 1, outer6 = how & 2, inner6 = how & 4;

			round_trip(&s, false, esn, outer6, inner6);
			round_trip(&s, true, esn, inner6, inner6);
		}
	}
	assert_true(n > 8);
	world_down(state);
}

static const uint8_t some_iv[8] = {1, 2, 3};

/* A packet of transport mode as it arrives. */
static struct ah_spec spec_of(struct pair *pair, const struct inner *in, uint64_t seq)
{
	return (struct ah_spec){.pair = pair,
		.head = *in,
		.seq = seq,
		.iv = some_iv,
		.payload = in->p.b + in->head,
		.len = in->p.len - in->head,
		.pad = pad_of(&pair->suite, in->ip6),
		.next = 17};
}

static struct esp_packet received(struct pair *pair, const struct bytes *b, const struct ah_spec *s)
{
	return (struct esp_packet){.m = mbuf_of(b->b, b->len),
		.sa = pair->in,
		.l4 = (uint16_t)s->head.head,
		.proto_at = (uint16_t)s->head.proto_at,
		.ip6 = s->head.ip6};
}

static const char *const some_suites[] = {"sha256", "aes128gmac", "aesxcbc", "sha512"};

static struct pair transport_pair(const char *suite, bool ip6, uint8_t flags)
{
	struct tunnel t = world_tunnel(ip6, TUNNEL_AH | TUNNEL_TRANSPORT);

	return pair_named(suite, &t, PROTO_AH, flags, 64);
}

/* Appendix A: each bit of the packet is either covered, or may change. */
static void each_bit(void **state)
{
	for (unsigned round = 0; round < 16; round++) {
		bool ip6 = round & 1;
		struct pair pair = transport_pair(some_suites[round >> 1 & 3], ip6, 0);
		struct inner in = random_inner(ip6, 30, true);
		struct ah_spec s;
		struct bytes b;
		uint8_t mask[ROOM] = {0}, expected[ROOM];
		uint64_t seq = 1;

		if (!ip6)
			put16(in.p.b + 6, 0);
		mutable_bits(&in, mask);
		for (unsigned bit = 0; bit < 8 * (in.p.len + 24); bit++) {
			unsigned at = bit / 8;
			uint8_t flip = (uint8_t)(1 << bit % 8);
			bool may = at < in.head && mask[at] & flip;
			struct esp_packet p;
			uint8_t *got;

			/* more fragments, and an offset: no whole datagram */
			if (!ip6 && (at == 7 || (at == 6 && flip != 0x40 && flip != 0x80)))
				may = false;
			/* an option of another length makes others of what is behind it */
			if (!ip6 && at == 21)
				may = false;
			s = spec_of(&pair, &in, seq);
			b = ah_bytes(&s);
			p = received(&pair, &b, &s);
			rte_pktmbuf_mtod(p.m, uint8_t *)[at] ^= flip;
			ah_in_burst(world_mb, &p, 1);
			if ((p.status == SA_OK) != may)
				fail_msg("%s, IPv%u, byte %u, bit %02x: status %u",
					some_suites[round >> 1 & 3], ip6 ? 6 : 4, at, flip,
					p.status);
			if (may) {
				/* and what has changed is still there */
				memcpy(expected, in.p.b, in.p.len);
				if (at < in.head)
					expected[at] ^= flip;
				if (!ip6)
					checksum4(expected);
				got = rte_pktmbuf_mtod(p.m, uint8_t *);
				assert_int_equal(p.m->data_len, in.p.len);
				assert_memory_equal(got, expected, in.p.len);
				seq++;
			}
			rte_pktmbuf_free(p.m);
		}
		pair_free(&pair);
	}
	world_down(state);
}

/* At every length it is an error, and nothing behind the end is read: memory of its own for the
 * address sanitizer. */
static void truncated_at_every_length(void **state)
{
	for (unsigned round = 0; round < 16; round++) {
		bool ip6 = round & 1, esn = round & 8;
		struct pair pair =
			transport_pair(some_suites[round >> 1 & 3], ip6, esn ? SA_ESN : 0);
		struct inner in = random_inner(ip6, 30, true);
		struct ah_spec s;
		struct bytes whole;

		if (!ip6)
			put16(in.p.b + 6, 0);
		s = spec_of(&pair, &in, 5);
		whole = ah_bytes(&s);
		for (unsigned len = 0; len < whole.len; len++) {
			struct esp_packet p = received(&pair, &whole, &s);
			unsigned tail = esn ? 4 : 0; /* of the buffer, as ah_in wants it */
			uint8_t *memory = malloc(len + tail + 1);
			void *own = p.m->buf_addr;
			uint16_t room = p.m->buf_len;

			assert_non_null(memory);
			memcpy(memory, whole.b, len);
			p.m->buf_addr = memory;
			p.m->data_off = 0;
			p.m->data_len = (uint16_t)len;
			p.m->buf_len = (uint16_t)(len + tail);
			p.m->pkt_len = len;
			ah_in_burst(world_mb, &p, 1);
			assert_true(p.status == SA_ERR_TRUNCATED || p.status == SA_ERR_INTEGRITY);
			/* it is as it was, for who looks at what was dropped */
			assert_memory_equal(memory, whole.b, len);
			p.m->buf_addr = own;
			p.m->buf_len = room;
			rte_pktmbuf_reset(p.m);
			rte_pktmbuf_free(p.m);
			free(memory);
		}
		assert_int_equal(pair.in->seq, 0);
		pair_free(&pair);
	}
	world_down(state);
}

static enum sa_error in_status(struct pair *pair, struct ah_spec *s)
{
	struct bytes b = ah_bytes(s);
	struct esp_packet p = received(pair, &b, s);

	ah_in_burst(world_mb, &p, 1);
	rte_pktmbuf_free(p.m);
	return p.status;
}

/* RFC 4302 sections 3.4.3 and 3.4.4, and that AH has a length: section 2.2. */
static void order_and_lengths(void **state)
{
	struct pair pair = transport_pair("sha256", false, 0);
	struct inner in = random_inner(false, 30, false);
	struct ah_spec s;
	struct bytes b;
	struct esp_packet p[4];

	put16(in.p.b + 6, 0);
	s = spec_of(&pair, &in, 100);
	assert_int_equal(in_status(&pair, &s), SA_OK);
	b = ah_bytes(&s);
	b.b[b.len - 1] ^= 1;
	p[0] = received(&pair, &b, &s);
	ah_in_burst(world_mb, p, 1);
	assert_int_equal(p[0].status, SA_ERR_REPLAY);
	rte_pktmbuf_free(p[0].m);
	s.seq = 0;
	assert_int_equal(in_status(&pair, &s), SA_ERR_SEQUENCE);
	s.seq = 101;
	b = ah_bytes(&s);
	for (unsigned i = 0; i < 4; i++)
		p[i] = received(&pair, &b, &s);
	ah_in_burst(world_mb, p, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(p[i].status, i == 0 ? SA_OK : SA_ERR_REPLAY);
		rte_pktmbuf_free(p[i].m);
	}
	/* as Linux sends it unless it is told otherwise: IPv4 padded to 8 bytes */
	s.seq = 102;
	s.pad = 4;
	assert_int_equal(in_status(&pair, &s), SA_OK);
	for (s.pad = 8; s.pad < 60; s.pad += 4) {
		s.seq++;
		assert_int_equal(in_status(&pair, &s), SA_ERR_TRUNCATED);
	}
	pair.in->hard_packets = 0;
	assert_int_equal(in_status(&pair, &s), SA_ERR_TRUNCATED);
	s.pad = 0;
	assert_int_equal(in_status(&pair, &s), SA_ERR_LIFETIME);
	pair_free(&pair);
	world_down(state);
}

/* A tunnel carries IP (RFC 4301 section 5.2), and CE is not lost (RFC 6040). */
static void tunnels(void **state)
{
	struct tunnel t = world_tunnel(true, TUNNEL_AH);
	struct pair pair = pair_named("sha256", &t, PROTO_AH, 0, 64);
	struct inner in = random_inner(false, 30, false);
	struct ah_spec s = {.pair = &pair,
		.head = outer_of(&t, &in, NULL),
		.iv = some_iv,
		.payload = in.p.b,
		.len = in.p.len,
		.pad = 4};

	for (unsigned next = 0; next < 256; next++) {
		s.seq++;
		s.next = (uint8_t)next;
		assert_int_equal(in_status(&pair, &s), next == 4 ? SA_OK : SA_ERR_MODE);
	}
	s.next = 4;
	for (unsigned ecn = 0; ecn < 4; ecn++) {
		struct bytes b;
		struct esp_packet p;

		s.seq++;
		s.head.p.b[1] |= 0x30;
		in.p.b[1] = (uint8_t)(0xb8 | ecn);
		checksum4(in.p.b);
		b = ah_bytes(&s);
		p = received(&pair, &b, &s);
		ah_in_burst(world_mb, &p, 1);
		assert_int_equal(p.status, ecn ? SA_OK : SA_ERR_ECN);
		if (ecn) {
			struct bytes want = in.p;

			want.b[1] |= 3;
			checksum4(want.b);
			assert_bytes(p.m, &want);
		}
		rte_pktmbuf_free(p.m);
	}
	pair_free(&pair);
	world_down(state);
}

/* The ICV of one packet that went out, and of the packet that its receiver will see. */
static void same_icv(struct pair *pair, const struct inner *sent, const struct inner *arrives)
{
	struct esp_packet p = packet_of(sent, pair->out);
	struct ah_spec s = spec_of(pair, arrives, pair->out->seq + 1);
	uint8_t *got, *want;
	struct bytes b;

	s.next = sent->p.b[sent->proto_at];
	ah_out_burst(world_mb, &p, 1);
	assert_int_equal(p.status, SA_OK);
	got = rte_pktmbuf_mtod(p.m, uint8_t *);
	b = ah_bytes(&s);
	want = b.b;
	assert_memory_equal(
		got + sent->head + 12, want + sent->head + 12, pair->suite.icv_len + s.len);
	/* and what is sent is what there was, but for length, protocol and checksum */
	assert_int_equal(got[sent->proto_at], 51);
	for (unsigned i = 12; i < sent->head; i++)
		if (i != sent->proto_at)
			assert_int_equal(got[i], sent->p.b[i]);
	rte_pktmbuf_free(p.m);
}

/* RFC 4302 section 3.3.3.1.1.2: a source route's last address is where the packet arrives. The
 * option itself is zero: record route of the same length stands for it in the arriving packet. */
static void source_routes(void **state)
{
	for (unsigned strict = 0; strict < 2; strict++) {
		struct pair pair = transport_pair("sha256", false, 0);
		struct inner sent = random_inner(false, 30, false), arrives;

		sent.head = 36;
		sent.p.len = 66;
		sent.p.b[0] = 0x49;
		put16(sent.p.b + 6, 0);
		/* 15 bytes: 7 and 8 are ahead, 9 is the last */
		memcpy(sent.p.b + 20,
			"\x83\x0f\x04\x07\x07\x07\x07\x08\x08\x08\x08\x09\x09\x09\x09", 15);
		if (strict)
			sent.p.b[20] = 137;
		sent.p.b[35] = 0;
		checksum4(sent.p.b);
		arrives = sent;
		memset(arrives.p.b + 16, 9, 4);
		/* zero of another kind: what is authenticated is zero bytes */
		memset(arrives.p.b + 20, 0, 15);
		same_icv(&pair, &sent, &arrives);
		/* all visited: the destination is what it is */
		sent.p.b[22] = 16;
		checksum4(sent.p.b);
		memcpy(arrives.p.b + 16, sent.p.b + 16, 4);
		same_icv(&pair, &sent, &arrives);
		pair_free(&pair);
	}
	world_down(state);
}

/* Section 3.3.3.1.2.3: a routing header as the last of its addresses sees it. */
static void routing_headers(void **state)
{
	for (unsigned n = 1; n <= 4; n++) {
		for (unsigned left = 0; left <= n; left++) {
			struct pair pair = transport_pair("sha256", true, 0);
			struct inner sent = random_inner(true, 100, false), arrives;
			uint8_t *rh = sent.p.b + 40;

			sent.head = 40 + 8 + 16 * n;
			sent.p.len = sent.head + 20;
			sent.p.b[6] = 43;
			sent.proto_at = 40;
			put16(sent.p.b + 4, sent.p.len - 40);
			memset(rh, 0, 8);
			rh[0] = 17;
			rh[1] = (uint8_t)(2 * n);
			rh[2] = n == 1 ? 2 : 0;
			rh[3] = (uint8_t)left;
			arrives = sent;
			/* RFC 2460 section 4.4, hop by hop */
			for (unsigned l = left; l > 0; l--) {
				uint8_t keep[16], *addr = arrives.p.b + 48 + 16 * (n - l);

				memcpy(keep, addr, 16);
				memcpy(addr, arrives.p.b + 24, 16);
				memcpy(arrives.p.b + 24, keep, 16);
			}
			arrives.p.b[43] = 0;
			same_icv(&pair, &sent, &arrives);
			pair_free(&pair);
		}
	}
	world_down(state);
}

/* Both on one packet: ESP's tunnel, and AH around it (RFC 4301 section 4.1, appendix E; RFC 7321).
 */
static void ah_around_esp(void **state)
{
	for (unsigned n = 0; n < 16; n++) {
		bool outer6 = n & 1, inner6 = n & 2, transport = n & 4;
		struct tunnel t = world_tunnel(outer6,
			(uint8_t)(TUNNEL_AH | TUNNEL_ESP | (transport ? TUNNEL_TRANSPORT : 0)));
		struct pair esp = pair_named("aes128gcm16", &t, PROTO_ESP, 0, 64);
		struct pair ah = pair_named("sha512", &t, PROTO_AH, 0, 64);
		struct inner in = random_inner(transport ? outer6 : inner6, 200, true);
		struct esp_packet p;
		unsigned len, at;
		uint8_t *got;

		if (transport && !outer6)
			put16(in.p.b + 6, 0);
		if (!in.ip6)
			checksum4(in.p.b);
		p = packet_of(&in, esp.out);
		esp_out_burst(world_mb, &p, 1);
		assert_int_equal(p.status, SA_OK);
		p.sa = ah.out;
		ah_out_burst(world_mb, &p, 1);
		assert_int_equal(p.status, SA_OK);
		got = rte_pktmbuf_mtod(p.m, uint8_t *);
		len = p.m->data_len;
		if (!transport) {
			at = outer6 ? 40 : 20;
			assert_int_equal(got[p.proto_at], 51);
			assert_int_equal(got[at], 50);
			assert_int_equal(len, in.p.len + esp_overhead(esp.out, in.p.len) +
						      esp_overhead(ah.out, 0));
			/* the largest that fits fits */
			assert_true(esp_inner_max(esp.out, esp_inner_max(ah.out, len)) >= in.p.len);
		}
		if (outer6)
			got[7]--; /* a router */
		p.sa = ah.in;
		ah_in_burst(world_mb, &p, 1);
		assert_int_equal(p.status, SA_OK);
		assert_int_equal(p.inner, 50);
		p.sa = esp.in;
		esp_in_burst(world_mb, &p, 1);
		assert_int_equal(p.status, SA_OK);
		if (transport && outer6)
			in.p.b[7]--;
		assert_bytes(p.m, &in.p);
		rte_pktmbuf_free(p.m);
		pair_free(&esp);
		pair_free(&ah);
	}
	world_down(state);
}

/* More headers than are kept at a time, of packets with and without. */
static void long_headers(void **state)
{
	enum { N = 200 };
	static struct esp_packet p[N];
	static struct inner in[N];
	struct pair pair = transport_pair("sha256", true, 0);

	pair.in->window = 0;
	for (unsigned i = 0; i < N; i++) {
		in[i] = random_inner(true, 1500, false);
		if (i % 3) {
			uint8_t *hdr = in[i].p.b + 40;
			unsigned len = 8 * (1 + below(120));

			memset(hdr, 0, len); /* pad bytes */
			hdr[0] = 17;
			hdr[1] = (uint8_t)(len / 8 - 1);
			in[i].p.b[6] = 60;
			in[i].proto_at = 40;
			in[i].head = 40 + len;
		}
		p[i] = packet_of(&in[i], pair.out);
	}
	ah_out_burst(world_mb, p, N);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(p[i].status, SA_OK);
		p[i].sa = pair.in;
	}
	ah_in_burst(world_mb, p, N);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(p[i].status, SA_OK);
		assert_bytes(p[i].m, &in[i].p);
		rte_pktmbuf_free(p[i].m);
	}
	pair_free(&pair);
	world_down(state);
}

/* What does not go out. */
static void refusals(void **state)
{
	struct pair pair = transport_pair("sha256", false, SA_ESN);
	struct inner in = random_inner(false, 80, false);
	struct esp_packet p;

	put16(in.p.b + 6, 0);
	for (unsigned what = 0; what < 9; what++) {
		static const enum sa_error want[] = {SA_ERR_SEGMENTS, SA_ERR_TRUNCATED, SA_ERR_MODE,
			SA_ERR_TOO_BIG, SA_OK, SA_ERR_TOO_BIG, SA_OK, SA_ERR_LIFETIME,
			SA_ERR_SEQUENCE};

		p = packet_of(&in, pair.out);
		if (what == 0)
			p.m->nb_segs = 2;
		else if (what == 1)
			p.l4 = 24, rte_pktmbuf_mtod(p.m, uint8_t *)[0] = 0x47;
		else if (what == 2)
			rte_pktmbuf_mtod(p.m, uint8_t *)[6] = 0x20;
		else if (what == 3 || what == 4)
			p.m->data_off = (uint16_t)(24 + what); /* AH has 28 bytes */
		else if (what == 5 || what == 6)
			p.m->data_off = (uint16_t)(p.m->buf_len - 100 - 4 + (what == 5));
		else if (what == 7)
			pair.out->hard_bytes = 50;
		else
			pair.out->seq = UINT64_MAX, pair.out->hard_bytes = UINT64_MAX;
		if (p.m->data_off != 160)
			memcpy(rte_pktmbuf_mtod(p.m, uint8_t *), in.p.b, in.p.len);
		ah_out_burst(world_mb, &p, 1);
		assert_int_equal(p.status, want[what]);
		p.m->nb_segs = 1;
		rte_pktmbuf_free(p.m);
	}
	pair_free(&pair);
	world_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_suite_mode_and_family),
		cmocka_unit_test(each_bit),
		cmocka_unit_test(truncated_at_every_length),
		cmocka_unit_test(order_and_lengths),
		cmocka_unit_test(tunnels),
		cmocka_unit_test(source_routes),
		cmocka_unit_test(routing_headers),
		cmocka_unit_test(ah_around_esp),
		cmocka_unit_test(long_headers),
		cmocka_unit_test(refusals),
	};

	world_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
