/* Packets through tunnels, byte for byte: out of the box and into it, both families inside and
 * outside, ESP, AH and both, tunnel and transport mode, by policy and by tunnel interface; a peer
 * with the same keys opens what is sent and sends what comes in.
 */
#include "ipsec_world.h"

#include "ipsec/esp.h"
#include "table/acl_write.h"

#include <stdio.h>
#include <string.h>

static const struct rig_text world = {.interfaces = RIG6_INTERFACES, .routes = PEER_ROUTES};

static const uint8_t payload[1480] = "what goes into the tunnel comes out of it";

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

static struct spec6 to_far6(void)
{
	struct spec6 s = spec6_udp();

	s.dst = ip6_of(FAR_HOST6);
	return s;
}

static struct spec6 from_far6(void)
{
	struct spec6 s = spec6_from_wan(spec6_udp());

	s.src = ip6_of(FAR_HOST6);
	return s;
}

/* What the peer must find: the packet with a TTL one less. */
static void expect_protected(const struct tunnel *t, const struct frame *in, bool ip6)
{
	static struct frame want;
	struct l2 l2 = l2_to(HOST_B, WAN, 0);

	rig_put(LAN, in);
	rig_run();
	(ip6 ? frame6_routed : frame_routed)(&want, in, &l2);
	expect_opened(t, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* The packet, sent by the peer through the tunnel, comes out at HOST_A. */
static void expect_admitted(const struct tunnel *t, const struct frame *inner, bool ip6)
{
	static struct frame outer, want;
	struct l2 l2 = l2_to(HOST_A, LAN, 0);
	struct l2 l26 = l2_to6(HOST_A6, LAN, 0);

	peer_sends(t, inner, &outer);
	rig_put(WAN, &outer);
	rig_run();
	(ip6 ? frame6_routed : frame_routed)(&want, inner, ip6 ? &l26 : &l2);
	expect_frame(LAN, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* Both ways, of both families inside, of many sizes. */
static void both_ways(const struct tunnel *t, unsigned most)
{
	static struct frame f;

	for (unsigned len = 0; len <= most; len += len < 40 ? 1 : 117) {
		struct spec s = to_far(), back = from_far();
		struct spec6 s6 = to_far6(), back6 = from_far6();

		s.payload = back.payload = s6.payload = back6.payload = payload;
		s.payload_len = back.payload_len = s6.payload_len = back6.payload_len = len;
		frame_make(&f, &s);
		expect_protected(t, &f, false);
		frame_make(&f, &back);
		expect_admitted(t, &f, false);
		frame6_make(&f, &s6);
		expect_protected(t, &f, true);
		frame6_make(&f, &back6);
		expect_admitted(t, &f, true);
	}
}

static void by_policy(const struct tunnel *t)
{
	world_policy(POLICY_PROTECT, t, "10.1.0.0/16", "10.9.0.0/16", 0);
	world_policy(POLICY_PROTECT, t, "2001:db8:1::/64", "2001:db8:9::/48", 0);
}

/* RFC 4303 section 3.1.2, RFC 4302 section 3.1.2, RFC 4301 section 5.1.2: all four combinations. */
static void tunnel_mode(void **state)
{
	static const struct {
		unsigned flags;
		const char *esp, *ah;
	} kind[] = {
		{TUNNEL_ESP, "aes128gcm16", NULL},
		{TUNNEL_ESP, "aes256-sha256", NULL},
		{TUNNEL_ESP, "chacha20poly1305", NULL},
		{TUNNEL_AH, NULL, "sha256"},
		{TUNNEL_ESP | TUNNEL_AH, "aes128-sha1", "sha1"},
	};

	for (unsigned i = 0; i < RTE_DIM(kind); i++) {
		for (unsigned ip6 = 0; ip6 < 2; ip6++) {
			struct tunnel *t;

			world_clear();
			t = world_tunnel(kind[i].flags, ip6);
			world_sas(t, kind[i].esp, kind[i].ah, 0);
			by_policy(t);
			world_publish();
			both_ways(t, 1300);
		}
	}
}

/* RFC 3948: in UDP, of both families outside. */
static void in_udp(void **state)
{
	static struct frame f, g;

	for (unsigned ip6 = 0; ip6 < 2; ip6++) {
		struct tunnel *t;
		struct spec s = to_far();

		world_clear();
		t = world_tunnel(TUNNEL_ESP | TUNNEL_ENCAP, ip6);
		world_sas(t, "aes128gcm16", NULL, 0);
		by_policy(t);
		world_publish();
		both_ways(t, 600);
		frame_make(&f, &s);
		rig_put(LAN, &f);
		rig_run();
		assert_true(rig_take(WAN, &g));
		assert_int_equal(g.b[ip6 ? 20 : 23], 17);
		assert_int_equal(g.b[(ip6 ? 54 : 34) + 2] << 8 | g.b[(ip6 ? 54 : 34) + 3], 4500);
	}
}

/* RFC 3948 sections 2.2 and 2.3: a keepalive asks for nothing; behind the marker is IKE. */
static void keepalive_and_ike(void **state)
{
	struct spec s = spec_from_wan(spec_udp());
	struct tunnel *t;
	static struct frame f;

	world_clear();
	t = world_tunnel(TUNNEL_ESP | TUNNEL_ENCAP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	world_others(POLICY_DISCARD); /* neither is judged by policies */
	world_publish();
	s.dst = WAN_ADDR;
	s.sport = s.dport = 4500;
	s.payload = "\xff";
	s.payload_len = 1;
	frame_make(&f, &s);
	rig_put(WAN, &f);
	rig_run();
	expect_nothing();
	assert_int_equal(RIG_STAT(nat_keepalives), 1);
	assert_int_equal(RIG_STAT(absorbed), 1);
	expect_drops(DROP_NONE, 0);
	s.payload = "\0\0\0\0and what IKE has to say";
	s.payload_len = 28;
	frame_make(&f, &s);
	rig_put(WAN, &f);
	rig_run();
	expect_drops(DROP_LOCAL_NO_PORT, 1);
	s.dport = 500;
	frame_make(&f, &s);
	rig_put(WAN, &f);
	rig_run();
	expect_drops(DROP_LOCAL_NO_PORT, 1);
	rig_discard();
}

/* RFC 3948 section 4: a keepalive of ours is routed like what the tunnel protects. */
static void keepalive_goes_out(void **state)
{
	static struct frame want, got;

	for (unsigned n = 0; n < 4; n++) {
		bool ip6 = n & 1, transport = n & 2;
		uint8_t packet[SA_OUTER_MAX], *udp = want.b + (ip6 ? 54 : 34);
		struct l2 l2 = ip6 ? l2_to6(HOST_B6, WAN, 0) : l2_to(HOST_B, WAN, 0);
		struct spec s = spec_from_wan(spec_udp());
		struct spec6 s6 = spec6_from_wan(spec6_udp());
		struct rte_mbuf *m = rte_pktmbuf_alloc(rig->pool);
		struct tunnel *t;
		unsigned len;

		world_clear();
		t = world_tunnel(
			TUNNEL_ESP | TUNNEL_ENCAP | (transport ? TUNNEL_TRANSPORT : 0), ip6);
		world_sas(t, "aes128gcm16", NULL, 0);
		world_others(POLICY_DISCARD); /* it is judged by no policy */
		world_publish();
		len = nat_keepalive(world_out(t, PROTO_ESP), t, packet);
		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)len), packet, len);
		*meta_of(m) = (struct meta){.flags = META_OURS | (ip6 ? META_IP6 : 0)};
		assert_int_equal(link_packets_put(&rig->worker[0]->link.inject, &m, 1), 1);
		rig_run();

		s.src = WAN_ADDR;
		s.dst = HOST_B;
		s6.src = ip6_of(WAN6);
		s6.dst = ip6_of(HOST_B6);
		s.sport = s.dport = s6.sport = s6.dport = 4500;
		s.payload = s6.payload = "\xff";
		s.payload_len = s6.payload_len = 1;
		s.id = 0;
		s.tos = 0;
		s.ttl = s6.hop_limit = 64;
		s6.class = 0;
		s6.flow = 0;
		s.frag = FRAG_DF;
		s.src_mac = s6.src_mac = l2.src;
		s.dst_mac = s6.dst_mac = l2.dst;
		if (ip6) {
			frame6_make(&want, &s6);
		} else {
			frame_make(&want, &s);
			udp[6] = udp[7] = 0; /* RFC 3948 section 2.1 */
		}
		assert_true(rig_take(WAN, &got));
		assert_true(frame_same(&got, &want, "keepalive"));
		assert_int_equal(RIG_STAT(injected), 1);
		expect_nothing();
		expect_drops(DROP_NONE, 0);
	}
}

/* RFC 4303 section 3.1.1: what the box itself says, in transport mode. */
static void transport_mode(void **state)
{
	static const struct {
		unsigned flags;
		const char *esp, *ah;
	} kind[] = {
		{TUNNEL_ESP, "aes128gcm16", NULL},
		{TUNNEL_AH, NULL, "sha256"},
		{TUNNEL_ESP | TUNNEL_AH, "aes128-sha256", "sha512"},
		{TUNNEL_ESP | TUNNEL_ENCAP, "aes256gcm16", NULL},
	};
	static struct frame in, outer, want;

	for (unsigned i = 0; i < RTE_DIM(kind); i++) {
		struct spec s = spec_from_wan(spec_echo());
		struct spec6 s6 = spec6_from_wan(spec6_echo());
		struct l2 l2 = l2_to(HOST_B, WAN, 0);
		struct ip6 own = ip6_of(WAN6);
		struct tunnel *t[2];

		world_clear();
		for (unsigned ip6 = 0; ip6 < 2; ip6++) {
			t[ip6] = world_tunnel(kind[i].flags | TUNNEL_TRANSPORT, ip6);
			world_sas(t[ip6], kind[i].esp, kind[i].ah, 0);
		}
		world_policy(POLICY_PROTECT, t[0], "192.0.2.1/32", "192.0.2.2/32", 0);
		world_policy(POLICY_PROTECT, t[1], WAN6 "/128", HOST_B6 "/128", 0);
		world_publish();
		s.dst = WAN_ADDR;
		frame_make(&in, &s);
		peer_sends(t[0], &in, &outer);
		rig_put(WAN, &outer);
		rig_run();
		frame_echo_reply(&want, &in, 64, &l2);
		expect_opened(t[0], &want);
		s6.dst = own;
		frame6_make(&in, &s6);
		peer_sends(t[1], &in, &outer);
		rig_put(WAN, &outer);
		rig_run();
		frame6_echo_reply(&want, &in, 0, &own, 64, &l2);
		expect_opened(t[1], &want);
		expect_nothing();
		expect_drops(DROP_NONE, 0);
		/* and in the clear it is not wanted */
		frame6_make(&in, &s6);
		expect_drop_of(WAN, &in, DROP_POLICY_IN_CLEAR);
		frame_make(&in, &s);
		expect_drop_of(WAN, &in, DROP_POLICY_IN_CLEAR);
	}
}

/* What the box answers to what came out of a tunnel goes back through it: an echo to the box, and
 * ICMP errors, which have an address that the policies know. */
static void answers_go_back(void **state)
{
	struct spec s = spec_echo();
	struct l2 l2 = l2_to(HOST_B, WAN, 0);
	static struct frame in, outer, want;
	struct icmp_error e = {.from = LAN_ADDR, .ttl = 64};
	struct tunnel *t;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	by_policy(t);
	world_publish();
	s.src = FAR_HOST;
	s.dst = LAN_ADDR;
	frame_make(&in, &s);
	peer_sends(t, &in, &outer);
	rig_put(WAN, &outer);
	rig_run();
	frame_echo_reply(&want, &in, 64, &l2);
	expect_opened(t, &want);
	expect_drops(DROP_NONE, 0);
	/* the time of a packet ends behind the tunnel */
	s.dst = HOST_A;
	s.ttl = 1;
	frame_make(&in, &s);
	peer_sends(t, &in, &outer);
	rig->worker[0]->ip_id = 77;
	rig_put(WAN, &outer);
	rig_run();
	e.type = 11;
	e.id = 77;
	frame_icmp_error(&want, &in, &e, &l2);
	expect_opened(t, &want);
	expect_drops(DROP_TTL_EXCEEDED, 1);
	/* and a port where nobody listens */
	s = spec_udp();
	s.src = FAR_HOST;
	s.dst = LAN_ADDR;
	frame_make(&in, &s);
	peer_sends(t, &in, &outer);
	rig->worker[0]->ip_id = 78;
	rig_put(WAN, &outer);
	rig_run();
	e.type = 3;
	e.code = 3;
	e.id = 78;
	frame_icmp_error(&want, &in, &e, &l2);
	expect_opened(t, &want);
	expect_drops(DROP_LOCAL_NO_PORT, 1);
	expect_nothing();
}

/* RFC 4301 section 5.1.2.1: the inner TTL falls once, and ends before the tunnel. */
static void ttl_ends_before(void **state)
{
	struct spec s = to_far();
	struct spec6 s6 = to_far6();
	struct tunnel *t;
	static struct frame f;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, true);
	world_sas(t, "aes128gcm16", NULL, 0);
	by_policy(t);
	world_publish();
	s.ttl = 2;
	frame_make(&f, &s);
	expect_protected(t, &f, false);
	s6.hop_limit = 2;
	frame6_make(&f, &s6);
	expect_protected(t, &f, true);
	s.ttl = 1;
	frame_make(&f, &s);
	rig_put(LAN, &f);
	s6.hop_limit = 1;
	frame6_make(&f, &s6);
	rig_put(LAN, &f);
	rig_run();
	assert_true(rig_take(LAN, &f)); /* time exceeded, to HOST_A */
	assert_true(rig_take(LAN, &f));
	expect_nothing();
	expect_drops(DROP_TTL_EXCEEDED, 2);
}

/* The first policy that is about a packet counts (RFC 4301 section 4.4.1). */
static void bypass_and_discard(void **state)
{
	struct spec s = to_far(), back = from_far();
	struct tunnel *t;
	static struct frame f;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	world_policy(POLICY_BYPASS, NULL, "10.1.0.2/32", "10.9.0.5/32", 0);
	world_policy(POLICY_DISCARD, NULL, "10.1.0.0/16", "10.9.1.0/24", 0);
	by_policy(t);
	world_publish();
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, IP(192, 0, 2, 254), 0);
	frame_make(&f, &back);
	expect_routed(WAN, &f, LAN, HOST_A, 0);
	s.dst = IP(10, 9, 1, 1);
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_POLICY_OUT_DISCARD);
	back.src = IP(10, 9, 1, 1);
	frame_make(&f, &back);
	expect_drop_of(WAN, &f, DROP_POLICY_IN_DISCARD);
	s.dst = IP(10, 9, 0, 6);
	frame_make(&f, &s);
	expect_protected(t, &f, false);
	back.src = IP(10, 9, 0, 6);
	frame_make(&f, &back);
	expect_drop_of(WAN, &f, DROP_POLICY_IN_CLEAR);
	expect_admitted(t, &f, false);
}

/* The same where nothing but what a policy says may pass. */
static void others_are_discarded(void **state)
{
	struct spec s = spec_udp(), echo = spec_echo(), back;
	struct tunnel *t;
	static struct frame f;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	by_policy(t);
	world_policy(POLICY_BYPASS, NULL, "10.1.0.3/32", "192.0.2.0/24", 0);
	world_others(POLICY_DISCARD);
	world_publish();
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_POLICY_OUT_DISCARD);
	echo.dst = LAN_ADDR;
	frame_make(&f, &echo);
	expect_drop_of(LAN, &f, DROP_POLICY_IN_DISCARD);
	s.dst = FAR_HOST;
	frame_make(&f, &s);
	expect_protected(t, &f, false);
	back = from_far();
	frame_make(&f, &back);
	expect_admitted(t, &f, false);
	/* what a policy lets pass, passes both ways */
	s = spec_udp();
	s.src = IP(10, 1, 0, 3);
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	back = spec_from_wan(spec_udp());
	frame_make(&f, &back);
	expect_drop_of(WAN, &f, DROP_POLICY_OUT_DISCARD);
	back.dst = IP(10, 1, 0, 3);
	frame_make(&f, &back);
	expect_routed(WAN, &f, LAN, IP(10, 1, 0, 3), 0);
}

/* A flow that the cache knows goes in the clear no longer when a policy comes, and what a policy
 * protects is never learned. */
static void flow_cache_obeys(void **state)
{
	struct spec s = to_far();
	struct tunnel *t;
	static struct frame f;
	struct flow_cache *c = rig->worker[0]->flow_cache;
	uint64_t learned;

	world_clear();
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, IP(192, 0, 2, 254), 0);
	learned = c->learned;
	expect_routed(LAN, &f, WAN, IP(192, 0, 2, 254), 0); /* by the cache */
	assert_int_equal(c->learned, learned);
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	by_policy(t);
	world_publish();
	for (unsigned i = 0; i < 3; i++)
		expect_protected(t, &f, false);
	s = from_far();
	frame_make(&f, &s);
	for (unsigned i = 0; i < 3; i++)
		expect_drop_of(WAN, &f, DROP_POLICY_IN_CLEAR);
	for (unsigned i = 0; i < 3; i++)
		expect_admitted(t, &f, false);
	for (unsigned i = 0; i < 3; i++)
		expect_drop_of(WAN, &f, DROP_POLICY_IN_CLEAR);
}

/* A tunnel interface: what is routed to it goes through its tunnel, and what comes out of the
 * tunnel came in by it. */
static void tunnel_interface(void **state)
{
	struct iface *f = (struct iface *)(uintptr_t)ports_find(rig->tables->ports, "v10");
	struct spec s = spec_udp();
	struct spec6 s6 = spec6_udp();
	struct iface before = *f;
	struct tunnel *t;
	static struct frame in, outer, want;
	struct l2 l2 = l2_to(HOST_A, LAN, 0);

	world_clear();
	t = world_tunnel(TUNNEL_ESP, true);
	t->iface = f->id;
	t->zone = f->zone;
	f->flags |= IFACE_TUNNEL;
	f->tunnel = t->id;
	world_sas(t, "aes128gcm16", NULL, 0);
	world_publish();
	s.dst = IP(10, 10, 0, 77);
	frame_make(&in, &s);
	expect_protected(t, &in, false);
	s6.dst = ip6_of("2001:db8:a::77");
	frame6_make(&in, &s6);
	expect_protected(t, &in, true);
	/* back */
	s.src = IP(10, 10, 0, 77);
	s.dst = HOST_A;
	frame_make(&in, &s);
	expect_admitted(t, &in, false);
	/* what the box answers has the interface's address */
	s = spec_echo();
	s.src = IP(10, 10, 0, 77);
	s.dst = IP(10, 10, 0, 1);
	frame_make(&in, &s);
	peer_sends(t, &in, &outer);
	rig_put(WAN, &outer);
	rig_run();
	frame_echo_reply(&want, &in, 64, &l2);
	expect_opened(t, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
	*f = before;
}

/* RFC 4301 section 8: a packet that does not fit and may not be cut is refused with the MTU that
 * would. */
static void too_big_is_told(void **state)
{
	static struct frame in, got;

	for (unsigned ip6 = 0; ip6 < 2; ip6++) {
		struct spec s = to_far();
		struct spec6 s6 = to_far6();
		struct tunnel *t;
		unsigned max;

		world_clear();
		t = world_tunnel(TUNNEL_ESP, ip6);
		world_sas(t, "aes128gcm16", NULL, 0);
		by_policy(t);
		world_publish();
		max = esp_inner_max(world_out(t, PROTO_ESP), 1500);
		assert_in_range(max, 1400, 1460);
		s.payload = s6.payload = payload;
		s.frag = FRAG_DF;
		s.payload_len = max - 28;
		frame_make(&in, &s);
		expect_protected(t, &in, false);
		s.payload_len++;
		frame_make(&in, &s);
		rig_put(LAN, &in);
		rig_run();
		assert_true(rig_take(LAN, &got));
		assert_int_equal(got.b[34] << 8 | got.b[35], 3 << 8 | 4);
		assert_int_equal(got.b[40] << 8 | got.b[41], max);
		expect_drops(DROP_MTU_EXCEEDED, 1);
		s6.payload_len = max - 48;
		frame6_make(&in, &s6);
		expect_protected(t, &in, true);
		s6.payload_len++;
		frame6_make(&in, &s6);
		rig_put(LAN, &in);
		rig_run();
		assert_true(rig_take(LAN, &got));
		assert_int_equal(got.b[54], 2);
		assert_int_equal(got.b[60] << 8 | got.b[61], max);
		expect_drops(DROP_MTU_EXCEEDED, 1);
		/* the path has less than the interface */
		atomic_store(&world_out(t, PROTO_ESP)->path_mtu, 1400);
		s.payload_len = max - 28;
		frame_make(&in, &s);
		rig_put(LAN, &in);
		rig_run();
		assert_true(rig_take(LAN, &got));
		assert_int_equal(
			got.b[40] << 8 | got.b[41], esp_inner_max(world_out(t, PROTO_ESP), 1400));
		expect_drops(DROP_MTU_EXCEEDED, 1);
		expect_nothing();
	}
}

/* The frame with the ICMP error of a router about the packet in `about`, that it did not fit. */
static void path_error(struct frame *f, const struct frame *about, bool ip6, unsigned mtu)
{
	struct spec s = spec_from_wan(spec_echo());
	struct spec6 s6 = spec6_from_wan(spec6_echo());

	s.dst = WAN_ADDR;
	s.type = 3;
	s.code = 4;
	s6.dst = ip6_of(WAN6);
	s6.type = 2;
	s6.code = 0;
	s.rest = s6.rest = mtu;
	s.payload = s6.payload = about->b + 14;
	s.payload_len = s6.payload_len = 80;
	if (ip6)
		frame6_make(f, &s6);
	else
		frame_make(f, &s);
}

/* What such an error makes the control core hear; false: nothing, and it was ignored. */
static bool heard(const struct frame *f, struct path_mtu *told)
{
	struct event e;

	rig_put(WAN, f);
	rig_run();
	expect_nothing();
	if (link_event_get(&rig->worker[0]->link, &e, 1) == 0) {
		expect_drops(DROP_LOCAL_ICMP_IGNORED, 1);
		return false;
	}
	assert_int_equal(RIG_STAT(path_mtu_told), 1);
	assert_int_equal(RIG_STAT(absorbed), 1);
	expect_drops(DROP_NONE, 0);
	assert_int_equal(e.kind, EVENT_PATH_MTU);
	*told = e.path_mtu;
	return true;
}

/* RFC 4301 section 8.2: a router says that our ESP was too large. It is believed when it quotes
 * what an SA of ours sends; then the source inside is told what fits. */
static void path_mtu_is_learned(void **state)
{
	static struct frame in, sent, error, got;

	for (unsigned n = 0; n < 6; n++) {
		bool ip6 = n & 1, udp = n & 2, ah = n & 4;
		struct spec s = to_far();
		struct path_mtu told;
		struct event e;
		struct tunnel *t;
		struct sa *sa;

		while (link_event_get(&rig->worker[0]->link, &e, 1))
			;
		world_clear();
		t = world_tunnel(ah    ? TUNNEL_AH
				 : udp ? TUNNEL_ESP | TUNNEL_ENCAP
				       : TUNNEL_ESP,
			ip6);
		world_sas(t, ah ? NULL : "aes128gcm16", ah ? "sha256" : NULL, 0);
		by_policy(t);
		world_publish();
		sa = world_out(t, ah ? PROTO_AH : PROTO_ESP);
		s.payload = payload;
		s.payload_len = 1360;
		s.frag = FRAG_DF;
		frame_make(&in, &s);
		rig_put(LAN, &in);
		rig_run();
		assert_true(rig_take(WAN, &sent));

		path_error(&error, &sent, ip6, 1350);
		assert_true(heard(&error, &told));
		assert_int_equal(told.mtu, 1350);
		assert_int_equal(told.spi, sa->spi);
		assert_int_equal(sad_db_path_mtu_told(world_ours, world_ipsec.tunnel,
					 world_ipsec.n_tunnels, &told),
			t->id);
		assert_int_equal(sa->path_mtu, 1350);
		/* it only falls */
		told.mtu = 1400;
		assert_int_equal(sad_db_path_mtu_told(world_ours, world_ipsec.tunnel,
					 world_ipsec.n_tunnels, &told),
			TUNNEL_NONE);
		told.mtu = 1300;
		/* of no SA, of other endpoints */
		told.spi ^= RTE_BE32(1);
		assert_int_equal(sad_db_path_mtu_told(world_ours, world_ipsec.tunnel,
					 world_ipsec.n_tunnels, &told),
			TUNNEL_NONE);
		told.spi ^= RTE_BE32(1);
		told.dst.b[15] ^= 1;
		assert_int_equal(sad_db_path_mtu_told(world_ours, world_ipsec.tunnel,
					 world_ipsec.n_tunnels, &told),
			TUNNEL_NONE);
		assert_int_equal(sa->path_mtu, 1350);

		rig_put(LAN, &in);
		rig_run();
		assert_true(rig_take(LAN, &got));
		assert_int_equal(got.b[34] << 8 | got.b[35], 3 << 8 | 4);
		assert_int_equal(got.b[40] << 8 | got.b[41], esp_inner_max(sa, 1350));
		expect_drops(DROP_MTU_EXCEEDED, 1);
		/* it would have fitted; a packet that is none of these */
		path_error(&error, &sent, ip6, 9000);
		assert_false(heard(&error, &told));
		sent.b[14 + (ip6 ? 6 : 9)] = 6;
		path_error(&error, &sent, ip6, 1350);
		assert_false(heard(&error, &told));
	}
}

/* Without DF it is cut: before ESP, each piece a packet of its own, or behind, as its tunnel says;
 * and what comes in cut behind ESP is put together first (RFC 4303 section 3.3.4, 3.4.1). */
static void cut_before_and_behind(void **state)
{
	static struct frame in, want, piece[4], outer;
	struct l2 l2 = l2_to(HOST_B, WAN, 0);
	struct l2 to_a = l2_to(HOST_A, LAN, 0);
	unsigned n;

	for (unsigned ip6 = 0; ip6 < 2; ip6++) {
		struct spec s = to_far();
		struct tunnel *t;

		world_clear();
		t = world_tunnel(TUNNEL_ESP | TUNNEL_FRAGMENT_INNER, ip6);
		world_sas(t, "aes128gcm16", NULL, 0);
		by_policy(t);
		world_publish();
		s.payload = payload;
		s.payload_len = 1472;
		frame_make(&in, &s);
		rig_put(LAN, &in);
		rig_run();
		frame_routed(&want, &in, &l2);
		n = frame_cut(piece, 4, &want, esp_inner_max(world_out(t, PROTO_ESP), 1500));
		assert_int_equal(n, 2);
		expect_opened(t, &piece[0]);
		expect_opened(t, &piece[1]);
		expect_nothing();
		assert_int_equal(RIG_STAT(created), 1);
		expect_drops(DROP_NONE, 0);

		t->flags &= (uint8_t)~TUNNEL_FRAGMENT_INNER;
		rig_put(LAN, &in);
		rig_run();
		assert_true(rig_take(WAN, &piece[0]));
		assert_true(rig_take(WAN, &piece[1]));
		expect_nothing();
		assert_int_equal(RIG_STAT(packets_cut), 1);
		expect_drops(DROP_NONE, 0);
		assert_int_equal(piece[0].b[ip6 ? 20 : 23], ip6 ? 44 : 50);

		/* from the peer */
		s.src = FAR_HOST;
		s.dst = HOST_A;
		frame_make(&in, &s);
		peer_sends(t, &in, &outer);
		n = ip6 ? frame6_cut(piece, 4, &outer, 1280, 99)
			: frame_cut(piece, 4, &outer, 1280);
		assert_int_equal(n, 2);
		rig_put(WAN, &piece[1]);
		rig_put(WAN, &piece[0]);
		rig_run();
		frame_routed(&want, &in, &to_a);
		expect_frame(LAN, &want);
		expect_nothing();
		assert_int_equal(RIG_STAT(absorbed), 1);
		expect_drops(DROP_NONE, 0);
	}
}

/* RFC 4301 section 7: a policy that names ports must see them, so fragments are put together for
 * it; others go each by itself. */
static void fragments_and_ports(void **state)
{
	static struct frame in, want, piece[4], outer;
	struct l2 l2 = l2_to(HOST_B, WAN, 0);
	struct l2 gw = l2_to(IP(192, 0, 2, 254), WAN, 0);
	struct spec s = to_far();
	struct tunnel *t;
	unsigned n;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	by_policy(t);
	world_publish();
	s.payload = payload;
	s.payload_len = 1000;
	frame_make(&in, &s);
	frame_routed(&want, &in, &l2);
	n = frame_cut(piece, 4, &in, 576);
	assert_int_equal(n, 2);
	rig_put(LAN, &piece[0]);
	rig_put(LAN, &piece[1]);
	rig_run();
	n = frame_cut(piece, 4, &want, 576);
	expect_opened(t, &piece[0]);
	expect_opened(t, &piece[1]);

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	world_policy(POLICY_PROTECT, t, "10.1.0.0/16", "10.9.0.0/16", 53);
	world_publish();
	frame_cut(piece, 4, &in, 576);
	rig_put(LAN, &piece[1]);
	rig_put(LAN, &piece[0]);
	rig_run();
	expect_opened(t, &want); /* whole */
	expect_nothing();
	/* another port is in the clear, cut again where it must be */
	s.dport = 54;
	s.payload_len = 1472;
	frame_make(&in, &s);
	frame_cut(piece, 4, &in, 1280);
	rig_put(LAN, &piece[0]);
	rig_put(LAN, &piece[1]);
	rig_run();
	frame_routed(&want, &in, &gw);
	expect_frame(WAN, &want);
	expect_nothing();
	/* the same port in the clear inbound, of which the later fragment says nothing */
	s = from_far();
	s.sport = 53;
	s.payload = payload;
	s.payload_len = 1000;
	frame_make(&in, &s);
	frame_cut(piece, 4, &in, 576);
	rig_put(WAN, &piece[0]);
	rig_put(WAN, &piece[1]);
	rig_run();
	expect_nothing();
	expect_drops(DROP_POLICY_IN_CLEAR, 1);
	/* a fragment in the clear completes none that came out of a tunnel */
	peer_sends(t, &piece[0], &outer);
	rig_put(WAN, &outer);
	rig_put(WAN, &piece[1]);
	rig_run();
	expect_nothing();
	expect_drops(DROP_NONE, 0);
	assert_int_equal(rig->worker[0]->stats.frag_waiting, 2);
	rig->worker[0]->now_tsc += 1;
	peer_sends(t, &piece[1], &outer);
	rig_put(WAN, &outer);
	rig_run();
	assert_int_equal(rig->worker[0]->stats.frag_waiting, 1);
	rig_discard();
}

/* The MSS of a SYN falls to what fits, the one way and the other. */
static void mss_is_clamped(void **state)
{
	struct spec s = spec_tcp();
	static struct frame in, outer, got, inner;
	struct tunnel *t;
	unsigned max;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	by_policy(t);
	world_publish();
	max = esp_inner_max(world_out(t, PROTO_ESP), 1500);
	s.dst = FAR_HOST;
	frame_make(&in, &s);
	/* room for the option */
	in.b[14 + 20 + 12] = 6 << 4;
	memcpy(in.b + 14 + 40, "\2\4\5\xb4", 4);
	{
		uint8_t pseudo[12 + 64] = {0};
		unsigned tcp = in.len - 34;
		uint16_t sum;

		memset(in.b + 34 + 16, 0, 2);
		memcpy(pseudo, in.b + 26, 8);
		pseudo[9] = 6;
		pseudo[11] = (uint8_t)tcp;
		memcpy(pseudo + 12, in.b + 34, tcp);
		sum = frame_cksum(pseudo, 12 + tcp);
		in.b[34 + 16] = (uint8_t)(sum >> 8);
		in.b[34 + 17] = (uint8_t)sum;
	}
	for (unsigned dir = 0; dir < 2; dir++) {
		uint8_t pseudo[12 + 64] = {0};
		unsigned tcp = in.len - 34;

		if (dir == 0) {
			rig_put(LAN, &in);
			rig_run();
			assert_true(rig_take(WAN, &got));
			assert_true(peer_opens(t, &got, &inner));
		} else {
			/* the sum of both addresses stays the same */
			uint8_t src[4];

			memcpy(src, in.b + 26, 4);
			memcpy(in.b + 26, in.b + 30, 4);
			memcpy(in.b + 30, src, 4);
			peer_sends(t, &in, &outer);
			rig_put(WAN, &outer);
			rig_run();
			assert_true(rig_take(LAN, &inner));
		}
		assert_int_equal(inner.b[56] << 8 | inner.b[57], max - 40);
		memcpy(pseudo, inner.b + 26, 8);
		pseudo[9] = 6;
		pseudo[11] = (uint8_t)tcp;
		memcpy(pseudo + 12, inner.b + 34, tcp);
		assert_int_equal(frame_cksum(pseudo, 12 + tcp), 0);
	}
}

/* Tunnel in tunnel: what came out of one is for us again, and is taken off as well, but no more
 * often than nesting_max. */
static void nested(void **state)
{
	struct spec s = from_far();
	struct l2 l2 = l2_to(HOST_A, LAN, 0);
	struct tunnel *t[2];
	static struct frame in, one, two, want;

	world_clear();
	t[0] = world_tunnel(TUNNEL_ESP, false);
	t[1] = world_tunnel(TUNNEL_ESP, true);
	world_sas(t[0], "aes128gcm16", NULL, 0);
	world_sas(t[1], "aes128-sha256", NULL, 0);
	by_policy(t[0]);
	world_publish();
	frame_make(&in, &s);
	peer_sends(t[0], &in, &one);
	peer_sends(t[1], &one, &two);
	rig_put(WAN, &two);
	rig_run();
	frame_routed(&want, &in, &l2);
	expect_frame(LAN, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
	world_ipsec.nesting_max = 1;
	peer_sends(t[0], &in, &one);
	peer_sends(t[1], &one, &two);
	expect_drop_of(WAN, &two, DROP_IPSEC_NESTING);
}

/* The filter may judge ESP before it is taken off, or not; and always what comes out. */
static void predecap_filter(void **state)
{
	static const struct rig_text deny_esp = {.interfaces = RIG6_INTERFACES,
		.routes = PEER_ROUTES,
		.rules = "{ action = \"deny\"; proto = \"esp\"; direction = \"inbound\"; },"
			 "{ action = \"deny\"; proto = \"udp\"; dport = \"eq 99\"; }, " PERMIT_ALL};
	struct spec s = from_far();
	struct tunnel *t;
	static struct frame in, outer;

	rig_reload(&deny_esp);
	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	by_policy(t);
	world_publish();
	frame_make(&in, &s);
	peer_sends(t, &in, &outer);
	expect_drop_of(WAN, &outer, DROP_FILTER_IN);
	world_ipsec.predecap_filter = 0;
	expect_admitted(t, &in, false);
	s.dport = 99;
	frame_make(&in, &s);
	peer_sends(t, &in, &outer);
	expect_drop_of(WAN, &outer, DROP_FILTER_IN);
	world_clear();
	rig_reload(&world);
}

static struct acl *put_filter(const struct rule *rules, uint32_t n)
{
	static struct acl_counters *counters;
	struct acl_build_stats stats;
	struct acl *acl = NULL;
	char why[200];

	if (counters == NULL)
		counters = acl_counters_new(64);
	if (n) {
		acl = acl_build(
			rules, n, counters, SOCKET_ID_ANY, &stats, NULL, NULL, why, sizeof(why));
		assert_non_null(acl);
	}
	for (unsigned i = 0; i < 2; i++) {
		rig->tables->root[i].acl = acl ? acl : rig->tables->acl;
		rig->tables->root[i].serial += 1000;
	}
	rig_walk();
	return acl;
}

/* ESP both ways, anything on the secure side, and on the other what t= says. */
static struct acl *filter_with(const struct tunnel *t)
{
	struct rule r[3];

	for (unsigned i = 0; i < 3; i++)
		r[i] = (struct rule){.permit = true,
			.any_addr = true,
			.file = "test",
			.proto = RULE_PROTO_ALL,
			.tunnel = RULE_TUNNEL_ANY,
			.zone = RULE_SECURE | RULE_NONSECURE,
			.scope = RULE_ROUTE | RULE_LOCAL,
			.dir = RULE_IN | RULE_OUT};
	r[0].proto = PROTO_ESP;
	r[1].zone = RULE_SECURE;
	r[2].zone = RULE_NONSECURE;
	r[2].tunnel = t ? t->number : 0;
	r[2].tunnel_id = t ? t->id : 0;
	return put_filter(r, 3);
}

/* t= of the filter: a permit line names the tunnel of a packet that no policy is about, and only
 * what came through it comes in. */
static void filter_names_tunnel(void **state)
{
	struct spec s = to_far(), back = from_far();
	struct tunnel *t;
	static struct frame f, outer;
	struct acl *acl;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	world_others(POLICY_DISCARD); /* the rule speaks for it */
	world_publish();
	acl = filter_with(t);
	frame_make(&f, &s);
	expect_protected(t, &f, false);
	frame_make(&f, &back);
	expect_admitted(t, &f, false);
	expect_drop_of(WAN, &f, DROP_FILTER_IN_IMPLICIT);
	put_filter(NULL, 0);
	acl_free(acl);
	/* t=0 alone: what came out of a tunnel is denied */
	acl = filter_with(NULL);
	peer_sends(t, &f, &outer);
	expect_drop_of(WAN, &outer, DROP_FILTER_IN_IMPLICIT);
	put_filter(NULL, 0);
	acl_free(acl);
}

/* A new tunnel without SAs: the control core hears of it, so many times a second. */
static void acquire(void **state)
{
	struct spec s = to_far();
	struct tunnel *t;
	struct event e;
	static struct frame f;

	while (link_event_get(&rig->worker[0]->link, &e, 1))
		;
	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	by_policy(t);
	world_publish();
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_IPSEC_NO_SA);
	assert_int_equal(link_event_get(&rig->worker[0]->link, &e, 1), 1);
	assert_int_equal(e.kind, EVENT_ACQUIRE);
	assert_int_equal(e.acquire.tunnel, t->id);
	assert_int_equal(e.acquire.proto, 17);
	assert_int_equal(e.acquire.sport, 4000);
	assert_int_equal(e.acquire.dport, 53);
	assert_int_equal(addr_to4(&e.acquire.src), HOST_A);
	assert_int_equal(addr_to4(&e.acquire.dst), FAR_HOST);
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
		WORLD_TEST(tunnel_mode),
		WORLD_TEST(in_udp),
		WORLD_TEST(keepalive_and_ike),
		WORLD_TEST(keepalive_goes_out),
		WORLD_TEST(transport_mode),
		WORLD_TEST(answers_go_back),
		WORLD_TEST(ttl_ends_before),
		WORLD_TEST(bypass_and_discard),
		WORLD_TEST(others_are_discarded),
		WORLD_TEST(flow_cache_obeys),
		WORLD_TEST(tunnel_interface),
		WORLD_TEST(too_big_is_told),
		WORLD_TEST(path_mtu_is_learned),
		WORLD_TEST(cut_before_and_behind),
		WORLD_TEST(fragments_and_ports),
		WORLD_TEST(mss_is_clamped),
		WORLD_TEST(nested),
		WORLD_TEST(predecap_filter),
		WORLD_TEST(filter_names_tunnel),
		WORLD_TEST(acquire),
	};
	int ret;

	rig_up(&world, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
