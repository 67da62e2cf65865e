/* Reports of multicast listener discovery (RFC 3810, RFC 2710): when they are sent, of which
 * groups, and what queries do. A clock of its own, and a seed.
 */
#include "base/log.h"
#include "table/mld_send.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define IF 1
#define SENT_MAX 4096
#define ROUTERS "ff02::2"
#define OURS "ff02::1:ff00:1"
#define ANYCAST "ff02::1:ff00:0"

struct said {
	uint64_t at;
	uint8_t type; /* of the message */
	uint8_t record;
	struct addr src, dst, group;
};

static struct ports world[2];
static struct prefix prefixes[2][300];
static struct mld_db *db;
static uint64_t now;
static struct said said[SENT_MAX];
static unsigned n_said, n_packets;
static bool named, may_speak;

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* Takes a packet apart: a line for each group. */
static void record(void *arg, const struct iface *iface, const struct mac *dst,
	const uint8_t *packet, unsigned len)
{
	struct said one = {.at = now, .type = packet[48]};
	unsigned n = packet[48] == MLD_REPORT_2 ? packet[54] << 8 | packet[55] : 1;

	assert_int_equal(iface->id, IF);
	assert_int_equal(len, packet[48] == MLD_REPORT_2 ? 56 + n * 20 : 72);
	memcpy(one.src.b, packet + 8, 16);
	memcpy(one.dst.b, packet + 24, 16);
	assert_memory_equal(dst->b, "\x33\x33", 2);
	assert_memory_equal(dst->b + 2, packet + 36, 4);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *r = packet + 56 + i * 20;

		one.record = one.type == MLD_REPORT_2 ? r[0] : 0;
		memcpy(one.group.b, one.type == MLD_REPORT_2 ? r + 4 : packet + 56, 16);
		assert_true(n_said < SENT_MAX);
		said[n_said++] = one;
	}
	n_packets++;
}

static bool source(void *arg, const struct iface *iface, struct addr *from)
{
	*from = named ? iface->ll : (struct addr){0};
	return may_speak;
}

static void ports_of(unsigned k, unsigned n_addrs, const char *const addrs[])
{
	struct ports *p = &world[k];
	struct iface *f = &p->iface[IF];

	memset(p, 0, sizeof(*p));
	p->n_ports = 1;
	p->n_ifaces = 2;
	*f = (struct iface){.id = IF, .port = 0, .mtu = 1500, .flags = IFACE_UP};
	for (unsigned i = 0; i < n_addrs; i++)
		assert_int_equal(prefix_parse(addrs[i], &prefixes[k][i]), 0);
	f->addrs = prefixes[k];
	f->n_addrs = (uint16_t)n_addrs;
	strcpy(f->name, "lan");
	ports_index(p);
}

static void pass(uint64_t ms)
{
	for (uint64_t end = now + ms; now < end;) {
		now += 10;
		mld_db_tick(db, now);
	}
}

static void forget(void)
{
	n_said = n_packets = 0;
}

static void up(void)
{
	static const char *const addrs[] = {"10.1.0.1/24", "2001:db8::1/64", "fe80::1/64"};
	const struct mld_ops ops = {.send = record, .source = source};

	log_setup(LOG_LVL_ERROR, false);
	ports_of(0, 3, addrs);
	now = 1000000;
	forget();
	named = may_speak = true;
	db = mld_db_new(&ops, 7);
	assert_non_null(db);
	mld_db_ports(db, &world[0], now);
}

static void down(void)
{
	mld_db_free(db);
}

/* How often that was said of the group. */
static unsigned times(const char *group, uint8_t type, uint8_t what)
{
	struct addr g = ip(group);
	unsigned n = 0;

	for (unsigned i = 0; i < n_said; i++)
		n += said[i].type == type && said[i].record == what &&
		     addr_equal(&said[i].group, &g);
	return n;
}

static void hear(uint8_t version, const char *group, uint32_t max_delay_ms)
{
	struct mld_query q = {.version = version, .group = ip(group), .max_delay_ms = max_delay_ms};

	mld_db_heard(db, IF, &q, now);
}

/* RFC 3810 section 6.1: at once, and again within a second; section 5.2.14: to ff02::16. */
static void joins_6_1(void **state)
{
	struct addr routers = mld_routers();

	up();
	pass(10);
	assert_int_equal(n_packets, 1);
	assert_int_equal(n_said, 3);
	for (unsigned i = 0; i < n_said; i++) {
		assert_true(addr_equal(&said[i].dst, &routers));
		assert_true(addr_equal(&said[i].src, &world[0].iface[IF].ll));
	}
	assert_int_equal(times(ROUTERS, MLD_REPORT_2, MLD_TO_EXCLUDE), 1);
	assert_int_equal(times(OURS, MLD_REPORT_2, MLD_TO_EXCLUDE), 1);
	assert_int_equal(times(ANYCAST, MLD_REPORT_2, MLD_TO_EXCLUDE), 1);
	pass(1010);
	assert_int_equal(n_packets, 2);
	assert_int_equal(n_said, 6);
	pass(1000000);
	assert_int_equal(n_packets, 2);
	assert_int_equal(mld_db_stats(db, IF).reports, 2);
	/* a reload that changes nothing says nothing */
	mld_db_ports(db, &world[0], now);
	pass(10000);
	assert_int_equal(n_packets, 2);
	/* the link comes up anew */
	mld_db_link(db, 5, false, now);
	mld_db_link(db, 5, true, now);
	mld_db_link(db, 0, true, now);
	pass(10000);
	assert_int_equal(n_packets, 2);
	mld_db_link(db, 0, false, now);
	pass(10000);
	assert_int_equal(n_packets, 2);
	mld_db_link(db, 0, true, now);
	pass(10000);
	assert_int_equal(n_packets, 4);
	down();
}

/* RFC 3810 section 6.1: what is new and what is gone, and nothing else; also when it is gone before
 * all was said. */
static void changes_6_1(void **state)
{
	static const char *const more[] = {"2001:db8::1/64", "2001:db8::2/64", "fe80::1/64"};
	static const char *const other[] = {"2001:db8:0:1::3/127", "fe80::1/64"};

	up();
	pass(10000);
	forget();
	ports_of(1, 3, more);
	mld_db_ports(db, &world[1], now);
	pass(10000);
	assert_int_equal(n_said, 2);
	assert_int_equal(times("ff02::1:ff00:2", MLD_REPORT_2, MLD_TO_EXCLUDE), 2);
	forget();
	ports_of(0, 2, other);
	mld_db_ports(db, &world[0], now);
	pass(10000);
	assert_int_equal(times("ff02::1:ff00:3", MLD_REPORT_2, MLD_TO_EXCLUDE), 2);
	assert_int_equal(times("ff02::1:ff00:2", MLD_REPORT_2, MLD_TO_INCLUDE), 2);
	assert_int_equal(times(ANYCAST, MLD_REPORT_2, MLD_TO_INCLUDE), 2);
	assert_int_equal(n_said, 6); /* fe80::1 has OURS too */
	forget();
	mld_db_ports(db, &world[1], now);
	pass(10);
	mld_db_ports(db, &world[0], now);
	pass(10000);
	assert_int_equal(times("ff02::1:ff00:2", MLD_REPORT_2, MLD_TO_EXCLUDE), 1);
	assert_int_equal(times("ff02::1:ff00:2", MLD_REPORT_2, MLD_TO_INCLUDE), 2);
	/* the interface goes: its groups are taken back, once */
	forget();
	world[1].iface[IF].flags = 0;
	mld_db_ports(db, &world[1], now);
	assert_int_equal(times(OURS, MLD_REPORT_2, MLD_TO_INCLUDE), 1);
	assert_int_equal(times(ROUTERS, MLD_REPORT_2, MLD_TO_INCLUDE), 1);
	assert_int_equal(n_packets, 1);
	hear(2, "::", 0);
	pass(100000);
	assert_int_equal(n_packets, 1);
	/* a tunnel has no link */
	world[1].iface[IF].flags = IFACE_UP | IFACE_IP6 | IFACE_TUNNEL;
	world[1].iface[IF].port = IFACE_NO_PORT;
	mld_db_ports(db, &world[1], now);
	pass(10000);
	assert_int_equal(n_packets, 1);
	/* another VLAN is another link */
	mld_db_ports(db, &world[0], now);
	pass(10000);
	forget();
	ports_of(1, 2, other);
	world[1].iface[IF].vlan = 7;
	mld_db_ports(db, &world[1], now);
	assert_int_equal(times(OURS, MLD_REPORT_2, MLD_TO_INCLUDE), 1);
	pass(10000);
	assert_int_equal(times(OURS, MLD_REPORT_2, MLD_TO_EXCLUDE), 2);
	down();
}

/* RFC 3590: from "::" while the address is tentative, and again when it is ours; nothing where
 * nothing may be said. */
static void tentative_3590(void **state)
{
	up();
	named = false;
	pass(5000);
	assert_int_equal(n_packets, 2);
	for (unsigned i = 0; i < n_said; i++)
		assert_true(addr_is_unspecified(&said[i].src));
	forget();
	named = true;
	pass(5000);
	assert_int_equal(n_packets, 2);
	for (unsigned i = 0; i < n_said; i++)
		assert_true(addr_equal(&said[i].src, &world[0].iface[IF].ll));
	pass(100000);
	assert_int_equal(n_packets, 2);
	down();
	up();
	may_speak = false;
	pass(5000);
	hear(2, "::", 0);
	pass(5000);
	assert_int_equal(n_packets, 0);
	may_speak = true;
	pass(5000);
	assert_true(n_packets >= 2);
	down();
}

/* RFC 3810 section 6.2: all groups, at a random moment within the time; a group that is asked for
 * by itself; none that we do not listen to. */
static void answers_6_2(void **state)
{
	uint64_t asked, least = UINT64_MAX, most = 0;

	up();
	for (unsigned k = 0; k < 200; k++) {
		pass(10000);
		forget();
		asked = now;
		hear(2, "::", 1000);
		hear(2, "::", 60000); /* one answer is enough for both */
		pass(1010);
		assert_int_equal(n_packets, 1);
		assert_int_equal(n_said, 3);
		assert_int_equal(times(OURS, MLD_REPORT_2, MLD_IS_EXCLUDE), 1);
		least = RTE_MIN(least, said[0].at - asked);
		most = RTE_MAX(most, said[0].at - asked);
	}
	assert_in_range(least, 0, 50);
	assert_in_range(most, 950, 1010);
	pass(60000);
	forget();
	hear(2, OURS, 1000);
	hear(2, "ff02::1:ff00:77", 0);
	hear(2, "ff02::1", 0);
	pass(5000);
	assert_int_equal(n_said, 1);
	assert_int_equal(times(OURS, MLD_REPORT_2, MLD_IS_EXCLUDE), 1);
	/* a flood that wants answers at once gets few */
	forget();
	for (unsigned i = 0; i < 1000; i++) {
		hear(2, i % 2 ? OURS : "::", 0);
		pass(10);
	}
	assert_in_range(n_packets, 40, 52);
	assert_int_equal(mld_db_stats(db, IF).queries, 400 + 3 + 1000);
	mld_db_heard(db, 9, &(struct mld_query){.version = 2}, now);
	mld_db_heard(db, UINT16_MAX, &(struct mld_query){.version = 2}, now);
	down();
}

/* RFC 3810 section 8.2.1: an older querier is spoken to in its words until it is gone for so long.
 */
static void old_querier_8_2_1(void **state)
{
	static const char *const other[] = {"2001:db8::1/127", "fe80::1/64"};

	up();
	pass(10000);
	forget();
	hear(1, "::", 1000);
	assert_int_equal(mld_db_stats(db, IF).version, 1);
	pass(1010);
	assert_int_equal(n_packets, 3);
	assert_int_equal(times(OURS, MLD_REPORT_1, 0), 1);
	for (unsigned i = 0; i < n_said; i++) /* RFC 2710 section 3.7 */
		assert_true(addr_equal(&said[i].dst, &said[i].group));
	/* one of version 2 changes nothing while the old one may be there */
	forget();
	hear(2, "::", 1000);
	pass(1010);
	assert_int_equal(n_packets, 3);
	forget();
	ports_of(1, 2, other);
	mld_db_ports(db, &world[1], now);
	pass(5000);
	assert_int_equal(times(ANYCAST, MLD_DONE_1, 0), 2);
	assert_int_equal(n_packets, 2);
	/* robustness times the query interval, and the response interval */
	pass(251000 - 7020 - 20);
	assert_int_equal(mld_db_stats(db, IF).version, 1);
	pass(40);
	assert_int_equal(mld_db_stats(db, IF).version, 2);
	forget();
	hear(2, "::", 0);
	pass(10);
	assert_int_equal(times(OURS, MLD_REPORT_2, MLD_IS_EXCLUDE), 1);
	down();
}

/* The querier's robustness is taken over (RFC 3810 section 9.1), and many groups take several
 * reports (section 5.2.15). */
static void robustness_and_many(void **state)
{
	static char text[250][40];
	static const char *many[250];
	struct mld_query q = {.version = 2, .robustness = 3, .max_delay_ms = 10};

	up();
	pass(10000);
	mld_db_heard(db, IF, &q, now);
	pass(1000);
	for (unsigned i = 0; i < 250; i++) {
		snprintf(text[i], sizeof(text[i]), i ? "2001:db8::1:%x/64" : "fe80::%u/64", i);
		many[i] = text[i];
	}
	many[0] = "fe80::1/64";
	ports_of(1, 250, many);
	forget();
	mld_db_ports(db, &world[1], now);
	pass(10000);
	assert_int_equal(times("ff02::1:ff01:f9", MLD_REPORT_2, MLD_TO_EXCLUDE), 3);
	assert_int_equal(n_packets, 3 * 5);
	assert_int_equal(n_said, 3 * 249);
	forget();
	hear(2, "::", 0);
	pass(10);
	assert_int_equal(n_packets, 5);
	assert_int_equal(n_said, 252);
	down();
}

/* What is reported and what is let in are the same groups. */
static void the_groups_are_those_of_the_filter(void **state)
{
	static const char *const addrs[] = {"2001:db8::1/64", "2001:db8:1::5:1/127",
		"2001:db8:2:3:4:5:6:7/80", "10.0.0.1/8", "fe80::77/64", "fd00::/127"};
	struct addr group[13];
	unsigned n;

	up();
	ports_of(1, 6, addrs);
	n = iface_groups(&world[1].iface[IF], group, sizeof(group) / sizeof(group[0]));
	for (unsigned i = 0; i < n; i++)
		assert_true(iface_has_group(&world[1].iface[IF], group[i].b));
	for (unsigned low = 0; low < 1u << 24; low++) {
		struct addr g = {.b = {0xff, 2, [11] = 1, 0xff, (uint8_t)(low >> 16),
					 (uint8_t)(low >> 8), (uint8_t)low}};
		bool listed = false;

		if (!iface_has_group(&world[1].iface[IF], g.b))
			continue;
		for (unsigned i = 0; i < n; i++)
			listed |= addr_equal(&group[i], &g);
		assert_true(listed);
	}
	assert_int_equal(iface_groups(&world[1].iface[IF], group, 2), 2);
	world[1].iface[IF].flags = IFACE_UP;
	assert_int_equal(iface_groups(&world[1].iface[IF], group, 2), 0);
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_6_1),
		cmocka_unit_test(changes_6_1),
		cmocka_unit_test(tentative_3590),
		cmocka_unit_test(answers_6_2),
		cmocka_unit_test(old_querier_8_2_1),
		cmocka_unit_test(robustness_and_many),
		cmocka_unit_test(the_groups_are_those_of_the_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
