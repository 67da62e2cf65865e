/* Security associations and their owners: whatever worker meets a packet, the owner of its SA does
 * it, both ways and through AH and ESP of different owners; each SA's packets keep their order; a
 * full ring and an SA that goes meanwhile have their reasons. Two and four workers, each in a
 * process of its own.
 */
#include "ipsec_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLOWS 60

static const uint8_t payload[400] = "one of many flows";

static struct spec flow(unsigned i, bool back)
{
	struct spec s = back ? spec_from_wan(spec_udp()) : spec_udp();

	*(back ? &s.src : &s.dst) = FAR_HOST;
	*(back ? &s.dport : &s.sport) = (uint16_t)(1000 + i);
	s.payload = payload;
	s.payload_len = i * 5 % 400;
	return s;
}

static void owned_by(unsigned owner, struct tunnel **t, unsigned flags, const char *ah)
{
	world_clear();
	*t = world_tunnel(flags, false);
	world_sas(*t, "aes128gcm16", NULL, owner);
	if (ah) /* the next worker's */
		world_sas(*t, NULL, ah, (owner + 1) % rig->n_workers);
	world_policy(POLICY_PROTECT, *t, "10.1.0.0/16", "10.9.0.0/16", 0);
	world_publish();
}

/* Many flows, which all workers have a part of, through SAs that one worker has. */
static void out_and_in(void **state)
{
	static struct frame f, want;
	struct l2 gw = l2_to(HOST_B, WAN, 0), a = l2_to(HOST_A, LAN, 0);

	for (unsigned owner = 0; owner < rig->n_workers; owner++) {
		for (unsigned both = 0; both < 2; both++) {
			struct tunnel *t;

			owned_by(owner, &t, both ? TUNNEL_ESP | TUNNEL_AH : TUNNEL_ESP,
				both ? "sha256" : NULL);
			for (unsigned i = 0; i < FLOWS; i++) {
				struct spec s = flow(i, false);

				frame_make(&f, &s);
				rig_put(LAN, &f);
				rig_run();
				frame_routed(&want, &f, &gw);
				expect_opened(t, &want);
			}
			for (unsigned i = 0; i < FLOWS; i++) {
				struct spec s = flow(i, true);
				static struct frame outer;

				frame_make(&f, &s);
				peer_sends(t, &f, &outer);
				rig_put(WAN, &outer);
				rig_run();
				frame_routed(&want, &f, &a);
				expect_frame(LAN, &want);
			}
			expect_nothing();
			/* one worker in n need not hand over */
			assert_true(RIG_STAT(handoff_out[HANDOFF_SA]) >= FLOWS / 3);
			assert_int_equal(RIG_STAT(handoff_out[HANDOFF_SA]),
				RIG_STAT(handoff_in[HANDOFF_SA]));
			expect_drops(DROP_NONE, 0);
		}
	}
}

/* Sequence numbers rise in the order in which frames leave, and a flow's packets keep theirs. */
static void in_order(void **state)
{
	static struct frame f, got, inner;
	uint16_t next[4] = {0};
	struct tunnel *t;
	uint32_t last = 0;
	unsigned n = 0;

	owned_by(1, &t, TUNNEL_ESP, NULL);
	for (unsigned i = 0; i < 800; i++) {
		struct spec s = flow(i % 4, false);

		s.id = (uint16_t)(i / 4);
		frame_make(&f, &s);
		rig_put(LAN, &f);
		if (i % 50 == 0)
			rig_walk();
	}
	rig_run();
	for (; rig_take(WAN, &got); n++) {
		uint32_t seq = (uint32_t)got.b[38] << 24 | (uint32_t)got.b[39] << 16 |
			       (uint32_t)got.b[40] << 8 | got.b[41];
		unsigned k;

		assert_true(peer_opens(t, &got, &inner));
		k = (unsigned)(inner.b[34] << 8 | inner.b[35]) - 1000;
		assert_int_equal(inner.b[18] << 8 | inner.b[19], next[k]++);
		assert_int_equal(seq, last + 1);
		last = seq;
	}
	assert_int_equal(n, 800);
	expect_drops(DROP_NONE, 0);
}

/* The owner does not keep up: 2047 packets fit in a ring. */
static void owner_is_slow(void **state)
{
	static struct frame f;
	struct tunnel *t;
	struct spec s;
	unsigned other = 0;
	uint64_t dropped;

	/* a flow that worker 0 has, and an SA that it has not */
	owned_by(1, &t, TUNNEL_ESP, NULL);
	for (unsigned i = 0;; i++) {
		uint64_t before = rig->worker[0]->stats.handoff_out[HANDOFF_SA];

		s = flow(i, false);
		frame_make(&f, &s);
		rig_put(LAN, &f);
		rig_run();
		rig_discard();
		if (rig->worker[0]->stats.handoff_out[HANDOFF_SA] != before)
			break;
		assert_in_range(++other, 0, 100);
	}
	rig_mark();
	for (unsigned i = 0; i < 2400; i++) {
		rig_put(LAN, &f);
		if (i % 200 == 199)
			for (unsigned k = 0; k < 10; k++)
				worker_walk(rig->worker[0]);
	}
	dropped = rig_dropped(DROP_IPSEC_HANDOFF_FULL);
	assert_int_equal(dropped, 2400 - 2047);
	/* and while they wait the SA goes: those have none */
	assert_int_equal(sad_db_del(world_ours, world_out(t, PROTO_ESP)->handle), 0);
	rig_run();
	rig_discard();
	assert_int_equal(rig_dropped(DROP_IPSEC_NO_SA), 2047);
	rig_mark();
}

static int teardown(void **state)
{
	world_clear();
	return rig_teardown(state);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, teardown)

static int run(unsigned workers)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(out_and_in), WORLD_TEST(in_order), WORLD_TEST(owner_is_slow)};
	char system[64];
	struct rig_text world = {
		.interfaces = RIG6_INTERFACES, .routes = PEER_ROUTES, .system = system};
	int ret;

	snprintf(system, sizeof(system), "workers = %u; burst-packets = 256;", workers);
	rig_up(&world, 1);
	assert_int_equal(rig->n_workers, workers);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}

int main(void)
{
	int status = 0;

	for (unsigned workers = 2; workers <= 4; workers += 2) {
		pid_t pid = fork();
		int s;

		if (pid == 0) {
			printf("%u workers\n", workers);
			exit(run(workers) ? EXIT_FAILURE : EXIT_SUCCESS);
		}
		if (pid < 0 || waitpid(pid, &s, 0) != pid || s != 0)
			status = EXIT_FAILURE;
	}
	return status;
}
