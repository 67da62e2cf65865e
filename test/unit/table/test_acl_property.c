/* The filter compiler, held against the plain first-match walk: random lists of rules of both
 * families, random packets near their edges, in bursts of 1 to 256 of one group. At least a million
 * comparisons for each family.
 *
 * The seed is printed, and taken from POSTERN_SEED when that is set; one seed gives one run.
 */
#include "eal.h"

#include "table/acl_memo.h"
#include "table/acl_write.h"
#include "wire/addr.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COMPARISONS 1500000 /* of each family */
#define PER_LIST 4000
#define LIST_MAX 3000

static uint64_t seed = 20240607, rng;

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

/* One rule in n. */
static bool chance(uint32_t n)
{
	return below(n) == 0;
}

/* How the rules of one list look. */
struct style {
	uint32_t nets;   /* distinct networks that prefixes are taken from */
	uint8_t len_min; /* of prefixes */
	uint8_t wild;    /* one address in so many is 0.0.0.0/0 */
	uint8_t ports;   /* one port in so many is not "any" */
	uint16_t port_values;
	uint8_t ip6;    /* of 4 rules so many are of IPv6 */
	bool any_proto; /* 0 to 255 instead of the usual ones */
	bool plain;     /* every rule in every group */
	uint16_t tunnels;
	bool loose; /* classic-tunnel-match = "any" */
};

static struct style draw_style(void)
{
	return (struct style){
		.nets = 1 + below(8),
		.len_min = (uint8_t)below(31),
		.wild = (uint8_t)(1 + below(6)),
		.ports = (uint8_t)(1 + below(4)),
		.port_values = (uint16_t)(2 + below(chance(2) ? 6 : 60000)),
		.ip6 = (uint8_t)below(5),
		.any_proto = chance(6),
		.plain = chance(3),
		.tunnels = (uint16_t)(1 + below(chance(2) ? 3 : 60000)),
		.loose = chance(4),
	};
}

/* Bits beyond the length stay, as users write them. */
static struct prefix draw_prefix4(const struct style *s)
{
	unsigned len = chance(s->wild) ? 0 : s->len_min + below(33 - s->len_min);

	return (struct prefix){
		.addr = addr_of4((below(s->nets) * 0x1f000000u) ^
				 (uint32_t)(draw() & (chance(2) ? 0x00030303 : 0xff))),
		.len = (uint8_t)(96 + len)};
}

/* Two bits in some bytes, so that addresses share prefixes that end in any of the four words. */
static struct prefix draw_prefix6(const struct style *s)
{
	unsigned from = s->len_min * 4;
	struct prefix p = {.addr.b = {0x20, 0x01},
		.len = (uint8_t)(chance(s->wild) ? 0 : from + below(129 - from))};

	p.addr.b[3] = (uint8_t)(below(s->nets) * 0x1f);
	for (unsigned i = 4; i < 16; i++)
		if (chance(4))
			p.addr.b[i] = (uint8_t)below(4);
	return p;
}

static void draw_addresses(const struct style *s, struct rule *r)
{
	if (chance(12)) {
		r->any_addr = true;
	} else if (below(4) < s->ip6) {
		r->src = draw_prefix6(s);
		r->dst = draw_prefix6(s);
	} else {
		r->src = draw_prefix4(s);
		r->dst = draw_prefix4(s);
	}
}

static struct rule_port draw_port(const struct style *s, bool icmp)
{
	static const uint16_t edge[] = {0, 1, 65534, 65535, 1023, 1024};
	struct rule_port p = {RULE_OP_ANY, 0};

	if (!chance(s->ports))
		return p;
	p.op = (uint8_t)below(RULE_OP_GE + 1);
	p.value = chance(8) ? edge[below(6)] : (uint16_t)below(s->port_values);
	if (icmp)
		p.value &= 255;
	return p;
}

static uint16_t draw_proto(const struct style *s)
{
	static const uint16_t usual[] = {
		RULE_PROTO_ALL, 6, 6, 6, RULE_PROTO_TCP_ACK, 17, 17, 1, 58, 50, 51, 89, 4};

	return s->any_proto ? (uint16_t)below(250) : usual[below(sizeof(usual) / sizeof(usual[0]))];
}

static struct rule draw_rule(const struct style *s)
{
	struct rule r = {
		.proto = draw_proto(s),
		.zone = RULE_ZONE_BOTH,
		.scope = RULE_SCOPE_BOTH,
		.dir = RULE_DIR_BOTH,
		.permit = chance(2),
		.log = chance(4),
		.tunnel = chance(2) ? 0 : RULE_TUNNEL_ANY,
	};

	draw_addresses(s, &r);
	if (rule_proto_has_ports(r.proto) || rule_proto_is_icmp(r.proto)) {
		r.sport = draw_port(s, rule_proto_is_icmp(r.proto));
		r.dport = draw_port(s, rule_proto_is_icmp(r.proto));
	}
	if (!s->plain) {
		r.zone = (uint8_t)(1 + below(3));
		r.scope = (uint8_t)(1 + below(3));
		r.dir = (uint8_t)(1 + below(3));
		r.frag = (uint8_t)below(4);
		if (chance(3)) { /* a number, and an id that is another; now and then none */
			r.tunnel = 1 + below(s->tunnels);
			r.tunnel_id = (uint16_t)(chance(20) ? 0 : r.tunnel * 3 - 2);
		}
	}
	r.tunnel_loose = s->loose;
	return r;
}

/* Mostly short, since the walk costs; now and then long. */
static uint32_t draw_length(void)
{
	if (chance(30))
		return LIST_MAX / 2 + below(LIST_MAX / 2);
	return below(1u << (1 + below(8)));
}

static uint16_t near(struct rule_port port)
{
	if (port.op == RULE_OP_ANY || chance(8))
		return (uint16_t)(chance(2) ? below(65536) : below(300));
	return (uint16_t)(port.value + below(3) - 1);
}

/* An address of the prefix, now and then with one bit wrong, in the family asked for. */
static struct addr draw_addr(const struct prefix *p, bool ip6)
{
	unsigned fixed = ip6 ? 0 : 96, len = p->len;
	struct addr a = {.q = {draw(), draw()}}, prefix, host;

	if (ip6 == addr_is4(&p->addr)) /* a rule of the other family, or of both */
		len = fixed;
	prefix = ip6 ? p->addr : addr_of4(addr_to4(&p->addr));
	host = addr_masked(&a, len);
	prefix = addr_masked(&prefix, len);
	a.q[0] = (a.q[0] ^ host.q[0]) | prefix.q[0];
	a.q[1] = (a.q[1] ^ host.q[1]) | prefix.q[1];
	if (chance(8)) {
		unsigned bit = fixed + below(128 - fixed);

		a.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	if (ip6 && addr_is4(&a))
		a.b[0] = 0x20;
	return a;
}

/* A packet that the rule matches, or nearly so. */
static struct rule_packet draw_packet(const struct rule *r, bool ip6)
{
	struct rule_packet p = {
		.src = draw_addr(&r->src, ip6),
		.dst = draw_addr(&r->dst, ip6),
		.proto = (uint8_t)(r->proto == RULE_PROTO_TCP_ACK ? 6 : r->proto),
		.ack = chance(2),
		.sport = near(r->sport),
		.dport = near(r->dport),
	};

	if (r->proto == RULE_PROTO_ALL || chance(8)) {
		static const uint8_t usual[] = {6, 17, 1, 58, 50, 47};

		p.proto = chance(8) ? (uint8_t)below(256) : usual[below(6)];
	}
	return p;
}

/* Fields that one packet of that kind can't have are 0. */
static void make_true(struct rule_packet *p)
{
	bool ports = rule_proto_has_ports(p->proto);

	if (p->proto != 6 || p->frag == PACKET_LATER_FRAGMENT)
		p->ack = false;
	if (rule_proto_is_icmp(p->proto)) {
		p->sport &= 255;
		p->dport &= 255;
	}
	if ((!ports && !rule_proto_is_icmp(p->proto)) || p->frag == PACKET_LATER_FRAGMENT)
		p->sport = p->dport = 0;
}

static void show_rule(const char *who, const struct rule *rules, uint32_t verdict)
{
	char text[RULE_STRLEN];

	if (verdict == 0)
		printf("%s: implicit deny\n", who);
	else
		printf("%s: rule %u: %s\n", who, verdict - 1,
			rule_format(&rules[verdict - 1], text, sizeof(text)));
}

static void mismatch(
	const struct rule *rules, const struct rule_packet *p, uint32_t got, uint32_t expected)
{
	char src[ADDR_STRLEN], dst[ADDR_STRLEN];

	printf("POSTERN_SEED=%" PRIu64 "\npacket: %s > %s proto %u ack %u ports %u %u frag %u "
	       "zone %u scope %u dir %u tunnel %u\n",
		seed, addr_format(&p->src, src), addr_format(&p->dst, dst), p->proto, p->ack,
		p->sport, p->dport, p->frag, p->zone, p->scope, p->dir, p->tunnel);
	show_rule("compiled", rules, got);
	show_rule("walk", rules, expected);
	fail_msg("the compiled filter and the walk disagree");
}

static struct acl_memo *memo;             /* over all lists, as a worker's */
static unsigned matched[2], two_parts[2]; /* packets that some rule decided; large lists */
static unsigned by_tunnel[2];             /* ... one that names their tunnel */

/* The verdicts of a burst: looked up, learnt, remembered. */
struct verdicts {
	uint32_t out[ACL_BURST_MAX], known[2][ACL_BURST_MAX];
};

static void ask4(const struct acl *a, unsigned group, const struct rule_packet *p, unsigned n,
	struct verdicts *v)
{
	struct acl_key key[ACL_BURST_MAX];
	const struct acl_key *keys[ACL_BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		key[i] = (struct acl_key){
			.class = acl_class(a, p[i].proto, p[i].ack),
			.tunnel = rte_cpu_to_be_16(p[i].tunnel),
			.src = rte_cpu_to_be_32(addr_to4(&p[i].src)),
			.dst = rte_cpu_to_be_32(addr_to4(&p[i].dst)),
			.sport = rte_cpu_to_be_16(p[i].sport),
			.dport = rte_cpu_to_be_16(p[i].dport),
		};
		keys[i] = &key[i];
	}
	acl_classify(a, group, keys, v->out, n);
	for (unsigned i = 0; i < 2; i++)
		acl_memo_classify(memo, a, group, keys, v->known[i], n);
}

static void ask6(const struct acl *a, unsigned group, const struct rule_packet *p, unsigned n,
	struct verdicts *v)
{
	struct acl_key6 key[ACL_BURST_MAX];
	const struct acl_key6 *keys[ACL_BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		key[i] = (struct acl_key6){
			.class = acl_class(a, p[i].proto, p[i].ack),
			.tunnel = rte_cpu_to_be_16(p[i].tunnel),
			.sport = rte_cpu_to_be_16(p[i].sport),
			.dport = rte_cpu_to_be_16(p[i].dport),
		};
		memcpy(key[i].src, p[i].src.b, 16);
		memcpy(key[i].dst, p[i].dst.b, 16);
		keys[i] = &key[i];
	}
	acl_classify6(a, group, keys, v->out, n);
	for (unsigned i = 0; i < 2; i++)
		acl_memo_classify6(memo, a, group, keys, v->known[i], n);
}

/* One burst of packets of one group, and its first packet by acl_lookup too. */
static unsigned compare_burst(
	const struct acl *a, const struct rule *rules, uint32_t n_rules, bool ip6)
{
	struct rule_packet p[ACL_BURST_MAX];
	struct verdicts v;
	unsigned n = 1 + below(chance(3) ? 40 : ACL_BURST_MAX);
	uint8_t dir = (uint8_t)(1 + below(2)), zone = (uint8_t)(1 + below(2));
	uint8_t scope = (uint8_t)(1 + below(2)), frag = (uint8_t)below(PACKET_FRAG_N);
	unsigned group = acl_group_of(ip6, dir, zone, scope, frag);
	struct rule anything = {.tunnel_id = 3};
	bool tunnel = chance(2);

	for (unsigned i = 0; i < n; i++) {
		const struct rule *near_to = &anything;

		for (unsigned tries = 0; n_rules > 0 && tries < 4; tries++) {
			near_to = &rules[below(n_rules)];
			if (rule_families(near_to) & (ip6 ? RULE_IP6 : RULE_IP4))
				break;
		}
		p[i] = draw_packet(near_to, ip6);
		p[i].dir = dir;
		p[i].zone = zone;
		p[i].scope = scope;
		p[i].frag = frag;
		if (tunnel) { /* the rule's, or one beside it */
			p[i].tunnel = (uint16_t)(near_to->tunnel_id + (chance(8) ? 1 : 0));
			if (p[i].tunnel == 0)
				p[i].tunnel = 3;
		}
		make_true(&p[i]);
	}
	if (tunnel)
		group = acl_group_tunnel(group);
	(ip6 ? ask6 : ask4)(a, group, p, n, &v);
	for (unsigned i = 0; i < n; i++) {
		uint32_t expected = acl_walk(rules, n_rules, &p[i]);

		matched[ip6] += expected != 0;
		by_tunnel[ip6] += tunnel && expected != 0 && rules[expected - 1].tunnel_id != 0;
		if (v.out[i] != expected)
			mismatch(rules, &p[i], v.out[i], expected);
		if (v.known[0][i] != expected || v.known[1][i] != expected)
			mismatch(rules, &p[i], v.known[v.known[0][i] == expected][i], expected);
		if (i == 0 && acl_lookup(a, &p[i]) != expected)
			mismatch(rules, &p[i], acl_lookup(a, &p[i]), expected);
	}
	return n;
}

static void test_property(void **state)
{
	static struct rule rules[LIST_MAX];
	struct acl_counters *counters = acl_counters_new(2 * LIST_MAX);
	struct acl *old = NULL;
	unsigned total[2] = {0}, lists = 0;

	memo = acl_memo_new(SOCKET_ID_ANY);
	assert_non_null(counters);
	assert_non_null(memo);
	for (; total[0] < COMPARISONS || total[1] < COMPARISONS; lists++) {
		struct style style = draw_style();
		uint32_t n = draw_length();
		char why[256] = "";
		struct acl *a;

		if (n >= LIST_MAX / 2) {
			style.plain = true; /* long for every group */
			style.wild = 50;    /* with no match-all early on */
			style.ip6 = chance(2) ? 4 : 0;
		}
		for (uint32_t i = 0; i < n; i++)
			rules[i] = draw_rule(&style);
		a = acl_build(
			rules, n, counters, SOCKET_ID_ANY, NULL, NULL, NULL, why, sizeof(why));
		if (a == NULL)
			fail_msg("POSTERN_SEED=%" PRIu64 ": %u rules: %s", seed, n, why);
		for (unsigned g = 0; g < ACL_GROUPS; g++)
			two_parts[g >= ACL_FAMILY_GROUPS] +=
				a->group[g].id == g && a->group[g].more != NULL;
		for (unsigned done = 0; done < PER_LIST;) {
			bool ip6 = below(4) < (style.ip6 == 4 ? 4 : style.ip6 ? 2 : 0);
			unsigned burst = compare_burst(a, rules, n, ip6);

			done += burst;
			total[ip6] += burst;
		}
		acl_counters_retire(counters, old, a, NULL, NULL);
		acl_free(old);
		old = a;
	}
	acl_free(old);
	acl_counters_free(counters);
	acl_memo_free(memo);
	for (unsigned i = 0; i < 2; i++) {
		printf("seed %" PRIu64
		       ", IPv%u: %u lists, %u packets agree, %u by a rule; %u tables in "
		       "two parts; %u by a rule of their tunnel\n",
			seed, i ? 6 : 4, lists, total[i], matched[i], two_parts[i], by_tunnel[i]);
		assert_true(by_tunnel[i] > total[i] / 100);
		assert_true(two_parts[i] > 0);
		assert_true(matched[i] > total[i] / 4);
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
	return cmocka_run_group_tests_name("acl_property", tests, NULL, NULL);
}
