/* Router advertisements (RFC 4861 section 6.2): when they are sent, when not, the last one, and
 * what other routers say. A clock of its own, and a seed.
 */
#include "base/log.h"
#include "table/ra_send.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define IF 1
#define SENT_MAX 4096

static struct ports world[2];
static struct ra config[2];
static struct ra_db *db;
static uint64_t now, sent_at[SENT_MAX];
static struct nd sent[SENT_MAX];
static unsigned n_sent;
static bool is_ready;

static void record(void *arg, const struct iface *iface, const struct mac *dst,
	const uint8_t *packet, unsigned len)
{
	assert_int_equal(iface->id, IF);
	assert_memory_equal(dst, "\x33\x33\0\0\0\1", 6);
	assert_true(n_sent < SENT_MAX);
	assert_int_equal(nd_read(packet, len, &sent[n_sent]), ND_OK);
	sent_at[n_sent++] = now;
}

static bool ready(void *arg, const struct iface *iface)
{
	return is_ready;
}

static void ports_of(unsigned k)
{
	struct ports *p = &world[k];
	struct iface *f = &p->iface[IF];

	memset(p, 0, sizeof(*p));
	p->n_ports = 1;
	p->n_ifaces = 2;
	*f = (struct iface){.id = IF, .port = 0, .mtu = 1500, .flags = IFACE_UP | IFACE_IP6};
	f->mac = (struct rte_ether_addr){{2, 0, 0, 0, 0, 1}};
	assert_int_equal(addr_parse("fe80::1", &f->ll), 0);
	config[k] = (struct ra){.send = true,
		.interval_s = 600,
		.lifetime_s = 1800,
		.hop_limit = 64,
		.n_prefixes = 1};
	assert_int_equal(prefix_parse("2001:db8::/64", &config[k].prefix[0].prefix), 0);
	config[k].prefix[0].valid_s = 86400;
	config[k].prefix[0].preferred_s = 14400;
	strcpy(f->name, "lan");
	f->ra = &config[k];
}

static void pass(uint64_t ms)
{
	for (uint64_t end = now + ms; now < end;) {
		now += 10;
		ra_db_tick(db, now);
	}
}

static void up_seed(uint64_t seed)
{
	const struct ra_ops ops = {.send = record, .ready = ready};

	log_setup(LOG_LVL_ERROR, false);
	ports_of(0);
	ports_of(1);
	now = 1000000;
	n_sent = 0;
	is_ready = true;
	db = ra_db_new(&ops, seed);
	assert_non_null(db);
}

static void up(void)
{
	up_seed(5);
	ra_db_ports(db, &world[0], now);
}

static void down(void)
{
	ra_db_free(db);
}

static struct nd solicitation(void)
{
	return (struct nd){.type = ND_RS};
}

/* RFC 4861 section 6.2.4: the first three within 16 seconds of each other, the others at random
 * between 0.33 and 1 times the interval. */
static void periodic_6_2_4(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	up();
	pass(600);
	assert_int_equal(n_sent, 1);
	assert_true(addr_equal(&sent[0].src, &world[0].iface[IF].ll));
	assert_int_equal(sent[0].ra.lifetime_s, 1800);
	assert_int_equal(sent[0].ra.n_prefixes, 1);
	assert_true(sent[0].has_mac);
	pass(3 * 16000);
	assert_int_equal(n_sent, 4);
	for (unsigned k = 1; k < 4; k++)
		assert_in_range(sent_at[k] - sent_at[k - 1], 3000, 16010);
	n_sent = 0;
	pass(200 * 600000ull);
	for (unsigned k = 1; k < n_sent; k++) {
		least = RTE_MIN(least, sent_at[k] - sent_at[k - 1]);
		most = RTE_MAX(most, sent_at[k] - sent_at[k - 1]);
	}
	assert_in_range(least, 198000, 220000);
	assert_in_range(most, 580000, 600010);
	down();
	/* the shortest interval: still three seconds apart */
	up_seed(6);
	config[0].interval_s = 4;
	ra_db_ports(db, &world[0], now);
	pass(400000);
	for (unsigned k = 1; k < n_sent; k++)
		assert_in_range(sent_at[k] - sent_at[k - 1], 3000, 4010);
	down();
}

/* RFC 4861 section 6.2.6: answered within half a second, but three seconds apart at least. */
static void solicited_6_2_6(void **state)
{
	struct nd rs = solicitation();
	uint64_t asked, least = UINT64_MAX, most = 0;

	up();
	pass(60000);
	for (unsigned k = 0; k < 100; k++) {
		n_sent = 0;
		asked = now;
		ra_db_heard(db, IF, &rs, now);
		pass(600);
		assert_in_range(n_sent, 1, 2);
		least = RTE_MIN(least, sent_at[0] - asked);
		most = RTE_MAX(most, sent_at[0] - asked);
		pass(4000);
	}
	assert_in_range(least, 0, 50);
	assert_in_range(most, 400, 510); /* MAX_RA_DELAY_TIME */
	/* a flood of solicitations */
	n_sent = 0;
	for (unsigned k = 0; k < 6000; k++) {
		ra_db_heard(db, IF, &rs, now);
		pass(10);
	}
	assert_in_range(n_sent, 15, 21);
	for (unsigned k = 1; k < n_sent; k++)
		assert_true(sent_at[k] - sent_at[k - 1] >= 3000); /* MIN_DELAY_BETWEEN_RAS */
	assert_int_equal(ra_db_stats(db, IF).solicited, 6100);
	down();
}

/* RFC 4861 section 6.2.5: the last ones have a lifetime of 0: one at the daemon's end, three while
 * it runs. */
static void ceases_6_2_5(void **state)
{
	struct nd rs = solicitation();

	up();
	pass(60000);
	n_sent = 0;
	ra_db_stop(db);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].ra.lifetime_s, 0);
	ra_db_heard(db, IF, &rs, now);
	pass(1000000);
	assert_int_equal(n_sent, 1);
	down();
	/* switched off by a reload; then on again */
	up();
	pass(60000);
	n_sent = 0;
	config[1].send = false;
	ra_db_ports(db, &world[1], now);
	assert_int_equal(n_sent, 1);
	memset(&world[0].iface[IF], 0xee, sizeof(world[0].iface[IF])); /* as good as freed */
	memset(&config[0], 0xee, sizeof(config[0]));
	ra_db_heard(db, IF, &rs, now);
	pass(1000000);
	assert_int_equal(n_sent, 3); /* MAX_FINAL_RTR_ADVERTISEMENTS */
	for (unsigned k = 0; k < 3; k++) {
		assert_int_equal(sent[k].ra.lifetime_s, 0);
		assert_int_equal(sent[k].ra.prefix[0].valid_s, 86400);
		assert_true(k == 0 || sent_at[k] - sent_at[k - 1] >= 3000);
	}
	ports_of(0);
	ra_db_ports(db, &world[0], now);
	pass(600);
	assert_int_equal(n_sent, 4);
	assert_int_equal(sent[3].ra.lifetime_s, 1800);
	/* off and on again before all is said: the rest is not */
	pass(60000);
	n_sent = 0;
	ra_db_ports(db, &world[1], now);
	pass(100);
	ra_db_ports(db, &world[0], now);
	pass(10000);
	for (unsigned k = 0; k < n_sent; k++)
		assert_int_equal(sent[k].ra.lifetime_s, k == 0 ? 0 : 1800);
	assert_true(n_sent > 1);
	/* and off for good, with the interface */
	pass(60000);
	n_sent = 0;
	world[1].iface[IF].flags = 0;
	ra_db_ports(db, &world[1], now);
	pass(100000);
	assert_int_equal(n_sent, 3);
	down();
	/* never said anything: nothing to take back */
	up();
	ra_db_stop(db);
	assert_int_equal(n_sent, 0);
	down();
}

/* Where it is not configured nothing is sent. */
static void not_configured(void **state)
{
	struct nd rs = solicitation();

	for (unsigned k = 0; k < 5; k++) {
		up_seed(k);
		if (k == 0)
			world[0].iface[IF].ra = NULL;
		else if (k == 1)
			config[0].send = false;
		else if (k == 2)
			world[0].iface[IF].flags = IFACE_UP;
		else if (k == 3)
			world[0].iface[IF].flags = IFACE_IP6;
		else
			world[0].iface[IF].flags |= IFACE_TUNNEL;
		ra_db_ports(db, &world[0], now);
		ra_db_heard(db, IF, &rs, now);
		ra_db_heard(db, 9, &rs, now);
		ra_db_heard(db, UINT16_MAX, &rs, now);
		pass(1000000);
		ra_db_stop(db);
		assert_int_equal(n_sent, 0);
		down();
	}
}

/* The link-local address is tentative, or the link is down: later. */
static void not_ready(void **state)
{
	up_seed(5);
	is_ready = false;
	ra_db_ports(db, &world[0], now);
	pass(10000);
	assert_int_equal(n_sent, 0);
	is_ready = true;
	pass(600);
	assert_int_equal(n_sent, 1);
	down();
}

/* A reload that changes nothing says nothing; one that does says it soon. A link that comes up
 * begins anew. */
static void reload_and_link(void **state)
{
	up();
	pass(100000);
	n_sent = 0;
	ra_db_ports(db, &world[1], now);
	pass(10000);
	assert_int_equal(n_sent, 0);
	config[0].prefix[0].preferred_s = 7200;
	ra_db_ports(db, &world[0], now);
	pass(4000);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].ra.prefix[0].preferred_s, 7200);
	pass(100000);
	n_sent = 0;
	ra_db_link_up(db, 7, now); /* another port */
	pass(1000);
	assert_int_equal(n_sent, 0);
	ra_db_link_up(db, 0, now);
	pass(600);
	assert_int_equal(n_sent, 1);
	pass(3 * 16000);
	assert_int_equal(n_sent, 4);
	down();
}

/* RFC 4861 section 6.2.7: what must agree between routers, each by itself. */
static void inconsistent_6_2_7(void **state)
{
	struct nd same = {.type = ND_RA};
	struct nd nd[7];

	up();
	config[0].reachable_ms = 30000;
	config[0].retrans_ms = 1000;
	config[0].mtu = 1500;
	assert_int_equal(addr_parse("fe80::2", &same.src), 0);
	same.ra = config[0];
	same.ra.lifetime_s = 0; /* may differ, as may the flags of prefixes and unknown ones */
	for (unsigned k = 0; k < 7; k++)
		nd[k] = same;
	nd[0].ra.hop_limit = 32;
	nd[1].ra.managed = true;
	nd[2].ra.other_config = true;
	nd[3].ra.reachable_ms = 1;
	nd[4].ra.retrans_ms = 1;
	nd[5].ra.mtu = 1400;
	nd[6].ra.prefix[0].valid_s = 5;
	ra_db_heard(db, IF, &same, now);
	assert_int_equal(ra_db_stats(db, IF).inconsistent, 0);
	for (unsigned k = 0; k < 7; k++) {
		ra_db_heard(db, IF, &nd[k], now);
		assert_int_equal(ra_db_stats(db, IF).inconsistent, k + 1);
	}
	/* unspecified agrees with everything; a prefix of its own is nobody's business */
	same.ra.hop_limit = 0;
	same.ra.reachable_ms = same.ra.retrans_ms = same.ra.mtu = 0;
	same.ra.prefix[0].prefix.addr.b[0] ^= 1;
	same.ra.prefix[0].valid_s = 5;
	ra_db_heard(db, IF, &same, now);
	assert_int_equal(ra_db_stats(db, IF).inconsistent, 7);
	assert_int_equal(ra_db_stats(db, IF).heard, 9);
	same.type = ND_REDIRECT;
	ra_db_heard(db, IF, &same, now);
	assert_int_equal(ra_db_stats(db, IF).redirects, 1);
	assert_int_equal(n_sent, 0);
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(periodic_6_2_4),
		cmocka_unit_test(solicited_6_2_6),
		cmocka_unit_test(ceases_6_2_5),
		cmocka_unit_test(not_configured),
		cmocka_unit_test(not_ready),
		cmocka_unit_test(reload_and_link),
		cmocka_unit_test(inconsistent_6_2_7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
