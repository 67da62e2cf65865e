/* The filter compiler, held against the plain first-match walk: random lists of rules, random
 * packets near their edges, in bursts of 1 to 256 of one group. At least a million comparisons.
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

#define COMPARISONS 2000000
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
	bool any_proto; /* 0 to 255 instead of the usual ones */
	bool plain;     /* every rule in every group */
};

static struct style draw_style(void)
{
	return (struct style){
		.nets = 1 + below(8),
		.len_min = (uint8_t)below(31),
		.wild = (uint8_t)(1 + below(6)),
		.ports = (uint8_t)(1 + below(4)),
		.port_values = (uint16_t)(2 + below(chance(2) ? 6 : 60000)),
		.any_proto = chance(6),
		.plain = chance(3),
	};
}

static void draw_prefix(const struct style *s, uint32_t *addr, uint32_t *mask)
{
	unsigned len = chance(s->wild) ? 0 : s->len_min + below(33 - s->len_min);

	/* bits beyond the mask stay, as users write them */
	*addr = (below(s->nets) * 0x1f000000u) ^
		(uint32_t)(draw() & (chance(2) ? 0x00030303 : 0xff));
	*mask = mask4(len);
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
		RULE_PROTO_ALL, 6, 6, 6, RULE_PROTO_TCP_ACK, 17, 17, 1, 50, 51, 89, 4};

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

	draw_prefix(s, &r.src, &r.smask);
	draw_prefix(s, &r.dst, &r.dmask);
	if (rule_proto_has_ports(r.proto) || r.proto == 1) {
		r.sport = draw_port(s, r.proto == 1);
		r.dport = draw_port(s, r.proto == 1);
	}
	if (!s->plain) {
		r.zone = (uint8_t)(1 + below(3));
		r.scope = (uint8_t)(1 + below(3));
		r.dir = (uint8_t)(1 + below(3));
		r.frag = (uint8_t)below(4);
		if (chance(10))
			r.tunnel = 1 + below(3);
	}
	return r;
}

/* Mostly short, since the walk costs; now and then long. */
static uint32_t draw_length(void)
{
	if (chance(40))
		return LIST_MAX / 2 + below(LIST_MAX / 2);
	return below(1u << (1 + below(8)));
}

static uint16_t near(struct rule_port port)
{
	if (port.op == RULE_OP_ANY || chance(8))
		return (uint16_t)(chance(2) ? below(65536) : below(300));
	return (uint16_t)(port.value + below(3) - 1);
}

/* A packet that the rule matches, or nearly so. */
static struct rule_packet draw_packet(const struct rule *r)
{
	struct rule_packet p = {
		.src = (r->src & r->smask) | ((uint32_t)draw() & ~r->smask),
		.dst = (r->dst & r->dmask) | ((uint32_t)draw() & ~r->dmask),
		.proto = (uint8_t)(r->proto == RULE_PROTO_TCP_ACK ? 6 : r->proto),
		.ack = chance(2),
		.sport = near(r->sport),
		.dport = near(r->dport),
	};

	if (chance(8))
		p.src ^= 1u << below(32);
	if (chance(8))
		p.dst ^= 1u << below(32);
	if (r->proto == RULE_PROTO_ALL || chance(8)) {
		static const uint8_t usual[] = {6, 17, 1, 50, 47};

		p.proto = chance(8) ? (uint8_t)below(256) : usual[below(5)];
	}
	return p;
}

/* Fields that one packet of that kind can't have are 0. */
static void make_true(struct rule_packet *p)
{
	bool ports = rule_proto_has_ports(p->proto);

	if (p->proto != 6 || p->frag == PACKET_LATER_FRAGMENT)
		p->ack = false;
	if (p->proto == 1) {
		p->sport &= 255;
		p->dport &= 255;
	}
	if ((!ports && p->proto != 1) || p->frag == PACKET_LATER_FRAGMENT)
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
	char src[ADDR4_STRLEN], dst[ADDR4_STRLEN];

	printf("POSTERN_SEED=%" PRIu64 "\npacket: %s > %s proto %u ack %u ports %u %u frag %u "
	       "zone %u scope %u dir %u\n",
		seed, addr4_format(p->src, src), addr4_format(p->dst, dst), p->proto, p->ack,
		p->sport, p->dport, p->frag, p->zone, p->scope, p->dir);
	show_rule("compiled", rules, got);
	show_rule("walk", rules, expected);
	fail_msg("the compiled filter and the walk disagree");
}

static struct acl_memo *memo;       /* over all lists, as a worker's */
static unsigned matched, two_parts; /* packets that some rule decided; large lists */

/* One burst of packets of one group, by acl_classify, and its first packet by acl_lookup too. */
static unsigned compare_burst(const struct acl *a, const struct rule *rules, uint32_t n_rules)
{
	struct rule_packet p[ACL_BURST_MAX];
	struct acl_key key[ACL_BURST_MAX];
	const struct acl_key *keys[ACL_BURST_MAX];
	uint32_t out[ACL_BURST_MAX], known[2][ACL_BURST_MAX];
	unsigned n = 1 + below(chance(3) ? 40 : ACL_BURST_MAX);
	uint8_t dir = (uint8_t)(1 + below(2)), zone = (uint8_t)(1 + below(2));
	uint8_t scope = (uint8_t)(1 + below(2)), frag = (uint8_t)below(PACKET_FRAG_N);
	struct rule anything = {0};

	for (unsigned i = 0; i < n; i++) {
		p[i] = draw_packet(n_rules ? &rules[below(n_rules)] : &anything);
		p[i].dir = dir;
		p[i].zone = zone;
		p[i].scope = scope;
		p[i].frag = frag;
		make_true(&p[i]);
		key[i] = (struct acl_key){
			.class = acl_class(a, p[i].proto, p[i].ack),
			.src = rte_cpu_to_be_32(p[i].src),
			.dst = rte_cpu_to_be_32(p[i].dst),
			.sport = rte_cpu_to_be_16(p[i].sport),
			.dport = rte_cpu_to_be_16(p[i].dport),
		};
		keys[i] = &key[i];
	}
	acl_classify(a, acl_group_of(dir, zone, scope, frag), keys, out, n);
	for (unsigned i = 0; i < 2; i++) /* learnt, then remembered */
		acl_memo_classify(memo, a, acl_group_of(dir, zone, scope, frag), keys, known[i], n);
	for (unsigned i = 0; i < n; i++) {
		uint32_t expected = acl_walk(rules, n_rules, &p[i]);

		matched += expected != 0;
		if (out[i] != expected)
			mismatch(rules, &p[i], out[i], expected);
		if (known[0][i] != expected || known[1][i] != expected)
			mismatch(rules, &p[i], known[known[0][i] == expected][i], expected);
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
	unsigned total = 0, lists = 0;

	memo = acl_memo_new(SOCKET_ID_ANY);
	assert_non_null(counters);
	assert_non_null(memo);
	for (; total < COMPARISONS; lists++) {
		struct style style = draw_style();
		uint32_t n = draw_length();
		char why[256] = "";
		struct acl *a;

		if (n >= LIST_MAX / 2) {
			style.plain = true; /* long for every group */
			style.wild = 50;    /* with no match-all early on */
		}
		for (uint32_t i = 0; i < n; i++)
			rules[i] = draw_rule(&style);
		a = acl_build(rules, n, counters, NULL, NULL, NULL, why, sizeof(why));
		if (a == NULL)
			fail_msg("POSTERN_SEED=%" PRIu64 ": %u rules: %s", seed, n, why);
		for (unsigned g = 0; g < ACL_GROUPS; g++)
			two_parts += a->group[g].id == g && a->group[g].more != NULL;
		for (unsigned done = 0; done < PER_LIST;) {
			unsigned burst = compare_burst(a, rules, n);

			done += burst;
			total += burst;
		}
		acl_counters_retire(counters, old, a, NULL, NULL);
		acl_free(old);
		old = a;
	}
	acl_free(old);
	acl_counters_free(counters);
	acl_memo_free(memo);
	printf("seed %" PRIu64
	       ": %u lists, %u packets agree, %u by a rule; %u tables in two parts\n",
		seed, lists, total, matched, two_parts);
	assert_true(two_parts > 0);
	assert_true(matched > total / 4);
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
