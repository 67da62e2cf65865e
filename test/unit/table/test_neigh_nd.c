/* Neighbours of IPv6, rule by rule (RFC 4861 sections 7.2 and 7.3, appendix C), with a clock of its
 * own; scans of a /64 (RFC 6583); links that go down and up. Our own addresses: test_neigh_own.c.
 */
#include "neigh_world.h"

static struct addr us, ll, host, host_ll;

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void up(void)
{
	dad = 0;
	resolve_rate = incomplete_max = 0;
	world_up_of(64, 256, 7);
	us = ip("2001:db8:6::1");
	ll = ip("fe80::1");
	host = ip("2001:db8:6::99");
	host_ll = ip("fe80::99");
	pass(5000); /* our announcements */
	forget();
}

static int state6(const struct addr *a)
{
	uint32_t i = neigh_find(table, SIX, a);

	return i == NEIGH_NONE ? -1 : neigh_get(table, i)->state;
}

/* Moves the clock until the entry is in that state, for most_ms at most. */
static void until(const struct addr *a, int state, uint64_t most_ms)
{
	for (uint64_t end = now + most_ms; state6(a) != state && now < end;)
		pass(10);
	assert_int_equal(state6(a), state);
}

static const uint8_t *mac6(const struct addr *a)
{
	return neigh_get(table, neigh_find(table, SIX, a))->hdr;
}

static void use(const struct addr *a)
{
	neigh_mark_used(table, neigh_find(table, SIX, a));
}

/* --- messages, as wire/nd reads them */

static struct nd base(uint8_t type, const struct addr *src, const struct addr *dst)
{
	return (struct nd){.type = type, .src = *src, .dst = *dst};
}

static void set_mac(struct nd *nd, uint32_t mac)
{
	struct rte_ether_addr m = mac_of(mac);

	nd->has_mac = true;
	memcpy(&nd->mac, &m, sizeof(nd->mac));
}

/* mac 0: none */
static int hear_na(const struct addr *target, uint32_t mac, uint8_t flags)
{
	struct nd nd = base(ND_NA, target, &us);

	nd.target = *target;
	nd.flags = flags;
	if (mac)
		set_mac(&nd, mac);
	return neigh_db_nd(db, SIX, &nd, now);
}

static int hear_ns(const struct addr *src, const struct addr *target, uint32_t mac)
{
	struct nd nd = base(ND_NS, src, target);

	nd.target = *target;
	if (mac)
		set_mac(&nd, mac);
	return neigh_db_nd(db, SIX, &nd, now);
}

/* A neighbour that is REACHABLE as of now. */
static uint32_t known6(const struct addr *a, uint32_t mac)
{
	neigh_db_resolve(db, SIX, a, now);
	assert_int_equal(hear_na(a, mac, ND_SOLICITED | ND_OVERRIDE), 0);
	assert_int_equal(state6(a), NEIGH_REACHABLE);
	forget();
	return neigh_find(table, SIX, a);
}

/* One that said its MAC without being asked. */
static void stale6(const struct addr *a, uint32_t mac)
{
	assert_int_equal(hear_ns(a, &us, mac), 0);
	assert_int_equal(state6(a), NEIGH_STALE);
	forget();
}

/* Sent message k asks for the target: by multicast, or (mac) at its MAC. */
static void assert_asked(
	unsigned k, const struct addr *src, const struct addr *target, uint32_t mac)
{
	const struct sent_nd *s = &sent_nd[k % 64];
	struct addr group = nd_solicited_node(target);
	struct mac group_mac = nd_group_mac(&group);
	struct rte_ether_addr m = mac_of(mac);

	assert_true(k < n_sent_nd);
	assert_int_equal(s->iface, SIX);
	assert_int_equal(s->nd.type, ND_NS);
	assert_true(addr_equal(&s->nd.src, src));
	assert_true(addr_equal(&s->nd.target, target));
	assert_true(addr_equal(&s->nd.dst, mac ? target : &group));
	assert_memory_equal(&s->dst, mac ? (void *)&m : (void *)&group_mac, 6);
	assert_true(s->nd.has_mac);
	assert_memory_equal(&s->nd.mac, &world[0].iface[SIX].mac, 6);
}

/* RFC 4861 section 7.2.2: by multicast, MAX_MULTICAST_SOLICIT times, RetransTimer apart; then those
 * that wait are told. */
static void resolve_7_2_2(void **state)
{
	up();
	neigh_db_resolve(db, SIX, &host, now);
	assert_int_equal(state6(&host), NEIGH_INCOMPLETE);
	for (unsigned i = 0; i < 50; i++)
		neigh_db_resolve(db, SIX, &host, now); /* hints come many times */
	assert_int_equal(n_sent_nd, 1);
	assert_asked(0, &us, &host, 0);
	pass(RETRY_MS - 10);
	assert_int_equal(n_sent_nd, 1);
	pass(10);
	assert_int_equal(n_sent_nd, 2);
	pass(RETRY_MS);
	assert_int_equal(n_sent_nd, 3);
	assert_int_equal(n_told, 0);
	pass(RETRY_MS);
	assert_int_equal(n_sent_nd, 3);
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].outcome, NEIGH_SILENT);
	assert_true(addr_equal(&told[0].addr, &host));
	assert_int_equal(state6(&host), NEIGH_FAILED);
	pass(3 * RETRY_MS);
	assert_int_equal(state6(&host), -1);
	/* a link-local neighbour is asked from the link-local address */
	forget();
	neigh_db_resolve(db, SIX, &host_ll, now);
	assert_asked(0, &ll, &host_ll, 0);
	assert_int_equal(n_sent, 0);
	world_down();
}

static void answered_7_2_5(void **state)
{
	const struct rte_ether_addr mac = mac_of(0x77);
	const struct neigh *n;

	up();
	neigh_db_resolve(db, SIX, &host, now);
	assert_int_equal(hear_na(&host, 0, ND_SOLICITED), 0); /* says nothing: ignored */
	assert_int_equal(state6(&host), NEIGH_INCOMPLETE);
	assert_int_equal(hear_na(&host, 0x77, ND_SOLICITED), 0); /* override does not matter yet */
	n = neigh_get(table, neigh_find(table, SIX, &host));
	assert_int_equal(n->state, NEIGH_REACHABLE);
	assert_int_equal(n->hdr_len, 14);
	assert_memory_equal(n->hdr, &mac, 6);
	assert_memory_equal(n->hdr + 6, &world[0].iface[SIX].mac, 6);
	assert_memory_equal(n->hdr + 12, "\x86\xdd", 2);
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].outcome, NEIGH_READY);
	/* unsolicited: known, but not confirmed */
	neigh_db_resolve(db, SIX, &host_ll, now);
	assert_int_equal(hear_na(&host_ll, 0x78, ND_ROUTER | ND_OVERRIDE), 0);
	assert_int_equal(state6(&host_ll), NEIGH_STALE);
	assert_int_equal(n_told, 2);
	/* nobody asked: nothing is made of it */
	us = ip("2001:db8:6::1");
	host = ip("2001:db8:6::55");
	assert_int_equal(hear_na(&host, 0x79, ND_SOLICITED | ND_OVERRIDE), 0);
	assert_int_equal(state6(&host), -1);
	world_down();
}

/* RFC 4861 section 7.2.5 and appendix C: an advertisement for an entry that has a MAC (0x10). */
static void flags_7_2_5(void **state)
{
	enum { R = NEIGH_REACHABLE, T = NEIGH_STALE, P = NEIGH_PROBE };
	static const struct {
		uint8_t before, flags;
		uint32_t mac; /* 0: no option */
		uint8_t after;
		uint32_t mac_after;
	} t[] = {
		/* solicited, the same MAC or none: confirmed, whatever override says */
		{R, ND_SOLICITED, 0x10, R, 0x10},
		{T, ND_SOLICITED, 0x10, R, 0x10},
		{P, ND_SOLICITED, 0x10, R, 0x10},
		{P, ND_SOLICITED | ND_OVERRIDE, 0x10, R, 0x10},
		{P, ND_SOLICITED, 0, R, 0x10},
		/* another MAC without override: REACHABLE becomes STALE, others stay */
		{R, ND_SOLICITED, 0x20, T, 0x10},
		{T, ND_SOLICITED, 0x20, T, 0x10},
		{P, ND_SOLICITED, 0x20, P, 0x10},
		{R, 0, 0x20, T, 0x10},
		/* another MAC with override */
		{R, ND_SOLICITED | ND_OVERRIDE, 0x20, R, 0x20},
		{T, ND_SOLICITED | ND_OVERRIDE, 0x20, R, 0x20},
		{P, ND_SOLICITED | ND_OVERRIDE, 0x20, R, 0x20},
		{R, ND_OVERRIDE, 0x20, T, 0x20},
		{P, ND_OVERRIDE, 0x20, T, 0x20},
		/* unsolicited and nothing new: no news */
		{R, ND_OVERRIDE, 0x10, R, 0x10},
		{T, ND_OVERRIDE, 0x10, T, 0x10},
		{P, 0, 0x10, P, 0x10},
		{P, 0, 0, P, 0x10},
	};

	for (unsigned k = 0; k < RTE_DIM(t); k++) {
		struct rte_ether_addr mac = mac_of(t[k].mac_after);

		up();
		known6(&host, 0x10);
		if (t[k].before != R)
			pass(REACHABLE_MS * 3 / 2);
		if (t[k].before == P) {
			use(&host);
			pass(RETRY_MS + 5000);
		}
		assert_int_equal(state6(&host), t[k].before);
		print_message("case %u\n", k);
		assert_int_equal(hear_na(&host, t[k].mac, t[k].flags), 0);
		assert_int_equal(state6(&host), t[k].after);
		assert_memory_equal(mac6(&host), &mac, 6);
		world_down();
	}
}

/* RFC 4861 section 7.2.3: whoever asks for us says its own MAC. */
static void solicited_7_2_3(void **state)
{
	struct addr other = ip("2001:db8:6::42"), far = ip("2001:db8:7::9"), none = {0};

	up();
	assert_int_equal(hear_ns(&host, &us, 0x31), 0);
	assert_int_equal(state6(&host), NEIGH_STALE); /* new: not confirmed */
	known6(&host, 0x31);
	assert_int_equal(hear_ns(&host, &us, 0x31), 0);
	assert_int_equal(state6(&host), NEIGH_REACHABLE); /* nothing new */
	assert_int_equal(hear_ns(&host, &us, 0x32), 0);
	assert_int_equal(state6(&host), NEIGH_STALE); /* it moved */
	assert_memory_equal(mac6(&host), mac_of(0x32).addr_bytes, 6);
	/* one that we are asking for: what waits can go */
	neigh_db_resolve(db, SIX, &host_ll, now);
	forget();
	assert_int_equal(hear_ns(&host_ll, &us, 0x33), 0);
	assert_int_equal(state6(&host_ll), NEIGH_STALE);
	assert_int_equal(told[0].outcome, NEIGH_READY);
	/* someone else's affair, a source that is not on the link, and none */
	forget();
	assert_int_equal(hear_ns(&host, &other, 0x31), 0);
	assert_int_equal(hear_ns(&far, &us, 0x34), -EINVAL);
	assert_int_equal(state6(&far), -1);
	assert_int_equal(n_sent_nd, 0);
	assert_int_equal(hear_ns(&none, &us, 0), 0);
	assert_int_equal(n_sent_nd, 1);
	world_down();
}

/* RFC 4861 section 7.2.4 */
static void answers_7_2_4(void **state)
{
	struct addr none = {0}, all = nd_all_nodes(), stranger = ip("2001:db8:6::77");
	const struct sent_nd *s = &sent_nd[0];

	up();
	assert_int_equal(hear_ns(&host, &us, 0x31), 0);
	assert_int_equal(n_sent_nd, 1);
	assert_int_equal(s->nd.type, ND_NA);
	assert_int_equal(s->nd.flags, ND_ROUTER | ND_SOLICITED | ND_OVERRIDE);
	assert_true(addr_equal(&s->nd.src, &us));
	assert_true(addr_equal(&s->nd.dst, &host));
	assert_true(addr_equal(&s->nd.target, &us));
	assert_memory_equal(&s->dst, mac_of(0x31).addr_bytes, 6);
	assert_memory_equal(&s->nd.mac, &world[0].iface[SIX].mac, 6);
	/* from nobody: to all, not solicited */
	forget();
	assert_int_equal(hear_ns(&none, &ll, 0), 0);
	assert_true(addr_equal(&s->nd.dst, &all));
	assert_int_equal(s->nd.flags, ND_ROUTER | ND_OVERRIDE);
	assert_memory_equal(&s->dst, "\x33\x33\0\0\0\1", 6);
	assert_true(addr_equal(&s->nd.target, &ll));
	/* a probe without the option: at the MAC that we know */
	forget();
	assert_int_equal(hear_ns(&host, &us, 0), 0);
	assert_int_equal(s->nd.type, ND_NA);
	assert_memory_equal(&s->dst, mac_of(0x31).addr_bytes, 6);
	/* ... and from a stranger: it is looked for first */
	forget();
	assert_int_equal(hear_ns(&stranger, &us, 0), 0);
	assert_int_equal(n_sent_nd, 1);
	assert_asked(0, &us, &stranger, 0);
	world_down();
}

/* RFC 4861 section 7.2.4, RFC 4291 section 2.6.1: the routers' anycast address of a subnet, which
 * other routers have too: without override, from an address that is ours. */
static void answers_for_anycast_7_2_4(void **state)
{
	struct addr routers = ip("2001:db8:6::"), none = {0}, other = ip("2001:db8:7::");
	const struct sent_nd *s = &sent_nd[0];

	up();
	assert_int_equal(hear_ns(&host, &routers, 0x31), 0);
	assert_int_equal(n_sent_nd, 1);
	assert_int_equal(s->nd.type, ND_NA);
	assert_int_equal(s->nd.flags, ND_ROUTER | ND_SOLICITED);
	assert_true(addr_equal(&s->nd.target, &routers));
	assert_true(addr_equal(&s->nd.src, &us));
	assert_true(addr_equal(&s->nd.dst, &host));
	assert_int_equal(state6(&host), NEIGH_STALE);
	assert_int_equal(hear_ns(&none, &routers, 0), 0);
	assert_int_equal(hear_ns(&host, &other, 0x31), 0);
	assert_int_equal(n_sent_nd, 1);
	world_down();
}

/* RFC 4861 section 6.2.6: a host that asks for routers says its MAC. */
static void router_solicitation_6_2_6(void **state)
{
	struct addr routers = ip("ff02::2"), none = {0};
	struct nd nd;

	up();
	nd = base(ND_RS, &host_ll, &routers);
	set_mac(&nd, 0x41);
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	assert_int_equal(state6(&host_ll), NEIGH_STALE);
	nd = base(ND_RS, &none, &routers);
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	assert_int_equal(n_sent_nd, 0);
	world_down();
}

/* RFC 4861 sections 6.2.7 and 8.2: a router learns nothing from these, nor where there is no IPv6.
 */
static void others_teach_nothing_8_2(void **state)
{
	struct nd nd;

	up();
	nd = base(ND_REDIRECT, &host_ll, &us);
	nd.target = host;
	nd.redirected = host;
	set_mac(&nd, 0x66);
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	nd.type = ND_RA;
	assert_int_equal(neigh_db_nd(db, SIX, &nd, now), 0);
	assert_int_equal(state6(&host), -1);
	assert_int_equal(state6(&host_ll), -1);
	nd.type = ND_NS;
	assert_int_equal(neigh_db_nd(db, LAN, &nd, now), -EINVAL);
	assert_int_equal(neigh_db_nd(db, DOWN, &nd, now), -EINVAL);
	assert_int_equal(neigh_db_nd(db, 999, &nd, now), -EINVAL);
	assert_int_equal(n_sent_nd, 0);
	world_down();
}

/* RFC 4861 section 7.3.3: REACHABLE, STALE, DELAY, PROBE, and gone. */
static void unreachable_7_3_3(void **state)
{
	up();
	known6(&host, 0x51);
	pass(REACHABLE_MS * 3 / 2);
	assert_int_equal(state6(&host), NEIGH_STALE);
	pass(60000);
	assert_int_equal(n_sent_nd, 0); /* not needed, not asked */
	use(&host);
	until(&host, NEIGH_DELAY, RETRY_MS);
	assert_memory_equal(mac6(&host), mac_of(0x51).addr_bytes, 6); /* usable all the while */
	pass(4990);
	assert_int_equal(n_sent_nd, 0);
	pass(10); /* DELAY_FIRST_PROBE_TIME */
	assert_int_equal(state6(&host), NEIGH_PROBE);
	pass(2 * RETRY_MS);
	assert_int_equal(n_sent_nd, 3); /* MAX_UNICAST_SOLICIT */
	for (unsigned k = 0; k < 3; k++)
		assert_asked(k, &us, &host, 0x51);
	assert_int_equal(state6(&host), NEIGH_PROBE);
	pass(RETRY_MS);
	assert_int_equal(n_sent_nd, 3);
	assert_int_equal(state6(&host), -1); /* the next packet begins anew */
	/* never used: gone after stale_ms */
	stale6(&host, 0x52);
	pass(STALE_MS - 10);
	assert_int_equal(state6(&host), NEIGH_STALE);
	pass(10);
	assert_int_equal(state6(&host), -1);
	assert_int_equal(n_told, 0);
	world_down();
}

/* RFC 4861 section 7.3.3: an answer in DELAY or PROBE ends both. */
static void confirmed_in_time_7_3_3(void **state)
{
	for (unsigned probe = 0; probe < 2; probe++) {
		up();
		stale6(&host, 0x51);
		use(&host);
		pass(RETRY_MS + (probe ? 5000 : 0));
		assert_int_equal(state6(&host), probe ? NEIGH_PROBE : NEIGH_DELAY);
		assert_int_equal(hear_na(&host, 0x51, ND_SOLICITED), 0);
		assert_int_equal(state6(&host), NEIGH_REACHABLE);
		pass(REACHABLE_MS / 2 - 10);
		assert_int_equal(n_sent_nd, probe);
		world_down();
	}
}

/* RFC 4861 section 7.3.1: that we send to it does not show that it hears. */
static void forwarding_confirms_nothing_7_3_1(void **state)
{
	unsigned probes = 0;

	up();
	known6(&host, 0x51);
	for (unsigned ms = 0; ms < REACHABLE_MS * 2 + 9000 && state6(&host) != -1; ms += 10) {
		use(&host);
		pass(10);
	}
	probes = n_sent_nd;
	assert_int_equal(probes, 3);
	assert_int_equal(state6(&host), -1);
	world_down();
}

/* RFC 4861 section 6.3.2: ReachableTime is random, 0.5 to 1.5 times its base. */
static void reachable_time_6_3_2(void **state)
{
	uint64_t least = UINT64_MAX, most = 0, sum = 0;
	unsigned n = 200;

	up();
	for (unsigned k = 0; k < n; k++) {
		uint64_t began;

		known6(&host, 0x51);
		for (began = now; state6(&host) == NEIGH_REACHABLE;)
			pass(10);
		least = RTE_MIN(least, now - began);
		most = RTE_MAX(most, now - began);
		sum += now - began;
	}
	assert_in_range(least, REACHABLE_MS / 2, REACHABLE_MS * 6 / 10);
	assert_in_range(most, REACHABLE_MS * 14 / 10, REACHABLE_MS * 3 / 2 + 10);
	assert_in_range(sum / n, REACHABLE_MS * 9 / 10, REACHABLE_MS * 11 / 10);
	world_down();
}

/* A gateway is kept fresh, and asked for by multicast again when it is silent. */
static void pinned(void **state)
{
	uint32_t i;

	up();
	i = neigh_db_pin(db, SIX, &host_ll, now);
	assert_int_not_equal(i, NEIGH_NONE);
	assert_asked(0, &ll, &host_ll, 0);
	assert_int_equal(hear_na(&host_ll, 0x61, ND_SOLICITED | ND_ROUTER), 0);
	forget();
	until(&host_ll, NEIGH_PROBE, REACHABLE_MS * 3 / 2 + 5000); /* though nobody uses it */
	assert_asked(0, &ll, &host_ll, 0x61);
	until(&host_ll, NEIGH_INCOMPLETE, 3 * RETRY_MS); /* the same index, asked anew */
	assert_int_equal(neigh_find(table, SIX, &host_ll), i);
	assert_asked(3, &ll, &host_ll, 0);
	until(&host_ll, NEIGH_FAILED, 3 * RETRY_MS);
	forget();
	pass(60000);
	assert_in_range(n_sent_nd, 6, 12);
	assert_int_equal(hear_na(&host_ll, 0x62, ND_SOLICITED), 0);
	assert_int_equal(state6(&host_ll), NEIGH_REACHABLE);
	assert_int_equal(told[n_told - 1].outcome, NEIGH_READY);
	world_down();
}

static void fixed(void **state)
{
	const struct rte_ether_addr mac = mac_of(0xabc);

	up();
	assert_int_equal(neigh_db_static(db, SIX, &host, &mac, now), 0);
	assert_int_equal(hear_na(&host, 0x11, ND_SOLICITED | ND_OVERRIDE), 0);
	assert_int_equal(hear_ns(&host, &us, 0x11), 0);
	assert_int_equal(state6(&host), NEIGH_STATIC);
	assert_memory_equal(mac6(&host), &mac, 6);
	pass(2 * STALE_MS);
	assert_int_equal(state6(&host), NEIGH_STATIC);
	world_down();
}

static void no_neighbours(void **state)
{
	const char *bad[] = {"::", "::1", "ff02::1", "ff0e::5", "2001:db8:6::1", "fe80::1",
		"2001:db8:6::" /* the routers' anycast address */};

	up();
	for (unsigned k = 0; k < RTE_DIM(bad); k++) {
		struct addr a = ip(bad[k]);

		forget();
		neigh_db_resolve(db, SIX, &a, now);
		assert_int_equal(n_told, 1);
		assert_int_equal(told[0].outcome, NEIGH_REFUSED);
	}
	neigh_db_resolve(db, LAN, &host, now); /* an interface without IPv6 */
	assert_int_equal(told[1].outcome, NEIGH_REFUSED);
	assert_int_equal(n_sent_nd, 0);
	world_down();
}

static struct addr scan_addr(uint32_t k)
{
	struct addr a = ip("2001:db8:6::1:0:0");

	a.w[3] = rte_cpu_to_be_32(k * 2654435761u | 1);
	return a;
}

/* RFC 6583: a scan of the /64 asks at a limited rate, for a limited number at a time. */
static void scanned_rate(void **state)
{
	unsigned refused = 0, most = 0;

	resolve_rate = 100;
	dad = 0;
	incomplete_max = 50;
	world_up_of(64, 256, 7);
	pass(5000);
	forget();
	for (uint32_t k = 0; k < 50000; k++) { /* ten seconds, 5,000 a second */
		struct addr a = scan_addr(k);
		unsigned incomplete = 0, before = n_told;

		neigh_db_resolve(db, SIX, &a, now);
		refused += n_told > before && told[(n_told - 1) % 64].outcome == NEIGH_REFUSED &&
			   addr_equal(&told[(n_told - 1) % 64].addr, &a);
		if (k % 50 == 0)
			pass(10);
		if (k % 5000)
			continue;
		for (uint32_t i = 1; i <= 256 + 64; i++)
			incomplete += neigh_get(table, i) &&
				      neigh_get(table, i)->state == NEIGH_INCOMPLETE;
		most = RTE_MAX(most, incomplete);
	}
	assert_in_range(50000 - refused, 950, 1060);
	assert_in_range(most, 1, 50);
	world_down();
}

/* ... and pushes out nobody who answered, of either family, nor takes the other family's room. */
static void scanned_evicts_nobody(void **state)
{
	struct addr later = ip("2001:db8:6::abcd");

	up();
	for (uint32_t k = 0; k < 40; k++)
		known(BIG, IP(11, 1, 0, k + 1), mac_of(k));
	for (uint32_t k = 0; k < 180; k++) {
		struct addr a = ip("2001:db8:6::5:0");

		a.b[15] = (uint8_t)k;
		known6(&a, 0x1000 + k);
	}
	pass(REACHABLE_MS * 3 / 2 + 1000); /* all of them stale: the first to go, if any */
	for (uint32_t k = 0; k < 100000; k++) {
		struct addr a = scan_addr(k);

		neigh_db_resolve(db, SIX, &a, now);
		if (k % 100 == 0)
			pass(10);
	}
	for (uint32_t k = 0; k < 40; k++)
		assert_int_equal(state_of(BIG, IP(11, 1, 0, k + 1)), NEIGH_STALE);
	for (uint32_t k = 0; k < 180; k++) {
		struct addr a = ip("2001:db8:6::5:0");

		a.b[15] = (uint8_t)k;
		assert_int_equal(state6(&a), NEIGH_STALE);
	}
	/* IPv4 resolves as ever, and so does a host that is there */
	resolve4(LAN, HOST);
	assert_int_equal(state_of(LAN, HOST), NEIGH_INCOMPLETE);
	neigh_db_resolve(db, SIX, &later, now);
	assert_int_equal(hear_na(&later, 0x99, ND_SOLICITED | ND_OVERRIDE), 0);
	assert_int_equal(state6(&later), NEIGH_REACHABLE);
	world_down();
}

/* The other way: a scan of an IPv4 network takes nothing from IPv6. */
static void scanned_by_ipv4(void **state)
{
	up();
	known6(&host, 0x51);
	pass(REACHABLE_MS * 3 / 2 + 1000);
	for (uint32_t k = 0; k < 20000; k++) {
		resolve4(BIG, IP(11, 2, 0, 1) + k * 257);
		if (k % 100 == 0)
			pass(10);
	}
	assert_int_equal(state6(&host), NEIGH_STALE);
	neigh_db_resolve(db, SIX, &host_ll, now);
	assert_int_equal(state6(&host_ll), NEIGH_INCOMPLETE);
	world_down();
}

/* A flood of solicitations with made-up sources fills the table, and stops nobody from being asked
 * for. */
static void flooded_with_sources(void **state)
{
	struct addr later = ip("2001:db8:6::abcd");

	up();
	for (uint32_t k = 0; k < 5000; k++) {
		struct addr a = scan_addr(k);

		assert_int_equal(hear_ns(&a, &us, 0x2000 + k), 0);
	}
	forget();
	neigh_db_resolve(db, SIX, &later, now);
	assert_int_equal(state6(&later), NEIGH_INCOMPLETE);
	assert_int_equal(hear_na(&later, 0x99, ND_SOLICITED | ND_OVERRIDE), 0);
	assert_int_equal(state6(&later), NEIGH_REACHABLE);
	world_down();
}

/* The link goes: what was learned is forgotten, whoever waits is told, nothing is asked. */
static void link_down_and_up(void **state)
{
	const struct rte_ether_addr mac = mac_of(0xabc);
	struct addr gone = ip("2001:db8:6::dead"), fix = ip("2001:db8:6::f1");
	uint32_t pin;

	up();
	known6(&host, 0x51);
	known(LAN, HOST, mac_of(0x77));
	neigh_db_static(db, SIX, &fix, &mac, now);
	pin = neigh_db_pin(db, SIX, &host_ll, now);
	assert_int_equal(hear_na(&host_ll, 0x61, ND_SOLICITED), 0);
	neigh_db_resolve(db, SIX, &gone, now);
	forget();
	neigh_db_link(db, 3, false, now);
	assert_int_equal(state6(&host), -1);
	assert_int_equal(state6(&gone), -1);
	assert_int_equal(state6(&host_ll), NEIGH_FAILED); /* refused at once */
	assert_int_equal(state6(&fix), NEIGH_STATIC);
	assert_int_equal(state_of(LAN, HOST), NEIGH_REACHABLE); /* another port */
	assert_int_equal(n_told, 2);
	for (unsigned k = 0; k < 2; k++)
		assert_int_equal(told[k].outcome, NEIGH_DOWN);
	neigh_db_link(db, 3, false, now); /* told again: nothing */
	neigh_db_resolve(db, SIX, &host, now);
	assert_int_equal(n_told, 3);
	assert_int_equal(told[2].outcome, NEIGH_DOWN);
	pass(30000);
	assert_int_equal(n_sent_nd, 0);
	/* back: the gateway is asked for, and our addresses are announced */
	neigh_db_link(db, 3, true, now);
	assert_int_equal(state6(&host_ll), NEIGH_INCOMPLETE);
	assert_int_equal(neigh_find(table, SIX, &host_ll), pin);
	pass(10);
	assert_int_equal(n_sent_nd, 3); /* asked for; two addresses */
	assert_int_equal(hear_na(&host_ll, 0x61, ND_SOLICITED), 0);
	assert_int_equal(state6(&host_ll), NEIGH_REACHABLE);
	/* IPv4 likewise: gratuitous ARP for both addresses */
	forget();
	neigh_db_link(db, 0, false, now);
	assert_int_equal(state_of(LAN, HOST), -1);
	neigh_db_link(db, 0, true, now);
	assert_int_equal(n_sent, 2);
	assert_sent(0, LAN, 1, LAN_US, LAN_US, NULL);
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolve_7_2_2),
		cmocka_unit_test(answered_7_2_5),
		cmocka_unit_test(flags_7_2_5),
		cmocka_unit_test(solicited_7_2_3),
		cmocka_unit_test(answers_7_2_4),
		cmocka_unit_test(answers_for_anycast_7_2_4),
		cmocka_unit_test(router_solicitation_6_2_6),
		cmocka_unit_test(others_teach_nothing_8_2),
		cmocka_unit_test(unreachable_7_3_3),
		cmocka_unit_test(confirmed_in_time_7_3_3),
		cmocka_unit_test(forwarding_confirms_nothing_7_3_1),
		cmocka_unit_test(reachable_time_6_3_2),
		cmocka_unit_test(pinned),
		cmocka_unit_test(fixed),
		cmocka_unit_test(no_neighbours),
		cmocka_unit_test(scanned_rate),
		cmocka_unit_test(scanned_evicts_nobody),
		cmocka_unit_test(scanned_by_ipv4),
		cmocka_unit_test(flooded_with_sources),
		cmocka_unit_test(link_down_and_up),
	};

	eal_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
