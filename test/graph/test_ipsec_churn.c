/* SAs come and go by the thousand while packets go through a tunnel: none of those is lost, none is
 * late, slots and windows are used again. And the tunnel's own SAs are replaced, the new ones
 * before the old ones go. Two workers.
 */
#include "ipsec_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 2000
#define OTHERS 40

static const uint8_t payload[100] = "undisturbed";
static uint32_t other[OTHERS], spi = 0x100000;

/* An SA of another tunnel, in place of the one that was there. */
static void replace(const struct tunnel *t, unsigned at)
{
	struct sa_info info = {.tunnel = t->id,
		.proto = PROTO_ESP,
		.in = at % 2,
		.spi = rte_cpu_to_be_32(spi++),
		.window = at % 2 ? 32u << at % 12 : 0,
		.owner = SAD_OWNER_AUTO};
	uint8_t key[SUITE_KEY_MAX] = {(uint8_t)spi};
	char why[200];

	assert_true(suite_parse("aes128gcm16", PROTO_ESP, &info.suite, why, sizeof(why)));
	if (other[at])
		assert_int_equal(sad_db_del(world_ours, other[at]), 0);
	if (sad_db_add(world_ours, t, &info, key, &other[at], why, sizeof(why)) != 0)
		fail_msg("%s", why);
}

/* A packet each way, through the tunnel. */
static void both_ways(const struct tunnel *t, unsigned i)
{
	static struct frame f, outer, want;
	struct l2 gw = l2_to(HOST_B, WAN, 0), a = l2_to(HOST_A, LAN, 0);
	struct spec s = spec_udp(), back = spec_from_wan(spec_udp());

	s.dst = back.src = FAR_HOST;
	s.sport = back.dport = (uint16_t)(1000 + i % 64);
	s.payload = back.payload = payload;
	s.payload_len = back.payload_len = i % 100;
	frame_make(&f, &s);
	rig_put(LAN, &f);
	rig_run();
	frame_routed(&want, &f, &gw);
	expect_opened(t, &want);
	frame_make(&f, &back);
	peer_sends(t, &f, &outer);
	rig_put(WAN, &outer);
	rig_run();
	frame_routed(&want, &f, &a);
	expect_frame(LAN, &want);
}

static struct tunnel *a_tunnel(void)
{
	struct tunnel *t;

	world_clear();
	t = world_tunnel(TUNNEL_ESP, false);
	world_sas(t, "aes128gcm16", NULL, 0);
	world_policy(POLICY_PROTECT, t, "10.1.0.0/16", "10.9.0.0/16", 0);
	return t;
}

static void others_come_and_go(void **state)
{
	struct tunnel *t = a_tunnel(), *busy = world_tunnel(TUNNEL_ESP, false);

	world_publish();
	memset(other, 0, sizeof(other));
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned k = 0; k < 4; k++)
			replace(busy, (i * 4 + k) % OTHERS);
		both_ways(t, i);
		sad_db_tick(world_ours);
		assert_in_range(sad_db_pending(world_ours), 0, 8);
	}
	assert_int_equal(sad_db_count(world_ours), OTHERS + 2);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* RFC 7296 section 2.8, by hand: what is on its way by the old SA still comes in. */
static void own_are_replaced(void **state)
{
	struct tunnel *t = a_tunnel();

	world_publish();
	for (unsigned i = 0; i < 12; i++) {
		uint32_t out = world_out(t, PROTO_ESP)->handle, in = world_in(t, PROTO_ESP)->handle;
		struct spec back = spec_from_wan(spec_udp());
		static struct frame f, late, want;
		struct l2 a = l2_to(HOST_A, LAN, 0);

		both_ways(t, i);
		back.src = FAR_HOST;
		frame_make(&f, &back);
		peer_sends(t, &f, &late);
		world_sas(t, "aes128gcm16", NULL, 0);
		assert_int_not_equal(world_out(t, PROTO_ESP)->handle, out);
		both_ways(t, i);
		rig_put(WAN, &late);
		rig_run();
		frame_routed(&want, &f, &a);
		expect_frame(LAN, &want);
		assert_int_equal(sad_db_del(world_ours, out), 0);
		assert_int_equal(sad_db_del(world_ours, in), 0);
		both_ways(t, i);
		sad_db_tick(world_ours);
	}
	expect_nothing();
	expect_drops(DROP_NONE, 0);
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
		WORLD_TEST(others_come_and_go), WORLD_TEST(own_are_replaced)};
	static const struct rig_text world = {
		.interfaces = RIG6_INTERFACES, .routes = PEER_ROUTES, .system = "workers = 2;"};
	int ret;

	rig_up(&world, 1);
	assert_int_equal(rig->n_workers, 2);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
