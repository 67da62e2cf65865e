/* Plain forwarding, byte for byte: MACs, tags, TTL, the checksum updated in place, padding, and
 * which interface a frame belongs to.
 */
#include "harness.h"

#include <string.h>

static void forwards_a_packet(void **state)
{
	struct spec s = spec_udp();
	struct frame in, want;
	struct l2 l2 = l2_to(HOST_B, WAN, 0);

	frame_make(&in, &s);
	frame_routed(&want, &in, &l2);
	rig_put(LAN, &in);
	rig_run();
	expect_frame(WAN, &want);
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(forwards_a_packet, rig_setup, rig_teardown),
	};
	int ret;

	rig_up(&(struct rig_text){0}, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
