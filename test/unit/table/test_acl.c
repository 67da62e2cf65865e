/* The filter compiler by example: groups, sharing of contexts, constants, protocol classes, port
 * operators, ICMP, fragments, the ACK bit, and counters over rebuilds. The property test next door
 * covers the combinations.
 */
#include "eal.h"

#include "table/acl_memo.h"
#include "table/acl_write.h"
#include "table/tunnel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rte_malloc.h>

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct prefix net(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static struct rule any_rule(void)
{
	return (struct rule){.src = net("0.0.0.0/0"),
		.dst = net("0.0.0.0/0"),
		.proto = RULE_PROTO_ALL,
		.zone = RULE_ZONE_BOTH,
		.scope = RULE_SCOPE_BOTH,
		.dir = RULE_DIR_BOTH,
		.permit = true,
		.tunnel = RULE_TUNNEL_ANY,
		.file = "test.rules"};
}

static struct rule proto_rule(uint16_t proto)
{
	struct rule r = any_rule();

	r.proto = proto;
	return r;
}

static struct rule port_rule(uint16_t proto, uint8_t op, uint16_t value)
{
	struct rule r = proto_rule(proto);

	r.dport = (struct rule_port){op, value};
	return r;
}

static struct rule_packet packet(uint8_t proto, uint16_t dport)
{
	return (struct rule_packet){.src = addr("10.1.0.7"),
		.dst = addr("10.2.0.9"),
		.proto = proto,
		.sport = 1000,
		.dport = dport,
		.zone = RULE_SECURE,
		.scope = RULE_ROUTE,
		.dir = RULE_IN};
}

static struct acl_build_stats stats;
static char why[256];

/* The same from one IPv6 host to another. */
static struct rule_packet packet6(uint8_t proto, uint16_t dport)
{
	struct rule_packet p = packet(proto, dport);

	p.src = addr("2001:db8:1::7");
	p.dst = addr("2001:db8:2::9");
	return p;
}

static struct rule any_rule6(void)
{
	struct rule r = any_rule();

	r.src = r.dst = net("::/0");
	return r;
}

static struct rule both_rule(uint16_t proto)
{
	struct rule r = any_rule();

	r.src = r.dst = (struct prefix){0};
	r.any_addr = true;
	r.proto = proto;
	return r;
}

/* Builds with counters of its own, which the test doesn't look at. */
static struct acl *build(const struct rule *r, uint32_t n)
{
	struct acl_counters *c = acl_counters_new(1000);
	struct acl *a;

	assert_non_null(c);
	a = acl_build(r, n, c, SOCKET_ID_ANY, &stats, NULL, NULL, why, sizeof(why));
	acl_counters_free(c);
	return a;
}

/* The verdict, which the plain walk must share. */
static uint32_t ask(const struct acl *a, struct rule_packet p)
{
	uint32_t verdict = acl_lookup(a, &p);

	assert_int_equal(verdict, acl_walk(a->rule, a->n_rules, &p));
	return verdict;
}

static void test_empty(void **state)
{
	struct acl *a = build(NULL, 0);

	assert_non_null(a);
	assert_int_equal(stats.n_contexts, 0);
	assert_int_equal(ask(a, packet(6, 80)), 0);
	assert_int_equal(a->verdict[0].permit, 0);
	assert_int_equal(a->verdict[0].counter, 0);
	assert_int_equal(ask(a, packet6(6, 80)), 0);
	for (unsigned g = 0; g < ACL_GROUPS; g++)
		assert_int_equal(a->group[g].id, g / ACL_FAMILY_GROUPS * ACL_FAMILY_GROUPS);
	acl_free(a);
	acl_free(NULL);
}

static void test_constant(void **state)
{
	struct rule r[] = {any_rule(), proto_rule(6)};
	struct acl *a;

	r[0].src = net("192.168.0.0/0"); /* address under an empty mask: still everything */
	a = build(r, 2);
	assert_non_null(a);
	assert_int_equal(stats.n_contexts, 0);
	assert_int_equal(stats.n_shadowed, 1);
	assert_int_equal(ask(a, packet(6, 80)), 1);
	assert_int_equal(a->verdict[1].permit, 1);
	acl_free(a);
}

static void test_sharing(void **state)
{
	struct rule r[] = {proto_rule(17), proto_rule(6), any_rule()};
	struct rule_packet p = packet(6, 80);
	struct acl *a = build(r, 3);

	assert_non_null(a);
	assert_int_equal(
		stats.n_contexts, 1); /* no rule needs ports: one list for all 24 of IPv4 */
	acl_free(a);

	r[0].dir = RULE_OUT;
	r[2].zone = RULE_NONSECURE;
	a = build(r, 3);
	assert_non_null(a);
	assert_int_equal(stats.n_contexts, 4); /* in and out, secure and nonsecure */
	assert_int_equal(a->group[acl_group_of(false, RULE_IN, RULE_SECURE, RULE_ROUTE, 0)].id,
		a->group[acl_group_of(false, RULE_IN, RULE_SECURE, RULE_LOCAL, 2)].id);
	assert_int_not_equal(a->group[acl_group_of(false, RULE_IN, RULE_SECURE, RULE_ROUTE, 0)].id,
		a->group[acl_group_of(false, RULE_OUT, RULE_SECURE, RULE_ROUTE, 0)].id);
	assert_int_equal(ask(a, p), 2);
	p.proto = 17;
	assert_int_equal(ask(a, p), 0);
	p.dir = RULE_OUT;
	assert_int_equal(ask(a, p), 1);
	p.proto = 47;
	assert_int_equal(ask(a, p), 0);
	p.zone = RULE_NONSECURE;
	assert_int_equal(ask(a, p), 3);
	acl_free(a);
}

static void test_match_all_differs_by_group(void **state)
{
	struct rule r[] = {any_rule(), any_rule()};
	struct rule_packet p = packet(6, 80);
	struct acl *a;

	r[0].scope = RULE_LOCAL;
	r[1].permit = false;
	a = build(r, 2);
	assert_non_null(a);
	assert_int_equal(stats.n_contexts, 0);
	assert_int_equal(ask(a, p), 2);
	p.scope = RULE_LOCAL;
	assert_int_equal(ask(a, p), 1);
	acl_free(a);
}

static void test_first_wins(void **state)
{
	struct rule r[] = {proto_rule(6), proto_rule(6), port_rule(6, RULE_OP_EQ, 80), any_rule()};
	struct acl *a;

	r[0].src = net("10.0.0.0/8");
	r[1].src = net("10.1.0.0/16");
	a = build(r, 4);
	assert_non_null(a);
	assert_int_equal(ask(a, packet(6, 80)), 1);
	assert_int_equal(ask(a, packet(17, 80)), 4);
	acl_free(a);
}

static void test_repeats(void **state)
{
	struct rule r[] = {
		port_rule(6, RULE_OP_EQ, 80), port_rule(6, RULE_OP_EQ, 80), proto_rule(17)};
	struct acl *a;

	r[1].permit = false;
	r[1].src = net("9.9.0.0/0"); /* under an empty mask */
	a = build(r, 3);
	assert_non_null(a);
	assert_int_equal(stats.n_compiled, 2 + 1); /* with ports; and later fragments, udp alone */
	assert_int_equal(ask(a, packet(6, 80)), 1);
	acl_free(a);
}

static void test_operators(void **state)
{
	static const uint16_t value[] = {0, 1, 80, 65534, 65535};
	static const int edge[] = {-1, 0, 1};

	for (unsigned op = RULE_OP_ANY; op <= RULE_OP_GE; op++) {
		for (unsigned v = 0; v < 5; v++) {
			struct rule r[] = {port_rule(17, (uint8_t)op, value[v]), proto_rule(6)};
			struct acl *a = build(r, 2);

			assert_non_null(a);
			for (unsigned e = 0; e < 3; e++)
				ask(a, packet(17, (uint16_t)(value[v] + edge[e])));
			acl_free(a);
		}
	}
}

static void test_neq_twice(void **state)
{
	struct rule r = port_rule(17, RULE_OP_NEQ, 53);
	struct rule_packet p = packet(17, 1);
	struct acl *a;

	r.sport = (struct rule_port){RULE_OP_NEQ, 53};
	a = build(&r, 1);
	assert_non_null(a);
	assert_int_equal(stats.n_compiled, 4);
	for (uint16_t s = 52; s <= 54; s++) {
		for (uint16_t d = 52; d <= 54; d++) {
			p.sport = s;
			p.dport = d;
			assert_int_equal(ask(a, p), s != 53 && d != 53);
		}
	}
	acl_free(a);
}

static void test_never(void **state)
{
	struct rule r = port_rule(17, RULE_OP_LT, 0);
	struct acl *a = build(&r, 1);

	assert_non_null(a);
	assert_int_equal(stats.n_contexts, 0);
	assert_int_equal(ask(a, packet(17, 0)), 0);
	acl_free(a);
	r = any_rule();
	r.tunnel = 3; /* it is not there */
	a = build(&r, 1);
	assert_non_null(a);
	assert_int_equal(ask(a, packet(17, 0)), 0);
	acl_free(a);
}

static unsigned tunnel_group(unsigned dir)
{
	return acl_group_tunnel(acl_group_of(false, dir, RULE_SECURE, RULE_ROUTE, PACKET_WHOLE));
}

/* t=: what came through a tunnel, what goes through one, and what the filter sends through it. */
static void test_tunnels(void **state)
{
	struct rule r[] = {any_rule(), any_rule(), any_rule(), any_rule()};
	struct rule_packet p = packet(17, 53);
	struct acl *a;

	r[0].tunnel = 500;
	r[0].tunnel_id = 1;
	r[0].permit = true;
	r[1].tunnel = 65536; /* has no number */
	r[1].tunnel_id = 2;
	r[1].permit = false;
	r[2].tunnel = 0;
	r[2].permit = true;
	a = build(r, 4);
	assert_non_null(a);
	assert_int_equal(a->verdict[1].tunnel, 1);
	assert_int_equal(a->verdict[2].tunnel, 0); /* denies */
	assert_int_equal(a->verdict[3].tunnel, 0);
	p.dir = RULE_IN;
	assert_int_equal(ask(a, p), 3);
	p.tunnel = 1;
	assert_int_equal(ask(a, p), 1);
	p.tunnel = 2;
	assert_int_equal(ask(a, p), 2);
	p.tunnel = 3;
	assert_int_equal(ask(a, p), 4);
	p.dir = RULE_OUT;
	assert_int_equal(ask(a, p), 4);
	p.tunnel = 2;
	assert_int_equal(ask(a, p), 2);
	p.tunnel = 1;
	assert_int_equal(ask(a, p), 1);
	p.tunnel = 0; /* goes through none yet */
	assert_int_equal(ask(a, p), 1);
	/* the same rules for the same reasons in both directions, within tunnels */
	assert_int_equal(a->group[tunnel_group(RULE_IN)].id, a->group[tunnel_group(RULE_OUT)].id);
	acl_free(a);
}

/* classic-tunnel-match = "any": inbound t= says nothing; outbound it still directs. */
static void test_tunnels_loose(void **state)
{
	struct rule r[] = {proto_rule(17), any_rule()};
	struct rule_packet p = packet(17, 53);
	struct acl *a;

	r[0].tunnel = 500;
	r[0].tunnel_id = 1;
	r[1].tunnel = 0;
	r[0].tunnel_loose = r[1].tunnel_loose = true;
	a = build(r, 2);
	assert_non_null(a);
	p.dir = RULE_IN;
	assert_int_equal(ask(a, p), 1);
	p.tunnel = 7;
	assert_int_equal(ask(a, p), 1);
	p.dir = RULE_OUT;
	assert_int_equal(ask(a, p), 2);
	/* so the inbound answer is not the outbound one */
	assert_int_not_equal(
		a->group[tunnel_group(RULE_IN)].id, a->group[tunnel_group(RULE_OUT)].id);
	acl_free(a);
}

/* A list that names no tunnel has one table for packets of all; one of t=0 has none for those in
 * tunnels, which it denies. */
static void test_tunnels_cost(void **state)
{
	struct rule r[] = {proto_rule(17), proto_rule(6)};
	struct acl *a = build(r, 2);

	assert_non_null(a);
	assert_int_equal(stats.n_contexts, 1);
	assert_int_equal(a->group[tunnel_group(RULE_IN)].id, a->group[0].id);
	acl_free(a);
	r[0].tunnel = r[1].tunnel = 0;
	a = build(r, 2);
	assert_non_null(a);
	assert_int_equal(stats.n_contexts, 1);
	assert_null(a->group[tunnel_group(RULE_IN)].ctx);
	assert_int_equal(a->group[tunnel_group(RULE_IN)].constant, 0);
	acl_free(a);
}

static struct rule_packet outer(const char *src, const char *dst, uint8_t dir, uint8_t proto)
{
	struct rule_packet p = {
		.proto = proto, .zone = RULE_NONSECURE, .scope = RULE_LOCAL, .dir = dir};

	assert_int_equal(addr_parse(src, &p.src), 0);
	assert_int_equal(addr_parse(dst, &p.dst), 0);
	return p;
}

static struct tunnel a_tunnel(uint8_t flags)
{
	struct tunnel t = {.id = 3,
		.flags = TUNNEL_UP | flags,
		.local = addr_of4(0xc0000201),
		.remote = addr_of4(0xc6336402),
		.local_port = RTE_BE16(4500),
		.remote_port = RTE_BE16(4501),
		.name = "west"};

	return t;
}

/* A tunnel opens its own way, and no other. */
static void test_generated(void **state)
{
	struct tunnel t = a_tunnel(TUNNEL_ESP | TUNNEL_AH);
	struct rule r[TUNNEL_RULES_MAX];
	struct rule_packet p = outer("198.51.100.2", "192.0.2.1", RULE_IN, 50);
	struct acl *a;

	assert_int_equal(tunnel_rules(&t, r), 4);
	a = build(r, 4);
	assert_non_null(a);
	assert_true(a->rule[0].generated);
	assert_string_equal(a->rule[0].file, "west");
	assert_int_not_equal(ask(a, p), 0);
	p.proto = 51;
	assert_int_not_equal(ask(a, p), 0);
	p.frag = PACKET_LATER_FRAGMENT;
	assert_int_not_equal(ask(a, p), 0);
	p.frag = PACKET_WHOLE;
	p.proto = 17;
	assert_int_equal(ask(a, p), 0);
	p.proto = 50;
	p.scope = RULE_ROUTE;
	assert_int_equal(ask(a, p), 0);
	assert_int_equal(ask(a, outer("198.51.100.3", "192.0.2.1", RULE_IN, 50)), 0);
	assert_int_equal(ask(a, outer("198.51.100.2", "192.0.2.2", RULE_IN, 50)), 0);
	assert_int_equal(ask(a, outer("198.51.100.2", "192.0.2.1", RULE_OUT, 50)), 0);
	assert_int_not_equal(ask(a, outer("192.0.2.1", "198.51.100.2", RULE_OUT, 50)), 0);
	acl_free(a);
	t = a_tunnel(TUNNEL_AH);
	assert_int_equal(tunnel_rules(&t, r), 2);
	assert_int_equal(r[0].proto, 51);
	t.flags = 0;
	assert_int_equal(tunnel_rules(&t, r), 0);
}

/* RFC 3948: in UDP, whole or in fragments; from anywhere where the other end may move. */
static void test_generated_encap(void **state)
{
	struct tunnel t = a_tunnel(TUNNEL_ESP | TUNNEL_ENCAP);
	struct rule r[TUNNEL_RULES_MAX];
	struct rule_packet in = outer("198.51.100.2", "192.0.2.1", RULE_IN, 17), later, other;
	struct rule_packet out = outer("192.0.2.1", "198.51.100.2", RULE_OUT, 17);
	unsigned n = tunnel_rules(&t, r);
	struct acl *a = build(r, n);

	in.sport = out.dport = 4501;
	in.dport = out.sport = 4500;
	later = in;
	later.frag = PACKET_LATER_FRAGMENT;
	later.sport = later.dport = 0;
	assert_non_null(a);
	assert_int_not_equal(ask(a, in), 0);
	assert_int_not_equal(ask(a, out), 0);
	assert_int_not_equal(ask(a, later), 0);
	other = in;
	other.dport = 500;
	assert_int_equal(ask(a, other), 0);
	other.frag = PACKET_FIRST_FRAGMENT;
	assert_int_equal(ask(a, other), 0);
	other = in;
	other.sport = 4500;
	assert_int_equal(ask(a, other), 0);
	in.frag = PACKET_FIRST_FRAGMENT;
	assert_int_not_equal(ask(a, in), 0);
	acl_free(a);
	t.flags |= TUNNEL_FOLLOW;
	n = tunnel_rules(&t, r);
	a = build(r, n);
	assert_non_null(a);
	assert_int_equal(addr_parse("203.0.113.77", &in.src), 0);
	in.sport = 60000;
	assert_int_not_equal(ask(a, in), 0);
	in.dport = 500;
	assert_int_equal(ask(a, in), 0);
	acl_free(a);
}

static void test_icmp(void **state)
{
	struct rule r[] = {proto_rule(1), proto_rule(1)};
	struct rule_packet p = packet(1, 0);
	struct acl *a;

	r[0].sport = (struct rule_port){RULE_OP_EQ, 8};
	r[0].dport = (struct rule_port){RULE_OP_EQ, 0};
	r[1].sport = (struct rule_port){RULE_OP_GE, 11};
	a = build(r, 2);
	assert_non_null(a);
	p.sport = 8;
	assert_int_equal(ask(a, p), 1);
	p.dport = 1;
	assert_int_equal(ask(a, p), 0);
	p.sport = 255;
	assert_int_equal(ask(a, p), 2);
	acl_free(a);
}

static void test_fragments(void **state)
{
	/* expected verdicts of whole, first fragment, later fragment for udp to port 53 */
	static const struct {
		uint8_t frag;
		uint8_t op;
		uint8_t verdict[PACKET_FRAG_N];
	} c[] = {
		{RULE_FRAG_YES, RULE_OP_ANY, {1, 1, 1}},
		{RULE_FRAG_NO, RULE_OP_ANY, {1, 0, 0}},
		{RULE_FRAG_ONLY, RULE_OP_ANY, {0, 1, 1}},
		{RULE_FRAG_HEADERS, RULE_OP_ANY, {1, 1, 0}},
		{RULE_FRAG_YES, RULE_OP_EQ, {1, 1, 0}},
		{RULE_FRAG_YES, RULE_OP_GE, {1, 1, 0}},
		{RULE_FRAG_ONLY, RULE_OP_EQ, {0, 1, 0}},
	};

	for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct rule r = port_rule(17, c[i].op, c[i].op == RULE_OP_EQ ? 53 : 0);
		struct acl *a;

		r.frag = c[i].frag;
		a = build(&r, 1);
		assert_non_null(a);
		for (uint8_t f = 0; f < PACKET_FRAG_N; f++) {
			struct rule_packet p = packet(17, f == PACKET_LATER_FRAGMENT ? 0 : 53);

			p.frag = f;
			p.sport = f == PACKET_LATER_FRAGMENT ? 0 : p.sport;
			assert_int_equal(ask(a, p), c[i].verdict[f]);
		}
		acl_free(a);
	}
}

static void test_ack(void **state)
{
	struct rule r[] = {proto_rule(RULE_PROTO_TCP_ACK), proto_rule(6), proto_rule(17)};
	struct rule_packet p = packet(6, 80);
	struct acl *a = build(r, 3);

	assert_non_null(a);
	assert_int_equal(ask(a, p), 2);
	p.ack = true;
	assert_int_equal(ask(a, p), 1);
	p.frag = PACKET_LATER_FRAGMENT;
	p.ack = false;
	p.sport = p.dport = 0;
	assert_int_equal(ask(a, p), 2);
	p.proto = 17;
	p.ack = true; /* no meaning outside TCP */
	assert_int_equal(ask(a, p), 3);
	p.proto = 99;
	assert_int_equal(ask(a, p), 0);
	assert_int_equal(acl_class(a, 6, true), acl_class(a, 6, false) + 1);
	assert_int_equal(acl_class(a, 47, false), acl_class(a, 99, true));
	acl_free(a);
}

static void test_classes_overflow(void **state)
{
	struct rule r[257];
	struct acl *a;

	for (unsigned i = 0; i < 256; i++)
		r[i] = proto_rule((uint16_t)i);
	a = build(r, 256); /* 256 protocols, 256 classes */
	assert_non_null(a);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(ask(a, packet((uint8_t)i, 0)), i + 1);
	acl_free(a);

	r[256] = proto_rule(RULE_PROTO_TCP_ACK); /* one too many */
	assert_null(build(r, 257));
	assert_non_null(strstr(why, "too many protocols"));

	r[255] = proto_rule(6); /* 255 protocols, tcp/ack, and the others: 257 */
	assert_null(build(r, 257));
	r[254] = proto_rule(6); /* 256 */
	a = build(r, 257);
	assert_non_null(a);
	assert_int_equal(ask(a, packet(255, 0)), 0);
	assert_int_equal(ask(a, packet(253, 0)), 254);
	acl_free(a);
}

static void test_two_families(void **state)
{
	struct rule r = any_rule();

	r.dst = net("2001:db8::/32");
	r.line = 12;
	assert_null(build(&r, 1));
	assert_non_null(strstr(why, "test.rules:12"));
}

static void test_too_many_rules(void **state)
{
	struct rule r = any_rule();

	assert_null(build(&r, RULES_MAX + 1));
	assert_non_null(strstr(why, "room for"));
}

static void test_copies(void **state)
{
	char file[] = "a.rules";
	struct rule r[] = {proto_rule(6), proto_rule(17), proto_rule(1)};
	struct acl *a;

	r[0].file = r[1].file = file;
	r[2].file = NULL;
	a = build(r, 3);
	assert_non_null(a);
	memset(file, 'x', sizeof(file));
	assert_string_equal(a->rule[0].file, "a.rules");
	assert_string_equal(a->rule[1].file, "a.rules");
	assert_null(a->rule[2].file);
	acl_free(a);
}

static uint32_t freed_ids[8], n_freed;

static void freed(void *arg, uint32_t id)
{
	assert_ptr_equal(arg, &n_freed);
	freed_ids[n_freed++] = id;
}

static struct acl *with(struct acl_counters *c, const struct rule *r, uint32_t n)
{
	return acl_build(r, n, c, SOCKET_ID_ANY, NULL, NULL, NULL, why, sizeof(why));
}

static void test_counters(void **state)
{
	struct rule one[] = {proto_rule(6), proto_rule(17), proto_rule(6)};
	struct rule two[] = {proto_rule(1), proto_rule(6), proto_rule(6)};
	struct acl_counters *c = acl_counters_new(5); /* the implicit deny and four */
	struct acl *a = with(c, one, 3), *b, *d;
	uint32_t udp;

	assert_non_null(a);
	udp = a->verdict[2].counter;
	assert_int_not_equal(a->verdict[1].counter, a->verdict[3].counter);
	two[1].line = 77; /* moved: same rule */
	b = with(c, two, 3);
	assert_non_null(b);
	assert_int_equal(b->verdict[2].counter, a->verdict[1].counter);
	assert_int_equal(b->verdict[3].counter, a->verdict[3].counter);

	/* all four are taken: a fifth has no room, and what failed leaves none taken */
	two[0] = proto_rule(50);
	assert_null(with(c, two, 3));
	assert_non_null(strstr(why, "counters"));

	n_freed = 0;
	acl_counters_retire(c, a, b, freed, &n_freed);
	assert_int_equal(n_freed, 1);
	assert_int_equal(freed_ids[0], udp);
	acl_free(a);
	d = with(c, two, 3);
	assert_non_null(d);
	assert_int_equal(d->verdict[1].counter, udp);

	/* a table that was built and never used: given back against the one that stays */
	n_freed = 0;
	acl_counters_retire(c, d, b, freed, &n_freed);
	assert_int_equal(n_freed, 1);
	acl_free(d);
	acl_counters_retire(c, NULL, b, freed, &n_freed);
	assert_int_equal(n_freed, 1);
	acl_counters_retire(c, b, NULL, freed, &n_freed);
	assert_int_equal(n_freed, 4);
	acl_free(b);
	acl_counters_free(c);
	acl_counters_free(NULL);
	assert_null(acl_counters_new(1));
}

static void test_no_memory(void **state)
{
	/* more than the heap has left: refused with advice, and once there is room it builds */
	static struct rule r[1000];
	struct acl_counters *c = acl_counters_new(1001);
	void *hog[64], *last;
	unsigned n = 0;
	struct acl *a;

	for (uint32_t i = 0; i < 1000; i++) {
		r[i] = proto_rule(6);
		r[i].src = (struct prefix){.addr = addr_of4(10u << 24 | i << 2), .len = 128};
	}
	for (size_t size = (size_t)1 << 29; size >= 1 << 17; size /= 2)
		while (n < 63 && (hog[n] = rte_malloc(NULL, size, 0)) != NULL)
			n++;
	assert_null(with(c, r, 1000)); /* room for the rules, not for the table */
	assert_non_null(strstr(why, "memory-mb"));
	last = rte_malloc(NULL, 1 << 16, 0);
	assert_null(with(c, r, 1000)); /* nor for the rules */
	assert_non_null(strstr(why, "memory-mb"));
	rte_free(last);
	while (n > 0)
		rte_free(hog[--n]);
	a = with(c, r, 1000);
	assert_non_null(a);
	acl_free(a);
	acl_counters_free(c);
}

/* A list in IPv6: each word of an address counts, prefixes end anywhere, ports and types as in
 * IPv4. */
static void test_ip6(void **state)
{
	static const char *const far[] = {"2001:db8:1::7", "2001:db9:1::7", "2001:db8:1:1::7",
		"2001:db8:1::1:0:0:7", "2001:db8:1::1:7", "2001:db8:1::8"};
	struct rule r[] = {any_rule6(), any_rule6(), any_rule6(), any_rule6()};
	struct rule_packet p = packet6(6, 80);
	struct acl *a;

	r[0].src = net("2001:db8:1::7");
	r[1].src = net("2001:db8::/31");
	r[1].proto = RULE_PROTO_ICMP6;
	r[1].sport = (struct rule_port){RULE_OP_EQ, 128};
	r[2].dst = net("2001:db8:2::8/125");
	r[2].proto = 17;
	r[2].dport = (struct rule_port){RULE_OP_GE, 1024};
	r[3].src = net("2001:db9::/65");
	a = build(r, 4);
	assert_non_null(a);
	for (unsigned i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		p.src = addr(far[i]);
		assert_int_equal(ask(a, p), i == 0);
	}
	p.src = addr("2001:db9::7fff:0:0:1");
	assert_int_equal(ask(a, p), 4);
	p.src = addr("2001:db9::8000:0:0:1");
	assert_int_equal(ask(a, p), 0);
	p.proto = RULE_PROTO_ICMP6;
	p.sport = 128;
	p.dport = 0;
	assert_int_equal(ask(a, p), 2);
	p.sport = 129;
	assert_int_equal(ask(a, p), 0);
	p.frag = PACKET_LATER_FRAGMENT;
	p.sport = 0;
	assert_int_equal(ask(a, p), 0);
	p = packet6(17, 1024);
	p.src = addr("::2");
	assert_int_equal(ask(a, p), 3);
	p.dst = addr("2001:db8:2::10");
	assert_int_equal(ask(a, p), 0);
	assert_int_equal(ask(a, packet(17, 1024)), 0); /* IPv4: nothing for it */
	acl_free(a);
}

/* A rule of one family says nothing about the other; one without addresses holds for both, with one
 * verdict and one counter. */
static void test_families(void **state)
{
	struct rule r[] = {any_rule(), both_rule(17), any_rule6(), both_rule(RULE_PROTO_ALL)};
	struct acl *a;

	r[0].proto = 6;
	r[2].proto = 6;
	r[3].permit = false;
	a = build(r, 4);
	assert_non_null(a);
	assert_int_equal(ask(a, packet(6, 80)), 1);
	assert_int_equal(ask(a, packet6(6, 80)), 3);
	assert_int_equal(ask(a, packet(17, 80)), 2);
	assert_int_equal(ask(a, packet6(17, 80)), 2);
	assert_int_equal(ask(a, packet(1, 0)), 4);
	assert_int_equal(ask(a, packet6(58, 0)), 4);
	/* keys differ, so that the families share no context even where their lists are the same */
	assert_int_equal(stats.n_contexts, 2);
	acl_free(a);

	a = build(&r[1], 1);
	assert_non_null(a);
	assert_int_equal(stats.n_contexts, 2);
	assert_int_equal(ask(a, packet(17, 80)), 1);
	assert_int_equal(ask(a, packet6(17, 80)), 1);
	assert_int_equal(ask(a, packet6(6, 80)), 0);
	acl_free(a);
}

/* A rule behind "any" of its own family is shadowed, behind that of the other it is not. */
static void test_shadowed_by_family(void **state)
{
	struct rule r[] = {any_rule(), any_rule6(), both_rule(6), any_rule6()};
	struct acl *a;

	r[1].proto = 17;
	a = build(r, 4);
	assert_non_null(a);
	assert_int_equal(stats.n_shadowed, 1); /* the third, in IPv4 alone */
	assert_int_equal(stats.n_contexts, 1);
	assert_int_equal(ask(a, packet(6, 80)), 1);
	assert_int_equal(ask(a, packet6(17, 80)), 2);
	assert_int_equal(ask(a, packet6(6, 80)), 3);
	assert_int_equal(ask(a, packet6(50, 80)), 4);
	acl_free(a);
}

/* A rule that matches everything for both families is constant for both. */
static void test_constant_both(void **state)
{
	struct rule r[] = {both_rule(RULE_PROTO_ALL), any_rule6(), any_rule()};
	struct acl *a = build(r, 3);

	assert_non_null(a);
	assert_int_equal(stats.n_contexts, 0);
	assert_int_equal(stats.n_shadowed, 2);
	assert_int_equal(ask(a, packet(6, 80)), 1);
	assert_int_equal(ask(a, packet6(6, 80)), 1);
	acl_free(a);
}

static void test_repeats_of_families(void **state)
{
	/* in each family the second is a repeat of what matches the same there */
	struct rule r[] = {both_rule(17), any_rule(), any_rule6()};
	struct acl *a;

	r[1].proto = r[2].proto = 17;
	a = build(r, 3);
	assert_non_null(a);
	assert_int_equal(stats.n_compiled, 2);
	assert_int_equal(ask(a, packet(17, 80)), 1);
	assert_int_equal(ask(a, packet6(17, 80)), 1);
	acl_free(a);
}

static void test_memo_flood(void **state)
{
	/* every packet new, then the same few: right answers whether it is remembering or resting
	 */
	struct rule r[] = {port_rule(17, RULE_OP_LT, 1000), proto_rule(6)};
	struct acl_memo *memo = acl_memo_new(SOCKET_ID_ANY);
	struct acl *a = build(r, 2);
	struct acl_memo_stats before;
	unsigned group = acl_group_of(false, RULE_IN, RULE_SECURE, RULE_ROUTE, PACKET_WHOLE);
	struct acl_key key[64];
	const struct acl_key *keys[64];
	uint32_t out[64];

	assert_non_null(memo);
	assert_non_null(a);
	for (unsigned pass = 0; pass < 4000; pass++) {
		for (unsigned i = 0; i < 64; i++) {
			key[i] = (struct acl_key){.class = acl_class(a, i % 2 ? 17 : 50, false),
				.src = pass < 2000 ? pass * 64 + i : i,
				.dport = rte_cpu_to_be_16((uint16_t)(i * 31))};
			keys[i] = &key[i];
		}
		acl_memo_classify(memo, a, group, keys, out, 1 + pass % 64);
		for (unsigned i = 0; i < 1 + pass % 64; i++)
			assert_int_equal(out[i], i % 2 && i * 31 < 1000);
	}
	/* of the first half nothing was known, and for most of it nothing was tried */
	before = *acl_memo_stats(memo);
	assert_in_range(before.hits, 1, 2000 * 32);
	assert_in_range(before.lookups, before.hits, before.hits + 2000 * 32 / 2);
	acl_memo_classify(memo, a, group, keys, out, 1);
	assert_int_equal(acl_memo_stats(memo)->lookups, before.lookups + 1);
	assert_int_equal(acl_memo_stats(memo)->hits, before.hits + 1);
	acl_free(a);
	acl_memo_free(memo);
	acl_memo_free(NULL);
}

static void test_memo_flood6(void **state)
{
	/* as above, in IPv6; a key differs from the next in one byte somewhere */
	struct rule r[] = {both_rule(17), both_rule(6)};
	struct acl_memo *memo = acl_memo_new(SOCKET_ID_ANY);
	struct acl_key6 key[64];
	const struct acl_key6 *keys[64];
	uint32_t out[64], group = acl_group_of(true, RULE_OUT, RULE_SECURE, RULE_ROUTE, 0);
	struct acl *a;

	r[0].dport = (struct rule_port){RULE_OP_LT, 1000};
	a = build(r, 2);
	assert_non_null(memo);
	assert_non_null(a);
	for (unsigned pass = 0; pass < 4000; pass++) {
		for (unsigned i = 0; i < 64; i++) {
			key[i] = (struct acl_key6){.class = acl_class(a, i % 2 ? 17 : 50, false),
				.dport = rte_cpu_to_be_16((uint16_t)(i * 31))};
			key[i].src[i % 16] = (uint8_t)(pass < 2000 ? pass : 1);
			key[i].dst[i % 16] = (uint8_t)(pass < 2000 ? pass >> 8 : 0);
			keys[i] = &key[i];
		}
		acl_memo_classify6(memo, a, group, keys, out, 1 + pass % 64);
		for (unsigned i = 0; i < 1 + pass % 64; i++)
			assert_int_equal(out[i], i % 2 && i * 31 < 1000);
	}
	acl_free(a);
	acl_memo_free(memo);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_constant),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_match_all_differs_by_group),
		cmocka_unit_test(test_first_wins),
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_neq_twice),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_tunnels_loose),
		cmocka_unit_test(test_tunnels_cost),
		cmocka_unit_test(test_generated),
		cmocka_unit_test(test_generated_encap),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_ack),
		cmocka_unit_test(test_classes_overflow),
		cmocka_unit_test(test_two_families),
		cmocka_unit_test(test_too_many_rules),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_ip6),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_shadowed_by_family),
		cmocka_unit_test(test_constant_both),
		cmocka_unit_test(test_repeats_of_families),
		cmocka_unit_test(test_memo_flood),
		cmocka_unit_test(test_memo_flood6),
	};

	eal_up();
	return cmocka_run_group_tests_name("acl", tests, NULL, NULL);
}
