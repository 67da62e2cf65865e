/* Every reason for which IPsec drops a packet: each test changes one thing of a packet that would
 * pass, and expects exactly that counter to rise, in the box and in the SA, and nothing sent.
 */
#include "ipsec_world.h"

#include "ipsec/esp.h"
#include "wire/esp.h"

#include <string.h>

static const struct rig_text world = {.interfaces = RIG6_INTERFACES, .routes = PEER_ROUTES};

static const uint8_t payload[1480] = "none of this comes out";

#define ESP_AT (14 + 20) /* in a frame with an IPv4 outer header */

static struct spec to_far(void)
{
	struct spec s = spec_udp();

	s.dst = FAR_HOST;
	return s;
}

static struct spec from_far(void)
{
	struct spec s = spec_from_wan(spec_udp());

	s.src = FAR_HOST;
	return s;
}

static struct tunnel *new_tunnel(unsigned flags, const char *esp, const char *ah)
{
	struct tunnel *t;

	world_clear();
	t = world_tunnel(flags, false);
	world_sas(t, esp, ah, 0);
	world_policy(POLICY_PROTECT, t, "10.1.0.0/16", "10.9.0.0/16", 0);
	world_publish();
	return t;
}

static struct tunnel *esp_tunnel(void)
{
	return new_tunnel(TUNNEL_ESP, "aes128gcm16", NULL);
}

/* A packet from behind the peer, in its tunnel. */
static void from_peer(const struct tunnel *t, struct frame *f)
{
	struct spec s = from_far();
	static struct frame inner;

	frame_make(&inner, &s);
	peer_sends(t, &inner, f);
}

/* The frame is dropped for that reason, which its SA has counted. */
static void expect_error(
	const struct tunnel *t, const struct frame *f, enum sa_error error, enum drop_reason reason)
{
	const struct sa *sa = world_in(t, PROTO_ESP);
	uint64_t before = sa->error[error];

	expect_drop_of(WAN, f, reason);
	assert_int_equal(sa->error[error], before + 1);
}

static void unknown_spi(void **state)
{
	struct tunnel *t = esp_tunnel();
	struct spec s = spec_from_wan(spec_udp());
	static struct frame f;

	from_peer(t, &f);
	f.b[ESP_AT] ^= 1;
	expect_drop_of(WAN, &f, DROP_IPSEC_UNKNOWN_SPI);
	/* another address of ours has none */
	from_peer(t, &f);
	memcpy(f.b + 30, "\x0a\x01\x00\x01", 4);
	frame_fix_ip(&f, 14);
	expect_drop_of(WAN, &f, DROP_IPSEC_UNKNOWN_SPI);
	/* ESP's SPI is not AH's */
	s.dst = WAN_ADDR;
	s.proto = PROTO_AH;
	s.raw = true;
	s.payload = "\x11\4\0\0\0\0\x20\0\0\0\0\1            ";
	s.payload_len = 24;
	frame_make(&f, &s);
	expect_drop_of(WAN, &f, DROP_IPSEC_UNKNOWN_SPI);
}

/* RFC 4303 section 3.4.3: within one burst as well. */
static void replay(void **state)
{
	struct tunnel *t = esp_tunnel();
	static struct frame f;

	from_peer(t, &f);
	rig_put(WAN, &f);
	rig_put(WAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 1);
	expect_drops(DROP_IPSEC_REPLAY, 1);
	expect_error(t, &f, SA_ERR_REPLAY, DROP_IPSEC_REPLAY);
}

/* Each byte of what is authenticated; and of the ICV. */
static void integrity(void **state)
{
	struct tunnel *t = esp_tunnel();
	static struct frame f;

	from_peer(t, &f);
	for (unsigned at = ESP_AT + 8; at < f.len; at += 5) {
		f.b[at] ^= 0x10;
		expect_error(t, &f, SA_ERR_INTEGRITY, DROP_IPSEC_INTEGRITY);
		f.b[at] ^= 0x10;
	}
	rig_put(WAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 1);
	expect_drops(DROP_NONE, 0);
}

/* At every length, of ESP and of AH; what is shorter than ESP's header has no SA. */
static void truncated(void **state)
{
	static struct frame whole, f;

	for (unsigned ah = 0; ah < 2; ah++) {
		struct tunnel *t = ah ? new_tunnel(TUNNEL_AH, NULL, "sha256") : esp_tunnel();
		unsigned least = ah ? 12 + 16 : 8 + 8 + 16 + 4;

		from_peer(t, &whole);
		for (unsigned len = 0; len < whole.len - ESP_AT; len++) {
			f = whole;
			f.len = ESP_AT + len;
			f.b[16] = (uint8_t)((len + 20) >> 8);
			f.b[17] = (uint8_t)(len + 20);
			frame_fix_ip(&f, 14);
			rig_put(WAN, &f);
			rig_run();
			expect_nothing();
			/* behind the least length it is the ICV that is wrong, or the
			 * block */
			if (len < least)
				expect_drops(DROP_IPSEC_TRUNCATED, 1);
			else
				assert_int_equal(rig_dropped(DROP_IPSEC_TRUNCATED) +
							 rig_dropped(DROP_IPSEC_INTEGRITY),
					1);
			rig_mark();
		}
		rig_put(WAN, &whole);
		rig_run();
		assert_int_equal(rig_discard(), 1);
	}
}

static void first_is_last(struct sa_info *info, bool ours)
{
	if (!info->in)
		info->first_seq = UINT32_MAX;
}

static void one_packet(struct sa_info *info, bool ours)
{
	info->hard_packets = ours ? 1 : 0;
}

/* RFC 4303 sections 2.2 and 3.3.3: the number never wraps. Zero is none. */
static void sequence(void **state)
{
	struct spec s = to_far();
	struct tunnel *t;
	static struct frame f;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas_with(t, "aes128gcm16", NULL, 0, first_is_last);
	world_policy(POLICY_PROTECT, t, "10.1.0.0/16", "10.9.0.0/16", 0);
	world_publish();
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IPSEC_SEQUENCE);
	t = esp_tunnel();
	from_peer(t, &f);
	memset(f.b + ESP_AT + 4, 0, 4);
	expect_error(t, &f, SA_ERR_SEQUENCE, DROP_IPSEC_SEQUENCE);
}

static void lifetime(void **state)
{
	struct spec s = to_far();
	struct tunnel *t;
	static struct frame f;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas_with(t, "aes128gcm16", NULL, 0, one_packet);
	world_policy(POLICY_PROTECT, t, "10.1.0.0/16", "10.9.0.0/16", 0);
	world_publish();
	frame_make(&f, &s);
	rig_put(LAN, &f);
	from_peer(t, &f);
	rig_put(WAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 2);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IPSEC_LIFETIME);
	from_peer(t, &f);
	expect_drop_of(WAN, &f, DROP_IPSEC_LIFETIME);
}

/* RFC 4303 section 2.4. */
static void padding(void **state)
{
	struct tunnel *t = esp_tunnel();
	uint8_t text[32] = {0x45};
	static struct frame f;

	text[28] = 1;
	text[29] = 9; /* should be 2 */
	text[30] = 2;
	text[31] = 4;
	peer_forges(t, text, sizeof(text), &f);
	expect_error(t, &f, SA_ERR_PADDING, DROP_IPSEC_PADDING);
	text[30] = 200; /* more than there is */
	peer_forges(t, text, sizeof(text), &f);
	expect_error(t, &f, SA_ERR_PADDING, DROP_IPSEC_PADDING);
}

static void mode(void **state)
{
	struct tunnel *t = esp_tunnel();
	uint8_t text[32] = {0x45};
	static struct frame f;

	text[31] = 17; /* UDP, as in transport mode */
	peer_forges(t, text, sizeof(text), &f);
	expect_error(t, &f, SA_ERR_MODE, DROP_IPSEC_MODE);
	text[31] = 41; /* says IPv6, and is not */
	peer_forges(t, text, sizeof(text), &f);
	expect_error(t, &f, SA_ERR_MODE, DROP_IPSEC_MODE);
}

/* RFC 4303 section 2.6: a dummy packet is neither dropped nor passed on. */
static void dummy(void **state)
{
	struct tunnel *t = esp_tunnel();
	uint8_t text[32] = {0};
	static struct frame f;

	text[31] = PROTO_NO_NEXT;
	peer_forges(t, text, sizeof(text), &f);
	rig_put(WAN, &f);
	rig_run();
	expect_nothing();
	assert_int_equal(RIG_STAT(esp_dummies), 1);
	assert_int_equal(RIG_STAT(absorbed), 1);
	assert_int_equal(world_in(t, PROTO_ESP)->dummies, 1);
	expect_drops(DROP_NONE, 0);
}

/* RFC 6040 section 4.2. */
static void ecn(void **state)
{
	struct tunnel *t = esp_tunnel();
	static struct frame f;

	from_peer(t, &f);
	f.b[15] |= 3;
	frame_fix_ip(&f, 14);
	expect_error(t, &f, SA_ERR_ECN, DROP_IPSEC_ECN);
}

static struct selector within;

static void narrow(struct sa_info *info, bool ours)
{
	if (ours && info->in) {
		info->selector = &within;
		info->n_selectors = 1;
	}
}

/* RFC 4301 section 5.2: what comes out of an SA is what the SA is for. */
static void selectors(void **state)
{
	struct spec s = from_far();
	struct tunnel *t, *other;
	static struct frame f, inner;

	within = (struct selector){.src_from = addr_of4(IP(10, 9, 0, 0)),
		.src_to = addr_of4(IP(10, 9, 0, 255)),
		.dst_from = addr_of4(IP(10, 1, 0, 0)),
		.dst_to = addr_of4(IP(10, 1, 255, 255)),
		.proto = 17,
		.sport_to = UINT16_MAX,
		.dport_from = 53,
		.dport_to = 53};
	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	other = world_tunnel(TUNNEL_ESP, false);
	world_sas_with(t, "aes128gcm16", NULL, 0, narrow);
	world_sas(other, "aes128gcm16", NULL, 0);
	world_policy(POLICY_PROTECT, t, "10.1.0.0/16", "10.9.0.0/16", 0);
	world_policy(POLICY_DISCARD, NULL, "10.1.0.0/16", "10.8.0.0/16", 0);
	world_publish();
	from_peer(t, &f);
	rig_put(WAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 1);
	s.dport = 54;
	frame_make(&inner, &s);
	peer_sends(t, &inner, &f);
	expect_drop_of(WAN, &f, DROP_IPSEC_SELECTOR);
	s.dport = 53;
	s.src = IP(10, 9, 1, 1);
	frame_make(&inner, &s);
	peer_sends(t, &inner, &f);
	expect_drop_of(WAN, &f, DROP_IPSEC_SELECTOR);
	s.src = FAR_HOST;
	s.frag = 100; /* a later fragment has no port */
	frame_make(&inner, &s);
	peer_sends(t, &inner, &f);
	expect_drop_of(WAN, &f, DROP_IPSEC_SELECTOR);
	s.frag = 0;
	/* the policy names another tunnel */
	frame_make(&inner, &s);
	peer_sends(other, &inner, &f);
	expect_drop_of(WAN, &f, DROP_IPSEC_SELECTOR);
	/* a policy says discard, whatever it came through */
	s.src = IP(10, 8, 0, 1);
	frame_make(&inner, &s);
	peer_sends(other, &inner, &f);
	expect_drop_of(WAN, &f, DROP_POLICY_IN_DISCARD);
}

/* A tunnel with AH and ESP: either alone is not enough. */
static void bundle(void **state)
{
	struct tunnel *t = new_tunnel(TUNNEL_ESP | TUNNEL_AH, "aes128gcm16", "sha256");
	struct spec s = from_far();
	static struct frame f, inner;

	frame_make(&inner, &s);
	peer_sends_by(t, PROTO_ESP, &inner, &f);
	expect_drop_of(WAN, &f, DROP_IPSEC_BUNDLE);
	/* AH in transport mode around a packet that was never in ESP */
	s.dst = WAN_ADDR;
	s.src = HOST_B;
	frame_make(&inner, &s);
	peer_sends_by(t, PROTO_AH, &inner, &f);
	expect_drop_of(WAN, &f, DROP_IPSEC_BUNDLE);
	from_peer(t, &f);
	rig_put(WAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 1);
	expect_drops(DROP_NONE, 0);
}

/* No SA, or no more: the tunnel has none, one of two, or its id is of none. */
static void no_sa(void **state)
{
	struct spec s = to_far();
	struct tunnel *t;
	static struct frame f;

	frame_make(&f, &s);
	world_clear();
	t = world_tunnel(TUNNEL_ESP | TUNNEL_AH, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	world_policy(POLICY_PROTECT, t, "10.1.0.0/16", "10.9.0.0/16", 0);
	world_publish();
	expect_drop_of(LAN, &f, DROP_IPSEC_NO_SA);
	t = esp_tunnel();
	assert_int_equal(sad_db_del(world_ours, world_out(t, PROTO_ESP)->handle), 0);
	expect_drop_of(LAN, &f, DROP_IPSEC_NO_SA);
	t = esp_tunnel();
	world_ipsec.n_tunnels = 1;
	expect_drop_of(LAN, &f, DROP_IPSEC_NO_SA);
}

/* A buffer without room for what ESP puts behind; and a datagram that fits in none. */
static void room(void **state)
{
	struct tunnel *t = esp_tunnel();
	struct spec s = to_far();
	static struct frame f;
	struct rte_mbuf *m;

	s.payload = payload;
	s.payload_len = 1000;
	frame_make(&f, &s);
	m = rig_mbuf(f.b, f.len);
	/* the frame's end is the buffer's end */
	memmove(rte_pktmbuf_mtod(m, uint8_t *) + rte_pktmbuf_tailroom(m), f.b, f.len);
	m->data_off = (uint16_t)(m->data_off + rte_pktmbuf_tailroom(m));
	rig_put_mbuf(LAN, m);
	rig_run();
	expect_nothing();
	expect_drops(DROP_IPSEC_TOO_BIG, 1);
	assert_int_equal(world_out(t, PROTO_ESP)->error[SA_ERR_TOO_BIG], 1);
}

static void segments(void **state)
{
	static struct frame outer, piece[8];
	struct tunnel *t = esp_tunnel();
	struct spec s = spec_from_wan(spec_udp());
	static const uint8_t much[4000];
	unsigned n;

	/* what it holds does not matter: it is too long to be looked at */
	s.dst = WAN_ADDR;
	s.proto = PROTO_ESP;
	s.raw = true;
	s.payload = much;
	s.payload_len = sizeof(much);
	frame_make(&outer, &s);
	n = frame_cut(piece, 8, &outer, 1500);
	assert_in_range(n, 3, 4);
	for (unsigned i = 0; i < n; i++)
		rig_put(WAN, &piece[i]);
	rig_run();
	expect_nothing();
	expect_drops(DROP_IPSEC_SEGMENTS, 1);
	assert_non_null(t);
}

/* Nothing goes out of a tunnel that was on no link of ours (RFC 4291 section 2.5.6), and neighbour
 * discovery in a tunnel is none. */
static void link_local(void **state)
{
	struct spec6 s = spec6_from_wan(spec6_echo());
	struct tunnel *t;
	static struct frame f, inner;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	world_publish();
	s.dst = ip6_of("fe80::1");
	frame6_make(&inner, &s);
	peer_sends(t, &inner, &f);
	expect_drop_of(WAN, &f, DROP_IP6_LINK_LOCAL);
	s.dst = ip6_of(WAN6);
	s.type = 136; /* neighbour advertisement */
	s.hop_limit = 255;
	frame6_make(&inner, &s);
	peer_sends(t, &inner, &f);
	expect_drop_of(WAN, &f, DROP_LOCAL_ICMP_IGNORED);
}

static int teardown(void **state)
{
	world_clear();
	return rig_teardown(state);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(unknown_spi),
		WORLD_TEST(replay),
		WORLD_TEST(integrity),
		WORLD_TEST(truncated),
		WORLD_TEST(sequence),
		WORLD_TEST(lifetime),
		WORLD_TEST(padding),
		WORLD_TEST(mode),
		WORLD_TEST(dummy),
		WORLD_TEST(ecn),
		WORLD_TEST(selectors),
		WORLD_TEST(bundle),
		WORLD_TEST(no_sa),
		WORLD_TEST(room),
		WORLD_TEST(segments),
		WORLD_TEST(link_local),
	};
	int ret;

	rig_up(&world, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
