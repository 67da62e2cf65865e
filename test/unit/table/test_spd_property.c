/* The SPD's compiler, held against the plain walk over the policies: random lists of prefixes and
 * ranges of both families and directions, random packets near their edges, in bursts. At least a
 * million comparisons for each family.
 *
 * The seed is printed, and taken from POSTERN_SEED when that is set; one seed gives one run.
 */
#include "eal.h"

#include "table/spd_write.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COMPARISONS 1000000 /* of each family */
#define PER_LIST 4000
#define LIST_MAX 2000

static uint64_t seed = 20261124, rng;

static uint64_t draw(void)
{
	uint64_t z = (rng += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(draw() >> 32) % n;
}

/* One in n. */
static bool chance(uint32_t n)
{
	return below(n) == 0;
}

/* Few values in each byte, so that ranges meet. */
static struct addr draw_addr(bool ip6)
{
	struct addr a = {.b = {0x20, 0x01}};

	if (!ip6)
		return addr_of4((10u + below(2)) << 24 | below(3) << 16 | below(3) << 8 |
				below(chance(3) ? 256 : 8));
	a.b[3] = (uint8_t)below(3);
	for (unsigned i = 4; i < 16; i++)
		if (chance(3))
			a.b[i] = (uint8_t)below(4);
	return a;
}

static void draw_range(bool ip6, bool ranges, struct addr *from, struct addr *to)
{
	struct addr a = draw_addr(ip6), b = draw_addr(ip6);
	unsigned fixed = ip6 ? 0 : 96, len;

	if (ranges && chance(2)) {
		if (chance(2)) { /* near each other */
			b = a;
			b.b[15] = (uint8_t)below(256);
			b.b[14] = (uint8_t)(b.b[14] + below(2));
		}
		*from = memcmp(a.b, b.b, 16) < 0 ? a : b;
		*to = memcmp(a.b, b.b, 16) < 0 ? b : a;
		return;
	}
	len = chance(6) ? fixed : fixed + below(129 - fixed);
	*from = addr_masked(&a, len);
	*to = addr_last(&a, len);
}

static void draw_ports(uint16_t *from, uint16_t *to, bool icmp)
{
	*from = 0;
	*to = UINT16_MAX;
	if (chance(2))
		return;
	*from = (uint16_t)(chance(4) ? 0 : below(icmp ? 20 : 70));
	*to = (uint16_t)(*from + below(chance(2) ? 1 : 40));
}

static struct policy draw_policy(bool ip6, bool ranges)
{
	static const uint16_t protos[] = {
		SELECTOR_PROTO_ANY, SELECTOR_PROTO_ANY, 6, 6, 17, 1, 58, 47};
	struct policy p = {.dir = (uint8_t)(1 + below(3)),
		.action = (uint8_t)below(3),
		.tunnel = (uint16_t)(1 + below(9)),
		.sel = {.sport_to = UINT16_MAX, .dport_to = UINT16_MAX}};

	p.sel.proto = chance(9) ? (uint16_t)below(256) : protos[below(8)];
	p.sel.any_addr = chance(15);
	if (!p.sel.any_addr) {
		draw_range(ip6, ranges, &p.sel.src_from, &p.sel.src_to);
		draw_range(ip6, ranges, &p.sel.dst_from, &p.sel.dst_to);
	}
	if (p.sel.proto == 6 || p.sel.proto == 17 || rule_proto_is_icmp(p.sel.proto)) {
		draw_ports(&p.sel.sport_from, &p.sel.sport_to, rule_proto_is_icmp(p.sel.proto));
		draw_ports(&p.sel.dport_from, &p.sel.dport_to, rule_proto_is_icmp(p.sel.proto));
	}
	return p;
}

/* An end of the range, one beside it, or anything. */
static struct addr near(const struct addr *from, const struct addr *to, bool ip6)
{
	struct addr a = chance(2) ? *from : *to;

	if (addr_is4(from) == ip6 || chance(5))
		return draw_addr(ip6);
	for (unsigned i = 15; chance(2) && i > 11; i--) { /* one less, or one more */
		a.b[i] = (uint8_t)(a.b[i] + (a.b[15] & 1 ? 1 : -1));
		if (a.b[i] != 0 && a.b[i] != 0xff)
			break;
	}
	if (ip6 && addr_is4(&a))
		a.b[0] = 0x20;
	return addr_is4(&a) == ip6 ? draw_addr(ip6) : a;
}

static uint16_t near_port(uint16_t from, uint16_t to)
{
	switch (below(4)) {
	case 0:
		return (uint16_t)(from - below(2));
	case 1:
		return (uint16_t)(to + below(2));
	case 2:
		return (uint16_t)(from + below(3));
	default:
		return (uint16_t)below(chance(2) ? 80 : 65536);
	}
}

static struct selector_packet draw_packet(const struct policy *p, unsigned dir, bool ip6)
{
	struct selector s = p->sel;
	struct selector_packet packet = {.proto = (uint8_t)s.proto};

	if (dir == RULE_IN && (p->dir & RULE_OUT))
		s = selector_mirror(&s);
	packet.src = near(&s.src_from, &s.src_to, ip6);
	packet.dst = near(&s.dst_from, &s.dst_to, ip6);
	if (s.proto == SELECTOR_PROTO_ANY || chance(8))
		packet.proto = (uint8_t)below(chance(3) ? 256 : 60);
	if (packet.proto == 6 || packet.proto == 17 || rule_proto_is_icmp(packet.proto)) {
		packet.no_ports = chance(12);
		packet.sport = packet.no_ports ? 0 : near_port(s.sport_from, s.sport_to);
		packet.dport = packet.no_ports ? 0 : near_port(s.dport_from, s.dport_to);
	}
	return packet;
}

static void mismatch(const struct spd *s, unsigned dir, const struct selector_packet *p,
	uint32_t got, uint32_t expected)
{
	char src[ADDR_STRLEN], dst[ADDR_STRLEN], text[SELECTOR_STRLEN];
	uint32_t verdict[] = {got, expected};

	printf("POSTERN_SEED=%" PRIu64 "\npacket: dir %u %s > %s proto %u ports %u %u%s\n", seed,
		dir, addr_format(&p->src, src), addr_format(&p->dst, dst), p->proto, p->sport,
		p->dport, p->no_ports ? " unknown" : "");
	for (unsigned i = 0; i < 2; i++)
		printf("%s: %u %s\n", i ? "walk" : "compiled", verdict[i],
			verdict[i] ? selector_format(
					     &s->policy[verdict[i] - 1].sel, text, sizeof(text))
				   : "none");
	fail_msg("the compiled SPD and the walk disagree");
}

static void ask(const struct spd *s, unsigned dir, bool ip6, const struct selector_packet p[],
	uint32_t out[], unsigned n)
{
	struct acl_key key[ACL_BURST_MAX] = {0};
	struct acl_key6 key6[ACL_BURST_MAX] = {0};
	const struct acl_key *keys[ACL_BURST_MAX];
	const struct acl_key6 *keys6[ACL_BURST_MAX];
	uint8_t proto[ACL_BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		proto[i] = p[i].proto;
		/* of the filter: says nothing here */
		key[i].class = key6[i].class = (uint8_t)draw();
		key[i].src = p[i].src.w[3];
		key[i].dst = p[i].dst.w[3];
		memcpy(key6[i].src, p[i].src.b, 16);
		memcpy(key6[i].dst, p[i].dst.b, 16);
		key[i].sport = key6[i].sport = rte_cpu_to_be_16(p[i].sport);
		key[i].dport = key6[i].dport = rte_cpu_to_be_16(p[i].dport);
		keys[i] = &key[i];
		keys6[i] = &key6[i];
	}
	if (ip6)
		spd_classify6(s, dir, keys6, proto, out, n);
	else
		spd_classify(s, dir, keys, proto, out, n);
}

static unsigned matched[2];

static unsigned compare(const struct spd *s, bool ip6)
{
	struct selector_packet p[ACL_BURST_MAX];
	uint32_t out[ACL_BURST_MAX];
	unsigned dir = 1 + below(2), n = 1 + below(chance(2) ? 40 : ACL_BURST_MAX);

	for (unsigned i = 0; i < n; i++)
		p[i] = draw_packet(&s->policy[below(s->n_policies)], dir, ip6);
	ask(s, dir, ip6, p, out, n);
	for (unsigned i = 0; i < n; i++) {
		uint32_t expected = policy_walk(s->policy, s->n_policies, dir, &p[i]);

		matched[ip6] += expected != 0;
		/* the walk is asked where a worker would have put the fragments together */
		if (p[i].no_ports && s->needs_ports[dir - 1][ip6])
			out[i] = spd_lookup(s, dir, &p[i]);
		if (out[i] != expected)
			mismatch(s, dir, &p[i], out[i], expected);
		if (i == 0 && spd_lookup(s, dir, &p[i]) != expected)
			mismatch(s, dir, &p[i], spd_lookup(s, dir, &p[i]), expected);
	}
	return n;
}

static void test_property(void **state)
{
	static struct policy policy[LIST_MAX];
	unsigned total[2] = {0}, lists = 0;

	for (; total[0] < COMPARISONS || total[1] < COMPARISONS; lists++) {
		/* ranges of IPv6 are many prefixes: lists of them are short */
		unsigned families = below(3);
		bool ranges = chance(2);
		uint32_t n = 1 + below(ranges ? (families ? 6 : 60) : chance(20) ? LIST_MAX : 200);
		char why[256] = "";
		struct spd *s;

		for (uint32_t i = 0; i < n; i++)
			policy[i] = draw_policy(families == 2 || (families && chance(2)), ranges);
		s = spd_build(policy, n, POLICY_BYPASS, SOCKET_ID_ANY, why, sizeof(why));
		if (s == NULL)
			fail_msg("POSTERN_SEED=%" PRIu64 ": %u policies: %s", seed, n, why);
		for (unsigned done = 0; done < PER_LIST;) {
			bool ip6 = families == 2 || (families && chance(2));
			unsigned burst = compare(s, ip6);

			done += burst;
			total[ip6] += burst;
		}
		spd_free(s);
	}
	for (unsigned i = 0; i < 2; i++) {
		printf("seed %" PRIu64 ", IPv%u: %u lists, %u packets agree, %u by a policy\n",
			seed, i ? 6 : 4, lists, total[i], matched[i]);
		assert_true(matched[i] > total[i] / 4);
		assert_true(matched[i] < total[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_property)};
	const char *text = getenv("POSTERN_SEED");

	if (text != NULL)
		seed = strtoull(text, NULL, 0);
	rng = seed;
	printf("POSTERN_SEED=%" PRIu64 "\n", seed);
	eal_up();
	return cmocka_run_group_tests_name("spd_property", tests, NULL, NULL);
}
