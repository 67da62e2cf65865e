/* Multicast listener discovery from frame to frame, byte for byte: what is reported of our groups,
 * which queries are answered, whatever the filter says, and which are dropped (RFC 3810). The state
 * machine has tests of its own (test/unit/table/test_mld.c). The control core's clock is the real
 * one, with short times.
 */
#include "harness.h"

#include <string.h>
#include <unistd.h>

#define QUERY 130
#define REPORT_1 131
#define REPORT_2 143
#define IS_EXCLUDE 2
#define TO_EXCLUDE 4
#define LAN_LL "fe80::1"

static const struct rig_text world = {.interfaces = RIG6_INTERFACES,
	.rest = "nd = { retry-ms = 10; punt-rate = 100000; };",
	.listener = true};

/* What came goes to the control core, and what it says goes out. */
static void settle(void)
{
	rig_run();
	control_tick(rig);
	rig_run();
}

/* All that is said without being asked is said. */
static void quiet(void)
{
	for (unsigned i = 0; i < 100; i++) {
		usleep(1000);
		settle();
	}
	rig_discard();
}

static struct mac6 group_mac(const char *group)
{
	struct ip6 a = ip6_of(group);
	struct mac6 mac = {{0x33, 0x33}};

	memcpy(mac.b + 2, a.b + 12, 4);
	return mac;
}

/* A message with its hop-by-hop header, from fe80::2 on LAN or from us. */
static struct spec6 message(
	const char *src, const char *dst, uint8_t type, const void *body, unsigned len)
{
	struct spec6 s = {.dst_mac = group_mac(dst),
		.src_mac = host6_mac(src),
		.src = ip6_of(src),
		.dst = ip6_of(dst),
		.hop_limit = 1,
		.ext = "\x3a\0\5\2\0\0\1\0",
		.ext_len = 8,
		.ext_kind = 0,
		.proto = 58,
		.type = type,
		.payload = body,
		.payload_len = len};

	if (strcmp(src, LAN_LL) == 0)
		s.src_mac = port_mac(LAN);
	return s;
}

/* The body of a query of that version. */
static unsigned query(uint8_t body[20], unsigned version, const char *group)
{
	struct ip6 g = ip6_of(group);

	memset(body, 0, 20);
	memcpy(body, g.b, 16);
	body[16] = 2;
	body[17] = 125;
	return version == 1 ? 16 : 20;
}

static void put(const struct spec6 *s)
{
	static struct frame f;

	frame6_make(&f, s);
	rig_put(LAN, &f);
}

static unsigned records(uint8_t *body, uint8_t what, unsigned n, const char *const groups[])
{
	memset(body, 0, n * 20);
	for (unsigned i = 0; i < n; i++) {
		struct ip6 g = ip6_of(groups[i]);

		body[i * 20] = what;
		memcpy(body + i * 20 + 4, g.b, 16);
	}
	return n * 20;
}

/* A report of ours on LAN. */
static void expect_report(uint8_t what, unsigned n, const char *const groups[])
{
	static uint8_t body[200];
	static struct frame want;
	unsigned len = records(body, what, n, groups);
	struct spec6 s = message(LAN_LL, "ff02::16", REPORT_2, body, len);

	s.rest = n;
	frame6_make(&want, &s);
	expect_frame(LAN, &want);
}

static const char *const all[] = {"ff02::2", "ff02::1:ff00:1", "ff02::1:ff00:0"};

/* RFC 3810 section 6.2, and RFC 2710 section 4 for an old querier's words. */
static void answers(void **state)
{
	uint8_t body[20];
	struct spec6 s = message("fe80::2", "ff02::1", QUERY, body, query(body, 2, "::"));

	put(&s);
	settle();
	expect_report(IS_EXCLUDE, 3, all);
	expect_nothing();
	assert_int_equal(RIG_STAT(punted), 1);
	assert_int_equal(RIG_STAT(exempt), 1);
	usleep(210000);
	s = message("fe80::2", all[1], QUERY, body, query(body, 2, all[1]));
	put(&s);
	settle();
	expect_report(IS_EXCLUDE, 1, &all[1]);
	expect_nothing();
	/* of what we do not listen to nothing is said; the query does not even come in */
	s = message("fe80::2", "ff02::1:ff00:99", QUERY, body, query(body, 2, "ff02::1:ff00:99"));
	put(&s);
	settle();
	expect_nothing();
	expect_drops(DROP_IP6_MULTICAST, 1);
}

static void answers_an_old_querier(void **state)
{
	uint8_t body[20], group[16];
	struct spec6 s = message("fe80::2", "ff02::1", QUERY, body, query(body, 1, "::"));
	static struct frame want;
	struct ip6 g;

	usleep(210000);
	put(&s);
	settle();
	for (unsigned i = 0; i < 3; i++) {
		g = ip6_of(all[i]);
		memcpy(group, g.b, 16);
		s = message(LAN_LL, all[i], REPORT_1, group, 16);
		frame6_make(&want, &s);
		expect_frame(LAN, &want);
	}
	expect_nothing();
	expect_drops(DROP_NONE, 0);
}

/* Everything is denied: RFC 4890 section 4.4.1 wants these through. A new address is reported. */
static void exempt_from_the_filter(void **state)
{
	static const char *const added[] = {"ff02::1:ff00:aa"};
	struct rig_text t = world;
	uint8_t body[20];
	struct spec6 s = message("fe80::2", "ff02::1", QUERY, body, query(body, 2, "::"));

	t.rules = "{ action = \"deny\"; }";
	t.interfaces = "{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; dad-transmits = 0;"
		       "  addresses = [\"10.1.0.1/16\", \"2001:db8:1::1/64\", \"fe80::1/64\","
		       "    \"2001:db8:1::aa/64\"]; }";
	rig_reload(&t);
	rig_discard();
	rig_mark();
	settle();
	expect_report(TO_EXCLUDE, 1, added);
	quiet();
	usleep(210000);
	put(&s);
	settle();
	assert_int_equal(rig_discard(), 1);
	assert_int_equal(RIG_STAT(punted), 1);
	expect_drops(DROP_NONE, 0);
	rig_reload(&world);
	quiet();
}

/* RFC 3810 sections 5.1.14, 6.2, 8.1 */
static void invalid(void **state)
{
	uint8_t body[20];
	unsigned len = query(body, 2, "::");
	struct spec6 good = message("fe80::2", "ff02::1", QUERY, body, len), s = good;
	static struct frame f;

	s.hop_limit = 255;
	put(&s);
	s = good;
	s.src = ip6_of(HOST_A6);
	put(&s);
	s = good;
	s.ext = "\x3a\0\1\4\0\0\0\0"; /* no router alert */
	put(&s);
	s = good;
	s.ext_len = 0;
	put(&s);
	s = good;
	s.payload_len = 17;
	put(&s);
	frame6_make(&f, &good);
	f.b[f.len - 1] ^= 1;
	rig_put(LAN, &f);
	query(body, 2, HOST_A6);
	put(&good);
	settle();
	expect_nothing();
	assert_int_equal(RIG_STAT(punted), 0);
	expect_drops(DROP_MLD_INVALID, 7);
	/* what others report is nothing to us */
	s = message("fe80::2", all[1], REPORT_1, body, 16);
	put(&s);
	settle();
	expect_nothing();
	expect_drops(DROP_LOCAL_ICMP_IGNORED, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers),
		TEST(exempt_from_the_filter),
		TEST(invalid),
		TEST(answers_an_old_querier),
	};
	int ret;

	rig_up(&world, 1);
	quiet();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
