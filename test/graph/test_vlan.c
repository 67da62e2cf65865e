/* VLANs: interfaces with two tags (802.1ad outside, 802.1Q inside), with an outer tag alone, and
 * with one 802.1Q tag beside them; tags in the frame and tags that the device took off.
 *
 *   port dmz   untagged 172.16.0.1/24
 *              v10      802.1Q 10              q100   802.1ad 100 alone
 *              q100c10  802.1ad 100, 802.1Q 10        q100c20  802.1ad 100, 802.1Q 20 (disabled)
 *              q10      802.1ad 10, 802.1Q 10
 */
#include "harness.h"

#include <string.h>

#define HOST_Q100 IP(10, 30, 0, 2)
#define HOST_Q100C10 IP(10, 31, 0, 2)
#define HOST_Q10C10 IP(10, 33, 0, 2)

static const struct rig_text text = {
	.interfaces =
		"{ name = \"lan\"; port = \"p0\"; urpf = \"strict\"; addresses = "
		"[\"10.1.0.1/16\"]; },"
		"{ name = \"dmz\"; port = \"p2\"; urpf = \"strict\"; addresses = "
		"[\"172.16.0.1/24\"]; },"
		"{ name = \"v10\"; port = \"p2\"; vlan = 10;"
		"  urpf = \"strict\"; addresses = [\"10.10.0.1/24\"]; directed-broadcast = true; },"
		"{ name = \"q100\"; port = \"p2\"; outer-vlan = 100;"
		"  urpf = \"strict\"; addresses = [\"10.30.0.1/24\"]; },"
		"{ name = \"q100c10\"; port = \"p2\"; outer-vlan = 100; vlan = 10;"
		"  urpf = \"strict\"; addresses = [\"10.31.0.1/24\"]; directed-broadcast = true; },"
		"{ name = \"q100c20\"; port = \"p2\"; outer-vlan = 100; vlan = 20;"
		"  enabled = false; urpf = \"strict\"; addresses = [\"10.32.0.1/24\"]; },"
		"{ name = \"q10\"; port = \"p2\"; outer-vlan = 10; vlan = 10;"
		"  urpf = \"strict\"; addresses = [\"10.33.0.1/24\"]; }",
	.neighbours =
		", { interface = \"q100\"; address = \"10.30.0.2\"; mac = \"02:00:0a:1e:00:02\"; },"
		"{ interface = \"q100c10\"; address = \"10.31.0.2\"; mac = \"02:00:0a:1f:00:02\"; "
		"},"
		"{ interface = \"q10\"; address = \"10.33.0.2\"; mac = \"02:00:0a:21:00:02\"; }",
};

/* From a host behind those tags to HOST_A. outer_type 0: no such tag; vlan 0xffff: no inner tag. */
static struct spec tagged(uint32_t src, uint16_t outer_type, uint16_t outer, uint16_t vlan)
{
	struct spec s = spec_udp();

	s.dst_mac = port_mac(DMZ);
	s.src_mac = host_mac(src);
	s.src = src;
	s.dst = HOST_A;
	s.outer_type = outer_type;
	s.outer_tci = outer;
	s.tagged = vlan != 0xffff;
	s.tci = vlan;
	return s;
}

/* In with those tags, and by the right interface: the reverse path is strict. */
static void expect_in(struct spec s)
{
	struct frame f;

	frame_make(&f, &s);
	expect_routed(DMZ, &f, LAN, HOST_A, 0);
}

static void expect_refused(struct spec s, enum drop_reason reason)
{
	struct frame f;

	frame_make(&f, &s);
	expect_drop_of(DMZ, &f, reason);
}

static void two_tags_in(void **state)
{
	expect_in(tagged(HOST_Q100C10, 0x88a8, 100, 10));
	expect_in(tagged(HOST_Q100C10, 0x8100, 100, 10)); /* as some switches write it */
	expect_in(tagged(HOST_Q100C10, 0x88a8, 0xe000 | 100, 0xb000 | 10)); /* priorities */
	expect_in(tagged(HOST_Q10C10, 0x88a8, 10, 10));
	expect_in(tagged(HOST_Q10C10, 0x8100, 10, 10));
}

static void one_tag_in(void **state)
{
	expect_in(tagged(HOST_V10, 0, 0, 10));
	expect_in(tagged(HOST_Q100, 0x88a8, 100, 0xffff));
	expect_in(tagged(HOST_Q100, 0, 0, 100)); /* 802.1Q 100, and there is no such interface */
	expect_in(tagged(HOST_Q100, 0x88a8, 100, 0)); /* an inner tag for the priority alone */
	expect_in(tagged(HOST_Q100, 0x8100, 100, 0xe000));
	expect_in(tagged(HOST_V10, 0x88a8, 0, 10)); /* an outer one for the priority alone */
	expect_in(tagged(HOST_V10, 0x8100, 0xe000, 10));
	expect_in(tagged(HOST_C, 0x88a8, 0, 0xffff));
	expect_in(tagged(HOST_C, 0x88a8, 0, 0));
}

static void others_have_no_interface(void **state)
{
	expect_refused(tagged(HOST_V10, 0x88a8, 10, 0xffff), DROP_ETH_NO_IFACE);
	expect_refused(tagged(HOST_V10, 0x88a8, 10, 0), DROP_ETH_NO_IFACE);
	expect_refused(tagged(HOST_Q100, 0x88a8, 100, 11), DROP_ETH_NO_IFACE);
	expect_refused(tagged(HOST_Q100, 0x88a8, 101, 10), DROP_ETH_NO_IFACE);
	expect_refused(tagged(HOST_Q100, 0x88a8, 4095, 4095), DROP_ETH_NO_IFACE);
	expect_refused(tagged(HOST_Q100, 0x88a8, 0, 100), DROP_ETH_NO_IFACE); /* that is 802.1Q */
	expect_refused(tagged(HOST_Q100, 0x88a8, 100, 20), DROP_ETH_IFACE_DOWN);
}

static void tags_cut_short(void **state)
{
	struct spec s = tagged(HOST_Q100C10, 0x88a8, 100, 10);
	struct frame f;

	frame_make(&f, &s);
	for (f.len = 14; f.len < 22; f.len++)
		expect_drop_of(DMZ, &f, DROP_ETH_TRUNCATED);
	for (; f.len < 42; f.len++)
		expect_drop_of(DMZ, &f, DROP_IP4_TRUNCATED);
}

static void a_third_tag(void **state)
{
	struct spec s = tagged(HOST_Q100C10, 0x88a8, 100, 10);
	struct frame f;

	frame_make(&f, &s);
	f.b[20] = 0x81;
	f.b[21] = 0;
	expect_drop_of(DMZ, &f, DROP_ETH_UNKNOWN_TYPE);
	frame_make(&f, &s);
	f.b[16] = 0x88; /* 802.1ad within 802.1ad: not ours to look into */
	f.b[17] = 0xa8;
	expect_drop_of(DMZ, &f, DROP_ETH_UNKNOWN_TYPE);
}

static void expect_stripped(struct spec s, uint64_t flags, uint16_t outer, uint16_t vlan, bool good)
{
	struct l2 l2 = l2_to(HOST_A, LAN, 0);
	struct frame in, want;
	struct rte_mbuf *m;

	frame_make(&in, &s);
	frame_routed(&want, &in, &l2);
	m = rig_mbuf(in.b, in.len);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | flags;
	m->vlan_tci_outer = outer;
	m->vlan_tci = vlan;
	rig_put_mbuf(DMZ, m);
	rig_run();
	if (good)
		expect_frame(LAN, &want);
	expect_nothing();
	if (good)
		expect_drops(DROP_NONE, 0);
	else
		expect_drops(DROP_ETH_NO_IFACE, 1);
}

static void tags_taken_off_by_the_device(void **state)
{
	const uint64_t one = RTE_MBUF_F_RX_VLAN_STRIPPED;
	const uint64_t outer = RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED;
	struct spec none = tagged(HOST_Q100C10, 0, 0, 0xffff);
	struct spec inner = tagged(HOST_Q100C10, 0, 0, 10);

	expect_stripped(none, outer | one, 100, 10, true);
	expect_stripped(none, outer | one, 0xe000 | 100, 0x6000 | 10, true);
	expect_stripped(none, outer | one, 100, 11, false);
	expect_stripped(none, outer | one, 101, 10, false);
	/* the outer one alone, the inner one still in the frame: in either way devices say so */
	expect_stripped(inner, outer, 100, 10, true);
	expect_stripped(inner, one, 0, 100, true);
	expect_stripped(inner, one, 0, 101, false);
	none.src = HOST_Q100;
	expect_stripped(none, one, 0, 100, true);
	none.src = HOST_V10;
	expect_stripped(none, one, 0, 10, true);
}

static void expect_out(uint32_t host, uint16_t outer, uint16_t vlan)
{
	struct l2 l2 = {
		.dst = host_mac(host), .src = port_mac(DMZ), .vlan = vlan, .outer_vlan = outer};
	struct spec s = spec_udp();
	struct frame in, want;

	s.dst = host;
	frame_make(&in, &s);
	frame_routed(&want, &in, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(DMZ, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

static void tags_out(void **state)
{
	expect_out(HOST_C, 0, 0);
	expect_out(HOST_V10, 0, 10);
	expect_out(HOST_Q100, 100, 0);
	expect_out(HOST_Q100C10, 100, 10);
	expect_out(HOST_Q10C10, 10, 10);
}

/* From tags to tags, the longest header from the shortest and back. */
static void from_tags_to_tags(void **state)
{
	struct spec s = tagged(HOST_Q100C10, 0x88a8, 100, 10);
	struct frame f, want;
	struct l2 l2 = {
		.dst = host_mac(HOST_Q10C10), .src = port_mac(DMZ), .vlan = 10, .outer_vlan = 10};

	s.dst = HOST_Q10C10;
	frame_make(&f, &s);
	frame_routed(&want, &f, &l2);
	rig_put(DMZ, &f);
	rig_run();
	expect_frame(DMZ, &want);
	expect_nothing();
	s.dst = HOST_C;
	s.pad_to = 120;
	frame_make(&f, &s);
	expect_routed(DMZ, &f, DMZ, HOST_C, 0);
}

/* The MTU is the IP packet's: tags come on top. */
static void full_size(void **state)
{
	struct spec s = spec_udp();
	struct frame f, want;
	struct l2 l2 = {
		.dst = host_mac(HOST_Q100C10), .src = port_mac(DMZ), .vlan = 10, .outer_vlan = 100};

	s.dst = HOST_Q100C10;
	s.payload_len = 1500 - 28;
	frame_make(&f, &s);
	frame_routed(&want, &f, &l2);
	assert_int_equal(want.len, 1522);
	rig_put(LAN, &f);
	rig_run();
	expect_frame(DMZ, &want);
	expect_nothing();
	s = tagged(HOST_Q100C10, 0x88a8, 100, 10);
	s.payload_len = 1500 - 28;
	expect_in(s);
}

static void broadcast_out(void **state)
{
	struct l2 l2 = {.dst = {{255, 255, 255, 255, 255, 255}},
		.src = port_mac(DMZ),
		.vlan = 10,
		.outer_vlan = 100};
	struct spec s = spec_udp();
	struct frame in, want;

	s.dst = IP(10, 31, 0, 255);
	frame_make(&in, &s);
	frame_routed(&want, &in, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(DMZ, &want);
	s.dst = IP(10, 10, 0, 255);
	l2.outer_vlan = 0;
	frame_make(&in, &s);
	frame_routed(&want, &in, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(DMZ, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* ARP asks and answers with both tags, and what was learned is used with both. */
static void arp_with_two_tags(void **state)
{
	uint32_t host = IP(10, 31, 0, 77);
	struct l2 all = {.dst = {{255, 255, 255, 255, 255, 255}},
		.src = port_mac(DMZ),
		.vlan = 10,
		.outer_vlan = 100};
	struct arp_spec a = {
		.l2 = all, .op = 1, .sha = port_mac(DMZ), .spa = IP(10, 31, 0, 1), .tpa = host};
	struct spec s = spec_udp();
	struct frame in, want;

	s.dst = host;
	frame_make(&in, &s);
	rig_put(LAN, &in);
	rig_run();
	control_tick(rig);
	rig_run();
	frame_arp(&want, &a);
	expect_frame(DMZ, &want);
	a = (struct arp_spec){
		.l2 = {.dst = port_mac(DMZ), .src = host_mac(host), .vlan = 10, .outer_vlan = 100},
		.op = 2,
		.sha = host_mac(host),
		.tha = port_mac(DMZ),
		.spa = host,
		.tpa = IP(10, 31, 0, 1)};
	frame_arp(&want, &a);
	rig_put(DMZ, &want);
	rig_run();
	control_tick(rig);
	rig_run();
	all.dst = host_mac(host);
	frame_routed(&want, &in, &all);
	expect_frame(DMZ, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* An interface that changes a tag: its neighbours' headers follow. */
static void a_reload_changes_the_tags(void **state)
{
	struct rig_text changed = text;
	char ifaces[2048];
	char *at;

	snprintf(ifaces, sizeof(ifaces), "%s", text.interfaces);
	at = strstr(ifaces, "outer-vlan = 100; vlan = 10;");
	assert_non_null(at);
	memcpy(at, "outer-vlan = 200; vlan = 15;", strlen("outer-vlan = 200; vlan = 15;"));
	changed.interfaces = ifaces;
	rig_reload(&changed);
	expect_out(HOST_Q100C10, 200, 15);
	expect_in(tagged(HOST_Q100C10, 0x88a8, 200, 15));
	expect_refused(tagged(HOST_Q100C10, 0x88a8, 100, 10), DROP_ETH_NO_IFACE);
	rig_reload(&text);
	expect_out(HOST_Q100C10, 100, 10);
	expect_in(tagged(HOST_Q100C10, 0x88a8, 100, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_tags_in),
		TEST(one_tag_in),
		TEST(others_have_no_interface),
		TEST(tags_cut_short),
		TEST(a_third_tag),
		TEST(tags_taken_off_by_the_device),
		TEST(tags_out),
		TEST(from_tags_to_tags),
		TEST(full_size),
		TEST(broadcast_out),
		TEST(arp_with_two_tags),
		TEST(a_reload_changes_the_tags),
	};
	int ret;

	rig_up(&text, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
