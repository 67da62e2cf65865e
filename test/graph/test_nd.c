/* Neighbour discovery and router advertisements, from frame to frame and byte for byte: what asks
 * is answered, what waits goes, what is malformed or too much is dropped (RFC 4861, RFC 4862). The
 * state machines have tests of their own (test/unit/table). The control core's clock is the real
 * one, with short times.
 */
#include "harness.h"

#include <string.h>
#include <unistd.h>

#define RS 133
#define RA 134
#define NS 135
#define NA 136
#define ROUTER 0x80000000u /* flags of an advertisement, in the message's second word */
#define SOLICITED 0x40000000u
#define OVERRIDE 0x20000000u
#define LAN_LL "fe80::1"
#define ND                                                                   \
	"nd = { retry-ms = 20; retries = 2; queue = 64; punt-rate = 100000;" \
	" resolve-rate = 100000; };"

static const struct rig_text world = {.interfaces = RIG6_INTERFACES,
	.system = "burst-packets = 256;",
	.rest = ND " arp = { retry-ms = 20; punt-rate = 100; };"
		   " ip6 = { icmp-error-rate = 1000000; };"};

/* What came goes to the control core, and what it says goes out. */
static void settle(void)
{
	rig_run();
	control_tick(rig);
	rig_run();
}

/* Our addresses say three times that they are there; then all is quiet. */
static void quiet(void)
{
	for (unsigned i = 0; i < 100; i++) {
		usleep(1000);
		settle();
	}
	rig_discard();
}

/* --- messages */

struct msg {
	struct mac6 dst_mac, src_mac;
	const char *src, *dst;
	uint16_t vlan;
	uint8_t type;
	uint32_t word;
	uint8_t body[64]; /* behind the first 8 bytes */
	unsigned len;
};

static void add(struct msg *m, const void *bytes, unsigned len)
{
	memcpy(m->body + m->len, bytes, len);
	m->len += len;
}

static void add_target(struct msg *m, const char *target)
{
	struct ip6 a = ip6_of(target);

	add(m, a.b, sizeof(a.b));
}

static void add_mac(struct msg *m, uint8_t option, struct mac6 mac)
{
	uint8_t head[2] = {option, 1};

	add(m, head, sizeof(head));
	add(m, mac.b, sizeof(mac.b));
}

static void make(struct frame *f, const struct msg *m)
{
	struct spec6 s = {.dst_mac = m->dst_mac,
		.src_mac = m->src_mac,
		.tagged = m->vlan != 0,
		.tci = m->vlan,
		.src = ip6_of(m->src),
		.dst = ip6_of(m->dst),
		.hop_limit = 255,
		.proto = 58,
		.type = m->type,
		.rest = m->word,
		.payload = m->body,
		.payload_len = m->len};

	frame6_make(f, &s);
}

static void put(unsigned port, const struct msg *m)
{
	static struct frame f;

	make(&f, m);
	rig_put(port, &f);
}

#define expect_msg(port, m)                 \
	do {                                \
		static struct frame want_;  \
		make(&want_, m);            \
		expect_frame(port, &want_); \
	} while (0)

/* The MAC of an IPv6 group: 33:33 and its last four bytes. */
static struct mac6 group_mac(const char *group)
{
	struct ip6 a = ip6_of(group);
	struct mac6 mac = {{0x33, 0x33}};

	memcpy(mac.b + 2, a.b + 12, 4);
	return mac;
}

/* A host on LAN asks who has the target, which must end in ::1. */
static struct msg ask_us(const char *host, const char *target)
{
	struct msg m = {.dst_mac = group_mac("ff02::1:ff00:1"),
		.src_mac = host6_mac(host),
		.src = host,
		.dst = "ff02::1:ff00:1",
		.type = NS};

	add_target(&m, target);
	add_mac(&m, 1, m.src_mac);
	return m;
}

static struct msg answer_of_ours(const struct msg *ask, const char *target, unsigned port)
{
	struct msg m = {.dst_mac = ask->src_mac,
		.src_mac = port_mac(port),
		.src = target,
		.dst = ask->src,
		.vlan = ask->vlan,
		.type = NA,
		.word = ROUTER | SOLICITED | OVERRIDE};

	add_target(&m, target);
	add_mac(&m, 2, port_mac(port));
	return m;
}

/* We ask for a host on WAN; group: its solicited-node group. */
static struct msg ask_of_ours(const char *host, const char *group)
{
	struct msg m = {.dst_mac = group_mac(group),
		.src_mac = port_mac(WAN),
		.src = WAN6,
		.dst = group,
		.type = NS};

	add_target(&m, host);
	add_mac(&m, 1, port_mac(WAN));
	return m;
}

static struct msg answer_us(const char *host)
{
	struct msg m = {.dst_mac = port_mac(WAN),
		.src_mac = host6_mac(host),
		.src = host,
		.dst = WAN6,
		.type = NA,
		.word = SOLICITED | OVERRIDE};

	add_target(&m, host);
	add_mac(&m, 2, host6_mac(host));
	return m;
}

/* --- tests */

/* RFC 4861 section 7.2.4 */
static void answers(void **state)
{
	struct msg ask = ask_us("2001:db8:1::99", LAN6), ask_ll = ask_us("fe80::99", LAN_LL);
	struct msg answer = answer_of_ours(&ask, LAN6, LAN);
	struct frame f;

	put(LAN, &ask);
	settle();
	expect_msg(LAN, &answer);
	expect_nothing();
	assert_int_equal(RIG_STAT(punted), 1);
	assert_int_equal(RIG_STAT(exempt), 1);
	assert_int_equal(RIG_STAT(injected), 1);
	ask.dst = LAN6; /* a probe by unicast, padded */
	ask.dst_mac = port_mac(LAN);
	make(&f, &ask);
	memset(f.b + f.len, 0xee, 10);
	f.len += 10;
	rig_put(LAN, &f);
	settle();
	expect_msg(LAN, &answer);
	put(LAN, &ask_ll);
	settle();
	answer = answer_of_ours(&ask_ll, LAN_LL, LAN);
	expect_msg(LAN, &answer);
	/* the group is ours, the address is not */
	ask = ask_us("2001:db8:1::99", "2001:db8:1::5:0:1");
	put(LAN, &ask);
	settle();
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* RFC 4862 section 5.4.3, RFC 4861 section 7.2.4: who is about to use our address is told, with all
 * others. */
static void answers_a_probe(void **state)
{
	struct msg ask = {.dst_mac = group_mac("ff02::1:ff00:1"),
		.src_mac = host6_mac("2001:db8:1::99"),
		.src = "::",
		.dst = "ff02::1:ff00:1",
		.type = NS};
	struct msg answer = {.dst_mac = group_mac("ff02::1"),
		.src_mac = port_mac(LAN),
		.src = LAN6,
		.dst = "ff02::1",
		.type = NA,
		.word = ROUTER | OVERRIDE};

	add_target(&ask, LAN6);
	add_target(&answer, LAN6);
	add_mac(&answer, 2, port_mac(LAN));
	put(LAN, &ask);
	settle();
	expect_msg(LAN, &answer);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

static void answers_in_the_vlan(void **state)
{
	struct msg ask = ask_us("2001:db8:a::99", "2001:db8:a::1"), answer;

	ask.vlan = 10;
	answer = answer_of_ours(&ask, "2001:db8:a::1", DMZ);
	put(DMZ, &ask);
	settle();
	expect_msg(DMZ, &answer);
	ask.vlan = 0; /* not the address of the untagged interface */
	put(DMZ, &ask);
	settle();
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* RFC 4861 section 7.2.2: asked once for all that wait, which then go in their order. */
static void resolves_and_sends_in_order(void **state)
{
	const char *host = "2001:db8:2::40";
	struct msg ask = ask_of_ours(host, "ff02::1:ff00:40"), answer = answer_us(host);
	struct l2 l2 = l2_to6(host, WAN, 0);
	static struct frame in[10], want;
	struct spec6 s = spec6_udp();

	s.dst = ip6_of(host);
	for (unsigned i = 0; i < 10; i++) {
		s.payload_len = i;
		frame6_make(&in[i], &s);
		rig_put(LAN, &in[i]);
	}
	rig_run();
	expect_nothing();
	assert_int_equal(RIG_STAT(neigh_waiting), 10);
	settle();
	expect_msg(WAN, &ask);
	expect_nothing();
	put(WAN, &answer);
	settle();
	for (unsigned i = 0; i < 10; i++) {
		frame6_routed(&want, &in[i], &l2);
		expect_frame(WAN, &want);
	}
	expect_nothing();
	rig_put(LAN, &in[0]); /* and the next at once */
	rig_run();
	frame6_routed(&want, &in[0], &l2);
	expect_frame(WAN, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* RFC 4861 section 7.2.2: "the new arrival should replace the oldest entry". */
static void full_queue(void **state)
{
	const char *host = "2001:db8:2::41";
	struct msg answer = answer_us(host);
	struct l2 l2 = l2_to6(host, WAN, 0);
	static struct frame in[70], want;
	struct spec6 s = spec6_udp();

	s.dst = ip6_of(host);
	for (unsigned i = 0; i < 70; i++) {
		s.flow = i;
		frame6_make(&in[i], &s);
		rig_put(LAN, &in[i]);
	}
	rig_run();
	expect_drops(DROP_NEIGH_QUEUE_FULL, 6);
	assert_int_equal(rig->worker[0]->stats.neigh_waiting, 64);
	settle();
	rig_discard();
	put(WAN, &answer);
	settle();
	for (unsigned i = 6; i < 70; i++) {
		frame6_routed(&want, &in[i], &l2);
		expect_frame(WAN, &want);
	}
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* RFC 4861 section 7.2.2: the senders are told, with address unreachable. */
static void silent_neighbour(void **state)
{
	const char *host = "2001:db8:2::45";
	struct msg ask = ask_of_ours(host, "ff02::1:ff00:45");
	struct icmp6_error e = {.type = 1, .code = 3, .from = ip6_of(LAN6), .hop_limit = 64};
	struct l2 l2 = l2_to6(HOST_A6, LAN, 0);
	static struct frame in, want;
	struct spec6 s = spec6_udp();

	s.dst = ip6_of(host);
	frame6_make(&in, &s);
	rig_put(LAN, &in);
	settle();
	expect_msg(WAN, &ask);
	usleep(21000);
	settle();
	expect_msg(WAN, &ask);
	usleep(21000);
	settle();
	frame6_icmp_error(&want, &in, &e, &l2);
	expect_frame(LAN, &want);
	expect_nothing();
	expect_drops(DROP_NEIGH_FAILED, 1);
	rig_put(LAN, &in); /* and at once for the next */
	rig_run();
	expect_frame(LAN, &want);
	expect_drops(DROP_NEIGH_FAILED, 1);
}

/* RFC 4861 sections 7.1.1, 7.1.2: each kind of nonsense is dropped in the worker. */
static void malformed(void **state)
{
	struct msg good = ask_us("2001:db8:1::99", LAN6), m = good;
	static struct frame f;

	make(&f, &good);
	f.b[14 + 40 + 2] ^= 1; /* checksum */
	rig_put(LAN, &f);
	m.len = 8; /* too short */
	put(LAN, &m);
	m = good;
	m.body[17] = 0; /* an option of length 0 */
	put(LAN, &m);
	m = good;
	m.body[17] = 9; /* beyond the end */
	put(LAN, &m);
	m = good;
	m.src = "::"; /* nobody has no MAC */
	put(LAN, &m);
	m = good;
	m.body[0] = 0xff; /* nobody looks for a group */
	put(LAN, &m);
	settle();
	expect_nothing();
	assert_int_equal(RIG_STAT(punted), 0);
	expect_drops(DROP_ND_INVALID, 6);
}

/* Everything is denied: neighbour discovery works all the same, and is counted as exempt. */
static void exempt_from_the_filter(void **state)
{
	struct rig_text t = world;
	struct msg ask = ask_us("2001:db8:1::99", LAN6);
	struct msg answer = answer_of_ours(&ask, LAN6, LAN);

	t.rules = "{ action = \"deny\"; }";
	rig_reload(&t);
	rig_discard();
	rig_mark();
	put(LAN, &ask);
	settle();
	expect_msg(LAN, &answer);
	expect_nothing();
	assert_int_equal(RIG_STAT(exempt), 1);
	expect_drops(DROP_NONE, 0);
	rig_reload(&world);
	quiet();
}

/* A flood of solicitations starves neither the answers we wait for nor ARP, and a flood of ARP
 * starves neither of them (RFC 6583). */
static void floods(void **state)
{
	struct rig_text t = world;
	struct msg ask = ask_us("2001:db8:1::99", LAN6), tell = answer_us("2001:db8:2::40");
	struct arp_spec a = {.l2 = {.dst = port_mac(LAN), .src = host_mac(IP(10, 1, 0, 98))},
		.op = 1,
		.sha = host_mac(IP(10, 1, 0, 98)),
		.spa = IP(10, 1, 0, 98),
		.tpa = LAN_ADDR};
	static struct frame arp;

	t.rest = "nd = { punt-rate = 100; }; arp = { punt-rate = 100; };";
	frame_arp(&arp, &a);
	rig_reload(&t);
	rig_mark();
	for (unsigned i = 0; i < 100; i++)
		put(LAN, &ask);
	put(WAN, &tell);
	rig_put(LAN, &arp);
	rig_walk();
	assert_int_equal(RIG_STAT(punted), 10 + 1 + 1);
	expect_drops(DROP_ND_RATE, 90);
	rig_reload(&world);
	rig_reload(&t);
	rig_mark();
	for (unsigned i = 0; i < 100; i++)
		rig_put(LAN, &arp);
	put(LAN, &ask);
	put(WAN, &tell);
	rig_walk();
	assert_int_equal(RIG_STAT(punted), 10 + 1 + 1);
	expect_drops(DROP_ARP_RATE, 90);
	rig_reload(&world);
	quiet();
}

static void full_punt_ring(void **state)
{
	struct msg ask = ask_us("2001:db8:1::99", LAN6);

	for (unsigned i = 0; i < 1200; i++) {
		put(LAN, &ask);
		if (i % 200 == 199)
			rig_run();
	}
	assert_int_equal(RIG_STAT(punted), 1023);
	expect_drops(DROP_ND_RING_FULL, 1200 - 1023);
	for (unsigned i = 0; i < 60; i++)
		settle();
	rig_discard();
}

/* The link goes while packets wait: they are dropped at once, and their senders told. */
static void link_down_while_waiting(void **state)
{
	const char *host = "2001:db8:2::46";
	struct icmp6_error e = {.type = 1, .code = 3, .from = ip6_of(LAN6), .hop_limit = 64};
	struct l2 l2 = l2_to6(HOST_A6, LAN, 0);
	static struct frame in, want;
	struct spec6 s = spec6_udp();

	s.dst = ip6_of(host);
	frame6_make(&in, &s);
	rig_put(LAN, &in);
	settle();
	rig_discard();
	assert_int_equal(rig->worker[0]->stats.neigh_waiting, 1);
	neigh_link(rig, rig->port[WAN].id, false);
	rig_run();
	frame6_icmp_error(&want, &in, &e, &l2);
	expect_frame(LAN, &want);
	expect_nothing();
	expect_drops(DROP_LINK_DOWN, 1);
	neigh_link(rig, rig->port[WAN].id, true);
	quiet();
}

/* RFC 4862 section 5.4: an address that is not ours yet is neither answered for nor answers. */
static void tentative(void **state)
{
	struct rig_text t = world;
	struct spec6 s = spec6_echo();
	struct msg ask = ask_us("2001:db8:1::99", "2001:db8:1::aa");
	struct msg probe = {.dst_mac = group_mac("ff02::1:ff00:aa"),
		.src_mac = port_mac(LAN),
		.src = "::",
		.dst = "ff02::1:ff00:aa",
		.type = NS};
	static struct frame f, got, want;
	bool found = false;

	t.interfaces = "{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; dad-transmits = 1;"
		       "  addresses = [\"10.1.0.1/16\", \"2001:db8:1::aa/64\", \"fe80::1/64\"]; }";
	rig_reload(&t);
	rig_mark();
	s.dst = ip6_of("2001:db8:1::aa");
	frame6_make(&f, &s);
	rig_put(LAN, &f);
	ask.dst = "ff02::1:ff00:aa";
	ask.dst_mac = group_mac("ff02::1:ff00:aa");
	put(LAN, &ask);
	rig_run();
	control_tick(rig);
	expect_drops(DROP_LOCAL_UNUSABLE, 1);
	/* its probe comes within a second or so, with a nonce that is random (RFC 7527) */
	add_target(&probe, "2001:db8:1::aa");
	add(&probe, "\x0e\1......", 8);
	make(&want, &probe);
	for (unsigned i = 0; i < 5000 && !found; i++) {
		usleep(1000);
		settle();
		while (rig_take(LAN, &got)) {
			assert_int_not_equal(got.b[54], NA); /* not before it is ours */
			if (got.b[54] != NS || got.b[77] != 0xaa)
				continue;
			memcpy(want.b + 80, got.b + 80, 6);
			frame6_fix_l4(&want, 58, 54);
			assert_true(frame_same(&got, &want, "probe"));
			found = true;
			break;
		}
	}
	assert_true(found);
	/* nobody objects: ours */
	for (unsigned i = 0; i < 5000 && atomic_load(&neigh_db_table(rig->neigh)->unusable); i++) {
		usleep(1000);
		settle();
	}
	rig_discard();
	rig_mark();
	rig_put(LAN, &f);
	rig_run();
	assert_true(rig_take(LAN, &got));
	assert_int_equal(got.b[54], 129); /* echo reply */
	expect_drops(DROP_NONE, 0);
	rig_reload(&world);
	quiet();
}

/* RFC 4861 section 6.2.3 and 6.2.5: sent where configured, answered, and taken back at the end. */
static void router_advertisements(void **state)
{
	struct rig_text t = world;
	struct msg ask = {.dst_mac = group_mac("ff02::2"),
		.src_mac = host6_mac("fe80::99"),
		.src = "fe80::99",
		.dst = "ff02::2",
		.type = RS};
	struct msg want = {.dst_mac = group_mac("ff02::1"),
		.src_mac = port_mac(LAN),
		.src = LAN_LL,
		.dst = "ff02::1",
		.type = RA};
	static const uint8_t prefix[] = {3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0,
		0, 0, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static struct frame got, exact;
	unsigned found = 0;

	t.interfaces = "{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; dad-transmits = 0;"
		       "  addresses = [\"2001:db8:1::1/64\", \"fe80::1/64\"];"
		       "  router-advertisements = { interval-s = 600; }; }";
	/* hop limit, flags, lifetime; reachable and retransmission time; our MAC; the subnet */
	want.word = 64u << 24 | 1800;
	add(&want, "\0\0\0\0\0\0\0\0", 8);
	add_mac(&want, 1, port_mac(LAN));
	add(&want, prefix, sizeof(prefix));
	make(&exact, &want);
	rig_reload(&t);
	rig_mark();
	put(LAN, &ask);
	for (unsigned i = 0; i < 5000 && !found; i++) {
		usleep(1000);
		settle();
		while (rig_take(LAN, &got)) {
			if (got.b[54] != RA)
				continue;
			assert_true(frame_same(&got, &exact, "router advertisement"));
			found++;
		}
	}
	assert_int_equal(found, 1);
	assert_int_equal(ra_db_stats(rig->ra, 1).solicited, 1);
	ra_db_stop(rig->ra);
	rig_run();
	want.word = 64u << 24;
	expect_msg(LAN, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
	rig_reload(&world);
	quiet();
}

/* A host on LAN says that it has the address. */
static void claim(const char *address)
{
	struct msg m = {.dst_mac = group_mac("ff02::1"),
		.src_mac = host6_mac(HOST_A6),
		.src = address,
		.dst = "ff02::1",
		.type = NA,
		.word = OVERRIDE};

	add_target(&m, address);
	add_mac(&m, 2, m.src_mac);
	put(LAN, &m);
	settle();
}

/* RFC 4862 section 5.4.5: who has an address that we may not use is no impostor, whatever the
 * reverse path is asked for. */
static void owner_of_a_duplicate(void **state)
{
	static const char *const urpf[] = {"off", "loose", "strict"};
	struct rig_text t = world;
	struct spec6 s = spec6_udp();
	static struct frame f;
	char text[512];

	s.src = ip6_of("2001:db8:1::aa");
	frame6_make(&f, &s);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
			"{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; dad-transmits = 1;"
			"  urpf = \"%s\"; addresses = [\"10.1.0.1/16\", \"2001:db8:1::aa/64\"]; },"
			"{ name = \"wan\"; port = \"p1\"; dad-transmits = 0;"
			"  addresses = [\"192.0.2.1/24\", \"2001:db8:2::1/64\"]; }",
			urpf[i]);
		t.interfaces = text;
		rig_reload(&t);
		claim("2001:db8:1::aa");
		rig_discard();
		rig_mark();
		expect_routed6(LAN, &f, WAN, HOST_B6, 0);
		rig_reload(&world);
	}
	quiet();
}

/* RFC 4862 section 5.4.5: the link-local address that is made from the MAC is another's. */
static void off(void **state)
{
	struct rig_text t = world;
	struct spec6 s = spec6_from_wan(spec6_udp()), back = spec6_udp();
	struct spec s4 = spec_udp();
	struct msg ask = ask_us("2001:db8:1::99", LAN6);
	static struct frame out, in, f4;

	t.interfaces = "{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; dad-transmits = 1;"
		       "  addresses = [\"10.1.0.1/16\", \"2001:db8:1::1/64\"]; },"
		       "{ name = \"wan\"; port = \"p1\"; dad-transmits = 0;"
		       "  addresses = [\"192.0.2.1/24\", \"2001:db8:2::1/64\"]; }";
	frame6_make(&out, &s);
	frame6_make(&in, &back);
	frame_make(&f4, &s4);
	rig_reload(&t);
	rig_mark();
	for (unsigned i = 0; i < 3; i++) { /* known flows of both directions */
		expect_routed6(WAN, &out, LAN, HOST_A6, 0);
		expect_routed6(LAN, &in, WAN, HOST_B6, 0);
	}
	claim("fe80::ff:fe00:10");
	assert_true(neigh_db_ip6_off(rig->neigh, 1));
	rig_discard();
	rig_mark();
	expect_drop_of(LAN, &in, DROP_IP6_OFF);
	expect_drop_of(WAN, &out, DROP_IP6_OFF);
	make(&in, &ask);
	expect_drop_of(LAN, &in, DROP_IP6_OFF);
	expect_routed(LAN, &f4, WAN, HOST_B, 0); /* IPv4 is another matter */
	/* nothing is said either */
	for (unsigned i = 0; i < 50; i++) {
		usleep(1000);
		settle();
	}
	expect_nothing();
	/* until the link comes up anew */
	frame6_make(&in, &back);
	neigh_link(rig, rig->port[LAN].id, false);
	neigh_link(rig, rig->port[LAN].id, true);
	assert_false(neigh_db_ip6_off(rig->neigh, 1));
	settle();
	rig_discard();
	rig_mark();
	expect_routed6(LAN, &in, WAN, HOST_B6, 0);
	rig_reload(&world);
	quiet();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers),
		TEST(answers_a_probe),
		TEST(answers_in_the_vlan),
		TEST(resolves_and_sends_in_order),
		TEST(full_queue),
		TEST(silent_neighbour),
		TEST(malformed),
		TEST(exempt_from_the_filter),
		TEST(floods),
		TEST(full_punt_ring),
		TEST(link_down_while_waiting),
		TEST(tentative),
		TEST(router_advertisements),
		TEST(owner_of_a_duplicate),
		TEST(off),
	};
	int ret;

	rig_up(&world, 1);
	quiet();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
