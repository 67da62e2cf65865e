/* Tables swapped between two walks, as a reload does, and what must outlive that; and the samples
 * of dropped packets that the control core shows.
 */
#include "harness.h"

#include <string.h>

static const char routes[] = "{ to = \"198.51.100.0/24\"; via = \"192.0.2.254\"; }";

static void no_packet_is_lost(void **state)
{
	struct rig_text t = {.routes = routes};
	struct spec s = spec_udp();
	struct frame f, want;
	struct l2 l2 = l2_to(IP(192, 0, 2, 254), WAN, 0);
	struct tables *old;

	s.dst = IP(198, 51, 100, 7);
	for (unsigned i = 0; i < 20; i++) {
		s.id = (uint16_t)i;
		frame_make(&f, &s);
		rig_put(LAN, &f);
		if (i % 2) {
			old = rig_swap(&t);
			rig_put(LAN, &f);
			rig_walk();
			rig_swapped(old);
		}
	}
	rig_run();
	for (unsigned i = 0; i < 20; i++) {
		s.id = (uint16_t)i;
		frame_make(&f, &s);
		frame_routed(&want, &f, &l2);
		expect_frame(WAN, &want);
		if (i % 2)
			expect_frame(WAN, &want);
	}
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

static void the_next_walk_uses_the_new_tables(void **state)
{
	struct rig_text t = {.routes = routes};
	struct spec s = spec_udp();
	struct frame f;

	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
	t.rules = "{ action = \"deny\"; }";
	rig_reload(&t);
	expect_drop_of(LAN, &f, DROP_FILTER_IN);
	t.rules = NULL;
	t.interfaces = "{ name = \"lan\"; port = \"p0\"; addresses = [\"10.1.0.1/16\"]; },"
		       "{ name = \"wan\"; port = \"p1\"; addresses = [\"192.0.2.1/24\"];"
		       "  enabled = false; }";
	t.routes = NULL;
	rig_reload(&t);
	rig_put(LAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 1); /* ICMP: no network there any more */
	expect_drops(DROP_NO_ROUTE, 1);
	s = spec_from_wan(s);
	frame_make(&f, &s);
	expect_drop_of(WAN, &f, DROP_ETH_IFACE_DOWN);
	t.interfaces = "{ name = \"lan\"; port = \"p0\"; addresses = [\"10.1.0.1/16\"]; }";
	rig_reload(&t);
	expect_drop_of(WAN, &f, DROP_ETH_NO_IFACE);
	t.interfaces = NULL;
	rig_reload(&t);
	s = spec_udp();
	frame_make(&f, &s);
	expect_routed(LAN, &f, WAN, HOST_B, 0);
}

static void interface_ids_stay(void **state)
{
	struct rig_text t = {
		.interfaces = "{ name = \"v20\"; port = \"p2\"; vlan = 20;"
			      "  addresses = [\"10.20.0.1/24\"]; },"
			      "{ name = \"new\"; port = \"p2\"; addresses = [\"172.16.0.1/24\"]; },"
			      "{ name = \"lan\"; port = \"p0\"; addresses = [\"10.1.0.1/16\"]; }"};
	uint16_t lan = ports_find(rig->tables->ports, "lan")->id;
	uint16_t v20 = ports_find(rig->tables->ports, "v20")->id;

	rig_reload(&t);
	assert_int_equal(ports_find(rig->tables->ports, "lan")->id, lan);
	assert_int_equal(ports_find(rig->tables->ports, "v20")->id, v20);
	assert_null(ports_find(rig->tables->ports, "wan"));
	rig_reload(&(struct rig_text){0});
	assert_int_equal(ports_find(rig->tables->ports, "lan")->id, lan);
}

static void learned_neighbours_stay(void **state)
{
	uint32_t host = IP(10, 1, 0, 70);
	struct arp_spec a = {.l2 = {port_mac(LAN), host_mac(host), 0, 0},
		.op = 1,
		.sha = host_mac(host),
		.spa = host,
		.tpa = LAN_ADDR};
	struct spec s = spec_from_wan(spec_udp());
	struct frame f;

	frame_arp(&f, &a);
	rig_put(LAN, &f);
	rig_run();
	control_tick(rig);
	rig_run();
	assert_int_equal(rig_discard(), 1);
	rig_mark();
	s.dst = host;
	frame_make(&f, &s);
	expect_routed(WAN, &f, LAN, host, 0);
	rig_reload(&(struct rig_text){.rules = "{ action = \"permit\"; log = true; }"});
	expect_routed(WAN, &f, LAN, host, 0);
}

/* --- samples */

static const struct drop_sample *newest(enum drop_reason r)
{
	const struct worker *w = rig->worker[0];

	return &w->sample[r][(w->sample_next[r] - 1u) % SAMPLES_PER_REASON];
}

static void samples_hold_the_frame(void **state)
{
	struct spec s = spec_udp();
	const struct drop_sample *d;
	struct frame f;
	uint32_t seq;

	rig_reload(&(struct rig_text){.rules = "{ action = \"permit\"; proto = \"icmp\"; },"
					       "{ action = \"deny\"; proto = \"udp\"; }"});
	rig_mark();
	s.pad_to = 64;
	frame_make(&f, &s);
	expect_drop_of(LAN, &f, DROP_FILTER_IN);
	d = newest(DROP_FILTER_IN);
	seq = d->seq;
	assert_int_equal(seq % 2, 0);
	assert_int_equal(d->len, 60); /* padding was trimmed before */
	assert_int_equal(d->kept, 60);
	assert_int_equal(d->l2_len, 14);
	assert_memory_equal(d->data, f.b, 60);
	assert_int_equal(d->in_if, ports_find(rig->tables->ports, "lan")->id);
	assert_int_equal(d->verdict, 2);
	assert_int_equal(d->generation, tables_root(rig->tables)->generation);
	for (unsigned i = 0; i < SAMPLES_PER_REASON; i++)
		expect_drop_of(LAN, &f, DROP_FILTER_IN);
	assert_int_equal(d->seq, seq + 2); /* its turn has come again */
	/* a long one is cut, its length kept; a tag is part of it */
	s.dst_mac = port_mac(DMZ);
	s.tagged = true;
	s.tci = 20;
	s.payload_len = 1000;
	frame_make(&f, &s);
	expect_drop_of(DMZ, &f, DROP_FILTER_IN);
	d = newest(DROP_FILTER_IN);
	assert_int_equal(d->len, f.len);
	assert_int_equal(d->kept, SAMPLE_BYTES);
	assert_int_equal(d->l2_len, 18);
	assert_memory_equal(d->data, f.b, SAMPLE_BYTES);
	/* what never was a packet */
	f.len = 9;
	expect_drop_of(DMZ, &f, DROP_ETH_TRUNCATED);
	d = newest(DROP_ETH_TRUNCATED);
	assert_int_equal(d->len, 9);
	assert_int_equal(d->kept, 9);
	assert_int_equal(d->verdict, UINT32_MAX);
	assert_memory_equal(d->data, f.b, 9);
}

/* The offender's sample is taken before its buffer becomes the ICMP error. */
static void sample_of_an_offender(void **state)
{
	struct spec s = spec_echo();
	const struct drop_sample *d;
	struct frame f;

	s.ttl = 1;
	frame_make(&f, &s);
	rig_put(LAN, &f);
	rig_run();
	assert_int_equal(rig_discard(), 1);
	d = newest(DROP_TTL_EXCEEDED);
	assert_int_equal(d->len, f.len);
	assert_memory_equal(d->data, f.b, f.len);
	assert_int_equal(d->out_if, ports_find(rig->tables->ports, "wan")->id);
}

static void few_samples_per_walk(void **state)
{
	struct spec s = spec_tcp();
	unsigned before, after;
	struct frame f;

	frame_make(&f, &s);
	before = rig->worker[0]->sample_next[DROP_FILTER_IN_IMPLICIT];
	for (unsigned i = 0; i < 60; i++)
		rig_put(LAN, &f);
	rig_run();
	after = rig->worker[0]->sample_next[DROP_FILTER_IN_IMPLICIT];
	assert_in_range((uint8_t)(after - before), 1, 8);
	expect_drops(DROP_FILTER_IN_IMPLICIT, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_packet_is_lost),
		TEST(the_next_walk_uses_the_new_tables),
		TEST(interface_ids_stay),
		TEST(learned_neighbours_stay),
		TEST(samples_hold_the_frame),
		TEST(sample_of_an_offender),
		TEST(few_samples_per_walk),
	};
	int ret;

	rig_up(&(struct rig_text){.routes = routes}, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
